//! Messages that expire on disk, whatever stands before them in the index of deadlines.

use postrider_core::lifecycle::Segments;

use super::*;

const PAGE: usize = 4;

fn bench() -> Bench {
    let limits = DispatchLimits {
        window: 8,
        page: PAGE,
        ..DispatchLimits::default()
    };
    Bench::with(
        UnknownOutcome::Resend,
        limits,
        vec![Route {
            carriers: vec![0],
            ..Route::default()
        }],
    )
}

/// Backlog of a former process, which the new one begins with.
fn start(bench: &mut Bench, deadlines_s: impl IntoIterator<Item = i64>) {
    for (number, deadline_s) in (0..).zip(deadlines_s) {
        bench.stored.push(Message {
            is_backlog: true,
            deadline_ms: START_MS + deadline_s * 1_000,
            ..message(number, START_MS)
        });
    }
    let senders = vec![SenderNo(1)];
    bench.dispatch.start(None, senders, Vec::new(), START_MS);
    bench.turn(vec![Input::Timer]);
    bench.turn(vec![Input::Timer]);
}

#[test]
fn what_expires_behind_messages_that_are_with_a_carrier_is_found() {
    let mut bench = bench();
    bench.capacity(0, 8);
    // Eight are submitted, eight wait in memory, eight on disk.
    start(&mut bench, [[5; 8], [100; 8], [6; 8]].concat());
    assert_eq!(bench.take_submitted().len(), 8);
    assert_eq!(bench.dispatch.live.len(), 16);
    bench.advance(8_000);
    assert_eq!(bench.records.len(), 8);
    assert!(
        bench
            .records
            .values()
            .all(|(_, error, _)| *error == Some(ErrorCode::ValidityPeriodExpired))
    );
}

#[test]
fn full_pages_are_read_once_and_leave_one_look_a_second() {
    let mut bench = bench();
    bench.capacity(0, 0);
    start(&mut bench, std::iter::repeat_n(5, 100));
    bench.advance(7_000);
    assert_eq!(bench.records.len(), 100);
    bench.looks = 0;
    bench.advance(10_000);
    assert_eq!(bench.looks, 10);
}

#[test]
fn pages_whose_ends_are_not_durable_yet_are_not_read_again_and_again() {
    let mut bench = bench();
    bench.capacity(0, 0);
    start(&mut bench, std::iter::repeat_n(5, 100));
    bench.slow_commits = Some(Vec::new());
    bench.advance(10_000);
    assert!(bench.looks < 50, "{}", bench.looks);
    let commits = bench.slow_commits.take().unwrap();
    bench.turn(commits);
    bench.advance(10_000);
    assert_eq!(bench.records.len(), 100);
}

/// The carrier may have it: that its time is over says nothing.
#[test]
fn what_a_former_process_was_submitting_is_unknown_whichever_read_finds_it() {
    for senders in [vec![], vec![SenderNo(1)]] {
        let mut bench = Bench::new(UnknownOutcome::Fail);
        let message = Message {
            status: Status::Sending,
            segments: Segments::from_bytes(&[0]),
            is_backlog: true,
            deadline_ms: START_MS - 1,
            ..message(1, START_MS)
        };
        let id = message.sid.id;
        bench.stored.push(message);
        bench
            .dispatch
            .start(Some(id), senders, Vec::new(), START_MS);
        bench.turn(vec![Input::Timer]);
        bench.advance(2_000);
        let (status, error, _) = bench.records[&id];
        let end = (Status::Undelivered, Some(ErrorCode::UnknownFailure));
        assert_eq!((status, error), end);
    }
}
