//! What the opt-out list costs: the figures of `docs/benchmarks.md`.
//!
//! ```text
//! cargo run --release -p postrider-store --example opt_outs -- 10000000
//! ```
//!
//! Entries come in an order that has nothing to do with that of the table, in batches as an import writes
//! them. Then users are asked for: some who never opted out, which the filter answers, and some who did.

mod figures;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use postrider_core::clock::ManualClock;
use postrider_core::message::AccountNo;
use postrider_core::opt_out::{ChannelGroup, ListKey, Scope};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, ServiceSid};
use postrider_store::sqlite::{Options, SqliteStore};
use postrider_store::{OptOutCause, OptOutEvent, OptOutSource, Store};

use figures::{line, now, ratio, resident_kib};

/// As the engine imports them.
const BATCH: u64 = 1_000;
const LOOKUPS: u64 = 100_000;
const START_MS: i64 = 1_767_225_600_000;

fn main() {
    let count = std::env::args().nth(1);
    let count: u64 = count.map_or(1_000_000, |count| {
        count.parse().expect("a number of entries")
    });
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = || {
        let clock = Arc::new(ManualClock::default());
        SqliteStore::open(dir.path(), clock, Options::default()).expect("the store opens")
    };
    let store = open();
    fill(&store, count);
    drop(store);
    let size = file_octets(dir.path());
    line("on disk", ratio(size, 1 << 20), "MiB");
    line("on disk", ratio(size, count), "octets an entry");
    let store = open();
    let before_kib = resident_kib();
    let started = now();
    store.opt_outs().warm_up().expect("the store reads");
    line("the filter is made", micros(started, 1_000_000), "s");
    line("resident before it", ratio(before_kib, 1024), "MiB");
    line("resident with it", ratio(resident_kib(), 1024), "MiB");
    report(&store, "who is not in the list", |step| user(count + step));
    report(&store, "who is in it", |step| user((step * 7_919) % count));
}

/// Some number, and all of them different: 11 digits that begin with 1.
fn user(index: u64) -> PhoneNumber {
    const RANGE: u64 = 8_000_000_000;
    // A unit of the ring, so no two are alike.
    let shuffled = (index * 5_234_567_891) % RANGE;
    PhoneNumber::from_digits(12_000_000_000 + shuffled).expect("eleven digits")
}

fn fill(store: &SqliteStore, count: u64) {
    let started = now();
    let mut index = 0;
    while index < count {
        let batch = BATCH.min(count - index);
        let event = |index: u64| OptOutEvent {
            id: Id::from_key(
                Id::first_key_at(START_MS) + i64::try_from(index).expect("not so many"),
                1,
            ),
            account: AccountNo(1),
            key: ListKey {
                scope: Scope::Service(ServiceSid(Id::from_u128(1))),
                channels: ChannelGroup::Text,
                user: user(index),
            },
            is_blocked: true,
            cause: OptOutCause {
                actor: Some("AC0123456789abcdef0123456789abcdef".into()),
                consent_ms: Some(START_MS),
                ..OptOutCause::of(OptOutSource::Website)
            },
        };
        let events: Vec<_> = (index..index + batch).map(event).collect();
        store.opt_outs().apply(&events).expect("the store writes");
        index += batch;
    }
    line("written", micros(started, count), "µs an entry");
}

fn report(store: &SqliteStore, name: &str, user: impl Fn(u64) -> PhoneNumber) {
    let list = store.opt_outs();
    let mut found = 0;
    let mut times: Vec<f64> = (0..LOOKUPS)
        .map(|step| {
            let user = user(step);
            let started = now();
            let scopes = list.opted_out(ChannelGroup::Text, user);
            let took = micros(started, 1);
            found += scopes.expect("the store reads").len();
            took
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    heading(name, found);
    line(
        "  a check, mean",
        times.iter().sum::<f64>() / ratio(LOOKUPS, 1),
        "µs",
    );
    line("  a check, median", times[times.len() / 2], "µs");
    line("  a check, p99", times[times.len() * 99 / 100], "µs");
}

/// With what goes with it while the store is open.
fn file_octets(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir).expect("the directory is there");
    let ours = files
        .map(|file| file.expect("the directory is read"))
        .filter(|file| file.file_name().to_string_lossy().starts_with("opt_outs"));
    ours.map(|file| file.metadata().expect("the file is there").len())
        .sum()
}

fn micros(started: Instant, count: u64) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / ratio(count, 1)
}

#[expect(clippy::print_stdout, reason = "its result is what it prints")]
fn heading(name: &str, found: usize) {
    println!("{LOOKUPS} users {name}: {found} entries");
}
