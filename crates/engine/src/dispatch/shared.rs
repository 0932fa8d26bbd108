//! Limits that lanes share: campaigns, accounts, carrier routes. Who waits for them, and whose turn it is.
//!
//! A message takes its places in all its limits at once, at the instant it leaves, or in none: so no
//! window of time ever holds more than a limit's rate and one burst. A lane that has to wait gets a
//! *ticket*, which it keeps until its message is gone, and waits with the limit that keeps it longest; the
//! next message of the lane gets a new ticket, so lanes take turns. Nothing is looked through: each
//! limit has one timer, for the first in its queue, and whoever goes wakes the next.
//!
//! Whose turn it is with one limit has a *claim* on all the others that it needs. Those with later tickets
//! may go ahead only if that one can still leave when it could have: short messages don't starve a long one,
//! and lanes of one limit don't starve one that needs two. The lane with the oldest ticket is first
//! wherever it waits, so everybody's turn comes. A lane whose carrier is full when its turn comes makes way
//! for the next: it keeps its claims for a second, for two the next time and so on, and its ticket for as
//! long as it takes. One whose carrier is down has no claims. So no carrier keeps those from going that wait
//! for another, and nobody is starved whose carrier is busy.

use std::collections::{BTreeMap, BTreeSet};

use postrider_carriers::CarrierNo;
use postrider_core::clock::Millis;
use postrider_core::message::{AccountNo, SenderNo};
use postrider_core::pacing::{Pace, Rate};
use postrider_core::sender_rate::Cost;
use prometheus_client::metrics::gauge::Gauge;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// How long places are kept for a lane whose carrier is full, for the first time; and how often one that is
/// held up by an older claim is looked at although nothing has happened.
const PATIENCE_MS: Millis = 1_000;

/// Patience doubles so many times. A carrier that answers at all has a place for each lane in its ring within
/// that time.
const DOUBLINGS_MAX: u32 = 5;

/// A lane, as limits know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneKey {
    pub(super) sender: SenderNo,
    pub(super) carrier: CarrierNo,
}

/// A limit. Campaigns and routes go by their places in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum LimitKey {
    Campaign(u16),
    /// A campaign through one carrier, by the place of that in the campaign's table.
    CampaignCarrier(u16, u16),
    Account(AccountNo),
    Route(u16),
}

/// What the message at the head of a lane takes of each of its limits.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    pub(super) limits: SmallVec<[LimitKey; 4]>,
    pub(super) cost: Cost,
}

/// All limits that were needed so far, and the lanes that wait for them.
#[derive(Default)]
pub(super) struct SharedLimits {
    limits: FxHashMap<LimitKey, Limit>,
    held: FxHashMap<LaneKey, Held>,
    next_ticket: u64,
    timers: BTreeSet<(Millis, Wake)>,
    /// Limits that have offered a turn which was not taken yet.
    offered: Vec<LimitKey>,
    /// Limits whose first may be another one now, or may go now.
    changed: Vec<LimitKey>,
}

struct Limit {
    pace: Pace,
    /// Lanes that this limit keeps longest, by ticket.
    waiting: BTreeSet<(u64, LaneKey)>,
    /// Of the first of them.
    turn: Option<Turn>,
    /// Of lanes whose turn it is with other limits, by ticket.
    claims: BTreeMap<u64, LaneKey>,
    /// How many wait.
    gauge: Gauge,
}

#[derive(Clone, Debug)]
struct Turn {
    ticket: u64,
    lane: LaneKey,
    claim: Claim,
    stage: Stage,
    /// When it can leave, as far as limits are concerned.
    start_ms: Millis,
    wake_ms: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Until places are free.
    Waiting,
    /// An older claim comes first.
    Blocked,
    /// It may go, and its carrier's ring has it.
    Offered,
}

/// A lane with a ticket.
struct Held {
    ticket: u64,
    claim: Claim,
    place: Place,
    /// How often its turn came and its carrier was full.
    passed: u32,
}

/// Where a lane with a ticket waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Queue(LimitKey),
    /// In the ring of its carrier, which was full when its turn came; with claims until this instant.
    Full(Millis),
    /// With its carrier or its sender, and without claims.
    Elsewhere,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    /// The turn at a limit.
    Turn(LimitKey),
    /// The end of a lane's claims.
    Claims(LaneKey),
}

/// What keeps a message longest.
struct Obstacle {
    limit: LimitKey,
    until_ms: Millis,
    stage: Stage,
}

