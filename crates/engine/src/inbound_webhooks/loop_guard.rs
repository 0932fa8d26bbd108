//! Two machines that answer each other would go on for ever: too many replies in a row between two
//! addresses are not sent.
//!
//! The rule is Twilio's (<https://www.twilio.com/docs/api/errors/14107>): a reply within 30 seconds of
//! the one before counts on, and beyond 30 of them none is sent until 30 seconds have passed without.

use postrider_core::clock::Millis;

use super::line::Line;
use crate::fading::Fading;

/// Replies in a row.
pub(super) const REPLIES_MAX: u32 = 30;

/// So long a pause ends a row.
const PAUSE_MS: Millis = 30_000;

#[derive(Debug, Default)]
pub(super) struct LoopGuard {
    rows: Fading<Line, Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    replies: u32,
    last_ms: Millis,
}

impl Row {
    fn has_ended(self, now_ms: Millis) -> bool {
        now_ms - self.last_ms >= PAUSE_MS
    }
}

impl LoopGuard {
    /// Counts a reply. False: it must not be sent.
    pub(super) fn admit(&mut self, line: Line, now_ms: Millis) -> bool {
        self.rows.make_room(|row| !row.has_ended(now_ms));
        let row = self.rows.entry(line).or_insert(Row {
            replies: 0,
            last_ms: now_ms,
        });
        if row.has_ended(now_ms) {
            row.replies = 0;
        }
        if row.replies >= REPLIES_MAX {
            // The pause is counted from the last one that was sent.
            return false;
        }
        row.replies += 1;
        row.last_ms = now_ms;
        true
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::message::AccountNo;

    use super::*;

    fn line(handset: &str) -> Line {
        Line::between(AccountNo(1), handset, "+14155550101")
    }

    #[test]
    fn the_thirty_first_reply_in_a_row_is_not_sent() {
        let mut guard = LoopGuard::default();
        let mut now_ms = 0;
        for _ in 0..REPLIES_MAX {
            assert!(guard.admit(line("+14155550199"), now_ms));
            now_ms += PAUSE_MS - 1;
        }
        let last_ms = now_ms - (PAUSE_MS - 1);
        assert!(!guard.admit(line("+14155550199"), last_ms + 1));
        assert!(!guard.admit(line("+14155550199"), last_ms + PAUSE_MS - 1));
        assert!(guard.admit(line("+14155550198"), last_ms + 1));
        assert!(guard.admit(line("+14155550199"), last_ms + PAUSE_MS));
    }

    #[test]
    fn a_pause_begins_a_new_row() {
        let mut guard = LoopGuard::default();
        for reply in 0..1_000 {
            assert!(guard.admit(line("+14155550199"), reply * PAUSE_MS));
        }
    }

    #[test]
    fn rows_that_have_ended_are_dropped() {
        let mut guard = LoopGuard::default();
        for number in 0..10_000 {
            guard.admit(line(&number.to_string()), number * 100);
        }
        assert!(guard.rows.len() < 1_400, "{}", guard.rows.len());
    }
}
