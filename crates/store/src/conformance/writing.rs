//! Changes to messages and their answers.

use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{
    AccountNo, Direction, Feedback, FeedbackOutcome, Message, MessageOptions, SenderNo, Status,
    StatusSet,
};
use postrider_core::privacy::Concealment;
use postrider_core::sid::{Id, MessageKind, MessageSid, ServiceSid};
use postrider_core::text::Encoding;

use super::sample::{
    self, created_ms, id, message, message_with, number, scheduled, sent_as, update,
};
use super::{Backend, Case, apply, insert, numbers, ok};
use crate::contract::Applied::{Missing, Stale, Yes};
use crate::contract::{Applied, Change, Cursor, MessageFilter, Update, is_settled};

pub(super) const CASES: &[Case] = &[
    (
        "every field comes back as it was written",
        every_field_comes_back,
    ),
    (
        "a taken id is refused and what is there stays",
        a_taken_id_is_refused,
    ),
    (
        "changes apply in their order within one commit",
        changes_apply_in_order,
    ),
    (
        "feedback is kept beside the other options, once a message is released",
        feedback_is_kept,
    ),
    (
        "an update overwrites what it must and keeps the rest",
        an_update_overwrites,
    ),
    (
        "an update applies by rank, for every pair of statuses",
        updates_apply_by_rank,
    ),
    (
        "an update of nothing is missing",
        an_update_of_nothing_is_missing,
    ),
    (
        "a made-up tail finds nothing to change",
        a_made_up_tail_changes_nothing,
    ),
    (
        "discarding empties the body with the update",
        discarding_empties_the_body,
    ),
    (
        "callbacks come due, are done, come due again",
        callbacks_come_and_go,
    ),
    (
        "of cancel and release the first wins",
        of_cancel_and_release_the_first_wins,
    ),
    (
        "a masked recipient is found by its mask, and a message by its carrier's id all the same",
        a_masked_recipient_is_found_as_such,
    ),
    (
        "release replaces the whole record",
        release_replaces_the_record,
    ),
    (
        "redaction waits until the message is settled",
        redaction_waits,
    ),
    (
        "deletion waits until the message is settled",
        deletion_waits,
    ),
];

/// A message that uses every field.
fn full(number: u32) -> Message {
    Message {
        sid: MessageSid {
            id: id(number),
            kind: MessageKind::Mms,
        },
        account: AccountNo(u32::MAX),
        service: Some(ServiceSid(Id::from_u128(u128::MAX))),
        direction: Direction::OutboundReply,
        status: Status::Undelivered,
        from: Some("whatsapp:+14155550100".into()),
        sender: Some(SenderNo(u32::MAX)),
        to: "whatsapp:+447700900123".into(),
        body: "żółw \u{1F600}\0 end".into(),
        submitted_body: Some("https://example.com/?q=1&r='2'".into()),
        encoding: Encoding::Ucs2,
        num_segments: u16::MAX,
        num_media: 10,
        updated_ms: created_ms(number) + 7,
        sent_ms: Some(created_ms(number) + 5),
        send_at_ms: Some(created_ms(number) + 3),
        deadline_ms: -1,
        error: Some(ErrorCode::ALL[ErrorCode::ALL.len() - 1]),
        carrier: Some("acme".into()),
        attempts: u16::MAX,
        is_possible_duplicate: true,
        segments: Segments::from_bytes(&[0, 1, 2, 3, 1, 1]),
        done_date: Some("2611240930".into()),
        status_callback: Some("https://example.com/status".into()),
        callbacks_due: StatusSet(0x1FFF),
        decision: Some(Box::from(&[0_u8, 255, 10][..])),
        options: MessageOptions {
            discard_content: true,
            attempt: Some(3),
            from: Some("+14155550100".into()),
            ..MessageOptions::default()
        },
        is_backlog: true,
    }
}

