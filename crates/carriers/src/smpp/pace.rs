//! How fast a bind may submit: token buckets in segments, and what throttle answers do to them.
//!
//! Buckets are shallow (a tenth of a second), because bursts of a whole second trip the limiters of
//! SMSCs. A message of several segments takes all its tokens at once and may leave the bucket in
//! debt, so that its segments go out back to back and the rate still holds over time.
//! Ruled by `docs/carriers.md`, *Throughput and throttling*.

use super::random::Random;

/// A token bucket in thousandths of a segment, so that small rates do not round away.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Segments per second; 0 means no limit.
    rate: u32,
    millitokens: i64,
    filled_ms: i64,
}

impl TokenBucket {
    pub fn new(rate: u32, now_ms: i64) -> Self {
        Self {
            rate,
            millitokens: depth(rate),
            filled_ms: now_ms,
        }
    }

    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Changes the rate; what has been granted stays granted.
    pub fn set_rate(&mut self, rate: u32, now_ms: i64) {
        self.fill(now_ms);
        if self.rate == 0 {
            self.millitokens = 0;
        }
        self.rate = rate;
        self.millitokens = self.millitokens.min(depth(rate));
    }

    /// Whether a message may leave now.
    pub fn is_open(&mut self, now_ms: i64) -> bool {
        self.fill(now_ms);
        self.rate == 0 || self.millitokens >= 1_000
    }

    /// Takes the tokens of a message that leaves now.
    pub fn take(&mut self, segments: u32, now_ms: i64) {
        self.fill(now_ms);
        if self.rate != 0 {
            self.millitokens -= i64::from(segments) * 1_000;
        }
    }

    /// Gives tokens back that were taken for a message that did not leave.
    pub fn give_back(&mut self, segments: u32) {
        self.millitokens = (self.millitokens + i64::from(segments) * 1_000).min(depth(self.rate));
    }

    /// When the bucket opens again; `None` when it is open.
    pub fn opens_at(&mut self, now_ms: i64) -> Option<i64> {
        if self.is_open(now_ms) {
            return None;
        }
        let missing = 1_000 - self.millitokens;
        // One token takes 1,000 ms / rate; a thousandth of one, 1 ms / rate.
        let wait_ms = missing.div_euclid(i64::from(self.rate)) + 1;
        Some(now_ms + wait_ms)
    }

    fn fill(&mut self, now_ms: i64) {
        // A clock that steps back gives nothing and takes nothing.
        let elapsed_ms = (now_ms - self.filled_ms).max(0);
        self.filled_ms = now_ms;
        let gained = elapsed_ms.saturating_mul(i64::from(self.rate));
        self.millitokens = self
            .millitokens
            .saturating_add(gained)
            .min(depth(self.rate));
    }
}

/// max(1, a tenth of a second's worth), in thousandths.
fn depth(rate: u32) -> i64 {
    (i64::from(rate) * 100).max(1_000)
}

/// The first freeze, and the longest.
const FREEZE_FIRST_MS: i64 = 1_000;
const FREEZE_MAX_MS: i64 = 30_000;
/// After so long without a throttle answer the rate rises a step and the freezes start small again.
const CLEAN_MS: i64 = 10_000;

/// The pace of one bind: its configured rate, bent by the carrier's throttle answers.
///
/// A throttle answer freezes the bind for a second, then two, four, up to thirty, each by a fifth
/// more or less, and multiplies the rate by 0.7. Each clean ten seconds add 5 % of the full rate.
/// With no configured rate, the rate at which the carrier first complained stands in for it, and the
/// limit goes when that rate is reached again.
#[derive(Clone, Debug)]
pub struct Pace {
    configured_rate: u32,
    bucket: TokenBucket,
    /// The rate to return to.
    full_rate: u32,
    frozen_until_ms: i64,
    freezes: u32,
    last_throttle_ms: i64,
    next_step_ms: Option<i64>,
    /// Segments in the second before the current one, and in the current one.
    measured: [u32; 2],
    measured_second: i64,
}

impl Pace {
    pub fn new(configured_rate: u32, now_ms: i64) -> Self {
        Self {
            configured_rate,
            bucket: TokenBucket::new(configured_rate, now_ms),
            full_rate: configured_rate,
            frozen_until_ms: i64::MIN,
            freezes: 0,
            last_throttle_ms: i64::MIN,
            next_step_ms: None,
            measured: [0; 2],
            measured_second: now_ms.div_euclid(1_000),
        }
    }

