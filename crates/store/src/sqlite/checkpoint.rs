//! The checkpoint thread: copies the logs into the databases, so that no commit has to.
//!
//! A passive checkpoint blocks nobody: it copies what no reader needs any more and leaves the rest.
//! Under load the log therefore never quite empties; when it has grown too long the thread copies
//! twice in a row, which leaves little, and asks the committing thread to start it afresh. A log that
//! is idle, of a shard that is not the newest, is cut to nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, ErrorCode};

use crate::contract::{Result, StoreError};
use crate::sqlite::Shared;
use crate::sqlite::connection::open_checkpointer;
use crate::sqlite::failure::About;
use crate::sqlite::shard::Shard;

/// Rounds without a write after which an old shard's log is cut.
const IDLE_ROUNDS: u32 = 8;

/// The running thread; dropping it stops and joins it.
pub(super) struct Checkpointer {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let stop: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                let mut rounds = Rounds::new(shared);
                let (flag, wake) = &*stopped;
                let mut is_stopped = flag.lock();
                while !*is_stopped {
                    // Real time, not the injected clock: nothing that the store answers depends on it.
                    wake.wait_for(&mut is_stopped, rounds.shared.options.checkpoint_every);
                    if !*is_stopped {
                        parking_lot::MutexGuard::unlocked(&mut is_stopped, || rounds.round());
                    }
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        let (flag, wake) = &*self.stop;
        *flag.lock() = true;
        wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // It holds no locks and owns nothing that a panic could have half changed.
            drop(thread.join());
        }
    }
}

/// What the thread knows from one round to the next.
pub(super) struct Rounds {
    shared: Arc<Shared>,
    logs: BTreeMap<u32, Log>,
}

struct Log {
    /// Closed when the log is cut, opened when something is written again.
    conn: Option<Connection>,
    /// The shard's count of writes before the last checkpoint.
    writes: u64,
    idle_rounds: u32,
}

impl Rounds {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let logs = BTreeMap::new();
        Self { shared, logs }
    }

    pub(super) fn round(&mut self) {
        let shards = self.shared.shards.all();
        self.logs
            .retain(|number, _| shards.iter().any(|shard| shard.name.number == *number));
        let newest = shards.last().map(|shard| shard.name.number);
        for shard in shards.iter() {
            let is_newest = newest == Some(shard.name.number);
            if let Err(error) = self.visit(shard, is_newest).about(&shard.path) {
                self.shared.fail(&error);
                return;
            }
        }
    }

    fn visit(&mut self, shard: &Shard, is_newest: bool) -> Result<()> {
        let log = self.logs.entry(shard.name.number).or_insert(Log {
            conn: None,
            // What the count starts with: nothing to copy yet.
            writes: 1,
            idle_rounds: 0,
        });
        let writes = shard.writes.load(Ordering::SeqCst);
        if log.writes != writes {
            log.writes = writes;
            log.idle_rounds = 0;
            let conn = match log.conn.take() {
                Some(conn) => conn,
                None => open_checkpointer(&shard.path)?,
            };
            copy(&conn, shard, self.shared.options.log_limit_bytes())?;
            log.conn = Some(conn);
        } else if !is_newest && log.conn.is_some() {
            log.idle_rounds += 1;
            // A reader in the way: once more after the next idle rounds.
            if log.idle_rounds.is_multiple_of(IDLE_ROUNDS)
                && let Some(conn) = &log.conn
                && run(conn, "TRUNCATE")?.is_some()
            {
                log.conn = None;
            }
        }
        Ok(())
    }
}

fn copy(conn: &Connection, shard: &Shard, limit_bytes: u64) -> Result<()> {
    let Some(frames) = run(conn, "PASSIVE")? else {
        return Ok(());
    };
    let page_size: u32 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if frames * u64::from(page_size) > limit_bytes && !shard.wants_restart.load(Ordering::SeqCst) {
        run(conn, "PASSIVE")?;
        shard.wants_restart.store(true, Ordering::SeqCst);
    }
    Ok(())
}

/// Runs a checkpoint and returns how many pages the log holds; `None` when somebody was in the way. A
/// full disk is no failure here: the log keeps everything, and the next round tries again.
pub(super) fn run(conn: &Connection, mode: &str) -> Result<Option<u64>> {
    let outcome = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    match outcome {
        Ok((true, _)) => Ok(None),
        Ok((false, pages)) => Ok(Some(i64::unsigned_abs(pages))),
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if matches!(
                failure.code,
                ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked
            ) =>
        {
            tracing::warn!(%failure, "the log could not be copied; it grows until it can");
            Ok(None)
        }
        Err(error) => Err(StoreError::from(error)),
    }
}
