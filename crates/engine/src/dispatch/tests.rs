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
use postrider_core::pacing::PaceSettings;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::{Route, Routes};
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{
    Account, AccountStatus, Capabilities, Document, IncomingNumber, Sender, SenderWebhooks,
};
use postrider_core::sid::{AccountSid, Id, PhoneNumberSid};
use postrider_core::testing;
use postrider_store::{Applied, Change, DocumentChange, RawReceipt};
use smallvec::smallvec;

use super::*;
use crate::secrets::Vault;

mod matching;

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
    health: Vec<Health>,
    kept: Vec<RawReceipt>,
    calls: usize,
    /// What the store says to the next changes.
    applied: Applied,
    /// While there is a list here, commits are not durable yet.
    slow_commits: Option<Vec<Input>>,
    /// The stored queue of the one sender, oldest first.
    stored: Vec<Message>,
}

impl Bench {
    fn new(policy: UnknownOutcome) -> Self {
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
                DispatchLimits::default(),
                PaceSettings::default(),
                Arc::new(Routes(vec![Route {
                    carriers: vec![0, 1],
                    ..Route::default()
                }])),
                policies.to_vec(),
            ),
            directory,
            now_ms: START_MS,
            submitted: Vec::new(),
            records: BTreeMap::new(),
            health: Vec::new(),
            kept: Vec::new(),
            calls: 0,
            applied: Applied::Yes,
            slow_commits: None,
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

    /// Accepts message `number` to a handset of its own.
    fn accept(&mut self, number: u32) -> Id {
        self.accept_with(number, |_| {})
    }

    fn accept_with(&mut self, number: u32, edit: impl FnOnce(&mut Message)) -> Id {
        let mut message = message(number, self.now_ms);
        edit(&mut message);
        let id = message.sid.id;
        self.turn(vec![Input::Accepted(vec![message])]);
        id
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
        let ack = AckToken {
            session: 1,
            sequence: 1,
        };
        self.tell(carrier, Event::Receipt { receipt, ack });
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
                for change in &changes {
                    match change {
                        Change::Update(update) => {
                            let record =
                                (update.status, update.error, update.is_possible_duplicate);
                            self.records.insert(update.id, record);
                            self.stored.retain(|message| message.sid.id != update.id);
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
                return Some(Input::Found { load, found: None });
            }
            Effect::Refill {
                load, after, limit, ..
            } => {
                let is_beyond = |message: &&Message| Some(message.sid.id) > after;
                let messages = self.stored.iter().filter(is_beyond).take(limit);
                let messages = messages.cloned().collect();
                return Some(Input::Refilled { load, messages });
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
                limit,
            } => {
                let is_due = |message: &&Message| message.deadline_ms < before_ms;
                let backlog = self.stored.iter().filter(|message| message.is_backlog);
                let messages = backlog.filter(is_due).take(limit).cloned().collect();
                return Some(Input::Expiring { load, messages });
            }
            Effect::CallBack(jobs) => self.calls += jobs.len(),
            Effect::Health { health, .. } => self.health.push(health),
            Effect::Acknowledge { .. } | Effect::Inbound { .. } | Effect::Retire(_) => {}
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
    };
    let entry = IncomingNumber {
        sid: PhoneNumberSid(Id::new(START_MS, 0, 2)),
        account: account.sid,
        sender: SenderNo(1),
        number,
        friendly_name: FROM.to_owned(),
        capabilities: Capabilities {
            sms: true,
            mms: false,
            voice: false,
        },
        webhooks: SenderWebhooks::default(),
        voice: Box::default(),
        pace: Some(0.0),
        created_ms: START_MS,
        updated_ms: START_MS,
    };
    vec![
        Document::Account(account),
        Document::Sender(sender),
        Document::Number(entry),
    ]
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
fn of_messages_with_one_id_the_one_to_the_receipts_handset_is_meant() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let ids: Vec<Id> = (1..=2).map(|number| bench.accept(number)).collect();
    for (_, submission) in bench.take_submitted() {
        bench.answer(0, submission.ticket, accepted(&["77"]));
    }
    let failed = Receipt {
        state: ReceiptState::Undelivered,
        error: Some(ErrorCode::HandsetUnreachable),
        ..delivered("77", 1)
    };
    bench.receive(0, failed);
    assert_eq!(bench.status(ids[0]), Some(Status::Undelivered));
    assert_eq!(bench.status(ids[1]), Some(Status::Sent));
    bench.receive(0, delivered("77", 2));
    assert_eq!(bench.status(ids[1]), Some(Status::Delivered));
}

#[test]
fn decimal_receipts_for_hexadecimal_ids_find_their_own_messages() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let ids: Vec<Id> = (1..=40).map(|number| bench.accept(number)).collect();
    for ((_, submission), number) in bench.take_submitted().iter().zip(0x10..) {
        bench.answer(0, submission.ticket, accepted(&[&format!("{number:x}")]));
    }
    // "16" is also the hexadecimal id of another message.
    for (number, id) in (1..=40).zip(0x10_u32..) {
        bench.receive(0, delivered(&id.to_string(), number));
    }
    for id in ids {
        assert_eq!(bench.status(id), Some(Status::Delivered));
    }
}

#[test]
fn a_guess_without_its_handset_is_no_match() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["10"]));
    bench.receive(0, delivered("16", 2));
    bench.advance(5 * MINUTE_MS);
    assert_eq!(bench.status(id), Some(Status::Sent));
}

