//! What is kept: parked receipts, documents, and everything across a reopening.

use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{AccountNo, Message, SenderNo, Status};
use postrider_core::sender::{SenderAddress, ShortCode};
use postrider_core::settings::{Account, Document, Sender};
use postrider_core::sid::{AccountSid, Id};
use postrider_core::testing;
use postrider_core::text::{Encoding, Utf16Text};
use smallvec::smallvec;

use super::sample::{self, id, message, sent_as, update};
use super::{Backend, Case, apply, insert, ok};
use crate::contract::Applied::{Missing, Stale, Yes};
use crate::contract::{
    Applied, Change, Cursor, DocumentChange, MessageFilter, ParkedReceipt, RAW_OCTETS_MAX,
    RawReason, RawReceipt, Store,
};
use crate::parts::{KeptPart, Part, PartOf};

pub(super) const CASES: &[Case] = &[
    (
        "parked receipts come back in order until unparked",
        parked_receipts,
    ),
    ("segments come back until they are forgotten", parts),
    (
        "raw receipts give way to age and to newer ones",
        raw_receipts,
    ),
    (
        "raw receipts that have a number in them are forgotten",
        raw_receipts_of_a_number,
    ),
    (
        "everything acknowledged survives reopening",
        everything_survives_reopening,
    ),
    (
        "documents are put, replaced and deleted together",
        documents,
    ),
    ("an empty commit is nothing", an_empty_commit),
];

fn receipt(parked: u64) -> ParkedReceipt {
    ParkedReceipt {
        parked,
        received_ms: 5,
        group: "acme".into(),
        candidates: smallvec!["00ff".into(), "255".into()],
        handset: Some(447_700_900_123),
        is_delivered: false,
        error: Some(ErrorCode::ALL[0]),
        done_date: Some("2611240930".into()),
    }
}

fn parked_receipts(backend: &dyn Backend) {
    let store = backend.open();
    let bare = ParkedReceipt {
        candidates: smallvec![],
        handset: None,
        is_delivered: true,
        error: None,
        done_date: None,
        ..receipt(2)
    };
    let answers = ok(store.commit(&[
        Change::Park(receipt(u64::MAX)),
        Change::Park(bare.clone()),
        Change::Insert(Box::new(message(1))),
        Change::Park(receipt(1)),
        Change::Park(receipt(2)),
        Change::Unpark { parked: 9 },
    ]));
    assert_eq!(answers, [Yes, Yes, Yes, Yes, Stale, Missing]);
    assert_eq!(ok(store.parked()), [receipt(1), bare, receipt(u64::MAX)]);
    assert_eq!(apply(&*store, Change::Unpark { parked: 2 }), Yes);
    assert_eq!(apply(&*store, Change::Unpark { parked: 2 }), Missing);
    drop(store);
    let parked = ok(backend.open().parked());
    assert_eq!(parked, [receipt(1), receipt(u64::MAX)]);
}

fn parts(backend: &dyn Backend) {
    let part = |message, sequence| Part {
        message: id(message),
        of: PartOf {
            carrier: "acme".into(),
            from: "+447700900123".into(),
            to: "55501".into(),
            reference: u16::MAX,
            is_16_bit: true,
            total: 255,
        },
        sequence,
        received_ms: 5,
        encoding: Encoding::Ucs2,
        // Half a character.
        text: Utf16Text::from_iter([0x0041, 0xD83D]),
    };
    let other = Part {
        of: PartOf {
            is_16_bit: false,
            total: 2,
            ..part(1, 1).of
        },
        encoding: Encoding::Gsm7,
        text: Utf16Text::default(),
        ..part(2, 1)
    };
    let keep = |part: &Part| Change::KeepPart(Box::new(part.clone()));
    let kept = |part: Part, is_joined| KeptPart { part, is_joined };
    let store = backend.open();
    let changed = Part {
        received_ms: 6,
        ..part(1, 255)
    };
    let answers = ok(store.commit(&[
        keep(&other),
        Change::Insert(Box::new(message(3))),
        keep(&part(1, 255)),
        keep(&part(1, 1)),
        keep(&changed),
        Change::JoinParts { message: id(1) },
        Change::JoinParts { message: id(9) },
        Change::ForgetParts { message: id(9) },
    ]));
    assert_eq!(answers, [Yes, Yes, Yes, Yes, Stale, Yes, Missing, Missing]);
    drop(store);
    let store = backend.open();
    let both = [
        kept(part(1, 1), true),
        kept(part(1, 255), true),
        kept(other.clone(), false),
    ];
    assert_eq!(ok(store.parts()), both);
    assert_eq!(apply(&*store, Change::ForgetParts { message: id(1) }), Yes);
    assert_eq!(ok(store.parts()), [kept(other, false)]);
}

