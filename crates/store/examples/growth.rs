//! How fast the embedded store takes messages as it grows: the figures of `docs/storage.md`.
//!
//! ```text
//! cargo run --release -p postrider-store --example growth -- --messages 5000000
//! ```
//!
//! Every message is inserted, sent (with one carrier's id) and delivered: three changes, in batches as
//! the engine's committer makes them. A batch inserts new messages, sends those of the batch before and
//! delivers those of the one before that, so nothing is flushed before the step it follows.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_core::clock::ManualClock;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{AccountNo, Message, SenderNo, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::sid::Id;
use postrider_core::testing;
use postrider_store::sqlite::{Options, SqliteStore};
use postrider_store::{
    Applied, Change, Cursor, MessageFilter, Store, Submitted, SubmittedKey, Update,
};
use smallvec::SmallVec;

const USAGE: &str = "growth [--messages N] [--batch N] [--every N] [--shard N] [--run N] [--page BYTES] \
    [--cache-mib N] [--log-mib N] [--ids counted|random] [--dir DIR]";

struct Arguments {
    messages: u64,
    batch: u64,
    every: u64,
    counted_ids: bool,
    dir: Option<PathBuf>,
    options: Options,
}

fn main() {
    let arguments = parse(std::env::args().skip(1)).unwrap_or_else(|problem| {
        eprintln!("{problem}\nusage: {USAGE}");
        std::process::exit(2)
    });
    let temporary = tempfile::tempdir().expect("a temporary directory");
    let dir = arguments
        .dir
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    let clock = Arc::new(ManualClock::default());
    let store = SqliteStore::open(&dir, clock, arguments.options.clone()).expect("the store opens");
    grow(&arguments, &store, &dir);
    read(&store, arguments.messages);
    let started = now();
    drop(store);
    line(&format!("clean stop        {:>9.1} ms", millis(started)));
    line(&format!("on disk at rest   {:>9.0} MB", disk_mb(&dir)));
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        messages: 1_000_000,
        batch: 2_000,
        every: 250_000,
        counted_ids: false,
        dir: None,
        options: Options::default(),
    };
    while let Some(name) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{name} wants a value"))?;
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| format!("{name} wants a number"))
        };
        match name.as_str() {
            "--messages" => arguments.messages = number()?.into(),
            "--batch" => arguments.batch = number()?.into(),
            "--every" => arguments.every = number()?.into(),
            "--shard" => arguments.options.messages_per_shard = number()?.into(),
            "--run" => arguments.options.messages_per_run = number()?.into(),
            "--page" => arguments.options.page_size = number()?,
            "--cache-mib" => arguments.options.writer_cache_kib = number()? << 10,
            "--log-mib" => arguments.options.log_limit_bytes = u64::from(number()?) << 20,
            "--ids" => arguments.counted_ids = value == "counted",
            "--dir" => arguments.dir = Some(value.into()),
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok(arguments)
}

