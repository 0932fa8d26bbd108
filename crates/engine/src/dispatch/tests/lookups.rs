//! Receipts of messages that memory does not know: how many may wait for the store.

use postrider_store::RawReason;

use super::*;

/// A carrier brings receipts for what somebody else has sent over its account.
#[test]
fn a_carrier_with_unknown_receipts_stops_no_other() {
    let limits = DispatchLimits {
        lookups: 10,
        ..DispatchLimits::default()
    };
    let route = Route {
        carriers: vec![1],
        ..Route::default()
    };
    let mut bench = Bench::with(UnknownOutcome::Resend, limits, vec![route]);
    bench.slow_finds = Some(Vec::new());
    for number in 0..30 {
        let strange = Receipt {
            is_understood: number % 2 == 0,
            ..delivered(&format!("strange{number}"), number)
        };
        bench.receive(0, strange);
    }
    assert_eq!(bench.declined, [0; 20]);
    assert_eq!(bench.kept.len(), 5, "those that come again are kept then");
    assert!(bench.dispatch.takes_events());
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(1, ticket, accepted(&["1"]));
    bench.receive(1, delivered("1", 1));
    assert_eq!(bench.status(id), Some(Status::Delivered));
    bench.receive(1, delivered("early", 2));
    assert_eq!(bench.declined.len(), 20);

    let finds = bench.slow_finds.take().unwrap();
    let found = |load| Input::Found { load, found: None };
    bench.turn(finds.into_iter().map(found).collect());
    assert_eq!(bench.acknowledged, 10 + 1 + 1);
    for number in 10..20 {
        bench.receive(0, delivered(&format!("strange{number}"), number));
    }
    assert_eq!(bench.declined.len(), 20);
    assert_eq!(bench.acknowledged, 20 + 1 + 1);
    let unmatched = |receipt: &&RawReceipt| receipt.why == RawReason::Unmatched;
    assert_eq!(bench.kept.iter().filter(unmatched).count(), 5 + 1 + 10);
}
