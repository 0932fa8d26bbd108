//! Messaging Services.

use serde_json::{Value, json};

use crate::shapes;
use crate::world::{World, assert_shape, list_of_v1};

#[tokio::test]
async fn a_new_service_has_every_key_and_the_defaults() {
    let world = World::new().await;
    let service = world
        .post("/v1/Services", &[("FriendlyName", "My Service!")])
        .await
        .created();
    assert_shape(&service, shapes::SERVICE);
    assert_shape(&service["links"], shapes::SERVICE_LINKS);
    for (key, value) in [
        ("account_sid", json!(world.sid)),
        ("friendly_name", json!("My Service!")),
        ("inbound_request_url", Value::Null),
        ("inbound_method", json!("POST")),
        ("fallback_url", Value::Null),
        ("fallback_method", json!("POST")),
        ("status_callback", Value::Null),
        ("sticky_sender", json!(true)),
        ("mms_converter", json!(true)),
        ("smart_encoding", json!(true)),
        ("scan_message_content", json!("inherit")),
        ("fallback_to_long_code", json!(false)),
        ("area_code_geomatch", json!(true)),
        ("synchronous_validation", json!(false)),
        ("validity_period", json!(36_000)),
        ("usecase", json!("undeclared")),
        ("us_app_to_person_registered", json!(false)),
        ("use_inbound_webhook_on_number", json!(true)),
    ] {
        assert_eq!(service[key], value, "{key}");
    }
    let path = format!("/v1/Services/{}", service["sid"].as_str().unwrap());
    assert_eq!(service["url"], format!("http://localhost:8080{path}"));
    assert_eq!(world.get(&path).await.ok(), service);
}

#[tokio::test]
async fn a_service_with_a_webhook_uses_it() {
    let world = World::new().await;
    let url = ("InboundRequestUrl", "https://example.com/in");
    let name = ("FriendlyName", "S");
    let service = world.post("/v1/Services", &[name, url]).await.created();
    assert_eq!(service["use_inbound_webhook_on_number"], false);
    let explicit = ("UseInboundWebhookOnNumber", "true");
    let service = world
        .post("/v1/Services", &[name, url, explicit])
        .await
        .created();
    assert_eq!(service["use_inbound_webhook_on_number"], true);
}

#[tokio::test]
async fn every_setting_can_be_given_and_changed() {
    let world = World::new().await;
    let sid = world.service().await;
    let path = format!("/v1/Services/{sid}");
    for (name, given, key, shown) in [
        ("FriendlyName", "Other", "friendly_name", json!("Other")),
        (
            "InboundRequestUrl",
            "https://a.example",
            "inbound_request_url",
            json!("https://a.example"),
        ),
        ("InboundMethod", "GET", "inbound_method", json!("GET")),
        (
            "FallbackUrl",
            "https://b.example",
            "fallback_url",
            json!("https://b.example"),
        ),
        ("FallbackMethod", "get", "fallback_method", json!("GET")),
        (
            "StatusCallback",
            "https://c.example#rc=2",
            "status_callback",
            json!("https://c.example#rc=2"),
        ),
        ("StickySender", "false", "sticky_sender", json!(false)),
        ("MmsConverter", "false", "mms_converter", json!(false)),
        ("SmartEncoding", "false", "smart_encoding", json!(false)),
        (
            "ScanMessageContent",
            "disable",
            "scan_message_content",
            json!("disable"),
        ),
        (
            "FallbackToLongCode",
            "true",
            "fallback_to_long_code",
            json!(true),
        ),
        (
            "AreaCodeGeomatch",
            "false",
            "area_code_geomatch",
            json!(false),
        ),
        (
            "SynchronousValidation",
            "true",
            "synchronous_validation",
            json!(true),
        ),
        ("ValidityPeriod", "1", "validity_period", json!(1)),
        ("ValidityPeriod", "36000", "validity_period", json!(36_000)),
        ("Usecase", "marketing", "usecase", json!("marketing")),
        (
            "UseInboundWebhookOnNumber",
            "false",
            "use_inbound_webhook_on_number",
            json!(false),
        ),
    ] {
        let service = world.post(&path, &[(name, given)]).await.ok();
        assert_eq!(service[key], shown, "{name}");
        assert_eq!(world.get(&path).await.ok()[key], shown, "{name}");
    }
}