fn grow(arguments: &Arguments, store: &SqliteStore, dir: &std::path::Path) {
    line(
        "  messages  messages/s  p50 ms  p99 ms  max ms  bytes each  CPU us each: committing, all",
    );
    let (batch, total) = (arguments.batch, arguments.messages);
    let mut began = now();
    let mut commits: Vec<f64> = Vec::new();
    let mut reported = 0;
    let mut cpu_before = [0.0; 2];
    let start = now();
    // Two batches more, for the last ones' later steps.
    for first in (0..total + 2 * batch).step_by(usize::try_from(batch).expect("small")) {
        let mut changes = Vec::new();
        for number in first..(first + batch).min(total) {
            changes.push(Change::Insert(Box::new(message(number))));
        }
        for number in steps(first, batch, 1, total) {
            changes.push(Change::Update(sent(number, arguments.counted_ids)));
        }
        for number in steps(first, batch, 2, total) {
            changes.push(Change::Update(update(number, Status::Delivered)));
        }
        let commit = now();
        let answers = store.commit(&changes).expect("the store commits");
        commits.push(millis(commit));
        assert!(answers.iter().all(|&answer| answer == Applied::Yes));
        let done = (first + batch).min(total);
        if done / arguments.every > reported {
            let rate = (done - reported * arguments.every).to_f64() / began.elapsed().as_secs_f64();
            reported = done / arguments.every;
            commits.sort_by(f64::total_cmp);
            let at = |part: usize| commits[(commits.len() - 1) * part / 100];
            let cpu = [cpu_seconds("thread-self"), cpu_seconds("self")];
            let each = |at: usize| (cpu[at] - cpu_before[at]) * 1e6 / arguments.every.to_f64();
            line(&format!(
                "{done:>10} {rate:>11.0} {:>7.1} {:>7.1} {:>7.1} {:>11.0} {:>24.1} {:>4.1}",
                at(50),
                at(99),
                at(100),
                disk_mb(dir) * 1e6 / done.to_f64(),
                each(0),
                each(1),
            ));
            cpu_before = cpu;
            commits.clear();
            began = now();
        }
    }
    line(&format!(
        "mean              {:>9.0} messages/s, CPU {:.1} s per 100,000",
        total.to_f64() / start.elapsed().as_secs_f64(),
        cpu_seconds("self") / total.to_f64() * 1e5
    ));
}

/// The messages whose step falls in this batch: those inserted `ago` batches before.
fn steps(first: u64, batch: u64, ago: u64, total: u64) -> std::ops::Range<u64> {
    match first.checked_sub(ago * batch) {
        Some(from) => from.min(total)..(from + batch).min(total),
        None => 0..0,
    }
}

/// What the API asks of a store that is full.
fn read(store: &SqliteStore, total: u64) {
    line("read                         p50 µs     p99 µs");
    let account = |number: u64| Some(AccountNo(u32::try_from(number % 10).expect("small")));
    let all = MessageFilter::default();
    let any = |n: u64| mix(n) % total;
    measure("by SID", |n| {
        assert!(store.message(id(any(n))).expect("a read").is_some());
    });
    measure("by a carrier's id", |n| {
        let key = submitted_key(any(n), false);
        std::hint::black_box(store.find_submitted(&key, None, 0).expect("a read"));
    });
    measure("newest 50 of an account", |n| {
        let filter = MessageFilter {
            account: account(n),
            ..all.clone()
        };
        let page = store.list(&filter, Cursor::Start, 50).expect("a read");
        assert_eq!(page.len(), 50);
    });
    measure("50 from anywhere on", |n| {
        let filter = MessageFilter {
            account: account(n),
            ..all.clone()
        };
        let cursor = Cursor::After(id(any(n)));
        std::hint::black_box(store.list(&filter, cursor, 50).expect("a read"));
    });
    measure("to a recipient", |n| {
        let message = message(any(n));
        let filter = MessageFilter {
            account: Some(message.account),
            to: Some(message.to),
            ..all.clone()
        };
        assert!(
            !store
                .list(&filter, Cursor::Start, 50)
                .expect("a read")
                .is_empty()
        );
    });
    measure("50 from a sender", |n| {
        let message = message(any(n));
        let filter = MessageFilter {
            account: Some(message.account),
            from: message.from,
            ..all.clone()
        };
        assert!(
            !store
                .list(&filter, Cursor::Start, 50)
                .expect("a read")
                .is_empty()
        );
    });
    measure("50 sent in a second", |n| {
        let at_ms = created_ms(any(n));
        let filter = MessageFilter {
            account: account(n),
            sent_from_ms: Some(at_ms),
            sent_before_ms: Some(at_ms + 1_000),
            ..all.clone()
        };
        std::hint::black_box(store.list(&filter, Cursor::Start, 50).expect("a read"));
    });
    measure("callbacks due (none)", |_| {
        assert!(store.callbacks_due(None, 10).expect("a read").is_empty());
    });
}

