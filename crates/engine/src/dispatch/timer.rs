//! Timers: everything that happens because time passed.

use postrider_carriers::{CarrierNo, Ticket};
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Event;
use postrider_core::message::SenderNo;
use postrider_core::sid::Id;

use super::live::Stage;
use super::{Dispatch, receipt};

/// How often queues are forgotten that nobody uses.
pub(super) const IDLE_MS: Millis = 60_000;

/// What a timer is for. The order only breaks ties between equal instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A sender's pace lets its lane go on.
    Pace(SenderNo, CarrierNo),
    /// A refused message is tried again.
    Retry(Id),
    /// Nobody spoke for a message in doubt.
    Doubt(Ticket, Id),
    /// A late answer to this submission is not expected any more.
    ForgetTicket(Ticket),
    /// A carrier that is held gets one message to try.
    Probe(CarrierNo),
    /// The rest of a partly delivered message has been silent.
    Silence(Id),
    /// Look for expired messages that wait on disk.
    Expiry,
    /// Look after parked receipts.
    SweepParked,
    /// Look for queues that nobody uses.
    ForgetIdleQueues,
    /// A read of a queue failed: begin it again.
    ReadAgain,
    /// A lookup failed: go on with them.
    FindAgain,
    /// Begin to shelve, or go on.
    Shelve,
}

impl Dispatch {
    pub(super) fn run_timers(&mut self, now_ms: Millis) {
        while let Some(&(at, timer)) = self.timers.first()
            && at <= now_ms
        {
            self.timers.pop_first();
            match timer {
                Timer::Pace(sender, carrier) => {
                    self.metrics.pace_waiting_for_sender.dec();
                    self.unpause(sender, carrier);
                }
                Timer::Retry(id) => self.retry_now(id, now_ms),
                Timer::Doubt(ticket, id) => self.doubt_over(ticket, id, now_ms),
                Timer::ForgetTicket(ticket) => drop(self.receipts.take_unanswered(ticket)),
                Timer::Probe(carrier) => self.probe(carrier),
                Timer::Silence(id) => self.apply(id, &Event::OthersSilent, now_ms),
                // The poll that runs this begins them.
                Timer::ReadAgain | Timer::FindAgain | Timer::Expiry | Timer::Shelve => {}
                Timer::ForgetIdleQueues => {
                    self.forget_idle_queues(now_ms);
                    self.timers
                        .insert((now_ms + IDLE_MS, Timer::ForgetIdleQueues));
                }
                Timer::SweepParked => {
                    self.sweep_parked(now_ms);
                    self.timers
                        .insert((now_ms + receipt::SWEEP_MS, Timer::SweepParked));
                }
            }
        }
        while let Some(id) = self.live.expired(now_ms) {
            self.give_up(id, ErrorCode::ValidityPeriodExpired, now_ms);
            self.close_full_commit();
        }
    }

    fn retry_now(&mut self, id: Id, now_ms: Millis) {
        if self
            .live
            .get(id)
            .is_some_and(|live| live.stage == Stage::Retry)
        {
            self.rejoin(id, now_ms);
        }
    }
}
