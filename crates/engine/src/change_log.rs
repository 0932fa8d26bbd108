//! What changed lately, for whoever keeps something derived from it.
//!
//! A reader remembers how far it has read and comes back for the rest. The log is short: a reader who
//! stays away too long is told to look at everything again. Nothing is noted before the first reader.

use std::cell::Cell;
use std::collections::VecDeque;

/// How many changes are kept.
const KEPT: usize = 4_096;

/// Names of changed things, in the order of the changes.
#[derive(Debug)]
pub(crate) struct ChangeLog<T> {
    /// Changes before the first one that is kept.
    forgotten: u64,
    kept: VecDeque<T>,
    has_readers: Cell<bool>,
}

impl<T> Default for ChangeLog<T> {
    fn default() -> Self {
        Self {
            // Who has read nothing yet is too late, also where nothing is noted yet.
            forgotten: 1,
            kept: VecDeque::new(),
            has_readers: Cell::new(false),
        }
    }
}

impl<T: Copy> ChangeLog<T> {
    pub(crate) fn note(&mut self, changed: T) {
        if !self.has_readers.get() {
            return;
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(changed);
    }

    /// The end of the log: where one who has seen everything as it is now reads on.
    pub(crate) fn end(&self) -> u64 {
        self.has_readers.set(true);
        self.forgotten + self.kept.len() as u64
    }

    /// What changed since; `None` when some of it is forgotten.
    pub(crate) fn since(&self, seen: u64) -> Option<impl ExactSizeIterator<Item = T>> {
        let skipped = usize::try_from(seen.checked_sub(self.forgotten)?).ok()?;
        let kept = skipped.min(self.kept.len());
        Some(self.kept.range(kept..).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(log: &ChangeLog<u64>, seen: u64) -> Option<Vec<u64>> {
        log.since(seen).map(Iterator::collect)
    }

    #[test]
    fn a_reader_gets_what_came_since_and_is_told_when_it_is_too_late() {
        let mut log = ChangeLog::default();
        assert_eq!(since(&log, 0), None);
        log.note(1);
        let start = log.end();
        assert_eq!(since(&log, start), Some(vec![]), "nobody read before");
        log.note(2);
        log.note(3);
        let middle = log.end();
        log.note(4);
        assert_eq!(since(&log, start), Some(vec![2, 3, 4]));
        assert_eq!(since(&log, middle), Some(vec![4]));
        for change in 0..KEPT as u64 {
            log.note(change);
        }
        assert_eq!(since(&log, middle), None);
        assert_eq!(since(&log, log.end()), Some(vec![]));
    }
}
