//! Work that waits on disk: queues and their refill, deadlines, schedules, the outbox.

use std::collections::{BTreeMap, BTreeSet};

use postrider_core::message::{AccountNo, Direction, Message, SenderNo, Status, StatusSet};
use postrider_core::privacy::Concealment;

use super::sample::{created_ms, id, message, message_with, scheduled, update};
use super::{Backend, Case, apply, insert, numbers, ok};
use crate::contract::{Applied, Change, QueueDepth, is_waiting};

pub(super) const CASES: &[Case] = &[
    ("a queue is refilled in order", a_queue_is_refilled_in_order),
    (
        "every status is in a queue or is not",
        every_status_waits_or_not,
    ),
    ("depths count messages and segments", depths),
    (
        "what senders took over is found by the day",
        what_senders_took_over,
    ),
    ("backlog expires by deadline", backlog_expires),
    ("what waits can be shelved", what_waits_can_be_shelved),
    ("schedules come due by their time", schedules),
    ("the outbox is read in order", the_outbox),
    (
        "work that was not there is seen when it comes",
        late_work_is_seen,
    ),
];

fn a_queue_is_refilled_in_order(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..40 {
        let sender = SenderNo(number % 2);
        insert(
            &*store,
            &[message_with(number, |m| m.sender = Some(sender))],
        );
    }
    let queue = |after, limit| numbers(&ok(store.queued(SenderNo(0), after, limit)));
    assert_eq!(queue(None, 4), [0, 2, 4, 6]);
    assert_eq!(queue(Some(id(6)), 3), [8, 10, 12]);
    assert_eq!(queue(Some(id(35)), 9), [36, 38]);
    assert_eq!(queue(Some(id(38)), 9), [0_u32; 0]);
    assert_eq!(queue(None, 0), [0_u32; 0]);
    for number in [0, 2, 6] {
        apply(&*store, Change::Update(update(number, Status::Sent)));
    }
    assert_eq!(queue(None, 3), [4, 8, 10]);
    assert_eq!(numbers(&ok(store.queued(SenderNo(1), None, 2))), [1, 3]);
    assert!(ok(store.queued(SenderNo(2), None, 2)).is_empty());
    assert_eq!(ok(store.queued_senders()), [SenderNo(0), SenderNo(1)]);
}

fn what_senders_took_over(backend: &dyn Backend) {
    let store = backend.open();
    let since_ms = created_ms(10_u32);
    let of = |number, sender, segments| {
        message_with(number, |m| {
            m.sender = Some(SenderNo(sender));
            m.num_segments = segments;
        })
    };
    let released = |number, segments, status| Message {
        status,
        send_at_ms: Some(created_ms(20_u32)),
        sent_ms: (status == Status::Delivered).then_some(created_ms(21_u32)),
        ..of(number, 1, segments)
    };
    insert(
        &*store,
        &[
            of(1, 1, 1),
            released(2, 2, Status::Queued),
            released(3, 4, Status::Delivered),
            released(4, 8, Status::Failed),
            scheduled(5, created_ms(20_u32)),
            Message {
                send_at_ms: Some(created_ms(8_u32)),
                ..of(6, 1, 16)
            },
            of(10, 1, 32),
            Message {
                status: Status::Failed,
                ..of(11, 1, 64)
            },
            Message {
                direction: Direction::Inbound,
                status: Status::Received,
                ..of(12, 1, 128)
            },
            of(13, 2, 256),
            released(14, 512, Status::Delivered),
            of(15, 3, 1),
        ],
    );
    let mut segments = BTreeMap::new();
    let senders = BTreeSet::from([SenderNo(1), SenderNo(2)]);
    let visited = store.taken_over(since_ms, &senders, &mut |taken| {
        *segments.entry(taken.sender.0).or_insert(0) += taken.segments;
        assert!(!taken.to.is_empty());
    });
    ok(visited);
    assert_eq!(
        segments,
        BTreeMap::from([(1, 2 + 4 + 32 + 64 + 512), (2, 256)])
    );
}

fn every_status_waits_or_not(backend: &dyn Backend) {
    let store = backend.open();
    let mut waiting = Vec::new();
    for (number, status) in (0..).zip(Status::ALL) {
        insert(&*store, &[message_with(number, |m| m.status = status)]);
        if is_waiting(status) {
            waiting.push(number);
        }
    }
    assert_eq!(numbers(&ok(store.queued(SenderNo(1), None, 99))), waiting);
    // Nobody's queue: it waits for a sender.
    insert(&*store, &[message_with(50, |m| m.sender = None)]);
    assert_eq!(numbers(&ok(store.queued(SenderNo(1), None, 99))), waiting);
    assert_eq!(ok(store.queued_senders()), [SenderNo(1)]);
}

