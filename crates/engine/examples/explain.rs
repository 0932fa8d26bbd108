//! What a question about a large pool costs the messages that are accepted meanwhile: the figures of
//! `docs/benchmarks.md`.
//!
//! ```text
//! cargo run --release -p postrider-engine --features testing --example explain
//! ```
//!
//! A pool of 10,000 numbers of one area code, which all have to be told about. Messages are accepted one
//! after the other, into a store in memory; in every second round somebody asks at the same time, one
//! question after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postrider_core::create::CreateMessage;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;
use postrider_engine::testing::engine_with;
use postrider_engine::{Engine, NewPoolEntry};
use postrider_store::memory::MemoryStore;

const SENDERS: usize = 10_000;
const MESSAGES: u32 = 10_000;
const ROUNDS: u32 = 3;

#[expect(clippy::print_stdout, reason = "its results are its output")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let test = engine_with(Arc::new(MemoryStore::new()), |setup| {
        setup.limits.pool_size_max = SENDERS;
    });
    let engine = &test.engine;
    let (account, service) = crowd(engine).await;
    println!("accepts                p50        p99       most");
    let mut recipients = 0..;
    for round in 0..2 * ROUNDS {
        let is_asked = round % 2 == 1;
        let is_over = Arc::new(AtomicBool::new(!is_asked));
        let asker = {
            let (engine, account) = (engine.clone(), account.clone());
            let is_over = is_over.clone();
            std::thread::spawn(move || ask(&engine, &account, service, &is_over))
        };
        let mut took = Vec::new();
        for recipient in recipients.by_ref().take(MESSAGES as usize) {
            let request = message(service, recipient);
            let since = now();
            let created = engine.create_message(&account, request).await;
            took.push(since.elapsed());
            created.expect("it is accepted");
        }
        is_over.store(true, Ordering::Relaxed);
        let asked = asker.join().expect("it asks to the end");
        took.sort_unstable();
        let at = |share: usize| micros(took[(took.len() - 1) * share / 1_000]);
        let name = if is_asked { "asked meanwhile" } else { "alone" };
        println!(
            "{name:15} {:>7.0} µs {:>7.0} µs {:>7.0} µs",
            at(500),
            at(990),
            at(1_000)
        );
        if let Some(&(count, took)) = asked.as_ref() {
            println!(
                "                {count} questions, {:.0} µs each",
                micros(took) / f64::from(count)
            );
        }
    }
}

/// A service that has all the numbers.
async fn crowd(engine: &Engine) -> (Arc<Account>, ServiceSid) {
    let main = engine.create_main_account(None, None, "Main").await;
    let (account, _) = main.expect("the store is empty");
    let service = engine.create_service(account.sid, |_| {}).await;
    let service = service.expect("a service").sid;
    for index in 0..SENDERS {
        let number = PhoneNumber::parse(&format!("+1206555{index:04}")).expect("a number");
        let number = engine.register_number(account.sid, number, |_| {}).await;
        let entry = NewPoolEntry::Number(number.expect("a new number").sid);
        engine.add_to_pool(service, entry).await.expect("a member");
    }
    (account, service)
}

/// Asks until it is over; how often, and how long it took altogether.
fn ask(
    engine: &Engine,
    account: &Account,
    service: ServiceSid,
    is_over: &AtomicBool,
) -> Option<(u32, Duration)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let question = message(service, 0);
    let (mut count, since) = (0, now());
    while !is_over.load(Ordering::Relaxed) {
        let preview = engine.preview(account, &question);
        let preview = runtime.block_on(preview).expect("an answer");
        let decision = preview.decision.expect("a service decides");
        assert_eq!(decision.removed.len(), SENDERS - 1);
        count += 1;
    }
    (count > 0).then(|| (count, since.elapsed()))
}

fn message(service: ServiceSid, recipient: u32) -> CreateMessage {
    CreateMessage {
        to: Some(format!("+1415{:07}", 2_000_000 + recipient % 8_000_000)),
        messaging_service: Some(service.to_string()),
        body: Some("Hello".to_owned()),
        ..CreateMessage::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
