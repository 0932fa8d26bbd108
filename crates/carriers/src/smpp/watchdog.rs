//! The watchdog of a bind: up, with messages to send, and sending none.
//!
//! No way to get there is known, and that is the point. Gateways have hung so for hours: bound,
//! enquiries answered, the queue full (carriers.md 11, row 15). Whatever it is that holds the session,
//! a new one is without it. What holds messages back for a reason (a pace, a throttle answer, an engine
//! that takes no events) is no business of this one.

/// So long nothing may be sent that could be.
const PATIENCE_MS: i64 = 60_000;

#[derive(Debug)]
pub(super) struct Watchdog {
    patience_ms: i64,
    /// Submits of the session at the last look.
    submits: u64,
    /// Since when it has owed one.
    since_ms: Option<i64>,
}

/// Whether a session has something to send and no reason not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    None,
    Submit,
}

impl Watchdog {
    /// A full window opens within the response timeout, by an answer or without, and a peer that does
    /// not read is given up after the write timeout. So nothing sound is silent for twice the longer.
    pub(super) fn new(longest_wait_ms: i64) -> Self {
        Self {
            patience_ms: PATIENCE_MS.max(2 * longest_wait_ms),
            submits: 0,
            since_ms: None,
        }
    }

    /// Whether the session is stuck. `submits` counts what it has ever sent.
    pub(super) fn is_stuck(&mut self, duty: Duty, submits: u64, now_ms: i64) -> bool {
        let has_moved = self.submits != submits;
        self.submits = submits;
        if has_moved || duty == Duty::None {
            self.since_ms = None;
        }
        if duty == Duty::None {
            return false;
        }
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        now_ms - since_ms >= self.patience_ms
    }

    /// When to look again at the latest.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.since_ms.map(|since_ms| since_ms + self.patience_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bind_that_owes_a_submit_for_a_minute_is_stuck() {
        // Columns: when, whether it owes one, submits so far; stuck.
        let looks = [
            (0, Duty::Submit, 0, false),
            (59_999, Duty::Submit, 0, false),
            // One leaves: a new minute.
            (59_999, Duty::Submit, 1, false),
            (119_998, Duty::Submit, 1, false),
            // Paced for a moment: a new minute.
            (119_998, Duty::None, 1, false),
            (119_999, Duty::Submit, 1, false),
            (179_998, Duty::Submit, 1, false),
            (179_999, Duty::Submit, 1, true),
        ];
        let mut watchdog = Watchdog::new(30_000);
        for (now_ms, duty, submits, is_stuck) in looks {
            let found = watchdog.is_stuck(duty, submits, now_ms);
            assert_eq!(found, is_stuck, "{now_ms} {duty:?} {submits}");
            let is_due = watchdog
                .next_deadline()
                .is_some_and(|at_ms| at_ms <= now_ms);
            assert_eq!(is_due, is_stuck, "woken in time: {now_ms}");
        }
    }

    #[test]
    fn a_slow_smsc_is_given_the_time_that_its_timeouts_grant() {
        let mut watchdog = Watchdog::new(100_000);
        for (now_ms, is_stuck) in [(0, false), (199_999, false), (200_000, true)] {
            assert_eq!(watchdog.is_stuck(Duty::Submit, 0, now_ms), is_stuck);
        }
    }
}
