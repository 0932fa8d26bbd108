//! The stations a message passes, as tasks around the core: accept, dispatch, receive, call back.
//!
//! The core decides, the engine commits what was decided and then performs it. In the order in which
//! a message meets them: [`accept`] turns a request into a message, [`committer`] makes it durable,
//! [`dispatch`] owns it from then on, [`webhooks`] tell the customer. [`runtime`] starts the
//! tasks and channels; [`Engine`] is what callers hold. See `ARCHITECTURE.md` for the whole walk.

pub mod accept;
mod alerts;
mod answer_counts;
mod auth_tokens;
pub mod caps;
mod carriers;
mod change_log;
pub mod committer;
pub mod coverage;
pub mod directory;
pub mod dispatch;
mod fading;
#[cfg(test)]
mod histories;
pub mod idempotency;
pub mod ids;
mod in_hand;
mod inbound_webhooks;
pub mod limits;
pub mod loads;
mod lost_task;
pub mod messages;
pub mod metrics;
pub mod networks;
mod opt_outs;
mod outbox;
pub mod pace;
mod pool;
mod preregistration;
mod rankings;
mod reach;
mod readiness;
pub mod receive;
mod recent;
mod records;
mod refill;
pub mod runtime;
pub mod schedule;
mod scheduled;
pub mod secrets;
pub mod settings;
mod settings_draft;
mod settings_lock;
mod shell;
mod sticky;
mod store_access;
mod store_watch;
mod supervisor;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod webhooks;

use std::sync::Arc;

use postrider_core::clock::{Clock, Millis};
use postrider_store::Store;
use tokio::sync::mpsc;

pub use accept::{Acceptor, Warning};
pub use alerts::{Alerts, Details};
pub use caps::Caps;
pub use committer::Committer;
pub use coverage::Coverage;
pub use directory::Directory;
pub use idempotency::{Begun, Once};
pub use in_hand::{InHand, Place};
pub use limits::{Limits, QueueSeconds};
pub use messages::Created;
pub use metrics::Metrics;
pub use opt_outs::{
    Breadth, Consent, Import, ImportEnd, ImportProgress, ImportRow, Lately, ListOwner, OptOuts,
    ROW_ERRORS_MAX, UnknownSender,
};
pub use preregistration::Compliance;
pub use reach::EngineReach;
pub use records::{Erasure, Left, LeftReason, RETENTION_DAYS};
pub use settings::{NewPoolEntry, PoolWarning};
pub use sticky::Sticky;

use dispatch::Input;
use ids::IdGenerator;
use readiness::Readiness;

/// The engine, as its callers see it. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// Where settings are read and changed instead, see [`idempotency::First`].
    draft: Option<Arc<settings_draft::SettingsDraft>>,
}

struct Shared {
    acceptor: Arc<Acceptor>,
    store: Arc<dyn Store>,
    committer: Committer,
    /// Changes of each main account, its subaccounts' included, that wait for the committer.
    waiting: Arc<InHand>,
    supervisor: supervisor::Supervisor,
    dispatch: mpsc::Sender<Input>,
    /// To the task around dispatch.
    reconfigure: mpsc::Sender<runtime::Reconfigure>,
    /// Wakes the scheduler: something was scheduled or canceled.
    schedule_changed: tokio::sync::Notify,
    /// See [`Engine::scheduled`].
    scheduled: tokio::sync::OnceCell<scheduled::Scheduled>,
    /// See [`settings_lock::SettingsLock`].
    settings_lock: Arc<tokio::sync::Mutex<()>>,
    turns: Arc<idempotency::Turns>,
    answers: answer_counts::AnswerCounts,
    readiness: Readiness,
    reassembly: parking_lot::Mutex<receive::Reassembly>,
    webhooks: webhooks::Handle,
    inquiries: inbound_webhooks::Inquiries,
}

impl Engine {
    pub fn directory(&self) -> &Directory {
        let drafted = self.draft.as_ref().and_then(|draft| draft.directory());
        drafted.unwrap_or(&self.shared.acceptor.directory)
    }

    pub fn now_ms(&self) -> Millis {
        self.shared.acceptor.clock.now_ms()
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.acceptor.clock
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.acceptor.metrics
    }

    pub fn readiness(&self) -> &Readiness {
        &self.shared.readiness
    }

    pub fn ids(&self) -> &IdGenerator {
        &self.shared.acceptor.ids
    }

    pub fn limits(&self) -> &Limits {
        &self.shared.acceptor.limits
    }
}
