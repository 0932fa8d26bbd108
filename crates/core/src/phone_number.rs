//! Phone numbers in E.164, and what the world's numbering plans say about them.
//!
//! The first station of a message: `To` and `From` arrive as text and leave as a `PhoneNumber`, or as
//! error 21211 or 21212. Parsing refuses only what no network could have assigned: a country code
//! that does not exist, or a length that its country does not use. It does *not* ask whether the
//! range is in use, for three reasons: new ranges open every week, carriers know better and answer
//! 30005, and the ranges set aside for fiction (+1 415 555 01xx, +44 7700 900xxx) must work in tests
//! and demos. What follows from the plan (premium rate, landline, toll-free) is [`PhoneNumber::kind`].
//!
//! E.164: <https://www.itu.int/rec/T-REC-E.164>; `To` formats and the error codes:
//! <https://www.twilio.com/docs/messaging/api/message-resource>.

use std::fmt;

use crate::country::Country;
use crate::nanp::{AreaCode, Assignment};
use crate::serde_as_text;

mod plan;
#[cfg(test)]
mod tests;

/// E.164 allows 15 digits, country code included.
const DIGITS_MAX: u64 = 999_999_999_999_999;
/// The shortest international numbers in use have 7 digits (+290 and +683, four of their own).
const DIGITS_MIN: u64 = 1_000_000;

/// An E.164 number: `+` and 7 to 15 digits, kept as the number those digits spell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(u64);

/// Why a text is no phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneNumberError {
    #[error("unexpected {0:?}, expected '+' and digits, such as +14155550199")]
    UnexpectedCharacter(char),
    #[error("no '+' and country code, expected E.164, such as +14155550199")]
    MissingCountryCode,
    #[error("no country has this country code")]
    UnknownCountryCode,
    #[error("{given} digits after +{calling_code}, which no number there has")]
    ImpossibleLength { calling_code: u16, given: u8 },
    #[error("more than 15 digits")]
    TooLong,
    #[error("area code {0:03}, expected one that starts with 2 to 9")]
    ImpossibleAreaCode(u16),
}

/// What kind of line a number belongs to, as far as the numbering plan tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    Mobile,
    /// A landline (error 21635). A few take texts all the same: their owner had them enabled.
    FixedLine,
    /// One plan for both, as all over +1: only the carrier knows.
    FixedLineOrMobile,
    TollFree,
    /// The caller pays extra: never a recipient (error 21268).
    PremiumRate,
    /// Shared cost, VoIP, pager, personal and company-wide numbers, voice mail.
    Other,
    /// In no range that is known to be in use, so it may be anything.
    Unknown,
}

impl PhoneNumber {
    /// Reads a number as it comes in `To` and `From`.
    ///
    /// - `+` and the country code come first; spaces, `-`, `.`, `(` and `)` may stand anywhere.
    /// - A leading space counts as `+`: that is what form decoding makes of a `+` that the client
    ///   forgot to escape.
    /// - Without either, a number is read as one of the North American plan if it can be nothing
    ///   else there: 10 digits, or 11 with the leading 1, with an area code that is in use and an
    ///   exchange that starts with 2 to 9. Twilio reads it so, and applications rely on it. All other
    ///   bare digits are refused: guessing a country would text a stranger.
    pub fn parse(text: &str) -> Result<Self, PhoneNumberError> {
        let (sign, digits) = read_digits(text)?;
        match sign {
            Sign::Plus => Self::from_international(digits),
            Sign::Space => {
                Self::from_international(digits).or_else(|error| from_national(digits).ok_or(error))
            }
            Sign::None => from_national(digits).ok_or(PhoneNumberError::MissingCountryCode),
        }
    }

