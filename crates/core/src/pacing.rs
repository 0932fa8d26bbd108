//! How fast a sender may send: a leaky bucket per sender, and the default rates by kind.
//!
//! Dispatch asks a [`Pace`] before each submit and waits until the instant it names. The bucket is
//! the generic cell rate algorithm (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>) in
//! integers, so a pace is exact over any length of run: in any window of `t` seconds at most
//! `rate * t + burst` segments leave. See `docs/sender-selection.md`, *Pace*.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Millis;
use crate::country::Country;
use crate::select::SenderKind;
use crate::sender_rate::{Cost, SenderRate};
use crate::serde_unique_keys;
use crate::shared_pace::{Campaign, DestinationPace};
use crate::sid::AccountSid;

/// Debt is counted in billionths of a segment: one millisecond at one millionth of a segment per
/// second then pays off exactly one, and nothing is ever rounded.
pub(crate) const SEGMENT: u64 = 1_000_000_000;

const MILLIS_PER_S: u64 = 1_000;

/// Segments per second, in millionths; 0 = no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub(crate) u64);

impl Rate {
    pub const UNLIMITED: Self = Self(0);

    /// A million segments a second: more than any carrier connection takes.
    const MAX_PER_S: f64 = 1e6;

    /// 0, negative and not-a-number mean no limit. A positive rate is never rounded down to none.
    pub fn per_second(segments: f64) -> Self {
        if segments.is_nan() || segments <= 0.0 {
            return Self::UNLIMITED;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10^12 by the line itself"
        )]
        let millionths = (segments.min(Self::MAX_PER_S) * 1e6).round() as u64;
        Self(millionths.max(1))
    }

    pub fn is_unlimited(self) -> bool {
        self == Self::UNLIMITED
    }

    /// How long a queue of this many segments takes to drain, rounded up; 0 without a limit.
    pub fn drain_ms(self, queued_segments: u64) -> u64 {
        match self {
            Self::UNLIMITED => 0,
            Self(millionths) => queued_segments.saturating_mul(SEGMENT).div_ceil(millionths),
        }
    }
}

/// The pace of one sender, campaign, account or carrier route.
///
/// It holds one second of its rate: a sender that was idle may send that much at once. A message with
/// more segments than that waits until the bucket is empty, then takes all its places at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: Rate,
    /// Billionths of a segment that are taken and not yet paid off by time.
    debt: u64,
    /// When `debt` was true.
    at_ms: Millis,
}

impl Pace {
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            debt: 0,
            at_ms: Millis::MIN,
        }
    }

    /// Takes places for all segments of a message, or says when to ask again.
    ///
    /// A clock that steps back costs nobody anything: the time it goes through twice counts once.
    pub fn take(&mut self, now_ms: Millis, segments: u16) -> Result<(), Millis> {
        self.take_cost(now_ms, Cost::of_segments(segments))
    }

    /// The same for a message whose segments count for more or less than one place each.
    pub fn take_cost(&mut self, now_ms: Millis, cost: Cost) -> Result<(), Millis> {
        let fits_ms = self.fits_at(now_ms, cost);
        if fits_ms > now_ms {
            return Err(fits_ms);
        }
        self.spend(now_ms, cost);
        Ok(())
    }

    /// When these places can be taken together if nobody takes any before: now, or later. Several
    /// limits are asked so before any of them is charged: a message takes from all or from none.
    pub fn fits_at(&mut self, now_ms: Millis, cost: Cost) -> Millis {
        if self.rate.is_unlimited() {
            return now_ms;
        }
        self.settle(now_ms);
        let excess = (self.debt + cost.0).saturating_sub(self.burst(cost));
        now_ms.saturating_add_unsigned(excess.div_ceil(self.rate.0))
    }

    /// Takes places that were found free.
    pub fn spend(&mut self, now_ms: Millis, cost: Cost) {
        if !self.rate.is_unlimited() {
            self.settle(now_ms);
            self.debt += cost.0;
        }
    }

    /// When these places can be taken so that another message, whose turn it is, can still leave at
    /// `then_ms`: now, or later. Not before the other one is gone, if the two never fit together.
    pub fn fits_beside(
        &mut self,
        now_ms: Millis,
        cost: Cost,
        then_ms: Millis,
        then: Cost,
    ) -> Option<Millis> {
        let fits_ms = self.fits_at(now_ms, cost);
        if self.rate.is_unlimited() {
            return Some(fits_ms);
        }
        let (debt, burst) = (self.debt + cost.0, self.burst(then));
        let paid_ms = u64::try_from(then_ms.saturating_sub(now_ms)).unwrap_or(0);
        let left = debt.saturating_sub(paid_ms.saturating_mul(self.rate.0));
        if left + then.0 <= burst {
            return Some(fits_ms);
        }
        // Until then waiting is of no use: what is paid off meanwhile is counted already.
        (cost.0 + then.0 <= burst).then(|| {
            let excess = (debt + then.0).saturating_sub(burst);
            fits_ms.max(now_ms.saturating_add_unsigned(excess.div_ceil(self.rate.0)))
        })
    }

    /// Applies a changed setting. What is owed in segments stays owed, at the new rate.
    pub fn set_rate(&mut self, now_ms: Millis, rate: Rate) {
        self.settle(now_ms);
        self.rate = rate;
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Nothing is owed any more: a new pace at the same rate is no different.
    pub fn is_settled(&self, now_ms: Millis) -> bool {
        self.debt_at(now_ms) == 0 || self.rate.is_unlimited()
    }

    fn settle(&mut self, now_ms: Millis) {
        self.debt = self.debt_at(now_ms);
        self.at_ms = now_ms;
    }

    fn debt_at(&self, now_ms: Millis) -> u64 {
        let elapsed_ms = u64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or(0);
        let paid = elapsed_ms.saturating_mul(self.rate.0);
        self.debt.saturating_sub(paid)
    }

    /// What may be owed once this has been taken: one second of the rate, or all of a longer message.
    fn burst(&self, Cost(cost): Cost) -> u64 {
        (self.rate.0 * MILLIS_PER_S).max(cost)
    }
}

