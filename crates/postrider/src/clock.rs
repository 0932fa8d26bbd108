//! The system clock: the one place that reads it. Everybody else is given a [`Clock`].

use std::time::{SystemTime, UNIX_EPOCH};

use postrider_core::clock::{Clock, Millis};

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that is injected everywhere else"
    )]
    fn now_ms(&self) -> Millis {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        // A machine whose clock stands before 1970 gets the epoch.
        since_epoch.map_or(0, |time| {
            Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
        })
    }
}