/// Columns: parameter, a value that is not the default, key, the default.
fn cleared() -> [(&'static str, &'static str, &'static str, Value); 15] {
    [
        (
            "InboundRequestUrl",
            "https://a.example",
            "inbound_request_url",
            Value::Null,
        ),
        ("InboundMethod", "GET", "inbound_method", json!("POST")),
        (
            "FallbackUrl",
            "https://b.example",
            "fallback_url",
            Value::Null,
        ),
        ("FallbackMethod", "GET", "fallback_method", json!("POST")),
        (
            "StatusCallback",
            "https://c.example",
            "status_callback",
            Value::Null,
        ),
        ("StickySender", "false", "sticky_sender", json!(true)),
        ("MmsConverter", "false", "mms_converter", json!(true)),
        ("SmartEncoding", "false", "smart_encoding", json!(true)),
        (
            "ScanMessageContent",
            "disable",
            "scan_message_content",
            json!("inherit"),
        ),
        (
            "FallbackToLongCode",
            "true",
            "fallback_to_long_code",
            json!(false),
        ),
        (
            "AreaCodeGeomatch",
            "false",
            "area_code_geomatch",
            json!(true),
        ),
        (
            "SynchronousValidation",
            "true",
            "synchronous_validation",
            json!(false),
        ),
        ("ValidityPeriod", "60", "validity_period", json!(36_000)),
        ("Usecase", "marketing", "usecase", json!("undeclared")),
        (
            "UseInboundWebhookOnNumber",
            "false",
            "use_inbound_webhook_on_number",
            json!(true),
        ),
    ]
}

#[tokio::test]
async fn an_empty_parameter_brings_the_default_back() {
    let world = World::new().await;
    let path = format!("/v1/Services/{}", world.service().await);
    let given = cleared().map(|(name, value, ..)| (name, value));
    world.post(&path, &given).await.ok();
    let empty = cleared().map(|(name, ..)| (name, ""));
    let service = world.post(&path, &empty).await.ok();
    for (name, _, key, default) in cleared() {
        assert_eq!(service[key], default, "{name}");
    }
    // On creation an empty parameter is one that is not there.
    let mut fields = empty.to_vec();
    fields.push(("FriendlyName", "S"));
    let created = world.post("/v1/Services", &fields).await.created();
    for (name, _, key, default) in cleared() {
        assert_eq!(created[key], default, "{name}");
    }
    // Beside a webhook the default is to use it.
    let fields = [
        ("InboundRequestUrl", "https://a.example"),
        ("UseInboundWebhookOnNumber", ""),
    ];
    let service = world.post(&path, &fields).await.ok();
    assert_eq!(service["use_inbound_webhook_on_number"], false);
}

/// Columns: parameter, value, code of the refusal.
const REFUSED: &[(&str, &str, u32)] = &[
    ("InboundRequestUrl", "nowhere", 21402),
    ("FallbackUrl", "ftp://example.com", 21402),
    ("StatusCallback", "http://my_host/", 21609),
    ("InboundMethod", "PUT", 21403),
    ("FallbackMethod", "DELETE", 21403),
    ("StickySender", "yes", 20001),
    ("ScanMessageContent", "maybe", 20001),
    ("ValidityPeriod", "0", 90007),
    ("ValidityPeriod", "36001", 90007),
    ("ValidityPeriod", "-1", 90007),
    ("ValidityPeriod", "ten", 90007),
    ("Usecase", "spam", 21713),
];

#[tokio::test]
async fn a_bad_setting_changes_nothing() {
    let world = World::new().await;
    let path = format!("/v1/Services/{}", world.service().await);
    let before = world.get(&path).await.ok();
    for (name, value, code) in REFUSED {
        let fields = [("FriendlyName", "Changed"), (*name, *value)];
        world.post(&path, &fields).await.refused(400, *code);
        world
            .post("/v1/Services", &fields)
            .await
            .refused(400, *code);
    }
    let long = "x".repeat(65);
    let fields = [("FriendlyName", long.as_str())];
    world.post(&path, &fields).await.refused(400, 20002);
    // There is no name to go back to.
    let fields = [("FriendlyName", ""), ("StickySender", "false")];
    world.post(&path, &fields).await.refused(400, 20001);
    world.post("/v1/Services", &[]).await.refused(400, 20001);
    assert_eq!(world.get(&path).await.ok(), before);
}

#[tokio::test]
async fn the_operators_limit_bounds_the_validity_period() {
    let world = World::limited(|limits| limits.max_validity_period = 14_400).await;
    let path = format!("/v1/Services/{}", world.service().await);
    assert_eq!(world.get(&path).await.ok()["validity_period"], 14_400);
    for (given, shown) in [("14400", 14_400), ("1", 1), ("", 14_400)] {
        let service = world.post(&path, &[("ValidityPeriod", given)]).await.ok();
        assert_eq!(service["validity_period"], shown, "{given:?}");
    }
    let over = [("ValidityPeriod", "14401")];
    world.post(&path, &over).await.refused(400, 90007);
}

#[tokio::test]
async fn a_deleted_service_frees_its_senders() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let number = world.number("+14155550101").await;
    let path = format!("/v1/Services/{service}");
    world.delete(&path).await.gone();
    world.get(&path).await.refused(404, 20404);
    world.delete(&path).await.refused(404, 20404);
    let page = world.get("/v1/Services").await.ok();
    assert!(list_of_v1(&page, "services").is_empty());
    // The number is still the account's, and free for another service.
    let other = format!("/v1/Services/{}/PhoneNumbers", world.service().await);
    world
        .post(&other, &[("PhoneNumberSid", &number)])
        .await
        .created();
}

