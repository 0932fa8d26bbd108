//! The model store: sorted maps in memory, for simulations and as the yardstick of [`crate::sqlite`].
//!
//! It keeps the same contract, is deterministic (no hash order anywhere), and fails when told to. A
//! [`MemoryDisk`] outlives the [`MemoryStore`]s opened on it, so a simulated crash is: [`crash`] the
//! store, forget the engine, open the disk again. What was acknowledged is there; what was not may be.
//!
//! [`crash`]: MemoryStore::crash

mod alerts;
mod answers;
mod opt_outs;
mod parts;
mod sticky;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use postrider_core::clock::Millis;
use postrider_core::idempotency::KeyHash;
use postrider_core::message::{AccountNo, Direction, Message, SenderNo, Status};
use postrider_core::settings::{Document, DocumentKey};
use postrider_core::sid::Id;

use crate::alerts::{Alert, AlertStore};
use crate::answers::{AnswerStore, GivenAnswer};
use crate::contract::{
    Applied, Change, CountDepths, Cursor, DocumentChange, MessageFilter, ParkedReceipt, QueueDepth,
    RAW_AGE_MAX_MS, RAW_OCTETS_MAX, RawReceipt, RawReceiptsForgotten, Remembered, Result, Store,
    StoreError, SubmittedKey, TakenOver, Update, is_released, is_settled, is_waiting,
};
use crate::opt_outs::OptOutStore;
use crate::parts::KeptPart;
use crate::sqlite::has;
use crate::sticky::StickyStore;

/// What a store leaves behind. Clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Records>>);

impl MemoryDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a store on whatever earlier stores left here.
    pub fn open(&self) -> MemoryStore {
        MemoryStore {
            disk: self.clone(),
            is_dead: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            next_fault: Mutex::new(None),
            is_next_read_failing: AtomicBool::new(false),
        }
    }
}

/// How a commit fails. In every case it answers `Err(Failed)` and the store is dead afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing reached the disk.
    Lost,
    /// Everything reached the disk, only the answer did not come.
    Kept,
    /// Power went between two files: the changes of the older half of the messages concerned are
    /// there, the others and the parked receipts are not. No message is ever half changed.
    Split,
    /// The store panics, as one with a bug would.
    Panic,
}

/// One store on a [`MemoryDisk`].
pub struct MemoryStore {
    disk: MemoryDisk,
    /// Set by a fault or a crash; nothing is answered any more.
    is_dead: AtomicBool,
    is_full: AtomicBool,
    next_fault: Mutex<Option<Fault>>,
    is_next_read_failing: AtomicBool,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// A store on a disk of its own.
    pub fn new() -> Self {
        MemoryDisk::new().open()
    }

    /// The disk, to open it again after a crash.
    pub fn disk(&self) -> MemoryDisk {
        self.disk.clone()
    }

    /// The next write, of messages or of documents, fails in this way.
    pub fn fail_next_commit(&self, fault: Fault) {
        *self.next_fault.lock() = Some(fault);
    }

    /// The next [`Store::callbacks_due`] fails, and nothing else does.
    pub fn fail_next_callbacks_due(&self) {
        self.is_next_read_failing.store(true, Ordering::SeqCst);
    }

    /// Ends this store as a power cut would: whoever still holds it gets errors only.
    pub fn crash(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
    }

    /// Makes [`Store::room`] refuse, or accept again.
    pub fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::SeqCst);
    }

    fn records(&self) -> Result<MutexGuard<'_, Records>> {
        let records = self.disk.0.lock();
        if self.is_dead.load(Ordering::SeqCst) {
            return Err(StoreError::Failed("the store has crashed".to_owned()));
        }
        Ok(records)
    }

    /// The fault that is due, after which the store is dead.
    fn take_fault(&self) -> Option<Fault> {
        let fault = self.next_fault.lock().take();
        if fault.is_some() {
            self.crash();
        }
        assert!(fault != Some(Fault::Panic), "injected panic");
        fault
    }
}

