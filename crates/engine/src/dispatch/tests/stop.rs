//! A polite stop: nothing is handed over any more, and nothing is left unsaid.

use super::*;

#[test]
fn an_intent_that_becomes_durable_while_the_process_stops_is_taken_back() {
    let mut bench = Bench::new(UnknownOutcome::Fail);
    bench.slow_commits = Some(Vec::new());
    let id = bench.accept(1);
    bench.turn(vec![Input::Stop]);
    let commits = bench.slow_commits.replace(Vec::new()).unwrap();
    bench.turn(commits);
    assert_eq!(bench.take_submitted().len(), 0);
    let message = &bench.dispatch.live.get(id).unwrap().message;
    assert!(message.segments.is_empty(), "the intent was taken back");
    // Not before the next start can rely on that.
    assert!(!bench.dispatch.is_quiet());
    let commits = bench.slow_commits.take().unwrap();
    bench.turn(commits);
    assert!(bench.dispatch.is_quiet());
}

#[test]
fn nothing_is_handed_over_once_the_process_stops() {
    for policy in [UnknownOutcome::Resend, UnknownOutcome::Fail] {
        let mut bench = Bench::new(policy);
        bench.turn(vec![Input::Stop]);
        bench.accept(1);
        bench.advance(MINUTE_MS);
        assert_eq!(bench.take_submitted().len(), 0);
        assert!(bench.dispatch.is_quiet());
    }
}
