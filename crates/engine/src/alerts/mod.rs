//! Alerts: what went wrong, or not as meant, told to the customer in the Debugger's list.
//!
//! [`Alerts::raise`] may be called from anywhere and as often as things go wrong: it never waits, never
//! fails, and what it does not tell anew it counts (see `throttle.rs`). A task beside the messages
//! writes what was raised. What can't be written waits until it can, and while so much waits that there
//! is no room, nothing more is told. A crash forgets what waited, and nothing depends on that.

mod conceal;
mod tasks;
#[cfg(test)]
mod tests;
mod throttle;

use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::fault::Fault;
use postrider_core::message::AccountNo;
use postrider_core::sid::{AlertSid, Id, ServiceSid};
use postrider_store::{Alert, AlertFilter, AlertRepeat, AlertStore, Cursor, Exchange, Result};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

pub(crate) use self::conceal::Gone;
pub(crate) use self::tasks::{forget, write};

use self::throttle::{Kind, Throttle, Verdict};
use crate::Engine;
use crate::directory::Directory;
use crate::ids::IdGenerator;
use crate::metrics::Metrics;

/// Alerts that wait to be written, or are being written; beyond that they are dropped, and counted.
const WAITING_MAX: usize = 4_096;

/// With so many waiting they are written at once.
const WAITING_MANY: usize = 512;

/// Alerts of the former process from which the throttle learns what was told already.
const RECALLED_MAX: usize = 10_000;

/// The way to raise alerts.
pub struct Alerts {
    clock: Arc<dyn postrider_core::clock::Clock>,
    ids: Arc<IdGenerator>,
    metrics: Arc<Metrics>,
    directory: Arc<Directory>,
    state: Mutex<State>,
    /// Read by each that takes something out of alerts and of a record, written by who writes alerts.
    concealing: tokio::sync::RwLock<()>,
    has_many: Notify,
}

#[derive(Default)]
struct State {
    throttle: Throttle,
    new: Vec<Alert>,
    /// How many are being written.
    in_writing: usize,
    repeats: FxHashMap<Id, AlertRepeat>,
}

/// What the writer takes away to write.
#[derive(Clone, Debug)]
struct Batch {
    new: Vec<Alert>,
    repeats: Vec<AlertRepeat>,
}

/// What an alert tells beside its code. What is not given is the code's own.
#[derive(Clone, Debug, Default)]
pub struct Details {
    pub level: Option<AlertLevel>,
    /// SID of the message or sender.
    pub resource: Option<Box<str>>,
    pub service: Option<ServiceSid>,
    /// A sentence for the customer.
    pub text: Option<Box<str>>,
    pub exchange: Option<Box<Exchange>>,
}

impl Alerts {
    pub fn new(
        clock: Arc<dyn postrider_core::clock::Clock>,
        ids: Arc<IdGenerator>,
        metrics: Arc<Metrics>,
        directory: Arc<Directory>,
    ) -> Self {
        Self {
            clock,
            ids,
            metrics,
            directory,
            state: Mutex::default(),
            concealing: tokio::sync::RwLock::default(),
            has_many: Notify::new(),
        }
    }

    /// Learns from the alerts of former processes what was told already. Called once, at the start.
    pub(crate) fn recall(&self, store: &dyn AlertStore) -> Result<()> {
        let told = store.recent(0, RECALLED_MAX)?;
        let throttle = &mut self.state.lock().throttle;
        for alert in &told {
            let at_ms = alert.id.created_ms();
            let kind = self.kind(alert.account, alert.code, &alert.scope);
            throttle.take(kind, at_ms, true, || alert.id);
        }
        if let Some(last) = told.last() {
            // A clock that was set back can't give an id twice.
            self.ids.start_after(last.id);
        }
        Ok(())
    }

    /// Tells the account that this happened, or that it happened again. Alerts of one account, code and
    /// `scope` (a service, a URL, whatever the cause has in common) are alike: when there are many,
    /// only some are told, and count the others. `details` are asked for those only, and raise none.
    pub fn raise(
        &self,
        account: AccountNo,
        code: ErrorCode,
        scope: &str,
        details: impl FnOnce() -> Details,
    ) {
        self.metrics.alerts.inc();
        let kind = self.kind(account, code, scope);
        let mut state = self.state.lock();
        // Under the lock, or another thread's later instant might come first.
        let now_ms = self.clock.now_ms();
        let has_room = state.new.len() + state.in_writing < WAITING_MAX;
        let next_id = || self.ids.next();
        match state.throttle.take(kind, now_ms, has_room, next_id) {
            Verdict::Told { id, scope } => {
                let alert = alert(id, account, code, scope, details());
                let news = News::of(&alert);
                state.new.push(alert);
                // Once, not with each that waits after a failure.
                let has_many = state.new.len() == WAITING_MANY;
                // The log may be slow, and others have alerts to raise.
                drop(state);
                if has_many {
                    self.has_many.notify_one();
                }
                news.tell_operator();
            }
            Verdict::Repeated(id) => {
                let repeat = AlertRepeat {
                    id,
                    count: 1,
                    last_ms: now_ms,
                };
                state.count(repeat);
            }
            Verdict::Dropped => drop(self.metrics.alerts_dropped.inc()),
        }
    }

