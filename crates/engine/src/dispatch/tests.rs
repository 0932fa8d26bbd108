//! Dispatch as a value: what it does with answers and receipts, on virtual time and without a store.
//!
//! Commits are durable at once, and the store knows only what a former process left in it. What takes a store, crashes or chance is
//! the simulation's (`tests/sim`).

use std::sync::Arc;

use postrider_carriers::correlation::{IdForms, candidates};
use postrider_carriers::{
    AckToken, CarrierNo, Event, EventBatch, Health, Outcome, Receipt, ReceiptState, Refusal,
    RefusalClass, Submission, Ticket, UnknownOutcome,
};
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::ReceiptParts;
use postrider_core::message::{AccountNo, Message, SenderNo, Status, StatusSet};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::privacy::may_be;
use postrider_core::route::{Route, Routes};
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{
    Account, AccountStatus, Capabilities, Document, IncomingNumber, Sender, SenderStatus,
    SenderWebhooks,
};
use postrider_core::sid::{AccountSid, Id, PhoneNumberSid};
use postrider_core::testing;
use postrider_store::{Applied, Change, RawReceipt, Update};
use smallvec::smallvec;

use super::*;
use crate::secrets::Vault;

mod by_handset;
mod channels;
mod commits;
mod disk;
mod doubt;
mod expiry;
mod failures;
mod log;
mod lookups;
mod matching;
mod pace;
mod receipts;
mod silence;
mod stop;

const START_MS: Millis = 1_767_225_600_000;
const FROM: &str = "+14155550101";
const MINUTE_MS: Millis = 60_000;

/// A dispatch with one sender and two carriers, `a` before `b`.
struct Bench {
    dispatch: Dispatch,
    directory: Arc<Directory>,
    now_ms: Millis,
    submitted: Vec<(CarrierNo, Submission)>,
    /// The last record of each message.
    records: BTreeMap<Id, (Status, Option<ErrorCode>, bool)>,
    /// As they were accepted.
    accepted: Vec<Message>,
    /// All that went on record of messages, durable or not.
    updates: Vec<Update>,
    health: Vec<Health>,
    kept: Vec<RawReceipt>,
    calls: usize,
    failures: Vec<Failure>,
    /// What the store says to the next changes.
    applied: Applied,
    /// While there is a list here, commits are not durable yet.
    slow_commits: Option<Vec<Input>>,
    /// While there is a list here, what was read from the queue has not arrived yet.
    slow_reads: Option<Vec<Input>>,
    /// What a carrier was given and could not answer, because it is not heard.
    unheard: Vec<(u16, Submission)>,
    /// While there is a list here, lookups are not answered yet.
    slow_finds: Option<Vec<u64>>,
    /// Events that were answered, and those that are to come again.
    acknowledged: usize,
    declined: Vec<u16>,
    /// What the store knows of the next receipt that it is asked about.
    found: Option<Receipted>,
    /// Changes in the largest commit.
    largest_commit: usize,
    /// Pages of expired backlog that were asked for.
    looks: usize,
    /// The stored queue of the one sender, oldest first.
    stored: Vec<Message>,
}

impl Bench {
    fn new(policy: UnknownOutcome) -> Self {
        let route = Route {
            carriers: vec![0, 1],
            ..Route::default()
        };
        Self::with(policy, DispatchLimits::default(), vec![route])
    }