fn raw_receipts(backend: &dyn Backend) {
    const DAY_MS: Millis = 86_400_000;
    let raw = |day: i64, octets: usize| RawReceipt {
        received_ms: day * DAY_MS,
        carrier: "acme".into(),
        why: RawReason::NoId,
        octets: vec![7; octets].into(),
    };
    let keep = |store: &dyn Store, day, octets| {
        assert_eq!(
            apply(store, Change::KeepRaw(raw(day, octets))),
            Applied::Yes
        );
    };
    let days = |store: &dyn Store| -> Vec<i64> {
        let kept = ok(store.raw_receipts(0, 99));
        kept.iter().map(|raw| raw.received_ms / DAY_MS).collect()
    };
    let store = backend.open();
    for day in [1, 2, 2, 8] {
        keep(&*store, day, 3);
    }
    assert_eq!(days(&*store), [1, 2, 2, 8], "seven days are kept");
    keep(&*store, 9, 3);
    assert_eq!(days(&*store), [2, 2, 8, 9]);
    assert_eq!(
        ok(store.raw_receipts(8 * DAY_MS, 99)),
        [raw(8, 3), raw(9, 3)]
    );
    assert_eq!(ok(store.raw_receipts(0, 1)), [raw(9, 3)], "the newest");
    drop(store);

    let store = backend.open();
    let most = usize::try_from(RAW_OCTETS_MAX).expect("a size");
    keep(&*store, 9, most - 6);
    assert_eq!(days(&*store), [8, 9, 9], "what was there before counts");
    keep(&*store, 9, 7);
    assert_eq!(days(&*store), [9]);
}

fn raw_receipts_of_a_number(backend: &dyn Backend) {
    let keep = |store: &dyn Store, octets: &[u8]| {
        let raw = RawReceipt {
            received_ms: 5,
            carrier: "acme".into(),
            why: RawReason::Unmatched,
            octets: octets.into(),
        };
        assert_eq!(apply(store, Change::KeepRaw(raw)), Applied::Yes);
    };
    let store = backend.open();
    let all: [&[u8]; 5] = [
        b"447700900123",
        b"\x00447700900123\0id:7",
        b"44770090012",
        b"",
        b"x",
    ];
    for octets in all {
        keep(&*store, octets);
    }
    let forget = |containing: &[u8], limit| {
        let (mut count, mut after) = (0, None);
        loop {
            let step = ok(store.forget_raw_receipts(containing, after, limit));
            count += step.count;
            after = step.next;
            if after.is_none() {
                return count;
            }
        }
    };
    assert_eq!(forget(b"", 9), 0, "nothing is in everything");
    assert_eq!(forget(b"447700900123", 1), 2);
    assert_eq!(forget(b"447700900123", 2), 0);
    let kept = ok(store.raw_receipts(0, 9));
    let kept: Vec<&[u8]> = kept.iter().map(|raw| &*raw.octets).collect();
    assert_eq!(kept, all[2..]);
}

fn everything_survives_reopening(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(ok(store.last_id()), None);
    let messages: Vec<Message> = (0..40).map(message).collect();
    insert(&*store, &messages);
    // One commit that meets old and new messages.
    let changes: Vec<Change> = (0..40)
        .map(|number| Change::Update(sent_as(number, &[&format!("id{number}")])))
        .chain((40..60).map(|number| Change::Insert(Box::new(message(number)))))
        .collect();
    assert!(
        ok(store.commit(&changes))
            .iter()
            .all(|&a| a == Applied::Yes)
    );
    let before = ok(store.list(&MessageFilter::default(), Cursor::Start, 100));
    assert_eq!(before.len(), 60);
    drop(store);

    let store = backend.open();
    assert_eq!(ok(store.last_id()), Some(id(59)));
    let now = ok(store.list(&MessageFilter::default(), Cursor::Start, 100));
    assert_eq!(now, before);
    assert_eq!(ok(store.queued(SenderNo(1), None, 100)).len(), 20);
    let found = ok(store.find_submitted(&sample::key("acme", "id7"), None, 0));
    assert_eq!(found.map(|(message, _)| message.sid.id), Some(id(7)));
    // And it goes on where it stopped.
    insert(&*store, &[message(60)]);
    assert_eq!(ok(store.last_id()), Some(id(60)));
    assert_eq!(
        apply(&*store, Change::Update(update(3, Status::Delivered))),
        Applied::Yes
    );
}

fn account(no: u32, name: &str) -> Document {
    let sid = AccountSid(Id::from_u128(u128::from(no)));
    Document::Account(Account {
        friendly_name: name.to_owned(),
        ..testing::account(sid, AccountNo(no))
    })
}

fn sender(no: u32) -> Document {
    let code = ShortCode::parse("12345").expect("a short code");
    Document::Sender(Sender {
        no: SenderNo(no),
        account: AccountSid(Id::from_u128(1)),
        address: SenderAddress::ShortCode(code),
        country: Country::parse("US"),
    })
}

fn documents(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(ok(store.documents()), []);
    let put = DocumentChange::Put;
    let changes = [put(sender(1)), put(account(2, "b")), put(account(1, "a"))];
    ok(store.commit_documents(&changes, None));
    // By kind, then key.
    let all = ok(store.documents());
    assert_eq!(all, [account(1, "a"), account(2, "b"), sender(1)]);
    let delete = |document: Document| DocumentChange::Delete(document.key());
    let changes = [
        put(account(1, "renamed")),
        delete(account(2, "b")),
        delete(sender(9)),
        put(sender(2)),
        delete(sender(2)),
    ];
    ok(store.commit_documents(&changes, None));
    ok(store.commit_documents(&[], None));
    drop(store);
    let all = ok(backend.open().documents());
    assert_eq!(all, [account(1, "renamed"), sender(1)]);
}

fn an_empty_commit(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(ok(store.commit(&[])), []);
    ok(store.room());
}
