//! A message: the record that is accepted, delivered, listed and at last forgotten.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::error_code::ErrorCode;
use crate::lifecycle::Segments;
use crate::opt_out::KeywordType;
use crate::settings::HttpMethod;
use crate::sid::{MessageSid, ServiceSid};
use crate::text::Encoding;

/// Small number of an account, unique in one store. Message rows carry it in place of the SID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountNo(pub u32);

/// Small number of a sender's queue, unique in one store and never reused. A sender that leaves a
/// pool and comes back keeps its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SenderNo(pub u32);

/// The status of a message: Twilio's values and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    Scheduled = 0,
    Accepted = 1,
    Queued = 2,
    Sending = 3,
    Sent = 4,
    Delivered = 5,
    Undelivered = 6,
    Failed = 7,
    Canceled = 8,
    Read = 9,
    /// In the API's enum, never produced for SMS.
    PartiallyDelivered = 10,
    Receiving = 11,
    Received = 12,
}

impl Status {
    pub const ALL: [Self; 13] = [
        Self::Scheduled,
        Self::Accepted,
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Delivered,
        Self::Undelivered,
        Self::Failed,
        Self::Canceled,
        Self::Read,
        Self::PartiallyDelivered,
        Self::Receiving,
        Self::Received,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Read => "read",
            Self::PartiallyDelivered => "partially_delivered",
            Self::Receiving => "receiving",
            Self::Received => "received",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The stored form.
    pub fn from_u8(value: u8) -> Option<Self> {
        Self::ALL.get(usize::from(value)).copied()
    }

    /// Progress only goes up in rank (sending.md 1.2): 0 scheduled, 1 accepted, 2 queued,
    /// 3 sending, 4 sent, 5 final, 6 read.
    pub fn rank(self) -> u8 {
        match self {
            Self::Scheduled => 0,
            Self::Accepted => 1,
            Self::Queued => 2,
            Self::Sending | Self::Receiving => 3,
            Self::Sent => 4,
            Self::Delivered
            | Self::Undelivered
            | Self::Failed
            | Self::Canceled
            | Self::PartiallyDelivered
            | Self::Received => 5,
            Self::Read => 6,
        }
    }

    /// Nothing of ours will change it any more (a read receipt may still follow a delivery).
    pub fn is_final(self) -> bool {
        self.rank() >= 5
    }

    /// Failed or undelivered: the statuses that carry an error code.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Undelivered)
    }
}

/// A set of statuses, as bits: which callbacks are due, which are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusSet(pub u16);

impl StatusSet {
    pub const EMPTY: Self = Self(0);

    pub fn of(status: Status) -> Self {
        Self(1 << status as u8)
    }

    pub fn contains(self, status: Status) -> bool {
        self.0 & Self::of(status).0 != 0
    }

    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members by ascending rank: the order in which callbacks go out.
    pub fn iter(self) -> impl Iterator<Item = Status> {
        Status::ALL
            .into_iter()
            .filter(move |&status| self.contains(status))
    }
}

/// Who started a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    OutboundApi = 0,
    OutboundReply = 1,
    OutboundCall = 2,
    Inbound = 3,
}

impl Direction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OutboundApi => "outbound-api",
            Self::OutboundReply => "outbound-reply",
            Self::OutboundCall => "outbound-call",
            Self::Inbound => "inbound",
        }
    }

    pub fn from_u8(value: u8) -> Option<Self> {
        [
            Self::OutboundApi,
            Self::OutboundReply,
            Self::OutboundCall,
            Self::Inbound,
        ]
        .into_iter()
        .find(|direction| *direction as u8 == value)
    }
}

