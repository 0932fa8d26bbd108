//! Single messages: by SID, by the id a carrier gave them, by the key their client gave them.

use postrider_core::clock::Millis;
use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable};
use postrider_core::message::{AccountNo, Message};
use postrider_core::sid::{Id, MessageSid};
use rusqlite::{Connection, Rows};

use crate::contract::{Remembered, Result, StoreError, SubmittedKey};
use crate::sqlite::Shared;
use crate::sqlite::key_filter::KeyFilter;
use crate::sqlite::keys::submitted_ref;
use crate::sqlite::row::{self, COLUMNS};
use crate::sqlite::runs::Runs;
use crate::sqlite::shard::{last_ms, route};

pub(super) fn message(shared: &Shared, id: Id) -> Result<Option<Message>> {
    let shards = shared.shards.all();
    let Some(place) = route(&shards, id.key()) else {
        return Ok(None);
    };
    let found = shared
        .readers
        .with(&shards[place], |conn| by_key(conn, id.key()))?;
    // The tail is the part of a SID that nobody can guess.
    Ok(found.filter(|message| message.sid.id == id))
}

fn by_key(conn: &Connection, key: i64) -> Result<Option<Message>> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM messages WHERE key = ?"))?;
    let mut rows = statement.query([key])?;
    rows.next()?.map(row::read).transpose()
}

/// Looks from the newest shard back to the one that `since_ms` is in.
pub(super) fn submitted(
    shared: &Shared,
    key: &SubmittedKey,
    to: Option<&str>,
    since_ms: Millis,
) -> Result<Option<(Message, u16)>> {
    let shards = shared.shards.all();
    let reference = submitted_ref(key);
    for (place, shard) in shards.iter().enumerate().rev() {
        if last_ms(&shards, place) < since_ms {
            break;
        }
        let found = shared.readers.snapshot(shard, |conn| {
            in_shard(
                conn,
                &shard.runs(conn)?,
                (reference, key),
                to,
                Id::first_key_at(since_ms),
            )
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn in_shard(
    conn: &Connection,
    runs: &Runs,
    (reference, key): (i64, &SubmittedKey),
    to: Option<&str>,
    from_key: i64,
) -> Result<Option<(Message, u16)>> {
    let mut statement = conn.prepare_cached(
        "SELECT key, segment FROM submitted WHERE run = ? AND ref = ? AND key >= ? \
         AND carrier_id = ? ORDER BY key DESC, segment DESC",
    )?;
    for run in runs.between(from_key - 1, i64::MAX).rev() {
        let rows = statement.query((run, reference, from_key, &*key.carrier_id))?;
        let found = newest(conn, rows, to)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn newest(
    conn: &Connection,
    mut rows: Rows<'_>,
    to: Option<&str>,
) -> Result<Option<(Message, u16)>> {
    let mut found: Option<(Message, u16)> = None;
    while let Some(row) = rows.next()? {
        let (row_key, segment): (i64, u16) = (row.get(0)?, row.get(1)?);
        match &mut found {
            // Of one message's segments the first.
            Some((message, first)) if message.sid.id.key() == row_key => *first = segment,
            Some(_) => break,
            // A deleted message leaves its rows here; they mean nothing without it.
            None => {
                found = by_key(conn, row_key)?
                    .filter(|message| to.is_none_or(|to| *message.to == *to))
                    .map(|message| (message, segment));
            }
        }
    }
    Ok(found)
}

/// Looks from the newest shard back to the one that `since_ms` is in.
pub(super) fn remembered(
    shared: &Shared,
    account: AccountNo,
    key: KeyHash,
    since_ms: Millis,
) -> Result<Option<Remembered>> {
    let shards = shared.shards.all();
    let from_key = Id::first_key_at(since_ms);
    for (place, shard) in shards.iter().enumerate().rev() {
        if last_ms(&shards, place) < since_ms {
            // Whatever was asked of this one and older ones is not asked again.
            let older = shards[..=place].iter().rev();
            older.take_while(|shard| shard.forget_keys()).for_each(drop);
            break;
        }
        let keys = shard.keys(|| {
            let most = shared.options.messages_per_shard;
            let read = |conn: &Connection| KeyFilter::read(conn, most);
            shared.readers.with(shard, read)
        })?;
        if !keys.may_have(account, key) {
            continue;
        }
        let found = shared.readers.with(shard, |conn| {
            remembered_in_shard(conn, account, key, from_key)
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn remembered_in_shard(
    conn: &Connection,
    account: AccountNo,
    key: KeyHash,
    from_key: i64,
) -> Result<Option<Remembered>> {
    let mut statement = conn.prepare_cached(
        "SELECT key, tail, kind, fingerprint FROM remembered \
         WHERE account_no = ? AND key_hash = ? AND key >= ? ORDER BY key DESC LIMIT 1",
    )?;
    let mut rows = statement.query((account.0, key.0.as_slice(), from_key))?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let unreadable =
        |what: &str| StoreError::Corrupt(format!("column {what} of remembered: {account:?} {key}"));
    let kind = row::read_kind(row.get(2)?).ok_or_else(|| unreadable("kind"))?;
    let fingerprint: Vec<u8> = row.get(3)?;
    let fingerprint = <[u8; 16]>::try_from(fingerprint).map_err(|_| unreadable("fingerprint"))?;
    Ok(Some(Remembered {
        account,
        request: Repeatable {
            key,
            fingerprint: Fingerprint(fingerprint),
        },
        message: MessageSid {
            id: Id::from_key(row.get(0)?, row.get(1)?),
            kind,
        },
    }))
}
