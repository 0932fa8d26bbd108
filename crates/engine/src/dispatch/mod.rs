//! Dispatch: the one owner of every queue, from the commit of a message to its final status.
//!
//! [`Dispatch`] is a value. It is told what happened ([`Input`]) and what time it is, and answers
//! with what is to be done ([`Effect`]); it reads no clock, performs no IO and draws nothing, so a
//! seeded simulation can run it whole. The shell around it is `runtime.rs`.
//!
//! It keeps the live part of the backlog in memory (one window per lane, a lane being one sender's
//! queue towards one carrier) and refills from the store. Each step of a message is decided here on
//! the state in memory, committed in order, and **acted on only when the commit is durable**: status
//! callbacks, answers to the carrier, and (where the carrier's policy demands it) the submit itself
//! wait in [`Deferred`] until then. See `docs/message-lifecycle.md`.

mod by_handset;
mod carrier;
mod commits;
mod doubt;
mod expiry;
mod lane;
mod limit;
mod live;
mod matching;
mod outcome;
mod read_again;
mod receipt;
mod refill;
#[cfg(test)]
mod reload_tests;
mod ring;
mod shared;
mod shelve;
#[cfg(test)]
mod tests;
mod timer;
mod track_record;
mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use postrider_carriers::{AckToken, CarrierNo, Event, EventBatch, Submission, Ticket};
use postrider_core::clock::Millis;
use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::message::{AccountNo, Message, SenderNo, Status, StatusSet};
use postrider_core::pacing::PaceSettings;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::Routes;
use postrider_core::select::Decision;
use postrider_core::sender::WHATSAPP_PREFIX;
use postrider_core::settings::{Account, AccountStatus};
use postrider_core::sid::{ChannelSenderSid, Id, MessageSid, ServiceSid};
use postrider_store::{Applied, Change, ParkedReceipt, SubmittedKey};
use rustc_hash::FxHashMap;

use self::by_handset::{Doubts, Handset};
pub use self::carrier::CarrierPolicy;
use self::carrier::{CarrierState, HandOver};
use self::commits::Deferred;
use self::expiry::Expiry;
use self::lane::SenderQueue;
use self::limit::LimitTable;
use self::live::{Live, LiveMessages};
pub use self::matching::{Receipted, find_others, find_receipted};
use self::receipt::Receipts;
use self::shared::SharedLimits;
use self::shelve::Shelving;
use self::timer::{IDLE_MS, Timer};
use self::walk::Walk;
use crate::directory::Directory;
use crate::loads::Loads;
use crate::metrics::Metrics;
use crate::opt_outs::Lately;
use crate::webhooks::{AuthToken, Job};

/// Fixed bounds of the dispatcher.
#[derive(Clone, Copy, Debug)]
pub struct DispatchLimits {
    /// Messages of one lane held in memory; the rest waits on disk.
    pub window: usize,
    /// Rows asked of the store at once.
    pub page: usize,
    /// Sent messages kept in memory for their receipts; older ones are looked up in the store.
    pub awaiting_receipt: usize,
    /// Receipts of one group of carriers that wait for the store to find their message; beyond, the
    /// carrier has to bring them again.
    pub lookups: usize,
    /// Commits on their way at once.
    pub commits: usize,
    /// Changes in one commit. While that many wait for a commit, nothing more is sent or heard.
    pub batch: usize,
}

impl Default for DispatchLimits {
    fn default() -> Self {
        Self {
            window: 5_000,
            page: 1_000,
            awaiting_receipt: 100_000,
            lookups: 4_096,
            commits: 4,
            // What the committing thread writes in one transaction.
            batch: 4_096,
        }
    }
}

