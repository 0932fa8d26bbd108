//! How much each account has in hand: so that no account takes the place of all.
//!
//! The server counts requests so (`limits.concurrent_requests`), the engine changes that wait for
//! the disk. A count is an atomic at a place that never moves, so taking one costs neither a lock
//! nor a look at other accounts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use postrider_core::message::AccountNo;

/// A count for every account, 0 at first.
#[derive(Debug)]
pub struct InHand {
    /// Counts of accounts by number, which are dense: one, two, four and so on in a bucket, made
    /// when the first of them is asked for. A bucket never moves, unlike a vector that grows.
    buckets: [OnceLock<Box<[AtomicUsize]>>; BUCKETS],
}

/// Enough for every `u32`.
const BUCKETS: usize = 33;

impl Default for InHand {
    fn default() -> Self {
        Self {
            buckets: [const { OnceLock::new() }; BUCKETS],
        }
    }
}

/// One thing in hand; counted until dropped.
#[derive(Debug)]
pub struct Place {
    in_hand: Arc<InHand>,
    account: AccountNo,
}

impl InHand {
    /// Counts one more, unless the account has `max` already.
    pub fn take(self: &Arc<Self>, account: AccountNo, max: usize) -> Option<Place> {
        let before = self.count(account).fetch_add(1, Ordering::Relaxed);
        // Gives the place back if it is one too many.
        let place = Place {
            in_hand: self.clone(),
            account,
        };
        (before < max).then_some(place)
    }

    fn count(&self, account: AccountNo) -> &AtomicUsize {
        let index = account.0 as usize + 1;
        let bucket = index.ilog2();
        let len = 1 << bucket;
        let counts = self.buckets[bucket as usize]
            .get_or_init(|| (0..len).map(|_| AtomicUsize::default()).collect());
        &counts[index - len]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let count = self.in_hand.count(self.account);
        count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_has_its_own_places_and_gets_them_back() {
        let in_hand = Arc::new(InHand::default());
        let accounts = [0, 1, 2, 3, 6, 7, 1_000_000].map(AccountNo);
        let mut taken = Vec::new();
        for account in accounts {
            taken.extend((0..3).map(|_| in_hand.take(account, 3).unwrap()));
            assert!(in_hand.take(account, 3).is_none(), "{account:?}");
            // A refusal takes nothing.
            assert!(in_hand.take(account, 3).is_none(), "{account:?}");
            assert!(in_hand.take(account, 4).is_some(), "{account:?}");
        }
        drop(taken);
        for account in accounts {
            assert!(in_hand.take(account, 1).is_some(), "{account:?}");
            assert!(in_hand.take(account, 0).is_none());
        }
    }
}
