//! Shared limits on their own: lanes that always have another message, and carriers that come and go.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn lane(sender: u32, carrier: u16) -> LaneKey {
    LaneKey {
        sender: SenderNo(sender),
        carrier: CarrierNo(carrier),
    }
}

fn account(no: u32) -> LimitKey {
    LimitKey::Account(AccountNo(no))
}

/// What a lane always has to send.
#[derive(Clone, Debug)]
struct Load {
    limits: Vec<LimitKey>,
    segments: u16,
}

/// Stands for dispatch: rings of lanes by carrier, of which each takes so many at each tick.
struct Bench {
    shared: SharedLimits,
    loads: BTreeMap<LaneKey, Load>,
    rings: BTreeMap<CarrierNo, Vec<LaneKey>>,
    room: BTreeMap<CarrierNo, usize>,
    /// What is left of it until the next tick.
    left: BTreeMap<CarrierNo, usize>,
    now_ms: Millis,
    sent: Vec<(Millis, LaneKey, u16)>,
    asked: usize,
}

impl Bench {
    fn new(rates: &[(LimitKey, f64)], loads: Vec<(LaneKey, Load)>) -> Self {
        let mut shared = SharedLimits::default();
        for &(key, rate) in rates {
            shared.know(key, || (Rate::per_second(rate), Gauge::default()));
        }
        let mut rings: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (lane, _) in &loads {
            rings.entry(lane.carrier).or_default().push(*lane);
        }
        let room: BTreeMap<_, _> = rings.keys().map(|no| (*no, usize::MAX)).collect();
        Self {
            shared,
            loads: loads.into_iter().collect(),
            rings,
            left: room.clone(),
            room,
            now_ms: 1_000_000,
            sent: Vec::new(),
            asked: 0,
        }
    }

    /// What dispatch does at one instant.
    fn poll(&mut self) {
        for round in 0.. {
            assert!(round < 10_000, "it spins");
            let mut woken = Vec::new();
            let room = &self.room;
            let is_away = |carrier| room[&carrier] == 0;
            self.shared.wake(self.now_ms, is_away, &mut woken);
            for lane in woken {
                let ring = self.rings.entry(lane.carrier).or_default();
                if !ring.contains(&lane) {
                    ring.push(lane);
                }
            }
            for (carrier, ring) in &mut self.rings {
                let left = self.left.get_mut(carrier).unwrap();
                while *left > 0 && !ring.is_empty() {
                    let lane = ring.remove(0);
                    let load = &self.loads[&lane];
                    let claim = Claim {
                        limits: load.limits.iter().copied().collect(),
                        cost: Cost::of_segments(load.segments),
                    };
                    self.asked += 1;
                    if self.shared.ask(lane, claim, self.now_ms) {
                        *left -= 1;
                        self.sent.push((self.now_ms, lane, load.segments));
                        ring.push(lane);
                    }
                }
            }
            self.shared.pass_over(self.now_ms);
            let next = self.shared.next_wake();
            if next.is_none_or(|at_ms| at_ms > self.now_ms) {
                break;
            }
        }
    }

    /// Runs on; carriers get new room every `tick_ms`.
    fn run(&mut self, for_ms: Millis, tick_ms: Millis) {
        let until_ms = self.now_ms + for_ms;
        let mut tick = self.now_ms;
        while self.now_ms < until_ms {
            if self.now_ms >= tick {
                self.left = self.room.clone();
                tick += tick_ms;
            }
            self.poll();
            let wake_ms = self.shared.next_wake().unwrap_or(tick);
            self.now_ms = wake_ms.min(tick).max(self.now_ms + 1);
        }
    }

    fn segments_of(&self, lane: LaneKey) -> u32 {
        let of_lane = self.sent.iter().filter(|(_, sender, _)| *sender == lane);
        of_lane.map(|(_, _, segments)| u32::from(*segments)).sum()
    }

    fn messages_of(&self, lane: LaneKey) -> usize {
        self.sent.iter().filter(|(_, it, _)| *it == lane).count()
    }

