//! What the contract means, as tests that every store passes.
//!
//! [`all`] runs every case on a fresh backend. A case speaks the contract only: it never asks what is
//! behind it, and it allows whatever the contract leaves open (how much [`forget_before`] may keep).
//!
//! [`forget_before`]: crate::contract::Store::forget_before

mod alerts;
mod answers;
mod finding;
mod keeping;
mod listing;
mod opt_outs;
pub(crate) mod remembering;
pub mod sample;
mod sticky;
mod waiting;
mod writing;

use postrider_core::message::Message;

use crate::contract::{Applied, Change, Result, Store};

/// A place for a store that outlives it: a directory, a disk in memory, a database.
pub trait Backend {
    /// Opens what is there; the store opened before is dropped by then.
    fn open(&self) -> Box<dyn Store>;
}

impl Backend for crate::memory::MemoryDisk {
    fn open(&self) -> Box<dyn Store> {
        Box::new(Self::open(self))
    }
}

/// A name that reads as a claim, and its proof.
type Case = (&'static str, fn(&dyn Backend));

/// Runs every case, each on a backend of its own.
///
/// For a backend that keeps messages in several files or partitions, make them small (a handful of
/// messages), so that the cases cross their borders.
#[expect(clippy::print_stdout, reason = "tells which case failed")]
pub fn all(fresh: impl Fn() -> Box<dyn Backend>) {
    let groups: [&[Case]; 10] = [
        writing::CASES,
        keeping::CASES,
        finding::CASES,
        remembering::CASES,
        answers::CASES,
        listing::CASES,
        waiting::CASES,
        sticky::CASES,
        alerts::CASES,
        opt_outs::CASES,
    ];
    for (name, case) in groups.into_iter().flatten() {
        // Shown only when a case fails.
        println!("conformance: {name}");
        case(&*fresh());
    }
}

fn ok<T>(answer: Result<T>) -> T {
    answer.expect("a store without faults answers")
}

/// Commits one change.
fn apply(store: &dyn Store, change: Change) -> Applied {
    let answers = ok(store.commit(&[change]));
    assert_eq!(answers.len(), 1);
    answers[0]
}

/// Commits messages one by one, so that a store with small files has several.
fn insert(store: &dyn Store, messages: &[Message]) {
    for message in messages {
        let change = Change::Insert(Box::new(message.clone()));
        assert_eq!(apply(store, change), Applied::Yes);
    }
}

/// The numbers ([`sample::number`]) of messages, for comparing.
fn numbers(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(sample::number).collect()
}
