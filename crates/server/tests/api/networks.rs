//! Short codes by the recipient's network, and what else the operator says of carriers' reach.

use std::num::NonZeroU32;

use postrider_core::country::{Country, Support};
use postrider_core::phone_number::PhoneNumber;
use postrider_engine::coverage::{CountryOverride, Coverage, MmsReach};
use postrider_engine::metrics::NetworkLabel;
use postrider_engine::networks::{Config, Networks, Wiring};
use serde_json::{Value, json};

use crate::world::{Answer, World, column};

/// A world whose recipients' networks are looked up as `config` says.
async fn world_with(config: impl FnOnce(&mut Config)) -> World {
    World::set_up(|setup| {
        let mut networks = Config {
            allow_private_networks: true,
            ..Config::default()
        };
        config(&mut networks);
        let wiring = Wiring {
            clock: setup.clock.clone(),
            metrics: setup.metrics.clone(),
            ca_file: None,
        };
        setup.coverage.networks = Networks::open(&networks, &wiring, None).unwrap();
    })
    .await
}

/// A world with a table of two American networks, and a ported number.
pub(crate) async fn world_with_table() -> World {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("networks.csv");
    let table = "prefix,mcc,mnc\n1,310,410\n1415,310,260\n14155550198,310,410\n44,234,10\n";
    std::fs::write(&path, table).unwrap();
    // It is read at once.
    world_with(|config| config.table = Some(path)).await
}

/// A service with these senders in its pool, in this order.
async fn service(world: &World, senders: &[&str]) -> String {
    let service = world.service().await;
    for sender in senders {
        let (list, name, sid) = match *sender {
            // What serves one network of the United States only.
            "SC-US" => {
                let fields = [
                    ("ShortCode", "55501"),
                    ("IsoCountry", "US"),
                    ("ServedNetworks", "310-410"),
                    ("ServedNetworks", "311"),
                ];
                let code = world.post("/x/v1/ShortCodes", &fields).await.created();
                let sid = code["sid"].as_str().unwrap().to_owned();
                ("ShortCodes", "ShortCodeSid", sid)
            }
            number => ("PhoneNumbers", "PhoneNumberSid", world.number(number).await),
        };
        let path = format!("/v1/Services/{service}/{list}");
        world.post(&path, &[(name, &sid)]).await.created();
    }
    service
}

async fn send(world: &World, service: &str, to: &str) -> Value {
    let fields = [("To", to), ("MessagingServiceSid", service), ("Body", "Hi")];
    let message = world.post(&world.list("Messages"), &fields).await;
    world.settled(&message.created()).await
}

async fn explain(world: &World, fields: &[(&str, &str)]) -> Answer {
    world.post("/x/v1/Explain", fields).await
}

async fn explanation_of(world: &World, message: &Value) -> Value {
    let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
    world.get(&path).await.ok()
}

fn lookups(world: &World, source: &'static str, result: &'static str) -> u64 {
    let label = NetworkLabel { source, result };
    let metrics = world.engine().metrics();
    metrics.network_lookups.get_or_create(&label).get()
}

const US415: &str = "+14155550101";
const UK: &str = "+447700900101";
/// Of a network that the short code does not serve.
const AWAY: &str = "+14155550199";
/// Of one that it does, by the number's own row.
const NEAR: &str = "+14155550198";

/// Examples 18 to 22 of the documentation: the pool, the recipient, the sender or the error, its rule.
#[tokio::test]
async fn short_codes_come_first_where_they_are_served() {
    for (pool, to, expected, rule) in [
        (&[US415, "SC-US"][..], NEAR, Ok("55501"), "short_code"),
        (&[US415, "SC-US"], AWAY, Ok(US415), "area_code_match"),
        (&["SC-US"], AWAY, Err(21703), ""),
        (&["SC-US", UK], "+447700900199", Ok(UK), "country_geomatch"),
        (&["SC-US"], "+447700900199", Err(21703), ""),
    ] {
        let world = world_with_table().await;
        let service = service(&world, pool).await;
        let message = send(&world, &service, to).await;
        let explained = explanation_of(&world, &message).await;
        let decision = &explained["decision"];
        match expected {
            Ok(from) => {
                assert_eq!(message["status"], "delivered", "{pool:?} {to}");
                assert_eq!(message["from"], from, "{pool:?} {to}");
                assert_eq!(decision["rule"], rule, "{pool:?} {to}");
            }
            Err(code) => {
                assert_eq!(message["status"], "failed", "{pool:?} {to}");
                assert_eq!(message["error_code"], code, "{pool:?} {to}");
            }
        }
    }
}

