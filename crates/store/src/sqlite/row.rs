//! A message as a row: the list of columns, and how to write and read them.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{
    AccountNo, Direction, Message, MessageOptions, SenderNo, Status, StatusSet,
};
use postrider_core::sid::{Id, MessageKind, MessageSid, ServiceSid};
use postrider_core::text::Encoding;
use rusqlite::types::FromSql;
use rusqlite::{Row, Statement, ToSql};

use crate::contract::{Result, StoreError};
use crate::sqlite::keys::address_key;

/// What a read asks for, in the order in which [`read`] takes it.
pub(super) const COLUMNS: &str = "key, tail, account_no, status, callbacks_due, sent_ms, sender_no, \
    num_segments, is_backlog, deadline_ms, send_at_ms, updated_ms, error, attempts, \
    is_possible_duplicate, segments, carrier, done_date, kind, direction, encoding, num_media, \
    service, from_addr, to_addr, status_callback, body, submitted_body, decision, options";

/// What a write binds, in the order of [`bind`]: [`COLUMNS`], the two integers of the addresses, and the run.
pub(super) const WRITTEN: &str = "key, tail, account_no, status, callbacks_due, sent_ms, sender_no, \
    num_segments, is_backlog, deadline_ms, send_at_ms, updated_ms, error, attempts, \
    is_possible_duplicate, segments, carrier, done_date, kind, direction, encoding, num_media, \
    service, from_addr, to_addr, status_callback, body, submitted_body, decision, options, \
    to_key, from_key, run";

/// Binds values to a statement's parameters one after the other, without allocating.
pub(super) struct Binder<'a, 'c> {
    statement: &'a mut Statement<'c>,
    next: usize,
}

impl<'a, 'c> Binder<'a, 'c> {
    pub(super) fn new(statement: &'a mut Statement<'c>) -> Self {
        Self { statement, next: 1 }
    }

    pub(super) fn put(&mut self, value: impl ToSql) -> rusqlite::Result<&mut Self> {
        self.statement.raw_bind_parameter(self.next, value)?;
        self.next += 1;
        Ok(self)
    }

    /// Runs the statement; returns how many rows it changed.
    pub(super) fn execute(&mut self) -> rusqlite::Result<usize> {
        self.statement.raw_execute()
    }
}

/// Binds a whole message of a run.
pub(super) fn bind(to: &mut Binder<'_, '_>, message: &Message, run: i64) -> Result<()> {
    let options = (!message.options.is_default())
        .then(|| serde_json::to_string(&message.options))
        .transpose()
        .map_err(|error| StoreError::Failed(format!("options of {}: {error}", message.sid)))?;
    let service = message.service.map(|sid| sid.0.as_u128().to_be_bytes());
    to.put(message.sid.id.key())?
        .put(message.sid.id.tail())?
        .put(message.account.0)?
        .put(message.status as u8)?
        .put(message.callbacks_due.0)?
        .put(message.sent_ms)?
        .put(message.sender.map(|sender| sender.0))?
        .put(message.num_segments)?
        .put(message.is_backlog)?
        .put(message.deadline_ms)?
        .put(message.send_at_ms)?
        .put(message.updated_ms)?
        .put(message.error.map(ErrorCode::code))?
        .put(message.attempts)?
        .put(message.is_possible_duplicate)?
        .put(message.segments.to_bytes().as_slice())?
        .put(message.carrier.as_deref())?
        .put(message.done_date.as_deref())?
        .put(kind(message.sid))?
        .put(message.direction as u8)?
        .put(matches!(message.encoding, Encoding::Ucs2))?
        .put(message.num_media)?
        .put(service.as_ref().map(<[u8; 16]>::as_slice))?
        .put(message.from.as_deref())?
        .put(&*message.to)?
        .put(message.status_callback.as_deref())?
        .put(&*message.body)?
        .put(message.submitted_body.as_deref())?
        .put(message.decision.as_deref())?
        .put(options)?
        .put(address_key(&message.to))?
        .put(message.from.as_deref().map(address_key))?
        .put(run)?;
    Ok(())
}

/// The stored form of a SID's kind.
pub(super) fn kind(sid: MessageSid) -> bool {
    sid.kind == MessageKind::Mms
}

pub(super) fn read_kind(stored: u8) -> Option<MessageKind> {
    match stored {
        0 => Some(MessageKind::Sms),
        1 => Some(MessageKind::Mms),
        _ => None,
    }
}

