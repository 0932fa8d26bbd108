//! Which idempotency keys a shard can't have, known without asking its file.
//!
//! Each request with a key is looked for in every file of the last 24 hours, and nearly always in vain.
//! The filter is kept in step with commits, and made from the file when a process first needs it.

use postrider_core::idempotency::KeyHash;
use postrider_core::message::AccountNo;
use rusqlite::Connection;

use super::key_set::KeySet;
use crate::contract::{Result, StoreError};

pub(super) struct KeyFilter(KeySet);

impl KeyFilter {
    /// One without keys, of the right size for so many.
    pub(super) fn new(keys: u64) -> Self {
        Self(KeySet::new(keys))
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
        self.0.add(of_account(account, key));
    }

    /// Never false for a key that was added.
    pub(super) fn may_have(&self, account: AccountNo, key: KeyHash) -> bool {
        self.0.may_have(of_account(account, key))
    }
}

/// Different for the same key of two accounts.
fn of_account(account: AccountNo, key: KeyHash) -> u128 {
    let account = u64::from(account.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u128::from_be_bytes(key.0) ^ (u128::from(account) << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_its_account() {
        let filter = KeyFilter::new(100);
        filter.add(AccountNo(7), KeyHash([3; 16]));
        assert!(filter.may_have(AccountNo(7), KeyHash([3; 16])));
        assert!(!filter.may_have(AccountNo(8), KeyHash([3; 16])));
    }
}