    fn with(policy: UnknownOutcome, limits: DispatchLimits, routes: Vec<Route>) -> Self {
        let directory = Arc::new(Directory::load(documents(), Vault::new(&[9; 32])).unwrap());
        let policies = ["a", "b"].map(|name| CarrierPolicy {
            name: name.into(),
            group: name.into(),
            unknown_outcome: policy,
            receipt_parts: ReceiptParts::All,
            keep_receipts: false,
        });
        let mut bench = Self {
            dispatch: Dispatch::new(
                directory.clone(),
                Arc::default(),
                Arc::default(),
                limits,
                Arc::default(),
                Arc::new(Routes(routes)),
                policies.to_vec(),
            ),
            directory,
            now_ms: START_MS,
            submitted: Vec::new(),
            records: BTreeMap::new(),
            accepted: Vec::new(),
            updates: Vec::new(),
            health: Vec::new(),
            kept: Vec::new(),
            calls: 0,
            failures: Vec::new(),
            applied: Applied::Yes,
            slow_commits: None,
            slow_reads: None,
            unheard: Vec::new(),
            slow_finds: None,
            acknowledged: 0,
            declined: Vec::new(),
            found: None,
            largest_commit: 0,
            looks: 0,
            stored: Vec::new(),
        };
        for carrier in [0, 1] {
            bench.capacity(carrier, 100);
        }
        bench
    }

    fn capacity(&mut self, carrier: u16, segments: u32) {
        let health = Health {
            links_configured: 1,
            links_bound: 1,
            ..Health::default()
        };
        self.tell(carrier, Event::Capacity { segments, health });
    }

    /// With carriers `a`, `b` and so on, preferred in this order.
    fn with_carriers(policy: UnknownOutcome, names: &[&str]) -> Self {
        let mut bench = Self::new(policy);
        let a = bench.dispatch.carriers[0].policy.clone();
        let named = |name: &&str| CarrierPolicy {
            name: (*name).into(),
            group: (*name).into(),
            ..a.clone()
        };
        let carriers = (0..).zip(names).map(|(no, _)| no).collect();
        bench.turn(vec![Input::Reconfigured(Reconfigured {
            routes: Arc::new(Routes(vec![Route {
                carriers,
                ..Route::default()
            }])),
            carriers: names.iter().map(named).collect(),
            retired: BTreeSet::new(),
            paces: Arc::default(),
        })]);
        for carrier in (0..).take(names.len()) {
            bench.capacity(carrier, 100);
        }
        bench
    }

    /// Accepts message `number` to a handset of its own.
    fn accept(&mut self, number: u32) -> Id {
        self.accept_with(number, |_| {})
    }

    fn accept_with(&mut self, number: u32, edit: impl FnOnce(&mut Message)) -> Id {
        let mut message = message(number, self.now_ms);
        edit(&mut message);
        let id = message.sid.id;
        self.accepted.push(message.clone());
        self.turn(vec![Input::Accepted(vec![message])]);
        id
    }

    /// A message as it is on record.
    fn on_record(&self, accepted: &Message) -> Message {
        let mut message = accepted.clone();
        if let Some(update) = self.updates.iter().rfind(|it| it.id == message.sid.id) {
            message.status = update.status;
            message.updated_ms = update.at_ms;
            message.attempts = update.attempts;
            message.is_possible_duplicate = update.is_possible_duplicate;
            message.segments = update.segments.clone();
        }
        message
    }

    fn tell(&mut self, carrier: u16, event: Event) {
        self.turn(vec![Input::Carrier(EventBatch {
            carrier: CarrierNo(carrier),
            events: vec![event],
        })]);
    }

    fn answer(&mut self, carrier: u16, ticket: Ticket, outcome: Outcome) {
        self.tell(carrier, Event::Outcome { ticket, outcome });
    }

    fn receive(&mut self, carrier: u16, receipt: Receipt) {
        self.receive_all(carrier, [receipt]);
    }

    /// Receipts that come at once.
    fn receive_all(&mut self, carrier: u16, receipts: impl IntoIterator<Item = Receipt>) {
        let ack = AckToken {
            session: 1,
            sequence: 1,
        };
        let receipts = receipts.into_iter();
        self.turn(vec![Input::Carrier(EventBatch {
            carrier: CarrierNo(carrier),
            events: receipts
                .map(|receipt| Event::Receipt { receipt, ack })
                .collect(),
        })]);
    }

