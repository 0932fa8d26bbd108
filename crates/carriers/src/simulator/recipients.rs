//! Which handsets a rule is for: one number, or a pattern of digits.

use std::fmt;

use postrider_core::phone_number::PhoneNumber;

/// Which handsets a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    All,
    One(PhoneNumber),
    /// Numbers that begin with these digits: `+1415*`.
    Prefix(Digits),
    /// Numbers that end with these digits: `*0005`.
    Suffix(Digits),
}

/// Some digits of a phone number, leading zeros and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    value: u64,
    count: u32,
}

/// Why a text names no handsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number such as +14155550100, or a pattern such as +1415*, *0005 or *")]
pub struct RecipientsError;

impl Recipients {
    /// Reads `+14155550100`, `+1415*`, `*0005` or `*`.
    pub fn parse(text: &str) -> Result<Self, RecipientsError> {
        if text == "*" {
            return Ok(Self::All);
        }
        if let Some(suffix) = text.strip_prefix('*') {
            return Digits::parse(suffix).map(Self::Suffix);
        }
        match text.strip_suffix('*') {
            Some(prefix) => {
                let digits = prefix.strip_prefix('+').ok_or(RecipientsError)?;
                Digits::parse(digits).map(Self::Prefix)
            }
            None => PhoneNumber::parse(text)
                .map(Self::One)
                .map_err(|_| RecipientsError),
        }
    }

    pub fn contains(self, number: PhoneNumber) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == number,
            Self::Prefix(prefix) => {
                let count = count_digits(number);
                count >= prefix.count
                    && number.digits() / 10_u64.pow(count - prefix.count) == prefix.value
            }
            Self::Suffix(suffix) => {
                count_digits(number) >= suffix.count
                    && number.digits() % 10_u64.pow(suffix.count) == suffix.value
            }
        }
    }
}

fn count_digits(number: PhoneNumber) -> u32 {
    number.digits().checked_ilog10().map_or(1, |tens| tens + 1)
}

impl From<PhoneNumber> for Recipients {
    fn from(number: PhoneNumber) -> Self {
        Self::One(number)
    }
}

impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::One(number) => number.fmt(f),
            Self::Prefix(digits) => write!(f, "+{digits}*"),
            Self::Suffix(digits) => write!(f, "*{digits}"),
        }
    }
}

impl Digits {
    fn parse(text: &str) -> Result<Self, RecipientsError> {
        // E.164 has 15 digits, so neither the value nor its power of ten overflows.
        let is_digits =
            (1..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
        let value = is_digits
            .then(|| text.parse().ok())
            .flatten()
            .ok_or(RecipientsError)?;
        Ok(Self {
            value,
            count: u32::try_from(text.len()).map_err(|_| RecipientsError)?,
        })
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$}", self.value, width = self.count as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    fn recipients(text: &str) -> Recipients {
        Recipients::parse(text).unwrap()
    }

    #[test]
    fn patterns_match_whole_digits() {
        for (pattern, to, expected) in [
            ("*", "+14155550100", true),
            ("+14155550100", "+14155550100", true),
            ("+14155550100", "+14155550101", false),
            ("+1415*", "+14155550100", true),
            ("+1415*", "+14165550100", false),
            ("+14155550100*", "+14155550100", true),
            ("+141555501001*", "+14155550100", false),
            ("*0100", "+14155550100", true),
            ("*0005", "+14155550105", false),
            ("*14155550100", "+14155550100", true),
            ("*014155550100", "+14155550100", false),
        ] {
            assert_eq!(
                recipients(pattern).contains(number(to)),
                expected,
                "{pattern} {to}"
            );
            assert_eq!(recipients(pattern).to_string(), pattern);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "+",
            "**",
            "1415*",
            "*05*",
            "+1x*",
            "+1234567890123456*",
            "hello",
        ] {
            assert_eq!(Recipients::parse(text), Err(RecipientsError), "{text}");
        }
    }
}
