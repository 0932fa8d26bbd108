//! One request from head to answer: product, credentials, body, handler, headers.

use std::borrow::Cow;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, HOST,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Body;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_engine::{Engine, InHand, Place};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::Caller;
use crate::body::ReplyBody;
use crate::call::{Call, Method};
use crate::door::Door;
use crate::error::Refusal;
use crate::form::BodyType;
use crate::ops::Ops;
use crate::product::{Arrival, Base, Product};
use crate::proxy::TrustedProxies;
use crate::reply::{Answer, Reply};
use crate::request_id::{RequestId, RequestIds};
use crate::traffic::Traffic;
use crate::x_v1::simulator::SimulatorControl;
use crate::{door, form, idempotency, ops};

/// What the binary gives.
pub struct Setup {
    pub engine: Engine,
    pub ops: Ops,
    /// The simulated carrier's handle, where there is one.
    pub simulator: Option<Arc<dyn SimulatorControl>>,
    pub trusted_proxies: TrustedProxies,
    /// Where SDKs may take us for their proxy.
    pub door: Option<Door>,
    /// Random, another at each start.
    pub request_id_seed: u64,
}

/// The whole API, independent of how requests come in.
pub struct App {
    pub(crate) engine: Engine,
    pub(crate) ops: Ops,
    pub(crate) simulator: Option<Arc<dyn SimulatorControl>>,
    trusted_proxies: TrustedProxies,
    pub(crate) door: Option<Door>,
    request_ids: RequestIds,
    pub(crate) traffic: Traffic,
    /// Requests of each account that are being answered.
    in_hand: Arc<InHand>,
    /// Files that are being sent to us, or read in.
    uploads: Arc<Semaphore>,
    /// Lists that are being read.
    pub(crate) exports: Arc<Semaphore>,
}

/// Of each as many at a time. A file is in memory until it is read in.
const UPLOADS_MAX: usize = 2;
const EXPORTS_MAX: usize = 4;

/// Where a request came from, as its connection knows.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub address: Option<IpAddr>,
    pub scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// In place of a host that a request doesn't name (HTTP/1.0).
const NO_HOST: &str = "localhost";

impl App {
    pub fn new(setup: Setup) -> Self {
        let Setup {
            engine,
            ops,
            simulator,
            trusted_proxies,
            door,
            request_id_seed,
        } = setup;
        Self {
            engine,
            ops,
            simulator,
            trusted_proxies,
            door,
            request_ids: RequestIds::new(request_id_seed),
            traffic: Traffic::default(),
            in_hand: Arc::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
        }
    }

    /// Answers one request.
    pub async fn handle<B>(&self, request: Request<B>, peer: Peer) -> Response<ReplyBody>
    where
        B: Body<Data = Bytes>,
    {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let unauthenticated = ops::answer(self, &head.method, path)
            .or_else(|| door::answer(self.door.as_ref(), &head.method, path));
        if let Some(answer) = unauthenticated {
            return response(answer.unwrap_or_else(Reply::from));
        }
        let started_ms = self.engine.now_ms();
        let in_flight = self.traffic.enter();
        let arrived = self.arrive(&head, peer);
        let answer = self.answer(&head, body, &arrived).await;
        let reply = answer.unwrap_or_else(Reply::from);

        let request_id = self.request_ids.next();
        let duration_ms = self.engine.now_ms() - started_ms;
        self.traffic.record(reply.status, duration_ms);
        let (method, path, status) = (&head.method, head.uri.path(), reply.status);
        if status >= 500 {
            tracing::error!(%request_id, %method, path, status, duration_ms, "request failed");
        } else {
            tracing::debug!(%request_id, %method, path, status, duration_ms, "request answered");
        }
        let mut response = response(reply);
        let headers = response.headers_mut();
        add_request_headers(headers, request_id, duration_ms, in_flight.concurrent);
        if arrived.arrival.product == Some(Product::Api) {
            add_cors_headers(headers);
        }
        response
    }

    fn arrive<'a>(&'a self, head: &'a Parts, peer: Peer) -> Arrived<'a> {
        let (scheme, host) = self.trusted_proxies.forwarded(peer.address, &head.headers);
        // A request to a proxy names its host in the target.
        let host = host
            .or_else(|| head.uri.authority().map(http::uri::Authority::as_str))
            .or_else(|| head.headers.get(HOST)?.to_str().ok())
            .unwrap_or(NO_HOST);
        let arrival = Arrival::new(host, head.uri.path());
        let base = Base {
            scheme: scheme.unwrap_or(peer.scheme.as_str()),
            host,
            prefix: arrival.prefix,
        };
        Arrived { arrival, base }
    }

