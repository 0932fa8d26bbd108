//! Refill: callbacks that are due and wait on disk come back to the webhooks when there is room.
//!
//! At the start everything that is due is offered once. Later an endpoint whose queue in memory had
//! overflowed asks for more; it is given about half a queue, oldest first, from where the last
//! refill ended, so that a long backlog is read once and not each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use postrider_core::sid::Id;
use tokio::sync::mpsc;

use crate::Engine;
use crate::dispatch::callback_job;
use crate::webhooks::{Job, authority};

/// An endpoint that has room again; `None` stands for all of them.
pub(crate) type Wish = Option<Arc<str>>;

/// Messages read from the store at once.
const PAGE: usize = 500;

/// Jobs offered per wish: what an endpoint's queue has room for when it asks.
const JOBS: usize = 2_500;

/// Answers wishes one at a time, until the process stops.
pub(crate) async fn run(engine: Engine, mut wishes: mpsc::Receiver<Wish>) {
    // What a former process left.
    let mut cursor = None;
    while let Some(next) = offer_after(&engine, &None, cursor).await {
        cursor = Some(next);
    }
    let mut cursors: BTreeMap<Wish, Option<Id>> = BTreeMap::new();
    while let Some(wish) = wishes.recv().await {
        let cursor = cursors.get(&wish).copied().flatten();
        match offer_after(&engine, &wish, cursor).await {
            Some(next) => drop(cursors.insert(wish, Some(next))),
            // The end: what became due for older messages meanwhile is found by starting over.
            None => drop(cursors.remove(&wish)),
        }
    }
}

/// Offers some of what is due after `cursor`. Returns where to go on, or `None` at the end.
async fn offer_after(engine: &Engine, wish: &Wish, mut cursor: Option<Id>) -> Option<Id> {
    let mut offered = 0;
    while offered < JOBS {
        let store = engine.shared.store.clone();
        let page = engine
            .blocking(move || store.callbacks_due(cursor, PAGE))
            .await
            .ok()?;
        let is_last = page.len() < PAGE;
        let now_ms = engine.now_ms();
        let mut jobs: Vec<Job> = Vec::new();
        for message in &page {
            cursor = Some(message.sid.id);
            let is_wanted =
                wish.is_none() || message.status_callback.as_deref().and_then(authority) == *wish;
            if is_wanted {
                jobs.extend(message.callbacks_due.iter().filter_map(|status| {
                    callback_job(engine.directory(), message, status, now_ms)
                }));
            }
        }
        offered += jobs.len();
        engine.shared.webhooks.offer(jobs);
        if is_last {
            return None;
        }
    }
    cursor
}
