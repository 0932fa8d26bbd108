//! Answers to repeatable requests, a table of `control.db`.

use postrider_core::clock::Millis;
use postrider_core::idempotency::{Fingerprint, KeyHash, Repeatable};
use postrider_core::message::AccountNo;
use rusqlite::{Connection, OptionalExtension as _};

use super::SqliteStore;
use crate::answers::{AnswerStore, GivenAnswer};
use crate::contract::Result;

const FIND: &str = "SELECT at_ms, fingerprint, status, body_sealed FROM answers \
     WHERE account_no = ? AND key_hash = ? AND at_ms >= ? ORDER BY at_ms DESC LIMIT 1";

const COUNTS: &str =
    "SELECT account_no, count(*) FROM answers GROUP BY account_no ORDER BY account_no";

const FORGET: &str = "DELETE FROM answers WHERE rowid IN \
     (SELECT rowid FROM answers WHERE at_ms < ? ORDER BY at_ms LIMIT ?) RETURNING account_no";

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
            let mut select = conn.prepare_cached(FIND)?;
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
            let mut select = conn.prepare_cached(COUNTS)?;
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
            let mut delete = conn.prepare_cached(FORGET)?;
            let gone = delete.query_map((before_ms, limit), |row| Ok(AccountNo(row.get(0)?)))?;
            Ok(gone.collect::<rusqlite::Result<_>>()?)
        };
        self.write(|| self.settings.change(forget))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::migrations::{Kind, migrate};

    /// Nothing is sorted, and no body is read that is not asked for.
    #[test]
    fn answers_are_found_by_their_indexes() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, Kind::Control).unwrap();
        for (sql, parameters, expected) in [
            (
                FIND,
                3,
                "SEARCH answers USING INDEX answers_by_key (account_no=? AND key_hash=? AND at_ms>?)",
            ),
            (
                COUNTS,
                0,
                "SCAN answers USING COVERING INDEX answers_by_key",
            ),
            (
                FORGET,
                2,
                "SEARCH answers USING COVERING INDEX answers_by_time (at_ms<?)",
            ),
        ] {
            let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let zeros = rusqlite::params_from_iter(vec![0; parameters]);
            let steps = plan.query_map(zeros, |row| row.get(3)).unwrap();
            let steps: Vec<String> = steps.map(rusqlite::Result::unwrap).collect();
            assert!(steps.iter().any(|step| step == expected), "{steps:?}");
            assert!(
                !steps.iter().any(|step| step.contains("TEMP B-TREE")),
                "{steps:?}"
            );
        }
    }
}