    /// No window of time holds more than the rate and one burst.
    fn assert_window(&self, limit: LimitKey, rate: f64) {
        let of_limit = |lane: &LaneKey| self.loads[lane].limits.contains(&limit);
        let sent = self.sent.iter().filter(|(_, lane, _)| of_limit(lane));
        let sent: Vec<_> = sent.map(|(at, _, segments)| (*at, *segments)).collect();
        let longest = sent
            .iter()
            .map(|(_, segments)| *segments)
            .max()
            .unwrap_or(0);
        let burst = rate.max(f64::from(longest));
        for (index, (from_ms, _)) in sent.iter().enumerate() {
            let mut total = 0.0;
            for (at_ms, segments) in sent[index..].iter().take(200) {
                total += f64::from(*segments);
                let window_s = f64::from(i32::try_from(at_ms - from_ms).unwrap()) / 1_000.0;
                let allowed = rate * window_s + burst + 1e-3;
                assert!(
                    total <= allowed,
                    "{total} in {window_s} s at {limit:?}, {rate}/s"
                );
            }
        }
    }
}

fn load(limits: &[LimitKey], segments: u16) -> Load {
    Load {
        limits: limits.to_vec(),
        segments,
    }
}

#[test]
fn lanes_take_turns_and_the_limit_is_used_up() {
    let limit = account(1);
    let lanes: Vec<_> = (0..10).map(|sender| lane(sender, 0)).collect();
    let loads = lanes
        .iter()
        .map(|lane| (*lane, load(&[limit], 1)))
        .collect();
    let mut bench = Bench::new(&[(limit, 5.0)], loads);
    bench.run(60_000, 1_000);
    bench.assert_window(limit, 5.0);
    for lane in lanes {
        let segments = bench.segments_of(lane);
        assert!((30..=31).contains(&segments), "{segments}");
    }
    // Each message is asked for twice: it waits, and it goes.
    assert!(bench.asked <= 2 * bench.sent.len() + 20, "{}", bench.asked);
}

#[test]
fn a_long_message_is_not_starved_by_short_ones() {
    let limit = account(1);
    let mut loads: Vec<_> = (0..20)
        .map(|sender| (lane(sender, 0), load(&[limit], 1)))
        .collect();
    loads.push((lane(99, 1), load(&[limit], 8)));
    let mut bench = Bench::new(&[(limit, 4.0)], loads);
    bench.run(70_000, 1_000);
    bench.assert_window(limit, 4.0);
    // Of each round of 28 segments it has 8.
    assert!(bench.messages_of(lane(99, 1)) >= 9);
    assert!(bench.messages_of(lane(0, 0)) >= 9);
}

/// Its campaign is full of others, and its account of those that have no campaign.
#[test]
fn a_lane_that_needs_two_limits_is_not_starved_by_those_that_need_one() {
    for others in [3, 30] {
        let (campaign, all) = (LimitKey::Campaign(0), account(1));
        let mut loads = vec![(lane(1, 0), load(&[campaign, all], 1))];
        loads.extend((10..10 + others).map(|it| (lane(it, 0), load(&[campaign], 1))));
        loads.extend((50..50 + others).map(|it| (lane(it, 1), load(&[all], 1))));
        let mut bench = Bench::new(&[(campaign, 5.0), (all, 7.0)], loads);
        bench.run(120_000, 1_000);
        bench.assert_window(campaign, 5.0);
        bench.assert_window(all, 7.0);
        let fair = 120.0 * 5.0 / f64::from(others + 1);
        let sent = f64::from(bench.segments_of(lane(1, 0)));
        assert!(sent >= fair * 0.6, "{sent} of {fair}");
        let total: u32 = bench.sent.iter().map(|(_, _, n)| u32::from(*n)).sum();
        assert!(total >= 120 * 12 - u32::try_from(bench.messages_of(lane(1, 0))).unwrap() - 24);
    }
}

#[test]
fn a_carrier_that_is_down_or_full_keeps_nobody_else_from_going() {
    let limit = account(1);
    for (room, most) in [(0, 0), (1, 60)] {
        let mut loads: Vec<_> = (0..50)
            .map(|sender| (lane(sender, 0), load(&[limit], 1)))
            .collect();
        loads.push((lane(99, 1), load(&[limit], 1)));
        let mut bench = Bench::new(&[(limit, 5.0)], loads);
        bench.room.insert(CarrierNo(0), room);
        // The full one has room for one message a second, at an instant when it may not be its turn.
        bench.run(60_000, 970);
        bench.assert_window(limit, 5.0);
        let slow: usize = (0..50).map(|it| bench.messages_of(lane(it, 0))).sum();
        assert!(slow <= most + 2, "{slow}");
        assert!(
            bench.messages_of(lane(99, 1)) >= 200,
            "{}",
            bench.sent.len()
        );
    }
}

