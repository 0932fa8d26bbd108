//! What each sender has to do: shared between accepting (which chooses by it) and dispatching
//! (which works it off).
//!
//! Choosing a sender and reserving its queue happen under one lock, so two messages accepted at the
//! same instant see each other.

use parking_lot::Mutex;
use postrider_core::message::SenderNo;
use postrider_core::pacing::Rate;

/// Seconds of its own rate that a sender's queue holds: ten hours.
pub const QUEUE_SECONDS: u32 = 36_000;

/// Loads of all senders.
#[derive(Default)]
pub struct Loads(Mutex<LoadTable>);

/// The table behind the lock, indexed by sender number (dense by construction).
#[derive(Default)]
pub struct LoadTable {
    loads: Vec<Load>,
    uses: u64,
}

/// The load of one sender.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Accepted and not yet with a carrier. Below what is, and even below zero, until that which a
    /// former process left is counted: some of it may have gone by then.
    queued_segments: i64,
    /// Ascending number of the last choice, 0 = never chosen. Orders "least recently used".
    pub last_used: u64,
    /// The queue does not fit its window in memory: new messages wait on disk.
    pub is_backlogged: bool,
    /// `None` until first asked for, and after settings changed.
    rate: Option<Rate>,
}

impl Loads {
    pub fn with<T>(&self, work: impl FnOnce(&mut LoadTable) -> T) -> T {
        work(&mut self.0.lock())
    }

    /// Settings changed: rates are asked for again.
    pub fn forget_rates(&self) {
        self.with(|table| table.loads.iter_mut().for_each(|load| load.rate = None));
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
    }

    /// The sender's rate, from the table or else from `find`.
    pub fn rate(&mut self, sender: SenderNo, find: impl FnOnce() -> Rate) -> Rate {
        *self.get_mut(sender).rate.get_or_insert_with(find)
    }

    /// Takes a place in the sender's queue.
    pub fn reserve(&mut self, sender: SenderNo, segments: u16) {
        self.uses += 1;
        let uses = self.uses;
        let load = self.get_mut(sender);
        load.queued_segments += i64::from(segments);
        load.last_used = uses;
    }

    /// Gives the place back: with a carrier, failed, or never committed.
    pub fn release(&mut self, sender: SenderNo, segments: u16) {
        self.get_mut(sender).queued_segments -= i64::from(segments);
    }
}

impl Load {
    /// Accepted and not yet with a carrier.
    pub fn queued_segments(&self) -> u64 {
        u64::try_from(self.queued_segments).unwrap_or(0)
    }

    /// Whether `segments` more do not fit the queue (ten hours of the sender's rate).
    pub fn is_full(&self, segments: u16) -> bool {
        let held = self.rate.and_then(|rate| rate.segments_in(QUEUE_SECONDS));
        held.is_some_and(|held| self.queued_segments() + u64::from(segments) > held)
    }

    /// How long the queue takes to drain, in milliseconds.
    pub fn drain_ms(&self) -> u64 {
        self.rate
            .map_or(0, |rate| rate.drain_ms(self.queued_segments()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counting takes a while, and the work does not wait for it.
    #[test]
    fn what_goes_before_it_is_counted_is_not_counted_in_the_end() {
        let sender = SenderNo(3);
        let mut table = LoadTable::default();
        // Two of the five that were left go, one more comes.
        table.release(sender, 2);
        assert_eq!(table.get(sender).queued_segments(), 0);
        table.reserve(sender, 1);
        table.take_over(sender, 5);
        assert_eq!(table.get(sender).queued_segments(), 4);
        assert_eq!(table.queued_segments(), 4);
    }
}
