//! How connections to database files are opened and set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::contract::Result;
use crate::sqlite::migrations::{Kind, migrate};

/// No lock is held for long by anyone in this process, and no other process has the files open.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a checkpoint waits for readers. While it waits nothing can be committed, and it may as
/// well be made later.
pub(super) const CHECKPOINT_PATIENCE: Duration = Duration::from_millis(50);

/// More than there are different statements, so none is ever prepared twice.
const STATEMENTS: usize = 96;

/// How much memory a connection may use for pages, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CacheKib(pub(super) u32);

/// Opens a file for writing, creates it if need be, and brings its layout up to date.
///
/// `synchronous=FULL` in WAL mode: every commit ends with a flush of the log.
pub(super) fn open_writer(
    path: &Path,
    kind: Kind,
    page_size: u32,
    cache: CacheKib,
) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = open(path, flags, cache)?;
    // Only a file without content takes a page size, and only before the log is chosen.
    conn.pragma_update(None, "page_size", page_size)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    if kind == Kind::Messages {
        // The checkpoint thread does it, so that no commit waits for one.
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    }
    overwrite_deleted(&conn, kind != Kind::Messages)?;
    migrate(&conn, kind)?;
    Ok(conn)
}

/// Opens an existing file, already up to date, for reading only.
pub(super) fn open_reader(path: &Path, cache: CacheKib) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    open(path, flags, cache)
}

/// Opens an existing file of a directory that this process does not own, for reading only.
///
/// Without a log nobody has the file open and it changes no more, so SQLite is told that it can't
/// change: else it would leave a log and its index behind, which it may not delete when reading only.
/// If a process starts meanwhile, its first writes go to its log.
pub(super) fn open_from_outside(path: &Path, cache: CacheKib) -> Result<Connection> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = Path::new(&log).exists();
    match path.to_str().filter(|_| !has_log) {
        Some(path) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_URI;
            open(Path::new(&immutable_uri(path)), flags, cache)
        }
        None => open_reader(path, cache),
    }
}

/// The path as SQLite takes it from a URI (<https://www.sqlite.org/uri.html>).
fn immutable_uri(path: &str) -> String {
    let path = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    // Two slashes begin an authority: an absolute path says that it has none.
    let authority = if path.starts_with('/') { "//" } else { "" };
    format!("file:{authority}{path}?immutable=1")
}

/// Opens an existing file for checkpoints.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = open(path, flags, CacheKib(256))?;
    conn.busy_timeout(CHECKPOINT_PATIENCE)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(conn)
}

fn open(path: &Path, flags: OpenFlags, cache: CacheKib) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    set_cache(&conn, cache)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(conn)
}

/// Whether what is deleted from now on is overwritten wherever it was. Otherwise it is so within pages that
/// are in use, which costs next to nothing and leaves no copies where pages are split; pages that become
/// free keep what they had until something else needs them.
pub(super) fn overwrite_deleted(conn: &Connection, everywhere: bool) -> Result<()> {
    let mode = if everywhere { "ON" } else { "FAST" };
    conn.pragma_update(None, "secure_delete", mode)?;
    Ok(())
}

/// Negative sizes are KiB to SQLite; positive ones would be pages.
pub(super) fn set_cache(conn: &Connection, cache: CacheKib) -> Result<()> {
    conn.pragma_update(None, "cache_size", -i64::from(cache.0))?;
    Ok(())
}
