//! One signed request, ready for the wire: what a job becomes for a given URL.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Uri};
use http_body_util::Full;
use postrider_core::settings::HttpMethod;

use super::job::{Content, Job, Params};
use super::sign;
use super::url::Target;

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
const IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");
const HOME_REGION: HeaderName = HeaderName::from_static("x-home-region");

const FORM: HeaderValue =
    HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Twilio's own: firewalls of customers who moved to us let it pass.
const USER_AGENT: HeaderValue = HeaderValue::from_static("TwilioProxy/1.1");

/// A request as it goes out. Headers include the signature, so treat it as secret where logs go.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Path and query.
    pub path: PathAndQuery,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What the signature was made from.
    pub signed_text: String,
}

impl Request {
    /// The request for `job` at `target`: its own URL, or, after redirects, another.
    pub(super) fn new(
        job: &Job,
        target: &Target,
        method: HttpMethod,
        redirects: u8,
        idempotency_token: &HeaderValue,
    ) -> Self {
        let sent = match (&job.content, method) {
            (Content::Params(params), HttpMethod::Post) => Sent::form(target, params),
            (Content::Json(body), HttpMethod::Post) => Sent::json(target, body),
            (Content::Params(params), HttpMethod::Get) if redirects == 0 => {
                Sent::query(target, &form(params))
            }
            // A redirect names the whole query, and one from POST to GET drops what was posted.
            (Content::Params(_) | Content::Json(_), HttpMethod::Get) => Sent::nothing(target),
        };
        let signature = sign::signature(&job.token, &sent.signed_text);
        let mut headers = HeaderMap::with_capacity(10);
        headers.insert(header::HOST, target.host_header.clone());
        if let Some(content_type) = sent.content_type {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        let signature = HeaderValue::try_from(signature).expect("Base64 is fit for a header");
        headers.insert(SIGNATURE, signature);
        headers.insert(IDEMPOTENCY_TOKEN, idempotency_token.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(HOME_REGION, HeaderValue::from_static("us1"));
        // It is the URL's own: a redirect may lead anywhere.
        if let Some(cookie) = job.cookie.as_ref().filter(|_| redirects == 0) {
            headers.insert(header::COOKIE, cookie.clone());
        }
        if let Some(authorization) = &target.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        Self {
            method: match method {
                HttpMethod::Get => Method::GET,
                HttpMethod::Post => Method::POST,
            },
            path: sent.path,
            headers,
            body: sent.body,
            signed_text: sent.signed_text,
        }
    }

    pub(super) fn to_http(&self) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from(self.path.clone());
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// What depends on how the content travels.
struct Sent {
    path: PathAndQuery,
    body: Bytes,
    content_type: Option<HeaderValue>,
    signed_text: String,
}

impl Sent {
    fn form(target: &Target, params: &Params) -> Self {
        Self {
            path: target.path.clone(),
            body: form(params).into(),
            content_type: Some(FORM),
            signed_text: sign::form_text(&target.signed_url, params),
        }
    }

    fn json(target: &Target, body: &Bytes) -> Self {
        let query = Self::query(target, &sign::body_hash_pair(body));
        Self {
            body: body.clone(),
            content_type: Some(JSON),
            ..query
        }
    }

    fn nothing(target: &Target) -> Self {
        Self {
            path: target.path.clone(),
            body: Bytes::new(),
            content_type: None,
            signed_text: target.signed_url.to_string(),
        }
    }

    /// Nothing but pairs added to the query.
    fn query(target: &Target, pairs: &str) -> Self {
        if pairs.is_empty() {
            return Self::nothing(target);
        }
        let join = |url: &str| {
            let separator = if url.contains('?') { '&' } else { '?' };
            format!("{url}{separator}{pairs}")
        };
        let path = PathAndQuery::try_from(join(target.path.as_str()));
        Self {
            path: path.expect("encoded pairs are fit for a query"),
            signed_text: join(&target.signed_url),
            ..Self::nothing(target)
        }
    }
}

fn form(params: &Params) -> String {
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(512));
    form.extend_pairs(params);
    form.finish()
}
