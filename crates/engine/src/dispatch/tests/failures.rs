//! Which messages customers are alerted of, how loudly, and when.

use super::*;

/// What was told since the last look.
fn told(bench: &mut Bench) -> Vec<(Id, u32, AlertLevel)> {
    let told = std::mem::take(&mut bench.failures).into_iter();
    told.map(|failure| (failure.message.id, failure.code.code(), failure.level))
        .collect()
}

fn undelivered(id: &str, number: u32) -> Receipt {
    Receipt {
        state: ReceiptState::Undelivered,
        error: Some(ErrorCode::HandsetUnreachable),
        ..delivered(id, number)
    }
}

#[test]
fn what_a_carrier_did_not_want_is_a_warning() {
    let mut bench = Bench::new(UnknownOutcome::Fail);
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, refused(RefusalClass::Fail));
    assert_eq!(told(&mut bench), [(id, 30008, AlertLevel::Warning)]);

    let id = bench.accept(2);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["2"]));
    assert_eq!(told(&mut bench), []);
    bench.receive(0, undelivered("2", 2));
    // A repetition changes nothing.
    bench.receive(0, undelivered("2", 2));
    assert_eq!(told(&mut bench), [(id, 30003, AlertLevel::Warning)]);

    let id = bench.accept(3);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    bench.advance(60 * MINUTE_MS);
    assert_eq!(told(&mut bench), [(id, 30008, AlertLevel::Warning)]);

    bench.accept(4);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["4"]));
    bench.receive(0, delivered("4", 4));
    assert_eq!(told(&mut bench), []);
}

#[test]
fn what_never_left_is_an_error() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    // It found no sender, and is durable as it comes.
    let id = bench.accept_with(1, |message| {
        message.status = Status::Failed;
        message.error = Some(ErrorCode::NoSuitableSender);
        message.sender = None;
    });
    assert_eq!(told(&mut bench), [(id, 21703, AlertLevel::Error)]);
    bench.capacity(0, 0);
    bench.capacity(1, 0);
    let id = bench.accept_with(2, |message| message.deadline_ms = START_MS + 5_000);
    bench.advance(5_000);
    assert_eq!(told(&mut bench), [(id, 30036, AlertLevel::Error)]);
}

#[test]
fn an_alert_waits_until_its_failure_is_on_record() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    // Columns: what the store says, whether it is told. A message may be deleted meanwhile.
    for (number, applied, is_told) in [(1, Applied::Yes, true), (2, Applied::Missing, false)] {
        let id = bench.accept(number);
        let ticket = bench.take_one().ticket;
        bench.applied = applied;
        bench.slow_commits = Some(Vec::new());
        bench.answer(0, ticket, refused(RefusalClass::Fail));
        assert_eq!(told(&mut bench), []);
        let commits = bench.slow_commits.take().unwrap();
        bench.turn(commits);
        let failure = (id, 30008, AlertLevel::Warning);
        let expected: Vec<_> = is_told.then_some(failure).into_iter().collect();
        assert_eq!(told(&mut bench), expected, "{applied:?}");
    }
}
