//! Due messages whose lookup's service answers when a test tells it to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_core::clock::{Clock as _, Millis};
use postrider_core::message::{Message, Status};
use postrider_store::memory::{MemoryDisk, MemoryStore};
use postrider_store::{RecipientCursor, Store};

use super::*;
use crate::networks::Config;
use crate::networks::testing::{Customer, Script, Service, at_least_one, engine_that_asks};
use crate::schedule::{PAGE, release_answered, release_due};
use crate::testing::{START_MS, TestEngine};

const MINUTE_MS: Millis = 60_000;
const US: &str = "+14155550199";
/// No short code is of its country, so nobody is asked.
const UK: &str = "+447700900199";

/// No test waits for a timeout that does not mean to.
fn patient(lookup: &Service) -> Config {
    Config {
        timeout_ms: at_least_one(600_000),
        ..lookup.config()
    }
}

impl Customer {
    /// Schedules a message so many minutes after the start.
    async fn schedule(&self, test: &TestEngine, to: &str, minute: u32) -> Message {
        let mut request = self.request(to);
        request.schedule_type = Some("fixed".to_owned());
        request.send_at = Some(format!("2026-01-01T00:{minute:02}:00Z"));
        let created = test.engine.create_message(&self.account, request).await;
        created.unwrap().message
    }
}

fn come_to_minute(test: &TestEngine, minute: Millis) {
    let at_ms = START_MS + minute * MINUTE_MS;
    test.clock.advance(at_ms - test.clock.now_ms());
    test.engine.shared.schedule_changed.notify_one();
}

