//! Start and stop: the tasks and channels around the values that decide.
//!
//! One task owns [`Dispatch`] (`shell.rs`), one thread commits, others look after what goes on beside
//! the messages. Nothing in here decides anything.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use postrider_carriers::{Carrier, CarrierNo, EventBatch};
use postrider_core::cap::CapRule;
use postrider_core::clock::Clock;
use postrider_core::message::Message;
use postrider_core::opt_out::Wording;
use postrider_core::pacing::PaceSettings;
use postrider_core::route::Routes;
use postrider_store::{CountDepths, Store};
use tokio::sync::{Notify, OnceCell, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::Coverage;
use crate::accept::Acceptor;
use crate::alerts::Alerts;
use crate::answer_counts::AnswerCounts;
use crate::caps::Caps;
use crate::carriers::Carriers;
use crate::committer::Committer;
use crate::directory::Directory;
use crate::dispatch::{CarrierPolicy, Dispatch, DispatchLimits, callback_job};
use crate::ids::IdGenerator;
use crate::inbound_webhooks::Inquiries;
use crate::limits::Limits;
use crate::loads::Loads;
use crate::metrics::Metrics;
use crate::opt_outs::{self, OptOuts};
use crate::preregistration::Compliance;
use crate::readiness::Readiness;
use crate::receive::{self, Reassembly};
use crate::secrets::Vault;
use crate::shell::Shell;
use crate::supervisor::Supervisor;
use crate::webhooks;
use crate::{
    Engine, Shared, Sticky, alerts, outbox, records, refill, schedule, sticky, store_watch,
};

/// Everything an engine is made of.
pub struct Setup {
    pub clock: Arc<dyn Clock>,
    /// Seeds ids and secrets.
    pub seed: [u8; 32],
    /// Opens sealed auth tokens.
    pub instance_key: [u8; 32],
    pub store: Arc<dyn Store>,
    pub limits: Limits,
    pub compliance: Compliance,
    pub dispatch_limits: DispatchLimits,
    pub paces: PaceSettings,
    pub caps: Vec<CapRule>,
    /// What is answered to opt-out keywords where a service says nothing of its own.
    pub opt_out_wording: Wording,
    pub routes: Routes,
    pub coverage: Coverage,
    pub carriers: Vec<(CarrierPolicy, Arc<dyn Carrier>)>,
    /// What the carriers say; each closes when the carriers that share it are gone.
    pub events: Vec<mpsc::Receiver<EventBatch>>,
    pub webhooks: webhooks::Config,
    /// Hears of every attempt at a webhook.
    pub observer: Arc<dyn webhooks::Observer>,
    pub metrics: Arc<Metrics>,
}

/// Routes, carriers and paces that take the place of the running ones.
pub struct Reconfiguration {
    /// Over carriers that are not retired.
    pub routes: Routes,
    /// Of every carrier by its number, those of earlier times included.
    pub carriers: Vec<CarrierPolicy>,
    pub retired: BTreeSet<CarrierNo>,
    /// The new ones, at the numbers that come next.
    pub started: Vec<Arc<dyn Carrier>>,
    /// What the new ones say, likewise.
    pub events: Vec<mpsc::Receiver<EventBatch>>,
    pub paces: PaceSettings,
}

/// A reconfiguration on its way to the shell, which answers when it is in force.
pub(crate) type Reconfigure = (Reconfiguration, oneshot::Sender<()>);

/// A running engine's tasks, to be shut down.
pub struct Running {
    engine: Engine,
    /// Told how long carriers may take for their last answers. From then on parts may end.
    stop: watch::Sender<Option<Duration>>,
    dispatch: JoinHandle<()>,
    outbox: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    committer: std::thread::JoinHandle<()>,
}

/// What kept an engine from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Store(#[from] postrider_store::StoreError),
    #[error(transparent)]
    Key(#[from] crate::secrets::WrongKey),
    #[error("the webhook client can't be made: {0}")]
    Webhooks(String),
}

/// How long each part of a shutdown may take after the carriers' grace: their unbinding (an SMSC has
/// 5 seconds to answer), webhooks under way, what they report, the last commits.
const UNBINDING: Duration = Duration::from_secs(6);
const WEBHOOKS: Duration = Duration::from_secs(2);
const OUTBOX: Duration = Duration::from_secs(1);
const COMMITS: Duration = Duration::from_secs(2);

/// What [`Running::shut_down`] takes at most beyond the grace it is given.
pub const SHUT_DOWN: Duration = UNBINDING
    .saturating_add(WEBHOOKS)
    .saturating_add(OUTBOX)
    .saturating_add(COMMITS);

/// Inputs of dispatch that wait to be taken.
const INBOX: usize = 1_024;

/// Starts an engine. Must be called within a tokio runtime.
pub fn start(setup: Setup) -> Result<(Engine, Running), StartError> {
    let clock = setup.clock;
    let store = setup.store;
    let metrics = setup.metrics;
    let ids = Arc::new(IdGenerator::new(clock.clone(), setup.seed));
    let boot_last = store.last_id()?;
    if let Some(last) = boot_last {
        ids.start_after(last);
    }
    let vault = Vault::new(&setup.instance_key);
    let directory = Arc::new(Directory::load(store.documents()?, vault)?);
    let alerts = Arc::new(Alerts::new(
        clock.clone(),
        ids.clone(),
        metrics.clone(),
        directory.clone(),
    ));
    alerts.recall(store.alerts())?;
    let loads = Arc::new(Loads::default());
    // Before anything moves.
    let depths = store.queue_depths()?;
    let routes = Arc::new(setup.routes);
    let paces = Arc::new(setup.paces);
    let (inputs, inbox) = mpsc::channel(INBOX);
    let (stop, stopping) = watch::channel(None);
    let supervisor = Supervisor::new(stopping.clone());
    let (committer, thread) = Committer::spawn(
        store.clone(),
        metrics.clone(),
        inputs.clone(),
        supervisor.clone(),
    );
    let (reports_to, reports) = mpsc::channel(INBOX);
    let (wishes_to, wishes) = mpsc::channel(INBOX);
    let overflowed = refill::Overflowed::default();
    let client = webhooks::Client::new(&setup.webhooks)
        .map_err(|error| StartError::Webhooks(error.to_string()))?;
    let webhooks = webhooks::spawn(
        &setup.webhooks,
        webhooks::Wiring {
            clock: clock.clone(),
            client: Arc::new(client),
            secret: webhooks::TokenSecret::new(setup.instance_key),
            observer: setup.observer,
            alarm: webhooks::Alarm::new(alerts.clone(), directory.clone()),
            reports: reports_to,
        },
    );
    let policies: Vec<_> = setup
        .carriers
        .iter()
        .map(|(policy, _)| policy.clone())
        .collect();
    let mut carriers = Carriers::new();
    let started = setup.carriers.into_iter();
    carriers.add(
        started.map(|(policy, carrier)| (policy.name, carrier)),
        setup.events,
    );

    let mut dispatch = Dispatch::new(
        directory.clone(),
        loads.clone(),
        metrics.clone(),
        setup.dispatch_limits,
        paces.clone(),
        routes.clone(),
        policies,
    );
    dispatch.start(
        boot_last,
        store.queued_senders()?,
        store.parked()?,
        clock.now_ms(),
    );

    let reassembly = Reassembly::open(store.parts()?, clock.now_ms());
    let sticky = Sticky::open(store.clone(), &directory, clock.now_ms())?;
    let opt_outs = OptOuts::open(store.clone(), setup.opt_out_wording, clock.now_ms())?;
    dispatch.obey(opt_outs.lately());
    let caps = Caps::open(setup.caps, &*store, &directory, clock.now_ms())?;
    let answers = AnswerCounts::open(store.answers(), &directory)?;
    let acceptor = Arc::new(Acceptor {
        clock: clock.clone(),
        ids,
        directory,
        loads,
        metrics: metrics.clone(),
        limits: setup.limits,
        paces: ArcSwap::new(paces),
        routes: ArcSwap::new(routes),
        coverage: ArcSwap::from_pointee(setup.coverage),
        sticky,
        alerts,
        compliance: ArcSwap::from_pointee(setup.compliance),
        caps,
        opt_outs,
    });
    let (reconfigure, reconfigurations) = mpsc::channel(1);
    let engine = Engine {
        shared: Arc::new(Shared {
            acceptor,
            store: store.clone(),
            committer,
            waiting: Arc::default(),
            supervisor: supervisor.clone(),
            dispatch: inputs,
            reconfigure,
            schedule_changed: Notify::new(),
            scheduled: OnceCell::new(),
            settings_lock: Arc::default(),
            turns: Arc::default(),
            answers,
            readiness: Readiness::default(),
            reassembly: Mutex::new(reassembly),
            webhooks,
            inquiries: Inquiries::new(wishes_to.clone()),
        }),
        draft: None,
    };
    let shell = Shell::new(engine.clone(), carriers);
    let dispatch = shell.run(dispatch, inbox, reconfigurations, stopping);
    let dispatch = supervisor.spawn("dispatch", dispatch);
    let outbox = outbox::run(engine.clone(), reports, overflowed.clone(), wishes_to);
    let outbox = supervisor.spawn("the outbox", outbox);
    let refill = refill::run(engine.clone(), overflowed, wishes);
    let (counted_to, counted) = oneshot::channel();
    let others = vec![
        supervisor.spawn("the scheduler", schedule::run(engine.clone(), counted)),
        supervisor.spawn("the refill", refill),
        supervisor.spawn("reassembly", receive::run(engine.clone())),
        supervisor.spawn("retention", records::forget_old(engine.clone())),
        supervisor.spawn("the store's watch", store_watch::run(engine.clone())),
        supervisor.spawn("the mappings' writer", sticky::write(engine.clone())),
        supervisor.spawn("the mappings' sweep", sticky::sweep(engine.clone())),
        supervisor.spawn("the alerts' writer", alerts::write(engine.clone())),
        supervisor.spawn("the alerts' retention", alerts::forget(engine.clone())),
        // These end when they are done.
        tokio::spawn(count_depths(engine.clone(), depths, counted_to)),
        tokio::spawn(opt_outs::warm_up(engine.clone())),
    ];
    let running = Running {
        engine: engine.clone(),
        stop,
        dispatch,
        outbox,
        others,
        committer: thread,
    };
    Ok((engine, running))
}

impl Running {
    /// Stops politely: carriers have `grace` for the answers they wait for, and what was decided is
    /// committed. Whatever takes longer is left as a crash would leave it, which is safe.
    pub async fn shut_down(mut self, grace: Duration) {
        self.end_dispatch(grace).await;
        self.engine.shared.webhooks.shutdown(WEBHOOKS).await;
        let _ = tokio::time::timeout(OUTBOX, self.outbox).await;
        // No message is made any more, so this is all.
        let last = async { tokio::join!(self.engine.write_sticky(0), self.engine.write_alerts()) };
        let _ = tokio::time::timeout(COMMITS, last).await;
        self.engine.shared.committer.close();
        let thread = self.committer;
        let _ = tokio::time::timeout(COMMITS, tokio::task::spawn_blocking(|| thread.join())).await;
    }

    /// The first part of a stop: carriers are done, nothing new begins, webhooks go on.
    pub(crate) async fn end_dispatch(&mut self, grace: Duration) {
        self.stop.send_replace(Some(grace));
        for task in &self.others {
            task.abort();
        }
        let _ = tokio::time::timeout(grace + UNBINDING, &mut self.dispatch).await;
    }
}

impl Engine {
    /// Names of carriers by their numbers.
    pub fn carrier_names(&self, carriers: &[u16]) -> Vec<String> {
        self.readiness().names(carriers)
    }

    /// Tells when the engine can't go on: its store has failed, or a part of it has ended.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.shared.supervisor.failure()
    }

    /// What the operator says of carriers' reach.
    pub fn coverage(&self) -> Arc<Coverage> {
        self.shared.acceptor.coverage.load_full()
    }

    /// Replaces that, from the next message on.
    pub fn cover(&self, coverage: Coverage) {
        self.shared.acceptor.coverage.store(Arc::new(coverage));
    }

    /// Replaces what the operator wants of senders, from the next message on. Returns what it was.
    pub fn comply(&self, compliance: Compliance) -> Arc<Compliance> {
        let compliance = Arc::new(compliance);
        self.shared.acceptor.compliance.swap(compliance)
    }

    /// Replaces routes, carriers and paces without touching what is in flight; returns once they are in
    /// force. An engine that is stopping stays as it is.
    pub async fn reconfigure(&self, reconfiguration: Reconfiguration) {
        let (in_force, answer) = oneshot::channel();
        let message = (reconfiguration, in_force);
        if self.shared.reconfigure.send(message).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Offers the callbacks a message has due, which are durable already.
    pub(crate) fn call_back_now(&self, message: &Message) {
        let now_ms = self.now_ms();
        let jobs = message
            .callbacks_due
            .iter()
            .filter_map(|status| callback_job(self.directory(), message, status, now_ms))
            .collect();
        self.shared.webhooks.offer(jobs);
    }
}

/// Queue lengths of what a former process left, as they were before the work began. The sender is
/// dropped when they are counted, or can't be.
async fn count_depths(engine: Engine, count: CountDepths, _counted: oneshot::Sender<Infallible>) {
    let Ok(depths) = engine.read(count).await else {
        return;
    };
    engine.shared.acceptor.loads.with(|table| {
        for depth in depths {
            table.take_over(depth.sender, depth.segments);
        }
    });
}

#[cfg(test)]
mod tests {
    use postrider_carriers::{CarrierNo, Event, Health};
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::testing::engine_with;

    #[tokio::test]
    async fn an_engine_without_dispatch_has_failed() {
        let (events_to, events) = mpsc::channel(1);
        let store = Arc::new(MemoryStore::new());
        let test = engine_with(store, |setup| setup.events = vec![events]);
        let event = Event::Capacity {
            segments: 1,
            health: Health::default(),
        };
        // Nobody has this number: a bug, at which dispatch panics.
        let batch = EventBatch {
            carrier: CarrierNo(9),
            events: vec![event],
        };
        events_to.send(batch).await.unwrap();
        let mut failure = test.engine.failure();
        let failure = failure.wait_for(Option::is_some).await.unwrap();
        assert_eq!(failure.as_deref(), Some("dispatch has panicked"));
    }
}
