//! What happens, in lines: one row for each behavior, then the links, the notices and the end.

use postrider_core::error_code::ErrorCode;

use super::*;
use crate::contract::{ReceiptState, RefusalClass};
use crate::correlation::canonical;
use crate::simulator::rule::{Behavior, Unanswered};

const HANDSET: &str = "+14155550100";

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

pub(super) fn sender() -> SenderAddress {
    SenderAddress::parse("+14155550999").unwrap()
}

pub(super) fn submission(ticket: u64, to: PhoneNumber, segments: u16) -> Submission {
    Submission {
        ticket: Ticket(ticket),
        from: sender(),
        to,
        body: format!("message {ticket}").into(),
        encoding: Encoding::Gsm7,
        segments,
        deadline_ms: Millis::MAX,
    }
}

/// Receipts after exactly 100 ms, answers at once.
fn config() -> Config {
    Config {
        latency_ms: [100, 100],
        ..Config::default()
    }
}

/// A world, its time, and whether the engine acknowledges.
struct Play {
    world: World,
    now_ms: Millis,
    acknowledges: bool,
}

impl Play {
    fn new(config: &Config) -> Self {
        let mut play = Self {
            world: World::new(config, 1),
            now_ms: 0,
            acknowledges: true,
        };
        assert_eq!(play.at(0), ["capacity 5000 of 1"]);
        play
    }

    fn with_rule(rule: Rule) -> Self {
        let mut play = Self::new(&config());
        play.world.set_rule(rule, 0);
        play
    }

    fn submit(&mut self, ticket: u64, segments: u16) {
        self.world
            .submit(submission(ticket, number(HANDSET), segments), self.now_ms);
    }

    /// What happens up to an instant, one short line each.
    fn at(&mut self, now_ms: Millis) -> Vec<String> {
        self.now_ms = now_ms;
        let mut events = Vec::new();
        self.world.poll(now_ms, &mut events);
        if self.acknowledges {
            acknowledge(&mut self.world, &events);
        }
        events.iter().map(line).collect()
    }

    /// Everything that ever happens, with its instants.
    fn run_out(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(at_ms) = self.world.next_deadline() {
            let at_ms = at_ms.max(self.now_ms);
            lines.extend(
                self.at(at_ms)
                    .into_iter()
                    .map(|line| format!("{at_ms} {line}")),
            );
        }
        lines
    }

    fn bodies(&self) -> Vec<String> {
        self.world
            .handset(number(HANDSET))
            .iter()
            .map(|shown| shown.body.to_string())
            .collect()
    }
}

pub(super) fn acknowledge(world: &mut World, events: &[Event]) {
    for event in events {
        match event {
            Event::Receipt { ack, .. } | Event::Inbound { ack, .. } => world.acknowledge(*ack),
            Event::Outcome { .. } | Event::LateOutcome { .. } | Event::Capacity { .. } => {}
        }
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Outcome { ticket, outcome } => format!("{} {}", ticket.0, outcome_line(outcome)),
        Event::LateOutcome { ticket, outcome } => {
            format!("{} late {}", ticket.0, outcome_line(outcome))
        }
        Event::Receipt { receipt, .. } => {
            let segment = receipt.carrier_id.rsplit('-').next().unwrap();
            match receipt.error {
                None => format!("receipt #{segment} {:?}", receipt.state),
                Some(code) => format!("receipt #{segment} {:?} {code}", receipt.state),
            }
        }
        Event::Inbound { inbound, .. } => {
            let of = inbound
                .concat
                .map(|c| format!(" {}/{}", c.sequence, c.total));
            format!("inbound {:.5}{}", inbound.text, of.unwrap_or_default())
        }
        Event::Capacity { segments, health } => {
            let throttled = if health.is_throttled {
                " throttled"
            } else {
                ""
            };
            format!("capacity {segments} of {}{throttled}", health.links_bound)
        }
    }
}