/// What dispatch is told.
#[derive(Debug)]
pub enum Input {
    /// Newly durable messages in status `queued`, in order.
    Accepted(Vec<Message>),
    Carrier(EventBatch),
    /// The commit with this number is durable.
    Committed {
        commit: u64,
        applied: Vec<Applied>,
    },
    /// The answer to [`Effect::Refill`].
    Refilled {
        load: u64,
        messages: Vec<Message>,
    },
    /// The answer to [`Effect::Expiring`].
    Expiring {
        load: u64,
        messages: Vec<Message>,
    },
    /// The answer to [`Effect::Unshelved`].
    Unshelved {
        load: u64,
        ids: Vec<Id>,
    },
    /// The answer to [`Effect::Find`].
    Found {
        load: u64,
        found: Option<Receipted>,
    },
    /// The answer to [`Effect::Others`].
    Others {
        load: u64,
        messages: Vec<Message>,
    },
    /// The read with this number failed: it is begun again after a while.
    ReadFailed {
        load: u64,
    },
    /// Callbacks that were made, or given up.
    CallbacksDone(Vec<(Id, StatusSet)>),
    /// Settings were changed: paces may be others.
    SettingsChanged,
    /// Routes, carriers and paces were reloaded.
    Reconfigured(Reconfigured),
    /// The process stops: nothing more is handed to carriers.
    Stop,
    /// A deadline has come (see [`Dispatch::next_deadline`]).
    Timer,
}

/// Routes, carriers and paces as they are from now on.
#[derive(Clone, Debug)]
pub struct Reconfigured {
    /// Over carriers that are not retired.
    pub routes: Arc<Routes>,
    /// Of every carrier by its number, those of earlier times included; beyond the carriers known so
    /// far are new ones.
    pub carriers: Vec<CarrierPolicy>,
    /// Those that get nothing more. A carrier never comes back under its number.
    pub retired: BTreeSet<CarrierNo>,
    pub paces: Arc<PaceSettings>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    Commit {
        commit: u64,
        changes: Vec<Change>,
    },
    Submit {
        carrier: CarrierNo,
        batch: Vec<Submission>,
    },
    Acknowledge {
        carrier: CarrierNo,
        tokens: Vec<AckToken>,
    },
    /// The carrier is to bring these events again: there is no room for them now.
    Decline {
        carrier: CarrierNo,
        tokens: Vec<AckToken>,
    },
    /// Read a page of the sender's queue.
    Refill {
        load: u64,
        sender: SenderNo,
        after: Option<Id>,
        limit: usize,
    },
    /// Read backlog whose deadline has passed.
    Expiring {
        load: u64,
        before_ms: Millis,
        /// Deadline and id of the last row of the page before.
        after: Option<(Millis, Id)>,
        limit: usize,
    },
    /// Read which messages of the sender's queue are not marked as backlog.
    Unshelved {
        load: u64,
        sender: SenderNo,
        after: Option<Id>,
        limit: usize,
    },
    /// Look a receipt's message up, by [`find_receipted`].
    Find {
        load: u64,
        keys: Vec<SubmittedKey>,
        /// The place of the key to try first.
        first: usize,
        /// The handset that the receipt speaks of, as a message names it.
        to: Option<Box<str>>,
        since_ms: Millis,
    },
    /// Read the account's newest messages to a handset, by [`find_others`].
    Others {
        load: u64,
        account: AccountNo,
        to: Box<str>,
        limit: usize,
    },
    /// Offer callbacks for delivery.
    CallBack(Vec<Job>),
    /// Tell customers of messages that have failed.
    Alert(Vec<Failure>),
    /// An inbound message to store and hand on; answered with the token once durable.
    Inbound {
        carrier: CarrierNo,
        inbound: postrider_carriers::Inbound,
        ack: AckToken,
    },
    /// No submission follows: the carrier is to answer for what it has, and to stop.
    Retire(CarrierNo),
    /// A carrier's state changed, for readiness and metrics.
    Health {
        carrier: CarrierNo,
        health: postrider_carriers::Health,
    },
}

/// A message that came to a bad end after its request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub message: MessageSid,
    pub account: AccountNo,
    pub service: Option<ServiceSid>,
    pub code: ErrorCode,
    /// A warning where a carrier or handset did not want it, an error where we did not get so far.
    pub level: AlertLevel,
    /// Where there is more to say than the code does.
    pub text: Option<Box<str>>,
}

impl Failure {
    fn of(message: &Message, level: AlertLevel) -> Option<Self> {
        Some(Self {
            message: message.sid,
            account: message.account,
            service: message.service,
            code: message.error.filter(|_| message.status.is_failure())?,
            level,
            text: objection_to_named(message),
        })
    }
}

