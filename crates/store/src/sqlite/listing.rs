//! Listings: the newest first, shard after shard, until the page is full.
//!
//! In each shard (for recipients and senders, in each of its runs) the narrowest index that fits the
//! filter gives rows in the order of their keys, so a page costs a page; the rest of the filter is
//! checked on the rows. Dates of sending are the one filter whose index has another order than the
//! answer, see [`way`].

use postrider_core::clock::Millis;
use postrider_core::message::Message;
use postrider_core::sid::Id;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::contract::{Cursor, MessageFilter, Result, is_settled};
use crate::sqlite::Shared;
use crate::sqlite::keys::address_key;
use crate::sqlite::row::{self, COLUMNS};
use crate::sqlite::shard::{Shard, Work, last_ms};
use crate::sqlite::statements::mask;
use crate::sqlite::work;

/// How a shard's rows are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By the rows themselves, in the order of their keys.
    Rows,
    Account,
    To,
    From,
    /// By the date of sending, then sorted.
    Sent,
    /// Nothing in this shard can match.
    Nothing,
}

impl Way {
    fn index(self) -> &'static str {
        match self {
            Self::Rows | Self::Nothing => "NOT INDEXED",
            Self::Account => "INDEXED BY by_account",
            Self::To => "INDEXED BY by_to",
            Self::From => "INDEXED BY by_from",
            Self::Sent => "INDEXED BY by_sent",
        }
    }
}

/// Keys strictly between these two, in one direction.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    above: i64,
    below: i64,
    is_ascending: bool,
}

pub(super) fn list(
    shared: &Shared,
    filter: &MessageFilter,
    cursor: Cursor,
    limit: usize,
) -> Result<Vec<Message>> {
    let stretch = stretch(filter, cursor);
    let shards = shared.shards.all();
    let mut places: Vec<usize> = (0..shards.len())
        .filter(|&place| {
            // The first shard also holds whatever is older than its name says.
            let from = if place == 0 {
                0
            } else {
                shards[place].name.first_ms
            };
            let to_key = match last_ms(&shards, place) {
                Millis::MAX => i64::MAX,
                last_ms => Id::first_key_at(last_ms + 1),
            };
            Id::first_key_at(from) < stretch.below && to_key > stretch.above
        })
        .collect();
    if !stretch.is_ascending {
        places.reverse();
    }
    let mut page = Vec::new();
    for place in places {
        if page.len() >= limit {
            break;
        }
        let is_old = filter
            .settled_from_ms
            .is_some_and(|from_ms| last_ms(&shards, place) < from_ms);
        shared.readers.snapshot(&shards[place], |conn| {
            if is_old && !has_unsettled(conn)? {
                return Ok(());
            }
            let way = way(conn, filter, shared.options.sort_at_most)?;
            let runs = runs(conn, &shards[place], way, stretch)?;
            select(conn, way, &runs, filter, stretch, limit, &mut page)
        })?;
    }
    if stretch.is_ascending {
        page.reverse();
    }
    Ok(page)
}

/// Whether anything in a shard waits or is scheduled: one step into each index.
fn has_unsettled(conn: &Connection) -> Result<bool> {
    Ok(work::has(conn, Work::Queue)? || work::has(conn, Work::Schedule)?)
}

fn stretch(filter: &MessageFilter, cursor: Cursor) -> Stretch {
    let (above, below, is_ascending) = match cursor {
        Cursor::Start => (-1, i64::MAX, false),
        Cursor::After(id) => (-1, id.key(), false),
        Cursor::Before(id) => (id.key(), i64::MAX, true),
    };
    Stretch {
        above,
        // A message is sent after it was made: what was sent before an instant was made before it.
        below: [filter.sent_before_ms, filter.made_before_ms]
            .into_iter()
            .flatten()
            .fold(below, |below, ms| below.min(Id::first_key_at(ms))),
        is_ascending,
    }
}

/// The way through one shard. With dates of sending it depends on how much of the shard they cover:
/// few messages are fetched by their date and sorted; of many, enough are met on the way along the
/// keys; a shard without any costs one look.
fn way(conn: &Connection, filter: &MessageFilter, sort_at_most: u32) -> Result<Way> {
    let Some(account) = filter.account else {
        return Ok(Way::Rows);
    };
    if filter.to.is_some() {
        return Ok(Way::To);
    }
    if filter.sent_from_ms.is_some() || filter.sent_before_ms.is_some() {
        let sent: i64 = conn
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY by_sent \
                 WHERE account_no = ?1 AND sent_ms >= ?2 AND sent_ms < ?3 LIMIT ?4)",
            )?
            .query_row(
                (
                    account.0,
                    filter.sent_from_ms.unwrap_or(Millis::MIN),
                    filter.sent_before_ms.unwrap_or(Millis::MAX),
                    i64::from(sort_at_most) + 1,
                ),
                |row| row.get(0),
            )?;
        if sent == 0 {
            return Ok(Way::Nothing);
        }
        if sent <= i64::from(sort_at_most) {
            return Ok(Way::Sent);
        }
    }
    Ok(if filter.from.is_some() {
        Way::From
    } else {
        Way::Account
    })
}

/// The runs to be asked in turn, if the index of this way has runs.
fn runs(conn: &Connection, shard: &Shard, way: Way, stretch: Stretch) -> Result<Vec<Option<i64>>> {
    if !matches!(way, Way::To | Way::From) {
        return Ok(vec![None]);
    }
    let runs = shard.runs(conn)?.between(stretch.above, stretch.below);
    let mut runs: Vec<_> = runs.map(Some).collect();
    if !stretch.is_ascending {
        runs.reverse();
    }
    Ok(runs)
}

