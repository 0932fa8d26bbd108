//! The system clock: the one place that reads it. Everybody else is given a [`Clock`].
//!
//! It never steps back. Paces, timers and deadlines are instants of this clock, and a machine whose
//! time is set back by an hour must not stop sending for an hour. Set forward, it follows at once;
//! set back, it goes on a tenth slower until the machine's time has caught up.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};

/// One in so many milliseconds is given up while the clock is ahead of the machine's time.
const SLOWER_BY_ONE_IN: Millis = 10;

pub(crate) struct SystemClock {
    start: Instant,
    steady: Steady,
}

impl SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that is injected everywhere else"
    )]
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            steady: Steady::new(wall_ms(), 0),
        }
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> Millis {
        let monotonic_ms = Millis::try_from(self.start.elapsed().as_millis());
        self.steady
            .now_ms(wall_ms(), monotonic_ms.unwrap_or(Millis::MAX))
    }
}

/// The machine's time. One that stands before 1970 gives the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that is injected everywhere else"
)]
fn wall_ms() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| {
        Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX)
    })
}

/// Makes of two times, one that may step and one that never does, one that never steps back.
struct Steady {
    /// What is added to the monotonic time.
    offset_ms: AtomicI64,
    /// The monotonic time up to which the clock was slowed down.
    slowed_until_ms: Mutex<Millis>,
}

impl Steady {
    fn new(wall_ms: Millis, monotonic_ms: Millis) -> Self {
        Self {
            offset_ms: AtomicI64::new(wall_ms - monotonic_ms),
            slowed_until_ms: Mutex::new(monotonic_ms),
        }
    }

    fn now_ms(&self, wall_ms: Millis, monotonic_ms: Millis) -> Millis {
        let wanted_ms = wall_ms - monotonic_ms;
        let offset_ms = self.offset_ms.load(Ordering::Relaxed);
        // Both are whole milliseconds, so they differ by one without any step.
        if (wanted_ms - offset_ms).abs() <= 1 {
            return monotonic_ms + offset_ms;
        }
        let mut slowed_until_ms = self.slowed_until_ms.lock();
        let offset_ms = self.offset_ms.load(Ordering::Relaxed);
        let passed_ms = monotonic_ms - *slowed_until_ms;
        let offset_ms = if wanted_ms >= offset_ms {
            *slowed_until_ms = monotonic_ms;
            wanted_ms
        } else if passed_ms > 10_000 {
            // The first look after the step: nothing is taken back for the time before it.
            *slowed_until_ms = monotonic_ms;
            offset_ms
        } else if passed_ms >= SLOWER_BY_ONE_IN {
            *slowed_until_ms = monotonic_ms;
            (offset_ms - passed_ms / SLOWER_BY_ONE_IN).max(wanted_ms)
        } else {
            offset_ms
        };
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
        monotonic_ms + offset_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at the clock each 5 ms of real time for `seconds`, the machine's time being off by
    /// `step_ms`. Returns what it shows in the end.
    fn run(steady: &Steady, from_ms: Millis, seconds: Millis, step_ms: Millis) -> Millis {
        let mut last = steady.now_ms(from_ms + step_ms, from_ms);
        for monotonic_ms in (from_ms..=from_ms + seconds * 1_000).step_by(5) {
            let now = steady.now_ms(monotonic_ms + step_ms, monotonic_ms);
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        last
    }

    #[test]
    fn it_follows_forward_at_once_and_never_steps_back() {
        let steady = Steady::new(0, 0);
        assert_eq!(run(&steady, 0, 60, 0), 60_000);
        let forward = run(&steady, 60_000, 1, 3_600_000);
        assert_eq!(forward, 61_000 + 3_600_000);
        // Set back by an hour: after a minute nine tenths of it have passed.
        let back = run(&steady, 61_000, 60, 0);
        let passed = back - forward;
        assert!((53_000..56_000).contains(&passed), "{passed}");
        // Eleven hours later it is right again.
        let right = 121_000 + 11 * 3_600_000;
        let shown = run(&steady, 121_000, 11 * 3_600, 0);
        assert!((right..=right + 1).contains(&shown), "{shown}");
    }
}
