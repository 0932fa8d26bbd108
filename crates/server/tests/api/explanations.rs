//! Explanations and dry runs: what they say of messages that exist and of such that do not.

use postrider_core::settings::Service;
use serde_json::{Value, json};

use crate::world::{World, column, keys};

#[tokio::test]
async fn a_message_explains_its_sender() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let number = world.number("+447700900101").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    world
        .post(&pool, &[("PhoneNumberSid", &number)])
        .await
        .created();
    let fields = [
        ("To", "+447700900199"),
        ("MessagingServiceSid", &service),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let sid = message["sid"].as_str().unwrap();
    let path = format!("/x/v1/Explain/{sid}");
    let explained = world.get(&path).await.ok();
    assert_eq!(explained["message_sid"], sid);
    assert_eq!(explained["from"], "+447700900101");
    assert_eq!(explained["decision"]["country"], "GB");
    let candidates = explained["candidates"].as_array().unwrap();
    assert_eq!(
        column(candidates, "sender"),
        ["+447700900101", "+14155550101"]
    );
    assert_eq!(column(candidates, "outcome"), ["chosen", "removed"]);
    assert_eq!(
        keys(&candidates[0]),
        [
            "has_left",
            "iso_country",
            "kind",
            "outcome",
            "reason",
            "rule",
            "sender",
            "sid"
        ]
    );
    let winner = |explained: &Value| {
        let winner = &explained["candidates"][0];
        ["sender", "sid", "kind", "iso_country", "has_left"].map(|key| winner[key].clone())
    };
    let known = |sid: Value, has_left: bool| {
        let address = json!("+447700900101");
        [
            address,
            sid,
            json!("long_code"),
            json!("GB"),
            json!(has_left),
        ]
    };
    assert_eq!(winner(&explained), known(json!(number), false));

    // A sender that leaves the pool is still named, and marked; so is one that is given up.
    world.delete(&format!("{pool}/{number}")).await.gone();
    let later = world.get(&path).await.ok();
    assert_eq!(winner(&later), known(json!(number), true));
    let told = world.get_text(&path).await;
    let line = told.lines().find(|line| line.contains("chosen")).unwrap();
    assert!(line.ends_with("; it has left the pool since"), "{told}");
    let given_up = world.list(&format!("IncomingPhoneNumbers/{number}"));
    world.delete(&given_up).await.gone();
    let later = world.get(&path).await.ok();
    assert_eq!(winner(&later), known(Value::Null, true));
    for sid in ["SM00000000000000000000000000000000", "junk"] {
        world
            .get(&format!("/x/v1/Explain/{sid}"))
            .await
            .refused(404, 20404);
    }
}

/// Columns: what else the message says, why nothing was chosen, and its name.
#[tokio::test]
async fn a_message_that_nothing_was_chosen_for_says_why() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    for (more, why, name) in [
        (
            &[("From", "+14155550101")][..],
            "the request named the sender",
            "named",
        ),
        (
            &[
                ("MessagingServiceSid", &*service),
                ("ScheduleType", "fixed"),
                ("SendAt", "2026-01-01T10:00:00Z"),
            ],
            "it is not due yet",
            "not_due",
        ),
    ] {
        let fields = [&[("To", "+14155550199"), ("Body", "Hi")], more].concat();
        let message = world.post(&world.list("Messages"), &fields).await.created();
        assert_undecided(&world, &message, name, why).await;
    }
}

async fn assert_undecided(world: &World, message: &Value, name: &str, why: &str) {
    let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
    let told = world.get_text(&path).await;
    let line = format!("nothing was chosen: {why}\n");
    assert!(told.contains(&line), "{told}");
    let explained = world.get(&path).await.ok();
    assert_eq!(
        (&explained["decision"], &explained["undecided"]),
        (&Value::Null, &json!(name))
    );
}

/// It comes to life after its validity period has passed, or never at all.
#[tokio::test]
async fn a_scheduled_message_that_nothing_was_chosen_for_says_why() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let fields = [
        ("To", "+14155550199"),
        ("Body", "Hi"),
        ("MessagingServiceSid", &*service),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T01:00:00Z"),
        ("ValidityPeriod", "60"),
    ];
    let list = world.list("Messages");
    let canceled = world.post(&list, &fields).await.created();
    let path = world.list(&format!("Messages/{}", canceled["sid"].as_str().unwrap()));
    world.post(&path, &[("Status", "canceled")]).await.ok();
    let why = "it was canceled before it was due";
    assert_undecided(&world, &canceled, "canceled", why).await;

    let late = world.post(&list, &fields).await.created();
    world.test.clock.advance(2 * 3_600_000);
    assert_eq!(world.settled(&late).await["error_code"], 30036);
    let why = "it failed before a sender was chosen";
    assert_undecided(&world, &late, "failed_before", why).await;
}

