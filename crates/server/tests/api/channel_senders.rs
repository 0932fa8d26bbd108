//! WhatsApp senders: `/v2/Channels/Senders`, and their place in a service's pool.

use postrider_engine::testing::engine_with;
use postrider_server::Ops;
use serde_json::{Value, json};

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of_v1};

const SENDERS: &str = "/v2/Channels/Senders";

#[tokio::test]
async fn a_sender_has_every_documented_key_and_is_online_at_once() {
    let world = World::new().await;
    let body = json!({"sender_id": "whatsapp:+14155550191", "profile": {"name": "Acme"}});
    let sender = world.post_json(SENDERS, &body).await.taken();
    assert_shape(&sender, shapes::CHANNELS_SENDER);
    let parts = [
        ("configuration", shapes::CHANNELS_SENDER_CONFIGURATION),
        ("webhook", shapes::CHANNELS_SENDER_WEBHOOK),
        ("profile", shapes::CHANNELS_SENDER_PROFILE),
    ];
    for (part, shape) in parts {
        assert_shape(&sender[part], shape);
    }
    assert_eq!(sender["sender_id"], "whatsapp:+14155550191");
    assert_eq!(sender["status"], "ONLINE");
    assert_eq!(sender["offline_reasons"], Value::Null);
    assert_eq!(sender["configuration"]["verification_method"], "sms");
    assert_eq!(sender["profile"]["name"], "Acme");
    let path = format!("{SENDERS}/{}", sender["sid"].as_str().unwrap());
    assert_eq!(sender["url"], format!("http://localhost:8080{path}"));
    assert_eq!(world.get(&path).await.ok(), sender);

    world.delete(&path).await.gone();
    world.get(&path).await.refused(404, 20404);
    world.delete(&path).await.refused(404, 20404);
    world.post_json(&path, &json!({})).await.refused(404, 20404);
    // The number is free again.
    world.whatsapp_sender("+14155550191").await;
}

#[tokio::test]
async fn a_sender_that_no_carrier_takes_messages_from_is_offline() {
    let store = std::sync::Arc::new(postrider_store::memory::MemoryStore::new());
    let test = engine_with(store, |setup| {
        setup.routes.0.retain(|route| route.sender.is_none());
    });
    let world = World::over(test, Ops::default(), None).await;
    let sid = world.whatsapp_sender("+14155550191").await;
    let sender = world.get(&format!("{SENDERS}/{sid}")).await.ok();
    assert_eq!(sender["status"], "OFFLINE");
    assert_eq!(sender["offline_reasons"][0]["code"], "63008");
    let fields = [
        ("To", "whatsapp:+14155550199"),
        ("From", "whatsapp:+14155550191"),
        ("Body", "Hi"),
    ];
    let answer = world.post(&world.list("Messages"), &fields).await;
    answer.refused(400, 21612);
}

/// Columns: member, in which part, a value.
fn settings() -> Vec<(&'static str, &'static str, Value)> {
    let sites = json!([{"website": "https://a.example", "label": "Shop"}]);
    let emails = json!([{"email": "a@example.com", "label": "Sales"}]);
    let numbers = json!([{"phone_number": "+14155550101", "label": "Sales"}]);
    let application = json!("AP00000000000000000000000000000001");
    let url = || json!("https://a.example/x?y=z");
    vec![
        ("configuration", "waba_id", json!("1234567")),
        ("configuration", "verification_method", json!("voice")),
        ("configuration", "voice_application_sid", application),
        ("configuration", "account_type", json!("ISV")),
        ("webhook", "callback_url", url()),
        ("webhook", "callback_method", json!("PUT")),
        ("webhook", "fallback_url", url()),
        ("webhook", "fallback_method", json!("POST")),
        ("webhook", "status_callback_url", url()),
        ("webhook", "status_callback_method", json!("POST")),
        ("profile", "name", json!("Acme")),
        ("profile", "about", json!("About us")),
        ("profile", "address", json!("1 Street")),
        ("profile", "description", json!("What we do")),
        ("profile", "logo_url", url()),
        ("profile", "banner_url", url()),
        ("profile", "privacy_url", url()),
        ("profile", "terms_of_service_url", url()),
        ("profile", "accent_color", json!("#ffffff")),
        ("profile", "vertical", json!("Automotive")),
        ("profile", "websites", sites),
        ("profile", "emails", emails),
        ("profile", "phone_numbers", numbers),
    ]
}

