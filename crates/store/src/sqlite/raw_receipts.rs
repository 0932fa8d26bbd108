//! Receipts as they came, in `parked.db`: a ring of rows, bounded by age and by octets.
//!
//! A receipt that finds no message is parked, in the same transaction; so the usual reason to keep
//! one costs no flush of its own. What is read here may be read beside a running server.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use postrider_core::clock::Millis;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::contract::{
    RAW_AGE_MAX_MS, RAW_OCTETS_MAX, RawReason, RawReceipt, RawReceiptsForgotten, Result, StoreError,
};
use crate::sqlite::connection::{CacheKib, open_from_outside};
use crate::sqlite::failure::About;

/// How much is kept. The rows are written by one thread only.
pub(super) struct RawReceipts {
    octets: Cell<u64>,
}

impl RawReceipts {
    pub(super) fn open(conn: &Connection) -> Result<Self> {
        let octets: i64 = conn.query_row(
            "SELECT coalesce(sum(length(octets)), 0) FROM raw_receipts",
            (),
            |row| row.get(0),
        )?;
        Ok(Self {
            octets: Cell::new(octets.unsigned_abs()),
        })
    }

    pub(super) fn keep(&self, conn: &Connection, receipt: &RawReceipt) -> Result<()> {
        conn.prepare_cached(
            "INSERT INTO raw_receipts (received_ms, carrier, why, octets) VALUES (?, ?, ?, ?)",
        )?
        .execute((
            receipt.received_ms,
            &*receipt.carrier,
            receipt.why.as_str(),
            &*receipt.octets,
        ))?;
        let mut octets = self.octets.get() + receipt.octets.len() as u64;
        while let Some((no, received_ms, length)) = oldest(conn)? {
            let is_old = received_ms < receipt.received_ms - RAW_AGE_MAX_MS;
            if octets <= RAW_OCTETS_MAX && !is_old {
                break;
            }
            conn.prepare_cached("DELETE FROM raw_receipts WHERE no = ?")?
                .execute([no])?;
            octets = octets.saturating_sub(length);
        }
        self.octets.set(octets);
        Ok(())
    }

    /// Looks at the `limit` rows after a number.
    pub(super) fn forget(
        &self,
        conn: &Connection,
        containing: &[u8],
        after: Option<u64>,
        limit: usize,
    ) -> Result<RawReceiptsForgotten> {
        let after = after.map_or(i64::MIN, u64::cast_signed);
        let mut select = conn.prepare_cached(
            "SELECT no, octets FROM raw_receipts WHERE no > ? ORDER BY no LIMIT ?",
        )?;
        let mut rows = select.query((after, i64::try_from(limit).unwrap_or(i64::MAX)))?;
        let mut seen = 0;
        let mut last = None;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (no, octets): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            seen += 1;
            last = Some(no.cast_unsigned());
            if has(&octets, containing) {
                found.push((no, octets.len() as u64));
            }
        }
        for &(no, length) in &found {
            conn.prepare_cached("DELETE FROM raw_receipts WHERE no = ?")?
                .execute([no])?;
            self.octets.set(self.octets.get().saturating_sub(length));
        }
        Ok(RawReceiptsForgotten {
            count: found.len() as u64,
            next: last.filter(|_| seen == limit),
        })
    }
}

/// Whether some octets are in others, one after the other.
pub(crate) fn has(octets: &[u8], some: &[u8]) -> bool {
    !some.is_empty() && octets.windows(some.len()).any(|window| window == some)
}

/// Number, time and length of the oldest row.
fn oldest(conn: &Connection) -> Result<Option<(i64, Millis, u64)>> {
    let mut select = conn.prepare_cached(
        "SELECT no, received_ms, length(octets) FROM raw_receipts ORDER BY no LIMIT 1",
    )?;
    let row = select.query_row((), |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get::<_, i64>(2)?.unsigned_abs(),
        ))
    });
    Ok(row.optional()?)
}

/// The newest `limit` from an instant on, oldest first. The ring is small enough to be walked.
pub(super) fn newest(conn: &Connection, since_ms: Millis, limit: usize) -> Result<Vec<RawReceipt>> {
    let mut select = conn.prepare_cached(
        "SELECT received_ms, carrier, why, octets FROM raw_receipts WHERE received_ms >= ? \
         ORDER BY no DESC LIMIT ?",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = select.query((since_ms, limit))?;
    let mut receipts = Vec::new();
    while let Some(row) = rows.next()? {
        receipts.push(read(row)?);
    }
    receipts.reverse();
    Ok(receipts)
}

fn read(row: &Row<'_>) -> Result<RawReceipt> {
    let why: String = row.get(2)?;
    let known = RawReason::ALL
        .into_iter()
        .find(|known| known.as_str() == why);
    Ok(RawReceipt {
        received_ms: row.get(0)?,
        carrier: Arc::from(row.get::<_, String>(1)?),
        why: known.ok_or_else(|| StoreError::Corrupt(format!("raw receipt: reason {why}")))?,
        octets: row.get::<_, Vec<u8>>(3)?.into(),
    })
}

/// The same from a data directory, whether a server runs on it or not.
pub fn raw_receipts(dir: &Path, since_ms: Millis, limit: usize) -> Result<Vec<RawReceipt>> {
    let path = dir.join("parked.db");
    let conn = open_from_outside(&path, CacheKib(1024)).about(&path)?;
    newest(&conn, since_ms, limit).about(&path)
}
