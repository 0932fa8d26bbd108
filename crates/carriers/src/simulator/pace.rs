//! What a carrier takes in a second: a bucket of one second's worth of segments.
//!
//! One second deep, where a client's bucket is a tenth of it: a client that keeps the agreed rate is
//! never told to slow down.

use postrider_core::clock::Millis;

/// A thousandth of a segment: what one segment a second refills in a millisecond.
const MILLI: u64 = 1_000;

#[derive(Clone, Debug)]
pub(super) struct Allowance {
    per_second: u64,
    left_milli: u64,
    filled_ms: Millis,
}

impl Allowance {
    pub(super) fn new(per_second: u32, now_ms: Millis) -> Self {
        let per_second = u64::from(per_second);
        Self {
            per_second,
            left_milli: per_second * MILLI,
            filled_ms: now_ms,
        }
    }

    /// Takes a message's segments if they are within the rate. A message longer than a second's
    /// worth needs a full bucket, or it would never pass.
    pub(super) fn takes(&mut self, segments: u32, now_ms: Millis) -> bool {
        let full = self.per_second * MILLI;
        let elapsed = u64::try_from(now_ms.saturating_sub(self.filled_ms)).unwrap_or(0);
        self.left_milli = elapsed
            .saturating_mul(self.per_second)
            .saturating_add(self.left_milli)
            .min(full);
        self.filled_ms = now_ms;
        let needed = (u64::from(segments) * MILLI).min(full);
        let is_within = full > 0 && needed <= self.left_milli;
        if is_within {
            self.left_milli -= needed;
        }
        is_within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_its_rate() {
        let mut allowance = Allowance::new(3, 0);
        let taken: Vec<_> = [0, 0, 0, 0, 333, 334, 334, 5_000, 5_000, 5_000, 5_000]
            .map(|now_ms| allowance.takes(1, now_ms))
            .into();
        assert_eq!(
            taken,
            [
                true, true, true, false, false, true, false, true, true, true, false
            ]
        );
    }

    #[test]
    fn a_long_message_passes_a_full_bucket_and_zero_passes_nothing() {
        assert!(Allowance::new(2, 0).takes(7, 0));
        assert!(!Allowance::new(0, 0).takes(1, 10_000));
        // A clock that steps back refills nothing.
        let mut allowance = Allowance::new(1, 1_000);
        assert!(allowance.takes(1, 1_000));
        assert!(!allowance.takes(1, 0));
    }
}
