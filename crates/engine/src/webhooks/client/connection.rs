//! One HTTP/1.1 connection and one request on it at a time.
//!
//! The connection has no task of its own: whoever makes a request drives it meanwhile. That saves
//! two wake-ups a request, and an idle connection costs nothing but its buffers.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::webhooks::failure::AttemptFailure;

/// Most of an answer's head, in octets. More is not HTTP to us.
const HEAD_LEN_MAX: usize = 64 * 1024;

/// An answer's body is of no interest. Up to this much is read, because the connection can be used
/// again only after that; beyond, closing it is cheaper.
const BODY_LEN_MAX: usize = 64 * 1024;

/// How long to wait for the body once the answer is known.
const BODY_GRACE: Duration = Duration::from_millis(500);

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the octets. `None` once the connection is closed.
    driver: Option<Driver>,
}

/// The part of an answer that matters.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: Option<HeaderValue>,
}

impl Connection {
    pub(super) async fn open<S>(stream: S) -> Result<Self, AttemptFailure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, driver) = Builder::new()
            .title_case_headers(true)
            .max_buf_size(HEAD_LEN_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| AttemptFailure::ConnectFailed)?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(driver)),
        })
    }

    /// Whether a request can be sent now: finds out what happened while it was idle.
    pub(super) async fn is_ready(&mut self) -> bool {
        let Self { sender, driver } = self;
        poll_fn(|cx| {
            if let Some(running) = driver
                && running.as_mut().poll(cx).is_ready()
            {
                *driver = None;
            }
            Poll::Ready(driver.is_some() && sender.is_ready())
        })
        .await
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<(Answer, Incoming), AttemptFailure> {
        let response = self.sender.send_request(request);
        let response = drive(&mut self.driver, response)
            .await
            .map_err(|error| failure(&error))?;
        let (mut head, body) = response.into_parts();
        let answer = Answer {
            status: head.status,
            location: head.headers.remove(LOCATION),
        };
        Ok((answer, body))
    }

    /// Reads an answer's body, if it has no more octets than that.
    pub(super) async fn read(
        &mut self,
        body: Incoming,
        len_max: usize,
    ) -> Result<Bytes, AttemptFailure> {
        let collected = Limited::new(body, len_max).collect();
        let collected = drive(&mut self.driver, collected).await;
        collected
            .map(Collected::to_bytes)
            .map_err(|error| match error.downcast::<hyper::Error>() {
                Ok(error) => failure(&error),
                // Too long.
                Err(_) => AttemptFailure::BadHttp,
            })
    }

    /// Reads the rest of an answer, so that the connection can be used again. False: it can't.
    pub(super) async fn finish(&mut self, body: Incoming, deadline: Instant) -> bool {
        use hyper::body::Body as _;
        if !body.is_end_stream() {
            let deadline = deadline.min(Instant::now() + BODY_GRACE);
            let drained = timeout_at(deadline, drive(&mut self.driver, drain(body))).await;
            if !matches!(drained, Ok(true)) {
                return false;
            }
        }
        self.is_ready().await
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("is_open", &self.driver.is_some())
            .finish_non_exhaustive()
    }
}

/// Awaits `future` while moving the connection's octets.
async fn drive<F: Future>(driver: &mut Option<Driver>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Some(running) = driver
            && running.as_mut().poll(cx).is_ready()
        {
            *driver = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}

async fn drain(mut body: Incoming) -> bool {
    let mut len = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        len += frame.data_ref().map_or(0, Bytes::len);
        if len > BODY_LEN_MAX {
            return false;
        }
    }
    true
}

fn failure(error: &hyper::Error) -> AttemptFailure {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        AttemptFailure::BadHttp
    } else {
        AttemptFailure::Closed
    }
}
