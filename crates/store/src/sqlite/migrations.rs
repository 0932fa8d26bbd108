//! Brings a database file to the layout this version knows.
//!
//! Each kind of file has its ordered SQL files in `crates/store/migrations/`; SQLite's `user_version`
//! says how many of them a file has seen. A step and its number are one transaction, so a crash leaves
//! a file at a whole step. A file with a higher number than we know is refused, never guessed at.

use rusqlite::Connection;

use crate::contract::{Result, StoreError};

/// The kinds of database file in a store's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Control,
    Messages,
    Parked,
    Sticky,
    Alerts,
    OptOuts,
}

impl Kind {
    /// The steps in order. Never edit one that was released: add the next.
    const fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Control => &[
                include_str!("../../migrations/control/0001_documents.sql"),
                include_str!("../../migrations/control/0002_answers.sql"),
            ],
            Self::Messages => &[
                include_str!("../../migrations/messages/0001_messages.sql"),
                include_str!("../../migrations/messages/0002_schedule.sql"),
                include_str!("../../migrations/messages/0003_queue.sql"),
                include_str!("../../migrations/messages/0004_remembered.sql"),
            ],
            Self::Sticky => &[
                include_str!("../../migrations/sticky/0001_sticky.sql"),
                include_str!("../../migrations/sticky/0002_sweep.sql"),
            ],
            Self::Alerts => &[
                include_str!("../../migrations/alerts/0001_alerts.sql"),
                include_str!("../../migrations/alerts/0002_by_resource.sql"),
            ],
            Self::OptOuts => &[include_str!("../../migrations/opt_outs/0001_opt_outs.sql")],
            Self::Parked => &[
                include_str!("../../migrations/parked/0001_parked.sql"),
                include_str!("../../migrations/parked/0002_raw_receipts.sql"),
                include_str!("../../migrations/parked/0003_parts.sql"),
            ],
        }
    }
}

/// Applies the steps that are missing.
pub(super) fn migrate(conn: &Connection, kind: Kind) -> Result<()> {
    let steps = kind.steps();
    let version: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > steps.len() {
        return Err(StoreError::Failed(format!(
            "written by a newer version of Postrider: it has layout {version}, this version knows \
             layouts up to {}; use the newer version, or a backup from before the upgrade",
            steps.len()
        )));
    }
    for (at, step) in steps.iter().enumerate().skip(version) {
        let next = at + 1;
        conn.execute_batch(&format!(
            "BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {next};\nCOMMIT;"
        ))?;
    }
    Ok(())
}