/// Of a sent message 32 losers are named. A question names all, by today's pool.
#[tokio::test]
async fn who_is_only_counted_is_named_by_a_question_and_never_later() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    for last in 0..49 {
        let address = match last % 7 {
            0 => format!("+4477009001{last:02}"),
            _ => format!("+14155551{last:03}"),
        };
        let sid = world.number(&address).await;
        world
            .post(&pool, &[("PhoneNumberSid", &sid)])
            .await
            .created();
    }
    let fields = [
        ("To", "+14155550199"),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
    let counted = json!([
        {"rule": "other_country", "count": 7},
        {"rule": "later_in_pool", "count": 10},
    ]);
    let named = world.post("/x/v1/Explain", &fields[..2]).await.ok();
    assert_eq!(named["candidates"].as_array().unwrap().len(), 50);
    assert_eq!(named["decision"]["unlisted"], json!([]));
    // Before and after somebody asked.
    for _ in 0..2 {
        let explained = world.get(&path).await.ok();
        assert_eq!(explained["candidates"].as_array().unwrap().len(), 33);
        assert_eq!(explained["decision"]["unlisted"], counted);
        let told = world.get_text(&path).await;
        let counted = told
            .lines()
            .filter_map(|line| line.strip_suffix("counted, not named"));
        let counted: Vec<Vec<_>> = counted.map(|it| it.split_whitespace().collect()).collect();
        let expected = [
            "removed 7 more other_country",
            "removed 10 more later_in_pool",
        ];
        let expected = expected.map(|line| line.split(' ').collect::<Vec<_>>());
        assert_eq!(counted, expected, "{told}");
    }
}

/// Columns: more of the message, its codes; each with an alert of its own, whenever it is due.
#[tokio::test]
async fn a_dry_run_warns_of_what_it_can_foresee() {
    let world = World::set_up(|setup| setup.limits.max_validity_period = 600).await;
    let service = world.service_with("+14155550101").await;
    // From a time when the limit was higher.
    let set = |service: &mut Service| service.validity_period_s = 36_000;
    let engine = &world.test.engine;
    engine
        .update_service(service.parse().unwrap(), set)
        .await
        .unwrap();
    let odd = "https://example.com/status#rc=9&ct=5";
    for (more, codes) in [
        (&[][..], &[30045][..]),
        (&[("ValidityPeriod", "600")], &[]),
        (
            &[("ValidityPeriod", "600"), ("StatusCallback", odd)],
            &[11243, 11243],
        ),
        (&[("StatusCallback", odd)], &[30045, 11243, 11243]),
        // It fails, so there is nothing to warn of.
        (&[("MediaUrl", "https://example.com/cat.png")], &[]),
    ] {
        let fields = [
            ("To", "+14155550199"),
            ("MessagingServiceSid", &*service),
            ("Body", "Hi"),
        ];
        let run = world.post("/x/v1/DryRun", &[&fields, more].concat()).await;
        let run = run.ok();
        let told = run["warnings"].as_array().unwrap().iter();
        let told: Vec<_> = told.map(|warning| &warning["code"]).collect();
        assert_eq!(json!(told), json!(codes), "{run}");
    }
    assert_eq!(world.get("/v1/Alerts").await.ok()["alerts"], json!([]));
}

#[tokio::test]
async fn a_message_that_does_not_exist_is_explained_too() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let ask = async |to: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("To", to), ("MessagingServiceSid", &*service)];
        fields.extend(more);
        world.post("/x/v1/Explain", &fields).await
    };
    let explained = ask("+14155550199", &[]).await.ok();
    assert_eq!(explained["message_sid"], Value::Null);
    assert_eq!(explained["from"], "+14155550101");
    assert_eq!(explained["decision"]["rule"], "area_code_match");
    assert_eq!(
        column(explained["candidates"].as_array().unwrap(), "outcome"),
        ["chosen"]
    );
    // Nobody takes media, whoever is chosen.
    let media = [("MediaUrl", "https://media.example/cat.png")];
    let explained = ask("+14155550199", &media).await.ok();
    assert_eq!(explained["error_code"], 21612);
    let decision = &explained["decision"];
    assert_eq!(
        (
            &decision["rule"],
            &decision["error_code"],
            &decision["sticky"]
        ),
        (&Value::Null, &json!(21612), &json!("ignore"))
    );
    let first = &explained["candidates"][0];
    assert_eq!(
        (&first["sender"], &first["rule"]),
        (&json!("+14155550101"), &json!("media_not_carried"))
    );
    // The answer of a request that would be refused.
    ask("12", &[]).await.refused(400, 21211);
    ask("+14155550199", &[("From", "+14155550177")])
        .await
        .refused(400, 21711);
    let named = [("To", "+14155550199"), ("From", "+14155550101")];
    world
        .post("/x/v1/Explain", &named)
        .await
        .refused(400, 20001);
    // Nothing was sent, and nobody is known to anyone.
    let messages = world.get(&world.list("Messages")).await.ok();
    assert_eq!(messages["messages"], json!([]));
    let path = format!("/x/v1/StickySenders?MessagingServiceSid={service}");
    assert_eq!(world.get(&path).await.ok()["sticky_senders"], json!([]));
}

