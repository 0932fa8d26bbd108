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

use crate::contract::{Applied, Change, Result, StoreError};
use crate::sqlite::Shared;
use crate::sqlite::connection::{CacheKib, open_writer, set_cache};
use crate::sqlite::directory::ShardName;
use crate::sqlite::failure::About;
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
    last_ms: Millis,
}

/// The changes of a batch for one shard, as places in the batch.
struct Share {
    shard: Arc<Shard>,
    changes: Vec<usize>,
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
                Ok(Newest {
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
        for Share { shard, changes: at } in &shares {
            self.with_connection(shard, |conn| {
                conn.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
                let mut statements = Statements::new(conn)?;
                for &at in at {
                    answers[at] = statements.apply(&changes[at])?;
                }
                statements.finish()?;
                conn.prepare_cached("COMMIT")?.execute(())?;
                Ok(())
            })?;
            shard.writes.fetch_add(1, Ordering::SeqCst);
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
            if let Change::Insert(message) = change
                && self.make_place(&shards, message)?
            {
                shards = self.shared.shards.all();
            }
            // Without any shard there is no message that could be meant.
            let Some(place) = route(&shards, id.key()) else {
                continue;
            };
            let number = shards[place].name.number;
            match shares
                .iter_mut()
                .rev()
                .find(|share| share.shard.name.number == number)
            {
                Some(share) => share.changes.push(at),
                None => shares.push(Share {
                    shard: Arc::clone(&shards[place]),
                    changes: {
                        let mut places = Vec::with_capacity(changes.len() - at);
                        places.push(at);
                        places
                    },
                }),
            }
        }
        shares.sort_by_key(|share| share.shard.name.number);
        Ok((shares, parked))
    }

    /// Counts an insert; begins a new shard when the newest is full. The border is a whole
    /// millisecond after everything already there, so messages made together stay together.
    fn make_place(&mut self, shards: &[Arc<Shard>], message: &Message) -> Result<bool> {
        let created_ms = message.created_ms();
        let is_full = self.newest.inserted >= self.shared.options.messages_per_shard;
        let (number, first_ms) = match shards.last() {
            None => (1, created_ms),
            Some(last) if is_full && created_ms > self.newest.last_ms => {
                (last.name.number + 1, self.newest.last_ms + 1)
            }
            Some(_) => {
                self.newest.inserted += 1;
                self.newest.last_ms = self.newest.last_ms.max(created_ms);
                return Ok(false);
            }
        };
        self.begin_shard(ShardName { number, first_ms })?;
        self.newest = Newest {
            inserted: 1,
            last_ms: created_ms,
        };
        Ok(true)
    }

    fn begin_shard(&mut self, name: ShardName) -> Result<()> {
        let shard = Arc::new(Shard::new(name, self.shared.directory.shard(name)));
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
            let is_busy: bool =
                conn.query_row("PRAGMA wal_checkpoint(RESTART)", (), |row| row.get(0))?;
            if is_busy {
                tracing::warn!(
                    shard = shard.name.number,
                    "a long read keeps the log growing"
                );
            }
            Ok(())
        })
    }

    /// Lets go of a shard that is about to be deleted.
    pub(super) fn close(&mut self, number: u32) {
        self.open.retain(|(open, _)| *open != number);
    }
}

/// What a poisoned store says.
pub(super) fn refused(first: &str) -> StoreError {
    StoreError::Failed(format!("refused, because an earlier write failed: {first}"))
}
