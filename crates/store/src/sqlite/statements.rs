//! The changes of a batch that belong to one shard, as statements: prepared once for a connection,
//! looked up once for a batch, then bound and run without allocating.

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{Feedback, Message, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::sid::Id;
use rusqlite::{CachedStatement, Connection};

use crate::contract::{
    Applied, Change, Remembered, Result, StoreError, Submitted, Update, is_released, is_settled,
    is_waiting,
};
use crate::sqlite::keys::{address_key, submitted_ref};
use crate::sqlite::row::{self, Binder, WRITTEN};
use crate::sqlite::runs::Runs;

/// What a batch did to a shard's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) inserted: u64,
    pub(super) deleted: u64,
    pub(super) newest: Option<Id>,
}

/// Applies messages' changes on one connection, inside a transaction that the caller began.
pub(super) struct Statements<'c> {
    insert: CachedStatement<'c>,
    remember: CachedStatement<'c>,
    replace: CachedStatement<'c>,
    /// By whether the update sets `sent_ms`, then whether it adds callbacks.
    update: [[CachedStatement<'c>; 2]; 2],
    submit: CachedStatement<'c>,
    forget_body: CachedStatement<'c>,
    mask: CachedStatement<'c>,
    callbacks_done: CachedStatement<'c>,
    cancel: CachedStatement<'c>,
    shelve: CachedStatement<'c>,
    redact: CachedStatement<'c>,
    feedback: CachedStatement<'c>,
    delete: CachedStatement<'c>,
    status: CachedStatement<'c>,
    total: CachedStatement<'c>,
    runs: Runs,
    difference: Difference,
}

/// SQLite maintains an index whenever one of its columns is assigned, even to the same value. So
/// there is a statement for each set of indexed columns that really change.
fn update_sql(sets_sent: bool, adds_callbacks: bool) -> String {
    let sent = if sets_sent { ", sent_ms = ?10" } else { "" };
    let callbacks = if adds_callbacks {
        ", callbacks_due = callbacks_due | ?11"
    } else {
        ""
    };
    format!(
        "UPDATE messages SET status = ?1, updated_ms = ?2, error = ?3, carrier = ?4, \
         attempts = ?5, is_possible_duplicate = ?6, segments = ?7, done_date = ?8{sent}{callbacks} \
         WHERE key = ?9 AND tail = ?12 AND (?13 >> status) & 1"
    )
}

impl<'c> Statements<'c> {
    pub(super) fn new(conn: &'c Connection, runs: Runs) -> Result<Self> {
        let parameters = vec!["?"; WRITTEN.split(',').count()].join(", ");
        let prepare = |sql: &str| conn.prepare_cached(sql);
        Ok(Self {
            insert: prepare(&format!(
                "INSERT INTO messages ({WRITTEN}) VALUES ({parameters}) ON CONFLICT DO NOTHING"
            ))?,
            remember: prepare("INSERT OR IGNORE INTO remembered VALUES (?, ?, ?, ?, ?, ?)")?,
            replace: prepare(&format!(
                "REPLACE INTO messages ({WRITTEN}) VALUES ({parameters})"
            ))?,
            update: [
                [
                    prepare(&update_sql(false, false))?,
                    prepare(&update_sql(false, true))?,
                ],
                [
                    prepare(&update_sql(true, false))?,
                    prepare(&update_sql(true, true))?,
                ],
            ],
            submit: prepare("INSERT OR IGNORE INTO submitted VALUES (?, ?, ?, ?, ?)")?,
            forget_body: prepare(
                "UPDATE messages SET body = '', submitted_body = NULL WHERE key = ?",
            )?,
            mask: prepare("UPDATE messages SET to_addr = ?, to_key = ? WHERE key = ?")?,
            callbacks_done: prepare(
                "UPDATE messages SET callbacks_due = callbacks_due & ~?1 \
                 WHERE key = ?2 AND tail = ?3",
            )?,
            cancel: prepare(
                "UPDATE messages SET status = ?1, updated_ms = ?2, \
                 callbacks_due = callbacks_due | ?3 \
                 WHERE key = ?4 AND tail = ?5 AND status = ?6",
            )?,
            shelve: prepare(
                "UPDATE messages SET is_backlog = 1 \
                 WHERE key = ?1 AND tail = ?2 AND (?3 >> status) & 1",
            )?,
            redact: prepare(
                "UPDATE messages SET body = '', submitted_body = NULL, updated_ms = ?1 \
                 WHERE key = ?2 AND tail = ?3 AND (?4 >> status) & 1",
            )?,
            feedback: prepare(
                "UPDATE messages SET \
                 options = json_set(coalesce(options, '{}'), '$.feedback', json(?1)) \
                 WHERE key = ?2 AND tail = ?3 AND (?4 >> status) & 1",
            )?,
            delete: prepare(
                "DELETE FROM messages WHERE key = ?1 AND tail = ?2 AND (?3 >> status) & 1",
            )?,
            status: prepare("SELECT status FROM messages WHERE key = ?1 AND tail = ?2")?,
            total: prepare(
                "UPDATE totals SET inserted = inserted + ?1, stored = stored + ?1 - ?2, \
                 newest_tail = iif(?3 > newest_key, ?4, newest_tail), \
                 newest_key = max(newest_key, ?3)",
            )?,
            runs,
            difference: Difference::default(),
        })
    }

    /// Applies one change; of parked receipts it knows nothing.
    pub(super) fn apply(&mut self, change: &Change) -> Result<Applied> {
        match change {
            Change::Insert(message) => self.insert(message),
            Change::Remember(remembered) => self.remember(remembered),
            Change::Update(update) => self.update(update),
            Change::CallbacksDone { id, done } => self.callbacks_done(*id, *done),
            Change::Release(message) => self.release(message),
            Change::Cancel {
                id,
                at_ms,
                callbacks_due,
                concealment,
            } => self.cancel(*id, *at_ms, *callbacks_due, concealment),
            Change::Shelve { id } => self.shelve(*id),
            Change::Redact { id, at_ms } => self.redact(*id, *at_ms),
            Change::Feedback { id, feedback } => self.feedback(*id, *feedback),
            Change::Delete { id } => self.delete(*id),
            Change::Park(_)
            | Change::Unpark { .. }
            | Change::KeepRaw(_)
            | Change::KeepPart(_)
            | Change::JoinParts { .. }
            | Change::ForgetParts { .. } => Ok(Applied::Missing),
        }
    }

    /// Writes the shard's totals, if they changed: the last thing before the commit.
    pub(super) fn finish(mut self) -> Result<Difference> {
        let Difference {
            inserted,
            deleted,
            newest,
        } = self.difference;
        if inserted > 0 || deleted > 0 {
            Binder::new(&mut self.total)
                .put(inserted.cast_signed())?
                .put(deleted.cast_signed())?
                .put(newest.map_or(-1, Id::key))?
                .put(newest.map_or(0, Id::tail))?
                .execute()?;
        }
        Ok(self.difference)
    }

    fn insert(&mut self, message: &Message) -> Result<Applied> {
        let run = self.runs.of(message.sid.id.key());
        let mut binder = Binder::new(&mut self.insert);
        row::bind(&mut binder, message, run)?;
        if binder.execute()? == 0 {
            return Ok(Applied::Stale);
        }
        self.difference.inserted += 1;
        self.difference.newest = self.difference.newest.max(Some(message.sid.id));
        Ok(Applied::Yes)
    }

    fn remember(&mut self, remembered: &Remembered) -> Result<Applied> {
        let Remembered {
            account,
            request,
            message,
        } = remembered;
        let inserted = Binder::new(&mut self.remember)
            .put(account.0)?
            .put(request.key.0.as_slice())?
            .put(message.id.key())?
            .put(message.id.tail())?
            .put(row::kind(*message))?
            .put(request.fingerprint.0.as_slice())?
            .execute()?;
        Ok(if inserted > 0 {
            Applied::Yes
        } else {
            Applied::Stale
        })
    }

    fn update(&mut self, update: &Update) -> Result<Applied> {
        let sets_sent = usize::from(update.sent_ms.is_some());
        let adds_callbacks = usize::from(!update.callbacks_due.is_empty());
        let statement = &mut self.update[sets_sent][adds_callbacks];
        let segments = update.segments.to_bytes();
        let mut binder = Binder::new(statement);
        binder
            .put(update.status as u8)?
            .put(update.at_ms)?
            .put(update.error.map(ErrorCode::code))?
            .put(update.carrier.as_deref())?
            .put(update.attempts)?
            .put(update.is_possible_duplicate)?
            .put(segments.as_slice())?
            .put(update.done_date.as_deref())?
            .put(update.id.key())?
            .put(update.sent_ms)?
            .put(update.callbacks_due.0)?
            .put(update.id.tail())?
            .put(mask(|stored| update.applies_to(stored)))?;
        if binder.execute()? == 0 {
            return self.why_not(update.id);
        }
        for submitted in &update.submitted {
            self.submit(update.id, submitted)?;
        }
        self.conceal(update.id, &update.concealment)?;
        Ok(Applied::Yes)
    }

    /// Of a row that was found to be the message's.
    fn conceal(&mut self, id: Id, concealment: &Concealment) -> Result<()> {
        if concealment.body {
            Binder::new(&mut self.forget_body)
                .put(id.key())?
                .execute()?;
        }
        if let Some(to) = &concealment.to {
            Binder::new(&mut self.mask)
                .put(&**to)?
                .put(address_key(to))?
                .put(id.key())?
                .execute()?;
        }
        Ok(())
    }

    fn submit(&mut self, id: Id, submitted: &Submitted) -> Result<()> {
        Binder::new(&mut self.submit)
            .put(self.runs.of(id.key()))?
            .put(submitted_ref(&submitted.key))?
            .put(id.key())?
            .put(submitted.segment)?
            .put(&*submitted.key.carrier_id)?
            .execute()?;
        Ok(())
    }

    fn callbacks_done(&mut self, id: Id, done: StatusSet) -> Result<Applied> {
        let changed = Binder::new(&mut self.callbacks_done)
            .put(done.0)?
            .put(id.key())?
            .put(id.tail())?
            .execute()?;
        self.answer(changed, id)
    }

    fn release(&mut self, message: &Message) -> Result<Applied> {
        match self.stored_status(message.sid.id)? {
            None => Ok(Applied::Missing),
            Some(Status::Scheduled) => {
                let run = self.runs.of(message.sid.id.key());
                let mut binder = Binder::new(&mut self.replace);
                row::bind(&mut binder, message, run)?;
                binder.execute()?;
                Ok(Applied::Yes)
            }
            Some(_) => Ok(Applied::Stale),
        }
    }

    fn cancel(
        &mut self,
        id: Id,
        at_ms: Millis,
        callbacks_due: StatusSet,
        concealment: &Concealment,
    ) -> Result<Applied> {
        let changed = Binder::new(&mut self.cancel)
            .put(Status::Canceled as u8)?
            .put(at_ms)?
            .put(callbacks_due.0)?
            .put(id.key())?
            .put(id.tail())?
            .put(Status::Scheduled as u8)?
            .execute()?;
        if changed > 0 {
            self.conceal(id, concealment)?;
        }
        self.answer(changed, id)
    }

    fn shelve(&mut self, id: Id) -> Result<Applied> {
        let changed = Binder::new(&mut self.shelve)
            .put(id.key())?
            .put(id.tail())?
            .put(mask(is_waiting))?
            .execute()?;
        self.answer(changed, id)
    }

    fn redact(&mut self, id: Id, at_ms: Millis) -> Result<Applied> {
        let changed = Binder::new(&mut self.redact)
            .put(at_ms)?
            .put(id.key())?
            .put(id.tail())?
            .put(mask(is_settled))?
            .execute()?;
        self.answer(changed, id)
    }

    fn feedback(&mut self, id: Id, feedback: Feedback) -> Result<Applied> {
        let json = serde_json::to_string(&feedback)
            .map_err(|error| StoreError::Failed(format!("feedback of {id}: {error}")))?;
        let changed = Binder::new(&mut self.feedback)
            .put(json)?
            .put(id.key())?
            .put(id.tail())?
            .put(mask(is_released))?
            .execute()?;
        self.answer(changed, id)
    }

    /// Rows in `submitted` stay behind: nothing finds them without the message, and looking for them
    /// would take an index that every submit pays for.
    fn delete(&mut self, id: Id) -> Result<Applied> {
        let changed = Binder::new(&mut self.delete)
            .put(id.key())?
            .put(id.tail())?
            .put(mask(is_settled))?
            .execute()?;
        self.difference.deleted += changed as u64;
        self.answer(changed, id)
    }

    fn answer(&mut self, changed: usize, id: Id) -> Result<Applied> {
        if changed > 0 {
            Ok(Applied::Yes)
        } else {
            self.why_not(id)
        }
    }

    fn why_not(&mut self, id: Id) -> Result<Applied> {
        Ok(match self.stored_status(id)? {
            Some(_) => Applied::Stale,
            None => Applied::Missing,
        })
    }

    fn stored_status(&mut self, id: Id) -> Result<Option<Status>> {
        let mut rows = self.status.query((id.key(), id.tail()))?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let status: u8 = row.get(0)?;
        let status = Status::from_u8(status)
            .ok_or_else(|| StoreError::Corrupt(format!("status {status} of message {id}")))?;
        Ok(Some(status))
    }
}

/// Statuses as bits, for `(mask >> status) & 1` in a condition.
pub(super) fn mask(holds: impl Fn(Status) -> bool) -> i64 {
    Status::ALL
        .into_iter()
        .filter(|&status| holds(status))
        .fold(0, |mask, status| mask | 1 << status as u8)
}
