//! What must hold whatever the rules say and whenever the links drop.

use std::collections::{BTreeMap, BTreeSet};

use postrider_core::error_code::ErrorCode;
use proptest::prelude::*;

use super::tests::{acknowledge, sender, submission};
use super::*;
use crate::contract::RefusalClass;
use crate::simulator::recipients::Recipients;
use crate::simulator::rule::{Behavior, Unanswered};

fn behaviors() -> impl Strategy<Value = Behavior> {
    prop_oneof![
        Just(Behavior::Delivered),
        Just(Behavior::Undelivered(ErrorCode::HandsetUnknown)),
        Just(Behavior::Rejected {
            code: ErrorCode::MessageFiltered,
            class: RefusalClass::Fail
        }),
        Just(Behavior::LostReceipt),
        Just(Behavior::EarlyReceipt),
        Just(Behavior::DuplicateReceipt),
        (0..3_u32).prop_map(|per_second| Behavior::Throttle { per_second }),
        prop_oneof![
            Just(Unanswered::Lost),
            Just(Unanswered::Arrived),
            Just(Unanswered::AnsweredLate)
        ]
        .prop_map(Behavior::Unknown),
        (0..500_u32).prop_map(|for_ms| Behavior::Disconnect { for_ms }),
    ]
}

/// Something the engine or an operator does.
#[derive(Clone, Debug)]
enum Step {
    Rule {
        line: Option<u64>,
        behavior: Behavior,
        delay_ms: u32,
        times: Option<u32>,
    },
    Submit {
        line: u64,
        segments: u16,
    },
    Reply {
        line: u64,
    },
    Down {
        for_ms: u32,
    },
    Wait {
        ms: Millis,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rule = (
        proptest::option::of(0..4_u64),
        behaviors(),
        prop_oneof![Just(0), 0..300_u32],
        proptest::option::of(0..3_u32),
    );
    let step = prop_oneof![
        2 => rule.prop_map(|(line, behavior, delay_ms, times)| {
            Step::Rule { line, behavior, delay_ms, times }
        }),
        8 => (0..4_u64, 0..4_u16).prop_map(|(line, segments)| Step::Submit { line, segments }),
        1 => (0..4_u64).prop_map(|line| Step::Reply { line }),
        1 => (0..300_u32).prop_map(|for_ms| Step::Down { for_ms }),
        4 => (0..400_i64).prop_map(|ms| Step::Wait { ms }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Plays the steps on a world and gives all events. Each is acknowledged as soon as it is seen.
fn play(config: &Config, seed: u64, steps: &[Step]) -> Vec<Event> {
    let handset = |line| PhoneNumber::from_digits(14_155_550_100 + line).unwrap();
    let mut world = World::new(config, seed);
    let mut now_ms = 0;
    let mut all = Vec::new();
    let mut ticket = 0;
    let mut poll = |world: &mut World, now_ms| {
        let mut events = Vec::new();
        world.poll(now_ms, &mut events);
        acknowledge(world, &events);
        all.append(&mut events);
    };
    for step in steps {
        match *step {
            Step::Rule {
                line,
                behavior,
                delay_ms,
                times,
            } => {
                let to = line.map_or(Recipients::All, |line| Recipients::One(handset(line)));
                world.set_rule(
                    Rule {
                        to,
                        behavior,
                        delay_ms,
                        times,
                    },
                    now_ms,
                );
            }
            Step::Submit { line, segments } => {
                ticket += 1;
                world.submit(submission(ticket, handset(line), segments), now_ms);
            }
            Step::Reply { line } => {
                world
                    .reply(handset(line), &sender(), "hello", now_ms)
                    .unwrap();
            }
            Step::Down { for_ms } => world.go_down(for_ms, now_ms),
            Step::Wait { ms } => {
                now_ms += ms;
                poll(&mut world, now_ms);
            }
        }
    }
    while let Some(at_ms) = world.next_deadline() {
        now_ms = now_ms.max(at_ms);
        poll(&mut world, now_ms);
    }
    all
}

proptest! {
    #[test]
    fn each_ticket_has_one_outcome_and_each_segment_one_receipt(
        steps in steps(),
        seed in any::<u64>(),
        answer_ms in 0..50_u32,
    ) {
        let config = Config { answer_ms: [0, answer_ms], ..Config::default() };
        let events = play(&config, seed, &steps);

        let submitted = steps.iter().filter(|step| matches!(step, Step::Submit { .. })).count();
        let mut outcomes: BTreeMap<Ticket, &Outcome> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let mut receipts: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &events {
            match event {
                Event::Outcome { ticket, outcome } => {
                    prop_assert!(outcomes.insert(*ticket, outcome).is_none(), "{ticket:?} twice");
                }
                Event::LateOutcome { ticket, .. } => {
                    prop_assert_eq!(outcomes.get(ticket), Some(&&Outcome::Unknown));
                }
                Event::Receipt { receipt, .. } => {
                    *receipts.entry(&receipt.carrier_id).or_default() += 1;
                }
                Event::Inbound { .. } | Event::Capacity { .. } => {}
            }
            if let Event::Outcome { outcome: Outcome::Accepted { ids: given }, .. }
            | Event::LateOutcome { outcome: Outcome::Accepted { ids: given }, .. } = event
            {
                for id in given {
                    prop_assert!(ids.insert(id.clone()), "id {id} twice");
                }
            }
        }
        prop_assert_eq!(outcomes.len(), submitted);
        prop_assert!(outcomes.keys().map(|ticket| ticket.0).eq(1..=submitted as u64));

        // What was under way when the links dropped comes again, acknowledged too late.
        let drops = steps.iter().any(|step| {
            matches!(
                step,
                Step::Down { .. } | Step::Rule { behavior: Behavior::Disconnect { .. }, .. }
            )
        });
        let may_repeat = steps.iter().any(|step| {
            matches!(step, Step::Rule { behavior: Behavior::DuplicateReceipt, .. })
        });
        let most = if may_repeat { 2 } else { 1 };
        prop_assert!(drops || receipts.values().all(|&count| count <= most), "{receipts:?}");
        if !steps.iter().any(|step| matches!(step, Step::Rule { .. } | Step::Down { .. })) {
            prop_assert!(ids.iter().all(|id| receipts.contains_key(&**id)));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_events(steps in steps(), seed in any::<u64>()) {
        let odds = Odds { unknown: 0.1, early_receipt: 0.1, disconnect: 0.05, ..Odds::default() };
        let config = Config { odds, answer_ms: [0, 20], ..Config::default() };
        let first = play(&config, seed, &steps);
        let second = play(&config, seed, &steps);
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
    }
}
