//! `parked.db`: receipts that came before their message was known to have been sent, and segments of
//! messages that come from handsets.
//!
//! A file of its own, because what is parked belongs to no message yet, hence to no shard, and
//! because settings are committed by other threads. It is written last in a commit: after a crash in
//! between, a receipt may be parked still although its message has it, and the status machine ignores
//! the repetition. Receipts as they came are beside them, see `raw_receipts.rs`; segments, see `parts.rs`.

use std::path::{Path, PathBuf};

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use rusqlite::{Connection, Row};
use smallvec::SmallVec;

use crate::contract::{
    Applied, Change, ParkedReceipt, RawReceipt, RawReceiptsForgotten, Result, StoreError,
};
use crate::parts::KeptPart;
use crate::sqlite::connection::{CacheKib, open_writer};
use crate::sqlite::failure::About;
use crate::sqlite::migrations::Kind;
use crate::sqlite::parts;
use crate::sqlite::raw_receipts::{self, RawReceipts};

pub(super) struct Parked {
    path: PathBuf,
    conn: Connection,
    raw: RawReceipts,
}

impl Parked {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let conn = open_writer(&path, Kind::Parked, 4096, CacheKib(1024)).about(&path)?;
        let raw = RawReceipts::open(&conn).about(&path)?;
        Ok(Self { path, conn, raw })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn begin(&self) -> Result<()> {
        Ok(self.conn.execute_batch("BEGIN IMMEDIATE")?)
    }

    pub(super) fn apply(&self, change: &Change) -> Result<Applied> {
        match change {
            Change::Park(receipt) => self.park(receipt),
            Change::Unpark { parked } => {
                let removed = self
                    .conn
                    .prepare_cached("DELETE FROM parked WHERE parked = ?")?
                    .execute([parked.cast_signed()])?;
                Ok(if removed > 0 {
                    Applied::Yes
                } else {
                    Applied::Missing
                })
            }
            Change::KeepRaw(receipt) => {
                self.raw.keep(&self.conn, receipt)?;
                Ok(Applied::Yes)
            }
            Change::KeepPart(part) => parts::keep(&self.conn, part),
            Change::JoinParts { message } => parts::join(&self.conn, *message),
            Change::ForgetParts { message } => parts::forget(&self.conn, *message),
            Change::Insert(_)
            | Change::Remember(_)
            | Change::Update(_)
            | Change::CallbacksDone { .. }
            | Change::Release(_)
            | Change::Cancel { .. }
            | Change::Shelve { .. }
            | Change::Redact { .. }
            | Change::Feedback { .. }
            | Change::Delete { .. } => Ok(Applied::Missing),
        }
    }

    fn park(&self, receipt: &ParkedReceipt) -> Result<Applied> {
        let candidates: Vec<&str> = receipt.candidates.iter().map(|id| &**id).collect();
        let candidates = serde_json::to_string(&candidates)
            .map_err(|error| StoreError::Failed(format!("parked receipt: {error}")))?;
        let added = self
            .conn
            .prepare_cached(
                "INSERT INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )?
            .execute((
                receipt.parked.cast_signed(),
                receipt.received_ms,
                &*receipt.group,
                candidates,
                receipt.handset.map(u64::cast_signed),
                receipt.is_delivered,
                receipt.error.map(ErrorCode::code),
                receipt.done_date.as_deref(),
            ))?;
        Ok(if added > 0 {
            Applied::Yes
        } else {
            Applied::Stale
        })
    }

    /// Ends the transaction: on return it is on disk.
    pub(super) fn commit(&self) -> Result<()> {
        Ok(self.conn.execute_batch("COMMIT")?)
    }

    pub(super) fn parts(&self) -> Result<Vec<KeptPart>> {
        parts::all(&self.conn)
    }

    pub(super) fn raw_receipts(&self, since_ms: Millis, limit: usize) -> Result<Vec<RawReceipt>> {
        raw_receipts::newest(&self.conn, since_ms, limit)
    }

    pub(super) fn forget_raw_receipts(
        &self,
        containing: &[u8],
        after: Option<u64>,
        limit: usize,
    ) -> Result<RawReceiptsForgotten> {
        self.begin()?;
        let forgotten = self.raw.forget(&self.conn, containing, after, limit)?;
        self.commit()?;
        Ok(forgotten)
    }

    pub(super) fn all(&self) -> Result<Vec<ParkedReceipt>> {
        let mut select = self.conn.prepare_cached(
            "SELECT parked, received_ms, carrier_group, candidates, handset, is_delivered, error, \
             done_date FROM parked",
        )?;
        let mut rows = select.query(())?;
        let mut receipts = Vec::new();
        while let Some(row) = rows.next()? {
            receipts.push(read(row)?);
        }
        // SQLite orders by signed numbers.
        receipts.sort_by_key(|receipt| receipt.parked);
        Ok(receipts)
    }
}

fn read(row: &Row<'_>) -> Result<ParkedReceipt> {
    let parked = row.get::<_, i64>(0)?.cast_unsigned();
    let corrupt = |what: String| StoreError::Corrupt(format!("parked receipt {parked}: {what}"));
    let candidates: String = row.get(3)?;
    let candidates: Vec<Box<str>> =
        serde_json::from_str(&candidates).map_err(|error| corrupt(error.to_string()))?;
    let error = row
        .get::<_, Option<u32>>(6)?
        .map(ErrorCode::try_from)
        .transpose()
        .map_err(|error| corrupt(error.to_string()))?;
    Ok(ParkedReceipt {
        parked,
        received_ms: row.get(1)?,
        group: row.get::<_, String>(2)?.into(),
        candidates: SmallVec::from_vec(candidates),
        handset: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
        is_delivered: row.get(5)?,
        error,
        done_date: row.get::<_, Option<String>>(7)?.map(String::into_boxed_str),
    })
}
