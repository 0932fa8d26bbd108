//! From one auth token to the next.

use serde_json::{Value, json};

use crate::world::{TOKEN, World};

const SECONDARY: &str = "/v1/AuthTokens/Secondary";
const PROMOTE: &str = "/v1/AuthTokens/Promote";

async fn with_secondary(world: &World) -> String {
    let made = world.post(SECONDARY, &[]).await.created();
    let token = made["secondary_auth_token"].as_str().unwrap().to_owned();
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(
        made,
        json!({
            "account_sid": world.sid,
            "date_created": "2026-01-01T00:00:00Z",
            "date_updated": "2026-01-01T00:00:00Z",
            "secondary_auth_token": token,
            "url": format!("http://{}{SECONDARY}", world.host),
        })
    );
    token
}

/// Whether the account gets in with a token.
async fn fits(world: &mut World, token: &str) -> bool {
    token.clone_into(&mut world.password);
    let answer = world.get(&world.list("Messages")).await;
    assert!([200, 401].contains(&answer.status), "{}", answer.text);
    answer.status == 200
}

#[tokio::test]
async fn both_tokens_fit_until_the_second_is_promoted() {
    let mut world = World::new().await;
    let second = with_secondary(&world).await;
    assert!(fits(&mut world, &second).await);
    assert!(fits(&mut world, TOKEN).await);
    // The account shows the one that signs.
    let account = format!("/2010-04-01/Accounts/{}.json", world.sid);
    assert_eq!(world.get(&account).await.ok()["auth_token"], TOKEN);
    let promoted = world.post(PROMOTE, &[]).await.ok();
    assert_eq!(
        promoted,
        json!({
            "account_sid": world.sid,
            "auth_token": second,
            "date_created": "2026-01-01T00:00:00Z",
            "date_updated": "2026-01-01T00:00:00Z",
            "url": format!("http://{}{PROMOTE}", world.host),
        })
    );
    assert!(!fits(&mut world, TOKEN).await);
    assert!(fits(&mut world, &second).await);
    assert_eq!(world.get(&account).await.ok()["auth_token"], second);
    // There is no other to promote.
    world.post(PROMOTE, &[]).await.refused(404, 20404);
}

#[tokio::test]
async fn a_deleted_secondary_token_is_void() {
    let mut world = World::new().await;
    world.delete(SECONDARY).await.refused(404, 20404);
    let second = with_secondary(&world).await;
    // A second one would void the first behind its users' backs.
    world.post(SECONDARY, &[]).await.refused(409, 20409);
    world.delete(SECONDARY).await.gone();
    assert!(!fits(&mut world, &second).await);
    assert!(fits(&mut world, TOKEN).await);
    with_secondary(&world).await;
}

#[tokio::test]
async fn a_key_manages_no_tokens() {
    let mut world = World::new().await;
    let key = world.post(&world.list("Keys"), &[]).await.created();
    world.ask_as(&key["sid"], &key["secret"]);
    for answer in [
        world.post(SECONDARY, &[]).await,
        world.delete(SECONDARY).await,
        world.post(PROMOTE, &[]).await,
    ] {
        assert_eq!(
            (answer.status, &answer.json["code"]),
            (403, &Value::from(20003))
        );
    }
}

#[tokio::test]
async fn tokens_are_not_read() {
    let world = World::new().await;
    world.get(SECONDARY).await.refused(405, 20004);
    world.get(PROMOTE).await.refused(405, 20004);
    world
        .get("/accounts/v1/AuthTokens")
        .await
        .refused(404, 20404);
}
