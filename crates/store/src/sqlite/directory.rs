//! The store's directory: what its files are called, and the lock that keeps a second process out.
//!
//! ```text
//! data/lock                              held while a process has the directory open
//! data/control.db                        settings
//! data/parked.db                         receipts without a message
//! data/sticky.db                         which sender each recipient knows
//! data/alerts.db                         what customers are told went wrong
//! data/messages/000042-1795000000123.db  shard 42: messages made from that millisecond on
//! ```
//!
//! A shard's file name says all that must be known of it before it is opened, so the directory is the
//! list of shards, and deleting a file is forgetting it. Numbers are never used twice.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use postrider_core::clock::Millis;

use crate::contract::Result;
use crate::sqlite::failure::About;

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is in use by another process; stop it, or choose another directory", .dir.display())]
    InUse { dir: PathBuf },
    #[error("can't use {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] crate::contract::StoreError),
}

/// A store's directory, ours until dropped.
pub(super) struct Directory {
    root: PathBuf,
    /// The system gives the lock up when this is closed, however the process ends.
    _lock: File,
}

impl Directory {
    /// Creates what is missing and takes the lock.
    pub(super) fn open(root: &Path) -> Result<Self, OpenError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        let messages = root.join("messages");
        fs::create_dir_all(&messages).map_err(io(&messages))?;
        let path = root.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse {
                    dir: root.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(&path)(source)),
        }
        sync_dir(root).map_err(io(root))?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn control(&self) -> PathBuf {
        self.root.join("control.db")
    }

    pub(super) fn parked(&self) -> PathBuf {
        self.root.join("parked.db")
    }

    pub(super) fn sticky(&self) -> PathBuf {
        self.root.join("sticky.db")
    }

    pub(super) fn opt_outs(&self) -> PathBuf {
        self.root.join("opt_outs.db")
    }

    pub(super) fn alerts(&self) -> PathBuf {
        self.root.join("alerts.db")
    }

    fn messages(&self) -> PathBuf {
        self.root.join("messages")
    }

    pub(super) fn shard(&self, name: ShardName) -> PathBuf {
        let ShardName { number, first_ms } = name;
        self.messages().join(format!("{number:06}-{first_ms}.db"))
    }

    /// Makes the creation of a file in this directory, or in `messages/`, survive a power cut.
    pub(super) fn sync(&self) -> Result<()> {
        for dir in [self.root.clone(), self.messages()] {
            sync_dir(&dir).about(&dir)?;
        }
        Ok(())
    }

    /// The shards on disk, oldest first. Logs whose shard is gone are removed on the way: a crash
    /// in the middle of forgetting leaves them.
    pub(super) fn shards(&self) -> Result<Vec<ShardName>> {
        let dir = self.messages();
        let mut shards = Vec::new();
        let mut logs = Vec::new();
        for entry in fs::read_dir(&dir).about(&dir)? {
            let name = entry.about(&dir)?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(shard) = name.strip_suffix(".db").and_then(ShardName::parse) {
                shards.push(shard);
            } else if let Some((stem, _)) = name.split_once(".db-") {
                logs.extend(ShardName::parse(stem).map(|shard| (shard, dir.join(name))));
            }
        }
        shards.sort_unstable();
        for (shard, path) in logs {
            if shards.binary_search(&shard).is_err() {
                fs::remove_file(&path).about(&path)?;
            }
        }
        Ok(shards)
    }

    /// Deletes a shard's files. The database goes first: without it its logs mean nothing, whereas
    /// the database without its log would be an older state of itself.
    pub(super) fn remove(&self, name: ShardName) -> Result<()> {
        let path = self.shard(name);
        fs::remove_file(&path).about(&path)?;
        self.sync()?;
        for suffix in ["-wal", "-shm"] {
            let mut log = path.clone().into_os_string();
            log.push(suffix);
            match fs::remove_file(&log) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).about(Path::new(&log));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// What a shard's file name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShardName {
    pub(super) number: u32,
    /// Its messages were made at this instant or later.
    pub(super) first_ms: Millis,
}

impl ShardName {
    fn parse(stem: &str) -> Option<Self> {
        let (number, first_ms) = stem.split_once('-')?;
        // Row keys have 43 bits for the milliseconds.
        let first_ms = first_ms
            .parse()
            .ok()
            .filter(|ms| (0..1 << 43).contains(ms))?;
        Some(Self {
            number: number.parse().ok()?,
            first_ms,
        })
    }
}
