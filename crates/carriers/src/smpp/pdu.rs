//! The PDUs of SMPP v3.4, as borrowed views: the words that [`decode`](super::decode) reads and
//! [`encode`](super::encode) writes.
//!
//! Every PDU that either side of a bind needs is here, so that one codec serves the client, the
//! simulator and the tests. Addresses and texts are octets: what they mean is decided further up.

use std::fmt;

use super::tlv::Tlvs;

/// Octets of the header: command length, command id, command status, sequence number (3.2).
pub const HEADER_LENGTH: usize = 16;

/// The longest PDU we read. The specification names none; a `message_payload` holds at most 64 KiB.
pub const PDU_LENGTH_MAX: usize = 64 * 1024;

/// Which operation a PDU is (5.1.2.1). The top bit marks a response.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u32);

impl CommandId {
    pub const BIND_RECEIVER: Self = Self(0x0000_0001);
    pub const BIND_TRANSMITTER: Self = Self(0x0000_0002);
    pub const SUBMIT_SM: Self = Self(0x0000_0004);
    pub const DELIVER_SM: Self = Self(0x0000_0005);
    pub const UNBIND: Self = Self(0x0000_0006);
    pub const BIND_TRANSCEIVER: Self = Self(0x0000_0009);
    pub const OUTBIND: Self = Self(0x0000_000B);
    pub const ENQUIRE_LINK: Self = Self(0x0000_0015);
    pub const ALERT_NOTIFICATION: Self = Self(0x0000_0102);
    pub const DATA_SM: Self = Self(0x0000_0103);

    pub const GENERIC_NACK: Self = Self(0x8000_0000);
    pub const BIND_RECEIVER_RESP: Self = Self::BIND_RECEIVER.response();
    pub const BIND_TRANSMITTER_RESP: Self = Self::BIND_TRANSMITTER.response();
    pub const SUBMIT_SM_RESP: Self = Self::SUBMIT_SM.response();
    pub const DELIVER_SM_RESP: Self = Self::DELIVER_SM.response();
    pub const UNBIND_RESP: Self = Self::UNBIND.response();
    pub const BIND_TRANSCEIVER_RESP: Self = Self::BIND_TRANSCEIVER.response();
    pub const ENQUIRE_LINK_RESP: Self = Self::ENQUIRE_LINK.response();
    pub const DATA_SM_RESP: Self = Self::DATA_SM.response();

    /// The id of the answer to this request.
    #[must_use]
    pub const fn response(self) -> Self {
        Self(self.0 | 0x8000_0000)
    }

    pub const fn is_response(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010X}", self.0)
    }
}

/// The result that a response carries (5.1.3); zero in requests. Carriers use values of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommandStatus(pub u32);

impl CommandStatus {
    pub const OK: Self = Self(0x00);
    pub const INVALID_COMMAND_LENGTH: Self = Self(0x02);
    pub const INVALID_COMMAND_ID: Self = Self(0x03);
    pub const INVALID_BIND_STATUS: Self = Self(0x04);
    pub const ALREADY_BOUND: Self = Self(0x05);
    pub const SYSTEM_ERROR: Self = Self(0x08);
    pub const BIND_FAILED: Self = Self(0x0D);
    pub const INVALID_PASSWORD: Self = Self(0x0E);
    pub const INVALID_SYSTEM_ID: Self = Self(0x0F);
    pub const MESSAGE_QUEUE_FULL: Self = Self(0x14);
    pub const THROTTLED: Self = Self(0x58);
    pub const TEMPORARY_APPLICATION_ERROR: Self = Self(0x64);

    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Debug for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010X}", self.0)
    }
}

/// The header without its length, which framing has used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub command_id: CommandId,
    pub status: CommandStatus,
    pub sequence: u32,
}

/// The three ways to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindMode {
    Transmitter,
    Receiver,
    Transceiver,
}

impl BindMode {
    pub const fn command_id(self) -> CommandId {
        match self {
            Self::Transmitter => CommandId::BIND_TRANSMITTER,
            Self::Receiver => CommandId::BIND_RECEIVER,
            Self::Transceiver => CommandId::BIND_TRANSCEIVER,
        }
    }

    pub const fn can_transmit(self) -> bool {
        match self {
            Self::Transmitter | Self::Transceiver => true,
            Self::Receiver => false,
        }
    }
}

