//! One HTTP/1.1 connection and one request on it at a time.
//!
//! The connection has no task of its own: whoever makes a request drives it meanwhile. That saves
//! two wake-ups a request, and an idle connection costs nothing but its buffers.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::webhooks::failure::AttemptFailure;

/// Most of an answer's head, in octets. More is not HTTP to us.
const HEAD_LEN_MAX: usize = 64 * 1024;

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the octets. `None` once the connection is closed.
    driver: Option<Driver>,
}

/// The beginning of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// Where the reading of a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    Whole,
    /// There is more of it than was asked for.
    TooLong,
    /// The deadline has passed.
    Late,
    Broken(AttemptFailure),
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
    ) -> Result<(Head, Incoming), AttemptFailure> {
        let response = self.sender.send_request(request);
        let response = drive(&mut self.driver, response)
            .await
            .map_err(|error| failure(&error))?;
        let (head, body) = response.into_parts();
        let (status, headers) = (head.status, head.headers);
        Ok((Head { status, headers }, body))
    }

    /// Reads as much of an answer's body as there is until the deadline, up to so many octets. Only
    /// after a whole one can the connection be used again.
    pub(super) async fn read_some(
        &mut self,
        body: Incoming,
        len_max: usize,
        deadline: Instant,
    ) -> (Bytes, BodyEnd) {
        use hyper::body::Body as _;
        if body.is_end_stream() {
            return (Bytes::new(), BodyEnd::Whole);
        }
        let mut octets = BytesMut::new();
        let read = drive(&mut self.driver, read_into(&mut octets, body, len_max));
        let end = timeout_at(deadline, read).await.unwrap_or(BodyEnd::Late);
        (octets.freeze(), end)
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

async fn read_into(octets: &mut BytesMut, mut body: Incoming, len_max: usize) -> BodyEnd {
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return BodyEnd::Broken(failure(&error)),
        };
        if let Some(data) = frame.data_ref() {
            let room = len_max - octets.len();
            octets.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return BodyEnd::TooLong;
            }
        }
    }
    BodyEnd::Whole
}

fn failure(error: &hyper::Error) -> AttemptFailure {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        AttemptFailure::BadHttp
    } else {
        AttemptFailure::Closed
    }
}
