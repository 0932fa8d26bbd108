//! Reading PDUs: frame first, then tolerantly inside the frame.
//!
//! [`cut`] takes one frame off the stream by its `command_length` and nothing else. [`decode`]
//! parses inside that frame and cannot fail: a body that makes no sense yields what could be read
//! and says so. So a strange PDU never costs the bind, and never touches the PDU after it.

use super::pdu::{
    Address, AlertNotification, Bind, BindMode, BindResponse, CommandId, CommandStatus,
    HEADER_LENGTH, Header, MessageResponse, Outbind, PDU_LENGTH_MAX, Pdu, ShortMessage,
};
use super::tlv::Tlvs;

/// What stands at the front of the received octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// One whole frame, and the octets it takes up.
    Frame { frame: Frame<'a>, length: usize },
    /// More octets are needed.
    Incomplete,
    /// A length that no PDU has. Where the next PDU starts is unknown from here on.
    FramingLost { command_length: u32 },
}

/// One PDU, header apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub header: Header,
    pub body: &'a [u8],
    /// The whole PDU as received, header included.
    pub octets: &'a [u8],
}

/// A decoded PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub pdu: Pdu<'a>,
    /// How much of the mandatory part could be read.
    pub soundness: Soundness,
}

/// Whether a body kept to the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Soundness {
    Sound,
    /// The body ends early or a length is wrong, but both addresses (where there are any) are there.
    Damaged,
    /// Not even the addresses are there.
    Unreadable,
}

/// Cuts one frame off the front of `input`.
pub fn cut(input: &[u8]) -> Cut<'_> {
    let Some((length_octets, _)) = input.split_first_chunk::<4>() else {
        return Cut::Incomplete;
    };
    let command_length = u32::from_be_bytes(*length_octets);
    let length = match usize::try_from(command_length) {
        Ok(length) if (HEADER_LENGTH..=PDU_LENGTH_MAX).contains(&length) => length,
        _ => return Cut::FramingLost { command_length },
    };
    let Some(octets) = input.get(..length) else {
        return Cut::Incomplete;
    };
    let word = |at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&octets[at..at + 4]);
        u32::from_be_bytes(word)
    };
    let header = Header {
        command_id: CommandId(word(4)),
        status: CommandStatus(word(8)),
        sequence: word(12),
    };
    Cut::Frame {
        frame: Frame {
            header,
            body: &octets[HEADER_LENGTH..],
            octets,
        },
        length,
    }
}

/// Decodes what a frame holds.
pub fn decode<'a>(frame: &Frame<'a>) -> Decoded<'a> {
    let mut body = Reader {
        rest: frame.body,
        is_short: false,
    };
    let pdu = match frame.header.command_id {
        CommandId::BIND_TRANSMITTER => Pdu::Bind(BindMode::Transmitter, body.bind()),
        CommandId::BIND_RECEIVER => Pdu::Bind(BindMode::Receiver, body.bind()),
        CommandId::BIND_TRANSCEIVER => Pdu::Bind(BindMode::Transceiver, body.bind()),
        CommandId::BIND_TRANSMITTER_RESP => {
            Pdu::BindResponse(BindMode::Transmitter, body.bind_response())
        }
        CommandId::BIND_RECEIVER_RESP => {
            Pdu::BindResponse(BindMode::Receiver, body.bind_response())
        }
        CommandId::BIND_TRANSCEIVER_RESP => {
            Pdu::BindResponse(BindMode::Transceiver, body.bind_response())
        }
        CommandId::SUBMIT_SM => return body.short_message(Pdu::SubmitSm),
        CommandId::DELIVER_SM => return body.short_message(Pdu::DeliverSm),
        CommandId::DATA_SM => return body.data_sm(),
        CommandId::SUBMIT_SM_RESP => Pdu::SubmitSmResponse(body.message_response()),
        CommandId::DELIVER_SM_RESP => Pdu::DeliverSmResponse(body.message_response()),
        CommandId::DATA_SM_RESP => Pdu::DataSmResponse(body.message_response()),
        CommandId::OUTBIND => Pdu::Outbind(Outbind {
            system_id: body.c_string(),
            password: body.c_string(),
        }),
        CommandId::ALERT_NOTIFICATION => Pdu::AlertNotification(AlertNotification {
            source: body.address(),
            esme: body.address(),
            tlvs: body.tlvs(),
        }),
        // A body on these four is against the specification and without meaning.
        CommandId::ENQUIRE_LINK => Pdu::EnquireLink,
        CommandId::ENQUIRE_LINK_RESP => Pdu::EnquireLinkResponse,
        CommandId::UNBIND => Pdu::Unbind,
        CommandId::UNBIND_RESP => Pdu::UnbindResponse,
        CommandId::GENERIC_NACK => Pdu::GenericNack,
        other => Pdu::Other(other),
    };
    Decoded {
        pdu,
        soundness: body.soundness(),
    }
}