#[tokio::test]
async fn every_setting_can_be_given_changed_and_cleared() {
    let world = World::new().await;
    let mut body = json!({"sender_id": "whatsapp:+14155550191"});
    for (part, member, value) in settings() {
        body[part][member] = value;
    }
    let created = world.post_json(SENDERS, &body).await.taken();
    let path = format!("{SENDERS}/{}", world.whatsapp_sender("+14155550192").await);
    for (part, member, value) in settings() {
        assert_eq!(created[part][member], value, "{part}.{member}");
        let body = json!({part: {member: value}});
        let changed = world.post_json(&path, &body).await.taken();
        assert_eq!(changed[part][member], value, "{part}.{member}");
        // As SDKs write what their caller left out.
        let nothing = json!({part: {member: null}, "profile": null});
        let same = world.post_json(&path, &nothing).await.taken();
        assert_eq!(same[part][member], value, "{part}.{member}");
    }
    for (part, member, value) in settings() {
        let empty = if value.is_array() {
            json!([])
        } else {
            json!("")
        };
        let body = json!({part: {member: empty}});
        let cleared = world.post_json(&path, &body).await.taken();
        assert_eq!(cleared[part][member], Value::Null, "{part}.{member}");
    }
    // Texts in place of labeled entries, as older SDKs give them.
    let body = json!({"profile": {"websites": ["https://b.example"]}});
    let changed = world.post_json(&path, &body).await.taken();
    let shown = json!([{"website": "https://b.example", "label": null}]);
    assert_eq!(changed["profile"]["websites"], shown);
}

#[tokio::test]
async fn a_bad_setting_changes_nothing() {
    let world = World::new().await;
    let path = format!("{SENDERS}/{}", world.whatsapp_sender("+14155550191").await);
    let before = world.get(&path).await.ok();
    for (part, member, value, code) in [
        ("configuration", "verification_method", json!("fax"), 20001),
        ("configuration", "account_type", json!("isv"), 20001),
        (
            "configuration",
            "voice_application_sid",
            json!("AP1"),
            21218,
        ),
        ("configuration", "waba_id", json!("1".repeat(65)), 21658),
        ("configuration", "waba_id", json!(1), 20001),
        ("webhook", "callback_url", json!("nowhere"), 21402),
        ("webhook", "fallback_url", json!("ftp://example.com"), 21402),
        ("webhook", "status_callback_url", json!("/x"), 21402),
        ("webhook", "callback_method", json!("GET"), 20001),
        ("profile", "logo_url", json!("logo.png"), 21402),
        ("profile", "about", json!("x".repeat(140)), 21658),
        ("profile", "description", json!("x".repeat(513)), 21658),
        ("profile", "websites", json!("https://a.example"), 20001),
        ("profile", "emails", json!([""]), 20001),
        ("profile", "emails", json!(vec!["a@example.com"; 11]), 20001),
    ] {
        let mut body = json!({"profile": {"name": "Changed"}});
        body[part][member] = value;
        world.post_json(&path, &body).await.refused(400, code);
    }
    assert_eq!(world.get(&path).await.ok(), before);
    let most = json!({"profile": {"about": "x".repeat(139), "description": "x".repeat(512)}});
    world.post_json(&path, &most).await.taken();
}

