//! Scheduled messages: which requests are scheduled, for when, and what happens at that time.
//!
//! `ScheduleType=fixed`, `SendAt` and a Messaging Service belong together; a request with only some of
//! them is refused rather than sent at once, because an early message cannot be taken back. Codes and
//! window are those of Twilio's message scheduling
//! (<https://www.twilio.com/docs/messaging/features/message-scheduling>).

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;

use crate::clock::Millis;
use crate::error_code::ErrorCode;

/// What a create request says about scheduling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScheduleRequest<'a> {
    pub schedule_type: Option<&'a str>,
    pub send_at: Option<&'a str>,
    pub has_service: bool,
}

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleLimits {
    /// How far ahead `SendAt` must be at least. Twilio asked for 900 s for years and for 300 s now.
    pub min_ahead_s: u32,
    pub max_ahead_s: u32,
    /// Scheduled messages that one account may have waiting.
    pub waiting_max: u32,
    pub without_service: WithoutService,
}

/// What becomes of scheduling parameters when there is no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutService {
    /// 35118.
    Refuse,
    /// The message goes out at once, as some of Twilio's pages describe it.
    SendAtOnce,
}

impl Default for ScheduleLimits {
    fn default() -> Self {
        Self {
            min_ahead_s: 300,
            max_ahead_s: 35 * 24 * 3600,
            waiting_max: 500_000,
            without_service: WithoutService::Refuse,
        }
    }
}

/// When to release the message; `None` for one that goes out at once.
///
/// `waiting` is how many scheduled messages the account has already.
pub fn send_at(
    request: ScheduleRequest<'_>,
    limits: ScheduleLimits,
    waiting: u32,
    now_ms: Millis,
) -> Result<Option<Millis>, ErrorCode> {
    let ScheduleRequest {
        schedule_type,
        send_at,
        has_service,
    } = request;
    if schedule_type.is_none() && send_at.is_none() {
        return Ok(None);
    }
    if !has_service && limits.without_service == WithoutService::SendAtOnce {
        return Ok(None);
    }
    if schedule_type != Some("fixed") {
        return Err(ErrorCode::InvalidScheduleType);
    }
    let send_at = send_at.ok_or(ErrorCode::MissingSendAt)?;
    if !has_service {
        return Err(ErrorCode::ScheduleWithoutService);
    }
    let send_at_ms = parse(send_at).ok_or(ErrorCode::SendAtNotSupported)?;
    let ahead_ms = send_at_ms.saturating_sub(now_ms);
    let window = Millis::from(limits.min_ahead_s) * 1000..=Millis::from(limits.max_ahead_s) * 1000;
    if !window.contains(&ahead_ms) {
        return Err(ErrorCode::SendAtOutOfRange);
    }
    if waiting >= limits.waiting_max {
        return Err(ErrorCode::TooManyScheduled);
    }
    Ok(Some(send_at_ms))
}

/// ISO 8601 with `Z` or an offset. A local time without either is refused: a guess at its time zone
/// would be hours off. The calendar goes on beyond the last [`Timestamp`], which is as far away.
fn parse(text: &str) -> Option<Millis> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let pieces = Pieces::parse(text).ok()?;
    pieces.time()?;
    pieces.to_numeric_offset()?;
    let is_past = pieces.date().year() < 0;
    let end = if is_past {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Some(end.as_millisecond())
}

/// What to do with a scheduled message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    NotYet,
    Now,
    /// It was missed by more than its validity period while nothing ran: 30036.
    Expired,
}

