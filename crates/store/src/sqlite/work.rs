//! Work that waits on disk: queues, deadlines, schedules, callbacks. Each has its partial index, and
//! shards known to have none are not asked (see [`Shard::has_none`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use postrider_core::clock::Millis;
use postrider_core::message::{AccountNo, Message, SenderNo};
use postrider_core::sid::Id;
use rusqlite::{Connection, OptionalExtension, Params};

use crate::contract::{Result, StoreError};
use crate::sqlite::Shared;
use crate::sqlite::row::{self, COLUMNS};
use crate::sqlite::shard::{Shard, Work, route};

/// Whether a shard has any such work: one step into its index.
pub(super) fn has(conn: &Connection, work: Work) -> Result<bool> {
    let sql = format!("SELECT 1 FROM messages {} LIMIT 1", any(work));
    let found = conn
        .prepare_cached(&sql)?
        .query_row((), |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Whether a shard has any such work that can be read, and so can be done one day.
pub(super) fn has_readable(unreadable: &Unreadable, conn: &Connection, work: Work) -> Result<bool> {
    let sql = format!("SELECT {COLUMNS} FROM messages {}", any(work));
    Ok(!messages(unreadable, conn, &sql, (), 1)?.is_empty())
}

/// All such work.
fn any(work: Work) -> &'static str {
    match work {
        Work::Queue => "INDEXED BY queue WHERE status BETWEEN 1 AND 3",
        Work::Deadlines => "INDEXED BY deadlines WHERE is_backlog = 1 AND status BETWEEN 1 AND 3",
        Work::Schedule => "INDEXED BY schedule WHERE status = 0",
        Work::Callbacks => "INDEXED BY callbacks WHERE callbacks_due <> 0",
    }
}

/// Reads from a shard, unless it is known to have no such work; notes it when it turns out so.
fn look<T>(
    shared: &Shared,
    shard: &Shard,
    work: Work,
    read: impl FnOnce(&Connection) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let writes = shard.writes.load(Ordering::SeqCst);
    if shard.has_none(work, writes) {
        return Ok(Vec::new());
    }
    shared.readers.with(shard, |conn| {
        let found = read(conn)?;
        if found.is_empty() && !has(conn, work)? {
            shard.note_none(work, writes);
        }
        Ok(found)
    })
}

/// The first rows of a query that can be read. The query has no LIMIT and an index in its order, so
/// only what is taken is visited.
///
/// A row that makes no sense is passed over, or everything behind it would wait for ever. It is
/// reported, keeps its place in the index, and a read of this message alone still fails.
fn messages(
    unreadable: &Unreadable,
    conn: &Connection,
    sql: &str,
    params: impl Params,
    limit: usize,
) -> Result<Vec<Message>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut messages = Vec::new();
    while messages.len() < limit
        && let Some(row) = rows.next()?
    {
        match row::read(row) {
            Ok(message) => messages.push(message),
            Err(StoreError::Corrupt(what)) => unreadable.report(row.get(0)?, &what),
            Err(error) => return Err(error),
        }
    }
    Ok(messages)
}

/// Keys of rows that could not be read: each is reported once, however often it is met.
#[derive(Default)]
pub(super) struct Unreadable(Mutex<BTreeSet<i64>>);

/// Where a whole file is damaged the first ones say enough.
const REPORTED_MAX: usize = 1_000;

impl Unreadable {
    fn report(&self, key: i64, what: &str) {
        let mut reported = self.0.lock();
        if reported.len() < REPORTED_MAX && reported.insert(key) {
            tracing::error!(key, what, "a message can't be read and is passed over");
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<i64> {
        self.0.lock().iter().copied().collect()
    }
}

pub(super) fn queued(
    shared: &Shared,
    sender: SenderNo,
    after: Option<Id>,
    limit: usize,
) -> Result<Vec<Message>> {
    let sql = queued_sql();
    oldest_first(shared, Work::Queue, after, limit, |conn, after, limit| {
        messages(&shared.unreadable, conn, &sql, (sender.0, after), limit)
    })
}

fn queued_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM messages INDEXED BY queue \
         WHERE sender_no = ? AND key > ? AND status BETWEEN 1 AND 3 ORDER BY key"
    )
}

