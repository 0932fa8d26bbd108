//! What was done lately.
//!
//! What is due is offered again as the store has it, and that read may be older than what was written
//! since. So whoever does it remembers for a while what is done, or would do it twice.

use std::collections::VecDeque;
use std::hash::Hash;

use rustc_hash::FxHashSet;

/// How many are remembered: at 20,000 a second, three seconds' worth.
const DONE_MAX: usize = 65_536;

/// The last ones that were done.
#[derive(Clone, Debug)]
pub(crate) struct Recent<T> {
    done: FxHashSet<T>,
    /// Oldest first.
    order: VecDeque<T>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            done: FxHashSet::default(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Recent<T> {
    pub(crate) fn contains(&self, what: T) -> bool {
        self.done.contains(&what)
    }

    pub(crate) fn insert(&mut self, what: T) {
        if !self.done.insert(what) {
            return;
        }
        self.order.push_back(what);
        if self.order.len() > DONE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.done.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        let all = u32::try_from(DONE_MAX).unwrap() + 1;
        for what in 0..all {
            recent.insert(what);
            recent.insert(what);
        }
        assert!(!recent.contains(0));
        assert!((1..all).all(|what| recent.contains(what)));
    }
}