impl SharedLimits {
    /// Makes a limit known, unless it is.
    pub(super) fn know(&mut self, limit: LimitKey, make: impl FnOnce() -> (Rate, Gauge)) {
        self.limits.entry(limit).or_insert_with(|| {
            let (rate, gauge) = make();
            Limit::new(Pace::new(rate), gauge)
        });
    }

    /// Whether the message at the head of a lane may leave now, which takes its places; otherwise the
    /// lane waits and [`Self::wake`] will name it. Its limits are known.
    pub(super) fn ask(&mut self, lane: LaneKey, claim: Claim, now_ms: Millis) -> bool {
        let ticket = self.held.get(&lane).map_or(u64::MAX, |held| held.ticket);
        let Some(obstacle) = self.look(lane, ticket, &claim, now_ms) else {
            for limit in &claim.limits {
                if let Some(limit) = self.limits.get_mut(limit) {
                    limit.pace.spend(now_ms, claim.cost);
                }
            }
            self.forget(lane, now_ms);
            return true;
        };
        self.hold(lane, claim, obstacle.limit);
        self.settle(now_ms);
        false
    }

    /// The lane has no message, or one that takes no places.
    pub(super) fn forget(&mut self, lane: LaneKey, now_ms: Millis) {
        if self.held.contains_key(&lane) {
            self.unplace(lane);
            self.held.remove(&lane);
            self.settle(now_ms);
        }
    }

    /// Something else keeps the lane's message. It keeps its ticket.
    pub(super) fn step_aside(&mut self, lane: LaneKey, now_ms: Millis) {
        self.unplace(lane);
        self.settle(now_ms);
    }

    /// Names the lanes that may ask again, because their turn has come or because they lost it.
    pub(super) fn wake(
        &mut self,
        now_ms: Millis,
        is_away: impl Fn(CarrierNo) -> bool,
        woken: &mut Vec<LaneKey>,
    ) {
        while let Some(&(at_ms, wake)) = self.timers.first()
            && at_ms <= now_ms
        {
            self.timers.pop_first();
            match wake {
                Wake::Claims(lane) => self.unplace(lane),
                Wake::Turn(key) => {
                    let limit = self.limits.get_mut(&key);
                    let Some(turn) = limit.and_then(|limit| limit.turn.as_mut()) else {
                        continue;
                    };
                    let lane = turn.lane;
                    if turn.stage == Stage::Blocked {
                        self.changed.push(key);
                    } else if is_away(lane.carrier) {
                        self.unplace(lane);
                        woken.push(lane);
                    } else {
                        turn.stage = Stage::Offered;
                        self.offered.push(key);
                        woken.push(lane);
                    }
                }
            }
            self.settle(now_ms);
        }
    }

