//! Sessions against a scripted peer, on virtual time; and one property over random lives.

use std::collections::BTreeMap;

use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::text::count_segments;
use proptest::prelude::*;

use super::*;
use crate::contract::{Event as CarrierEvent, Refusal, Ticket};
use crate::smpp::config::{Config, FixedTlv, RequestReceipts};
use crate::smpp::pdu::CommandId;
use crate::smpp::tlv::Tlvs;
use crate::smpp::validity_period::ValidityForm;
use crate::smpp::wire_text::LongMessages;

/// One PDU that the session wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Written {
    command_id: CommandId,
    status: u32,
    sequence: u32,
    octets: Vec<u8>,
}

impl Written {
    fn message(&self) -> ShortMessage<'_> {
        let Cut::Frame { frame, .. } = cut(&self.octets) else {
            panic!("{self:?}")
        };
        match decode(&frame).pdu {
            Pdu::SubmitSm(message) => message,
            other => panic!("{other:?}"),
        }
    }
}

/// A session, its clock, and both ends of its wire.
struct Bench {
    session: Session,
    now_ms: i64,
    events: Vec<Event>,
    next_ticket: u64,
}

impl Bench {
    fn binding(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            name: "acme".into(),
            host: "smsc".into(),
            system_id: "user".into(),
            window: 3,
            ..Config::default()
        };
        change(&mut config);
        let setup = Setup {
            settings: Arc::new(config.compile().unwrap()),
            mode: config.bind.modes()[0],
            number: 77,
            references: Arc::new(References::new(7)),
            seed: 7,
        };
        let now_ms = 1_000_000;
        let session = Session::new(setup, now_ms);
        Self {
            session,
            now_ms,
            events: Vec::new(),
            next_ticket: 0,
        }
    }

    fn bound(change: impl FnOnce(&mut Config)) -> Self {
        let mut bench = Self::binding(change);
        let bind = bench.written();
        assert_eq!(bind.len(), 1);
        bench.receive(
            CommandId(bind[0].command_id.0).response(),
            0,
            bind[0].sequence,
            b"smsc\0",
        );
        let events = bench.events();
        assert!(matches!(&events[..], [Event::Bound { system_id, .. }] if &**system_id == "smsc"));
        bench
    }

    fn receive(&mut self, command_id: CommandId, status: u32, sequence: u32, body: &[u8]) {
        let octets = pdu_octets(command_id, status, sequence, body);
        self.session
            .on_bytes(&octets, self.now_ms, &mut self.events);
    }

    fn receive_delivery(&mut self, esm_class: u8, text: &[u8], sequence: u32) {
        let message = ShortMessage {
            source: Address {
                ton: 1,
                npi: 1,
                octets: b"447700900123",
            },
            destination: Address {
                ton: 3,
                npi: 0,
                octets: b"55501",
            },
            esm_class,
            short_message: text,
            ..ShortMessage::default()
        };
        let mut octets = Vec::new();
        encode(
            &mut octets,
            CommandStatus::OK,
            sequence,
            &Pdu::DeliverSm(message),
        )
        .unwrap();
        self.session
            .on_bytes(&octets, self.now_ms, &mut self.events);
    }

    fn answer(&mut self, submit: &Written, id: &str) {
        let body = [id.as_bytes(), b"\0"].concat();
        self.receive(CommandId::SUBMIT_SM_RESP, 0, submit.sequence, &body);
    }

    fn refuse(&mut self, submit: &Written, status: u32) {
        self.receive(CommandId::SUBMIT_SM_RESP, status, submit.sequence, b"");
    }

    fn submit(&mut self, body: &str) -> u64 {
        self.next_ticket += 1;
        let count = count_segments(body);
        let submission = Submission {
            ticket: Ticket(self.next_ticket),
            from: SenderAddress::Number(PhoneNumber::parse("+14155550101").unwrap()),
            to: PhoneNumber::parse("+447700900123").unwrap(),
            body: body.into(),
            encoding: count.encoding,
            segments: count.segments,
            deadline_ms: self.now_ms + 4 * 3_600_000,
        };
        self.session
            .submit(submission, self.now_ms, &mut self.events);
        self.next_ticket
    }

    /// Lets time pass, with every deadline met on the way.
    fn pass(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while let Some(deadline_ms) = self.session.next_deadline(self.now_ms)
            && deadline_ms <= until_ms
        {
            assert!(deadline_ms > self.now_ms || !self.session.is_closed());
            self.now_ms = self.now_ms.max(deadline_ms);
            let before = self.events.len();
            self.session.poll(self.now_ms, &mut self.events);
            let is_stuck = before == self.events.len()
                && self.session.next_deadline(self.now_ms) == Some(deadline_ms)
                && deadline_ms < self.now_ms;
            assert!(!is_stuck, "a deadline that never goes away");
            if self
                .session
                .next_deadline(self.now_ms)
                .is_some_and(|next| next <= self.now_ms)
            {
                self.now_ms += 1;
            }
        }
        self.now_ms = self.now_ms.max(until_ms);
        self.session.poll(self.now_ms, &mut self.events);
    }

    fn written(&mut self) -> Vec<Written> {
        let mut out = Vec::new();
        self.session.take_output(self.now_ms, &mut out);
        let mut rest = &out[..];
        let mut pdus = Vec::new();
        while !rest.is_empty() {
            let Cut::Frame { frame, length } = cut(rest) else {
                panic!("{rest:?}")
            };
            pdus.push(Written {
                command_id: frame.header.command_id,
                status: frame.header.status.0,
                sequence: frame.header.sequence,
                octets: frame.octets.to_vec(),
            });
            rest = &rest[length..];
        }
        pdus
    }

    fn submits(&mut self) -> Vec<Written> {
        self.written()
            .into_iter()
            .filter(|w| w.command_id == CommandId::SUBMIT_SM)
            .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn outcomes(&mut self) -> Vec<(u64, Outcome)> {
        let events = self.events();
        let outcomes = events.into_iter().filter_map(|event| match event {
            Event::Carrier(CarrierEvent::Outcome { ticket, outcome }) => Some((ticket.0, outcome)),
            _ => None,
        });
        outcomes.collect()
    }

    fn late_outcomes(&mut self) -> Vec<(u64, Outcome)> {
        let events = self.events();
        let outcomes = events.into_iter().filter_map(|event| match event {
            Event::Carrier(CarrierEvent::LateOutcome { ticket, outcome }) => {
                Some((ticket.0, outcome))
            }
            _ => None,
        });
        outcomes.collect()
    }

    fn closed(&mut self) -> Option<CloseReason> {
        self.events().into_iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }
}

