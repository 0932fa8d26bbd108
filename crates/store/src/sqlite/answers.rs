//! Answers to repeatable requests, a table of `control.db`.

use postrider_core::clock::Millis;
use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable};
use postrider_core::message::AccountNo;
use rusqlite::{Connection, OptionalExtension as _};

use super::SqliteStore;
use crate::answers::{AnswerStore, GivenAnswer};
use crate::contract::Result;

pub(super) fn insert(conn: &Connection, answer: &GivenAnswer) -> Result<()> {
    conn.prepare_cached("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)")?
        .execute((
            answer.account.0,
            answer.request.key.0,
            answer.at_ms,
            answer.request.fingerprint.0,
            answer.status,
            &answer.body_sealed,
        ))?;
    Ok(())
}

impl AnswerStore for SqliteStore {
    fn find(
        &self,
        account: AccountNo,
        key: KeyHash,
        since_ms: Millis,
    ) -> Result<Option<GivenAnswer>> {
        self.shared()?;
        self.settings.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT at_ms, fingerprint, status, body_sealed FROM answers \
                 WHERE account_no = ? AND key_hash = ? AND at_ms >= ? ORDER BY at_ms DESC LIMIT 1",
            )?;
            let found = select.query_row((account.0, key.0, since_ms), |row| {
                Ok(GivenAnswer {
                    account,
                    request: Repeatable {
                        key,
                        fingerprint: Fingerprint(row.get(1)?),
                    },
                    status: row.get(2)?,
                    body_sealed: row.get(3)?,
                    at_ms: row.get(0)?,
                })
            });
            Ok(found.optional()?)
        })
    }

    fn counts(&self) -> Result<Vec<(AccountNo, u64)>> {
        self.shared()?;
        self.settings.read(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT account_no, count(*) FROM answers GROUP BY account_no ORDER BY account_no",
            )?;
            let counts = select.query_map((), |row| {
                let count: i64 = row.get(1)?;
                Ok((AccountNo(row.get(0)?), count.unsigned_abs()))
            })?;
            Ok(counts.collect::<rusqlite::Result<_>>()?)
        })
    }

    fn forget(&self, before_ms: Millis, limit: usize) -> Result<Vec<AccountNo>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let forget = |conn: &Connection| {
            let mut delete = conn.prepare_cached(
                "DELETE FROM answers WHERE rowid IN \
                 (SELECT rowid FROM answers WHERE at_ms < ? ORDER BY at_ms LIMIT ?) \
                 RETURNING account_no",
            )?;
            let gone = delete.query_map((before_ms, limit), |row| Ok(AccountNo(row.get(0)?)))?;
            Ok(gone.collect::<rusqlite::Result<_>>()?)
        };
        self.write(|| self.settings.change(forget))
    }
}
