//! The watchdog and sessions: what a stuck one owes is settled, and no sound one is taken for stuck.

use proptest::prelude::*;

use super::*;
use crate::smpp::watchdog::{Duty, Watchdog};

#[test]
fn a_session_that_is_given_up_answers_for_all_it_has() {
    let mut bench = Bench::bound(|config| config.window = 2);
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.submit(&"a".repeat(153 * 3));
    assert!(bench.session.has_unwritten(bench.now_ms));
    assert_eq!(bench.session.submits(), 2);
    bench.answer(&submit, "1");
    assert_eq!(bench.session.submits(), 3);
    assert_eq!(bench.outcomes(), [(1, accepted(&["1"]))]);
    bench.submits();

    bench.session.stuck(&mut bench.events);
    let is_closed = |event: &Event| matches!(event, Event::Closed(CloseReason::Stuck));
    assert!(bench.events.iter().any(is_closed));
    assert_eq!(bench.outcomes(), [(2, Outcome::Unknown)]);
}

/// What the peer does before some time passes.
#[derive(Clone, Debug)]
struct Turn {
    /// The submit that is answered, if any, and how.
    answer: Option<(prop::sample::Index, u32)>,
    seconds: u32,
    length: u16,
}

fn turn() -> impl Strategy<Value = Turn> {
    let status = prop::sample::select(vec![0, 0, 0, 0x0B, 0x14, 0x58]);
    let answer = prop::option::weighted(0.8, (any::<prop::sample::Index>(), status));
    (answer, 0_u32..40, 1_u16..900).prop_map(|(answer, seconds, length)| Turn {
        answer,
        seconds,
        length,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_session_that_always_has_work_is_never_stuck(
        turns in prop::collection::vec(turn(), 1..60),
        window in 1_u32..4,
        throughput in prop::sample::select(vec![0, 1, 50]),
    ) {
        let mut bench = Bench::bound(|config| {
            config.window = window;
            config.session_throughput = throughput;
        });
        let mut watchdog = Watchdog::new(bench.session.setup.settings.response_timeout_ms);
        let mut open: Vec<Written> = Vec::new();
        for turn in turns {
            if let Some((which, status)) = turn.answer && !open.is_empty() {
                let submit = open.swap_remove(which.index(open.len()));
                if status == 0 { bench.answer(&submit, "id") } else { bench.refuse(&submit, status) }
            }
            for _ in 0..=turn.seconds {
                bench.pass(1_000);
                // A peer that answers enquiries and reads, so the link looks well.
                for pdu in bench.written() {
                    match pdu.command_id {
                        CommandId::SUBMIT_SM => open.push(pdu),
                        CommandId::ENQUIRE_LINK => {
                            bench.receive(CommandId::ENQUIRE_LINK_RESP, 0, pdu.sequence, b"");
                        }
                        _ => {}
                    }
                }
                let now_ms = bench.now_ms;
                while bench.session.readiness(now_ms) == Readiness::Now {
                    bench.submit(&"a".repeat(turn.length.into()));
                }
                let is_held_back = matches!(bench.session.readiness(now_ms), Readiness::At(_))
                    || !bench.session.is_transmitting()
                    || bench.session.is_throttled(now_ms);
                let duty = if is_held_back { Duty::None } else { Duty::Submit };
                let submits = bench.session.submits();
                prop_assert!(!watchdog.is_stuck(duty, submits, now_ms));
            }
        }
    }
}