fn pdu_octets(command_id: CommandId, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let words = [length, command_id.0, status, sequence];
    let mut octets: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    octets.extend_from_slice(body);
    octets
}

fn accepted(ids: &[&str]) -> Outcome {
    Outcome::Accepted {
        ids: ids.iter().map(|id| Box::from(*id)).collect(),
    }
}

fn refusal(outcome: &Outcome) -> &Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bind_says_who_we_are_and_a_submit_says_what_we_want() {
    let mut bench = Bench::binding(|_| {});
    let bind = bench.written().remove(0);
    assert_eq!(bind.command_id, CommandId::BIND_TRANSCEIVER);
    assert_eq!(&bind.octets[16..], b"user\0\0\0\x34\0\0\0");
    bench.receive(CommandId::BIND_TRANSCEIVER_RESP, 0, bind.sequence, b"");
    assert!(bench.session.is_bound());

    let ticket = bench.submit("hello");
    let submit = bench.submits().remove(0);
    let message = submit.message();
    assert_eq!(
        message.source,
        Address {
            ton: 1,
            npi: 1,
            octets: b"14155550101"
        }
    );
    assert_eq!(
        message.destination,
        Address {
            ton: 1,
            npi: 1,
            octets: b"447700900123"
        }
    );
    assert_eq!(
        (message.registered_delivery, message.validity_period),
        (1, &b""[..])
    );
    assert_eq!(
        (message.short_message, message.data_coding),
        (&b"hello"[..], 0)
    );
    bench.answer(&submit, "abc");
    assert_eq!(bench.outcomes(), [(ticket, accepted(&["abc"]))]);
}

