//! Senders that may not be used for a while: how it is said, shown, and what it does to the next message.

use serde_json::{Value, json};

use crate::alerts::{alerts, details};
use crate::world::{World, column};

const TO: &str = "+14155550199";
const NUMBER: &str = "+14155550101";
const CODE: &str = "55501";
const WHATSAPP: &str = "whatsapp:+14155550191";

/// Where a sender is read and changed.
async fn registered(world: &World, sender: &str) -> String {
    match sender {
        CODE => format!("/x/v1/ShortCodes/{}", world.short_code(CODE).await),
        WHATSAPP => {
            let sid = world.whatsapp_sender(&WHATSAPP["whatsapp:".len()..]).await;
            format!("/v2/Channels/Senders/{sid}")
        }
        _ => {
            let sid = world.number(sender).await;
            world.list(&format!("IncomingPhoneNumbers/{sid}"))
        }
    }
}

/// Sets the status and gives what the answer shows.
async fn set(world: &World, path: &str, status: &str) -> Value {
    let answer = if path.starts_with("/v2/") {
        let answer = world.post_json(path, &json!({"status": status})).await;
        answer.taken()
    } else {
        world.post(path, &[("Status", status)]).await.ok()
    };
    assert_eq!(world.get(path).await.ok()["status"], answer["status"]);
    answer["status"].clone()
}

async fn send(world: &World, fields: &[(&str, &str)]) -> Value {
    let created = world.post(&world.list("Messages"), fields).await.created();
    world.settled(&created).await
}

async fn join(world: &World, service: &str, path: &str) {
    let sid = path.rsplit('/').next().unwrap().trim_end_matches(".json");
    let (pool, field) = match &sid[..2] {
        "PN" => ("PhoneNumbers", "PhoneNumberSid"),
        "SC" => ("ShortCodes", "ShortCodeSid"),
        _ => ("ChannelSenders", "Sid"),
    };
    let pool = format!("/v1/Services/{service}/{pool}");
    world.post(&pool, &[(field, sid)]).await.created();
}

#[tokio::test]
async fn a_sender_that_is_not_active_is_shown_so_and_refused_as_from() {
    let world = World::new().await;
    // Columns: sender, what is written, what is shown, whether it sends.
    let rows = [
        (NUMBER, "suspended", "suspended", false),
        (NUMBER, "porting", "porting", false),
        (NUMBER, "pending", "pending", false),
        (NUMBER, "in-use", "in-use", true),
        (NUMBER, "suspended", "suspended", false),
        (NUMBER, "active", "in-use", true),
        (CODE, "suspended", "suspended", false),
        (CODE, "porting", "porting", false),
        (CODE, "pending", "pending", false),
        (CODE, "active", "active", true),
        (WHATSAPP, "suspended", "OFFLINE", false),
        (WHATSAPP, "porting", "OFFLINE", false),
        (WHATSAPP, "pending", "PENDING_VERIFICATION", false),
        (WHATSAPP, "active", "ONLINE", true),
    ];
    let mut paths = Vec::new();
    for sender in [NUMBER, CODE, WHATSAPP] {
        paths.push((sender, registered(&world, sender).await));
    }
    for (sender, written, shown, sends) in rows {
        let path = &paths.iter().find(|(of, _)| *of == sender).unwrap().1;
        assert_eq!(
            set(&world, path, written).await,
            shown,
            "{sender} {written}"
        );
        let to = match sender {
            WHATSAPP => format!("whatsapp:{TO}"),
            _ => TO.to_owned(),
        };
        let fields = [("To", &*to), ("From", sender), ("Body", "Hi")];
        if sends {
            assert_eq!(send(&world, &fields).await["from"], sender, "{written}");
            continue;
        }
        for path in [&*world.list("Messages"), "/x/v1/DryRun"] {
            let answer = world.post(path, &fields).await;
            let text = answer.json["message"].as_str().unwrap_or_default();
            assert!(
                text.contains("can't be used at present"),
                "{sender}: {text}"
            );
            answer.refused(400, 21606);
        }
    }
}

