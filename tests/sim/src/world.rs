//! The world: one process of ours at a time, the carriers, the customer, and what happens when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use arc_swap::ArcSwap;
use postrider_carriers::{CarrierNo, Event, EventBatch, UnknownOutcome};
use postrider_core::clock::{Clock, ManualClock, Millis};
use postrider_core::create::CreateMessage;
use postrider_core::message::{Message, Status, StatusSet};
use postrider_core::pacing::PaceSettings;
use postrider_core::sid::{AccountSid, Id, ServiceSid};
use postrider_engine::accept::Acceptor;
use postrider_engine::dispatch::{
    Dispatch, DispatchLimits, Effect, Input, callback_job, find_receipted,
};
use postrider_engine::ids::IdGenerator;
use postrider_engine::loads::Loads;
use postrider_engine::secrets::Vault;
use postrider_engine::webhooks::{
    self, Attempt, AttemptFailure, AttemptId, AttemptResult, Report as WebhookReport, Scheduler,
};
use postrider_engine::{Directory, Hourly, Limits, Metrics, Sticky};
use postrider_store::memory::{Fault, MemoryDisk, MemoryStore};
use postrider_store::{Applied, Change, Store};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::carrier::Carrier;
use crate::customer::Customer;
use crate::oracle::{self, Evidence, Report};

mod reload;
mod settings;

/// 2026-01-01T00:00:00Z.
const START_MS: Millis = 1_767_225_600_000;

/// Trouble stops after this, so that everything can come to its end.
const TROUBLE_MS: Millis = 240_000;

/// No run takes longer than this: the longest validity period, a doubt, and the last retries.
const END_MS: Millis = TROUBLE_MS + 12 * 3_600_000;

/// After this no parked receipt is expected to find its message any more.
const PARKED_MS: Millis = 300_000;

const CALLBACK_URL: &str = "https://customer.example/status";
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
        starts: &world.starts,
    };
    oracle::check(&evidence, &mut report);
    report
}

struct World {
    rng: StdRng,
    clock: Arc<ManualClock>,
    disk: MemoryDisk,
    policy: UnknownOutcome,
    rates: BTreeMap<String, f64>,
    service: ServiceSid,
    account: AccountSid,
    numbers: Vec<String>,
    carriers: Vec<Carrier>,
    /// Numbers of the carriers in the configuration, the first preferred.
    routed: Vec<u16>,
    /// They were told that nothing follows.
    retired: BTreeSet<CarrierNo>,
    customer: Customer,
    process: Option<Process>,
    /// When each process started, in order.
    starts: Vec<Millis>,
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
}

enum Work {
    /// A customer's request waits for this.
    Insert(Box<Message>),
    Release(Box<Message>),
    Cancel(Id),
    Dispatch {
        commit: u64,
        changes: Vec<Change>,
    },
}

