//! Settings are written one at a time, and each write comes to its end.
//!
//! A handler's future is dropped when its client hangs up, a commit that has begun goes on. If that
//! let the lock go, the disk would know more than memory, and the next create would hand out a number
//! that is taken. So the lock goes along with the changes: from the check to the moment that they are
//! in force, whoever still waits for it.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_store::{DocumentChange, GivenAnswer, StoreError};
use tokio::sync::OwnedMutexGuard;

use crate::Engine;
use crate::dispatch::Input;

/// What was checked while holding it still holds when it is written.
#[derive(Debug)]
pub(crate) struct SettingsLock(
    /// `None` for one who works on a draft, which holds the lock.
    #[expect(dead_code, reason = "held, not read")]
    Option<OwnedMutexGuard<()>>,
);

impl Engine {
    pub(crate) async fn settings_lock(&self) -> SettingsLock {
        if self.draft.as_ref().is_some_and(|draft| draft.is_begun()) {
            return SettingsLock(None);
        }
        let lock = self.shared.settings_lock.clone().lock_owned().await;
        let lock = SettingsLock(Some(lock));
        match &self.draft {
            None => lock,
            Some(draft) => {
                draft.begin(lock, &self.shared.acceptor.directory);
                SettingsLock(None)
            }
        }
    }

    /// Persists changes of settings, makes them take effect, and lets go of the lock; also when the
    /// caller gives up meanwhile.
    pub(crate) async fn write_settings(
        &self,
        lock: SettingsLock,
        changes: Vec<DocumentChange>,
    ) -> Result<(), Fault> {
        if let Some(draft) = &self.draft {
            return draft.write(changes).map_err(|error| {
                tracing::error!(%error, "a draft of settings makes no sense");
                Fault::new(ErrorCode::InternalError)
            });
        }
        self.commit_settings(lock, changes, None).await
    }

    /// Does so, together with the answer to the request that made the changes, and lets go of what is
    /// held.
    pub(crate) async fn commit_settings(
        &self,
        held: impl Send + 'static,
        changes: Vec<DocumentChange>,
        answer: Option<GivenAnswer>,
    ) -> Result<(), Fault> {
        let engine = self.clone();
        let written = tokio::spawn(async move {
            let _held = held;
            engine.write_and_apply(changes, answer).await
        });
        written
            .await
            .unwrap_or_else(|error| Err(self.differs(&error)))
    }

    async fn write_and_apply(
        &self,
        changes: Vec<DocumentChange>,
        answer: Option<GivenAnswer>,
    ) -> Result<(), Fault> {
        let store = self.shared.store.clone();
        let answered = answer.as_ref().map(|answer| answer.account);
        let commit = move || {
            store.commit_documents(&changes, answer.as_ref())?;
            Ok(changes)
        };
        let changes = self.write(commit).await?;
        if let Some(account) = answered {
            self.shared.answers.one_more(self.directory(), account);
        }
        if changes.is_empty() {
            return Ok(());
        }
        let applied = self.directory().apply(changes);
        applied.map_err(|error| self.differs(&error))?;
        self.shared.acceptor.loads.forget_rates();
        // A full inbox means dispatch is about to look at everything anyway; it must not be missed.
        let _ = self.shared.dispatch.send(Input::SettingsChanged).await;
        Ok(())
    }

    /// Memory may know less than the disk, which only a restart mends.
    fn differs(&self, why: &dyn std::fmt::Display) -> Fault {
        let what = format!("settings were written and are not in force: {why}");
        self.shared.committer.fail(&StoreError::Failed(what));
        Fault::new(ErrorCode::InternalError)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use postrider_core::create::CreateMessage;
    use postrider_core::settings::Document;
    use postrider_store::Store;
    use postrider_store::memory::MemoryStore;

    use crate::testing::{engine, engine_over};

    fn accounts(store: &MemoryStore) -> Vec<u32> {
        let documents = store.documents().unwrap().into_iter();
        let numbers = documents.filter_map(|document| match document {
            Document::Account(account) => Some(account.no.0),
            _ => None,
        });
        numbers.collect()
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_leaves_no_number_to_be_given_twice() {
        let store = Arc::new(MemoryStore::new());
        let engine = engine_over(store.clone()).engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        for _ in 0..10 {
            // Begins, and is dropped before the disk has answered.
            let create = engine.create_account(main.sid, None).now_or_never();
            assert!(create.is_none());
            engine.create_account(main.sid, None).await.unwrap();
        }
        let numbers = accounts(&store);
        assert_eq!(numbers.len(), 21);
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 21);
        assert_eq!(engine.directory().accounts().len(), 21);
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_leaves_its_new_sender_usable_and_its_queue_empty() {
        let test = engine();
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let request = CreateMessage {
            to: Some("+447911123456".to_owned()),
            from: Some("Shop".to_owned()),
            body: Some("Hi".to_owned()),
            ..CreateMessage::default()
        };
        let create = engine.create_message(&main, request).now_or_never();
        assert!(create.is_none());
        // Waits for its turn, and so for the write that was begun.
        engine.create_account(main.sid, None).await.unwrap();
        let address = postrider_core::sender::SenderAddress::parse("Shop").unwrap();
        let sender = engine.directory().sender_no(main.sid, &address).unwrap();
        let loads = &engine.shared.acceptor.loads;
        let queued = loads.with(|table| table.get(sender).queued_segments());
        assert_eq!(queued, 0);
    }
}
