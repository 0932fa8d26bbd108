//! Receipts whose ids mean several messages, on a carrier that nobody said anything about.

use postrider_store::RawReason;

use super::*;
use crate::metrics::MatchLabel;

fn bench() -> Bench {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.dispatch.start(None, Vec::new(), Vec::new(), START_MS);
    bench
}

/// Submits a message to the handset of `number`, which the carrier answers with this id.
fn submit(bench: &mut Bench, message: u32, number: u32, id: &str) -> Id {
    let accepted_id = bench.accept_with(message, |message| message.to = handset(number).into());
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&[id]));
    accepted_id
}

fn matched(bench: &Bench, reading: &'static str) -> u64 {
    let label = MatchLabel {
        carrier: "a".to_owned(),
        reading,
    };
    let metrics = &bench.dispatch.metrics;
    metrics.receipts_matched.get_or_create(&label).get()
}

#[test]
fn an_early_receipt_is_not_about_whoever_has_its_number_for_an_id() {
    let mut bench = bench();
    let other = submit(&mut bench, 1, 1, "27");
    bench.accept(2);
    let ticket = bench.take_one().ticket;
    bench.receive(0, delivered("27", 2));
    bench.advance(5 * MINUTE_MS);
    assert_eq!(bench.status(other), Some(Status::Sent));
    // 27 is 1b.
    bench.answer(0, ticket, accepted(&["1b"]));
    assert_eq!(bench.status(other), Some(Status::Sent));
    assert_eq!(matched(&bench, "dec_to_hex"), 1);
    assert_eq!(matched(&bench, "id_alone"), 0);
}

#[test]
fn between_messages_to_one_handset_the_carriers_habit_decides() {
    for (has_habit, delivered_at) in [(true, 0), (false, 1)] {
        let mut bench = bench();
        if has_habit {
            submit(&mut bench, 1, 1, "ff");
            bench.receive(0, delivered("255", 1));
        }
        let ids = [
            submit(&mut bench, 2, 2, "a"),
            submit(&mut bench, 3, 2, "10"),
        ];
        bench.receive(0, delivered("10", 2));
        let other = 1 - delivered_at;
        assert_eq!(bench.status(ids[delivered_at]), Some(Status::Delivered));
        assert_eq!(bench.status(ids[other]), Some(Status::Sent));
        assert_eq!(matched(&bench, "ambiguous"), 1);
    }
}

#[test]
fn what_speaks_against_the_habit_waits_while_its_handset_is_owed_an_answer() {
    for is_owed in [true, false] {
        let mut bench = bench();
        submit(&mut bench, 1, 1, "ff");
        bench.receive(0, delivered("255", 1));
        let id = submit(&mut bench, 2, 2, "10");
        // Its answer may be "a", which is 10.
        let number = if is_owed { 2 } else { 3 };
        bench.accept_with(3, |message| message.to = handset(number).into());
        bench.take_one();
        bench.receive(0, delivered("10", 2));
        let at_once = [Status::Delivered, Status::Sent][usize::from(is_owed)];
        assert_eq!(bench.status(id), Some(at_once));
        bench.advance(2 * MINUTE_MS);
        assert_eq!(bench.status(id), Some(Status::Delivered));
    }
}

#[test]
fn where_handsets_never_agree_the_id_has_to_do() {
    let mut bench = bench();
    let ids: Vec<Id> = (1..=4)
        .map(|number| submit(&mut bench, number, number, &format!("100{number}")))
        .collect();
    for number in 1..=2 {
        bench.receive(0, delivered(&format!("100{number}"), 99));
    }
    bench.advance(3 * MINUTE_MS);
    assert_eq!(bench.status(ids[0]), Some(Status::Sent), "may be chance");
    bench.receive(0, delivered("1003", 99));
    bench.advance(MINUTE_MS);
    bench.receive(0, delivered("1004", 99));
    for id in ids {
        assert_eq!(bench.status(id), Some(Status::Delivered));
    }
    assert_eq!(matched(&bench, "id_alone"), 4);
}

#[test]
fn two_guesses_are_none() {
    let mut bench = bench();
    // 16 read as decimal is 10; read as hexadecimal it is 22.
    let ids = [
        submit(&mut bench, 1, 1, "10"),
        submit(&mut bench, 2, 1, "22"),
    ];
    bench.receive(0, delivered("16", 1));
    bench.advance(5 * MINUTE_MS);
    for id in ids {
        assert_eq!(bench.status(id), Some(Status::Sent));
    }
}

#[test]
fn what_is_strange_is_kept_as_it_came() {
    let plain = || delivered("ff-1", 1);
    let no_id = Receipt {
        candidates: smallvec![],
        ..plain()
    };
    let not_understood = Receipt {
        is_understood: false,
        ..plain()
    };
    for (receipt, is_known, keeps_all, expected) in [
        (plain(), true, false, None),
        (plain(), true, true, Some(RawReason::Asked)),
        (plain(), false, false, Some(RawReason::Unmatched)),
        (plain(), false, true, Some(RawReason::Asked)),
        (no_id, true, false, Some(RawReason::NoId)),
        (
            not_understood.clone(),
            true,
            false,
            Some(RawReason::NotUnderstood),
        ),
        (not_understood, false, false, Some(RawReason::NotUnderstood)),
    ] {
        let mut bench = bench();
        bench.dispatch.carriers[0].policy.keep_receipts = keeps_all;
        submit(&mut bench, 1, 1, if is_known { "ff-1" } else { "ff-2" });
        bench.receive(0, receipt);
        bench.advance(3 * MINUTE_MS);
        let kept = |raw: &RawReceipt| (&*raw.carrier == "a").then_some(raw.why);
        let kept: Vec<_> = bench.kept.iter().map(kept).collect();
        assert_eq!(kept, Vec::from_iter(expected.map(Some)), "{expected:?}");
        assert!(bench.kept.iter().all(|raw| *raw.octets == *b"receipt ff-1"));
    }
}