/// Default rates by kind of sender, in segments per second; 0 = no limit. The `[pace]` section of
/// the configuration. A sender may carry its own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaceSettings {
    /// Long codes everywhere. When absent, 1 in the US and Canada and 10 elsewhere.
    pub long_code: Option<f64>,
    /// Long codes of single countries, before `long_code`.
    #[serde(deserialize_with = "serde_unique_keys::read")]
    pub long_code_by_country: BTreeMap<Country, f64>,
    /// To the US and Canada; elsewhere as a long code.
    pub toll_free: f64,
    pub short_code: f64,
    pub alpha: f64,
    pub whatsapp: f64,
    /// Rates of one sender by where its messages go; the first that matches holds.
    pub destinations: Vec<DestinationPace>,
    /// All messages of one account, whoever sends them; 0 = no limit.
    pub account: f64,
    /// Of single accounts, before `account`.
    #[serde(deserialize_with = "serde_unique_keys::read")]
    pub account_by_sid: BTreeMap<AccountSid, f64>,
    /// Limits that the senders of some services share, by name.
    pub campaigns: BTreeMap<String, Campaign>,
}

/// The rates that Twilio documents for the same kinds
/// (<https://help.twilio.com/articles/115002943027>).
impl Default for PaceSettings {
    fn default() -> Self {
        Self {
            long_code: None,
            long_code_by_country: BTreeMap::new(),
            toll_free: 3.0,
            short_code: 100.0,
            alpha: 10.0,
            whatsapp: 80.0,
            destinations: Vec::new(),
            account: 0.0,
            account_by_sid: BTreeMap::new(),
            campaigns: BTreeMap::new(),
        }
    }
}

impl PaceSettings {
    const LONG_CODE_US_CA: f64 = 1.0;
    const LONG_CODE_ELSEWHERE: f64 = 10.0;

    /// The rate of a sender of this kind and country.
    pub fn rate(&self, kind: SenderKind, country: Option<Country>) -> SenderRate {
        let per_second = match kind {
            SenderKind::LongCode => self.long_code(country),
            SenderKind::TollFree => {
                // Those of +800 are of no country, and count as the US's.
                let plain = self.long_code(country.or(Some(Country::US)));
                let rates = [self.toll_free, plain].map(Rate::per_second);
                return SenderRate::new(rates[0], rates[1]);
            }
            SenderKind::ShortCode => self.short_code,
            SenderKind::Alpha | SenderKind::DestinationAlpha => self.alpha,
            SenderKind::WhatsApp => self.whatsapp,
        };
        SenderRate::everywhere(Rate::per_second(per_second))
    }

