//! How many answers to repeatable requests are kept, so that nobody has too many.

use std::collections::hash_map::Entry;

use parking_lot::Mutex;
use postrider_core::message::AccountNo;
use postrider_store::{AnswerStore, Result};
use rustc_hash::FxHashMap;

use crate::Directory;

/// In step with the store; of each main account and its subaccounts together.
pub(crate) struct AnswerCounts(Mutex<FxHashMap<AccountNo, u64>>);

impl AnswerCounts {
    pub(crate) fn open(store: &dyn AnswerStore, directory: &Directory) -> Result<Self> {
        let mut counts = FxHashMap::default();
        for (account, count) in store.counts()? {
            *counts.entry(main_of(directory, account)).or_default() += count;
        }
        Ok(Self(Mutex::new(counts)))
    }

    /// Those of the account's main account.
    pub(crate) fn of(&self, directory: &Directory, account: AccountNo) -> u64 {
        let main = main_of(directory, account);
        self.0.lock().get(&main).copied().unwrap_or(0)
    }

    pub(crate) fn one_more(&self, directory: &Directory, account: AccountNo) {
        let main = main_of(directory, account);
        *self.0.lock().entry(main).or_default() += 1;
    }

    pub(crate) fn one_less(&self, directory: &Directory, account: AccountNo) {
        let main = main_of(directory, account);
        if let Entry::Occupied(mut count) = self.0.lock().entry(main) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn main_of(directory: &Directory, account: AccountNo) -> AccountNo {
    directory.main_account_no(account).unwrap_or(account)
}
