//! Runs: the stretches of a shard that its indexes without order are divided in.
//!
//! `0001_messages.sql` says why. A run is to the indexes what a shard is to the files: all messages from
//! its first key to the next run's. Borders are whole milliseconds, decided when a run is full.

use std::sync::Arc;

use rusqlite::Connection;

use crate::contract::{Result, StoreError};

/// The runs of one shard, oldest first; never empty. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Runs(Arc<[i64]>);

impl Runs {
    pub(super) fn read(conn: &Connection) -> Result<Self> {
        let mut statement = conn.prepare_cached("SELECT first_key FROM runs ORDER BY run")?;
        let firsts = statement
            .query_map((), |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        if firsts.is_empty() || !firsts.is_sorted() {
            return Err(StoreError::Corrupt("table runs has no order".to_owned()));
        }
        Ok(Self(firsts.into()))
    }

    /// These and one more, for keys from `first_key` on.
    pub(super) fn with(&self, first_key: i64) -> Self {
        Self(self.0.iter().copied().chain([first_key]).collect())
    }

    /// Writes the runs that are not in the database yet, `known` being those that are.
    pub(super) fn write(&self, conn: &Connection, known: &Self) -> Result<()> {
        for &first_key in &self.0[known.0.len()..] {
            conn.prepare_cached("INSERT INTO runs VALUES (?, ?)")?
                .execute((self.of(first_key), first_key))?;
        }
        Ok(())
    }

    /// The number of the run that a row key belongs to.
    pub(super) fn of(&self, key: i64) -> i64 {
        let newer = self.0.partition_point(|&first| first <= key);
        i64::try_from(newer.saturating_sub(1)).expect("a list in memory is shorter")
    }

    /// The first key of the newest run.
    pub(super) fn last_first_key(&self) -> i64 {
        self.0.last().copied().unwrap_or(-1)
    }

    /// The runs with keys strictly between the two, oldest first.
    pub(super) fn between(&self, above: i64, below: i64) -> std::ops::RangeInclusive<i64> {
        self.of(above.saturating_add(1))..=self.of(below.saturating_sub(1))
    }
}