/// What is wrong is named as the caller wrote it.
#[tokio::test]
async fn a_body_of_another_form_is_refused_in_the_callers_words() {
    let world = World::new().await;
    let path = format!("{SENDERS}/{}", world.whatsapp_sender("+14155550191").await);
    let before = world.get(&path).await.ok();
    for (body, expected) in [
        ("[]", "the body must be a JSON object, not a list"),
        (
            r#"["whatsapp:+14155550192", "active", null, null, null]"#,
            "the body must be a JSON object, not a list",
        ),
        ("7", "the body must be a JSON object, not a number"),
        ("null", "the body must be a JSON object, not null"),
        (
            r#""whatsapp:+14155550192""#,
            "the body must be a JSON object, not a text",
        ),
        (
            r#"{"sender_id": 14155550192}"#,
            "'sender_id' must be a text, not a number",
        ),
        (
            r#"{"configuration": ["waba"]}"#,
            "'configuration' must be an object, not a list",
        ),
        (
            r#"{"configuration": {"waba_id": true}}"#,
            "'configuration.waba_id' must be a text, not true or false",
        ),
        (
            r#"{"webhook": "https://example.com"}"#,
            "'webhook' must be an object, not a text",
        ),
        (
            r#"{"profile": {"emails": {"email": "a@example.com"}}}"#,
            "'profile.emails' must be a list, not an object",
        ),
        (
            r#"{"profile": {"emails": ["a@example.com", 7]}}"#,
            "'profile.emails[1]' must be a text or an object, not a number",
        ),
        (
            r#"{"profile": {"websites": [{"website": "https://a.example", "label": 1}]}}"#,
            "'profile.websites[0].label' must be a text, not a number",
        ),
        (
            r#"{"profile": {"websites": [{"label": "Shop"}]}}"#,
            "'profile.websites' has an entry that is empty or too long",
        ),
        (
            r#"{"sender_id": "#,
            "the body is no JSON: EOF while parsing a value at line 1 column 14",
        ),
    ] {
        for path in [SENDERS, &path] {
            let answer = world.post_text(path, "application/json", body).await;
            let text = answer.json["message"].as_str().unwrap_or_default();
            // Who creates a sender is told first that it has no number.
            if path == SENDERS && text.contains("'sender_id' is missing") {
                continue;
            }
            assert_eq!(text, expected, "{path}");
            answer.refused(400, 20001);
        }
    }
    assert_eq!(world.get(&path).await.ok(), before);
}

#[tokio::test]
async fn a_sender_is_a_number_on_whatsapp() {
    let world = World::new().await;
    for (body, code) in [
        (json!({}), 20001),
        (json!({"sender_id": ""}), 20001),
        (json!({"sender_id": "+14155550191"}), 20001),
        (json!({"sender_id": "whatsapp:+1"}), 20001),
        (json!({"sender_id": "whatsapp:ACME"}), 20001),
        (json!({"sender_id": "rcs:acme"}), 30015),
        (json!({"sender_id": "messenger:1"}), 30015),
        (json!([]), 20001),
        (json!("whatsapp:+14155550191"), 20001),
    ] {
        let answer = world.post_json(SENDERS, &body).await;
        answer.refused(400, code);
    }
    let form = [("sender_id", "whatsapp:+14155550191")];
    world.post(SENDERS, &form).await.refused(415, 20001);
    world.delete(SENDERS).await.refused(405, 20004);
    world.get("/v2/Channels").await.refused(404, 20404);
}

#[tokio::test]
async fn a_number_is_one_sender_of_one_account() {
    let mut world = World::new().await;
    world.number("+14155550101").await;
    let sid = world.whatsapp_sender("+14155550101").await;
    let known = json!({"sender_id": "whatsapp:+14155550101"});
    world.post_json(SENDERS, &known).await.refused(409, 20409);
    world.number("+14155550102").await;
    let path = format!("{SENDERS}/{sid}");
    let pool = format!("/v1/Services/{}/ChannelSenders", world.service().await);

    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    for number in ["+14155550101", "+14155550102"] {
        let body = json!({"sender_id": format!("whatsapp:{number}")});
        world.post_json(SENDERS, &body).await.refused(409, 20409);
    }
    world.get(&path).await.refused(404, 20404);
    world.post_json(&path, &json!({})).await.refused(404, 20404);
    world.delete(&path).await.refused(404, 20404);
    world
        .post(&pool, &[("Sid", &sid)])
        .await
        .refused(404, 20404);
    let own = format!("/v1/Services/{}/ChannelSenders", world.service().await);
    world.post(&own, &[("Sid", &sid)]).await.refused(404, 20404);
    let page = world.get(&format!("{SENDERS}?Channel=whatsapp")).await.ok();
    assert!(list_of_v1(&page, "senders").is_empty());

    // A closed account gives its senders up.
    world.whatsapp_sender("+14155550103").await;
    world.ask_as_main();
    let account = format!(
        "/2010-04-01/Accounts/{}.json",
        child["sid"].as_str().unwrap()
    );
    world.post(&account, &[("Status", "closed")]).await.ok();
    world.whatsapp_sender("+14155550103").await;
}

