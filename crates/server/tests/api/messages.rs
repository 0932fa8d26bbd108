//! Messages: create, list, fetch, redact, cancel, delete.

use postrider_core::sender::SenderAddress;
use serde_json::{Value, json};

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of};

const TO: &str = "+14155550199";

#[tokio::test]
async fn through_a_service_the_answer_says_accepted_and_names_no_sender() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let fields = [
        ("To", TO),
        ("MessagingServiceSid", &service),
        ("Body", "Hello – there"),
    ];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    assert_shape(&created, shapes::MESSAGE);
    let sid = created["sid"].as_str().unwrap();
    let uri = format!("/2010-04-01/Accounts/{}/Messages/{sid}", world.sid);
    assert!(sid.starts_with("SM"));
    assert_eq!(
        created,
        json!({
            "body": "Hello – there",
            "num_segments": "0",
            "direction": "outbound-api",
            "from": null,
            "to": TO,
            "date_updated": "Thu, 01 Jan 2026 00:00:00 +0000",
            "price": null,
            "error_message": null,
            "uri": format!("{uri}.json"),
            "account_sid": world.sid,
            "num_media": "0",
            "status": "accepted",
            "messaging_service_sid": service,
            "sid": sid,
            "date_sent": null,
            "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
            "error_code": null,
            "price_unit": null,
            "api_version": "2010-04-01",
            "subresource_uris": { "media": format!("{uri}/Media.json") },
        })
    );
    // Fetched, it tells what became of it.
    let settled = world.settled(&created).await;
    assert_shape(&settled, shapes::MESSAGE);
    assert_eq!(settled["status"], "delivered");
    assert_eq!(settled["from"], "+14155550101");
    assert_eq!(settled["num_segments"], "1");
    assert_eq!(settled["body"], "Hello - there");
    assert_eq!(settled["date_sent"], "Thu, 01 Jan 2026 00:00:00 +0000");
    assert_eq!(
        settled["subresource_uris"]["feedback"],
        format!("{uri}/Feedback.json")
    );
}

#[tokio::test]
async fn a_sender_named_beside_a_service_is_shown_at_once() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let schedule = [
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T10:00:00Z"),
    ];
    // Columns: From, as it is shown.
    let in_other_case = service.to_ascii_lowercase();
    for (from, shown) in [
        ("(415) 555-0101", json!("+14155550101")),
        (service.as_str(), Value::Null),
        (&in_other_case, Value::Null),
    ] {
        let fields = [
            ("To", TO),
            ("From", from),
            ("MessagingServiceSid", &service),
            ("Body", "Hi"),
        ];
        let created = world.post(&world.list("Messages"), &fields).await.created();
        assert_eq!(
            (&created["from"], &created["status"]),
            (&shown, &json!("accepted"))
        );
        assert_eq!(created["num_segments"], "0");
        assert_eq!(world.settled(&created).await["from"], "+14155550101");
        let fields = [&fields[..], &schedule].concat();
        let created = world.post(&world.list("Messages"), &fields).await.created();
        assert_eq!(
            (&created["from"], &created["status"]),
            (&shown, &json!("scheduled"))
        );
    }
}

/// There are no RCS senders yet, so it is always wrong, and why is told in a fixed order.
#[tokio::test]
async fn a_sender_for_where_rcs_fails_is_refused() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let own = [("From", "+14155550101")];
    let through = [("MessagingServiceSid", &*service)];
    let as_from = [("From", &*service)];
    // Columns: who sends it, the code.
    for (fields, code) in [
        (&[][..], 21603),
        (&own, 21666),
        (&through, 21667),
        (&as_from, 21667),
        (&[own[0], through[0]], 21664),
        (&[("MessagingServiceSid", "MG1")], 21705),
    ] {
        for path in [&*world.list("Messages"), "/x/v1/DryRun", "/x/v1/Explain"] {
            for fallback in ["+14155550101", "no sender"] {
                let message = [("To", TO), ("Body", "Hi"), ("FallbackFrom", fallback)];
                let fields = [&message[..], fields].concat();
                world.post(path, &fields).await.refused(400, code);
            }
        }
    }
    // Of a create an empty parameter is an absent one.
    let fields = [
        &through[..],
        &[("To", TO), ("Body", "Hi"), ("FallbackFrom", "")],
    ]
    .concat();
    world.post(&world.list("Messages"), &fields).await.created();
}

