//! The codec against itself, against hostile octets, and against rusmpp.
//!
//! rusmpp is strict and of another hand: what it accepts we must read alike, and what we write it
//! must accept. What only we accept stands in the table of strange PDUs.

use proptest::prelude::*;
use rusmpp::decode::DecodeWithLength as _;
use rusmpp::encode::{Encode as _, Length as _};

use super::decode::{Cut, Decoded, Frame, Soundness, cut, decode};
use super::encode::{EncodeError, encode};
use super::pdu::{
    Address, AlertNotification, Bind, BindMode, BindResponse, CommandId, CommandStatus,
    MessageResponse, Outbind, Pdu, ShortMessage,
};
use super::tlv::{self, Tlvs};

/// A PDU with its octets owned, for generators.
#[derive(Clone, Debug)]
struct OwnedPdu {
    kind: Kind,
    status: u32,
    sequence: u32,
    texts: [Vec<u8>; 4],
    octets: [u8; 12],
    time: Vec<u8>,
    short_message: Vec<u8>,
    tlvs: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bind(BindMode),
    BindResponse(BindMode),
    Outbind,
    Unbind,
    UnbindResponse,
    EnquireLink,
    EnquireLinkResponse,
    GenericNack,
    SubmitSm,
    SubmitSmResponse,
    DeliverSm,
    DeliverSmResponse,
    DataSm,
    DataSmResponse,
    AlertNotification,
}

const KINDS: [Kind; 19] = [
    Kind::Bind(BindMode::Transmitter),
    Kind::Bind(BindMode::Receiver),
    Kind::Bind(BindMode::Transceiver),
    Kind::BindResponse(BindMode::Transmitter),
    Kind::BindResponse(BindMode::Receiver),
    Kind::BindResponse(BindMode::Transceiver),
    Kind::Outbind,
    Kind::Unbind,
    Kind::UnbindResponse,
    Kind::EnquireLink,
    Kind::EnquireLinkResponse,
    Kind::GenericNack,
    Kind::SubmitSm,
    Kind::SubmitSmResponse,
    Kind::DeliverSm,
    Kind::DeliverSmResponse,
    Kind::DataSm,
    Kind::DataSmResponse,
    Kind::AlertNotification,
];

impl OwnedPdu {
    fn pdu(&self) -> Pdu<'_> {
        let [first, second, third, fourth] = &self.texts;
        let tlvs = Tlvs(&self.tlvs);
        let address = |at: usize, octets| Address {
            ton: self.octets[at],
            npi: self.octets[at + 1],
            octets,
        };
        let response = MessageResponse {
            message_id: Some(first),
            tlvs,
        };
        let short_message = ShortMessage {
            service_type: &third[..third.len().min(5)],
            source: address(0, first),
            destination: address(2, second),
            esm_class: self.octets[4],
            protocol_id: self.octets[5],
            priority_flag: self.octets[6],
            schedule_delivery_time: &self.time,
            validity_period: b"",
            registered_delivery: self.octets[7],
            replace_if_present: self.octets[8] & 1,
            data_coding: self.octets[9],
            default_message_id: self.octets[10],
            short_message: &self.short_message,
            tlvs,
        };
        match self.kind {
            Kind::Bind(mode) => Pdu::Bind(
                mode,
                Bind {
                    system_id: &first[..first.len().min(15)],
                    password: &second[..second.len().min(8)],
                    system_type: &third[..third.len().min(12)],
                    interface_version: 0x34,
                    addresses: address(0, fourth),
                },
            ),
            Kind::BindResponse(mode) => {
                let version = self.octets[0];
                let system_id = &first[..first.len().min(15)];
                let tlvs = if version & 1 == 0 {
                    Tlvs::default()
                } else {
                    Tlvs(VERSION_TLV)
                };
                Pdu::BindResponse(mode, BindResponse { system_id, tlvs })
            }
            Kind::Outbind => Pdu::Outbind(Outbind {
                system_id: &first[..first.len().min(15)],
                password: &second[..second.len().min(8)],
            }),
            Kind::Unbind => Pdu::Unbind,
            Kind::UnbindResponse => Pdu::UnbindResponse,
            Kind::EnquireLink => Pdu::EnquireLink,
            Kind::EnquireLinkResponse => Pdu::EnquireLinkResponse,
            Kind::GenericNack => Pdu::GenericNack,
            Kind::SubmitSm => Pdu::SubmitSm(short_message),
            Kind::SubmitSmResponse => Pdu::SubmitSmResponse(response),
            Kind::DeliverSm => Pdu::DeliverSm(short_message),
            Kind::DeliverSmResponse => Pdu::DeliverSmResponse(response),
            Kind::DataSm => Pdu::DataSm(ShortMessage {
                protocol_id: 0,
                priority_flag: 0,
                schedule_delivery_time: b"",
                replace_if_present: 0,
                default_message_id: 0,
                short_message: b"",
                ..short_message
            }),
            Kind::DataSmResponse => Pdu::DataSmResponse(response),
            Kind::AlertNotification => Pdu::AlertNotification(AlertNotification {
                source: address(0, first),
                esme: address(2, second),
                tlvs: Tlvs::default(),
            }),
        }
    }

    fn encoded(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        encode(
            &mut octets,
            CommandStatus(self.status),
            self.sequence,
            &self.pdu(),
        )
        .unwrap();
        octets
    }
}

