//! Doubt: a submission that nobody answered, and what settles it.
//!
//! Under `unknown_outcome = "resend"` a late answer is waited for; then the message is submitted once
//! more, and ends when that is not answered either. Under "fail" it ends at once. Ruled by
//! `docs/message-lifecycle.md`, *Unknown outcomes*.

use postrider_carriers::{CarrierNo, Outcome, Ticket, UnknownOutcome};
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Event;
use postrider_core::sid::Id;

use super::live::Stage;
use super::{Dispatch, Timer};

/// How long a late answer may settle a doubt before the message is submitted again.
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
                if let Some(live) = self.live.get_mut(id) {
                    live.unknowns = live.unknowns.saturating_add(1);
                }
                self.live.set_stage(id, Stage::Doubt(ticket));
                self.receipts.unanswered(ticket, id);
                self.timers
                    .insert((now_ms + DOUBT_MS, Timer::Doubt(ticket)));
                self.timers
                    .insert((now_ms + LATE_MS, Timer::ForgetTicket(ticket)));
            }
        }
    }

    /// Nobody spoke for the message in time.
    pub(super) fn doubt_over(&mut self, ticket: Ticket, now_ms: Millis) {
        let Some(id) = self.receipts.unanswered_message(ticket) else {
            return;
        };
        let is_in_doubt = self
            .live
            .get(id)
            .is_some_and(|live| live.stage == Stage::Doubt(ticket));
        if is_in_doubt {
            self.submit_again(id, now_ms);
        }
    }

    /// Submits again what the carrier may have, and says so in the record; the last time it ends.
    fn submit_again(&mut self, id: Id, now_ms: Millis) {
        let Some(live) = self.live.get_mut(id) else {
            return;
        };
        if live.unknowns > RESENDS_MAX {
            let code = ErrorCode::UnknownFailure;
            return self.apply(id, &Event::OutcomeUnknown { code }, now_ms);
        }
        live.message.is_possible_duplicate = true;
        self.rejoin(id, now_ms);
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
        let Some(live) = self.live.get(id) else {
            return;
        };
        let is_in_doubt = live.stage == Stage::Doubt(ticket);
        match outcome {
            // Whatever became of it since then: the carrier has it.
            Outcome::Accepted { ids } => self.carrier_accepted(id, carrier, &ids, now_ms),
            Outcome::Refused(refusal) if is_in_doubt => {
                self.carrier_refused(id, carrier, &refusal, now_ms);
            }
            Outcome::Throttled | Outcome::Returned if is_in_doubt => self.came_back(id, now_ms),
            Outcome::Unknown if is_in_doubt => self.submit_again(id, now_ms),
            Outcome::Refused(_) | Outcome::Throttled | Outcome::Returned | Outcome::Unknown => {}
        }
    }
}