#[test]
fn a_delivery_before_the_bind_response_is_answered_not_an_error() {
    let mut bench = Bench::binding(|_| {});
    let bind = bench.written().remove(0);
    bench.receive_delivery(4, b"id:1 stat:DELIVRD", 9);
    let events = bench.events();
    let [Event::Carrier(CarrierEvent::Receipt { ack, .. })] = &events[..] else {
        panic!("{events:?}");
    };
    bench.session.acknowledge(*ack);
    let answer = bench.written().remove(0);
    assert_eq!(
        (answer.command_id, answer.sequence),
        (CommandId::DELIVER_SM_RESP, 9)
    );
    bench.receive(CommandId::BIND_TRANSCEIVER_RESP, 0, bind.sequence, b"x\0");
    assert!(bench.session.is_bound());
}

#[test]
fn a_bind_without_answer_or_with_a_refusal_closes() {
    let mut bench = Bench::binding(|_| {});
    bench.pass(14_999);
    assert_eq!(bench.closed(), None);
    bench.pass(1);
    assert_eq!(bench.closed(), Some(CloseReason::BindTimeout));

    for (command_id, status) in [
        (CommandId::BIND_TRANSCEIVER_RESP, 0x0E),
        (CommandId::GENERIC_NACK, 0x05),
    ] {
        let mut bench = Bench::binding(|_| {});
        bench.receive(command_id, status, 1, b"");
        assert_eq!(
            bench.closed(),
            Some(CloseReason::BindRefused(CommandStatus(status)))
        );
    }
}

