//! One property over random lives: each submission gets exactly one outcome, whatever the peer does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// One step in the life of a session.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        length: u16,
    },
    /// Hand the output to the socket.
    Write,
    /// Answer some submit that was written, or one long gone.
    Answer {
        which: prop::sample::Index,
        status: u32,
    },
    Nack {
        which: prop::sample::Index,
    },
    Pass {
        ms: i64,
    },
    Deliver,
    Noise {
        octets: Vec<u8>,
    },
    PeerUnbind,
    Stop,
    Lose,
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        6 => Just(0),
        1 => prop::sample::select(vec![0x0B, 0x08, 0x58, 0x14, 0x62, 0xC1, 0x104, 0x04, 0x999]),
    ];
    prop_oneof![
        8 => (1_u16..900).prop_map(|length| Step::Submit { length }),
        6 => Just(Step::Write),
        10 => (any::<prop::sample::Index>(), status)
            .prop_map(|(which, status)| Step::Answer { which, status }),
        1 => any::<prop::sample::Index>().prop_map(|which| Step::Nack { which }),
        4 => (0_i64..40_000).prop_map(|ms| Step::Pass { ms }),
        2 => Just(Step::Deliver),
        1 => prop::collection::vec(any::<u8>(), 1..30).prop_map(|octets| {
            Step::Noise { octets: pdu_octets(CommandId::DELIVER_SM, 0, 4, &octets) }
        }),
        1 => Just(Step::PeerUnbind),
        1 => Just(Step::Stop),
        1 => Just(Step::Lose),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_submission_has_exactly_one_outcome(
        steps in prop::collection::vec(step(), 1..80),
        window in 1_u32..6,
        throughput in prop::sample::select(vec![0, 1, 50]),
        has_extras in any::<bool>(),
    ) {
        let mut bench = Bench::bound(|config| {
            config.window = window;
            config.session_throughput = throughput;
            if has_extras {
                config.validity_period = ValidityForm::Absolute;
                config.more_messages_to_send = true;
            }
        });
        let mut submits: Vec<Written> = Vec::new();
        let mut outcomes: BTreeMap<u64, Outcome> = BTreeMap::new();
        let mut late: BTreeMap<u64, Outcome> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Submit { length } => {
                    bench.submit(&"a".repeat(length.into()));
                }
                Step::Write => submits.extend(bench.submits()),
                Step::Answer { which, status } if !submits.is_empty() => {
                    let submit = submits[which.index(submits.len())].clone();
                    if status == 0 { bench.answer(&submit, "id") } else { bench.refuse(&submit, status) }
                }
                Step::Nack { which } if !submits.is_empty() => {
                    let sequence = submits[which.index(submits.len())].sequence;
                    bench.receive(CommandId::GENERIC_NACK, 0x08, sequence, b"");
                }
                Step::Answer { .. } | Step::Nack { .. } => {}
                Step::Pass { ms } => bench.pass(ms),
                Step::Deliver => bench.receive_delivery(4, b"id:1 stat:DELIVRD", 3),
                Step::Noise { octets } => {
                    let now_ms = bench.now_ms;
                    bench.session.on_bytes(&octets, now_ms, &mut bench.events);
                }
                Step::PeerUnbind => bench.receive(CommandId::UNBIND, 0, 2, b""),
                Step::Stop => {
                    let (deadline_ms, now_ms) = (bench.now_ms + 10_000, bench.now_ms);
                    bench.session.stop(deadline_ms, now_ms, &mut bench.events);
                }
                Step::Lose => bench.session.lost(&mut bench.events),
            }
            prop_assert!(bench.session.in_flight() <= window);
            collect(&mut bench, &mut outcomes, &mut late)?;
        }
        bench.session.lost(&mut bench.events);
        collect(&mut bench, &mut outcomes, &mut late)?;
        let answered: Vec<u64> = outcomes.keys().copied().collect();
        let expected: Vec<u64> = (1..=bench.next_ticket).collect();
        prop_assert_eq!(answered, expected);
        for ticket in late.keys() {
            prop_assert_eq!(&outcomes[ticket], &Outcome::Unknown);
        }
        prop_assert_eq!(bench.session.next_deadline(bench.now_ms), None);
    }
}

fn collect(
    bench: &mut Bench,
    outcomes: &mut BTreeMap<u64, Outcome>,
    late: &mut BTreeMap<u64, Outcome>,
) -> Result<(), TestCaseError> {
    for event in bench.events() {
        match event {
            Event::Carrier(CarrierEvent::Outcome { ticket, outcome }) => {
                prop_assert_eq!(outcomes.insert(ticket.0, outcome), None);
            }
            Event::Carrier(CarrierEvent::LateOutcome { ticket, outcome }) => {
                prop_assert_eq!(late.insert(ticket.0, outcome), None);
            }
            Event::Carrier(_) | Event::Alarm(_) | Event::Bound { .. } | Event::Closed(_) => {}
        }
    }
    Ok(())
}