    /// Whoever was woken has asked, or its carrier is full: then it makes way, and places are kept for
    /// it as long as others can do without them, for a while.
    pub(super) fn pass_over(&mut self, now_ms: Millis) {
        for key in std::mem::take(&mut self.offered) {
            let turn = self.limits.get(&key).and_then(|limit| limit.turn.as_ref());
            let Some(turn) = turn.filter(|turn| turn.stage == Stage::Offered) else {
                continue;
            };
            let lane = turn.lane;
            self.unplace(lane);
            if let Some(held) = self.held.get_mut(&lane) {
                let until_ms = now_ms + (PATIENCE_MS << held.passed.min(DOUBLINGS_MAX));
                held.passed += 1;
                held.place = Place::Full(until_ms);
                self.timers.insert((until_ms, Wake::Claims(lane)));
                for limit in &held.claim.limits {
                    if let Some(limit) = self.limits.get_mut(limit) {
                        limit.claims.insert(held.ticket, lane);
                    }
                }
            }
            self.settle(now_ms);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.timers.first().map(|(at_ms, _)| *at_ms)
    }

    /// Nobody waits any more, and what is owed stays owed. Limits become those that `rename` says, at
    /// those rates; those it says nothing of are forgotten.
    pub(super) fn reset(
        &mut self,
        now_ms: Millis,
        rename: impl Fn(LimitKey) -> Option<(LimitKey, Rate, Gauge)>,
    ) {
        self.held.clear();
        self.timers.clear();
        self.offered.clear();
        self.changed.clear();
        for (key, limit) in std::mem::take(&mut self.limits) {
            if let Some((key, rate, gauge)) = rename(key) {
                let mut pace = limit.pace;
                pace.set_rate(now_ms, rate);
                gauge.set(0);
                self.limits.insert(key, Limit::new(pace, gauge));
            }
        }
    }

    /// Forgets limits that nobody waits for and that are owed nothing, and tells which.
    pub(super) fn forget_idle(&mut self, now_ms: Millis, mut forgotten: impl FnMut(LimitKey)) {
        self.limits.retain(|key, limit| {
            let is_needed = !limit.waiting.is_empty()
                || !limit.claims.is_empty()
                || !limit.pace.is_settled(now_ms);
            if !is_needed {
                forgotten(*key);
            }
            is_needed
        });
    }

    /// What keeps a message longest; nothing, if it may go.
    fn look(
        &mut self,
        lane: LaneKey,
        ticket: u64,
        claim: &Claim,
        now_ms: Millis,
    ) -> Option<Obstacle> {
        let mut worst: Option<Obstacle> = None;
        for &key in &claim.limits {
            let Some(limit) = self.limits.get_mut(&key) else {
                continue;
            };
            let fits_ms = limit.pace.fits_at(now_ms, claim.cost);
            let (until_ms, stage) = match limit.first_before(ticket, lane) {
                Some(First::InQueue(start_ms)) => (start_ms.max(fits_ms), Stage::Blocked),
                Some(First::Claims(other)) => {
                    let mut pace = limit.pace;
                    let (start_ms, cost) = self.start_of(other, now_ms);
                    match pace.fits_beside(now_ms, claim.cost, start_ms, cost) {
                        Some(fits_ms) => (fits_ms, Stage::Waiting),
                        None => (start_ms.max(fits_ms), Stage::Blocked),
                    }
                }
                None => (fits_ms, Stage::Waiting),
            };
            let is_free = stage == Stage::Waiting && until_ms <= now_ms;
            if !is_free && worst.as_ref().is_none_or(|it| it.until_ms < until_ms) {
                worst = Some(Obstacle {
                    limit: key,
                    until_ms,
                    stage,
                });
            }
        }
        worst
    }

    /// When a lane with claims can leave, and what it takes.
    fn start_of(&self, lane: LaneKey, now_ms: Millis) -> (Millis, Cost) {
        let Some(held) = self.held.get(&lane) else {
            debug_assert!(false, "{lane:?} has claims and no ticket");
            return (now_ms, Cost::default());
        };
        let turn = match held.place {
            Place::Queue(key) => self.limits.get(&key).and_then(|it| it.turn.as_ref()),
            Place::Full(_) | Place::Elsewhere => None,
        };
        let start_ms = turn.map_or(now_ms, |turn| turn.start_ms);
        (start_ms, held.claim.cost)
    }

    /// The lane waits at a limit, with the ticket it has or a new one.
    fn hold(&mut self, lane: LaneKey, claim: Claim, limit: LimitKey) {
        if let Some(held) = self.held.get_mut(&lane) {
            let is_turn = self
                .limits
                .get(&limit)
                .is_some_and(|it| it.is_turn_of(lane));
            if held.place == Place::Queue(limit) && !is_turn {
                held.claim = claim;
                return;
            }
        }
        self.unplace(lane);
        let next_ticket = &mut self.next_ticket;
        let held = self.held.entry(lane).or_insert_with(|| {
            *next_ticket += 1;
            Held {
                ticket: *next_ticket,
                claim: Claim::default(),
                place: Place::Elsewhere,
                passed: 0,
            }
        });
        held.claim = claim;
        self.place(lane, limit);
    }

    fn place(&mut self, lane: LaneKey, key: LimitKey) {
        let (Some(held), Some(limit)) = (self.held.get_mut(&lane), self.limits.get_mut(&key))
        else {
            return;
        };
        held.place = Place::Queue(key);
        limit.waiting.insert((held.ticket, lane));
        limit.gauge.inc();
        self.changed.push(key);
    }

    fn unplace(&mut self, lane: LaneKey) {
        let Some(held) = self.held.get_mut(&lane) else {
            return;
        };
        let ticket = held.ticket;
        match std::mem::replace(&mut held.place, Place::Elsewhere) {
            Place::Queue(key) => {
                if let Some(limit) = self.limits.get_mut(&key) {
                    limit.waiting.remove(&(ticket, lane));
                    limit.gauge.dec();
                    if limit.is_turn_of(lane) {
                        self.end_turn(key);
                    }
                    self.changed.push(key);
                }
            }
            Place::Full(until_ms) => {
                let claimed = held.claim.limits.clone();
                self.timers.remove(&(until_ms, Wake::Claims(lane)));
                self.withdraw(ticket, claimed.iter());
            }
            Place::Elsewhere => {}
        }
    }

    /// Takes claims back. Whoever was held up by them is looked at again.
    fn withdraw<'a>(&mut self, ticket: u64, limits: impl Iterator<Item = &'a LimitKey>) {
        for key in limits {
            if let Some(limit) = self.limits.get_mut(key) {
                limit.claims.remove(&ticket);
                self.changed.push(*key);
            }
        }
    }

