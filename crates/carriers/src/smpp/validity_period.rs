//! The time formats of `validity_period` (SMPP v3.4, 7.1.1).
//!
//! The period that Postrider enforces covers its own queue; passing the rest on is a setting, and
//! off by default.

use std::fmt::Write as _;

use serde::Deserialize;

/// Whether and how the remaining lifetime goes to the carrier (`validity_period`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidityForm {
    #[default]
    None,
    Relative,
    Absolute,
}

/// Appends the 16 characters, or nothing. `now_ms` and `deadline_ms` are milliseconds since the
/// Unix epoch.
pub fn write(form: ValidityForm, now_ms: i64, deadline_ms: i64, out: &mut String) {
    match form {
        ValidityForm::None => {}
        ValidityForm::Relative => relative((deadline_ms - now_ms).max(0) / 1_000, out),
        ValidityForm::Absolute => absolute(deadline_ms.max(now_ms), out),
    }
}

/// `YYMMDDhhmmss000R`. Years and months stay zero: their length is a matter of opinion.
fn relative(seconds: i64, out: &mut String) {
    let seconds = seconds.min(99 * 86_400);
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    // Writing to a String cannot fail, here and below.
    let _ = write!(out, "0000{days:02}{hours:02}{minutes:02}{seconds:02}000R");
}

/// `YYMMDDhhmmsstnnp` in UTC.
fn absolute(deadline_ms: i64, out: &mut String) {
    let Ok(timestamp) = jiff::Timestamp::from_millisecond(deadline_ms) else {
        return;
    };
    let civil = jiff::tz::Offset::UTC.to_datetime(timestamp);
    let _ = write!(
        out,
        "{:02}{:02}{:02}{:02}{:02}{:02}{}00+",
        civil.year().rem_euclid(100),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second(),
        civil.subsec_nanosecond() / 100_000_000,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_empty_or_sixteen_characters() {
        let now_ms = 1_790_000_000_000;
        let hour_ms = 3_600_000;
        for (form, lifetime_ms, expected) in [
            (ValidityForm::None, hour_ms, ""),
            (ValidityForm::Relative, 4 * hour_ms, "000000040000000R"),
            (
                ValidityForm::Relative,
                36_000_000 + 61_000,
                "000000100101000R",
            ),
            (ValidityForm::Relative, -5, "000000000000000R"),
            (
                ValidityForm::Relative,
                2_000 * 24 * hour_ms,
                "000099000000000R",
            ),
            (
                ValidityForm::Absolute,
                4 * hour_ms + 700,
                "260921181320700+",
            ),
        ] {
            let mut text = String::new();
            write(form, now_ms, now_ms + lifetime_ms, &mut text);
            assert_eq!(text, expected);
        }
    }
}
