//! `/x/v1/RegisteredSenders`, and the pre-registration alert that they keep quiet.

use serde_json::{Value, json};

use crate::alerts::{alerts, details};
use crate::world::{World, assert_shape, column, list_of_v1};

const PATH: &str = "/x/v1/RegisteredSenders";
const DAY_MS: i64 = 86_400_000;
/// In the United Arab Emirates, which require registration.
const TO: &str = "+971500000099";

/// The pool of worked example 29: ACME and a US number. Gives the service's SID.
async fn service(world: &World) -> String {
    let service = world.service().await;
    let pool = format!("/v1/Services/{service}/AlphaSenders");
    world
        .post(&pool, &[("AlphaSender", "ACME")])
        .await
        .created();
    let number = world.number("+14155550101").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let fields = [("PhoneNumberSid", number.as_str())];
    world.post(&pool, &fields).await.created();
    service
}

async fn switch(world: &World, service: &str, is_on: &str) {
    let path = format!("/x/v1/Services/{service}");
    let fields = [("SenderIdPreregAlert", is_on)];
    let answer = world.post(&path, &fields).await.ok();
    assert_eq!(answer["sender_id_prereg_alert"].to_string(), is_on);
    assert_eq!(world.get(&path).await.ok(), answer);
}

fn form<'a>(service: &'a str, to: &'a str) -> [(&'static str, &'a str); 3] {
    [("To", to), ("MessagingServiceSid", service), ("Body", "Hi")]
}

/// Sends and waits for the end.
async fn send(world: &World, service: &str, to: &str) -> Value {
    let messages = world.list("Messages");
    let message = world.post(&messages, &form(service, to)).await.created();
    world.settled(&message).await
}

#[tokio::test]
async fn worked_example_29() {
    let world = World::new().await;
    let service = service(&world).await;
    switch(&world, &service, "true").await;
    let message = send(&world, &service, TO).await;
    assert_eq!(message["from"], "ACME");
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["error_code"], Value::Null);
    let alert = alerts(&world, 1).await.remove(0);
    assert_eq!(alert["error_code"], "30018");
    assert_eq!(alert["log_level"], "warning");
    assert_eq!(alert["resource_sid"], message["sid"]);
    assert_eq!(alert["service_sid"], service);
    assert_eq!(
        details(&alert)["Msg"],
        "The sender ACME is not recorded as registered in United Arab Emirates (AE), where carriers \
         require registration"
    );
    let explained = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
    let explained = world.get(&explained).await.ok();
    assert_eq!(explained["decision"]["warning_code"], 30018);
}

#[tokio::test]
async fn it_is_told_once_a_day_for_a_sender_and_a_country() {
    let world = World::new().await;
    let service = service(&world).await;
    switch(&world, &service, "true").await;
    // The second time ACME is the sender that the recipient knows.
    send(&world, &service, TO).await;
    send(&world, &service, TO).await;
    send(&world, &service, "+971500000098").await;
    let alert = loop {
        let alert = alerts(&world, 1).await.remove(0);
        if details(&alert)
            .get("Count")
            .is_some_and(|count| count == "3")
        {
            break alert;
        }
    };
    // Kenya requires it too; Germany does not.
    send(&world, &service, "+254712345678").await;
    send(&world, &service, "+4915110000099").await;
    alerts(&world, 2).await;
    world.test.clock.advance(DAY_MS);
    send(&world, &service, TO).await;
    let all = alerts(&world, 3).await;
    assert_eq!(all[2]["sid"], alert["sid"]);
    assert_eq!(details(&all[2])["Count"], "3");
}

#[tokio::test]
async fn a_date_is_of_this_calendar() {
    let world = World::new().await;
    let fields = |until| {
        [
            ("Sender", "ACME"),
            ("IsoCountryCode", "AE"),
            ("ValidUntil", until),
        ]
    };
    for until in [
        "-002026-01-02",
        "-002026-01-02T00:00:00Z",
        "-000001-12-31T23:59:59Z",
        "0000-01-01T00:00:00+01:00",
        "10000-01-01",
    ] {
        world.post(PATH, &fields(until)).await.refused(400, 20001);
    }
    let entry = world.post(PATH, &fields("9999-12-31")).await.created();
    assert_eq!(entry["valid_until"], "9999-12-31T23:59:59Z");
}

