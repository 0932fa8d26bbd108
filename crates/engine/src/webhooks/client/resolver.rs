//! Host names to addresses, by the system's resolver.
//!
//! The system's resolver blocks a thread, for half a minute if the name's servers are dead. So each
//! name is asked for once at a time, and few names at all; who waits too long gives up alone.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// Names asked for at a time: threads that may block.
const LOOKUPS_MAX: usize = 64;
/// How long an answer is good for: long enough for a burst of connections to share it.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(3);
/// Answers remembered; beyond, all are forgotten.
const ANSWERS_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Resolver {
    lookups: Mutex<FxHashMap<Arc<str>, Lookup>>,
    permits: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
struct Lookup {
    asked: Instant,
    /// `None` until answered; empty if the name has no address.
    answer: watch::Receiver<Option<Arc<[IpAddr]>>>,
}

impl Lookup {
    fn is_usable(&self) -> bool {
        match &*self.answer.borrow() {
            None => self.answer.has_changed().is_ok(),
            Some(addresses) => !addresses.is_empty() && self.asked.elapsed() < ANSWER_AGE_MAX,
        }
    }
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self {
            lookups: Mutex::default(),
            permits: Arc::new(Semaphore::new(LOOKUPS_MAX)),
        }
    }

    /// The addresses of a host; none if it has none or can't be found.
    pub(super) async fn resolve(&self, host: &str) -> Arc<[IpAddr]> {
        let mut answer = self.lookup(host).answer;
        match answer.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_default(),
            Err(_) => Arc::default(),
        }
    }

    fn lookup(&self, host: &str) -> Lookup {
        let mut lookups = self.lookups.lock();
        if let Some(lookup) = lookups.get(host)
            && lookup.is_usable()
        {
            return lookup.clone();
        }
        if lookups.len() >= ANSWERS_MAX {
            lookups.clear();
        }
        let host: Arc<str> = host.into();
        let (answer_tx, answer) = watch::channel(None);
        let lookup = Lookup {
            asked: Instant::now(),
            answer,
        };
        lookups.insert(host.clone(), lookup.clone());
        drop(lookups);
        let permits = self.permits.clone();
        // Not awaited: it ends with its one answer, whoever still waits for it.
        tokio::spawn(async move {
            let _permit = permits.acquire_owned().await;
            let addresses = match tokio::net::lookup_host((&*host, 0)).await {
                Ok(addresses) => addresses.map(|address| address.ip()).collect(),
                Err(_) => Arc::default(),
            };
            answer_tx.send_replace(Some(addresses));
        });
        lookup
    }
}