#[test]
fn deliveries_are_answered_only_when_acknowledged() {
    let mut bench = Bench::bound(|_| {});
    bench.receive_delivery(4, b"id:1 stat:DELIVRD", 5);
    bench.receive_delivery(0, b"hi there", 6);
    assert_eq!(bench.written(), []);
    let events = bench.events();
    let [
        Event::Carrier(CarrierEvent::Receipt {
            receipt,
            ack: first,
        }),
        Event::Carrier(CarrierEvent::Inbound {
            inbound,
            ack: second,
        }),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(&*receipt.carrier_id, "1");
    assert_eq!(
        (&*inbound.from, &*inbound.to, &*inbound.text),
        ("+447700900123", "55501", "hi there")
    );
    bench.session.acknowledge(*second);
    bench.session.decline(*first);
    bench.session.acknowledge(AckToken {
        session: 78,
        sequence: 5,
    });
    let answers: Vec<_> = bench
        .written()
        .iter()
        .map(|w| (w.sequence, w.status))
        .collect();
    assert_eq!(answers, [(6, 0), (5, 0x64)]);
}

#[test]
fn a_data_sm_is_a_delivery_with_an_answer_of_its_own() {
    let mut bench = Bench::bound(|_| {});
    let mut tlvs = Vec::new();
    tlv::push(&mut tlvs, tlv::MESSAGE_PAYLOAD, b"id:1 stat:DELIVRD").unwrap();
    let message = ShortMessage {
        esm_class: 4,
        tlvs: Tlvs(&tlvs),
        ..ShortMessage::default()
    };
    let mut octets = Vec::new();
    encode(&mut octets, CommandStatus::OK, 3, &Pdu::DataSm(message)).unwrap();
    bench
        .session
        .on_bytes(&octets, bench.now_ms, &mut bench.events);
    let events = bench.events();
    let [Event::Carrier(CarrierEvent::Receipt { ack, .. })] = &events[..] else {
        panic!("{events:?}");
    };
    bench.session.acknowledge(*ack);
    assert_eq!(bench.written()[0].command_id, CommandId::DATA_SM_RESP);
}

#[test]
fn row_17_a_delivery_without_addresses_is_refused_and_the_bind_holds() {
    let mut bench = Bench::bound(|_| {});
    bench.receive(CommandId::DELIVER_SM, 0, 8, b"\0\x01");
    let answer = bench.written().remove(0);
    assert_eq!(
        (answer.command_id, answer.status),
        (CommandId::DELIVER_SM_RESP, 0x08)
    );
    assert!(bench.session.is_bound());
}

#[test]
fn the_window_fills_and_answers_open_it() {
    let mut bench = Bench::bound(|_| {});
    for _ in 0..3 {
        assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
        bench.submit("x");
    }
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    let submits = bench.submits();
    assert_eq!(submits.len(), 3);
    bench.answer(&submits[1], "b");
    assert_eq!(bench.outcomes(), [(2, accepted(&["b"]))]);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn a_submission_beyond_the_window_is_returned() {
    let mut bench = Bench::bound(|config| config.window = 1);
    bench.submit("x");
    bench.submit("y");
    assert_eq!(bench.outcomes(), [(2, Outcome::Returned)]);
}

#[test]
fn segments_go_back_to_back_and_give_one_outcome_in_order() {
    let mut bench = Bench::bound(|_| {});
    // Five segments through a window of three; nothing may come between.
    bench.submit(&"a".repeat(153 * 5));
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    let first = bench.submits();
    bench.answer(&first[2], "c");
    bench.answer(&first[0], "a");
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    let second = bench.submits();
    bench.answer(&second[1], "e");
    bench.answer(&first[1], "b");
    assert_eq!(bench.outcomes(), []);
    bench.answer(&second[0], "d");
    assert_eq!(
        bench.outcomes(),
        [(1, accepted(&["a", "b", "c", "d", "e"]))]
    );
    let reference = first[0].message().short_message[3];
    for (index, submit) in first.iter().chain(&second).enumerate() {
        let sequence = u8::try_from(index + 1).unwrap();
        assert_eq!(
            submit.message().short_message[..6],
            [5, 0, 3, reference, 5, sequence]
        );
    }
}

#[test]
fn two_long_messages_to_one_handset_have_different_references() {
    let mut bench = Bench::bound(|config| config.window = 10);
    let body = "a".repeat(200);
    bench.submit(&body);
    bench.submit(&body);
    let submits = bench.submits();
    assert_ne!(
        submits[0].message().short_message[3],
        submits[2].message().short_message[3]
    );
}

#[test]
fn an_answer_with_another_status_is_sorted_by_the_table() {
    for (status, class, code) in [
        (0x08, RefusalClass::RetrySame, 30008),
        (0x0A, RefusalClass::RetryOther, 30024),
        (0x0B, RefusalClass::Fail, 30005),
        (0x15, RefusalClass::Config, 30008),
        (0x66, RefusalClass::Fail, 30007),
        (0x0777, RefusalClass::RetryOther, 30008),
    ] {
        let mut bench = Bench::bound(|_| {});
        bench.submit("x");
        let submit = bench.submits().remove(0);
        bench.refuse(&submit, status);
        let outcomes = bench.outcomes();
        let refusal = refusal(&outcomes[0].1);
        assert_eq!(
            (refusal.class, refusal.code.code()),
            (class, code),
            "{status:#x}"
        );
        assert!(
            refusal.detail.starts_with(&format!("0x{status:08X}")),
            "{}",
            refusal.detail
        );
    }
}

#[test]
fn a_refused_segment_stops_the_rest_and_names_what_was_taken() {
    let mut bench = Bench::bound(|_| {});
    bench.submit(&"a".repeat(153 * 5));
    let submits = bench.submits();
    bench.answer(&submits[0], "a");
    bench.refuse(&submits[1], 0x0B);
    bench.answer(&submits[2], "c");
    // The fourth went out when the first was answered; the fifth never does.
    let rest = bench.submits();
    assert_eq!(rest.len(), 1);
    assert_eq!(bench.outcomes(), []);
    bench.answer(&rest[0], "d");
    let outcomes = bench.outcomes();
    let refusal = refusal(&outcomes[0].1);
    assert_eq!(
        refusal.accepted.as_slice(),
        [Box::from("a"), "c".into(), "d".into()]
    );
    assert_eq!(bench.submits(), []);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn a_throttled_message_returns_to_its_queue_and_the_bind_freezes() {
    let mut bench = Bench::bound(|config| config.session_throughput = 100);
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.refuse(&submit, 0x58);
    assert_eq!(bench.outcomes(), [(1, Outcome::Throttled)]);
    assert!(bench.session.is_throttled(bench.now_ms));
    let Readiness::At(at_ms) = bench.session.readiness(bench.now_ms) else {
        panic!()
    };
    assert!((800..=1_200).contains(&(at_ms - bench.now_ms)));
    bench.now_ms = at_ms;
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn row_8_a_throttled_segment_of_a_partly_taken_message_follows_on_the_same_bind() {
    let mut bench = Bench::bound(|_| {});
    let body = "a".repeat(300);
    bench.submit(&body);
    let submits = bench.submits();
    bench.answer(&submits[0], "a");
    bench.refuse(&submits[1], 0x14);
    assert_eq!(bench.outcomes(), []);
    // Nothing overtakes it.
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    bench.pass(2_000);
    let again = bench.submits();
    assert_eq!(again.len(), 1);
    assert_eq!(
        again[0].message().short_message,
        submits[1].message().short_message
    );
    bench.answer(&again[0], "b");
    assert_eq!(bench.outcomes(), [(1, accepted(&["a", "b"]))]);
}

#[test]
fn a_full_queue_of_one_destination_is_that_destinations_trouble_the_third_time() {
    let mut bench = Bench::bound(|config| config.window = 1);
    for expected in [Outcome::Throttled, Outcome::Throttled] {
        let ticket = bench.submit("x");
        let submit = bench.submits().remove(0);
        bench.refuse(&submit, 0x14);
        assert_eq!(bench.outcomes(), [(ticket, expected)]);
        bench.pass(4_000);
    }
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.refuse(&submit, 0x14);
    let outcomes = bench.outcomes();
    assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::RetrySame);
    assert!(!bench.session.is_throttled(bench.now_ms));
}

#[test]
fn a_refused_time_or_tlv_is_left_out_once() {
    let with_extras = |config: &mut Config| {
        config.validity_period = ValidityForm::Relative;
        config.tlvs = vec![FixedTlv {
            tag: 0x1400,
            text: Some("entity".into()),
            hex: None,
        }];
    };
    for (status, lacks_time, lacks_tlvs) in [(0x62, true, false), (0xC1, false, true)] {
        let mut bench = Bench::bound(with_extras);
        bench.submit("x");
        let first = bench.submits().remove(0);
        assert_eq!(first.message().validity_period, b"000000040000000R");
        assert_eq!(first.message().tlvs.get(0x1400), Some(&b"entity"[..]));
        bench.refuse(&first, status);
        assert_eq!(bench.outcomes(), []);
        let second = bench.submits().remove(0);
        assert_eq!(second.message().validity_period.is_empty(), lacks_time);
        assert_eq!(second.message().tlvs.get(0x1400).is_none(), lacks_tlvs);
        bench.refuse(&second, status);
        let outcomes = bench.outcomes();
        assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::Fail);
    }
}

#[test]
fn a_refused_coding_is_sent_once_as_ucs2() {
    let mut bench = Bench::bound(|_| {});
    bench.submit(&"a".repeat(100));
    let first = bench.submits().remove(0);
    bench.refuse(&first, 0x104);
    let again = bench.submits();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|submit| submit.message().data_coding == 8));
    bench.answer(&again[0], "a");
    bench.answer(&again[1], "b");
    assert_eq!(bench.outcomes(), [(1, accepted(&["a", "b"]))]);
}

