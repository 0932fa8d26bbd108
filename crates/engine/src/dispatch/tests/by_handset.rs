//! Receipts for messages whose answer was lost: the carrier has them, whatever their ids.

use super::*;
use crate::metrics::MatchLabel;
use postrider_store::Store as _;
use postrider_store::memory::MemoryStore;

fn bench() -> Bench {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.dispatch.start(None, Vec::new(), Vec::new(), START_MS);
    bench
}

/// A receipt with an id that nobody was told.
fn strange(id: &str, number: u32) -> Receipt {
    delivered(&format!("strange-{id}"), number)
}

/// A message whose outcome is unknown, to the handset of `number`.
fn doubt(bench: &mut Bench, message: u32, number: u32) -> Id {
    let id = bench.accept_with(message, |message| message.to = handset(number).into());
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    id
}

fn matched(bench: &Bench) -> u64 {
    let label = MatchLabel {
        carrier: "a".to_owned(),
        reading: "handset_alone",
    };
    let metrics = &bench.dispatch.metrics;
    metrics.receipts_matched.get_or_create(&label).get()
}

#[test]
fn a_receipt_for_the_handset_settles_a_doubt() {
    let mut bench = bench();
    let id = doubt(&mut bench, 1, 1);
    bench.advance(MINUTE_MS - 1);
    bench.receive(0, strange("1", 1));
    assert_eq!(bench.records[&id], (Status::Delivered, None, false));
    let statuses: Vec<_> = bench.updates.iter().map(|update| update.status).collect();
    let through = [Status::Sending, Status::Sent, Status::Delivered];
    assert_eq!(statuses, through);
    assert_eq!(matched(&bench), 1);
    // It comes again, and is about nothing else.
    bench.receive(0, strange("1", 1));
    bench.advance(120 * MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
    assert_eq!(bench.dispatch.metrics.orphaned_receipts.get(), 0);
}

/// The usual order: the response timer is slower than the handset.
#[test]
fn a_receipt_that_came_before_the_doubt_settles_it_too() {
    let mut bench = bench();
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    let failed = Receipt {
        state: ReceiptState::Undelivered,
        error: Some(ErrorCode::HandsetUnreachable),
        ..strange("1", 1)
    };
    bench.receive(0, failed);
    bench.advance(30_000);
    assert_eq!(bench.status(id), None, "the answer may name another id");
    bench.answer(0, ticket, Outcome::Unknown);
    let code = Some(ErrorCode::HandsetUnreachable);
    assert_eq!(bench.records[&id], (Status::Undelivered, code, false));
    bench.advance(120 * MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
}

#[test]
fn a_doubt_that_outlived_its_process_is_settled_like_any_other() {
    let mut first = bench();
    let id = doubt(&mut first, 1, 1);
    let left = first.on_record(&first.accepted[0]);
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.stored = vec![left];
    let waiting = vec![SenderNo(1)];
    bench
        .dispatch
        .start(Some(id), waiting, Vec::new(), START_MS);
    bench.turn(vec![Input::Timer]);
    bench.receive(0, strange("1", 1));
    assert_eq!(bench.records[&id], (Status::Delivered, None, false));
}

#[test]
fn a_long_message_is_settled_by_as_many_receipts_as_it_has_segments() {
    let mut bench = bench();
    let id = bench.accept_with(1, |message| message.num_segments = 2);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    bench.receive(0, strange("1", 1));
    bench.receive(0, strange("1", 1));
    assert_eq!(bench.status(id), Some(Status::Sending), "one came twice");
    bench.receive(0, strange("2", 1));
    assert_eq!(bench.status(id), Some(Status::Delivered));
}

/// With two messages to a handset it would report the wrong one delivered, which is then never sent.
#[test]
fn what_may_be_about_another_message_settles_nothing() {
    type Befall = fn(&mut Bench);
    let table: [(&str, Befall); 9] = [
        ("another handset", |bench| bench.receive(0, strange("1", 2))),
        ("another carrier", |bench| bench.receive(1, strange("1", 1))),
        ("a receipt older than the submit", |_| {}),
        ("two in doubt", |bench| {
            doubt(bench, 2, 1);
            bench.receive(0, strange("1", 1));
        }),
        ("one in flight", |bench| {
            bench.accept_with(2, |message| message.to = handset(1).into());
            bench.receive(0, strange("1", 1));
        }),
        ("one that awaits its receipt", |bench| {
            bench.accept_with(2, |message| message.to = handset(1).into());
            let ticket = bench.take_one().ticket;
            bench.answer(0, ticket, accepted(&["2"]));
            bench.receive(0, strange("1", 1));
        }),
        ("one that went twice", |bench| {
            let mut other = message(2, START_MS);
            other.to = handset(1).into();
            other.status = Status::Delivered;
            other.is_possible_duplicate = true;
            bench.accepted.push(other);
            bench.receive(0, strange("1", 1));
        }),
        ("more receipts than segments", |bench| {
            bench.receive_all(0, [strange("1", 1), strange("2", 1)]);
        }),
        ("no handset", |bench| {
            let receipt = Receipt {
                handset: None,
                ..strange("1", 1)
            };
            bench.receive(0, receipt);
        }),
    ];
    for (why, befall) in table {
        let mut bench = bench();
        if why == "a receipt older than the submit" {
            bench.receive(0, strange("1", 1));
            bench.advance(1);
        }
        let id = doubt(&mut bench, 1, 1);
        befall(&mut bench);
        let status = bench.status(id);
        assert_eq!(status, Some(Status::Sending), "{why}");
        assert_eq!(matched(&bench), 0, "{why}");
    }
}

#[test]
fn another_message_whose_receipts_are_in_does_not_matter() {
    let mut bench = bench();
    bench.accept_with(2, |message| message.to = handset(1).into());
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["2"]));
    bench.receive(0, delivered("2", 1));
    let id = doubt(&mut bench, 1, 1);
    bench.receive(0, strange("1", 1));
    assert_eq!(bench.status(id), Some(Status::Delivered));
}

#[test]
fn what_may_have_gone_to_a_handset_is_seen_behind_its_mask() {
    let store = MemoryStore::new();
    let to = [
        "+447700900123",
        "+44770090XXXX",
        "+44770091XXXX",
        "+447700900124",
        "+447700900123",
        "+44770090XXXX",
    ];
    let ids: Vec<Id> = (0..6).map(|at| Id::new(START_MS, at, 1)).collect();
    let inserts = ids.iter().zip(to).map(|(&id, to)| {
        Change::Insert(Box::new(Message {
            to: to.into(),
            ..testing::message(id)
        }))
    });
    store.commit(&inserts.collect::<Vec<_>>()).unwrap();
    let found = |limit| {
        let others = find_others(&store, AccountNo(1), to[0], limit).unwrap();
        others.iter().map(|other| other.sid.id).collect::<Vec<_>>()
    };
    assert_eq!(found(9), [ids[5], ids[4], ids[1], ids[0]]);
    assert_eq!(found(3), [ids[5], ids[4], ids[1]]);
}
