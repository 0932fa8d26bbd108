//! An account with its credentials before the whole app, and a short way to talk to it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use postrider_engine::testing::{TestEngine, engine, engine_with};
use postrider_engine::{Engine, Limits, runtime};
use postrider_server::{App, Ops, Peer, Scheme, Setup, SimulatorControl, TrustedProxies};
use postrider_store::memory::MemoryStore;
use serde_json::Value;

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) test: TestEngine,
    /// The main account's SID.
    pub(crate) sid: String,
    /// Who asks; the main account unless changed.
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null when the body is empty or no JSON.
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Ops::default(), None).await
    }

    pub(crate) async fn with(ops: Ops, simulator: Option<Arc<dyn SimulatorControl>>) -> Self {
        Self::over(engine(), ops, simulator).await
    }

    /// A world with limits of its own.
    pub(crate) async fn limited(edit: impl FnOnce(&mut Limits)) -> Self {
        Self::set_up(|setup| edit(&mut setup.limits)).await
    }

    /// A world over an engine that is set up as `edit` leaves it.
    pub(crate) async fn set_up(edit: impl FnOnce(&mut runtime::Setup)) -> Self {
        let test = engine_with(Arc::new(MemoryStore::new()), edit);
        Self::over(test, Ops::default(), None).await
    }

    pub(crate) async fn over(
        test: TestEngine,
        ops: Ops,
        simulator: Option<Arc<dyn SimulatorControl>>,
    ) -> Self {
        let (account, _) = test
            .engine
            .create_main_account(None, Some(TOKEN.to_owned()), "Main")
            .await
            .unwrap();
        let sid = account.sid.to_string();
        Self {
            app: Self::app(&test, ops, simulator),
            test,
            user: sid.clone(),
            password: TOKEN.to_owned(),
            sid,
            host: "localhost:8080".to_owned(),
        }
    }

    fn app(test: &TestEngine, ops: Ops, simulator: Option<Arc<dyn SimulatorControl>>) -> Arc<App> {
        Arc::new(App::new(Setup {
            engine: test.engine.clone(),
            ops,
            simulator,
            door: None,
            trusted_proxies: TrustedProxies::parse(["10.0.0.0/8"]).unwrap(),
            request_id_seed: 1,
        }))
    }

    /// The same world after a crash, on an engine over what the store kept.
    pub(crate) fn restarted(self, test: TestEngine) -> Self {
        Self {
            app: Self::app(&test, Ops::default(), None),
            test,
            ..self
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.test.engine
    }

    /// The same world, asked with other credentials.
    pub(crate) fn ask_as(&mut self, user: &Value, password: &Value) {
        user.as_str().unwrap().clone_into(&mut self.user);
        password.as_str().unwrap().clone_into(&mut self.password);
    }

    pub(crate) fn ask_as_main(&mut self) {
        self.user.clone_from(&self.sid);
        TOKEN.clone_into(&mut self.password);
    }

    /// Path of a list of the main account, as `Messages` or `SMS/ShortCodes`.
    pub(crate) fn list(&self, name: &str) -> String {
        format!("/2010-04-01/Accounts/{}/{name}.json", self.sid)
    }

    pub(crate) fn authorization(&self) -> String {
        let pair = format!("{}:{}", self.user, self.password);
        format!("Basic {}", STANDARD.encode(pair))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.host)
            .header("authorization", self.authorization())
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        self.send_from("127.0.0.1", request).await
    }

    pub(crate) async fn send_from(&self, address: &str, request: Request<Full<Bytes>>) -> Answer {
        let peer = Peer {
            address: Some(address.parse().unwrap()),
            scheme: Scheme::Http,
        };
        let (head, body) = self.app.handle(request, peer).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            json: serde_json::from_slice(&body).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.request(Method::GET, path);
        self.send(request.body(Full::default()).unwrap()).await
    }

    /// As people read it.
    pub(crate) async fn get_text(&self, path: &str) -> String {
        let request = self
            .request(Method::GET, path)
            .header("accept", "text/plain");
        let answer = self.send(request.body(Full::default()).unwrap()).await;
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        answer.text
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        let request = self.request(Method::DELETE, path);
        self.send(request.body(Full::default()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Full::from(body)).unwrap()).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        let json = "application/json";
        self.post_text(path, json, &body.to_string()).await
    }

    /// Posts a body as it is.
    pub(crate) async fn post_text(&self, path: &str, content_type: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, path);
        let request = request.header("content-type", content_type);
        let body = Full::from(body.to_owned());
        self.send(request.body(body).unwrap()).await
    }

    /// Registers a WhatsApp sender and gives its SID.
    pub(crate) async fn whatsapp_sender(&self, number: &str) -> String {
        let body = serde_json::json!({"sender_id": format!("whatsapp:{number}")});
        let answer = self.post_json("/v2/Channels/Senders", &body).await;
        answer.taken()["sid"].as_str().unwrap().to_owned()
    }

    /// Registers a number and gives its SID.
    pub(crate) async fn number(&self, number: &str) -> String {
        let path = self.list("IncomingPhoneNumbers");
        let answer = self.post(&path, &[("PhoneNumber", number)]).await;
        answer.created()["sid"].as_str().unwrap().to_owned()
    }

    /// Registers a US short code and gives its SID.
    pub(crate) async fn short_code(&self, code: &str) -> String {
        let fields = [("ShortCode", code), ("IsoCountry", "US")];
        let answer = self.post("/x/v1/ShortCodes", &fields).await;
        answer.created()["sid"].as_str().unwrap().to_owned()
    }

    /// Creates a service and gives its SID.
    pub(crate) async fn service(&self) -> String {
        let answer = self.post("/v1/Services", &[("FriendlyName", "S")]).await;
        answer.created()["sid"].as_str().unwrap().to_owned()
    }

    /// A service with one US number in its pool.
    pub(crate) async fn service_with(&self, number: &str) -> String {
        let service = self.service().await;
        let number = self.number(number).await;
        let pool = format!("/v1/Services/{service}/PhoneNumbers");
        self.post(&pool, &[("PhoneNumberSid", &number)])
            .await
            .created();
        service
    }

    /// The message when it has got as far as it will.
    pub(crate) async fn settled(&self, message: &Value) -> Value {
        let path = message["uri"].as_str().unwrap();
        for _ in 0..2_000 {
            let now = self.get(path).await.ok();
            let status = now["status"].as_str().unwrap();
            if ["delivered", "undelivered", "failed", "canceled"].contains(&status) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{path} did not settle");
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json
    }

    #[track_caller]
    pub(crate) fn created(self) -> Value {
        assert_eq!(self.status, 201, "{}", self.text);
        self.json
    }

    #[track_caller]
    pub(crate) fn taken(self) -> Value {
        assert_eq!(self.status, 202, "{}", self.text);
        self.json
    }

    #[track_caller]
    pub(crate) fn gone(self) {
        assert_eq!(self.status, StatusCode::NO_CONTENT, "{}", self.text);
        assert_eq!(self.text, "");
        assert!(!self.headers.contains_key("content-type"));
    }

    /// Refused with this status and code, in the body's four keys and no others.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: u32) {
        assert_eq!(
            (self.status, &self.json["code"]),
            (status, &Value::from(code)),
            "{}",
            self.text
        );
        assert_eq!(keys(&self.json), ["code", "message", "more_info", "status"]);
        assert_eq!(self.json["status"], status);
        assert_eq!(
            self.json["more_info"],
            format!("https://www.twilio.com/docs/errors/{code}")
        );
        assert_eq!(
            self.headers.contains_key("www-authenticate"),
            status == 401,
            "{:?}",
            self.headers
        );
    }
}

