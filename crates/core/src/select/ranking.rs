//! A large group of senders, kept in the scaler's order while their loads change.
//!
//! A tournament: a binary tree over the senders whose inner nodes hold the better of two, with the
//! losers below counted by the level at which they lost. Reading the winner is looking at the root; a
//! sender whose load changed plays its dozen matches again. So a pool of ten thousand numbers of one
//! country costs a selection what a pool of ten does.
//!
//! Whether a queue is full, or a cap reached, depends on the message. A sender that is near that stands
//! *apart*, outside the tournament, and is asked about each message.

use std::collections::BTreeSet;

use super::facts::{Loads, QueueLoad};
use super::groups::{Group, Member};
use super::scaler::{Key, LEVELS, Lost, Order, Scaled, meet, scale};
use crate::message::SenderNo;

/// A group in order. Whoever keeps it tells every change of a load by [`Ranking::update`].
#[derive(Clone, Debug)]
pub struct Ranking {
    order: Order,
    /// In pool order.
    members: Box<[Member]>,
    /// The same ones by number: its place in pool order.
    places: Box<[(SenderNo, u32)]>,
    /// `None` for those apart.
    keys: Vec<Option<Key>>,
    apart: BTreeSet<u32>,
    /// Node 1 is the root, those under node n are 2n and 2n + 1, and the leaves, one a member, are the
    /// last half.
    nodes: Vec<Node>,
}

/// What a ranking is told of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub queue: QueueLoad,
    /// See [`Loads::mappings`]; counts only under [`Order::Recipients`].
    pub mappings: u64,
    /// It may be full or capped for some message.
    pub is_apart: bool,
}

/// The outcome among the members under a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    winner: u32,
    lost: Lost,
}

impl Node {
    const NOBODY: u32 = u32::MAX;

    fn of(winner: u32) -> Self {
        Self {
            winner,
            lost: [0; LEVELS],
        }
    }
}

impl Ranking {
    pub fn new(group: &Group, order: Order, mut standing: impl FnMut(Member) -> Standing) -> Self {
        let members: Box<[Member]> = (&**group).into();
        let mut places: Box<[_]> = (0..)
            .zip(&members)
            .map(|(at, member)| (member.no, at))
            .collect();
        places.sort_unstable();
        let mut ranking = Self {
            order,
            keys: vec![None; members.len()],
            nodes: vec![Node::of(Node::NOBODY); 2 * members.len()],
            apart: BTreeSet::new(),
            members,
            places,
        };
        for at in 0..ranking.members.len() {
            let standing = standing(ranking.members[at]);
            ranking.set(at, standing);
        }
        for node in (1..ranking.members.len()).rev() {
            ranking.nodes[node] = ranking.play(node);
        }
        ranking
    }

    /// Senders in it.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The load of a sender may have changed. One that is not in the group is ignored.
    pub fn update(&mut self, sender: SenderNo, standing: impl FnOnce(Member) -> Standing) {
        let found = self.places.binary_search_by_key(&sender, |&(no, _)| no);
        if let Ok(index) = found {
            self.replay(self.places[index].1 as usize, standing);
        }
    }

    /// The same by the sender's place in the pool.
    pub fn update_at(&mut self, position: u64, standing: impl FnOnce(Member) -> Standing) {
        let found = self
            .members
            .binary_search_by_key(&position, |member| member.position);
        if let Ok(at) = found {
            self.replay(at, standing);
        }
    }

    /// What the scaler would find on a walk over the group.
    pub fn scaled(&self, loads: &impl Loads) -> Scaled {
        let root = self.nodes.get(1).copied();
        let mut scaled = Scaled::of_nobody(self.order);
        if let Some(Node { winner, lost }) = root
            && let Some(Some(key)) = self.keys.get(winner as usize)
        {
            scaled.winner = Some((*key, self.members[winner as usize]));
            scaled.lost = lost;
        }
        let apart = self.apart.iter().map(|&at| &self.members[at as usize]);
        scaled.and(scale(apart, self.order, loads))
    }

    fn replay(&mut self, at: usize, standing: impl FnOnce(Member) -> Standing) {
        let standing = standing(self.members[at]);
        if !self.set(at, standing) {
            return;
        }
        let mut node = usize::midpoint(at, self.members.len());
        while node > 0 {
            let outcome = self.play(node);
            // The winner may be the same sender with another load, so the way goes on to the root
            // unless it is not among those who play further.
            let is_same = self.nodes[node] == outcome && outcome.winner != Self::at(at);
            self.nodes[node] = outcome;
            if is_same {
                return;
            }
            node /= 2;
        }
    }

    /// Whether anything changed.
    fn set(&mut self, at: usize, standing: Standing) -> bool {
        let Standing {
            queue,
            mappings,
            is_apart,
        } = standing;
        let key = (!is_apart).then(|| self.order.key(self.members[at], queue, mappings));
        if is_apart {
            self.apart.insert(Self::at(at));
        } else {
            self.apart.remove(&Self::at(at));
        }
        let leaf = at + self.members.len();
        let winner = if is_apart { Node::NOBODY } else { Self::at(at) };
        let is_changed = self.keys[at] != key || self.nodes[leaf].winner != winner;
        self.keys[at] = key;
        self.nodes[leaf] = Node::of(winner);
        is_changed
    }

