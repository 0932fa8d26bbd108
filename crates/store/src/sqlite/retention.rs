//! What a whole shard answers for: the newest id ever, and being forgotten.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::sid::Id;
use rusqlite::Connection;

use crate::contract::Result;
use crate::sqlite::Shared;
use crate::sqlite::failure::About;
use crate::sqlite::shard::{Shard, Work, last_ms};
use crate::sqlite::work;
use crate::sqlite::writer::Writer;

/// From the newest shard; from an older one only when a crash left the newest empty.
pub(super) fn last_id(shared: &Shared) -> Result<Option<Id>> {
    for shard in shared.shards.all().iter().rev() {
        let (key, tail): (i64, i64) = shared.readers.with(shard, |conn| {
            Ok(conn
                .prepare_cached("SELECT newest_key, newest_tail FROM totals")?
                .query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?)
        })?;
        if key >= 0 {
            return Ok(Some(Id::from_key(key, tail)));
        }
    }
    Ok(None)
}

/// What a shard still has to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// Something that nobody can read, hence nobody will ever do. It must not keep all the others'
    /// records beyond what was promised; until then it stays, for somebody to mend.
    Unreadable,
    Work,
}

fn left(shared: &Shared, conn: &Connection) -> Result<Left> {
    let mut left = Left::Nothing;
    for kind in Work::ALL {
        if work::has_readable(&shared.unreadable, conn, kind)? {
            return Ok(Left::Work);
        }
        if work::has(conn, kind)? {
            left = Left::Unreadable;
        }
    }
    Ok(left)
}

/// What is left in a shard, and how many messages it stores. On a connection of its own: commits wait
/// for this, so it must not wait for somebody's listing.
fn look(shared: &Shared, shard: &Shard) -> Result<(Left, i64)> {
    let conn = shared.readers.open(shard)?;
    let stored = stored(&conn).about(&shard.path)?;
    Ok((left(shared, &conn).about(&shard.path)?, stored))
}

fn stored(conn: &Connection) -> Result<i64> {
    Ok(conn.query_row("SELECT stored FROM totals", (), |row| row.get(0))?)
}

/// Deletes the files of shards that are old enough and have nothing left to do. The newest shard
/// stays, whatever its age: it knows the newest id and the next file's number.
pub(super) fn forget_before(
    shared: &Shared,
    writer: &mut Writer,
    created_before_ms: Millis,
) -> Result<u64> {
    let shards = shared.shards.all();
    let mut forgotten = 0;
    for (place, shard) in shards.iter().enumerate() {
        let is_old = place + 1 < shards.len() && last_ms(&shards, place) < created_before_ms;
        if !is_old {
            break;
        }
        let (left, stored) = look(shared, shard)?;
        match left {
            Left::Work => continue,
            Left::Unreadable => tracing::error!(
                shard = shard.name.number,
                "messages that can't be read wait in a file that has passed its retention: they are \
                 forgotten with it"
            ),
            Left::Nothing => {}
        }
        forget(shared, writer, shard)?;
        let count = u64::try_from(stored).unwrap_or_default();
        tracing::info!(
            shard = shard.name.number,
            messages = count,
            "forgot a file of messages"
        );
        forgotten += count;
    }
    Ok(forgotten)
}

/// Shards but the newest that are old enough and have no message left.
pub(super) fn emptied(shared: &Shared, created_before_ms: Millis) -> Result<Vec<Arc<Shard>>> {
    let shards = shared.shards.all();
    let mut emptied = Vec::new();
    for (place, shard) in shards.iter().enumerate() {
        let is_old = place + 1 < shards.len() && last_ms(&shards, place) < created_before_ms;
        if !is_old {
            break;
        }
        if shared.readers.with(shard, stored)? == 0 {
            emptied.push(Arc::clone(shard));
        }
    }
    Ok(emptied)
}

/// Nothing is inserted into a shard but the newest, so one that was empty is.
pub(super) fn forget_emptied(shared: &Shared, writer: &mut Writer, shard: &Shard) -> Result<()> {
    forget(shared, writer, shard)?;
    tracing::info!(
        shard = shard.name.number,
        "forgot a file that had no message left"
    );
    Ok(())
}

/// Whoever reads it at this moment still has it open and may finish.
fn forget(shared: &Shared, writer: &mut Writer, shard: &Shard) -> Result<()> {
    shared.shards.remove(shard.name.number);
    shared.readers.close(shard);
    writer.close(shard.name.number);
    shared.directory.remove(shard.name)
}
