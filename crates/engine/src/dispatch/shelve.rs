//! Shelving: what a former process had in memory is marked as backlog, unless it is in memory again.
//!
//! In memory a message expires by a timer, so the store keeps no deadline for it; only rows marked as
//! backlog are found there by theirs. After a restart a window's worth of each lane comes back into
//! memory. The rest waits on disk unmarked, and may stand anywhere: behind backlog that had come into
//! memory before it was accepted, too. Unmarked it would expire only when the window reaches it. So each
//! queue that was there at the start is looked through once, in the index.

use std::collections::VecDeque;

use postrider_core::clock::Millis;
use postrider_core::message::SenderNo;
use postrider_core::sid::Id;
use postrider_store::Change;

use super::{Dispatch, Effect, Read, Timer};

/// The queues still to be looked through, one read at a time.
#[derive(Debug, Default)]
pub(super) struct Shelving {
    queues: VecDeque<SenderNo>,
    /// How far the first of them has been seen to.
    after: Option<Id>,
    is_reading: bool,
    /// No read is begun before this.
    from_ms: Millis,
}

/// After the start, so that windows fill first: what is in memory again needs no mark. After a read
/// that failed, so that the disk has time to mend.
const PAUSE_MS: Millis = 1_000;

impl Dispatch {
    pub(super) fn shelve_former(&mut self, queues: Vec<SenderNo>, now_ms: Millis) {
        self.shelving.queues = queues.into();
        self.pause_shelving(now_ms);
    }

    /// Begins the next read. It waits for its turn to commit, so that changes don't pile up.
    pub(super) fn find_unshelved(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        let limit = self.limits.page;
        let has_to_wait = self.is_behind() || self.changes.len() >= limit;
        let shelving = &mut self.shelving;
        let is_due = !shelving.is_reading && now_ms >= shelving.from_ms;
        let Some(&sender) = shelving.queues.front() else {
            return;
        };
        if !is_due || has_to_wait {
            return;
        }
        shelving.is_reading = true;
        let after = shelving.after;
        let load = self.begin_read(Read::Unshelved);
        effects.push(Effect::Unshelved {
            load,
            sender,
            after,
            limit,
        });
    }

    /// Marks what is not in memory. A message that a scan brings there meanwhile has its timer beside
    /// the mark, which does no harm.
    pub(super) fn shelve(&mut self, load: u64, ids: &[Id]) {
        for &id in ids {
            if !self.live.shadows(id, load) {
                self.changes.push(Change::Shelve { id });
            }
        }
        let shelving = &mut self.shelving;
        shelving.is_reading = false;
        if ids.len() < self.limits.page {
            shelving.queues.pop_front();
            shelving.after = None;
        } else {
            shelving.after = ids.last().copied();
        }
        self.end_read(load);
    }

    pub(super) fn pause_shelving(&mut self, now_ms: Millis) {
        let from_ms = now_ms + PAUSE_MS;
        self.shelving.is_reading = false;
        self.shelving.from_ms = from_ms;
        self.timers.insert((from_ms, Timer::Shelve));
    }
}
