//! The validity period: how long a message may wait in our queue before it fails with 30036.
//!
//! It counts from the moment the message is ours (a scheduled one: from its release) until a carrier
//! has taken it; time at the carrier does not count. The message's own value wins over its service's.
//! Range and default are those of Twilio's `ValidityPeriod`
//! (<https://www.twilio.com/docs/messaging/api/message-resource>).

use crate::clock::Millis;
use crate::error_code::ErrorCode;

/// Ten hours: the longest a message may wait, and the default. `limits.max_validity_period` lowers it.
pub const MAX_VALIDITY_PERIOD_S: u32 = 36_000;

/// Seconds a message may wait, within the limits that held when it was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValidityPeriod(u32);

impl ValidityPeriod {
    /// The period of a message, from its `ValidityPeriod` (21624 if that is no whole number from 1 to
    /// `max_s`), else from its service, else the longest.
    ///
    /// A service may carry more than a limit that was lowered since; it is held to the limit, and
    /// [`is_inherited_too_long`] tells whom to warn.
    pub fn resolve(
        requested: Option<&str>,
        service_s: Option<u32>,
        max_s: u32,
    ) -> Result<Self, ErrorCode> {
        match requested {
            Some(text) => Self::parse(text, max_s),
            None => Ok(Self(service_s.unwrap_or(max_s).clamp(1, max_s))),
        }
    }

    fn parse(text: &str, max_s: u32) -> Result<Self, ErrorCode> {
        Self::new(text.trim().parse().ok(), max_s).ok_or(ErrorCode::InvalidValidityPeriod)
    }

    /// The period that a service is created or updated with (90007 out of range).
    pub fn of_service(text: &str, max_s: u32) -> Result<Self, ErrorCode> {
        let seconds = text.trim().parse().ok();
        Self::new(seconds, max_s).ok_or(ErrorCode::InvalidServiceValidityPeriod)
    }

    fn new(seconds: Option<u32>, max_s: u32) -> Option<Self> {
        seconds
            .filter(|seconds| (1..=max_s).contains(seconds))
            .map(Self)
    }

    pub fn seconds(self) -> u32 {
        self.0
    }

    /// The instant from which the message is expired.
    pub fn deadline_ms(self, ours_since_ms: Millis) -> Millis {
        ours_since_ms.saturating_add(Millis::from(self.0) * 1000)
    }
}

/// Whether a message must fail instead of going to a carrier.
pub fn is_expired(deadline_ms: Millis, now_ms: Millis) -> bool {
    now_ms >= deadline_ms
}

/// Whether a service's stored period is over the limit, so that its messages warn with 30045.
pub fn is_inherited_too_long(service_s: u32, max_s: u32) -> bool {
    service_s > max_s
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(requested: Option<&str>, service_s: Option<u32>, max_s: u32) -> Result<u32, u32> {
        ValidityPeriod::resolve(requested, service_s, max_s)
            .map(ValidityPeriod::seconds)
            .map_err(ErrorCode::code)
    }

    #[test]
    fn a_message_may_wait_from_one_second_to_ten_hours() {
        let resolve = |text| seconds(Some(text), None, MAX_VALIDITY_PERIOD_S);
        assert_eq!(resolve("0"), Err(21624));
        assert_eq!(resolve("1"), Ok(1));
        assert_eq!(resolve("14400"), Ok(14_400));
        assert_eq!(resolve("14440"), Ok(14_440));
        assert_eq!(resolve("36000"), Ok(36_000));
        assert_eq!(resolve("36001"), Err(21624));
        for nonsense in ["", "-1", "1.5", "ten", "4294967296", "1 2"] {
            assert_eq!(resolve(nonsense), Err(21624), "{nonsense:?}");
        }
    }

    #[test]
    fn the_limit_can_be_lowered() {
        assert_eq!(seconds(Some("14400"), None, 14_400), Ok(14_400));
        assert_eq!(seconds(Some("14401"), None, 14_400), Err(21624));
        assert_eq!(seconds(None, None, 14_400), Ok(14_400));
        assert_eq!(seconds(None, Some(36_000), 14_400), Ok(14_400));
        assert!(is_inherited_too_long(14_401, 14_400));
        assert!(!is_inherited_too_long(14_400, 14_400));
    }

    #[test]
    fn the_message_wins_over_the_service_and_the_service_over_the_default() {
        assert_eq!(
            seconds(Some("60"), Some(600), MAX_VALIDITY_PERIOD_S),
            Ok(60)
        );
        assert_eq!(seconds(None, Some(600), MAX_VALIDITY_PERIOD_S), Ok(600));
        assert_eq!(seconds(None, None, MAX_VALIDITY_PERIOD_S), Ok(36_000));
    }

    #[test]
    fn a_service_out_of_range_has_its_own_code() {
        let of_service = |text| ValidityPeriod::of_service(text, 36_000).map_err(ErrorCode::code);
        assert_eq!(of_service("0"), Err(90007));
        assert_eq!(of_service("1").map(ValidityPeriod::seconds), Ok(1));
        assert_eq!(of_service("36000").map(ValidityPeriod::seconds), Ok(36_000));
        assert_eq!(of_service("36001"), Err(90007));
    }

    #[test]
    fn a_message_expires_at_its_deadline_and_not_before() {
        let deadline_ms = ValidityPeriod(5).deadline_ms(1_000);
        assert_eq!(deadline_ms, 6_000);
        assert!(!is_expired(deadline_ms, 5_999));
        assert!(is_expired(deadline_ms, 6_000));
    }
}
