//! The embedded store: SQLite files in one directory, one process.
//!
//! `docs/storage.md` says what is where, what is promised, and what it costs. In short: settings in
//! `control.db`; messages in time-ordered shards (`messages/`), which keeps every index small enough
//! to stay in memory however much is stored and makes retention the deletion of a file; one committing
//! thread with one connection for each open shard; a checkpoint thread beside it; read-only connections
//! for everyone else.

mod alerts;
mod answers;
mod checkpoint;
mod connection;
mod depths;
mod directory;
mod failure;
mod few_readers;
mod find;
mod key_filter;
mod key_set;
mod keys;
mod listing;
mod migrations;
mod opt_outs;
mod parked;
mod parts;
mod raw_receipts;
mod readers;
mod retention;
mod room;
mod row;
mod runs;
mod settings;
mod shard;
mod statements;
mod sticky;
mod taken_over;
mod work;
mod writer;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};
use postrider_core::idempotency::KeyHash;
use postrider_core::message::{AccountNo, Message, SenderNo};
use postrider_core::settings::Document;
use postrider_core::sid::Id;

pub use self::directory::OpenError;
pub(crate) use self::raw_receipts::has;
pub use self::raw_receipts::raw_receipts;
pub use self::room::{DiskSpace, SystemDiskSpace};
pub use self::settings::documents;

use self::alerts::Alerts;
use self::checkpoint::Checkpointer;
use self::connection::CacheKib;
use self::directory::Directory;
use self::failure::About;
use self::opt_outs::OptOuts;
use self::parked::Parked;
use self::readers::Readers;
use self::room::Room;
use self::settings::Settings;
use self::shard::{Shard, Shards};
use self::sticky::Sticky;
use self::work::Unreadable;
use self::writer::{Writer, refused};
use crate::alerts::AlertStore;
use crate::answers::{AnswerStore, GivenAnswer};
use crate::contract::{
    Applied, Change, CountDepths, Cursor, DocumentChange, MessageFilter, ParkedReceipt, RawReceipt,
    RawReceiptsForgotten, Remembered, Result, Store, StoreError, SubmittedKey, TakenOver,
};
use crate::opt_outs::OptOutStore;
use crate::parts::KeptPart;
use crate::sticky::StickyStore;

/// How a store is set up. The defaults are measured ones (`docs/storage.md`); tests use small shards
/// and a disk of their own.
#[derive(Clone)]
pub struct Options {
    /// A new file is begun after so many messages.
    pub messages_per_shard: u64,
    /// The indexes of a file begin a new run after so many.
    pub messages_per_run: u64,
    /// Pages of files that are created from now on.
    pub page_size: u32,
    /// Memory for pages of each of the two newest shards while writing.
    pub writer_cache_kib: u32,
    /// Memory for pages of each connection that reads.
    pub reader_cache_kib: u32,
    /// Reading connections at once, in use or at rest; each takes two or three open files. Who finds
    /// none waits.
    pub readers: usize,
    /// Below this much free space new messages are refused ([`Store::room`]).
    pub reserve_bytes: u64,
    pub checkpoint_every: Duration,
    /// A log longer than this, or than half of the reserve, is started afresh.
    pub log_limit_bytes: u64,
    /// A listing by date of sending sorts up to so many keys of a shard; where there are more, they
    /// are dense enough to be met by walking. At a page of 50 and 750,000 messages a shard both ways
    /// take about 6,000 steps at worst.
    pub sort_at_most: u32,
    pub disk_space: Arc<dyn DiskSpace>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            messages_per_shard: 750_000,
            messages_per_run: 32_768,
            page_size: 4096,
            writer_cache_kib: 16 << 10,
            reader_cache_kib: 1 << 10,
            readers: 64,
            reserve_bytes: 256 << 20,
            checkpoint_every: Duration::from_millis(250),
            log_limit_bytes: 256 << 20,
            sort_at_most: 5_000,
            disk_space: Arc::new(SystemDiskSpace),
        }
    }
}

/// The embedded store. Dropping it copies the logs into the databases and gives the directory back.
pub struct SqliteStore {
    // Dropped in this order: whoever uses the files first, the lock (in `shared`) last.
    checkpointer: Option<Checkpointer>,
    /// Held for the whole of a commit, so commits have one order.
    writer: Mutex<Writer>,
    settings: Settings,
    sticky: Sticky,
    alerts: Alerts,
    opt_outs: OptOuts,
    room: Room,
    shared: Arc<Shared>,
}

