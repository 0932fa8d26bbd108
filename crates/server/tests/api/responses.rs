//! What every answer carries.

use crate::world::World;

#[tokio::test]
async fn every_answer_names_its_request() {
    let world = World::new().await;
    let mut seen = Vec::new();
    for path in [
        world.list("Messages"),
        "/v1/Services".to_owned(),
        "/v1/Nothing".to_owned(),
    ] {
        let answer = world.get(&path).await;
        let id = answer.headers["twilio-request-id"].to_str().unwrap();
        assert_eq!(id.len(), 34);
        assert!(id.starts_with("RQ") && id[2..].bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(!seen.contains(&id.to_owned()));
        seen.push(id.to_owned());
        assert_eq!(answer.headers["twilio-request-duration"], "0.000");
        assert_eq!(answer.headers["twilio-concurrent-requests"], "1");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn web_pages_may_call_the_2010_api_only() {
    let world = World::new().await;
    let old = world.get(&world.list("Messages")).await;
    assert_eq!(old.headers["access-control-allow-origin"], "*");
    let refused = world.get(&world.list("Nothing")).await;
    assert_eq!(refused.headers["access-control-allow-origin"], "*");
    let new = world.get("/v1/Services").await;
    assert!(!new.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn dates_are_rfc_2822_in_2010_and_iso_in_v1() {
    let world = World::new().await;
    let account = world
        .get(&format!("/2010-04-01/Accounts/{}.json", world.sid))
        .await
        .ok();
    assert_eq!(account["date_created"], "Thu, 01 Jan 2026 00:00:00 +0000");
    let path = format!("/v1/Services/{}", world.service().await);
    let service = world.get(&path).await.ok();
    assert_eq!(service["date_created"], "2026-01-01T00:00:00Z");
}
