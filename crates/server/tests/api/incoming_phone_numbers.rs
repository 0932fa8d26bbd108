//! The operator's numbers.

use serde_json::{Value, json};

use crate::shapes;
use crate::world::{World, assert_shape, column, list_of};

#[tokio::test]
async fn a_number_has_every_documented_key() {
    let world = World::new().await;
    let fields = [
        ("PhoneNumber", "+14155550101"),
        ("FriendlyName", "Desk"),
        ("SmsUrl", "https://example.com/sms"),
        ("SmsMethod", "GET"),
        ("StatusCallback", "https://example.com/status"),
        ("MmsEnabled", "true"),
    ];
    let number = world
        .post(&world.list("IncomingPhoneNumbers"), &fields)
        .await
        .created();
    assert_shape(&number, shapes::INCOMING_PHONE_NUMBER);
    assert_eq!(number["phone_number"], "+14155550101");
    assert_eq!(number["friendly_name"], "Desk");
    assert_eq!(number["sms_url"], "https://example.com/sms");
    assert_eq!(number["sms_method"], "GET");
    assert_eq!(number["sms_fallback_url"], Value::Null);
    assert_eq!(number["sms_fallback_method"], "POST");
    assert_eq!(number["status_callback"], "https://example.com/status");
    assert_eq!(
        number["capabilities"],
        json!({"sms": true, "mms": true, "voice": false, "fax": false})
    );
    assert_eq!(number["status"], "in-use");
    assert_eq!(number["type"], "local");
    let fetched = world.get(number["uri"].as_str().unwrap()).await.ok();
    assert_eq!(fetched, number);
}

#[tokio::test]
async fn settings_for_calls_are_kept_and_echoed() {
    let world = World::new().await;
    let sid = world.number("+14155550101").await;
    let path = world.list(&format!("IncomingPhoneNumbers/{sid}"));
    // Columns: parameter, key, value before, value set.
    let settings = [
        ("VoiceUrl", "voice_url", "", "https://example.com/call"),
        ("VoiceMethod", "voice_method", "POST", "GET"),
        (
            "VoiceFallbackUrl",
            "voice_fallback_url",
            "",
            "https://example.com/else",
        ),
        (
            "VoiceFallbackMethod",
            "voice_fallback_method",
            "POST",
            "GET",
        ),
        (
            "VoiceApplicationSid",
            "voice_application_sid",
            "",
            "AP0123456789abcdef0123456789abcdef",
        ),
        ("VoiceReceiveMode", "voice_receive_mode", "voice", "fax"),
        (
            "StatusCallbackMethod",
            "status_callback_method",
            "POST",
            "GET",
        ),
    ];
    let before = world.get(&path).await.ok();
    let mut fields = vec![("VoiceCallerIdLookup", "true")];
    fields.extend(settings.map(|(parameter, _, _, set)| (parameter, set)));
    let after = world.post(&path, &fields).await.ok();
    assert_shape(&after, shapes::INCOMING_PHONE_NUMBER);
    for (_, key, old, new) in settings {
        let old = if old.is_empty() {
            Value::Null
        } else {
            json!(old)
        };
        assert_eq!((&before[key], &after[key]), (&old, &json!(new)), "{key}");
    }
    assert_eq!(after["voice_caller_id_lookup"], true);
    assert_eq!(world.get(&path).await.ok(), after);
    // An update of something else leaves them, and an empty one clears.
    let fields = [("FriendlyName", "Desk"), ("VoiceUrl", "")];
    let cleared = world.post(&path, &fields).await.ok();
    assert_eq!(cleared["voice_url"], Value::Null);
    assert_eq!(cleared["voice_method"], "GET");
    let fields = [
        ("FriendlyName", ""),
        ("SmsEnabled", ""),
        ("MmsEnabled", ""),
        ("VoiceCallerIdLookup", ""),
    ];
    world
        .post(&path, &[("SmsEnabled", "false"), ("MmsEnabled", "true")])
        .await
        .ok();
    let mut empty = settings.map(|(parameter, ..)| (parameter, "")).to_vec();
    empty.extend(fields);
    let mut cleared = world.post(&path, &empty).await.ok();
    cleared["date_updated"] = before["date_updated"].clone();
    assert_eq!(cleared, before);
}

