//! The one guarded HTTP client through which webhooks leave.
//!
//! It sits on hyper directly, so that it knows a failed connect from a failed read (retry policies
//! ask), and connects to the very address that the guard has judged. Every wait has a limit, every
//! answer a size limit, and each redirect is a request of its own: guarded and signed again.

mod connection;
mod fetch;
mod lookup_slots;
mod pool;
mod resolver;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::body::Incoming;
use postrider_core::settings::HttpMethod;
use postrider_core::sid::AccountSid;
use postrider_core::twiml;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use self::connection::{BodyEnd, Connection, Head};
use self::pool::Pool;
use self::resolver::{Question, Resolver};
use self::tls::Tls;
use super::config::Config;
use super::failure::AttemptFailure;
use super::guard::Guard;
use super::job::Job;
use super::request::Request;
use super::scheduler::{AttemptResult, Timeouts};
use super::url::Target;

/// Redirects followed in one attempt.
const REDIRECTS_MAX: u8 = 10;
/// Addresses of a host that are tried, within the one connect timeout.
const ADDRESSES_MAX: usize = 4;

/// Most of an answer's body that is read, in octets.
const BODY_LEN_MAX: usize = twiml::OCTETS_MAX;

/// How long to wait for a body that decides nothing. The connection can be used again only after it.
const BODY_GRACE: Duration = Duration::from_millis(500);

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("webhooks.ca_file {} is not usable: {reason}", path.display())]
    CaFile { path: PathBuf, reason: String },
}

pub struct Client {
    guard: Guard,
    resolver: Resolver,
    tls: Tls,
    pool: Pool,
}

/// What one attempt came to.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) result: AttemptResult,
    /// The last request made.
    pub(super) request: Request,
    pub(super) redirects: u8,
    /// What the last request was answered with, if it was.
    pub(super) response: Option<Response>,
}

/// An answer to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Which it came from, after redirects: as configured, up to the fragment.
    pub url: Box<str>,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// As much of it as was read.
    pub body: Bytes,
    /// There is more of it than is read.
    pub is_too_long: bool,
}