fn injected() -> StoreError {
    StoreError::Failed("injected fault".to_owned())
}

impl Store for MemoryStore {
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>> {
        let mut records = self.records()?;
        match self.take_fault() {
            None => Ok(changes.iter().map(|change| records.apply(change)).collect()),
            Some(Fault::Lost | Fault::Panic) => Err(injected()),
            Some(Fault::Kept) => {
                for change in changes {
                    records.apply(change);
                }
                Err(injected())
            }
            Some(Fault::Split) => {
                let ids: BTreeSet<Id> = changes.iter().filter_map(Change::id).collect();
                let older: BTreeSet<Id> = ids.iter().take(ids.len() / 2).copied().collect();
                for change in changes {
                    if change.id().is_some_and(|id| older.contains(&id)) {
                        records.apply(change);
                    }
                }
                Err(injected())
            }
        }
    }

    fn check(&self) -> Result<()> {
        self.records().map(drop)
    }

    fn room(&self) -> Result<()> {
        let _alive = self.records()?;
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::Full { reserve_mib: 256 });
        }
        Ok(())
    }

    fn free_bytes(&self) -> Result<u64> {
        Ok(u64::MAX)
    }

    fn message(&self, id: Id) -> Result<Option<Message>> {
        let records = self.records()?;
        Ok(records.known(id).cloned())
    }

    fn list(&self, filter: &MessageFilter, cursor: Cursor, limit: usize) -> Result<Vec<Message>> {
        let records = self.records()?;
        let matches = |message: &&Message| matches(filter, message);
        Ok(match cursor {
            Cursor::Start => {
                let newest_first = records.messages.values().rev();
                newest_first.filter(matches).take(limit).cloned().collect()
            }
            Cursor::After(id) => {
                let older = records.messages.range(..id.key()).rev().map(|(_, m)| m);
                older.filter(matches).take(limit).cloned().collect()
            }
            Cursor::Before(id) => {
                let newer = records.messages.range(after(Some(id))..).map(|(_, m)| m);
                let mut page: Vec<Message> = newer.filter(matches).take(limit).cloned().collect();
                page.reverse();
                page
            }
        })
    }

    fn find_submitted(
        &self,
        key: &SubmittedKey,
        to: Option<&str>,
        since_ms: Millis,
    ) -> Result<Option<(Message, u16)>> {
        let records = self.records()?;
        let Some(places) = records.submitted.get(key) else {
            return Ok(None);
        };
        let newest = places
            .iter()
            .rev()
            .filter_map(|(row, _)| records.messages.get(row))
            .take_while(|message| message.created_ms() >= since_ms)
            .find(|message| to.is_none_or(|to| *message.to == *to));
        Ok(newest.and_then(|message| {
            let row = message.sid.id.key();
            let (_, segment) = places.range((row, 0)..).next()?;
            Some((message.clone(), *segment))
        }))
    }

    fn remembered(
        &self,
        account: AccountNo,
        key: KeyHash,
        since_ms: Millis,
    ) -> Result<Option<Remembered>> {
        let records = self.records()?;
        let since_ms = since_ms.clamp(0, (1 << 43) - 1);
        let first = (account, key, Id::first_key_at(since_ms));
        let mut newest_first = records
            .remembered
            .range(first..=(account, key, i64::MAX))
            .rev();
        Ok(newest_first.next().map(|(_, remembered)| *remembered))
    }

    fn parked(&self) -> Result<Vec<ParkedReceipt>> {
        Ok(self.records()?.parked.values().cloned().collect())
    }

    fn parts(&self) -> Result<Vec<KeptPart>> {
        Ok(self.records()?.parts.all())
    }

    fn raw_receipts(&self, since_ms: Millis, limit: usize) -> Result<Vec<RawReceipt>> {
        let records = self.records()?;
        let is_asked = |receipt: &&RawReceipt| receipt.received_ms >= since_ms;
        let newest = records.raw.iter().rev().filter(is_asked).take(limit);
        let mut receipts: Vec<_> = newest.cloned().collect();
        receipts.reverse();
        Ok(receipts)
    }

    fn queued(&self, sender: SenderNo, from: Option<Id>, limit: usize) -> Result<Vec<Message>> {
        let records = self.records()?;
        let rows = records
            .waiting
            .range((Some(sender), after(from))..=(Some(sender), i64::MAX));
        Ok(records.load(rows.map(|(_, row)| *row), limit))
    }

    fn unshelved(&self, sender: SenderNo, from: Option<Id>, limit: usize) -> Result<Vec<Id>> {
        let waiting = self.queued(sender, from, usize::MAX)?.into_iter();
        let unshelved = waiting.filter(|message| !message.is_backlog);
        Ok(unshelved
            .map(|message| message.sid.id)
            .take(limit)
            .collect())
    }

    fn queue_depths(&self) -> Result<CountDepths> {
        let depths = self.records()?.depths();
        Ok(Box::new(|| Ok(depths)))
    }

    fn queued_senders(&self) -> Result<Vec<SenderNo>> {
        let depths = self.records()?.depths();
        Ok(depths.into_iter().map(|depth| depth.sender).collect())
    }

    fn taken_over(
        &self,
        since_ms: Millis,
        senders: &BTreeSet<SenderNo>,
        visit: &mut dyn FnMut(TakenOver),
    ) -> Result<()> {
        for message in self.records()?.messages.values() {
            let is_new = message.created_ms() >= since_ms;
            let is_released = message.send_at_ms.is_some_and(|at_ms| at_ms >= since_ms)
                && (is_waiting(message.status) || message.sent_ms.is_some_and(|ms| ms >= since_ms));
            if message.direction != Direction::Inbound
                && (is_new || is_released)
                && let Some(sender) = message.sender.filter(|sender| senders.contains(sender))
            {
                visit(TakenOver {
                    sender,
                    to: message.to.clone(),
                    segments: message.num_segments,
                });
            }
        }
        Ok(())
    }

    fn expiring(
        &self,
        before_ms: Millis,
        from: Option<(Millis, Id)>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let records = self.records()?;
        let rows = by_time(&records.deadlines, before_ms, from);
        Ok(records.load(rows, limit))
    }

    fn scheduled(
        &self,
        before_ms: Millis,
        from: Option<(Millis, Id)>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let records = self.records()?;
        let rows = by_time(&records.scheduled, before_ms, from);
        Ok(records.load(rows, limit))
    }

    fn next_scheduled(&self, from_ms: Millis) -> Result<Option<Millis>> {
        let records = self.records()?;
        let mut later = records.scheduled.range((from_ms, i64::MIN)..);
        Ok(later.next().map(|(at_ms, _)| *at_ms))
    }

    fn scheduled_counts(&self) -> Result<Vec<(AccountNo, u64)>> {
        let records = self.records()?;
        let mut counts: BTreeMap<AccountNo, u64> = BTreeMap::new();
        for (_, row) in &records.scheduled {
            *counts.entry(records.messages[row].account).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn callbacks_due(&self, from: Option<Id>, limit: usize) -> Result<Vec<Message>> {
        if self.is_next_read_failing.swap(false, Ordering::SeqCst) {
            return Err(injected());
        }
        let records = self.records()?;
        let rows = records.due.range(after(from)..);
        Ok(records.load(rows.copied(), limit))
    }

    fn last_id(&self) -> Result<Option<Id>> {
        Ok(self.records()?.last_id)
    }

    fn sticky(&self) -> &dyn StickyStore {
        self
    }

    fn alerts(&self) -> &dyn AlertStore {
        self
    }

    fn opt_outs(&self) -> &dyn OptOutStore {
        self
    }

    /// Here every message counts as a partition of its own.
    fn forget_before(&self, created_before_ms: Millis) -> Result<u64> {
        let mut records = self.records()?;
        let old: Vec<i64> = records
            .messages
            .range(..Id::first_key_at(created_before_ms))
            .filter(|(_, message)| !has_work(message))
            .map(|(row, _)| *row)
            .collect();
        for row in &old {
            records.remove(*row);
        }
        let is_kept = |row: &i64| old.binary_search(row).is_err();
        records.remembered.retain(|(.., row), _| is_kept(row));
        Ok(old.len() as u64)
    }

    /// No partition outlives its message.
    fn forget_emptied(&self, _created_before_ms: Millis) -> Result<u64> {
        self.records().map(|_| 0)
    }

    /// Raw receipts have no numbers here; a step looks at all of them.
    fn forget_raw_receipts(
        &self,
        containing: &[u8],
        _after: Option<u64>,
        _limit: usize,
    ) -> Result<RawReceiptsForgotten> {
        let mut records = self.records()?;
        let before = records.raw.len();
        records
            .raw
            .retain(|receipt| !has(&receipt.octets, containing));
        records.raw_octets = records.raw.iter().map(|raw| raw.octets.len() as u64).sum();
        Ok(RawReceiptsForgotten {
            count: (before - records.raw.len()) as u64,
            next: None,
        })
    }

    fn documents(&self) -> Result<Vec<Document>> {
        Ok(self.records()?.documents.values().cloned().collect())
    }

    fn commit_documents(
        &self,
        changes: &[DocumentChange],
        answer: Option<&GivenAnswer>,
    ) -> Result<()> {
        let mut records = self.records()?;
        let fault = self.take_fault();
        if matches!(fault, None | Some(Fault::Kept)) {
            for change in changes {
                match change {
                    DocumentChange::Put(document) => {
                        records.documents.insert(document.key(), document.clone())
                    }
                    DocumentChange::Delete(key) => records.documents.remove(key),
                };
            }
            records.answers.extend(answer.cloned());
        }
        fault.map_or(Ok(()), |_| Err(injected()))
    }

    fn answers(&self) -> &dyn AnswerStore {
        self
    }
}

/// The first row key after an id; the very first without one.
fn after(id: Option<Id>) -> i64 {
    id.map_or(i64::MIN, |id| id.key() + 1)
}

/// Rows whose time is before an instant, after the given one.
fn by_time(
    rows: &BTreeSet<(Millis, i64)>,
    before_ms: Millis,
    from: Option<(Millis, Id)>,
) -> impl Iterator<Item = i64> {
    let from = from.map_or((i64::MIN, i64::MIN), |(at_ms, id)| (at_ms, after(Some(id))));
    let rows = rows.range(from..);
    let rows = rows.take_while(move |(at_ms, _)| *at_ms < before_ms);
    rows.map(|(_, row)| *row)
}

fn matches(filter: &MessageFilter, message: &Message) -> bool {
    let sent_ms = message.sent_ms;
    filter
        .account
        .is_none_or(|account| message.account == account)
        && filter.to.as_ref().is_none_or(|to| message.to == *to)
        && filter
            .from
            .as_ref()
            .is_none_or(|from| message.from.as_ref() == Some(from))
        && filter.status.is_none_or(|status| message.status == status)
        && filter
            .made_before_ms
            .is_none_or(|before| message.created_ms() < before)
        && filter
            .settled_from_ms
            .is_none_or(|from| message.created_ms() >= from || !is_settled(message.status))
        && filter
            .sent_from_ms
            .is_none_or(|from| sent_ms.is_some_and(|sent| sent >= from))
        && filter
            .sent_before_ms
            .is_none_or(|before| sent_ms.is_some_and(|sent| sent < before))
}

/// Something is still to be done for it, so it must not be forgotten.
fn has_work(message: &Message) -> bool {
    is_waiting(message.status)
        || message.status == Status::Scheduled
        || !message.callbacks_due.is_empty()
}

/// All that is on a disk. The sets hold row keys and follow `messages`; only [`Records::put`] and
/// [`Records::remove`] touch either.
#[derive(Default)]
struct Records {
    messages: BTreeMap<i64, Message>,
    waiting: BTreeSet<(Option<SenderNo>, i64)>,
    deadlines: BTreeSet<(Millis, i64)>,
    scheduled: BTreeSet<(Millis, i64)>,
    due: BTreeSet<i64>,
    submitted: BTreeMap<SubmittedKey, BTreeSet<(i64, u16)>>,
    /// By account, key, and the message's row, which need not be there any more.
    remembered: BTreeMap<(AccountNo, KeyHash, i64), Remembered>,
    parked: BTreeMap<u64, ParkedReceipt>,
    parts: parts::Parts,
    raw: VecDeque<RawReceipt>,
    raw_octets: u64,
    documents: BTreeMap<DocumentKey, Document>,
    answers: Vec<GivenAnswer>,
    sticky: sticky::Mappings,
    alerts: BTreeMap<i64, Alert>,
    opt_outs: opt_outs::OptOuts,
    last_id: Option<Id>,
}

impl Records {
    fn depths(&self) -> Vec<QueueDepth> {
        let mut depths: BTreeMap<SenderNo, QueueDepth> = BTreeMap::new();
        for (sender, row) in &self.waiting {
            let Some(sender) = *sender else { continue };
            let depth = depths.entry(sender).or_insert(QueueDepth {
                sender,
                messages: 0,
                segments: 0,
            });
            depth.messages += 1;
            depth.segments += u64::from(self.messages[row].num_segments);
        }
        depths.into_values().collect()
    }

    fn known(&self, id: Id) -> Option<&Message> {
        // The tail is the part of a SID that nobody can guess.
        self.messages
            .get(&id.key())
            .filter(|message| message.sid.id == id)
    }

    fn load(&self, rows: impl Iterator<Item = i64>, limit: usize) -> Vec<Message> {
        rows.take(limit)
            .map(|row| self.messages[&row].clone())
            .collect()
    }

    fn put(&mut self, message: Message) {
        let row = message.sid.id.key();
        self.remove(row);
        if is_waiting(message.status) {
            self.waiting.insert((message.sender, row));
            if message.is_backlog {
                self.deadlines.insert((message.deadline_ms, row));
            }
        }
        if let (Status::Scheduled, Some(at_ms)) = (message.status, message.send_at_ms) {
            self.scheduled.insert((at_ms, row));
        }
        if !message.callbacks_due.is_empty() {
            self.due.insert(row);
        }
        self.last_id = self.last_id.max(Some(message.sid.id));
        self.messages.insert(row, message);
    }

    fn remove(&mut self, row: i64) {
        if let Some(message) = self.messages.remove(&row) {
            self.waiting.remove(&(message.sender, row));
            self.deadlines.remove(&(message.deadline_ms, row));
            if let Some(at_ms) = message.send_at_ms {
                self.scheduled.remove(&(at_ms, row));
            }
            self.due.remove(&row);
        }
    }

    fn apply(&mut self, change: &Change) -> Applied {
        match change {
            Change::Insert(message) => {
                if self.messages.contains_key(&message.sid.id.key()) {
                    return Applied::Stale;
                }
                self.put(Message::clone(message));
                Applied::Yes
            }
            Change::Remember(remembered) => {
                let row = remembered.message.id.key();
                let place = (remembered.account, remembered.request.key, row);
                match self.remembered.entry(place) {
                    Entry::Occupied(_) => Applied::Stale,
                    Entry::Vacant(entry) => {
                        entry.insert(*remembered);
                        Applied::Yes
                    }
                }
            }
            Change::Update(update) => self.update(update),
            Change::CallbacksDone { id, done } => self.edit(
                *id,
                |_| true,
                |message| message.callbacks_due = message.callbacks_due.without(*done),
            ),
            Change::Release(record) => self.edit(
                record.sid.id,
                |status| status == Status::Scheduled,
                |message| message.clone_from(record),
            ),
            Change::Cancel {
                id,
                at_ms,
                callbacks_due,
                concealment,
            } => self.edit(
                *id,
                |status| status == Status::Scheduled,
                |message| {
                    message.status = Status::Canceled;
                    message.updated_ms = *at_ms;
                    message.callbacks_due = message.callbacks_due.with(*callbacks_due);
                    concealment.apply(message);
                },
            ),
            Change::Shelve { id } => {
                self.edit(*id, is_waiting, |message| message.is_backlog = true)
            }
            Change::Redact { id, at_ms } => self.edit(*id, is_settled, |message| {
                message.forget_body();
                message.updated_ms = *at_ms;
            }),
            Change::Feedback { id, feedback } => self.edit(*id, is_released, |message| {
                message.options.feedback = Some(*feedback);
            }),
            Change::Delete { id } => {
                let applied = self.edit(*id, is_settled, |_| {});
                if applied == Applied::Yes {
                    self.remove(id.key());
                }
                applied
            }
            Change::Park(receipt) => {
                if self.parked.contains_key(&receipt.parked) {
                    return Applied::Stale;
                }
                self.parked.insert(receipt.parked, receipt.clone());
                Applied::Yes
            }
            Change::Unpark { parked } => match self.parked.remove(parked) {
                Some(_) => Applied::Yes,
                None => Applied::Missing,
            },
            Change::KeepRaw(receipt) => {
                self.keep_raw(receipt);
                Applied::Yes
            }
            Change::KeepPart(part) => self.parts.keep(part),
            Change::JoinParts { message } => self.parts.join(*message),
            Change::ForgetParts { message } => self.parts.forget(*message),
        }
    }

    fn keep_raw(&mut self, receipt: &RawReceipt) {
        self.raw_octets += receipt.octets.len() as u64;
        self.raw.push_back(receipt.clone());
        while let Some(oldest) = self.raw.front()
            && (self.raw_octets > RAW_OCTETS_MAX
                || oldest.received_ms < receipt.received_ms - RAW_AGE_MAX_MS)
        {
            self.raw_octets -= oldest.octets.len() as u64;
            self.raw.pop_front();
        }
    }

    fn edit(
        &mut self,
        id: Id,
        is_due: impl Fn(Status) -> bool,
        edit: impl FnOnce(&mut Message),
    ) -> Applied {
        let Some(mut message) = self.known(id).cloned() else {
            return Applied::Missing;
        };
        if !is_due(message.status) {
            return Applied::Stale;
        }
        edit(&mut message);
        self.put(message);
        Applied::Yes
    }

    fn update(&mut self, update: &Update) -> Applied {
        let applied = self.edit(
            update.id,
            |stored| update.applies_to(stored),
            |message| overwrite(message, update),
        );
        if applied == Applied::Yes {
            for submitted in &update.submitted {
                let places = self.submitted.entry(submitted.key.clone()).or_default();
                places.insert((update.id.key(), submitted.segment));
            }
        }
        applied
    }
}

fn overwrite(message: &mut Message, update: &Update) {
    message.status = update.status;
    message.updated_ms = update.at_ms;
    message.error = update.error;
    message.sent_ms = update.sent_ms.or(message.sent_ms);
    message.carrier = update.carrier.as_deref().map(Box::from);
    message.attempts = update.attempts;
    message.is_possible_duplicate = update.is_possible_duplicate;
    message.segments = update.segments.clone();
    message.done_date.clone_from(&update.done_date);
    message.callbacks_due = message.callbacks_due.with(update.callbacks_due);
    update.concealment.apply(message);
}
