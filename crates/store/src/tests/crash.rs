//! The crash test: a process that commits without pause is killed, again and again, and everything it
//! was told is durable is there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use postrider_core::idempotency::KeyHash;
use postrider_core::message::Status;
use smallvec::smallvec;
use tempfile::TempDir;

use super::{open, tiny};
use crate::conformance::remembering::remembered;
use crate::conformance::sample::{id, key, message, number, sent_as, update};
use crate::contract::{Change, Cursor, MessageFilter, ParkedReceipt, Remembered, Store};
use crate::sqlite::Options;

const DIRECTORY: &str = "POSTRIDER_CRASH_TEST_DIRECTORY";
const BATCH: u32 = 25;

fn options() -> Options {
    Options {
        messages_per_shard: 60,
        messages_per_run: 20,
        ..tiny()
    }
}

/// Batch `n` inserts its messages, sends those of the batch before, delivers those before, and parks a
/// receipt. Every batch so meets several shards.
fn batch(n: u32) -> Vec<Change> {
    let of = |n: u32| n * BATCH..(n + 1) * BATCH;
    let inserted = of(n).flat_map(|number| {
        [
            Change::Insert(Box::new(message(number))),
            Change::Remember(asked(number)),
        ]
    });
    let mut changes: Vec<Change> = inserted.collect();
    if let Some(before) = n.checked_sub(1) {
        changes.extend(
            of(before).map(|number| Change::Update(sent_as(number, &[&number.to_string()]))),
        );
    }
    if let Some(before) = n.checked_sub(2) {
        changes.extend(of(before).map(|number| Change::Update(update(number, Status::Delivered))));
    }
    changes.push(Change::Park(ParkedReceipt {
        parked: n.into(),
        received_ms: 0,
        group: "acme".into(),
        candidates: smallvec![],
        handset: None,
        is_delivered: true,
        error: None,
        done_date: None,
    }));
    changes
}

/// The request that made a message, with a key of its own.
fn asked(number: u32) -> Remembered {
    let mut asked = remembered(number, 0);
    asked.request.key = KeyHash(u128::from(number).to_be_bytes());
    asked
}

/// Not a test by itself: what the killed process runs.
#[test]
#[ignore = "runs as a child of the test below"]
fn child() {
    let Some(dir) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = open(Path::new(&dir), &options()).unwrap();
    // A batch that was killed halfway may be there in part; it comes again, whole.
    let parked = store.parked().unwrap().len();
    for n in u32::try_from(parked).unwrap().. {
        store.commit(&batch(n)).unwrap();
        println!("acknowledged {n}");
    }
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::crash::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets the child commit `batches`, kills it, and returns the last batch that it was acknowledged.
fn run_and_kill(dir: &Path, batches: usize) -> u32 {
    let mut child = spawn(dir);
    let mut acknowledged = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.split_once("acknowledged ")?.1.parse().ok());
    let mut last = acknowledged.by_ref().take(batches).last().unwrap();
    // SIGKILL, wherever it is; what it had still said counts too.
    child.kill().unwrap();
    last = acknowledged.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

fn check(store: &dyn Store, acknowledged: u32) {
    for n in 0..=acknowledged {
        let age = acknowledged - n;
        for number in n * BATCH..(n + 1) * BATCH {
            let message = store.message(id(number)).unwrap();
            let message = message.unwrap_or_else(|| panic!("message {number} is lost"));
            let least = match age {
                0 => Status::Queued,
                1 => Status::Sent,
                _ => Status::Delivered,
            };
            assert!(
                message.status.rank() >= least.rank(),
                "message {number} fell back"
            );
            // A change is whole: whoever is sent has its carrier's id.
            let sent = message.status.rank() >= Status::Sent.rank();
            let found = store.find_submitted(&key("acme", &number.to_string()), None, 0);
            assert_eq!(found.unwrap().is_some(), sent, "message {number}");
        }
    }
    // Also of what was not acknowledged: a message and its request are there together or not at all.
    for number in 0..(acknowledged + 2) * BATCH {
        let asked = asked(number);
        let found = store.remembered(asked.account, asked.request.key, 0);
        let is_there = store.message(id(number)).unwrap().is_some();
        assert_eq!(
            found.unwrap(),
            is_there.then_some(asked),
            "message {number}"
        );
    }
    assert!(store.parked().unwrap().len() > acknowledged as usize);
    let all = store
        .list(&MessageFilter::default(), Cursor::Start, usize::MAX)
        .unwrap();
    let numbers: Vec<u32> = all.iter().map(number).collect();
    assert!(numbers.is_sorted_by(|newer, older| newer > older));
}

#[test]
fn whatever_was_acknowledged_survives_sigkill() {
    let dir = TempDir::new().unwrap();
    for batches in [3, 11, 1, 17, 6, 2, 13] {
        let acknowledged = run_and_kill(dir.path(), batches);
        let store = open(dir.path(), &options()).unwrap();
        check(&store, acknowledged);
    }
}