pub(super) fn unshelved(
    shared: &Shared,
    sender: SenderNo,
    after: Option<Id>,
    limit: usize,
) -> Result<Vec<Id>> {
    oldest_first(shared, Work::Queue, after, limit, |conn, after, limit| {
        let mut statement = conn.prepare_cached(UNSHELVED)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query((sender.0, after, limit))?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(Id::from_key(row.get(0)?, row.get(1)?));
        }
        Ok(ids)
    })
}

/// SQLite looks at the mark before it steps from the index to the row for the rest of the id.
const UNSHELVED: &str = "SELECT key, tail FROM messages INDEXED BY queue \
     WHERE sender_no = ? AND key > ? AND is_backlog = 0 AND status BETWEEN 1 AND 3 \
     ORDER BY key LIMIT ?";

pub(super) fn callbacks_due(
    shared: &Shared,
    after: Option<Id>,
    limit: usize,
) -> Result<Vec<Message>> {
    let sql = callbacks_sql();
    oldest_first(
        shared,
        Work::Callbacks,
        after,
        limit,
        |conn, after, limit| messages(&shared.unreadable, conn, &sql, [after], limit),
    )
}

fn callbacks_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM messages INDEXED BY callbacks \
         WHERE key > ? AND callbacks_due <> 0 ORDER BY key"
    )
}

/// Shard after shard from the one where `after` is, until there are enough.
fn oldest_first<T>(
    shared: &Shared,
    work: Work,
    after: Option<Id>,
    limit: usize,
    read: impl Fn(&Connection, i64, usize) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let shards = shared.shards.all();
    let after = after.map_or(-1, Id::key);
    let first = route(&shards, after).unwrap_or_default();
    let mut found = Vec::new();
    for shard in shards.iter().skip(first) {
        let missing = limit - found.len();
        if missing == 0 {
            break;
        }
        found.extend(look(shared, shard, work, |conn| {
            read(conn, after, missing)
        })?);
    }
    Ok(found)
}

pub(super) fn expiring(
    shared: &Shared,
    before_ms: Millis,
    after: Option<(Millis, Id)>,
    limit: usize,
) -> Result<Vec<Message>> {
    let (at_ms, key) = place(after);
    let params = (before_ms, at_ms, key);
    let sql = expiring_sql();
    by_time(shared, Work::Deadlines, &sql, params, limit, |message| {
        message.deadline_ms
    })
}

fn expiring_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM messages INDEXED BY deadlines \
         WHERE deadline_ms < ? AND (deadline_ms, key) > (?, ?) \
         AND is_backlog = 1 AND status BETWEEN 1 AND 3 \
         ORDER BY deadline_ms, key"
    )
}

pub(super) fn scheduled(
    shared: &Shared,
    before_ms: Millis,
    after: Option<(Millis, Id)>,
    limit: usize,
) -> Result<Vec<Message>> {
    let (at_ms, key) = place(after);
    let params = (before_ms, at_ms, key);
    let sql = scheduled_sql();
    by_time(shared, Work::Schedule, &sql, params, limit, |message| {
        message.send_at_ms.unwrap_or(Millis::MAX)
    })
}

fn scheduled_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM messages INDEXED BY schedule \
         WHERE send_at_ms < ? AND (send_at_ms, key) > (?, ?) AND status = 0 \
         ORDER BY send_at_ms, key"
    )
}

/// The first by time of all shards: each gives its first ones, the earliest of those are taken.
fn by_time(
    shared: &Shared,
    work: Work,
    sql: &str,
    params: impl Params + Copy,
    limit: usize,
    time: impl Fn(&Message) -> Millis,
) -> Result<Vec<Message>> {
    let mut found = Vec::new();
    for shard in &*shared.shards.all() {
        found.extend(look(shared, shard, work, |conn| {
            messages(&shared.unreadable, conn, sql, params, limit)
        })?);
        found.sort_by_key(|message| (time(message), message.sid.id));
        found.truncate(limit);
    }
    Ok(found)
}

