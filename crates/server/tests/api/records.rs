//! How long records are kept, and what of them is not: `/x/v1/Account`, `/x/v1/Recipients`, `ContentRetention`
//! and `AddressRetention`.

use std::sync::Arc;

use postrider_core::sid::MessageSid;
use postrider_engine::testing::engine_with;
use postrider_server::Ops;
use postrider_store::Store as _;
use postrider_store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::world::{World, assert_shape, column, list_of};

const DAY_MS: i64 = 86_400_000;
const HANDSET: &str = "+447700900123";
const NUMBER: &str = "+14155550101";

#[tokio::test]
async fn retention_is_set_by_a_main_account_for_all_of_its_own() {
    let mut world = World::new().await;
    let path = "/x/v1/Account";
    let shown = world.get(path).await.ok();
    assert_shape(
        &shown,
        &["sid", "message_retention_days", "date_updated", "url"],
    );
    assert_eq!(shown["sid"], world.sid);
    assert_eq!(shown["message_retention_days"], 400);
    assert_eq!(shown["url"], "http://localhost:8080/x/v1/Account");
    let set = |days| [("MessageRetentionDays", days)];
    for days in ["7", "400", "30"] {
        let updated = world.post(path, &set(days)).await.ok();
        assert_eq!(updated["message_retention_days"].to_string(), days);
    }
    for days in ["6", "401", "-7", "7.5", "a week", "99999999999"] {
        world.post(path, &set(days)).await.refused(400, 20001);
    }
    let unchanged = world.post(path, &[]).await.ok();
    assert_eq!(unchanged["message_retention_days"], 30);
    world.delete(path).await.refused(405, 20004);

    let key = world.post(&world.list("Keys"), &[]).await.created();
    let sub = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&key["sid"], &key["secret"]);
    world.post(path, &set("7")).await.refused(403, 20003);
    world.ask_as(&sub["sid"], &sub["auth_token"]);
    let shown = world.get(path).await.ok();
    assert_eq!(shown["sid"], sub["sid"]);
    assert_eq!(shown["message_retention_days"], 30);
    world.post(path, &set("7")).await.refused(403, 20403);
    world.ask_as_main();
    let cleared = world.post(path, &set("")).await.ok();
    assert_eq!(cleared["message_retention_days"], 400);
}

#[tokio::test]
async fn the_operator_says_what_holds_where_nobody_sets_it() {
    let world = World::limited(|limits| limits.retention_days = 30).await;
    let shown = world.get("/x/v1/Account").await.ok();
    assert_eq!(shown["message_retention_days"], 30);
}

#[tokio::test]
async fn a_record_that_has_had_its_time_is_gone_at_once() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    let messages = world.list("Messages");
    let fields = [("To", HANDSET), ("From", NUMBER), ("Body", "Hi")];
    let sent = world.post(&messages, &fields).await.created();
    world.settled(&sent).await;
    let later = [
        ("To", HANDSET),
        ("MessagingServiceSid", &service),
        ("Body", "Later"),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-30T00:00:00Z"),
    ];
    let scheduled = world.post(&messages, &later).await.created();
    let (sent, scheduled) = (
        sent["uri"].as_str().unwrap(),
        scheduled["uri"].as_str().unwrap(),
    );
    let shorter = [("MessageRetentionDays", "7")];
    world.post("/x/v1/Account", &shorter).await.ok();
    world.test.clock.advance(7 * DAY_MS);
    world.get(sent).await.ok();
    world.test.clock.advance(1_000);
    world.get(sent).await.refused(404, 20404);
    world.delete(sent).await.refused(404, 20404);
    world.post(sent, &[("Body", "")]).await.refused(404, 20404);
    let explain = format!("/x/v1/Explain/{}", &sent[sent.len() - 39..sent.len() - 5]);
    world.get(&explain).await.refused(404, 20404);
    // What is still to be sent stays, until that is no more so.
    for path in [messages.clone(), format!("{messages}?To=%2B447700900123")] {
        let page = world.get(&path).await.ok();
        assert_eq!(column(list_of(&page, "messages"), "status"), ["scheduled"]);
    }
    let canceled = world.post(scheduled, &[("Status", "canceled")]).await.ok();
    assert_eq!(canceled["status"], "canceled");
    let page = world.get(&messages).await.ok();
    assert_eq!(list_of(&page, "messages").len(), 0);
}

/// The world, and its store.
async fn over_a_store() -> (World, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    let test = engine_with(store.clone(), |_| {});
    (World::over(test, Ops::default(), None).await, store)
}

fn record(store: &MemoryStore, message: &Value) -> postrider_core::message::Message {
    let sid: MessageSid = message["sid"].as_str().unwrap().parse().unwrap();
    store.message(sid.id).unwrap().unwrap()
}

