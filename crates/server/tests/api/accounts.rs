//! Accounts and subaccounts.

use serde_json::json;

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of};

const ACCOUNTS: &str = "/2010-04-01/Accounts.json";

#[tokio::test]
async fn an_account_has_every_documented_key() {
    let world = World::new().await;
    let uri = format!("/2010-04-01/Accounts/{}.json", world.sid);
    let account = world.get(&uri).await.ok();
    assert_shape(&account, shapes::ACCOUNT);
    assert_eq!(account["auth_token"], crate::world::TOKEN);
    assert_eq!(account["owner_account_sid"], account["sid"]);
    assert_eq!(account["status"], "active");
    assert_eq!(account["type"], "Full");
    assert_eq!(account["uri"], uri);
    for uri in account["subresource_uris"].as_object().unwrap().values() {
        world.get(uri.as_str().unwrap()).await.ok();
    }
}

#[tokio::test]
async fn a_subaccount_has_credentials_of_its_own() {
    let mut world = World::new().await;
    let child = world
        .post(ACCOUNTS, &[("FriendlyName", "Child")])
        .await
        .created();
    assert_shape(&child, shapes::ACCOUNT);
    assert_eq!(child["friendly_name"], "Child");
    assert_eq!(child["owner_account_sid"], world.sid);
    let token = child["auth_token"].as_str().unwrap();
    assert!(token.len() == 32 && token.bytes().all(|b| b.is_ascii_hexdigit()));
    world.ask_as(&child["sid"], &child["auth_token"]);
    let own = world.get(child["uri"].as_str().unwrap()).await.ok();
    assert_eq!(own["sid"], child["sid"]);
    // No subaccounts of subaccounts, and no look at the parent.
    assert!(world.post(ACCOUNTS, &[]).await.status >= 400);
    let parent = format!("/2010-04-01/Accounts/{}.json", world.sid);
    world.get(&parent).await.refused(404, 20404);
    world.post(&parent, &[]).await.refused(401, 20003);
}

#[tokio::test]
async fn an_account_is_renamed_and_closed_for_good() {
    let world = World::new().await;
    let child = world.post(ACCOUNTS, &[]).await.created();
    assert_ne!(child["friendly_name"], json!(null));
    let uri = child["uri"].as_str().unwrap();
    let renamed = world.post(uri, &[("FriendlyName", "New")]).await.ok();
    assert_eq!(renamed["friendly_name"], "New");
    let long = "x".repeat(65);
    world
        .post(uri, &[("FriendlyName", &long)])
        .await
        .refused(400, 20002);
    world
        .post(uri, &[("Status", "asleep")])
        .await
        .refused(400, 20001);
    let closed = world.post(uri, &[("Status", "closed")]).await.ok();
    assert_eq!(closed["status"], "closed");
    assert!(world.post(uri, &[("Status", "active")]).await.status >= 400);
}

#[tokio::test]
async fn closing_an_account_releases_its_senders() {
    let mut world = World::new().await;
    let child = world.post(ACCOUNTS, &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    let service = world.service().await;
    let numbers = child["subresource_uris"]["incoming_phone_numbers"].as_str();
    let fields = [("PhoneNumber", "+14155550101")];
    let number = world.post(numbers.unwrap(), &fields).await.created();
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let fields = [("PhoneNumberSid", number["sid"].as_str().unwrap())];
    world.post(&pool, &fields).await.created();
    world.short_code("55501").await;

    world.ask_as_main();
    let path = world.list("IncomingPhoneNumbers");
    let fields = [("PhoneNumber", "+14155550101")];
    world.post(&path, &fields).await.refused(409, 20409);
    let uri = child["uri"].as_str().unwrap();
    world.post(uri, &[("Status", "closed")]).await.ok();
    let directory = world.engine().directory();
    let account = child["sid"].as_str().unwrap().parse().unwrap();
    assert!(directory.short_codes_of(account).is_empty());
    assert!(directory.pool_members(service.parse().unwrap()).is_empty());
    let taken = world.post(&path, &fields).await.created();
    assert_ne!(taken["sid"], number["sid"]);
    assert_eq!(taken["account_sid"], world.sid);
}

#[tokio::test]
async fn accounts_are_listed_newest_first_and_filtered() {
    let world = World::new().await;
    for name in ["A", "B", "A"] {
        world
            .post(ACCOUNTS, &[("FriendlyName", name)])
            .await
            .created();
    }
    let page = world.get(ACCOUNTS).await.ok();
    let accounts = list_of(&page, "accounts");
    assert_eq!(column(accounts, "friendly_name"), ["A", "B", "A", "Main"]);
    let oldest = accounts[2]["uri"].as_str().unwrap();
    world.post(oldest, &[("Status", "suspended")]).await.ok();
    for (query, count) in [
        ("FriendlyName=A", 2),
        ("Status=suspended", 1),
        ("FriendlyName=A&Status=active", 1),
        ("FriendlyName=C", 0),
    ] {
        let page = world.get(&format!("{ACCOUNTS}?{query}")).await.ok();
        assert_eq!(list_of(&page, "accounts").len(), count, "{query}");
    }
}