#[test]
fn a_broken_bind_returns_its_message_and_closes() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    bench.submit("y");
    let submits = bench.submits();
    bench.refuse(&submits[0], 0x04);
    let events = bench.events();
    assert!(matches!(
        events.last(),
        Some(Event::Closed(CloseReason::LinkFault(
            CommandStatus::INVALID_BIND_STATUS
        )))
    ));
    bench.events = events;
    assert_eq!(
        bench.outcomes(),
        [(1, Outcome::Returned), (2, Outcome::Unknown)]
    );
}

#[test]
fn an_unanswered_submit_is_unknown_and_a_late_answer_settles_it() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.receive(CommandId::ENQUIRE_LINK, 0, 50, b"");
    bench.pass(29_999);
    assert_eq!(bench.outcomes(), []);
    bench.pass(1);
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
    assert_eq!(bench.session.in_flight(), 0);
    for _ in 0..20 {
        bench.receive(CommandId::ENQUIRE_LINK, 0, 51, b"");
        bench.pass(20_000);
    }
    bench.answer(&submit, "late");
    assert_eq!(bench.late_outcomes(), [(1, accepted(&["late"]))]);
    bench.answer(&submit, "later still");
    assert_eq!(bench.late_outcomes(), []);
}

#[test]
fn an_answer_after_ten_minutes_is_forgotten() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let submit = bench.submits().remove(0);
    for _ in 0..35 {
        bench.receive(CommandId::ENQUIRE_LINK, 0, 51, b"");
        bench.pass(20_000);
    }
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
    bench.answer(&submit, "late");
    assert_eq!(bench.late_outcomes(), []);
}

