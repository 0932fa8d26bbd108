//! `Idempotency-Key`: who repeats a create request gets the first answer, and nothing twice.

use std::sync::Arc;

use http::Method;
use http_body_util::Full;
use postrider_engine::testing::engine_over;
use postrider_server::Ops;
use postrider_store::memory::{Fault, MemoryStore};
use serde_json::Value;

use crate::world::{Answer, World, column, list_of, list_of_v1};

const DAY_MS: i64 = 86_400_000;
const KEY: &str = "idempotency-key";
const TOKEN: &str = "i-twilio-idempotency-token";
const TO: &str = "+14155550199";

async fn post_with(
    world: &World,
    headers: &[(&str, &str)],
    path: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let mut request = world
        .request(Method::POST, path)
        .header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(Full::from(body)).unwrap()).await
}

async fn post(world: &World, key: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    post_with(world, &[(KEY, key)], path, fields).await
}

/// The body of a 201 that was given for the first time, or again.
#[track_caller]
fn body(answer: Answer, is_repeated: bool) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    let repeated = answer.headers.get("idempotent-replayed");
    assert_eq!(repeated.is_some_and(|value| value == "true"), is_repeated);
    answer.text
}

/// A request to messaging v2, whose bodies are JSON.
async fn post_json(world: &World, key: &str, path: &str, body: &'static str) -> Answer {
    let request = world
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .header(KEY, key);
    world.send(request.body(Full::from(body)).unwrap()).await
}

async fn messages(world: &World) -> usize {
    let page = world.get(&world.list("Messages")).await.ok();
    list_of(&page, "messages").len()
}

fn sid(text: &str) -> String {
    let json: Value = serde_json::from_str(text).unwrap();
    json["sid"].as_str().unwrap().to_owned()
}

/// A number, and a service that has another.
async fn senders(world: &World) -> String {
    world.number("+14155550101").await;
    world.service_with("+14155550102").await
}

#[tokio::test]
async fn a_repeated_message_gets_the_first_answer_whatever_has_become_of_it() {
    let world = World::new().await;
    let service = senders(&world).await;
    let path = world.list("Messages");
    world.whatsapp_sender("+14155550191").await;
    let send_at = "2026-01-01T00:20:00Z";
    // Of SMS it would be three segments.
    let long = "\u{2019}".repeat(161);
    let kinds: [&[(&str, &str)]; 7] = [
        &[("To", TO), ("From", "+14155550101"), ("Body", "Hi")],
        &[
            ("To", TO),
            ("From", "+1 (415) 555-0101"),
            ("Body", "Smart \u{2018}quotes\u{2019}"),
            ("SmartEncoded", "true"),
            ("ContentRetention", "discard"),
            ("AddressRetention", "obfuscate"),
        ],
        &[
            ("To", TO),
            ("MessagingServiceSid", &service),
            ("Body", "Hi"),
        ],
        &[
            ("To", TO),
            ("MessagingServiceSid", &service),
            ("From", "+14155550102"),
            ("Body", "Hi \u{2019}"),
            ("SmartEncoded", "true"),
        ],
        &[("To", TO), ("From", &service), ("Body", "Hi")],
        &[
            ("To", "whatsapp:+14155550199"),
            ("From", "whatsapp:+14155550191"),
            ("Body", &long),
        ],
        &[
            ("To", TO),
            ("MessagingServiceSid", &service),
            ("From", "+14155550102"),
            ("Body", "Later"),
            ("ScheduleType", "fixed"),
            ("SendAt", send_at),
        ],
    ];
    for (index, fields) in kinds.iter().enumerate() {
        let key = format!("key-{index}");
        let first = body(post(&world, &key, &path, fields).await, false);
        let instance = world.list(&format!("Messages/{}", sid(&first)));
        assert_eq!(body(post(&world, &key, &path, fields).await, true), first);
        if first.contains(r#""status":"scheduled""#) {
            world.post(&instance, &[("Status", "canceled")]).await.ok();
        } else {
            let message: Value = serde_json::from_str(&first).unwrap();
            world.settled(&message).await;
        }
        world.test.clock.advance(2_000);
        assert_eq!(body(post(&world, &key, &path, fields).await, true), first);
        world.post(&instance, &[("Body", "")]).await.ok();
        assert_eq!(body(post(&world, &key, &path, fields).await, true), first);
        world.delete(&instance).await.gone();
        assert_eq!(body(post(&world, &key, &path, fields).await, true), first);
        assert_eq!(messages(&world).await, 0);
    }
}