#[tokio::test]
async fn only_what_is_sent_unregistered_with_the_switch_on_is_told() {
    let world = World::new().await;
    let service = service(&world).await;
    let path = format!("/x/v1/Services/{service}");
    assert_eq!(world.get(&path).await.ok()["sender_id_prereg_alert"], false);
    send(&world, &service, TO).await;
    // A question is answered with the warning, whatever the switch; and it is no message.
    let dry_run = world.post("/x/v1/DryRun", &form(&service, TO)).await.ok();
    assert_eq!(dry_run["warnings"][0]["code"], 30018);
    switch(&world, &service, "true").await;
    world.post("/x/v1/DryRun", &form(&service, TO)).await.ok();
    let explained = world.post("/x/v1/Explain", &form(&service, TO)).await.ok();
    assert_eq!(explained["decision"]["warning_code"], 30018);

    // Until the end of the second day, the first being the one of these tests.
    let fields = [
        ("Sender", "ACME"),
        ("IsoCountryCode", "AE"),
        ("ValidUntil", "2026-01-02"),
    ];
    let entry = world.post(PATH, &fields).await.created();
    let dry_run = world.post("/x/v1/DryRun", &form(&service, TO)).await.ok();
    assert_eq!(dry_run["warnings"], json!([]));
    send(&world, &service, TO).await;
    world.test.clock.advance(2 * DAY_MS - 1);
    send(&world, &service, TO).await;
    // Of all this there is no alert; the next one is the first.
    world.test.clock.advance(1);
    let late = send(&world, &service, TO).await;
    assert_eq!(alerts(&world, 1).await[0]["resource_sid"], late["sid"]);

    world.test.clock.advance(DAY_MS);
    let entry = format!("{PATH}/{}", entry["sid"].as_str().unwrap());
    let fields = [("Status", "registered"), ("ValidUntil", "")];
    world.post(&entry, &fields).await.ok();
    send(&world, &service, TO).await;
    world.post(&entry, &[("Status", "rejected")]).await.ok();
    let rejected = send(&world, &service, TO).await;
    assert_eq!(alerts(&world, 2).await[0]["resource_sid"], rejected["sid"]);
    switch(&world, &service, "false").await;
    world.test.clock.advance(DAY_MS);
    send(&world, &service, TO).await;
    alerts(&world, 2).await;
}

#[tokio::test]
async fn an_operator_may_have_such_messages_fail() {
    let world = World::set_up(|setup| setup.compliance.refuse_unregistered_alpha = true).await;
    let service = service(&world).await;
    let named = [("To", TO), ("From", "ACME"), ("Body", "Hi")];
    // What the operator refuses does not depend on who wants to be told.
    for is_on in ["false", "true"] {
        switch(&world, &service, is_on).await;
        let refused = send(&world, &service, TO).await;
        assert_eq!(
            (&refused["status"], &refused["error_code"]),
            (&json!("failed"), &json!(30040))
        );
        let dry_run = world.post("/x/v1/DryRun", &form(&service, TO)).await.ok();
        assert_eq!(dry_run["error_code"], 30040);
        assert_eq!(dry_run["warnings"], json!([]));
        let explained = format!("/x/v1/Explain/{}", refused["sid"].as_str().unwrap());
        let explained = world.get(&explained).await.ok();
        for told in [&dry_run, &explained] {
            assert_eq!(told["from"], Value::Null);
            let decision = &told["decision"];
            assert_eq!(
                (&decision["rule"], &decision["error_code"]),
                (&Value::Null, &json!(30040))
            );
            assert_eq!(decision["warning_code"], Value::Null);
            assert_eq!(decision["summary"], "no sender: Sender ID not registered");
            let first = &told["candidates"][0];
            assert_eq!(
                (&first["sender"], &first["outcome"], &first["rule"]),
                (&json!("ACME"), &json!("removed"), &json!("not_registered"))
            );
        }
        for path in [&*world.list("Messages"), "/x/v1/DryRun"] {
            world.post(path, &named).await.refused(400, 30040);
        }
    }
    let alert = alerts(&world, 2).await.remove(0);
    assert_eq!(
        (&alert["error_code"], &alert["log_level"]),
        (&json!("30040"), &json!("error"))
    );
    // Nothing is refused where nothing need be registered.
    assert_eq!(
        send(&world, &service, "+447911123456").await["from"],
        "ACME"
    );
    let fields = [("Sender", "ACME"), ("IsoCountryCode", "AE")];
    world.post(PATH, &fields).await.created();
    assert_eq!(send(&world, &service, TO).await["status"], "delivered");
    world.post(&world.list("Messages"), &named).await.created();
    alerts(&world, 2).await;
}

