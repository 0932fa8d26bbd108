//! A disk that stands still: nothing more goes out, nothing more is heard, and all goes on when it
//! mends.

use super::*;

const BATCH: usize = 8;

fn bench(policy: UnknownOutcome) -> Bench {
    let limits = DispatchLimits {
        commits: 2,
        batch: BATCH,
        ..DispatchLimits::default()
    };
    let route = Route {
        carriers: vec![0],
        ..Route::default()
    };
    let mut bench = Bench::with(policy, limits, vec![route]);
    bench.capacity(0, 20);
    bench.capacity(1, 0);
    bench.slow_commits = Some(Vec::new());
    bench
}

/// The carrier answers whatever it was given, as long as it is heard.
fn answer_all(bench: &mut Bench) -> usize {
    let mut count = 0;
    let mut open = Vec::new();
    loop {
        open.extend(bench.take_submitted());
        if open.is_empty() || !bench.dispatch.takes_events() {
            bench.unheard = open;
            return count;
        }
        for (carrier, submission) in std::mem::take(&mut open) {
            if !bench.dispatch.takes_events() {
                open.push((carrier, submission));
                continue;
            }
            count += 1;
            let id = format!("id{}", submission.ticket.0);
            bench.answer(carrier, submission.ticket, accepted(&[&id]));
        }
    }
}

#[test]
fn what_is_sent_and_not_recorded_is_bounded_while_the_disk_stands_still() {
    for policy in [UnknownOutcome::Resend, UnknownOutcome::Fail] {
        let mut bench = bench(policy);
        let messages = (0..1_000).map(|number| message(number, START_MS));
        bench.turn(vec![Input::Accepted(messages.collect())]);
        let answered = answer_all(&mut bench);
        // Two commits and a third that waits; each may be larger by what one turn decided.
        assert!(answered <= 4 * BATCH + 20, "{policy:?}: {answered}");
        bench.advance(30_000);
        assert_eq!(bench.take_submitted().len(), 0, "{policy:?}");
        // The carrier has answered, or waits to be heard; either way it is given nothing more.
        let commits = bench.slow_commits.take().unwrap();
        assert!(commits.len() <= 2);
        bench.turn(commits);
        let unheard = std::mem::take(&mut bench.unheard);
        let unheard = unheard.into_iter();
        let unheard = unheard.map(|(carrier, submission)| (CarrierNo(carrier), submission));
        bench.submitted.extend(unheard);
        answer_all(&mut bench);
        let sent = bench.records.values();
        let sent = sent.filter(|(status, ..)| *status == Status::Sent).count();
        assert_eq!(sent, 1_000, "{policy:?}");
        assert!(bench.dispatch.is_quiet());
    }
}

#[test]
fn what_ends_at_once_is_written_in_commits_of_a_size() {
    let mut bench = bench(UnknownOutcome::Resend);
    bench.capacity(0, 0);
    let messages = (0..1_000).map(|number| Message {
        deadline_ms: START_MS + 1_000,
        ..message(number, START_MS)
    });
    bench.turn(vec![Input::Accepted(messages.collect())]);
    bench.slow_commits = None;
    bench.advance(1_000);
    assert_eq!(bench.records.len(), 1_000);
    assert_eq!(bench.largest_commit, BATCH);
}
