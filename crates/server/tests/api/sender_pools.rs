//! The senders of a service: numbers, short codes, alpha senders.

use serde_json::{Value, json};

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of_v1};

#[tokio::test]
async fn each_kind_of_sender_has_every_documented_key() {
    let world = World::new().await;
    let service = world.service().await;
    let number = world.number("+447700900101").await;
    let code = world.short_code("55501").await;
    for (pool, field, shape, list, shown) in [
        (
            "PhoneNumbers",
            ("PhoneNumberSid", number.as_str()),
            shapes::POOL_PHONE_NUMBER,
            "phone_numbers",
            json!({"phone_number": "+447700900101", "country_code": "GB", "capabilities": ["SMS"], "sid": number}),
        ),
        (
            "ShortCodes",
            ("ShortCodeSid", code.as_str()),
            shapes::POOL_SHORT_CODE,
            "short_codes",
            json!({"short_code": "55501", "country_code": "US", "capabilities": ["SMS"], "sid": code}),
        ),
        (
            "AlphaSenders",
            ("AlphaSender", "ACME"),
            shapes::ALPHA_SENDER,
            "alpha_senders",
            json!({"alpha_sender": "ACME", "capabilities": ["SMS"]}),
        ),
    ] {
        let path = format!("/v1/Services/{service}/{pool}");
        let created = world.post(&path, &[field]).await.created();
        assert_shape(&created, shape);
        for (key, value) in shown.as_object().unwrap() {
            assert_eq!(created[key], *value, "{pool} {key}");
        }
        assert_eq!(created["service_sid"], service);
        assert_eq!(created["account_sid"], world.sid);
        assert_eq!(created["date_created"], "2026-01-01T00:00:00Z");
        let entry = format!("{path}/{}", created["sid"].as_str().unwrap());
        assert_eq!(created["url"], format!("http://localhost:8080{entry}"));
        assert_eq!(world.get(&entry).await.ok(), created);
        let page = world.get(&path).await.ok();
        assert_eq!(list_of_v1(&page, list), [created]);

        world.delete(&entry).await.gone();
        world.get(&entry).await.refused(404, 20404);
        world.delete(&entry).await.refused(404, 20404);
        let page = world.get(&path).await.ok();
        assert!(list_of_v1(&page, list).is_empty());
    }
    // Leaving the pool is not leaving the account.
    let path = world.list(&format!("IncomingPhoneNumbers/{number}"));
    world.get(&path).await.ok();
}

#[tokio::test]
async fn capabilities_are_listed_by_name() {
    let world = World::new().await;
    let fields = [
        ("PhoneNumber", "+14155550101"),
        ("MmsEnabled", "true"),
        ("VoiceEnabled", "true"),
    ];
    let number = world
        .post(&world.list("IncomingPhoneNumbers"), &fields)
        .await
        .created();
    let pool = format!("/v1/Services/{}/PhoneNumbers", world.service().await);
    let sid = number["sid"].as_str().unwrap();
    let entry = world
        .post(&pool, &[("PhoneNumberSid", sid)])
        .await
        .created();
    assert_eq!(entry["capabilities"], json!(["MMS", "SMS", "Voice"]));
}

#[tokio::test]
async fn a_sender_is_in_one_pool_at_most() {
    let world = World::new().await;
    let service = world.service_with("+14155550101").await;
    let number = world.number("+14155550101").await;
    let field = [("PhoneNumberSid", number.as_str())];
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    world.post(&pool, &field).await.refused(409, 21710);
    let other = format!("/v1/Services/{}/PhoneNumbers", world.service().await);
    world.post(&other, &field).await.refused(409, 21712);
    // Not there under another service, nor as another kind of sender.
    world
        .get(&format!("{other}/{number}"))
        .await
        .refused(404, 20404);
    world
        .delete(&format!("/v1/Services/{service}/AlphaSenders/{number}"))
        .await
        .refused(404, 20404);
    world.delete(&format!("{pool}/{number}")).await.gone();
    world.post(&other, &field).await.created();
}

/// Columns: resource, parameters, status, code.
type Refused = (
    &'static str,
    &'static [(&'static str, &'static str)],
    u16,
    u32,
);

const REFUSED: &[Refused] = &[
    ("PhoneNumbers", &[], 400, 20001),
    ("PhoneNumbers", &[("PhoneNumberSid", "PN1")], 400, 20423),
    (
        "PhoneNumbers",
        &[("PhoneNumberSid", "PN00000000000000000000000000000000")],
        404,
        20404,
    ),
    (
        "PhoneNumbers",
        &[("PhoneNumberSid", "SC00000000000000000000000000000000")],
        400,
        20423,
    ),
    ("ShortCodes", &[], 400, 20001),
    (
        "ShortCodes",
        &[("ShortCodeSid", "SC00000000000000000000000000000000")],
        404,
        20404,
    ),
    ("AlphaSenders", &[], 400, 21708),
    ("AlphaSenders", &[("AlphaSender", "12345")], 400, 21709),
    (
        "AlphaSenders",
        &[("AlphaSender", "TwelveLetter")],
        400,
        21709,
    ),
    ("AlphaSenders", &[("AlphaSender", "Ünicode")], 400, 21709),
    ("AlphaSenders", &[("AlphaSender", " ACME")], 400, 21709),
    ("AlphaSenders", &[("AlphaSender", "ACME ")], 400, 21709),
    (
        "DestinationAlphaSenders",
        &[("AlphaSender", "ACME"), ("IsoCountryCode", "Germany")],
        400,
        20001,
    ),
    (
        "DestinationAlphaSenders",
        &[("AlphaSender", "ACME"), ("IsoCountryCode", "UK")],
        400,
        20001,
    ),
    (
        "DestinationAlphaSenders",
        &[("AlphaSender", "ACME"), ("IsoCountryCode", "ZZ")],
        400,
        20001,
    ),
];

