//! Segments of messages from handsets, in `parked.db`.
//!
//! Few at a time, and read whole at the start.

use std::sync::Arc;

use postrider_core::sid::Id;
use postrider_core::text::Encoding;
use rusqlite::{Connection, Row};

use crate::contract::{Applied, Result, StoreError};
use crate::parts::{KeptPart, Part, PartOf};

pub(super) fn keep(conn: &Connection, part: &Part) -> Result<Applied> {
    let text: Vec<u8> = part
        .text
        .units()
        .iter()
        .flat_map(|unit| unit.to_be_bytes())
        .collect();
    let added = conn
        .prepare_cached(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
        )?
        .execute((
            blob(part.message),
            part.sequence,
            part.of.total,
            part.of.reference,
            part.of.is_16_bit,
            part.received_ms,
            &*part.of.carrier,
            &*part.of.from,
            &*part.of.to,
            matches!(part.encoding, Encoding::Ucs2),
            text,
        ))?;
    Ok(if added > 0 {
        Applied::Yes
    } else {
        Applied::Stale
    })
}

pub(super) fn join(conn: &Connection, message: Id) -> Result<Applied> {
    change(
        conn,
        "UPDATE parts SET is_joined = 1 WHERE message = ?",
        message,
    )
}

pub(super) fn forget(conn: &Connection, message: Id) -> Result<Applied> {
    change(conn, "DELETE FROM parts WHERE message = ?", message)
}

fn change(conn: &Connection, sql: &str, message: Id) -> Result<Applied> {
    let changed = conn.prepare_cached(sql)?.execute([blob(message)])?;
    Ok(if changed > 0 {
        Applied::Yes
    } else {
        Applied::Missing
    })
}

pub(super) fn all(conn: &Connection) -> Result<Vec<KeptPart>> {
    let mut select = conn.prepare_cached(
        "SELECT message, sequence, total, reference, is_16_bit, received_ms, carrier, from_addr, \
         to_addr, encoding, text, is_joined FROM parts ORDER BY message, sequence",
    )?;
    let mut rows = select.query(())?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        parts.push(read(row)?);
    }
    Ok(parts)
}

fn read(row: &Row<'_>) -> Result<KeptPart> {
    let corrupt = |what: &str| StoreError::Corrupt(format!("a segment of a message: {what}"));
    let message: Vec<u8> = row.get(0)?;
    let message: [u8; 16] = message.try_into().map_err(|_| corrupt("its id"))?;
    let text: Vec<u8> = row.get(10)?;
    let (units, []) = text.as_chunks::<2>() else {
        return Err(corrupt("its text"));
    };
    let part = Part {
        message: Id::from_u128(u128::from_be_bytes(message)),
        of: PartOf {
            carrier: Arc::from(row.get::<_, String>(6)?),
            from: row.get::<_, String>(7)?.into(),
            to: row.get::<_, String>(8)?.into(),
            reference: row.get(3)?,
            is_16_bit: row.get(4)?,
            total: row.get(2)?,
        },
        sequence: row.get(1)?,
        received_ms: row.get(5)?,
        encoding: if row.get(9)? {
            Encoding::Ucs2
        } else {
            Encoding::Gsm7
        },
        text: units.iter().copied().map(u16::from_be_bytes).collect(),
    };
    Ok(KeptPart {
        part,
        is_joined: row.get(11)?,
    })
}

fn blob(message: Id) -> [u8; 16] {
    message.as_u128().to_be_bytes()
}
