//! Rankings of large groups of senders, so that a selection need not walk thousands.
//!
//! Kept with the loads, under their lock. Before one is read it is told which loads and mappings
//! changed since. Where other services' traffic makes more changes between two selections than a walk
//! has senders, there is no ranking, and the group is walked; one is built when the group has been asked
//! for several times with few changes between. A group of a pool that was edited is another group
//! ([`Edition`]), and starts anew.

use postrider_core::select::{Edition, Group, Order, Ranking};
use postrider_core::sid::ServiceSid;
use rustc_hash::FxHashMap;

/// Smaller groups are walked, which is quicker. Where assertions are checked nearly all are ranked, and
/// each ranking is compared with a walk.
pub(crate) const RANKED_FROM: usize = if cfg!(debug_assertions) { 3 } else { 128 };

/// Selections with few changes between, before a ranking is built: that takes as long as fifteen walks.
const CALM_FROM: u8 = if cfg!(debug_assertions) { 1 } else { 15 };

/// Senders in all rankings together; a hundred octets each.
const SENDERS_MAX: usize = 200_000;

/// Groups that are remembered, with or without a ranking.
const GROUPS_MAX: usize = 10_000;

#[derive(Default)]
pub(crate) struct Rankings {
    kept: FxHashMap<RankingKey, Kept>,
    senders: usize,
    uses: u64,
}

pub(crate) type RankingKey = (ServiceSid, Edition, Order);

/// How far the logs of changes went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) loads: u64,
    pub(crate) mappings: u64,
}

/// What is known of a group that was asked for.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) ranking: Option<Ranking>,
    /// When it was last asked for, and its ranking right.
    pub(crate) seen: Seen,
    /// Selections in a row with few changes between.
    calm: u8,
    last_use: u64,
}

impl Kept {
    /// So many changes since it was last asked for, if that can be told. Whether a ranking is worth it.
    pub(crate) fn is_calm(&mut self, changes: Option<usize>, group: &Group) -> bool {
        // A change of another group's sender costs a search, about as much as ten senders of a walk.
        let few = if cfg!(debug_assertions) {
            group.len().max(64)
        } else {
            group.len() / 32
        };
        self.calm = match changes {
            Some(changes) if changes <= few => self.calm.saturating_add(1),
            Some(_) | None => 0,
        };
        if self.calm == 0 {
            self.ranking = None;
        }
        self.calm >= CALM_FROM
    }

    fn senders(&self) -> usize {
        self.ranking.as_ref().map_or(0, Ranking::len)
    }
}

impl Rankings {
    /// Takes it out for use; [`Rankings::put`] brings it back.
    pub(crate) fn take(&mut self, key: &RankingKey) -> Kept {
        let kept = self.kept.remove(key).unwrap_or_default();
        self.senders -= kept.senders();
        kept
    }

    pub(crate) fn put(&mut self, key: RankingKey, mut kept: Kept) {
        self.uses += 1;
        kept.last_use = self.uses;
        self.senders += kept.senders();
        self.kept.insert(key, kept);
        if self.kept.len() > GROUPS_MAX {
            self.clear();
        }
        while self.senders > SENDERS_MAX {
            let ranked = self.kept.iter().filter(|(_, kept)| kept.ranking.is_some());
            let oldest = ranked.min_by_key(|(_, kept)| kept.last_use);
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