/// Reads a message from a row of [`COLUMNS`]. Whatever does not fit its type is `Corrupt`.
pub(super) fn read(row: &Row<'_>) -> Result<Message> {
    let mut columns = Columns { row, next: 0 };
    let id = Id::from_key(columns.take()?, columns.take()?);
    let account = AccountNo(columns.take()?);
    let status = columns.take_as("status", Status::from_u8)?;
    let callbacks_due = StatusSet(columns.take()?);
    let sent_ms = columns.take()?;
    let sender = columns.take::<Option<u32>>()?.map(SenderNo);
    let num_segments = columns.take()?;
    let is_backlog = columns.take()?;
    let deadline_ms = columns.take()?;
    let send_at_ms = columns.take()?;
    let updated_ms = columns.take()?;
    let error = columns.take::<Option<u32>>()?;
    let error = error
        .map(|code| ErrorCode::try_from(code).map_err(|_| unreadable("error", code)))
        .transpose()?;
    let attempts = columns.take()?;
    let is_possible_duplicate = columns.take()?;
    let segments = Segments::from_bytes(columns.take_blob()?.unwrap_or_default());
    let carrier = columns.take_text()?.map(Box::from);
    let done_date = columns.take_text()?.map(Box::from);
    let kind = columns.take_as("kind", read_kind)?;
    let direction = columns.take_as("direction", Direction::from_u8)?;
    let encoding = columns.take_as("encoding", |encoding: u8| match encoding {
        0 => Some(Encoding::Gsm7),
        1 => Some(Encoding::Ucs2),
        _ => None,
    })?;
    let num_media = columns.take()?;
    let service = columns.take_blob()?.map(service).transpose()?;
    Ok(Message {
        sid: MessageSid { id, kind },
        account,
        service,
        direction,
        status,
        sender,
        from: columns.take_text()?.map(Box::from),
        to: columns.take_text()?.unwrap_or_default().into(),
        status_callback: columns.take_text()?.map(Box::from),
        body: Arc::from(columns.take_text()?.unwrap_or_default()),
        submitted_body: columns.take_text()?.map(Box::from),
        decision: columns.take_blob()?.map(Box::from),
        options: options(columns.take_text()?)?,
        encoding,
        num_segments,
        num_media,
        updated_ms,
        sent_ms,
        send_at_ms,
        deadline_ms,
        error,
        carrier,
        attempts,
        is_possible_duplicate,
        segments,
        done_date,
        callbacks_due,
        is_backlog,
    })
}

fn service(octets: &[u8]) -> Result<ServiceSid> {
    let octets = <[u8; 16]>::try_from(octets).map_err(|_| unreadable("service", octets.len()))?;
    Ok(ServiceSid(Id::from_u128(u128::from_be_bytes(octets))))
}

fn options(json: Option<&str>) -> Result<MessageOptions> {
    match json {
        None => Ok(MessageOptions::default()),
        Some(json) => serde_json::from_str(json).map_err(|error| unreadable("options", error)),
    }
}

fn unreadable(column: &str, what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("column {column} of messages: {what}"))
}

/// Takes a row's columns from left to right; texts and blobs without copying.
struct Columns<'a, 'stmt> {
    row: &'a Row<'stmt>,
    next: usize,
}

impl<'a> Columns<'a, '_> {
    fn index(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn take<T: FromSql>(&mut self) -> Result<T> {
        let index = self.index();
        Ok(self.row.get(index)?)
    }

    fn take_as<R, T>(&mut self, column: &str, parse: impl FnOnce(R) -> Option<T>) -> Result<T>
    where
        R: FromSql + Copy + std::fmt::Display,
    {
        let raw: R = self.take()?;
        parse(raw).ok_or_else(|| unreadable(column, raw))
    }

    fn take_text(&mut self) -> Result<Option<&'a str>> {
        let index = self.index();
        let value = self.row.get_ref(index)?;
        value
            .as_str_or_null()
            .map_err(|error| unreadable("(text)", error))
    }

    fn take_blob(&mut self) -> Result<Option<&'a [u8]>> {
        let index = self.index();
        let value = self.row.get_ref(index)?;
        value
            .as_blob_or_null()
            .map_err(|error| unreadable("(blob)", error))
    }
}
