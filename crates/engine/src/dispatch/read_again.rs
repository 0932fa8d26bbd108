//! Reads of the store that failed: each is begun again after a while, so that no queue stands still.
//!
//! A failed write ends the process; a failed read may be a passing one (no memory, a busy file). What
//! it was for is kept, and nothing of it is skipped.

use postrider_core::clock::Millis;

use super::{Dispatch, Read, Timer};

/// Long enough not to fill the log while the disk is in trouble.
pub(super) const PAUSE_MS: Millis = 1_000;

impl Dispatch {
    pub(super) fn read_failed(&mut self, load: u64, now_ms: Millis) {
        let again_ms = now_ms + PAUSE_MS;
        match self.end_read(load) {
            Some(Read::Scan(sender)) => {
                self.queue_mut(sender).scan.page_failed(again_ms);
                self.timers.insert((again_ms, Timer::ReadAgain));
            }
            Some(Read::CatchUp(sender, lane)) => {
                if let Some(lane) = self.queue_mut(sender).lanes.get_mut(&lane) {
                    lane.walk.page_failed(again_ms);
                }
                self.timers.insert((again_ms, Timer::ReadAgain));
            }
            Some(Read::Find(pending)) => {
                self.finds_under_way -= 1;
                // It has waited longest.
                self.unfinished_finds.push_front(*pending);
                self.finds_from_ms = again_ms;
                self.timers.insert((again_ms, Timer::FindAgain));
            }
            Some(Read::Unshelved) => self.pause_shelving(now_ms),
            Some(Read::Others(_)) => self.doubts.read_is_over(),
            Some(Read::Expiring) => self.pause_expiry(now_ms),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_core::message::SenderNo;
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
            Arc::default(),
            Arc::new(Routes::default()),
            Vec::new(),
        );
        dispatch.start(None, vec![SenderNo(3)], Vec::new(), 0);
        dispatch
    }

    /// The reads that are begun at an instant: of queues, of what has expired, of what is to be
    /// shelved.
    fn reads(dispatch: &mut Dispatch, now_ms: Millis) -> [Vec<u64>; 3] {
        let mut effects = Vec::new();
        dispatch.poll(now_ms, &mut effects);
        let mut reads = [const { Vec::new() }; 3];
        for effect in effects {
            match effect {
                Effect::Refill { load, .. } => reads[0].push(load),
                Effect::Expiring { load, .. } => reads[1].push(load),
                Effect::Unshelved { load, .. } => reads[2].push(load),
                _ => {}
            }
        }
        reads
    }

    fn fail(dispatch: &mut Dispatch, reads: [Vec<u64>; 3], now_ms: Millis) {
        for load in reads.into_iter().flatten() {
            dispatch.handle(Input::ReadFailed { load }, now_ms, &mut Vec::new());
        }
    }

    #[test]
    fn a_read_that_failed_is_begun_again_after_a_pause() {
        let mut dispatch = dispatch();
        let begun = reads(&mut dispatch, 0);
        assert_eq!(begun.each_ref().map(Vec::len), [1, 1, 0]);
        fail(&mut dispatch, begun, 0);
        let begun = reads(&mut dispatch, PAUSE_MS - 1);
        assert_eq!(begun.each_ref().map(Vec::len), [0, 0, 0]);
        assert_eq!(dispatch.next_deadline(), Some(PAUSE_MS));
        // Shelving begins a second after the start.
        let begun = reads(&mut dispatch, PAUSE_MS);
        assert_eq!(begun.each_ref().map(Vec::len), [1, 1, 1]);
        fail(&mut dispatch, begun, PAUSE_MS);
        assert_eq!(dispatch.next_deadline(), Some(2 * PAUSE_MS));
        let begun = reads(&mut dispatch, 2 * PAUSE_MS);
        assert_eq!(begun.each_ref().map(Vec::len), [1, 1, 1]);
    }
}