    /// What was submitted since the last look.
    fn take_submitted(&mut self) -> Vec<(u16, Submission)> {
        let taken = std::mem::take(&mut self.submitted);
        taken.into_iter().map(|(no, it)| (no.0, it)).collect()
    }

    fn take_one(&mut self) -> Submission {
        let mut taken = self.take_submitted();
        assert_eq!(taken.len(), 1, "{taken:?}");
        taken.remove(0).1
    }

    fn status(&self, id: Id) -> Option<Status> {
        self.records.get(&id).map(|(status, _, _)| *status)
    }

    fn advance(&mut self, by_ms: Millis) {
        let until_ms = self.now_ms + by_ms;
        while let Some(at_ms) = self.dispatch.next_deadline()
            && at_ms <= until_ms
        {
            self.now_ms = self.now_ms.max(at_ms);
            self.turn(vec![Input::Timer]);
        }
        self.now_ms = until_ms;
        self.turn(vec![Input::Timer]);
    }

    fn turn(&mut self, mut inputs: Vec<Input>) {
        while !inputs.is_empty() {
            let mut effects = Vec::new();
            for input in inputs.drain(..) {
                self.dispatch.handle(input, self.now_ms, &mut effects);
            }
            self.dispatch.poll(self.now_ms, &mut effects);
            for effect in effects {
                inputs.extend(self.perform(effect));
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Commit { commit, changes } => {
                self.largest_commit = self.largest_commit.max(changes.len());
                for change in &changes {
                    match change {
                        Change::Update(update) => {
                            let record =
                                (update.status, update.error, update.is_possible_duplicate);
                            self.records.insert(update.id, record);
                            self.updates.push(update.clone());
                            if self.slow_commits.is_none() {
                                self.stored.retain(|message| message.sid.id != update.id);
                            }
                        }
                        Change::Shelve { id } => {
                            let mut stored = self.stored.iter_mut();
                            let message = stored.find(|message| message.sid.id == *id);
                            message.unwrap().is_backlog = true;
                        }
                        Change::KeepRaw(receipt) => self.kept.push(receipt.clone()),
                        _ => {}
                    }
                }
                let applied = vec![self.applied; changes.len()];
                let committed = Input::Committed { commit, applied };
                let Some(slow_commits) = &mut self.slow_commits else {
                    return Some(committed);
                };
                slow_commits.push(committed);
            }
            Effect::Submit { carrier, batch } => {
                let batch = batch.into_iter().map(|submission| (carrier, submission));
                self.submitted.extend(batch);
            }
            Effect::Find { load, .. } => {
                if let Some(slow_finds) = &mut self.slow_finds {
                    slow_finds.push(load);
                    return None;
                }
                let found = self.found.take();
                return Some(Input::Found { load, found });
            }
            Effect::Refill {
                load, after, limit, ..
            } => {
                let is_beyond = |message: &&Message| Some(message.sid.id) > after;
                let messages = self.stored.iter().filter(is_beyond).take(limit);
                let messages = messages.cloned().collect();
                let refilled = Input::Refilled { load, messages };
                let Some(slow_reads) = &mut self.slow_reads else {
                    return Some(refilled);
                };
                slow_reads.push(refilled);
            }
            Effect::Unshelved {
                load, after, limit, ..
            } => {
                let is_beyond = |message: &&Message| Some(message.sid.id) > after;
                let unshelved = self.stored.iter().filter(|message| !message.is_backlog);
                let ids = unshelved.filter(is_beyond).take(limit);
                let ids = ids.map(|message| message.sid.id).collect();
                return Some(Input::Unshelved { load, ids });
            }
            Effect::Expiring {
                load,
                before_ms,
                after,
                limit,
            } => {
                self.looks += 1;
                let place = |message: &Message| Some((message.deadline_ms, message.sid.id));
                let is_due = |message: &&Message| {
                    message.is_backlog && message.deadline_ms < before_ms && place(message) > after
                };
                let mut messages: Vec<_> = self.stored.iter().filter(is_due).cloned().collect();
                messages.sort_by_key(place);
                messages.truncate(limit);
                return Some(Input::Expiring { load, messages });
            }
            Effect::Others {
                load, to, limit, ..
            } => {
                let all = self.stored.iter().chain(&self.accepted).rev();
                let others = all.filter(|message| may_be(&message.to, &to)).take(limit);
                let messages = others.map(|message| self.on_record(message)).collect();
                return Some(Input::Others { load, messages });
            }
            Effect::CallBack(jobs) => self.calls += jobs.len(),
            Effect::Alert(failures) => self.failures.extend(failures),
            Effect::Health { health, .. } => self.health.push(health),
            Effect::Acknowledge { tokens, .. } => self.acknowledged += tokens.len(),
            Effect::Decline { carrier, tokens } => {
                self.declined.extend(tokens.iter().map(|_| carrier.0));
            }
            Effect::Inbound { .. } | Effect::Retire(_) => {}
        }
        None
    }
}

fn account(status: AccountStatus) -> Account {
    Account {
        status,
        auth_token_sealed: Vault::new(&[9; 32]).seal("token", [1; 12]),
        ..testing::account(AccountSid(Id::new(START_MS, 0, 1)), AccountNo(1))
    }
}

fn documents() -> Vec<Document> {
    let account = account(AccountStatus::Active);
    let number = PhoneNumber::parse(FROM).unwrap();
    let sender = Sender {
        no: SenderNo(1),
        account: account.sid,
        address: SenderAddress::Number(number),
        country: None,
    };
    vec![
        Document::Account(account),
        Document::Sender(sender),
        Document::Number(number_at(0.0)),
    ]
}

/// The sender's number, at a pace.
fn number_at(per_second: f64) -> IncomingNumber {
    let number = PhoneNumber::parse(FROM).unwrap();
    IncomingNumber {
        sid: PhoneNumberSid(Id::new(START_MS, 0, 2)),
        account: account(AccountStatus::Active).sid,
        sender: SenderNo(1),
        number,
        friendly_name: FROM.to_owned(),
        status: SenderStatus::default(),
        capabilities: Capabilities {
            sms: true,
            mms: false,
            voice: false,
        },
        webhooks: SenderWebhooks::default(),
        voice: Box::default(),
        pace: Some(per_second),
        country: None,
        created_ms: START_MS,
        updated_ms: START_MS,
    }
}

fn handset(number: u32) -> String {
    format!("+1212555{number:04}")
}

fn message(number: u32, now_ms: Millis) -> Message {
    Message {
        from: Some(FROM.into()),
        to: handset(number).into(),
        body: format!("message {number}").into(),
        updated_ms: now_ms,
        deadline_ms: now_ms + 36_000_000,
        ..testing::message(Id::new(START_MS, number, 7))
    }
}

fn accepted(ids: &[&str]) -> Outcome {
    Outcome::Accepted {
        ids: ids.iter().map(|&id| id.into()).collect(),
    }
}

fn refused(class: RefusalClass) -> Outcome {
    Outcome::Refused(Refusal {
        class,
        code: ErrorCode::UnknownFailure,
        detail: "0x00000015 RINVSERTYP".into(),
        accepted: smallvec![],
    })
}

/// A receipt with an id as the carrier wrote it, about the handset of message `number`.
fn delivered(id: &str, number: u32) -> Receipt {
    Receipt {
        carrier_id: id.into(),
        candidates: candidates(id, IdForms::default()),
        state: ReceiptState::Delivered,
        error: None,
        done_date: None,
        handset: Some(PhoneNumber::parse(&handset(number)).unwrap()),
        detail: "".into(),
        is_understood: true,
        raw: format!("receipt {id}").into_bytes().into(),
    }
}

#[test]
fn a_carrier_that_refuses_our_settings_is_held_and_tried_with_one_message() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let first = bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, refused(RefusalClass::Config));
    bench.accept(2);
    bench.accept(3);
    assert_eq!(bench.take_submitted().len(), 0, "the queue is held");
    let fault = bench.health.last().unwrap().config_fault.clone();
    assert_eq!(fault.as_deref(), Some("0x00000015 RINVSERTYP"));

    bench.advance(5 * MINUTE_MS);
    let probe = bench.take_one();
    assert_eq!(&*probe.body, "message 1", "one message, the oldest");
    bench.answer(0, probe.ticket, refused(RefusalClass::Config));
    assert_eq!(bench.take_submitted().len(), 0);

    bench.advance(5 * MINUTE_MS);
    let probe = bench.take_one();
    bench.answer(0, probe.ticket, accepted(&["1"]));
    assert_eq!(bench.status(first), Some(Status::Sent));
    assert_eq!(bench.take_submitted().len(), 2, "the others follow");
    assert_eq!(bench.health.last().unwrap().config_fault, None);
}

