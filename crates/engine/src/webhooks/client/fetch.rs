//! Reading what is at a URL, for questions of the engine's own.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use postrider_core::sid::{AccountSid, Id};
use tokio::time::{Instant, timeout_at};

use super::Client;
use super::connection::{BodyEnd, Connection};
use crate::webhooks::failure::AttemptFailure;
use crate::webhooks::scheduler::Timeouts;
use crate::webhooks::url::Target;

/// Names are asked for in the lines of accounts; these are nobody's.
const NOBODY: AccountSid = AccountSid(Id::MIN);

impl Client {
    /// One GET: status and body, which may have so many octets. A redirect is an answer like any other.
    pub(crate) async fn get(
        &self,
        url: &str,
        authorization: Option<&HeaderValue>,
        deadline: Instant,
        body_len_max: usize,
    ) -> Result<(StatusCode, Bytes), AttemptFailure> {
        let target = Target::parse(url).map_err(|_| AttemptFailure::HostUnknown)?;
        let request = || request(&target, authorization);
        let body_of = async |mut connection: Connection| {
            let sent = connection.send(request()).await;
            let (head, body) = sent?;
            let (body, end) = connection.read_some(body, body_len_max, deadline).await;
            match end {
                BodyEnd::Whole => {}
                BodyEnd::TooLong => return Err(AttemptFailure::BadHttp),
                BodyEnd::Late => return Err(AttemptFailure::ReadTimeout),
                BodyEnd::Broken(failure) => return Err(failure),
            }
            self.keep(connection, &target).await;
            Ok((head.status, body))
        };
        let exchanged = async {
            while let Some(mut connection) = self.pool.take(&target.authority) {
                if !connection.is_ready().await {
                    continue;
                }
                match body_of(connection).await {
                    // The server closed it while it was idle: that says nothing about this question.
                    Err(AttemptFailure::Closed) => break,
                    exchanged => return exchanged,
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let question = self.ask(NOBODY, &target).await;
            let connected = self.connect(&target, question, timeouts(left)).await;
            body_of(connected?).await
        };
        timeout_at(deadline, exchanged)
            .await
            .unwrap_or(Err(AttemptFailure::ReadTimeout))
    }
}

/// All of them what is left: the deadline is over the whole.
fn timeouts(left: Duration) -> Timeouts {
    let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
    Timeouts {
        connect_ms: left_ms,
        read_ms: left_ms,
        total_ms: left_ms,
    }
}

fn request(target: &Target, authorization: Option<&HeaderValue>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = Uri::from(target.path.clone());
    let headers = request.headers_mut();
    headers.insert(HOST, target.host_header.clone());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let agent = concat!("postrider/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if let Some(authorization) = authorization.or(target.authorization.as_ref()) {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    request
}