    fn at(at: usize) -> u32 {
        u32::try_from(at).unwrap_or(Node::NOBODY)
    }

    /// The outcome of a node from the two under it.
    fn play(&self, node: usize) -> Node {
        let [one, other] = [self.nodes[2 * node], self.nodes[2 * node + 1]];
        let key = |node: Node| self.keys.get(node.winner as usize).copied().flatten();
        let (Some(own), Some(others)) = (key(one), key(other)) else {
            return if one.winner == Node::NOBODY {
                other
            } else {
                one
            };
        };
        let (is_first, lost) = meet((&own, one.lost), (&others, other.lost));
        let winner = if is_first { one.winner } else { other.winner };
        Node { winner, lost }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::groups::{Edit, EditKind};
    use super::*;

    /// Loads by number.
    #[derive(Clone, Debug)]
    struct Table(Vec<(QueueLoad, u64)>);

    impl Loads for Table {
        fn mappings(&self, sender: SenderNo, _: u64) -> u64 {
            self.0[sender.0 as usize].1
        }

        fn queue(&self, sender: SenderNo) -> QueueLoad {
            self.0[sender.0 as usize].0
        }
    }

    impl Table {
        fn standing(&self, sender: SenderNo) -> Standing {
            let (queue, mappings) = self.0[sender.0 as usize];
            Standing {
                queue,
                mappings,
                // Not only those that are full for this message.
                is_apart: queue.is_full || queue.is_capped || queue.drain_ms > 2,
            }
        }
    }

    /// Few values, so that they collide.
    fn load() -> impl Strategy<Value = (QueueLoad, u64)> {
        let numbers = (0..3_u64, 0..5_u64, 0..4_u64, 0..3_u64);
        (numbers, 0..20_u8).prop_map(
            |((queued_segments, drain_ms, last_used, mappings), limit)| {
                let queue = QueueLoad {
                    queued_segments,
                    drain_ms,
                    last_used,
                    is_full: limit == 0,
                    is_capped: limit == 1,
                };
                (queue, mappings)
            },
        )
    }

    /// Pool order runs against the order of numbers.
    fn group(size: usize) -> Group {
        let mut group = Group::default();
        for (edit, no) in (1..).zip(0..u32::try_from(size).unwrap()) {
            let member = Member {
                position: 1_000 - u64::from(no),
                no: SenderNo(no),
            };
            group.edit(&mut Edit::new(EditKind::Add, edit), member);
        }
        group
    }

    proptest! {
        #[test]
        fn a_ranking_finds_what_a_walk_finds(
            loads in vec(load(), 1..70),
            changes in vec((any::<prop::sample::Index>(), load(), any::<bool>()), 0..200),
            is_sticky in any::<bool>(),
        ) {
            let order = if is_sticky { Order::Recipients } else { Order::Messages };
            let group = group(loads.len());
            let mut table = Table(loads);
            let mut ranking = Ranking::new(&group, order, |member| table.standing(member.no));
            prop_assert_eq!(ranking.scaled(&table), scale(group.iter(), order, &table));
            for (index, load, by_position) in changes {
                let index = index.index(table.0.len());
                table.0[index] = load;
                let member = group[group.len() - 1 - index];
                prop_assert_eq!(member.no.0 as usize, index);
                if by_position {
                    ranking.update_at(member.position, |member| table.standing(member.no));
                } else {
                    ranking.update(member.no, |member| table.standing(member.no));
                }
                prop_assert_eq!(ranking.scaled(&table), scale(group.iter(), order, &table));
            }
        }

        #[test]
        fn groups_together_are_as_one(
            loads in vec(load(), 1..40),
            at in any::<prop::sample::Index>(),
            is_sticky in any::<bool>(),
        ) {
            let order = if is_sticky { Order::Recipients } else { Order::Messages };
            let group = group(loads.len());
            let table = Table(loads);
            let (front, back) = group.split_at(at.index(group.len()));
            let parts = scale(front.iter(), order, &table).and(scale(back.iter(), order, &table));
            prop_assert_eq!(parts, scale(group.iter(), order, &table));
        }
    }

    #[test]
    fn senders_of_other_groups_are_ignored() {
        let table = Table(vec![(QueueLoad::default(), 0); 3]);
        let group = group(3);
        let mut ranking = Ranking::new(&group, Order::Messages, |member| table.standing(member.no));
        let before = ranking.scaled(&table);
        ranking.update(SenderNo(7), |_| unreachable!("nobody's load is asked for"));
        ranking.update_at(7, |_| unreachable!("nobody's load is asked for"));
        assert_eq!(ranking.scaled(&table), before);
    }
}