    pub fn is_frozen(&self, now_ms: i64) -> bool {
        now_ms < self.frozen_until_ms
    }

    /// When the freeze ends; `None` when there is none.
    pub fn thaws_at(&self, now_ms: i64) -> Option<i64> {
        self.is_frozen(now_ms).then_some(self.frozen_until_ms)
    }

    /// Whether a message may leave now.
    pub fn is_open(&mut self, now_ms: i64) -> bool {
        self.recover(now_ms);
        !self.is_frozen(now_ms) && self.bucket.is_open(now_ms)
    }

    /// Takes the tokens of a message that leaves now.
    pub fn take(&mut self, segments: u32, now_ms: i64) {
        self.measure(segments, now_ms);
        self.bucket.take(segments, now_ms);
    }

    /// When a message may leave; `None` when it may leave now.
    pub fn opens_at(&mut self, now_ms: i64) -> Option<i64> {
        self.recover(now_ms);
        let bucket_ms = self.bucket.opens_at(now_ms.max(self.frozen_until_ms));
        match bucket_ms {
            Some(at_ms) => Some(at_ms),
            None => self.is_frozen(now_ms).then_some(self.frozen_until_ms),
        }
    }

    /// The carrier said "too fast" to a segment written at `written_ms`. Answers to segments that
    /// were under way when the bind froze are the same complaint, not a new one.
    pub(crate) fn throttled(&mut self, written_ms: i64, now_ms: i64, random: &mut Random) {
        if written_ms <= self.last_throttle_ms {
            return;
        }
        let doublings = self.freezes.min(5);
        let freeze_ms = (FREEZE_FIRST_MS << doublings).min(FREEZE_MAX_MS);
        let jitter_ms = random.up_to(freeze_ms * 2 / 5) - freeze_ms / 5;
        self.freezes += 1;
        self.frozen_until_ms = now_ms + freeze_ms + jitter_ms;
        self.last_throttle_ms = now_ms;
        self.next_step_ms = Some(self.frozen_until_ms + CLEAN_MS);

        let rate = match self.bucket.rate() {
            0 => {
                self.full_rate = self.measured_rate(now_ms);
                self.full_rate
            }
            rate => rate,
        };
        let reduced = u32::try_from(u64::from(rate) * 7 / 10)
            .unwrap_or(u32::MAX)
            .max(1);
        self.bucket.set_rate(reduced, now_ms);
    }

    /// The rate in force; 0 means no limit.
    pub fn effective_rate(&self) -> u32 {
        self.bucket.rate()
    }

    fn recover(&mut self, now_ms: i64) {
        while let Some(step_ms) = self.next_step_ms.filter(|step_ms| *step_ms <= now_ms) {
            self.freezes = 0;
            let raised = self
                .bucket
                .rate()
                .saturating_add((self.full_rate / 20).max(1));
            if raised >= self.full_rate {
                self.bucket.set_rate(self.configured_rate, now_ms);
                self.next_step_ms = None;
            } else {
                self.bucket.set_rate(raised, now_ms);
                self.next_step_ms = Some(step_ms + CLEAN_MS);
            }
        }
    }

    fn measure(&mut self, segments: u32, now_ms: i64) {
        let second = now_ms.div_euclid(1_000);
        match second - self.measured_second {
            0 => self.measured[1] += segments,
            1 => self.measured = [self.measured[1], segments],
            _ => self.measured = [0, segments],
        }
        self.measured_second = second;
    }

