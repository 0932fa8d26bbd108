//! Refill: callbacks that are due and wait on disk come back to the webhooks when there is room.
//!
//! At the start everything that is due is offered once. Later an endpoint or account whose queue in
//! memory had overflowed asks for more (a wish); it is offered what is due for it, oldest first, until
//! it overflows again, and the next wish goes on from there, so that a long backlog is read once and
//! not each time. Reaching the end, one more pass from the start finds what became due meanwhile for
//! older messages. Offering twice is harmless: the webhooks know what they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_core::sid::Id;
use tokio::sync::mpsc;

use crate::Engine;
use crate::dispatch::callback_job;
use crate::webhooks::{Backlog, Job, authority};

/// What has room again.
pub(crate) type Wish = Backlog;

/// What has none, as last reported.
pub(crate) type Overflowed = Arc<Mutex<BTreeSet<Wish>>>;

/// Messages read from the store at once.
const PAGE: usize = 500;

/// Time for the webhooks to take a page in, and to say so if it was too much.
const PAUSE: Duration = Duration::from_millis(10);

/// Answers wishes one at a time, until the process stops.
pub(crate) async fn run(engine: Engine, overflowed: Overflowed, mut wishes: mpsc::Receiver<Wish>) {
    let refill = Refill { engine, overflowed };
    let mut cursors: BTreeMap<Wish, Id> = BTreeMap::new();
    // What a former process left.
    let mut next = Some(Backlog::Everyone);
    while let Some(wish) = next {
        match refill.grant(&wish, cursors.get(&wish).copied()).await {
            Some(cursor) => drop(cursors.insert(wish, cursor)),
            None => drop(cursors.remove(&wish)),
        }
        next = wishes.recv().await;
    }
}

struct Refill {
    engine: Engine,
    overflowed: Overflowed,
}

impl Refill {
    /// Offers what is due after `cursor`, then all that is due. Returns where to go on when the
    /// endpoint overflowed again, `None` when everything was offered.
    async fn grant(&self, wish: &Wish, cursor: Option<Id>) -> Option<Id> {
        if cursor.is_some()
            && let Some(next) = self.offer_from(wish, cursor).await
        {
            return Some(next);
        }
        self.offer_from(wish, None).await
    }

    async fn offer_from(&self, wish: &Wish, mut cursor: Option<Id>) -> Option<Id> {
        // The report of an overflow may be one page late: go on from the page before.
        let mut before = cursor;
        loop {
            let store = self.engine.shared.store.clone();
            let page = self
                .engine
                .read(move || store.callbacks_due(cursor, PAGE))
                .await
                .ok()?;
            let jobs = self.jobs(wish, &page);
            if !jobs.is_empty() {
                self.engine.shared.webhooks.offer(jobs);
                tokio::time::sleep(PAUSE).await;
            }
            if self.overflowed.lock().contains(wish) {
                return Some(before.unwrap_or(Id::MIN));
            }
            if page.len() < PAGE {
                return None;
            }
            before = cursor;
            cursor = page.last().map(|message| message.sid.id);
        }
    }

    fn jobs(&self, wish: &Wish, page: &[postrider_core::message::Message]) -> Vec<Job> {
        let is_wanted = |url: &str| match wish {
            Backlog::Everyone | Backlog::Account(_) => true,
            Backlog::Endpoint { authority: of, .. } => authority(url).as_ref() == Some(of),
        };
        let is_wished = |job: &Job| match wish {
            Backlog::Everyone => true,
            Backlog::Account(account) | Backlog::Endpoint { account, .. } => {
                job.account == *account
            }
        };
        let directory = self.engine.directory();
        page.iter()
            .filter(|message| message.status_callback.as_deref().is_some_and(is_wanted))
            .flat_map(|message| {
                // Due since then, and not since now: each refill would start the age limit anew.
                let due_ms = message.updated_ms;
                let statuses = message.callbacks_due.iter();
                statuses.filter_map(move |status| callback_job(directory, message, status, due_ms))
            })
            .filter(is_wished)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::create::CreateMessage;
    use postrider_core::message::{Status, StatusSet};
    use postrider_core::phone_number::PhoneNumber;

    use super::*;
    use crate::testing::{START_MS, engine};

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
        let refill = Refill {
            engine,
            overflowed: Overflowed::default(),
        };
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
            let jobs = refill.jobs(&wish, &page);
            assert_eq!(jobs.len(), 1, "{wish:?}");
            assert_eq!(jobs[0].due_ms, START_MS, "{wish:?}");
        }
        assert!(
            refill
                .jobs(&endpoint("https://b.example:443".into()), &page)
                .is_empty()
        );
        test.running.shut_down(Duration::from_secs(5)).await;
    }
}