fn outcome_line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { ids } => format!("accepted {}", ids.len()),
        Outcome::Refused(refusal) => format!("refused {} {:?}", refusal.code, refusal.class),
        Outcome::Throttled => "throttled".to_owned(),
        Outcome::Returned => "returned".to_owned(),
        Outcome::Unknown => "unknown".to_owned(),
    }
}

/// One row for each behavior: what happens to one message, and how often the handset shows it.
#[test]
fn each_behavior_tells_its_story() {
    let refused = Behavior::Rejected {
        code: ErrorCode::MessageFiltered,
        class: RefusalClass::Fail,
    };
    let undelivered = Behavior::Undelivered(ErrorCode::HandsetUnknown);
    for (behavior, delay_ms, expected, shown) in [
        (
            Behavior::Delivered,
            0,
            &["0 1 accepted 1", "100 receipt #1 Delivered"][..],
            1,
        ),
        (
            Behavior::Delivered,
            50,
            &["0 1 accepted 1", "150 receipt #1 Delivered"],
            1,
        ),
        (
            undelivered,
            0,
            &["0 1 accepted 1", "100 receipt #1 Undelivered 30005"],
            0,
        ),
        (refused, 0, &["0 1 refused 30007 Fail"], 0),
        (refused, 50, &["50 1 refused 30007 Fail"], 0),
        (Behavior::LostReceipt, 0, &["0 1 accepted 1"], 1),
        (
            Behavior::EarlyReceipt,
            0,
            &["100 receipt #1 Delivered", "101 1 accepted 1"],
            1,
        ),
        (
            Behavior::DuplicateReceipt,
            0,
            &[
                "0 1 accepted 1",
                "100 receipt #1 Delivered",
                "200 receipt #1 Delivered",
            ],
            1,
        ),
        (
            Behavior::Throttle { per_second: 0 },
            0,
            &[
                "0 capacity 0 of 1 throttled",
                "0 1 throttled",
                "200 capacity 2500 of 1",
                "1200 capacity 5000 of 1",
            ],
            0,
        ),
        (Behavior::Unknown(Unanswered::Lost), 0, &["0 1 unknown"], 0),
        (
            Behavior::Unknown(Unanswered::Lost),
            70,
            &["70 1 unknown"],
            0,
        ),
        (
            Behavior::Unknown(Unanswered::Arrived),
            0,
            &["0 1 unknown", "100 receipt #1 Delivered"],
            1,
        ),
        (
            Behavior::Unknown(Unanswered::AnsweredLate),
            0,
            &[
                "0 1 unknown",
                "100 1 late accepted 1",
                "200 receipt #1 Delivered",
            ],
            1,
        ),
    ] {
        let mut play = Play::with_rule(Rule::new(number(HANDSET), behavior).delayed_by(delay_ms));
        play.submit(1, 1);
        assert_eq!(play.run_out(), expected, "{behavior:?}");
        assert_eq!(play.bodies().len(), shown, "{behavior:?}");
    }
}

#[test]
fn a_disconnect_takes_down_what_is_unanswered() {
    let mut play = Play::new(&Config {
        answer_ms: [10, 10],
        ..config()
    });
    play.submit(1, 1);
    let drops = Behavior::Disconnect { for_ms: 500 };
    play.world
        .set_rule(Rule::new(number(HANDSET), drops).times(1), 0);
    play.now_ms = 5;
    play.submit(2, 1);
    play.submit(3, 1);
    assert_eq!(play.at(10), ["1 accepted 1"]);
    assert_eq!(play.at(15), ["capacity 0 of 0", "3 unknown", "2 unknown"]);
    play.submit(4, 1);
    assert_eq!(play.at(16), ["4 returned"]);
    // The first was accepted, so its receipt only waits for a link.
    assert_eq!(play.at(514), [""; 0]);
    let back = play.at(515);
    assert_eq!(back[..2], ["capacity 5000 of 1", "receipt #1 Delivered"]);
    // Who has no receipt after the drop did not arrive.
    assert_eq!(play.bodies().len(), back.len() - 1);
}