#[test]
fn early_receipts_wait_for_their_answer_each_of_them() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    // One with the same id is about somebody else, and came later.
    bench.receive(0, delivered("5", 1));
    bench.receive(0, delivered("5", 2));
    bench.answer(0, ticket, accepted(&["5"]));
    assert_eq!(bench.status(id), Some(Status::Delivered));
}

#[test]
fn ten_minutes_after_one_delivered_segment_the_silent_ones_count_as_delivered() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept_with(1, |message| message.num_segments = 3);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["s1", "s2", "s3"]));
    bench.receive(0, delivered("s1", 1));
    bench.advance(10 * MINUTE_MS - 1);
    assert_eq!(bench.status(id), Some(Status::Sent));
    bench.advance(1);
    assert_eq!(bench.status(id), Some(Status::Delivered));
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
fn messages_of_a_suspended_account_end_when_their_turn_comes() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.capacity(0, 0);
    let id = bench.accept(1);
    let suspended = Document::Account(account(AccountStatus::Suspended));
    let change = postrider_store::DocumentChange::Put(suspended);
    bench.directory.apply(vec![change]).unwrap();
    bench.capacity(0, 100);
    assert_eq!(bench.take_submitted().len(), 0);
    let code = Some(ErrorCode::AccountSuspended);
    assert_eq!(bench.records[&id], (Status::Failed, code, false));
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

#[test]
fn a_toll_free_number_sends_three_a_second_at_home_and_one_abroad() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let toll_free = Document::Sender(Sender {
        no: SenderNo(2),
        account: account(AccountStatus::Active).sid,
        address: SenderAddress::parse("+18005550101").unwrap(),
    });
    let known = vec![DocumentChange::Put(toll_free)];
    bench.directory.apply(known).unwrap();
    for (first, to, at_once) in [(1, "+12125550199", 3), (11, "+447700900123", 1)] {
        for number in first..first + 6 {
            bench.accept_with(number, |message| {
                message.from = Some("+18005550101".into());
                message.sender = Some(SenderNo(2));
                message.to = to.into();
            });
        }
        assert_eq!(bench.take_submitted().len(), at_once, "{to}");
        bench.advance(1_000);
        assert_eq!(bench.take_submitted().len(), at_once, "{to}");
        bench.advance(MINUTE_MS);
        bench.take_submitted();
    }
}
