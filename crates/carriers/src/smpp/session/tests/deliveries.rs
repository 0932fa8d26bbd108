//! What the SMSC brings: answered when it is durable, in the form in which it came.

use super::*;

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
    // Kept to be read again: the whole PDU.
    let Cut::Frame { length, .. } = cut(&receipt.raw) else {
        panic!("{:?}", receipt.raw);
    };
    assert_eq!(length, receipt.raw.len());
    assert!(receipt.raw.ends_with(b"id:1 stat:DELIVRD"));
    assert_eq!(
        (&*inbound.from, &*inbound.to, &*inbound.text.to_string()),
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

#[test]
fn what_is_beyond_the_inbound_window_is_declined_after_a_pause() {
    let mut bench = Bench::bound(|config| config.inbound_window = 2);
    let mut acks = Vec::new();
    for sequence in 1..=3 {
        bench.receive_delivery(0, b"hi there", sequence);
        for event in bench.events() {
            let Event::Carrier(CarrierEvent::Inbound { ack, .. }) = event else {
                panic!("{event:?}");
            };
            acks.push(ack);
        }
    }
    // The third was read together with the second.
    assert_eq!((acks.len(), bench.written().len()), (3, 0));
    let pause_ms = bench.session.pauses_until(bench.now_ms).unwrap() - bench.now_ms;
    bench.now_ms += pause_ms;
    bench.receive_delivery(0, b"hi there", 4);
    bench.receive_delivery(4, b"id:1 stat:DELIVRD", 5);
    assert_eq!(bench.alarms().len(), 1);
    for ack in acks {
        bench.session.acknowledge(ack);
    }
    bench.receive_delivery(0, b"hi there", 6);
    assert_eq!(bench.events().len(), 1);
    let answers: Vec<_> = bench
        .written()
        .iter()
        .map(|w| (w.sequence, w.status))
        .collect();
    assert_eq!(answers, [(4, 0x64), (5, 0x64), (1, 0), (2, 0), (3, 0)]);
}