#[tokio::test]
async fn a_bad_entry_is_refused() {
    let world = World::new().await;
    let service = world.service().await;
    for (resource, fields, status, code) in REFUSED {
        let path = format!("/v1/Services/{service}/{resource}");
        world.post(&path, fields).await.refused(*status, *code);
    }
    let deaf = world.number("+14155550101").await;
    let path = world.list(&format!("IncomingPhoneNumbers/{deaf}"));
    world.post(&path, &[("SmsEnabled", "false")]).await.ok();
    world
        .post(
            &format!("/v1/Services/{service}/PhoneNumbers"),
            &[("PhoneNumberSid", &deaf)],
        )
        .await
        .refused(400, 21715);
}

#[tokio::test]
async fn an_alpha_sender_may_be_for_one_country() {
    let world = World::new().await;
    let service = world.service().await;
    let general = format!("/v1/Services/{service}/AlphaSenders");
    let by_country = format!("/v1/Services/{service}/DestinationAlphaSenders");
    world
        .post(&general, &[("AlphaSender", "ACME")])
        .await
        .created();
    let german = [("AlphaSender", "ACME-DE"), ("IsoCountryCode", "de")];
    let created = world.post(&by_country, &german).await.created();
    assert_shape(&created, shapes::DESTINATION_ALPHA_SENDER);
    assert_eq!(created["iso_country_code"], "DE");
    world.post(&by_country, &german).await.refused(409, 21710);

    let page = world.get(&by_country).await.ok();
    let senders = list_of_v1(&page, "alpha_senders");
    assert_eq!(column(senders, "alpha_sender"), ["ACME-DE", "ACME"]);
    assert_eq!(senders[1]["iso_country_code"], Value::Null);
    for (query, found) in [("DE", 1), ("de", 1), ("FR", 0)] {
        let path = format!("{by_country}?IsoCountryCode={query}");
        let page = world.get(&path).await.ok();
        assert_eq!(list_of_v1(&page, "alpha_senders").len(), found, "{query}");
    }
    // The plain list has the general one only.
    let page = world.get(&general).await.ok();
    let senders = list_of_v1(&page, "alpha_senders");
    assert_eq!(column(senders, "alpha_sender"), ["ACME"]);
}

#[tokio::test]
async fn pools_are_listed_newest_first() {
    let world = World::new().await;
    let service = world.service().await;
    let path = format!("/v1/Services/{service}/PhoneNumbers");
    // Registered in another order than pooled.
    let second = world.number("+14155550102").await;
    let first = world.number("+14155550101").await;
    for sid in [&first, &second] {
        world
            .post(&path, &[("PhoneNumberSid", sid)])
            .await
            .created();
    }
    let page = world.get(&format!("{path}?PageSize=1")).await.ok();
    assert_eq!(column(list_of_v1(&page, "phone_numbers"), "sid"), [&second]);
    let next = page["meta"]["next_page_url"].as_str().unwrap();
    let page = world
        .get(next.strip_prefix("http://localhost:8080").unwrap())
        .await
        .ok();
    assert_eq!(column(list_of_v1(&page, "phone_numbers"), "sid"), [&first]);
}