fn depths(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(ok(ok(store.queue_depths())()), []);
    assert_eq!(ok(store.queued_senders()), []);
    for number in 0..30 {
        let message = message_with(number, |message| {
            message.sender = (number % 3 > 0).then_some(SenderNo(number % 3 * 10));
            message.num_segments = 2;
        });
        insert(&*store, &[message]);
    }
    apply(&*store, Change::Update(update(1, Status::Failed)));
    apply(&*store, Change::Update(update(4, Status::Sending)));
    let depth = |sender, messages, segments| QueueDepth {
        sender: SenderNo(sender),
        messages,
        segments,
    };
    let count = ok(store.queue_depths());
    apply(&*store, Change::Update(update(7, Status::Sent)));
    insert(
        &*store,
        &[message_with(31, |message| {
            message.sender = Some(SenderNo(10));
        })],
    );
    assert_eq!(
        ok(count()),
        [depth(10, 9, 18), depth(20, 10, 20)],
        "what waited before the last two changes"
    );
    assert_eq!(
        ok(ok(store.queue_depths())()),
        [depth(10, 9, 17), depth(20, 10, 20)]
    );
    assert_eq!(ok(store.queued_senders()), [SenderNo(10), SenderNo(20)]);
}

fn backlog_expires(backend: &dyn Backend) {
    let store = backend.open();
    // The later made, the sooner it expires.
    for number in 0..20 {
        let message = message_with(number, |message| {
            message.is_backlog = number % 2 == 0;
            message.deadline_ms = created_ms(1_000 - number);
        });
        insert(&*store, &[message]);
    }
    let expiring = |before, limit| numbers(&ok(store.expiring(before, None, limit)));
    assert_eq!(expiring(created_ms(1_000 - 14_u32), 9), [18, 16]);
    assert_eq!(expiring(created_ms(1_000 - 14_u32) + 1, 9), [18, 16, 14]);
    assert_eq!(expiring(i64::MAX, 1), [18]);
    // Others have the deadline of one at which a page ends.
    for number in [30, 31] {
        let message = message_with(number, |message| {
            message.is_backlog = true;
            message.deadline_ms = created_ms(1_000 - 14_u32);
        });
        insert(&*store, &[message]);
    }
    let behind = |number: u32, limit| {
        let deadline_ms = ok(store.message(id(number)))
            .expect("it is there")
            .deadline_ms;
        let after = Some((deadline_ms, id(number)));
        numbers(&ok(store.expiring(
            created_ms(1_000 - 11_u32),
            after,
            limit,
        )))
    };
    assert_eq!(behind(18, 2), [16, 14]);
    assert_eq!(behind(14, 9), [30, 31, 12]);
    assert_eq!(behind(31, 9), [12]);
    assert_eq!(behind(12, 9), [0_u32; 0]);
    for number in [30, 31] {
        apply(&*store, Change::Update(update(number, Status::Failed)));
    }
    for number in [18, 16] {
        apply(&*store, Change::Update(update(number, Status::Failed)));
    }
    assert_eq!(expiring(i64::MAX, 2), [14, 12]);
    assert_eq!(expiring(i64::MIN, 2), [0_u32; 0]);
}

fn what_waits_can_be_shelved(backend: &dyn Backend) {
    let store = backend.open();
    for (number, status) in (0..).zip(Status::ALL) {
        insert(&*store, &[message_with(number, |m| m.status = status)]);
        let applied = if is_waiting(status) {
            Applied::Yes
        } else {
            Applied::Stale
        };
        assert_eq!(
            apply(&*store, Change::Shelve { id: id(number) }),
            applied,
            "{status:?}"
        );
        let now = ok(store.message(id(number))).expect("it is there");
        assert_eq!(
            now,
            message_with(number, |message| {
                message.status = status;
                message.is_backlog = is_waiting(status);
            })
        );
    }
    assert_eq!(
        ok(store.expiring(i64::MAX, None, 99)).len(),
        ok(store.queued(SenderNo(1), None, 99)).len()
    );
    for number in 20..60 {
        let message = message_with(number, |message| {
            message.is_backlog = number % 4 > 0;
            message.sender = Some(SenderNo(number % 8));
        });
        insert(&*store, &[message]);
    }
    let unshelved = |sender, after, limit| ok(store.unshelved(SenderNo(sender), after, limit));
    assert_eq!(unshelved(0, None, 2), [24, 32].map(id));
    assert_eq!(unshelved(0, Some(id(32)), 9), [40, 48, 56].map(id));
    assert_eq!(unshelved(1, None, 9), []);
    apply(&*store, Change::Shelve { id: id(40) });
    apply(&*store, Change::Update(update(48, Status::Failed)));
    assert_eq!(unshelved(0, None, 9), [24, 32, 56].map(id));
}