/// `sc_interface_version` 3.4.
const VERSION_TLV: &[u8] = &[0x02, 0x10, 0, 1, 0x34];

/// TLVs whose values rusmpp keeps as they are.
fn tlv_block() -> impl Strategy<Value = Vec<u8>> {
    let one = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|value| (0x1400, value)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|value| (0x1501, value)),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|value| (tlv::MESSAGE_PAYLOAD, value)),
        any::<[u8; 2]>().prop_map(|value| (tlv::SAR_MSG_REF_NUM, value.to_vec())),
        any::<u8>().prop_map(|value| (tlv::SAR_TOTAL_SEGMENTS, vec![value])),
        "[0-9a-f]{1,60}".prop_map(|id| (tlv::RECEIPTED_MESSAGE_ID, format!("{id}\0").into_bytes())),
    ];
    prop::collection::vec(one, 0..4).prop_map(|tlvs| {
        let mut block = Vec::new();
        for (tag, value) in tlvs {
            tlv::push(&mut block, tag, &value).unwrap();
        }
        block
    })
}

fn any_pdu() -> impl Strategy<Value = OwnedPdu> {
    let text = || "[ -~]{0,20}".prop_map(String::into_bytes);
    let time = prop_oneof![Just(Vec::new()), Just(b"261124032300000+".to_vec())];
    (
        prop::sample::select(KINDS.to_vec()),
        any::<u32>(),
        any::<u32>(),
        [text(), text(), text(), text()],
        any::<[u8; 12]>(),
        time,
        prop::collection::vec(any::<u8>(), 0..=254),
        tlv_block(),
    )
        .prop_map(
            |(kind, status, sequence, texts, octets, time, short_message, tlvs)| OwnedPdu {
                kind,
                status,
                sequence,
                texts,
                octets,
                time,
                short_message,
                tlvs,
            },
        )
}

fn frame(octets: &[u8]) -> Frame<'_> {
    match cut(octets) {
        Cut::Frame { frame, length } if length == octets.len() => frame,
        other => panic!("{other:?}"),
    }
}

fn rusmpp_decode(octets: &[u8]) -> Option<rusmpp::Command> {
    let mut source = bytes::BytesMut::from(&octets[4..]);
    let length = source.len();
    let (command, used) = rusmpp::Command::decode(&mut source, length).ok()?;
    // It may stop early or read on where it lost its way: that is no acceptance.
    (used == length && source.is_empty()).then_some(command)
}

