//! Phone numbers in E.164.

use std::fmt;

/// An E.164 number: `+` and 7 to 15 digits, kept as the number those digits spell.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct PhoneNumber(u64);

impl PhoneNumber {
    /// Placeholder until the numbering plan is in: digits only.
    pub fn parse(text: &str) -> Result<Self, ()> {
        text.trim_start_matches('+')
            .parse()
            .map(Self)
            .map_err(|_| ())
    }

    /// The digits without the plus sign, as one number.
    pub fn digits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}
