//! The rate of one sender, which may depend on where its messages go.
//!
//! A toll-free number sends to the US and Canada at a rate of its own, and elsewhere at that of a
//! plain number (<https://help.twilio.com/articles/4411046744987>). It is still one sender with one
//! queue and one [`Pace`](crate::pacing::Pace): the bucket fills at the first rate, and a segment to
//! elsewhere costs as many places as the slower rate makes it wait.

use crate::country::Country;
use crate::pacing::{Rate, SEGMENT};
use crate::phone_number::PhoneNumber;

/// Where a message goes, as far as rates tell countries apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    UsCa,
    Elsewhere,
}

impl Zone {
    pub fn of(to: PhoneNumber) -> Self {
        match to.country() {
            Some(Country::US | Country::CA) => Self::UsCa,
            Some(_) | None => Self::Elsewhere,
        }
    }

    /// Of a recipient as messages keep it, its channel in front.
    pub fn of_text(to: &str) -> Self {
        let number = to.rsplit(':').next().unwrap_or_default();
        PhoneNumber::parse(number).map_or(Self::Elsewhere, Self::of)
    }
}

/// Segments per second of one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderRate {
    us_ca: Rate,
    elsewhere: Rate,
}

/// Places in a sender's bucket, in billionths of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(pub(crate) u64);

impl Cost {
    /// Two of them can still be added.
    const MAX: u64 = u64::MAX / 4;

    pub fn of_segments(segments: u16) -> Self {
        Self(u64::from(segments) * SEGMENT)
    }

    /// Of segments that go at `rate`, in a bucket that drains at its own.
    pub fn at(bucket: Rate, rate: Rate, segments: u16) -> Self {
        if bucket == rate || rate.is_unlimited() {
            let counted = if rate.is_unlimited() { 0 } else { segments };
            return Self::of_segments(counted);
        }
        let places = u128::from(segments) * u128::from(SEGMENT) * u128::from(bucket.0);
        let places = places.div_ceil(u128::from(rate.0));
        Self(u64::try_from(places).unwrap_or(Self::MAX).min(Self::MAX))
    }
}

/// Segments that wait in a sender's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    pub us_ca: u64,
    pub elsewhere: u64,
}

impl Queued {
    #[must_use]
    pub fn plus(mut self, segments: u16, zone: Zone) -> Self {
        let segments = u64::from(segments);
        match zone {
            Zone::UsCa => self.us_ca += segments,
            Zone::Elsewhere => self.elsewhere += segments,
        }
        self
    }
}

impl SenderRate {
    pub const UNLIMITED: Self = Self::everywhere(Rate::UNLIMITED);

    /// The same rate wherever messages go.
    pub const fn everywhere(rate: Rate) -> Self {
        Self {
            us_ca: rate,
            elsewhere: rate,
        }
    }

    pub fn new(us_ca: Rate, elsewhere: Rate) -> Self {
        Self { us_ca, elsewhere }
    }

    pub fn to(self, zone: Zone) -> Rate {
        match zone {
            Zone::UsCa => self.us_ca,
            Zone::Elsewhere => self.elsewhere,
        }
    }

    pub fn is_the_same_everywhere(self) -> bool {
        self.us_ca == self.elsewhere
    }

    /// The rate at which the sender's bucket drains.
    pub fn bucket(self) -> Rate {
        if self.us_ca.is_unlimited() {
            self.elsewhere
        } else {
            self.us_ca
        }
    }

    /// What a message takes of the bucket; nothing where there is no limit.
    pub fn cost(self, segments: u16, zone: Zone) -> Cost {
        Cost::at(self.bucket(), self.to(zone), segments)
    }

    /// How long a queue takes to drain, rounded up.
    pub fn drain_ms(self, queued: Queued) -> u64 {
        let us_ca_ms = self.us_ca.drain_ms(queued.us_ca);
        us_ca_ms.saturating_add(self.elsewhere.drain_ms(queued.elsewhere))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::Pace;

    #[test]
    fn only_the_us_and_canada_are_near() {
        for (to, zone) in [
            ("+14155550101", Zone::UsCa),
            ("+16045550101", Zone::UsCa),
            ("whatsapp:+14155550101", Zone::UsCa),
            // Jamaica and Puerto Rico share the +1.
            ("+18765550101", Zone::Elsewhere),
            ("+17875550101", Zone::Elsewhere),
            ("+447911123456", Zone::Elsewhere),
            ("", Zone::Elsewhere),
        ] {
            assert_eq!(Zone::of_text(to), zone, "{to}");
        }
    }

    /// Columns: rates in the US and Canada and elsewhere (0 = no limit), the bucket's rate, cost of
    /// two segments in billionths of one.
    #[test]
    fn a_segment_costs_what_its_rate_makes_it_wait() {
        for (us_ca, elsewhere, bucket, near, far) in [
            (3.0, 3.0, 3.0, 2 * SEGMENT, 2 * SEGMENT),
            (3.0, 1.0, 3.0, 2 * SEGMENT, 6 * SEGMENT),
            (1.0, 10.0, 1.0, 2 * SEGMENT, SEGMENT / 5),
            (3.0, 0.0, 3.0, 2 * SEGMENT, 0),
            (0.0, 1.0, 1.0, 0, 2 * SEGMENT),
            (0.0, 0.0, 0.0, 0, 0),
            (1e6, 1e-6, 1e6, 2 * SEGMENT, Cost::MAX),
        ] {
            let rate = SenderRate::new(Rate::per_second(us_ca), Rate::per_second(elsewhere));
            let shown = format!("{us_ca} and {elsewhere}");
            assert_eq!(rate.bucket(), Rate::per_second(bucket), "{shown}");
            assert_eq!(rate.cost(2, Zone::UsCa), Cost(near), "{shown}");
            assert_eq!(rate.cost(2, Zone::Elsewhere), Cost(far), "{shown}");
        }
    }

    #[test]
    fn a_mixed_queue_leaves_at_both_rates_in_the_time_it_says() {
        let rate = SenderRate::new(Rate::per_second(3.0), Rate::per_second(1.0));
        let mut pace = Pace::new(rate.bucket());
        let (mut now_ms, mut queued) = (0, Queued::default());
        // A second's worth may leave at once: this is it.
        assert_eq!(pace.take_cost(0, rate.cost(3, Zone::UsCa)), Ok(()));
        for zone in [Zone::Elsewhere, Zone::UsCa, Zone::UsCa, Zone::Elsewhere] {
            queued = queued.plus(1, zone);
            while let Err(later_ms) = pace.take_cost(now_ms, rate.cost(1, zone)) {
                now_ms = later_ms;
            }
        }
        // Two seconds for the two to elsewhere, a third of a second for each of the others.
        assert_eq!(rate.drain_ms(queued), 2_667);
        assert_eq!(now_ms, 2_667);
    }
}
