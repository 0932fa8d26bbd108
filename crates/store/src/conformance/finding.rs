//! Reading single messages and forgetting old ones.

use postrider_core::message::{SenderNo, Status, StatusSet};

use super::sample::{created_ms, id, key, message, message_with, scheduled, sent_as, update};
use super::{Backend, Case, apply, insert, numbers, ok};
use crate::contract::{Applied, Change, Cursor, MessageFilter, Store, Submitted, Update};

pub(super) const CASES: &[Case] = &[
    (
        "a carrier's id finds its segment",
        a_carrier_id_finds_its_segment,
    ),
    (
        "a carrier's id used twice means the newest",
        a_reused_id_means_the_newest,
    ),
    (
        "a carrier's id used twice means the newest to the recipient asked for",
        a_reused_id_means_the_newest_to_the_recipient,
    ),
    (
        "a carrier's id older than asked for is not found",
        an_old_id_is_not_found,
    ),
    (
        "ids are told apart by group and by every character",
        ids_are_told_apart,
    ),
    ("a stale update ties no ids", a_stale_update_ties_no_ids),
    (
        "a deleted message gives its ids back",
        a_deleted_message_gives_ids_back,
    ),
    (
        "one id for several segments means the first",
        one_id_for_several_segments,
    ),
    (
        "only what is old and done is forgotten",
        only_old_and_done_is_forgotten,
    ),
];

fn found(store: &dyn Store, carrier_id: &str, since_ms: i64) -> Option<(u32, u16)> {
    ok(store.find_submitted(&key("acme", carrier_id), None, since_ms))
        .map(|(message, segment)| (super::sample::number(&message), segment))
}

fn send(store: &dyn Store, number: u32, carrier_ids: &[&str]) {
    insert(store, &[message(number)]);
    let sent = Change::Update(sent_as(number, carrier_ids));
    assert_eq!(apply(store, sent), Applied::Yes);
}

fn a_carrier_id_finds_its_segment(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        send(
            &*store,
            number,
            &[&format!("a{number}"), &format!("b{number}")],
        );
    }
    for number in 0..30 {
        assert_eq!(found(&*store, &format!("a{number}"), 0), Some((number, 0)));
        assert_eq!(found(&*store, &format!("b{number}"), 0), Some((number, 1)));
    }
    assert_eq!(found(&*store, "c1", 0), None);
    let (message, _) = ok(store.find_submitted(&key("acme", "a3"), None, 0)).expect("it is there");
    assert_eq!(message.status, Status::Sent);
}

fn a_reused_id_means_the_newest(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        send(
            &*store,
            number,
            &[if number % 10 == 4 { "again" } else { "other" }],
        );
    }
    assert_eq!(found(&*store, "again", 0), Some((24, 0)));
}

fn a_reused_id_means_the_newest_to_the_recipient(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        let to = if number % 10 == 4 { "+1415" } else { "+4477" };
        let other = message_with(number, |message| message.to = to.into());
        insert(&*store, &[other]);
        let sent = Change::Update(sent_as(number, &["again"]));
        assert_eq!(apply(&*store, sent), Applied::Yes);
    }
    for (to, newest) in [("+1415", Some(24)), ("+4477", Some(29)), ("+3361", None)] {
        let found = ok(store.find_submitted(&key("acme", "again"), Some(to), 0));
        let found = found.map(|(message, _)| super::sample::number(&message));
        assert_eq!(found, newest, "{to}");
    }
}

fn an_old_id_is_not_found(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..30 {
        send(&*store, number, &[&format!("id{number}")]);
    }
    assert_eq!(found(&*store, "id12", created_ms(12_u32)), Some((12, 0)));
    assert_eq!(found(&*store, "id12", created_ms(12_u32) + 1), None);
    assert_eq!(found(&*store, "id29", i64::MAX), None);
    assert_eq!(found(&*store, "id0", i64::MIN), Some((0, 0)));
}

fn ids_are_told_apart(backend: &dyn Backend) {
    let store = backend.open();
    // Pairs that a careless integer would take for one another.
    let ids = [
        "1a", "11", "", "0", "00", "000", "a", "A", "1A", "żółw", "żółW",
    ];
    for (number, id) in (0..).zip(ids) {
        send(&*store, number, &[id]);
    }
    for (number, id) in (0..).zip(ids) {
        assert_eq!(found(&*store, id, 0), Some((number, 0)), "{id:?}");
    }
    let elsewhere = ok(store.find_submitted(&key("bell", "1a"), None, 0));
    assert!(elsewhere.is_none());
}

fn a_stale_update_ties_no_ids(backend: &dyn Backend) {
    let store = backend.open();
    send(&*store, 1, &["first"]);
    apply(&*store, Change::Update(update(1, Status::Delivered)));
    let late = Change::Update(sent_as(1, &["late"]));
    assert_eq!(apply(&*store, late), Applied::Stale);
    assert_eq!(found(&*store, "late", 0), None);
    assert_eq!(found(&*store, "first", 0), Some((1, 0)));
}

fn a_deleted_message_gives_ids_back(backend: &dyn Backend) {
    let store = backend.open();
    send(&*store, 1, &["same"]);
    send(&*store, 2, &["same"]);
    assert_eq!(apply(&*store, Change::Delete { id: id(2) }), Applied::Yes);
    assert_eq!(found(&*store, "same", 0), Some((1, 0)));
}

fn one_id_for_several_segments(backend: &dyn Backend) {
    let store = backend.open();
    insert(&*store, &[message(1)]);
    let submitted = [2, 0, 1].map(|segment| Submitted {
        key: key("acme", "shared"),
        segment,
    });
    let sent = Update {
        submitted: submitted.into_iter().collect(),
        ..update(1, Status::Sent)
    };
    apply(&*store, Change::Update(sent));
    assert_eq!(found(&*store, "shared", 0), Some((1, 0)));
}

fn only_old_and_done_is_forgotten(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..40 {
        let message = match number {
            3 => scheduled(3, created_ms(90_u32)),
            12 => message(12),
            22 => message_with(22, |message| {
                message.status = Status::Delivered;
                message.callbacks_due = StatusSet::of(Status::Delivered);
            }),
            _ => message_with(number, |message| message.status = Status::Delivered),
        };
        insert(&*store, &[message]);
    }
    let before = created_ms(35_u32);
    let forgotten = ok(store.forget_before(before));
    let all = MessageFilter::default();
    let left = numbers(&ok(store.list(&all, Cursor::Start, 100)));
    assert_eq!(left.len() as u64 + forgotten, 40);
    for number in [3, 12, 22].into_iter().chain(35..40) {
        assert!(left.contains(&number), "{number} was forgotten");
        assert!(ok(store.message(id(number))).is_some());
    }
    assert_eq!(numbers(&ok(store.queued(SenderNo(1), None, 9))), [12]);
    assert_eq!(ok(store.last_id()), Some(id(39)));
    // Once done, they go too; and what was forgotten stays so.
    apply(&*store, Change::Update(update(12, Status::Failed)));
    let again = ok(store.forget_before(before));
    drop(store);
    let store = backend.open();
    let left = numbers(&ok(store.list(&all, Cursor::Start, 100)));
    assert_eq!(left.len() as u64 + forgotten + again, 40);
    insert(&*store, &[message(50)]);
    assert_eq!(ok(store.last_id()), Some(id(50)));
}