#[tokio::test]
async fn a_dry_run_goes_all_the_way_to_the_commit() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let body = "\u{201c}Caf\u{e9}\u{201d} ".repeat(23);
    let fields = [
        ("To", "+447700900199"),
        ("MessagingServiceSid", &*service),
        ("Body", &*body),
    ];
    let run = world.post("/x/v1/DryRun", &fields).await.ok();
    assert_eq!(run["would_be"], "queued");
    assert_eq!(run["from"], "+14155550101");
    assert_eq!(run["body"], "\"Caf\u{e9}\" ".repeat(23));
    assert_eq!(run["is_smart_encoded"], true);
    assert_eq!(run["encoding"], "GSM-7");
    assert_eq!(run["num_segments"], 2);
    assert_eq!(run["opt_out"], false);
    assert_eq!(run["decision"]["rule"], "us_fallback");
    assert_eq!(run["warnings"], json!([]));
    let unknown = [
        ("To", "+447700900199"),
        ("From", "Shop"),
        ("Body", "\u{1f600}"),
    ];
    let run = world.post("/x/v1/DryRun", &unknown).await.ok();
    assert_eq!(
        (&run["from"], &run["encoding"]),
        (&json!("Shop"), &json!("UCS-2"))
    );
    assert_eq!(run["decision"], Value::Null);
    let american = [("To", "+14155550199"), ("From", "Shop"), ("Body", "Hi")];
    world
        .post("/x/v1/DryRun", &american)
        .await
        .refused(400, 21612);
    let messages = world.get(&world.list("Messages")).await.ok();
    assert_eq!(messages["messages"], json!([]));
}

#[tokio::test]
async fn a_message_tells_how_often_it_went_to_which_carrier() {
    let world = World::new().await;
    world.number("+14155550101").await;
    let fields = [
        ("To", "+14155550199"),
        ("From", "+14155550101"),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
    world.settled(&message).await;
    let explained = world.get(&path).await.ok();
    assert_eq!(explained["carrier"], "test");
    assert_eq!(explained["attempts"], 1);
    assert_eq!(explained["possible_duplicate"], false);
    // The request named the sender, so there was nothing to decide.
    assert_eq!(explained["decision"], Value::Null);
    assert_eq!(explained["candidates"], json!([]));
}

/// Who has opted out of a service fails before there is a choice; of a sender, after it.
#[tokio::test]
async fn an_opt_out_is_told_before_and_after() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let to = "+14155550199";
    world.test.inbound(to, "+14155550101", "STOP").await;
    let fields = [
        ("To", to),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    let run = world.post("/x/v1/DryRun", &fields).await.ok();
    assert_eq!(
        (&run["opt_out"], &run["error_code"]),
        (&json!(true), &json!(21610))
    );
    let asked = world.post("/x/v1/Explain", &fields).await.ok();
    let message = world.post(&world.list("Messages"), &fields).await.created();
    let path = format!("/x/v1/Explain/{}", message["sid"].as_str().unwrap());
    for told in [asked, world.get(&path).await.ok()] {
        assert_eq!(told["error_code"], 21610);
        assert_eq!(told["undecided"], "failed_before");
    }

    // It was in no pool when it was told to stop.
    let number = world.number("+14155550102").await;
    world.test.inbound(to, "+14155550102", "STOP").await;
    let service = world.service().await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let joined = world.post(&pool, &[("PhoneNumberSid", &number)]).await;
    joined.created();
    let fields = [
        ("To", to),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
    ];
    let run = world.post("/x/v1/DryRun", &fields).await.ok();
    assert_eq!(run["opt_out"], true);
    let decision = &run["decision"];
    assert_eq!(
        (&decision["rule"], &decision["error_code"]),
        (&Value::Null, &json!(21610))
    );
    let first = &run["candidates"][0];
    assert_eq!(
        (&first["sender"], &first["rule"]),
        (&json!("+14155550102"), &json!("opted_out"))
    );
}

/// What an account may have no more of, a question is refused for as its message would be.
#[tokio::test]
async fn a_dry_run_is_refused_where_the_account_has_no_room() {
    let world = World::limited(|limits| {
        limits.alpha_senders_max = 1;
        limits.scheduled_max = 1;
    })
    .await;
    let service = world.service_with("+14155550101").await;
    let (messages, dry_run) = (world.list("Messages"), "/x/v1/DryRun");
    let alpha = |name| [("To", "+447700900199"), ("From", name), ("Body", "Hi")];
    world.post(&messages, &alpha("First")).await.created();
    world.post(dry_run, &alpha("First")).await.ok();
    world
        .post(dry_run, &alpha("Second"))
        .await
        .refused(400, 21212);
    let later = [
        ("To", "+14155550199"),
        ("MessagingServiceSid", &*service),
        ("Body", "Hi"),
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T10:00:00Z"),
    ];
    world.post(dry_run, &later).await.ok();
    world.post(&messages, &later).await.created();
    let refused = world.post(&messages, &later).await;
    let code = u32::try_from(refused.json["code"].as_u64().unwrap()).unwrap();
    refused.refused(400, code);
    world.post(dry_run, &later).await.refused(400, code);
}
