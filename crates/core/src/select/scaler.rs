//! The scaler: spreads messages over the senders that every other rule left, and settles all ties.
//!
//! With sticky sender on, recipients are spread: fewest live mappings, then earliest drain, then pool
//! order. With it off, messages are: idle before busy, then earliest drain, then least recently used,
//! then pool order. A sender whose queue is full, or whose daily cap is reached, takes no part.
//!
//! One pass, no allocation, about as fast as [`Loads`] answers. Where a single group holds thousands
//! of senders, the walk itself would be the cost of a selection; then whoever owns the loads keeps a
//! [`Ranking`](super::ranking::Ranking) of the group and answers from that.

use smallvec::SmallVec;

use super::facts::{Loads, QueueLoad};
use super::groups::{Group, Member};
use super::rule::Rule;

/// By what senders are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// Sticky sender on.
    Recipients,
    /// Sticky sender off, and where it does not apply.
    Messages,
}

/// What senders are compared by, the first difference decides; less is better.
pub(super) type Key = [u64; LEVELS];

pub(super) const LEVELS: usize = 4;

impl Order {
    fn key_of(self, member: Member, queue: QueueLoad, loads: &impl Loads) -> Key {
        let mappings = match self {
            Self::Recipients => loads.mappings(member.no, member.position),
            Self::Messages => 0,
        };
        self.key(member, queue, mappings)
    }

    /// `mappings` counts only where recipients are spread.
    pub(super) fn key(self, member: Member, queue: QueueLoad, mappings: u64) -> Key {
        match self {
            Self::Recipients => [mappings, queue.drain_ms, 0, member.position],
            Self::Messages => [
                u64::from(queue.queued_segments > 0),
                queue.drain_ms,
                queue.last_used,
                member.position,
            ],
        }
    }

    /// The rule of a winner whose closest rival differs at this level.
    pub(super) fn choice(self, level: usize) -> Rule {
        match (self, level) {
            (Self::Recipients, 0) => Rule::FewestMappings,
            (Self::Messages, 0) => Rule::Idle,
            (Self::Recipients | Self::Messages, 1) => Rule::EarliestDrain,
            (Self::Messages, 2) => Rule::LeastRecentlyUsed,
            (Self::Recipients | Self::Messages, _) => Rule::PoolOrder,
        }
    }

    /// The rule of a loser that differs from the winner at this level.
    pub(super) fn removal(self, level: usize) -> Rule {
        match (self, level) {
            (Self::Recipients, 0) => Rule::MoreMappings,
            (Self::Messages, 0) => Rule::Busy,
            (Self::Recipients | Self::Messages, 1) => Rule::LaterDrain,
            (Self::Messages, 2) => Rule::MoreRecentlyUsed,
            (Self::Recipients | Self::Messages, _) => Rule::LaterInPool,
        }
    }

    /// The rules of those that a winner by this rule was compared with at its level, by whichever order
    /// that was; none for other rules.
    pub(super) fn losers_of(rule: Rule) -> SmallVec<[Rule; 2 * LEVELS]> {
        let orders = [Self::Recipients, Self::Messages].into_iter();
        let removals = orders.flat_map(|order| {
            let level = (0..LEVELS).find(|&level| order.choice(level) == rule);
            let levels = level.into_iter().flat_map(|level| level..LEVELS);
            levels.map(move |level| order.removal(level))
        });
        let mut losers: SmallVec<[Rule; 2 * LEVELS]> = removals.collect();
        losers.sort_unstable();
        losers.dedup();
        losers
    }
}

/// The outcome of scaling over a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    pub(super) order: Order,
    /// `None` when every queue is full or every cap reached.
    pub(super) winner: Option<(Key, Member)>,
    pub(super) full: u32,
    pub(super) capped: u32,
    pub(super) lost: Lost,
}

/// Losers by the level at which they differ from the winner.
pub(super) type Lost = [u32; LEVELS];

/// Over groups; those that the owner of the loads keeps ranked are not walked.
pub(super) fn scale_groups(groups: &[&Group], order: Order, loads: &impl Loads) -> Scaled {
    let of_group = |group: &&Group| {
        let ranked = loads.ranked(group, order);
        ranked.unwrap_or_else(|| Scaled::of_walk(group, order, loads))
    };
    let scaled = groups.iter().map(of_group).reduce(Scaled::and);
    scaled.unwrap_or_else(|| Scaled::of_nobody(order))
}

