//! Dates on the wire: RFC 2822 in the 2010 API, ISO 8601 in the newer ones, whole seconds in both.
//!
//! Whole seconds on purpose: the Python SDK reads nothing finer and hands a fractional time back as
//! a plain string. Input is read in either form, with any offset, and as a bare date, to the calendar's
//! last day: that is how some write "for ever". A [`Timestamp`] ends a day earlier.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::{rfc2822, temporal};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use postrider_core::clock::Millis;
use serde::{Serialize, Serializer};

const DAY_MS: Millis = 24 * 60 * 60 * 1000;
const SECOND_MS: Millis = 1000;

/// `Tue, 24 Nov 2026 09:05:00 +0000`, as the 2010 API writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rfc2822(pub(crate) Millis);

/// `2026-11-24T09:05:00Z`, as v1 and v2 write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Iso8601(pub(crate) Millis);

impl fmt::Display for Rfc2822 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let at = civil(self.0);
        let weekday = usize::from(at.weekday().to_sunday_zero_offset().unsigned_abs());
        let month = usize::from(at.month().unsigned_abs()) - 1;
        write!(
            f,
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
            WEEKDAYS[weekday],
            at.day(),
            MONTHS[month],
            at.year(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }
}

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = civil(self.0);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }
}

impl Serialize for Rfc2822 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Iso8601 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// UTC, as a calendar and a clock show it. An instant out of the calendar's range shows as its end.
fn civil(at_ms: Millis) -> DateTime {
    match Timestamp::from_millisecond(at_ms) {
        Ok(timestamp) => Offset::UTC.to_datetime(timestamp),
        Err(_) => EPOCH.saturating_add(SignedDuration::from_millis(at_ms)),
    }
}

/// Years have four digits. An earlier one would have a sign, and is a slip of whoever wrote it.
const YEAR_0: DateTime = DateTime::constant(0, 1, 1, 0, 0, 0, 0);

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The instant at which clocks of UTC show this.
fn utc_ms(at: DateTime) -> Option<Millis> {
    Millis::try_from(at.duration_since(EPOCH).as_millis()).ok()
}

/// A date or time that a caller gave, as the span of time it names: a day or a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start_ms: Millis,
    /// The first instant after it.
    pub(crate) end_ms: Millis,
}

impl Span {
    /// It names a whole day.
    pub(crate) fn is_day(self) -> bool {
        self.end_ms - self.start_ms == DAY_MS
    }

    /// Reads `2026-11-24` (the whole UTC day), ISO 8601 with any offset or none (then UTC), or
    /// RFC 2822.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(day) = day(text) {
            return Some(day);
        }
        let at_ms = iso8601_ms(text).or_else(|| rfc2822_ms(text))?;
        let start_ms = at_ms.div_euclid(SECOND_MS) * SECOND_MS;
        let second = Self {
            start_ms,
            end_ms: start_ms + SECOND_MS,
        };
        (start_ms >= utc_ms(YEAR_0)?).then_some(second)
    }

    /// The UTC day it begins, if it is midnight: SDKs send a date as `2026-11-24T00:00:00Z`.
    pub(crate) fn widened_to_day(self) -> Self {
        if self.start_ms.rem_euclid(DAY_MS) == 0 {
            Self {
                start_ms: self.start_ms,
                end_ms: self.start_ms + DAY_MS,
            }
        } else {
            self
        }
    }
}

fn day(text: &str) -> Option<Span> {
    // The length keeps out the datetimes that a lenient date parser takes for dates.
    if text.len() != "2026-11-24".len() {
        return None;
    }
    let date: Date = text.parse().ok()?;
    let start_ms = utc_ms(date.at(0, 0, 0, 0))?;
    Some(Span {
        start_ms,
        end_ms: start_ms + DAY_MS,
    })
}

/// Without an offset, UTC is meant. The name of a time zone alone is not looked up.
fn iso8601_ms(text: &str) -> Option<Millis> {
    let pieces = temporal::Pieces::parse(text).ok()?;
    let local = pieces
        .date()
        .to_datetime(pieces.time().unwrap_or(Time::MIN));
    let ahead_s = match pieces.to_numeric_offset() {
        Some(offset) => offset.seconds(),
        None if pieces.time_zone_annotation().is_some() => return None,
        None => 0,
    };
    Some(utc_ms(local)? - Millis::from(ahead_s) * SECOND_MS)
}

