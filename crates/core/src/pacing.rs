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

/// Debt is counted in billionths of a segment: one millisecond at one millionth of a segment per
/// second then pays off exactly one, and nothing is ever rounded.
const SEGMENT: u64 = 1_000_000_000;

const MILLIS_PER_S: u64 = 1_000;

/// Segments per second, in millionths; 0 = no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

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

    /// Segments that leave in this many seconds; `None` without a limit. How long a queue may be.
    pub fn segments_in(self, seconds: u32) -> Option<u64> {
        (!self.is_unlimited()).then(|| self.0.saturating_mul(seconds.into()) / 1_000_000)
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
        if self.rate.is_unlimited() {
            return Ok(());
        }
        self.settle(now_ms);
        match self.excess(segments) {
            0 => {
                self.debt += cost(segments);
                Ok(())
            }
            excess => Err(now_ms.saturating_add_unsigned(excess.div_ceil(self.rate.0))),
        }
    }

    /// Gives places back that were taken and not used, because another limit said no.
    pub fn give_back(&mut self, segments: u16) {
        self.debt = self.debt.saturating_sub(cost(segments));
    }

    /// Applies a changed setting. What is owed in segments stays owed, at the new rate.
    pub fn set_rate(&mut self, now_ms: Millis, rate: Rate) {
        self.settle(now_ms);
        self.rate = rate;
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    fn settle(&mut self, now_ms: Millis) {
        let elapsed_ms = u64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or(0);
        self.debt = self
            .debt
            .saturating_sub(elapsed_ms.saturating_mul(self.rate.0));
        self.at_ms = now_ms;
    }

    /// Billionths of a segment that must drain before the message fits.
    fn excess(&self, segments: u16) -> u64 {
        let cost = cost(segments);
        let burst = (self.rate.0 * MILLIS_PER_S).max(cost);
        (self.debt + cost).saturating_sub(burst)
    }
}

fn cost(segments: u16) -> u64 {
    u64::from(segments) * SEGMENT
}

/// Default rates by kind of sender, in segments per second; 0 = no limit. The `[pace]` section of
/// the configuration. A sender may carry its own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaceSettings {
    /// Long codes everywhere. When absent, 1 in the US and Canada and 10 elsewhere.
    pub long_code: Option<f64>,
    /// Long codes of single countries, before `long_code`.
    pub long_code_by_country: BTreeMap<Country, f64>,
    pub toll_free: f64,
    pub short_code: f64,
    pub alpha: f64,
    pub whatsapp: f64,
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
        }
    }
}

impl PaceSettings {
    const LONG_CODE_US_CA: f64 = 1.0;
    const LONG_CODE_ELSEWHERE: f64 = 10.0;

    pub fn rate(&self, kind: SenderKind, country: Option<Country>) -> Rate {
        Rate::per_second(match kind {
            SenderKind::LongCode => self.long_code(country),
            SenderKind::TollFree => self.toll_free,
            SenderKind::ShortCode => self.short_code,
            SenderKind::Alpha | SenderKind::DestinationAlpha => self.alpha,
            SenderKind::WhatsApp => self.whatsapp,
        })
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
