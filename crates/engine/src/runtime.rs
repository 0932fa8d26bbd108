//! The shell: tasks and channels around the values that decide.
//!
//! One task owns [`Dispatch`]; it takes what happened in batches, and performs the effects. One
//! thread commits. Reads of the store run on the blocking pool, a few at a time. Nothing in here
//! decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use postrider_carriers::{Carrier, CarrierNo, EventBatch, Health};
use postrider_core::cap::CapRule;
use postrider_core::clock::Clock;
use postrider_core::message::Message;
use postrider_core::pacing::PaceSettings;
use postrider_core::route::Routes;
use postrider_store::{CountDepths, Cursor, MessageFilter, Store};
use tokio::sync::{Notify, OnceCell, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::accept::Acceptor;
use crate::alerts::{Alerts, Details};
use crate::answer_counts::AnswerCounts;
use crate::caps::Caps;
use crate::carriers::Carriers;
use crate::committer::Committer;
use crate::directory::Directory;
use crate::dispatch::{
    CarrierPolicy, Dispatch, DispatchLimits, Effect, Failure, Input, Reconfigured, callback_job,
    find_receipted,
};
use crate::ids::IdGenerator;
use crate::limits::Limits;
use crate::loads::Loads;
use crate::metrics::{CarrierLabel, Metrics};
use crate::reach::Coverage;
use crate::registered_senders::Compliance;
use crate::secrets::Vault;
use crate::supervisor::Supervisor;
use crate::webhooks;
use crate::{
    Engine, Shared, Sticky, alerts, outbox, receive, refill, schedule, sticky, store_watch,
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

/// Whether the engine can do its work, for `/readyz`.
#[derive(Default)]
pub struct Readiness {
    carriers: Mutex<BTreeMap<CarrierNo, (Arc<str>, Health)>>,
}

impl Readiness {
    /// Name and health of every carrier.
    pub fn carriers(&self) -> Vec<(Arc<str>, Health)> {
        self.carriers.lock().values().cloned().collect()
    }

    /// The carriers' names; a carrier that has not spoken yet is its number.
    fn names(&self, carriers: &[u16]) -> Vec<String> {
        let known = self.carriers.lock();
        let name = |&no: &u16| match known.get(&CarrierNo(no)) {
            Some((name, _)) => name.to_string(),
            None => no.to_string(),
        };
        carriers.iter().map(name).collect()
    }

    /// At least one carrier has a link and does not refuse us as such.
    pub fn has_carrier(&self) -> bool {
        self.carriers
            .lock()
            .values()
            .any(|(_, health)| health.links_bound > 0 && health.config_fault.is_none())
    }
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

/// What a carrier that is retired may take for its last answers. An SMSC that answers at all does so
/// within seconds.
const RETIREMENT: Duration = Duration::from_secs(10);

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

/// Inputs, and about as many events of carriers, that are taken at one time.
const ROUND: usize = 1_024;

/// Reads of the store at once.
const READS: usize = 4;

/// Inbound messages on their way to the store at once.
const INBOUND: usize = 4_096;

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

    let sticky = Sticky::open(store.clone(), &directory, clock.now_ms())?;
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
        compliance: setup.compliance,
        caps,
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
            webhooks,
        }),
        draft: None,
    };
    let shell = Shell {
        engine: engine.clone(),
        carriers,
        reads: Arc::new(Semaphore::new(READS)),
        inbound: Arc::new(Semaphore::new(INBOUND)),
    };
    let dispatch = shell.run(dispatch, inbox, reconfigurations, stopping);
    let dispatch = supervisor.spawn("dispatch", dispatch);
    let outbox = outbox::run(engine.clone(), reports, overflowed.clone(), wishes_to);
    let outbox = supervisor.spawn("the outbox", outbox);
    let refill = refill::run(engine.clone(), overflowed, wishes);
    let others = vec![
        supervisor.spawn("the scheduler", schedule::run(engine.clone())),
        supervisor.spawn("the refill", refill),
        supervisor.spawn("retention", forget_old(engine.clone())),
        supervisor.spawn("the store's watch", store_watch::run(engine.clone())),
        supervisor.spawn("the mappings' writer", sticky::write(engine.clone())),
        supervisor.spawn("the mappings' sweep", sticky::sweep(engine.clone())),
        supervisor.spawn("the alerts' writer", alerts::write(engine.clone())),
        supervisor.spawn("the alerts' retention", alerts::forget(engine.clone())),
        // This one ends when it is done.
        tokio::spawn(count_depths(engine.clone(), depths)),
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

/// The task around [`Dispatch`].
struct Shell {
    engine: Engine,
    carriers: Carriers,
    reads: Arc<Semaphore>,
    inbound: Arc<Semaphore>,
}

/// The longest sleep, so that a clock that was set forward is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(1);

impl Shell {
    async fn run(
        mut self,
        mut dispatch: Dispatch,
        mut inbox: mpsc::Receiver<Input>,
        mut reconfigurations: mpsc::Receiver<Reconfigure>,
        mut stopping: watch::Receiver<Option<Duration>>,
    ) {
        let clock = self.engine.clock().clone();
        let mut inputs = Vec::new();
        let mut batches = Vec::new();
        let mut effects = Vec::new();
        let mut has_carriers = true;
        let mut is_stopping = false;
        loop {
            let now_ms = clock.now_ms();
            dispatch.poll(now_ms, &mut effects);
            for effect in effects.drain(..) {
                self.perform(effect);
            }
            if is_stopping && !has_carriers && dispatch.is_quiet() {
                return self.last_words(dispatch, inbox).await;
            }
            let sleep = dispatch.next_deadline().map_or(SLEEP_MAX, |at| {
                Duration::from_millis(u64::try_from(at - clock.now_ms()).unwrap_or(0))
                    .min(SLEEP_MAX)
            });
            tokio::select! {
                biased;
                count = inbox.recv_many(&mut inputs, 256) => if count == 0 { return },
                batch = self.carriers.recv(), if has_carriers && dispatch.takes_events() => {
                    has_carriers = batch.is_some();
                    batches.extend(batch);
                }
                _ = stopping.changed(), if !is_stopping => {
                    is_stopping = true;
                    inputs.push(Input::Stop);
                    let grace = stopping.borrow_and_update().unwrap_or_default();
                    self.carriers.shut_down(grace);
                }
                Some(reconfigure) = reconfigurations.recv(), if !is_stopping => {
                    self.reconfigure(reconfigure, &mut dispatch, &mut effects);
                    has_carriers = true;
                }
                () = tokio::time::sleep(sleep) => inputs.push(Input::Timer),
            }
            // Whatever else has come meanwhile is taken in the same round: fewer, larger commits.
            while inputs.len() < ROUND
                && let Ok(input) = inbox.try_recv()
            {
                inputs.push(input);
            }
            if dispatch.takes_events() {
                self.carriers.take(&mut batches, ROUND);
            }
            let now_ms = clock.now_ms();
            for input in inputs.drain(..) {
                dispatch.handle(input, now_ms, &mut effects);
            }
            for batch in batches.drain(..) {
                dispatch.handle(Input::Carrier(batch), now_ms, &mut effects);
            }
        }
    }

    /// Takes what was sent until now: the webhooks go on for a while, and a callback of theirs that is
    /// done must not be made again. Whoever sends later is refused, and knows.
    async fn last_words(&self, mut dispatch: Dispatch, mut inbox: mpsc::Receiver<Input>) {
        inbox.close();
        let now_ms = self.engine.now_ms();
        let mut effects = Vec::new();
        while let Some(input) = inbox.recv().await {
            dispatch.handle(input, now_ms, &mut effects);
        }
        // Quiet until now, it has room for a commit. Nothing that waits for its answer matters to the
        // next process.
        dispatch.poll(now_ms, &mut effects);
        for effect in effects {
            self.perform(effect);
        }
    }

    /// The new carriers get their numbers before anything they say is heard, and the API takes
    /// messages by the new routes only when dispatch knows them.
    fn reconfigure(
        &mut self,
        (reconfiguration, in_force): Reconfigure,
        dispatch: &mut Dispatch,
        effects: &mut Vec<Effect>,
    ) {
        let Reconfiguration {
            routes,
            carriers,
            retired,
            started,
            events,
            paces,
        } = reconfiguration;
        let new = carriers.len().saturating_sub(started.len());
        let names = carriers.iter().skip(new).map(|policy| policy.name.clone());
        self.carriers.add(names.zip(started), events);
        let routes = Arc::new(routes);
        let paces = Arc::new(paces);
        let reconfigured = Reconfigured {
            routes: routes.clone(),
            carriers,
            retired,
            paces: paces.clone(),
        };
        let now_ms = self.engine.now_ms();
        dispatch.handle(Input::Reconfigured(reconfigured), now_ms, effects);
        let acceptor = &self.engine.shared.acceptor;
        acceptor.routes.store(routes);
        acceptor.paces.store(paces);
        acceptor.loads.forget_rates();
        let _ = in_force.send(());
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Commit { commit, changes } => {
                self.engine.shared.committer.commit_many(commit, changes);
            }
            Effect::Submit { carrier, batch } => {
                self.carriers.get(carrier).submit(batch);
            }
            Effect::Acknowledge { carrier, tokens } => {
                self.carriers.get(carrier).acknowledge(tokens);
            }
            Effect::Decline { carrier, tokens } => self.carriers.get(carrier).decline(tokens),
            Effect::Refill {
                load,
                sender,
                after,
                limit,
            } => self.read(load, move |store| {
                store
                    .queued(sender, after, limit)
                    .map(|messages| Input::Refilled { load, messages })
            }),
            Effect::Expiring {
                load,
                before_ms,
                after,
                limit,
            } => self.read(load, move |store| {
                store
                    .expiring(before_ms, after, limit)
                    .map(|messages| Input::Expiring { load, messages })
            }),
            Effect::Unshelved {
                load,
                sender,
                after,
                limit,
            } => self.read(load, move |store| {
                store
                    .unshelved(sender, after, limit)
                    .map(|ids| Input::Unshelved { load, ids })
            }),
            Effect::Find {
                load,
                keys,
                first,
                to,
                since_ms,
            } => self.read(load, move |store| {
                let found = find_receipted(store, &keys, first, to.as_deref(), since_ms)?;
                Ok(Input::Found { load, found })
            }),
            Effect::Others {
                load,
                account,
                to,
                limit,
            } => self.read(load, move |store| {
                let filter = MessageFilter {
                    account: Some(account),
                    to: Some(to),
                    ..MessageFilter::default()
                };
                let messages = store.list(&filter, Cursor::Start, limit)?;
                Ok(Input::Others { load, messages })
            }),
            Effect::CallBack(jobs) => self.engine.shared.webhooks.offer(jobs),
            Effect::Alert(failures) => {
                for failure in &failures {
                    self.alert(failure);
                }
            }
            Effect::Inbound {
                carrier,
                inbound,
                ack,
            } => {
                let carrier = self.carriers.get(carrier).clone();
                // Beyond what we can take at once the carrier is asked to come again.
                let Ok(place) = self.inbound.clone().try_acquire_owned() else {
                    return carrier.decline(vec![ack]);
                };
                let engine = self.engine.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if receive::store(&engine, &inbound).await {
                        carrier.acknowledge(vec![ack]);
                    } else {
                        carrier.decline(vec![ack]);
                    }
                });
            }
            Effect::Retire(carrier) => self.retire(carrier),
            Effect::Health { carrier, health } => self.note_health(carrier, health),
        }
    }

    /// Reads the store on the blocking pool and tells dispatch, also of a failure (which is in the
    /// log then): it reads again later.
    fn read(
        &self,
        load: u64,
        read: impl FnOnce(&dyn Store) -> postrider_store::Result<Input> + Send + 'static,
    ) {
        let engine = self.engine.clone();
        let reads = self.reads.clone();
        tokio::spawn(async move {
            let Ok(_permit) = reads.acquire().await else {
                return;
            };
            let store = engine.shared.store.clone();
            let answer = engine.read(move || read(&*store)).await;
            let input = answer.unwrap_or(Input::ReadFailed { load });
            let _ = engine.shared.dispatch.send(input).await;
        });
    }

    /// Tells the customer of a message that failed after its request was answered.
    fn alert(&self, failure: &Failure) {
        let scope = failure.service.map(|service| service.to_string());
        let scope = scope.as_deref().unwrap_or_default();
        let alerts = self.engine.alerting();
        alerts.raise(failure.account, failure.code, scope, || Details {
            level: Some(failure.level),
            resource: Some(failure.message.to_string().into()),
            service: failure.service,
            ..Details::default()
        });
    }

    /// The carrier is no news any more. A successor of the same name speaks up after this.
    fn retire(&self, carrier: CarrierNo) {
        self.carriers.get(carrier).shut_down(RETIREMENT);
        let metrics = self.engine.metrics();
        let label = CarrierLabel {
            carrier: self.carriers.name(carrier).to_string(),
        };
        for gauges in [
            &metrics.carrier_links_bound,
            &metrics.carrier_links_configured,
            &metrics.carrier_throttled,
            &metrics.carrier_config_fault,
        ] {
            gauges.remove(&label);
        }
        self.engine
            .shared
            .readiness
            .carriers
            .lock()
            .remove(&carrier);
    }

    fn note_health(&self, carrier: CarrierNo, health: Health) {
        let name = self.carriers.name(carrier).clone();
        let metrics = self.engine.metrics();
        let label = CarrierLabel {
            carrier: name.to_string(),
        };
        metrics
            .carrier_links_bound
            .get_or_create(&label)
            .set(health.links_bound.into());
        metrics
            .carrier_links_configured
            .get_or_create(&label)
            .set(health.links_configured.into());
        metrics
            .carrier_throttled
            .get_or_create(&label)
            .set(health.is_throttled.into());
        metrics
            .carrier_config_fault
            .get_or_create(&label)
            .set(health.config_fault.is_some().into());
        let links_stuck = health.links_stuck;
        let mut carriers = self.engine.shared.readiness.carriers.lock();
        let known = carriers.insert(carrier, (name, health));
        let known = known.map_or(0, |(_, health)| health.links_stuck);
        metrics
            .carrier_links_stuck
            .get_or_create(&label)
            .inc_by(links_stuck.saturating_sub(known));
    }
}

