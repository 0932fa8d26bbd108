//! Senders: every identity a message can come from.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::phone_number::PhoneNumber;

/// How a sender appears on the wire and in `From`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SenderAddress {
    /// A long code or toll-free number.
    Number(PhoneNumber),
    ShortCode(ShortCode),
    Alpha(AlphaSenderId),
}

impl SenderAddress {
    /// Reads the form that [`Display`](fmt::Display) writes: `+14155550101`, `55501` or `ACME`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with('+') {
            return PhoneNumber::parse(text).ok().map(Self::Number);
        }
        ShortCode::parse(text)
            .map(Self::ShortCode)
            .or_else(|| AlphaSenderId::parse(text).map(Self::Alpha))
    }
}

impl fmt::Display for SenderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::ShortCode(code) => code.fmt(f),
            Self::Alpha(id) => id.fmt(f),
        }
    }
}

/// 3 to 8 digits, valid in one country.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortCode(Box<str>);

impl ShortCode {
    pub fn parse(text: &str) -> Option<Self> {
        let is_short_code =
            (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_short_code.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 1 to 11 ASCII letters, digits, space and `+ - _ &`, with at least one letter (api.md 8.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlphaSenderId(Box<str>);

impl AlphaSenderId {
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'+' | b'-' | b'_' | b'&');
        let is_alpha = (1..=11).contains(&text.len())
            && text.bytes().all(is_allowed)
            && text.bytes().any(|b| b.is_ascii_alphabetic());
        is_alpha.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlphaSenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text types whose stored form is what they print.
macro_rules! serde_as_text {
    ($($name:ident: $what:literal;)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("not ", $what)))
            }
        }
    )*};
}

serde_as_text! {
    SenderAddress: "a sender's address";
    ShortCode: "a short code";
    AlphaSenderId: "an alphanumeric sender id";
}
