//! Rankings of large groups of senders, so that a selection need not walk thousands.
//!
//! Kept with the loads, under their lock. Before one is read it is told which loads and mappings
//! changed since; what can't be told any more, or would take longer than a walk, builds it anew. A
//! group of a pool that was edited is another group ([`Edition`]), and its ranking is built at the next
//! selection.

use postrider_core::select::{Edition, Group, Order, Ranking};
use postrider_core::sid::ServiceSid;
use rustc_hash::FxHashMap;

/// Smaller groups are walked, which is quicker. Where assertions are checked nearly all are ranked, and
/// each ranking is compared with a walk.
pub(crate) const RANKED_FROM: usize = if cfg!(debug_assertions) { 3 } else { 128 };

/// Senders in all rankings together; a hundred octets each.
const SENDERS_MAX: usize = 200_000;

#[derive(Default)]
pub(crate) struct Rankings {
    kept: FxHashMap<RankingKey, Kept>,
    senders: usize,
    uses: u64,
}

pub(crate) type RankingKey = (ServiceSid, Edition, Order);

/// A ranking, and how far the logs of changes went when it was last right.
pub(crate) struct Kept {
    pub(crate) ranking: Ranking,
    pub(crate) loads_seen: u64,
    pub(crate) mappings_seen: u64,
    last_use: u64,
}

impl Kept {
    pub(crate) fn new(ranking: Ranking, loads_seen: u64, mappings_seen: u64) -> Self {
        Self {
            ranking,
            loads_seen,
            mappings_seen,
            last_use: 0,
        }
    }
}

impl Rankings {
    /// Takes it out for use; [`Rankings::put`] brings it back.
    pub(crate) fn take(&mut self, key: &RankingKey) -> Option<Kept> {
        let kept = self.kept.remove(key)?;
        self.senders -= kept.ranking.len();
        Some(kept)
    }

    pub(crate) fn put(&mut self, key: RankingKey, mut kept: Kept) {
        self.uses += 1;
        kept.last_use = self.uses;
        self.senders += kept.ranking.len();
        self.kept.insert(key, kept);
        while self.senders > SENDERS_MAX && self.kept.len() > 1 {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.last_use);
            let Some(oldest) = oldest.map(|(&key, _)| key) else {
                return;
            };
            self.take(&oldest);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.senders = 0;
    }
}

/// Whether so many changes are better told one by one than by building anew.
pub(crate) fn is_worth_telling(changes: usize, group: &Group) -> bool {
    changes <= group.len() / 8
}
