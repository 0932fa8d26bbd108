//! Warnings that would come with every message: each is given once an hour.

use std::hash::Hash;

use parking_lot::Mutex;
use postrider_core::clock::Millis;
use rustc_hash::FxHashMap;

const HOUR_MS: Millis = 3_600_000;

/// Different warnings remembered. Customers make them up, so there is an end: beyond it new ones are
/// not given, rather than all of them each time.
const REMEMBERED_MAX: usize = 1_000;

/// What was warned of, and when.
#[derive(Debug)]
pub struct Hourly<K>(Mutex<FxHashMap<K, Millis>>);

impl<K> Default for Hourly<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Hourly<K> {
    /// Whether to give this warning now. If so, it is not for an hour.
    pub fn is_due(&self, warning: K, now_ms: Millis) -> bool {
        // A clock that was set back makes it due as well.
        let is_recent = |given_ms: Millis| (0..HOUR_MS).contains(&(now_ms - given_ms));
        let mut given = self.0.lock();
        if given.get(&warning).copied().is_some_and(is_recent) {
            return false;
        }
        if given.len() >= REMEMBERED_MAX {
            given.retain(|_, given_ms| is_recent(*given_ms));
        }
        let has_room = given.len() < REMEMBERED_MAX;
        if has_room {
            given.insert(warning, now_ms);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_warning_is_given_once_an_hour() {
        let hourly = Hourly::default();
        // Columns: warning, instant, whether it is due.
        for (warning, now_ms, is_due) in [
            ("a", 0, true),
            ("a", 1, false),
            ("b", 1, true),
            ("a", HOUR_MS - 1, false),
            ("a", HOUR_MS, true),
            ("b", HOUR_MS, false),
            // The clock was set back.
            ("a", 5, true),
        ] {
            assert_eq!(hourly.is_due(warning, now_ms), is_due, "{warning} {now_ms}");
        }
    }

    #[test]
    fn a_flood_of_different_warnings_has_an_end() {
        let hourly = Hourly::default();
        let given = |now_ms| {
            let numbers = 0..2 * REMEMBERED_MAX;
            numbers.filter(|no| hourly.is_due(*no, now_ms)).count()
        };
        assert_eq!(given(0), REMEMBERED_MAX);
        assert_eq!(given(1), 0);
        assert_eq!(given(HOUR_MS), REMEMBERED_MAX);
    }
}
