//! Releases page by page.

use std::sync::Arc;

use postrider_core::create::CreateMessage;
use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;
use postrider_store::Store;
use postrider_store::memory::{Fault as DiskFault, MemoryDisk, MemoryStore};

use super::*;
use crate::NewPoolEntry;
use crate::testing::{START_MS, TestEngine, engine_over};

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
        if store.next_scheduled(0).unwrap().is_none() {
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

/// They would all look empty.
#[tokio::test]
async fn nothing_is_released_before_the_queues_are_counted() {
    let store = Arc::new(MemoryStore::new());
    let mut test = engine_over(store.clone());
    // Its own scheduler ends.
    test.running.end_dispatch(Duration::ZERO).await;
    let service = service(&test.engine, false).await;
    let messages = schedule(&test, &*store, service, 1).await;
    test.clock.advance(AHEAD_MS);
    let (counted_to, counted) = oneshot::channel();
    tokio::spawn(run(test.engine.clone(), counted));
    let status = || {
        let message = store.message(messages[0].sid.id).unwrap();
        message.unwrap().status
    };
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(status(), Status::Scheduled);
    }
    drop(counted_to);
    release(&test, &*store).await;
    assert_eq!(status(), Status::Failed);
}

/// Its id is older than all that a new process reads again.
#[tokio::test]
async fn a_crash_after_a_release_forgets_no_recipient() {
    let disk = MemoryDisk::new();
    let store = Arc::new(disk.open());
    let test = engine_over(store.clone());
    let (account, service) = service(&test.engine, true).await;
    schedule(&test, &*store, (account, service), 1).await;
    test.clock.advance(10_000);
    test.engine.write_sticky(0).await.unwrap();
    release(&test, &*store).await;
    let now_ms = test.engine.now_ms();
    store.crash();
    let test = engine_over(Arc::new(disk.open()));
    test.clock.set(now_ms);
    let recipient = PhoneNumber::parse("+14155550199").unwrap();
    let known = test.engine.sticky_sender(service, recipient).await;
    assert_eq!(known.unwrap().created_ms, now_ms);
}

/// There is nothing else by which it could be told from a text.
#[tokio::test]
async fn an_mms_without_media_is_one_when_it_is_released() {
    let store = Arc::new(MemoryStore::new());
    let test = engine_over(store.clone());
    let (account, service) = service(&test.engine, true).await;
    let request = CreateMessage {
        to: Some("+14155550199".to_owned()),
        messaging_service: Some(service.to_string()),
        body: Some("Hi".to_owned()),
        send_as_mms: Some(true),
        schedule_type: Some("fixed".to_owned()),
        send_at: Some("2026-01-01T00:10:00Z".to_owned()),
        ..CreateMessage::default()
    };
    let created = test.engine.create_message(&account, request).await.unwrap();
    release(&test, &*store).await;
    let id = created.message.sid.id;
    let released = store.message(id).unwrap().unwrap();
    // No carrier takes media yet.
    assert_eq!(released.error, Some(ErrorCode::NoRoute));
}

/// The store has the last word about what becomes of a message.
#[tokio::test]
async fn what_was_canceled_before_its_page_is_durable_is_not_released() {
    let store = Arc::new(MemoryStore::new());
    let test = engine_over(store.clone());
    let engine = &test.engine;
    let service = service(engine, true).await;
    let account = service.0.clone();
    let messages = schedule(&test, &*store, service, 3).await;
    let due = store
        .scheduled(START_MS + AHEAD_MS + 1, None, PAGE)
        .unwrap();
    let due = due.into_iter().map(|message| (message, None)).collect();
    let page = decide(engine, due).await.unwrap();
    assert_eq!(page.len(), 3);
    let canceled = messages[1].sid;
    engine.cancel_message(account.no, canceled).await.unwrap();
    let counts = engine.scheduled().await.unwrap();
    commit(engine, counts, page).await.unwrap();
    assert_eq!(store.next_scheduled(0).unwrap(), None);
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

#[tokio::test]
async fn a_cancel_comes_before_a_release_or_after_it() {
    let store = Arc::new(MemoryStore::new());
    let test = engine_over(store.clone());
    let engine = &test.engine;
    let service = service(engine, true).await;
    let account = service.0.clone();
    let messages = schedule(&test, &*store, service, 1).await;
    let counts = engine.scheduled().await.unwrap();
    let releasing = counts.releasing().await;
    let due = store
        .scheduled(START_MS + AHEAD_MS + 1, None, PAGE)
        .unwrap();
    let cancel = {
        let (engine, no, sid) = (engine.clone(), account.no, messages[0].sid);
        tokio::spawn(async move { engine.cancel_message(no, sid).await })
    };
    // Time enough for a cancel that waits for nobody.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let due = due.into_iter().map(|message| (message, None)).collect();
    super::release(engine, counts, due).await.unwrap();
    drop(releasing);
    let refused = cancel.await.unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotCancelable);
    let released = engine.message(account.no, messages[0].sid).await.unwrap();
    assert_ne!(released.status, Status::Canceled);
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
