//! Our own operations: short codes, explanations, the simulator's door.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Method;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_server::{
    Handset, HandsetMessage, Ops, SimulatedClass, SimulatedOutcome, SimulatorControl, SimulatorRule,
};
use serde_json::{Value, json};

use crate::world::{World, column, keys, list_of_v1};

#[tokio::test]
async fn short_codes_are_registered_changed_and_given_up() {
    let world = World::new().await;
    let fields = [
        ("ShortCode", "55501"),
        ("IsoCountry", "us"),
        ("FriendlyName", "Alerts"),
        ("MmsEnabled", "true"),
        ("Pace", "30"),
    ];
    let code = world.post("/x/v1/ShortCodes", &fields).await.created();
    assert_eq!(code["short_code"], "55501");
    assert_eq!(code["iso_country"], "US");
    assert_eq!(code["friendly_name"], "Alerts");
    assert_eq!(
        code["capabilities"],
        json!({"sms": true, "mms": true, "voice": false})
    );
    assert_eq!(code["pace"], 30.0);
    assert_eq!(code["date_created"], "2026-01-01T00:00:00Z");
    let url = code["url"].as_str().unwrap();
    let path = url.strip_prefix("http://localhost:8080").unwrap();
    assert!(path.starts_with("/x/v1/ShortCodes/SC"), "{path}");
    assert_eq!(world.get(path).await.ok(), code);

    // The same code and country again is an update.
    let again = world.post("/x/v1/ShortCodes", &fields[..2]).await.created();
    assert_eq!(again["sid"], code["sid"]);
    let updated = world.post(path, &[("Pace", "")]).await.ok();
    assert_eq!(updated["pace"], Value::Null);
    let page = world.get("/x/v1/ShortCodes").await.ok();
    assert_eq!(
        column(list_of_v1(&page, "short_codes"), "short_code"),
        ["55501"]
    );
    world.delete(path).await.gone();
    world.get(path).await.refused(404, 20404);

    for fields in [
        &[("IsoCountry", "US")][..],
        &[("ShortCode", "55501")],
        &[("ShortCode", "12"), ("IsoCountry", "US")],
        &[("ShortCode", "55501"), ("IsoCountry", "USA")],
        &[("ShortCode", "55501"), ("IsoCountry", "UK")],
        &[("ShortCode", "55501"), ("IsoCountry", "ZZ")],
        &[("ShortCode", "55501"), ("IsoCountry", "US"), ("Pace", "-1")],
    ] {
        world
            .post("/x/v1/ShortCodes", fields)
            .await
            .refused(400, 20001);
    }
}

#[tokio::test]
async fn a_message_explains_its_sender() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let number = world.number("+447700900101").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    world
        .post(&pool, &[("PhoneNumberSid", &number)])
        .await
        .created();
    let fields = [
        ("To", "+447700900199"),
        ("MessagingServiceSid", &service),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let sid = message["sid"].as_str().unwrap();
    let path = format!("/x/v1/Explain/{sid}");
    let explained = world.get(&path).await.ok();
    assert_eq!(explained["message_sid"], sid);
    assert_eq!(explained["from"], "+447700900101");
    assert_eq!(explained["decision"]["country"], "GB");
    let candidates = explained["candidates"].as_array().unwrap();
    assert_eq!(
        column(candidates, "sender"),
        ["+447700900101", "+14155550101"]
    );
    assert_eq!(column(candidates, "outcome"), ["chosen", "removed"]);
    assert_eq!(
        keys(&candidates[0]),
        ["outcome", "reason", "rule", "sender"]
    );

    // A sender that leaves the pool is still named.
    world.delete(&format!("{pool}/{number}")).await.gone();
    let later = world.get(&path).await.ok();
    assert_eq!(later["candidates"][0]["sender"], "+447700900101");
    for sid in ["SM00000000000000000000000000000000", "junk"] {
        world
            .get(&format!("/x/v1/Explain/{sid}"))
            .await
            .refused(404, 20404);
    }
}

