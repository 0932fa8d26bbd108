//! The contract of the opt-out list: who wants no messages from whom, and what made it so.
//!
//! An entry is a user's standing with a service or sender. Each change is an event that says why; events
//! are never taken out, nor are entries: one that does not block any more stays, as evidence. What was
//! applied is on disk when the call returns.

use postrider_core::clock::Millis;
use postrider_core::message::AccountNo;
use postrider_core::opt_out::{ChannelGroup, Language, ListKey, Rule, Scope};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, MessageSid};

use crate::contract::{Cursor, Result};

/// A change of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutEvent {
    /// Says when, and sorts. The first event's is the entry's as well.
    pub id: Id,
    /// Whose service or sender it is.
    pub account: AccountNo,
    pub key: ListKey,
    /// From now on.
    pub is_blocked: bool,
    pub cause: OptOutCause,
}

/// Why an entry changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutCause {
    pub source: OptOutSource,
    /// What the user wrote.
    pub message: Option<MessageSid>,
    pub keyword: Option<Box<str>>,
    pub language: Option<Language>,
    pub rule: Option<Rule>,
    /// Who asked for it, such as an account's or a key's SID.
    pub actor: Option<Box<str>>,
    pub note: Option<Box<str>>,
    /// When the user had said so.
    pub consent_ms: Option<Millis>,
}

impl OptOutCause {
    /// Without any detail.
    pub fn of(source: OptOutSource) -> Self {
        Self {
            source,
            message: None,
            keyword: None,
            language: None,
            rule: None,
            actor: None,
            note: None,
            consent_ms: None,
        }
    }
}

/// Where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OptOutSource {
    /// A keyword of the user's.
    OptOutMessage = 1,
    OptInMessage = 2,
    Website = 3,
    Offline = 4,
    Others = 5,
    /// The network above keeps a list of its own, and refused a message by it.
    Network = 6,
}

impl OptOutSource {
    pub const ALL: [Self; 6] = [
        Self::OptOutMessage,
        Self::OptInMessage,
        Self::Website,
        Self::Offline,
        Self::Others,
        Self::Network,
    ];

    /// As the Consents API spells it; the last one is ours.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OptOutMessage => "opt-out-message",
            Self::OptInMessage => "opt-in-message",
            Self::Website => "website",
            Self::Offline => "offline",
            Self::Others => "others",
            Self::Network => "network",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// A user's standing with a service or sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutEntry {
    pub id: Id,
    pub updated_ms: Millis,
    /// What made it what it is.
    pub last: OptOutEvent,
}

/// Which entries a listing is about. All conditions hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptOutFilter {
    pub account: AccountNo,
    pub scope: Option<Scope>,
    pub user: Option<PhoneNumber>,
    pub is_blocked: Option<bool>,
}

pub trait OptOutStore: Send + Sync {
    /// Applies all events, or none: for each, whether it changed its entry. One that says what the entry
    /// says already is not kept.
    fn apply(&self, events: &[OptOutEvent]) -> Result<Vec<bool>>;

    /// From whom a user wants no messages on these channels.
    fn opted_out(&self, channels: ChannelGroup, user: PhoneNumber) -> Result<Vec<Scope>>;

    /// Learns what is in the list, so that most questions after that need no file. To be called once, off
    /// the threads that ask.
    fn warm_up(&self) -> Result<()>;

    /// The entry with this SID's id. The caller compares the account.
    fn find(&self, id: Id) -> Result<Option<OptOutEntry>>;

    /// At most `limit` entries, newest first, from the cursor on; also for [`Cursor::Before`], which takes
    /// the `limit` entries next to the cursor.
    fn list(&self, filter: &OptOutFilter, cursor: Cursor, limit: usize)
    -> Result<Vec<OptOutEntry>>;

    /// The account's events about a user, newest first, at most `limit`.
    fn history(
        &self,
        account: AccountNo,
        user: PhoneNumber,
        limit: usize,
    ) -> Result<Vec<OptOutEvent>>;

    /// Keys of entries that block and were changed at or after an instant.
    fn blocked_since(&self, since_ms: Millis) -> Result<Vec<ListKey>>;
}
