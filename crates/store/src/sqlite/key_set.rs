//! Which keys a file can't have, known without asking it.
//!
//! A Bloom filter of ten bits a key: of a hundred keys that are not there it lets one through, which the
//! file then answers. It takes no memory before there is a key.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const BITS_PER_KEY: u64 = 10;

/// Bits that one key sets: the best number for ten bits a key.
const PLACES: u64 = 7;

/// Knows keys by 128 bits that are as good as random.
#[derive(Debug)]
pub(super) struct KeySet {
    /// 64 bits each.
    words: OnceLock<Box<[AtomicU64]>>,
    len: usize,
}

impl KeySet {
    /// One without keys, of the right size for so many.
    pub(super) fn new(keys: u64) -> Self {
        let len = (keys * BITS_PER_KEY).div_ceil(64).max(1);
        Self {
            words: OnceLock::new(),
            len: usize::try_from(len).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn add(&self, key: u128) {
        let zeros = || (0..self.len).map(|_| AtomicU64::new(0)).collect();
        let words = self.words.get_or_init(zeros);
        for (word, bit) in self.places(key) {
            words[word].fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Never false for a key that was added.
    pub(super) fn may_have(&self, key: u128) -> bool {
        self.words.get().is_some_and(|words| {
            let mut places = self.places(key);
            places.all(|(word, bit)| words[word].load(Ordering::Relaxed) & bit != 0)
        })
    }

    /// The two halves are as random as two hashes.
    fn places(&self, key: u128) -> impl Iterator<Item = (usize, u64)> {
        let half = |shift: u32| u64::try_from(key >> shift & u128::from(u64::MAX)).unwrap_or(0);
        let (first, step) = (half(64), half(0) | 1);
        let len = self.len as u64 * 64;
        (0..PLACES).map(move |n| {
            let place = first.wrapping_add(step.wrapping_mul(n)) % len;
            // The remainder is below the number of bits in memory.
            let word = usize::try_from(place / 64).unwrap_or(0);
            (word, 1 << (place % 64))
        })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn key(number: u32) -> u128 {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(number.to_be_bytes())[..16]);
        u128::from_be_bytes(hash)
    }

    #[test]
    fn a_key_that_was_added_is_found_and_few_others() {
        const KEYS: u32 = 10_000;
        let set = KeySet::new(KEYS.into());
        assert!(!set.may_have(key(0)));
        for number in 0..KEYS {
            set.add(key(number));
        }
        assert!((0..KEYS).all(|number| set.may_have(key(number))));
        let false_ones = (KEYS..2 * KEYS).filter(|number| set.may_have(key(*number)));
        // 0.8 % in theory.
        assert!(false_ones.count() < 150);
    }
}