#[test]
fn a_message_shows_once_with_its_segments_and_reports_each() {
    let mut play = Play::new(&Config {
        latency_ms: [0, 1_000],
        ..config()
    });
    play.submit(1, 3);
    assert_eq!(play.at(0), ["1 accepted 3"]);
    let mut receipts = play.run_out();
    let shown = play.world.handset(number(HANDSET));
    assert_eq!(
        (shown.len(), shown[0].segments, &shown[0].from),
        (1, 3, &sender())
    );
    let last = receipts.last().unwrap();
    assert!(
        last.starts_with(&shown[0].received_ms.to_string()),
        "{last}"
    );
    for line in &mut receipts {
        *line = line.split_once(' ').unwrap().1.to_owned();
    }
    receipts.sort();
    assert_eq!(
        receipts,
        [
            "receipt #1 Delivered",
            "receipt #2 Delivered",
            "receipt #3 Delivered"
        ]
    );
}

#[test]
fn a_receipt_says_what_an_smsc_would() {
    let mut world = World::new(&config(), 1);
    let sent_ms = 1_785_542_399_950;
    world.submit(submission(1, number(HANDSET), 1), sent_ms);
    let mut events = Vec::new();
    world.poll(sent_ms + 100, &mut events);
    let [
        Event::Capacity { .. },
        Event::Outcome {
            outcome: Outcome::Accepted { ids },
            ..
        },
        Event::Receipt { receipt, ack },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(*receipt.carrier_id, *ids[0]);
    assert_eq!(receipt.candidates.as_slice(), [canonical(&ids[0])]);
    assert_eq!(receipt.handset, Some(number(HANDSET)));
    assert_eq!(receipt.done_date.as_deref(), Some("2608010000"));
    assert_eq!(
        (receipt.state, &*receipt.detail),
        (ReceiptState::Delivered, "DELIVRD err:000")
    );
    assert_eq!(
        *ack,
        AckToken {
            session: 1,
            sequence: 1
        }
    );
    // Another run on the same store gives other ids, even when its dice are fixed.
    let ids = |process_seed| {
        let mut world = World::new(
            &Config {
                seed: Some(7),
                ..config()
            },
            process_seed,
        );
        world.submit(submission(1, number(HANDSET), 1), 0);
        let mut events = Vec::new();
        world.poll(0, &mut events);
        format!("{:?}", events[1])
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}

#[test]
fn what_is_not_acknowledged_comes_again() {
    let mut play = Play::new(&config());
    play.acknowledges = false;
    play.submit(1, 1);
    play.world
        .reply(number(HANDSET), &sender(), "hello", 100)
        .unwrap();
    assert_eq!(
        play.at(100),
        ["1 accepted 1", "inbound hello", "receipt #1 Delivered"]
    );
    assert_eq!(play.at(10_099), [""; 0]);
    assert_eq!(play.world.next_deadline(), Some(10_100));
    play.acknowledges = true;
    assert_eq!(play.at(10_100), ["inbound hello", "receipt #1 Delivered"]);
    assert_eq!(play.at(100_000), [""; 0]);
    assert_eq!(play.world.next_deadline(), None);
}

#[test]
fn an_acknowledgement_on_a_dead_session_was_never_read() {
    let mut play = Play::new(&config());
    let mut events = Vec::new();
    play.submit(1, 1);
    play.world.poll(100, &mut events);
    play.world.go_down(50, 200);
    acknowledge(&mut play.world, &events);
    assert_eq!(play.at(200), ["capacity 0 of 0"]);
    assert_eq!(play.at(300), ["capacity 5000 of 1", "receipt #1 Delivered"]);
    assert_eq!(play.run_out(), [""; 0]);
}

#[test]
fn a_carrier_with_a_rate_throttles_above_it() {
    let mut play = Play::new(&Config {
        throughput: 2,
        throttle_ms: 1_000,
        ..config()
    });
    for ticket in 1..=4 {
        play.submit(ticket, 1);
    }
    assert_eq!(
        play.at(0),
        [
            "1 accepted 1",
            "2 accepted 1",
            "capacity 0 of 1 throttled",
            "3 throttled",
            "4 throttled"
        ]
    );
    assert_eq!(
        play.at(1_000),
        [
            "receipt #1 Delivered",
            "receipt #2 Delivered",
            "capacity 2500 of 1"
        ]
    );
    play.submit(3, 1);
    play.submit(4, 1);
    assert_eq!(play.at(1_000), ["3 accepted 1", "4 accepted 1"]);
}

#[test]
fn long_replies_come_in_segments_and_to_no_alpha_sender() {
    let mut play = Play::new(&config());
    let from = number(HANDSET);
    play.world
        .reply(from, &sender(), &"x".repeat(161), 0)
        .unwrap();
    play.world.reply(from, &sender(), "", 0).unwrap();
    assert_eq!(
        play.at(0),
        ["inbound xxxxx 1/2", "inbound xxxxx 2/2", "inbound "]
    );
    let alpha = SenderAddress::parse("ACME").unwrap();
    assert_eq!(
        play.world.reply(from, &alpha, "hello", 0),
        Err(ReplyError::AlphaSender)
    );
    let long = "x".repeat(153 * 255 + 1);
    assert_eq!(
        play.world.reply(from, &sender(), &long, 0),
        Err(ReplyError::TooLong { segments: 256 })
    );
}

#[test]
fn a_reply_over_whatsapp_is_one_and_names_its_channel() {
    let mut play = Play::new(&config());
    let to = SenderAddress::parse("whatsapp:+14155550999").unwrap();
    let long = "x".repeat(500);
    play.world.reply(number(HANDSET), &to, &long, 0).unwrap();
    let mut events = Vec::new();
    play.world.poll(0, &mut events);
    let [Event::Inbound { inbound, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*inbound.from, format!("whatsapp:{}", number(HANDSET)));
    assert_eq!(&*inbound.to, "whatsapp:+14155550999");
    assert_eq!(inbound.text.to_string(), *long);
    assert_eq!(inbound.concat, None);
}

#[test]
fn stopping_waits_for_answers_until_the_grace_is_over() {
    for (grace_ms, expected) in [
        (
            50,
            &[
                "0 capacity 0 of 1",
                "0 2 returned",
                "10 1 accepted 1",
                "10 capacity 0 of 0",
            ][..],
        ),
        (
            5,
            &[
                "0 capacity 0 of 1",
                "0 2 returned",
                "5 1 unknown",
                "5 capacity 0 of 0",
            ],
        ),
        (
            0,
            &[
                "0 capacity 0 of 1",
                "0 1 unknown",
                "0 capacity 0 of 0",
                "0 2 returned",
            ],
        ),
    ] {
        let mut play = Play::new(&Config {
            answer_ms: [10, 10],
            ..config()
        });
        play.submit(1, 1);
        play.world.shut_down(grace_ms, 0);
        play.submit(2, 1);
        assert_eq!(play.run_out(), expected);
        assert!(play.world.is_closed());
    }
}

#[test]
fn a_full_carrier_throttles() {
    let mut play = Play::new(&Config {
        latency_ms: [1_000, 1_000],
        ..config()
    });
    for ticket in 0..PENDING_MAX as u64 / 2 {
        play.submit(ticket, 1);
    }
    // A handset's text and a receipt each.
    assert_eq!(play.world.pending(), PENDING_MAX);
    play.world.ready.clear();
    play.submit(u64::MAX, 1);
    assert_eq!(
        play.at(0),
        [
            "capacity 0 of 1 throttled",
            &format!("{} throttled", u64::MAX)
        ]
    );
}
