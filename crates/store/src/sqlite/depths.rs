//! How much waits in each sender's queue, as of one instant.
//!
//! Whoever keeps count from that instant on needs a figure that knows nothing later. Counting ten
//! million index entries takes two seconds, and a start should not: so a read transaction on each shard
//! holds the state, and the entries are counted in it later.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use postrider_core::message::SenderNo;
use rusqlite::Connection;

use crate::contract::{CountDepths, QueueDepth, Result};
use crate::sqlite::Shared;
use crate::sqlite::failure::About;
use crate::sqlite::shard::{Shard, Work};
use crate::sqlite::work;

/// Transactions held; each takes three open files. Shards beyond are counted at once.
const HELD_MAX: usize = 16;

/// What waits now. While it is not counted, the logs of the shards with something waiting grow.
pub(super) fn queue_depths(shared: &Shared) -> Result<CountDepths> {
    let mut held = Vec::new();
    let mut depths = Depths::default();
    for shard in &*shared.shards.all() {
        let writes = shard.writes.load(Ordering::SeqCst);
        if shard.has_none(Work::Queue, writes) {
            continue;
        }
        let conn = hold(shared, shard)?;
        if !work::has(&conn, Work::Queue).about(&shard.path)? {
            shard.note_none(Work::Queue, writes);
        } else if held.len() < HELD_MAX {
            held.push((conn, shard.path.clone()));
        } else {
            depths.add(&conn).about(&shard.path)?;
        }
    }
    Ok(Box::new(move || count(held, depths)))
}

/// A transaction of its own: its state is that of the first read in it.
fn hold(shared: &Shared, shard: &Shard) -> Result<Connection> {
    let conn = shared.readers.open(shard)?;
    conn.execute_batch("BEGIN").about(&shard.path)?;
    Ok(conn)
}

fn count(held: Vec<(Connection, PathBuf)>, mut depths: Depths) -> Result<Vec<QueueDepth>> {
    for (conn, path) in held {
        depths.add(&conn).about(&path)?;
    }
    Ok(depths.0.into_values().collect())
}

#[derive(Default)]
struct Depths(BTreeMap<SenderNo, QueueDepth>);

impl Depths {
    fn add(&mut self, conn: &Connection) -> Result<()> {
        let mut statement = conn.prepare_cached(
            "SELECT sender_no, count(*), sum(num_segments) FROM messages INDEXED BY queue \
             WHERE status BETWEEN 1 AND 3 AND sender_no IS NOT NULL GROUP BY sender_no",
        )?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let sender = SenderNo(row.get(0)?);
            let (messages, segments): (i64, i64) = (row.get(1)?, row.get(2)?);
            let depth = self.0.entry(sender).or_insert(QueueDepth {
                sender,
                messages: 0,
                segments: 0,
            });
            depth.messages += messages.unsigned_abs();
            depth.segments += segments.unsigned_abs();
        }
        Ok(())
    }
}