#[test]
fn late_answers_to_segments_settle_the_message_when_the_last_has_come() {
    let mut bench = Bench::bound(|_| {});
    bench.submit(&"a".repeat(300));
    let submits = bench.submits();
    bench.answer(&submits[0], "a");
    bench.pass(30_000);
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
    bench.answer(&submits[1], "b");
    assert_eq!(bench.late_outcomes(), [(1, accepted(&["a", "b"]))]);
}

#[test]
fn row_14_three_unanswered_submits_in_a_row_drop_the_bind() {
    let mut bench = Bench::bound(|config| config.window = 10);
    for _ in 0..4 {
        bench.submit("x");
        bench.written();
        bench.pass(1_000);
    }
    bench.pass(26_000);
    bench.receive(CommandId::ENQUIRE_LINK, 0, 50, b"");
    bench.pass(2_000);
    let events = bench.events();
    assert!(matches!(
        events.last(),
        Some(Event::Closed(CloseReason::ResponsesMissing))
    ));
    bench.events = events;
    let unknown = |ticket| (ticket, Outcome::Unknown);
    assert_eq!(
        bench.outcomes(),
        [unknown(1), unknown(2), unknown(3), unknown(4)]
    );
}

#[test]
fn row_20_the_response_timer_starts_when_the_submit_is_written() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    // The socket takes nothing for a minute.
    bench.now_ms += 60_000;
    bench.session.received_ms = bench.now_ms;
    bench.session.poll(bench.now_ms, &mut bench.events);
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.submits().len(), 1);
    bench.receive(CommandId::ENQUIRE_LINK, 0, 50, b"");
    bench.pass(29_999);
    assert_eq!(bench.outcomes(), []);
}

#[test]
fn a_link_lost_tells_written_from_unwritten() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("written");
    bench.written();
    bench.submit("buffered");
    bench.submit(&"a".repeat(400));
    let mut events = Vec::new();
    bench.session.lost(&mut events);
    bench.events.extend(events);
    assert_eq!(
        bench.outcomes(),
        [
            (1, Outcome::Unknown),
            (2, Outcome::Returned),
            (3, Outcome::Returned)
        ]
    );
    bench.submit("after the end");
    assert_eq!(bench.outcomes(), [(4, Outcome::Returned)]);
}

#[test]
fn a_partly_taken_message_on_a_lost_link_is_in_doubt() {
    let mut bench = Bench::bound(|config| config.window = 1);
    bench.submit(&"a".repeat(300));
    let submit = bench.submits().remove(0);
    bench.answer(&submit, "a");
    // The second segment is encoded and was never written.
    let mut events = Vec::new();
    bench.session.lost(&mut events);
    bench.events = events;
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
}

#[test]
fn silence_is_met_with_two_enquiries_and_then_an_end() {
    let mut bench = Bench::bound(|_| {});
    bench.pass(29_999);
    assert_eq!(bench.written(), []);
    bench.pass(1);
    assert_eq!(bench.written()[0].command_id, CommandId::ENQUIRE_LINK);
    bench.pass(10_000);
    assert_eq!(bench.written()[0].command_id, CommandId::ENQUIRE_LINK);
    bench.pass(9_999);
    assert_eq!(bench.closed(), None);
    bench.pass(1);
    assert_eq!(bench.closed(), Some(CloseReason::PeerSilent));
}

#[test]
fn any_answer_ends_the_doubt_about_the_peer() {
    let mut bench = Bench::bound(|_| {});
    bench.pass(30_000);
    let enquiry = bench.written().remove(0);
    bench.receive(CommandId::ENQUIRE_LINK_RESP, 0, enquiry.sequence, b"");
    bench.pass(29_999);
    assert_eq!(bench.written(), []);
    bench.pass(1);
    assert_eq!(bench.written().len(), 1);
}

#[test]
fn the_peers_enquiry_is_answered_ahead_of_data() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    bench.receive(CommandId::ENQUIRE_LINK, 0, 42, b"");
    let written = bench.written();
    assert_eq!(
        (written[0].command_id, written[0].sequence),
        (CommandId::ENQUIRE_LINK_RESP, 42)
    );
    assert_eq!(written[1].command_id, CommandId::SUBMIT_SM);
}

