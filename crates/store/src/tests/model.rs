//! The model test: the same random changes on the SQLite store and on the model give the same answers
//! and the same reads, across shard borders and reopenings.

use postrider_core::idempotency::KeyHash;
use postrider_core::message::{
    AccountNo, Feedback, FeedbackOutcome, Message, SenderNo, Status, StatusSet,
};
use postrider_core::privacy::Concealment;
use postrider_core::text::{Encoding, Utf16Text};
use proptest::prelude::*;
use smallvec::smallvec;

use super::Directory;
use crate::conformance::Backend;
use crate::conformance::remembering::remembered;
use crate::conformance::sample::{self, created_ms, id, key, message_with, number, update};
use crate::contract::{
    Change, Cursor, MessageFilter, ParkedReceipt, RawReason, RawReceipt, Remembered, Store,
    Submitted, Update,
};
use crate::memory::MemoryDisk;
use crate::parts::{Part, PartOf};

const MESSAGES: u32 = 40;

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Change>),
    Reopen,
}

fn any_status() -> impl Strategy<Value = Status> {
    prop::sample::select(&Status::ALL[..])
}

fn any_set() -> impl Strategy<Value = StatusSet> {
    // Mostly small, often empty: as in life.
    prop_oneof![2 => Just(StatusSet::EMPTY), 1 => any_status().prop_map(StatusSet::of)]
}

fn any_message() -> impl Strategy<Value = Message> {
    let numbers = (0..MESSAGES, 0_u32..2, prop::option::of(0_u32..3), 0_u16..4);
    let addresses = (
        prop::sample::select(&["+447700900001", "+447700900002", "ACME"][..]),
        prop::option::of(prop::sample::select(&["+14155550100", "12345"][..])),
    );
    let times = (
        prop::option::of(0_i64..50_000),
        prop::option::of(0_i64..50_000),
        0_i64..50_000,
    );
    (
        numbers,
        addresses,
        times,
        any_status(),
        any_set(),
        any::<bool>(),
    )
        .prop_map(
            |((number, account, sender, segments), (to, from), times, status, due, is_backlog)| {
                let (sent, send_at, deadline) = times;
                message_with(number, |message| {
                    message.account = AccountNo(account);
                    message.sender = sender.map(SenderNo);
                    message.num_segments = segments;
                    message.to = to.into();
                    message.from = from.map(Into::into);
                    message.sent_ms = sent.map(|ms| message.created_ms() + ms);
                    message.send_at_ms = send_at.map(|ms| sample::START_MS + ms);
                    message.deadline_ms = sample::START_MS + deadline;
                    message.status = status;
                    message.callbacks_due = due;
                    message.is_backlog = is_backlog;
                })
            },
        )
}

fn any_concealment() -> impl Strategy<Value = Concealment> {
    let to = prop_oneof![Just("+4477009001XX".to_owned()), Just("ACME".to_owned())];
    (any::<bool>(), prop::option::weighted(0.2, to)).prop_map(|(body, to)| Concealment {
        body,
        to: to.map(Into::into),
    })
}

fn any_update() -> impl Strategy<Value = Update> {
    let submitted = prop::collection::vec((0_u32..6, 0_u16..3), 0..3);
    (
        0..MESSAGES,
        any_status(),
        any_set(),
        submitted,
        any_concealment(),
    )
        .prop_map(
            |(number, status, callbacks_due, submitted, concealment)| Update {
                callbacks_due,
                concealment,
                submitted: submitted
                    .into_iter()
                    .map(|(carrier_id, segment)| Submitted {
                        key: key("acme", &carrier_id.to_string()),
                        segment,
                    })
                    .collect(),
                ..update(number, status)
            },
        )
}

