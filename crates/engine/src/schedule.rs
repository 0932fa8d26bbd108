//! The scheduler: releases messages at their `SendAt`, never early, also after downtime.
//!
//! The store decides between release and cancel: both are applied only while the message is still
//! `scheduled`, and one committer applies them in order.

use std::time::Duration;

use postrider_core::clock::Millis;
use postrider_store::Change;

use crate::Engine;

/// Messages released in one go.
const PAGE: usize = 500;

/// The longest sleep, so that a clock that was set forward is noticed.
const SLEEP_MAX_MS: Millis = 1_000;

/// Releases due messages until the process stops.
pub(crate) async fn run(engine: Engine) {
    loop {
        match release_due(&engine).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(fault) => tracing::error!(%fault, "scheduled messages can't be released"),
        }
        let store = engine.shared.store.clone();
        let next = engine
            .blocking(move || store.next_scheduled())
            .await
            .ok()
            .flatten();
        let wait_ms = next.map_or(SLEEP_MAX_MS * 60, |at| at - engine.now_ms());
        let wait_ms = wait_ms.clamp(10, SLEEP_MAX_MS);
        let wait = Duration::from_millis(wait_ms.unsigned_abs());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = engine.shared.schedule_changed.notified() => {}
        }
    }
}

/// Releases one page; true if there may be more.
async fn release_due(engine: &Engine) -> Result<bool, postrider_core::fault::Fault> {
    let now_ms = engine.now_ms();
    let store = engine.shared.store.clone();
    // `scheduled` gives what is due before an instant: a message is due at its own.
    let due = engine
        .blocking(move || store.scheduled(now_ms + 1, PAGE))
        .await?;
    let is_full = due.len() == PAGE;
    if due.is_empty() {
        return Ok(false);
    }
    let counts = engine.scheduled().await?;
    for scheduled in due {
        let message = engine.shared.acceptor.release(&scheduled, now_ms);
        let change = Change::Release(Box::new(message.clone()));
        match engine.shared.committer.commit(change).await {
            Ok(postrider_store::Applied::Yes) => counts.left(message.account),
            // Canceled in between, or the store is gone.
            _ => engine.shared.acceptor.abandon(&message),
        }
    }
    Ok(is_full)
}
