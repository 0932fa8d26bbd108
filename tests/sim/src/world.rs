//! The world: one process of ours at a time, the carriers, the customer, and what happens when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use postrider_carriers::{CarrierNo, Event, EventBatch, UnknownOutcome};
use postrider_core::clock::{Clock, ManualClock, Millis};
use postrider_core::message::{Message, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::sid::{AccountSid, Id, ServiceSid};
use postrider_engine::accept::Acceptor;
use postrider_engine::dispatch::{Dispatch, Effect, Input, callback_job};
use postrider_engine::ids::IdGenerator;
use postrider_engine::webhooks::{
    self, Attempt, AttemptFailure, AttemptId, AttemptResult, Report as WebhookReport, Scheduler,
};
use postrider_store::memory::{Fault, MemoryDisk, MemoryStore};
use postrider_store::{Applied, Change, Store};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::carrier::Carrier;
use crate::customer::Customer;
use crate::oracle::{self, Evidence, Report};

mod life;
mod limits;
mod reads;
mod reload;
mod requests;
mod settings;
mod stop;

pub(crate) use self::limits::SharedRates;

/// 2026-01-01T00:00:00Z.
const START_MS: Millis = 1_767_225_600_000;

/// Trouble stops after this, so that everything can come to its end.
const TROUBLE_MS: Millis = 240_000;

/// No run takes longer than this: the longest validity period, a doubt, and the last retries.
const END_MS: Millis = TROUBLE_MS + 12 * 3_600_000;

/// After this no parked receipt is expected to find its message any more.
const PARKED_MS: Millis = 300_000;

const STEPS_MAX: u64 = 400_000;

/// Runs the seed to its end and checks every promise. Panics with the promise that was broken.
pub fn run(seed: u64) -> Report {
    let mut world = World::new(seed);
    world.plan_customer();
    world.start_process();
    while world.step() {}
    let mut report = std::mem::take(&mut world.report);
    let store = world.disk.open();
    let evidence = Evidence {
        store: &store,
        carriers: &world.carriers,
        customer: &world.customer,
        policy: world.policy,
        rates: &world.rates,
        shared: world.shared,
        starts: &world.starts,
        upheavals: &world.upheavals,
        routes: &world.routed_since,
    };
    oracle::check(&evidence, &mut report);
    report
}

struct World {
    seed: u64,
    rng: StdRng,
    clock: Arc<ManualClock>,
    disk: MemoryDisk,
    policy: UnknownOutcome,
    rates: BTreeMap<String, f64>,
    shared: SharedRates,
    service: ServiceSid,
    account: AccountSid,
    numbers: Vec<String>,
    /// Last digits of the recipients.
    handsets: std::ops::Range<u16>,
    carriers: Vec<Carrier>,
    /// Numbers of the carriers in the configuration, the first preferred.
    routed: Vec<u16>,
    /// They were told that nothing follows.
    retired: BTreeSet<CarrierNo>,
    customer: Customer,
    process: Option<Process>,
    /// When each process started, in order.
    starts: Vec<Millis>,
    /// Ends and starts of processes, and reloads.
    upheavals: Vec<Millis>,
    /// Which carrier messages went to since when, by destination.
    routed_since: Vec<(Millis, [CarrierNo; 2])>,
    plan: BTreeMap<(Millis, u64), Action>,
    planned: u64,
    bodies: u64,
    report: Report,
}

/// What lives in one process and dies with it.
struct Process {
    store: Arc<MemoryStore>,
    acceptor: Acceptor,
    dispatch: Dispatch,
    scheduler: Scheduler,
    /// Attempts in flight, and what they are about.
    attempts: BTreeMap<AttemptId, (Id, Status)>,
    mailbox: VecDeque<Work>,
    is_flushing: bool,
    inputs: Vec<Input>,
    /// It was told to stop: nothing is asked of it any more.
    is_stopping: bool,
}

enum Work {
    /// A customer's request waits for this.
    Insert(Box<Message>),
    Release(Box<Message>),
    Cancel(Box<Message>),
    Dispatch {
        commit: u64,
        changes: Vec<Change>,
    },
}

enum Action {
    Request,
    /// A request whose message was made earlier comes to its commit.
    Insert(Box<Message>),
    CancelSome,
    /// The committing thread's batch reaches the disk.
    Flush,
    /// A read that was begun earlier arrives, perhaps stale.
    Answer(Box<Input>),
    AttemptDone(AttemptId, AttemptResult),
    Scheduler,
    /// Which carrier, and for how long.
    Disconnect(usize, Millis),
    Reload,
    FailCommit(Fault),
    Crash,
    /// The process is to end politely.
    Stop,
    /// Carriers had their time for the last answers of the process that is stopping.
    GraceOver,
    Restart,
    Heal,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let clock = Arc::new(ManualClock::at(START_MS));
        let policy = if rng.random_bool(0.5) {
            UnknownOutcome::Resend
        } else {
            UnknownOutcome::Fail
        };
        // By the seed itself: another draw would give every seed another life.
        let (prefers_decimals, is_told) = (seed % 2 == 1, seed % 4 >= 2);
        // Many messages to each, so that a handset alone says little. Where ids have to be guessed
        // nobody could tell them apart.
        let has_few_handsets = seed % 8 == 2;
        let ids = IdGenerator::new(clock.clone(), [3; 32]);
        let mut world = Self {
            seed,
            service: ServiceSid(ids.next()),
            account: AccountSid(ids.next()),
            rng,
            clock,
            disk: MemoryDisk::new(),
            policy,
            rates: BTreeMap::new(),
            shared: SharedRates::of_seed(seed),
            numbers: Vec::new(),
            handsets: if has_few_handsets { 200..212 } else { 200..999 },
            carriers: (0..2)
                .map(|no| Carrier::new(CarrierNo(no), no == 1 && is_told))
                .collect(),
            routed: if prefers_decimals {
                vec![1, 0]
            } else {
                vec![0, 1]
            },
            retired: BTreeSet::new(),
            customer: Customer::default(),
            process: None,
            starts: Vec::new(),
            upheavals: Vec::new(),
            routed_since: Vec::new(),
            plan: BTreeMap::new(),
            planned: 0,
            bodies: 0,
            report: Report::default(),
        };
        world.write_settings(&ids);
        world.note_routes();
        world
    }

    fn plan(&mut self, at_ms: Millis, action: Action) {
        self.planned += 1;
        self.plan.insert((at_ms, self.planned), action);
    }

    fn plan_in(&mut self, within_ms: std::ops::Range<Millis>, action: Action) {
        let at_ms = self.clock.now_ms() + self.rng.random_range(within_ms);
        self.plan(at_ms, action);
    }

    /// Goes to the next instant at which something happens. False when the world has come to rest.
    fn step(&mut self) -> bool {
        self.report.steps += 1;
        assert!(
            self.report.steps < STEPS_MAX,
            "the world does not come to rest"
        );
        let dispatch = self
            .process
            .as_ref()
            .and_then(|process| process.dispatch.next_deadline());
        let next = [
            self.plan.first_key_value().map(|((at, _), _)| *at),
            self.carriers.iter().filter_map(Carrier::next_event).min(),
            dispatch,
        ];
        let Some(at_ms) = next.into_iter().flatten().min() else {
            return false;
        };
        let at_ms = at_ms.max(self.clock.now_ms());
        if at_ms > START_MS + END_MS || self.is_at_rest(at_ms) {
            return false;
        }
        self.clock.set(at_ms);
        self.advance_carriers(at_ms);
        while let Some(entry) = self.plan.first_entry()
            && entry.key().0 <= at_ms
        {
            let action = entry.remove();
            self.act(action);
        }
        self.turn();
        self.end_when_quiet();
        true
    }

    /// Nothing but idle timers is left, no receipt waits for a better match, and every message has come to its end.
    fn is_at_rest(&self, at_ms: Millis) -> bool {
        let Some(process) = &self.process else {
            return false;
        };
        let has_plan = self
            .plan
            .values()
            .any(|action| !matches!(action, Action::Scheduler | Action::Answer(_)));
        if at_ms < START_MS + TROUBLE_MS
            || has_plan
            || !process.mailbox.is_empty()
            || !process.attempts.is_empty()
            || self
                .carriers
                .iter()
                .any(|carrier| carrier.next_event().is_some() || carrier.awaits_us())
        {
            return false;
        }
        let mut parked = process.store.parked().expect("the store reads").into_iter();
        if parked.any(|receipt| at_ms - receipt.received_ms < PARKED_MS) {
            return false;
        }
        // Of messages too whose request a crash left unanswered.
        let due = process.store.callbacks_due(None, 1);
        if !due.expect("the store reads").is_empty() {
            return false;
        }
        self.customer.created.values().all(|created| {
            let message = process.store.message(created.sid.id).ok().flatten();
            message.is_some_and(|message| {
                message.status.rank() >= Status::Sent.rank() && message.callbacks_due.is_empty()
            })
        })
    }

    fn advance_carriers(&mut self, now_ms: Millis) {
        let is_alive = self.process.is_some();
        for index in 0..self.carriers.len() {
            let mut events = Vec::new();
            self.carriers[index].advance(now_ms, is_alive, &mut events);
            self.tell(index, events);
        }
    }

    fn tell(&mut self, carrier: usize, events: Vec<Event>) {
        let carrier = self.carriers[carrier].no;
        if let Some(process) = &mut self.process
            && !events.is_empty()
        {
            process
                .inputs
                .push(Input::Carrier(EventBatch { carrier, events }));
        }
    }

    fn act(&mut self, action: Action) {
        let now_ms = self.clock.now_ms();
        match action {
            Action::Request => self.request(),
            Action::Insert(message) => {
                if let Some(process) = &mut self.process {
                    process.mailbox.push_back(Work::Insert(message));
                }
            }
            Action::CancelSome => self.cancel_some(),
            Action::Flush => self.flush(),
            Action::Answer(input) => {
                if let Some(process) = &mut self.process {
                    process.inputs.push(*input);
                }
            }
            Action::AttemptDone(id, result) => self.attempt_done(id, result),
            Action::Scheduler => self.release_due(),
            Action::Disconnect(index, for_ms) => {
                let mut events = Vec::new();
                self.carriers[index].disconnect(for_ms, now_ms, &mut events);
                self.tell(index, events);
            }
            Action::Reload => self.reload(),
            Action::FailCommit(fault) => {
                if let Some(process) = &self.process {
                    process.store.fail_next_commit(fault);
                }
            }
            Action::Crash => self.crash(),
            Action::Stop => self.stop(),
            Action::GraceOver => self.grace_over(),
            Action::Restart => self.start_process(),
            Action::Heal => {
                for carrier in &mut self.carriers {
                    carrier.is_hostile = false;
                }
            }
        }
    }

    fn release_due(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(process) = self.serving() else {
            return;
        };
        for scheduled in process
            .store
            .scheduled(now_ms + 1, None, 10)
            .expect("the store reads")
        {
            let is_waiting = process
                .mailbox
                .iter()
                .any(|work| matches!(work, Work::Release(message) if message.sid == scheduled.sid));
            if !is_waiting {
                let message = process.acceptor.release(&scheduled, None, now_ms);
                process.mailbox.push_back(Work::Release(Box::new(message)));
            }
        }
        let has_scheduled = process
            .store
            .next_scheduled(0)
            .expect("the store reads")
            .is_some();
        // The last requests may still be on their way to their commit.
        let is_over = now_ms > START_MS + TROUBLE_MS + 10_000 && !has_scheduled;
        if !is_over {
            self.plan(now_ms + 500, Action::Scheduler);
        }
    }

    /// One turn of our process: dispatch, webhooks, the committing thread.
    fn turn(&mut self) {
        let now_ms = self.clock.now_ms();
        for _ in 0..100 {
            let Some(process) = &mut self.process else {
                return;
            };
            let inputs = std::mem::take(&mut process.inputs);
            let mut effects = Vec::new();
            for input in inputs {
                process.dispatch.handle(input, now_ms, &mut effects);
            }
            process.dispatch.poll(now_ms, &mut effects);
            let is_quiet = effects.is_empty();
            for effect in effects {
                self.perform(effect);
            }
            if is_quiet
                && self
                    .process
                    .as_ref()
                    .is_none_or(|process| process.inputs.is_empty())
            {
                break;
            }
        }
        self.turn_webhooks();
        let Some(process) = &mut self.process else {
            return;
        };
        if !process.mailbox.is_empty() && !process.is_flushing {
            process.is_flushing = true;
            self.plan_in(1..30, Action::Flush);
        }
    }

    fn perform(&mut self, effect: Effect) {
        let now_ms = self.clock.now_ms();
        let Some(process) = &mut self.process else {
            return;
        };
        match effect {
            Effect::Commit { commit, changes } => {
                process
                    .mailbox
                    .push_back(Work::Dispatch { commit, changes });
            }
            Effect::Submit { carrier, batch } => {
                assert!(
                    !self.retired.contains(&carrier),
                    "a retired carrier gets more"
                );
                assert!(
                    !process.is_stopping,
                    "a carrier gets more while the process stops"
                );
                let index = usize::from(carrier.0);
                let mut events = Vec::new();
                for submission in batch {
                    self.carriers[index].submit(&submission, now_ms, &mut self.rng, &mut events);
                }
                self.tell(index, events);
            }
            Effect::Acknowledge { carrier, tokens } => {
                for token in tokens {
                    self.carriers[usize::from(carrier.0)].acknowledge(token);
                }
            }
            Effect::Decline { carrier, tokens } => {
                for token in tokens {
                    self.carriers[usize::from(carrier.0)].decline(token, now_ms);
                }
            }
            read @ (Effect::Refill { .. }
            | Effect::Expiring { .. }
            | Effect::Unshelved { .. }
            | Effect::Find { .. }
            | Effect::Others { .. }) => self.read(read),
            Effect::CallBack(jobs) => {
                for job in jobs {
                    process.scheduler.offer(job, now_ms);
                }
            }
            Effect::Retire(carrier) => drop(self.retired.insert(carrier)),
            Effect::Inbound { .. } | Effect::Health { .. } | Effect::Alert(_) => {}
        }
    }

    /// The batch that was gathered reaches the disk, or does not.
    fn flush(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        process.is_flushing = false;
        let works: Vec<Work> = process.mailbox.drain(..).collect();
        let now_ms = self.clock.now_ms();
        let mut changes = Vec::new();
        for work in &works {
            match work {
                Work::Insert(message) => changes.push(Change::Insert(kept(message))),
                Work::Release(message) => changes.push(Change::Release(kept(message))),
                Work::Cancel(message) => changes.push(Change::Cancel {
                    id: message.sid.id,
                    at_ms: now_ms,
                    callbacks_due: StatusSet::of(Status::Canceled),
                    concealment: Concealment::at(message, Status::Canceled),
                }),
                Work::Dispatch { changes: more, .. } => changes.extend(more.iter().cloned()),
            }
        }
        let Ok(applied) = process.store.commit(&changes) else {
            // The store failed: the process stops at once, like the real one.
            self.crash();
            return;
        };
        self.committed(works, applied);
        self.write_mappings();
    }

    /// Now and then, as the task does it each second.
    fn write_mappings(&mut self) {
        let is_time = self.rng.random_bool(0.1);
        if let Some(process) = self.process.as_ref().filter(|_| is_time) {
            let reached = Id::new(self.clock.now_ms() - 2_000, 0, 0);
            let written = process.acceptor.sticky.write_notes(reached);
            written.expect("the store has not crashed");
        }
    }

    fn committed(&mut self, works: Vec<Work>, applied: Vec<Applied>) {
        let now_ms = self.clock.now_ms();
        let Some(process) = &mut self.process else {
            return;
        };
        let mut applied = applied.into_iter();
        let mut accepted = Vec::new();
        for work in works {
            match work {
                Work::Insert(message) => {
                    applied.next();
                    self.customer.was_answered(&message, now_ms);
                    accepted.push(*message);
                }
                Work::Release(message) => {
                    if applied.next() == Some(Applied::Yes) {
                        self.customer.was_released(&message, now_ms);
                        accepted.push(*message);
                    } else {
                        process.acceptor.abandon(&message);
                    }
                }
                Work::Cancel(message) => {
                    if applied.next() == Some(Applied::Yes) {
                        let id = message.sid.id;
                        let message = process.store.message(id).expect("the store reads");
                        let message = message.expect("a canceled message is there");
                        let directory = &process.acceptor.directory;
                        let job = callback_job(directory, &message, Status::Canceled, now_ms);
                        process
                            .scheduler
                            .offer(job.expect("it has a callback"), now_ms);
                    }
                }
                Work::Dispatch { commit, changes } => {
                    let applied = applied.by_ref().take(changes.len()).collect();
                    process.inputs.push(Input::Committed { commit, applied });
                }
            }
        }
        if !accepted.is_empty() {
            process.inputs.push(Input::Accepted(accepted));
        }
    }

    fn turn_webhooks(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(process) = &mut self.process else {
            return;
        };
        let mut attempts: Vec<Attempt> = Vec::new();
        process.scheduler.poll(now_ms, &mut attempts);
        let mut reports = Vec::new();
        process.scheduler.drain_reports(&mut reports);
        // Alerts are raised by the shell around the scheduler.
        drop(process.scheduler.drain_failed());
        let done: Vec<(Id, StatusSet)> = reports
            .into_iter()
            .filter_map(|report| match report {
                WebhookReport::Finished(finished) => status_callback(finished.event),
                WebhookReport::Answered(_)
                | WebhookReport::Overflowed { .. }
                | WebhookReport::WantsRefill { .. } => None,
            })
            .map(|(message, status)| (message, StatusSet::of(status)))
            .collect();
        if !done.is_empty() {
            process.inputs.push(Input::CallbacksDone(done));
        }
        for attempt in attempts {
            let Some((message, status)) = status_callback(attempt.job.event) else {
                continue;
            };
            if let Some(process) = &mut self.process {
                process.attempts.insert(attempt.id, (message, status));
            }
            // Only a first attempt fails to connect, so that no callback is given up for good.
            let result = match self.rng.random_range(0..10) {
                0 if attempt.number == 1 => Err(AttemptFailure::ConnectFailed),
                1 => Ok(204),
                _ => Ok(200),
            };
            if result.is_ok() {
                self.customer.hear(message, status);
            }
            self.plan_in(1..3_000, Action::AttemptDone(attempt.id, result));
        }
        if let Some(process) = &self.process
            && !process.inputs.is_empty()
        {
            // What the webhooks reported is taken in the next turn, at this same instant.
            self.plan(now_ms, Action::Answer(Box::new(Input::Timer)));
        }
    }

    fn attempt_done(&mut self, id: AttemptId, result: AttemptResult) {
        let now_ms = self.clock.now_ms();
        if let Some(process) = &mut self.process
            && process.attempts.remove(&id).is_some()
        {
            process.scheduler.on_result(id, result, now_ms);
        }
    }
}

/// As the engine hands it to the store.
fn kept(message: &Message) -> Box<Message> {
    Box::new(message.clone().kept())
}

/// Dispatch, which is simulated here, makes no others.
fn status_callback(event: webhooks::Event) -> Option<(Id, Status)> {
    match event {
        webhooks::Event::StatusCallback { message, status } => Some((message.id, status)),
        webhooks::Event::Inbound { .. } => None,
    }
}