#[tokio::test]
async fn text_and_number_are_kept_as_long_as_they_are_needed() {
    let (world, store) = over_a_store().await;
    let service = world.service_with(NUMBER).await;
    let messages = world.list("Messages");
    let private = [
        ("To", HANDSET),
        ("MessagingServiceSid", &service),
        ("Body", "Your “code”"),
        ("SmartEncoded", "true"),
        ("ContentRetention", "discard"),
        ("AddressRetention", "obfuscate"),
    ];
    let with = |more: &[(&'static str, &'static str)]| {
        let mut fields = private.to_vec();
        fields.extend(more);
        fields
    };
    let sent = world.post(&messages, &private).await.created();
    assert_eq!(sent["body"], "Your “code”");
    assert_eq!(sent["to"], "+44770090XXXX");
    world.settled(&sent).await;

    let later = [
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T10:00:00Z"),
    ];
    let scheduled = world.post(&messages, &with(&later)).await.created();
    let kept = record(&store, &scheduled);
    assert_eq!((&*kept.to, &*kept.body), (HANDSET, "Your “code”"));
    let path = scheduled["uri"].as_str().unwrap();
    let canceled = world.post(path, &[("Status", "canceled")]).await.ok();
    assert_eq!(canceled["body"], "");

    // It fails as it is made: nobody of the pool can write to the US.
    let empty = world.service().await;
    let pool = format!("/v1/Services/{empty}/AlphaSenders");
    let alpha = world.post(&pool, &[("AlphaSender", "ACME")]).await;
    alpha.created();
    let mut fields = private.to_vec();
    fields[0].1 = "+14155550199";
    fields[1].1 = &empty;
    let failed = world.post(&messages, &fields).await.created();
    assert_eq!(failed["body"], "Your “code”");
    let now = world.settled(&failed).await;
    assert_eq!(
        (&now["status"], &now["body"]),
        (&json!("failed"), &json!(""))
    );

    for (message, to) in [
        (&sent, "+44770090XXXX"),
        (&scheduled, "+44770090XXXX"),
        (&failed, "+1415555XXXX"),
    ] {
        let kept = record(&store, message);
        assert_eq!((&*kept.to, &*kept.body), (to, ""));
        assert_eq!(kept.submitted_body, None);
    }
    let found = async |to: &str| {
        let page = world.get(&format!("{messages}?To=%2B{to}")).await.ok();
        list_of(&page, "messages").len()
    };
    assert_eq!(found("44770090XXXX").await, 2);
    assert_eq!(found("1415555XXXX").await, 1);
    assert_eq!(found("447700900123").await, 0);
    let sid = sent["sid"].as_str().unwrap();
    let explained = world.get(&format!("/x/v1/Explain/{sid}")).await.ok();
    assert_eq!(explained["to"], "+44770090XXXX");
}

#[tokio::test]
async fn a_number_is_erased_with_a_report() {
    let (mut world, store) = over_a_store().await;
    let service = world.service_with(NUMBER).await;
    let messages = world.list("Messages");
    let fields = [
        ("To", HANDSET),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    let sent = world.post(&messages, &fields).await.created();
    world.settled(&sent).await;
    world.test.inbound(HANDSET, NUMBER, "Hello").await;
    let mut later = fields.to_vec();
    later.extend([
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T10:00:00Z"),
    ]);
    let scheduled = world.post(&messages, &later).await.created();
    let other = [("To", "+447700900124"), ("From", NUMBER), ("Body", "Hi")];
    let other = world.post(&messages, &other).await.created();
    world.settled(&other).await;

    let path = "/x/v1/Recipients/%2B447700900123";
    world.get(path).await.refused(405, 20004);
    let report = world.delete(path).await.ok();
    let expected = json!({
        "account_sid": world.sid,
        "phone_number": HANDSET,
        "complete": false,
        "erased": {
            "messages": 2,
            "sticky_senders": 1,
            "long_texts": 0,
            "alerts": 0,
            "raw_receipts": 0,
        },
        "left_count": 1,
        "left": [{
            "account_sid": world.sid,
            "message_sid": scheduled["sid"],
            "reason": "in_flight",
        }],
    });
    assert_eq!(report, expected);
    let page = world.get(&messages).await.ok();
    let left = [&scheduled, &other].map(|message| message["sid"].as_str().unwrap());
    let mut shown = column(list_of(&page, "messages"), "sid");
    shown.reverse();
    assert_eq!(shown, left);
    let sticky = format!("/x/v1/StickySenders/{service}/%2B447700900123");
    world.get(&sticky).await.refused(404, 20404);

    let canceled = scheduled["uri"].as_str().unwrap();
    world.post(canceled, &[("Status", "canceled")]).await.ok();
    let report = world.delete(path).await.ok();
    assert_eq!(report["complete"], true);
    assert_eq!(report["erased"]["messages"], 1);
    assert_eq!(
        store
            .list(
                &postrider_store::MessageFilter::default(),
                postrider_store::Cursor::Start,
                9
            )
            .unwrap()
            .len(),
        1
    );

    world
        .delete("/x/v1/Recipients/%2B14155550101")
        .await
        .refused(400, 20001);
    world
        .delete("/x/v1/Recipients/ACME")
        .await
        .refused(400, 20001);
    // An API key may delete messages, and so this.
    let key = world.post(&world.list("Keys"), &[]).await.created();
    world.ask_as(&key["sid"], &key["secret"]);
    let report = world.delete(path).await.ok();
    assert_eq!(report["erased"]["messages"], 0);
}
