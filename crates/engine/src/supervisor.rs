//! What ends the process against its will: a store that can't be trusted, or a part that has ended.
//!
//! An engine with a part missing still answers, and that is worse than none: without dispatch it takes
//! messages and sends nothing, without the committer every request hangs. So each part holds an alarm,
//! and one that ends before the engine was told to stop is a failure, for whoever stops the process
//! and for readiness.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Starts the engine's parts and knows the first failure. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Supervisor {
    failure: watch::Sender<Option<String>>,
    /// Holds something once the engine was told to stop.
    stopping: watch::Receiver<Option<Duration>>,
}

impl Supervisor {
    pub(crate) fn new(stopping: watch::Receiver<Option<Duration>>) -> Self {
        Self {
            failure: watch::Sender::new(None),
            stopping,
        }
    }

    /// Tells of a failure. What comes after the first is its consequence.
    pub(crate) fn fail(&self, why: impl Into<String>) {
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            if is_first {
                *failure = Some(why.into());
            }
            is_first
        });
    }

    pub(crate) fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }

    /// Starts a task that is to run until the engine stops.
    pub(crate) fn spawn(
        &self,
        part: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let alarm = self.alarm(part);
        tokio::spawn(async move {
            let _alarm = alarm;
            task.await;
        })
    }

    /// To be held by what is to run until the engine stops.
    pub(crate) fn alarm(&self, part: &'static str) -> Alarm {
        let supervisor = self.clone();
        Alarm { supervisor, part }
    }
}

/// Goes off when it is dropped too early.
pub(crate) struct Alarm {
    supervisor: Supervisor,
    part: &'static str,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Self { supervisor, part } = self;
        let stopping = &supervisor.stopping;
        // An error: whoever could have told has let go of the engine.
        if stopping.borrow().is_some() || stopping.has_changed().is_err() {
            return;
        }
        let is_panicking = std::thread::panicking();
        let how = if is_panicking { "panicked" } else { "ended" };
        supervisor.fail(format!("{part} has {how}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_part_that_ends_too_early_is_the_failure() {
        let (stop, stopping) = watch::channel(None);
        let supervisor = Supervisor::new(stopping);
        let failure = || supervisor.failure().borrow().clone();
        let task = supervisor.spawn("a", async { panic!("a bug") });
        task.await.unwrap_err();
        assert_eq!(failure().as_deref(), Some("a has panicked"));
        supervisor.spawn("b", async {}).await.unwrap();
        assert_eq!(failure().as_deref(), Some("a has panicked"));

        let supervisor = Supervisor::new(stop.subscribe());
        let failure = || supervisor.failure().borrow().clone();
        let task = supervisor.spawn("a", std::future::pending());
        stop.send_replace(Some(Duration::ZERO));
        task.abort();
        task.await.unwrap_err();
        assert_eq!(failure(), None);
        stop.send_replace(None);
        supervisor.spawn("b", async {}).await.unwrap();
        assert_eq!(failure().as_deref(), Some("b has ended"));
    }
}