fn every_field_comes_back(backend: &dyn Backend) {
    let store = backend.open();
    let bare = message_with(2, |message| {
        message.from = None;
        message.sender = None;
        message.body = "".into();
        message.num_segments = 0;
    });
    let written = [full(1), bare, message(3)];
    insert(&*store, &written);
    for message in &written {
        assert_eq!(ok(store.message(message.sid.id)).as_ref(), Some(message));
    }
}

fn a_taken_id_is_refused(backend: &dyn Backend) {
    let store = backend.open();
    insert(&*store, &[message(1)]);
    let other = message_with(1, |message| message.body = "other".into());
    assert_eq!(
        apply(&*store, Change::Insert(Box::new(other))),
        Applied::Stale
    );
    assert_eq!(ok(store.message(id(1))), Some(message(1)));
}

fn changes_apply_in_order(backend: &dyn Backend) {
    let store = backend.open();
    let answers = ok(store.commit(&[
        Change::Update(update(1, Status::Sent)),
        Change::Insert(Box::new(message(1))),
        Change::Update(update(1, Status::Delivered)),
        Change::Update(update(1, Status::Sent)),
        Change::Redact {
            id: id(1),
            at_ms: 9,
        },
        Change::Insert(Box::new(message(2))),
        Change::Delete { id: id(2) },
        Change::Delete { id: id(1) },
        Change::Delete { id: id(1) },
    ]));
    assert_eq!(
        answers,
        [Missing, Yes, Yes, Stale, Yes, Yes, Stale, Yes, Missing]
    );
    assert_eq!(ok(store.message(id(1))), None);
    assert_eq!(ok(store.message(id(2))), Some(message(2)));
}

fn feedback_is_kept(backend: &dyn Backend) {
    let store = backend.open();
    let plain = message_with(1, |message| message.options = MessageOptions::default());
    let rich = message_with(2, |message| message.options.attempt = Some(3));
    insert(&*store, &[plain.clone(), rich.clone(), scheduled(3, 5)]);
    let feedback = |number: u32, outcome| {
        let feedback = Feedback { outcome, at_ms: 9 };
        let change = Change::Feedback {
            id: id(number),
            feedback,
        };
        apply(&*store, change)
    };
    assert_eq!(feedback(3, FeedbackOutcome::Confirmed), Stale);
    assert_eq!(feedback(4, FeedbackOutcome::Confirmed), Missing);
    // The last one counts.
    for outcome in [FeedbackOutcome::Unconfirmed, FeedbackOutcome::Confirmed] {
        for message in [&plain, &rich] {
            assert_eq!(feedback(number(message), outcome), Yes);
            let mut expected = message.clone();
            expected.options.feedback = Some(Feedback { outcome, at_ms: 9 });
            assert_eq!(ok(store.message(message.sid.id)), Some(expected));
        }
    }
}

fn an_update_overwrites(backend: &dyn Backend) {
    let store = backend.open();
    insert(&*store, &[message(1)]);
    let sent = Update {
        attempts: 2,
        is_possible_duplicate: true,
        segments: Segments::accepted(3),
        callbacks_due: StatusSet::of(Status::Sent),
        ..update(1, Status::Sent)
    };
    assert_eq!(apply(&*store, Change::Update(sent.clone())), Applied::Yes);
    let mut expected = message_with(1, |message| {
        message.status = Status::Sent;
        message.updated_ms = sent.at_ms;
        message.sent_ms = sent.sent_ms;
        message.carrier = Some("acme".into());
        message.attempts = 2;
        message.is_possible_duplicate = true;
        message.segments = Segments::accepted(3);
        message.callbacks_due = StatusSet::of(Status::Sent);
    });
    assert_eq!(ok(store.message(id(1))).as_ref(), Some(&expected));

    let undelivered = Update {
        at_ms: sent.at_ms + 1,
        error: Some(ErrorCode::ALL[0]),
        carrier: None,
        segments: Segments::from_bytes(&[3, 1, 1]),
        done_date: Some("2611240930".into()),
        callbacks_due: StatusSet::of(Status::Undelivered),
        ..update(1, Status::Undelivered)
    };
    assert_eq!(apply(&*store, Change::Update(undelivered)), Applied::Yes);
    expected.status = Status::Undelivered;
    expected.updated_ms += 1;
    expected.error = Some(ErrorCode::ALL[0]);
    // Absent in the update: forgotten, except the date of sending.
    expected.carrier = None;
    expected.attempts = 1;
    expected.is_possible_duplicate = false;
    expected.segments = Segments::from_bytes(&[3, 1, 1]);
    expected.done_date = Some("2611240930".into());
    expected.callbacks_due = StatusSet::of(Status::Sent).with(StatusSet::of(Status::Undelivered));
    assert_eq!(ok(store.message(id(1))), Some(expected));
}

