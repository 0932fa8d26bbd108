//! Messages over WhatsApp: who they come from, and what of a service does not apply to them.

use serde_json::{Value, json};

use crate::world::World;

/// A service whose pool holds senders by name, as in the tables below.
async fn service_of(world: &World, pool: &[&str]) -> String {
    let service = world.service().await;
    for sender in pool {
        let (kind, field, sid) = match sender.strip_prefix("whatsapp:") {
            Some(number) => ("ChannelSenders", "Sid", world.whatsapp_sender(number).await),
            None => ("PhoneNumbers", "PhoneNumberSid", world.number(sender).await),
        };
        let path = format!("/v1/Services/{service}/{kind}");
        world.post(&path, &[(field, &sid)]).await.created();
    }
    service
}

async fn send(world: &World, fields: &[(&str, &str)]) -> Value {
    let created = world.post(&world.list("Messages"), fields).await.created();
    world.settled(&created).await
}

const WA_US: &str = "whatsapp:+14155550191";
const WA_BR: &str = "whatsapp:+5511999990001";
const US: &str = "+14155550101";
const BRAZIL: &str = "whatsapp:+5511999990000";

#[tokio::test]
async fn a_service_chooses_among_its_whatsapp_senders() {
    // Columns: pool, From, To, whom it comes from or what it fails with, by which rule.
    for (pool, from, to, expected, rule) in [
        (&[WA_US, US][..], None, BRAZIL, Ok(WA_US), "us_fallback"),
        (&[WA_US, WA_BR], None, BRAZIL, Ok(WA_BR), "country_geomatch"),
        (&[US], None, BRAZIL, Err(21703), ""),
        (&[US, WA_US], Some(US), BRAZIL, Err(63007), ""),
        (
            &[US, WA_US],
            Some(WA_US),
            BRAZIL,
            Ok(WA_US),
            "explicit_from",
        ),
        (
            &[US, WA_US],
            None,
            "+14155550199",
            Ok(US),
            "country_geomatch",
        ),
        (&[US, WA_US], Some(WA_US), "+14155550199", Err(30016), ""),
        (&[WA_US], None, "+14155550199", Err(21703), ""),
    ] {
        let world = World::new().await;
        let service = service_of(&world, pool).await;
        let mut fields = vec![
            ("To", to),
            ("MessagingServiceSid", service.as_str()),
            ("Body", "Hi"),
        ];
        fields.extend(from.map(|from| ("From", from)));
        let message = send(&world, &fields).await;
        let row = format!("{pool:?} {from:?} {to}");
        match expected {
            Ok(sender) => {
                assert_eq!(message["status"], "delivered", "{row}");
                assert_eq!(message["from"], sender, "{row}");
            }
            Err(code) => {
                assert_eq!(message["status"], "failed", "{row}");
                assert_eq!(message["error_code"], code, "{row}");
            }
        }
        assert_eq!(message["to"], to, "{row}");
        let sid = message["sid"].as_str().unwrap();
        let explained = world.get(&format!("/x/v1/Explain/{sid}")).await.ok();
        if expected.is_ok() && rule != "country_geomatch" {
            assert_eq!(explained["decision"]["rule"], rule, "{row}");
        }
        let previewed = world.post("/x/v1/DryRun", &fields).await.ok();
        assert_eq!(previewed["from"], message["from"], "{row}");
        assert_eq!(previewed["error_code"], message["error_code"], "{row}");
    }
}

/// An earlier chat on one sender does not bind the recipient to it.
#[tokio::test]
async fn whatsapp_recipients_have_no_sticky_sender() {
    let world = World::new().await;
    let service = service_of(&world, &[WA_US]).await;
    let fields = [
        ("To", BRAZIL),
        ("MessagingServiceSid", service.as_str()),
        ("Body", "Hi"),
    ];
    assert_eq!(send(&world, &fields).await["from"], WA_US);
    let sid = world.whatsapp_sender("+5511999990001").await;
    let pool = format!("/v1/Services/{service}/ChannelSenders");
    world.post(&pool, &[("Sid", &sid)]).await.created();
    assert_eq!(send(&world, &fields).await["from"], WA_BR);
    let sticky = format!("/x/v1/StickySenders?MessagingServiceSid={service}");
    let page = world.get(&sticky).await.ok();
    assert_eq!(page["sticky_senders"], json!([]));
}

