//! How long it takes to release a hundred thousand scheduled messages of one instant, in a store on disk.
//!
//! ```text
//! cargo run --release -p postrider-engine --features testing --example releases
//! ```
//!
//! The carrier takes them and never answers, so what is measured is their release and their way into the
//! queue of their sender.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_carriers::{AckToken, Carrier, Submission};
use postrider_core::clock::ManualClock;
use postrider_core::create::CreateMessage;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;
use postrider_engine::testing::{START_MS, engine_with};
use postrider_engine::{Engine, NewPoolEntry};
use postrider_store::Store;
use postrider_store::sqlite::{Options, SqliteStore};
use tokio::task::JoinSet;

const MESSAGES: usize = 100_000;
/// Created at a time, so that they share transactions.
const AT_ONCE: usize = 500;
const AHEAD_MS: i64 = 600_000;

struct Silent;

impl Carrier for Silent {
    fn submit(&self, _batch: Vec<Submission>) {}
    fn acknowledge(&self, _tokens: Vec<AckToken>) {}
    fn shut_down(&self, _grace: Duration) {}
}

#[expect(clippy::print_stdout, reason = "its result is what it prints")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::at(START_MS));
    let store = SqliteStore::open(directory.path(), clock, Options::default());
    let store = Arc::new(store.expect("the store opens"));
    let test = engine_with(store.clone(), |setup| {
        setup.carriers[0].1 = Arc::new(Silent);
    });
    let engine = &test.engine;
    let (account, service) = service(engine).await;
    for _ in 0..MESSAGES / AT_ONCE {
        schedule(engine, &account, service, AT_ONCE, "2026-01-01T00:10:00Z").await;
    }
    test.clock.advance(AHEAD_MS);
    let since = now();
    // Whoever schedules another one wakes the scheduler, which would look within a second anyway.
    schedule(engine, &account, service, 1, "2026-01-02T00:00:00Z").await;
    let is_due = || {
        let next_ms = store.next_scheduled(0).expect("the store answers");
        next_ms.is_some_and(|next_ms| next_ms <= START_MS + AHEAD_MS)
    };
    while is_due() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!(
        "{MESSAGES} messages in {:.1} s",
        since.elapsed().as_secs_f64()
    );
}

/// A service with one number.
async fn service(engine: &Engine) -> (Arc<Account>, ServiceSid) {
    let main = engine.create_main_account(None, None, "Main").await;
    let (account, _) = main.expect("the store is empty");
    let service = engine.create_service(account.sid, |_| {}).await;
    let service = service.expect("a service").sid;
    let number = PhoneNumber::parse("+14155550101").expect("a number");
    let number = engine.register_number(account.sid, number, |_| {}).await;
    let entry = NewPoolEntry::Number(number.expect("a new number").sid);
    engine.add_to_pool(service, entry).await.expect("a member");
    (account, service)
}

async fn schedule(
    engine: &Engine,
    account: &Arc<Account>,
    service: ServiceSid,
    count: usize,
    at: &str,
) {
    let request = CreateMessage {
        to: Some("+14155550199".to_owned()),
        messaging_service: Some(service.to_string()),
        body: Some("Hello".to_owned()),
        schedule_type: Some("fixed".to_owned()),
        send_at: Some(at.to_owned()),
        ..CreateMessage::default()
    };
    let mut creating = JoinSet::new();
    for _ in 0..count {
        let (engine, account, request) = (engine.clone(), account.clone(), request.clone());
        creating.spawn(async move { engine.create_message(&account, request).await.map(drop) });
    }
    while let Some(created) = creating.join_next().await {
        created.expect("it ends").expect("it is scheduled");
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures real time")]
fn now() -> Instant {
    Instant::now()
}
