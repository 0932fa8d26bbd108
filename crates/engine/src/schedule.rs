//! The scheduler: releases messages at their `SendAt`, never early, also after downtime.
//!
//! What is due is released page by page, each page one transaction: a hundred thousand messages of one
//! minute take as many flushes as pages, and memory for one of them. Those whose recipients' networks
//! somebody has to be asked for are passed over meanwhile, and released as the answers come: see
//! [`lookups`].
//!
//! A message is released or canceled, never half of each: cancels wait while messages are read,
//! decided on and made durable ([`Scheduled::releasing`]). The store would refuse the second of the two
//! all the same, but one that is canceled must take no place in a queue and teach no recipient a sender.

mod lookups;

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{Message, Status};
use postrider_core::network::Network;
use postrider_store::{Applied, Change};
use tokio::sync::oneshot;
use tokio::time::Instant;

use self::lookups::{Answered, Lookups};
use crate::Engine;
use crate::scheduled::Scheduled;

/// Messages released in one transaction: enough that its flush hardly counts, few enough that
/// requests which come meanwhile do not feel it.
const PAGE: usize = 500;

/// Messages held while their recipients' networks are asked for: a few hundred bytes each. What is due
/// beyond that is read again when there is room.
const LOOKUPS_MAX: usize = 10_000;

/// The longest sleep, so that a clock that was set forward is noticed, and a message that became durable
/// after its time.
const SLEEP_MAX: Duration = Duration::from_secs(1);
const SLEEP_MIN: Duration = Duration::from_millis(10);

/// Releases due messages until the process stops. `counted` ends when what the former process left is
/// counted: what was missed while nothing ran would find all queues empty before, and go into full ones.
pub(crate) async fn run(engine: Engine, counted: oneshot::Receiver<Infallible>) {
    let _ = counted.await;
    let mut lookups = Lookups::new(LOOKUPS_MAX);
    loop {
        let now_ms = engine.now_ms();
        let wake_at = match release_due(&engine, &mut lookups, now_ms).await {
            Ok(()) => next_due(&engine, now_ms).await,
            Err(fault) => {
                complain(&fault);
                Instant::now() + SLEEP_MAX
            }
        };
        let mut sleep = pin!(tokio::time::sleep_until(wake_at));
        while !lookups.has_room_again() {
            tokio::select! {
                () = &mut sleep => break,
                () = engine.shared.schedule_changed.notified() => {
                    let wake_at = next_due(&engine, now_ms).await.min(sleep.deadline());
                    sleep.as_mut().reset(wake_at);
                }
                answered = lookups.answered(&engine.shared.acceptor) => {
                    if let Err(fault) = release_answered(&engine, answered).await {
                        complain(&fault);
                    }
                }
            }
        }
    }
}

/// What could not be released is still scheduled, and is tried again soon.
fn complain(fault: &Fault) {
    tracing::error!(%fault, "scheduled messages can't be released");
}

/// When to look again: when a message is due that was not at this instant.
async fn next_due(engine: &Engine, now_ms: Millis) -> Instant {
    let store = engine.shared.store.clone();
    let next = engine.read(move || store.next_scheduled(now_ms + 1)).await;
    let wait_ms = match next {
        Ok(Some(at_ms)) => u64::try_from(at_ms - engine.now_ms()).unwrap_or(0),
        Ok(None) | Err(_) => u64::MAX,
    };
    Instant::now() + Duration::from_millis(wait_ms).clamp(SLEEP_MIN, SLEEP_MAX)
}

/// Releases all that is due at an instant, but for those that are asked about.
async fn release_due(engine: &Engine, lookups: &mut Lookups, now_ms: Millis) -> Result<(), Fault> {
    let acceptor = &engine.shared.acceptor;
    let counts = engine.scheduled().await?;
    lookups.begin();
    let mut after = None;
    loop {
        let releasing = counts.releasing().await;
        let store = engine.shared.store.clone();
        // `scheduled` gives what is due before an instant: a message is due at its own.
        let due = engine.read(move || store.scheduled(now_ms + 1, after, PAGE));
        let due = due.await?;
        let count = due.len();
        after = due
            .last()
            .and_then(|last| Some((last.send_at_ms?, last.sid.id)));
        release(engine, counts, lookups.sort(acceptor, due)).await?;
        drop(releasing);
        if count < PAGE {
            return Ok(());
        }
        // Those that are answered do not wait for the pages that follow.
        if let Some(answered) = lookups.answered(acceptor).now_or_never() {
            release_answered(engine, answered).await?;
        }
    }
}

/// Releases messages whose recipients' networks were asked for.
async fn release_answered(engine: &Engine, answered: Vec<Answered>) -> Result<(), Fault> {
    let counts = engine.scheduled().await?;
    let _releasing = counts.releasing().await;
    let store = engine.shared.store.clone();
    let due = engine.read(move || {
        let mut due = Vec::with_capacity(answered.len());
        for (id, network) in answered {
            // Not if it was canceled while others were asked.
            let message = store.message(id)?;
            let message = message.filter(|message| message.status == Status::Scheduled);
            due.extend(message.map(|message| (message, network)));
        }
        Ok(due)
    });
    release(engine, counts, due.await?).await
}

/// Chooses the messages' senders and makes that durable. Each message comes with its recipient's
/// network, where that matters and is known.
async fn release(
    engine: &Engine,
    counts: &Scheduled,
    due: Vec<(Message, Option<Network>)>,
) -> Result<(), Fault> {
    if due.is_empty() {
        return Ok(());
    }
    let page = decide(engine, due).await?;
    // After a crash nobody looks for lost mappings among messages as old as these. So theirs are written
    // before; a message that is released once more finds the sender it had.
    engine.write_sticky_notes().await?;
    commit(engine, counts, page).await
}

/// What replaces messages that are due. Each has taken its place in its sender's queue.
async fn decide(
    engine: &Engine,
    due: Vec<(Message, Option<Network>)>,
) -> Result<Vec<Message>, Fault> {
    let acceptor = engine.shared.acceptor.clone();
    let now_ms = engine.now_ms();
    // Where the store is read: five hundred selections would hold up other tasks.
    let page = engine.read(move || {
        let due = due.iter();
        let page = due.map(|(message, network)| acceptor.release(message, *network, now_ms));
        Ok(page.collect())
    });
    page.await
}

/// Makes a page durable. Those that the store refuses give their place back.
async fn commit(engine: &Engine, counts: &Scheduled, page: Vec<Message>) -> Result<(), Fault> {
    let acceptor = &engine.shared.acceptor;
    let changes = page.iter().cloned();
    let changes = changes.map(|message| Change::Release(Box::new(message.kept())));
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
mod tests;