    fn long_code(&self, country: Option<Country>) -> f64 {
        let of_country = country.and_then(|country| self.long_code_by_country.get(&country));
        let default = match country {
            Some(Country::US | Country::CA) => Self::LONG_CODE_US_CA,
            Some(_) | None => Self::LONG_CODE_ELSEWHERE,
        };
        of_country.copied().or(self.long_code).unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::sender_rate::Zone;

    fn pace(per_second: f64) -> Pace {
        Pace::new(Rate::per_second(per_second))
    }

    #[test]
    fn an_idle_sender_sends_one_second_of_its_rate_at_once_and_then_keeps_pace() {
        let mut pace = pace(10.0);
        for _ in 0..10 {
            assert_eq!(pace.take(5_000, 1), Ok(()));
        }
        assert_eq!(pace.take(5_000, 1), Err(5_100));
        assert_eq!(pace.take(5_099, 1), Err(5_100));
        assert_eq!(pace.take(5_100, 1), Ok(()));
        assert_eq!(pace.take(5_100, 1), Err(5_200));
        assert!(!pace.is_settled(6_099));
        assert!(pace.is_settled(6_100));
    }

    #[test]
    fn a_long_message_takes_all_its_places_at_once_or_waits() {
        let mut pace = pace(1.0);
        assert_eq!(pace.take(0, 1), Ok(()));
        // Five segments at one a second: more than the bucket holds, so it must be empty first.
        assert_eq!(pace.take(0, 5), Err(1_000));
        assert_eq!(pace.take(999, 5), Err(1_000));
        assert_eq!(pace.take(1_000, 5), Ok(()));
        assert_eq!(pace.take(1_000, 1), Err(6_000));
    }

    #[test]
    fn a_long_message_waits_for_the_places_it_lacks() {
        let mut pace = pace(10.0);
        assert_eq!(pace.take(0, 8), Ok(()));
        assert_eq!(pace.take(0, 4), Err(200));
        assert_eq!(pace.take(200, 4), Ok(()));
    }

    #[test]
    fn rate_zero_is_no_limit() {
        let mut pace = pace(0.0);
        for _ in 0..10_000 {
            assert_eq!(pace.take(0, 255), Ok(()));
        }
        assert!(Rate::per_second(-1.0).is_unlimited());
        assert!(Rate::per_second(f64::NAN).is_unlimited());
        assert!(!Rate::per_second(1e-9).is_unlimited());
        assert!(!Rate::per_second(f64::INFINITY).is_unlimited());
    }

    #[test]
    fn a_third_of_a_segment_is_not_lost_in_an_hour() {
        let mut pace = pace(3.0);
        let mut sent = 0;
        let mut now_ms = 0;
        while now_ms <= 3_600_000 {
            match pace.take(now_ms, 1) {
                Ok(()) => sent += 1,
                Err(later_ms) => now_ms = later_ms,
            }
        }
        assert_eq!(sent, 3 * 3_600 + 3);
    }

    #[test]
    fn a_clock_that_steps_back_neither_blocks_nor_gives() {
        let mut pace = pace(1.0);
        assert_eq!(pace.take(10_000_000, 1), Ok(()));
        assert_eq!(pace.take(0, 1), Err(1_000));
        assert_eq!(pace.take(1_000, 1), Ok(()));
        assert_eq!(pace.take(1_000, 1), Err(2_000));
    }

    /// Columns: segments owed at 2 a second, those of who goes ahead, those of who is to go and when, and
    /// when the former may.
    #[test]
    fn who_goes_ahead_must_leave_room_for_whose_turn_comes() {
        for (owed, ahead, then_ms, then, expected) in [
            (0, 1, 0, 1, Some(0)),
            (1, 1, 0, 1, Some(500)),
            (2, 1, 0, 1, Some(1_000)),
            (0, 2, 500, 1, Some(0)),
            (0, 2, 0, 1, None),
            (2, 1, 1_000, 1, Some(500)),
            (1, 1, 499, 1, Some(500)),
            (1, 1, 500, 1, Some(0)),
            // A message longer than a second's worth needs the bucket empty.
            (0, 1, 0, 5, None),
            (0, 1, 500, 5, Some(0)),
        ] {
            let shown = format!("{owed} {ahead} {then_ms} {then}");
            let mut pace = pace(2.0);
            pace.spend(0, Cost::of_segments(owed));
            let [ahead, then] = [ahead, then].map(Cost::of_segments);
            let fits = pace.fits_beside(0, ahead, then_ms, then);
            assert_eq!(fits, expected, "{shown}");
            if let Some(at_ms) = fits {
                pace.spend(at_ms, ahead);
                let then_ms = then_ms.max(at_ms);
                assert!(pace.fits_at(then_ms, then) <= then_ms, "{shown}");
            }
        }
        let many = Cost::of_segments(9);
        assert_eq!(pace(0.0).fits_beside(0, many, 0, many), Some(0));
    }

    #[test]
    fn a_new_rate_works_off_what_is_owed() {
        let mut pace = pace(1.0);
        assert_eq!(pace.take(0, 10), Ok(()));
        pace.set_rate(0, Rate::per_second(10.0));
        assert_eq!(pace.take(0, 10), Err(1_000));
        assert_eq!(pace.take(1_000, 10), Ok(()));
    }

    #[test]
    fn a_rate_says_how_much_leaves_and_how_long_it_takes() {
        let rate = Rate::per_second(1.0);
        assert_eq!(rate.drain_ms(100), 100_000);
        assert_eq!(Rate::per_second(3.0).drain_ms(1), 334);
        assert_eq!(Rate::UNLIMITED.drain_ms(100), 0);
    }

    #[test]
    fn kinds_have_their_documented_rates() {
        let rate = |settings: &PaceSettings, kind, country: &str| {
            let rate = settings.rate(kind, Country::parse(country));
            [Zone::UsCa, Zone::Elsewhere].map(|zone| rate.to(zone).0 / 1_000_000)
        };
        let default = PaceSettings::default();
        assert_eq!(rate(&default, SenderKind::LongCode, "US"), [1, 1]);
        assert_eq!(rate(&default, SenderKind::LongCode, "CA"), [1, 1]);
        assert_eq!(rate(&default, SenderKind::LongCode, "GB"), [10, 10]);
        assert_eq!(rate(&default, SenderKind::TollFree, ""), [3, 1]);
        assert_eq!(rate(&default, SenderKind::ShortCode, "GB"), [100, 100]);
        assert_eq!(rate(&default, SenderKind::Alpha, ""), [10, 10]);
        assert_eq!(rate(&default, SenderKind::DestinationAlpha, "DE"), [10, 10]);
        assert_eq!(rate(&default, SenderKind::WhatsApp, "BR"), [80, 80]);
        let mut custom = PaceSettings {
            long_code: Some(5.0),
            ..PaceSettings::default()
        };
        assert_eq!(rate(&custom, SenderKind::LongCode, "US"), [5, 5]);
        assert_eq!(rate(&custom, SenderKind::LongCode, "GB"), [5, 5]);
        assert_eq!(rate(&custom, SenderKind::TollFree, ""), [3, 5]);
        custom.long_code_by_country.insert(Country::CA, 2.0);
        assert_eq!(rate(&custom, SenderKind::LongCode, "CA"), [2, 2]);
    }

    proptest! {
        /// The promise itself, over every window of a random run; and a wait that is kept is enough.
        #[test]
        fn no_window_holds_more_than_its_rate_and_one_burst(
            per_second in prop_oneof![0.1..5.0, 5.0..2_000.0],
            arrivals in vec((0..2_000_i64, 1..12_u16), 1..150),
        ) {
            let mut pace = pace(per_second);
            let mut now_ms = 0;
            let mut sent: Vec<(Millis, u16)> = Vec::new();
            for (gap_ms, segments) in arrivals {
                now_ms += gap_ms;
                if let Err(later_ms) = pace.take(now_ms, segments) {
                    prop_assert!(later_ms > now_ms);
                    prop_assert!(pace.take(later_ms - 1, segments).is_err());
                    now_ms = later_ms;
                    prop_assert_eq!(pace.take(now_ms, segments), Ok(()));
                }
                sent.push((now_ms, segments));
            }
            let rate = Rate::per_second(per_second).0;
            let longest = sent.iter().map(|&(_, segments)| Cost::of_segments(segments).0).max().unwrap_or(0);
            let burst = longest.max(rate * MILLIS_PER_S);
            for (index, &(first_ms, _)) in sent.iter().enumerate() {
                let mut total = 0;
                for &(at_ms, segments) in &sent[index..] {
                    total += Cost::of_segments(segments).0;
                    let paid = rate * (at_ms - first_ms).unsigned_abs();
                    prop_assert!(total <= paid + burst, "{total} by {at_ms} ms since {first_ms}");
                }
            }
        }
    }
}