/// Columns: what else the message says, why nothing was chosen.
#[tokio::test]
async fn a_message_that_nothing_was_chosen_for_says_why() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    for (more, why) in [
        (
            &[("From", "+14155550101")][..],
            "the request named the sender",
        ),
        (
            &[
                ("MessagingServiceSid", &*service),
                ("ScheduleType", "fixed"),
                ("SendAt", "2026-01-01T10:00:00Z"),
            ],
            "it is not due yet",
        ),
    ] {
        let fields = [&[("To", "+14155550199"), ("Body", "Hi")], more].concat();
        let message = world.post(&world.list("Messages"), &fields).await.created();
        let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
        let request = world.request(Method::GET, &path);
        let request = request.header("accept", "text/plain");
        let answer = world.send(request.body(Bytes::new().into()).unwrap()).await;
        let line = format!("nothing was chosen: {why}\n");
        assert!(answer.text.contains(&line), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_message_that_does_not_exist_is_explained_too() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let ask = async |to: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("To", to), ("MessagingServiceSid", &*service)];
        fields.extend(more);
        world.post("/x/v1/Explain", &fields).await
    };
    let explained = ask("+14155550199", &[]).await.ok();
    assert_eq!(explained["message_sid"], Value::Null);
    assert_eq!(explained["from"], "+14155550101");
    assert_eq!(explained["decision"]["rule"], "area_code_match");
    assert_eq!(
        column(explained["candidates"].as_array().unwrap(), "outcome"),
        ["chosen"]
    );
    // Nobody takes media, whoever is chosen.
    let media = [("MediaUrl", "https://media.example/cat.png")];
    let explained = ask("+14155550199", &media).await.ok();
    assert_eq!(explained["error_code"], 21612);
    // The answer of a request that would be refused.
    ask("12", &[]).await.refused(400, 21211);
    ask("+14155550199", &[("From", "+14155550177")])
        .await
        .refused(400, 21711);
    let named = [("To", "+14155550199"), ("From", "+14155550101")];
    world
        .post("/x/v1/Explain", &named)
        .await
        .refused(400, 20001);
    // Nothing was sent, and nobody is known to anyone.
    let messages = world.get(&world.list("Messages")).await.ok();
    assert_eq!(messages["messages"], json!([]));
    let path = format!("/x/v1/StickySenders?MessagingServiceSid={service}");
    assert_eq!(world.get(&path).await.ok()["sticky_senders"], json!([]));
}

#[tokio::test]
async fn a_dry_run_goes_all_the_way_to_the_commit() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let body = "\u{201c}Caf\u{e9}\u{201d} ".repeat(23);
    let fields = [
        ("To", "+447700900199"),
        ("MessagingServiceSid", &*service),
        ("Body", &*body),
    ];
    let run = world.post("/x/v1/DryRun", &fields).await.ok();
    assert_eq!(run["would_be"], "queued");
    assert_eq!(run["from"], "+14155550101");
    assert_eq!(run["body"], "\"Caf\u{e9}\" ".repeat(23));
    assert_eq!(run["is_smart_encoded"], true);
    assert_eq!(run["encoding"], "GSM-7");
    assert_eq!(run["num_segments"], 2);
    // Always there, and unknown as long as opt-outs are not recorded.
    assert_eq!(run.get("opt_out"), Some(&Value::Null));
    assert_eq!(run["decision"]["rule"], "us_fallback");
    assert_eq!(run["warnings"], json!([]));
    let unknown = [
        ("To", "+447700900199"),
        ("From", "Shop"),
        ("Body", "\u{1f600}"),
    ];
    let run = world.post("/x/v1/DryRun", &unknown).await.ok();
    assert_eq!(
        (&run["from"], &run["encoding"]),
        (&json!("Shop"), &json!("UCS-2"))
    );
    assert_eq!(run["decision"], Value::Null);
    let american = [("To", "+14155550199"), ("From", "Shop"), ("Body", "Hi")];
    world
        .post("/x/v1/DryRun", &american)
        .await
        .refused(400, 21612);
    let messages = world.get(&world.list("Messages")).await.ok();
    assert_eq!(messages["messages"], json!([]));
}