#[test]
fn what_came_back_goes_out_again_in_the_order_in_which_it_was_accepted() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    for number in 1..=5 {
        bench.accept(number);
    }
    let taken = bench.take_submitted();
    bench.capacity(0, 0);
    for number in 6..=8 {
        bench.accept(number);
    }
    let back = [
        Outcome::Throttled,
        Outcome::Returned,
        Outcome::Returned,
        Outcome::Throttled,
        Outcome::Returned,
    ];
    for ((_, submission), outcome) in taken.iter().zip(back) {
        bench.answer(0, submission.ticket, outcome);
    }
    bench.capacity(0, 100);
    let bodies: Vec<String> = bench
        .take_submitted()
        .iter()
        .map(|(_, submission)| submission.body.to_string())
        .collect();
    let wanted: Vec<String> = (1..=8).map(|number| format!("message {number}")).collect();
    assert_eq!(bodies, wanted);
}

#[test]
fn an_unknown_outcome_is_tried_once_more_and_then_ends() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    bench.advance(MINUTE_MS - 1);
    assert_eq!(bench.take_submitted().len(), 0, "a late answer may come");
    bench.advance(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    bench.advance(120 * MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
    let record = bench.records[&id];
    let code = Some(ErrorCode::UnknownFailure);
    assert_eq!(record, (Status::Undelivered, code, true));
}

#[test]
fn an_answer_that_comes_after_the_second_submit_still_counts() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept(1);
    let first = bench.take_one().ticket;
    bench.answer(0, first, Outcome::Unknown);
    bench.advance(MINUTE_MS);
    let second = bench.take_one().ticket;
    let outcome = accepted(&["x1"]);
    let ticket = first;
    bench.tell(0, Event::LateOutcome { ticket, outcome });
    assert_eq!(bench.status(id), Some(Status::Sent));
    // The copy is known too: its receipt is about the same message.
    bench.answer(0, second, accepted(&["x2"]));
    bench.receive(0, delivered("x2", 1));
    assert_eq!(bench.status(id), Some(Status::Delivered));
    bench.advance(120 * MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
}

#[test]
fn retries_follow_the_schedule_of_their_class() {
    for (class, waits_s, last) in [
        (RefusalClass::RetrySame, &[5, 30, 120, 600, 600, 600][..], 0),
        (RefusalClass::RetrySoon, &[5, 15, 45], 1),
        (RefusalClass::RetryOther, &[], 1),
    ] {
        let mut bench = Bench::new(UnknownOutcome::Resend);
        bench.accept(1);
        for &wait_s in waits_s {
            let ticket = bench.take_one().ticket;
            bench.answer(0, ticket, refused(class));
            bench.advance(wait_s * 1_000 - 1);
            assert_eq!(bench.take_submitted().len(), 0, "{class:?} {wait_s}");
            bench.advance(1);
        }
        let ticket = bench.take_one().ticket;
        bench.answer(0, ticket, refused(class));
        bench.advance(600_000);
        let taken = bench.take_submitted();
        assert_eq!(taken.len(), 1, "{class:?}");
        assert_eq!(taken[0].0, last, "{class:?}");
    }
}

/// carriers.md 2.3: "`retry_other` once, else fail". A refusal of the message itself is asked about
/// once more; a carrier in trouble (`RetrySoon`) says nothing of the message.
#[test]
fn one_other_carrier_is_asked_about_a_refusal_and_every_other_about_trouble() {
    for (class, tries) in [
        (RefusalClass::RetryOther, &[0, 1][..]),
        (
            RefusalClass::RetrySoon,
            &[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2],
        ),
    ] {
        let mut bench = Bench::with_carriers(UnknownOutcome::Resend, &["a", "b", "c"]);
        let id = bench.accept(1);
        let mut tried = Vec::new();
        while let Some((carrier, submission)) = bench.take_submitted().pop() {
            tried.push(carrier);
            bench.answer(carrier, submission.ticket, refused(class));
            bench.advance(MINUTE_MS);
        }
        assert_eq!(tried, tries, "{class:?}");
        let code = Some(ErrorCode::UnknownFailure);
        assert_eq!(bench.records[&id], (Status::Undelivered, code, false));
    }
}

#[test]
fn a_refused_message_that_waits_is_not_in_doubt() {
    let mut bench = Bench::new(UnknownOutcome::Fail);
    let id = bench.accept(1);
    assert_eq!(bench.status(id), Some(Status::Sending));
    let ticket = bench.take_one().ticket;
    let mut states = Vec::new();
    bench.answer(0, ticket, refused(RefusalClass::RetrySame));
    states.extend(
        bench
            .dispatch
            .live
            .get(id)
            .map(|live| live.message.segments.is_empty()),
    );
    assert_eq!(states, [true], "the intent was taken back");
}

#[test]
fn a_message_that_was_deleted_meanwhile_calls_nobody() {
    for (applied, calls) in [(Applied::Yes, 1), (Applied::Missing, 0)] {
        let mut bench = Bench::new(UnknownOutcome::Resend);
        bench.accept_with(1, |message| {
            message.status_callback = Some("https://customer.example/".into());
        });
        let ticket = bench.take_one().ticket;
        bench.answer(0, ticket, accepted(&["1"]));
        bench.calls = 0;
        bench.applied = applied;
        bench.receive(0, delivered("1", 1));
        assert_eq!(bench.calls, calls, "{applied:?}");
    }
}

/// A window's worth comes back into memory; the last of it, whatever stands before them, are found.
#[test]
fn what_a_former_process_had_in_memory_expires_in_time_beyond_the_window_too() {
    let window = u32::try_from(DispatchLimits::default().window).unwrap();
    // Columns: how many first were backlog, and how many wait in all.
    for (backlog, count) in [
        (0, window + 500),
        (1, window + 500),
        (2 * window, 3 * window),
    ] {
        let mut bench = Bench::new(UnknownOutcome::Resend);
        bench.capacity(0, 0);
        bench.capacity(1, 0);
        bench.stored = (0..count).map(|number| message(number, START_MS)).collect();
        for message in &mut bench.stored[..backlog as usize] {
            message.is_backlog = true;
        }
        for message in &mut bench.stored[count as usize - 500..] {
            message.deadline_ms = START_MS + 12_000;
        }
        let last = bench.stored.last().map(|message| message.sid.id);
        let waiting = vec![SenderNo(1)];
        bench.dispatch.start(last, waiting, Vec::new(), START_MS);
        bench.turn(vec![Input::Timer]);
        bench.advance(12_000);
        bench.advance(1_500);
        assert_eq!(bench.records.len(), 500, "{backlog} of {count}");
        for (_, error, _) in bench.records.values() {
            assert_eq!(*error, Some(ErrorCode::ValidityPeriodExpired));
        }
        assert_eq!(bench.status(last.unwrap()), Some(Status::Failed));
    }
}

/// Marks cost a write each, and what is in memory has a timer.
#[test]
fn what_is_in_memory_again_is_not_shelved() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.capacity(0, 0);
    bench.capacity(1, 0);
    bench.stored = (0..2_000).map(|number| message(number, START_MS)).collect();
    let last = bench.stored.last().map(|message| message.sid.id);
    bench
        .dispatch
        .start(last, vec![SenderNo(1)], Vec::new(), START_MS);
    bench.turn(vec![Input::Timer]);
    bench.advance(5_000);
    assert!(bench.stored.iter().all(|message| !message.is_backlog));
}

