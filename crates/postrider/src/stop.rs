//! Why a running Postrider ends: the operator says so, or it can't go on.

use std::sync::Arc;

use anyhow::Context;
use postrider_core::clock::{Clock, Millis};
use postrider_engine::Engine;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::FAILED;

/// Signals so soon after the first are the same one once more: shells and orchestrators signal the
/// process and its whole group, or ask two times to be sure.
const SAME_SIGNAL_MS: Millis = 2_000;

/// The signals and failures that end the process.
pub(crate) struct Stop {
    clock: Arc<dyn Clock>,
    terminate: Signal,
    interrupt: Signal,
    failure: watch::Receiver<Option<String>>,
}

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Signal(&'static str),
    /// The store, or a part of the engine: nothing more may be acknowledged.
    Failed(String),
}

impl Stop {
    /// From now on signals no longer kill the process at once.
    pub(crate) fn listen(engine: &Engine) -> anyhow::Result<Self> {
        let signal = |kind| signal(kind).context("can't listen for signals");
        Ok(Self {
            clock: engine.clock().clone(),
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            failure: engine.failure(),
        })
    }

    /// Waits for a reason. Safe to cancel.
    pub(crate) async fn reason(&mut self) -> Reason {
        tokio::select! {
            _ = self.terminate.recv() => Reason::Signal("SIGTERM"),
            _ = self.interrupt.recv() => Reason::Signal("SIGINT"),
            failure = told(&mut self.failure) => Reason::Failed(failure),
        }
    }

    /// Stops, politely unless there is a reason to be done with it at once. `code` is what the command
    /// ends with then.
    pub(crate) async fn finish(&mut self, stopping: impl Future<Output = ()>, code: u8) -> u8 {
        let clock = self.clock.clone();
        let hurry = hurry(&*clock, async || self.reason().await);
        finish(stopping, hurry, code).await
    }
}

/// A polite stop would wait for parts that are gone; one without is as safe as a crash.
pub(crate) fn give_up(reason: &str) -> u8 {
    tracing::error!(%reason, "can't go on: stopping at once");
    FAILED
}

async fn finish(
    stopping: impl Future<Output = ()>,
    hurry: impl Future<Output = Reason>,
    code: u8,
) -> u8 {
    tokio::select! {
        () = stopping => {
            tracing::info!("stopped");
            code
        }
        // What is not finished is redone at the next start.
        reason = hurry => match reason {
            Reason::Failed(reason) => give_up(&reason),
            Reason::Signal(signal) => {
                tracing::warn!(signal, "stopped at once");
                code
            }
        },
    }
}

async fn hurry(clock: &dyn Clock, mut next: impl AsyncFnMut() -> Reason) -> Reason {
    let since_ms = clock.now_ms();
    loop {
        let reason = next().await;
        let is_soon = clock.now_ms() - since_ms < SAME_SIGNAL_MS;
        if !(is_soon && matches!(reason, Reason::Signal(_))) {
            return reason;
        }
        tracing::info!("already stopping; one more signal, a little later, stops at once");
    }
}

async fn told(failure: &mut watch::Receiver<Option<String>>) -> String {
    let failed = failure.wait_for(Option::is_some).await;
    match failed {
        Ok(reason) => reason.clone().unwrap_or_default(),
        Err(_) => "the engine has ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::clock::ManualClock;

    use super::*;

    const SIGNAL: Reason = Reason::Signal("SIGTERM");

    fn failed() -> Reason {
        Reason::Failed("no disk".to_owned())
    }

    #[tokio::test]
    async fn a_signal_hurries_only_when_it_comes_a_while_after_the_first() {
        // Columns: what comes, and when in milliseconds; when something is obeyed.
        for (coming, obeyed_ms) in [
            (vec![(0, SIGNAL), (1_999, SIGNAL), (9_000, SIGNAL)], 9_000),
            (vec![(2_000, SIGNAL)], 2_000),
            // Nobody says this by accident.
            (vec![(500, failed())], 500),
        ] {
            let clock = ManualClock::at(0);
            let mut coming = coming.into_iter();
            let next = async || {
                let (at_ms, reason) = coming.next().expect("obeyed before this");
                clock.set(at_ms);
                reason
            };
            hurry(&clock, next).await;
            assert_eq!(clock.now_ms(), obeyed_ms);
        }
    }

    #[tokio::test]
    async fn a_stop_ends_with_its_commands_code_unless_it_fails() {
        use std::future::{pending, ready};
        assert_eq!(finish(ready(()), pending(), 7).await, 7);
        assert_eq!(finish(pending(), ready(SIGNAL), 7).await, 7);
        assert_eq!(finish(pending(), ready(failed()), 7).await, FAILED);
    }
}
