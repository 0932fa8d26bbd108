//! Sticky mappings between the messages that make them and the store that keeps them.
//!
//! A mapping is looked up before a sender is chosen, noted in the moment it is, and written a second
//! later, so that neither waits for a disk. Notes are made while the loads are locked
//! ([`crate::loads`]): two messages to one new recipient at the same instant get the same sender.
//! What a crash forgets is made again from the messages ([`tasks`]).

mod admin;
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use postrider_core::clock::Millis;
use postrider_core::select::{Broken, Pool, PoolSender, StickyAction, StickyMapping};
use postrider_core::sender::SenderAddress;
use postrider_core::sid::{Id, ServiceSid};
use postrider_store::{Result, StickyChange, StickyKey, StickySender, Store};
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use crate::change_log::ChangeLog;
use crate::directory::Directory;

#[cfg(test)]
pub(crate) use self::tasks::Swept;
pub(crate) use self::tasks::{sweep, write};

/// A use is noted only when the last one noted is older: a recipient who gets ten messages a day would
/// cost ten writes. So a mapping may live so much longer than its year, and never shorter.
const USE_MS: Millis = 3_600_000;

/// So many notes are written without waiting for the second.
const NOTES_MAX: usize = 20_000;

/// The mappings of all services.
pub struct Sticky {
    store: Arc<dyn Store>,
    state: Mutex<State>,
    /// One write at a time.
    writer: Mutex<()>,
    /// When the newest message was made.
    newest_ms: AtomicI64,
    is_full: Notify,
}

#[derive(Default)]
struct State {
    counts: FxHashMap<ServiceSid, Counts>,
    noted: Notes,
    /// On their way to the store; empty between writes.
    writing: Notes,
    /// How often notes were written: whoever read the store before may have missed them.
    written: u64,
    /// How far the store was told to be. Never less than before: what was forgotten since would be
    /// made again.
    reached: Option<Id>,
}

/// Mappings by place in a service's pool.
#[derive(Default)]
pub(crate) struct Counts {
    by_position: FxHashMap<u64, u64>,
    /// Places whose counts changed.
    pub(crate) changes: ChangeLog<u64>,
}

impl Counts {
    pub(crate) fn get(&self, position: u64) -> u64 {
        self.by_position.get(&position).copied().unwrap_or(0)
    }

    pub(crate) fn by_position(&self) -> &FxHashMap<u64, u64> {
        &self.by_position
    }

    fn add(&mut self, position: u64) {
        *self.by_position.entry(position).or_default() += 1;
        self.changes.note(position);
    }

    fn subtract(&mut self, position: u64) {
        let count = self.by_position.entry(position).or_default();
        *count = count.saturating_sub(1);
        self.changes.note(position);
    }
}

/// What becomes of mappings; `None` deletes.
type Notes = FxHashMap<StickyKey, Option<StickySender>>;

/// What the store says of a mapping, and when it said so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looked {
    key: StickyKey,
    stored: Option<StickySender>,
    written: u64,
}

/// The store was written since it was read: read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outdated;

impl Sticky {
    /// Reads how many mappings each sender has, and makes those again that a crash has forgotten.
    pub fn open(store: Arc<dyn Store>, directory: &Directory, now_ms: Millis) -> Result<Self> {
        let mut state = State {
            reached: store.sticky().reached()?,
            ..State::default()
        };
        for count in store.sticky().counts()? {
            let service = state.counts.entry(count.service).or_default();
            service.by_position.insert(count.position, count.mappings);
        }
        let sticky = Self {
            store,
            state: Mutex::new(state),
            writer: Mutex::new(()),
            newest_ms: AtomicI64::new(0),
            is_full: Notify::new(),
        };
        sticky.catch_up(directory, now_ms)?;
        Ok(sticky)
    }

    /// Asks the store. May wait for a disk.
    pub(crate) fn look(&self, key: StickyKey) -> Result<Looked> {
        let written = self.state.lock().written;
        Ok(Looked {
            key,
            stored: self.store.sticky().find(key)?,
            written,
        })
    }

