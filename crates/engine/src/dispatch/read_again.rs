//! Reads of the store that failed: each is begun again after a while, so that no queue stands still.
//!
//! A failed write ends the process; a failed read may be a passing one (no memory, a busy file). What
//! it was for is kept, and nothing of it is skipped.

use postrider_carriers::CarrierNo;
use postrider_core::clock::Millis;
use postrider_core::message::SenderNo;

use super::{Dispatch, Read, Timer};

/// Long enough not to fill the log while the disk is in trouble.
pub(super) const PAUSE_MS: Millis = 1_000;

impl Dispatch {
    pub(super) fn read_failed(&mut self, load: u64, now_ms: Millis) {
        let again_ms = now_ms + PAUSE_MS;
        match self.end_read(load) {
            Some(Read::Scan(sender)) => {
                self.timers
                    .insert((again_ms, Timer::ReadAgain(sender, None)));
            }
            Some(Read::CatchUp(sender, lane)) => {
                self.timers
                    .insert((again_ms, Timer::ReadAgain(sender, Some(lane))));
            }
            Some(Read::Find(pending)) => {
                self.finds_under_way -= 1;
                // It has waited longest.
                self.unfinished_finds.push_front(*pending);
                self.finds_from_ms = again_ms;
                self.timers.insert((again_ms, Timer::FindAgain));
            }
            // The next tick looks again.
            Some(Read::Expiring) | None => {}
        }
    }

    pub(super) fn read_again(&mut self, sender: SenderNo, lane: Option<CarrierNo>) {
        self.queue_mut(sender).read_is_over(lane);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_core::pacing::PaceSettings;
    use postrider_core::route::Routes;

    use super::super::{DispatchLimits, Effect, Input};
    use super::*;
    use crate::secrets::Vault;
    use crate::{Directory, Metrics};

    fn dispatch() -> Dispatch {
        let directory = Directory::load(Vec::new(), Vault::new(&[9; 32])).unwrap();
        let mut dispatch = Dispatch::new(
            Arc::new(directory),
            Arc::default(),
            Arc::new(Metrics::default()),
            DispatchLimits::default(),
            PaceSettings::default(),
            Arc::new(Routes::default()),
            Vec::new(),
        );
        dispatch.start(None, vec![SenderNo(3)], Vec::new(), 0);
        dispatch
    }

    /// The reads that are begun at an instant: of queues, and of what has expired.
    fn reads(dispatch: &mut Dispatch, now_ms: Millis) -> (Vec<u64>, Vec<u64>) {
        let mut effects = Vec::new();
        dispatch.poll(now_ms, &mut effects);
        let (mut queues, mut expired) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Refill { load, .. } => queues.push(load),
                Effect::Expiring { load, .. } => expired.push(load),
                _ => {}
            }
        }
        (queues, expired)
    }

    #[test]
    fn a_read_that_failed_is_begun_again_after_a_pause() {
        let mut dispatch = dispatch();
        let (queues, expired) = reads(&mut dispatch, 0);
        assert_eq!((queues.len(), expired.len()), (1, 1));
        for load in queues.into_iter().chain(expired) {
            dispatch.handle(Input::ReadFailed { load }, 0, &mut Vec::new());
        }
        assert_eq!(reads(&mut dispatch, PAUSE_MS - 1), (vec![], vec![]));
        assert_eq!(dispatch.next_deadline(), Some(PAUSE_MS));
        let (queues, expired) = reads(&mut dispatch, PAUSE_MS);
        assert_eq!((queues.len(), expired.len()), (1, 1));
    }
}
