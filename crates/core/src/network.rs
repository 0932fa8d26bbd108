//! Mobile networks by their E.212 codes, and lists of them.
//!
//! A network is a mobile country code and a mobile network code. The latter has two digits or three,
//! as its country decides, and sources do not agree on leading zeros: some write numbers. So codes are
//! compared as numbers, and written with three digits where that is the country's way.

use std::fmt;
use std::str::FromStr;

use crate::serde_as_text;

/// A mobile network: mobile country code and mobile network code (ITU-T E.212).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    mcc: u16,
    mnc: u16,
}

/// A text that names no network, or codes out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an MCC and an MNC such as 310-260")]
pub struct InvalidNetwork;

/// Either code has three digits at most.
const CODE_MAX: u16 = 999;

impl Network {
    pub fn new(mcc: u16, mnc: u16) -> Result<Self, InvalidNetwork> {
        if mcc > CODE_MAX || mnc > CODE_MAX {
            return Err(InvalidNetwork);
        }
        Ok(Self { mcc, mnc })
    }

    /// Both codes in digits: three, and one to three.
    pub fn of_digits(mcc: &str, mnc: &str) -> Result<Self, InvalidNetwork> {
        let mcc = read_mcc(mcc)?;
        let mnc = read_mnc(mnc)?;
        Ok(Self { mcc, mnc })
    }

    pub fn mcc(self) -> u16 {
        self.mcc
    }

    pub fn mnc(self) -> u16 {
        self.mnc
    }
}

/// Whether a country's networks have three digits: the US, Canada and Mexico.
fn has_long_mncs(mcc: u16) -> bool {
    matches!(mcc, 302 | 310..=316 | 334)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mcc, mnc } = self;
        let digits = if has_long_mncs(*mcc) { 3 } else { 2 };
        write!(f, "{mcc:03}-{mnc:0digits$}")
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (mcc, mnc) = text.split_once('-').ok_or(InvalidNetwork)?;
        Self::of_digits(mcc, mnc)
    }
}

fn read_mcc(text: &str) -> Result<u16, InvalidNetwork> {
    if text.len() != 3 {
        return Err(InvalidNetwork);
    }
    read_mnc(text)
}

fn read_mnc(text: &str) -> Result<u16, InvalidNetwork> {
    let is_code = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = is_code.then(|| text.parse().ok()).flatten();
    code.ok_or(InvalidNetwork)
}

/// One network, or all of a mobile country code: `310-260` or `310`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkPattern {
    Country(u16),
    One(Network),
}

/// A text that is no pattern of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an MCC such as 310, or an MCC and an MNC such as 310-260")]
pub struct InvalidPattern;

impl NetworkPattern {
    pub fn covers(self, network: Network) -> bool {
        match self {
            Self::Country(mcc) => mcc == network.mcc,
            Self::One(one) => one == network,
        }
    }
}

impl fmt::Display for NetworkPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(mcc) => write!(f, "{mcc:03}"),
            Self::One(network) => network.fmt(f),
        }
    }
}

impl FromStr for NetworkPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let read = if text.contains('-') {
            text.parse().map(Self::One)
        } else {
            read_mcc(text).map(Self::Country)
        };
        read.map_err(|_| InvalidPattern)
    }
}

serde_as_text! {
    NetworkPattern = str::parse;
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{Error as ValueError, StrDeserializer};

    use super::*;

    #[test]
    fn a_network_is_read_and_written() {
        for (text, written) in [
            ("310-260", Some("310-260")),
            ("310-26", Some("310-026")),
            ("310-026", Some("310-026")),
            ("262-01", Some("262-01")),
            ("262-1", Some("262-01")),
            ("262-001", Some("262-01")),
            ("405-854", Some("405-854")),
            ("001-01", Some("001-01")),
            ("310", None),
            ("310-", None),
            ("-260", None),
            ("31-260", None),
            ("3100-26", None),
            ("310-2600", None),
            ("310-+26", None),
            ("310 260", None),
            ("٣١٠-260", None),
        ] {
            let network = text.parse::<Network>().ok();
            assert_eq!(network.map(|n| n.to_string()).as_deref(), written, "{text}");
        }
        assert!(Network::new(310, 1_000).is_err());
        assert!(Network::new(1_000, 1).is_err());
    }

    #[test]
    fn a_pattern_covers_one_network_or_a_country_code() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        for (pattern, covered, other) in [
            ("310", "310-260", "311-260"),
            ("310-260", "310-260", "310-410"),
            ("262-1", "262-01", "262-10"),
        ] {
            let pattern: NetworkPattern = pattern.parse().unwrap();
            assert!(pattern.covers(network(covered)), "{pattern}");
            assert!(!pattern.covers(network(other)), "{pattern}");
            let written = pattern.to_string();
            let stored: StrDeserializer<'_, ValueError> = written.as_str().into_deserializer();
            assert_eq!(
                NetworkPattern::deserialize(stored),
                Ok(pattern),
                "{written}"
            );
        }
        for wrong in ["", "31", "3100", "310-", "310-x", "x", "310*"] {
            assert!(wrong.parse::<NetworkPattern>().is_err(), "{wrong:?}");
        }
    }
}