fn schedules(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(ok(store.next_scheduled(0)), None);
    assert_eq!(ok(store.scheduled_counts()), []);
    for number in 0..20 {
        // Pairs with the same time; accounts in turn, so that neither decides the order.
        let at_ms = created_ms(500 - number / 2);
        let mut message = scheduled(number, at_ms);
        message.account = AccountNo((number + 1) % 2);
        insert(&*store, &[message]);
    }
    insert(&*store, &[message_with(30, |m| m.send_at_ms = Some(1))]);
    let next = |from| ok(store.next_scheduled(from));
    assert_eq!(next(0), Some(created_ms(491_u32)));
    assert_eq!(next(created_ms(491_u32)), Some(created_ms(491_u32)));
    assert_eq!(next(created_ms(491_u32) + 1), Some(created_ms(492_u32)));
    assert_eq!(next(created_ms(500_u32) + 1), None);
    let due = |before, limit| numbers(&ok(store.scheduled(before, None, limit)));
    assert_eq!(due(created_ms(492_u32), 9), [18, 19]);
    assert_eq!(due(created_ms(492_u32) + 1, 9), [18, 19, 16, 17]);
    assert_eq!(due(i64::MAX, 3), [18, 19, 16]);
    // Rows: the number after which to go on, and before which instant; what follows.
    for (after, before, expected) in [
        (18, i64::MAX, &[19, 16, 17][..]),
        (19, i64::MAX, &[16, 17, 14]),
        (19, created_ms(492_u32) + 1, &[16, 17]),
        (17, created_ms(492_u32) + 1, &[]),
    ] {
        let after = (created_ms(500 - after / 2), id(after));
        let page = ok(store.scheduled(before, Some(after), 3));
        assert_eq!(numbers(&page), expected);
    }
    let counts = |odd, even| [(AccountNo(0), odd), (AccountNo(1), even)];
    assert_eq!(ok(store.scheduled_counts()), counts(10, 10));
    for number in [18, 19] {
        let cancel = Change::Cancel {
            id: id(number),
            at_ms: 1,
            callbacks_due: StatusSet::EMPTY,
            concealment: Concealment::default(),
        };
        assert_eq!(apply(&*store, cancel), Applied::Yes);
    }
    assert_eq!(next(0), Some(created_ms(492_u32)));
    assert_eq!(ok(store.scheduled_counts()), counts(9, 9));
    let released = message_with(16, |message| message.account = AccountNo(1));
    apply(&*store, Change::Release(Box::new(released)));
    assert_eq!(ok(store.scheduled_counts()), counts(9, 8));
}

fn the_outbox(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        let message = message_with(number, |message| {
            if number % 3 == 0 {
                message.callbacks_due = StatusSet::of(Status::Queued);
            }
        });
        insert(&*store, &[message]);
    }
    let due = |after, limit| numbers(&ok(store.callbacks_due(after, limit)));
    assert_eq!(due(None, 3), [0, 3, 6]);
    assert_eq!(due(Some(id(6)), 3), [9, 12, 15]);
    assert_eq!(due(Some(id(26)), 3), [27]);
    let done = Change::CallbacksDone {
        id: id(3),
        done: StatusSet::of(Status::Queued),
    };
    apply(&*store, done);
    assert_eq!(due(None, 2), [0, 6]);
}

/// A store may remember where there was nothing to do. It must notice when there is.
fn late_work_is_seen(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        insert(
            &*store,
            &[message_with(number, |m| m.status = Status::Sent)],
        );
    }
    insert(&*store, &[scheduled(30, created_ms(90_u32))]);
    let all = || {
        (
            ok(store.callbacks_due(None, 9)).len(),
            ok(store.queued(SenderNo(1), None, 9)).len(),
            ok(store.expiring(i64::MAX, None, 9)).len(),
            ok(store.scheduled(i64::MAX, None, 9)).len(),
        )
    };
    assert_eq!(all(), (0, 0, 0, 1));
    assert_eq!(all(), (0, 0, 0, 1));
    // A receipt for an old message.
    let mut delivered = update(2, Status::Delivered);
    delivered.callbacks_due = StatusSet::of(Status::Delivered);
    apply(&*store, Change::Update(delivered));
    assert_eq!(all(), (1, 0, 0, 1));
    // A release of an old message, into the backlog.
    let released = message_with(30, |m| m.is_backlog = true);
    apply(&*store, Change::Release(Box::new(released)));
    assert_eq!(all(), (1, 1, 1, 0));
    insert(&*store, &[message(31)]);
    assert_eq!(all(), (1, 2, 1, 0));
}