/// Waits until the message is delivered. The deadline only ends a test that is lost.
async fn delivered(test: &TestEngine, message: &Message) -> Message {
    for _ in 0..20_000 {
        let now = now(test, message).await;
        if now.status == Status::Delivered {
            assert_eq!(now.attempts, 1);
            return now;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it is {:?}", now(test, message).await.status);
}

async fn now(test: &TestEngine, message: &Message) -> Message {
    let message = test.engine.message(message.account, message.sid);
    message.await.unwrap()
}

/// An engine whose scheduler has ended: a test does its work by hand. What is released stays queued.
async fn by_hand(config: &Config) -> (TestEngine, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    let mut test = engine_that_asks(store.clone(), config);
    test.running.end_dispatch(Duration::ZERO).await;
    (test, store)
}

#[tokio::test]
async fn a_slow_lookup_delays_no_other_message() {
    let lookup = Service::start(Script::Hang).await;
    let test = engine_that_asks(Arc::new(MemoryStore::new()), &patient(&lookup));
    let customer = Customer::new(&test).await;
    let same_page = customer.schedule(&test, UK, 10).await;
    let mut slow = Vec::new();
    for _ in 0..PAGE {
        slow.push(customer.schedule(&test, US, 10).await);
    }
    let next_page = customer.schedule(&test, UK, 10).await;
    let later = customer.schedule(&test, UK, 11).await;
    come_to_minute(&test, 10);
    delivered(&test, &same_page).await;
    delivered(&test, &next_page).await;
    lookup.asked_at_least(1).await;
    come_to_minute(&test, 11);
    delivered(&test, &later).await;
    for message in &slow {
        assert_eq!(now(&test, message).await.status, Status::Scheduled);
    }
    lookup.tell(Customer::AWAY);
    for message in &slow {
        let message = delivered(&test, message).await;
        assert_eq!(message.from.as_deref(), Some(Customer::NUMBER));
    }
    assert_eq!(lookup.asked(), 1);
}

#[tokio::test]
async fn a_lookup_that_times_out_tells_nothing() {
    let lookup = Service::start(Script::Hang).await;
    let config = Config {
        timeout_ms: at_least_one(20),
        ..lookup.config()
    };
    let test = engine_that_asks(Arc::new(MemoryStore::new()), &config);
    let customer = Customer::new(&test).await;
    let message = customer.schedule(&test, US, 10).await;
    come_to_minute(&test, 10);
    let message = delivered(&test, &message).await;
    assert_eq!(message.from.as_deref(), Some(Customer::CODE));
}

/// Who waits for its turn is asked about all the same, and has its whole time then.
#[tokio::test]
async fn so_many_are_asked_about_at_a_time() {
    let lookup = Service::start(Customer::AWAY).await;
    let config = Config {
        concurrency: at_least_one(2),
        ..lookup.config()
    };
    let test = engine_that_asks(Arc::new(MemoryStore::new()), &config);
    let customer = Customer::new(&test).await;
    let mut messages = Vec::new();
    for last in 0..9 {
        let to = format!("+1415555020{last}");
        messages.push(customer.schedule(&test, &to, 10).await);
    }
    come_to_minute(&test, 10);
    for message in &messages {
        let message = delivered(&test, message).await;
        assert_eq!(message.from.as_deref(), Some(Customer::NUMBER));
    }
    assert_eq!(lookup.asked(), 9);
    assert_eq!(lookup.at_once_max.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_that_is_canceled_meanwhile_stays_so_and_teaches_nobody() {
    let lookup = Service::start(Script::Hang).await;
    let (test, _) = by_hand(&patient(&lookup)).await;
    let (engine, acceptor) = (&test.engine, &test.engine.shared.acceptor);
    let customer = Customer::new(&test).await;
    let canceled = customer.schedule(&test, US, 10).await;
    let other = customer.schedule(&test, "+14155550198", 10).await;
    come_to_minute(&test, 10);
    let mut lookups = Lookups::new(9);
    let now_ms = test.clock.now_ms();
    for _ in 0..2 {
        // What is held is not taken again.
        release_due(engine, &mut lookups, now_ms).await.unwrap();
        assert_eq!((lookups.held.len(), lookups.waiting.len()), (2, 2));
    }
    // Not waited for to the end, as the scheduler does.
    assert!(lookups.answered(acceptor).now_or_never().is_none());
    lookup.asked_at_least(2).await;
    let cancel = engine.cancel_message(canceled.account, canceled.sid);
    cancel.await.unwrap();
    lookup.tell(Customer::AWAY);
    while !lookups.held.is_empty() {
        let answered = lookups.answered(acceptor).await;
        release_answered(engine, answered).await.unwrap();
    }
    assert_eq!(now(&test, &canceled).await.status, Status::Canceled);
    assert_eq!(now(&test, &other).await.status, Status::Queued);
    let known = engine.sticky_senders(customer.service, RecipientCursor::Start, 9);
    let known: Vec<_> = known.await.unwrap();
    let known: Vec<_> = known
        .iter()
        .map(|(key, _)| key.recipient.to_string())
        .collect();
    assert_eq!(known, ["+14155550198"]);
    let queued: u64 = acceptor.loads.with(|table| {
        let sender = engine.directory().sender_no(
            customer.account.sid,
            &postrider_core::sender::SenderAddress::parse(Customer::NUMBER).unwrap(),
        );
        table.get(sender.unwrap()).queued_segments()
    });
    assert_eq!(queued, 1);
}

#[tokio::test]
async fn what_has_no_room_is_passed_over_until_there_is_some() {
    let lookup = Service::start(Script::Hang).await;
    let config = Config {
        concurrency: at_least_one(1),
        ..patient(&lookup)
    };
    let (test, store) = by_hand(&config).await;
    let (engine, acceptor) = (&test.engine, &test.engine.shared.acceptor);
    let customer = Customer::new(&test).await;
    let mut asked = Vec::new();
    for last in 0..5 {
        let to = format!("+1415555020{last}");
        asked.push(customer.schedule(&test, &to, 10).await);
    }
    let at_hand = customer.schedule(&test, UK, 10).await;
    come_to_minute(&test, 10);
    let now_ms = test.clock.now_ms();
    let mut lookups = Lookups::new(2);
    for _ in 0..3 {
        release_due(engine, &mut lookups, now_ms).await.unwrap();
        assert!(lookups.answered(acceptor).now_or_never().is_none());
        assert_eq!(now(&test, &at_hand).await.status, Status::Queued);
        assert_eq!((lookups.held.len(), lookups.asking.len()), (2, 1));
        assert!(!lookups.has_room_again());
    }
    lookup.asked_at_least(1).await;
    assert_eq!(lookup.asked(), 1);
    lookup.tell(Customer::AWAY);
    let mut passes = 0;
    while store.next_scheduled(0).unwrap().is_some() {
        let answered = tokio::time::timeout(Duration::from_secs(20), lookups.answered(acceptor));
        let answered = answered.await.expect("one that is asked about");
        release_answered(engine, answered).await.unwrap();
        if lookups.has_room_again() {
            passes += 1;
            release_due(engine, &mut lookups, now_ms).await.unwrap();
        }
    }
    // With half of the places free at the latest.
    assert!((2..=4).contains(&passes), "{passes}");
    for message in &asked {
        let message = now(&test, message).await;
        assert_eq!(message.status, Status::Queued);
        assert_eq!(message.from.as_deref(), Some(Customer::NUMBER));
    }
    assert_eq!(lookup.asked(), 5);
}

/// A stop waits for no answer, and neither it nor a crash loses the message.
#[tokio::test]
async fn a_process_that_ends_leaves_what_it_asks_about_to_the_next() {
    for is_crash in [false, true] {
        let lookup = Service::start(Script::Hang).await;
        let disk = MemoryDisk::new();
        let store = Arc::new(disk.open());
        let test = engine_that_asks(store.clone(), &patient(&lookup));
        let customer = Customer::new(&test).await;
        let message = customer.schedule(&test, US, 10).await;
        come_to_minute(&test, 10);
        lookup.asked_at_least(1).await;
        if is_crash {
            store.crash();
        } else {
            let stop = test.running.shut_down(Duration::ZERO);
            let stopped = tokio::time::timeout(Duration::from_mins(1), stop).await;
            assert!(stopped.is_ok(), "it waits for the answer");
        }
        lookup.tell(Customer::AWAY);
        let test = engine_that_asks(Arc::new(disk.open()), &patient(&lookup));
        assert_eq!(now(&test, &message).await.status, Status::Scheduled);
        come_to_minute(&test, 10);
        let message = delivered(&test, &message).await;
        assert_eq!(message.from.as_deref(), Some(Customer::NUMBER));
    }
}
