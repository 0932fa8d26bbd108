//! Time as an argument: the one trait through which anything learns what time it is.
//!
//! The real clock lives in the binary; tests and simulations use [`ManualClock`]. Nothing else may
//! read the system clock (clippy's `disallowed-methods` watches).

use std::sync::atomic::{AtomicI64, Ordering};

/// Milliseconds since the Unix epoch. Signed, so that differences are plain subtractions.
pub type Millis = i64;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in milliseconds since the Unix epoch. May repeat a value, may step back when the
    /// operator sets the clock: whoever needs an order makes one.
    fn now_ms(&self) -> Millis;
}

/// A clock that stands still until told otherwise.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn at(now_ms: Millis) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    pub fn set(&self, now_ms: Millis) {
        self.0.store(now_ms, Ordering::Relaxed);
    }

    pub fn advance(&self, by_ms: Millis) {
        self.0.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> Millis {
        self.0.load(Ordering::Relaxed)
    }
}
