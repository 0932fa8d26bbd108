//! What goes on beside the messages: alerts are written, and forgotten when they are old.

use std::sync::Arc;
use std::time::Duration;

use postrider_store::{ALERT_AGE_MAX_MS, ALERTS_OF_ACCOUNT_MAX, Result};
use tokio::task::spawn_blocking;

use super::conceal;
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
        // Nobody takes anything out meanwhile of what is written.
        let _writing = alerts.concealing.write().await;
        let Some(mut batch) = alerts.take() else {
            return true;
        };
        let store = self.shared.store.clone();
        let checked = spawn_blocking(move || {
            let checked = conceal::check(&*store, &mut batch.new);
            (batch, checked)
        });
        let batch = match checked.await {
            Ok((batch, Ok(()))) => batch,
            Ok((batch, Err(error))) => {
                tracing::error!(%error, "alerts can't be compared with their messages");
                alerts.written(Some(batch));
                return false;
            }
            Err(error) => {
                tracing::error!(%error, "alerts can't be compared with their messages");
                alerts.written(None);
                return false;
            }
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
        let is_written = done(written.await, "alerts can't be written").is_some();
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
        let gone = done(gone.await, "old alerts can't be forgotten").unwrap_or(0);
        let is_full = gone == FORGOTTEN_AT_ONCE;
        if !is_full {
            forget_of_accounts(&engine).await;
        }
        let pause = if is_full { FORGET_PAUSE } else { FORGET_EVERY };
        tokio::time::sleep(pause).await;
    }
}

/// Drops what accounts do not keep for the month that others do.
async fn forget_of_accounts(engine: &Engine) {
    let month_ms = engine.now_ms() - ALERT_AGE_MAX_MS;
    let accounts = engine.directory().accounts();
    for account in accounts.into_iter().map(|account| account.no) {
        let before_ms = engine.alerts_kept_from_ms(account);
        if before_ms <= month_ms {
            continue;
        }
        loop {
            let store = engine.shared.store.clone();
            let gone = spawn_blocking(move || {
                let alerts = store.alerts();
                alerts.forget_of(account, before_ms, FORGOTTEN_AT_ONCE)
            });
            let Some(gone) = done(gone.await, "old alerts can't be forgotten") else {
                return;
            };
            if gone < FORGOTTEN_AT_ONCE {
                break;
            }
            tokio::time::sleep(FORGET_PAUSE).await;
        }
    }
}

fn done<T>(work: Result<Result<T>, tokio::task::JoinError>, what: &str) -> Option<T> {
    match work {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::error!(%error, "{what}");
            None
        }
        Err(error) => {
            tracing::error!(%error, "{what}");
            None
        }
    }
}