/// Why the sender that the request named with its service could not have the message.
fn objection_to_named(message: &Message) -> Option<Box<str>> {
    // One that was queued had its sender.
    let from = message.from.as_ref().filter(|_| message.sender.is_none())?;
    let decision = Decision::from_bytes(message.decision.as_deref()?).ok()?;
    let reason = decision.objection_to_named()?;
    Some(format!("The 'From' sender {from} can't send this message: {reason}").into())
}

/// The owner of all queues. See the module.
pub struct Dispatch {
    directory: Arc<Directory>,
    loads: Arc<Loads>,
    metrics: Arc<Metrics>,
    opt_outs: Arc<Lately>,
    limits: DispatchLimits,
    routes: Arc<Routes>,
    /// Messages up to here existed before this process started.
    boot_last: Option<Id>,

    live: LiveMessages,
    queues: BTreeMap<SenderNo, SenderQueue>,
    /// Beside the senders' paces.
    limit_table: LimitTable,
    shared: SharedLimits,
    /// Senders whose queue may have rows on disk to be looked at.
    on_disk: BTreeSet<SenderNo>,
    shelving: Shelving,
    expiry: Expiry,
    carriers: Vec<CarrierState>,
    tickets: FxHashMap<Ticket, HandOver>,
    next_ticket: u64,
    receipts: Receipts,
    doubts: Doubts,
    timers: BTreeSet<(Millis, Timer)>,
    /// Grows with every settings change: queues ask for their pace again.
    pace_version: u64,

    /// Reads on their way, by number: what they were for.
    reads: BTreeMap<u64, Read>,
    next_read: u64,
    /// Receipts whose message must be looked up in the store.
    unfinished_finds: VecDeque<receipt::Pending>,
    finds_under_way: usize,
    /// A lookup failed: none is begun before this.
    finds_from_ms: Millis,

    /// Callbacks of messages that were durable when they came.
    ready_jobs: Vec<Job>,
    /// Likewise, and failed already.
    failures: Vec<Failure>,
    /// The commit that is gathering, and what waits for it.
    changes: Vec<Change>,
    after: Vec<Deferred>,
    /// Commits as large as they may be that wait for their turn, in order.
    full_commits: VecDeque<(Vec<Change>, Vec<Deferred>)>,
    commits: BTreeMap<u64, Vec<Deferred>>,
    next_commit: u64,
    is_stopping: bool,
}

/// What a read of the store was for.
#[derive(Debug)]
enum Read {
    /// The sender's queue as a former process left it, or as it was before the routes changed.
    Scan(SenderNo),
    /// Rows of one lane that were left on disk.
    CatchUp(SenderNo, CarrierNo),
    Expiring,
    Unshelved,
    Find(Box<receipt::Pending>),
    /// What else was sent to the handset of a message in doubt.
    Others(Handset),
}

impl Dispatch {
    pub fn new(
        directory: Arc<Directory>,
        loads: Arc<Loads>,
        metrics: Arc<Metrics>,
        limits: DispatchLimits,
        paces: Arc<PaceSettings>,
        routes: Arc<Routes>,
        carriers: Vec<CarrierPolicy>,
    ) -> Self {
        let state = |policy| CarrierState::new(policy, &metrics);
        let carriers = carriers.into_iter().map(state).collect();
        Self {
            directory,
            loads,
            metrics,
            opt_outs: Arc::default(),
            limits,
            limit_table: LimitTable::new(paces, routes.clone()),
            shared: SharedLimits::default(),
            routes,
            boot_last: None,
            live: LiveMessages::default(),
            queues: BTreeMap::new(),
            on_disk: BTreeSet::new(),
            shelving: Shelving::default(),
            expiry: Expiry::default(),
            carriers,
            tickets: FxHashMap::default(),
            next_ticket: 1,
            receipts: Receipts::default(),
            doubts: Doubts::default(),
            timers: BTreeSet::new(),
            pace_version: 0,
            reads: BTreeMap::new(),
            next_read: 1,
            unfinished_finds: VecDeque::new(),
            finds_under_way: 0,
            finds_from_ms: 0,
            ready_jobs: Vec::new(),
            failures: Vec::new(),
            changes: Vec::new(),
            after: Vec::new(),
            full_commits: VecDeque::new(),
            commits: BTreeMap::new(),
            next_commit: 1,
            is_stopping: false,
        }
    }

