//! How many scheduled messages each account has waiting, against which its limit is checked.
//!
//! The store is asked once, by whoever first wants to add one or to take one away; from then on
//! memory knows. All who do either come through [`Engine::scheduled`] first, the scheduler included,
//! so nothing changes while the store is counted. A message counts from the decision to insert it,
//! before it is durable: of two requests for the last place only one gets it.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use postrider_core::fault::Fault;
use postrider_core::message::{AccountNo, Message, Status};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::Engine;

/// The counts of all accounts, and who may take messages away.
#[derive(Debug)]
pub(crate) struct Scheduled {
    counts: Mutex<BTreeMap<AccountNo, u32>>,
    /// Written while messages are released, read by each that is canceled.
    leaving: RwLock<()>,
}

impl Scheduled {
    fn new(counts: Vec<(AccountNo, u64)>) -> Self {
        let counts = counts.into_iter();
        let counts = counts.map(|(no, count)| (no, u32::try_from(count).unwrap_or(u32::MAX)));
        Self {
            counts: Mutex::new(counts.collect()),
            leaving: RwLock::new(()),
        }
    }

    /// Lets `prepare` decide, by the account's count, whether there is one message more, and counts it.
    /// If it does not become durable, [`Scheduled::left`] takes it back.
    pub(crate) fn admit(
        &self,
        account: AccountNo,
        prepare: impl FnOnce(u32) -> Result<Message, Fault>,
    ) -> Result<Message, Fault> {
        let mut counts = self.counts.lock();
        let count = counts.entry(account).or_default();
        let message = prepare(*count)?;
        if message.status == Status::Scheduled {
            *count = count.saturating_add(1);
        }
        Ok(message)
    }

    pub(crate) fn of(&self, account: AccountNo) -> u32 {
        self.counts.lock().get(&account).copied().unwrap_or(0)
    }

    /// One of the account's messages was released or canceled.
    pub(crate) fn left(&self, account: AccountNo) {
        let mut counts = self.counts.lock();
        let count = counts.entry(account).or_default();
        debug_assert!(
            *count > 0,
            "more messages left the schedule than were in it"
        );
        *count = count.saturating_sub(1);
    }

    /// Held from the read of what is due until it is durable that it was released: none of it is
    /// canceled in between.
    pub(crate) async fn releasing(&self) -> RwLockWriteGuard<'_, ()> {
        self.leaving.write().await
    }

    /// Held by a cancel until it is durable. It waits for one page at most.
    pub(crate) async fn canceling(&self) -> RwLockReadGuard<'_, ()> {
        self.leaving.read().await
    }
}