    /// Reads a number as it is written in a country: with a plus sign as everywhere, without one as
    /// people there dial it, with or without the prefix for national (0 in most of the world) or
    /// international calls.
    pub fn parse_in(country: Country, text: &str) -> Result<Self, PhoneNumberError> {
        let text = text.trim();
        if text.starts_with('+') {
            return Self::parse(text);
        }
        let is_punctuation = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '/');
        if let Some(other) = text
            .chars()
            .find(|&c| !c.is_ascii_digit() && !is_punctuation(c))
        {
            return Err(PhoneNumberError::UnexpectedCharacter(other));
        }
        // Room for a prefix before the 15 digits of a number; no more than that is worth a look.
        if text.len() > 2 * 15 {
            return Err(PhoneNumberError::TooLong);
        }
        plan::digits_dialed_in(country, text)
            .ok_or(PhoneNumberError::MissingCountryCode)
            .and_then(Self::from_international)
    }

    /// Trusts digits that were once parsed, or that a carrier vouches for: 7 to 15 of them, with the
    /// country code and without asking the numbering plan.
    pub fn from_digits(digits: u64) -> Option<Self> {
        (DIGITS_MIN..=DIGITS_MAX)
            .contains(&digits)
            .then_some(Self(digits))
    }

    fn from_international(digits: u64) -> Result<Self, PhoneNumberError> {
        let number = plan::split(digits).ok_or(PhoneNumberError::UnknownCountryCode)?;
        if !number.has_possible_length() {
            return Err(PhoneNumberError::ImpossibleLength {
                calling_code: number.calling_code,
                given: number.national_digits,
            });
        }
        if number.calling_code == 1 && number.area_code().is_none() {
            return Err(PhoneNumberError::ImpossibleAreaCode(number.first_three()));
        }
        Self::from_digits(digits).ok_or(PhoneNumberError::TooLong)
    }

    /// The digits without the plus sign, as one number.
    pub fn digits(self) -> u64 {
        self.0
    }

    /// The country the number belongs to; `None` for the codes that belong to no country, such as
    /// satellite phones (+881). A number outside all known ranges belongs to the main country of its
    /// code.
    pub fn country(self) -> Option<Country> {
        let number = plan::split(self.0)?;
        match number.area_code() {
            Some(area_code) => Some(area_code.country()),
            None => number.country(),
        }
    }

    /// The area code of a geographic number of the US or Canada, the only ones that are matched by
    /// area code. Toll-free numbers and the other countries of +1 have none in this sense.
    pub fn area_code(self) -> Option<AreaCode> {
        let area_code = plan::split(self.0)?.area_code()?;
        match area_code.assignment() {
            Assignment::Geographic(Country::US | Country::CA) => Some(area_code),
            Assignment::Geographic(_)
            | Assignment::NonGeographic(_)
            | Assignment::TollFree
            | Assignment::PremiumRate
            | Assignment::Unassigned => None,
        }
    }

    /// A toll-free number of +1. The US and Canada share these, so that its owner must say whose it is;
    /// [`PhoneNumber::country`] takes it for one of the US.
    pub fn is_shared_toll_free(self) -> bool {
        self.kind() == NumberKind::TollFree && self.country() == Some(Country::US)
    }

    pub fn kind(self) -> NumberKind {
        let Some(number) = plan::split(self.0) else {
            return NumberKind::Unknown;
        };
        let Some(area_code) = number.area_code() else {
            return number.kind();
        };
        match area_code.assignment() {
            Assignment::Geographic(_) => NumberKind::FixedLineOrMobile,
            Assignment::NonGeographic(_) => NumberKind::Other,
            Assignment::TollFree => NumberKind::TollFree,
            Assignment::PremiumRate => NumberKind::PremiumRate,
            Assignment::Unassigned => NumberKind::Unknown,
        }
    }
}

/// How a text began.
enum Sign {
    Plus,
    Space,
    None,
}

fn read_digits(text: &str) -> Result<(Sign, u64), PhoneNumberError> {
    let trimmed = text.trim_start_matches(' ');
    let (sign, rest) = match trimmed.strip_prefix('+') {
        Some(rest) => (Sign::Plus, rest),
        None if trimmed.len() < text.len() => (Sign::Space, trimmed),
        None => (Sign::None, trimmed),
    };
    let mut digits = 0;
    for character in rest.chars() {
        match character {
            // No country code starts with 0, and the arithmetic must not lose one.
            '0' if digits == 0 => return Err(PhoneNumberError::MissingCountryCode),
            '0'..='9' => digits = digits * 10 + u64::from(character as u32 - u32::from('0')),
            ' ' | '-' | '.' | '(' | ')' => {}
            other => return Err(PhoneNumberError::UnexpectedCharacter(other)),
        }
        if digits > DIGITS_MAX {
            return Err(PhoneNumberError::TooLong);
        }
    }
    if digits == 0 {
        return Err(PhoneNumberError::MissingCountryCode);
    }
    Ok((sign, digits))
}

/// A number of the North American plan as it is written at home.
fn from_national(digits: u64) -> Option<PhoneNumber> {
    let number = plan::split(match digits {
        2_000_000_000..=9_999_999_999 => 10_000_000_000 + digits,
        12_000_000_000..=19_999_999_999 => digits,
        _ => return None,
    })?;
    let is_assigned = number.area_code()?.assignment() != Assignment::Unassigned;
    let exchange = number.digits / 10_000 % 1000;
    (is_assigned && exchange >= 200).then_some(PhoneNumber(number.digits))
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

// As `+` and digits, which people can read and every JSON parser keeps exact.
serde_as_text! {
    PhoneNumber = stored;
}

/// Does not ask the numbering plan: what was accepted once must stay readable when the plan changes.
fn stored(text: &str) -> Result<PhoneNumber, &'static str> {
    text.strip_prefix('+')
        .and_then(|digits| digits.parse().ok())
        .and_then(PhoneNumber::from_digits)
        .ok_or("expected '+' and 7 to 15 digits")
}
