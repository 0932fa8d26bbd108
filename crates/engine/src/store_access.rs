//! The ways to the store besides the committer: reads, and the few writes that are not of messages.
//!
//! Both block, so both run on the blocking pool. A read that fails is refused and may be tried again.
//! A write that fails leaves nobody knowing what the disk holds: the committer is told, which ends the
//! process.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_store::{Result, StoreError};
use tokio::task::spawn_blocking;

use crate::{Engine, lost_task};

impl Engine {
    /// Runs a read of the store where it may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        match spawn_blocking(read).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                tracing::error!(%error, "a read of the store failed");
                Err(Fault::new(ErrorCode::Unavailable))
            }
            Err(error) => Err(lost_task::fault("a read of the store", &error)),
        }
    }

    /// Runs a write to the store where it may block.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let written = match spawn_blocking(write).await {
            // It never began, so the disk holds what it held.
            Err(error) if error.is_cancelled() => {
                return Err(lost_task::fault("a write to the store", &error));
            }
            written => written,
        };
        // How far one got that panicked is known as little.
        let written = written.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())));
        written.map_err(|error| {
            self.shared.committer.fail(&error);
            Fault::new(ErrorCode::Unavailable)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::engine;

    fn failed() -> Result<()> {
        Err(StoreError::Failed("no disk".to_owned()))
    }

    #[tokio::test]
    async fn a_read_that_fails_stops_nobody() {
        let engine = engine().engine;
        engine.read(failed).await.unwrap_err();
        engine.read::<()>(|| panic!("a bug")).await.unwrap_err();
        assert_eq!(*engine.failure().borrow(), None);
    }

    #[tokio::test]
    async fn a_write_that_fails_stops_the_process() {
        let engines = [engine().engine, engine().engine];
        engines[0].write(failed).await.unwrap_err();
        engines[1]
            .write::<()>(|| panic!("a bug"))
            .await
            .unwrap_err();
        for engine in engines {
            assert!(engine.failure().borrow().is_some());
        }
    }
}
