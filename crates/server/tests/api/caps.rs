//! Daily caps: whom they keep from sending, what a customer is told, and when they end.

use postrider_core::cap::CapRule;
use postrider_core::select::SenderKind;
use serde_json::Value;

use crate::world::{Answer, World};

const DAY_MS: i64 = 86_400_000;

const FIRST: &str = "+14155550101";
const SECOND: &str = "+14155550102";

/// Long codes may send four segments a day, to two recipients.
async fn world() -> World {
    World::set_up(|setup| {
        setup.caps = vec![CapRule {
            sender: Some(SenderKind::LongCode),
            daily_segments: 4,
            daily_recipients: 2,
            ..CapRule::default()
        }];
    })
    .await
}

impl World {
    async fn send_to(&self, recipient: u32, sender: (&str, &str), body: &str) -> Answer {
        let to = format!("+1415555{recipient:04}");
        let fields = [("To", &*to), sender, ("Body", body)];
        self.post(&self.list("Messages"), &fields).await
    }

    async fn explained(&self, message: &Value) -> Value {
        let sid = message["sid"].as_str().unwrap();
        self.get(&format!("/x/v1/Explain/{sid}")).await.ok()
    }
}

#[tokio::test]
async fn a_capped_sender_that_is_named_is_refused_until_midnight() {
    let world = world().await;
    world.number(FIRST).await;
    world.number(SECOND).await;
    let from = ("From", FIRST);
    world.send_to(201, from, "Hi").await.created();
    world.send_to(202, from, "Hi").await.created();
    world.send_to(203, from, "Hi").await.refused(400, 30_023);
    // Known recipients are none more; segments are.
    world.send_to(201, from, &"x".repeat(200)).await.created();
    world.send_to(201, from, "Hi").await.refused(400, 30_023);
    // A refusal counts nothing, and each number counts for itself.
    world.send_to(203, ("From", SECOND), "Hi").await.created();
    world.test.clock.advance(DAY_MS);
    world.send_to(203, from, "Hi").await.created();
    // Other kinds have no cap.
    world.short_code("55501").await;
    for recipient in 300..310 {
        let from = ("From", "55501");
        world.send_to(recipient, from, "Hi").await.created();
    }
}

#[tokio::test]
async fn a_service_passes_capped_senders_over_and_says_so() {
    let world = world().await;
    let service = world.service_with(FIRST).await;
    let number = world.number(SECOND).await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let added = world.post(&pool, &[("PhoneNumberSid", &number)]).await;
    added.created();
    let through = ("MessagingServiceSid", &*service);
    let mut messages = Vec::new();
    for recipient in 201..=204 {
        messages.push(world.send_to(recipient, through, "Hi").await.created());
    }
    let fifth = world.send_to(205, through, "Hi").await.created();
    assert_eq!(fifth["status"], "accepted");
    let fifth = world.settled(&fifth).await;
    assert_eq!(
        (&fifth["status"], &fifth["error_code"]),
        (&"failed".into(), &30_023.into())
    );
    let explained = world.explained(&fifth).await;
    let candidates = explained["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 2);
    for candidate in candidates {
        assert_eq!(candidate["rule"], "daily_cap_reached", "{explained}");
    }
    // Whoever is known may be written to while there are segments, from the sender it knows.
    let again = world.send_to(201, through, "Hi").await.created();
    let [first, again] = [&messages[0], &again]
        .map(|message| async { world.settled(message).await["from"].clone() });
    assert_eq!(first.await, again.await);
    world.test.clock.advance(DAY_MS);
    let next_day = world.send_to(205, through, "Hi").await.created();
    assert_eq!(world.settled(&next_day).await["status"], "delivered");
}

#[tokio::test]
async fn a_dry_run_knows_the_cap_and_counts_nothing() {
    let world = world().await;
    world.number(FIRST).await;
    let fields = [("To", "+14155550201"), ("From", FIRST), ("Body", "Hi")];
    for _ in 0..9 {
        world.post("/x/v1/DryRun", &fields).await.ok();
    }
    // It tells what would be told, however often it is asked. The first recipient is half of them.
    for (to, code) in [
        ("+14155550201", 30_025),
        ("+14155550201", 30_025),
        ("+14155550201", 30_026),
        ("+14155550202", 30_026),
    ] {
        let fields = [("To", to), ("From", FIRST), ("Body", "Hi")];
        for _ in 0..2 {
            let run = world.post("/x/v1/DryRun", &fields).await.ok();
            let told = run["warnings"].as_array().unwrap();
            let codes: Vec<_> = told.iter().map(|told| told["code"].as_u64()).collect();
            assert_eq!(codes, [Some(code)], "{to}");
            let text = told[0]["message"].as_str().unwrap();
            let caps = format!("Sender: {FIRST}. Cap of a day: 4 segments, 2 recipients.");
            assert!(text.ends_with(&caps), "{text}");
        }
        world.send_to(201, ("From", FIRST), "Hi").await.created();
    }
    world
        .post("/x/v1/DryRun", &fields)
        .await
        .refused(400, 30_023);
}

#[tokio::test]
async fn much_of_a_cap_used_is_told_once_a_day() {
    let world = world().await;
    world.number(FIRST).await;
    let alerts = async || {
        let page = world.get("/v1/Alerts").await.ok();
        let alerts = page["alerts"].as_array().unwrap().clone();
        let codes = alerts.iter().map(|alert| alert["error_code"].clone());
        codes.collect::<Vec<_>>()
    };
    // Columns: how many alerts there are after one more message of one segment.
    for expected in [0, 1, 2, 2] {
        let sent = world.send_to(201, ("From", FIRST), "Hi").await;
        sent.created();
        let wait = async {
            while alerts().await.len() < expected {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), wait).await;
        assert!(waited.is_ok(), "{expected} alerts: {:?}", alerts().await);
    }
    assert_eq!(alerts().await, ["30026", "30025"]);
}