pub(super) fn scale<'a>(
    set: impl Iterator<Item = &'a Member>,
    order: Order,
    loads: &impl Loads,
) -> Scaled {
    let mut scaled = Scaled::of_nobody(order);
    for &member in set {
        let queue = loads.queue(member.no);
        if queue.is_full || queue.is_capped {
            scaled.full += u32::from(!queue.is_capped);
            scaled.capped += u32::from(queue.is_capped);
            continue;
        }
        let key = order.key_of(member, queue, loads);
        let Some((best, _)) = scaled.winner else {
            scaled.winner = Some((key, member));
            continue;
        };
        // As two winners meet, of whom one has nobody below: most lose, and then one count changes.
        let level = level(&key, &best);
        if key[level] < best[level] {
            scaled.lost = merged(level, [0; LEVELS], scaled.lost);
            scaled.winner = Some((key, member));
        } else {
            scaled.lost[level] += 1;
        }
    }
    scaled
}

impl Scaled {
    pub(super) fn of_nobody(order: Order) -> Self {
        Self {
            order,
            winner: None,
            full: 0,
            capped: 0,
            lost: [0; LEVELS],
        }
    }

    /// Over a group, sender by sender.
    pub fn of_walk(group: &Group, order: Order, loads: &impl Loads) -> Self {
        scale(group.iter(), order, loads)
    }

    /// Over both sets together.
    pub(super) fn and(mut self, mut other: Self) -> Self {
        self.full += other.full;
        self.capped += other.capped;
        let Some((others, _)) = other.winner else {
            return self;
        };
        let Some((own, _)) = self.winner else {
            (other.full, other.capped) = (self.full, self.capped);
            return other;
        };
        let (is_own, lost) = meet((&own, self.lost), (&others, other.lost));
        self.lost = lost;
        if !is_own {
            self.winner = other.winner;
        }
        self
    }

    /// The winner's own rule; `None` when nobody else was left to compare with.
    pub(super) fn rule(&self) -> Option<Rule> {
        let level = self.lost.iter().rposition(|&count| count > 0)?;
        self.winner.map(|_| self.order.choice(level))
    }

    /// How many senders the set has.
    pub(super) fn set_len(&self) -> usize {
        let others: u32 = self.full + self.capped + self.lost.iter().sum::<u32>();
        others as usize + usize::from(self.winner.is_some())
    }

    /// Why this member of the set lost.
    pub(super) fn removal(&self, member: Member, loads: &impl Loads) -> Rule {
        let queue = loads.queue(member.no);
        if queue.is_capped {
            return Rule::DailyCapReached;
        }
        match self.winner {
            Some((best, _)) if !queue.is_full => self
                .order
                .removal(level(&self.order.key_of(member, queue, loads), &best)),
            Some(_) | None => Rule::QueueFull,
        }
    }
}

/// The winners of two sets meet. Whether the first wins, and who has lost to the winner of both then.
pub(super) fn meet(one: (&Key, Lost), other: (&Key, Lost)) -> (bool, Lost) {
    let level = level(one.0, other.0);
    let is_first = one.0[level] < other.0[level];
    let lost = if is_first {
        merged(level, one.1, other.1)
    } else {
        merged(level, other.1, one.1)
    };
    (is_first, lost)
}

/// Who has lost to a winner that met a weaker one, which lost at this level: whoever lost to the weaker
/// one there or below loses there too, and so does the weaker one itself; who lost above still does there.
fn merged(level: usize, mut lost: Lost, weaker: Lost) -> Lost {
    for (count, of_weaker) in lost.iter_mut().zip(&weaker[..level]) {
        *count += of_weaker;
    }
    lost[level] += weaker[level..].iter().sum::<u32>() + 1;
    lost
}

/// Where two keys differ first; positions are unique, so they do.
fn level(a: &Key, b: &Key) -> usize {
    (0..LEVELS - 1)
        .find(|&level| a[level] != b[level])
        .unwrap_or(LEVELS - 1)
}