impl Engine {
    /// The counts, read from the store the first time.
    pub(crate) async fn scheduled(&self) -> Result<&Scheduled, Fault> {
        let store = self.shared.store.clone();
        let count = || self.read(move || store.scheduled_counts());
        let scheduled = &self.shared.scheduled;
        scheduled
            .get_or_try_init(|| async { count().await.map(Scheduled::new) })
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use postrider_core::create::CreateMessage;
    use postrider_core::error_code::ErrorCode;
    use postrider_core::settings::Account;
    use postrider_store::memory::{MemoryDisk, MemoryStore};
    use tokio::task::JoinSet;

    use super::*;
    use crate::testing::{TestEngine, engine_with};

    const MAX: u32 = 5;
    const MINUTE_MS: i64 = 60_000;

    fn start(store: MemoryStore) -> TestEngine {
        engine_with(Arc::new(store), |setup| setup.limits.scheduled_max = MAX)
    }

    /// An account with a service whose pool is empty: what is released fails at once.
    async fn account(engine: &Engine) -> (Arc<Account>, CreateMessage) {
        let main = engine.create_main_account(None, None, "Test").await;
        let (account, _) = main.unwrap();
        let service = engine.create_service(account.sid, |_| {}).await.unwrap();
        let request = CreateMessage {
            to: Some("+14155550199".to_owned()),
            messaging_service: Some(service.sid.to_string()),
            body: Some("Hi".to_owned()),
            schedule_type: Some("fixed".to_owned()),
            send_at: Some("2026-01-01T00:10:00Z".to_owned()),
            ..CreateMessage::default()
        };
        (account, request)
    }

    /// Asks for `count` messages at the same time: those that were scheduled.
    async fn schedule(
        test: &TestEngine,
        (account, request): &(Arc<Account>, CreateMessage),
        count: usize,
    ) -> Vec<Message> {
        let mut requests = JoinSet::new();
        for _ in 0..count {
            let (engine, account, request) =
                (test.engine.clone(), account.clone(), request.clone());
            requests.spawn(async move { engine.create_message(&account, request).await });
        }
        let mut created = Vec::new();
        for answer in requests.join_all().await {
            match answer {
                Ok(answer) => created.push(answer.message),
                Err(fault) => assert_eq!(fault.code, ErrorCode::TooManyScheduled),
            }
        }
        created
    }

    /// Waits until so many count. The deadline only ends a test that is lost.
    async fn counts(test: &TestEngine, account: AccountNo, expected: u32) {
        for _ in 0..2_000 {
            test.engine.shared.schedule_changed.notify_one();
            tokio::time::sleep(Duration::from_millis(1)).await;
            let scheduled = test.engine.scheduled().await.unwrap();
            if scheduled.counts.lock()[&account] == expected {
                return;
            }
        }
        panic!("it does not come to {expected}");
    }

    #[tokio::test]
    async fn requests_at_the_same_time_share_what_the_limit_leaves() {
        let test = start(MemoryStore::new());
        let account = account(&test.engine).await;
        assert_eq!(schedule(&test, &account, 3).await.len(), 3);
        assert_eq!(schedule(&test, &account, 9).await.len(), 2);
        assert_eq!(schedule(&test, &account, 1).await.len(), 0);
    }

    #[tokio::test]
    async fn what_is_refused_takes_no_place() {
        let test = start(MemoryStore::new());
        let (account, request) = account(&test.engine).await;
        let mut early = request.clone();
        early.send_at = Some("2026-01-01T00:00:01Z".to_owned());
        for _ in 0..MAX {
            let refused = test.engine.create_message(&account, early.clone()).await;
            assert_eq!(refused.unwrap_err().code, ErrorCode::SendAtOutOfRange);
        }
        let created = schedule(&test, &(account, request), 9).await;
        assert_eq!(created.len(), MAX as usize);
    }

    #[tokio::test]
    async fn places_are_free_again_after_a_cancel_and_after_a_release() {
        let test = start(MemoryStore::new());
        let account = account(&test.engine).await;
        let created = schedule(&test, &account, 5).await;
        let no = account.0.no;
        // One that waits can't be deleted; once canceled it can, and has left already.
        let first = created[0].sid;
        test.engine.delete_message(no, first).await.unwrap_err();
        test.engine.cancel_message(no, first).await.unwrap();
        test.engine.cancel_message(no, first).await.unwrap_err();
        test.engine.delete_message(no, first).await.unwrap();
        test.engine
            .cancel_message(no, created[1].sid)
            .await
            .unwrap();
        let mut later = account.clone();
        later.1.send_at = Some("2026-01-01T00:20:00Z".to_owned());
        assert_eq!(schedule(&test, &later, 9).await.len(), 2);
        test.clock.advance(10 * MINUTE_MS);
        counts(&test, no, 2).await;
        assert_eq!(schedule(&test, &later, 9).await.len(), 3);
    }

    #[tokio::test]
    async fn a_restart_counts_what_is_in_the_store() {
        let disk = MemoryDisk::new();
        let store = Arc::new(disk.open());
        let test = engine_with(store.clone(), |setup| setup.limits.scheduled_max = MAX);
        let account = account(&test.engine).await;
        let created = schedule(&test, &account, 4).await;
        let canceled = test
            .engine
            .cancel_message(account.0.no, created[0].sid)
            .await;
        canceled.unwrap();
        store.crash();
        let test = start(disk.open());
        assert_eq!(schedule(&test, &account, 9).await.len(), 2);
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_while_it_cancels_leaves_the_count_right() {
        let test = start(MemoryStore::new());
        let account = account(&test.engine).await;
        let created = schedule(&test, &account, 5).await;
        for message in &created {
            let cancel = test.engine.cancel_message(account.0.no, message.sid);
            // Long enough to begin, too short for an answer.
            let _ = tokio::time::timeout(Duration::ZERO, cancel).await;
        }
        counts(&test, account.0.no, 0).await;
        assert_eq!(schedule(&test, &account, 9).await.len(), 5);
    }
}
