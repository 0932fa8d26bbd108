//! Every product on one port: by host, by prefix, by path.

use http::Method;
use http_body_util::Full;

use crate::world::World;

/// Columns: host, path, base of the absolute URLs in the answer.
const ARRIVALS: &[(&str, &str, &str)] = &[
    (
        "messaging.twilio.com",
        "/v1/Services",
        "http://messaging.twilio.com",
    ),
    (
        "messaging.dublin.ie1.twilio.com",
        "/v1/Services",
        "http://messaging.dublin.ie1.twilio.com",
    ),
    (
        "messaging.ie1.sms.example.com:8443",
        "/v1/Services",
        "http://messaging.ie1.sms.example.com:8443",
    ),
    (
        "127.0.0.1:8080",
        "/messaging/v1/Services",
        "http://127.0.0.1:8080/messaging",
    ),
    (
        "127.0.0.1:8080",
        "/messaging/messaging/messaging/v1/Services",
        "http://127.0.0.1:8080/messaging",
    ),
    ("localhost", "/v1/Services", "http://localhost"),
    ("localhost", "/v1/Services/", "http://localhost"),
];

#[tokio::test]
async fn absolute_urls_echo_how_the_caller_arrived() {
    let mut world = World::new().await;
    let sid = world.service().await;
    for (host, path, base) in ARRIVALS {
        (*host).clone_into(&mut world.host);
        let page = world.get(path).await.ok();
        let service = format!("{base}/v1/Services/{sid}");
        assert_eq!(page["services"][0]["url"], service);
        assert_eq!(
            page["services"][0]["links"]["phone_numbers"],
            format!("{service}/PhoneNumbers")
        );
        assert_eq!(
            page["meta"]["url"],
            format!("{base}/v1/Services?PageSize=50&Page=0")
        );
    }
}

