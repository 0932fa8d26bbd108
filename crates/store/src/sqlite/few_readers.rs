//! A few connections that read one file: who finds none free waits.
//!
//! Each takes three open files, and a process that has none left can't commit. So there are never more,
//! however many ask at once.

use std::path::PathBuf;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::connection::{CacheKib, open_reader};
use super::failure::About;
use crate::contract::Result;

pub(super) struct FewReaders<const COUNT: usize> {
    path: PathBuf,
    cache: CacheKib,
    /// Opened when they are first needed.
    readers: [Mutex<Option<Connection>>; COUNT],
}

impl<const COUNT: usize> FewReaders<COUNT> {
    pub(super) fn new(path: PathBuf, cache: CacheKib) -> Self {
        Self {
            path,
            cache,
            readers: std::array::from_fn(|_| Mutex::default()),
        }
    }

    pub(super) fn close(&self) {
        for reader in &self.readers {
            drop(reader.lock().take());
        }
    }

    /// Errors name the file.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let free = self.readers.iter().find_map(Mutex::try_lock);
        let mut reader = free.unwrap_or_else(|| self.readers[0].lock());
        let work = || {
            let conn = match reader.take() {
                Some(conn) => conn,
                None => open_reader(&self.path, self.cache)?,
            };
            read(reader.insert(conn))
        };
        work().about(&self.path)
    }
}