/// Adds to the page, up to `limit` messages in all.
fn select(
    conn: &Connection,
    way: Way,
    runs: &[Option<i64>],
    filter: &MessageFilter,
    stretch: Stretch,
    limit: usize,
    page: &mut Vec<Message>,
) -> Result<()> {
    let (Some(&first), false) = (runs.first(), way == Way::Nothing) else {
        return Ok(());
    };
    // The runs differ in nothing but their number: one statement, bound again.
    let (sql, mut values) = query(way, first, filter, stretch);
    let mut statement = conn.prepare_cached(&sql)?;
    for run in runs {
        if let Some(run) = *run {
            values[0] = run.into();
        }
        let missing = limit - page.len();
        if missing == 0 {
            break;
        }
        let missing = Value::from(i64::try_from(missing).unwrap_or(i64::MAX));
        let mut rows = statement.query(params_from_iter(values.iter().chain([&missing])))?;
        while let Some(row) = rows.next()? {
            page.push(row::read(row)?);
        }
    }
    Ok(())
}

/// The statement and its values but the last, which is the limit. The run, if any, is the first.
fn query(
    way: Way,
    run: Option<i64>,
    filter: &MessageFilter,
    stretch: Stretch,
) -> (String, Vec<Value>) {
    let mut conditions = Conditions::default();
    if let Some(run) = run {
        conditions.and("run = ?", run);
    }
    if let Some(account) = filter.account {
        conditions.and("account_no = ?", account.0);
    }
    if let Some(to) = &filter.to {
        conditions.and("to_key = ?", address_key(to));
        conditions.and("to_addr = ?", to.to_string());
    }
    if let Some(from) = &filter.from {
        conditions.and("from_key = ?", address_key(from));
        conditions.and("from_addr = ?", from.to_string());
    }
    if let Some(status) = filter.status {
        conditions.and("status = ?", status as u8);
    }
    if let Some(from_ms) = filter.sent_from_ms {
        conditions.and("sent_ms >= ?", from_ms);
    }
    if let Some(before_ms) = filter.sent_before_ms {
        conditions.and("sent_ms < ?", before_ms);
    }
    if let Some(from_ms) = filter.settled_from_ms {
        conditions.and(
            "(key >= ? OR NOT ((? >> status) & 1))",
            Id::first_key_at(from_ms),
        );
        conditions.values.push(mask(is_settled).into());
    }
    conditions.and("key > ?", stretch.above);
    conditions.and("key < ?", stretch.below);
    let Conditions { text, values } = conditions;
    let index = way.index();
    let order = if stretch.is_ascending { "ASC" } else { "DESC" };
    let sql = if way == Way::Sent {
        // Sorting takes the keys alone; the rows of the page are fetched afterwards.
        format!(
            "SELECT {COLUMNS} FROM messages WHERE key IN \
             (SELECT key FROM messages {index} WHERE {text} ORDER BY key {order} LIMIT ?) \
             ORDER BY key {order}"
        )
    } else {
        format!("SELECT {COLUMNS} FROM messages {index} WHERE {text} ORDER BY key {order} LIMIT ?")
    };
    (sql, values)
}

/// Conditions that all hold, and their values in order.
#[derive(Default)]
struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        if !self.text.is_empty() {
            self.text.push_str(" AND ");
        }
        self.text.push_str(condition);
        self.values.push(value.into());
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::message::AccountNo;

    use super::*;
    use crate::sqlite::migrations::{Kind, migrate};

    fn plan(way: Way, run: Option<i64>, filter: &MessageFilter, is_ascending: bool) -> String {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, Kind::Messages).unwrap();
        let stretch = Stretch {
            above: -1,
            below: i64::MAX,
            is_ascending,
        };
        let (sql, mut values) = query(way, run, filter, stretch);
        values.push(50.into());
        let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain
            .query_map(params_from_iter(values), |row| row.get::<_, String>(3))
            .unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    /// The promise of a page for a page, as SQLite's planner understands it: rows come out of the
    /// index in the order asked for, from the place of the cursor on, and nothing is sorted.
    #[test]
    fn pages_come_in_order_from_an_index() {
        let account = MessageFilter {
            account: Some(AccountNo(1)),
            ..MessageFilter::default()
        };
        let to = MessageFilter {
            to: Some("+447700900123".into()),
            ..account.clone()
        };
        let from = MessageFilter {
            from: Some("ACME".into()),
            sent_from_ms: Some(1),
            ..account.clone()
        };
        let nothing = MessageFilter::default();
        let cases = [
            (
                Way::Rows,
                nothing,
                "INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            ),
            (
                Way::Account,
                account,
                "by_account (account_no=? AND rowid>? AND rowid<?)",
            ),
            (
                Way::To,
                to,
                "by_to (run=? AND account_no=? AND to_key=? AND rowid>? AND rowid<?)",
            ),
            (
                Way::From,
                from,
                "by_from (run=? AND account_no=? AND from_key=? AND rowid>? AND rowid<?)",
            ),
        ];
        for (way, filter, search) in cases {
            let run = matches!(way, Way::To | Way::From).then_some(3);
            for is_ascending in [false, true] {
                let plan = plan(way, run, &filter, is_ascending);
                assert!(
                    plan.contains(search) && !plan.contains("TEMP B-TREE"),
                    "{plan}"
                );
            }
        }
    }

    #[test]
    fn dates_of_sending_sort_keys_only() {
        let filter = MessageFilter {
            account: Some(AccountNo(1)),
            sent_from_ms: Some(1),
            sent_before_ms: Some(2),
            ..MessageFilter::default()
        };
        let plan = plan(Way::Sent, None, &filter, false);
        assert!(
            plan.contains("COVERING INDEX by_sent (account_no=? AND sent_ms>? AND sent_ms<?)"),
            "{plan}"
        );
    }
}
