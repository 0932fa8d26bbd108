//! A customer's web server on a port of its own, and webhooks that call it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};
use postrider_core::message::{AccountNo, Status};
use postrider_core::settings::{Account, AccountStatus, Document, HttpMethod};
use postrider_core::sid::{AccountSid, Id, MessageKind, MessageSid};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::alerts::Alerts;
use crate::directory::Directory;
use crate::ids::IdGenerator;
use crate::secrets::Vault;
use crate::webhooks::{
    Alarm, AttemptRecord, AttemptResult, AuthToken, Client, Config, Content, Event, Finished,
    Handle, Job, Logged, Observer, Outcome, Report, TokenSecret, Wiring, spawn,
};

pub(super) const TOKEN: &str = "12345";

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers by path: `/status/404`, `/redirect/307?to`, `/hang`, `/large`, `/drip`; else 200.
    pub(super) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub(super) async fn start_at(address: &str) -> Self {
        Self::listen(address, None).await
    }

    pub(super) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::listen("127.0.0.1:0", Some(acceptor)).await
    }

    async fn listen(address: &str, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        tokio::spawn(server.clone().accept(listener, acceptor));
        server
    }

    async fn accept(self, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            self.connections.fetch_add(1, Ordering::Relaxed);
            let (server, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                match acceptor {
                    None => server.serve(stream).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            server.serve(stream).await;
                        }
                    }
                }
            });
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        let service = service_fn(move |request| self.clone().answer(request));
        // The client may go at any time.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(
        self,
        request: http::Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = head.uri.to_string();
        let seen = Seen {
            method: head.method,
            path: path.clone(),
            headers: head.headers,
            body,
        };
        self.seen.lock().push(seen);
        let mut response = Response::new(Full::new(Bytes::new()));
        if let Some(status) = path.strip_prefix("/status/") {
            *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).unwrap();
        } else if let Some(redirect) = path.strip_prefix("/redirect/") {
            let (status, to) = redirect.split_once('?').unwrap();
            *response.status_mut() = StatusCode::from_bytes(status.as_bytes()).unwrap();
            response
                .headers_mut()
                .insert(header::LOCATION, to.parse().unwrap());
        } else if path.starts_with("/hang") {
            std::future::pending::<()>().await;
        } else if path.starts_with("/large") {
            *response.body_mut() = Full::new(Bytes::from(vec![b'x'; 10_000_000]));
        }
        Ok(response)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn hits(&self) -> usize {
        self.seen.lock().len()
    }
}

/// Remembers the attempts.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) attempts: Mutex<Vec<(String, AttemptResult)>>,
    logged: Logged,
}

impl Observer for Watch {
    fn attempted(&self, record: &AttemptRecord<'_>) {
        self.logged.attempted(record);
        let token = record.request.headers["i-twilio-idempotency-token"]
            .to_str()
            .unwrap();
        self.attempts.lock().push((token.to_owned(), record.result));
    }
}

/// Milliseconds since it was made.
struct Stopwatch(Instant);

impl Clock for Stopwatch {
    fn now_ms(&self) -> Millis {
        self.0.elapsed().as_millis().try_into().unwrap()
    }
}

/// The account of [`job`]s.
fn directory() -> Arc<Directory> {
    let vault = Vault::new(&[9; 32]);
    let account = Account {
        sid: AccountSid(Id::from_u128(1)),
        no: AccountNo(1),
        parent: None,
        friendly_name: "A".to_owned(),
        status: AccountStatus::Active,
        auth_token_hash: String::new(),
        auth_token_sealed: vault.seal(TOKEN, [0; 12]),
        secondary_token: None,
        created_ms: 0,
        updated_ms: 0,
    };
    Arc::new(Directory::load(vec![Document::Account(account)], vault).unwrap())
}

/// Running webhooks, and the engine's end of their reports.
pub(super) struct Webhooks {
    pub(super) handle: Handle,
    pub(super) watch: Arc<Watch>,
    pub(super) alerts: Arc<Alerts>,
    reports: mpsc::Receiver<Vec<Report>>,
}

/// Settings that let tests reach this machine, and nothing else.
pub(super) fn config() -> Config {
    Config {
        allow_networks: vec!["127.0.0.1".parse().unwrap()],
        ..Config::default()
    }
}

impl Webhooks {
    pub(super) fn start(config: &Config) -> Self {
        let watch = Arc::new(Watch::default());
        let clock: Arc<dyn Clock> = Arc::new(Stopwatch(Instant::now()));
        let ids = Arc::new(IdGenerator::new(clock.clone(), [1; 32]));
        let alerts = Arc::new(Alerts::new(clock.clone(), ids, Arc::default(), directory()));
        let (reports_tx, reports) = mpsc::channel(1);
        let wiring = Wiring {
            clock,
            client: Arc::new(Client::new(config).unwrap()),
            secret: TokenSecret::new([7; 32]),
            observer: watch.clone(),
            alarm: Alarm::new(alerts.clone(), directory()),
            reports: reports_tx,
        };
        Self {
            handle: spawn(config, wiring),
            watch,
            alerts,
            reports,
        }
    }

    /// Offers one job for each URL and waits until all are finished; outcomes by message.
    pub(super) async fn finish(&mut self, urls: &[&str]) -> Vec<Outcome> {
        let jobs = urls
            .iter()
            .zip(0..)
            .map(|(url, message)| job(url, message))
            .collect();
        self.handle.offer(jobs);
        let mut finished = self.finished(urls.len()).await;
        finished.sort_by_key(|finished| finished.message);
        finished
            .into_iter()
            .map(|finished| finished.outcome)
            .collect()
    }

    /// Waits for so many jobs to finish.
    pub(super) async fn finished(&mut self, count: usize) -> Vec<Finished> {
        let mut finished = Vec::new();
        while finished.len() < count {
            let reports = tokio::time::timeout(Duration::from_secs(20), self.reports.recv());
            for report in reports
                .await
                .expect("a report in time")
                .expect("the webhooks run")
            {
                if let Report::Finished(job) = report {
                    finished.push(job);
                }
            }
        }
        finished
    }
}

pub(super) fn job(url: &str, message: u128) -> Job {
    let message = MessageSid {
        id: Id::from_u128(message),
        kind: MessageKind::Sms,
    };
    Job {
        event: Event::StatusCallback {
            message,
            status: Status::Sent,
        },
        account: AccountSid(Id::from_u128(1)),
        method: HttpMethod::Post,
        url: url.into(),
        content: Content::Params(vec![
            ("MessageSid", message.to_string().into()),
            ("MessageStatus", "sent".into()),
            ("To", "+447700900199".into()),
            ("From", "ACME & Söhne".into()),
        ]),
        token: AuthToken::new(TOKEN),
        due_ms: 0,
    }
}