/// Columns: From, To, status and code of the refusal.
#[tokio::test]
async fn without_a_service_both_ends_are_of_one_channel() {
    let mut world = World::new().await;
    world.number(US).await;
    world.whatsapp_sender("+14155550191").await;
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    world.whatsapp_sender("+14155550192").await;
    world.ask_as_main();
    for (from, to, code) in [
        (US, BRAZIL, 63007),
        ("55501", BRAZIL, 63007),
        ("ACME", BRAZIL, 63007),
        (WA_US, "+14155550199", 30016),
        ("whatsapp:+14155550101", BRAZIL, 63007),
        ("whatsapp:+14155550192", BRAZIL, 63007),
        ("whatsapp:ACME", BRAZIL, 63007),
        ("messenger:1", BRAZIL, 63007),
        ("messenger:1", "+14155550199", 63007),
        (WA_US, WA_US, 21266),
        (WA_US, "whatsapp:+1", 21211),
        (WA_US, "rcs:+14155550199", 30015),
    ] {
        let fields = [("To", to), ("From", from), ("Body", "Hi")];
        let answer = world.post(&world.list("Messages"), &fields).await;
        assert_eq!(answer.json["code"], code, "{from} {to}: {}", answer.text);
        answer.refused(400, code);
    }
    let fields = [("To", BRAZIL), ("From", WA_US), ("Body", "Hi")];
    let message = send(&world, &fields).await;
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["from"], WA_US);
    let listed = format!("{}?From=whatsapp:%2B14155550191", world.list("Messages"));
    let page = world.get(&listed).await.ok();
    assert_eq!(page["messages"][0]["sid"], message["sid"]);
}

#[tokio::test]
async fn a_message_of_whatsapp_is_one_and_left_as_it_is() {
    let world = World::new().await;
    let service = service_of(&world, &[WA_US, US]).await;
    let long = "–".repeat(1_600);
    for (to, body, segments, shown) in [
        (BRAZIL, "Hello – there", "1", "Hello – there"),
        (BRAZIL, long.as_str(), "1", long.as_str()),
        ("+14155550199", "Hello – there", "1", "Hello - there"),
    ] {
        let fields = [
            ("To", to),
            ("MessagingServiceSid", service.as_str()),
            ("Body", body),
        ];
        let previewed = world.post("/x/v1/DryRun", &fields).await.ok();
        assert_eq!(previewed["is_smart_encoded"], shown != body, "{to}");
        let message = send(&world, &fields).await;
        assert_eq!(message["status"], "delivered", "{to}");
        assert_eq!(message["num_segments"], segments, "{to}");
        assert_eq!(previewed["body"], shown, "{to}");
    }
    let over = "x".repeat(1_601);
    let fields = [("To", BRAZIL), ("From", WA_US), ("Body", &over)];
    let answer = world.post(&world.list("Messages"), &fields).await;
    answer.refused(400, 21617);
}

/// The same digits as an SMS number have a queue of their own.
#[tokio::test]
async fn a_number_sends_over_both_channels() {
    let world = World::new().await;
    let both = "whatsapp:+14155550101";
    let service = service_of(&world, &[US, both]).await;
    for (to, from) in [("+14155550199", US), ("whatsapp:+14155550199", both)] {
        let fields = [
            ("To", to),
            ("MessagingServiceSid", service.as_str()),
            ("Body", "Hi"),
        ];
        assert_eq!(send(&world, &fields).await["from"], from, "{to}");
    }
    let directory = world.engine().directory();
    let account = world.sid.parse().unwrap();
    let queue = |address: &str| {
        let address = postrider_core::sender::SenderAddress::parse(address).unwrap();
        directory.sender_no(account, &address).unwrap()
    };
    assert_ne!(queue(US), queue(both));
}

#[tokio::test]
async fn a_scheduled_message_keeps_its_whatsapp_sender() {
    let world = World::new().await;
    let service = service_of(&world, &[WA_US, WA_BR]).await;
    let fields = [
        ("To", BRAZIL),
        ("From", WA_US),
        ("MessagingServiceSid", service.as_str()),
        ("Body", "Hi"),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T01:00:00Z"),
    ];
    let created = world.post(&world.list("Messages"), &fields).await.created();
    assert_eq!(created["status"], "scheduled");
    assert_eq!(created["from"], WA_US);
    world.test.clock.advance(3_600_000);
    let message = world.settled(&created).await;
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["from"], WA_US);
}
