//! API keys.

use serde_json::Value;

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of};

#[tokio::test]
async fn a_secret_is_shown_once() {
    let world = World::new().await;
    let key = world
        .post(&world.list("Keys"), &[("FriendlyName", "CI")])
        .await
        .created();
    assert_shape(&key, shapes::NEW_KEY);
    let secret = key["secret"].as_str().unwrap();
    assert!(secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_alphanumeric()));

    let path = world.list(&format!("Keys/{}", key["sid"].as_str().unwrap()));
    let fetched = world.get(&path).await.ok();
    assert_shape(&fetched, shapes::KEY);
    assert_eq!(fetched["friendly_name"], "CI");
    let updated = world.post(&path, &[("FriendlyName", "CD")]).await.ok();
    assert_shape(&updated, shapes::KEY);
    assert_eq!(updated["friendly_name"], "CD");

    world.delete(&path).await.gone();
    world.get(&path).await.refused(404, 20404);
    world.delete(&path).await.refused(404, 20404);
}

#[tokio::test]
async fn keys_are_listed_newest_first() {
    let world = World::new().await;
    for name in ["1", "2", ""] {
        world
            .post(&world.list("Keys"), &[("FriendlyName", name)])
            .await
            .created();
    }
    let page = world.get(&world.list("Keys")).await.ok();
    let keys = list_of(&page, "keys");
    assert_eq!(keys[0]["friendly_name"], Value::Null);
    assert_eq!(column(&keys[1..], "friendly_name"), ["2", "1"]);
    world
        .get(&world.list("Keys/SK00000000000000000000000000000000"))
        .await
        .refused(404, 20404);
    world
        .get(&world.list("Keys/junk"))
        .await
        .refused(404, 20404);
}