/// One PDU without its header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pdu<'a> {
    Bind(BindMode, Bind<'a>),
    BindResponse(BindMode, BindResponse<'a>),
    Outbind(Outbind<'a>),
    Unbind,
    UnbindResponse,
    EnquireLink,
    EnquireLinkResponse,
    GenericNack,
    SubmitSm(ShortMessage<'a>),
    SubmitSmResponse(MessageResponse<'a>),
    DeliverSm(ShortMessage<'a>),
    DeliverSmResponse(MessageResponse<'a>),
    /// `data_sm` has fewer fields than the other two; the missing ones are zero or empty and its
    /// text is in the `message_payload` TLV.
    DataSm(ShortMessage<'a>),
    DataSmResponse(MessageResponse<'a>),
    AlertNotification(AlertNotification<'a>),
    /// A command we have no use for; it is answered by its number alone.
    Other(CommandId),
}

impl Pdu<'_> {
    pub const fn command_id(&self) -> CommandId {
        match self {
            Self::Bind(mode, _) => mode.command_id(),
            Self::BindResponse(mode, _) => mode.command_id().response(),
            Self::Outbind(_) => CommandId::OUTBIND,
            Self::Unbind => CommandId::UNBIND,
            Self::UnbindResponse => CommandId::UNBIND_RESP,
            Self::EnquireLink => CommandId::ENQUIRE_LINK,
            Self::EnquireLinkResponse => CommandId::ENQUIRE_LINK_RESP,
            Self::GenericNack => CommandId::GENERIC_NACK,
            Self::SubmitSm(_) => CommandId::SUBMIT_SM,
            Self::SubmitSmResponse(_) => CommandId::SUBMIT_SM_RESP,
            Self::DeliverSm(_) => CommandId::DELIVER_SM,
            Self::DeliverSmResponse(_) => CommandId::DELIVER_SM_RESP,
            Self::DataSm(_) => CommandId::DATA_SM,
            Self::DataSmResponse(_) => CommandId::DATA_SM_RESP,
            Self::AlertNotification(_) => CommandId::ALERT_NOTIFICATION,
            Self::Other(command_id) => *command_id,
        }
    }
}

/// Type of number, numbering plan and the address itself (5.2.5 to 5.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Address<'a> {
    pub ton: u8,
    pub npi: u8,
    pub octets: &'a [u8],
}

/// `bind_transmitter`, `bind_receiver`, `bind_transceiver` (4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bind<'a> {
    pub system_id: &'a [u8],
    pub password: &'a [u8],
    pub system_type: &'a [u8],
    pub interface_version: u8,
    /// Type, plan and range of the addresses that this ESME serves.
    pub addresses: Address<'a>,
}

/// The answers to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BindResponse<'a> {
    pub system_id: &'a [u8],
    pub tlvs: Tlvs<'a>,
}

/// `outbind` (4.1.7): an SMSC asks an ESME to bind. We log and refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outbind<'a> {
    pub system_id: &'a [u8],
    pub password: &'a [u8],
}

/// `submit_sm` (4.4.1) and `deliver_sm` (4.6.1), which share their layout, and `data_sm` (4.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ShortMessage<'a> {
    pub service_type: &'a [u8],
    pub source: Address<'a>,
    pub destination: Address<'a>,
    pub esm_class: u8,
    pub protocol_id: u8,
    pub priority_flag: u8,
    pub schedule_delivery_time: &'a [u8],
    pub validity_period: &'a [u8],
    pub registered_delivery: u8,
    pub replace_if_present: u8,
    pub data_coding: u8,
    pub default_message_id: u8,
    pub short_message: &'a [u8],
    pub tlvs: Tlvs<'a>,
}

/// `submit_sm_resp`, `deliver_sm_resp`, `data_sm_resp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MessageResponse<'a> {
    /// `None` when the body is empty, as in many refusals and some acceptances.
    pub message_id: Option<&'a [u8]>,
    pub tlvs: Tlvs<'a>,
}

/// `alert_notification` (4.12): a handset is reachable again. We log it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AlertNotification<'a> {
    pub source: Address<'a>,
    pub esme: Address<'a>,
    pub tlvs: Tlvs<'a>,
}

/// Bits of `esm_class` (5.2.12).
pub mod esm_class {
    /// The message type of a `deliver_sm` (bits 2 to 5).
    pub const TYPE_MASK: u8 = 0x3C;
    pub const RECEIPT: u8 = 0x04;
    pub const DELIVERY_ACKNOWLEDGEMENT: u8 = 0x08;
    pub const USER_ACKNOWLEDGEMENT: u8 = 0x10;
    pub const INTERMEDIATE_NOTIFICATION: u8 = 0x20;
    /// The short message starts with a user data header.
    pub const UDHI: u8 = 0x40;
}