#[tokio::test]
async fn a_message_released_since_is_answered_as_scheduled() {
    let world = World::new().await;
    let service = senders(&world).await;
    let path = world.list("Messages");
    let fields = [
        ("To", TO),
        ("MessagingServiceSid", &*service),
        ("Body", "Later"),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T00:20:00Z"),
    ];
    let first = body(post(&world, "k", &path, &fields).await, false);
    assert!(first.contains(r#""status":"scheduled""#));
    world.test.clock.advance(20 * 60_000);
    // The scheduler looks when the schedule changes.
    let mut later = fields;
    later[4].1 = "2026-01-01T02:00:00Z";
    world.post(&path, &later).await.created();
    let message: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(world.settled(&message).await["status"], "delivered");
    assert_eq!(body(post(&world, "k", &path, &fields).await, true), first);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_account() {
    let mut world = World::new().await;
    let service = senders(&world).await;
    let path = world.list("Messages");
    let fields = [("To", TO), ("From", "+14155550101"), ("Body", "Hi")];
    body(post(&world, "k", &path, &fields).await, false);
    // The order of parameters and the spelling of the path say nothing.
    let [to, from, text] = fields;
    body(post(&world, "k", &path, &[text, from, to]).await, true);
    let plain = path.strip_suffix(".json").unwrap();
    body(post(&world, "k", plain, &fields).await, true);
    body(
        post_with(&world, &[(TOKEN, "k")], &path, &fields).await,
        true,
    );
    let both = [(KEY, "k"), (TOKEN, "k")];
    body(post_with(&world, &both, &path, &fields).await, true);

    let others: [&[(&str, &str)]; 4] = [
        &[to, from, ("Body", "Ho")],
        &[to, from, text, ("StatusCallback", "https://example.com")],
        &[to, ("MessagingServiceSid", &service), text],
        // A request that would be refused anyway.
        &[to],
    ];
    for other in others {
        post(&world, "k", &path, other).await.refused(409, 20409);
    }
    let elsewhere = world.list("Keys");
    for path in ["/v1/Services", &elsewhere, "/x/v1/ShortCodes"] {
        post(&world, "k", path, &fields).await.refused(409, 20409);
    }
    assert_eq!(messages(&world).await, 1);

    body(
        post(&world, "s", "/v1/Services", &[("FriendlyName", "A")]).await,
        false,
    );
    let other = [("FriendlyName", "B")];
    post(&world, "s", "/v1/Services", &other)
        .await
        .refused(409, 20409);
    post(&world, "s", &path, &fields).await.refused(409, 20409);

    // Another account has keys of its own, whoever acts for it.
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    let of_child = format!(
        "/2010-04-01/Accounts/{}/Keys.json",
        child["sid"].as_str().unwrap()
    );
    body(post(&world, "k", &of_child, &[]).await, false);
    body(post(&world, "k", &of_child, &[]).await, true);
    world.ask_as(&child["sid"], &child["auth_token"]);
    body(post(&world, "k", &of_child, &[]).await, true);
    body(post(&world, "s", "/v1/Services", &other).await, false);
}

#[tokio::test]
async fn a_path_is_the_same_in_whichever_case_its_sids_are_written() {
    let world = World::new().await;
    let service = senders(&world).await;
    let number = world.number("+14155550103").await;
    let fields = [("To", TO), ("From", "+14155550101"), ("Body", "Hi")];
    let member = [("PhoneNumberSid", &*number)];
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    for (path, sid, fields) in [
        (&world.list("Messages"), &world.sid, &fields[..]),
        (&world.list("Keys"), &world.sid, &[("FriendlyName", "Key")]),
        (&pool, &service, &member),
    ] {
        let first = body(post(&world, path, path, fields).await, false);
        for other in [sid.to_ascii_lowercase(), sid.to_ascii_uppercase()] {
            let again = post(&world, path, &path.replace(sid, &other), fields).await;
            assert_eq!(body(again, true), first);
        }
    }
}

#[tokio::test]
async fn keys_are_visible_ascii() {
    let world = World::new().await;
    let fields = [("FriendlyName", "S")];
    let long = "k".repeat(256);
    let headers: [&[(&str, &str)]; 4] = [
        &[(KEY, "a b")],
        &[(TOKEN, &long)],
        &[(KEY, "")],
        &[(KEY, "a"), (TOKEN, "b")],
    ];
    for headers in headers {
        let answer = post_with(&world, headers, "/v1/Services", &fields).await;
        assert!(
            answer.json["message"]
                .as_str()
                .unwrap()
                .contains("Idempotency-Key")
        );
        answer.refused(400, 20001);
    }
    body(
        post(&world, &long[1..], "/v1/Services", &fields).await,
        false,
    );
    // Elsewhere they say nothing.
    let request = world
        .request(Method::GET, "/v1/Services")
        .header(KEY, "a b");
    let page = world
        .send(request.body(Full::default()).unwrap())
        .await
        .ok();
    assert_eq!(list_of_v1(&page, "services").len(), 1);
}

#[tokio::test]
async fn a_key_is_forgotten_after_exactly_a_day() {
    let world = World::new().await;
    let service = senders(&world).await;
    let path = world.list("Messages");
    let message = [
        ("To", TO),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    let settings = [("FriendlyName", "S")];
    let first = body(post(&world, "m", &path, &message).await, false);
    let first_service = body(post(&world, "s", "/v1/Services", &settings).await, false);
    world.test.clock.advance(DAY_MS - 1);
    assert_eq!(body(post(&world, "m", &path, &message).await, true), first);
    let again = post(&world, "s", "/v1/Services", &settings).await;
    assert_eq!(body(again, true), first_service);
    world.test.clock.advance(1);
    assert_ne!(body(post(&world, "m", &path, &message).await, false), first);
    let again = post(&world, "s", "/v1/Services", &settings).await;
    assert_ne!(body(again, false), first_service);
    // The new ones count from now on.
    body(post(&world, "m", &path, &message).await, true);
    body(post(&world, "s", "/v1/Services", &settings).await, true);
}

#[tokio::test]
async fn what_was_refused_may_be_tried_again() {
    let world = World::new().await;
    let path = world.list("Messages");
    let message = [("To", TO), ("From", "+14155550101"), ("Body", "Hi")];
    post(&world, "m", &path, &message).await.refused(400, 21659);
    let codes = [("ShortCode", "x"), ("IsoCountry", "US")];
    post(&world, "s", "/x/v1/ShortCodes", &codes)
        .await
        .refused(400, 20001);
    world.number("+14155550101").await;
    body(post(&world, "m", &path, &message).await, false);
    body(post(&world, "m", &path, &message).await, true);
    // Nothing was created with the key, so it is free for anything.
    let codes = [("ShortCode", "12345"), ("IsoCountry", "US")];
    body(post(&world, "s", "/x/v1/ShortCodes", &codes).await, false);
}

#[tokio::test]
async fn of_requests_at_the_same_time_one_creates() {
    let world = Arc::new(World::new().await);
    let service = senders(&world).await;
    let path = world.list("Messages");
    for round in 0..10 {
        let key = round.to_string();
        let mut requests = tokio::task::JoinSet::new();
        for index in 0..8 {
            let (world, key, path, service) =
                (world.clone(), key.clone(), path.clone(), service.clone());
            requests.spawn(async move {
                let message = [
                    ("To", TO),
                    ("MessagingServiceSid", &*service),
                    ("Body", "Hi"),
                ];
                match index % 2 {
                    0 => post(&world, &key, &path, &message).await,
                    _ => {
                        post(
                            &world,
                            &format!("s{key}"),
                            "/v1/Services",
                            &[("FriendlyName", "S")],
                        )
                        .await
                    }
                }
            });
        }
        let mut bodies = Vec::new();
        for answer in requests.join_all().await {
            assert_eq!(answer.status, 201, "{}", answer.text);
            bodies.push(answer.text);
        }
        bodies.sort_unstable();
        bodies.dedup();
        assert_eq!(bodies.len(), 2, "{bodies:?}");
    }
    assert_eq!(messages(&world).await, 10);
    let services = world.get("/v1/Services").await.ok();
    assert_eq!(list_of_v1(&services, "services").len(), 11);
}

#[tokio::test]
async fn a_client_that_hangs_up_finds_what_it_began() {
    let world = World::new().await;
    let service = senders(&world).await;
    let path = world.list("Messages");
    let message = [
        ("To", TO),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    for round in 0..30 {
        let key = round.to_string();
        // It gets further and further before it gives up.
        let patience = std::time::Duration::from_micros(100 * round);
        let settings = [("FriendlyName", "S")];
        let _ = tokio::time::timeout(patience, post(&world, &key, &path, &message)).await;
        assert_eq!(post(&world, &key, &path, &message).await.status, 201);
        let key = format!("s{key}");
        let _ = tokio::time::timeout(patience, post(&world, &key, "/v1/Services", &settings)).await;
        let answer = post(&world, &key, "/v1/Services", &settings).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    assert_eq!(messages(&world).await, 30);
    let services = world.get("/v1/Services").await.ok();
    assert_eq!(list_of_v1(&services, "services").len(), 31);
}

#[tokio::test]
async fn a_create_in_json_is_repeated_octet_by_octet() {
    let world = World::new().await;
    let path = "/v2/Channels/Senders";
    let body = r#"{"sender_id":"whatsapp:+14155550191","profile":{"name":"A+B %41"}}"#;
    let first = post_json(&world, "k", path, body).await;
    assert_eq!(first.headers.get("idempotent-replayed"), None);
    let again = post_json(&world, "k", path, body).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.text, first.text);
    assert_eq!(again.taken(), first.taken());
    // What would be the same in a form.
    for other in [
        r#"{"sender_id":"whatsapp:+14155550191","profile":{"name":"A B %41"}}"#,
        r#"{"sender_id":"whatsapp:+14155550191","profile":{"name":"A+B A"}}"#,
        r#"{"sender_id":"whatsapp:%2B14155550191","profile":{"name":"A+B %41"}}"#,
    ] {
        let answer = post_json(&world, "k", path, other).await;
        answer.refused(409, 20409);
    }
}

#[tokio::test]
async fn an_update_that_is_answered_as_a_create_is_carried_out_each_time() {
    let world = World::new().await;
    let sender = world.whatsapp_sender("+14155550191").await;
    let path = format!("/v2/Channels/Senders/{sender}");
    let brand = [
        (
            "CustomerProfileBundleSid",
            "BU00000000000000000000000000000001",
        ),
        ("A2PProfileBundleSid", "BU00000000000000000000000000000002"),
    ];
    let brands = "/v1/a2p/BrandRegistrations";
    let brand = body(post(&world, "b", brands, &brand).await, false);
    let brand = format!("{brands}/{}", sid(&brand));
    // Columns: key, name of the sender, what the registry calls the brand.
    for (key, body, name, tcr_id) in [
        ("1", r#"{"profile":{"name":"A"}}"#, "A", "BA"),
        ("2", r#"{"profile":{"name":"B"}}"#, "B", "BB"),
        ("1", r#"{"profile":{"name":"A"}}"#, "A", "BA"),
    ] {
        let answer = post_json(&world, key, &path, body).await;
        assert_eq!(answer.headers.get("idempotent-replayed"), None);
        assert_eq!(answer.taken()["profile"]["name"], name);
        assert_eq!(world.get(&path).await.ok()["profile"]["name"], name);
        let answer = post(&world, key, &brand, &[("TcrId", tcr_id)]).await;
        assert_eq!(answer.headers.get("idempotent-replayed"), None);
        assert_eq!(answer.taken()["tcr_id"], tcr_id);
        assert_eq!(world.get(&brand).await.ok()["tcr_id"], tcr_id);
    }
}

/// Every operation that creates: path and parameters.
#[tokio::test]
async fn every_create_can_be_repeated() {
    let world = World::new().await;
    let service = world.service().await;
    let number = world.number("+14155550101").await;
    let code = world.short_code("12345").await;
    let pool = |kind: &str| format!("/v1/Services/{service}/{kind}");
    let creates: &[(String, &[(&str, &str)])] = &[
        (
            "/2010-04-01/Accounts.json".to_owned(),
            &[("FriendlyName", "Sub")],
        ),
        (world.list("Keys"), &[("FriendlyName", "Key")]),
        (
            world.list("IncomingPhoneNumbers"),
            &[("PhoneNumber", "+14155550102")],
        ),
        (
            world.list("IncomingPhoneNumbers/Local"),
            &[("PhoneNumber", "+14155550103")],
        ),
        ("/v1/AuthTokens/Secondary".to_owned(), &[]),
        ("/v1/Services".to_owned(), &[("FriendlyName", "S")]),
        (pool("PhoneNumbers"), &[("PhoneNumberSid", &number)]),
        (pool("ShortCodes"), &[("ShortCodeSid", &code)]),
        (pool("AlphaSenders"), &[("AlphaSender", "Shop")]),
        (
            pool("DestinationAlphaSenders"),
            &[("AlphaSender", "Shop"), ("IsoCountryCode", "GB")],
        ),
        (
            "/x/v1/ShortCodes".to_owned(),
            &[("ShortCode", "54321"), ("IsoCountry", "US")],
        ),
    ];
    for (path, fields) in creates {
        let first = body(post(&world, path, path, fields).await, false);
        // Without the key it would be refused, make another, or change what there is.
        world.test.clock.advance(2_000);
        assert_eq!(
            body(post(&world, path, path, fields).await, true),
            first,
            "{path}"
        );
    }
    let keys = world.get(&world.list("Keys")).await.ok();
    assert_eq!(list_of(&keys, "keys").len(), 1);
    let accounts = world.get("/2010-04-01/Accounts.json").await.ok();
    assert_eq!(list_of(&accounts, "accounts").len(), 2);
}

#[tokio::test]
async fn what_a_draft_made_is_in_force_and_what_it_was_refused_is_not() {
    let mut world = World::new().await;
    let key = post(&world, "a", &world.list("Keys"), &[]).await.created();
    let child = post(&world, "b", "/2010-04-01/Accounts.json", &[])
        .await
        .created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.get("/v1/Services").await.ok();
    world.ask_as(&key["sid"], &key["secret"]);
    let service = post(&world, "c", "/v1/Services", &[("FriendlyName", "S")])
        .await
        .created();
    // An update runs on a draft as well, and is nothing to be remembered.
    let path = format!("/v1/Services/{}", service["sid"].as_str().unwrap());
    for name in ["T", "U"] {
        let answer = post(&world, "d", &path, &[("FriendlyName", name)]).await;
        assert!(!answer.headers.contains_key("idempotent-replayed"));
        answer.ok();
        let now = world.get(&path).await.ok();
        assert_eq!(now["friendly_name"], name);
    }
    let number = world.number("+14155550101").await;
    let pool = format!("{path}/PhoneNumbers");
    let entry = [("PhoneNumberSid", &*number)];
    post(&world, "e", &pool, &entry).await.created();
    post(&world, "f", &pool, &entry).await.refused(409, 21710);
    let page = world.get(&pool).await.ok();
    assert_eq!(
        column(list_of_v1(&page, "phone_numbers"), "sid"),
        [&*number]
    );
    let message = [
        ("To", TO),
        ("MessagingServiceSid", service["sid"].as_str().unwrap()),
        ("Body", "Hi"),
    ];
    let sent = post(&world, "g", &world.list("Messages"), &message)
        .await
        .created();
    assert_eq!(world.settled(&sent).await["status"], "delivered");
}

#[tokio::test]
async fn an_api_key_is_not_told_what_an_auth_token_was() {
    let mut world = World::new().await;
    let secret = post(&world, "k", &world.list("Keys"), &[]).await.created();
    world.ask_as(&secret["sid"], &secret["secret"]);
    post(&world, "k", &world.list("Keys"), &[])
        .await
        .refused(409, 20409);
    post(&world, "l", &world.list("Keys"), &[])
        .await
        .refused(403, 20003);
}

#[tokio::test]
async fn a_crash_between_commit_and_answer_creates_nothing_twice() {
    for fault in [Fault::Kept, Fault::Lost] {
        let store = Arc::new(MemoryStore::new());
        let world = World::over(engine_over(store.clone()), Ops::default(), None).await;
        let service = senders(&world).await;
        let path = world.list("Messages");
        let message = [
            ("To", TO),
            ("MessagingServiceSid", &*service),
            ("Body", "Hi"),
        ];
        let settings = [("FriendlyName", "S")];
        // Its answer never comes; the store may have it all the same.
        store.fail_next_commit(fault);
        post(&world, "m", &path, &message).await.refused(503, 20503);
        store.crash();
        let store = Arc::new(store.disk().open());
        let world = world.restarted(engine_over(store.clone()));
        let is_kept = fault == Fault::Kept;
        let first = body(post(&world, "m", &path, &message).await, is_kept);
        assert_eq!(body(post(&world, "m", &path, &message).await, true), first);
        assert_eq!(messages(&world).await, 1);
        // So that no commit of its own is the one to fail.
        let message: Value = serde_json::from_str(&first).unwrap();
        world.settled(&message).await;

        store.fail_next_commit(fault);
        post(&world, "s", "/v1/Services", &settings)
            .await
            .refused(503, 20503);
        store.crash();
        let store = Arc::new(store.disk().open());
        let world = world.restarted(engine_over(store.clone()));
        body(post(&world, "s", "/v1/Services", &settings).await, is_kept);
        let page = world.get("/v1/Services").await.ok();
        assert_eq!(list_of_v1(&page, "services").len(), 2);
    }
}
