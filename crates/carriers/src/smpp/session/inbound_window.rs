//! How much the SMSC may bring before we have answered for what it brought.
//!
//! An SMSC with a window of its own never meets this limit. One without pours its backlog into the
//! socket. That is first met by not reading: TCP makes it wait, and it loses nothing. But answers to
//! our submits lie in the same socket, and must not lie there for as long as a flood lasts; so, when
//! a moment was not enough to catch up, everything is read and what is too much is declined.

/// How long nothing is read for the sake of deliveries: longer than a disk hesitates, and short for a
/// submit that waits for its answer.
const PAUSE_MS: i64 = 5_000;

/// Deliveries that wait for our answer on one session.
#[derive(Debug)]
pub(super) struct InboundWindow {
    open: u32,
    max: u32,
    /// Since when it has been full, and not half empty since.
    full_since_ms: Option<i64>,
}

impl InboundWindow {
    pub(super) fn new(max: u32) -> Self {
        Self {
            open: 0,
            max,
            full_since_ms: None,
        }
    }

    /// Whether one more is taken. In a pause it is: it was read before the pause began.
    pub(super) fn takes(&self, now_ms: i64) -> bool {
        self.open < self.max || self.pauses_until(now_ms).is_some()
    }

    pub(super) fn add(&mut self, now_ms: i64) {
        self.open += 1;
        if self.open >= self.max {
            self.full_since_ms.get_or_insert(now_ms);
        }
    }

    /// One is answered. Only a window that is half empty is done with being full: otherwise each
    /// answer would begin another pause.
    pub(super) fn remove(&mut self) {
        self.open = self.open.saturating_sub(1);
        if self.open <= self.max / 2 {
            self.full_since_ms = None;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Until when nothing should be read, unless answers make room before.
    pub(super) fn pauses_until(&self, now_ms: i64) -> Option<i64> {
        self.full_since_ms
            .map(|since_ms| since_ms + PAUSE_MS)
            .filter(|&until_ms| now_ms < until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(max: u32) -> InboundWindow {
        let mut window = InboundWindow::new(max);
        for _ in 0..max {
            assert_eq!(window.pauses_until(0), None);
            window.add(0);
        }
        window
    }

    #[test]
    fn a_full_one_pauses_first_and_declines_then() {
        let window = full(4);
        // Columns: now; until when nothing is read; whether more is taken.
        for (now_ms, until_ms, takes) in [
            (0, Some(PAUSE_MS), true),
            (PAUSE_MS - 1, Some(PAUSE_MS), true),
            (PAUSE_MS, None, false),
            (100 * PAUSE_MS, None, false),
        ] {
            assert_eq!(window.pauses_until(now_ms), until_ms);
            assert_eq!(window.takes(now_ms), takes);
        }
    }

    #[test]
    fn it_pauses_again_only_when_half_of_it_was_answered() {
        let mut window = full(4);
        window.remove();
        assert!(window.takes(PAUSE_MS));
        window.add(PAUSE_MS);
        assert_eq!(window.pauses_until(PAUSE_MS), None);
        window.remove();
        window.remove();
        window.add(PAUSE_MS);
        window.add(PAUSE_MS);
        assert_eq!(window.pauses_until(PAUSE_MS), Some(2 * PAUSE_MS));
    }

    #[test]
    fn one_for_a_single_delivery_opens_again() {
        let mut window = full(1);
        window.remove();
        assert_eq!(window.pauses_until(0), None);
        assert!(window.is_empty() && window.takes(PAUSE_MS));
    }
}
