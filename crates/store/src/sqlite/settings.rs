//! `control.db`: the settings, one JSON document a row.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use postrider_core::settings::Document;
use rusqlite::Connection;

use crate::contract::{DocumentChange, Result, StoreError};
use crate::sqlite::connection::{CacheKib, open_from_outside, open_writer};
use crate::sqlite::failure::About;
use crate::sqlite::migrations::Kind;

pub(super) struct Settings {
    path: PathBuf,
    conn: Mutex<Connection>,
}

impl Settings {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let conn = open_writer(&path, Kind::Control, 4096, CacheKib(2048)).about(&path)?;
        Ok(Self {
            path,
            conn: Mutex::new(conn),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn documents(&self) -> Result<Vec<Document>> {
        read(&self.conn.lock())
    }

    pub(super) fn commit(&self, changes: &[DocumentChange]) -> Result<()> {
        let mut conn = self.conn.lock();
        let transaction = conn.transaction()?;
        for change in changes {
            match change {
                DocumentChange::Put(document) => {
                    let body = serde_json::to_string(document)
                        .map_err(|error| StoreError::Failed(format!("document: {error}")))?;
                    let key = document.key();
                    transaction
                        .prepare_cached("REPLACE INTO documents VALUES (?, ?, ?)")?
                        .execute((key.kind, key.key, body))?;
                }
                DocumentChange::Delete(key) => {
                    transaction
                        .prepare_cached("DELETE FROM documents WHERE kind = ? AND key = ?")?
                        .execute((key.kind, &key.key))?;
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

fn read(conn: &Connection) -> Result<Vec<Document>> {
    let mut select =
        conn.prepare_cached("SELECT kind, key, body FROM documents ORDER BY kind, key")?;
    let mut rows = select.query(())?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        let body: String = row.get(2)?;
        let document = serde_json::from_str(&body).map_err(|error| {
            let kind: String = row.get(0).unwrap_or_default();
            let key: String = row.get(1).unwrap_or_default();
            StoreError::Corrupt(format!("document {kind} {key}: {error}"))
        })?;
        documents.push(document);
    }
    Ok(documents)
}

/// The settings in a data directory, whether a server runs on it or not.
pub fn documents(dir: &Path) -> Result<Vec<Document>> {
    let path = dir.join("control.db");
    let conn = open_from_outside(&path, CacheKib(1024)).about(&path)?;
    read(&conn).about(&path)
}