#[tokio::test]
async fn a_failure_that_needs_a_sender_shows_later() {
    let world = World::new().await;
    let service = world.service().await;
    let alpha = format!("/v1/Services/{service}/AlphaSenders");
    world
        .post(&alpha, &[("AlphaSender", "ACME")])
        .await
        .created();
    let fields = [
        ("To", TO),
        ("MessagingServiceSid", &service),
        ("Body", "Hi"),
    ];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    assert_eq!(created["status"], "accepted");
    assert_eq!(created["error_code"], Value::Null);
    // No alpha senders in the US.
    let settled = world.settled(&created).await;
    assert_eq!(settled["status"], "failed");
    assert_eq!(settled["error_code"], 21703);
    assert!(settled["error_message"].is_string());
    assert_eq!(settled["from"], Value::Null);
}

#[tokio::test]
async fn with_a_sender_the_answer_says_queued() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let fields = [("To", TO), ("From", "+14155550101"), ("Body", "Hi")];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    assert_shape(&created, shapes::MESSAGE);
    assert_eq!(created["status"], "queued");
    assert_eq!(created["from"], "+14155550101");
    assert_eq!(created["num_segments"], "1");
    assert_eq!(created["messaging_service_sid"], Value::Null);
    assert_eq!(world.settled(&created).await["status"], "delivered");
}

/// Columns: parameters, code of the refusal. `{service}` and `{number}` are there.
const REFUSED: &[(&[(&str, &str)], u32)] = &[
    (
        &[
            ("To", TO),
            ("From", "{number}"),
            ("Body", "Hi"),
            ("MaxPrice", "-0.01"),
        ],
        21627,
    ),
    (&[("From", "{number}"), ("Body", "Hi")], 21604),
    (&[("To", ""), ("From", "{number}"), ("Body", "Hi")], 21604),
    (&[("To", TO), ("Body", "Hi")], 21603),
    (&[("To", TO), ("From", "{number}")], 21602),
    (&[("To", TO), ("From", "{number}"), ("Body", "")], 21602),
    (&[("To", "12"), ("From", "{number}"), ("Body", "Hi")], 21211),
    (
        &[("To", "+447911123456"), ("From", " ACME"), ("Body", "Hi")],
        21212,
    ),
    (
        &[
            ("To", TO),
            ("MessagingServiceSid", "{service}"),
            ("Body", "Hi"),
            ("ValidityPeriod", "0"),
        ],
        21624,
    ),
    (
        &[
            ("To", TO),
            ("MessagingServiceSid", "{service}"),
            ("Body", "Hi"),
            ("StatusCallback", "nowhere"),
        ],
        21609,
    ),
    (
        &[
            ("To", TO),
            ("MessagingServiceSid", "{service}"),
            ("Body", "Hi"),
            ("SmartEncoded", "2"),
        ],
        20001,
    ),
    (
        &[
            ("To", TO),
            ("From", "{number}"),
            ("Body", "Hi"),
            ("RiskCheck", "off"),
        ],
        20001,
    ),
    (
        &[
            ("To", TO),
            ("From", "{number}"),
            ("Body", "Hi"),
            ("TrafficType", "paid"),
        ],
        20001,
    ),
    // A place is shown by WhatsApp only.
    (
        &[
            ("To", TO),
            ("From", "{number}"),
            ("Body", "Hi"),
            ("PersistentAction", "geo:37.787890,-122.391664|Office"),
        ],
        20001,
    ),
];

#[tokio::test]
async fn what_has_no_effect_yet_is_kept_with_the_message() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let fields = [
        ("To", TO),
        ("From", "+14155550101"),
        ("Body", "Hi"),
        ("RiskCheck", "disable"),
        ("TrafficType", "free"),
    ];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    let directory = world.engine().directory();
    let account = directory.account(world.sid.parse().unwrap()).unwrap();
    let sid = created["sid"].as_str().unwrap().parse().unwrap();
    let message = world.engine().message(account.no, sid).await.unwrap();
    assert!(message.options.skip_risk_check && message.options.is_free_traffic);
}

#[tokio::test]
async fn a_bad_request_creates_nothing() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    for (fields, code) in REFUSED {
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|&(name, value)| match value {
                "{service}" => (name, service.as_str()),
                "{number}" => (name, "+14155550101"),
                value => (name, value),
            })
            .collect();
        world
            .post(&world.list("Messages"), &fields)
            .await
            .refused(400, *code);
    }
    let page = world.get(&world.list("Messages")).await.ok();
    assert!(list_of(&page, "messages").is_empty());
}

