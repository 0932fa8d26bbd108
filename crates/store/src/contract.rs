//! The contract every store keeps.
//!
//! Two doors for writing: [`Store::commit`] for everything that belongs to messages, and
//! [`Store::commit_documents`] for settings. Both apply their changes in order and are durable when
//! they return: power may be cut the instant after. An error from either means that nothing of the
//! call is known to be durable; the caller must stop the process, because a flush that failed once
//! can't be trusted when repeated. After an error the store refuses everything. (Alerts are apart, see
//! [`AlertStore`].)
//!
//! A crash inside a call never leaves a message half changed: all its changes of that call are there
//! or none. Of *different* messages in one call some may be there and others not, because they may be
//! in different files. Parked receipts and segments come last: a crash can leave a receipt parked whose
//! message has it already (the status machine ignores the repetition), or segments whose message was
//! made (it is not made again: its id is taken), never the other way round. Documents are
//! atomic per call.

use std::collections::BTreeSet;
use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::idempotency::{KeyHash, Repeatable};
use postrider_core::lifecycle::Segments;
use postrider_core::message::{AccountNo, Feedback, Message, SenderNo, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::settings::{Document, DocumentKey};
use postrider_core::sid::{Id, MessageSid};
use smallvec::SmallVec;

use crate::alerts::AlertStore;
use crate::answers::{AnswerStore, GivenAnswer};
use crate::opt_outs::OptOutStore;
use crate::parts::{KeptPart, Part};
use crate::sticky::StickyStore;

/// One write that concerns one message.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new message, with the callbacks that are due from the start in `callbacks_due`.
    Insert(Box<Message>),
    /// The request that made a message, to know it when it comes again. Outlives the message's body and
    /// the message itself; goes with its file.
    Remember(Remembered),
    /// The next step of a message already there.
    Update(Update),
    /// Callbacks that were made (or given up for good): no longer due.
    CallbacksDone { id: Id, done: StatusSet },
    /// The scheduled message becomes an ordinary one: applied only while its status is `scheduled`.
    /// Replaces the whole record, which keeps its id.
    Release(Box<Message>),
    /// Withdraws a scheduled message; applied only while its status is `scheduled`.
    Cancel {
        id: Id,
        at_ms: Millis,
        callbacks_due: StatusSet,
        concealment: Concealment,
    },
    /// Marks a waiting message as backlog: nobody has it in memory (any more), so that its deadline
    /// must be found here. Refused once it does not wait.
    Shelve { id: Id },
    /// Empties the body and forgets the submitted body; applied only from `sent` on.
    Redact { id: Id, at_ms: Millis },
    /// Keeps the customer's feedback in the options; refused while the message is scheduled, since
    /// its release replaces the record.
    Feedback { id: Id, feedback: Feedback },
    /// Forgets the record and with it every callback still due; applied only when nothing of it is in
    /// flight (status `sent` or final).
    Delete { id: Id },
    /// A receipt that no message claims yet.
    Park(ParkedReceipt),
    /// A parked receipt found its message, or was too old.
    Unpark { parked: u64 },
    /// A receipt as it came, kept for a while ([`RawReceipt`]).
    KeepRaw(RawReceipt),
    /// A segment of a message from a handset. The same one again changes nothing.
    KeepPart(Box<Part>),
    /// The message was made of its segments. They stay, so that one that comes again is known.
    JoinParts { message: Id },
    /// Forgets the segments of a message.
    ForgetParts { message: Id },
}

impl Change {
    /// The message it concerns, if it concerns one.
    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Insert(message) | Self::Release(message) => Some(message.sid.id),
            Self::Remember(remembered) => Some(remembered.message.id),
            Self::Update(update) => Some(update.id),
            Self::CallbacksDone { id, .. }
            | Self::Cancel { id, .. }
            | Self::Shelve { id }
            | Self::Redact { id, .. }
            | Self::Feedback { id, .. }
            | Self::Delete { id } => Some(*id),
            Self::Park(_)
            | Self::Unpark { .. }
            | Self::KeepRaw(_)
            | Self::KeepPart(_)
            | Self::JoinParts { .. }
            | Self::ForgetParts { .. } => None,
        }
    }

    /// It makes a text or an address be forgotten: neither is to be left in space that is free.
    pub fn forgets(&self) -> bool {
        match self {
            Self::Redact { .. } | Self::Delete { .. } | Self::ForgetParts { .. } => true,
            Self::Update(Update { concealment, .. }) | Self::Cancel { concealment, .. } => {
                !concealment.is_nothing()
            }
            // It takes the place of a record that had both.
            Self::Release(message) => {
                message.options.discard_content || message.options.obfuscate_address
            }
            Self::Insert(_)
            | Self::Remember(_)
            | Self::CallbacksDone { .. }
            | Self::Shelve { .. }
            | Self::Feedback { .. }
            | Self::Park(_)
            | Self::Unpark { .. }
            | Self::KeepRaw(_)
            | Self::KeepPart(_)
            | Self::JoinParts { .. } => false,
        }
    }
}

