//! What a selection costs: the figures of `docs/sender-selection.md`.
//!
//! ```text
//! cargo run --release -p postrider-core --example selection
//! ```
//!
//! Pools of 10, 1,000 and 10,000 numbers, once over many area codes and countries, once all with one
//! area code that no recipient has, so that each message is for the whole pool. Every message takes a
//! place in the queue of its sender and makes it one recipient more, and the one 50 messages before
//! leaves its queue: that is what rankings are told.

#![expect(clippy::print_stdout, reason = "its results are its output")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::{
    Channel, Detail, Facts, Group, Loads, Member, Order, Pool, PoolSender, PublicReach, QueueLoad,
    Ranking, Recipient, Scaled, Settings, Standing, StickyMapping, select,
};
use postrider_core::settings::Capabilities;

const MESSAGES: u32 = 20_000;
/// Places of messages in queues at a time.
const QUEUED: usize = 50;

fn main() {
    println!("{:38} {:>10} {:>12}", "selection", "walked", "ranked");
    for size in [10, 1_000, 10_000] {
        for (name, spread) in [("spread", Spread::Wide), ("one group", Spread::OneGroup)] {
            for is_sticky in [true, false] {
                let walked = measure(size, spread, is_sticky, Large::Walked);
                let ranked = measure(size, spread, is_sticky, Large::Ranked);
                let sticky = if is_sticky { "sticky" } else { "not sticky" };
                let what = format!("{size} senders, {name}, {sticky}");
                println!("{what:38} {walked:>7.2} µs {ranked:>9.2} µs");
            }
        }
    }
    println!();
    let pool = pool(10_000, Spread::OneGroup);
    let known = known_recipient(&pool);
    println!("{:38} {known:>7.2} µs", "10,000 senders, recipient known");
    let edit = edit(&pool);
    println!(
        "{:38} {edit:>7.0} µs",
        "sender added to 10,000, pool in use"
    );
    let build = build_ranking(&pool);
    println!("{:38} {build:>7.0} µs", "ranking of 10,000 built anew");
}

#[derive(Clone, Copy, PartialEq)]
enum Spread {
    Wide,
    OneGroup,
}

#[derive(Clone, Copy, PartialEq)]
enum Large {
    Walked,
    Ranked,
}

/// As an engine keeps them, by sender number, which is position here.
struct Table {
    large: Large,
    queues: Vec<QueueLoad>,
    mappings: Vec<u64>,
    ranking: RefCell<Option<Ranking>>,
    /// Since the ranking was last read.
    changed: RefCell<Vec<SenderNo>>,
}

impl Table {
    fn new(size: u32, large: Large) -> Self {
        Self {
            large,
            queues: vec![QueueLoad::default(); size as usize],
            mappings: vec![0; size as usize],
            ranking: RefCell::default(),
            changed: RefCell::default(),
        }
    }

    fn queue_mut(&mut self, sender: SenderNo) -> &mut QueueLoad {
        self.changed.get_mut().push(sender);
        &mut self.queues[sender.0 as usize]
    }

    fn standing(&self, member: Member) -> Standing {
        Standing {
            queue: self.queue(member.no),
            mappings: self.mappings(member.no, member.position),
            is_apart: false,
        }
    }
}

impl Loads for Table {
    fn mappings(&self, sender: SenderNo, _: u64) -> u64 {
        self.mappings[sender.0 as usize]
    }

    fn queue(&self, sender: SenderNo) -> QueueLoad {
        self.queues[sender.0 as usize]
    }

    /// One group is large here at most, so one ranking is enough.
    fn ranked(&self, group: &Group, order: Order) -> Option<Scaled> {
        if self.large == Large::Walked || group.len() < 128 {
            return None;
        }
        let mut kept = self.ranking.borrow_mut();
        let ranking =
            kept.get_or_insert_with(|| Ranking::new(group, order, |it| self.standing(it)));
        for sender in self.changed.borrow_mut().drain(..) {
            ranking.update(sender, |member| self.standing(member));
        }
        Some(ranking.scaled(self))
    }
}

