//! Tests of the stores: the conformance suite on both, a model test of one against the other, and
//! what only files can do (crash, fill up, be opened twice, age).

mod crash;
mod documents;
mod files;
mod model;
mod suite;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postrider_core::clock::ManualClock;
use tempfile::TempDir;

use crate::conformance::Backend;
use crate::contract::Store;
use crate::sqlite::{OpenError, Options, SqliteStore};

/// A directory for a store with tiny shards.
struct Directory {
    dir: TempDir,
    options: Options,
}

impl Directory {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            options: tiny(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn sqlite(&self) -> SqliteStore {
        self.try_sqlite().unwrap()
    }

    fn try_sqlite(&self) -> Result<SqliteStore, OpenError> {
        open(self.path(), &self.options)
    }
}

fn open(dir: &Path, options: &Options) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(dir, Arc::new(ManualClock::default()), options.clone())
}

/// Seven messages a file, three a run, eager checkpoints and short logs: every border is met often.
fn tiny() -> Options {
    Options {
        messages_per_shard: 7,
        messages_per_run: 3,
        checkpoint_every: Duration::from_millis(5),
        log_limit_bytes: 64 << 10,
        ..Options::default()
    }
}

impl Backend for Directory {
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.sqlite())
    }
}
