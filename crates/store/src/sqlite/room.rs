//! The disk guard: new messages are refused while the disk still has room for receipts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};

use crate::contract::{Result, StoreError};

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

/// How long an answer is believed. At a gigabyte a second a reserve of 256 MiB would be gone sooner,
/// but no disk we know takes flushed commits at that rate.
const BELIEVED_MS: Millis = 1_000;

pub(super) struct Room {
    dir: PathBuf,
    disk: Arc<dyn DiskSpace>,
    clock: Arc<dyn Clock>,
    reserve_bytes: u64,
    /// The last answer and when it was asked for.
    known: Mutex<Option<(Millis, u64)>>,
}

impl Room {
    pub(super) fn new(
        dir: &Path,
        disk: Arc<dyn DiskSpace>,
        clock: Arc<dyn Clock>,
        reserve_bytes: u64,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            disk,
            clock,
            reserve_bytes,
            known: Mutex::new(None),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.free_bytes()? > self.reserve_bytes {
            return Ok(());
        }
        Err(StoreError::Full {
            reserve_mib: self.reserve_bytes >> 20,
        })
    }

    pub(super) fn free_bytes(&self) -> Result<u64> {
        let now_ms = self.clock.now_ms();
        let mut known = self.known.lock();
        // A clock that was set back must not freeze the answer.
        let fresh = known.filter(|(at_ms, _)| (0..BELIEVED_MS).contains(&(now_ms - at_ms)));
        if let Some((_, free)) = fresh {
            return Ok(free);
        }
        let free = self.disk.free_bytes(&self.dir).map_err(|error| {
            StoreError::Failed(format!("free space of {}: {error}", self.dir.display()))
        })?;
        *known = Some((now_ms, free));
        Ok(free)
    }
}