#[test]
fn the_peers_unbind_is_answered_and_open_answers_get_five_seconds() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    bench.submit("y");
    let submits = bench.submits();
    bench.submit("never written");
    bench.receive(CommandId::UNBIND, 0, 9, b"");
    let written = bench.written();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].command_id, CommandId::UNBIND_RESP);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Closed);
    bench.answer(&submits[0], "a");
    bench.pass(4_999);
    assert_eq!(bench.outcomes(), [(1, accepted(&["a"]))]);
    bench.pass(1);
    let events = bench.events();
    assert!(matches!(
        events.last(),
        Some(Event::Closed(CloseReason::PeerUnbound))
    ));
    bench.events = events;
    assert_eq!(
        bench.outcomes(),
        [(2, Outcome::Unknown), (3, Outcome::Returned)]
    );
}

#[test]
fn stopping_waits_for_answers_and_acknowledgements_then_unbinds() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.receive_delivery(0, b"hi", 5);
    let (deadline_ms, now_ms) = (bench.now_ms + 10_000, bench.now_ms);
    bench.session.stop(deadline_ms, now_ms, &mut bench.events);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Closed);
    bench.answer(&submit, "a");
    assert_eq!(bench.written(), []);
    bench.session.acknowledge(AckToken {
        session: 77,
        sequence: 5,
    });
    bench.session.poll(bench.now_ms, &mut bench.events);
    let written = bench.written();
    assert_eq!(written[0].command_id, CommandId::DELIVER_SM_RESP);
    assert_eq!(written[1].command_id, CommandId::UNBIND);
    bench.receive(CommandId::UNBIND_RESP, 0, written[1].sequence, b"");
    assert_eq!(bench.closed(), Some(CloseReason::Unbound));
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    bench.written();
    let (deadline_ms, now_ms) = (bench.now_ms + 10_000, bench.now_ms);
    bench.session.stop(deadline_ms, now_ms, &mut bench.events);
    bench.pass(10_000);
    assert_eq!(bench.written()[0].command_id, CommandId::UNBIND);
    bench.pass(5_000);
    assert_eq!(bench.closed(), Some(CloseReason::Unbound));
}

#[test]
fn a_nack_refuses_its_request_and_one_without_a_request_ends_the_bind() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.receive(CommandId::GENERIC_NACK, 0x03, submit.sequence, b"");
    let outcomes = bench.outcomes();
    assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::Fail);
    assert!(bench.session.is_bound());

    for (status, sequence) in [(0x03, 0), (0x02, 99)] {
        let mut bench = Bench::bound(|_| {});
        bench.receive(CommandId::GENERIC_NACK, status, sequence, b"");
        assert_eq!(
            bench.closed(),
            Some(CloseReason::Nacked(CommandStatus(status)))
        );
    }
}

#[test]
fn strange_requests_are_nacked_and_strange_responses_ignored() {
    let mut bench = Bench::bound(|_| {});
    for (command_id, status) in [
        (CommandId(0x0000_0123), 0x03),
        (CommandId::SUBMIT_SM, 0x03),
        (CommandId::OUTBIND, 0x04),
    ] {
        bench.receive(command_id, 0, 9, b"");
        let written = bench.written();
        assert_eq!(
            (written[0].command_id, written[0].status),
            (CommandId::GENERIC_NACK, status)
        );
    }
    for command_id in [
        CommandId(0x8000_0123),
        CommandId::SUBMIT_SM_RESP,
        CommandId::ENQUIRE_LINK_RESP,
        CommandId::UNBIND_RESP,
        CommandId::ALERT_NOTIFICATION,
        CommandId::BIND_TRANSCEIVER_RESP,
    ] {
        bench.receive(command_id, 0, 12_345, b"");
        assert_eq!(bench.written(), []);
    }
    assert!(bench.session.is_bound());
}

#[test]
fn lost_framing_is_nacked_and_ends_the_bind() {
    let mut bench = Bench::bound(|_| {});
    bench
        .session
        .on_bytes(&[0, 0, 0, 3, 0, 0, 0, 0], bench.now_ms, &mut bench.events);
    let nack = bench.written().remove(0);
    assert_eq!(
        (nack.command_id, nack.status),
        (CommandId::GENERIC_NACK, 0x02)
    );
    assert_eq!(
        bench.closed(),
        Some(CloseReason::FramingLost { command_length: 3 })
    );
}

