//! The watch over a store that nobody asks: its own writes fail too.
//!
//! The store copies its logs while the engine is idle. When that fails it refuses everything from then
//! on, and without this the next request would be the first to learn of it.

use std::time::Duration;

use crate::Engine;

const EVERY: Duration = Duration::from_secs(1);

/// Looks after the store until it has failed or the process stops.
pub(crate) async fn run(engine: Engine) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = engine.shared.store.check() {
            engine.shared.committer.fail(&error);
            // The process is about to stop.
            return std::future::pending().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_store::memory::MemoryStore;

    use crate::testing::engine_over;

    #[tokio::test]
    async fn a_store_that_fails_by_itself_stops_the_process() {
        let store = Arc::new(MemoryStore::new());
        let engine = engine_over(store.clone()).engine;
        let mut failure = engine.failure();
        // Behind the writes of the start, which would tell as well.
        engine.create_main_account(None, None, "A").await.unwrap();
        store.crash();
        failure.wait_for(Option::is_some).await.unwrap();
    }
}