fn pool(size: u32, spread: Spread) -> Pool {
    const PREFIXES: [&str; 23] = [
        "+1212555",
        "+1917555",
        "+1718555",
        "+1646555",
        "+1415555",
        "+1628555",
        "+1312555",
        "+1773555",
        "+1305555",
        "+1786555",
        "+1404555",
        "+1770555",
        "+1602555",
        "+1702555",
        "+1503555",
        "+1512555",
        "+1617555",
        "+1416555",
        "+1647555",
        "+1604555",
        "+1876555",
        "+44770090",
        "+4915110",
    ];
    let sender = |index: u32| {
        let number = match spread {
            Spread::Wide => format!("{}{:04}", PREFIXES[index as usize % 23], index / 23),
            Spread::OneGroup => format!("+1206555{index:04}"),
        };
        let number = PhoneNumber::parse(&number).expect("a number");
        let capabilities = Capabilities::default();
        PoolSender::number(SenderNo(index), number, capabilities, index.into())
    };
    Pool::new((0..size).map(sender))
}

fn facts(recipient: Recipient, is_sticky: bool) -> Facts<'static> {
    Facts {
        recipient,
        from: None,
        has_media: false,
        settings: Settings {
            sticky_sender: is_sticky,
            ..Settings::default()
        },
        mapping: None,
        now_ms: 0,
        detail: Detail::Compact,
    }
}

fn recipient(digits: &str) -> Recipient {
    let number = PhoneNumber::parse(digits).expect("a number");
    Recipient::of(number, Channel::Sms)
}

/// Microseconds a message.
fn measure(size: u32, spread: Spread, is_sticky: bool, large: Large) -> f64 {
    let pool = pool(size, spread);
    let facts = facts(recipient("+14155559199"), is_sticky);
    let mut table = Table::new(size, large);
    let mut queued = VecDeque::new();
    let started = now();
    for use_no in 1..=MESSAGES {
        let decision = select(&pool, &facts, &table, &PublicReach).expect("the pool has senders");
        let sender = black_box(decision).chosen().expect("nothing is full");
        queued.push_back(sender);
        if is_sticky {
            table.mappings[sender.0 as usize] += 1;
        }
        let queue = table.queue_mut(sender);
        queue.queued_segments += 1;
        queue.drain_ms += 1_000;
        queue.last_used = use_no.into();
        if queued.len() > QUEUED
            && let Some(sender) = queued.pop_front()
        {
            let queue = table.queue_mut(sender);
            queue.queued_segments -= 1;
            queue.drain_ms -= 1_000;
        }
    }
    micros(started, MESSAGES)
}

fn known_recipient(pool: &Pool) -> f64 {
    let mapping = StickyMapping {
        sender: SenderNo(7_000),
        position: 7_000,
        last_used_ms: 0,
    };
    let facts = Facts {
        mapping: Some(mapping),
        ..facts(recipient("+14155559199"), true)
    };
    let table = Table::new(10_000, Large::Ranked);
    let started = now();
    for _ in 0..MESSAGES {
        black_box(select(pool, &facts, &table, &PublicReach)).expect("the pool has senders");
    }
    micros(started, MESSAGES)
}

/// A message is choosing from the pool meanwhile, so the edit makes a copy.
fn edit(pool: &Pool) -> f64 {
    const EDITS: u32 = 50;
    let number = PhoneNumber::parse("+14155550101").expect("a number");
    let started = now();
    for _ in 0..EDITS {
        let mut copy = pool.clone();
        let capabilities = Capabilities::default();
        copy.insert(PoolSender::number(
            SenderNo(10_000),
            number,
            capabilities,
            10_000,
        ));
        black_box(copy);
    }
    micros(started, EDITS)
}

fn build_ranking(pool: &Pool) -> f64 {
    const BUILDS: u32 = 50;
    let facts = facts(recipient("+14155559199"), true);
    let mut table = Table::new(10_000, Large::Ranked);
    let started = now();
    for _ in 0..BUILDS {
        *table.ranking.get_mut() = None;
        black_box(select(pool, &facts, &table, &PublicReach)).expect("the pool has senders");
    }
    micros(started, BUILDS)
}

#[expect(clippy::disallowed_methods, reason = "this measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn micros(started: Instant, times: u32) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / f64::from(times)
}