impl Client {
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let limits = config.limits();
        Ok(Self {
            guard: Guard::new(config.allow_private_networks, &config.allow_networks),
            resolver: Resolver::new(),
            tls: Tls::new(config.ca_file.as_deref())?,
            pool: Pool::new(limits.per_endpoint_concurrency, limits.concurrency),
        })
    }

    /// Closes connections that nobody used for long. To be called every few seconds.
    pub(super) fn sweep(&self) {
        self.pool.sweep();
    }

    /// Makes one attempt, redirects included.
    pub(super) async fn attempt(
        &self,
        job: &Job,
        target: &Arc<Target>,
        timeouts: Timeouts,
        idempotency_token: &HeaderValue,
    ) -> Attempted {
        let deadline = Instant::now() + ms(timeouts.total_ms);
        let mut target = target.clone();
        let mut method = job.method;
        let mut redirects = 0;
        loop {
            let request = Request::new(job, &target, method, redirects, idempotency_token);
            let patience = Patience {
                deadline,
                timeouts,
                wants_body: job.event.wants_answer(),
            };
            let exchanged = self
                .exchange(job.account, &request, &target, patience)
                .await;
            let (next, response) = match exchanged {
                Ok(response) => (next_step(&response, &target, method), Some(response)),
                Err(failure) => (Err(failure), None),
            };
            let result = match next {
                Ok(Next::Done(status)) => Ok(status),
                Ok(Next::Redirect { .. }) if redirects == REDIRECTS_MAX => {
                    Err(AttemptFailure::TooManyRedirects)
                }
                Ok(Next::Redirect {
                    target: next_target,
                    method: next_method,
                }) => {
                    (target, method) = (next_target, next_method);
                    redirects += 1;
                    continue;
                }
                Err(failure) => Err(failure),
            };
            return Attempted {
                result,
                request,
                redirects,
                response,
            };
        }
    }

    /// One request and its answer, on an idle connection if there is one.
    async fn exchange(
        &self,
        account: AccountSid,
        request: &Request,
        target: &Target,
        patience: Patience,
    ) -> Result<Response, AttemptFailure> {
        let Patience {
            deadline, timeouts, ..
        } = patience;
        while let Some(mut connection) = self.pool.take(&target.authority) {
            if !connection.is_ready().await {
                continue;
            }
            match send(&mut connection, request, timeouts, deadline).await {
                // The server closed it, most likely before the request was there: that says nothing
                // about the webhook. If it did see the request, the idempotency token tells.
                Err(AttemptFailure::Closed) => break,
                Err(failure) => return Err(failure),
                Ok((head, body)) => {
                    return self.read(connection, head, body, target, patience).await;
                }
            }
        }
        // Outside the connect timeout: that others are asked first says nothing about this host.
        let question = timeout_at(deadline, self.ask(account, target))
            .await
            .map_err(|_| AttemptFailure::ConnectTimeout)?;
        let connect_deadline = deadline.min(Instant::now() + ms(timeouts.connect_ms));
        let mut connection = timeout_at(connect_deadline, self.connect(target, question, timeouts))
            .await
            .unwrap_or(Err(AttemptFailure::ConnectTimeout))?;
        let (head, body) = send(&mut connection, request, timeouts, deadline).await?;
        self.read(connection, head, body, target, patience).await
    }

    /// Reads the body of an answer. Where it decides nothing, what is missing of it is no failure.
    async fn read(
        &self,
        mut connection: Connection,
        head: Head,
        body: Incoming,
        target: &Target,
        patience: Patience,
    ) -> Result<Response, AttemptFailure> {
        let decides = patience.wants_body && head.status.is_success();
        let deadline = if decides {
            patience.deadline
        } else {
            patience.deadline.min(Instant::now() + BODY_GRACE)
        };
        let (body, end) = connection.read_some(body, BODY_LEN_MAX, deadline).await;
        match end {
            BodyEnd::Whole => self.keep(connection, target).await,
            BodyEnd::Late if decides => return Err(AttemptFailure::ReadTimeout),
            BodyEnd::Broken(failure) if decides => return Err(failure),
            BodyEnd::TooLong | BodyEnd::Late | BodyEnd::Broken(_) => {}
        }
        Ok(Response {
            url: target.signed_url.clone(),
            status: head.status,
            headers: head.headers,
            body,
            is_too_long: end == BodyEnd::TooLong,
        })
    }

    async fn keep(&self, mut connection: Connection, target: &Target) {
        if connection.is_ready().await {
            self.pool.put(&target.authority, connection);
        }
    }

    async fn connect(
        &self,
        target: &Target,
        question: Option<Question>,
        timeouts: Timeouts,
    ) -> Result<Connection, AttemptFailure> {
        let addresses = self.addresses(target, question).await?;
        let slice = ms(timeouts.connect_ms) / u32::try_from(addresses.len()).unwrap_or(1);
        let mut failure = AttemptFailure::ConnectFailed;
        for address in addresses {
            let address = SocketAddr::new(address, target.port);
            match timeout(slice, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.open(target, stream).await,
                Ok(Err(_)) => failure = AttemptFailure::ConnectFailed,
                Err(_) => failure = AttemptFailure::ConnectTimeout,
            }
        }
        Err(failure)
    }

    async fn open(&self, target: &Target, stream: TcpStream) -> Result<Connection, AttemptFailure> {
        // A request is one write, so there is nothing to wait and gather for.
        let _ = stream.set_nodelay(true);
        if target.is_https {
            Connection::open(self.tls.handshake(&target.host, stream).await?).await
        } else {
            Connection::open(stream).await
        }
    }

    /// Asks for the target's addresses; `None` if it is one.
    async fn ask(&self, account: AccountSid, target: &Target) -> Option<Question> {
        match target.host.parse::<IpAddr>() {
            Ok(_) => None,
            Err(_) => Some(self.resolver.ask(account, &target.host).await),
        }
    }

    /// The addresses that may be connected to: what was judged here is what is used.
    async fn addresses(
        &self,
        target: &Target,
        question: Option<Question>,
    ) -> Result<Vec<IpAddr>, AttemptFailure> {
        if let Ok(address) = target.host.parse() {
            let is_permitted = self.guard.permits(address);
            return is_permitted
                .then(|| vec![address])
                .ok_or(AttemptFailure::AddressRefused);
        }
        let Some(question) = question else {
            return Err(AttemptFailure::HostUnknown);
        };
        let known = question.answer().await;
        if known.is_empty() {
            return Err(AttemptFailure::HostUnknown);
        }
        let permitted = known
            .iter()
            .copied()
            .filter(|&address| self.guard.permits(address));
        let permitted = permitted.take(ADDRESSES_MAX).collect::<Vec<_>>();
        if permitted.is_empty() {
            return Err(AttemptFailure::HostRefused);
        }
        Ok(permitted)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

async fn send(
    connection: &mut Connection,
    request: &Request,
    timeouts: Timeouts,
    deadline: Instant,
) -> Result<(Head, Incoming), AttemptFailure> {
    let deadline = deadline.min(Instant::now() + ms(timeouts.read_ms));
    let sent = connection.send(request.to_http());
    timeout_at(deadline, sent)
        .await
        .unwrap_or(Err(AttemptFailure::ReadTimeout))
}

enum Next {
    Done(u16),
    Redirect {
        target: Arc<Target>,
        method: HttpMethod,
    },
}

/// How long an exchange may take, and for what.
#[derive(Clone, Copy)]
struct Patience {
    deadline: Instant,
    timeouts: Timeouts,
    /// The body of a good answer decides something.
    wants_body: bool,
}

fn next_step(
    response: &Response,
    target: &Target,
    method: HttpMethod,
) -> Result<Next, AttemptFailure> {
    let method = match response.status {
        status if status.is_success() => return Ok(Next::Done(status.as_u16())),
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => {
            HttpMethod::Get
        }
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => method,
        status => return Err(AttemptFailure::Status(status.as_u16())),
    };
    let location = response.headers.get(LOCATION);
    let location = location.and_then(|location| location.to_str().ok());
    let location = location.ok_or(AttemptFailure::BadRedirect)?;
    let base = Url::parse(&target.signed_url).map_err(|_| AttemptFailure::BadRedirect)?;
    let url = base
        .join(location)
        .map_err(|_| AttemptFailure::BadRedirect)?;
    let target = Target::parse(url.as_str()).map_err(|_| AttemptFailure::BadRedirect)?;
    Ok(Next::Redirect {
        target: Arc::new(target),
        method,
    })
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}