    /// Sends nothing to whoever opts out from now on by this list.
    pub fn obey(&mut self, opt_outs: Arc<Lately>) {
        self.opt_outs = opt_outs;
    }

    /// Takes over what a former process left: which senders have messages waiting, and receipts
    /// that found no message yet. Called once, before anything else.
    pub fn start(
        &mut self,
        boot_last: Option<Id>,
        waiting: Vec<SenderNo>,
        parked: Vec<ParkedReceipt>,
        now_ms: Millis,
    ) {
        self.boot_last = boot_last;
        for &sender in &waiting {
            self.queue_mut(sender).scan = Walk::from(Id::MIN);
            self.on_disk.insert(sender);
            self.loads
                .with(|table| table.get_mut(sender).is_backlogged = true);
        }
        self.shelve_former(waiting, now_ms);
        self.receipts.restore(parked);
        self.timers
            .insert((now_ms + receipt::SWEEP_MS, Timer::SweepParked));
        self.timers
            .insert((now_ms + IDLE_MS, Timer::ForgetIdleQueues));
    }

    /// Takes one input. Effects come from [`Dispatch::poll`], so that inputs can be taken in batches.
    pub fn handle(&mut self, input: Input, now_ms: Millis, effects: &mut Vec<Effect>) {
        match input {
            Input::Accepted(messages) => {
                for message in messages {
                    self.accepted(message, now_ms);
                }
            }
            Input::Carrier(batch) => self.carrier_events(batch, now_ms, effects),
            Input::Committed { commit, applied } => {
                self.committed(commit, &applied, now_ms, effects);
            }
            Input::Refilled { load, messages } => self.refilled(load, messages, now_ms),
            Input::Expiring { load, messages } => self.expired_on_disk(load, messages, now_ms),
            Input::Unshelved { load, ids } => self.shelve(load, &ids),
            Input::Found { load, found } => self.found(load, found, now_ms),
            Input::Others { load, messages } => self.others_found(load, &messages, now_ms),
            Input::ReadFailed { load } => self.read_failed(load, now_ms),
            Input::CallbacksDone(done) => {
                let changes = done
                    .into_iter()
                    .map(|(id, done)| Change::CallbacksDone { id, done });
                self.changes.extend(changes);
            }
            Input::SettingsChanged => self.ask_paces_again(),
            Input::Reconfigured(reconfigured) => self.reconfigure(reconfigured, now_ms, effects),
            Input::Stop => self.is_stopping = true,
            Input::Timer => {}
        }
    }

    /// Runs what is due, moves what may move, and says what is to be done.
    pub fn poll(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        self.run_timers(now_ms);
        self.tell_health(effects);
        self.read_more(now_ms, effects);
        self.find_expired(now_ms, effects);
        self.find_unshelved(now_ms, effects);
        self.find_unknown(now_ms, effects);
        self.find_others(effects);
        if !self.is_stopping {
            self.pump(now_ms, effects);
        }
        self.flush(effects);
        let has_room = |state: &CarrierState| state.outstanding == 0;
        debug_assert!(
            !self.is_quiet() || self.carriers.iter().all(has_room),
            "room is lost"
        );
        let live = i64::try_from(self.live.len()).unwrap_or(i64::MAX);
        self.metrics.live_messages.set(live);
    }