#[tokio::test]
async fn a_sender_may_be_registered_before_it_can_be_used() {
    let world = World::new().await;
    let fields = [("PhoneNumber", NUMBER), ("Status", "pending")];
    let path = world.list("IncomingPhoneNumbers");
    let number = world.post(&path, &fields).await.created();
    assert_eq!(number["status"], "pending");
    // To register it again says nothing of its status unless it is given.
    let again = world.post(&path, &fields[..1]).await.created();
    assert_eq!(again["status"], "pending");
    let fields = [
        ("ShortCode", CODE),
        ("IsoCountry", "US"),
        ("Status", "pending"),
    ];
    let code = world.post("/x/v1/ShortCodes", &fields).await.created();
    assert_eq!(code["status"], "pending");
    let body = json!({"sender_id": WHATSAPP, "status": "porting"});
    let sender = world.post_json("/v2/Channels/Senders", &body).await.taken();
    assert_eq!(sender["status"], "OFFLINE");
    assert_eq!(
        sender["offline_reasons"][0]["message"],
        "The sender is being ported"
    );
}

#[tokio::test]
async fn other_words_are_refused_and_change_nothing() {
    let world = World::new().await;
    let number = registered(&world, NUMBER).await;
    let code = registered(&world, CODE).await;
    let whatsapp = registered(&world, WHATSAPP).await;
    for path in [&number, &code, &whatsapp] {
        set(&world, path, "suspended").await;
    }
    // An empty status revives nobody.
    for word in ["Suspended", "closed", "online", ""] {
        let fields = [("Status", word), ("FriendlyName", "New")];
        world.post(&number, &fields).await.refused(400, 20001);
        world.post(&code, &fields).await.refused(400, 20001);
        let body = json!({"status": word});
        let answer = world.post_json(&whatsapp, &body).await;
        answer.refused(400, 20001);
    }
    let number = world.get(&number).await.ok();
    assert_eq!(number["friendly_name"], NUMBER);
    assert_eq!(number["status"], "suspended");
    assert_eq!(world.get(&code).await.ok()["status"], "suspended");
    assert_eq!(world.get(&whatsapp).await.ok()["status"], "OFFLINE");
    // Where something is created, an empty parameter is an absent one.
    let fields = [("PhoneNumber", "+14155550102"), ("Status", "")];
    let path = world.list("IncomingPhoneNumbers");
    let created = world.post(&path, &fields).await.created();
    assert_eq!(created["status"], "in-use");
}