#[tokio::test]
async fn sticky_senders_are_listed_shown_and_forgotten() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    for last in 1..=5 {
        let to = format!("+1415555020{last}");
        let fields = [
            ("To", &*to),
            ("MessagingServiceSid", &service),
            ("Body", "Hi"),
        ];
        world.post(&world.list("Messages"), &fields).await.created();
    }
    let list = format!("/x/v1/StickySenders?MessagingServiceSid={service}&PageSize=2");
    let mut seen: Vec<String> = Vec::new();
    let mut next = Some(list);
    let mut previous = None;
    while let Some(path) = next {
        let page = world.get(&path).await.ok();
        let shown = column(list_of_v1(&page, "sticky_senders"), "to");
        seen.extend(shown.iter().map(ToString::to_string));
        let link = |name: &str| {
            let url = page["meta"][name].as_str()?;
            Some(
                url.strip_prefix("http://localhost:8080")
                    .unwrap()
                    .to_owned(),
            )
        };
        previous = link("previous_page_url");
        next = link("next_page_url");
    }
    let all = (1..=5).map(|last| format!("+1415555020{last}"));
    assert_eq!(seen, all.collect::<Vec<_>>());
    let page = world.get(&previous.unwrap()).await.ok();
    let shown = list_of_v1(&page, "sticky_senders");
    assert_eq!(column(shown, "to"), ["+14155550203", "+14155550204"]);

    // A link is of the same list in whichever case the service's SID is written.
    let path = format!("/x/v1/StickySenders?MessagingServiceSid={service}&PageSize=2");
    let page = world.get(&path).await.ok();
    let next = page["meta"]["next_page_url"].as_str().unwrap();
    let next = next.strip_prefix("http://localhost:8080").unwrap();
    let next = next.replace(&service, &service.to_ascii_lowercase());
    let page = world.get(&next).await.ok();
    assert_eq!(list_of_v1(&page, "sticky_senders"), shown);

    let url = shown[0]["url"].as_str().unwrap();
    let path = url.strip_prefix("http://localhost:8080").unwrap();
    let one = world.get(path).await.ok();
    assert_eq!(one, shown[0]);
    assert_eq!(
        keys(&one),
        [
            "date_created",
            "date_used",
            "from",
            "messaging_service_sid",
            "to",
            "url"
        ]
    );
    assert_eq!(one["from"], "+14155550101");
    world.delete(path).await.gone();
    world.get(path).await.refused(404, 20404);
    world.delete(path).await.refused(404, 20404);
    world.get("/x/v1/StickySenders").await.refused(400, 20001);
    let foreign = "/x/v1/StickySenders?MessagingServiceSid=MG00000000000000000000000000000000";
    world.get(foreign).await.refused(404, 20404);
}

#[tokio::test]
async fn a_message_tells_how_often_it_went_to_which_carrier() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let fields = [
        ("To", "+14155550199"),
        ("From", "+14155550101"),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
    world.settled(&message).await;
    let explained = world.get(&path).await.ok();
    assert_eq!(explained["carrier"], "test");
    assert_eq!(explained["attempts"], 1);
    assert_eq!(explained["possible_duplicate"], false);
    // The request named the sender, so there was nothing to decide.
    assert_eq!(explained["decision"], Value::Null);
    assert_eq!(explained["candidates"], json!([]));
}

/// Keeps the orders it gets and what phones write, and knows one phone.
#[derive(Default)]
struct Recorder(Mutex<Vec<SimulatorRule>>, Mutex<Vec<String>>);

impl SimulatorControl for Recorder {
    fn add_rule(&self, rule: SimulatorRule) {
        self.0.lock().unwrap().push(rule);
    }