    /// What is known at this instant. Until it is given back, nobody notes anything.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked {
            sticky: self,
            state: self.state.lock(),
        }
    }

    /// A handset has texted `sender`, of this pool: a use of its mapping, and where there is none that
    /// holds, a new one. A number that texts itself is no handset that will be texted from there.
    pub(crate) fn heard(
        &self,
        key: StickyKey,
        sender: &PoolSender,
        pool: &Pool,
        now_ms: Millis,
    ) -> Result<()> {
        self.advance(now_ms);
        if is_oneself(key, sender) {
            return Ok(());
        }
        loop {
            let looked = self.look(key)?;
            let mut now = self.lock();
            let Ok(former) = now.current(&looked) else {
                continue;
            };
            let action = match former.map(mapping) {
                None => StickyAction::Write,
                Some(known) if known.is_expired(now_ms) => StickyAction::Replace(Broken::Expired),
                Some(known) if known.position == sender.position => StickyAction::Touch,
                Some(known) if !is_of_pool(pool, key, known) => {
                    StickyAction::Replace(Broken::LeftPool)
                }
                Some(_) => StickyAction::Keep,
            };
            now.note(key, former, action, Some(sender), now_ms);
            return Ok(());
        }
    }

    /// Deletes a mapping; whether there was one.
    pub(crate) fn forget(&self, key: StickyKey) -> Result<bool> {
        loop {
            let looked = self.look(key)?;
            let mut now = self.lock();
            if let Ok(former) = now.current(&looked) {
                if former.is_some() {
                    now.put(key, former, None);
                }
                return Ok(former.is_some());
            }
        }
    }

    /// A message was made, whatever it did to mappings.
    pub(crate) fn advance(&self, now_ms: Millis) {
        self.newest_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    /// Writes what is noted. `reached`: see [`postrider_store::StickyStore::write`].
    pub fn write_notes(&self, reached: Id) -> Result<()> {
        let _writer = self.writer.lock();
        let (mut changes, reached): (Vec<_>, _) = {
            let mut state = self.state.lock();
            state.writing = std::mem::take(&mut state.noted);
            let notes = state.writing.iter();
            let changes = notes
                .map(|(&key, &sender)| StickyChange { key, sender })
                .collect();
            (
                changes,
                state.reached.map_or(reached, |former| former.max(reached)),
            )
        };
        // Neighbours in the table share pages.
        changes.sort_unstable_by_key(|change| change.key);
        self.store.sticky().write(&changes, reached)?;
        let mut state = self.state.lock();
        state.writing = Notes::default();
        state.written += 1;
        state.reached = Some(reached);
        Ok(())
    }

    fn has_notes(&self) -> bool {
        !self.state.lock().noted.is_empty()
    }
}

/// The mappings of this instant.
pub(crate) struct Locked<'a> {
    sticky: &'a Sticky,
    state: MutexGuard<'a, State>,
}

impl Locked<'_> {
    /// The mapping, from what was noted lately or else from what the store said.
    pub(crate) fn current(&self, looked: &Looked) -> Result<Option<StickySender>, Outdated> {
        let State {
            noted,
            writing,
            written,
            ..
        } = &*self.state;
        match noted.get(&looked.key).or_else(|| writing.get(&looked.key)) {
            Some(&note) => Ok(note),
            None if *written == looked.written => Ok(looked.stored),
            None => Err(Outdated),
        }
    }

    /// How many mappings each place in the service's pool has.
    pub(crate) fn counts_of(&self, service: ServiceSid) -> Option<&Counts> {
        self.state.counts.get(&service)
    }

    /// Notes what a selection decided. `former` is the mapping as it was, `chosen` the sender.
    pub(crate) fn note(
        &mut self,
        key: StickyKey,
        former: Option<StickySender>,
        action: StickyAction,
        chosen: Option<&PoolSender>,
        now_ms: Millis,
    ) {
        // As precise as the store keeps it: nothing depends on what is written already.
        let at_ms = now_ms - now_ms.rem_euclid(1_000);
        let new = |sender: &PoolSender| StickySender {
            sender: sender.no,
            position: sender.position,
            created_ms: at_ms,
            used_ms: at_ms,
        };
        match (action, chosen) {
            (StickyAction::Ignore | StickyAction::Keep, _) | (StickyAction::Write, None) => {}
            (StickyAction::Touch, _) => {
                if let Some(former) = former.filter(|former| now_ms - former.used_ms >= USE_MS) {
                    let used = StickySender {
                        used_ms: at_ms,
                        ..former
                    };
                    self.put(key, Some(former), Some(used));
                }
            }
            (StickyAction::Write | StickyAction::Replace(_), Some(sender)) => {
                self.put(key, former, Some(new(sender)));
            }
            (StickyAction::Replace(_) | StickyAction::Delete(_), _) => self.put(key, former, None),
        }
    }

    pub(crate) fn put(
        &mut self,
        key: StickyKey,
        former: Option<StickySender>,
        sender: Option<StickySender>,
    ) {
        if former.map(|former| former.position) != sender.map(|sender| sender.position) {
            let counts = self.state.counts.entry(key.service).or_default();
            if let Some(former) = former {
                counts.subtract(former.position);
            }
            if let Some(sender) = sender {
                counts.add(sender.position);
            }
        }
        self.state.noted.insert(key, sender);
        if self.state.noted.len() >= NOTES_MAX {
            self.sticky.is_full.notify_one();
        }
    }
}

/// Whether the mapping's sender is in the pool, has not left it in between, and is another than the
/// recipient: an older version let numbers text themselves.
fn is_of_pool(pool: &Pool, key: StickyKey, mapping: StickyMapping) -> bool {
    pool.get(mapping.sender)
        .is_some_and(|member| member.position == mapping.position && !is_oneself(key, member))
}

fn is_oneself(key: StickyKey, sender: &PoolSender) -> bool {
    sender.address == SenderAddress::Number(key.recipient)
}

/// As selection wants it.
pub(crate) fn mapping(sender: StickySender) -> StickyMapping {
    StickyMapping {
        sender: sender.sender,
        position: sender.position,
        last_used_ms: sender.used_ms.saturating_add(USE_MS),
    }
}

#[cfg(test)]
mod tests;
