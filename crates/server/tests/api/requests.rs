//! How requests are read: bodies, names, booleans, what is ignored and what is refused.

use http::Method;
use http_body_util::Full;

use crate::world::World;

/// Columns: content type, body, status.
const BODIES: &[(Option<&str>, &str, u16)] = &[
    (
        Some("application/x-www-form-urlencoded"),
        "FriendlyName=S",
        201,
    ),
    (
        Some("application/x-www-form-urlencoded; charset=UTF-8"),
        "FriendlyName=%C3%A9&Unknown=1&stickySender=false",
        201,
    ),
    (Some("application/json"), r#"{"FriendlyName":"S"}"#, 415),
    (Some("text/plain"), "FriendlyName=S", 415),
    (None, "FriendlyName=S", 415),
    // Read as an empty form, which misses the name.
    (None, "", 400),
];

#[tokio::test]
async fn bodies_are_forms() {
    let world = World::new().await;
    for (content_type, body, status) in BODIES {
        let mut request = world.request(Method::POST, "/v1/Services");
        if let Some(content_type) = content_type {
            request = request.header("content-type", *content_type);
        }
        let answer = world.send(request.body(Full::from(*body)).unwrap()).await;
        assert_eq!(answer.status, *status, "{content_type:?} {body}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let world = World::new().await;
    let body = "a".repeat(300_000);
    world
        .post(&world.list("Messages"), &[("Body", &body)])
        .await
        .refused(413, 20413);
}

#[tokio::test]
async fn a_query_adds_nothing_to_a_body() {
    let world = World::new().await;
    world
        .post("/v1/Services?FriendlyName=S", &[])
        .await
        .refused(400, 20001);
}

#[tokio::test]
async fn names_are_exact_and_booleans_are_words() {
    let world = World::new().await;
    let service = world
        .post(
            "/v1/Services",
            &[
                ("FriendlyName", "S"),
                ("StickySender", "FALSE"),
                ("AreaCodeGeomatch", "False"),
                ("smartencoding", "false"),
            ],
        )
        .await
        .created();
    assert_eq!(service["sticky_sender"], false);
    assert_eq!(service["area_code_geomatch"], false);
    assert_eq!(service["smart_encoding"], true);
    let fields = [("FriendlyName", "S"), ("StickySender", "no")];
    world
        .post("/v1/Services", &fields)
        .await
        .refused(400, 20001);
}

#[tokio::test]
async fn on_an_update_absent_leaves_alone_and_empty_clears() {
    let world = World::new().await;
    let created = world
        .post(
            "/v1/Services",
            &[
                ("FriendlyName", "S"),
                ("InboundRequestUrl", "https://example.com/in"),
                ("StatusCallback", "https://example.com/status"),
            ],
        )
        .await
        .created();
    let path = format!("/v1/Services/{}", created["sid"].as_str().unwrap());
    let updated = world.post(&path, &[("InboundRequestUrl", "")]).await.ok();
    assert_eq!(updated["inbound_request_url"], serde_json::Value::Null);
    assert_eq!(updated["status_callback"], "https://example.com/status");
    assert_eq!(updated["friendly_name"], "S");
    let again = world.post(&path, &[]).await.ok();
    assert_eq!(again, updated);
}

#[tokio::test]
async fn an_empty_name_is_the_default_again() {
    let world = World::new().await;
    let account = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    let key = world.post(&world.list("Keys"), &[]).await.created();
    let key_path = format!("Keys/{}", key["sid"].as_str().unwrap());
    let code = world.short_code("55501").await;
    for (path, default) in [
        (
            account["uri"].as_str().unwrap(),
            account["friendly_name"].clone(),
        ),
        (&*world.list(&key_path), serde_json::Value::Null),
        (&*format!("/x/v1/ShortCodes/{code}"), "55501".into()),
    ] {
        let named = world.post(path, &[("FriendlyName", "Mine")]).await.ok();
        assert_eq!(named["friendly_name"], "Mine", "{path}");
        let cleared = world.post(path, &[("FriendlyName", "")]).await.ok();
        assert_eq!(cleared["friendly_name"], default, "{path}");
    }
}

/// A status is no setting: an empty one neither revives an account nor passes for `canceled`.
#[tokio::test]
async fn an_empty_status_is_refused() {
    let world = World::new().await;
    let account = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    let path = account["uri"].as_str().unwrap();
    world.post(path, &[("Status", "suspended")]).await.ok();
    let empty = [("Status", "")];
    world.post(path, &empty).await.refused(400, 20001);
    assert_eq!(world.get(path).await.ok()["status"], "suspended");
    world.number("+14155550101").await;
    let fields = [
        ("To", "+14155550199"),
        ("From", "+14155550101"),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let path = message["uri"].as_str().unwrap();
    world.post(path, &empty).await.refused(400, 20001);
}

#[tokio::test]
async fn get_and_delete_may_carry_an_empty_form() {
    let world = World::new().await;
    let service = world.service().await;
    let path = format!("/v1/Services/{service}");
    for (method, status) in [
        (Method::GET, 200),
        (Method::HEAD, 200),
        (Method::DELETE, 204),
    ] {
        let request = world
            .request(method, &path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept-encoding", "utf-8");
        let answer = world.send(request.body(Full::default()).unwrap()).await;
        assert_eq!(answer.status, status);
        assert!(!answer.headers.contains_key("content-encoding"));
    }
}
