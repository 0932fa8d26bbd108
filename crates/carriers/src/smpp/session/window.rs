//! Which submits are under way, by sequence number, and until when each may be answered.
//!
//! One map and two queues in order of deadline: no timer for each message and no scan of the window.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

/// Late slots that are kept; beyond that the oldest are forgotten early.
const LATE_MAX: usize = 10_000;

/// One submit under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Key of its message.
    pub(super) message: u32,
    /// Index of its segment.
    pub(super) segment: u16,
    pub(super) phase: Phase,
    pub(super) written_ms: i64,
    /// When it expires, or is forgotten; ties the slot to its entry in a queue.
    deadline_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Encoded, not yet handed to the socket.
    Buffered,
    /// On its way; an answer is due.
    Written,
    /// Given up; an answer would still be welcome.
    Late,
}

#[derive(Debug)]
pub(super) struct Window {
    capacity: u32,
    timeout_ms: i64,
    open: u32,
    slots: FxHashMap<u32, Slot>,
    buffered: Vec<u32>,
    /// (deadline, sequence) in order; entries of answered submits are skipped when they surface.
    waiting: VecDeque<(i64, u32)>,
    late: VecDeque<(i64, u32)>,
}

impl Window {
    pub(super) fn new(capacity: u32, timeout_ms: i64) -> Self {
        Self {
            capacity,
            timeout_ms,
            open: 0,
            slots: FxHashMap::default(),
            buffered: Vec::new(),
            waiting: VecDeque::new(),
            late: VecDeque::new(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.open >= self.capacity
    }

    /// Submits without an answer, late ones apart.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    pub(super) fn contains(&self, sequence: u32) -> bool {
        self.slots.contains_key(&sequence)
    }

    pub(super) fn insert(&mut self, sequence: u32, message: u32, segment: u16) {
        let slot = Slot {
            message,
            segment,
            phase: Phase::Buffered,
            written_ms: 0,
            deadline_ms: 0,
        };
        self.slots.insert(sequence, slot);
        self.buffered.push(sequence);
        self.open += 1;
    }

    /// All that was buffered has gone to the socket.
    pub(super) fn written(&mut self, now_ms: i64) {
        let deadline_ms = now_ms + self.timeout_ms;
        for sequence in self.buffered.drain(..) {
            if let Some(slot) = self.slots.get_mut(&sequence) {
                slot.phase = Phase::Written;
                slot.written_ms = now_ms;
                slot.deadline_ms = deadline_ms;
                self.waiting.push_back((deadline_ms, sequence));
            }
        }
    }

    /// Takes out the submit that an answer belongs to.
    pub(super) fn answer(&mut self, sequence: u32) -> Option<Slot> {
        // Nobody can answer what was never written.
        if self.slots.get(&sequence)?.phase == Phase::Buffered {
            return None;
        }
        let slot = self.slots.remove(&sequence)?;
        if slot.phase == Phase::Written {
            self.open -= 1;
            self.drop_answered();
        }
        Some(slot)
    }

    /// Takes the next submit whose time is up, and keeps it as a late one until `forget_ms`.
    pub(super) fn expire(&mut self, now_ms: i64, forget_ms: i64) -> Option<Slot> {
        while let Some((deadline_ms, sequence)) = self.waiting.front().copied() {
            if deadline_ms > now_ms {
                return None;
            }
            self.waiting.pop_front();
            if let Some(slot) = self.slots.get_mut(&sequence)
                && slot.phase == Phase::Written
                && slot.deadline_ms == deadline_ms
            {
                slot.phase = Phase::Late;
                slot.deadline_ms = forget_ms;
                self.late.push_back((forget_ms, sequence));
                self.open -= 1;
                return Some(*slot);
            }
        }
        None
    }

    /// Takes the next late submit that is to be forgotten.
    pub(super) fn forget(&mut self, now_ms: i64) -> Option<Slot> {
        while let Some((forget_ms, sequence)) = self.late.front().copied() {
            if forget_ms > now_ms && self.late.len() <= LATE_MAX {
                return None;
            }
            self.late.pop_front();
            let is_it = |slot: &Slot| slot.phase == Phase::Late && slot.deadline_ms == forget_ms;
            if self.slots.get(&sequence).is_some_and(is_it) {
                return self.slots.remove(&sequence);
            }
        }
        None
    }

    /// Takes out what was never handed to the socket, in order.
    pub(super) fn recall(&mut self) -> Vec<Slot> {
        let slots: Vec<Slot> = self
            .buffered
            .drain(..)
            .filter_map(|sequence| self.slots.remove(&sequence))
            .collect();
        self.open -= u32::try_from(slots.len()).unwrap_or(self.open);
        slots
    }

    pub(super) fn next_deadline(&self) -> Option<i64> {
        let first =
            |queue: &VecDeque<(i64, u32)>| queue.front().map(|(deadline_ms, _)| *deadline_ms);
        [first(&self.waiting), first(&self.late)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Moves all deadlines of written submits.
    pub(super) fn excuse(&mut self, paused_ms: i64) {
        for (deadline_ms, sequence) in &mut self.waiting {
            if let Some(slot) = self.slots.get_mut(sequence)
                && slot.phase == Phase::Written
                && slot.deadline_ms == *deadline_ms
            {
                slot.deadline_ms += paused_ms;
            }
            *deadline_ms += paused_ms;
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity, self.timeout_ms);
    }

    /// Keeps the queue as short as the window: its front is usually answered first, and when one
    /// submit stays unanswered at the front, the entries behind it are swept now and then.
    fn drop_answered(&mut self) {
        while let Some((_, sequence)) = self.waiting.front()
            && !self.slots.contains_key(sequence)
        {
            self.waiting.pop_front();
        }
        if self.waiting.len() > 2 * self.open as usize + 64 {
            let slots = &self.slots;
            self.waiting.retain(|(deadline_ms, sequence)| {
                slots.get(sequence).is_some_and(|slot| {
                    slot.phase == Phase::Written && slot.deadline_ms == *deadline_ms
                })
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submit_expires_once_and_may_be_answered_late() {
        let mut window = Window::new(2, 100);
        window.insert(1, 10, 0);
        window.insert(2, 11, 0);
        assert!(window.is_full());
        assert_eq!(window.answer(1), None);
        window.written(1_000);
        assert_eq!(window.next_deadline(), Some(1_100));
        assert_eq!(window.answer(2).map(|slot| slot.message), Some(11));
        assert_eq!(window.expire(1_099, 9_000), None);
        assert_eq!(
            window.expire(1_100, 9_000).map(|slot| slot.message),
            Some(10)
        );
        assert_eq!((window.expire(1_100, 9_000), window.open()), (None, 0));
        assert!(window.contains(1));
        assert_eq!(window.answer(1).map(|slot| slot.phase), Some(Phase::Late));
        assert_eq!(window.forget(9_000), None);
    }

    #[test]
    fn late_submits_are_forgotten_in_time() {
        let mut window = Window::new(2, 100);
        window.insert(1, 10, 0);
        window.written(0);
        assert!(window.expire(100, 700).is_some());
        assert_eq!(window.forget(699), None);
        assert_eq!(window.forget(700).map(|slot| slot.message), Some(10));
        assert!(!window.contains(1));
        assert_eq!(window.next_deadline(), None);
    }

    #[test]
    fn one_unanswered_submit_does_not_let_the_queue_grow() {
        let mut window = Window::new(10, 30_000);
        window.insert(1, 0, 0);
        window.written(0);
        for sequence in 2..10_000 {
            window.insert(sequence, 0, 0);
            window.written(1);
            assert!(window.answer(sequence).is_some());
            assert!(window.waiting.len() < 100);
        }
        assert_eq!(window.next_deadline(), Some(30_000));
    }

    #[test]
    fn an_excused_pause_moves_deadlines() {
        let mut window = Window::new(2, 100);
        window.insert(1, 0, 0);
        window.written(0);
        window.excuse(50);
        assert_eq!(window.expire(149, 9_000), None);
        assert!(window.expire(150, 9_000).is_some());
    }
}
