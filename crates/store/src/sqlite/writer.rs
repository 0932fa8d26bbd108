//! The committing thread's side: routes a batch's changes to shards, one transaction for each, flushed
//! before the answer.
//!
//! Shards are committed oldest first, parked receipts last; see the contract for what a crash in
//! between may leave. Almost always it is one shard: only around the change to a new one, and for late
//! receipts, are there more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use postrider_core::clock::Millis;
use postrider_core::message::Message;
use postrider_core::sid::Id;
use rusqlite::Connection;

use crate::contract::{Applied, Change, Remembered, Result, StoreError};
use crate::sqlite::Shared;
use crate::sqlite::checkpoint;
use crate::sqlite::connection::{
    BUSY_TIMEOUT, CHECKPOINT_PATIENCE, CacheKib, open_writer, overwrite_deleted, set_cache,
};
use crate::sqlite::directory::ShardName;
use crate::sqlite::failure::About;
use crate::sqlite::key_filter::KeyFilter;
use crate::sqlite::migrations::Kind;
use crate::sqlite::parked::Parked;
use crate::sqlite::shard::{Shard, route};
use crate::sqlite::statements::Statements;

/// Writer connections kept open: the newest shards, and those that late receipts last met.
const OPEN_WRITERS: usize = 8;

/// Enough cache for a shard that only late receipts still touch.
const OLD_SHARD_CACHE: CacheKib = CacheKib(2_048);

pub(super) struct Writer {
    shared: Arc<Shared>,
    pub(super) parked: Parked,
    /// Least recently used first.
    open: VecDeque<(u32, Connection)>,
    newest: Newest,
}

/// What decides when the next shard begins.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    inserted: u64,
    inserted_in_run: u64,
    last_ms: Millis,
}

/// The changes of a batch for one shard, as places in the batch.
struct Share {
    shard: Arc<Shard>,
    changes: Vec<usize>,
    /// First keys of the runs that begin with this batch.
    runs: Vec<i64>,
}

/// What an insert needs before it has its place.
enum Place {
    Here,
    NewRun(i64),
    NewShard,
}

impl Writer {
    /// Opens the newest shard too, so that the first commit is not slower than the second.
    pub(super) fn open(shared: Arc<Shared>, parked: Parked) -> Result<Self> {
        let mut writer = Self {
            shared,
            parked,
            open: VecDeque::new(),
            newest: Newest::default(),
        };
        let shards = writer.shared.shards.all();
        if let Some(shard) = shards.last() {
            writer.newest = writer.with_connection(shard, |conn| {
                let (inserted, key, tail): (i64, i64, i64) = conn.query_row(
                    "SELECT inserted, newest_key, newest_tail FROM totals",
                    (),
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )?;
                // Bounded by the size of a run, so no scan.
                let in_run: i64 = conn.query_row(
                    "SELECT count(*) FROM messages WHERE key >= ?",
                    [shard.runs(conn)?.last_first_key()],
                    |row| row.get(0),
                )?;
                Ok(Newest {
                    inserted_in_run: in_run.unsigned_abs(),
                    inserted: u64::try_from(inserted).unwrap_or_default(),
                    last_ms: if key < 0 {
                        shard.name.first_ms
                    } else {
                        Id::from_key(key, tail).created_ms()
                    },
                })
            })?;
        }
        Ok(writer)
    }

    pub(super) fn commit(&mut self, changes: &[Change]) -> Result<Vec<Applied>> {
        let mut answers = vec![Applied::Missing; changes.len()];
        let (shares, parked) = self.divide(changes)?;
        for share in &shares {
            self.with_connection(&share.shard, |conn| {
                commit_share(conn, share, changes, &mut answers)
            })?;
            share.shard.writes.fetch_add(1, Ordering::SeqCst);
        }
        if !parked.is_empty() {
            self.commit_parked(changes, &parked, &mut answers)
                .about(self.parked.path())?;
        }
        for Share { shard, .. } in &shares {
            self.restart_log(shard)?;
        }
        Ok(answers)
    }

    fn commit_parked(
        &self,
        changes: &[Change],
        places: &[usize],
        answers: &mut [Applied],
    ) -> Result<()> {
        self.parked.begin()?;
        for &at in places {
            answers[at] = self.parked.apply(&changes[at])?;
        }
        self.parked.commit()
    }