#[tokio::test]
async fn a_pool_passes_over_its_unusable_senders_from_the_next_message_on() {
    let world = World::new().await;
    let service = world.service().await;
    let code = registered(&world, CODE).await;
    let number = registered(&world, NUMBER).await;
    let whatsapp = registered(&world, WHATSAPP).await;
    for path in [&code, &number, &whatsapp] {
        join(&world, &service, path).await;
    }
    let text = [
        ("To", TO),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    let whatsapp_to = format!("whatsapp:{TO}");
    let chat = [
        ("To", &*whatsapp_to),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    // Columns: whose status becomes what, a message, who sends it or what it fails with.
    for (path, status, fields, expected) in [
        (&code, "active", &text, Ok(CODE)),
        // The recipient knew the short code, which is worth nothing while it may not be used.
        (&code, "suspended", &text, Ok(NUMBER)),
        (&number, "porting", &text, Err(21703)),
        (&code, "active", &text, Ok(CODE)),
        (&code, "pending", &text, Err(21703)),
        (&number, "active", &text, Ok(NUMBER)),
        (&whatsapp, "active", &chat, Ok(WHATSAPP)),
        (&whatsapp, "suspended", &chat, Err(21703)),
        (&whatsapp, "active", &chat, Ok(WHATSAPP)),
    ] {
        set(&world, path, status).await;
        let message = send(&world, fields).await;
        let row = format!("{path} {status}");
        let dry = world.post("/x/v1/DryRun", fields).await.ok();
        match expected {
            Ok(sender) => {
                assert_eq!(message["from"], sender, "{row}");
                assert_eq!(dry["from"], sender, "{row}");
            }
            Err(code) => {
                assert_eq!(message["status"], "failed", "{row}");
                assert_eq!(message["error_code"], code, "{row}");
                assert_eq!(dry["error_code"], code, "{row}");
            }
        }
    }
}

#[tokio::test]
async fn explanations_tell_who_was_not_usable_also_when_the_request_named_it() {
    let world = World::new().await;
    let service = world.service().await;
    let number = registered(&world, NUMBER).await;
    let other = registered(&world, "+14155550102").await;
    for path in [&number, &other] {
        join(&world, &service, path).await;
    }
    set(&world, &number, "suspended").await;
    let fields = [
        ("To", TO),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    let chosen = send(&world, &fields).await;
    assert_eq!(chosen["from"], "+14155550102");
    let named = [&fields[..], &[("From", NUMBER)]].concat();
    let refused = send(&world, &named).await;
    assert_eq!(refused["error_code"], 21606);
    // As accepted, with the sender that the request named.
    assert_eq!(refused["from"], NUMBER);
    let reason = "it is suspended";
    let dry = world.post("/x/v1/DryRun", &named).await.ok();
    assert_eq!(
        (&dry["from"], &dry["would_be"]),
        (&json!(NUMBER), &json!("failed"))
    );
    assert_eq!(dry["route"], json!([]));
    let told = format!("the sender that the request names can't send it: {reason}");
    assert_eq!(dry["decision"]["summary"], *told);
    let alert = alerts(&world, 1).await.remove(0);
    assert_eq!(alert["error_code"], "21606");
    let told = format!("The 'From' sender {NUMBER} can't send this message: {reason}");
    assert_eq!(details(&alert)["Msg"], told);
    // What counts is what was so when the choice was made.
    set(&world, &number, "active").await;
    for (message, rules) in [
        (chosen, ["area_code_match", "suspended"]),
        (refused, ["not_named", "suspended"]),
    ] {
        let sid = message["sid"].as_str().unwrap();
        let explained = world.get(&format!("/x/v1/Explain/{sid}")).await.ok();
        let candidates = explained["candidates"].as_array().unwrap();
        let mut found = column(candidates, "rule");
        found.sort_unstable();
        assert_eq!(found, rules, "{explained}");
        let mut reasons = column(candidates, "reason").into_iter();
        assert!(
            reasons.any(|given| given == "it is suspended"),
            "{explained}"
        );
    }
    let question = &fields[..2];
    for (status, reason) in [
        ("suspended", "it is suspended"),
        ("porting", "it is being ported"),
        ("pending", "it waits for its registration"),
    ] {
        set(&world, &number, status).await;
        let asked = world.post("/x/v1/Explain", question).await.ok();
        let loser = &asked["candidates"][1];
        assert_eq!(
            (&loser["rule"], &loser["reason"]),
            (&json!(status), &json!(reason))
        );
    }
}

/// The status counts when the message is due, not when it is scheduled.
#[tokio::test]
async fn a_scheduled_message_asks_when_it_is_due() {
    let world = World::new().await;
    let service = world.service().await;
    let number = registered(&world, NUMBER).await;
    join(&world, &service, &number).await;
    set(&world, &number, "porting").await;
    let fields = [
        ("To", TO),
        ("MessagingServiceSid", &*service),
        ("From", NUMBER),
        ("Body", "Hi"),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T01:00:00Z"),
    ];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    assert_eq!(created["status"], "scheduled");
    set(&world, &number, "active").await;
    world.test.clock.advance(3_600_000);
    assert_eq!(world.settled(&created).await["status"], "delivered");
}

#[tokio::test]
async fn a_scheduled_message_that_fails_when_it_is_due_keeps_its_from() {
    let world = World::new().await;
    let service = world.service().await;
    let number = registered(&world, NUMBER).await;
    join(&world, &service, &number).await;
    let fields = [
        ("To", TO),
        ("MessagingServiceSid", &*service),
        ("From", NUMBER),
        ("Body", "Hi"),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T01:00:00Z"),
    ];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    set(&world, &number, "suspended").await;
    world.test.clock.advance(3_600_000);
    let message = world.settled(&created).await;
    assert_eq!(message["error_code"], 21606);
    assert_eq!(message["from"], NUMBER);
}

/// A short code as `From` is asked for SMS as a number is.
#[tokio::test]
async fn a_short_code_without_sms_sends_none() {
    let world = World::new().await;
    let code = registered(&world, CODE).await;
    world.post(&code, &[("SmsEnabled", "false")]).await.ok();
    let fields = [("To", TO), ("From", CODE), ("Body", "Hi")];
    let answer = world.post(&world.list("Messages"), &fields).await;
    answer.refused(400, 21661);
}