fn rusmpp_encode(command: &rusmpp::Command) -> Vec<u8> {
    let mut body = vec![0; command.length()];
    let used = command.encode(&mut body);
    body.truncate(used);
    let length = u32::try_from(used + 4).unwrap();
    [&length.to_be_bytes()[..], &body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_back(pdu in any_pdu()) {
        let octets = pdu.encoded();
        let frame = frame(&octets);
        prop_assert_eq!(frame.header.status, CommandStatus(pdu.status));
        prop_assert_eq!(frame.header.sequence, pdu.sequence);
        let expected = Decoded { pdu: pdu.pdu(), soundness: Soundness::Sound };
        prop_assert_eq!(decode(&frame), expected);
    }

    #[test]
    fn rusmpp_accepts_what_we_write_and_reads_it_alike(pdu in any_pdu()) {
        let octets = pdu.encoded();
        let command = rusmpp_decode(&octets);
        prop_assert!(command.is_some(), "{:?}", pdu);
        prop_assert_eq!(rusmpp_encode(&command.unwrap()), octets);
    }

    #[test]
    fn what_rusmpp_accepts_we_read_alike(
        pdu in any_pdu(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut octets = pdu.encoded();
        for (place, value) in &changes {
            let place = place.index(octets.len());
            // The length stays, so that the frame does.
            if place >= 4 {
                octets[place] = *value;
            }
        }
        if let Some(command) = rusmpp_decode(&octets) {
            let theirs = rusmpp_encode(&command);
            let frame = frame(&octets);
            let decoded = decode(&frame);
            let is_other = matches!(decoded.pdu, Pdu::Other(_));
            // Where rusmpp drops or rewrites what it does not understand, there is nothing to compare;
            // a header alone passes with it for any PDU, which tells nothing either.
            let is_comparable = theirs == octets && !is_other && !frame.body.is_empty();
            if is_comparable && !is_beyond_maxima(&decoded.pdu) {
                prop_assert_eq!(decoded.soundness, Soundness::Sound);
                let mut ours = Vec::new();
                let header = frame.header;
                prop_assert_eq!(
                    encode(&mut ours, header.status, header.sequence, &decoded.pdu), Ok(())
                );
                prop_assert_eq!(ours, theirs);
            }
        }
    }

    #[test]
    fn no_octets_upset_the_decoder_and_framing_is_kept(
        pdus in prop::collection::vec(any_pdu(), 1..4),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let mut stream = Vec::new();
        let mut starts = Vec::new();
        for pdu in &pdus {
            starts.push(stream.len());
            stream.extend(pdu.encoded());
        }
        for (place, value) in &changes {
            let place = place.index(stream.len());
            // Lengths apart, anything may be anything.
            if starts.iter().all(|start| !(*start..start + 4).contains(&place)) {
                stream[place] = *value;
            }
        }
        let mut at = 0;
        for start in starts {
            prop_assert_eq!(at, start);
            let Cut::Frame { frame, length } = cut(&stream[at..]) else {
                return Err(TestCaseError::fail("no frame"));
            };
            let decoded = decode(&frame);
            if let Pdu::DeliverSm(message) | Pdu::SubmitSm(message) | Pdu::DataSm(message) = decoded.pdu {
                let _ = message.tlvs.iter().count();
            }
            at += length;
        }
    }

    #[test]
    fn random_octets_never_upset_the_codec(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Cut::Frame { frame, .. } = cut(&octets) {
            let _ = decode(&frame);
        }
    }

    #[test]
    fn random_bodies_never_upset_the_codec(
        command_id in prop::sample::select(KINDS.to_vec()),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let kind = OwnedPdu {
            kind: command_id, status: 0, sequence: 1, texts: Default::default(), octets: [0; 12],
            time: Vec::new(), short_message: Vec::new(), tlvs: Vec::new(),
        };
        let mut octets = kind.encoded()[..16].to_vec();
        octets.extend_from_slice(&body);
        let length = u32::try_from(octets.len()).unwrap();
        octets[..4].copy_from_slice(&length.to_be_bytes());
        let _ = decode(&frame(&octets));
    }
}

/// Fields that the wire can carry and we would not write: 255 octets of text, for one.
fn is_beyond_maxima(pdu: &Pdu<'_>) -> bool {
    encode(&mut Vec::new(), CommandStatus::OK, 1, pdu).is_err()
}

fn octets(command_id: CommandId, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let words = [length, command_id.0, status, sequence];
    let mut octets: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    octets.extend_from_slice(body);
    octets
}

/// A `deliver_sm` body from its parts.
fn deliver_body(source: &[u8], schedule: &[u8], text: &[u8], tail: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 1, 1];
    body.extend_from_slice(source);
    body.extend_from_slice(&[0, 3, 0]);
    body.extend_from_slice(b"55501\0");
    body.extend_from_slice(&[0, 0, 0]);
    body.extend_from_slice(schedule);
    body.extend_from_slice(&[0, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap()]);
    body.extend_from_slice(text);
    body.extend_from_slice(tail);
    body
}

/// One row for each strange PDU that carriers send and rusmpp stumbles over (carriers.md 7).
#[test]
fn row_17_strange_deliveries_are_read_as_far_as_they_go() {
    let source = b"447700900123";
    for (name, body, address, text) in [
        (
            "TLV of wrong length",
            deliver_body(source, b"", b"x", &[4, 0x27, 0, 2, 0, 2]),
            &source[..],
            &b"x"[..],
        ),
        (
            "TLV past the end",
            deliver_body(source, b"", b"x", &[0, 0x1E, 0, 99, b'1']),
            source,
            b"x",
        ),
        (
            "stray octets",
            deliver_body(source, b"", b"x", &[1, 2, 3]),
            source,
            b"x",
        ),
        (
            "id without NUL",
            deliver_body(source, b"", b"x", &[0, 0x1E, 0, 1, b'1']),
            source,
            b"x",
        ),
        (
            "short error code",
            deliver_body(source, b"", b"x", &[4, 0x23, 0, 2, 0, 1]),
            source,
            b"x",
        ),
        (
            "long address",
            deliver_body(&[b'7'; 25], b"", b"x", &[]),
            &[b'7'; 25],
            b"x",
        ),
        (
            "Latin-1 address",
            deliver_body(b"Caf\xE9", b"", b"x", &[]),
            b"Caf\xE9",
            b"x",
        ),
        (
            "short time",
            deliver_body(source, b"000", b"x", &[]),
            source,
            b"x",
        ),
    ] {
        let octets = octets(CommandId::DELIVER_SM, 0, 7, &body);
        let Decoded {
            pdu: Pdu::DeliverSm(message),
            soundness,
        } = decode(&frame(&octets))
        else {
            panic!("{name}");
        };
        assert_eq!(soundness, Soundness::Sound, "{name}");
        assert_eq!(
            (message.source.octets, message.short_message),
            (address, text),
            "{name}"
        );
    }
}

#[test]
fn a_delivery_cut_short_keeps_what_there_is() {
    let whole = deliver_body(b"447700900123", b"", b"hello", &[]);
    let cut_text = octets(CommandId::DELIVER_SM, 0, 7, &whole[..whole.len() - 2]);
    let decoded = decode(&frame(&cut_text));
    let Pdu::DeliverSm(message) = decoded.pdu else {
        panic!("{decoded:?}")
    };
    assert_eq!(
        (message.short_message, decoded.soundness),
        (&b"hel"[..], Soundness::Damaged)
    );

    let cut_address = octets(CommandId::DELIVER_SM, 0, 7, &whole[..8]);
    assert_eq!(
        decode(&frame(&cut_address)).soundness,
        Soundness::Unreadable
    );
}

#[test]
fn responses_come_with_or_without_a_body() {
    let id = |octets: &[u8]| match decode(&frame(octets)).pdu {
        Pdu::SubmitSmResponse(response) => response.message_id.map(<[u8]>::to_vec),
        other => panic!("{other:?}"),
    };
    let response = CommandId::SUBMIT_SM_RESP;
    assert_eq!(id(&octets(response, 0x45, 7, b"")), None);
    assert_eq!(id(&octets(response, 0, 7, b"")), None);
    assert_eq!(id(&octets(response, 0, 7, b"\0")), Some(Vec::new()));
    assert_eq!(id(&octets(response, 0, 7, b"abc")), Some(b"abc".to_vec()));
    assert_eq!(
        id(&octets(response, 0, 7, &[b'9'; 255])),
        Some(vec![b'9'; 255])
    );
}

#[test]
fn bodies_where_none_belong_are_ignored() {
    for (command_id, expected) in [
        (CommandId::ENQUIRE_LINK, Pdu::EnquireLink),
        (CommandId::ENQUIRE_LINK_RESP, Pdu::EnquireLinkResponse),
        (CommandId::UNBIND, Pdu::Unbind),
        (CommandId::GENERIC_NACK, Pdu::GenericNack),
        (CommandId(0x0001_0200), Pdu::Other(CommandId(0x0001_0200))),
    ] {
        assert_eq!(
            decode(&frame(&octets(command_id, 0, 7, b"odd"))).pdu,
            expected
        );
    }
}

#[test]
fn impossible_lengths_lose_the_framing() {
    for (length, expected) in [
        (15_u32, Cut::FramingLost { command_length: 15 }),
        (0, Cut::FramingLost { command_length: 0 }),
        (
            65_537,
            Cut::FramingLost {
                command_length: 65_537,
            },
        ),
        (65_536, Cut::Incomplete),
        (16, Cut::Incomplete),
    ] {
        assert_eq!(cut(&length.to_be_bytes()), expected);
    }
    assert_eq!(cut(&[0, 0, 0]), Cut::Incomplete);
}

#[test]
fn what_exceeds_the_maxima_is_not_written() {
    let long = [b'1'; 21];
    let too_long = ShortMessage {
        source: Address {
            ton: 1,
            npi: 1,
            octets: &long,
        },
        ..ShortMessage::default()
    };
    let too_wide = ShortMessage {
        short_message: &[0; 255],
        ..ShortMessage::default()
    };
    let no_time = ShortMessage {
        validity_period: b"1",
        ..ShortMessage::default()
    };
    for (message, expected) in [
        (
            too_long,
            EncodeError::TooLong {
                field: "source_addr",
                length: 21,
                maximum: 20,
            },
        ),
        (
            too_wide,
            EncodeError::TooLong {
                field: "short_message",
                length: 255,
                maximum: 254,
            },
        ),
        (
            no_time,
            EncodeError::NotATime {
                field: "validity_period",
                length: 1,
            },
        ),
    ] {
        let mut out = b"before".to_vec();
        let written = encode(&mut out, CommandStatus::OK, 1, &Pdu::SubmitSm(message));
        assert_eq!((written, &*out), (Err(expected), &b"before"[..]));
    }
}

#[test]
fn a_bind_is_written_as_in_the_specification() {
    let bind = Bind {
        system_id: b"SMPP3TEST",
        password: b"secret08",
        system_type: b"SUBMIT1",
        interface_version: 0x34,
        addresses: Address {
            ton: 1,
            npi: 1,
            octets: b"",
        },
    };
    let mut out = Vec::new();
    encode(
        &mut out,
        CommandStatus::OK,
        1,
        &Pdu::Bind(BindMode::Transmitter, bind),
    )
    .unwrap();
    // SMPP v3.4, 3.2.1.
    let expected =
        b"\0\0\0\x2F\0\0\0\x02\0\0\0\0\0\0\0\x01SMPP3TEST\0secret08\0SUBMIT1\0\x34\x01\x01\0";
    assert_eq!(out, expected);
}
