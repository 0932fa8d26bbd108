//! `POST /v1/Consents/Bulk`: what users said elsewhere than in a text.

use serde_json::{Value, json};

use crate::opt_outs::{HANDSET, NUMBER, send};
use crate::world::{World, assert_shape};

const PATH: &str = "/v1/Consents/Bulk";
const ID: &str = "0123456789ABCDEF0123456789abcdef";

fn item(sender: &str, status: &str) -> Value {
    json!({
        "contact_id": HANDSET,
        "correlation_id": ID,
        "sender_id": sender,
        "status": status,
        "source": "website",
        "date_of_consent": "2026-11-24T09:05:00.529Z",
    })
}

async fn bulk(world: &World, items: &[Value]) -> Vec<Value> {
    let texts: Vec<_> = items.iter().map(Value::to_string).collect();
    let fields: Vec<_> = texts.iter().map(|text| ("Items", text.as_str())).collect();
    let answer = world.post(PATH, &fields).await.created();
    assert_shape(&answer, &["items"]);
    answer["items"].as_array().unwrap().clone()
}

/// Each item answered without an error.
async fn holds(world: &World, items: &[Value]) {
    for answer in bulk(world, items).await {
        let good = json!({"correlation_id": ID, "error_code": 0, "error_messages": []});
        assert_eq!(answer, good);
    }
}

#[tokio::test]
async fn an_opt_out_blocks_and_an_opt_in_takes_back_a_stop() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    world.test.inbound(HANDSET, NUMBER, "STOP").await;
    assert_eq!(send(&world, NUMBER).await, 21610);
    // By the service, or by a sender of it: a STOP to that one is the service's, too.
    for sender in [service.as_str(), NUMBER] {
        holds(&world, &[item(sender, "opt-in")]).await;
        assert_eq!(send(&world, NUMBER).await, 0, "{sender}");
        holds(&world, &[item(sender, "opt-out")]).await;
        assert_eq!(send(&world, NUMBER).await, 21610, "{sender}");
    }
    let entries = world.get("/x/v1/OptOuts").await.ok()["opt_outs"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 1);
    assert_eq!(entries[0]["sender_id"], service);
    assert_eq!(entries[0]["source"], "website");
    assert_eq!(entries[0]["date_of_consent"], "2026-11-24T09:05:00Z");
    assert_eq!(entries[0]["actor"], world.sid);
}

#[tokio::test]
async fn who_was_out_of_the_number_before_it_joined_is_in_again() {
    let world = World::new().await;
    let number = world.number(NUMBER).await;
    world.test.inbound(HANDSET, NUMBER, "STOP").await;
    let service = world.service().await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    world
        .post(&pool, &[("PhoneNumberSid", &number)])
        .await
        .created();
    assert_eq!(send(&world, NUMBER).await, 21610);
    holds(&world, &[item(&service, "opt-in")]).await;
    assert_eq!(send(&world, NUMBER).await, 21610, "the number's own entry");
    holds(&world, &[item(NUMBER, "opt-in")]).await;
    assert_eq!(send(&world, NUMBER).await, 0);
}

#[tokio::test]
async fn a_wrong_item_says_what_is_wrong_and_keeps_no_other_back() {
    let world = World::new().await;
    world.number(NUMBER).await;
    let mut other = World::new().await;
    let alien = other.service().await;
    other.ask_as_main();
    let with = |name: &str, value: Value| {
        let mut changed = item(NUMBER, "opt-out");
        changed[name] = value;
        changed
    };
    let rows = [
        (with("contact_id", json!("12")), &["INVALID_CONTACT_ID"][..]),
        (
            with("contact_id", json!("whatsapp:+14155550199")),
            &["INVALID_CONTACT_ID"],
        ),
        (
            with("correlation_id", json!("12")),
            &["INVALID_CORRELATION_ID"],
        ),
        (with("sender_id", json!(alien)), &["INVALID_SENDER_ID"]),
        (
            with("sender_id", json!("+14155550177")),
            &["INVALID_SENDER_ID"],
        ),
        (with("status", json!(true)), &["INVALID_STATUS"]),
        (with("source", json!("network")), &["INVALID_SOURCE"]),
        (
            with("date_of_consent", json!("soon")),
            &["INVALID_DATE_OF_CONSENT"],
        ),
        (
            json!({}),
            &[
                "INVALID_CONTACT_ID",
                "INVALID_SENDER_ID",
                "INVALID_STATUS",
                "INVALID_CORRELATION_ID",
            ],
        ),
    ];
    let mut items: Vec<_> = rows.iter().map(|(item, _)| item.clone()).collect();
    items.push(item(NUMBER, "opt-out"));
    let answers = bulk(&world, &items).await;
    for ((item, expected), answer) in rows.iter().zip(&answers) {
        assert_eq!(answer["error_code"], 30646, "{item}");
        assert_eq!(answer["error_messages"], json!(expected), "{item}");
    }
    assert_eq!(answers.last().unwrap()["error_code"], 0);
    assert_eq!(send(&world, NUMBER).await, 21610);
}

#[tokio::test]
async fn a_request_has_1_to_25_objects() {
    let world = World::new().await;
    world.number(NUMBER).await;
    world.post(PATH, &[]).await.refused(400, 20001);
    for bad in ["", "1", "[]", "{"] {
        world
            .post(PATH, &[("Items", bad)])
            .await
            .refused(400, 20001);
    }
    let item = item(NUMBER, "opt-in");
    assert_eq!(bulk(&world, &vec![item.clone(); 25]).await.len(), 25);
    let text = item.to_string();
    let fields = vec![("Items", text.as_str()); 26];
    world.post(PATH, &fields).await.refused(400, 20001);
    world.get(PATH).await.refused(405, 20004);
}