    fn handset(&self, number: PhoneNumber) -> Handset {
        if number.to_string() != "+14155550199" {
            return Handset::default();
        }
        let message = HandsetMessage {
            from: "ACME".to_owned(),
            body: "Hi".to_owned(),
            segments: 1,
            received_ms: postrider_engine::testing::START_MS,
        };
        Handset {
            messages: vec![message],
        }
    }

    fn reply(&self, from: PhoneNumber, to: &SenderAddress, body: &str) -> Result<(), String> {
        if body == "long" {
            return Err("too long".to_owned());
        }
        let reply = format!("{from} to {to}: {body}");
        self.1.lock().unwrap().push(reply);
        Ok(())
    }
}

#[tokio::test]
async fn the_simulator_takes_orders_and_shows_its_phones() {
    let recorder = Arc::new(Recorder::default());
    let world = World::with(Ops::default(), Some(recorder.clone())).await;
    let fields = [
        ("To", "+14155550199"),
        ("Outcome", "undelivered"),
        ("ErrorCode", "30005"),
        ("DelayMs", "250"),
        ("Times", "2"),
    ];
    let rule = world.post("/x/v1/Simulator/Rules", &fields).await.created();
    assert_eq!(
        rule,
        json!({
            "to": "+14155550199",
            "outcome": "undelivered",
            "error_code": 30005,
            "class": null,
            "per_second": null,
            "down_ms": null,
            "delay_ms": 250,
            "times": 2,
        })
    );
    let to = PhoneNumber::parse("+14155550199").unwrap();
    assert_eq!(
        *recorder.0.lock().unwrap(),
        [SimulatorRule {
            to,
            outcome: SimulatedOutcome::Undelivered,
            error: Some(ErrorCode::HandsetUnknown),
            class: SimulatedClass::Fail,
            per_second: 0,
            down_ms: 1_000,
            delay_ms: 250,
            times: Some(2),
        }]
    );
    for (fields, code) in [
        (&[("Outcome", "delivered")][..], 20001),
        (&[("To", "+14155550199")], 20001),
        (&[("To", "x"), ("Outcome", "delivered")], 21211),
        (&[("To", "+14155550199"), ("Outcome", "lost")], 20001),
        (
            &[
                ("To", "+14155550199"),
                ("Outcome", "rejected"),
                ("Class", "later"),
            ],
            20001,
        ),
        (
            &[
                ("To", "+14155550199"),
                ("Outcome", "rejected"),
                ("ErrorCode", "1"),
            ],
            20001,
        ),
        (
            &[
                ("To", "+14155550199"),
                ("Outcome", "unknown"),
                ("Times", "-1"),
            ],
            20001,
        ),
    ] {
        world
            .post("/x/v1/Simulator/Rules", fields)
            .await
            .refused(400, code);
    }
    for number in ["+14155550199", "%2B14155550199"] {
        let handset = world
            .get(&format!("/x/v1/Simulator/Handsets/{number}"))
            .await
            .ok();
        assert_eq!(
            handset,
            json!({
                "number": "+14155550199",
                "messages": [{
                    "from": "ACME",
                    "body": "Hi",
                    "num_segments": 1,
                    "date_received": "2026-01-01T00:00:00Z",
                }],
            })
        );
    }
}