/// The carrier never has room at the instant when a place is free, except by chance.
#[test]
fn a_lane_of_a_busy_carrier_gets_its_share() {
    let limit = account(1);
    let mut loads: Vec<_> = (0..30).map(|it| (lane(it, 0), load(&[], 1))).collect();
    loads.push((lane(50, 0), load(&[limit], 1)));
    loads.push((lane(99, 1), load(&[limit], 1)));
    for rate in [1.0, 5.0] {
        let mut bench = Bench::new(&[(limit, rate)], loads.clone());
        bench.room.insert(CarrierNo(0), 1);
        bench.run(120_000, 13);
        bench.assert_window(limit, rate);
        let [busy, free] =
            [(50, 0), (99, 1)].map(|(sender, no)| bench.messages_of(lane(sender, no)));
        assert!(busy >= 50, "{busy} and {free} at {rate}/s");
        assert!(free >= 50, "{busy} and {free} at {rate}/s");
    }
}

#[test]
fn limits_live_on_under_their_new_names_and_nobody_waits_after_a_reset() {
    let limit = account(1);
    let loads = vec![(lane(1, 0), load(&[limit], 1))];
    let mut bench = Bench::new(&[(limit, 1.0)], loads);
    bench.poll();
    assert_eq!(bench.sent.len(), 1);
    bench.shared.reset(bench.now_ms, |_| {
        Some((account(2), Rate::per_second(0.5), Gauge::default()))
    });
    assert_eq!(bench.shared.next_wake(), None);
    bench.loads.insert(lane(1, 0), load(&[account(2)], 1));
    bench.rings.insert(CarrierNo(0), vec![lane(1, 0)]);
    bench.poll();
    assert_eq!(bench.sent.len(), 1, "the segment is still owed");
    assert_eq!(bench.shared.next_wake(), Some(bench.now_ms + 2_000));
    let mut forgotten = Vec::new();
    bench
        .shared
        .forget_idle(bench.now_ms + 9_000, |key| forgotten.push(key));
    assert_eq!(forgotten, [], "somebody waits");
    bench.shared.forget(lane(1, 0), bench.now_ms);
    bench
        .shared
        .forget_idle(bench.now_ms + 9_000, |key| forgotten.push(key));
    assert_eq!(forgotten, [account(2)]);
}

fn rate() -> impl Strategy<Value = f64> {
    prop_oneof![0.3..2.0, 2.0..30.0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Over any lanes and limits: every window holds, all or nothing, every lane's turn comes, and a limit
    /// that everybody needs is used up.
    #[test]
    fn every_window_holds_and_every_turn_comes(
        rates in vec(rate(), 4),
        lanes in vec((0..3_u16, 1..16_u8, 1..6_u16), 1..25),
        rooms in vec(prop_oneof![Just(0_usize), Just(1), Just(usize::MAX)], 3),
    ) {
        let keys = [
            LimitKey::Campaign(0),
            LimitKey::CampaignCarrier(0, 0),
            account(1),
            LimitKey::Route(0),
        ];
        let limits: Vec<_> = keys.into_iter().zip(rates).collect();
        let loads: Vec<_> = (0..)
            .zip(&lanes)
            .map(|(sender, &(carrier, mask, segments))| {
                let chosen = limits.iter().enumerate();
                let chosen = chosen.filter(|(bit, _)| mask & (1 << bit) != 0);
                let chosen: Vec<_> = chosen.map(|(_, (key, _))| *key).collect();
                (lane(sender, carrier), load(&chosen, segments))
            })
            .collect();
        let mut bench = Bench::new(&limits, loads.clone());
        for (carrier, room) in (0..).map(CarrierNo).zip(rooms) {
            bench.room.insert(carrier, room);
        }
        let slowest = limits.iter().map(|(_, rate)| *rate).fold(f64::MAX, f64::min);
        let all: f64 = lanes.iter().map(|(_, _, segments)| f64::from(*segments)).sum();
        // Time for two rounds of all through the slowest, and for carriers that are seldom free.
        #[expect(clippy::cast_possible_truncation, reason = "minutes")]
        let for_ms = (all / slowest * 4_000.0) as Millis + 60_000;
        bench.run(for_ms, 700);
        for (key, rate) in &limits {
            bench.assert_window(*key, *rate);
        }
        for (lane, load) in &loads {
            let sent = bench.messages_of(*lane);
            let is_away = bench.room[&lane.carrier] == 0;
            prop_assert!(is_away == (sent == 0), "{lane:?} {load:?} sent {sent} in {for_ms} ms");
        }
    }
}