/// Each switch shows in the very next message. Columns: setting, recipient, body; what of the message
/// is looked at; with the setting on, and off.
#[tokio::test]
async fn a_changed_setting_counts_for_the_next_message() {
    let world = World::new().await;
    let service = world.service_with("+12125550103").await;
    let number = world.number("+14155550101").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let field = [("PhoneNumberSid", number.as_str())];
    world.post(&pool, &field).await.created();
    let path = format!("/v1/Services/{service}");
    let send = async |to: &str, body: &str| {
        let fields = [
            ("To", to),
            ("MessagingServiceSid", service.as_str()),
            ("Body", body),
        ];
        let created = world.post(&world.list("Messages"), &fields).await;
        world.settled(&created.created()).await
    };
    let dashes = "–".repeat(71);
    for (setting, body, shown, on, off) in [
        ("SmartEncoding", dashes.as_str(), "num_segments", "1", "2"),
        (
            "AreaCodeGeomatch",
            "Hi",
            "from",
            "+14155550101",
            "+12125550103",
        ),
    ] {
        for (value, expected) in [("true", on), ("false", off), ("true", on)] {
            // No recipient is known, so that all of them are chosen for anew.
            world.post(&path, &[("StickySender", "false")]).await.ok();
            world.post(&path, &[(setting, value)]).await.ok();
            let message = send("+14155550199", body).await;
            assert_eq!(message[shown], expected, "{setting} {value}");
        }
    }
    // With sticky sender on, the recipient keeps whom it knows; off again, it does not.
    world
        .post(&path, &[("AreaCodeGeomatch", "false")])
        .await
        .ok();
    world.post(&path, &[("StickySender", "true")]).await.ok();
    let first = send("+14155550198", "Hi").await["from"].clone();
    for _ in 0..3 {
        assert_eq!(send("+14155550198", "Hi").await["from"], first);
    }
    world.post(&path, &[("StickySender", "false")]).await.ok();
    assert_ne!(send("+14155550198", "Hi").await["from"], first);
    // And a sender that leaves is not used once more.
    world.delete(&format!("{pool}/{number}")).await.gone();
    for _ in 0..2 {
        assert_eq!(send("+14155550199", "Hi").await["from"], "+12125550103");
    }
}