fn updates_apply_by_rank(backend: &dyn Backend) {
    let store = backend.open();
    let mut number = 0;
    for stored in Status::ALL {
        for next in Status::ALL {
            number += 1;
            let before = message_with(number, |message| message.status = stored);
            insert(&*store, &[before]);
            let applies = stored == next || next.rank() > stored.rank();
            let expected = if applies {
                Applied::Yes
            } else {
                Applied::Stale
            };
            let applied = apply(&*store, Change::Update(update(number, next)));
            assert_eq!(applied, expected, "{stored:?} to {next:?}");
            let now = ok(store.message(id(number))).expect("it is there");
            assert_eq!(now.status, if applies { next } else { stored });
        }
    }
}

fn an_update_of_nothing_is_missing(backend: &dyn Backend) {
    let store = backend.open();
    let missing = [
        Change::Update(sent_as(1, &["a"])),
        Change::CallbacksDone {
            id: id(1),
            done: StatusSet(1),
        },
        Change::Release(Box::new(message(1))),
        Change::Cancel {
            id: id(1),
            at_ms: 1,
            callbacks_due: StatusSet::EMPTY,
            concealment: Concealment::default(),
        },
        Change::Shelve { id: id(1) },
        Change::Redact {
            id: id(1),
            at_ms: 1,
        },
        Change::Delete { id: id(1) },
        Change::Unpark { parked: 1 },
    ];
    // On an empty store, and beside other messages.
    for round in 0..2 {
        for change in &missing {
            assert_eq!(apply(&*store, change.clone()), Applied::Missing);
        }
        insert(&*store, &[message(10 + round)]);
    }
    let found = ok(store.find_submitted(&sample::key("acme", "a"), None, 0));
    assert!(found.is_none());
}

fn a_made_up_tail_changes_nothing(backend: &dyn Backend) {
    let store = backend.open();
    let sent = message_with(1, |message| message.status = Status::Sent);
    insert(&*store, &[sent.clone(), scheduled(2, 5)]);
    let forge = |id: Id| Id::from_key(id.key(), id.tail() ^ 1);
    let forged = Update {
        id: forge(id(1)),
        ..update(1, Status::Delivered)
    };
    let release = message_with(2, |message| message.sid.id = forge(id(2)));
    for change in [
        Change::Update(forged),
        Change::Redact {
            id: forge(id(1)),
            at_ms: 1,
        },
        Change::Delete { id: forge(id(1)) },
        Change::Release(Box::new(release)),
        Change::Cancel {
            id: forge(id(2)),
            at_ms: 1,
            callbacks_due: StatusSet::EMPTY,
            concealment: Concealment::default(),
        },
        Change::CallbacksDone {
            id: forge(id(1)),
            done: StatusSet(1),
        },
    ] {
        assert_eq!(apply(&*store, change), Applied::Missing);
    }
    assert_eq!(ok(store.message(id(1))), Some(sent));
    assert_eq!(ok(store.message(forge(id(1)))), None);
}

fn discarding() -> Concealment {
    Concealment {
        body: true,
        to: None,
    }
}

fn masking() -> Concealment {
    Concealment {
        body: false,
        to: Some("+44770090XXXX".into()),
    }
}

