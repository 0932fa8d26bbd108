//! What SQLite's and the file system's errors mean to the contract.

use std::fmt::Display;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::contract::{Result, StoreError};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        let is_corrupt = match &error {
            E::SqliteFailure(failure, _) => matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
            ),
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::Utf8Error(..)
            | E::InvalidColumnType(..) => true,
            _ => false,
        };
        if is_corrupt {
            Self::Corrupt(error.to_string())
        } else {
            Self::Failed(error.to_string())
        }
    }
}

/// Says which file an error is about.
pub(super) trait About<T> {
    fn about(self, path: &Path) -> Result<T>;
}

impl<T, E: IntoStoreError> About<T> for Result<T, E> {
    fn about(self, path: &Path) -> Result<T> {
        self.map_err(|error| match error.into_store_error() {
            StoreError::Failed(text) => StoreError::Failed(named(path, text)),
            StoreError::Corrupt(text) => StoreError::Corrupt(named(path, text)),
            full @ StoreError::Full { .. } => full,
        })
    }
}

fn named(path: &Path, text: impl Display) -> String {
    format!("{}: {text}", path.display())
}

/// Errors that [`About::about`] can name a file in.
pub(super) trait IntoStoreError {
    fn into_store_error(self) -> StoreError;
}

impl IntoStoreError for StoreError {
    fn into_store_error(self) -> StoreError {
        self
    }
}

impl IntoStoreError for rusqlite::Error {
    fn into_store_error(self) -> StoreError {
        self.into()
    }
}

impl IntoStoreError for std::io::Error {
    fn into_store_error(self) -> StoreError {
        StoreError::Failed(self.to_string())
    }
}
