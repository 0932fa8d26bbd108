//! What goes on beside the messages: alerts are written, and forgotten when they are old.

use std::time::Duration;

use postrider_store::{ALERT_AGE_MAX_MS, ALERTS_OF_ACCOUNT_MAX, Result};
use tokio::task::spawn_blocking;

use crate::Engine;

/// How long an alert waits for others.
const WRITE_EVERY: Duration = Duration::from_millis(250);

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
        engine.write_alerts().await;
    }
}

impl Engine {
    /// Writes everything that was raised. What can't be written is dropped: the room that is left on a
    /// disk belongs to messages, and an alert is no reason to stop.
    pub(crate) async fn write_alerts(&self) {
        let alerts = self.alerting();
        if !alerts.has_waiting() {
            return;
        }
        let (new, repeats) = alerts.take();
        let count = new.len() as u64;
        let store = self.shared.store.clone();
        let written = spawn_blocking(move || {
            store.room()?;
            store.alerts().write(&new, &repeats)
        });
        if !is_done(written.await, "alerts can't be written") {
            self.metrics().alerts_dropped.inc_by(count);
        }
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