#[test]
fn a_message_for_which_there_was_no_sender_calls_back_at_once() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept_with(1, |message| {
        message.status = Status::Failed;
        message.error = Some(ErrorCode::NoSuitableSender);
        message.from = None;
        message.sender = None;
        message.status_callback = Some("https://example.com/status".into());
        message.callbacks_due = StatusSet::of(Status::Failed);
    });
    assert_eq!(bench.calls, 1);
    assert!(bench.take_submitted().is_empty());
    assert_eq!(bench.status(id), None, "nothing is left to be decided");
}

/// Operators alert on the count, whoever gave the message up.
#[test]
fn whatever_fails_is_counted_also_what_fails_as_it_is_accepted() {
    let failed = |error| {
        move |message: &mut Message| {
            message.status = Status::Failed;
            message.error = Some(error);
        }
    };
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.accept_with(1, failed(ErrorCode::NoSuitableSender));
    bench.accept_with(2, failed(ErrorCode::QueueOverflow));
    // No route leads from such a sender.
    bench.accept_with(3, |message| message.from = None);
    let metrics = bench.dispatch.metrics.clone();
    assert_eq!(metrics.count_of(Status::Failed), 3);
    assert_eq!(metrics.count_of(Status::Queued), 0);
}

#[test]
fn what_is_in_memory_is_measured() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let metrics = bench.dispatch.metrics.clone();
    bench.accept(1);
    bench.accept(2);
    let tickets = bench.take_submitted();
    bench.answer(0, tickets[0].1.ticket, accepted(&["1"]));
    assert_eq!(metrics.live_messages.get(), 2, "one waits for its receipt");
    bench.receive(0, delivered("1", 1));
    assert_eq!(metrics.live_messages.get(), 1);
}

