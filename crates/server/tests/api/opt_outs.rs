//! `/x/v1/OptOuts`: the opt-out list, its history, and changes by the operator.

use serde_json::Value;

use crate::world::{World, assert_shape, column, list_of_v1};

pub(crate) const PATH: &str = "/x/v1/OptOuts";
pub(crate) const HANDSET: &str = "+14155550199";
pub(crate) const NUMBER: &str = "+14155550101";
const OTHER: &str = "+14155550102";

const EVENT: &[&str] = &[
    "sender_id",
    "contact_id",
    "channel_group",
    "status",
    "source",
    "message_sid",
    "keyword",
    "language",
    "rule",
    "actor",
    "note",
    "date_of_consent",
];

/// The code that a message to the handset is refused with, 0 if it is taken.
pub(crate) async fn send(world: &World, from: &str) -> i64 {
    let fields = [("To", HANDSET), ("From", from), ("Body", "Sale!")];
    let answer = world.post(&world.list("Messages"), &fields).await;
    match answer.status {
        201 => 0,
        _ => answer.json["code"].as_i64().unwrap(),
    }
}

/// The list, asked with these filters.
async fn entries(world: &World, query: &str) -> Vec<Value> {
    let page = world.get(&format!("{PATH}{query}")).await.ok();
    list_of_v1(&page, "opt_outs").to_vec()
}

async fn add(world: &World, fields: &[(&str, &str)]) -> Value {
    let contact = [("ContactId", HANDSET)];
    let all: Vec<_> = contact.iter().chain(fields).copied().collect();
    world.post(PATH, &all).await.created()
}

#[tokio::test]
async fn a_stop_is_listed_with_its_cause() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    world.test.inbound(HANDSET, NUMBER, "Stop.").await;
    let [entry] = &entries(&world, "").await[..] else {
        panic!("one entry");
    };
    let mut shape = vec![
        "sid",
        "account_sid",
        "date",
        "date_created",
        "date_updated",
        "url",
    ];
    shape.push("links");
    shape.extend(EVENT);
    assert_shape(entry, &shape);
    let message = world.get(&world.list("Messages")).await.ok()["messages"][1]["sid"].clone();
    for (key, expected) in [
        ("sender_id", service.as_str()),
        ("contact_id", HANDSET),
        ("channel_group", "text"),
        ("status", "opt-out"),
        ("source", "opt-out-message"),
        ("keyword", "STOP"),
        ("language", "ENGLISH"),
        ("rule", "default_keyword"),
        ("message_sid", message.as_str().unwrap()),
        ("account_sid", &world.sid),
    ] {
        assert_eq!(entry[key], expected, "{key}");
    }
    assert_eq!(entry["actor"], Value::Null);
    assert!(entry["sid"].as_str().unwrap().starts_with("XO"));
    let path = entry["url"].as_str().unwrap();
    assert_eq!(&world.get(path).await.ok(), entry);
}

#[tokio::test]
async fn an_operators_entry_blocks_and_its_removal_is_an_opt_in() {
    let world = World::new().await;
    let number = world.number(NUMBER).await;
    let fields = [
        ("SenderId", number.as_str()),
        ("Source", "offline"),
        ("Note", "By letter"),
        ("DateOfConsent", "2026-11-24"),
    ];
    let made = add(&world, &fields).await;
    assert_eq!(made["sender_id"], NUMBER);
    assert_eq!(made["note"], "By letter");
    assert_eq!(made["date_of_consent"], "2026-11-24T00:00:00Z");
    assert_eq!(made["actor"], world.sid);
    assert_eq!(send(&world, NUMBER).await, 21610);
    // The same again changes nothing.
    let again = [("ContactId", HANDSET), ("SenderId", NUMBER)];
    assert_eq!(world.post(PATH, &again).await.ok(), made);
    let path = made["url"].as_str().unwrap();
    world.delete(path).await.gone();
    assert_eq!(send(&world, NUMBER).await, 0);
    let entry = world.get(path).await.ok();
    assert_eq!(
        (&entry["sid"], &entry["status"]),
        (&made["sid"], &"opt-in".into())
    );
    let fields = [("Status", "opt-out"), ("Note", "After all")];
    let entry = world.post(path, &fields).await.ok();
    assert_eq!(
        (&entry["status"], &entry["note"]),
        (&"opt-out".into(), &"After all".into())
    );
    assert_eq!(send(&world, NUMBER).await, 21610);

    let history = world
        .get(entry["links"]["history"].as_str().unwrap())
        .await
        .ok();
    let events = list_of_v1(&history, "events");
    assert_eq!(column(events, "status"), ["opt-out", "opt-in", "opt-out"]);
    assert_eq!(column(events, "source"), ["others", "others", "offline"]);
    let shape: Vec<_> = EVENT.iter().copied().chain(["date"]).collect();
    assert_shape(&events[0], &shape);
}