/// What the store's threads share.
struct Shared {
    shards: Shards,
    readers: Readers,
    options: Options,
    /// The first write that failed. From then on everything is refused: what the disk holds is no
    /// longer known, and a flush that failed once must not be trusted when repeated.
    failure: OnceLock<String>,
    /// Rows that lists of work pass over.
    unreadable: Unreadable,
    directory: Directory,
}

impl Shared {
    fn fail(&self, error: &StoreError) {
        if self.failure.set(error.to_string()).is_ok() {
            tracing::error!(%error, "a write failed: the store refuses everything from now on");
        }
    }

    fn check(&self) -> Result<()> {
        self.failure
            .get()
            .map_or(Ok(()), |first| Err(refused(first)))
    }
}

impl SqliteStore {
    /// Opens a directory, creating it if need be. Reads no messages.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<Self, OpenError> {
        let directory = Directory::open(dir)?;
        let shards = directory
            .shards()?
            .into_iter()
            .map(|name| Arc::new(Shard::new(name, directory.shard(name))))
            .collect();
        let settings = Settings::open(directory.control())?;
        let parked = Parked::open(directory.parked())?;
        let sticky = Sticky::open(directory.sticky())?;
        let alerts = Alerts::open(directory.alerts())?;
        let opt_outs = OptOuts::open(directory.opt_outs())?;
        directory.sync()?;
        let cache = CacheKib(options.reader_cache_kib);
        let shared = Arc::new(Shared {
            shards: Shards::new(shards),
            readers: Readers::new(options.readers, cache, options.page_size),
            options,
            failure: OnceLock::new(),
            unreadable: Unreadable::default(),
            directory,
        });
        let writer = Writer::open(Arc::clone(&shared), parked)?;
        let room = Room::new(dir, clock, Arc::clone(&shared));
        let checkpointer =
            Checkpointer::start(Arc::clone(&shared)).map_err(|source| OpenError::Io {
                path: dir.to_owned(),
                source,
            })?;
        Ok(Self {
            checkpointer: Some(checkpointer),
            writer: Mutex::new(writer),
            settings,
            sticky,
            alerts,
            opt_outs,
            room,
            shared,
        })
    }

    /// Runs a write; if it fails, nothing is accepted any more.
    fn write<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        self.shared.check()?;
        write().inspect_err(|error| self.shared.fail(error))
    }

    /// One round of the checkpoint thread, when a test wants it.
    #[cfg(test)]
    pub(crate) fn copy_logs(&self) {
        checkpoint::Rounds::new(Arc::clone(&self.shared)).round();
    }

    #[cfg(test)]
    pub(crate) fn unreadable_keys(&self) -> Vec<i64> {
        self.shared.unreadable.keys()
    }

    fn shared(&self) -> Result<&Shared> {
        self.shared.check()?;
        Ok(&self.shared)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // It holds the shared part, and with it the directory's lock.
        drop(self.checkpointer.take());
        // A file's last connection copies and removes its log; one that only reads can't.
        self.shared.readers.close_all();
        self.sticky.close_readers();
        self.alerts.close_readers();
        self.opt_outs.close_readers();
    }
}

impl Store for SqliteStore {
    fn commit(&self, changes: &[Change]) -> Result<Vec<Applied>> {
        let mut writer = self.writer.lock();
        self.write(|| writer.commit(changes))
    }

    fn check(&self) -> Result<()> {
        self.shared.check()
    }

    fn room(&self) -> Result<()> {
        self.shared()?;
        self.room.check()
    }

    fn free_bytes(&self) -> Result<u64> {
        self.shared()?;
        self.room.free_bytes()
    }

    fn message(&self, id: Id) -> Result<Option<Message>> {
        find::message(self.shared()?, id)
    }

    fn list(&self, filter: &MessageFilter, cursor: Cursor, limit: usize) -> Result<Vec<Message>> {
        listing::list(self.shared()?, filter, cursor, limit)
    }

    fn find_submitted(
        &self,
        key: &SubmittedKey,
        to: Option<&str>,
        since_ms: Millis,
    ) -> Result<Option<(Message, u16)>> {
        find::submitted(self.shared()?, key, to, since_ms)
    }

