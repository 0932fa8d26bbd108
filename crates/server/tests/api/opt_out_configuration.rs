//! `/v3/OptOuts`: a service's own keywords and replies, and what they do to the next text.

use serde_json::{Value, json};

use crate::opt_outs::{HANDSET, NUMBER, send};
use crate::world::{World, assert_shape, column, list_of_v1};

const PATH: &str = "/v3/OptOuts";

/// A service with [`NUMBER`] and a configuration that is on; its path.
async fn configured(world: &World) -> String {
    let service = world.service_with(NUMBER).await;
    let form = json!({"messagingServiceSid": service, "enabled": true});
    let made = world.post_json(PATH, &form).await.created();
    made["url"].as_str().unwrap().to_owned()
}

async fn post(world: &World, path: &str, body: Value) -> Value {
    world.post_json(path, &body).await.ok()
}

/// What the handset is answered.
async fn replies(world: &World) -> Vec<String> {
    let messages = world.get(&world.list("Messages")).await.ok();
    let mut messages = messages["messages"].as_array().unwrap().clone();
    messages.retain(|message| message["direction"] == "outbound-reply");
    messages.reverse();
    let texts = column(&messages, "body");
    texts.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_configuration_is_made_read_switched_and_taken_away() {
    let world = World::new().await;
    let service = world.service().await;
    let form = json!({"messagingServiceSid": service});
    let made = world.post_json(PATH, &form).await.created();
    let shape = [
        "opt_out_sid",
        "account_sid",
        "messaging_service_sid",
        "friendly_name",
        "enabled",
        "date_created",
        "date_updated",
        "url",
        "links",
    ];
    assert_shape(&made, &shape);
    assert_eq!(made["opt_out_sid"], service.replace("MG", "OO"));
    assert_eq!(made["enabled"], false);
    world.post_json(PATH, &form).await.refused(409, 20409);
    let path = made["url"].as_str().unwrap();
    assert_eq!(world.get(path).await.ok(), made);
    assert_eq!(
        post(&world, path, json!({"enabled": true})).await["enabled"],
        true
    );
    assert_eq!(post(&world, path, json!({})).await["enabled"], true);
    let page = world.get(PATH).await.ok();
    assert_eq!(list_of_v1(&page, "opt_outs").len(), 1);
    world.delete(path).await.gone();
    world.get(path).await.refused(404, 20404);
    let page = world.get(PATH).await.ok();
    assert_eq!(list_of_v1(&page, "opt_outs").len(), 0);
}

#[tokio::test]
async fn words_and_replies_hold_from_the_next_text_on() {
    let world = World::new().await;
    let path = configured(&world).await;
    world.test.inbound(HANDSET, NUMBER, "parar").await;
    assert_eq!(send(&world, NUMBER).await, 0);
    let place = json!({"keywordType": "STOP.SPANISH", "messageType": "ALL"});
    let with = |name: &str, value: &str| {
        let mut form = place.clone();
        form[name] = value.into();
        form
    };
    let words = format!("{path}/Keywords");
    let shown = post(
        &world,
        &words,
        json!([with("keyword", "PARAR"), with("keyword", "BAJA")]),
    )
    .await;
    assert_shape(&shown, &["account_sid", "opt_out_sid", "config"]);
    let spanish = json!({"keyword_type": "STOP.SPANISH", "message_type": "ALL", "keywords": ["PARAR", "BAJA"]});
    assert!(shown["config"].as_array().unwrap().contains(&spanish));
    let texts = format!("{path}/Messages");
    post(&world, &texts, with("message", "No recibirá más mensajes.")).await;
    post(
        &world,
        &texts,
        json!({"keyword_type": "STOP.ALL", "message": "You are out."}),
    )
    .await;
    world.test.inbound(HANDSET, NUMBER, "parar").await;
    assert_eq!(send(&world, NUMBER).await, 21610);
    world.test.inbound(HANDSET, NUMBER, "START").await;
    assert_eq!(send(&world, NUMBER).await, 0);
    // Not in Spanish any more.
    let gone = format!("{words}?KeywordType=STOP.SPANISH&Keyword=parar");
    world.delete(&gone).await.gone();
    world.test.inbound(HANDSET, NUMBER, "parar").await;
    assert_eq!(send(&world, NUMBER).await, 0);
    // Off: the default keywords again, and their replies.
    post(&world, &path, json!({"enabled": false})).await;
    world.test.inbound(HANDSET, NUMBER, "baja").await;
    assert_eq!(send(&world, NUMBER).await, 0);
    assert_eq!(replies(&world).await[0], "No recibirá más mensajes.");
}

#[tokio::test]
async fn a_country_has_a_layer_of_its_own() {
    let world = World::new().await;
    let path = configured(&world).await;
    let place = json!({"keywordType": "HELP.FRENCH", "messageType": "CA", "keyword": "AIDE"});
    post(&world, &format!("{path}/Keywords"), place).await;
    let types = format!("{path}/MessageTypes");
    let shown = world.get(&types).await.ok();
    let canada = json!({
        "key": "CA", "friendly_name": "Canada", "default_language": "FRENCH", "languages": ["FRENCH"],
    });
    assert_eq!(shown["message_types"][1], canada);
    assert_eq!(
        column(shown["message_types"].as_array().unwrap(), "key"),
        ["ALL", "CA"]
    );
    let shown = post(
        &world,
        &types,
        json!({"messageType": "ca", "defaultLanguage": "english"}),
    )
    .await;
    assert_eq!(shown["message_types"][1]["default_language"], "ENGLISH");
    assert_eq!(
        shown["message_types"][1]["languages"],
        json!(["ENGLISH", "FRENCH"])
    );
    world
        .delete(&format!("{types}?MessageType=CA"))
        .await
        .gone();
    let shown = world.get(&types).await.ok();
    assert_eq!(
        column(shown["message_types"].as_array().unwrap(), "key"),
        ["ALL"]
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let path = configured(&world).await;
    let before = world.get(&format!("{path}/Keywords")).await.ok();
    let keyword = |kind: &str, country: &str, word: &str| json!({"keywordType": kind, "messageType": country, "keyword": word});
    let message = |text: &str| json!({"keywordType": "STOP.ENGLISH", "message": text});
    let many = vec![keyword("STOP.FRENCH", "ALL", "A"); 1_001];
    for (part, body) in [
        ("Keywords", keyword("STOP.SPANISH", "ALL", "HELP")),
        ("Keywords", keyword("HELP.SPANISH", "ALL", "quit")),
        ("Keywords", keyword("STOP.KLINGON", "ALL", "PARAR")),
        ("Keywords", keyword("STOP.ALL", "MX", "PARAR")),
        ("Keywords", keyword("STOP", "ALL", "PARAR")),
        ("Keywords", keyword("GO.SPANISH", "ALL", "PARAR")),
        ("Keywords", keyword("STOP.SPANISH", "UK", "PARAR")),
        ("Keywords", keyword("STOP.SPANISH", "ALL", "!")),
        ("Keywords", keyword("STOP.SPANISH", "ALL", &"x".repeat(35))),
        // All or none: the first would do.
        (
            "Keywords",
            json!([
                keyword("STOP.SPANISH", "ALL", "PARAR"),
                keyword("HELP.SPANISH", "ALL", "PARAR")
            ]),
        ),
        ("Keywords", json!(many)),
        ("Keywords", json!({"keyword": "PARAR"})),
        ("Keywords", json!(1)),
        ("Messages", message(&"x".repeat(321))),
        ("Messages", message("  ")),
        (
            "MessageTypes",
            json!({"messageType": "ALL", "defaultLanguage": "ENGLISH"}),
        ),
        (
            "MessageTypes",
            json!({"messageType": "CA", "defaultLanguage": "ALL"}),
        ),
    ] {
        let answer = world.post_json(&format!("{path}/{part}"), &body).await;
        answer.refused(400, 20001);
    }
    let reserved = format!("{path}/Keywords?KeywordType=STOP.ALL&Keyword=STOP");
    world.delete(&reserved).await.refused(400, 20001);
    assert_eq!(world.get(&format!("{path}/Keywords")).await.ok(), before);
    for body in [
        json!({}),
        json!({"messagingServiceSid": "MG0123456789abcdef0123456789abcdef"}),
    ] {
        world.post_json(PATH, &body).await.refused(400, 20001);
    }
    world
        .post(PATH, &[("Enabled", "true")])
        .await
        .refused(415, 20001);
    world.get("/v3/Other").await.refused(404, 20404);
    world
        .get(&format!("{path}/Other"))
        .await
        .refused(404, 20404);
    // Another account's is not there.
    let mut world = world;
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.get(&path).await.refused(404, 20404);
    world.delete(&path).await.refused(404, 20404);
}

#[tokio::test]
async fn what_there_is_to_choose_from_is_told() {
    let world = World::new().await;
    let languages = world
        .get(&format!("{PATH}/Configurations/Languages"))
        .await
        .ok();
    let languages = languages["languages"].as_array().unwrap();
    assert_eq!(languages.len(), 42);
    assert_eq!(
        languages[1],
        json!({"key": "AFRIKAANS", "friendly_name": "Afrikaans"})
    );
    let types = world
        .get(&format!("{PATH}/Configurations/MessageTypes"))
        .await
        .ok();
    let types = types["message_types"].as_array().unwrap();
    assert!(types.contains(&json!({"key": "MX", "friendly_name": "Mexico"})));
    let defaults = world
        .get(&format!("{PATH}/DefaultKeywordsMessages"))
        .await
        .ok();
    let defaults = defaults["defaultKeywords"].as_array().unwrap();
    let stop = &defaults[0];
    assert_eq!(
        (
            &stop["keyword"],
            &stop["keywordType"],
            &stop["language"],
            &stop["reserved"]
        ),
        (
            &json!("STOP"),
            &json!("STOP"),
            &json!("ENGLISH"),
            &json!(true)
        )
    );
    assert!(stop["message"].as_str().unwrap().contains("unsubscribed"));
    let spanish = defaults
        .iter()
        .find(|row| row["keyword"] == "PARAR")
        .unwrap();
    assert_eq!(spanish["message"], Value::Null);
}
