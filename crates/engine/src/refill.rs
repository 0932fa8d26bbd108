//! Refill: callbacks that are due and wait on disk come back to the webhooks when there is room.
//!
//! At the start everything that is due is offered once. Later an endpoint or account whose queue in
//! memory had overflowed asks for more (a wish); it is offered what is due for it, oldest first, until
//! it overflows again, and the next wish goes on from there, so that a long backlog is read once and
//! not each time. Reaching the end, one more pass from the start finds what became due meanwhile for
//! older messages. Offering twice is harmless: the webhooks know what they have. All wishes share what
//! is read, see [`sweep`].

mod sweep;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_core::message::{Direction, Message};
use postrider_core::settings::Account;
use tokio::sync::mpsc;

use self::sweep::Sweep;
use crate::Engine;
use crate::dispatch::callback_job;
use crate::inbound_webhooks;
use crate::webhooks::{Backlog, Job, authority};

/// What has room again.
pub(crate) type Wish = Backlog;

/// What has none, as last reported.
pub(crate) type Overflowed = Arc<Mutex<BTreeSet<Wish>>>;

/// Messages read from the store at once.
const PAGE: usize = 500;

/// Time for the webhooks to take a page in, and to say so if it was too much.
const PAUSE: Duration = Duration::from_millis(10);

/// After a read that failed.
const RETRY: Duration = Duration::from_secs(1);

/// Answers wishes until the process stops.
pub(crate) async fn run(engine: Engine, overflowed: Overflowed, mut wishes: mpsc::Receiver<Wish>) {
    let mut sweep = Sweep::new();
    // What a former process left.
    sweep.wish(Backlog::Everyone);
    loop {
        while let Ok(wish) = wishes.try_recv() {
            sweep.wish(wish);
        }
        let Some(from) = sweep.next() else {
            let Some(wish) = wishes.recv().await else {
                return;
            };
            sweep.wish(wish);
            continue;
        };
        let store = engine.shared.store.clone();
        let page = engine
            .read(move || store.callbacks_due(Some(from), PAGE))
            .await;
        let Ok(page) = page else {
            // In the log already. What is not read now would lie until somebody else wishes for it.
            tokio::time::sleep(RETRY).await;
            continue;
        };
        let last = page.last().map(|message| message.sid.id);
        let end = last.filter(|_| page.len() == PAGE);
        let passengers = sweep.passengers(end);
        let jobs = jobs(&engine, &passengers, &page);
        if !jobs.is_empty() {
            engine.shared.webhooks.offer(jobs);
            tokio::time::sleep(PAUSE).await;
        }
        sweep.offered(end, &passengers, &overflowed.lock());
    }
}

/// What a page has for these wishes.
fn jobs(engine: &Engine, wishes: &BTreeSet<Wish>, page: &[Message]) -> Vec<Job> {
    let directory = engine.directory();
    let is_wished = |message: &Message, url: &str| {
        let account = directory.account_by_no(message.account);
        account.is_some_and(|account| is_wished(wishes, &account, url))
    };
    let mut jobs = Vec::new();
    for message in page {
        // Due since then, and not since now: each refill would start the age limit anew.
        let due_ms = message.updated_ms;
        if message.direction == Direction::Inbound {
            let url = inbound_webhooks::url(engine, message);
            // One that nobody is to be told of any more is done.
            if url.is_none_or(|url| is_wished(message, &url)) {
                jobs.extend(inbound_webhooks::job(engine, message, due_ms));
            }
            continue;
        }
        let url = message.status_callback.as_deref();
        if url.is_some_and(|url| is_wished(message, url)) {
            let statuses = message.callbacks_due.iter();
            jobs.extend(
                statuses.filter_map(|status| callback_job(directory, message, status, due_ms)),
            );
        }
    }
    jobs
}

fn is_wished(wishes: &BTreeSet<Wish>, account: &Account, url: &str) -> bool {
    let is_endpoint_wished = || {
        let endpoint = authority(url).map(|authority| Backlog::Endpoint {
            account: account.sid,
            authority,
        });
        endpoint.is_some_and(|endpoint| wishes.contains(&endpoint))
    };
    wishes.contains(&Backlog::Everyone)
        || wishes.contains(&Backlog::Account(account.sid))
        || is_endpoint_wished()
}

#[cfg(test)]
mod tests {
    use postrider_core::create::CreateMessage;
    use postrider_core::message::{Status, StatusSet};
    use postrider_core::phone_number::PhoneNumber;
    use postrider_core::sid::Id;
    use postrider_store::memory::MemoryStore;
    use postrider_store::{Change, Store};

    use super::*;
    use crate::testing::{START_MS, engine, engine_over};

    #[tokio::test]
    async fn a_refill_does_not_start_the_age_limit_anew() {
        let test = engine();
        let engine = test.engine.clone();
        let (account, _) = engine
            .create_main_account(None, None, "Test")
            .await
            .unwrap();
        let number = PhoneNumber::parse("+14155550101").unwrap();
        engine
            .register_number(account.sid, number, |_| {})
            .await
            .unwrap();
        let request = CreateMessage {
            to: Some("+14155550199".to_owned()),
            from: Some("+14155550101".to_owned()),
            body: Some("Hello".to_owned()),
            status_callback: Some("https://a.example/status".to_owned()),
            ..CreateMessage::default()
        };
        let created = engine.create_message(&account, request).await.unwrap();
        let mut message = created.message;
        message.callbacks_due = StatusSet::of(Status::Sent);
        test.clock.advance(3_600_000);
        let authority: Arc<str> = "https://a.example:443".into();
        let endpoint = |authority| Backlog::Endpoint {
            account: account.sid,
            authority,
        };
        let page = [message];
        for wish in [
            Backlog::Everyone,
            Backlog::Account(account.sid),
            endpoint(authority),
        ] {
            let jobs = jobs(&engine, &BTreeSet::from([wish.clone()]), &page);
            assert_eq!(jobs.len(), 1, "{wish:?}");
            assert_eq!(jobs[0].due_ms, START_MS, "{wish:?}");
        }
        let other = BTreeSet::from([endpoint("https://b.example:443".into())]);
        assert!(jobs(&engine, &other, &page).is_empty());
        test.running.shut_down(Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn a_first_read_that_fails_is_made_again() {
        let store = Arc::new(MemoryStore::new());
        let (account, _) = engine_over(store.clone())
            .engine
            .create_main_account(None, None, "Test")
            .await
            .unwrap();
        let mut message = postrider_core::testing::message(Id::new(START_MS, 0, 0));
        message.account = account.no;
        message.status = Status::Sent;
        // Refused at once, as webhooks reach the public only: that is done too.
        message.status_callback = Some("http://127.0.0.1:9/".into());
        message.callbacks_due = StatusSet::of(Status::Sent);
        let id = message.sid.id;
        let insert = Change::Insert(Box::new(message));
        store.commit(&[insert]).unwrap();
        let due = || store.message(id).unwrap().unwrap().callbacks_due;
        store.fail_next_callbacks_due();
        let test = engine_over(store.clone());
        for _ in 0..1_000 {
            if due().is_empty() {
                break;
            }
            test.clock.advance(1_000);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(due().is_empty());
    }
}