/// Takes fields off the front of a body. Past its end every field is zero or empty, and noted.
struct Reader<'a> {
    rest: &'a [u8],
    is_short: bool,
}

impl<'a> Reader<'a> {
    fn soundness(&self) -> Soundness {
        if self.is_short {
            Soundness::Damaged
        } else {
            Soundness::Sound
        }
    }

    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            self.is_short = true;
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// Octets up to a NUL of any length. Without a NUL, whatever is left: some SMSCs forget it
    /// after the message id.
    fn c_string(&mut self) -> &'a [u8] {
        if let Some(end) = self.rest.iter().position(|octet| *octet == 0) {
            let text = &self.rest[..end];
            self.rest = &self.rest[end + 1..];
            text
        } else {
            self.is_short = true;
            std::mem::take(&mut self.rest)
        }
    }

    fn address(&mut self) -> Address<'a> {
        Address {
            ton: self.u8(),
            npi: self.u8(),
            octets: self.c_string(),
        }
    }

    fn counted(&mut self) -> &'a [u8] {
        let length = usize::from(self.u8());
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or_else(|| {
            self.is_short = true;
            (self.rest, &[])
        });
        self.rest = rest;
        text
    }

    fn tlvs(&mut self) -> Tlvs<'a> {
        Tlvs(std::mem::take(&mut self.rest))
    }

    fn bind(&mut self) -> Bind<'a> {
        Bind {
            system_id: self.c_string(),
            password: self.c_string(),
            system_type: self.c_string(),
            interface_version: self.u8(),
            addresses: self.address(),
        }
    }

    /// Refusals often come with the header alone.
    fn bind_response(&mut self) -> BindResponse<'a> {
        if self.rest.is_empty() {
            return BindResponse::default();
        }
        BindResponse {
            system_id: self.c_string(),
            tlvs: self.tlvs(),
        }
    }

    fn message_response(&mut self) -> MessageResponse<'a> {
        if self.rest.is_empty() {
            return MessageResponse::default();
        }
        MessageResponse {
            message_id: Some(self.c_string()),
            tlvs: self.tlvs(),
        }
    }

    fn short_message(mut self, wrap: fn(ShortMessage<'a>) -> Pdu<'a>) -> Decoded<'a> {
        let service_type = self.c_string();
        let source = self.address();
        let destination = self.address();
        let has_addresses = !self.is_short;
        let message = ShortMessage {
            service_type,
            source,
            destination,
            esm_class: self.u8(),
            protocol_id: self.u8(),
            priority_flag: self.u8(),
            schedule_delivery_time: self.c_string(),
            validity_period: self.c_string(),
            registered_delivery: self.u8(),
            replace_if_present: self.u8(),
            data_coding: self.u8(),
            default_message_id: self.u8(),
            short_message: self.counted(),
            tlvs: self.tlvs(),
        };
        self.with_addresses(wrap(message), has_addresses)
    }

    fn data_sm(mut self) -> Decoded<'a> {
        let service_type = self.c_string();
        let source = self.address();
        let destination = self.address();
        let has_addresses = !self.is_short;
        let message = ShortMessage {
            service_type,
            source,
            destination,
            esm_class: self.u8(),
            registered_delivery: self.u8(),
            data_coding: self.u8(),
            tlvs: self.tlvs(),
            ..ShortMessage::default()
        };
        self.with_addresses(Pdu::DataSm(message), has_addresses)
    }

    fn with_addresses(&self, pdu: Pdu<'a>, has_addresses: bool) -> Decoded<'a> {
        let soundness = if has_addresses {
            self.soundness()
        } else {
            Soundness::Unreadable
        };
        Decoded { pdu, soundness }
    }
}
