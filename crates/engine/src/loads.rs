//! What each sender has to do: shared between accepting (which chooses by it) and dispatching
//! (which works it off).
//!
//! Choosing a sender and reserving its queue happen under one lock, so two messages accepted at the
//! same instant see each other.

use parking_lot::Mutex;
use postrider_core::message::SenderNo;
use postrider_core::sender_rate::{Queued, SenderRate, Zone};
use postrider_core::text::SEGMENTS_MAX;

use crate::change_log::ChangeLog;
use crate::rankings::Rankings;

/// How fast a sender's queue is worked off, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueueBound {
    pub rate: SenderRate,
    /// It holds what goes in so long.
    pub queue_ms: u64,
}

/// Loads of all senders.
#[derive(Default)]
pub struct Loads(Mutex<LoadTable>);

/// The table behind the lock, indexed by sender number (dense by construction).
#[derive(Default)]
pub struct LoadTable {
    loads: Vec<Load>,
    uses: u64,
    /// Senders whose queues changed.
    pub(crate) changes: ChangeLog<SenderNo>,
    pub(crate) rankings: Rankings,
}

/// The load of one sender.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Accepted and not yet with a carrier. Below what is, and even below zero, until that which a
    /// former process left is counted: some of it may have gone by then.
    queued_segments: i64,
    /// How many of them go to other countries than the US and Canada. Of those that a former
    /// process left none are counted here, so this never goes below zero, and it begins anew with
    /// each empty queue.
    queued_elsewhere: i64,
    /// Ascending number of the last choice, 0 = never chosen. Orders "least recently used".
    pub last_used: u64,
    /// The queue does not fit its window in memory: new messages wait on disk.
    pub is_backlogged: bool,
    /// `None` until first asked for, and after settings changed.
    bound: Option<QueueBound>,
}

impl Loads {
    pub fn with<T>(&self, work: impl FnOnce(&mut LoadTable) -> T) -> T {
        work(&mut self.0.lock())
    }

    /// Settings changed: rates are asked for again.
    pub fn forget_rates(&self) {
        self.with(|table| {
            table.loads.iter_mut().for_each(|load| load.bound = None);
            table.rankings.clear();
        });
    }
}

impl LoadTable {
    pub fn get(&self, sender: SenderNo) -> Load {
        self.loads
            .get(sender.0 as usize)
            .copied()
            .unwrap_or_default()
    }

    pub fn get_mut(&mut self, sender: SenderNo) -> &mut Load {
        let index = sender.0 as usize;
        if index >= self.loads.len() {
            self.loads.resize(index + 1, Load::default());
        }
        &mut self.loads[index]
    }

    /// What all senders have to do.
    pub fn queued_segments(&self) -> u64 {
        self.loads.iter().map(Load::queued_segments).sum()
    }

    /// Counts in what the sender's queue held before anything was reserved or released here.
    pub fn take_over(&mut self, sender: SenderNo, segments: u64) {
        let segments = i64::try_from(segments).unwrap_or(i64::MAX);
        let load = self.get_mut(sender);
        load.queued_segments = load.queued_segments.saturating_add(segments);
        self.changes.note(sender);
    }

    /// The bound of the sender's queue, from the table or else from `find`.
    pub fn bound(&mut self, sender: SenderNo, find: impl FnOnce() -> QueueBound) -> QueueBound {
        *self.get_mut(sender).bound.get_or_insert_with(find)
    }

    /// Takes a place in the sender's queue.
    pub fn reserve(&mut self, sender: SenderNo, segments: u16, zone: Zone) {
        self.uses += 1;
        let uses = self.uses;
        let load = self.get_mut(sender);
        load.queued_segments += i64::from(segments);
        if zone == Zone::Elsewhere {
            load.queued_elsewhere += i64::from(segments);
        }
        load.last_used = uses;
        self.changes.note(sender);
    }

    /// Gives the place back: with a carrier, failed, or never committed.
    pub fn release(&mut self, sender: SenderNo, segments: u16, zone: Zone) {
        let load = self.get_mut(sender);
        load.queued_segments -= i64::from(segments);
        if load.queued_segments <= 0 {
            load.queued_elsewhere = 0;
        } else if zone == Zone::Elsewhere {
            load.queued_elsewhere = (load.queued_elsewhere - i64::from(segments)).max(0);
        }
        self.changes.note(sender);
    }
}

