//! The contract between the engine and every kind of carrier.
//!
//! One rule carries the rest: **each submission gets exactly one outcome**, also when the link dies,
//! the process stops gracefully, or the peer talks nonsense. The engine's books balance on it.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::text::{Encoding, Utf16Text};
use serde::Deserialize;
use smallvec::SmallVec;
use tokio::sync::mpsc;

/// Names one submission between engine and carrier; chosen by the engine, never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Index of a configured carrier, in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CarrierNo(pub u16);

/// One message on its way to a carrier. The carrier splits it into segments by its own wire
/// settings; the engine only needs to know how many there will be, for pacing.
#[derive(Clone, Debug)]
pub struct Submission {
    pub ticket: Ticket,
    pub from: SenderAddress,
    pub to: PhoneNumber,
    /// The text exactly as it is to appear on the handset.
    pub body: Arc<str>,
    pub encoding: Encoding,
    /// Segments the body takes with 8-bit references.
    pub segments: u16,
    /// Milliseconds since the Unix epoch after which nobody wants the message any more.
    pub deadline_ms: i64,
}

/// What became of one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every segment was taken; one carrier id per segment, in order. An id may be empty. A carrier
    /// that splits messages itself gives one id for all segments.
    Accepted { ids: SmallVec<[Box<str>; 1]> },
    /// The carrier said no. `accepted` holds the ids of the segments it took before saying so.
    Refused(Refusal),
    /// The carrier is over its rate: nothing was sent, the link is slowed down by the carrier
    /// itself, and the message belongs back at the head of its queue without counting an attempt.
    Throttled,
    /// Not one octet of it was written (link down, stopping). Safe to submit anywhere.
    Returned,
    /// Octets may have reached the carrier and no answer came. What happens next is the policy's
    /// decision (`unknown_outcome`), not the carrier's.
    Unknown,
}

/// A refusal by the carrier: whose fault, and may it be tried again?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub class: RefusalClass,
    /// The error code the message ends with if no retry succeeds.
    pub code: ErrorCode,
    /// The carrier's own words, for the record: `0x0000000B RINVDSTADR`.
    pub detail: Box<str>,
    /// Ids of earlier segments of the same message that were taken.
    pub accepted: SmallVec<[Box<str>; 1]>,
}

/// How a refusal may be met (carriers.md, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// The same carrier, later, for as long as the message is valid.
    RetrySame,
    /// The same carrier, a few times within about a minute, then another if there is one.
    RetrySoon,
    /// One other carrier if there is one, at once.
    RetryOther,
    /// Final.
    Fail,
    /// The account at the carrier is misconfigured: hold the queue and alert the operator.
    Config,
}

/// What becomes of a submission whose outcome is [`Outcome::Unknown`] (`unknown_outcome`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownOutcome {
    /// Send it again: at least once, perhaps twice.
    #[default]
    Resend,
    /// Fail it: at most once.
    Fail,
}

/// Which segments' receipts decide the fate of a message (`receipt_segments`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptSegments {
    #[default]
    All,
    Any,
    First,
    Last,
}

/// A delivery receipt, parsed out of whatever dialect the carrier speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The id as the carrier wrote it.
    pub carrier_id: Box<str>,
    /// Keys to look the id up by, most literal first (see [`crate::correlation`]).
    pub candidates: SmallVec<[Box<str>; 3]>,
    pub state: ReceiptState,
    /// Error for a final failure, already mapped from the carrier's code.
    pub error: Option<ErrorCode>,
    /// The carrier's `done date` digits, untouched (status callbacks pass ten of them on).
    pub done_date: Option<Box<str>>,
    /// The handset the receipt speaks of, when the carrier says and it parses.
    pub handset: Option<PhoneNumber>,
    /// The raw state and error text, for the record.
    pub detail: Box<str>,
    /// Its state and error have a meaning for this carrier; otherwise the defaults were taken.
    pub is_understood: bool,
    /// As received, to find out later why it was read so. Empty where there is no such thing.
    pub raw: Box<[u8]>,
}

/// What a receipt says of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptState {
    /// Still on its way: stored, changes nothing.
    Intermediate,
    Delivered,
    Undelivered,
}

/// A message or a segment of one from a handset, before reassembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    pub from: Box<str>,
    pub to: Box<str>,
    /// Decoded text; undecodable octets are U+FFFD.
    pub text: Utf16Text,
    pub encoding: Encoding,
    /// Reference, total and sequence number (from 1) when it is a segment of several.
    pub concat: Option<Concat>,
    /// The PDU as received, for replay.
    pub raw: Box<[u8]>,
}

/// Concatenation header of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Concat {
    pub reference: u16,
    pub is_16_bit: bool,
    pub total: u8,
    pub sequence: u8,
}

/// Answers the carrier for a receipt or an inbound message **after** it is durable. Handed back
/// through [`Carrier::acknowledge`]; a lost one makes the carrier send the event again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckToken {
    pub session: u32,
    pub sequence: u32,
}

/// Everything a carrier tells the engine.
#[derive(Clone, Debug)]
pub enum Event {
    Outcome {
        ticket: Ticket,
        outcome: Outcome,
    },
    /// The answer to a submission that had already been reported [`Outcome::Unknown`] came after
    /// all (a late `submit_sm_resp`). Not a second outcome: it settles the doubt.
    LateOutcome {
        ticket: Ticket,
        outcome: Outcome,
    },
    Receipt {
        receipt: Receipt,
        ack: AckToken,
    },
    Inbound {
        inbound: Inbound,
        ack: AckToken,
    },
    /// Number of segments that may be in the carrier's hands at once; 0 when no link is up. Sent on
    /// every change (bind, unbind, throttle, recovery).
    Capacity {
        segments: u32,
        health: Health,
    },
}

/// A batch of events from one carrier.
#[derive(Clone, Debug)]
pub struct EventBatch {
    pub carrier: CarrierNo,
    pub events: Vec<Event>,
}

/// Where carriers put their events. Bounded: a slow engine slows the reading of the socket.
pub type EventSender = mpsc::Sender<EventBatch>;

/// The state of a carrier's links, for readiness, metrics and the operator.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Health {
    pub links_configured: u32,
    pub links_bound: u32,
    /// The carrier told us to slow down and the pause is not over.
    pub is_throttled: bool,
    /// Links given up since the start because they sent nothing although messages waited.
    pub links_stuck: u64,
    /// Set when the carrier refuses us for a reason only the operator can mend.
    pub config_fault: Option<Box<str>>,
}

/// A running carrier.
///
/// Its methods never block and never fail: what cannot be submitted comes back as an
/// [`Outcome::Returned`].
pub trait Carrier: Send + Sync {
    /// Hands over messages, in order. The engine keeps within the announced capacity.
    fn submit(&self, batch: Vec<Submission>);

    /// Answers the carrier for events that are now durable.
    fn acknowledge(&self, tokens: Vec<AckToken>);

    /// Answers the carrier that it should bring these events again later, because they cannot be
    /// kept now (a full disk, too many at once). A carrier that has no such answer leaves them unanswered.
    fn decline(&self, tokens: Vec<AckToken>) {
        let _ = tokens;
    }

    /// Stops taking work, gives open submissions `grace` to be answered, returns the rest, closes
    /// the links. The event channel closes when all is done; what is submitted after that is not
    /// answered any more.
    fn shut_down(&self, grace: std::time::Duration);
}
