//! Knowing a create request again by its key.

use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable};
use postrider_core::message::{AccountNo, Status};
use postrider_core::sid::{MessageKind, MessageSid};

use super::sample::{created_ms, id, message, message_with, scheduled};
use super::{Backend, Case, apply, ok};
use crate::contract::Applied::{Stale, Yes};
use crate::contract::{Change, Remembered, Store};

pub(super) const CASES: &[Case] = &[
    ("a key finds the message it made", a_key_finds_its_message),
    ("a key is its account's own", a_key_is_its_accounts_own),
    (
        "a key used again later means the newest message",
        a_key_used_again_means_the_newest,
    ),
    (
        "a key is remembered when its message has changed or gone",
        a_key_outlives_its_message,
    ),
    ("a key survives reopening", a_key_survives_reopening),
];

/// Request `number` of account 1.
pub(crate) fn remembered(number: u32, key: u8) -> Remembered {
    Remembered {
        account: AccountNo(1),
        request: Repeatable {
            key: KeyHash([key; 16]),
            fingerprint: Fingerprint([number.to_be_bytes()[3]; 16]),
        },
        message: MessageSid {
            id: id(number),
            kind: MessageKind::Sms,
        },
    }
}

/// Inserts the message and remembers its request, in one commit.
fn insert_once(store: &dyn Store, remembered: Remembered) {
    let number =
        super::sample::number(&message_with(0, |message| message.sid = remembered.message));
    let inserted = message_with(number, |message| {
        message.sid = remembered.message;
        message.account = remembered.account;
    });
    let changes = [
        Change::Insert(Box::new(inserted)),
        Change::Remember(remembered),
    ];
    assert_eq!(ok(store.commit(&changes)), [Yes, Yes]);
}

fn find(store: &dyn Store, key: u8, since_ms: i64) -> Option<Remembered> {
    ok(store.remembered(AccountNo(1), KeyHash([key; 16]), since_ms))
}

fn a_key_finds_its_message(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(find(&*store, 1, 0), None);
    for number in 0..30 {
        let mut request = remembered(number, u8::try_from(number).expect("few"));
        if number % 2 == 0 {
            request.message.kind = MessageKind::Mms;
        }
        insert_once(&*store, request);
        assert_eq!(apply(&*store, Change::Remember(request)), Stale);
    }
    for number in 0..30 {
        let found = find(&*store, u8::try_from(number).expect("few"), 0).expect("it is there");
        assert_eq!(found.message.id, id(number));
        assert_eq!(found.message.kind == MessageKind::Mms, number % 2 == 0);
        assert_eq!(
            found.request,
            remembered(number, found.request.key.0[0]).request
        );
    }
    assert_eq!(find(&*store, 99, 0), None);
}

fn a_key_is_its_accounts_own(backend: &dyn Backend) {
    let store = backend.open();
    insert_once(&*store, remembered(1, 7));
    let other = Remembered {
        account: AccountNo(2),
        ..remembered(2, 7)
    };
    insert_once(&*store, other);
    assert_eq!(find(&*store, 7, 0), Some(remembered(1, 7)));
    let key = KeyHash([7; 16]);
    assert_eq!(ok(store.remembered(AccountNo(2), key, 0)), Some(other));
    assert_eq!(ok(store.remembered(AccountNo(3), key, 0)), None);
}

fn a_key_used_again_means_the_newest(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        if number % 10 == 4 {
            insert_once(&*store, remembered(number, 7));
        } else {
            super::insert(&*store, &[message(number)]);
        }
    }
    for (since_ms, expected) in [
        (i64::MIN, Some(24)),
        (created_ms(24_u32), Some(24)),
        (created_ms(24_u32) + 1, None),
        (i64::MAX, None),
    ] {
        let found = find(&*store, 7, since_ms);
        assert_eq!(
            found.map(|found| found.message.id),
            expected.map(id),
            "{since_ms}"
        );
    }
}

fn a_key_outlives_its_message(backend: &dyn Backend) {
    let store = backend.open();
    let changes = [
        Change::Insert(Box::new(scheduled(1, 5))),
        Change::Remember(remembered(1, 7)),
    ];
    assert_eq!(ok(store.commit(&changes)), [Yes, Yes]);
    let released = message_with(1, |message| message.status = Status::Delivered);
    for change in [
        Change::Release(Box::new(released)),
        Change::Redact {
            id: id(1),
            at_ms: 9,
        },
        Change::Delete { id: id(1) },
    ] {
        assert_eq!(apply(&*store, change), Yes);
        assert_eq!(find(&*store, 7, 0), Some(remembered(1, 7)));
    }
}

fn a_key_survives_reopening(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        insert_once(&*store, remembered(number, 7));
    }
    drop(store);
    assert_eq!(find(&*backend.open(), 7, 0), Some(remembered(29, 7)));
}
