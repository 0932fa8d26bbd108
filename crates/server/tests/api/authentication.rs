//! Who may do what: tokens, keys, parents and children, suspended and closed accounts.

use http::{Method, Request};
use http_body_util::Full;
use postrider_core::settings::{Account, AccountStatus, Document};
use postrider_store::DocumentChange;
use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn a_request_needs_credentials_that_fit() {
    let mut world = World::new().await;
    let path = world.list("Messages");
    world.get(&path).await.ok();
    for (user, password) in [
        (world.sid.clone(), "wrong".to_owned()),
        (world.sid.clone(), String::new()),
        (
            "AC00000000000000000000000000000000".to_owned(),
            world.password.clone(),
        ),
        (
            "SK00000000000000000000000000000000".to_owned(),
            world.password.clone(),
        ),
        ("somebody".to_owned(), world.password.clone()),
        (String::new(), String::new()),
    ] {
        (world.user, world.password) = (user, password);
        world.get(&path).await.refused(401, 20003);
    }
    let bare = Request::builder().uri(&path).body(Full::default()).unwrap();
    let answer = world.send(bare).await;
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    answer.refused(401, 20003);
}

#[tokio::test]
async fn the_sid_may_be_written_in_either_case() {
    let mut world = World::new().await;
    world.user = format!("AC{}", world.sid[2..].to_uppercase());
    world.get(&world.list("Messages")).await.ok();
}

/// A key of the main account, and the world asking with it.
async fn with_key(world: &mut World) -> Value {
    let key = world.post(&world.list("Keys"), &[]).await.created();
    world.ask_as(&key["sid"], &key["secret"]);
    key
}

#[tokio::test]
async fn a_key_does_all_but_manage_accounts_and_keys() {
    let mut world = World::new().await;
    let key = with_key(&mut world).await;
    world.get(&world.list("Messages")).await.ok();
    world.service().await;
    world.number("+14155550101").await;
    let account = format!("/2010-04-01/Accounts/{}.json", world.sid);
    for answer in [
        world.get("/2010-04-01/Accounts.json").await,
        world.post("/2010-04-01/Accounts.json", &[]).await,
        world.get(&account).await,
        world.post(&account, &[("FriendlyName", "x")]).await,
        world.get(&world.list("Keys")).await,
        world.post(&world.list("Keys"), &[]).await,
    ] {
        // Known, but not allowed: 403 without a challenge.
        assert_eq!(answer.status, 403);
        assert_eq!(answer.json["code"], 20003);
        assert!(!answer.headers.contains_key("www-authenticate"));
    }
    world.ask_as_main();
    let path = world.list(&format!("Keys/{}", key["sid"].as_str().unwrap()));
    world.delete(&path).await.gone();
    world.ask_as(&key["sid"], &key["secret"]);
    world.get(&world.list("Messages")).await.refused(401, 20003);
}

#[tokio::test]
async fn a_parent_acts_for_its_child_and_nobody_else_does() {
    let mut world = World::new().await;
    let child = world
        .post("/2010-04-01/Accounts.json", &[("FriendlyName", "Child")])
        .await
        .created();
    let of_child = |name: &str| {
        format!(
            "/2010-04-01/Accounts/{}/{name}.json",
            child["sid"].as_str().unwrap()
        )
    };
    world.get(&of_child("Messages")).await.ok();
    let number = world
        .post(
            &of_child("IncomingPhoneNumbers"),
            &[("PhoneNumber", "+14155550101")],
        )
        .await
        .created();
    assert_eq!(number["account_sid"], child["sid"]);
    // Also with a key of the parent.
    with_key(&mut world).await;
    world.get(&of_child("Messages")).await.ok();

    // The child reaches itself, not its parent: 404 when reading, 401 when writing.
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.get(&of_child("Messages")).await.ok();
    world.get(&world.list("Messages")).await.refused(404, 20404);
    world
        .post(&world.list("Messages"), &[("To", "+14155550199")])
        .await
        .refused(401, 20003);
    world
        .get("/2010-04-01/Accounts/ACzz/Messages.json")
        .await
        .refused(404, 20404);
    // v1 paths name no account: the credential's own is meant.
    let service = world.service().await;
    world.ask_as_main();
    world
        .get(&format!("/v1/Services/{service}"))
        .await
        .refused(404, 20404);
}

#[tokio::test]
async fn a_suspended_account_only_reads_and_a_closed_one_does_nothing() {
    let mut world = World::new().await;
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    let account = child["uri"].as_str().unwrap().to_owned();
    let messages = child["subresource_uris"]["messages"]
        .as_str()
        .unwrap()
        .to_owned();
    let suspended = [("Status", "suspended")];
    world.post(&account, &suspended).await.ok();

    world.ask_as(&child["sid"], &child["auth_token"]);
    world.get(&messages).await.ok();
    world.get("/v1/Services").await.ok();
    world.post(&messages, &[]).await.refused(403, 20005);
    world
        .post("/v1/Services", &[("FriendlyName", "S")])
        .await
        .refused(403, 20005);
    // It cannot free itself.
    world
        .post(&account, &[("Status", "active")])
        .await
        .refused(403, 20005);

    // Its parent can't write for it either, but can free it and close it.
    world.ask_as_main();
    world.get(&messages).await.ok();
    world.post(&messages, &[]).await.refused(403, 20005);
    world.post(&account, &[("Status", "active")]).await.ok();
    world.post(&account, &[("Status", "closed")]).await.ok();
    world.get(&account).await.ok();
    world.get(&messages).await.refused(403, 20005);
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.get(&messages).await.refused(403, 20005);
}

#[tokio::test]
async fn a_child_is_no_more_active_than_its_parent() {
    let mut world = World::new().await;
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.service().await;
    // The API cannot suspend a main account; an operator may.
    let parent = world.sid.parse().unwrap();
    let directory = world.engine().directory();
    let mut parent = Account::clone(&directory.account(parent).unwrap());
    parent.status = AccountStatus::Suspended;
    let change = DocumentChange::Put(Document::Account(parent));
    directory.apply(vec![change]).unwrap();
    world.get("/v1/Services").await.ok();
    world
        .post("/v1/Services", &[("FriendlyName", "S")])
        .await
        .refused(403, 20005);
}

#[tokio::test]
async fn a_preflight_needs_no_credentials() {
    let world = World::new().await;
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(world.list("Messages"))
        .header("origin", "https://app.example.com")
        .body(Full::default())
        .unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert!(answer.headers.contains_key("access-control-allow-methods"));
}