#[tokio::test]
async fn a_reroute_is_explained_before_and_after() {
    let world = world_with_table().await;
    let service = service(&world, &[US415, "SC-US"]).await;
    let message = send(&world, &service, AWAY).await;
    let explained = explanation_of(&world, &message).await;
    assert_eq!(explained["decision"]["network"], "310-260");
    assert_eq!(explained["recipient_network"], Value::Null);
    let candidates = explained["candidates"].as_array().unwrap();
    assert_eq!(column(candidates, "sender"), [US415, "55501"]);
    let loser = ["kind", "iso_country", "outcome", "rule", "reason"].map(|key| &candidates[1][key]);
    let reason = "it does not serve the recipient's network 310-260";
    assert_eq!(
        loser,
        ["short_code", "US", "removed", "network_not_served", reason]
    );

    let question = [("To", "+14155550150"), ("MessagingServiceSid", &*service)];
    let told = json!({
        "network": "310-260",
        "source": "table",
        "as_of": "2026-01-01T00:00:00Z",
        "problem": null,
    });
    let asked = explain(&world, &question).await.ok();
    assert_eq!(asked["recipient_network"], told);
    assert_eq!(asked["from"], US415);
    let supposing = |network| [&question[..], &[("RecipientNetwork", network)]].concat();
    let asked = explain(&world, &supposing("311-480")).await.ok();
    assert_eq!(asked["recipient_network"]["source"], "question");
    assert_eq!(asked["decision"]["network"], "311-480");
    assert_eq!(asked["from"], "55501");
    explain(&world, &supposing("311")).await.refused(400, 20001);
    let mut run = supposing("310-260");
    run.push(("Body", "Hi"));
    let run = world.post("/x/v1/DryRun", &run).await.ok();
    assert_eq!(run["recipient_network"]["network"], "310-260");
    assert_eq!(run["decision"]["rule"], "area_code_match");
}

#[tokio::test]
async fn a_network_is_looked_up_only_where_a_short_code_depends_on_it() {
    let world = world_with_table().await;
    let with_code = service(&world, &[US415, "SC-US", UK]).await;
    let without = service(&world, &["+14155550102"]).await;
    for (fields, is_asked) in [
        (
            &[("To", AWAY), ("MessagingServiceSid", &with_code)][..],
            true,
        ),
        (
            &[("To", "+447700900199"), ("MessagingServiceSid", &with_code)],
            false,
        ),
        (&[("To", AWAY), ("MessagingServiceSid", &without)], false),
        (
            &[
                ("To", AWAY),
                ("MessagingServiceSid", &with_code),
                ("From", US415),
            ],
            false,
        ),
    ] {
        let asked = explain(&world, fields).await.ok();
        let network = &asked["recipient_network"];
        assert_eq!(!network.is_null(), is_asked, "{fields:?}: {network}");
    }
    assert_eq!(lookups(&world, "table", "known"), 1);
    send(&world, &without, AWAY).await;
    assert_eq!(lookups(&world, "table", "known"), 1);
    send(&world, &with_code, AWAY).await;
    assert_eq!(lookups(&world, "table", "known"), 2);

    // A short code that serves all networks again depends on none.
    let codes = world.get("/x/v1/ShortCodes").await.ok();
    let sid = codes["short_codes"][0]["sid"].as_str().unwrap();
    let path = format!("/x/v1/ShortCodes/{sid}");
    world.post(&path, &[("ServedNetworks", "")]).await.ok();
    let sent = send(&world, &with_code, "+14155550151").await;
    assert_eq!(sent["from"], "55501");
    assert_eq!(lookups(&world, "table", "known"), 2);
}

#[tokio::test]
async fn a_recipient_of_an_unknown_network_is_served() {
    // Connected to, and never read from.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap().port();
    for (port, timeout_ms, problem) in [
        (1, 5_000, "the connection was refused or reset"),
        (silent, 50, "no answer within networks.timeout_ms"),
    ] {
        let world = world_with(|config| {
            config.lookup_url = Some(format!("http://127.0.0.1:{port}/{{number}}"));
            config.timeout_ms = NonZeroU32::new(timeout_ms).unwrap();
        })
        .await;
        let service = service(&world, &[US415, "SC-US"]).await;
        let message = send(&world, &service, AWAY).await;
        assert_eq!(message["from"], "55501");
        let explained = explanation_of(&world, &message).await;
        assert_eq!(explained["decision"]["network"], Value::Null);
        let question = [("To", AWAY), ("MessagingServiceSid", &*service)];
        let asked = explain(&world, &question).await.ok();
        let told = &asked["recipient_network"];
        assert_eq!(
            (&told["network"], &told["source"]),
            (&Value::Null, &json!("http"))
        );
        assert_eq!(told["problem"], problem);
    }
}

