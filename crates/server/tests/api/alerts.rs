//! `/v1/Alerts`: what went wrong after a request was answered.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_core::error_code::ErrorCode;
use postrider_core::message::AccountNo;
use postrider_engine::Details;
use serde_json::{Value, json};

use crate::shapes::{ALERT, ALERT_INSTANCE};
use crate::world::{World, assert_shape, column, list_of_v1};

/// The list once it has so many alerts. The deadline only ends a test that is lost.
pub(crate) async fn alerts(world: &World, count: usize) -> Vec<Value> {
    for _ in 0..2_000 {
        let page = world.get("/v1/Alerts").await.ok();
        let alerts = list_of_v1(&page, "alerts");
        if alerts.len() == count {
            return alerts.to_vec();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there are not {count} alerts");
}

/// What an alert's text says.
pub(crate) fn details(alert: &Value) -> BTreeMap<String, String> {
    let text = alert["alert_text"].as_str().unwrap();
    form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

/// Raises alerts that are all different, a minute apart, the codes in turn.
async fn raise(world: &World, count: usize) {
    let codes = [ErrorCode::WebhookFailed, ErrorCode::PreregistrationWanted];
    for (number, code) in (0..count).zip(codes.into_iter().cycle()) {
        let alerting = world.engine().alerting();
        alerting.raise(AccountNo(1), code, &number.to_string(), Details::default);
        world.test.clock.advance(60_000);
    }
    alerts(world, count.min(50)).await;
}

#[tokio::test]
async fn a_message_that_fails_is_an_alert() {
    let world = World::new().await;
    let service = world.service().await;
    let pool = format!("/v1/Services/{service}/AlphaSenders");
    world
        .post(&pool, &[("AlphaSender", "ACME")])
        .await
        .created();
    let fields = [
        ("To", "+14155550199"),
        ("MessagingServiceSid", &service),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let listed = alerts(&world, 1).await.remove(0);
    assert_shape(&listed, ALERT);
    let sid = listed["sid"].as_str().unwrap();
    assert!(sid.starts_with("NO") && sid.len() == 34, "{sid}");
    for (key, expected) in [
        ("account_sid", json!(world.sid)),
        ("api_version", json!("2010-04-01")),
        ("date_created", json!("2026-01-01T00:00:00Z")),
        ("date_generated", json!("2026-01-01T00:00:00Z")),
        ("date_updated", json!("2026-01-01T00:00:00Z")),
        ("error_code", json!("21703")),
        ("log_level", json!("error")),
        (
            "more_info",
            json!("https://www.twilio.com/docs/errors/21703"),
        ),
        ("request_method", Value::Null),
        ("request_url", Value::Null),
        ("resource_sid", message["sid"].clone()),
        ("service_sid", json!(service)),
        (
            "url",
            json!(format!("http://localhost:8080/v1/Alerts/{sid}")),
        ),
    ] {
        assert_eq!(listed[key], expected, "{key}");
    }
    let text = details(&listed);
    assert_eq!(text["ErrorCode"], "21703");
    assert_eq!(text["LogLevel"], "ERROR");
    assert_eq!(text["Msg"], ErrorCode::NoSuitableSender.message());
    assert!(!text.contains_key("Count"));

    let fetched = world.get(&format!("/v1/Alerts/{sid}")).await.ok();
    assert_shape(&fetched, ALERT_INSTANCE);
    for key in ALERT {
        assert_eq!(fetched[key], listed[key], "{key}");
    }
}

#[tokio::test]
async fn alerts_are_listed_by_level_and_date() {
    let world = World::new().await;
    raise(&world, 4).await;
    // Columns: query, how many minutes after the start those were that it gives.
    for (query, minutes) in [
        ("", &[3, 2, 1, 0][..]),
        ("LogLevel=error", &[2, 0]),
        ("LogLevel=WARNING", &[3, 1]),
        ("LogLevel=notice", &[]),
        ("LogLevel=debug", &[]),
        ("StartDate=2026-01-01T00:01:00Z", &[3, 2, 1]),
        ("StartDate=2026-01-01", &[3, 2, 1, 0]),
        ("StartDate=2026-01-02", &[]),
        ("EndDate=2026-01-01T00:01:00Z", &[1, 0]),
        ("EndDate=2026-01-01", &[3, 2, 1, 0]),
        ("EndDate=2025-12-31", &[]),
        ("EndDate=9999-12-31", &[3, 2, 1, 0]),
        ("StartDate=9999-12-31", &[]),
        (
            "StartDate=2026-01-01T01:01:00%2B01:00&EndDate=2026-01-01T00:02:30Z&LogLevel=error",
            &[2],
        ),
    ] {
        let page = world.get(&format!("/v1/Alerts?{query}")).await.ok();
        let dates = column(list_of_v1(&page, "alerts"), "date_generated")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let expected = minutes
            .iter()
            .map(|minute| format!("2026-01-01T00:0{minute}:00Z"));
        assert_eq!(dates, expected.collect::<Vec<_>>(), "{query}");
    }
    for query in [
        "LogLevel=fatal",
        "StartDate=yesterday",
        "EndDate=1",
        "PageToken=x",
    ] {
        let answer = world.get(&format!("/v1/Alerts?{query}")).await;
        answer.refused(400, 20001);
    }
}

#[tokio::test]
async fn pages_of_alerts_follow_each_other_in_both_directions() {
    let world = World::new().await;
    raise(&world, 5).await;
    let all = alerts(&world, 5).await;
    let all = column(&all, "sid");
    let mut path = "/v1/Alerts?PageSize=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = world.get(&path).await.ok();
        let next = page["meta"]["next_page_url"].as_str().map(str::to_owned);
        pages.push(page);
        match next {
            Some(next) => {
                path = next
                    .strip_prefix("http://localhost:8080")
                    .unwrap()
                    .to_owned();
            }
            None => break,
        }
    }
    let shown: Vec<_> = pages
        .iter()
        .flat_map(|page| column(list_of_v1(page, "alerts"), "sid"))
        .collect();
    assert_eq!(shown, all);
    let back = pages[2]["meta"]["previous_page_url"].as_str().unwrap();
    let back = back.strip_prefix("http://localhost:8080").unwrap();
    let back = world.get(back).await.ok();
    assert_eq!(column(list_of_v1(&back, "alerts"), "sid"), all[2..4]);
}

#[tokio::test]
async fn an_alert_is_its_accounts_own_and_read_only() {
    let mut world = World::new().await;
    raise(&world, 1).await;
    let sid = alerts(&world, 1).await[0]["sid"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/Alerts/{sid}");
    world
        .get(&path.to_uppercase().replace("/V1/ALERTS", "/v1/Alerts"))
        .await
        .ok();
    for answer in [world.delete(&path).await, world.post(&path, &[]).await] {
        assert_eq!(answer.headers["allow"], "GET");
        answer.refused(405, 20004);
    }
    world.post("/v1/Alerts", &[]).await.refused(405, 20004);
    world.get("/v1/Alerts/NO1").await.refused(404, 20404);
    world.get("/v1/Events").await.refused(404, 20404);
    let other = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&other["sid"], &other["auth_token"]);
    world.get(&path).await.refused(404, 20404);
    assert_eq!(alerts(&world, 0).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_webhook_that_fails_is_an_alert_with_its_request() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    // Nothing listens at port 1, and webhooks may not reach this machine anyway.
    let fields = [
        ("To", "+14155550199"),
        ("MessagingServiceSid", &service),
        ("Body", "Hi"),
        (
            "StatusCallback",
            "http://user:secret@127.0.0.1:1/status?x=1#rc=9",
        ),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    world.settled(&message).await;
    // Queued, sent and delivered failed each; the override is told once.
    let all = alerts(&world, 4).await;
    let of = |code: &str| {
        let of: Vec<_> = all
            .iter()
            .filter(|alert| alert["error_code"] == code)
            .collect();
        (of.len(), of[0].clone())
    };
    let (count, warning) = of("11243");
    assert_eq!((count, &warning["log_level"]), (1, &json!("warning")));
    assert_eq!(
        details(&warning)["url"],
        "http://127.0.0.1:1/status?x=1#rc=9"
    );
    let (count, failed) = of("11205");
    assert_eq!((count, &failed["log_level"]), (3, &json!("error")));
    assert_eq!(failed["resource_sid"], message["sid"]);
    assert_eq!(failed["service_sid"], service);
    assert_eq!(failed["request_method"], "POST");
    assert_eq!(failed["request_url"], "http://127.0.0.1:1/status?x=1");
    let path = format!("/v1/Alerts/{}", failed["sid"].as_str().unwrap());
    let fetched = world.get(&path).await;
    assert!(!fetched.text.contains("secret") && !fetched.text.contains("Basic"));
    let fetched = fetched.ok();
    let variables = fetched["request_variables"].as_str().unwrap();
    let variables: BTreeMap<_, _> = form_urlencoded::parse(variables.as_bytes()).collect();
    assert_eq!(variables["MessageSid"], message["sid"].as_str().unwrap());
    let headers = fetched["request_headers"].as_str().unwrap();
    assert!(headers.contains("x-twilio-signature: "), "{headers}");
    assert_eq!(fetched["response_body"], Value::Null);
}