    fn measured_rate(&mut self, now_ms: i64) -> u32 {
        self.measure(0, now_ms);
        self.measured[0].max(self.measured[1]).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Submits as fast as the bucket lets it, and returns the instants.
    fn departures(bucket: &mut TokenBucket, until_ms: i64, segments: u32) -> Vec<i64> {
        let mut departures = Vec::new();
        let mut now_ms = 0;
        while now_ms < until_ms {
            match bucket.opens_at(now_ms) {
                None => {
                    bucket.take(segments, now_ms);
                    departures.push(now_ms);
                }
                Some(at_ms) => {
                    assert!(at_ms > now_ms);
                    now_ms = at_ms;
                }
            }
        }
        departures
    }

    /// carriers.md section 10: within +2 % and -5 % over ten seconds, never 10 % above in a second.
    #[test]
    fn the_rate_holds_over_ten_seconds_and_within_each() {
        for rate in [1, 3, 10, 100, 999, 5_000] {
            let departures = departures(&mut TokenBucket::new(rate, 0), 10_000, 1);
            let expected = i64::from(rate) * 10;
            let count = i64::try_from(departures.len()).unwrap();
            assert!(
                count * 100 >= expected * 95 && count <= expected * 102 / 100 + 1,
                "{rate}: {count}"
            );
            for (first, start_ms) in departures.iter().enumerate() {
                let in_second = departures[first..]
                    .iter()
                    .take_while(|at| **at < start_ms + 1_000);
                let limit = (i64::from(rate) * 11).div_euclid(10) + 1;
                assert!(i64::try_from(in_second.count()).unwrap() <= limit, "{rate}");
            }
        }
    }

    #[test]
    fn row_10_segments_are_counted_not_messages() {
        let departures = departures(&mut TokenBucket::new(10, 0), 10_000, 5);
        assert!(
            (19..=21).contains(&departures.len()),
            "{}",
            departures.len()
        );
    }

    #[test]
    fn row_12_zero_is_no_limit() {
        let mut bucket = TokenBucket::new(0, 0);
        bucket.take(1_000_000, 0);
        assert!(bucket.is_open(0));
        assert_eq!(bucket.opens_at(0), None);
    }

    #[test]
    fn a_clock_that_steps_back_does_no_harm() {
        let mut bucket = TokenBucket::new(10, 10_000);
        bucket.take(1, 10_000);
        assert_eq!(bucket.opens_at(5_000).map(|at_ms| at_ms - 5_000), Some(101));
        assert!(bucket.is_open(5_101));
    }

    #[test]
    fn freezes_double_to_thirty_seconds_with_a_fifth_of_jitter() {
        let mut pace = Pace::new(100, 0);
        let mut random = Random::new(7);
        let mut now_ms = 0;
        for base_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            now_ms += 1;
            pace.throttled(now_ms, now_ms, &mut random);
            let frozen_ms = pace.frozen_until_ms - now_ms;
            assert!(
                (base_ms * 4 / 5..=base_ms * 6 / 5).contains(&frozen_ms),
                "{frozen_ms}"
            );
            assert!(!pace.is_open(now_ms));
            now_ms = pace.frozen_until_ms;
            assert!(!pace.is_frozen(now_ms));
        }
    }

    #[test]
    fn answers_to_segments_already_under_way_are_one_complaint() {
        let mut pace = Pace::new(100, 0);
        let mut random = Random::new(7);
        pace.throttled(10, 20, &mut random);
        let frozen_until_ms = pace.frozen_until_ms;
        pace.throttled(11, 25, &mut random);
        pace.throttled(20, 900, &mut random);
        assert_eq!(
            (pace.frozen_until_ms, pace.effective_rate()),
            (frozen_until_ms, 70)
        );
    }

    #[test]
    fn the_rate_falls_by_three_tenths_and_returns_by_twentieths() {
        let mut pace = Pace::new(100, 0);
        pace.throttled(1, 1, &mut Random::new(7));
        assert_eq!(pace.effective_rate(), 70);
        let thaw_ms = pace.frozen_until_ms;
        for (clean_tens, rate) in [(1, 75), (2, 80), (5, 95), (6, 100), (50, 100)] {
            pace.recover(thaw_ms + clean_tens * 10_000);
            assert_eq!(pace.effective_rate(), rate);
        }
    }

    #[test]
    fn the_rate_never_falls_below_one() {
        let mut pace = Pace::new(1, 0);
        pace.throttled(1, 1, &mut Random::new(7));
        assert_eq!(pace.effective_rate(), 1);
    }

    #[test]
    fn without_a_configured_rate_the_measured_one_is_reduced_and_later_lifted() {
        let mut pace = Pace::new(0, 0);
        for now_ms in 0..1_000 {
            pace.take(1, now_ms);
        }
        pace.throttled(999, 1_001, &mut Random::new(7));
        assert_eq!(pace.effective_rate(), 700);
        pace.recover(pace.frozen_until_ms + 6 * CLEAN_MS);
        assert_eq!(pace.effective_rate(), 0);
    }
}