    fn kind<'a>(&self, account: AccountNo, code: ErrorCode, scope: &'a str) -> Kind<'a> {
        let main = self.directory.main_account_no(account);
        Kind {
            main: main.unwrap_or(account),
            account,
            code,
            scope,
        }
    }

    /// What waits to be written. [`Alerts::written`] says what became of it.
    fn take(&self) -> Option<Batch> {
        let mut state = self.state.lock();
        let repeats: Vec<_> = std::mem::take(&mut state.repeats).into_values().collect();
        let new = std::mem::take(&mut state.new);
        state.in_writing = new.len();
        (!new.is_empty() || !repeats.is_empty()).then_some(Batch { new, repeats })
    }

    /// A batch is written, or waits again.
    fn written(&self, unwritten: Option<Batch>) {
        let mut state = self.state.lock();
        state.in_writing = 0;
        if let Some(mut batch) = unwritten {
            batch.new.append(&mut state.new);
            state.new = batch.new;
            for repeat in batch.repeats {
                state.count(repeat);
            }
        }
    }

    /// What was raised and not written.
    #[cfg(test)]
    pub(crate) fn raised(&self) -> Vec<Alert> {
        self.state.lock().new.clone()
    }
}

impl State {
    fn count(&mut self, more: AlertRepeat) {
        let repeat = self
            .repeats
            .entry(more.id)
            .or_insert(AlertRepeat { count: 0, ..more });
        repeat.count += more.count;
        repeat.last_ms = repeat.last_ms.max(more.last_ms);
    }
}

fn alert(id: Id, account: AccountNo, code: ErrorCode, scope: &str, details: Details) -> Alert {
    Alert {
        id,
        account,
        code,
        level: details.level.unwrap_or(code.alert_level()),
        resource: details.resource,
        service: details.service,
        scope: scope.into(),
        text: details.text.unwrap_or_else(|| code.message().into()),
        count: 1,
        updated_ms: id.created_ms(),
        exchange: details.exchange,
    }
}

/// What operators hear of an alert.
struct News {
    code: ErrorCode,
    text: Box<str>,
    resource: Option<Box<str>>,
    service: Option<ServiceSid>,
}

impl News {
    fn of(alert: &Alert) -> Self {
        Self {
            code: alert.code,
            text: alert.text.clone(),
            resource: alert.resource.clone(),
            service: alert.service,
        }
    }

    /// Warnings are about settings, which operators may want to know of. Failures are counted, and many.
    fn tell_operator(&self) {
        let (code, text) = (self.code.code(), &*self.text);
        let message_sid = self.resource.as_deref();
        let service_sid = self.service.map(tracing::field::display);
        if self.code.alert_level() == AlertLevel::Warning {
            tracing::warn!(code, message_sid, service_sid, "{text}");
        } else {
            tracing::debug!(code, message_sid, service_sid, "an alert is raised: {text}");
        }
    }
}

/// Reading alerts.
impl Engine {
    /// Where alerts are raised.
    pub fn alerting(&self) -> &Arc<Alerts> {
        &self.shared.acceptor.alerts
    }

    pub async fn alerts(
        &self,
        filter: AlertFilter,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<Alert>, Fault> {
        // Those that are too old may not be forgotten yet.
        let oldest_ms = self.alerts_kept_from_ms(filter.account);
        let filter = AlertFilter {
            from_ms: Some(filter.from_ms.unwrap_or(oldest_ms).max(oldest_ms)),
            ..filter
        };
        let store = self.shared.store.clone();
        self.read(move || store.alerts().list(&filter, cursor, limit))
            .await
    }

    /// The account's alert with this SID.
    pub async fn alert(&self, account: AccountNo, sid: AlertSid) -> Result<Alert, Fault> {
        let store = self.shared.store.clone();
        let alert = self.read(move || store.alerts().find(sid.0)).await?;
        let oldest_ms = self.alerts_kept_from_ms(account);
        let own =
            alert.filter(|alert| alert.account == account && alert.id.created_ms() >= oldest_ms);
        own.ok_or_else(|| {
            let text = format!("The requested alert {sid} was not found");
            Fault::because(ErrorCode::NotFound, text)
        })
    }
}