/// Where rows by time and key go on after the given one.
fn place(after: Option<(Millis, Id)>) -> (Millis, i64) {
    after.map_or((i64::MIN, -1), |(at_ms, id)| (at_ms, id.key()))
}

pub(super) fn next_scheduled(shared: &Shared, from_ms: Millis) -> Result<Option<Millis>> {
    let mut next = None;
    for shard in &*shared.shards.all() {
        let first: Vec<Millis> = look(shared, shard, Work::Schedule, |conn| {
            let first: Option<Millis> = conn
                .prepare_cached(
                    "SELECT send_at_ms FROM messages INDEXED BY schedule \
                     WHERE status = 0 AND send_at_ms >= ? ORDER BY send_at_ms LIMIT 1",
                )?
                .query_row([from_ms], |row| row.get(0))
                .optional()?;
            Ok(Vec::from_iter(first))
        })?;
        next = next.into_iter().chain(first).min();
    }
    Ok(next)
}

pub(super) fn scheduled_counts(shared: &Shared) -> Result<Vec<(AccountNo, u64)>> {
    let mut total: BTreeMap<AccountNo, u64> = BTreeMap::new();
    for shard in &*shared.shards.all() {
        for (account, count) in look(shared, shard, Work::Schedule, scheduled_counts_of)? {
            *total.entry(account).or_default() += count;
        }
    }
    Ok(total.into_iter().collect())
}

/// Counted here and not by SQLite, which would sort all entries to group them.
fn scheduled_counts_of(conn: &Connection) -> Result<Vec<(AccountNo, u64)>> {
    let mut statement = conn.prepare_cached(
        "SELECT account_no FROM messages INDEXED BY schedule \
         WHERE status = 0 AND send_at_ms IS NOT NULL",
    )?;
    let mut rows = statement.query(())?;
    let mut counts: BTreeMap<AccountNo, u64> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        *counts.entry(AccountNo(row.get(0)?)).or_default() += 1;
    }
    Ok(counts.into_iter().collect())
}

pub(super) fn queued_senders(shared: &Shared) -> Result<Vec<SenderNo>> {
    let mut senders = BTreeSet::new();
    for shard in &*shared.shards.all() {
        senders.extend(look(shared, shard, Work::Queue, senders_of)?);
    }
    Ok(senders.into_iter().collect())
}

/// Jumps from sender to sender through the index: as many steps as senders, not as messages.
fn senders_of(conn: &Connection) -> Result<Vec<SenderNo>> {
    let mut next = conn.prepare_cached(
        "SELECT sender_no FROM messages INDEXED BY queue \
         WHERE sender_no > ? AND status BETWEEN 1 AND 3 ORDER BY sender_no LIMIT 1",
    )?;
    let mut senders: Vec<SenderNo> = Vec::new();
    loop {
        let last = senders.last().map_or(-1, |sender| i64::from(sender.0));
        let sender: Option<u32> = next.query_row([last], |row| row.get(0)).optional()?;
        match sender {
            Some(sender) => senders.push(SenderNo(sender)),
            None => return Ok(senders),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrations::{Kind, migrate};

    /// [`messages`] takes the first rows of a query without a LIMIT: a sort would visit all.
    #[test]
    fn work_is_read_in_the_order_of_its_index() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, Kind::Messages).unwrap();
        for (sql, parameters) in [
            (queued_sql(), 2),
            (UNSHELVED.to_owned(), 3),
            (callbacks_sql(), 1),
            (expiring_sql(), 3),
            (scheduled_sql(), 3),
        ] {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let zeros = rusqlite::params_from_iter(vec![0; parameters]);
            let steps = plan
                .query_map(zeros, |row| row.get::<_, String>(3))
                .unwrap();
            let steps: Vec<String> = steps.map(Result::unwrap).collect();
            assert!(
                !steps.iter().any(|step| step.contains("TEMP B-TREE")),
                "{sql}: {steps:?}"
            );
        }
    }
}
