//! Submissions that nobody answered, and processes that died before they could say what they knew.

use super::*;

impl Bench {
    /// A process after one that died: the store holds what that one left.
    fn after_a_crash(policy: UnknownOutcome, left: Vec<Message>) -> Self {
        let mut bench = Self::new(policy);
        bench.stored = left;
        bench.start();
        bench
    }

    fn start(&mut self) {
        let last = self.stored.last().map(|message| message.sid.id);
        let waiting = vec![SenderNo(1)];
        self.dispatch.start(last, waiting, Vec::new(), self.now_ms);
        self.turn(vec![Input::Timer]);
    }

    /// The process dies and another one starts on what is on record of this message.
    fn crash(self, accepted: &Message) -> Self {
        let policy = self.dispatch.carriers[0].policy.unknown_outcome;
        let message = self.on_record(accepted);
        let mut next = Self::new(policy);
        next.now_ms = self.now_ms;
        next.stored = vec![message];
        next.start();
        next
    }

    /// Answers, or fails to answer, the one submission there must be.
    fn swallow(&mut self) {
        let ticket = self.take_one().ticket;
        self.answer(0, ticket, Outcome::Unknown);
    }
}

const UNKNOWN: Option<ErrorCode> = Some(ErrorCode::UnknownFailure);

#[test]
fn a_doubt_outlives_the_process_and_its_message_is_submitted_once_more_after_the_wait() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let accepted_message = message(1, bench.now_ms);
    let id = bench.accept(1);
    bench.swallow();
    let mut bench = bench.crash(&accepted_message);
    bench.advance(MINUTE_MS - 1);
    assert_eq!(bench.take_submitted().len(), 0, "its receipt may come");
    bench.advance(1);
    bench.swallow();
    bench.advance(120 * MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
    assert_eq!(bench.records[&id], (Status::Undelivered, UNKNOWN, true));
}

#[test]
fn what_was_submitted_again_before_a_crash_is_not_submitted_a_third_time() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let accepted_message = message(1, bench.now_ms);
    let id = bench.accept(1);
    bench.swallow();
    bench.slow_commits = Some(Vec::new());
    bench.advance(MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0, "it goes on record first");
    let commits = bench.slow_commits.take().unwrap();
    bench.turn(commits);
    bench.take_one();
    let mut bench = bench.crash(&accepted_message);
    bench.advance(120 * MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
    assert_eq!(bench.records[&id], (Status::Undelivered, UNKNOWN, true));
}

/// Throttled is not taken: only the first submission is in doubt.
#[test]
fn a_second_submission_that_came_back_is_still_owed_after_a_crash() {
    for back in [
        Outcome::Throttled,
        Outcome::Returned,
        refused(RefusalClass::RetrySame),
    ] {
        let mut bench = Bench::new(UnknownOutcome::Resend);
        let accepted_message = message(1, bench.now_ms);
        let id = bench.accept(1);
        bench.swallow();
        bench.advance(MINUTE_MS);
        let ticket = bench.take_one().ticket;
        bench.capacity(0, 0);
        bench.answer(0, ticket, back);
        let mut bench = bench.crash(&accepted_message);
        bench.advance(MINUTE_MS - 1);
        assert_eq!(bench.take_submitted().len(), 0);
        bench.advance(1);
        bench.swallow();
        bench.advance(120 * MINUTE_MS);
        assert_eq!(bench.take_submitted().len(), 0);
        assert_eq!(bench.records[&id], (Status::Undelivered, UNKNOWN, true));
    }
}

/// Nothing tells what the carrier has, and most of a queue was never near it.
#[test]
fn what_has_no_record_of_a_submission_goes_at_once_and_says_that_it_may_be_a_copy() {
    let mut bench = Bench::after_a_crash(UnknownOutcome::Resend, vec![message(1, START_MS)]);
    let id = bench.stored[0].sid.id;
    bench.swallow();
    bench.advance(MINUTE_MS);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["1"]));
    assert_eq!(bench.records[&id], (Status::Sent, None, true));
}

#[test]
fn a_late_refusal_settles_the_doubt() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    let outcome = refused(RefusalClass::RetrySame);
    bench.tell(0, Event::LateOutcome { ticket, outcome });
    bench.advance(5_000);
    bench.swallow();
    bench.advance(MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 1, "the first in doubt");
}

#[test]
fn a_late_answer_that_says_nothing_leaves_the_doubt_its_time() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, Outcome::Unknown);
    let outcome = Outcome::Unknown;
    bench.tell(0, Event::LateOutcome { ticket, outcome });
    bench.advance(MINUTE_MS - 1);
    assert_eq!(bench.take_submitted().len(), 0, "a receipt may come");
    bench.advance(1);
    assert_eq!(bench.take_submitted().len(), 1);
}

#[test]
fn what_expires_before_it_can_be_submitted_again_may_have_arrived() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let deadline_ms = bench.now_ms + 2 * MINUTE_MS;
    let id = bench.accept_with(1, |message| message.deadline_ms = deadline_ms);
    bench.swallow();
    bench.capacity(0, 0);
    bench.advance(2 * MINUTE_MS);
    let expired = Some(ErrorCode::ValidityPeriodExpired);
    assert_eq!(bench.records[&id], (Status::Failed, expired, true));
}

/// A message that a former process may have submitted, or is known to have begun to.
fn left(was_begun: bool) -> Message {
    let mut left = message(1, START_MS);
    left.is_backlog = true;
    left.deadline_ms = START_MS - 1;
    if was_begun {
        left.status = Status::Sending;
        left.attempts = 1;
        left.segments = postrider_core::lifecycle::Segments::from_bytes(&[0]);
    }
    left
}

#[test]
fn what_ends_after_a_crash_says_whether_a_carrier_may_have_it() {
    let expired = Some(ErrorCode::ValidityPeriodExpired);
    // Columns: was it on record that it is being submitted, and what the carrier's policy is.
    for (was_begun, policy, record) in [
        (
            false,
            UnknownOutcome::Resend,
            (Status::Failed, expired, true),
        ),
        (
            true,
            UnknownOutcome::Resend,
            (Status::Failed, expired, true),
        ),
        (
            false,
            UnknownOutcome::Fail,
            (Status::Failed, expired, false),
        ),
        (
            true,
            UnknownOutcome::Fail,
            (Status::Undelivered, UNKNOWN, false),
        ),
    ] {
        let mut bench = Bench::new(policy);
        // It is not this carrier's policy that counts.
        bench.dispatch.carriers[0].policy.unknown_outcome = match policy {
            UnknownOutcome::Fail => UnknownOutcome::Resend,
            UnknownOutcome::Resend => UnknownOutcome::Fail,
        };
        bench.dispatch.routes = Arc::new(Routes(vec![Route {
            carriers: vec![1],
            ..Route::default()
        }]));
        bench.capacity(1, 0);
        bench.stored = vec![left(was_begun)];
        let id = bench.stored[0].sid.id;
        // It waits beyond the window: the index of deadlines finds it.
        bench
            .dispatch
            .start(Some(id), Vec::new(), Vec::new(), START_MS);
        bench.turn(vec![Input::Timer]);
        bench.advance(1_000);
        assert_eq!(bench.records[&id], record, "{was_begun} {policy:?}");
    }
}