    fn remembered(
        &self,
        account: AccountNo,
        key: KeyHash,
        since_ms: Millis,
    ) -> Result<Option<Remembered>> {
        find::remembered(self.shared()?, account, key, since_ms)
    }

    fn parked(&self) -> Result<Vec<ParkedReceipt>> {
        self.shared()?;
        let writer = self.writer.lock();
        writer.parked.all().about(writer.parked.path())
    }

    fn parts(&self) -> Result<Vec<KeptPart>> {
        self.shared()?;
        let writer = self.writer.lock();
        writer.parked.parts().about(writer.parked.path())
    }

    fn raw_receipts(&self, since_ms: Millis, limit: usize) -> Result<Vec<RawReceipt>> {
        self.shared()?;
        let writer = self.writer.lock();
        let parked = &writer.parked;
        parked.raw_receipts(since_ms, limit).about(parked.path())
    }

    fn queued(&self, sender: SenderNo, after: Option<Id>, limit: usize) -> Result<Vec<Message>> {
        work::queued(self.shared()?, sender, after, limit)
    }

    fn unshelved(&self, sender: SenderNo, after: Option<Id>, limit: usize) -> Result<Vec<Id>> {
        work::unshelved(self.shared()?, sender, after, limit)
    }

    fn queue_depths(&self) -> Result<CountDepths> {
        depths::queue_depths(self.shared()?)
    }

    fn queued_senders(&self) -> Result<Vec<SenderNo>> {
        work::queued_senders(self.shared()?)
    }

    fn taken_over(
        &self,
        since_ms: Millis,
        senders: &BTreeSet<SenderNo>,
        visit: &mut dyn FnMut(TakenOver),
    ) -> Result<()> {
        taken_over::taken_over(self.shared()?, since_ms, senders, visit)
    }

    fn expiring(
        &self,
        before_ms: Millis,
        after: Option<(Millis, Id)>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        work::expiring(self.shared()?, before_ms, after, limit)
    }

    fn scheduled(
        &self,
        before_ms: Millis,
        after: Option<(Millis, Id)>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        work::scheduled(self.shared()?, before_ms, after, limit)
    }

    fn next_scheduled(&self, from_ms: Millis) -> Result<Option<Millis>> {
        work::next_scheduled(self.shared()?, from_ms)
    }

    fn scheduled_counts(&self) -> Result<Vec<(AccountNo, u64)>> {
        work::scheduled_counts(self.shared()?)
    }

    fn callbacks_due(&self, after: Option<Id>, limit: usize) -> Result<Vec<Message>> {
        work::callbacks_due(self.shared()?, after, limit)
    }

    fn last_id(&self) -> Result<Option<Id>> {
        retention::last_id(self.shared()?)
    }

    fn forget_before(&self, created_before_ms: Millis) -> Result<u64> {
        let mut writer = self.writer.lock();
        self.write(|| retention::forget_before(&self.shared, &mut writer, created_before_ms))
    }

    fn forget_emptied(&self, created_before_ms: Millis) -> Result<u64> {
        let emptied = retention::emptied(self.shared()?, created_before_ms)?;
        let mut forgotten = 0;
        for shard in emptied {
            // One at a time, so that commits come in between.
            let mut writer = self.writer.lock();
            self.write(|| retention::forget_emptied(&self.shared, &mut writer, &shard))?;
            forgotten += 1;
        }
        Ok(forgotten)
    }

    fn forget_raw_receipts(
        &self,
        containing: &[u8],
        after: Option<u64>,
        limit: usize,
    ) -> Result<RawReceiptsForgotten> {
        let writer = self.writer.lock();
        let parked = &writer.parked;
        self.write(|| {
            let forgotten = parked.forget_raw_receipts(containing, after, limit);
            forgotten.about(parked.path())
        })
    }

    fn sticky(&self) -> &dyn StickyStore {
        &self.sticky
    }

    fn alerts(&self) -> &dyn AlertStore {
        &self.alerts
    }

    fn opt_outs(&self) -> &dyn OptOutStore {
        &self.opt_outs
    }

    fn documents(&self) -> Result<Vec<Document>> {
        self.shared()?;
        self.settings.documents()
    }

    fn commit_documents(
        &self,
        changes: &[DocumentChange],
        answer: Option<&GivenAnswer>,
    ) -> Result<()> {
        self.write(|| self.settings.commit(changes, answer))
    }

    fn answers(&self) -> &dyn AnswerStore {
        self
    }
}
