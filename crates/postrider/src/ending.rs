//! The end of a command that is a server: nobody waits for threads that can't be ended.
//!
//! Looking a name up blocks a thread for as long as its name servers care to be silent, and a runtime
//! that is dropped waits for all of its threads. So it gets a second; what still blocks then ends with
//! the process. The store is closed after that and here, where its time is not cut short.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use postrider_store::Store;
use tokio::runtime::{Builder, Runtime};

/// For reads of the store that are under way, which hold it open.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a command leaves the store that it has opened, to be closed in the end.
pub(crate) type Opened = OnceLock<Arc<dyn Store>>;

/// Runs a command, and ends it.
pub(crate) fn run(command: impl AsyncFnOnce(&Opened) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    let opened = Opened::new();
    let runtime = runtime()?;
    let code = runtime.block_on(command(&opened));
    // Drops the tasks, and so all others that hold the store.
    runtime.shutdown_timeout(PATIENCE);
    // Copies the logs, unless a stop at once has left its threads behind.
    drop(opened);
    code
}

/// One worker for each core.
fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("can't start worker threads")
}

#[cfg(test)]
mod tests {
    use std::sync::{Weak, mpsc};

    use postrider_store::memory::MemoryStore;

    use super::*;

    #[test]
    fn a_thread_that_blocks_keeps_nobody_waiting_and_the_store_is_closed() {
        let (_never, answer) = mpsc::channel::<()>();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let closed: Weak<dyn Store> = Arc::downgrade(&store);
        let (ended_to, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let code = run(async |opened| {
                assert!(opened.set(store.clone()).is_ok());
                // A name server that is silent, and a task that never ends.
                tokio::task::spawn_blocking(move || answer.recv());
                tokio::spawn(async move {
                    std::future::pending::<()>().await;
                    drop(store);
                });
                Ok(7)
            });
            ended_to.send(code.unwrap()).unwrap();
        });
        let code = ended.recv_timeout(Duration::from_secs(20));
        assert_eq!(code, Ok(7));
        assert!(closed.upgrade().is_none());
    }
}