#[tokio::test]
async fn the_same_number_again_is_an_update() {
    let world = World::new().await;
    let path = world.list("IncomingPhoneNumbers");
    let first = world.number("+14155550101").await;
    let fields = [
        ("PhoneNumber", "(415) 555-0101"),
        ("SmsUrl", "https://example.com"),
    ];
    let again = world.post(&path, &fields).await.created();
    assert_eq!(again["sid"], first);
    assert_eq!(again["sms_url"], "https://example.com");
    assert_eq!(again["status"], "in-use");
    let page = world.get(&path).await.ok();
    assert_eq!(list_of(&page, "incoming_phone_numbers").len(), 1);
}

/// Columns: parameters, code of the refusal.
const REFUSED: &[(&[(&str, &str)], u32)] = &[
    (&[], 21619),
    (&[("PhoneNumber", "hello")], 21401),
    (&[("PhoneNumber", "+1")], 21401),
    (&[("AreaCode", "415")], 21452),
    (&[("AreaCode", "015")], 21451),
    (&[("AreaCode", "41")], 21451),
    (
        &[("PhoneNumber", "+14155550101"), ("SmsUrl", "nowhere")],
        21402,
    ),
    (
        &[("PhoneNumber", "+14155550101"), ("SmsMethod", "PUT")],
        21403,
    ),
    (
        &[
            ("PhoneNumber", "+14155550101"),
            ("StatusCallback", "http://my_host"),
        ],
        21609,
    ),
    (
        &[
            ("PhoneNumber", "+14155550101"),
            ("SmsApplicationSid", "AP1"),
        ],
        21218,
    ),
    (
        &[("PhoneNumber", "+14155550101"), ("SmsEnabled", "1")],
        20001,
    ),
    (
        &[("PhoneNumber", "+14155550101"), ("VoiceUrl", "nowhere")],
        21402,
    ),
    (
        &[("PhoneNumber", "+14155550101"), ("VoiceMethod", "PUT")],
        21403,
    ),
    (
        &[
            ("PhoneNumber", "+14155550101"),
            ("StatusCallbackMethod", "PUT"),
        ],
        21403,
    ),
    (
        &[
            ("PhoneNumber", "+14155550101"),
            ("VoiceApplicationSid", "AP1"),
        ],
        21218,
    ),
    (
        &[
            ("PhoneNumber", "+14155550101"),
            ("VoiceReceiveMode", "morse"),
        ],
        20001,
    ),
];

#[tokio::test]
async fn a_bad_parameter_registers_nothing() {
    let world = World::new().await;
    let path = world.list("IncomingPhoneNumbers");
    for (fields, code) in REFUSED {
        world.post(&path, fields).await.refused(400, *code);
    }
    let page = world.get(&path).await.ok();
    assert!(list_of(&page, "incoming_phone_numbers").is_empty());
}

#[tokio::test]
async fn a_number_is_updated_and_given_up() {
    let world = World::new().await;
    let sid = world.number("+14155550101").await;
    let path = world.list(&format!("IncomingPhoneNumbers/{sid}"));
    let fields = [("FriendlyName", "New"), ("SmsEnabled", "false")];
    let updated = world.post(&path, &fields).await.ok();
    assert_eq!(updated["friendly_name"], "New");
    assert_eq!(updated["capabilities"]["sms"], false);
    world.delete(&path).await.gone();
    world.get(&path).await.refused(404, 20404);
    assert_ne!(world.number("+14155550101").await, sid);
}

#[tokio::test]
async fn numbers_are_listed_filtered_and_sorted_by_type() {
    let world = World::new().await;
    for number in ["+14155550101", "+18885550105", "+447911123456"] {
        world.number(number).await;
    }
    for (path, query, numbers) in [
        (
            "",
            "",
            &["+447911123456", "+18885550105", "+14155550101"][..],
        ),
        ("", "PhoneNumber=415", &["+14155550101"]),
        ("", "PhoneNumber=%2B1*******105", &["+18885550105"]),
        ("", "FriendlyName=nobody", &[]),
        ("", "Origin=hosted", &[]),
        (
            "",
            "Beta=false",
            &["+447911123456", "+18885550105", "+14155550101"],
        ),
        (
            "",
            "Beta=true",
            &["+447911123456", "+18885550105", "+14155550101"],
        ),
        ("/Local", "", &["+14155550101"]),
        ("/TollFree", "", &["+18885550105"]),
        ("/Mobile", "", &["+447911123456"]),
    ] {
        let list = world.list(&format!("IncomingPhoneNumbers{path}"));
        let page = world.get(&format!("{list}?{query}")).await.ok();
        let found = list_of(&page, "incoming_phone_numbers");
        assert_eq!(column(found, "phone_number"), numbers, "{path} {query}");
    }
    let list = world.list("IncomingPhoneNumbers");
    world
        .get(&format!("{list}?Beta=new"))
        .await
        .refused(400, 20001);
}

