//! What selection is told: recipient, message, settings, sticky mapping, loads, carriers' reach.
//!
//! All of it comes in as arguments and nothing is remembered, so the same facts always give the same
//! decision. [`Loads`] and [`Reach`] are traits because they are asked about few senders of many.

use super::groups::Group;
use super::scaler::{Order, Scaled};
use crate::clock::Millis;
use crate::country::{self, Country, Preregistration, Support};
use crate::message::SenderNo;
use crate::nanp::AreaCode;
use crate::network::Network;
use crate::phone_number::PhoneNumber;
use crate::sender::SenderAddress;
use crate::settings::Service;

/// Everything about one message but its loads and its carriers.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub recipient: Recipient,
    /// `From`, when the request gave it together with the service.
    pub from: Option<&'a SenderAddress>,
    /// It has media, or was asked to go out as MMS.
    pub has_media: bool,
    pub settings: Settings,
    /// The mapping of (service, recipient), if there is one. It is ignored where stickiness does not
    /// apply, so a caller may pass what it has.
    pub mapping: Option<StickyMapping>,
    pub now_ms: Millis,
    pub detail: Detail,
}

/// Whom the message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub number: PhoneNumber,
    pub channel: Channel,
    pub country: Option<Country>,
    /// Of the US and Canada only.
    pub area_code: Option<AreaCode>,
    /// The network that serves it, where a lookup told.
    pub network: Option<Network>,
}

impl Recipient {
    /// What the numbering plan tells about a recipient.
    pub fn of(number: PhoneNumber, channel: Channel) -> Self {
        Self {
            number,
            channel,
            country: number.country(),
            area_code: number.area_code(),
            network: None,
        }
    }

    /// The sender that the recipient would be.
    pub fn own_address(&self) -> SenderAddress {
        match self.channel {
            Channel::Sms => SenderAddress::Number(self.number),
            Channel::WhatsApp => SenderAddress::WhatsApp(self.number),
        }
    }
}

/// How the message travels. A `To` without prefix is SMS, which here includes MMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    Sms,
    WhatsApp,
}

/// The settings of a service that selection obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the service's own"
)]
pub struct Settings {
    pub sticky_sender: bool,
    pub area_code_geomatch: bool,
    pub mms_converter: bool,
    /// Warn when an alpha sender goes to a country that wants it registered.
    pub preregistration_alert: bool,
}

/// All on.
impl Default for Settings {
    fn default() -> Self {
        Self {
            sticky_sender: true,
            area_code_geomatch: true,
            mms_converter: true,
            preregistration_alert: true,
        }
    }
}

impl From<&Service> for Settings {
    fn from(service: &Service) -> Self {
        Self {
            sticky_sender: service.sticky_sender,
            area_code_geomatch: service.area_code_geomatch,
            mms_converter: service.mms_converter,
            preregistration_alert: service.preregistration_alert,
        }
    }
}

/// (service, recipient) -> sender, as remembered from an earlier message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyMapping {
    pub sender: SenderNo,
    /// The sender's position in the pool at that time: one that left and came back has another, and
    /// nothing is remembered of it.
    pub position: u64,
    pub last_used_ms: Millis,
}

impl StickyMapping {
    /// A mapping that was not used for a year is forgotten.
    pub const MAX_AGE_MS: Millis = 365 * 24 * 3600 * 1000;

    pub fn is_expired(self, now_ms: Millis) -> bool {
        now_ms.saturating_sub(self.last_used_ms) > Self::MAX_AGE_MS
    }
}

/// How many of the losing senders a decision names one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Everyone in a small pool; in a large one the last losers, and numbers for the rest.
    #[default]
    Compact,
    /// Everyone. Visits the whole pool.
    Full,
}

/// How busy senders are at this instant.
pub trait Loads {
    /// Sticky mappings of this service that name the sender, which has this place in the pool: those that
    /// hold, and others until they are swept; the recipient's own only while it holds.
    fn mappings(&self, sender: SenderNo, position: u64) -> u64;

    fn queue(&self, sender: SenderNo) -> QueueLoad;

    /// The outcome over a large group that is kept ranked; `None` = the group is to be walked.
    fn ranked(&self, _group: &Group, _order: Order) -> Option<Scaled> {
        None
    }
}

/// The queue of one sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLoad {
    pub queued_segments: u64,
    /// Until the queue is empty: queued segments by the sender's rate.
    pub drain_ms: u64,
    /// When it was last chosen, on any scale that ascends; 0 = never.
    pub last_used: u64,
    /// This message does not fit any more.
    pub is_full: bool,
    /// Its daily cap leaves no room for this message.
    pub is_capped: bool,
}

/// No load anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idle;

impl Loads for Idle {
    fn mappings(&self, _: SenderNo, _: u64) -> u64 {
        0
    }

    fn queue(&self, _: SenderNo) -> QueueLoad {
        QueueLoad::default()
    }
}

/// What carriers can do. The defaults are what is publicly known; operators know more.
pub trait Reach {
    /// Whether the short code works on this network. Asked only where the network is known: an
    /// unknown network counts as served.
    fn short_code(&self, _short_code: SenderNo, _network: Network) -> Served {
        Served::Yes
    }

    /// Whether a sender of one country can send MMS to a recipient of the other.
    fn mms(&self, _sender: Option<Country>, _recipient: Option<Country>) -> Served {
        Served::No
    }

    /// Whether handsets of this country show alpha senders. Only [`Support::Yes`] is yes.
    fn alpha_sender(&self, country: Country) -> Support {
        country::capabilities(country).map_or(Support::Unknown, |row| row.alpha_sender)
    }

    fn preregistration(&self, country: Country) -> Preregistration {
        country::capabilities(country).map_or(Preregistration::Unknown, |row| row.preregistration)
    }

    /// Whether the alpha sender is registered with this country's carriers.
    fn is_registered(&self, _alpha: SenderNo, _country: Country) -> bool {
        false
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    Yes,
    No,
}

/// What is publicly known, and no MMS anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublicReach;

impl Reach for PublicReach {}
