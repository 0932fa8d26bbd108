//! When to try a lost bind again: full jitter, so that binds do not come back all at once.

use super::pdu::CommandStatus;
use super::random::Random;
use super::session::CloseReason;

const FIRST_MS: i64 = 1_000;
const MAX_MS: i64 = 60_000;
/// So long must a bind hold before a loss counts as the first again.
const STEADY_MS: i64 = 60_000;
/// Refused logins in a row after which only the operator can help.
const REFUSALS_MAX: u32 = 3;
const REFUSED_WAIT_MS: i64 = 300_000;

/// The history of one bind's attempts.
#[derive(Debug)]
pub(super) struct Reconnect {
    random: Random,
    failures: u32,
    login_refusals: u32,
}

impl Reconnect {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            failures: 0,
            login_refusals: 0,
        }
    }

    /// Milliseconds to wait after an attempt that failed or a bind that ended. `bound_ms` says how
    /// long it had been bound.
    pub(super) fn wait_ms(&mut self, reason: Option<CloseReason>, bound_ms: Option<i64>) -> i64 {
        if bound_ms.is_some() {
            self.login_refusals = 0;
        }
        if bound_ms.is_some_and(|bound_ms| bound_ms >= STEADY_MS) {
            self.failures = 0;
        }
        if reason.is_some_and(is_login_refusal) {
            self.login_refusals += 1;
            if self.has_login_fault() {
                return REFUSED_WAIT_MS;
            }
        }
        let limit_ms = (FIRST_MS << self.failures.min(10)).min(MAX_MS);
        self.failures += 1;
        self.random.up_to(limit_ms)
    }

    /// Whether the login has been refused so often that it must be wrong.
    pub(super) fn has_login_fault(&self) -> bool {
        self.login_refusals >= REFUSALS_MAX
    }
}

fn is_login_refusal(reason: CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::BindRefused(
            CommandStatus::INVALID_PASSWORD | CommandStatus::INVALID_SYSTEM_ID
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest of many waits after `failures` quick losses.
    fn longest(failures: u32) -> i64 {
        let wait_ms = |seed| {
            let mut reconnect = Reconnect::new(seed);
            (0..=failures).fold(0, |_, _| reconnect.wait_ms(None, None))
        };
        (0..200).map(wait_ms).max().unwrap_or(0)
    }

    #[test]
    fn waits_double_from_one_second_to_one_minute() {
        for (failures, limit_ms) in [
            (0, 1_000),
            (1, 2_000),
            (4, 16_000),
            (6, 60_000),
            (60, 60_000),
        ] {
            let longest_ms = longest(failures);
            assert!(
                (limit_ms * 9 / 10..=limit_ms).contains(&longest_ms),
                "{longest_ms}"
            );
        }
    }

    #[test]
    fn only_a_steady_bind_starts_over() {
        for (bound_ms, failures_after) in [(59_999, 7), (60_000, 1)] {
            let mut reconnect = Reconnect::new(1);
            for _ in 0..6 {
                reconnect.wait_ms(None, None);
            }
            reconnect.wait_ms(Some(CloseReason::LinkLost), Some(bound_ms));
            assert_eq!(reconnect.failures, failures_after);
        }
    }

    #[test]
    fn three_refused_logins_mean_one_try_in_five_minutes() {
        for status in [
            CommandStatus::INVALID_PASSWORD,
            CommandStatus::INVALID_SYSTEM_ID,
        ] {
            let mut reconnect = Reconnect::new(1);
            let refused = Some(CloseReason::BindRefused(status));
            assert!(reconnect.wait_ms(refused, None) <= 1_000);
            assert!(reconnect.wait_ms(refused, None) <= 2_000);
            assert!(!reconnect.has_login_fault());
            assert_eq!(reconnect.wait_ms(refused, None), 300_000);
            assert_eq!(reconnect.wait_ms(refused, None), 300_000);
            assert!(reconnect.has_login_fault());
            reconnect.wait_ms(Some(CloseReason::LinkLost), Some(1));
            assert!(!reconnect.has_login_fault());
        }
    }

    #[test]
    fn a_bind_refused_for_other_reasons_is_tried_again_with_back_off() {
        for status in [CommandStatus::BIND_FAILED, CommandStatus::ALREADY_BOUND] {
            let mut reconnect = Reconnect::new(1);
            for _ in 0..20 {
                assert!(reconnect.wait_ms(Some(CloseReason::BindRefused(status)), None) <= 60_000);
            }
            assert!(!reconnect.has_login_fault());
        }
    }
}