#[tokio::test]
async fn a_number_belongs_to_one_account() {
    let mut world = World::new().await;
    let sid = world.number("+14155550101").await;
    let child = world.post("/2010-04-01/Accounts.json", &[]).await.created();
    world.ask_as(&child["sid"], &child["auth_token"]);
    let path = child["subresource_uris"]["incoming_phone_numbers"]
        .as_str()
        .unwrap();
    let answer = world.post(path, &[("PhoneNumber", "+14155550101")]).await;
    assert!(answer.status >= 400, "{}", answer.text);
    let path = path.replace(".json", &format!("/{sid}.json"));
    world.get(&path).await.refused(404, 20404);
}

/// Of a number that the US and Canada share its digits don't tell whose it is.
#[tokio::test]
async fn a_toll_free_number_serves_the_us_or_canada() {
    let world = World::new().await;
    let path = world.list("IncomingPhoneNumbers");
    let number = world.number("+18885550105").await;
    let service = world.service_with("+14155550101").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let entry = format!("{pool}/{number}");
    let number = world.list(&format!("IncomingPhoneNumbers/{number}"));
    let member = [("PhoneNumberSid", &entry[pool.len() + 1..])];
    world.post(&pool, &member).await.created();
    let chosen = async |to: &str| {
        let fields = [("MessagingServiceSid", &*service), ("To", to)];
        let explained = world.post("/x/v1/Explain", &fields).await.ok();
        let rule = explained["decision"]["steps"][0]["rule"].clone();
        (explained["from"].clone(), rule)
    };
    let (toll_free, long_code) = (json!("+18885550105"), json!("+14155550101"));
    let (geomatch, fallback) = (json!("country_geomatch"), json!("us_fallback"));
    let canadian = "+16045550199";
    // Columns: what is written, the country, who writes to a Canadian and why, who to 212 (the first in
    // the pool, if both are American).
    for (written, country, (sender, rule)) in [
        (None, "US", (&long_code, &fallback)),
        (Some("CA"), "CA", (&toll_free, &geomatch)),
        (Some("us"), "US", (&long_code, &fallback)),
        (Some("ca"), "CA", (&toll_free, &geomatch)),
        // What is not given stays, what is empty is at its default.
        (None, "CA", (&toll_free, &geomatch)),
        (Some(""), "US", (&long_code, &fallback)),
    ] {
        let fields: Vec<_> = written
            .map(|written| ("IsoCountry", written))
            .into_iter()
            .collect();
        world.post(&number, &fields).await.ok();
        assert_eq!(world.get(&entry).await.ok()["country_code"], country);
        assert_eq!(chosen(canadian).await, (sender.clone(), rule.clone()));
        // No toll-free number matches an area code.
        assert_eq!(chosen("+14155550199").await.0, long_code);
    }
    for written in ["GB", "USA", "PR", "Canada"] {
        let fields = [("IsoCountry", written), ("FriendlyName", "New")];
        let answer = world.post(&number, &fields).await;
        let text = "'IsoCountry' of a toll-free number must be US or CA";
        assert_eq!(answer.json["message"], text);
        answer.refused(400, 20001);
    }
    assert_eq!(
        world.get(&number).await.ok()["friendly_name"],
        "+18885550105"
    );
    // Registered with it, and again without.
    let fields = [("PhoneNumber", "+18665550106"), ("IsoCountry", "CA")];
    let created = world.post(&path, &fields).await.created();
    let again = world.post(&path, &fields[..1]).await.created();
    assert_eq!(created["sid"], again["sid"]);
    let member = [("PhoneNumberSid", created["sid"].as_str().unwrap())];
    let member = world.post(&pool, &member).await.created();
    assert_eq!(member["country_code"], "CA");
    // Of all others the digits tell.
    for other in [
        "+14155550102",
        "+16045550103",
        "+447700900101",
        "+448001111111",
    ] {
        let fields = [("PhoneNumber", other), ("IsoCountry", "CA")];
        let answer = world.post(&path, &fields).await;
        let text = answer.json["message"].as_str().unwrap_or_default();
        assert!(text.contains("its digits tell its country"), "{text}");
        answer.refused(400, 20001);
    }
}
