//! Which idempotency keys a shard can't have, known without asking its file.
//!
//! Each request with a key is looked for in every file of the last 24 hours, and nearly always in vain.
//! A Bloom filter for each file says so for ten bits a key: of a hundred keys that are not there it lets
//! one through, which the file then answers. It is kept in step with commits, made from the file
//! when a process first needs it, and takes no memory before there is a key.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use postrider_core::idempotency::KeyHash;
use postrider_core::message::AccountNo;
use rusqlite::Connection;

use crate::contract::{Result, StoreError};

const BITS_PER_KEY: u64 = 10;

/// Bits that one key sets: the best number for ten bits a key.
const PLACES: u64 = 7;

pub(super) struct KeyFilter {
    /// 64 bits each.
    words: OnceLock<Box<[AtomicU64]>>,
    len: usize,
}

impl KeyFilter {
    /// One without keys, of the right size for so many.
    pub(super) fn new(keys: u64) -> Self {
        let len = (keys * BITS_PER_KEY).div_ceil(64).max(1);
        Self {
            words: OnceLock::new(),
            len: usize::try_from(len).unwrap_or(usize::MAX),
        }
    }

    /// Of all keys that a file has, or of so many if it has fewer.
    pub(super) fn read(conn: &Connection, keys: u64) -> Result<Self> {
        let filter = Self::new(keys);
        let mut statement = conn.prepare_cached("SELECT account_no, key_hash FROM remembered")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let hash = row.get_ref(1)?.as_blob().ok();
            let hash = hash.and_then(|hash| <[u8; 16]>::try_from(hash).ok());
            let unreadable = || StoreError::Corrupt("column key_hash of remembered".to_owned());
            let hash = hash.ok_or_else(unreadable)?;
            filter.add(AccountNo(row.get(0)?), KeyHash(hash));
        }
        Ok(filter)
    }

    pub(super) fn add(&self, account: AccountNo, key: KeyHash) {
        let zeros = || (0..self.len).map(|_| AtomicU64::new(0)).collect();
        let words = self.words.get_or_init(zeros);
        for (word, bit) in self.places(account, key) {
            words[word].fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Never false for a key that was added.
    pub(super) fn may_have(&self, account: AccountNo, key: KeyHash) -> bool {
        self.words.get().is_some_and(|words| {
            let mut places = self.places(account, key);
            places.all(|(word, bit)| words[word].load(Ordering::Relaxed) & bit != 0)
        })
    }

    /// The two halves of the hash are as random as two hashes.
    fn places(&self, account: AccountNo, key: KeyHash) -> impl Iterator<Item = (usize, u64)> {
        let bits = u128::from_be_bytes(key.0);
        let half = |shift: u32| u64::try_from(bits >> shift & u128::from(u64::MAX)).unwrap_or(0);
        let of_account = u64::from(account.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (first, step) = (half(64) ^ of_account, half(0) | 1);
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

    fn key(number: u32) -> KeyHash {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(number.to_be_bytes())[..16]);
        KeyHash(hash)
    }

    #[test]
    fn a_key_that_was_added_is_found_and_few_others() {
        const KEYS: u32 = 10_000;
        let filter = KeyFilter::new(KEYS.into());
        let account = AccountNo(7);
        assert!(!filter.may_have(account, key(0)));
        for number in 0..KEYS {
            filter.add(account, key(number));
        }
        assert!((0..KEYS).all(|number| filter.may_have(account, key(number))));
        let false_ones = |account, numbers: std::ops::Range<u32>| {
            numbers
                .filter(|number| filter.may_have(account, key(*number)))
                .count()
        };
        // 0.8 % in theory.
        assert!(false_ones(account, KEYS..2 * KEYS) < 150);
        assert!(false_ones(AccountNo(8), 0..KEYS) < 150);
    }
}