/// Columns: parameters besides `From=ACME`, code of the refusal.
const REFUSED_ALPHA: &[(&[(&str, &str)], u32)] = &[
    (&[("To", TO), ("Body", "Hi")], 21612),
    (&[("To", "+447911123456")], 21602),
    (
        &[("To", "+447911123456"), ("Body", "Hi"), ("Attempt", "x")],
        20001,
    ),
    (
        &[
            ("To", "+447911123456"),
            ("Body", "Hi"),
            ("ValidityPeriod", "0"),
        ],
        21624,
    ),
    (
        &[
            ("To", "+447911123456"),
            ("Body", "Hi"),
            ("SendAsMms", "true"),
        ],
        21612,
    ),
];

#[tokio::test]
async fn an_alpha_sender_is_known_from_its_first_message_on() {
    let world = World::new().await;
    let account = world.sid.parse().unwrap();
    let is_known = || {
        let alpha = SenderAddress::parse("ACME").unwrap();
        let directory = world.engine().directory();
        directory.sender_no(account, &alpha).is_some()
    };
    for (fields, code) in REFUSED_ALPHA {
        let fields = [*fields, &[("From", "ACME")]].concat();
        let answer = world.post(&world.list("Messages"), &fields).await;
        answer.refused(400, *code);
        assert!(!is_known(), "{fields:?}");
    }
    let sent = send(&world, "+447911123456", "ACME").await;
    assert_eq!(sent["status"], "delivered");
    assert!(is_known());
}

/// Sends one message and waits for its end.
async fn send(world: &World, to: &str, from: &str) -> Value {
    let fields = [("To", to), ("From", from), ("Body", "Hi")];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    world.settled(&created).await
}

#[tokio::test]
async fn messages_are_listed_newest_first_and_filtered() {
    let world = World::new().await;
    world.number("+14155550101").await;
    world.number("+12125550103").await;
    let mut sids = Vec::new();
    for (day, to, from) in [
        (0, "+14155550191", "+14155550101"),
        (1, "+14155550192", "+14155550101"),
        (1, "+14155550191", "+12125550103"),
    ] {
        let now_ms = postrider_engine::testing::START_MS + day * 86_400_000 + 3_600_000;
        world.test.clock.set(now_ms);
        let message = send(&world, to, from).await;
        sids.insert(0, message["sid"].as_str().unwrap().to_owned());
    }
    let [third, second, first] = sids.try_into().unwrap();
    for (query, found) in [
        ("", vec![&third, &second, &first]),
        ("To=%2B14155550191", vec![&third, &first]),
        ("To=+14155550191", vec![&third, &first]),
        ("To=(415)%20555-0191", vec![&third, &first]),
        ("From=%2B14155550101", vec![&second, &first]),
        ("To=%2B14155550191&From=%2B14155550101", vec![&first]),
        ("Status=delivered", vec![&third, &second, &first]),
        ("Status=failed", vec![]),
        // A bare date, and the midnight that SDKs make of it, is the whole day.
        ("DateSent=2026-01-01", vec![&first]),
        ("DateSent=2026-01-02T00:00:00Z", vec![&third, &second]),
        ("DateSent=2026-01-01T01:00:00Z", vec![&first]),
        ("DateSent=2026-01-01T01:00:01Z", vec![]),
        // Both bounds count.
        ("DateSent%3C=2026-01-01", vec![&first]),
        ("DateSent%3E=2026-01-02", vec![&third, &second]),
        (
            "DateSent%3E=2026-01-01T01:00:00Z",
            vec![&third, &second, &first],
        ),
        ("DateSent%3E=2026-01-01T01:00:01Z", vec![&third, &second]),
        ("DateSent%3C=2026-01-01T02:00:00%2B01:00", vec![&first]),
        // Midnight is the day here too: SDKs make it of `date_sent_before=date(2026, 1, 1)`.
        ("DateSent%3C=2026-01-01T00:00:00Z", vec![&first]),
        ("DateSent%3C=2025-12-31T00:00:00Z", vec![]),
        ("DateSent%3E=2026-01-02T00:00:00Z", vec![&third, &second]),
        ("DateSent%3C=2025-12-31", vec![]),
        ("DateSent%3C=9999-12-31", vec![&third, &second, &first]),
        ("DateSent%3E=9999-12-31", vec![]),
        ("DateSent=9999-12-31T23:59:59Z", vec![]),
        ("DateSent%3E=0001-01-01", vec![&third, &second, &first]),
        (
            "DateSent%3E=2026-01-01&DateSent%3C=2026-01-01",
            vec![&first],
        ),
    ] {
        let path = format!("{}?{query}", world.list("Messages"));
        let page = world.get(&path).await.ok();
        assert_eq!(column(list_of(&page, "messages"), "sid"), found, "{query}");
    }
    for query in ["DateSent=yesterday", "DateSent%3C=1", "Status=lost"] {
        let path = format!("{}?{query}", world.list("Messages"));
        world.get(&path).await.refused(400, 20001);
    }
}

