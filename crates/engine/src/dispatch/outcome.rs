//! What a carrier answered to a submission, and what follows from it.

use postrider_carriers::correlation::canonical;
use postrider_carriers::{
    CarrierNo, Outcome, Refusal, RefusalClass, Submission, Ticket, UnknownOutcome,
};
use postrider_core::clock::Millis;
use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::lifecycle::{self, Event, State, Step};
use postrider_core::message::{Message, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::sender::{SenderAddress, number_of};
use postrider_core::sender_rate::Zone;
use postrider_core::sid::Id;
use postrider_store::{Change, Submitted, SubmittedKey, Update};
use smallvec::SmallVec;

use super::carrier::{CarrierState, HandOver};
use super::live::Stage;
use super::{Deferred, Dispatch, Effect, Failure, Timer, callback_job};

/// Waits between tries with the same carrier (carriers.md 3); the last is repeated.
const RETRY_SAME_MS: [Millis; 4] = [5_000, 30_000, 120_000, 600_000];
/// The same where another carrier takes over after the last (carriers.md 2.3).
const RETRY_SOON_MS: [Millis; 3] = [5_000, 15_000, 45_000];

/// After one segment was reported delivered, the others' receipts are waited for this long.
pub(super) const SILENCE_MS: Millis = 600_000;

impl Dispatch {
    /// Moves a message from its lane into the carrier's hands.
    pub(super) fn hand_over(
        &mut self,
        id: Id,
        carrier: CarrierNo,
        now_ms: Millis,
        batch: &mut Vec<Submission>,
    ) {
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        live.message.attempts += 1;
        let segments = live.message.num_segments;
        let goes_on_record = match self.carriers[usize::from(carrier.0)].policy.unknown_outcome {
            UnknownOutcome::Fail => true,
            UnknownOutcome::Resend => {
                let is_copy = live.unknowns > 0;
                live.was_possible_duplicate = live.message.is_possible_duplicate;
                live.message.is_possible_duplicate |= live.is_recovered || is_copy;
                is_copy
            }
        };
        let hand_over = self.take_room(id, carrier, segments);
        if goes_on_record {
            self.live.set_stage(id, Stage::Intent);
            self.intend(id, now_ms);
            self.after.push(Deferred::Submit(hand_over));
        } else {
            batch.extend(self.submission(hand_over, now_ms));
        }
    }

    /// Puts on record that a message is about to be submitted, and how often it was.
    fn intend(&mut self, id: Id, now_ms: Millis) {
        let Some(live) = self.live.get(id) else {
            return;
        };
        if live.unknowns > 0 {
            // That it may be with a carrier is on record; that it may be so twice is not.
            return self.record(id, now_ms);
        }
        let segments = live.message.num_segments.max(1);
        self.apply(id, &Event::Submitting { segments }, now_ms);
    }

    /// The intent to submit is durable.
    pub(super) fn submit_intended(
        &mut self,
        hand_over: HandOver,
        now_ms: Millis,
        effects: &mut Vec<Effect>,
    ) {
        let HandOver { id, carrier, .. } = hand_over;
        let live = self.live.get(id);
        if live.is_none_or(|live| live.stage != Stage::Intent) {
            // It expired, or an earlier submit was answered after all, while the intent was written.
            return self.give_back(hand_over);
        }
        if self.is_stopping || self.carriers[usize::from(carrier.0)].is_retired {
            // The process stops or it was retired while the intent was written: it may have ended, and
            // would never answer.
            self.give_back(hand_over);
            return self.came_back(id, now_ms);
        }
        let Some(submission) = self.submission(hand_over, now_ms) else {
            return;
        };
        match effects.last_mut() {
            Some(Effect::Submit {
                carrier: last,
                batch,
            }) if *last == carrier => {
                batch.push(submission);
            }
            _ => effects.push(Effect::Submit {
                carrier,
                batch: vec![submission],
            }),
        }
    }

    /// `None` gives the room back: a message whose addresses can't be read had no lane either.
    fn submission(&mut self, hand_over: HandOver, now_ms: Millis) -> Option<Submission> {
        let id = hand_over.id;
        let ticket = Ticket(self.next_ticket);
        let message = self.live.get(id).map(|live| &live.message);
        let submission = message.and_then(|message| {
            Some(Submission {
                ticket,
                from: SenderAddress::parse(message.from.as_deref()?)?,
                to: number_of(&message.to)?,
                body: message.body.clone(),
                encoding: message.encoding,
                segments: message.num_segments,
                deadline_ms: message.deadline_ms,
            })
        });
        if submission.is_none() {
            self.give_back(hand_over);
            return None;
        }
        if let Some(live) = self.live.get_mut(id) {
            live.submitted_ms = now_ms;
            tracing::debug!(
                message_sid = %live.message.sid,
                carrier = %self.carriers[usize::from(hand_over.carrier.0)].policy.name,
                attempt = live.message.attempts,
                "a message is submitted"
            );
        }
        self.next_ticket += 1;
        self.tickets.insert(ticket, hand_over);
        self.live.set_stage(id, Stage::Submitted(ticket));
        submission
    }

    /// The carrier's one answer to a submission.
    pub(super) fn outcome(
        &mut self,
        carrier: CarrierNo,
        ticket: Ticket,
        outcome: Outcome,
        now_ms: Millis,
    ) {
        let Some(hand_over) = self.tickets.remove(&ticket) else {
            return;
        };
        self.give_back(hand_over);
        let id = hand_over.id;
        let state = &mut self.carriers[usize::from(carrier.0)];
        if is_good_answer(&outcome) {
            state.answers_well();
        }
        let is_expected = self
            .live
            .get(id)
            .is_some_and(|live| live.stage == Stage::Submitted(ticket));
        if !is_expected {
            // A late answer to an earlier try has settled it meanwhile: this one is a copy.
            if let Outcome::Accepted { ids } = outcome {
                self.expect_receipts(id, carrier, &ids);
            }
            return;
        }
        match outcome {
            Outcome::Accepted { ids } => self.carrier_accepted(id, carrier, &ids, now_ms),
            Outcome::Refused(refusal) => self.carrier_refused(id, carrier, &refusal, now_ms),
            Outcome::Throttled | Outcome::Returned => self.came_back(id, now_ms),
            Outcome::Unknown => self.in_doubt(id, ticket, carrier, now_ms),
        }
    }

    pub(super) fn carrier_accepted(
        &mut self,
        id: Id,
        carrier: CarrierNo,
        ids: &[Box<str>],
        now_ms: Millis,
    ) {
        let name = self.carriers[usize::from(carrier.0)].policy.name.clone();
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        live.message.carrier = Some((*name).into());
        let segments = u16::try_from(ids.len()).unwrap_or(u16::MAX);
        let submitted = self.expect_receipts(id, carrier, ids);
        let keys: SmallVec<[SubmittedKey; 1]> = submitted
            .iter()
            .map(|submitted| submitted.key.clone())
            .collect();
        self.apply_with(
            id,
            &Event::CarrierAccepted { segments },
            submitted,
            None,
            now_ms,
        );
        // Receipts that were faster than the answer have been waiting for this.
        for key in keys {
            self.unpark_for(&key, now_ms);
        }
        self.trim_sent();
    }

    /// From now on receipts with these ids are about this message.
    fn expect_receipts(
        &mut self,
        id: Id,
        carrier: CarrierNo,
        ids: &[Box<str>],
    ) -> SmallVec<[Submitted; 1]> {
        let group = self.group_of(carrier);
        let submitted: SmallVec<[Submitted; 1]> = ids
            .iter()
            .zip(0..)
            .map(|(carrier_id, segment)| {
                let key = SubmittedKey {
                    group: group.clone(),
                    carrier_id: canonical(carrier_id),
                };
                Submitted { key, segment }
            })
            .filter(|submitted| !submitted.key.carrier_id.is_empty())
            .collect();
        if self.live.get(id).is_some() {
            self.receipts.expect(id, &submitted);
        }
        submitted
    }

    pub(super) fn carrier_refused(
        &mut self,
        id: Id,
        carrier: CarrierNo,
        refusal: &Refusal,
        now_ms: Millis,
    ) {
        if refusal.class == RefusalClass::Config && refusal.accepted.is_empty() {
            self.hold(carrier, &refusal.detail, now_ms);
            return self.came_back(id, now_ms);
        }
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        tracing::info!(
            message_sid = %live.message.sid,
            carrier = %self.carriers[usize::from(carrier.0)].policy.name,
            detail = %refusal.detail,
            code = %refusal.code,
            "the carrier refused a message"
        );
        if !refusal.accepted.is_empty() {
            // Trying again would repeat the segments that were taken.
            self.metrics.partial_messages.inc();
            self.apply(id, &Event::CarrierRefused { code: refusal.code }, now_ms);
            return;
        }
        let final_event = Event::CarrierRefused { code: refusal.code };
        match refusal.class {
            RefusalClass::Fail | RefusalClass::Config => self.apply(id, &final_event, now_ms),
            RefusalClass::RetrySame => {
                let last = RETRY_SAME_MS.len() - 1;
                let wait_ms = RETRY_SAME_MS[usize::from(live.retries).min(last)];
                self.retry_in(id, wait_ms, now_ms);
            }
            RefusalClass::RetrySoon => match RETRY_SOON_MS.get(usize::from(live.retries)) {
                Some(wait_ms) => self.retry_in(id, *wait_ms, now_ms),
                None => self.try_other(id, carrier, &final_event, now_ms),
            },
            // A second carrier that says so speaks for all of them.
            RefusalClass::RetryOther if live.is_passed_on => self.apply(id, &final_event, now_ms),
            RefusalClass::RetryOther => {
                live.is_passed_on = true;
                self.try_other(id, carrier, &final_event, now_ms);
            }
        }
    }

    fn retry_in(&mut self, id: Id, wait_ms: Millis, now_ms: Millis) {
        if let Some(live) = self.live.get_mut(id) {
            live.retries = live.retries.saturating_add(1);
        }
        self.take_back(id, now_ms);
        self.live.set_stage(id, Stage::Retry);
        self.timers.insert((now_ms + wait_ms, Timer::Retry(id)));
    }

    /// Moves a message to the next carrier of its route, or ends it.
    fn try_other(&mut self, id: Id, carrier: CarrierNo, final_event: &Event, now_ms: Millis) {
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        live.tried.push(carrier);
        let tried = live.tried.clone();
        let next = self
            .live
            .get(id)
            .and_then(|live| self.lane_for(&live.message, &tried));
        let Some(next) = next else {
            self.apply(id, final_event, now_ms);
            return;
        };
        if let Some(live) = self.live.get_mut(id) {
            live.lane = next;
            live.retries = 0;
        }
        self.take_back(id, now_ms);
        self.rejoin(id, now_ms);
    }

    /// Nothing of it went out: back to the head of its lane, the attempt not counted.
    pub(super) fn came_back(&mut self, id: Id, now_ms: Millis) {
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        live.message.attempts = live.message.attempts.saturating_sub(1);
        self.take_back(id, now_ms);
        self.rejoin(id, now_ms);
    }

    /// We end it before any carrier is known to have it. What may have gone out nevertheless says so.
    pub(super) fn give_up(&mut self, id: Id, code: ErrorCode, now_ms: Millis) {
        let Some(live) = self.live.get(id) else {
            return;
        };
        let is_in_doubt = live.unknowns > 0;
        match (self.submits_on_record(&live.message), is_in_doubt) {
            // Its carrier may have it, and forbids a second try: it is not ours to say that it failed.
            (true, true) => {
                let code = ErrorCode::UnknownFailure;
                return self.apply(id, &Event::OutcomeUnknown { code }, now_ms);
            }
            (true, false) => {}
            (false, _) => {
                // A former process may have submitted it and died before it could say so.
                let may_be_taken = is_in_doubt || live.is_recovered;
                if let Some(live) = self.live.get_mut(id) {
                    live.message.is_possible_duplicate |= may_be_taken;
                }
            }
        }
        self.apply(id, &Event::GaveUp { code }, now_ms);
    }

    /// Whether the message's carrier is given nothing that is not on record. Where no route leads any
    /// more it may have been any carrier's.
    fn submits_on_record(&self, message: &Message) -> bool {
        let is_fail = |state: &CarrierState| state.policy.unknown_outcome == UnknownOutcome::Fail;
        match self.lane_for(message, &[]) {
            Some(lane) => is_fail(&self.carriers[usize::from(lane.0)]),
            None => self.carriers.iter().all(is_fail),
        }
    }

    /// Puts a message on record as it is, its status unchanged.
    pub(super) fn record(&mut self, id: Id, now_ms: Millis) {
        if let Some(live) = self.live.get_mut(id) {
            live.message.updated_ms = now_ms;
            let update = update_of(&live.message);
            self.save(id, Change::Update(update));
        }
    }

    pub(super) fn apply(&mut self, id: Id, event: &Event, now_ms: Millis) {
        self.apply_with(id, event, SmallVec::new(), None, now_ms);
    }

    /// One step of the status machine: decided here, saved, called back.
    pub(super) fn apply_with(
        &mut self,
        id: Id,
        event: &Event,
        submitted: SmallVec<[Submitted; 1]>,
        done_date: Option<Box<str>>,
        now_ms: Millis,
    ) {
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        let parts = self.carriers[usize::from(live.lane.0)].policy.receipt_parts;
        let was_waiting = live.message.status.rank() < Status::Sent.rank();
        let message = &mut live.message;
        let state = State {
            status: message.status,
            segments: message.segments.clone(),
        };
        match lifecycle::step(&state, event, parts) {
            Step::Ignored(why) => {
                tracing::debug!(message_sid = %message.sid, ?event, ?why, "an event changed nothing");
                return;
            }
            Step::Noted { segments } => {
                message.segments = segments;
                let now = State {
                    status: message.status,
                    segments: message.segments.clone(),
                };
                if now.is_partly_delivered() && !state.is_partly_delivered() {
                    self.timers
                        .insert((now_ms + SILENCE_MS, Timer::Silence(id)));
                }
            }
            Step::Moved {
                status,
                error,
                segments,
            } => {
                message.status = status;
                message.error = error;
                message.segments = segments;
                if status == Status::Sent {
                    message.sent_ms = Some(now_ms);
                }
                tracing::debug!(
                    message_sid = %message.sid,
                    status = status.as_str(),
                    code = error.map(ErrorCode::code),
                    "a message has a new status"
                );
            }
        }
        message.updated_ms = now_ms;
        if done_date.is_some() {
            message.done_date = done_date;
        }
        let moved = message.status;
        let has_moved = moved != state.status;
        let is_with_carrier = moved.rank() >= Status::Sent.rank();
        let concealment = if has_moved {
            Concealment::at(message, moved)
        } else {
            Concealment::default()
        };
        let mut due = StatusSet::EMPTY;
        if has_moved && moved != Status::Sending {
            self.metrics.count_status(moved);
            // The change that is saved below.
            let change = self.changes.len();
            if let Some(failure) = Failure::of(message, level_of(event)) {
                self.after.push(Deferred::Alert(Box::new(failure), change));
            }
            if let Some(job) = callback_job(&self.directory, message, moved, now_ms) {
                self.after.push(Deferred::CallBack(Box::new(job), change));
                due = StatusSet::of(moved);
            }
        }
        let update = Update {
            callbacks_due: due,
            submitted,
            concealment,
            ..update_of(message)
        };
        let sender = message.sender;
        let segments = message.num_segments;
        let is_leaving = was_waiting && is_with_carrier;
        let zone = is_leaving.then(|| Zone::of_text(&message.to));
        self.save(id, Change::Update(update));
        if let Some(zone) = zone {
            if let Some(sender) = sender {
                self.loads
                    .with(|table| table.release(sender, segments, zone));
            }
            self.settle(id, moved);
        } else if moved.is_final() {
            self.live.set_stage(id, Stage::Done);
        }
    }

    /// A message left our queue: sent ones wait for receipts without their text, others are done.
    fn settle(&mut self, id: Id, status: Status) {
        let stage = if status == Status::Sent {
            Stage::Sent
        } else {
            Stage::Done
        };
        self.leave_lane(id);
        self.live.set_stage(id, stage);
        if let Some(live) = self.live.get_mut(id) {
            live.message.body = "".into();
            live.message.submitted_body = None;
            live.message.decision = None;
        }
    }

    pub(super) fn trim_sent(&mut self) {
        while let Some(id) = self.live.pop_sent_beyond(self.limits.awaiting_receipt) {
            self.forget(id);
        }
    }
}

/// What of a message changes on its way, as it is now.
fn update_of(message: &Message) -> Update {
    Update {
        id: message.sid.id,
        status: message.status,
        at_ms: message.updated_ms,
        error: message.error,
        sent_ms: message.sent_ms,
        carrier: message.carrier.as_deref().map(Into::into),
        attempts: message.attempts,
        is_possible_duplicate: message.is_possible_duplicate,
        segments: message.segments.clone(),
        done_date: message.done_date.clone(),
        callbacks_due: StatusSet::EMPTY,
        submitted: SmallVec::new(),
        concealment: Concealment::default(),
    }
}

/// How loud the alert of a failure is that came by this event.
fn level_of(event: &Event) -> AlertLevel {
    match event {
        Event::CarrierRefused { .. }
        | Event::OutcomeUnknown { .. }
        | Event::Receipt { .. }
        | Event::OthersSilent => AlertLevel::Warning,
        Event::Released
        | Event::Canceled
        | Event::Queued
        | Event::Submitting { .. }
        | Event::Returned
        | Event::CarrierAccepted { .. }
        | Event::GaveUp { .. } => AlertLevel::Error,
    }
}

/// The carrier dealt with the message as such, well or badly.
fn is_good_answer(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Accepted { .. } => true,
        Outcome::Refused(refusal) => refusal.class != RefusalClass::Config,
        Outcome::Throttled | Outcome::Returned | Outcome::Unknown => false,
    }
}
