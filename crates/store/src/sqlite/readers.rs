//! Read-only connections, a bounded number of them, shared by all reading threads.
//!
//! Hundreds of threads may read at once. Each connection holds files open, and a commit that finds none
//! left for its own ends the process: so beyond the bound readers wait for each other.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::contract::Result;
use crate::sqlite::connection::{CacheKib, open_reader};
use crate::sqlite::failure::About;
use crate::sqlite::shard::Shard;

pub(super) struct Readers {
    state: Mutex<State>,
    /// Told when a place is free.
    is_free: Condvar,
    /// Connections in use and at rest, together. Each holds two or three files open and its cache.
    most: usize,
    cache: CacheKib,
    page_size: u32,
}

#[derive(Default)]
struct State {
    /// The least recently used first. A thread takes one out, so two threads on one shard use two.
    at_rest: VecDeque<(u32, Connection)>,
    /// Places of threads that are reading.
    taken: usize,
}

impl Readers {
    pub(super) fn new(most: usize, cache: CacheKib, page_size: u32) -> Self {
        Self {
            state: Mutex::default(),
            is_free: Condvar::new(),
            most: most.max(1),
            cache,
            page_size,
        }
    }

    /// Runs `read` on a connection to the shard, once there is one. Errors name the file. Not to be
    /// called from within `read`: all places may be taken by those who wait for another.
    pub(super) fn with<T>(
        &self,
        shard: &Shard,
        read: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        // Declared first, so that the place is free only after the connection is closed.
        let place = Place::take(self);
        let conn = self.connection(shard)?;
        let answer = read(&conn).about(&shard.path)?;
        place.leave(shard, conn);
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

    /// A connection beyond the bound, for the few who must not wait for others' reads.
    pub(super) fn open(&self, shard: &Shard) -> Result<Connection> {
        shard.make_current(self.page_size)?;
        open_reader(&shard.path, self.cache).about(&shard.path)
    }

    /// For somebody who has a place.
    fn connection(&self, shard: &Shard) -> Result<Connection> {
        let mut state = self.state.lock();
        let mut at_rest = state.at_rest.iter();
        let place = at_rest.rposition(|(number, _)| *number == shard.name.number);
        if let Some((_, conn)) = place.and_then(|place| state.at_rest.remove(place)) {
            return Ok(conn);
        }
        let is_full = state.at_rest.len() + state.taken > self.most;
        let unused = is_full.then(|| state.at_rest.pop_front());
        drop(state);
        drop(unused);
        self.open(shard)
    }

    /// Closes what rests on a shard that is about to be deleted, and what will come back from it: an
    /// open file keeps its disk space.
    pub(super) fn close(&self, shard: &Shard) {
        shard.is_forgotten.store(true, Ordering::SeqCst);
        let mut state = self.state.lock();
        state
            .at_rest
            .retain(|(number, _)| *number != shard.name.number);
    }

    pub(super) fn close_all(&self) {
        self.state.lock().at_rest.clear();
    }
}

/// The right to use one connection. Gives itself back on drop.
struct Place<'a>(&'a Readers);

impl<'a> Place<'a> {
    fn take(readers: &'a Readers) -> Self {
        let mut state = readers.state.lock();
        while state.taken >= readers.most {
            readers.is_free.wait(&mut state);
        }
        state.taken += 1;
        Self(readers)
    }

    /// Lays the connection to rest for the next one.
    fn leave(self, shard: &Shard, conn: Connection) {
        let mut state = self.0.state.lock();
        if !shard.is_forgotten.load(Ordering::SeqCst) {
            state.at_rest.push_back((shard.name.number, conn));
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state.lock().taken -= 1;
        self.0.is_free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::time::Duration;

    use postrider_core::clock::ManualClock;

    use super::*;
    use crate::conformance::sample::message;
    use crate::sqlite::{Options, SqliteStore};
    use crate::{Change, Store, StoreError};

    #[test]
    fn no_more_read_at_once_than_there_are_places() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            readers: 2,
            ..Options::default()
        };
        let clock = Arc::new(ManualClock::at(0));
        let store = SqliteStore::open(directory.path(), clock, options).unwrap();
        let insert = Change::Insert(Box::new(message(1)));
        store.commit(&[insert]).unwrap();
        let shard = Arc::clone(&store.shared.shards.all()[0]);
        let readers = &store.shared.readers;
        // Whoever fails leaves too.
        for _ in 0..3 {
            let failed = StoreError::Failed(String::new());
            readers.with(&shard, |_| Err::<(), _>(failed)).unwrap_err();
        }
        let (reading, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let read = readers.with(&shard, |_| {
                        let now = reading.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        // Long enough for all the others to come in, if they may.
                        let (_never, told) = mpsc::channel::<()>();
                        told.recv_timeout(Duration::from_millis(30)).unwrap_err();
                        reading.fetch_sub(1, Ordering::SeqCst);
                        Ok(())
                    });
                    read.unwrap();
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
        let state = readers.state.lock();
        assert_eq!((state.taken, state.at_rest.len()), (0, 2));
    }
}
