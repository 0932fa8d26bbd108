//! Long messages of which some segments were reported delivered and the others stay silent: ten
//! minutes later they count as delivered.

use postrider_core::lifecycle::Segments;

use super::*;

#[test]
fn ten_minutes_after_one_delivered_segment_the_silent_ones_count_as_delivered() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept_with(1, |message| message.num_segments = 3);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["s1", "s2", "s3"]));
    bench.receive(0, delivered("s1", 1));
    bench.advance(10 * MINUTE_MS - 1);
    assert_eq!(bench.status(id), Some(Status::Sent));
    bench.advance(1);
    assert_eq!(bench.status(id), Some(Status::Delivered));
}

/// Message 1 of three segments, one of which is delivered, and 50 messages sent after it.
fn sent_long_ago(awaiting_receipt: usize, partly: u32) -> (Bench, Vec<Id>) {
    let limits = DispatchLimits {
        awaiting_receipt,
        ..DispatchLimits::default()
    };
    let route = Route {
        carriers: vec![0],
        ..Route::default()
    };
    let mut bench = Bench::with(UnknownOutcome::Resend, limits, vec![route]);
    let mut ids = Vec::new();
    for number in 0..partly {
        ids.push(bench.accept_with(number, |message| message.num_segments = 3));
        let ticket = bench.take_one().ticket;
        let segments = ["a", "b", "c"].map(|segment| format!("{segment}{number}"));
        bench.answer(
            0,
            ticket,
            accepted(&segments.each_ref().map(String::as_str)),
        );
        bench.receive(0, delivered(&format!("a{number}"), number));
    }
    for number in 100..150 {
        bench.accept(number);
        let ticket = bench.take_one().ticket;
        bench.answer(0, ticket, accepted(&[&format!("x{number}")]));
    }
    (bench, ids)
}

#[test]
fn however_many_are_sent_after_it() {
    let (mut bench, ids) = sent_long_ago(5, 3);
    assert_eq!(bench.dispatch.live.len(), 5 + 3);
    bench.advance(10 * MINUTE_MS);
    for id in ids {
        assert_eq!(bench.status(id), Some(Status::Delivered));
    }
}

#[test]
fn as_many_of_them_are_kept_as_of_others() {
    let (bench, _) = sent_long_ago(5, 20);
    assert_eq!(bench.dispatch.live.len(), 5 + 5);
}

/// A restart forgets who is silent, until something is heard of the message.
#[test]
fn what_comes_back_for_another_receipt_is_waited_for_again() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let message = Message {
        status: Status::Sent,
        num_segments: 3,
        segments: Segments::from_bytes(&[2, 1, 1]),
        ..message(1, START_MS)
    };
    let id = message.sid.id;
    bench.found = Some(Receipted {
        message: Box::new(message),
        segment: 1,
        carrier_id: "s2".into(),
    });
    bench.receive(0, delivered("s2", 1));
    bench.advance(10 * MINUTE_MS - 1);
    assert_eq!(bench.status(id), Some(Status::Sent));
    bench.advance(1);
    assert_eq!(bench.status(id), Some(Status::Delivered));
}
