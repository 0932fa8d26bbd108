//! The keys of the opt-out list: which entries concern a message, and which of them a keyword changes.
//!
//! A user opts out of a service with all its senders, or of a sender that is in no service. A sender that
//! joins a service brings along who had opted out of it: for each message both entries are asked. WhatsApp
//! has a list of its own; SMS, MMS and RCS share one.

use crate::message::SenderNo;
use crate::phone_number::PhoneNumber;
use crate::select::Channel;
use crate::sender::WHATSAPP_PREFIX;
use crate::sid::ServiceSid;

/// Whose messages a user does not want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Of every sender in its pool, today's and tomorrow's.
    Service(ServiceSid),
    Sender(SenderNo),
}

/// Channels that share an opt-out list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelGroup {
    Text,
    WhatsApp,
}

impl ChannelGroup {
    pub const ALL: [Self; 2] = [Self::Text, Self::WhatsApp];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::WhatsApp => "whatsapp",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.as_str() == text)
    }

    /// Of an address as messages have it.
    pub fn of_address(address: &str) -> Self {
        if address.starts_with(WHATSAPP_PREFIX) {
            Self::WhatsApp
        } else {
            Self::Text
        }
    }
}

impl From<Channel> for ChannelGroup {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::Text,
            Channel::WhatsApp => Self::WhatsApp,
        }
    }
}

/// One place in the opt-out list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListKey {
    pub scope: Scope,
    pub channels: ChannelGroup,
    pub user: PhoneNumber,
}

/// The entries that concern a message between a sender and a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListKeys {
    /// Where a STOP is entered.
    pub home: ListKey,
    /// Of the sender alone, if `home` is a service's.
    pub sender: Option<ListKey>,
}

/// What the list says of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Under the key where a STOP is entered.
    pub home: bool,
    /// Under the sender's own key, from before it joined its service.
    pub sender: bool,
}

/// What a received keyword does to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListChange {
    None,
    /// Enters the pair.
    Block,
    /// Takes the pair out, wherever it is.
    Unblock,
}

impl ListKeys {
    /// `service` is the one whose pool the sender is in, whether or not a request names it.
    pub fn new(
        service: Option<ServiceSid>,
        sender: SenderNo,
        channels: ChannelGroup,
        user: PhoneNumber,
    ) -> Self {
        let key = |scope| ListKey {
            scope,
            channels,
            user,
        };
        let of_sender = key(Scope::Sender(sender));
        match service {
            Some(service) => Self {
                home: key(Scope::Service(service)),
                sender: Some(of_sender),
            },
            None => Self {
                home: of_sender,
                sender: None,
            },
        }
    }

    /// While the service has not chosen a sender yet.
    pub fn of_service(service: ServiceSid, channels: ChannelGroup, user: PhoneNumber) -> Self {
        Self {
            home: ListKey {
                scope: Scope::Service(service),
                channels,
                user,
            },
            sender: None,
        }
    }

    /// All of them. One that is blocked blocks the message.
    pub fn iter(&self) -> impl Iterator<Item = ListKey> {
        std::iter::once(self.home).chain(self.sender)
    }

    pub fn standing(&self, is_blocked: impl Fn(ListKey) -> bool) -> Standing {
        Standing {
            home: is_blocked(self.home),
            sender: self.sender.is_some_and(is_blocked),
        }
    }

    /// The entries that a change makes (true) or removes (false). Who never was out of the sender itself
    /// needs no entry that says so.
    pub fn changed_by(
        &self,
        change: ListChange,
        standing: Standing,
    ) -> impl Iterator<Item = (ListKey, bool)> {
        let of_sender = self.sender.filter(|_| standing.sender);
        let (keys, is_blocked) = match change {
            ListChange::None => ([None, None], false),
            ListChange::Block => ([Some(self.home), None], true),
            ListChange::Unblock => ([Some(self.home), of_sender], false),
        };
        keys.into_iter().flatten().map(move |key| (key, is_blocked))
    }
}

impl Standing {
    pub fn is_blocked(self) -> bool {
        self.home || self.sender
    }
}