/// A create request that carried an idempotency key, and the message that it made. Committed together
/// with the insert: both are durable or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub account: AccountNo,
    pub request: Repeatable,
    pub message: MessageSid,
}

/// One step of a message, as absolute values: the engine owns the state and knows the result.
/// Applied only if `status` is of higher rank than the stored status, or the same status
/// ([`Update::applies_to`]). What is `None` here is `None` afterwards, except where a field says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub id: Id,
    pub status: Status,
    pub at_ms: Millis,
    pub error: Option<ErrorCode>,
    /// Set once, when it reaches `sent`; `None` leaves what is there.
    pub sent_ms: Option<Millis>,
    pub carrier: Option<Arc<str>>,
    pub attempts: u16,
    pub is_possible_duplicate: bool,
    pub segments: Segments,
    pub done_date: Option<Box<str>>,
    /// Added to what is due already.
    pub callbacks_due: StatusSet,
    /// Rows by which receipts will find the message: one for each segment the carrier took.
    pub submitted: SmallVec<[Submitted; 1]>,
    /// What goes because it is no longer needed.
    pub concealment: Concealment,
}

impl Update {
    /// Whether a message in this status takes the update. Two statuses of one rank never replace each
    /// other: the first final receipt stands.
    pub fn applies_to(&self, stored: Status) -> bool {
        self.status == stored || self.status.rank() > stored.rank()
    }
}

/// It is in a queue: accepted, queued or sending.
pub fn is_waiting(status: Status) -> bool {
    matches!(status, Status::Accepted | Status::Queued | Status::Sending)
}

/// Nothing of it is in our hands any more: it may be redacted or deleted.
pub fn is_settled(status: Status) -> bool {
    status.rank() >= Status::Sent.rank()
}

/// It has become a message that may reach somebody: there can be feedback about it.
pub fn is_released(status: Status) -> bool {
    status != Status::Scheduled
}

/// Ties a carrier's id to a segment of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    pub key: SubmittedKey,
    pub segment: u16,
}

/// A carrier group (all binds of one account at a carrier) and an id in its normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmittedKey {
    pub group: Arc<str>,
    pub carrier_id: Box<str>,
}

/// What became of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    Yes,
    /// The message has moved on, or is not in the status the change asks for; or the id of an insert
    /// (or number of a parked receipt) is taken, and what is there stays.
    Stale,
    /// No such message (or parked receipt).
    Missing,
}

/// A receipt kept until its message is known, as the engine wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct ParkedReceipt {
    /// Ascending, chosen by the engine.
    pub parked: u64,
    pub received_ms: Millis,
    pub group: Arc<str>,
    /// Normal forms of the id, most literal first.
    pub candidates: SmallVec<[Box<str>; 3]>,
    pub handset: Option<u64>,
    pub is_delivered: bool,
    pub error: Option<ErrorCode>,
    pub done_date: Option<Box<str>>,
}

/// A receipt as a carrier sent it, from which the operator learns why it was read as it was. The
/// oldest give way: to age ([`RAW_AGE_MAX_MS`]) and to newer ones ([`RAW_OCTETS_MAX`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawReceipt {
    pub received_ms: Millis,
    pub carrier: Arc<str>,
    pub why: RawReason,
    pub octets: Box<[u8]>,
}

/// Why a receipt was kept as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawReason {
    /// No message was known for it when it came; it may have been early.
    Unmatched,
    NoId,
    /// Its state or its error means nothing to us.
    NotUnderstood,
    /// All of this carrier's are kept.
    Asked,
}

impl RawReason {
    pub const ALL: [Self; 4] = [
        Self::Unmatched,
        Self::NoId,
        Self::NotUnderstood,
        Self::Asked,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::NoId => "no_id",
            Self::NotUnderstood => "not_understood",
            Self::Asked => "asked",
        }
    }
}

