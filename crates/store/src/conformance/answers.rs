//! Answering a create request again.

use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable};
use postrider_core::message::AccountNo;
use postrider_core::settings::Document;
use postrider_core::sid::{AccountSid, Id};
use postrider_core::testing;

use super::{Backend, Case, ok};
use crate::answers::GivenAnswer;
use crate::contract::{DocumentChange, Store};

pub(super) const CASES: &[Case] = &[
    (
        "an answer is kept with the documents of its request",
        an_answer_is_kept_with_documents,
    ),
    (
        "an answer is its account's and its key's own",
        an_answer_is_its_accounts_own,
    ),
    (
        "a key used again later means the newest answer, and is one more",
        a_key_used_again_means_the_newest,
    ),
    (
        "the oldest answers are forgotten first, a limited number at once",
        the_oldest_are_forgotten_first,
    ),
];

fn answer(account: u32, key: u8, at_ms: i64) -> GivenAnswer {
    GivenAnswer {
        account: AccountNo(account),
        request: Repeatable {
            key: KeyHash([key; 16]),
            fingerprint: Fingerprint([key + 1; 16]),
        },
        status: 201,
        body_sealed: format!("{account} {key} {at_ms}"),
        at_ms,
    }
}

fn give(store: &dyn Store, account: u32, key: u8, at_ms: i64) {
    ok(store.commit_documents(&[], Some(&answer(account, key, at_ms))));
}

fn find(store: &dyn Store, account: u32, key: u8, since_ms: i64) -> Option<GivenAnswer> {
    let key = KeyHash([key; 16]);
    ok(store.answers().find(AccountNo(account), key, since_ms))
}

fn counts(store: &dyn Store) -> Vec<(u32, u64)> {
    let counts = ok(store.answers().counts()).into_iter();
    counts.map(|(account, count)| (account.0, count)).collect()
}

fn an_answer_is_kept_with_documents(backend: &dyn Backend) {
    let store = backend.open();
    let document = Document::Account(testing::account(AccountSid(Id::from_u128(1)), AccountNo(1)));
    let put = [DocumentChange::Put(document.clone())];
    assert_eq!(find(&*store, 1, 1, 0), None);
    ok(store.commit_documents(&put, Some(&answer(1, 1, 5))));
    assert_eq!(find(&*store, 1, 1, 0), Some(answer(1, 1, 5)));
    drop(store);
    let store = backend.open();
    assert_eq!(find(&*store, 1, 1, 0), Some(answer(1, 1, 5)));
    // It is no document.
    assert_eq!(ok(store.documents()), [document]);
}

fn an_answer_is_its_accounts_own(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(counts(&*store), []);
    for (account, key) in [(2, 7), (1, 7), (1, 8)] {
        give(&*store, account, key, 5);
    }
    for (account, key, is_there) in [(1, 7, true), (1, 8, true), (2, 7, true), (2, 8, false)] {
        let expected = is_there.then(|| answer(account, key, 5));
        assert_eq!(find(&*store, account, key, 0), expected);
    }
    assert_eq!(counts(&*store), [(1, 2), (2, 1)]);
}

fn a_key_used_again_means_the_newest(backend: &dyn Backend) {
    let store = backend.open();
    for at_ms in [10, 30, 20] {
        give(&*store, 1, 7, at_ms);
    }
    for (since_ms, expected) in [
        (i64::MIN, Some(30)),
        (30, Some(30)),
        (31, None),
        (i64::MAX, None),
    ] {
        let found = find(&*store, 1, 7, since_ms);
        assert_eq!(found.map(|found| found.at_ms), expected, "{since_ms}");
    }
    assert_eq!(counts(&*store), [(1, 3)]);
    // Also in one millisecond.
    give(&*store, 1, 7, 30);
    assert_eq!(counts(&*store), [(1, 4)]);
}

fn the_oldest_are_forgotten_first(backend: &dyn Backend) {
    let store = backend.open();
    // Columns: account, time.
    for (account, at_ms) in [(1, 40), (2, 10), (1, 30), (1, 20)] {
        give(&*store, account, 7, at_ms);
    }
    let forget = |store: &dyn Store, before_ms, limit| {
        let mut gone = ok(store.answers().forget(before_ms, limit));
        gone.sort_unstable();
        gone.iter().map(|account| account.0).collect::<Vec<_>>()
    };
    assert!(forget(&*store, 10, 9).is_empty());
    assert_eq!(forget(&*store, 40, 2), [1, 2]);
    assert_eq!(counts(&*store), [(1, 2)]);
    assert_eq!(find(&*store, 2, 7, 0), None);
    assert_eq!(forget(&*store, 40, 2), [1]);
    assert!(forget(&*store, 40, 2).is_empty());
    drop(store);
    let store = backend.open();
    assert_eq!(find(&*store, 1, 7, 0), Some(answer(1, 7, 40)));
    assert_eq!(counts(&*store), [(1, 1)]);
}