fn rfc2822_ms(text: &str) -> Option<Millis> {
    let read = |text: &str| Some(rfc2822::parse(text).ok()?.timestamp().as_millisecond());
    // The calendar repeats, weekdays and all, after 400 years.
    let earlier = || read(&text.replacen(" 9999 ", " 9599 ", 1));
    read(text).or_else(|| Some(earlier()? + 146_097 * DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tue, 24 Nov 2026 09:05:00 UTC, and a fraction that never shows.
    const AT_MS: Millis = 1_795_511_100_529;

    /// 9999-12-31.
    const LAST_DAY_MS: Millis = 253_402_214_400_000;

    #[test]
    fn dates_have_whole_seconds() {
        assert_eq!(
            Rfc2822(AT_MS).to_string(),
            "Tue, 24 Nov 2026 09:05:00 +0000"
        );
        assert_eq!(Iso8601(AT_MS).to_string(), "2026-11-24T09:05:00Z");
        assert_eq!(Rfc2822(0).to_string(), "Thu, 01 Jan 1970 00:00:00 +0000");
        for (at_ms, shown) in [
            (LAST_DAY_MS, "9999-12-31T00:00:00Z"),
            (LAST_DAY_MS + DAY_MS, "9999-12-31T23:59:59Z"),
            (Millis::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Iso8601(at_ms).to_string(), shown);
        }
    }

    #[test]
    fn every_spelling_of_one_second_is_the_same() {
        let second = Span {
            start_ms: 1_795_511_100_000,
            end_ms: 1_795_511_101_000,
        };
        for text in [
            "2026-11-24T09:05:00Z",
            "2026-11-24T09:05:00.529Z",
            "2026-11-24T10:05:00+01:00",
            "2026-11-24T04:05:00-05:00",
            "2026-11-24 09:05:00Z",
            "2026-11-24T09:05:00",
            "Tue, 24 Nov 2026 09:05:00 +0000",
            "Tue, 24 Nov 2026 10:05:00 +0100",
            " 24 Nov 2026 09:05:00 GMT ",
        ] {
            assert_eq!(Span::parse(text), Some(second), "{text}");
        }
    }

    #[test]
    fn a_bare_date_is_the_whole_utc_day() {
        let day = Span {
            start_ms: 1_795_478_400_000,
            end_ms: 1_795_564_800_000,
        };
        assert_eq!(Span::parse("2026-11-24"), Some(day));
        let midnight = Span::parse("2026-11-24T00:00:00Z").unwrap();
        assert_eq!(midnight.widened_to_day(), day);
        let noon = Span::parse("2026-11-24T12:00:00Z").unwrap();
        assert_eq!(noon.widened_to_day(), noon);
    }

    #[test]
    fn the_calendar_is_read_to_its_end() {
        let last_day = Span {
            start_ms: LAST_DAY_MS,
            end_ms: LAST_DAY_MS + DAY_MS,
        };
        let last_second = Span {
            start_ms: LAST_DAY_MS + DAY_MS - SECOND_MS,
            end_ms: LAST_DAY_MS + DAY_MS,
        };
        for (text, expected) in [
            ("9999-12-31", last_day),
            ("9999-12-31T23:59:59Z", last_second),
            ("9999-12-31T23:59:59", last_second),
            ("9999-12-31T22:59:59-01:00", last_second),
            ("9999-12-31T23:59:59.999Z", last_second),
            ("Fri, 31 Dec 9999 23:59:59 +0000", last_second),
        ] {
            assert_eq!(Span::parse(text), Some(expected), "{text}");
        }
        // An offset may lead beyond the end.
        assert!(Span::parse("9999-12-31T23:59:59-23:00").is_some());
    }

    #[test]
    fn the_calendar_begins_with_the_year_0() {
        let first_second = Span {
            start_ms: -62_167_219_200_000,
            end_ms: -62_167_219_199_000,
        };
        assert_eq!(Span::parse("0000-01-01T00:00:00Z"), Some(first_second));
        assert_eq!(
            Span::parse("0000-01-01").map(|day| day.start_ms),
            Some(first_second.start_ms)
        );
        for before in [
            "-000001-12-31",
            "-000001-12-31T23:59:59Z",
            "-009999-01-01T00:00:00+23:00",
            "-002026-11-24T09:05:00Z",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert_eq!(Span::parse(before), None, "{before}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-11-24T25:00:00Z",
            "24/11/2026",
            "1795511100",
            "10000-01-01",
            "2026-11-24T09:05:00[Europe/Rome]",
            "Mon, 31 Dec 9999 23:59:59 +0000",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