/// Raw receipts older than a week are forgotten: longer than any carrier keeps a message in doubt.
pub const RAW_AGE_MAX_MS: Millis = 7 * 86_400_000;

/// Octets of raw receipts kept at most, all carriers together: about 300,000 receipts.
pub const RAW_OCTETS_MAX: u64 = 64 << 20;

/// What a step of [`Store::forget_raw_receipts`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawReceiptsForgotten {
    pub count: u64,
    /// The last one that was looked at, if there may be more.
    pub next: Option<u64>,
}

/// Which messages a listing is about. All conditions hold together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageFilter {
    pub account: Option<AccountNo>,
    /// Made before this instant.
    pub made_before_ms: Option<Millis>,
    /// Of those that are settled ([`is_settled`]), only what was made at or after this instant. What
    /// is older and still there costs the listing steps: it should be forgotten soon.
    pub settled_from_ms: Option<Millis>,
    pub to: Option<Box<str>>,
    pub from: Option<Box<str>>,
    pub status: Option<Status>,
    /// `sent_ms` at or after this instant.
    pub sent_from_ms: Option<Millis>,
    /// `sent_ms` before this instant.
    pub sent_before_ms: Option<Millis>,
}

/// A place in a listing: strictly older (or newer) than this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    Start,
    /// The page of messages older than this one (the next page).
    After(Id),
    /// The page of messages newer than this one (the previous page).
    Before(Id),
}

/// A message that a sender took over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakenOver {
    pub sender: SenderNo,
    /// As the message names it.
    pub to: Box<str>,
    pub segments: u16,
}

/// What waits in one sender's queue on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    pub sender: SenderNo,
    pub messages: u64,
    pub segments: u64,
}

/// Counts what waited when the store gave this out, whatever is committed meanwhile. May take a second
/// for some millions of messages.
pub type CountDepths = Box<dyn FnOnce() -> Result<Vec<QueueDepth>> + Send>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is (nearly) full: new messages are refused, the reserve is kept for receipts.
    #[error("the store's disk has less than {reserve_mib} MiB left")]
    Full { reserve_mib: u64 },
    #[error("the store failed: {0}")]
    Failed(String),
    /// What was read makes no sense; the text says where.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A store. Everything blocks; everything is safe to call from several threads, except that only
/// one thread commits messages.
pub trait Store: Send + Sync {
    // --- messages: writing ---

    /// Applies the changes in order and flushes them, once. The answer has one entry per change.
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>>;

    /// Whether there is room for new messages. Cheap (cached for a second or so): asked before each
    /// accept. `Err(Full)` while only the reserve is left.
    fn room(&self) -> Result<()>;

    /// An error once a write has failed: also one that nobody asked for and that nobody was told of,
    /// like the copying of a log. Cheap.
    fn check(&self) -> Result<()>;

    /// Bytes that may still be written. As cheap as [`Store::room`].
    fn free_bytes(&self) -> Result<u64>;

    // --- messages: reading ---

    /// The message with this SID's id. The caller compares the SID's kind and the account.
    fn message(&self, id: Id) -> Result<Option<Message>>;

    /// At most `limit` messages, newest first, from the cursor on; also for [`Cursor::Before`],
    /// which takes the `limit` messages next to the cursor. Never visits more rows than the
    /// page needs, give or take a constant, however many there are, for any one of account, recipient
    /// and sender (of an account), or for its date of sending; other conditions are checked on
    /// the rows so found. The order is always that of the ids, also when dates of sending are asked.
    fn list(&self, filter: &MessageFilter, cursor: Cursor, limit: usize) -> Result<Vec<Message>>;

    /// The message a carrier's id stands for: the newest one, made not before `since_ms`, that has
    /// it for one of its segments. When several of its segments have it, the first of them.
    /// Carriers give the same id again after a while: `to` says whose message is meant.
    fn find_submitted(
        &self,
        key: &SubmittedKey,
        to: Option<&str>,
        since_ms: Millis,
    ) -> Result<Option<(Message, u16)>>;

    /// The account's newest request with this key whose message was made not before `since_ms`, also
    /// when the message is no more.
    fn remembered(
        &self,
        account: AccountNo,
        key: KeyHash,
        since_ms: Millis,
    ) -> Result<Option<Remembered>>;

    /// Parked receipts in the order of their number.
    fn parked(&self) -> Result<Vec<ParkedReceipt>>;

    /// All segments of messages from handsets that are kept, by message and sequence.
    fn parts(&self) -> Result<Vec<KeptPart>>;