/// Never early; late only if the service was down.
pub fn release(send_at_ms: Millis, validity_period_s: u32, now_ms: Millis) -> Release {
    let expires_ms = send_at_ms.saturating_add(Millis::from(validity_period_s) * 1000);
    if now_ms < send_at_ms {
        Release::NotYet
    } else if now_ms < expires_ms {
        Release::Now
    } else {
        Release::Expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z.
    const NOW_MS: Millis = 1_767_225_600_000;

    fn at(seconds_ahead: i64) -> String {
        Timestamp::from_millisecond(NOW_MS + seconds_ahead * 1000)
            .unwrap()
            .to_string()
    }

    fn ask(schedule_type: Option<&str>, send_at: Option<&str>) -> Result<Option<Millis>, u32> {
        let request = ScheduleRequest {
            schedule_type,
            send_at,
            has_service: true,
        };
        super::send_at(request, ScheduleLimits::default(), 0, NOW_MS).map_err(ErrorCode::code)
    }

    #[test]
    fn send_at_lies_five_minutes_to_thirty_five_days_ahead() {
        let ahead = |seconds| ask(Some("fixed"), Some(&at(seconds)));
        assert_eq!(ahead(-1), Err(35115));
        assert_eq!(ahead(0), Err(35115));
        assert_eq!(ahead(299), Err(35115));
        assert_eq!(ahead(300), Ok(Some(NOW_MS + 300_000)));
        assert_eq!(ahead(900), Ok(Some(NOW_MS + 900_000)));
        assert_eq!(ahead(3_024_000), Ok(Some(NOW_MS + 3_024_000_000)));
        assert_eq!(ahead(3_024_001), Err(35115));
    }

    #[test]
    fn the_window_is_a_setting() {
        let strict = ScheduleLimits {
            min_ahead_s: 900,
            ..ScheduleLimits::default()
        };
        let ask = |seconds| {
            let send_at = at(seconds);
            let request = ScheduleRequest {
                schedule_type: Some("fixed"),
                send_at: Some(&send_at),
                has_service: true,
            };
            super::send_at(request, strict, 0, NOW_MS).map_err(ErrorCode::code)
        };
        assert_eq!(ask(899), Err(35115));
        assert_eq!(ask(900), Ok(Some(NOW_MS + 900_000)));
    }

    #[test]
    fn a_schedule_has_a_type_and_a_time() {
        let time = at(3600);
        assert_eq!(ask(None, None), Ok(None));
        assert_eq!(ask(Some("fixed"), None), Err(35111));
        assert_eq!(ask(None, Some(&time)), Err(35126));
        for other in ["Fixed", "recurring", ""] {
            assert_eq!(ask(Some(other), Some(&time)), Err(35126), "{other:?}");
            assert_eq!(ask(Some(other), None), Err(35126), "{other:?}");
        }
    }

    #[test]
    fn a_time_needs_its_offset() {
        let ask = |text| ask(Some("fixed"), Some(text));
        assert_eq!(ask("2026-01-01T01:00:00Z"), Ok(Some(NOW_MS + 3_600_000)));
        assert_eq!(
            ask("2026-01-01T01:00:00.250Z"),
            Ok(Some(NOW_MS + 3_600_250))
        );
        assert_eq!(
            ask("2026-01-01T03:00:00+02:00"),
            Ok(Some(NOW_MS + 3_600_000))
        );
        for wrong in [
            "2026-01-01T01:00:00",
            "2026-01-01",
            "1767229200",
            "soon",
            "",
        ] {
            assert_eq!(ask(wrong), Err(35114), "{wrong:?}");
        }
    }

    #[test]
    fn a_time_at_the_calendars_end_is_too_far_away() {
        let ask = |text| ask(Some("fixed"), Some(text));
        for far in [
            "9999-12-30T00:00:00Z",
            "9999-12-31T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59-23:00",
            "-009999-01-01T00:00:00Z",
            "-009999-01-01T00:00:00+23:00",
        ] {
            assert_eq!(ask(far), Err(35115), "{far}");
        }
        for wrong in [
            "9999-12-31",
            "9999-12-31T00:00:00",
            "9999-12-32T00:00:00Z",
            "10000-01-01T00:00:00Z",
        ] {
            assert_eq!(ask(wrong), Err(35114), "{wrong}");
        }
    }

    #[test]
    fn scheduling_without_a_service_is_refused_unless_the_operator_is_lenient() {
        let time = at(3600);
        let request = ScheduleRequest {
            schedule_type: Some("fixed"),
            send_at: Some(&time),
            has_service: false,
        };
        let ask = |limits| send_at(request, limits, 0, NOW_MS).map_err(ErrorCode::code);
        let strict = ScheduleLimits::default();
        assert_eq!(ask(strict), Err(35118));
        let lenient = ScheduleLimits {
            without_service: WithoutService::SendAtOnce,
            ..strict
        };
        assert_eq!(ask(lenient), Ok(None));
    }

    #[test]
    fn an_account_has_at_most_so_many_waiting() {
        let time = at(3600);
        let request = ScheduleRequest {
            schedule_type: Some("fixed"),
            send_at: Some(&time),
            has_service: true,
        };
        let ask = |waiting| {
            send_at(request, ScheduleLimits::default(), waiting, NOW_MS).map_err(ErrorCode::code)
        };
        assert_eq!(ask(499_999), Ok(Some(NOW_MS + 3_600_000)));
        assert_eq!(ask(500_000), Err(35117));
    }

    #[test]
    fn a_release_is_never_early_and_not_too_late() {
        assert_eq!(release(10_000, 5, 9_999), Release::NotYet);
        assert_eq!(release(10_000, 5, 10_000), Release::Now);
        assert_eq!(release(10_000, 5, 14_999), Release::Now);
        assert_eq!(release(10_000, 5, 15_000), Release::Expired);
    }
}