#[test]
fn an_answer_about_a_message_that_is_done_gives_all_its_room_back() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.accept_with(1, |message| message.num_segments = 3);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    bench.advance(MINUTE_MS);
    let second = bench.take_one().ticket;
    let outcome = accepted(&["1", "2", "3"]);
    bench.tell(0, Event::LateOutcome { ticket, outcome });
    for id in ["1", "2", "3"] {
        bench.receive(0, delivered(id, 1));
    }
    assert_eq!(bench.dispatch.live.len(), 0);
    assert_eq!(bench.dispatch.carriers[0].outstanding, 3);
    bench.answer(0, second, accepted(&["4", "5", "6"]));
    assert_eq!(bench.dispatch.carriers[0].outstanding, 0);
}

#[test]
fn an_intent_that_is_never_acted_on_gives_its_room_back() {
    let mut bench = Bench::new(UnknownOutcome::Fail);
    bench.slow_commits = Some(Vec::new());
    let deadline_ms = bench.now_ms + 1_000;
    let id = bench.accept_with(1, |message| message.deadline_ms = deadline_ms);
    assert_eq!(bench.dispatch.carriers[0].outstanding, 1);
    bench.advance(1_000);
    let commits = bench.slow_commits.take().unwrap();
    bench.turn(commits);
    assert_eq!(bench.take_submitted().len(), 0);
    assert_eq!(bench.status(id), Some(Status::Failed));
    assert_eq!(bench.dispatch.carriers[0].outstanding, 0);
}
