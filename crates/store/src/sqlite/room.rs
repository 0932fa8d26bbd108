//! The disk guard: new messages are refused while the disk still has room for receipts.
//!
//! What is free is not all ours to fill: the log of the newest shard grows up to its limit before it is
//! started afresh, whatever is written. That growth counts as if it had happened, and the limit is at
//! most half of the reserve, so that the reserve holds a second log and what the databases grow by.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};

use crate::contract::{Result, StoreError};
use crate::sqlite::{Options, Shared};

/// Tells how much room a file system has; tests have their own.
pub trait DiskSpace: Send + Sync {
    /// Bytes that this process may still write in the directory's file system.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// Asks the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDiskSpace;

impl DiskSpace for SystemDiskSpace {
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Logs are not kept shorter than this: starting one afresh makes a commit wait.
const LOG_LEAST_BYTES: u64 = 1 << 20;

impl Options {
    /// The length from which a log is started afresh.
    pub(super) fn log_limit_bytes(&self) -> u64 {
        let share = (self.reserve_bytes / 2).max(LOG_LEAST_BYTES);
        self.log_limit_bytes.min(share)
    }

    /// So much must be free on the disk of a store that was not started yet, or every message is
    /// refused.
    pub fn needed_bytes(&self) -> u64 {
        self.reserve_bytes.saturating_add(self.log_limit_bytes())
    }
}

/// How long an answer is believed: no disk that we know takes a gigabyte of flushed commits a second, so
/// it is wrong by a hundred MiB at most. Asking takes microseconds.
const BELIEVED_MS: Millis = 100;

pub(super) struct Room {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    /// The last answer and when it was asked for.
    known: Mutex<Option<(Millis, u64)>>,
}

impl Room {
    pub(super) fn new(dir: &Path, clock: Arc<dyn Clock>, shared: Arc<Shared>) -> Self {
        Self {
            dir: dir.to_owned(),
            clock,
            shared,
            known: Mutex::new(None),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let reserve_bytes = self.shared.options.reserve_bytes;
        if self.free_bytes()? > reserve_bytes {
            return Ok(());
        }
        Err(StoreError::Full {
            reserve_mib: reserve_bytes >> 20,
        })
    }

    /// What is free beyond the log's growth.
    pub(super) fn free_bytes(&self) -> Result<u64> {
        let now_ms = self.clock.now_ms();
        let mut known = self.known.lock();
        // A clock that was set back must not freeze the answer.
        let fresh = known.filter(|(at_ms, _)| (0..BELIEVED_MS).contains(&(now_ms - at_ms)));
        if let Some((_, free)) = fresh {
            return Ok(free);
        }
        let free = self.shared.options.disk_space.free_bytes(&self.dir);
        let free = free.map_err(|error| {
            StoreError::Failed(format!("free space of {}: {error}", self.dir.display()))
        })?;
        let free = free.saturating_sub(self.log_growth_bytes());
        *known = Some((now_ms, free));
        Ok(free)
    }

    /// What the newest shard's log has not taken of its limit yet. Older logs are cut when they are
    /// idle, and only receipts make them grow: the reserve is for those.
    fn log_growth_bytes(&self) -> u64 {
        let shards = self.shared.shards.all();
        let length = shards.last().map_or(0, |shard| shard.log_bytes());
        self.shared.options.log_limit_bytes().saturating_sub(length)
    }
}