fn any_change() -> impl Strategy<Value = Change> {
    let id = || (0..MESSAGES).prop_map(id);
    prop_oneof![
        8 => any_message().prop_map(|message| Change::Insert(Box::new(message))),
        8 => any_update().prop_map(Change::Update),
        1 => any_message().prop_map(|message| Change::Release(Box::new(message))),
        2 => (id(), any_set()).prop_map(|(id, done)| Change::CallbacksDone { id, done }),
        1 => (id(), any_set(), any_concealment()).prop_map(|(id, callbacks_due, concealment)| {
            Change::Cancel { id, at_ms: 5, callbacks_due, concealment }
        }),
        1 => id().prop_map(|id| Change::Shelve { id }),
        1 => id().prop_map(|id| Change::Redact { id, at_ms: 6 }),
        1 => (id(), any::<bool>()).prop_map(|(id, is_confirmed)| {
            let outcome = if is_confirmed {
                FeedbackOutcome::Confirmed
            } else {
                FeedbackOutcome::Unconfirmed
            };
            Change::Feedback { id, feedback: Feedback { outcome, at_ms: 8 } }
        }),
        1 => id().prop_map(|id| Change::Delete { id }),
        1 => (0_u64..5).prop_map(|parked| Change::Park(ParkedReceipt {
            parked,
            received_ms: 7,
            group: "acme".into(),
            candidates: smallvec!["1".into()],
            handset: None,
            is_delivered: true,
            error: None,
            done_date: None,
        })),
        1 => (0_u64..5).prop_map(|parked| Change::Unpark { parked }),
        1 => (id(), 1_u8..4).prop_map(|(message, sequence)| Change::KeepPart(Box::new(Part {
            message,
            of: PartOf {
                carrier: "acme".into(),
                from: "+447700900123".into(),
                to: "55501".into(),
                reference: 7,
                is_16_bit: false,
                total: 3,
            },
            sequence,
            received_ms: 7,
            encoding: Encoding::Gsm7,
            text: Utf16Text::from("A"),
        }))),
        1 => id().prop_map(|message| Change::JoinParts { message }),
        1 => id().prop_map(|message| Change::ForgetParts { message }),
        1 => (0_i64..10).prop_map(|day| Change::KeepRaw(RawReceipt {
            received_ms: day * 86_400_000,
            carrier: "acme".into(),
            why: RawReason::Unmatched,
            octets: [1, 2].into(),
        })),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_changes().prop_map(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// Inserts come with their request now and then, in the same commit.
fn any_changes() -> impl Strategy<Value = Vec<Change>> {
    let request = prop::option::weighted(0.2, 0_u8..4);
    let changes = (any_change(), request).prop_map(|(change, key)| {
        let remember = match (&change, key) {
            (Change::Insert(message), Some(key)) => Some(Change::Remember(Remembered {
                message: message.sid,
                account: message.account,
                ..remembered(number(message), key)
            })),
            _ => None,
        };
        [change].into_iter().chain(remember).collect::<Vec<_>>()
    });
    prop::collection::vec(changes, 1..25).prop_map(|changes| changes.concat())
}

/// Everything that can be asked, as text.
fn everything(store: &dyn Store) -> Vec<String> {
    let mut answers = Vec::new();
    let mut say = |answer: String| answers.push(answer);
    let since = created_ms(MESSAGES / 2);
    let filters = [
        MessageFilter::default(),
        MessageFilter {
            account: Some(AccountNo(1)),
            made_before_ms: Some(created_ms(MESSAGES - 2)),
            settled_from_ms: Some(since),
            ..MessageFilter::default()
        },
        MessageFilter {
            account: Some(AccountNo(1)),
            ..MessageFilter::default()
        },
        MessageFilter {
            account: Some(AccountNo(0)),
            to: Some("ACME".into()),
            ..MessageFilter::default()
        },
        MessageFilter {
            account: Some(AccountNo(0)),
            from: Some("+14155550100".into()),
            ..MessageFilter::default()
        },
        MessageFilter {
            account: Some(AccountNo(1)),
            sent_from_ms: Some(since),
            sent_before_ms: Some(since + 20_000),
            ..MessageFilter::default()
        },
    ];
    let middle = id(MESSAGES / 2);
    for filter in &filters {
        for cursor in [Cursor::Start, Cursor::After(middle), Cursor::Before(middle)] {
            for limit in [3, 99] {
                say(format!("{:?}", store.list(filter, cursor, limit).unwrap()));
            }
        }
    }
    for sender in (0..3).map(SenderNo) {
        say(format!("{:?}", store.queued(sender, None, 4).unwrap()));
        say(format!(
            "{:?}",
            store.queued(sender, Some(middle), 99).unwrap()
        ));
    }
    for sender in (0..3).map(SenderNo) {
        say(format!("{:?}", store.unshelved(sender, None, 4).unwrap()));
        say(format!(
            "{:?}",
            store.unshelved(sender, Some(middle), 99).unwrap()
        ));
    }
    say(format!("{:?}", store.queue_depths().unwrap()()));
    say(format!("{:?}", store.queued_senders().unwrap()));
    for limit in [2, 99] {
        let instant = sample::START_MS + 25_000;
        let expiring = store.expiring(instant, None, limit).unwrap();
        let after = expiring.last().map(|last| (last.deadline_ms, last.sid.id));
        say(format!("{expiring:?}"));
        let expiring = store.expiring(instant, after, limit);
        say(format!("{:?}", expiring.unwrap()));
        let scheduled = store.scheduled(instant, None, limit).unwrap();
        let after = scheduled
            .last()
            .and_then(|last| Some((last.send_at_ms?, last.sid.id)));
        say(format!("{scheduled:?}"));
        let scheduled = store.scheduled(instant, after, limit);
        say(format!("{:?}", scheduled.unwrap()));
        say(format!("{:?}", store.callbacks_due(None, limit).unwrap()));
        say(format!(
            "{:?}",
            store.callbacks_due(Some(middle), limit).unwrap()
        ));
    }
    for from_ms in [0, sample::START_MS + 25_000] {
        say(format!("{:?}", store.next_scheduled(from_ms).unwrap()));
    }
    say(format!("{:?}", store.scheduled_counts().unwrap()));
    for carrier_id in 0..6 {
        for since_ms in [0, since] {
            let key = key("acme", &carrier_id.to_string());
            say(format!(
                "{:?}",
                store.find_submitted(&key, None, since_ms).unwrap()
            ));
        }
    }
    for (account, key) in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3)] {
        for since_ms in [0, since] {
            let (account, key) = (AccountNo(account), KeyHash([key; 16]));
            let remembered = store.remembered(account, key, since_ms);
            say(format!("{:?}", remembered.unwrap()));
        }
    }
    say(format!("{:?}", store.parked().unwrap()));
    say(format!("{:?}", store.parts().unwrap()));
    say(format!("{:?}", store.raw_receipts(0, 5).unwrap()));
    say(format!("{:?}", store.last_id().unwrap()));
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_is_like_the_model(steps in prop::collection::vec(any_step(), 1..12)) {
        let (disk, mut directory) = (MemoryDisk::new(), Directory::new());
        // Fewer than shards: connections come and go.
        directory.options.readers = 2;
        let model = disk.open();
        let mut sqlite = Some(Backend::open(&directory));
        for step in steps {
            match step {
                Step::Reopen => {
                    drop(sqlite.take());
                    sqlite = Some(Backend::open(&directory));
                }
                Step::Commit(changes) => {
                    let store = sqlite.as_ref().expect("it is open");
                    prop_assert_eq!(
                        store.commit(&changes).unwrap(),
                        model.commit(&changes).unwrap()
                    );
                }
            }
            let store = sqlite.as_ref().expect("it is open");
            prop_assert_eq!(everything(&**store), everything(&model));
        }
    }
}
