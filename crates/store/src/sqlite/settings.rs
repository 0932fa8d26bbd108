//! `control.db`: the settings, one JSON document a row, and answers to requests that made some.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use postrider_core::settings::Document;
use rusqlite::Connection;

use crate::answers::GivenAnswer;
use crate::contract::{DocumentChange, Result, StoreError};
use crate::sqlite::answers;
use crate::sqlite::connection::{CacheKib, open_from_outside, open_reader, open_writer};
use crate::sqlite::failure::About;
use crate::sqlite::migrations::Kind;

pub(super) struct Settings {
    path: PathBuf,
    /// So that nothing is looked up behind a flush. Dropped before the one that writes: a file's last
    /// connection copies its log, and one that only reads can't.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

impl Settings {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let writer = open_writer(&path, Kind::Control, 4096, CacheKib(2048)).about(&path)?;
        let reader = open_reader(&path, CacheKib(256)).about(&path)?;
        Ok(Self {
            path,
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
        })
    }

    /// Errors name the file.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        read(&self.reader.lock()).about(&self.path)
    }

    /// All that is done to the connection, or nothing. Errors name the file.
    pub(super) fn change<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut writer = self.writer.lock();
        let work = || {
            let transaction = writer.transaction()?;
            let answer = change(&transaction)?;
            transaction.commit()?;
            Ok::<_, StoreError>(answer)
        };
        work().about(&self.path)
    }

    pub(super) fn documents(&self) -> Result<Vec<Document>> {
        self.read(documents_of)
    }

    pub(super) fn commit(
        &self,
        changes: &[DocumentChange],
        answer: Option<&GivenAnswer>,
    ) -> Result<()> {
        self.change(|conn| {
            changes.iter().try_for_each(|change| apply(conn, change))?;
            answer.map_or(Ok(()), |answer| answers::insert(conn, answer))
        })
    }
}

fn apply(conn: &Connection, change: &DocumentChange) -> Result<()> {
    match change {
        DocumentChange::Put(document) => {
            let body = serde_json::to_string(document)
                .map_err(|error| StoreError::Failed(format!("document: {error}")))?;
            let key = document.key();
            conn.prepare_cached("REPLACE INTO documents VALUES (?, ?, ?)")?
                .execute((key.kind, key.key, body))?;
        }
        DocumentChange::Delete(key) => {
            conn.prepare_cached("DELETE FROM documents WHERE kind = ? AND key = ?")?
                .execute((key.kind, &key.key))?;
        }
    }
    Ok(())
}

fn documents_of(conn: &Connection) -> Result<Vec<Document>> {
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
    documents_of(&conn).about(&path)
}