/// The whole record of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub sid: MessageSid,
    pub account: AccountNo,
    pub service: Option<ServiceSid>,
    pub direction: Direction,
    pub status: Status,
    /// The chosen sender; `None` while scheduled, or when none could be chosen.
    pub from: Option<Box<str>>,
    /// The queue it waits in, once a sender is chosen.
    pub sender: Option<SenderNo>,
    /// E.164, or a channel address.
    pub to: Box<str>,
    /// As handed to the carrier: after link shortening and smart encoding.
    pub body: Arc<str>,
    /// As submitted, where that differs.
    pub submitted_body: Option<Box<str>>,
    pub encoding: Encoding,
    /// 0 until known (scheduled).
    pub num_segments: u16,
    pub num_media: u16,
    pub updated_ms: Millis,
    /// When the carrier had taken the whole of it.
    pub sent_ms: Option<Millis>,
    /// For a scheduled message, when it is to be released. Kept after the release.
    pub send_at_ms: Option<Millis>,
    /// When it expires in our queue (error 30036).
    pub deadline_ms: Millis,
    pub error: Option<ErrorCode>,
    /// Name of the carrier that took it last.
    pub carrier: Option<Box<str>>,
    /// Times it was handed to a carrier.
    pub attempts: u16,
    /// A carrier may have got it once more than this record shows: it was handed over again, or given
    /// up, without knowing what became of a time before.
    pub is_possible_duplicate: bool,
    /// What the carrier said of each segment.
    pub segments: Segments,
    /// Ten or more digits of the receipt's done date, untouched.
    pub done_date: Option<Box<str>>,
    /// Where status callbacks go; resolved when the message is created.
    pub status_callback: Option<Box<str>>,
    pub callbacks_due: StatusSet,
    /// Why this sender: a [`crate::select::Decision`] in its stored form.
    pub decision: Option<Box<[u8]>>,
    pub options: MessageOptions,
    /// It waits on disk only, not in the queue's window in memory.
    pub is_backlog: bool,
}

impl Message {
    pub fn created_ms(&self) -> Millis {
        self.sid.id.created_ms()
    }
}

/// Parameters of the create request that are kept, echoed or obeyed later, and usually absent.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the request has these switches"
)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageOptions {
    /// The body is forgotten once no longer needed for delivery.
    #[serde(skip_serializing_if = "is_false")]
    pub discard_content: bool,
    /// The recipient's last four digits are masked in the record and in callbacks.
    #[serde(skip_serializing_if = "is_false")]
    pub obfuscate_address: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub provide_feedback: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Per-message smart encoding switch, remembered for a scheduled message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smart_encoded: Option<bool>,
    /// Validity period in seconds as asked for, remembered for a scheduled message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity_period_s: Option<u32>,
    /// A sender asked for by name together with a service and a schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Box<str>>,
    /// `RiskCheck=disable`.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_risk_check: bool,
    /// `TrafficType=free`.
    #[serde(skip_serializing_if = "is_false")]
    pub is_free_traffic: bool,
    /// What WhatsApp shows beside the text, such as a place: `geo:37.78,-122.39|Office`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub persistent_actions: Vec<Box<str>>,
    /// What an inbound message said that Advanced Opt-Out has obeyed, for its webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_out_type: Option<KeywordType>,
    /// The automatic reply to such a word. The opt-out list lets it through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_reply: Option<KeywordType>,
    /// How the status callback is called, where that is not by POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_callback_method: Option<HttpMethod>,
    /// What the customer last told of the recipient's reaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// Whether the recipient did what the message was for, such as entering the code it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    pub outcome: FeedbackOutcome,
    pub at_ms: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackOutcome {
    Confirmed,
    Unconfirmed,
}

impl MessageOptions {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_survive_storage_and_spelling() {
        for status in Status::ALL {
            assert_eq!(Status::from_u8(status as u8), Some(status));
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::from_u8(13), None);
    }

    #[test]
    fn a_status_set_gives_its_members_in_order_of_rank() {
        let set = StatusSet::of(Status::Delivered).with(StatusSet::of(Status::Queued));
        assert_eq!(
            set.iter().collect::<Vec<_>>(),
            [Status::Queued, Status::Delivered]
        );
    }
}
