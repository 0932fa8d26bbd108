//! Doubt: a submission that nobody answered, and what settles it.
//!
//! Under `unknown_outcome = "resend"` a late answer is waited for, or a receipt (`by_handset.rs`); then
//! the message is submitted once more, and ends when that is not answered either. The record says both,
//! so that the count outlives the process. Under "fail" the message ends at once. Ruled by
//! `docs/message-lifecycle.md`, *Unknown outcomes*.

use postrider_carriers::{CarrierNo, Outcome, Ticket, UnknownOutcome};
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Event;
use postrider_core::message::{Message, Status};
use postrider_core::sid::Id;

use super::live::Stage;
use super::{Dispatch, Timer};

/// How long a doubt may be settled before the message is submitted again.
const DOUBT_MS: Millis = 60_000;

/// How long an even later answer is put to use: as long as a session keeps the question.
const LATE_MS: Millis = 600_000;

/// Further tries of a message whose outcome was unknown (carriers.md 4.2). A carrier that never
/// answers would otherwise be given copy after copy for as long as the message is valid.
const RESENDS_MAX: u8 = 1;

impl Dispatch {
    pub(super) fn in_doubt(&mut self, id: Id, ticket: Ticket, carrier: CarrierNo, now_ms: Millis) {
        self.metrics.unknown_outcomes.inc();
        let policy = &self.carriers[usize::from(carrier.0)].policy;
        if let Some(live) = self.live.get(id) {
            tracing::info!(message_sid = %live.message.sid, carrier = %policy.name, "a submission has no answer");
        }
        match policy.unknown_outcome {
            UnknownOutcome::Fail => {
                let code = ErrorCode::UnknownFailure;
                self.apply(id, &Event::OutcomeUnknown { code }, now_ms);
            }
            UnknownOutcome::Resend => {
                let Some(live) = self.live.get_mut(id) else {
                    return;
                };
                live.unknowns = live.unknowns.saturating_add(1);
                let segments = live.message.num_segments.max(1);
                // Another process must not take it for a message that was never submitted.
                self.apply(id, &Event::Submitting { segments }, now_ms);
                self.receipts.unanswered(ticket, id);
                self.timers
                    .insert((now_ms + LATE_MS, Timer::ForgetTicket(ticket)));
                self.wait_in_doubt(id, ticket, now_ms);
            }
        }
    }

    /// A message comes back into memory that a carrier may have: what a former process knew of the
    /// answer went with it.
    pub(super) fn resume_doubt(&mut self, id: Id, now_ms: Millis) {
        let Some(live) = self.live.get(id) else {
            return;
        };
        let lane = usize::from(live.lane.0);
        match self.carriers[lane].policy.unknown_outcome {
            UnknownOutcome::Fail => {
                let code = ErrorCode::UnknownFailure;
                self.apply(id, &Event::OutcomeUnknown { code }, now_ms);
            }
            UnknownOutcome::Resend => {
                // No answer will bear this ticket; it only names the wait.
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.wait_in_doubt(id, ticket, now_ms);
            }
        }
    }

    fn wait_in_doubt(&mut self, id: Id, ticket: Ticket, now_ms: Millis) {
        self.live.set_stage(id, Stage::Doubt(ticket));
        if let Some(handset) = self.handset_of(id) {
            self.doubts.insert(handset.clone(), ticket, id);
            // Its receipt may have been faster than the end of our patience.
            self.ask_by_handset(handset);
        }
        self.timers
            .insert((now_ms + DOUBT_MS, Timer::Doubt(ticket, id)));
    }

    /// Nobody spoke for the message in time, unless it has moved on: it is submitted again, or ends.
    pub(super) fn doubt_over(&mut self, ticket: Ticket, id: Id, now_ms: Millis) {
        self.doubts.remove(ticket);
        let Some(live) = self.live.get(id) else {
            return;
        };
        if live.stage != Stage::Doubt(ticket) {
            return;
        }
        if live.unknowns > RESENDS_MAX {
            let code = ErrorCode::UnknownFailure;
            return self.apply(id, &Event::OutcomeUnknown { code }, now_ms);
        }
        self.rejoin(id, now_ms);
    }

    /// A carrier is known not to have it: the intent to submit it is taken off the record, so that a
    /// restart does not hold it against the message. Unless an earlier submission is in doubt: then
    /// the record says that only one is.
    pub(super) fn take_back(&mut self, id: Id, now_ms: Millis) {
        match self.live.get_mut(id) {
            Some(live) if live.unknowns > 0 => {
                live.message.is_possible_duplicate = live.was_possible_duplicate;
                self.record(id, now_ms);
            }
            _ => self.apply(id, &Event::Returned, now_ms),
        }
    }

    /// An answer after all, for a submission whose outcome was unknown.
    pub(super) fn late_outcome(
        &mut self,
        carrier: CarrierNo,
        ticket: Ticket,
        outcome: Outcome,
        now_ms: Millis,
    ) {
        let Some(id) = self.receipts.take_unanswered(ticket) else {
            return;
        };
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        let is_in_doubt = live.stage == Stage::Doubt(ticket);
        match outcome {
            // Whatever became of it since then: the carrier has it.
            Outcome::Accepted { ids } => self.carrier_accepted(id, carrier, &ids, now_ms),
            // A receipt may still say more.
            Outcome::Unknown => {}
            Outcome::Refused(_) | Outcome::Throttled | Outcome::Returned => {
                live.unknowns = live.unknowns.saturating_sub(1);
                match outcome {
                    Outcome::Refused(refusal) if is_in_doubt => {
                        self.carrier_refused(id, carrier, &refusal, now_ms);
                    }
                    _ if is_in_doubt => self.came_back(id, now_ms),
                    _ => {}
                }
            }
        }
    }
}

/// How many submissions of a stored message nobody answered, as far as the record says.
pub(super) fn unknowns_on_record(message: &Message) -> u8 {
    if message.status != Status::Sending || message.segments.is_empty() {
        return 0;
    }
    // A copy is on record before it is submitted, see [`Dispatch::hand_over`].
    let is_copy = message.is_possible_duplicate && message.attempts > 1;
    if is_copy { 1 + RESENDS_MAX } else { 1 }
}