    /// Gives each shard, oldest first, its changes, and begins a new shard where the newest is full.
    fn divide(&mut self, changes: &[Change]) -> Result<(Vec<Share>, Vec<usize>)> {
        let mut shards = self.shared.shards.all();
        let mut shares: Vec<Share> = Vec::with_capacity(1);
        let mut parked = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            let Some(id) = change.id() else {
                parked.push(at);
                continue;
            };
            let place = match change {
                Change::Insert(message) => self.make_place(&shards, message)?,
                _ => Place::Here,
            };
            if matches!(place, Place::NewShard) {
                shards = self.shared.shards.all();
            }
            // Without any shard there is no message that could be meant.
            let Some(shard) = route(&shards, id.key()).map(|at| &shards[at]) else {
                continue;
            };
            let number = shard.name.number;
            let known = shares
                .iter()
                .rposition(|share| share.shard.name.number == number);
            let share = known.unwrap_or_else(|| {
                shares.push(Share {
                    shard: Arc::clone(shard),
                    changes: Vec::with_capacity(changes.len() - at),
                    runs: Vec::new(),
                });
                shares.len() - 1
            });
            shares[share].changes.push(at);
            if let Place::NewRun(first_key) = place {
                shares[share].runs.push(first_key);
            }
        }
        shares.sort_by_key(|share| share.shard.name.number);
        Ok((shares, parked))
    }

    /// Counts an insert; begins a new shard when the newest is full, or a new run in it. The border
    /// is a whole millisecond after everything already there, so whatever comes late finds its place.
    fn make_place(&mut self, shards: &[Arc<Shard>], message: &Message) -> Result<Place> {
        let created_ms = message.created_ms();
        let options = &self.shared.options;
        let is_later = created_ms > self.newest.last_ms;
        let border_ms = self.newest.last_ms + 1;
        let new_shard = match shards.last() {
            None => Some((1, created_ms)),
            Some(last) => (is_later && self.newest.inserted >= options.messages_per_shard)
                .then_some((last.name.number + 1, border_ms)),
        };
        let place = if let Some((number, first_ms)) = new_shard {
            self.begin_shard(ShardName { number, first_ms })?;
            self.newest = Newest::default();
            Place::NewShard
        } else if is_later && self.newest.inserted_in_run >= options.messages_per_run {
            self.newest.inserted_in_run = 0;
            Place::NewRun(Id::first_key_at(border_ms))
        } else {
            Place::Here
        };
        self.newest.inserted += 1;
        self.newest.inserted_in_run += 1;
        self.newest.last_ms = self.newest.last_ms.max(created_ms);
        Ok(place)
    }

    fn begin_shard(&mut self, name: ShardName) -> Result<()> {
        let shard = Arc::new(Shard::new(name, self.shared.directory.shard(name)));
        // Empty, so that it never needs to be read.
        shard.keys(|| Ok(KeyFilter::new(self.shared.options.messages_per_shard)))?;
        let conn = self.connect(&shard)?;
        self.shared.directory.sync()?;
        self.shared.shards.push(shard);
        self.keep(name.number, conn);
        // The shard before last has few messages in flight left; its memory goes to the new one.
        let old = name.number.saturating_sub(2);
        if let Some((_, conn)) = self.open.iter().find(|(number, _)| *number == old) {
            set_cache(conn, OLD_SHARD_CACHE)?;
        }
        tracing::info!(shard = name.number, "began a new file of messages");
        Ok(())
    }

    fn connect(&self, shard: &Shard) -> Result<Connection> {
        let newest = self.shared.shards.all().last().map_or(0, |s| s.name.number);
        let options = &self.shared.options;
        let cache = if shard.name.number >= newest {
            CacheKib(options.writer_cache_kib)
        } else {
            OLD_SHARD_CACHE
        };
        open_writer(&shard.path, Kind::Messages, options.page_size, cache).about(&shard.path)
    }

    fn with_connection<T>(
        &mut self,
        shard: &Shard,
        write: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let number = shard.name.number;
        let place = self.open.iter().rposition(|(open, _)| *open == number);
        let conn = match place.and_then(|place| self.open.remove(place)) {
            Some((_, conn)) => conn,
            None => self.connect(shard)?,
        };
        let answer = write(&conn).about(&shard.path)?;
        self.keep(number, conn);
        Ok(answer)
    }

    fn keep(&mut self, number: u32, conn: Connection) {
        self.open.push_back((number, conn));
        if self.open.len() > OPEN_WRITERS {
            self.open.pop_front();
        }
    }

    /// Starts a log from its beginning that grew too long. The checkpoint thread has copied nearly
    /// all of it already, so this copies what came since.
    fn restart_log(&mut self, shard: &Shard) -> Result<()> {
        if !shard.wants_restart.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        self.with_connection(shard, |conn| {
            conn.busy_timeout(CHECKPOINT_PATIENCE)?;
            let restarted = checkpoint::run(conn, "RESTART")?;
            conn.busy_timeout(BUSY_TIMEOUT)?;
            if restarted.is_none() {
                tracing::debug!(shard = shard.name.number, "a read keeps the log growing");
            }
            Ok(())
        })
    }

    /// Lets go of a shard that is about to be deleted.
    pub(super) fn close(&mut self, number: u32) {
        self.open.retain(|(open, _)| *open != number);
    }
}

/// One shard's part of a commit: on return it is on disk.
fn commit_share(
    conn: &Connection,
    share: &Share,
    changes: &[Change],
    answers: &mut [Applied],
) -> Result<()> {
    let forgets = share.changes.iter().any(|&at| changes[at].forgets());
    if forgets {
        overwrite_deleted(conn, true)?;
    }
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
    let known = share.shard.runs(conn)?;
    let mut runs = known.clone();
    for &first_key in &share.runs {
        runs = runs.with(first_key);
    }
    runs.write(conn, &known)?;
    let mut statements = Statements::new(conn, runs.clone())?;
    for &at in &share.changes {
        answers[at] = statements.apply(&changes[at])?;
    }
    statements.finish()?;
    conn.prepare_cached("COMMIT")?.execute(())?;
    if forgets {
        overwrite_deleted(conn, false)?;
    }
    share.shard.set_runs(runs);
    for &at in &share.changes {
        if let Change::Remember(Remembered {
            account, request, ..
        }) = &changes[at]
        {
            share.shard.add_key(*account, request.key);
        }
    }
    Ok(())
}

/// What a poisoned store says.
pub(super) fn refused(first: &str) -> StoreError {
    StoreError::Failed(format!("refused, because an earlier write failed: {first}"))
}