    /// When [`Dispatch::poll`] has something to do although nothing happened.
    pub fn next_deadline(&self) -> Option<Millis> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let deadline = self.live.next_deadline();
        // Once nothing goes any more, nobody's turn comes.
        let turn = self.shared.next_wake().filter(|_| !self.is_stopping);
        [timer, deadline, turn].into_iter().flatten().min()
    }

    /// Whether more of the carriers' events may be taken. While many changes wait for the disk the
    /// carriers have to wait too, so that memory does not grow with what they bring.
    pub fn takes_events(&self) -> bool {
        !self.is_behind()
    }

    /// Nothing is in a carrier's hands, being committed, or waiting for a commit.
    pub fn is_quiet(&self) -> bool {
        let is_saved = self.commits.is_empty() && self.changes.is_empty() && !self.is_behind();
        is_saved && self.tickets.is_empty()
    }

    fn carrier_events(&mut self, batch: EventBatch, now_ms: Millis, effects: &mut Vec<Effect>) {
        let carrier = batch.carrier;
        for event in batch.events {
            self.close_full_commit();
            match event {
                Event::Outcome { ticket, outcome } => {
                    self.outcome(carrier, ticket, outcome, now_ms);
                }
                Event::LateOutcome { ticket, outcome } => {
                    self.late_outcome(carrier, ticket, outcome, now_ms);
                }
                Event::Receipt { receipt, ack } => {
                    if !self.receipt(carrier, receipt, ack, now_ms) {
                        decline(carrier, ack, effects);
                    }
                }
                Event::Inbound { inbound, ack } => {
                    effects.push(Effect::Inbound {
                        carrier,
                        inbound,
                        ack,
                    });
                }
                Event::Capacity { segments, health } => {
                    let state = &mut self.carriers[usize::from(carrier.0)];
                    state.limit = segments;
                    state.note_health(health);
                }
            }
        }
    }

    /// Drops a message from memory, remembering so for reads that are on their way.
    fn forget(&mut self, id: Id) {
        if self.live.remove(id, self.next_read).is_some() {
            let next_read = (!self.reads.is_empty()).then_some(self.next_read);
            self.receipts.forget(id, next_read);
        }
    }

    fn begin_read(&mut self, read: Read) -> u64 {
        let number = self.next_read;
        self.next_read += 1;
        self.reads.insert(number, read);
        number
    }

    fn end_read(&mut self, number: u64) -> Option<Read> {
        let read = self.reads.remove(&number);
        let oldest = self.reads.keys().next().copied().unwrap_or(self.next_read);
        self.live.prune_left(oldest);
        self.receipts.prune_left(oldest);
        read
    }

    fn group_of(&self, carrier: CarrierNo) -> Arc<str> {
        self.carriers[usize::from(carrier.0)].policy.group.clone()
    }

    /// Whether the message's account may send, and the account above it.
    fn may_send(&self, message: &Message) -> bool {
        let is_active = |account: &Account| account.status == AccountStatus::Active;
        let account = self.directory.account_by_no(message.account);
        account.is_some_and(|account| {
            let parent = account.parent.map(|sid| self.directory.account(sid));
            is_active(&account)
                && parent.is_none_or(|parent| parent.is_some_and(|parent| is_active(&parent)))
        })
    }

    fn adopt(&mut self, message: Message, lane: CarrierNo) -> Id {
        let id = message.sid.id;
        let mut live = Live::new(message, lane);
        live.unknowns = doubt::unknowns_on_record(&live.message);
        live.is_recovered = self.boot_last.is_some_and(|last| id <= last);
        self.live.insert(live);
        id
    }
}

/// Beside those that it has to bring again for the same reason.
fn decline(carrier: CarrierNo, ack: AckToken, effects: &mut Vec<Effect>) {
    match effects.last_mut() {
        Some(Effect::Decline {
            carrier: last,
            tokens,
        }) if *last == carrier => tokens.push(ack),
        _ => effects.push(Effect::Decline {
            carrier,
            tokens: vec![ack],
        }),
    }
}

/// The job that calls `status` of `message` back, if it has a callback URL and an account.
pub fn callback_job(
    directory: &Directory,
    message: &Message,
    status: Status,
    now_ms: Millis,
) -> Option<Job> {
    let url = message.status_callback.as_deref()?;
    let account = directory.account_by_no(message.account)?;
    let token = AuthToken::new(directory.auth_token(account.sid)?);
    let job = Job::status_callback(message, status, &account, url.into(), token, now_ms);
    // As `From`: not before it is chosen.
    let sender = channel_sender_of(directory, &account, message)
        .filter(|_| status.rank() >= Status::Queued.rank());
    Some(match sender {
        Some(sid) => job.with("ChannelInstallSid", sid.to_string().into()),
        None => job,
    })
}

/// The channel sender that a message comes from, as long as it is there.
fn channel_sender_of(
    directory: &Directory,
    account: &Account,
    message: &Message,
) -> Option<ChannelSenderSid> {
    let number = message.from.as_deref()?.strip_prefix(WHATSAPP_PREFIX)?;
    let number = PhoneNumber::parse(number).ok()?;
    let sender = directory.channel_sender_by_number(number)?;
    (sender.account == account.sid).then_some(sender.sid)
}