enum Action {
    Request,
    CancelSome,
    /// The committing thread's batch reaches the disk.
    Flush,
    /// A read that was begun earlier arrives, perhaps stale.
    Answer(Box<Input>),
    AttemptDone(AttemptId, AttemptResult),
    Scheduler,
    Disconnect(usize),
    Reload,
    FailCommit(Fault),
    Crash,
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
        let ids = IdGenerator::new(clock.clone(), [3; 32]);
        let mut world = Self {
            service: ServiceSid(ids.next()),
            account: AccountSid(ids.next()),
            rng,
            clock,
            disk: MemoryDisk::new(),
            policy,
            rates: BTreeMap::new(),
            numbers: Vec::new(),
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
            plan: BTreeMap::new(),
            planned: 0,
            bodies: 0,
            report: Report::default(),
        };
        world.write_settings(&ids);
        world
    }

    fn plan_customer(&mut self) {
        for _ in 0..self.rng.random_range(20..120) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::Request);
        }
        for _ in 0..self.rng.random_range(0..4) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::CancelSome);
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            let which = self.rng.random_range(0..self.carriers.len());
            self.plan(START_MS + at_ms, Action::Disconnect(which));
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::Crash);
        }
        for _ in 0..self.rng.random_range(0..5) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            self.plan(START_MS + at_ms, Action::Reload);
        }
        if self.rng.random_bool(0.4) {
            let at_ms = self.rng.random_range(0..TROUBLE_MS);
            let fault = [Fault::Lost, Fault::Kept, Fault::Split][self.rng.random_range(0..3)];
            self.plan(START_MS + at_ms, Action::FailCommit(fault));
        }
        self.plan(START_MS + TROUBLE_MS, Action::Heal);
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
            Action::CancelSome => self.cancel_some(),
            Action::Flush => self.flush(),
            Action::Answer(input) => {
                if let Some(process) = &mut self.process {
                    process.inputs.push(*input);
                }
            }
            Action::AttemptDone(id, result) => self.attempt_done(id, result),
            Action::Scheduler => self.release_due(),
            Action::Disconnect(index) => {
                let mut events = Vec::new();
                self.carriers[index].disconnect(now_ms, &mut self.rng, &mut events);
                self.tell(index, events);
            }
            Action::Reload => self.reload(),
            Action::FailCommit(fault) => {
                if let Some(process) = &self.process {
                    process.store.fail_next_commit(fault);
                }
            }
            Action::Crash => self.crash(),
            Action::Restart => self.start_process(),
            Action::Heal => {
                for carrier in &mut self.carriers {
                    carrier.is_hostile = false;
                }
            }
        }
    }

    /// Everything in memory is gone; what was being written may or may not have been.
    fn crash(&mut self) {
        let Some(process) = self.process.take() else {
            return;
        };
        self.report.crashes += 1;
        process.store.crash();
        let now_ms = self.clock.now_ms();
        for carrier in &mut self.carriers {
            carrier.forget_client(now_ms);
        }
        self.plan.retain(|_, action| {
            !matches!(
                action,
                Action::Flush | Action::Answer(_) | Action::AttemptDone(..) | Action::Scheduler
            )
        });
        self.plan_in(100..5_000, Action::Restart);
    }

    fn start_process(&mut self) {
        if self.process.is_some() {
            return;
        }
        let now_ms = self.clock.now_ms();
        self.starts.push(now_ms);
        let store = Arc::new(self.disk.open());
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let ids = Arc::new(IdGenerator::new(self.clock.clone(), seed));
        let last = store.last_id().expect("the store reads");
        if let Some(last) = last {
            ids.start_after(last);
        }
        let documents = store.documents().expect("the store reads");
        let directory = Arc::new(
            Directory::load(documents, Vault::new(&[9; 32])).expect("the instance key opens"),
        );
        let loads = Arc::new(Loads::default());
        let metrics = Arc::new(Metrics::default());
        let routes = self.routes();
        // Small windows and pages, so that few messages reach every path.
        let limits = DispatchLimits {
            window: 6,
            page: 4,
            awaiting_receipt: 5,
            commits: 2,
        };
        let mut dispatch = Dispatch::new(
            directory.clone(),
            loads.clone(),
            metrics.clone(),
            limits,
            PaceSettings::default(),
            routes.clone(),
            self.policies(),
        );
        let waiting = store.queued_senders().expect("the store reads");
        dispatch.start(
            last,
            waiting,
            store.parked().expect("the store reads"),
            now_ms,
        );
        let sticky = Sticky::open(store.clone(), &directory, now_ms).expect("the store reads");
        let acceptor = Acceptor {
            clock: self.clock.clone(),
            ids,
            directory,
            loads,
            metrics,
            limits: Limits::default(),
            paces: PaceSettings::default(),
            routes: ArcSwap::new(routes),
            sticky,
            warned: Hourly::default(),
        };
        self.process = Some(Process {
            store,
            acceptor,
            dispatch,
            scheduler: Scheduler::new(webhooks::Config::default().limits()),
            attempts: BTreeMap::new(),
            mailbox: VecDeque::new(),
            is_flushing: false,
            inputs: Vec::new(),
        });
        for index in 0..self.carriers.len() {
            let hello = self.carriers[index].hello();
            self.tell(index, vec![hello]);
        }
        self.offer_due_callbacks();
        self.plan(now_ms, Action::Scheduler);
    }

    fn offer_due_callbacks(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(process) = &mut self.process else {
            return;
        };
        let due = process
            .store
            .callbacks_due(None, usize::MAX)
            .expect("the store reads");
        for message in &due {
            for status in message.callbacks_due.iter() {
                let directory = &process.acceptor.directory;
                if let Some(job) = callback_job(directory, message, status, now_ms) {
                    process.scheduler.offer(job, now_ms);
                }
            }
        }
    }

    /// The customer asks for a message.
    fn request(&mut self) {
        self.bodies += 1;
        let long = "x".repeat(self.rng.random_range(0..400));
        let number = self.bodies;
        let mut request = CreateMessage {
            to: Some(format!("+1415555{:04}", self.rng.random_range(200..999))),
            body: Some(format!("message {number} {long}")),
            status_callback: Some(CALLBACK_URL.to_owned()),
            ..CreateMessage::default()
        };
        if self.rng.random_bool(0.8) {
            request.messaging_service = Some(self.service.to_string());
        } else {
            let which = self.rng.random_range(0..self.numbers.len());
            request.from = Some(self.numbers[which].clone());
        }
        if self.rng.random_bool(0.2) {
            request.validity_period = Some(self.rng.random_range(1..60).to_string());
        }
        if request.messaging_service.is_some() && self.rng.random_bool(0.1) {
            request.schedule_type = Some("fixed".to_owned());
            let ahead_ms = self.rng.random_range(301_000..600_000);
            request.send_at = Some(iso(self.clock.now_ms() + ahead_ms));
        }
        let Some(process) = &mut self.process else {
            return;
        };
        let account = process
            .acceptor
            .directory
            .account(self.account)
            .expect("the account is there");
        match process.acceptor.prepare(&account, &request, 0, None) {
            Ok(message) => process.mailbox.push_back(Work::Insert(Box::new(message))),
            Err(fault) => panic!("an ordinary request is refused: {fault}"),
        }
    }

    fn cancel_some(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        let scheduled = process
            .store
            .scheduled(Millis::MAX, 100)
            .expect("the store reads");
        if !scheduled.is_empty() {
            let which = self.rng.random_range(0..scheduled.len());
            process
                .mailbox
                .push_back(Work::Cancel(scheduled[which].sid.id));
        }
    }

    fn release_due(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(process) = &mut self.process else {
            return;
        };
        for scheduled in process
            .store
            .scheduled(now_ms + 1, 10)
            .expect("the store reads")
        {
            let is_waiting = process
                .mailbox
                .iter()
                .any(|work| matches!(work, Work::Release(message) if message.sid == scheduled.sid));
            if !is_waiting {
                let message = process.acceptor.release(&scheduled, now_ms);
                process.mailbox.push_back(Work::Release(Box::new(message)));
            }
        }
        let has_scheduled = process
            .store
            .next_scheduled()
            .expect("the store reads")
            .is_some();
        let is_over = now_ms > START_MS + TROUBLE_MS && !has_scheduled;
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
        let store = process.store.clone();
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
            Effect::Refill {
                load,
                sender,
                after,
                limit,
            } => {
                let messages = store.queued(sender, after, limit).expect("the store reads");
                self.answer_read(load, Input::Refilled { load, messages });
            }
            Effect::Expiring {
                load,
                before_ms,
                limit,
            } => {
                let messages = store.expiring(before_ms, limit).expect("the store reads");
                self.answer_read(load, Input::Expiring { load, messages });
            }
            Effect::Unshelved {
                load,
                sender,
                after,
                limit,
            } => {
                let ids = store
                    .unshelved(sender, after, limit)
                    .expect("the store reads");
                self.answer_read(load, Input::Unshelved { load, ids });
            }
            Effect::Find {
                load,
                keys,
                first,
                to,
                since_ms,
            } => {
                let found = find_receipted(&*store, &keys, first, to.as_deref(), since_ms)
                    .expect("the store reads");
                self.answer_read(load, Input::Found { load, found });
            }
            Effect::CallBack(jobs) => {
                for job in jobs {
                    process.scheduler.offer(job, now_ms);
                }
            }
            Effect::Retire(carrier) => drop(self.retired.insert(carrier)),
            Effect::Inbound { .. } | Effect::Health { .. } => {}
        }
    }

    /// What was read arrives later, or the read has failed.
    fn answer_read(&mut self, load: u64, answer: Input) {
        let is_trouble = self.clock.now_ms() < START_MS + TROUBLE_MS;
        let input = if is_trouble && self.rng.random_bool(0.05) {
            Input::ReadFailed { load }
        } else {
            answer
        };
        self.plan_in(0..60, Action::Answer(Box::new(input)));
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
                Work::Insert(message) => changes.push(Change::Insert(message.clone())),
                Work::Release(message) => changes.push(Change::Release(message.clone())),
                Work::Cancel(id) => changes.push(Change::Cancel {
                    id: *id,
                    at_ms: now_ms,
                    callbacks_due: StatusSet::of(Status::Canceled),
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
                    self.customer.was_answered(&message);
                    accepted.push(*message);
                }
                Work::Release(message) => {
                    if applied.next() == Some(Applied::Yes) {
                        accepted.push(*message);
                    } else {
                        process.acceptor.abandon(&message);
                    }
                }
                Work::Cancel(id) => {
                    if applied.next() == Some(Applied::Yes) {
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
        let done: Vec<(Id, StatusSet)> = reports
            .into_iter()
            .filter_map(|report| match report {
                WebhookReport::Finished(finished) => Some((finished.message, finished.statuses)),
                WebhookReport::Overflowed { .. } | WebhookReport::WantsRefill { .. } => None,
            })
            .collect();
        if !done.is_empty() {
            process.inputs.push(Input::CallbacksDone(done));
        }
        for attempt in attempts {
            let webhooks::Event::StatusCallback { message, status } = attempt.job.event;
            if let Some(process) = &mut self.process {
                process.attempts.insert(attempt.id, (message.id, status));
            }
            // Only a first attempt fails to connect, so that no callback is given up for good.
            let result = match self.rng.random_range(0..10) {
                0 if attempt.number == 1 => Err(AttemptFailure::ConnectFailed),
                1 => Ok(204),
                _ => Ok(200),
            };
            if result.is_ok() {
                self.customer.hear(message.id, status);
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

/// ISO 8601, whole seconds, UTC.
fn iso(at_ms: Millis) -> String {
    jiff::Timestamp::from_second(at_ms / 1_000)
        .expect("a time of this century")
        .to_string()
}
