//! A map of what matters for a while only.
//!
//! Nobody waits for an entry's time to pass: what matters no more is dropped when the map has twice as
//! many entries as were left of it the last time, so that dropping costs each entry next to nothing.

use std::hash::Hash;
use std::ops::{Deref, DerefMut};

use rustc_hash::FxHashMap;

/// Below that nothing is dropped.
const KEPT_MIN: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Fading<K, V> {
    entries: FxHashMap<K, V>,
    sweep_at: usize,
}

impl<K, V> Default for Fading<K, V> {
    fn default() -> Self {
        Self {
            entries: FxHashMap::default(),
            sweep_at: KEPT_MIN,
        }
    }
}

impl<K: Eq + Hash, V> Fading<K, V> {
    /// To be called before an entry is added.
    pub(crate) fn make_room(&mut self, matters: impl Fn(&V) -> bool) {
        if self.entries.len() < self.sweep_at {
            return;
        }
        self.entries.retain(|_, value| matters(value));
        self.sweep_at = (self.entries.len() * 2).max(KEPT_MIN);
    }
}

impl<K, V> Deref for Fading<K, V> {
    type Target = FxHashMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl<K, V> DerefMut for Fading<K, V> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_stays_and_the_rest_goes_in_time() {
        let mut map = Fading::default();
        for number in 0..100_000_u32 {
            // The last five hundred matter, and every thousandth for ever.
            map.make_room(|&at| at + 500 >= number || at % 1_000 == 0);
            map.insert(number, number);
        }
        assert!((0..100).all(|thousand| map.contains_key(&(thousand * 1_000))));
        assert!((99_500..100_000).all(|number| map.contains_key(&number)));
        assert!(map.len() <= 2 * 1_024, "{}", map.len());
    }
}
