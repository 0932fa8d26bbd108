//! Why a running Postrider ends: the operator says so, or its store has failed.

use anyhow::Context;
use postrider_engine::Engine;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The signals and failures that end the process.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    store_failure: watch::Receiver<Option<String>>,
}

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Signal(&'static str),
    /// Nothing that was not committed before is safe; nothing more may be acknowledged.
    StoreFailed(String),
}

impl Stop {
    /// From now on signals no longer kill the process at once.
    pub(crate) fn listen(engine: &Engine) -> anyhow::Result<Self> {
        let signal = |kind| signal(kind).context("can't listen for signals");
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            store_failure: engine.store_failure(),
        })
    }

    /// Waits for a reason. Safe to cancel.
    pub(crate) async fn reason(&mut self) -> Reason {
        tokio::select! {
            _ = self.terminate.recv() => Reason::Signal("SIGTERM"),
            _ = self.interrupt.recv() => Reason::Signal("SIGINT"),
            failure = failure(&mut self.store_failure) => Reason::StoreFailed(failure),
        }
    }
}

async fn failure(store_failure: &mut watch::Receiver<Option<String>>) -> String {
    let failed = store_failure.wait_for(Option::is_some).await;
    match failed {
        Ok(reason) => reason.clone().unwrap_or_default(),
        Err(_) => "its committing thread has ended".to_owned(),
    }
}
