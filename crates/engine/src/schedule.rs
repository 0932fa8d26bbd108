//! The scheduler: releases messages at their `SendAt`, never early, also after downtime.
//!
//! What is due at one minute is released page by page, each page one transaction: a hundred thousand
//! messages take as many flushes as pages, and memory for one of them. The store decides between
//! release and cancel: both are applied only while the message is still `scheduled`, and one
//! committer applies them in order.

use std::time::Duration;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{Message, Status};
use postrider_store::{Applied, Change, Store};

use crate::Engine;
use crate::scheduled::Scheduled;

/// Messages released in one transaction: enough that its flush hardly counts, few enough that
/// requests which come meanwhile do not feel it.
const PAGE: usize = 500;

/// The longest sleep, so that a clock that was set forward is noticed.
const SLEEP_MAX_MS: Millis = 1_000;

/// Releases due messages until the process stops.
pub(crate) async fn run(engine: Engine) {
    loop {
        let wait_ms = match release_due(&engine).await {
            Ok(PAGE) => continue,
            Ok(_) => until_next(&engine).await,
            Err(fault) => {
                tracing::error!(%fault, "scheduled messages can't be released");
                SLEEP_MAX_MS
            }
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())) => {}
            () = engine.shared.schedule_changed.notified() => {}
        }
    }
}

async fn until_next(engine: &Engine) -> Millis {
    let store = engine.shared.store.clone();
    let next = engine.read(move || store.next_scheduled()).await;
    let wait_ms = match next {
        Ok(Some(at_ms)) => at_ms - engine.now_ms(),
        Ok(None) | Err(_) => SLEEP_MAX_MS,
    };
    wait_ms.clamp(10, SLEEP_MAX_MS)
}

/// Releases one page and says how many were due; if it was full, there may be more.
async fn release_due(engine: &Engine) -> Result<usize, Fault> {
    let counts = engine.scheduled().await?;
    let store = engine.shared.store.clone();
    let now_ms = engine.now_ms();
    // `scheduled` gives what is due before an instant: a message is due at its own.
    let due = engine
        .read(move || store.scheduled(now_ms + 1, PAGE))
        .await?;
    let count = due.len();
    // Those whose recipients' networks somebody has to be asked for keep no others waiting.
    let [at_hand, others] = engine.shared.acceptor.split_by_lookup(due);
    for (due, wait) in [(at_hand, Wait::ForNobody), (others, Wait::ForAnswers)] {
        if !due.is_empty() {
            let page = released(engine, due, wait).await?;
            commit(engine, counts, page).await?;
        }
    }
    Ok(count)
}

/// What replaces messages that are due. Each has taken its place in its sender's queue. Decided where
/// the store is read: five hundred selections would hold up other tasks.
async fn released(engine: &Engine, due: Vec<Message>, wait: Wait) -> Result<Vec<Message>, Fault> {
    let acceptor = engine.shared.acceptor.clone();
    let store = engine.shared.store.clone();
    let networks = acceptor.look_up_all(&due).await;
    let now_ms = engine.now_ms();
    engine
        .read(move || {
            let mut released = Vec::with_capacity(due.len());
            for (message, network) in due.iter().zip(networks) {
                if wait == Wait::ForNobody || is_scheduled(&*store, message)? {
                    released.push(acceptor.release(message, network, now_ms));
                }
            }
            Ok(released)
        })
        .await
}

/// One that was canceled while its network was looked up takes no place, teaches nobody and alerts
/// nobody.
fn is_scheduled(store: &dyn Store, message: &Message) -> postrider_store::Result<bool> {
    let now = store.message(message.sid.id)?;
    Ok(now.is_some_and(|now| now.status == Status::Scheduled))
}

/// Whether recipients' networks are asked for before messages are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    ForNobody,
    ForAnswers,
}

