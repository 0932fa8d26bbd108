//! Webhooks that failed for good, and URLs that ask for what can't be: told to their customers.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, header};
use postrider_core::error_code::ErrorCode;
use postrider_core::settings::HttpMethod;
use postrider_core::sid::AccountSid;
use postrider_store::Exchange;

use super::client::Response;
use super::job::{Content, Job, Outcome};
use super::overrides::InvalidOverride;
use super::record::safe_url;
use super::request::Request;
use crate::alerts::{Alerts, Details};
use crate::directory::Directory;

/// Where webhooks raise their alerts.
pub struct Alarm {
    alerts: Arc<Alerts>,
    directory: Arc<Directory>,
}

/// What the last attempt of a job sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    method: Method,
    headers: HeaderMap,
}

impl From<Request> for Sent {
    fn from(request: Request) -> Self {
        Self {
            method: request.method,
            headers: request.headers,
        }
    }
}

/// What the last attempt of a job came to.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) sent: Sent,
    pub(super) response: Option<Response>,
}

/// Most of an answer's body that an alert shows, in characters: enough to see what it is.
const BODY_SHOWN_MAX: usize = 4_096;

impl Alarm {
    pub(crate) fn new(alerts: Arc<Alerts>, directory: Arc<Directory>) -> Self {
        Self { alerts, directory }
    }

    /// A job has ended. `last` is what its last attempt sent and got, if it had one.
    pub(super) fn ended(&self, job: &Job, outcome: Outcome, last: Option<&Last>) {
        let Some(code) = outcome.code() else {
            return;
        };
        let why = match outcome {
            Outcome::Failed(failure) => failure.to_string(),
            Outcome::TooOld => "it waited for too long".to_owned(),
            Outcome::Misconfigured => "its URL can't be requested".to_owned(),
            Outcome::Answered { .. } => return,
        };
        self.raise(job, code, safe_url(&job.url), || Details {
            text: Some(format!("{} failed: {why}", job.event.name()).into()),
            exchange: Some(Box::new(exchange(
                job,
                last.map(|last| &last.sent),
                last.and_then(|last| last.response.as_ref()),
            ))),
            ..details(job)
        });
    }

    /// A connection override of the job's URL is not understood.
    pub(super) fn overridden(&self, job: &Job, invalid: &InvalidOverride) {
        let scope = format!("{} {invalid}", safe_url(&job.url));
        self.raise(job, invalid.code(), &scope, || Details {
            text: Some(invalid.to_string().into()),
            exchange: Some(Box::new(Exchange {
                // The fragment is what it is about.
                url: without_credentials(&job.url).into(),
                ..request_of(job)
            })),
            ..details(job)
        });
    }

    fn raise(&self, job: &Job, code: ErrorCode, scope: &str, details: impl FnOnce() -> Details) {
        if let Some(account) = self.account(job.account) {
            self.alerts.raise(account, code, scope, details);
        }
    }

    fn account(&self, sid: AccountSid) -> Option<postrider_core::message::AccountNo> {
        self.directory.account(sid).map(|account| account.no)
    }
}

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Alarm(…)")
    }
}

fn details(job: &Job) -> Details {
    let service = match &job.content {
        Content::Params(params) => params
            .iter()
            .find(|(name, _)| *name == "MessagingServiceSid")
            .and_then(|(_, sid)| sid.parse().ok()),
        Content::Json(_) => None,
    };
    Details {
        resource: Some(job.event.message().to_string().into()),
        service,
        ..Details::default()
    }
}

/// What is told of a request and of its answer, where there was one.
pub(super) fn exchange(job: &Job, sent: Option<&Sent>, response: Option<&Response>) -> Exchange {
    let mut exchange = request_of(job);
    if let Some(response) = response {
        let body = String::from_utf8_lossy(&response.body);
        let shown: String = body.chars().take(BODY_SHOWN_MAX).collect();
        exchange.status = Some(response.status.as_u16());
        exchange.response_headers = Some(lines(&response.headers).into());
        exchange.response_body = Some(shown.into());
    }
    if let Some(sent) = sent {
        // A redirect may have changed it.
        exchange.method = match sent.method {
            Method::GET => HttpMethod::Get,
            _ => HttpMethod::Post,
        };
        exchange.request_headers = Some(lines(&sent.headers).into());
    }
    exchange
}

/// The request as the job has it.
fn request_of(job: &Job) -> Exchange {
    let url = without_credentials(&job.url);
    let variables = match &job.content {
        Content::Params(params) => {
            let mut form = form_urlencoded::Serializer::new(String::with_capacity(512));
            form.extend_pairs(params);
            form.finish()
        }
        Content::Json(body) => String::from_utf8_lossy(body).into_owned(),
    };
    Exchange {
        method: job.method,
        url: url.split('#').next().unwrap_or_default().into(),
        request_headers: None,
        request_variables: Some(variables.into()),
        status: None,
        response_headers: None,
        response_body: None,
    }
}

/// Passwords, and what lets one in without them.
const SECRET: [HeaderName; 3] = [header::AUTHORIZATION, header::COOKIE, header::SET_COOKIE];

/// The URL without `user:password@`.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_ends);
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// One a line, without what is secret.
fn lines(headers: &HeaderMap) -> String {
    let shown = headers.iter().filter(|(name, _)| !SECRET.contains(name));
    let lines: Vec<_> = shown
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("https://u:p@a.example/x?y=@", "https://a.example/x?y=@"),
            ("https://a.example/@x", "https://a.example/@x"),
            ("http://u:p%40@a.example", "http://a.example"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(without_credentials(url), shown, "{url}");
        }
    }
}