/// Queue lengths of what a former process left, as they were before the work began.
async fn count_depths(engine: Engine, count: CountDepths) {
    let Ok(depths) = engine.read(count).await else {
        return;
    };
    engine.shared.acceptor.loads.with(|table| {
        for depth in depths {
            table.take_over(depth.sender, depth.segments);
        }
    });
}

/// Drops records beyond their retention, file by file, and answers that are remembered no more.
async fn forget_old(engine: Engine) {
    loop {
        // One that fails has told the supervisor.
        let _ = engine.forget_answers().await;
        let days = i64::from(engine.limits().retention_days.clamp(7, 400));
        let before_ms = engine.now_ms() - days * 86_400_000;
        let store = engine.shared.store.clone();
        match engine.write(move || store.forget_before(before_ms)).await {
            Ok(0) | Err(_) => {}
            Ok(count) => tracing::info!(count, days, "message records passed their retention"),
        }
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use postrider_carriers::Event;
    use postrider_core::message::{Status, StatusSet};
    use postrider_core::sid::Id;
    use postrider_core::testing::message;
    use postrider_store::Change;
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::testing::{START_MS, engine, engine_with};

    #[tokio::test]
    async fn callbacks_that_are_done_as_dispatch_ends_are_written() {
        let test = engine();
        let shared = &test.engine.shared;
        let sent = StatusSet::of(Status::Sent);
        let mut message = message(Id::new(START_MS, 0, 0));
        message.status = Status::Sent;
        message.callbacks_due = sent;
        let done = Input::CallbacksDone(vec![(message.sid.id, sent)]);
        let insert = Change::Insert(Box::new(message));
        shared.store.commit(&[insert]).unwrap();
        let shell = Shell {
            engine: test.engine.clone(),
            carriers: Carriers::new(),
            reads: Arc::new(Semaphore::new(READS)),
            inbound: Arc::new(Semaphore::new(INBOUND)),
        };
        let dispatch = Dispatch::new(
            shared.acceptor.directory.clone(),
            Arc::default(),
            Arc::default(),
            DispatchLimits::default(),
            Arc::default(),
            Arc::default(),
            Vec::new(),
        );
        let (inputs, inbox) = mpsc::channel(1);
        inputs.send(done).await.unwrap();
        shell.last_words(dispatch, inbox).await;
        inputs.send(Input::Timer).await.unwrap_err();
        let store = shared.store.clone();
        test.running.shut_down(Duration::from_secs(5)).await;
        assert_eq!(store.callbacks_due(None, 1).unwrap(), []);
    }

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