    fn end_turn(&mut self, key: LimitKey) {
        let turn = self.limits.get_mut(&key).and_then(|it| it.turn.take());
        let Some(turn) = turn else { return };
        self.timers.remove(&(turn.wake_ms, Wake::Turn(key)));
        let claimed = turn.claim.limits.iter().filter(|other| **other != key);
        self.withdraw(turn.ticket, claimed);
    }

    fn settle(&mut self, now_ms: Millis) {
        while let Some(key) = self.changed.pop() {
            self.give_turn(key, now_ms);
        }
    }

    /// Gives the turn to the first in a limit's queue whom no other limit keeps longer, and sets its
    /// timer.
    fn give_turn(&mut self, key: LimitKey, now_ms: Millis) {
        loop {
            let Some(limit) = self.limits.get(&key) else {
                return;
            };
            let Some(&(ticket, lane)) = limit.waiting.first() else {
                return;
            };
            match &limit.turn {
                Some(turn) if turn.lane != lane => self.end_turn(key),
                Some(turn) if turn.stage == Stage::Offered => return,
                Some(_) | None => {}
            }
            let Some(held) = self.held.get(&lane) else {
                debug_assert!(false, "{lane:?} waits without a ticket");
                return;
            };
            let claim = held.claim.clone();
            let obstacle = self.look(lane, ticket, &claim, now_ms);
            if let Some(obstacle) = &obstacle
                && obstacle.limit != key
            {
                let other = obstacle.limit;
                self.unplace(lane);
                self.place(lane, other);
                continue;
            }
            let stage = obstacle.as_ref().map_or(Stage::Waiting, |it| it.stage);
            let start_ms = obstacle.map_or(now_ms, |it| it.until_ms.max(now_ms));
            let wake_ms = match stage {
                Stage::Waiting | Stage::Offered => start_ms,
                Stage::Blocked => now_ms + PATIENCE_MS,
            };
            self.set_turn(
                key,
                Turn {
                    ticket,
                    lane,
                    claim,
                    stage,
                    start_ms,
                    wake_ms,
                },
            );
            return;
        }
    }

    fn set_turn(&mut self, key: LimitKey, turn: Turn) {
        let (ticket, lane, wake_ms) = (turn.ticket, turn.lane, turn.wake_ms);
        let claimed = turn.claim.limits.clone();
        let Some(limit) = self.limits.get_mut(&key) else {
            return;
        };
        if let Some(former) = limit.turn.replace(turn) {
            self.timers.remove(&(former.wake_ms, Wake::Turn(key)));
        }
        self.timers.insert((wake_ms, Wake::Turn(key)));
        for other in claimed.iter().filter(|other| **other != key) {
            if let Some(limit) = self.limits.get_mut(other) {
                limit.claims.insert(ticket, lane);
            }
        }
    }
}

/// Who comes before a lane at a limit.
enum First {
    /// The first of its queue, who can leave at this instant.
    InQueue(Millis),
    /// The oldest claim.
    Claims(LaneKey),
}

impl Limit {
    fn new(pace: Pace, gauge: Gauge) -> Self {
        Self {
            pace,
            waiting: BTreeSet::new(),
            turn: None,
            claims: BTreeMap::new(),
            gauge,
        }
    }

    fn is_turn_of(&self, lane: LaneKey) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.lane == lane)
    }

    fn first_before(&self, ticket: u64, lane: LaneKey) -> Option<First> {
        if self.waiting.first().is_some_and(|first| first.0 < ticket) {
            let start_ms = self.turn.as_ref().map(|turn| turn.start_ms);
            return Some(First::InQueue(start_ms.unwrap_or(Millis::MIN)));
        }
        let oldest = self.claims.first_key_value();
        let oldest = oldest.filter(|(claim, other)| **claim < ticket && **other != lane);
        oldest.map(|(_, other)| First::Claims(*other))
    }
}

#[cfg(test)]
mod tests;