fn a_masked_recipient_is_found_as_such(backend: &dyn Backend) {
    let store = backend.open();
    insert(&*store, &[message(1), message(2), scheduled(3, 9)]);
    let to = message(1).to;
    apply(&*store, Change::Update(sent_as(1, &["x"])));
    let delivered = Update {
        concealment: masking(),
        ..update(1, Status::Delivered)
    };
    assert_eq!(apply(&*store, Change::Update(delivered)), Applied::Yes);
    // A late update, and the cancelation of what is not scheduled, mask nothing.
    let late = Update {
        concealment: masking(),
        ..update(1, Status::Sent)
    };
    assert_eq!(apply(&*store, Change::Update(late)), Applied::Stale);
    let cancel = |number| Change::Cancel {
        id: id(number),
        at_ms: 1,
        callbacks_due: StatusSet::EMPTY,
        concealment: masking(),
    };
    assert_eq!(apply(&*store, cancel(2)), Applied::Stale);
    assert_eq!(apply(&*store, cancel(3)), Applied::Yes);
    let list = |to: &str| {
        let filter = MessageFilter {
            account: Some(AccountNo(1)),
            to: Some(to.into()),
            ..MessageFilter::default()
        };
        numbers(&ok(store.list(&filter, Cursor::Start, 9)))
    };
    assert_eq!(list("+44770090XXXX"), [3, 1]);
    assert_eq!(list(&to), [2]);
    let find = |to: Option<&str>| {
        let key = sample::key("acme", "x");
        let found = ok(store.find_submitted(&key, to, 0));
        found.map(|(message, _)| number(&message))
    };
    assert_eq!(find(None), Some(1));
    // It is that of ten thousand, and a receipt that has to guess must not take it for its own.
    assert_eq!(find(Some(&*to)), None);
}

fn discarding_empties_the_body(backend: &dyn Backend) {
    let store = backend.open();
    insert(
        &*store,
        &[message_with(1, |message| {
            message.submitted_body = Some("longer".into());
        })],
    );
    let sent = Update {
        concealment: discarding(),
        ..sent_as(1, &["x"])
    };
    assert_eq!(apply(&*store, Change::Update(sent)), Applied::Yes);
    let now = ok(store.message(id(1))).expect("it is there");
    assert_eq!((&*now.body, now.submitted_body), ("", None));
    // A late update discards nothing.
    insert(
        &*store,
        &[message_with(2, |m| m.status = Status::Delivered)],
    );
    let late = Update {
        concealment: discarding(),
        ..update(2, Status::Sent)
    };
    assert_eq!(apply(&*store, Change::Update(late)), Applied::Stale);
    assert!(
        !ok(store.message(id(2)))
            .expect("it is there")
            .body
            .is_empty()
    );
}

fn callbacks_come_and_go(backend: &dyn Backend) {
    let store = backend.open();
    let queued = StatusSet::of(Status::Queued);
    let sent = StatusSet::of(Status::Sent);
    insert(&*store, &[message_with(1, |m| m.callbacks_due = queued)]);
    let due = || ok(store.message(id(1))).expect("it is there").callbacks_due;
    let step = Update {
        callbacks_due: sent,
        ..update(1, Status::Sent)
    };
    apply(&*store, Change::Update(step.clone()));
    assert_eq!(due(), queued.with(sent));
    let done = |done| Change::CallbacksDone { id: id(1), done };
    assert_eq!(apply(&*store, done(queued)), Applied::Yes);
    assert_eq!(due(), sent);
    // Saying it twice is harmless.
    assert_eq!(apply(&*store, done(queued.with(sent))), Applied::Yes);
    assert_eq!(apply(&*store, done(queued)), Applied::Yes);
    assert!(due().is_empty() && ok(store.callbacks_due(None, 9)).is_empty());
    apply(&*store, Change::Update(step));
    assert_eq!(due(), sent);
    assert_eq!(numbers(&ok(store.callbacks_due(None, 9))), [1]);
}