    async fn answer<B>(&self, head: &Parts, body: B, arrived: &Arrived<'_>) -> Answer
    where
        B: Body<Data = Bytes>,
    {
        if arrived.arrival.product == Some(Product::Api) && head.method == http::Method::OPTIONS {
            return Ok(preflight());
        }
        let mut body = pin!(body);
        let admitted = self.admit(head, body.as_mut(), arrived).await;
        let Admitted {
            product,
            method,
            caller,
            _place,
            body,
        } = admitted.map_err(|refusal| form::without_body(refusal, &head.headers, body))?;
        let path = arrived.arrival.path.as_slice();
        let key = match method {
            Method::Post => idempotency::key(&head.headers)?,
            Method::Get | Method::Delete | Method::Other => None,
        };
        let call = Call {
            app: self,
            engine: Cow::Borrowed(&self.engine),
            method,
            caller,
            base: arrived.base,
            query: head.uri.query().unwrap_or_default(),
            body,
            headers: &head.headers,
            repeatable: None,
        };
        match key {
            None => call.route(product, path).await,
            // Boxed, so that the future of a request without a key is no bigger for it.
            Some(key) => Box::pin(idempotency::answer(call, product, path, key)).await,
        }
    }

    /// Whether the request is looked at, and its body.
    async fn admit<B>(
        &self,
        head: &Parts,
        body: Pin<&mut B>,
        arrived: &Arrived<'_>,
    ) -> Result<Admitted, Refusal>
    where
        B: Body<Data = Bytes>,
    {
        let product = arrived.arrival.product.ok_or_else(Refusal::not_found)?;
        let method = Method::new(&head.method);
        let directory = self.engine.directory();
        let caller = Caller::authenticate(directory, &head.headers, method.access())?;
        // Before the body: one that comes slowly counts as long as it takes.
        let place = self.place_of(&caller)?;
        let body_type = body_type(product, &arrived.arrival.path);
        let body = match method {
            Method::Post if body_type == BodyType::Csv => {
                let place = self.uploads.clone().try_acquire_owned().map_err(|_| {
                    let text =
                        "as many files are being read in as there may be at a time; wait for one";
                    Fault::because(ErrorCode::TooManyRequests, text)
                })?;
                let octets = form::read_body(&head.headers, body, body_type).await?;
                // Whoever has the octets has the place.
                Bytes::from_owner(Upload {
                    octets,
                    _place: place,
                })
            }
            Method::Post => form::read_body(&head.headers, body, body_type).await?,
            // Some SDKs send an empty form with these.
            Method::Get | Method::Delete | Method::Other => Bytes::new(),
        };
        Ok(Admitted {
            product,
            method,
            caller,
            _place: place,
            body,
        })
    }

    /// A place among the requests that the caller's account has in hand.
    fn place_of(&self, caller: &Caller) -> Result<Option<Place>, Refusal> {
        let max = self.engine.limits().concurrent_requests;
        if max == 0 {
            return Ok(None);
        }
        let place = self.in_hand.take(caller.account.no, max);
        if place.is_none() {
            self.traffic.count_over_limit();
            let text = format!(
                "this account has {max} requests in flight, the most there may be; wait for one"
            );
            return Err(Fault::because(ErrorCode::TooManyRequests, text).into());
        }
        Ok(place)
    }
}

/// A request that is answered, and not merely refused.
struct Admitted {
    product: Product,
    method: Method,
    caller: Caller,
    _place: Option<Place>,
    body: Bytes,
}

/// A file, and its place among those that are in memory.
struct Upload {
    octets: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Upload {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

/// What the request's head says before anything else is looked at.
struct Arrived<'a> {
    arrival: Arrival<'a>,
    base: Base<'a>,
}

/// Forms, but for the newer generations of messaging, and files.
pub(crate) fn body_type(product: Product, path: &[&str]) -> BodyType {
    match (product, path) {
        (Product::Messaging, ["v2" | "v3", ..]) => BodyType::Json,
        (Product::Extensions, ["v1", "OptOuts", "Import"]) => BodyType::Csv,
        _ => BodyType::Form,
    }
}

fn response(reply: Reply) -> Response<ReplyBody> {
    let body = match reply.stream {
        None => ReplyBody::whole(reply.body),
        Some(stream) => ReplyBody::stream(stream),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.reserve(8);
    if let Some(content_type) = reply.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in reply.headers {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Read by support engineers and dashboards.
fn add_request_headers(
    headers: &mut HeaderMap,
    request_id: RequestId,
    duration_ms: Millis,
    concurrent: usize,
) {
    const REQUEST_ID: HeaderName = HeaderName::from_static("twilio-request-id");
    const REQUEST_DURATION: HeaderName = HeaderName::from_static("twilio-request-duration");
    const CONCURRENT_REQUESTS: HeaderName = HeaderName::from_static("twilio-concurrent-requests");
    let duration_ms = duration_ms.max(0);
    let duration = format!("{}.{:03}", duration_ms / 1000, duration_ms % 1000);
    for (name, value) in [
        (REQUEST_ID, HeaderValue::try_from(request_id.to_string())),
        (REQUEST_DURATION, HeaderValue::try_from(duration)),
    ] {
        headers.insert(
            name,
            value.expect("letters, digits and a point are a header's value"),
        );
    }
    headers.insert(CONCURRENT_REQUESTS, HeaderValue::from(concurrent));
}

/// Web pages may call the 2010 API, as they may at Twilio.
fn add_cors_headers(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "ETag, Twilio-Request-Id, Twilio-Request-Duration, Twilio-Concurrent-Requests, \
             Idempotent-Replayed",
        ),
    );
}

fn preflight() -> Reply {
    let mut reply = Reply::no_content();
    reply.headers.extend([
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, \
             If-Unmodified-Since, Idempotency-Key, I-Twilio-Idempotency-Token",
        ),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ]);
    reply
}