#[tokio::test]
async fn links_of_a_prefixed_base_can_be_followed() {
    let world = World::new().await;
    for _ in 0..2 {
        world.service().await;
    }
    let page = world.get("/messaging/v1/Services?PageSize=1").await.ok();
    let next = page["meta"]["next_page_url"].as_str().unwrap();
    let path = next.strip_prefix("http://localhost:8080").unwrap();
    // The Ruby SDK glues this path to its prefixed base once more.
    let page = world.get(&format!("/messaging{path}")).await.ok();
    assert_eq!(page["services"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn trusted_proxies_speak_for_the_caller() {
    let world = World::new().await;
    world.service().await;
    let forwarded = || {
        world
            .request(Method::GET, "/v1/Services")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "messaging.example.com")
            .body(Full::default())
            .unwrap()
    };
    let url = "/v1/Services?PageSize=50&Page=0";
    let trusted = world.send_from("10.1.2.3", forwarded()).await.ok();
    assert_eq!(
        trusted["meta"]["url"],
        format!("https://messaging.example.com{url}")
    );
    let other = world.send_from("192.0.2.1", forwarded()).await.ok();
    assert_eq!(other["meta"]["url"], format!("http://localhost:8080{url}"));
}

#[tokio::test]
async fn a_proxy_request_names_its_host_in_the_target() {
    let world = World::new().await;
    let target = "http://messaging.twilio.com/v1/Services";
    let page = world.get(target).await.ok();
    assert_eq!(
        page["meta"]["first_page_url"],
        format!("{target}?PageSize=50&Page=0")
    );
}

#[tokio::test]
async fn a_path_may_end_in_json_or_not() {
    let world = World::new().await;
    for path in [
        format!("/2010-04-01/Accounts/{}/Messages.json", world.sid),
        format!("/2010-04-01/Accounts/{}/Messages", world.sid),
        format!("/api/2010-04-01/Accounts/{}.json", world.sid),
        format!("/2010-04-01/Accounts/{}", world.sid),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_sid_is_read_in_either_case_and_shown_in_one() {
    let mut world = World::new().await;
    let service = world.service().await;
    let number = world.number("+14155550101").await;
    let code = world.short_code("55501").await;
    let pool = format!("/v1/Services/{service}/PhoneNumbers");
    let fields = [("PhoneNumberSid", &*number.to_lowercase())];
    let member = world.post(&pool, &fields).await.created();
    assert_eq!(member["sid"], number);
    let lower = service.to_lowercase();
    let fields = [
        ("To", "+14155550199"),
        ("MessagingServiceSid", &*lower),
        ("Body", "Hi"),
    ];
    let message = world.post(&world.list("Messages"), &fields).await.created();
    assert_eq!(message["messaging_service_sid"], service);
    let sid = message["sid"].as_str().unwrap();
    let account = format!("/2010-04-01/Accounts/{}", world.sid);
    let paths = [
        (format!("{account}.json"), &*world.sid),
        (format!("{account}/Messages/{sid}.json"), sid),
        (
            format!("{account}/IncomingPhoneNumbers/{number}.json"),
            &number,
        ),
        (format!("/v1/Services/{service}"), &service),
        (format!("{pool}/{number}"), &number),
        (format!("/x/v1/ShortCodes/{code}"), &code),
    ];
    for (path, sid) in &paths {
        for changed in [sid.to_lowercase(), sid.to_uppercase()] {
            let changed = path.replace(sid, &changed);
            assert_eq!(world.get(&changed).await.ok()["sid"], *sid, "{changed}");
        }
    }
    // So may whoever asks.
    let account = world.user.clone();
    world.user = account.to_lowercase();
    assert_eq!(world.get(&paths[0].0).await.ok()["sid"], account);
}

/// Not 400 with 20423: whatever can't be a SID names nothing.
#[tokio::test]
async fn a_malformed_sid_in_a_path_is_not_found() {
    let world = World::new().await;
    for path in [
        world.list("Messages/SM1"),
        world.list("IncomingPhoneNumbers/PN1"),
        world.list("SMS/ShortCodes/SC1"),
        world.list("Keys/SK1"),
        "/2010-04-01/Accounts/AC1.json".to_owned(),
        "/v1/Services/MG1".to_owned(),
        format!("/v1/Services/{}/PhoneNumbers/PN1", world.service().await),
        "/x/v1/ShortCodes/SC1".to_owned(),
        "/x/v1/Explain/SM1".to_owned(),
    ] {
        world.get(&path).await.refused(404, 20404);
    }
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let world = World::new().await;
    for path in [
        "/favicon.ico".to_owned(),
        "/".to_owned(),
        "/2010-04-01".to_owned(),
        "/2010-04-01/Calls.json".to_owned(),
        world.list("Calls"),
        world.list("Messages.xml"),
        "/v1/Nothing".to_owned(),
        "/v1/Services/MG00/PhoneNumbers".to_owned(),
        "/v1/Conversations".to_owned(),
        "/x/v1/Nothing".to_owned(),
    ] {
        world.get(&path).await.refused(404, 20404);
    }
}

#[tokio::test]
async fn a_method_not_offered_is_told_apart() {
    let world = World::new().await;
    let service = world.service().await;
    for (method, path, allow) in [
        (Method::DELETE, world.list("Messages"), "GET, POST"),
        (Method::PUT, world.list("Messages"), "GET, POST"),
        (Method::POST, world.list("SMS/ShortCodes"), "GET"),
        (
            Method::DELETE,
            "/2010-04-01/Accounts.json".to_owned(),
            "GET, POST",
        ),
        (
            Method::PATCH,
            format!("/v1/Services/{service}"),
            "GET, POST, DELETE",
        ),
        (Method::DELETE, "/v1/Services".to_owned(), "GET, POST"),
    ] {
        let request = world.request(method.clone(), &path);
        let answer = world.send(request.body(Full::default()).unwrap()).await;
        assert_eq!(answer.headers["allow"], allow, "{method} {path}");
        answer.refused(405, 20004);
    }
}
