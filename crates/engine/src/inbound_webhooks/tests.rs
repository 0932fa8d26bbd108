//! Handsets text, applications answer, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{Direction, Message, Status};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::{Account, HttpMethod, Service};
use postrider_core::sid::ServiceSid;
use postrider_store::memory::MemoryStore;

use super::loop_guard::REPLIES_MAX;
use crate::settings::NewPoolEntry;
use crate::testing::web_server::{Seen, Server};
use crate::testing::{TestEngine, engine_with};

const HANDSET: &str = "+14155550199";
const NUMBER: &str = "+14155550101";
const OTHER: &str = "+14155550102";

/// A server with an application, and an account with two numbers.
struct World {
    server: Server,
    test: TestEngine,
    account: Arc<Account>,
}

impl World {
    async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()), Server::start().await).await
    }

    async fn over(store: Arc<MemoryStore>, server: Server) -> Self {
        let test = engine_with(store, |setup| {
            setup.webhooks.allow_networks = vec!["127.0.0.1".parse().unwrap()];
        });
        let engine = &test.engine;
        let before = engine.directory().accounts().into_iter().next();
        let account = if let Some(account) = before {
            account
        } else {
            let created = engine.create_main_account(None, None, "Test").await;
            let (account, _) = created.unwrap();
            for number in [NUMBER, OTHER] {
                let number = PhoneNumber::parse(number).unwrap();
                let registered = engine.register_number(account.sid, number, |_| {});
                registered.await.unwrap();
            }
            account
        };
        Self {
            server,
            test,
            account,
        }
    }

    /// The webhook of a number; paths of the server, empty for none.
    async fn set_webhook(&self, number: &str, path: &str, fallback: &str) {
        let url = |path: &str| (!path.is_empty()).then(|| self.server.url(path));
        let (url, fallback) = (url(path), url(fallback));
        let number = PhoneNumber::parse(number).unwrap();
        let sid = self
            .test
            .engine
            .directory()
            .number_by_digits(number)
            .unwrap()
            .sid;
        let edit = self.test.engine.update_number(sid, |number| {
            number.webhooks.sms_url = url;
            number.webhooks.sms_fallback_url = fallback;
            number.webhooks.sms_fallback_method = HttpMethod::Get;
        });
        edit.await.unwrap();
    }

    fn say_twiml(&self, path: &str, inner: &str) {
        let twiml = format!("<Response>{inner}</Response>");
        self.server.say(path, &[(CONTENT_TYPE, "text/xml")], &twiml);
    }

    /// The handset texts the number, and its webhook is over and done with.
    async fn text(&self, body: &str) {
        self.test.inbound(HANDSET, NUMBER, body).await;
        self.settle().await;
    }

    /// Waits until nobody is left to be told.
    async fn settle(&self) {
        for _ in 0..1_000 {
            let due = self.test.engine.shared.store.callbacks_due(None, 1);
            if due.unwrap().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("a webhook is still due");
    }

    async fn messages(&self, direction: Direction) -> Vec<Message> {
        self.test.messages(self.account.no, direction).await
    }

    async fn replies(&self) -> Vec<String> {
        let replies = self.messages(Direction::OutboundReply).await;
        let told = |reply: Message| {
            let from = reply.from.as_deref().unwrap_or_default().to_owned();
            format!("{from} > {}: {}", reply.to, reply.body)
        };
        replies.into_iter().map(told).collect()
    }

    fn alerts(&self) -> Vec<u32> {
        let raised = self.test.engine.alerting().raised();
        raised.iter().map(|alert| alert.code.code()).collect()
    }

    fn requests(&self) -> Vec<Seen> {
        self.server.seen.lock().clone()
    }

    fn paths(&self) -> Vec<String> {
        let path = |seen: &Seen| {
            let path = seen.path.split('?').next().unwrap_or_default();
            format!("{} {path}", seen.method)
        };
        self.requests().iter().map(path).collect()
    }
}

