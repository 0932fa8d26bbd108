//! Our own operations: short codes, sticky senders, the simulator's door.

use std::sync::{Arc, Mutex};

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
            "iso_country",
            "kind",
            "messaging_service_sid",
            "sid",
            "to",
            "url"
        ]
    );
    assert_eq!(one["from"], "+14155550101");
    let [kind, country] = ["kind", "iso_country"].map(|key| one[key].as_str());
    assert_eq!((kind, country), (Some("long_code"), Some("US")));
    assert!(one["sid"].as_str().unwrap().starts_with("PN"));
    world.delete(path).await.gone();
    world.get(path).await.refused(404, 20404);
    world.delete(path).await.refused(404, 20404);
    world.get("/x/v1/StickySenders").await.refused(400, 20001);
    let foreign = "/x/v1/StickySenders?MessagingServiceSid=MG00000000000000000000000000000000";
    world.get(foreign).await.refused(404, 20404);
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