#[test]
fn pdus_may_come_octet_by_octet() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let submit = bench.submits().remove(0);
    let octets = pdu_octets(CommandId::SUBMIT_SM_RESP, 0, submit.sequence, b"abc\0");
    for octet in octets {
        bench
            .session
            .on_bytes(&[octet], bench.now_ms, &mut bench.events);
    }
    assert_eq!(bench.outcomes(), [(1, accepted(&["abc"]))]);
}

#[test]
fn sequence_numbers_wrap_and_skip_what_is_under_way() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let first = bench.submits().remove(0);
    bench.session.last_sequence = 0x7FFF_FFFE;
    bench.submit("y");
    bench.submit("z");
    let sequences: Vec<u32> = bench
        .submits()
        .iter()
        .map(|submit| submit.sequence)
        .collect();
    assert_eq!(first.sequence, 2);
    assert_eq!(sequences, [0x7FFF_FFFF, 1]);
    bench.session.last_sequence = 1;
    assert_eq!(bench.session.next_sequence(), 3);
}

#[test]
fn receipts_are_asked_for_as_the_setting_says() {
    for (setting, expected) in [
        (RequestReceipts::All, [1, 1]),
        (RequestReceipts::LastSegment, [0, 1]),
        (RequestReceipts::Failures, [2, 2]),
        (RequestReceipts::None, [0, 0]),
    ] {
        let mut bench = Bench::bound(|config| config.request_receipts = setting);
        bench.submit(&"a".repeat(300));
        let found: Vec<u8> = bench
            .submits()
            .iter()
            .map(|submit| submit.message().registered_delivery)
            .collect();
        assert_eq!(found, expected);
    }
    let mut bench = Bench::bound(|config| config.intermediate_receipts = true);
    bench.submit("x");
    assert_eq!(bench.submits()[0].message().registered_delivery, 0x11);
}

#[test]
fn more_messages_to_send_marks_all_segments_but_the_last() {
    let mut bench = Bench::bound(|config| config.more_messages_to_send = true);
    bench.submit(&"a".repeat(300));
    let submits = bench.submits();
    let flag = |submit: &Written| submit.message().tlvs.get_u8(tlv::MORE_MESSAGES_TO_SEND);
    assert_eq!((flag(&submits[0]), flag(&submits[1])), (Some(1), None));
}

#[test]
fn a_payload_is_one_submit_with_one_id() {
    let mut bench = Bench::bound(|config| config.long_messages = LongMessages::Payload);
    bench.submit(&"a".repeat(1_000));
    let submits = bench.submits();
    assert_eq!(submits.len(), 1);
    let message = submits[0].message();
    assert_eq!(
        message.tlvs.get(tlv::MESSAGE_PAYLOAD).map(<[u8]>::len),
        Some(1_000)
    );
    bench.answer(&submits[0], "a");
    assert_eq!(bench.outcomes(), [(1, accepted(&["a"]))]);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut bench = Bench::bound(|config| {
        config.rewrite_destination = vec![crate::smpp::config::Rewrite {
            pattern: "^".into(),
            replace: "1".repeat(20),
        }];
    });
    bench.submit("x");
    let outcomes = bench.outcomes();
    assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::Fail);
    assert_eq!(bench.session.in_flight(), 0);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn a_receiver_takes_no_messages() {
    let mut bench = Bench::bound(|config| config.bind = crate::smpp::config::Bind::Receiver);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Closed);
    assert!(bench.session.is_bound() && !bench.session.is_transmitting());
}

#[test]
fn messages_for_a_port_are_answered_and_ignored_unless_wanted() {
    let text = [6, 5, 4, 0x0B, 0x84, 0x23, 0xF0, b'x'];
    let mut bench = Bench::bound(|_| {});
    bench.receive_delivery(0x40, &text, 5);
    assert_eq!(bench.written()[0].command_id, CommandId::DELIVER_SM_RESP);
    assert!(bench.events().is_empty());
    let mut bench = Bench::bound(|config| config.port_addressed = PortAddressed::Forward);
    bench.receive_delivery(0x40, &text, 5);
    assert_eq!(bench.events().len(), 1);
}

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
            Event::Carrier(_) | Event::Bound { .. } | Event::Closed(_) => {}
        }
    }
    Ok(())
}