#[tokio::test]
async fn an_account_has_only_so_many() {
    let world = World::limited(|limits| limits.channel_senders_max = 1).await;
    world.whatsapp_sender("+14155550191").await;
    let body = json!({"sender_id": "whatsapp:+14155550192"});
    world.post_json(SENDERS, &body).await.refused(403, 20403);
}

#[tokio::test]
async fn a_list_is_of_one_channel() {
    let world = World::new().await;
    for number in ["+14155550191", "+14155550192"] {
        world.whatsapp_sender(number).await;
    }
    world.get(SENDERS).await.refused(400, 20001);
    let page = world.get(&format!("{SENDERS}?Channel=rcs")).await.ok();
    assert!(list_of_v1(&page, "senders").is_empty());
    let page = world.get(&format!("{SENDERS}?Channel=whatsapp")).await.ok();
    assert_eq!(page["meta"]["page_size"], 20);
    let senders = list_of_v1(&page, "senders");
    let newest_first = ["whatsapp:+14155550192", "whatsapp:+14155550191"];
    assert_eq!(column(senders, "sender_id"), newest_first);
    let first = format!("{SENDERS}?Channel=whatsapp&PageSize=1");
    let page = world.get(&first).await.ok();
    let next = page["meta"]["next_page_url"].as_str().unwrap();
    let path = next.strip_prefix("http://localhost:8080").unwrap();
    let page = world.get(path).await.ok();
    let senders = list_of_v1(&page, "senders");
    assert_eq!(column(senders, "sender_id"), newest_first[1..]);
}

#[tokio::test]
async fn a_sender_joins_one_pool_and_leaves_it() {
    let world = World::new().await;
    let service = world.service().await;
    let sid = world.whatsapp_sender("+5511999990001").await;
    let pool = format!("/v1/Services/{service}/ChannelSenders");
    let field = [("Sid", sid.as_str())];
    let created = world.post(&pool, &field).await.created();
    assert_shape(&created, shapes::POOL_CHANNEL_SENDER);
    for (key, value) in [
        ("account_sid", json!(world.sid)),
        ("messaging_service_sid", json!(service)),
        ("sid", json!(sid)),
        ("sender", json!("whatsapp:+5511999990001")),
        ("sender_type", json!("WhatsApp")),
        ("country_code", json!("BR")),
        ("date_created", json!("2026-01-01T00:00:00Z")),
        ("url", json!(format!("http://localhost:8080{pool}/{sid}"))),
    ] {
        assert_eq!(created[key], value, "{key}");
    }
    let entry = format!("{pool}/{sid}");
    assert_eq!(world.get(&entry).await.ok(), created);
    let page = world.get(&pool).await.ok();
    assert_eq!(list_of_v1(&page, "senders"), [created]);

    world.post(&pool, &field).await.refused(409, 21710);
    let other = format!("/v1/Services/{}/ChannelSenders", world.service().await);
    world.post(&other, &field).await.refused(409, 21712);
    for (fields, status, code) in [
        (&[][..], 400, 20001),
        (&[("Sid", "XE1")], 400, 20423),
        (&[("Sid", "PN00000000000000000000000000000000")], 400, 20423),
        (&[("Sid", "XE00000000000000000000000000000000")], 404, 20404),
    ] {
        world.post(&pool, fields).await.refused(status, code);
    }
    world.delete(&entry).await.gone();
    world.get(&entry).await.refused(404, 20404);
    world.post(&other, &field).await.created();
    // A sender that is given up leaves its pool.
    world.delete(&format!("{SENDERS}/{sid}")).await.gone();
    let page = world.get(&other).await.ok();
    assert!(list_of_v1(&page, "senders").is_empty());
}
