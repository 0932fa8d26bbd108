//! What happens later: one ordered queue instead of a timer for each message.

use std::collections::BTreeMap;

use postrider_core::clock::Millis;

/// Things by the instant they are due; those of the same instant stay in the order they came in.
#[derive(Debug)]
pub(super) struct Due<T> {
    things: BTreeMap<(Millis, u64), T>,
    next: u64,
}

impl<T> Default for Due<T> {
    fn default() -> Self {
        Self {
            things: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<T> Due<T> {
    pub(super) fn push(&mut self, at_ms: Millis, thing: T) {
        self.things.insert((at_ms, self.next), thing);
        self.next += 1;
    }

    pub(super) fn next_ms(&self) -> Option<Millis> {
        self.things.first_key_value().map(|(&(at_ms, _), _)| at_ms)
    }

    /// The next thing and its instant.
    pub(super) fn pop(&mut self) -> Option<(Millis, T)> {
        self.things
            .pop_first()
            .map(|((at_ms, _), thing)| (at_ms, thing))
    }

    /// Everything, in the order it would have been due.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.things).into_values()
    }

    pub(super) fn len(&self) -> usize {
        self.things.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.things.is_empty()
    }
}
