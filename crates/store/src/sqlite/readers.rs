//! Read-only connections, a bounded number of them, shared by all reading threads.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use rusqlite::Connection;

use crate::contract::Result;
use crate::sqlite::connection::{CacheKib, open_reader};
use crate::sqlite::failure::About;
use crate::sqlite::shard::Shard;

/// Connections at rest, the least recently used first. A thread takes one out, so two threads on one
/// shard use two connections.
pub(super) struct Readers {
    at_rest: Mutex<VecDeque<(u32, Connection)>>,
    /// More are closed when they come back. Each holds two files open and its cache.
    most: usize,
    cache: CacheKib,
    page_size: u32,
}

impl Readers {
    pub(super) fn new(most: usize, cache: CacheKib, page_size: u32) -> Self {
        Self {
            at_rest: Mutex::default(),
            most,
            cache,
            page_size,
        }
    }

    /// Runs `read` on a connection to the shard. Errors name the file.
    pub(super) fn with<T>(
        &self,
        shard: &Shard,
        read: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let conn = self.take(shard)?;
        let answer = read(&conn).about(&shard.path)?;
        let mut at_rest = self.at_rest.lock();
        if shard.is_forgotten.load(Ordering::SeqCst) {
            return Ok(answer);
        }
        at_rest.push_back((shard.name.number, conn));
        let too_many = (at_rest.len() > self.most).then(|| at_rest.pop_front());
        drop(at_rest);
        drop(too_many);
        Ok(answer)
    }

    /// Like [`Readers::with`], in one transaction: several queries see one state, and pay once for the
    /// locks that a query by itself takes and gives back (half the time of a short one).
    pub(super) fn snapshot<T>(
        &self,
        shard: &Shard,
        read: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        self.with(shard, |conn| {
            conn.prepare_cached("BEGIN")?.execute(())?;
            // After an error the connection is closed, and the transaction with it.
            let answer = read(conn)?;
            conn.prepare_cached("COMMIT")?.execute(())?;
            Ok(answer)
        })
    }

    fn take(&self, shard: &Shard) -> Result<Connection> {
        let mut at_rest = self.at_rest.lock();
        let place = at_rest
            .iter()
            .rposition(|(number, _)| *number == shard.name.number);
        if let Some((_, conn)) = place.and_then(|place| at_rest.remove(place)) {
            return Ok(conn);
        }
        drop(at_rest);
        shard.make_current(self.page_size)?;
        open_reader(&shard.path, self.cache).about(&shard.path)
    }

    /// Closes what rests on a shard that is about to be deleted, and what will come back from it: an
    /// open file keeps its disk space.
    pub(super) fn close(&self, shard: &Shard) {
        shard.is_forgotten.store(true, Ordering::SeqCst);
        let mut at_rest = self.at_rest.lock();
        at_rest.retain(|(number, _)| *number != shard.name.number);
    }

    pub(super) fn close_all(&self) {
        self.at_rest.lock().clear();
    }
}
