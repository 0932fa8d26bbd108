//! The life of a bind: binding, silence, unbinding, stopping, broken framing.

use super::*;

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
