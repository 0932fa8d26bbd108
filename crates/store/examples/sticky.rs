//! What a sticky mapping costs: the figures of `docs/storage.md` and `docs/benchmarks.md`.
//!
//! ```text
//! cargo run --release -p postrider-store --example sticky -- 10000000 100000000
//! ```
//!
//! Mappings come in an order that has nothing to do with that of the table, in batches as the engine
//! writes them. A hundred million would take an hour that way, so beyond a million batches grow with
//! the table, all but the last million; that leaves pages fuller than they would be. At each of these
//! numbers they are looked up while the system has the file in memory, then when it has not. The file is
//! in the directory for temporary files (`TMPDIR`); at a hundred million it takes six gigabytes while it
//! grows.

mod figures;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use postrider_core::clock::ManualClock;
use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, ServiceSid};
use postrider_store::sqlite::{Options, SqliteStore};
use postrider_store::{StickyChange, StickyKey, StickySender, Store};

use figures::{line, now, ratio, resident_kib};

/// As the engine writes them.
const BATCH: u64 = 10_000;
/// So many are always written as the engine writes them.
const FEW: u64 = 1_000_000;
const LAST: u64 = 1_000_000;
const LOOKUPS: u64 = 20_000;
/// Of the engine's sweep.
const PAGE: usize = 1_000;
const SENDERS: u64 = 1_000;
const START_MS: i64 = 1_767_225_600_000;

fn main() {
    let counts = std::env::args().skip(1);
    let mut counts: Vec<u64> = counts
        .map(|count| count.parse().expect("numbers of mappings"))
        .collect();
    if counts.is_empty() {
        counts.push(1_000_000);
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let open = || {
        let clock = Arc::new(ManualClock::default());
        SqliteStore::open(dir.path(), clock, Options::default()).expect("the store opens")
    };
    let mut store = open();
    let mut filled = 0;
    for count in counts {
        line("mappings", ratio(count, 1), "");
        fill(&store, filled..count);
        filled = count;
        report_lookups(&store, count, "lookup, warm");
        let started = now();
        let page = store.sticky().page(Some(key(count / 2)), PAGE);
        page.expect("the store lists");
        line("a page of the sweep", micros(started, 1), "µs");
        drop(store);
        let size = file(dir.path()).metadata().expect("the file is there");
        line("on disk", ratio(size.len(), count), "octets a mapping");
        forget(dir.path());
        let started = now();
        store = open();
        let counts = store.sticky().counts().expect("the store counts");
        line("opened, cold", micros(started, 1), "µs");
        assert_eq!(counts.len() as u64, SENDERS.min(count));
        report_lookups(&store, count, "lookup, cold");
        line("resident", ratio(resident_kib(), 1), "KiB");
    }
}

/// Some number, and all of them different: eleven digits that begin with 1. In no order at all: where
/// numbers come evenly spread, all pages of the table fill up and are split at the same time.
fn recipient(index: u64) -> PhoneNumber {
    let mut mixed = u32::try_from(index).expect("four billion are enough");
    // Each step can be undone, so no two are alike.
    mixed ^= mixed >> 16;
    mixed = mixed.wrapping_mul(0x85eb_ca6b);
    mixed ^= mixed >> 13;
    mixed = mixed.wrapping_mul(0xc2b2_ae35);
    mixed ^= mixed >> 16;
    PhoneNumber::from_digits(12_000_000_000 + u64::from(mixed)).expect("eleven digits")
}

fn key(index: u64) -> StickyKey {
    StickyKey {
        service: ServiceSid(Id::from_u128(1)),
        recipient: recipient(index),
    }
}

fn fill(store: &SqliteStore, indexes: Range<u64>) {
    let last = indexes.end.saturating_sub(LAST);
    let mut index = indexes.start;
    while index < last {
        let batch = if index < FEW { BATCH } else { index / 8 };
        let end = last.min(index + batch);
        write(store, index..end);
        index = end;
    }
    let started = now();
    let count = indexes.end - index;
    while index < indexes.end {
        let end = indexes.end.min(index + BATCH);
        write(store, index..end);
        index = end;
    }
    line("written, the last", micros(started, count), "µs a mapping");
}

fn write(store: &SqliteStore, indexes: Range<u64>) {
    let change = |index: u64| StickyChange {
        key: key(index),
        sender: Some(StickySender {
            sender: SenderNo(u32::try_from(index % SENDERS).expect("few senders")),
            position: index % SENDERS,
            created_ms: START_MS,
            used_ms: START_MS,
        }),
    };
    let mut changes: Vec<_> = indexes.map(change).collect();
    changes.sort_unstable_by_key(|change| change.key);
    let written = store.sticky().write(&changes, Id::MIN);
    written.expect("the store writes");
}

fn report_lookups(store: &SqliteStore, count: u64, name: &str) {
    let mut times: Vec<f64> = (0..LOOKUPS)
        .map(|step| {
            let key = key((step * 7_919) % count);
            let started = now();
            let found = store.sticky().find(key).expect("the store reads");
            assert!(found.is_some(), "{key:?} was written");
            micros(started, 1)
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    line(name, times.iter().sum::<f64>() / ratio(LOOKUPS, 1), "µs");
    line(&format!("{name}, p99"), times[times.len() * 99 / 100], "µs");
}

fn file(dir: &Path) -> std::fs::File {
    std::fs::File::open(dir.join("sticky.db")).expect("the file opens")
}

/// Makes the system forget the file, as it does when memory is short.
fn forget(dir: &Path) {
    let file = file(dir);
    file.sync_all().expect("the file is flushed");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("the advice is taken");
}

fn micros(started: Instant, count: u64) -> f64 {
    started.elapsed().as_secs_f64() * 1e6 / ratio(count, 1)
}
