//! The contract of sticky mappings: by which sender of a service a recipient is known.
//!
//! There may be a hundred million of them, so they are looked up where they lie and nothing is kept
//! in memory, but for the number of each sender's. They are derived from messages: a mapping is
//! written a while after the message that made it, and whoever opens the store after a crash makes the
//! last ones again from the messages since [`StickyStore::reached`]. Writing one twice is harmless.

use postrider_core::clock::Millis;
use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, ServiceSid};

use crate::contract::Result;

/// Services do not share mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StickyKey {
    pub service: ServiceSid,
    pub recipient: PhoneNumber,
}

/// A recipient's sender. Times are kept in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickySender {
    pub sender: SenderNo,
    /// The sender's place in the pool.
    pub position: u64,
    pub created_ms: Millis,
    pub used_ms: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyChange {
    pub key: StickyKey,
    /// `None` deletes.
    pub sender: Option<StickySender>,
}

/// A place in a listing by recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientCursor {
    Start,
    After(PhoneNumber),
    Before(PhoneNumber),
}

/// How many mappings name a place in a service's pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyCount {
    pub service: ServiceSid,
    pub position: u64,
    pub mappings: u64,
}

pub trait StickyStore: Send + Sync {
    fn find(&self, key: StickyKey) -> Result<Option<StickySender>>;

    /// Applies all changes, or none. Need not be on disk when it returns, but never passes a later
    /// write, nor is `reached` ever on disk before the changes of its call and of those before.
    fn write(&self, changes: &[StickyChange], reached: Id) -> Result<()>;

    /// All mappings of messages before this one have been written; `None` before the first write.
    fn reached(&self) -> Result<Option<Id>>;

    /// How far the last sweep came; `None`: it begins anew.
    fn swept(&self) -> Result<Option<StickyKey>>;

    /// Keeps how far a sweep came. Never passes a write, as they don't pass each other.
    fn keep_swept(&self, place: Option<StickyKey>) -> Result<()>;

    /// Every count that is not zero, by service and place. Costs the counts, not the mappings.
    fn counts(&self) -> Result<Vec<StickyCount>>;

    /// Mappings after a key: a service's by recipient, services in the order in which they came.
    fn page(
        &self,
        after: Option<StickyKey>,
        limit: usize,
    ) -> Result<Vec<(StickyKey, StickySender)>>;

    /// A service's mappings by recipient, those next to the cursor.
    fn of_service(
        &self,
        service: ServiceSid,
        cursor: RecipientCursor,
        limit: usize,
    ) -> Result<Vec<(StickyKey, StickySender)>>;
}
