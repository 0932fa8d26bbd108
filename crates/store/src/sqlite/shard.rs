//! Shards: which messages are in which file, and what is remembered of a file between calls.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use postrider_core::clock::Millis;
use postrider_core::idempotency::KeyHash;
use postrider_core::message::AccountNo;
use postrider_core::sid::Id;
use rusqlite::Connection;

use crate::contract::Result;
use crate::sqlite::connection::{CacheKib, open_writer};
use crate::sqlite::directory::ShardName;
use crate::sqlite::failure::About;
use crate::sqlite::key_filter::KeyFilter;
use crate::sqlite::migrations::Kind;
use crate::sqlite::runs::Runs;

/// Work that a shard may hold; each kind has its partial index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Queue,
    Deadlines,
    Schedule,
    Callbacks,
}

impl Work {
    pub(super) const ALL: [Self; 4] = [
        Self::Queue,
        Self::Deadlines,
        Self::Schedule,
        Self::Callbacks,
    ];
}

/// One file of messages.
pub(super) struct Shard {
    pub(super) name: ShardName,
    pub(super) path: PathBuf,
    /// Commits since the start, plus one. The committing thread counts up after each commit.
    pub(super) writes: AtomicU64,
    /// For each kind of [`Work`], the value of `writes` before a look that found none. While the two
    /// are equal the shard need not be asked again: idle old shards cost the pollers nothing.
    none_at: [AtomicU64; Work::ALL.len()],
    /// The checkpoint thread found the log too long and has emptied it as far as it can alone: the
    /// committing thread should start it afresh.
    pub(super) wants_restart: AtomicBool,
    /// Its file is deleted or about to be: connections to it are not kept.
    pub(super) is_forgotten: AtomicBool,
    /// Its runs, once somebody needed them. The committing thread replaces them after a commit that
    /// began one, before it answers.
    runs: Mutex<Option<Runs>>,
    /// The idempotency keys it may have; `None` until somebody needs them.
    keys: Mutex<Option<Arc<KeyFilter>>>,
    /// Its layout is known to be up to date.
    is_current: Mutex<bool>,
}

impl Shard {
    pub(super) fn new(name: ShardName, path: PathBuf) -> Self {
        Self {
            name,
            path,
            writes: AtomicU64::new(1),
            none_at: Default::default(),
            wants_restart: AtomicBool::new(false),
            is_forgotten: AtomicBool::new(false),
            runs: Mutex::new(None),
            keys: Mutex::new(None),
            is_current: Mutex::new(false),
        }
    }

    /// The smallest row key that belongs here.
    pub(super) fn first_key(&self) -> i64 {
        Id::first_key_at(self.name.first_ms)
    }

    /// Octets that its log takes on the disk, used or not.
    pub(super) fn log_bytes(&self) -> u64 {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        // Without a connection there is no log.
        fs::metadata(log).map_or(0, |log| log.len())
    }

    /// Brings its layout up to date before anything else opens it.
    pub(super) fn make_current(&self, page_size: u32) -> Result<()> {
        let mut is_current = self.is_current.lock();
        if !*is_current {
            open_writer(&self.path, Kind::Messages, page_size, CacheKib(256)).about(&self.path)?;
            *is_current = true;
        }
        Ok(())
    }

    /// Its runs, read through `conn` the first time.
    pub(super) fn runs(&self, conn: &Connection) -> Result<Runs> {
        // Locked while reading, so that what was read never replaces what a commit has set since.
        let mut runs = self.runs.lock();
        if let Some(runs) = &*runs {
            return Ok(runs.clone());
        }
        Ok(runs.insert(Runs::read(conn)?).clone())
    }

    pub(super) fn set_runs(&self, runs: Runs) {
        *self.runs.lock() = Some(runs);
    }

    /// The keys it may have, read by `read` the first time.
    pub(super) fn keys(&self, read: impl FnOnce() -> Result<KeyFilter>) -> Result<Arc<KeyFilter>> {
        // Locked while reading, so that no commit's key is missed by both.
        let mut keys = self.keys.lock();
        if let Some(keys) = &*keys {
            return Ok(keys.clone());
        }
        Ok(keys.insert(Arc::new(read()?)).clone())
    }

    /// Called after the commit of a request with this key, before it is answered.
    pub(super) fn add_key(&self, account: AccountNo, key: KeyHash) {
        if let Some(keys) = &*self.keys.lock() {
            keys.add(account, key);
        }
    }

    /// Gives their memory back; false if there was nothing.
    pub(super) fn forget_keys(&self) -> bool {
        self.keys.lock().take().is_some()
    }

    /// Whether a look found no such work, and nothing was written since. `writes` is the count now.
    pub(super) fn has_none(&self, work: Work, writes: u64) -> bool {
        self.none_at[work as usize].load(Ordering::SeqCst) == writes
    }

    /// Notes that a look found no such work. `writes` is the count from before the look: a commit in
    /// between makes the note worthless, never wrong.
    pub(super) fn note_none(&self, work: Work, writes: u64) {
        self.none_at[work as usize].store(writes, Ordering::SeqCst);
    }
}

/// The list of shards, oldest first. Readers take a copy of the list and are not disturbed when it
/// changes; only the committing thread and retention change it, under the writer's lock.
pub(super) struct Shards(RwLock<Arc<[Arc<Shard>]>>);

impl Shards {
    pub(super) fn new(shards: Vec<Arc<Shard>>) -> Self {
        Self(RwLock::new(shards.into()))
    }

    pub(super) fn all(&self) -> Arc<[Arc<Shard>]> {
        Arc::clone(&self.0.read())
    }

    pub(super) fn push(&self, shard: Arc<Shard>) {
        let mut shards = self.0.write();
        *shards = shards.iter().cloned().chain([shard]).collect();
    }

    pub(super) fn remove(&self, number: u32) {
        let mut shards = self.0.write();
        *shards = shards
            .iter()
            .filter(|shard| shard.name.number != number)
            .cloned()
            .collect();
    }
}

/// The place of the shard that a row key belongs to. Keys before the first shard belong to the first.
pub(super) fn route(shards: &[Arc<Shard>], key: i64) -> Option<usize> {
    let newer = shards.partition_point(|shard| shard.first_key() <= key);
    (!shards.is_empty()).then(|| newer.saturating_sub(1))
}

/// When messages of the shard at `place` may have been made: from its first instant to the next's.
pub(super) fn last_ms(shards: &[Arc<Shard>], place: usize) -> Millis {
    shards
        .get(place + 1)
        .map_or(Millis::MAX, |next| next.name.first_ms - 1)
}
