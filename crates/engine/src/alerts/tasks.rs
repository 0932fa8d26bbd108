//! What goes on beside the messages: alerts are written, and forgotten when they are old.

use std::sync::Arc;
use std::time::Duration;

use postrider_store::{ALERT_AGE_MAX_MS, ALERTS_OF_ACCOUNT_MAX, Result};
use tokio::task::spawn_blocking;

use crate::Engine;

/// How long an alert waits for others.
const WRITE_EVERY: Duration = Duration::from_millis(250);

/// The pause after a failure. A full disk is not emptied in a moment.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Alerts forgotten at once, and the pause for what else the file is asked.
const FORGOTTEN_AT_ONCE: usize = 1_000;
const FORGET_PAUSE: Duration = Duration::from_millis(100);
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// Writes alerts until the process stops.
pub(crate) async fn write(engine: Engine) {
    let alerts = engine.alerting().clone();
    loop {
        tokio::select! {
            () = tokio::time::sleep(WRITE_EVERY) => {}
            () = alerts.has_many.notified() => {}
        }
        while !engine.write_alerts().await {
            tokio::time::sleep(WRITE_AGAIN_AFTER).await;
        }
    }
}

impl Engine {
    /// Writes everything that was raised, or tells that it can't. What can't be written waits: the room
    /// that is left on a disk belongs to messages, and an alert is no reason to stop.
    pub(crate) async fn write_alerts(&self) -> bool {
        let alerts = self.alerting();
        let Some(batch) = alerts.take() else {
            return true;
        };
        let batch = Arc::new(batch);
        let store = self.shared.store.clone();
        let written = spawn_blocking({
            let batch = batch.clone();
            move || {
                store.room()?;
                store.alerts().write(&batch.new, &batch.repeats)
            }
        });
        let is_written = is_done(written.await, "alerts can't be written");
        alerts.written((!is_written).then(|| Arc::unwrap_or_clone(batch)));
        is_written
    }
}

/// Drops what is of no interest any more, until the process stops.
pub(crate) async fn forget(engine: Engine) {
    loop {
        let store = engine.shared.store.clone();
        let before_ms = engine.now_ms() - ALERT_AGE_MAX_MS;
        let gone = spawn_blocking(move || {
            let alerts = store.alerts();
            alerts.forget(before_ms, ALERTS_OF_ACCOUNT_MAX, FORGOTTEN_AT_ONCE)
        });
        let gone = match gone.await {
            Ok(Ok(gone)) => gone,
            failed => {
                is_done(
                    failed.map(|gone| gone.map(drop)),
                    "old alerts can't be forgotten",
                );
                0
            }
        };
        let is_full = gone == FORGOTTEN_AT_ONCE;
        let pause = if is_full { FORGET_PAUSE } else { FORGET_EVERY };
        tokio::time::sleep(pause).await;
    }
}

fn is_done(work: Result<Result<()>, tokio::task::JoinError>, what: &str) -> bool {
    match work {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "{what}");
            false
        }
        Err(error) => {
            tracing::error!(%error, "{what}");
            false
        }
    }
}