#[tokio::test]
async fn a_scheduled_message_is_looked_up_when_it_is_released() {
    let world = world_with_table().await;
    let service = service(&world, &[US415, "SC-US"]).await;
    let mut messages = Vec::new();
    for to in [AWAY, NEAR, "+14155550197"] {
        let fields = [
            ("To", to),
            ("MessagingServiceSid", &*service),
            ("Body", "Hi"),
            ("ScheduleType", "fixed"),
            ("SendAt", "2026-01-01T00:10:00Z"),
        ];
        let message = world.post(&world.list("Messages"), &fields).await;
        messages.push(message.created());
    }
    assert_eq!(lookups(&world, "table", "known"), 0);
    world.test.clock.advance(600_000);
    for (message, from) in messages.iter().zip([US415, "55501", US415]) {
        assert_eq!(world.settled(message).await["from"], from);
    }
    assert_eq!(lookups(&world, "table", "known"), 3);
}

#[tokio::test]
async fn served_networks_are_set_shown_and_checked() {
    let world = World::new().await;
    let code = [("ShortCode", "55501"), ("IsoCountry", "US")];
    let with = |networks: &[&'static str]| {
        let networks = networks.iter().map(|network| ("ServedNetworks", *network));
        code.into_iter().chain(networks).collect::<Vec<_>>()
    };
    let create =
        async |networks: &[&'static str]| world.post("/x/v1/ShortCodes", &with(networks)).await;
    let served = |code: Value| code["served_networks"].clone();
    assert_eq!(served(create(&[]).await.created()), json!([]));
    let given = ["311", "310-26", "310-260", "311"];
    let expected = json!(["311", "310-026", "310-260"]);
    assert_eq!(served(create(&given).await.created()), expected);
    // What is not given stays.
    assert_eq!(served(create(&[]).await.created()), expected);
    for wrong in ["31", "310-", "AT&T", "310-2600"] {
        create(&["310", wrong]).await.refused(400, 20001);
    }
    let codes = world.get("/x/v1/ShortCodes").await.ok();
    assert_eq!(codes["short_codes"][0]["served_networks"], expected);
    assert_eq!(served(create(&[""]).await.created()), json!([]));
}

#[tokio::test]
async fn the_operator_knows_countries_and_routes_of_mms() {
    let world = World::new().await;
    let service = service(&world, &[UK]).await;
    let alpha = [("AlphaSender", "ACME")];
    let pool = format!("/v1/Services/{service}/AlphaSenders");
    world.post(&pool, &alpha).await.created();
    // Bonaire is in no public list.
    let to = "+59977812345";
    let country = PhoneNumber::parse(to).unwrap().country().unwrap();
    assert_eq!(country, Country::parse("BQ").unwrap());
    let question = [("To", to), ("MessagingServiceSid", &*service)];
    let asked = explain(&world, &question).await.ok();
    assert_eq!(asked["decision"]["rule"], "any_country");
    let named = [("To", to), ("From", "Shop"), ("Body", "Hi")];
    world.post("/x/v1/DryRun", &named).await.refused(400, 21612);

    let told = CountryOverride {
        alpha_sender: Some(Support::Yes),
        ..CountryOverride::default()
    };
    let mut coverage = Coverage {
        countries: [(country, told)].into(),
        ..Coverage::default()
    };
    world.engine().cover(coverage.clone());
    let asked = explain(&world, &question).await.ok();
    assert_eq!(asked["decision"]["rule"], "alpha_sender");
    world.post("/x/v1/DryRun", &named).await.ok();

    // An American number with MMS, and a route for it to Britain.
    let american = world.service().await;
    let path = world.list("IncomingPhoneNumbers");
    let number = [("PhoneNumber", US415), ("MmsEnabled", "true")];
    let number = world.post(&path, &number).await.created();
    let pool = format!("/v1/Services/{american}/PhoneNumbers");
    let number = [("PhoneNumberSid", number["sid"].as_str().unwrap())];
    world.post(&pool, &number).await.created();
    let is_converted = async |to: &str| {
        let fields = [
            ("To", to),
            ("MessagingServiceSid", &*american),
            ("MediaUrl", "https://media.example/cat.png"),
        ];
        let asked = explain(&world, &fields).await.ok();
        asked["decision"]["is_converted_to_sms"] == true
    };
    assert!(!is_converted(AWAY).await);
    assert!(is_converted("+447700900199").await);
    coverage.mms.reach.push(MmsReach {
        from: vec![Country::US],
        to: vec![Country::parse("GB").unwrap()],
    });
    world.engine().cover(coverage);
    assert!(!is_converted("+447700900199").await);
}