impl Load {
    /// Accepted and not yet with a carrier.
    pub fn queued_segments(&self) -> u64 {
        u64::try_from(self.queued_segments).unwrap_or(0)
    }

    /// With its bound, for a copy: from the table or else from `find`.
    pub(crate) fn with_bound(self, find: impl FnOnce() -> QueueBound) -> Self {
        Self {
            bound: Some(self.bound.unwrap_or_else(find)),
            ..self
        }
    }

    fn queued(&self) -> Queued {
        let total = self.queued_segments();
        let elsewhere = u64::try_from(self.queued_elsewhere).unwrap_or(0).min(total);
        Queued {
            us_ca: total - elsewhere,
            elsewhere,
        }
    }

    /// Whether `segments` more do not fit the queue. An empty one takes any message, however slow the
    /// sender: or it could never send that one.
    pub fn is_full(&self, segments: u16, zone: Zone) -> bool {
        if self.queued_segments() == 0 {
            return false;
        }
        let queued = self.queued().plus(segments, zone);
        self.bound
            .is_some_and(|bound| bound.rate.drain_ms(queued) > bound.queue_ms)
    }

    /// Whether there is a message that might not fit.
    pub fn is_nearly_full(&self) -> bool {
        [Zone::UsCa, Zone::Elsewhere]
            .into_iter()
            .any(|zone| self.is_full(SEGMENTS_MAX, zone))
    }

    /// How long the queue takes to drain, in milliseconds.
    pub fn drain_ms(&self) -> u64 {
        self.bound
            .map_or(0, |bound| bound.rate.drain_ms(self.queued()))
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::pacing::{PaceSettings, Rate};
    use postrider_core::select::SenderKind;

    use super::*;

    fn ten_hours_at(rate: SenderRate) -> QueueBound {
        QueueBound {
            rate,
            queue_ms: 36_000_000,
        }
    }

    /// Counting takes a while, and the work does not wait for it.
    #[test]
    fn what_goes_before_it_is_counted_is_not_counted_in_the_end() {
        let sender = SenderNo(3);
        let mut table = LoadTable::default();
        // Two of the five that were left go, one more comes.
        table.release(sender, 2, Zone::Elsewhere);
        assert_eq!(table.get(sender).queued_segments(), 0);
        table.reserve(sender, 1, Zone::Elsewhere);
        table.take_over(sender, 5);
        assert_eq!(table.get(sender).queued_segments(), 4);
        assert_eq!(table.queued_segments(), 4);
    }

    #[test]
    fn a_toll_free_number_is_full_earlier_when_its_messages_go_far() {
        let sender = SenderNo(0);
        let mut table = LoadTable::default();
        let tolls = PaceSettings::default().rate(SenderKind::TollFree, None);
        table.bound(sender, || ten_hours_at(tolls));
        // Ten hours at three a second, but one a second elsewhere.
        for _ in 0..35_999 {
            table.reserve(sender, 1, Zone::Elsewhere);
        }
        let load = table.get(sender);
        assert_eq!(load.drain_ms(), 35_999_000);
        assert!(!load.is_full(1, Zone::Elsewhere));
        assert!(load.is_full(2, Zone::Elsewhere));
        assert!(!load.is_full(3, Zone::UsCa));
        assert!(load.is_full(4, Zone::UsCa));
        for _ in 0..35_999 {
            table.release(sender, 1, Zone::Elsewhere);
        }
        assert_eq!(table.get(sender).drain_ms(), 0);
        for _ in 0..107_999 {
            table.reserve(sender, 1, Zone::UsCa);
        }
        let load = table.get(sender);
        assert!(!load.is_full(1, Zone::UsCa));
        assert!(load.is_full(1, Zone::Elsewhere));
    }

    /// What a former process left counts as near until it goes.
    #[test]
    fn far_segments_that_were_not_counted_in_are_not_missed() {
        let sender = SenderNo(0);
        let mut table = LoadTable::default();
        let rate = SenderRate::new(Rate::per_second(3.0), Rate::per_second(1.0));
        table.bound(sender, || ten_hours_at(rate));
        table.take_over(sender, 3);
        table.reserve(sender, 6, Zone::Elsewhere);
        table.release(sender, 3, Zone::Elsewhere);
        table.reserve(sender, 3, Zone::UsCa);
        assert_eq!(table.get(sender).queued_segments(), 9);
        table.release(sender, 6, Zone::Elsewhere);
        assert_eq!(table.get(sender).drain_ms(), 1_000);
    }
}