fn measure(what: &str, work: impl Fn(u64)) {
    for n in 0..100 {
        work(n);
    }
    let mut times: Vec<f64> = (0..2_000)
        .map(|n| {
            let started = now();
            work(n + 1_000);
            millis(started) * 1_000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    line(&format!(
        "{what:<24} {:>10.0} {:>10.0}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    ));
}

const START_MS: i64 = 1_795_000_000_000;

/// Thirty messages a millisecond.
fn created_ms(number: u64) -> i64 {
    START_MS + (number / 30).cast_signed()
}

fn id(number: u64) -> Id {
    let sequence = u32::try_from(number % 30).expect("small");
    Id::new(created_ms(number), sequence, mix(number))
}

/// Ten accounts, a hundred senders each, random recipients, a body of 150 characters.
fn message(number: u64) -> Message {
    let pick = mix(number ^ 0xABCD);
    let account = u32::try_from(number % 10).expect("small");
    let sender = u32::try_from(pick % 100).expect("small");
    Message {
        account: AccountNo(account),
        from: Some(format!("+1415555{account}{sender:03}").into()),
        sender: Some(SenderNo(account * 100 + sender)),
        to: format!("+1{:010}", 2_000_000_000 + pick / 128 % 8_000_000_000).into(),
        body: BODY.into(),
        decision: Some(Box::from(&[7_u8; 40][..])),
        ..testing::message(id(number))
    }
}

const BODY: &str = "Dear customer, your order 48213 has left our house and should be with you \
    tomorrow between 9 and 12. Reply STOP to hear no more of it. Your little shop.";

fn update(number: u64, status: Status) -> Update {
    let at_ms = created_ms(number) + 500;
    let is_sent = status == Status::Sent;
    Update {
        id: id(number),
        status,
        at_ms,
        error: None,
        sent_ms: is_sent.then_some(at_ms),
        carrier: Some("acme".into()),
        attempts: 1,
        is_possible_duplicate: false,
        segments: Segments::from_bytes(if is_sent { &[1] } else { &[2] }),
        done_date: (!is_sent).then(|| "2611240930".into()),
        callbacks_due: StatusSet::EMPTY,
        submitted: SmallVec::new(),
        concealment: Concealment::default(),
    }
}

fn sent(number: u64, counted_ids: bool) -> Update {
    let mut update = update(number, Status::Sent);
    update.submitted.push(Submitted {
        key: submitted_key(number, counted_ids),
        segment: 0,
    });
    update
}

fn submitted_key(number: u64, is_counted: bool) -> SubmittedKey {
    let carrier_id = if is_counted {
        format!("{:08x}", 0x00A0_0000 + number)
    } else {
        format!("{:016x}", mix(number ^ 0x55))
    };
    SubmittedKey {
        group: "acme".into(),
        carrier_id: carrier_id.into(),
    }
}

/// SplitMix64: the same numbers in every run.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

trait ToF64 {
    fn to_f64(self) -> f64;
}

impl ToF64 for u64 {
    #[expect(clippy::cast_precision_loss, reason = "figures for reading")]
    fn to_f64(self) -> f64 {
        self as f64
    }
}

fn disk_mb(dir: &std::path::Path) -> f64 {
    let mut bytes = 0;
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir)
            .expect("the directory is there")
            .flatten()
        {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => dirs.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes.to_f64() / 1e6
}

/// User and system time of this process, or of this thread, from the kernel's count in hundredths of a second.
fn cpu_seconds(whose: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{whose}/stat")).unwrap_or_default();
    let ticks: u64 = stat
        .rsplit(')')
        .next()
        .into_iter()
        .flat_map(|rest| rest.split_whitespace().skip(11).take(2))
        .filter_map(|word| word.parse::<u64>().ok())
        .sum();
    ticks.to_f64() / 100.0
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn millis(since: Instant) -> f64 {
    let elapsed: Duration = since.elapsed();
    elapsed.as_secs_f64() * 1e3
}

#[expect(clippy::print_stdout, reason = "its result is what it prints")]
fn line(text: &str) {
    println!("{text}");
}