fn param(seen: &Seen, name: &str) -> Option<String> {
    let query = seen.path.split_once('?').map_or("", |(_, query)| query);
    let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(&seen.body));
    let mut found = pairs.filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn the_application_is_told_and_its_answer_sent() {
    let world = World::new().await;
    world.set_webhook(NUMBER, "/sms", "").await;
    world.say_twiml(
        "/sms",
        "<Message>One</Message><Message><Body>Two</Body></Message>",
    );
    world.text("Hello").await;
    let inbound = world.messages(Direction::Inbound).await;
    let [seen] = &world.requests()[..] else {
        panic!("one request")
    };
    let sid = inbound[0].sid.to_string();
    for (name, value) in [
        ("MessageSid", &*sid),
        ("SmsSid", &sid),
        ("SmsMessageSid", &sid),
        ("AccountSid", &world.account.sid.to_string()),
        ("From", HANDSET),
        ("To", NUMBER),
        ("Body", "Hello"),
        ("NumMedia", "0"),
        ("NumSegments", "1"),
        ("SmsStatus", "received"),
        ("ApiVersion", "2010-04-01"),
        ("FromCountry", "US"),
        ("FromCity", ""),
        ("ToCountry", "US"),
        ("ToZip", ""),
    ] {
        assert_eq!(param(seen, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(param(seen, "MessagingServiceSid"), None);
    let expected = ["One", "Two"].map(|body| format!("{NUMBER} > {HANDSET}: {body}"));
    assert_eq!(world.replies().await, expected);
    assert!(world.alerts().is_empty());
}

type Row<'a> = (
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a [&'a str],
    &'a [u32],
);

/// What is said at `/sms`, and at `/next`, to which it may redirect, and at the fallback URL; which
/// requests are made, which alerts raised, and which texts sent.
#[tokio::test]
async fn an_answer_is_carried_out_whatever_it_is() {
    const XML: &str = "text/xml";
    let say = |text: &str| format!("<Response><Message>{text}</Message></Response>");
    let to_next = "<Response><Message>A</Message><Redirect>/next</Redirect></Response>";
    let get_next = "<Response><Redirect method=\"GET\">next</Redirect></Response>";
    let aside =
        format!("<Response><Message to=\"+14155550188\" from=\"{OTHER}\">A</Message></Response>");
    let foreign =
        "<Response><Message from=\"+14155550777\">A</Message><Message>B</Message></Response>";
    let nobody = "<Response><Message to=\"bob\">A</Message><Message>B</Message></Response>";
    let unreachable = "<Response><Redirect>http://10.0.0.1/</Redirect></Response>";
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // type, /sms, /next, /fallback, requests, bodies, alerts
        (XML, "", "", "A", "POST /sms", &[], &[]),
        (XML, "<Response/>", "", "A", "POST /sms", &[], &[]),
        ("text/plain", "A", "", "", "POST /sms", &["A"], &[]),
        ("text/plain", " \n", "", "", "POST /sms", &[], &[]),
        ("application/json", "{}", "", "", "POST /sms", &[], &[12300]),
        ("application/json", "{}", "", "A", "POST /sms GET /fallback", &["A"], &[12300]),
        (XML, "<Response>", "", "A", "POST /sms GET /fallback", &["A"], &[12100]),
        (XML, "<Response><Dance/><Message>A</Message></Response>", "", "", "POST /sms", &["A"], &[12200]),
        (XML, "<Response><Message/></Response>", "", "", "POST /sms", &[], &[14103]),
        (XML, to_next, "B", "", "POST /sms POST /next", &["A", "B"], &[]),
        (XML, get_next, "B", "", "POST /sms GET /next", &["B"], &[]),
        // What was read before a failure is sent, and the fallback's with it.
        (XML, to_next, "<", "B", "POST /sms POST /next GET /fallback", &["A", "B"], &[12100]),
        (XML, unreachable, "", "B", "POST /sms GET /fallback", &["B"], &[11205]),
        (XML, &aside, "", "", "POST /sms", &["A"], &[]),
        (XML, foreign, "", "", "POST /sms", &["B"], &[14102]),
        (XML, nobody, "", "", "POST /sms", &["B"], &[14101]),
    ];
    for (content_type, first, next, fallback, requests, bodies, alerts) in rows {
        let world = World::new().await;
        let has_fallback = !fallback.is_empty();
        let path = if has_fallback { "/fallback" } else { "" };
        world.set_webhook(NUMBER, "/sms", path).await;
        world
            .server
            .say("/sms", &[(CONTENT_TYPE, content_type)], first);
        for (path, text) in [("/next", next), ("/fallback", fallback)] {
            let body = if text.starts_with('<') {
                (*text).to_owned()
            } else {
                say(text)
            };
            world.server.say(path, &[(CONTENT_TYPE, XML)], &body);
        }
        world.text("Hello").await;
        assert_eq!(world.paths().join(" "), *requests, "{first}");
        let replies = world.messages(Direction::OutboundReply).await;
        let sent: Vec<_> = replies.iter().map(|reply| &*reply.body).collect();
        assert_eq!(sent, *bodies, "{first}");
        assert_eq!(world.alerts(), *alerts, "{first}");
    }
}

#[tokio::test]
async fn the_fallback_is_told_what_failed_and_is_called_once() {
    let world = World::new().await;
    world
        .set_webhook(NUMBER, "/status/503", "/status/404")
        .await;
    world.text("Hello").await;
    let requests = world.requests();
    assert_eq!(world.paths(), ["POST /status/503", "GET /status/404"]);
    assert_eq!(param(&requests[0], "ErrorCode"), None);
    assert_eq!(param(&requests[1], "ErrorCode").as_deref(), Some("11217"));
    assert_eq!(
        param(&requests[1], "ErrorUrl"),
        Some(world.server.url("/status/503"))
    );
    assert_eq!(param(&requests[1], "Body").as_deref(), Some("Hello"));
    assert_eq!(world.alerts(), [11217, 11217]);
    assert!(world.replies().await.is_empty());
}

#[tokio::test]
async fn a_document_that_is_too_long_fails() {
    let world = World::new().await;
    world.set_webhook(NUMBER, "/large", "/fallback").await;
    world.say_twiml("/fallback", "<Message>Sorry</Message>");
    world.text("Hello").await;
    assert_eq!(world.alerts(), [11750]);
    assert_eq!(world.replies().await.len(), 1);
}

#[tokio::test]
async fn documents_that_lead_to_each_other_come_to_an_end() {
    let world = World::new().await;
    world.set_webhook(NUMBER, "/sms", "").await;
    world.say_twiml("/sms", "<Message>Round</Message><Redirect>/sms</Redirect>");
    world.text("Hello").await;
    assert_eq!(world.requests().len(), 50);
    assert_eq!(world.replies().await.len(), 10);
    let alerts = world.alerts();
    assert!(
        alerts.contains(&14109) && alerts.contains(&14106),
        "{alerts:?}"
    );
}

#[tokio::test]
async fn machines_that_answer_each_other_are_stopped() {
    let world = World::new().await;
    world.set_webhook(NUMBER, "/sms", "").await;
    world.say_twiml("/sms", "<Message>Hello yourself</Message>");
    for _ in 0..=REPLIES_MAX {
        world.text("Hello").await;
    }
    let replies = world.messages(Direction::OutboundReply).await;
    let (last, sent) = replies.split_last().unwrap();
    assert!(sent.iter().all(|reply| reply.error.is_none()));
    assert_eq!(last.status, Status::Failed);
    assert_eq!(last.error, Some(ErrorCode::ReplyRateExceeded));
    assert_eq!(world.alerts(), [14107]);
}

#[tokio::test]
async fn an_application_may_remember_whom_it_talks_to() {
    let world = World::new().await;
    world.set_webhook(NUMBER, "/sms", "").await;
    world
        .server
        .say("/sms", &[(SET_COOKIE, "step=1; Path=/")], "");
    world.text("Hello").await;
    world.text("Again").await;
    world.test.inbound("+14155550198", NUMBER, "Me too").await;
    world.settle().await;
    let requests = world.requests();
    let cookies = requests.iter().map(|seen| seen.headers.get(COOKIE));
    let cookies: Vec<_> = cookies
        .map(|value| value.map(|value| value.to_str().unwrap()))
        .collect();
    assert_eq!(cookies, [None, Some("step=1"), None]);
}

/// Texts of one handset to one number are told one after another; those of others do not wait.
#[tokio::test]
async fn a_slow_answer_holds_up_nobody_else() {
    let world = World::new().await;
    world.set_webhook(NUMBER, "/hang", "").await;
    world.set_webhook(OTHER, "/sms", "").await;
    world.test.inbound(HANDSET, NUMBER, "First").await;
    world.test.inbound(HANDSET, NUMBER, "Second").await;
    world.test.inbound(HANDSET, OTHER, "Another matter").await;
    for _ in 0..1_000 {
        if world.server.hits() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let bodies: Vec<_> = world
        .requests()
        .iter()
        .map(|seen| param(seen, "Body"))
        .collect();
    let bodies: Vec<_> = bodies.iter().map(|body| body.as_deref().unwrap()).collect();
    assert_eq!(bodies.len(), 2);
    assert!(
        bodies.contains(&"First") && bodies.contains(&"Another matter"),
        "{bodies:?}"
    );
}

/// A process that dies while the application is asked leaves it to the next one.
#[tokio::test]
async fn what_was_not_told_is_told_by_the_next_process() {
    let store = Arc::new(MemoryStore::new());
    let server = Server::start().await;
    let world = World::over(store.clone(), server.clone()).await;
    world.set_webhook(NUMBER, "/hang", "").await;
    world.test.inbound(HANDSET, NUMBER, "Hello").await;
    world.set_webhook(NUMBER, "/sms", "").await;
    world.say_twiml("/sms", "<Message>Hi</Message>");
    let next = World::over(store, server).await;
    next.settle().await;
    assert_eq!(next.replies().await, [format!("{NUMBER} > {HANDSET}: Hi")]);
}

/// Which URL hears of a text, by the settings of service and number.
#[tokio::test]
async fn the_service_decides_who_is_told() {
    // Whether the service defers to the number, the service's URL and the number's; who is told.
    for (defers, of_service, of_number, told) in [
        (true, "", "/number", "/number"),
        (true, "/service", "/number", "/number"),
        (true, "/service", "", ""),
        (false, "/service", "/number", "/service"),
        (false, "/service", "", "/service"),
        (false, "", "/number", ""),
    ] {
        let world = World::new().await;
        world.set_webhook(NUMBER, of_number, "").await;
        let url = (!of_service.is_empty()).then(|| world.server.url(of_service));
        let service = service(&world, |service| {
            service.use_inbound_webhook_on_number = defers;
            service.inbound_request_url = url;
        });
        let service = service.await;
        world.say_twiml("/number", "<Message>Hi</Message>");
        world.say_twiml("/service", "<Message>Hi</Message>");
        world.text("Hello").await;
        let paths: Vec<_> = world
            .requests()
            .iter()
            .map(|seen| seen.path.clone())
            .collect();
        let expected: Vec<_> = [told].into_iter().filter(|told| !told.is_empty()).collect();
        assert_eq!(paths, expected, "{defers} {of_service} {of_number}");
        for seen in world.requests() {
            let sid = service.to_string();
            assert_eq!(param(&seen, "MessagingServiceSid"), Some(sid), "{told}");
        }
        for reply in world.messages(Direction::OutboundReply).await {
            assert_eq!(reply.service, Some(service));
            assert_eq!(reply.from.as_deref(), Some(NUMBER));
        }
    }
}

/// A service with [`NUMBER`] in its pool.
async fn service(world: &World, edit: impl FnOnce(&mut Service) + Send) -> ServiceSid {
    let engine = &world.test.engine;
    let created = engine.create_service(world.account.sid, edit).await;
    let service = created.unwrap().sid;
    let number = PhoneNumber::parse(NUMBER).unwrap();
    let number = engine.directory().number_by_digits(number).unwrap().sid;
    let entry = NewPoolEntry::Number(number);
    engine.add_to_pool(service, entry).await.unwrap();
    service
}