#[tokio::test]
async fn a_dry_run_warns_of_an_alpha_sender_without_a_service_too() {
    let world = World::new().await;
    for (to, codes) in [(TO, json!([30018])), ("+447911123456", json!([]))] {
        let named = [("To", to), ("From", "ACME"), ("Body", "Hi")];
        let dry_run = world.post("/x/v1/DryRun", &named).await.ok();
        assert_eq!(dry_run["would_be"], "queued", "{to}");
        let told = dry_run["warnings"].as_array().unwrap();
        if let [warning] = &told[..] {
            let sentence = "The sender ACME is not recorded as registered in United Arab Emirates (AE), \
                            where carriers require registration";
            assert_eq!(warning["message"], sentence);
        }
        let told: Vec<_> = told.iter().map(|warning| &warning["code"]).collect();
        assert_eq!(json!(told), codes, "{to}");
    }
    let fields = [("Sender", "ACME"), ("IsoCountryCode", "AE")];
    world.post(PATH, &fields).await.created();
    let named = [("To", TO), ("From", "ACME"), ("Body", "Hi")];
    let dry_run = world.post("/x/v1/DryRun", &named).await.ok();
    assert_eq!(dry_run["warnings"], json!([]));
}

#[tokio::test]
async fn registrations_are_kept_listed_and_changed() {
    let mut world = World::new().await;
    let fields = [("Sender", "ACME"), ("IsoCountryCode", "ae")];
    let entry = world.post(PATH, &fields).await.created();
    assert_shape(
        &entry,
        &[
            "sid",
            "account_sid",
            "sender",
            "iso_country_code",
            "status",
            "valid_until",
            "date_created",
            "date_updated",
            "url",
        ],
    );
    assert_eq!(entry["iso_country_code"], "AE");
    assert_eq!(entry["status"], "registered");
    assert_eq!(entry["valid_until"], Value::Null);
    let sid = entry["sid"].as_str().unwrap().to_owned();
    let path = format!("{PATH}/{sid}");
    assert!(
        entry["url"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/v1/RegisteredSenders/{sid}"))
    );
    assert_eq!(world.get(&path).await.ok(), entry);

    // The same again is the same entry.
    let fields = [
        ("Sender", "ACME"),
        ("IsoCountryCode", "AE"),
        ("Status", "pending"),
        ("ValidUntil", "2027-01-31T12:00:00Z"),
    ];
    let again = world.post(PATH, &fields).await.created();
    assert_eq!(
        (&again["sid"], &again["status"]),
        (&entry["sid"], &json!("pending"))
    );
    assert_eq!(again["valid_until"], "2027-01-31T12:00:00Z");
    let updated = world
        .post(&path, &[("ValidUntil", "2027-01-31")])
        .await
        .ok();
    assert_eq!(updated["valid_until"], "2027-02-01T00:00:00Z");
    let for_ever = [("ValidUntil", "9999-12-31")];
    let updated = world.post(&path, &for_ever).await.ok();
    assert_eq!(updated["valid_until"], "9999-12-31T23:59:59Z");
    assert_eq!(updated["status"], "pending");

    for (sender, country) in [("ACME", "KE"), ("Other", "AE")] {
        let fields = [("Sender", sender), ("IsoCountryCode", country)];
        world.post(PATH, &fields).await.created();
    }
    for (query, senders) in [
        ("", &["Other", "ACME", "ACME"][..]),
        ("Sender=ACME", &["ACME", "ACME"]),
        ("IsoCountryCode=AE", &["Other", "ACME"]),
        ("IsoCountryCode=AE&Sender=acme", &[]),
    ] {
        let page = world.get(&format!("{PATH}?{query}")).await.ok();
        let listed = list_of_v1(&page, "registered_senders");
        assert_eq!(column(listed, "sender"), senders, "{query}");
    }
    for fields in [
        &[("IsoCountryCode", "AE")][..],
        &[("Sender", "ACME")],
        &[("Sender", "+14155550101"), ("IsoCountryCode", "AE")],
        &[("Sender", "ACME"), ("IsoCountryCode", "UK")],
        &[
            ("Sender", "ACME"),
            ("IsoCountryCode", "AE"),
            ("Status", "maybe"),
        ],
        &[
            ("Sender", "ACME"),
            ("IsoCountryCode", "AE"),
            ("ValidUntil", "soon"),
        ],
    ] {
        world.post(PATH, fields).await.refused(400, 20001);
    }
    let other = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&other["sid"], &other["auth_token"]);
    world.get(&path).await.refused(404, 20404);
    assert_eq!(
        list_of_v1(&world.get(PATH).await.ok(), "registered_senders").len(),
        0
    );
    world.ask_as_main();
    world.delete(&path).await.gone();
    world.get(&path).await.refused(404, 20404);
    world.delete(PATH).await.refused(405, 20004);
}