    /// The newest `limit` raw receipts from the given instant on, oldest first.
    fn raw_receipts(&self, since_ms: Millis, limit: usize) -> Result<Vec<RawReceipt>>;

    // --- messages: work that waits on disk ---
    //
    // What can't be read is passed over and reported, so that the rest does not wait for it.

    /// Messages waiting in a sender's queue ([`is_waiting`]), oldest first, after the given one.
    fn queued(&self, sender: SenderNo, after: Option<Id>, limit: usize) -> Result<Vec<Message>>;

    /// Waiting messages of a sender that are not marked `is_backlog`, oldest first, after the given
    /// one: what a process has in memory, or had when it ended. Passes over backlog within the queue
    /// index: for once after the start.
    fn unshelved(&self, sender: SenderNo, after: Option<Id>, limit: usize) -> Result<Vec<Id>>;

    /// Every sender with something waiting at this instant, and how much; to be counted beside the
    /// work. Reads the queue index only.
    fn queue_depths(&self) -> Result<CountDepths>;

    /// Senders with something waiting; cheaper than their depths, for the start.
    fn queued_senders(&self) -> Result<Vec<SenderNo>>;

    /// Waiting messages marked `is_backlog` whose deadline is before the given instant, by deadline
    /// and then by id, after the given one.
    fn expiring(
        &self,
        before_ms: Millis,
        after: Option<(Millis, Id)>,
        limit: usize,
    ) -> Result<Vec<Message>>;

    /// Scheduled messages due before the given instant, by their time and then by id, after the given
    /// one.
    fn scheduled(
        &self,
        before_ms: Millis,
        after: Option<(Millis, Id)>,
        limit: usize,
    ) -> Result<Vec<Message>>;

    /// When the next message is due of those that are not due before the given instant.
    fn next_scheduled(&self, from_ms: Millis) -> Result<Option<Millis>>;

    /// How many messages of each account wait for their scheduled time, by account; those that have
    /// none are left out. Counts index entries: for once, not for every request.
    fn scheduled_counts(&self) -> Result<Vec<(AccountNo, u64)>>;

    /// Messages with callbacks due, oldest first, after the given one.
    fn callbacks_due(&self, after: Option<Id>, limit: usize) -> Result<Vec<Message>>;

    /// Visits what these senders took over since an instant: messages that were made since, and of those
    /// that were scheduled before, the ones whose time came since and that wait or were sent. Reads every
    /// message made since: for once after the start.
    fn taken_over(
        &self,
        since_ms: Millis,
        senders: &BTreeSet<SenderNo>,
        visit: &mut dyn FnMut(TakenOver),
    ) -> Result<()>;

    /// The newest message id ever stored, deleted or not: new ids must be greater.
    fn last_id(&self) -> Result<Option<Id>>;

    // --- what is derived from messages ---

    fn sticky(&self) -> &dyn StickyStore;

    // --- what customers are told besides ---

    fn alerts(&self) -> &dyn AlertStore;

    // --- who wants no messages ---

    fn opt_outs(&self) -> &dyn OptOutStore;

    // --- messages: forgetting ---

    /// Forgets whole files or partitions whose every message is older than the given instant, and
    /// returns how many messages went. Nothing that still waits or is due is forgotten, unless it
    /// can't be read: nobody will ever see to it, and it is reported.
    fn forget_before(&self, created_before_ms: Millis) -> Result<u64>;

    /// Forgets files or partitions that are older than the given instant and have no message left,
    /// and returns how many.
    fn forget_emptied(&self, created_before_ms: Millis) -> Result<u64>;

    /// Forgets raw receipts that have these octets in them, of the `limit` that follow the given one.
    /// Others wait for each such step, so it should be a small one.
    fn forget_raw_receipts(
        &self,
        containing: &[u8],
        after: Option<u64>,
        limit: usize,
    ) -> Result<RawReceiptsForgotten>;

    // --- settings ---

    /// All documents.
    fn documents(&self) -> Result<Vec<Document>>;

    /// Writes and deletes documents, and keeps the answer to the request that did so if it may be
    /// repeated: all or none, durably.
    fn commit_documents(
        &self,
        changes: &[DocumentChange],
        answer: Option<&GivenAnswer>,
    ) -> Result<()>;

    fn answers(&self) -> &dyn AnswerStore;
}

/// One write to the settings.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentChange {
    /// Creates or replaces.
    Put(Document),
    Delete(DocumentKey),
}
