//! `/x/v1/OptOuts/Export`: the list as a file, newest entries first.
//!
//! It is read a page at a time as fast as the client takes it, so a million entries are never in memory.
//! Entries that are new while it is read are not in it.

use std::fmt::Write as _;

use bytes::Bytes;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::opt_out::Scope;
use postrider_engine::Engine;
use postrider_store::{Cursor, OptOutEntry, OptOutFilter};
use tokio::sync::mpsc;

use super::csv::HEADER;
use super::filter;
use crate::body::BrokenOff;
use crate::call::{Call, Method};
use crate::consent;
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

/// Entries that are read at once: some hundred KiB.
const PAGE: usize = 1_000;

/// Pages that wait for the client.
const AHEAD: usize = 2;

pub(super) fn answer(call: &Call<'_>) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let filter = filter(call, &call.query()?)?;
    let place = call.app.exports.clone().try_acquire_owned();
    let place = place.map_err(|_| {
        let text = "as many exports are being read as there may be at a time; wait for one";
        Fault::because(ErrorCode::TooManyRequests, text)
    })?;
    let (pieces, stream) = mpsc::channel(AHEAD);
    let engine = call.engine().clone();
    tokio::spawn(async move {
        let _place = place;
        // Who hangs up drops the other end, and the next send ends this.
        let _ = write(&engine, filter, &pieces).await;
    });
    Ok(Reply::stream("text/csv; charset=utf-8", stream))
}

type Pieces = mpsc::Sender<Result<Bytes, BrokenOff>>;
type Hangup = mpsc::error::SendError<Result<Bytes, BrokenOff>>;

async fn write(
    engine: &Engine,
    filter: Option<OptOutFilter>,
    pieces: &Pieces,
) -> Result<(), Hangup> {
    pieces
        .send(Ok(Bytes::from_static(HEADER.as_bytes())))
        .await?;
    let Some(filter) = filter else { return Ok(()) };
    let mut cursor = Cursor::Start;
    loop {
        let Ok(page) = engine.opt_outs(filter, cursor, PAGE).await else {
            return pieces.send(Err(BrokenOff)).await;
        };
        let Some(last) = page.last() else {
            return Ok(());
        };
        cursor = Cursor::After(last.id);
        let is_last = page.len() < PAGE;
        let mut lines = String::with_capacity(page.len() * 100);
        for entry in &page {
            line(&mut lines, engine, entry);
        }
        pieces.send(Ok(lines.into())).await?;
        if is_last {
            return Ok(());
        }
    }
}

/// No field needs quotes. The date is the change's where no other was told.
fn line(lines: &mut String, engine: &Engine, entry: &OptOutEntry) {
    let event = &entry.last;
    let key = &event.key;
    let contact = consent::write_contact(key.channels, key.user);
    let status = consent::write_status(event.is_blocked);
    let source = event.cause.source.as_str();
    let said_ms = event.cause.consent_ms;
    let date = Iso8601(said_ms.unwrap_or_else(|| event.id.created_ms()));
    let sender = match key.scope {
        Scope::Service(sid) => sid.to_string(),
        Scope::Sender(no) => match engine.directory().sender(no) {
            Some(sender) => sender.address.to_string(),
            // Whoever that was, nobody can send as it any more.
            None => return,
        },
    };
    let _ = writeln!(lines, "{contact},{sender},{status},{source},{date}");
}