/// One row for each outcome in the table of docs/simulator.md, and one for each parameter of its own.
#[tokio::test]
async fn the_simulator_takes_every_outcome_of_its_page() {
    const PAGE: &str = include_str!("../../../../docs/simulator.md");
    let recorder = Arc::new(Recorder::default());
    let world = World::with(Ops::default(), Some(recorder.clone())).await;
    for (outcome, parameter, expected) in [
        ("delivered", None, SimulatedOutcome::Delivered),
        ("undelivered", None, SimulatedOutcome::Undelivered),
        ("rejected", None, SimulatedOutcome::Rejected),
        (
            "rejected",
            Some(("Class", "retry_same")),
            SimulatedOutcome::Rejected,
        ),
        (
            "rejected",
            Some(("Class", "retry_other")),
            SimulatedOutcome::Rejected,
        ),
        (
            "rejected",
            Some(("Class", "config")),
            SimulatedOutcome::Rejected,
        ),
        ("lost_receipt", None, SimulatedOutcome::LostReceipt),
        ("early_receipt", None, SimulatedOutcome::EarlyReceipt),
        (
            "duplicate_receipt",
            None,
            SimulatedOutcome::DuplicateReceipt,
        ),
        ("throttle", None, SimulatedOutcome::Throttle),
        (
            "throttle",
            Some(("PerSecond", "3")),
            SimulatedOutcome::Throttle,
        ),
        ("unknown", None, SimulatedOutcome::Unknown),
        ("unknown_arrived", None, SimulatedOutcome::UnknownArrived),
        ("answered_late", None, SimulatedOutcome::AnsweredLate),
        ("disconnect", None, SimulatedOutcome::Disconnect),
        (
            "disconnect",
            Some(("DownMs", "400")),
            SimulatedOutcome::Disconnect,
        ),
    ] {
        let mut fields = vec![("To", "+14155550199"), ("Outcome", outcome)];
        fields.extend(parameter);
        let rule = world.post("/x/v1/Simulator/Rules", &fields).await.created();
        assert_eq!(rule["outcome"], outcome);
        for (name, key, default) in [
            (
                "Class",
                "class",
                (outcome == "rejected").then(|| json!("fail")),
            ),
            (
                "PerSecond",
                "per_second",
                (outcome == "throttle").then(|| json!(0)),
            ),
            (
                "DownMs",
                "down_ms",
                (outcome == "disconnect").then(|| json!(1000)),
            ),
        ] {
            let given = parameter
                .filter(|(given, _)| *given == name)
                .map(|(_, text)| {
                    text.parse::<u32>()
                        .map_or(json!(text), |number| json!(number))
                });
            let expected = given.or(default).unwrap_or(Value::Null);
            assert_eq!(rule[key], expected, "{outcome} {parameter:?}");
        }
        let taken = recorder.0.lock().unwrap().pop().unwrap();
        assert_eq!(taken.outcome, expected);
        assert!(PAGE.contains(&format!("\n| `{outcome}` |")), "{outcome}");
    }
    let rows = PAGE.split("| `Outcome` | what happens |").nth(1).unwrap();
    let rows = rows
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    assert_eq!(rows.count(), SimulatedOutcome::ALL.len());
}

#[tokio::test]
async fn a_phone_writes_to_a_sender_of_the_account_and_to_no_other() {
    let recorder = Arc::new(Recorder::default());
    let mut world = World::with(Ops::default(), Some(recorder.clone())).await;
    world.number("+14155550101").await;
    let phone = "/x/v1/Simulator/Handsets/+14155550199";
    let fields = [("To", "+14155550101"), ("Body", "Yes")];
    let sent = world.post(phone, &fields).await.created();
    assert_eq!(
        sent,
        json!({"from": "+14155550199", "to": "+14155550101", "body": "Yes"})
    );
    assert_eq!(
        *recorder.1.lock().unwrap(),
        ["+14155550199 to +14155550101: Yes"]
    );
    for fields in [
        &[("To", "+14155550101")][..],
        &[("Body", "Yes")],
        &[("To", "+14155550102"), ("Body", "Yes")],
        &[("To", "ACME"), ("Body", "Yes")],
        &[("To", "+14155550101"), ("Body", "long")],
    ] {
        world.post(phone, fields).await.refused(400, 20001);
    }
    world.delete(phone).await.refused(405, 20004);
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.post(phone, &fields).await.refused(400, 20001);
}

#[tokio::test]
async fn without_a_simulator_there_is_no_door() {
    let world = World::new().await;
    world
        .post("/x/v1/Simulator/Rules", &[])
        .await
        .refused(404, 20404);
    world
        .get("/x/v1/Simulator/Handsets/+14155550199")
        .await
        .refused(404, 20404);
}