/// What a pool can't do is told to who asks (400 and up), or on the message that asked for it.
#[tokio::test]
async fn each_fault_of_a_pool_has_its_code() {
    let mut world = World::limited(|limits| limits.pool_size_max = 1).await;
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    let strange_service = world.service().await;
    let path = format!(
        "/2010-04-01/Accounts/{}/IncomingPhoneNumbers.json",
        world.user
    );
    let strange_number = world.post(&path, &[("PhoneNumber", "+14155550109")]).await;
    let strange_number = strange_number.created()["sid"].as_str().unwrap().to_owned();
    world.ask_as_main();

    let service = world.service().await;
    let numbers = format!("/v1/Services/{service}/PhoneNumbers");
    let messages = world.list("Messages");
    let message = |from: &'static str| {
        let mut fields = vec![
            ("To", "+14155550199"),
            ("Body", "Hi"),
            ("MessagingServiceSid", service.as_str()),
        ];
        fields.extend([("From", from)].into_iter().filter(|_| !from.is_empty()));
        fields
    };
    world
        .post(&messages, &message(""))
        .await
        .refused(400, 21704);

    let alphas = format!("/v1/Services/{service}/AlphaSenders");
    let acme = [("AlphaSender", "ACME")];
    world.post(&alphas, &acme).await.created();
    let created = world.post(&messages, &message("")).await.created();
    let failed = world.settled(&created).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["error_code"], 21703);

    let not_there = world.post(&messages, &message("+14155550102")).await;
    not_there.refused(400, 21711);
    // Told at once, although it would be sent later.
    let mut later = message("+14155550102");
    later.extend([
        ("ScheduleType", "fixed"),
        ("SendAt", "2026-01-01T10:00:00Z"),
    ]);
    world.post(&messages, &later).await.refused(400, 21711);
    let to_itself = message("+14155550199");
    world.post(&messages, &to_itself).await.refused(400, 21266);
    world.post(&alphas, &acme).await.refused(409, 21710);
    world.post(&alphas, &[]).await.refused(400, 21708);
    let twelve = [("AlphaSender", "TwelveLetter")];
    world.post(&alphas, &twelve).await.refused(400, 21709);

    let strange = [("PhoneNumberSid", strange_number.as_str())];
    world.post(&numbers, &strange).await.refused(404, 20404);
    let others = format!("/v1/Services/{strange_service}/PhoneNumbers");
    world.get(&others).await.refused(404, 20404);
    world.post(&others, &strange).await.refused(404, 20404);

    let [first, second] = ["+14155550101", "+14155550102"].map(|number| world.number(number));
    let (first, second) = (first.await, second.await);
    let first = [("PhoneNumberSid", first.as_str())];
    let second = [("PhoneNumberSid", second.as_str())];
    world.post(&numbers, &first).await.created();
    world.post(&numbers, &first).await.refused(409, 21710);
    let elsewhere = format!("/v1/Services/{}/PhoneNumbers", world.service().await);
    world.post(&elsewhere, &first).await.refused(409, 21712);
    world.post(&numbers, &second).await.refused(412, 21714);

    for (name, ability) in [("SmsEnabled", "false"), ("MmsEnabled", "false")] {
        let path = world.list(&format!("IncomingPhoneNumbers/{}", second[0].1));
        world.post(&path, &[(name, ability)]).await.ok();
    }
    world.post(&elsewhere, &second).await.refused(400, 21715);
    let path = world.list(&format!("IncomingPhoneNumbers/{}", second[0].1));
    world.post(&path, &[("MmsEnabled", "true")]).await.ok();
    world.post(&elsewhere, &second).await.created();
}

/// Carriers may block traffic that is spread over several.
#[tokio::test]
async fn a_second_toll_free_number_is_warned_of() {
    let world = World::new().await;
    let service = world.service_with("+18885550105").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let preview = async |to| {
        let fields = [
            ("To", to),
            ("MessagingServiceSid", service.as_str()),
            ("Body", "Hi"),
        ];
        world.post("/x/v1/DryRun", &fields).await.ok()
    };
    assert_eq!(preview("+12125550199").await["warnings"], json!([]));
    let mut second = None;
    for number in ["+18885550106", "+14155550101"] {
        let sid = world.number(number).await;
        let fields = [("PhoneNumberSid", sid.as_str())];
        world.post(&pool, &fields).await.created();
        second.get_or_insert(sid);
    }
    let warnings = json!([{
        "code": null,
        "message": "the sender pool holds 2 toll-free numbers; carriers may block traffic that is \
                    spread over more than one"
    }]);
    let previewed = preview("+12125550199").await;
    assert_eq!(previewed["from"], "+18885550105");
    assert_eq!(previewed["warnings"], warnings);
    let ours = format!("/x/v1/Services/{service}");
    assert_eq!(world.get(&ours).await.ok()["warnings"], warnings);
    // Not of a message that leaves from another number.
    let previewed = preview("+14155550199").await;
    assert_eq!(previewed["from"], "+14155550101");
    assert_eq!(previewed["warnings"], json!([]));

    let second = second.unwrap();
    world.delete(&format!("{pool}/{second}")).await.gone();
    assert_eq!(world.get(&ours).await.ok()["warnings"], json!([]));
}

/// Each of them is left out of the pool that its own messages choose from, in which the others are ranked.
#[tokio::test]
async fn numbers_of_one_pool_text_one_another_and_never_themselves() {
    let world = World::new().await;
    let numbers: Vec<_> = (101..107).map(|n| format!("+14155550{n}")).collect();
    let service = world.service_with(&numbers[0]).await;
    let path = format!("/v1/Services/{service}");
    world.post(&path, &[("StickySender", "false")]).await.ok();
    let pool = format!("{path}/PhoneNumbers");
    for number in &numbers[1..] {
        let sid = world.number(number).await;
        let member = world.post(&pool, &[("PhoneNumberSid", &sid)]).await;
        member.created();
    }
    for _ in 0..3 {
        for number in &numbers {
            for _ in 0..2 {
                let fields = [
                    ("To", &**number),
                    ("MessagingServiceSid", &service),
                    ("Body", "Hi"),
                ];
                let message = world.post(&world.list("Messages"), &fields).await.created();
                let settled = world.settled(&message).await;
                assert_eq!(settled["status"], "delivered");
                assert_ne!(settled["from"], **number);
            }
        }
    }
}