#[tokio::test]
async fn a_message_is_redacted_and_deleted_when_it_is_done() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let message = send(&world, TO, "+14155550101").await;
    let path = message["uri"].as_str().unwrap();
    world
        .post(path, &[("Body", "Something else")])
        .await
        .refused(400, 20001);
    let redacted = world.post(path, &[("Body", "")]).await.ok();
    assert_shape(&redacted, shapes::MESSAGE);
    assert_eq!(redacted["body"], "");
    assert_eq!(redacted["status"], "delivered");
    world.delete(path).await.gone();
    world.get(path).await.refused(404, 20404);
    world.delete(path).await.refused(404, 20404);
}

#[tokio::test]
async fn a_scheduled_message_is_canceled_once() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let fields = [
        ("To", TO),
        ("MessagingServiceSid", &service),
        ("Body", "Later"),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T10:00:00Z"),
    ];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    assert_eq!(created["status"], "scheduled");
    assert_eq!(created["from"], Value::Null);
    let path = created["uri"].as_str().unwrap();
    let fetched = world.get(path).await.ok();
    assert_eq!(fetched["status"], "scheduled");
    assert_eq!(fetched["num_segments"], "0");
    assert_eq!(world.delete(path).await.status, 409);
    world
        .post(path, &[("Status", "sent")])
        .await
        .refused(400, 20001);
    let canceled = world.post(path, &[("Status", "canceled")]).await.ok();
    assert_eq!(canceled["status"], "canceled");
    world
        .post(path, &[("Status", "canceled")])
        .await
        .refused(409, 30409);
}

#[tokio::test]
async fn an_unknown_message_is_not_found() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let message = send(&world, TO, "+14155550101").await;
    let sid = message["sid"].as_str().unwrap();
    for sid in [
        "SM00000000000000000000000000000000",
        "junk",
        // The same id as another kind.
        &sid.replace("SM", "MM"),
        &sid.replace("SM", "PN"),
    ] {
        let path = world.list(&format!("Messages/{sid}"));
        world.get(&path).await.refused(404, 20404);
    }
    // Not even for a parent under the wrong account.
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    let path = format!(
        "/2010-04-01/Accounts/{}/Messages/{sid}.json",
        child["sid"].as_str().unwrap()
    );
    world.get(&path).await.refused(404, 20404);
}

#[tokio::test]
async fn feedback_is_kept_with_its_message() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let message = send(&world, TO, "+14155550101").await;
    let path = message["subresource_uris"]["feedback"].as_str().unwrap();
    for outcome in ["unconfirmed", "confirmed"] {
        let feedback = world.post(path, &[("Outcome", outcome)]).await.ok();
        assert_eq!(
            feedback,
            json!({
                "account_sid": world.sid,
                "message_sid": message["sid"],
                "outcome": outcome,
                "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
                "date_updated": "Thu, 01 Jan 2026 00:00:00 +0000",
                "uri": path,
            })
        );
    }
    world.get(path).await.refused(405, 20004);
    for fields in [&[][..], &[("Outcome", "maybe")]] {
        world.post(path, fields).await.refused(400, 20001);
    }
    let unknown = world.list("Messages/SM00000000000000000000000000000000/Feedback");
    let fields = [("Outcome", "confirmed")];
    world.post(&unknown, &fields).await.refused(404, 20404);
}

#[tokio::test]
async fn a_message_lists_no_media() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let message = send(&world, TO, "+14155550101").await;
    let media = message["subresource_uris"]["media"].as_str().unwrap();
    let page = world.get(media).await.ok();
    assert!(list_of(&page, "media_list").is_empty());
    world
        .get(&world.list("Messages/SM00000000000000000000000000000000/Media"))
        .await
        .refused(404, 20404);
}