#[tokio::test]
async fn an_entry_is_named_exactly() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    world.test.inbound(HANDSET, NUMBER, "STOP").await;
    // The number's own entry is another than its service's, which still holds.
    add(&world, &[("SenderId", NUMBER), ("Status", "opt-in")]).await;
    assert_eq!(send(&world, NUMBER).await, 21610);
    let senders = entries(&world, "").await;
    assert_eq!(column(&senders, "sender_id"), [NUMBER, &service]);
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    world.number(OTHER).await;
    world.whatsapp_sender("+14155550103").await;
    for (user, sender, status) in [
        ("+14155550191", service.as_str(), "opt-out"),
        ("+14155550192", &service, "opt-in"),
        ("+14155550193", OTHER, "opt-out"),
        ("whatsapp:+14155550191", "whatsapp:+14155550103", "opt-out"),
        ("+14155550191", OTHER, "opt-out"),
    ] {
        let fields = [
            ("ContactId", user),
            ("SenderId", sender),
            ("Status", status),
        ];
        world.post(PATH, &fields).await.created();
    }
    let (a, b, c) = ("+14155550191", "+14155550192", "+14155550193");
    let whatsapp = "whatsapp:+14155550191";
    for (query, expected) in [
        (String::new(), &[a, whatsapp, c, b, a][..]),
        (format!("?SenderId={service}"), &[b, a]),
        ("?SenderId=%2B14155550102".to_owned(), &[a, c]),
        (format!("?SenderId={service}&Status=opt-in"), &[b]),
        (
            "?ContactId=%2B14155550191&Status=opt-out".to_owned(),
            &[a, whatsapp, a],
        ),
        ("?ContactId=%2B14155550177".to_owned(), &[]),
        ("?SenderId=%2B14155550177".to_owned(), &[]),
    ] {
        let found = entries(&world, &query).await;
        assert_eq!(column(&found, "contact_id"), expected, "{query}");
    }
    let mut path = format!("{PATH}?PageSize=2&Status=opt-out");
    let mut seen = Vec::new();
    loop {
        let page = world.get(&path).await.ok();
        seen.extend(list_of_v1(&page, "opt_outs").to_vec());
        let Some(next) = page["meta"]["next_page_url"].as_str() else {
            break;
        };
        next.clone_into(&mut path);
    }
    assert_eq!(column(&seen, "contact_id"), [a, whatsapp, c, a]);
}

#[tokio::test]
async fn bad_requests_are_refused_and_accounts_are_apart() {
    let world = World::new().await;
    world.number(NUMBER).await;
    let long = "x".repeat(501);
    for fields in [
        &[][..],
        &[("ContactId", HANDSET)],
        &[("ContactId", "12"), ("SenderId", NUMBER)],
        &[("ContactId", HANDSET), ("SenderId", OTHER)],
        &[("ContactId", "whatsapp:+14155550199"), ("SenderId", NUMBER)],
        &[
            ("ContactId", HANDSET),
            ("SenderId", NUMBER),
            ("Status", "out"),
        ],
        &[
            ("ContactId", HANDSET),
            ("SenderId", NUMBER),
            ("Source", "network"),
        ],
        &[
            ("ContactId", HANDSET),
            ("SenderId", NUMBER),
            ("DateOfConsent", "soon"),
        ],
        &[
            ("ContactId", HANDSET),
            ("SenderId", NUMBER),
            ("Note", &long),
        ],
    ] {
        world.post(PATH, fields).await.refused(400, 20001);
    }
    assert_eq!(entries(&world, "").await, Vec::<Value>::new());
    for query in [
        "?SenderId=a,b",
        "?ContactId=12",
        "?Status=out",
        "/History",
        "/History?ContactId=1",
    ] {
        let answer = world.get(&format!("{PATH}{query}")).await;
        answer.refused(400, 20001);
    }
    world.get(&format!("{PATH}/XO12")).await.refused(404, 20404);

    let made = add(&world, &[("SenderId", NUMBER)]).await;
    let path = made["url"].as_str().unwrap().to_owned();
    let created = world.post("/2010-04-01/Accounts.json", &[]).await;
    let child = created.created();
    let mut world = world;
    world.ask_as(&child["sid"], &child["auth_token"]);
    assert_eq!(entries(&world, "").await, Vec::<Value>::new());
    world.get(&path).await.refused(404, 20404);
    world.delete(&path).await.refused(404, 20404);
    let answer = world.post(PATH, &[("ContactId", HANDSET), ("SenderId", NUMBER)]);
    answer.await.refused(400, 20001);
}

#[tokio::test]
async fn a_dry_run_says_who_has_opted_out() {
    let world = World::new().await;
    let service = world.service_with(NUMBER).await;
    let form = [
        ("To", HANDSET),
        ("MessagingServiceSid", &service),
        ("Body", "Hi"),
    ];
    for status in ["opt-in", "opt-out"] {
        add(&world, &[("SenderId", &service), ("Status", status)]).await;
        let run = world.post("/x/v1/DryRun", &form).await.ok();
        assert_eq!(run["opt_out"], status == "opt-out");
        assert_eq!(
            run["error_code"].as_u64(),
            (status == "opt-out").then_some(21610)
        );
    }
}