fn cancel(number: u32) -> Change {
    Change::Cancel {
        id: id(number),
        at_ms: created_ms(number) + 9,
        callbacks_due: StatusSet::of(Status::Canceled),
        concealment: Concealment::default(),
    }
}

fn released(number: u32) -> Message {
    message_with(number, |message| {
        message.send_at_ms = Some(created_ms(number) + 60_000);
        message.status = Status::Accepted;
        message.sender = Some(SenderNo(4));
        message.body = "shortened".into();
        message.callbacks_due = StatusSet::of(Status::Accepted);
    })
}

fn of_cancel_and_release_the_first_wins(backend: &dyn Backend) {
    let store = backend.open();
    for number in [1, 2] {
        insert(&*store, &[scheduled(number, created_ms(number) + 60_000)]);
    }
    let release = |number| Change::Release(Box::new(released(number)));
    let answers = ok(store.commit(&[cancel(1), release(1), release(2), cancel(2), cancel(1)]));
    assert_eq!(answers, [Yes, Stale, Yes, Stale, Stale]);
    let canceled = ok(store.message(id(1))).expect("it is there");
    assert_eq!(canceled.status, Status::Canceled);
    assert_eq!(canceled.updated_ms, created_ms(1_u32) + 9);
    assert_eq!(canceled.callbacks_due, StatusSet::of(Status::Canceled));
    assert_eq!(ok(store.message(id(2))), Some(released(2)));
    assert_eq!(ok(store.next_scheduled(0)), None);
}

fn release_replaces_the_record(backend: &dyn Backend) {
    let store = backend.open();
    insert(&*store, &[scheduled(1, 1), scheduled(2, 2), message(3)]);
    let release = |number| Change::Release(Box::new(released(number)));
    assert_eq!(apply(&*store, release(1)), Applied::Yes);
    assert_eq!(ok(store.message(id(1))), Some(released(1)));
    assert_eq!(numbers(&ok(store.scheduled(i64::MAX, None, 9))), [2]);
    assert_eq!(numbers(&ok(store.queued(SenderNo(4), None, 9))), [1]);
    assert_eq!(apply(&*store, release(3)), Applied::Stale);
    assert_eq!(ok(store.last_id()), Some(id(3)));
}

fn redaction_waits(backend: &dyn Backend) {
    let store = backend.open();
    for (number, status) in (1..).zip(Status::ALL) {
        let before = message_with(number, |message| {
            message.status = status;
            message.submitted_body = Some("long".into());
        });
        insert(&*store, std::slice::from_ref(&before));
        let redact = Change::Redact {
            id: id(number),
            at_ms: 77,
        };
        let now_expected = if is_settled(status) {
            assert_eq!(apply(&*store, redact), Applied::Yes, "{status:?}");
            Message {
                body: "".into(),
                submitted_body: None,
                updated_ms: 77,
                ..before
            }
        } else {
            assert_eq!(apply(&*store, redact), Applied::Stale, "{status:?}");
            before
        };
        assert_eq!(ok(store.message(id(number))), Some(now_expected));
    }
}

fn deletion_waits(backend: &dyn Backend) {
    let store = backend.open();
    for (number, status) in (1..).zip(Status::ALL) {
        insert(
            &*store,
            &[message_with(number, |message| {
                message.status = status;
                message.callbacks_due = StatusSet::of(status);
            })],
        );
        let applied = apply(&*store, Change::Delete { id: id(number) });
        let is_there = ok(store.message(id(number))).is_some();
        let expected = if is_settled(status) {
            (Applied::Yes, false)
        } else {
            (Applied::Stale, true)
        };
        assert_eq!((applied, is_there), expected, "{status:?}");
    }
    // The newest id is remembered, deleted or not, also by the next store.
    let newest = Some(id(u32::try_from(Status::ALL.len()).expect("few")));
    assert_eq!(ok(store.last_id()), newest);
    drop(store);
    assert_eq!(ok(backend.open().last_id()), newest);
}
