//! What senders took over since an instant, for whoever counts it.

use std::collections::BTreeSet;

use postrider_core::clock::Millis;
use postrider_core::message::{Direction, SenderNo};
use postrider_core::sid::Id;
use rusqlite::{Connection, OptionalExtension as _, Params};

use crate::contract::{Result, TakenOver};
use crate::sqlite::Shared;
use crate::sqlite::failure::About;
use crate::sqlite::shard::last_ms;

const COLUMNS: &str = "SELECT sender_no, to_addr, num_segments FROM messages";

/// No message is scheduled further ahead than 35 days.
const SCHEDULED_AHEAD_MS: Millis = 36 * 86_400_000;

/// Each shard on a connection of its own: this reads much, and nobody's listing has to wait for it.
pub(super) fn taken_over(
    shared: &Shared,
    since_ms: Millis,
    senders: &BTreeSet<SenderNo>,
    visit: &mut dyn FnMut(TakenOver),
) -> Result<()> {
    let first_key = Id::first_key_at(since_ms);
    let shards = shared.shards.all();
    for (place, shard) in shards.iter().enumerate() {
        if last_ms(&shards, place) < since_ms - SCHEDULED_AHEAD_MS {
            continue;
        }
        let conn = shared.readers.open(shard)?;
        let mut search = Search {
            conn: &conn,
            senders,
            visit,
        };
        search.created(first_key).about(&shard.path)?;
        search.waiting(first_key, since_ms).about(&shard.path)?;
        search.sent(first_key, since_ms).about(&shard.path)?;
    }
    Ok(())
}

struct Search<'a> {
    conn: &'a Connection,
    senders: &'a BTreeSet<SenderNo>,
    visit: &'a mut dyn FnMut(TakenOver),
}

impl Search<'_> {
    /// Messages from this key on.
    fn created(&mut self, first_key: i64) -> Result<()> {
        let sql = format!(
            "{COLUMNS} WHERE key >= ? AND sender_no IS NOT NULL AND direction <> {}",
            Direction::Inbound as u8
        );
        self.visit_all(&sql, [first_key])
    }

    /// Older ones that were released since and wait, sender by sender through the index of queues.
    fn waiting(&mut self, first_key: i64, since_ms: Millis) -> Result<()> {
        let sql = format!(
            "{COLUMNS} INDEXED BY queue \
             WHERE sender_no = ? AND key < ? AND status BETWEEN 1 AND 3 AND send_at_ms >= ?"
        );
        for sender in self.senders.clone() {
            self.visit_all(&sql, (sender.0, first_key, since_ms))?;
        }
        Ok(())
    }

    /// Older ones that were released since and sent, account by account through the index of dates.
    fn sent(&mut self, first_key: i64, since_ms: Millis) -> Result<()> {
        let sql = format!(
            "{COLUMNS} INDEXED BY by_sent \
             WHERE account_no = ? AND sent_ms >= ? AND key < ? AND send_at_ms >= ? \
             AND sender_no IS NOT NULL AND status NOT BETWEEN 1 AND 3"
        );
        let mut account = -1_i64;
        loop {
            let next = self.conn.prepare_cached(
                "SELECT account_no FROM messages INDEXED BY by_account \
                 WHERE account_no > ? ORDER BY account_no LIMIT 1",
            );
            let next = next?.query_row([account], |row| row.get(0)).optional()?;
            let Some(next) = next else {
                return Ok(());
            };
            account = next;
            self.visit_all(&sql, (account, since_ms, first_key, since_ms))?;
        }
    }

    fn visit_all(&mut self, sql: &str, params: impl Params) -> Result<()> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            let sender = SenderNo(row.get(0)?);
            if self.senders.contains(&sender) {
                (self.visit)(TakenOver {
                    sender,
                    to: row.get::<_, String>(1)?.into(),
                    segments: row.get(2)?,
                });
            }
        }
        Ok(())
    }
}
