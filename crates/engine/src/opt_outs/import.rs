//! Opt-outs by the million: read in a batch at a time while the list goes on being used.
//!
//! Each batch is one transaction. Whoever asked need not wait, and a crash or a stop leaves what was
//! applied: the same file again changes only the rest. What is known of imports is in memory, for as
//! long as the process lives.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};
use postrider_core::fault::Fault;
use postrider_core::settings::Account;
use postrider_core::sid::{AccountSid, OptOutImportSid};

use super::consents::{Breadth, Consent, UnknownSender};
use crate::Engine;

/// Rows of a transaction. A STOP waits for one of them at most.
const BATCH: usize = 1_000;

/// Of an import, the first so many rows that can't be used are told.
pub const ROW_ERRORS_MAX: usize = 100;

/// Imports that are remembered, of all accounts.
const KEPT: usize = 100;

/// A row, or what is wrong with it.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// Of the file, from 1.
    pub line: u64,
    pub consent: Result<Consent, String>,
}

/// One file on its way into the list.
#[derive(Debug)]
pub struct Import {
    pub sid: OptOutImportSid,
    pub account: AccountSid,
    pub created_ms: Millis,
    progress: Mutex<ImportProgress>,
}

/// How far it has got.
#[derive(Clone, Debug, Default)]
pub struct ImportProgress {
    pub rows: u64,
    /// Rows that changed the list.
    pub changed: u64,
    /// Rows that can't be used; the first of them are in `errors`.
    pub rejected: u64,
    /// Lines, and what is wrong with them.
    pub errors: Vec<(u64, String)>,
    pub end: Option<(Millis, ImportEnd)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportEnd {
    /// All rows were looked at.
    Completed,
    /// It broke off: what was applied stays.
    Failed,
}

/// The last ones, oldest first.
#[derive(Debug, Default)]
pub(super) struct Imports(Mutex<VecDeque<Arc<Import>>>);

impl Engine {
    /// Begins to read opt-outs in, and does not wait for the end.
    pub fn import_opt_outs(
        &self,
        account: Arc<Account>,
        actor: &str,
        rows: impl Iterator<Item = ImportRow> + Send + 'static,
    ) -> Arc<Import> {
        let import = Arc::new(Import {
            sid: OptOutImportSid(self.ids().next()),
            account: account.sid,
            created_ms: self.now_ms(),
            progress: Mutex::default(),
        });
        self.shared.acceptor.opt_outs.imports.add(import.clone());
        // Not on the draft of a request with a key: that ends with its answer.
        let engine = Engine {
            shared: self.shared.clone(),
            draft: None,
        };
        let run = Run {
            import: import.clone(),
            clock: engine.clock().clone(),
        };
        let actor = actor.to_owned();
        tokio::spawn(async move {
            let outcome = run.all(&engine, &account, &actor, rows).await;
            if outcome.is_ok() {
                run.end(ImportEnd::Completed);
            }
        });
        import
    }

    /// The account's imports that are remembered, newest first.
    pub fn opt_out_imports(&self, account: AccountSid) -> Vec<Arc<Import>> {
        let imports = self.shared.acceptor.opt_outs.imports.0.lock();
        let own = imports.iter().rev();
        own.filter(|import| import.account == account)
            .cloned()
            .collect()
    }
}

impl Imports {
    fn add(&self, import: Arc<Import>) {
        let mut imports = self.0.lock();
        if imports.len() == KEPT {
            imports.pop_front();
        }
        imports.push_back(import);
    }
}

impl Import {
    pub fn progress(&self) -> ImportProgress {
        self.progress.lock().clone()
    }
}

/// Says that the import is over when it is dropped, by whatever it was ended.
struct Run {
    import: Arc<Import>,
    clock: Arc<dyn Clock>,
}

impl Run {
    async fn all(
        &self,
        engine: &Engine,
        account: &Account,
        actor: &str,
        mut rows: impl Iterator<Item = ImportRow> + Send,
    ) -> Result<(), Fault> {
        loop {
            let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            self.one(engine, account, actor, batch).await?;
        }
    }

    async fn one(
        &self,
        engine: &Engine,
        account: &Account,
        actor: &str,
        batch: Vec<ImportRow>,
    ) -> Result<(), Fault> {
        let mut rejected = Vec::new();
        let (mut lines, mut consents) = (Vec::new(), Vec::new());
        let rows = batch.len() as u64;
        for row in batch {
            match row.consent {
                Ok(consent) => {
                    lines.push(row.line);
                    consents.push(consent);
                }
                Err(problem) => rejected.push((row.line, problem)),
            }
        }
        let recorded = engine
            .record_consents(account, actor, Breadth::Entry, &consents)
            .await?;
        let unknown = lines
            .iter()
            .zip(&recorded)
            .filter(|(_, recorded)| recorded.is_err())
            .map(|(line, _)| (*line, UnknownSender.to_string()));
        rejected.extend(unknown);
        rejected.sort_by_key(|(line, _)| *line);
        let mut progress = self.import.progress.lock();
        progress.rows += rows;
        progress.changed += recorded.iter().filter(|it| **it == Ok(true)).count() as u64;
        progress.rejected += rejected.len() as u64;
        let room = ROW_ERRORS_MAX.saturating_sub(progress.errors.len());
        progress.errors.extend(rejected.into_iter().take(room));
        Ok(())
    }

    fn end(&self, end: ImportEnd) {
        let mut progress = self.import.progress.lock();
        if progress.end.is_none() {
            progress.end = Some((self.clock.now_ms(), end));
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end(ImportEnd::Failed);
    }
}