/// The keys of an object, sorted.
#[track_caller]
pub(crate) fn keys(json: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = json
        .as_object()
        .unwrap_or_else(|| panic!("no object: {json}"))
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// Asserts that an object has these keys and no others.
#[track_caller]
pub(crate) fn assert_shape(json: &Value, shape: &[&str]) {
    let mut shape = shape.to_vec();
    shape.sort_unstable();
    assert_eq!(keys(json), shape);
}

/// Asserts a page of the 2010 API and gives its list.
#[track_caller]
pub(crate) fn list_of<'a>(page: &'a Value, key: &str) -> &'a [Value] {
    let shape: Vec<&str> = crate::shapes::PAGE_2010
        .iter()
        .copied()
        .chain([key])
        .collect();
    assert_shape(page, &shape);
    page[key].as_array().unwrap()
}

/// Asserts a page of v1 and gives its list.
#[track_caller]
pub(crate) fn list_of_v1<'a>(page: &'a Value, key: &str) -> &'a [Value] {
    assert_shape(page, &["meta", key]);
    assert_shape(&page["meta"], crate::shapes::META_V1);
    assert_eq!(page["meta"]["key"], key);
    page[key].as_array().unwrap()
}

/// One member of each entry, as texts.
pub(crate) fn column<'a>(entries: &'a [Value], key: &str) -> Vec<&'a str> {
    entries
        .iter()
        .map(|entry| entry[key].as_str().unwrap())
        .collect()
}