/// Makes a page durable; those that were canceled in between give their place back.
async fn commit(engine: &Engine, counts: &Scheduled, page: Vec<Message>) -> Result<(), Fault> {
    let acceptor = &engine.shared.acceptor;
    let changes = page.iter().cloned();
    let changes = changes.map(|message| Change::Release(Box::new(message)));
    let applied = engine.shared.committer.commit_all(changes.collect()).await;
    // A store that failed is gone, and the process with all that it counted about to follow.
    let applied = applied.map_err(|_| Fault::new(ErrorCode::Unavailable))?;
    for (message, applied) in page.iter().zip(applied) {
        match applied {
            Applied::Yes => counts.left(message.account),
            Applied::Stale | Applied::Missing => acceptor.abandon(message),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_carriers::{AckToken, Carrier, Submission};
    use postrider_core::clock::ManualClock;
    use postrider_core::create::CreateMessage;
    use postrider_core::message::SenderNo;
    use postrider_core::phone_number::PhoneNumber;
    use postrider_core::settings::Account;
    use postrider_core::sid::ServiceSid;
    use postrider_store::memory::{Fault as DiskFault, MemoryDisk, MemoryStore};
    use postrider_store::sqlite::{Options, SqliteStore};

    use super::*;
    use crate::NewPoolEntry;
    use crate::testing::{START_MS, TestEngine, engine_over, engine_with};

    const AHEAD_MS: Millis = 600_000;

    /// A main account with a service that has one number, or none.
    async fn service(engine: &Engine, has_number: bool) -> (Arc<Account>, ServiceSid) {
        let main = engine.create_main_account(None, None, "Test").await;
        let (account, _) = main.unwrap();
        let service = engine.create_service(account.sid, |_| {}).await.unwrap();
        if has_number {
            let number = PhoneNumber::parse("+14155550101").unwrap();
            let number = engine.register_number(account.sid, number, |_| {});
            let entry = NewPoolEntry::Number(number.await.unwrap().sid);
            engine.add_to_pool(service.sid, entry).await.unwrap();
        }
        (account, service.sid)
    }

    /// Schedules messages for one instant: the first by a request, the others as copies of it.
    async fn schedule(
        test: &TestEngine,
        store: &dyn Store,
        (account, service): (Arc<Account>, ServiceSid),
        count: usize,
    ) -> Vec<Message> {
        let request = CreateMessage {
            to: Some("+14155550199".to_owned()),
            messaging_service: Some(service.to_string()),
            body: Some("Hi".to_owned()),
            schedule_type: Some("fixed".to_owned()),
            send_at: Some("2026-01-01T00:10:00Z".to_owned()),
            ..CreateMessage::default()
        };
        let created = test.engine.create_message(&account, request).await.unwrap();
        let mut messages = vec![created.message];
        for _ in 1..count {
            let mut message = messages[0].clone();
            message.sid.id = test.engine.ids().next();
            messages.push(message);
        }
        let counts = test.engine.scheduled().await.unwrap();
        for copies in messages[1..].chunks(4_000) {
            let inserts = copies.iter().cloned();
            let inserts: Vec<_> = inserts.map(|m| Change::Insert(Box::new(m))).collect();
            store.commit(&inserts).unwrap();
            for copy in copies {
                counts.admit(account.no, |_| Ok(copy.clone())).unwrap();
            }
        }
        messages
    }

    /// Lets the time come and waits until nothing is scheduled. The deadline only ends a test that
    /// is lost.
    async fn release(test: &TestEngine, store: &dyn Store) {
        test.clock.advance(AHEAD_MS);
        for _ in 0..200_000 {
            test.engine.shared.schedule_changed.notify_one();
            tokio::time::sleep(Duration::from_millis(1)).await;
            if store.next_scheduled().unwrap().is_none() {
                return;
            }
        }
        panic!("some are still scheduled");
    }

    #[tokio::test]
    async fn what_is_due_at_once_is_released_by_pages() {
        let store = Arc::new(MemoryStore::new());
        let test = engine_over(store.clone());
        // Without a sender they fail, so that nothing but the releases is committed.
        let service = service(&test.engine, false).await;
        let messages = schedule(&test, &*store, service, 2 * PAGE + 1).await;
        let commits = test.engine.metrics().commits.get();
        release(&test, &*store).await;
        assert_eq!(test.engine.metrics().commits.get() - commits, 3);
        for message in &messages {
            let released = store.message(message.sid.id).unwrap().unwrap();
            assert_eq!(released.status, Status::Failed);
        }
    }

    #[tokio::test]
    async fn of_a_page_only_what_was_canceled_meanwhile_is_not_released() {
        let store = Arc::new(MemoryStore::new());
        let test = engine_over(store.clone());
        let engine = &test.engine;
        let service = service(engine, true).await;
        let account = service.0.clone();
        let messages = schedule(&test, &*store, service, 3).await;
        let due = store.scheduled(START_MS + AHEAD_MS + 1, PAGE).unwrap();
        let again = due.clone();
        let page = released(engine, due, Wait::ForNobody).await.unwrap();
        assert_eq!(page.len(), 3);
        let canceled = messages[1].sid;
        engine.cancel_message(account.no, canceled).await.unwrap();
        // One that waited for an answer meanwhile is seen to be canceled before it takes its place.
        let waited = released(engine, again, Wait::ForAnswers).await.unwrap();
        let sids: Vec<_> = waited.iter().map(|message| message.sid).collect();
        assert_eq!(sids, [messages[0].sid, messages[2].sid]);
        let acceptor = &engine.shared.acceptor;
        for message in &waited {
            acceptor.abandon(message);
        }
        let counts = engine.scheduled().await.unwrap();
        commit(engine, counts, page).await.unwrap();
        assert_eq!(store.next_scheduled().unwrap(), None);
        let canceled = engine.message(account.no, canceled).await.unwrap();
        assert_eq!(canceled.status, Status::Canceled);
        // Two were released and sent; the place of the third is free again.
        let sender = number_of(engine, &account);
        for _ in 0..2_000 {
            let queued = |table: &mut crate::loads::LoadTable| table.get(sender).queued_segments();
            if engine.shared.acceptor.loads.with(queued) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("a message that was canceled keeps its place in the queue");
    }

    fn number_of(engine: &Engine, account: &Account) -> SenderNo {
        let from = postrider_core::sender::SenderAddress::parse("+14155550101").unwrap();
        engine.directory().sender_no(account.sid, &from).unwrap()
    }

    #[tokio::test]
    async fn a_page_whose_commit_failed_is_released_after_the_restart() {
        for fault in [DiskFault::Lost, DiskFault::Split, DiskFault::Kept] {
            let disk = MemoryDisk::new();
            let store = Arc::new(disk.open());
            let test = engine_over(store.clone());
            let service = service(&test.engine, false).await;
            let messages = schedule(&test, &*store, service, 10).await;
            store.fail_next_commit(fault);
            test.clock.advance(AHEAD_MS);
            test.engine.shared.schedule_changed.notify_one();
            let mut failure = test.engine.failure();
            failure.wait_for(Option::is_some).await.unwrap();

            let store = Arc::new(disk.open());
            let test = engine_over(store.clone());
            release(&test, &*store).await;
            for message in &messages {
                let released = store.message(message.sid.id).unwrap().unwrap();
                assert_eq!(released.status, Status::Failed, "{fault:?}");
            }
        }
    }

    /// A carrier that takes and never answers: what is released has to wait.
    struct Silent;

    impl Carrier for Silent {
        fn submit(&self, _batch: Vec<Submission>) {}
        fn acknowledge(&self, _tokens: Vec<AckToken>) {}
        fn shut_down(&self, _grace: Duration) {}
    }

    /// How long a hundred thousand messages of one instant take, in a store on disk. What it prints
    /// depends on the machine and the build.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "a measurement"]
    async fn a_hundred_thousand_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START_MS));
        let store = SqliteStore::open(directory.path(), clock, Options::default());
        let store = Arc::new(store.unwrap());
        let test = engine_with(store.clone(), |setup| {
            setup.carriers[0].1 = Arc::new(Silent);
        });
        let service = service(&test.engine, true).await;
        let messages = schedule(&test, &*store, service, 100_000).await;
        let since = tokio::time::Instant::now();
        release(&test, &*store).await;
        println!("{} messages in {:?}", messages.len(), since.elapsed());
    }
}
