//! Webhooks that call a customer's web server.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};
use postrider_core::message::{AccountNo, Status};
use postrider_core::settings::{Account, Document, HttpMethod};
use postrider_core::sid::{AccountSid, Id, MessageKind, MessageSid};
use postrider_core::testing;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::alerts::Alerts;
use crate::directory::Directory;
use crate::ids::IdGenerator;
use crate::secrets::Vault;
use crate::webhooks::{
    Alarm, AttemptRecord, AttemptResult, AuthToken, Client, Config, Content, Event, Finished,
    Handle, Job, Logged, Observer, Outcome, Report, TokenSecret, Wiring, spawn,
};

pub(super) use crate::testing::web_server::Server;

pub(super) const TOKEN: &str = "12345";

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
        auth_token_sealed: vault.seal(TOKEN, [0; 12]),
        ..testing::account(AccountSid(Id::from_u128(1)), AccountNo(1))
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
        finished.sort_by_key(|finished| finished.event);
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
        cookie: None,
        token: AuthToken::new(TOKEN),
        due_ms: 0,
    }
}
