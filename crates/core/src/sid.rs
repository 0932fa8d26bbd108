//! SIDs: two letters and 32 hexadecimal digits, one type per prefix.
//!
//! The digits are a UUIDv7, so SIDs sort by creation and paging by SID is paging by time. Its bits,
//! from the top: 48 of milliseconds, the version (7), 12 and then (after the two variant bits) 8
//! more of a sequence that ascends within the millisecond, and 54 random bits that make the SID
//! unguessable. Milliseconds and sequence alone already order and identify an id within one store:
//! [`Id::key`] packs them into the 64-bit row key.

use std::fmt;
use std::str::FromStr;

use crate::clock::Millis;
use crate::serde_as_text;

/// Bits of the sequence within one millisecond.
pub const SEQUENCE_BITS: u32 = 20;
const MS_BITS: u32 = 43;

/// The 128 bits behind a SID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u128);

impl Id {
    /// Composes an id. `sequence` keeps its low 20 bits, `random` its low 54.
    pub fn new(at_ms: Millis, sequence: u32, random: u64) -> Self {
        let ms = u128::from(at_ms.max(0).unsigned_abs() & 0xFFFF_FFFF_FFFF);
        let high = u128::from((sequence >> 8) & 0xFFF);
        let low = u128::from(sequence & 0xFF);
        let random = u128::from(random & ((1 << 54) - 1));
        Self(ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << 54 | random)
    }

    /// Smaller than every id that is made.
    pub const MIN: Self = Self(0);

    /// The place just before it: of all ids that are made, it is the first to come after this.
    #[must_use]
    pub fn before(self) -> Self {
        match self.key() {
            0 => Self::MIN,
            key => Self::from_key(key - 1, i64::MAX),
        }
    }

    pub fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    pub fn as_u128(self) -> u128 {
        self.0
    }

    /// When it was made, in milliseconds since the Unix epoch.
    pub fn created_ms(self) -> Millis {
        i64::try_from(self.0 >> 80).expect("48 bits fit an i64")
    }

    /// Milliseconds (43 bits, enough until the year 2248) and sequence (20 bits): ascending with
    /// creation, never negative, unique within one store.
    pub fn key(self) -> i64 {
        let sequence = ((self.0 >> 64) & 0xFFF) << 8 | ((self.0 >> 54) & 0xFF);
        let ms = (self.0 >> 80) & ((1 << MS_BITS) - 1);
        i64::try_from(ms << SEQUENCE_BITS | sequence).expect("63 bits fit an i64")
    }

    /// The random bits: what a guess would have to hit.
    pub fn tail(self) -> i64 {
        i64::try_from(self.0 & ((1 << 54) - 1)).expect("54 bits fit an i64")
    }

    /// Rebuilds an id from its row key and tail.
    pub fn from_key(key: i64, tail: i64) -> Self {
        let sequence = u32::try_from(key & ((1 << SEQUENCE_BITS) - 1)).expect("20 bits fit a u32");
        Self::new(key >> SEQUENCE_BITS, sequence, tail.unsigned_abs())
    }

    /// The smallest row key an id made at `at_ms` can have. Keys have 43 bits for the milliseconds: any
    /// instant after those is the last of them.
    pub fn first_key_at(at_ms: Millis) -> i64 {
        at_ms.clamp(0, (1 << MS_BITS) - 1) << SEQUENCE_BITS
    }

    /// Reads what follows a SID's prefix. Callers may write letters and digits in either case.
    fn parse_behind(prefix: &str, text: &str) -> Option<Self> {
        let (given, digits) = text.split_at_checked(prefix.len())?;
        if !given.eq_ignore_ascii_case(prefix) {
            return None;
        }
        let is_hex = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex
            .then(|| u128::from_str_radix(digits, 16).ok().map(Self))
            .flatten()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that has the form of a SID, of whatever kind, as SIDs are printed; `None` if it has not. For who
/// compares texts that callers may write in either case.
pub fn spelled(text: &str) -> Option<String> {
    let (prefix, _) = text.split_at_checked(2)?;
    let has_prefix = prefix.bytes().all(|b| b.is_ascii_alphabetic());
    let id = Id::parse_behind(prefix, text).filter(|_| has_prefix)?;
    Some(format!("{}{id}", prefix.to_ascii_uppercase()))
}

/// A text that is not a SID of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a SID: {prefix} followed by 32 hexadecimal digits")]
pub struct InvalidSid {
    pub prefix: &'static str,
}

macro_rules! sids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Id);

        impl $name {
            pub const PREFIX: &'static str = $prefix;
        }

        impl FromStr for $name {
            type Err = InvalidSid;

            fn from_str(text: &str) -> Result<Self, InvalidSid> {
                Id::parse_behind($prefix, text)
                    .map(Self)
                    .ok_or(InvalidSid { prefix: $prefix })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        serde_as_text! {
            $name = str::parse;
        }
    )*};
}

sids! {
    AccountSid = "AC";
    KeySid = "SK";
    ServiceSid = "MG";
    PhoneNumberSid = "PN";
    ShortCodeSid = "SC";
    AlphaSenderSid = "AI";
    /// A bundle of callback URLs.
    ApplicationSid = "AP";
    AlertSid = "NO";
    /// Ours: an alpha sender's registration in a country.
    RegisteredSenderSid = "XR";
    /// Ours: an entry of the opt-out list.
    OptOutSid = "XO";
    /// Ours: a file of opt-outs that is being read in.
    OptOutImportSid = "XI";
    /// A service's own keywords. Its digits are the service's.
    OptOutConfigurationSid = "OO";
    /// A sender of another channel than SMS, such as WhatsApp.
    ChannelSenderSid = "XE";
    /// A campaign registered for US A2P traffic.
    CampaignSid = "QE";
    /// A brand registered for US A2P traffic.
    BrandSid = "BN";
    /// A customer profile or another bundle of the trust hub.
    BundleSid = "BU";
}

/// The SID of a message: `SM`, or `MM` when it carries media.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageSid {
    // First, so that the derived order is the order of creation.
    pub id: Id,
    pub kind: MessageKind,
}

/// What a message is carried as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    Sms,
    Mms,
}

impl MessageKind {
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Sms => "SM",
            Self::Mms => "MM",
        }
    }
}

impl FromStr for MessageSid {
    type Err = InvalidSid;

    fn from_str(text: &str) -> Result<Self, InvalidSid> {
        for kind in [MessageKind::Sms, MessageKind::Mms] {
            if let Some(id) = Id::parse_behind(kind.prefix(), text) {
                return Ok(Self { id, kind });
            }
        }
        Err(InvalidSid { prefix: "SM or MM" })
    }
}

impl fmt::Display for MessageSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.prefix(), self.id)
    }
}

impl fmt::Debug for MessageSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_then_sequence() {
        let a = Id::new(1_000, 1, u64::MAX);
        let b = Id::new(1_000, 0xF_FFFF, 0);
        let c = Id::new(1_001, 0, 0);
        assert!(a < b && b < c);
        assert!(a.key() < b.key() && b.key() < c.key());
        assert_eq!(c.key(), Id::first_key_at(1_001));
        for far_ms in [1 << 43, 1 << 44, Millis::MAX] {
            assert!(Id::first_key_at(far_ms) > c.key());
        }
        assert_eq!(Id::first_key_at(Millis::MIN), 0);
    }

    #[test]
    fn a_key_and_a_tail_make_the_id_again() {
        let id = Id::new(1_795_000_000_123, 0xABCDE, 0x1F_FFFF_FFFF_1234);
        assert_eq!(Id::from_key(id.key(), id.tail()), id);
        assert_eq!(id.created_ms(), 1_795_000_000_123);
    }

    #[test]
    fn an_id_is_a_version_7_uuid() {
        let text = Id::new(1_795_000_000_123, 0xABCDE, 7).to_string();
        assert_eq!(&text[12..13], "7");
        assert!(matches!(&text[16..17], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn sids_accept_either_case_and_print_lower_case_digits() {
        for text in [
            "AC0123456789ABCDEF0123456789abcdef",
            "AC0123456789abcdef0123456789abcdef",
            "ac0123456789abcdef0123456789abcdef",
            "aC0123456789ABCDEF0123456789ABCDEF",
        ] {
            let sid: AccountSid = text.parse().unwrap();
            assert_eq!(sid.to_string(), "AC0123456789abcdef0123456789abcdef");
        }
        for text in [
            "MG0123456789abcdef0123456789abcdef",
            "AC+123456789abcdef0123456789abcdef",
            "AC0123456789abcdef0123456789abcde",
            "AC0123456789abcdef0123456789abcdef0",
            "A",
            "ÄC0123456789abcdef0123456789abcdef",
            "",
        ] {
            assert!(text.parse::<AccountSid>().is_err(), "{text}");
        }
        let sid: MessageSid = "mm0123456789ABCDEF0123456789abcdef".parse().unwrap();
        assert_eq!(sid.to_string(), "MM0123456789abcdef0123456789abcdef");
    }

    #[test]
    fn a_sid_of_any_kind_is_spelled_as_it_is_printed() {
        let printed = "MG0123456789abcdef0123456789abcdef";
        for text in [
            printed,
            "mg0123456789ABCDEF0123456789abcdef",
            "Mg0123456789abcdef0123456789ABCDEF",
        ] {
            assert_eq!(spelled(text).as_deref(), Some(printed), "{text}");
        }
        for text in [
            "",
            "MG",
            "Messages",
            "120123456789abcdef0123456789abcdef",
            "MG0123456789abcdef0123456789abcde",
            "MG0123456789abcdef0123456789abcdeg",
            "MG0123456789abcdef0123456789abcdef.json",
            "+14155550199",
        ] {
            assert_eq!(spelled(text), None, "{text}");
        }
    }

    #[test]
    fn a_message_sid_knows_its_kind() {
        let sid: MessageSid = "MM0123456789abcdef0123456789abcdef".parse().unwrap();
        assert_eq!(sid.kind, MessageKind::Mms);
        assert_eq!(sid.to_string(), "MM0123456789abcdef0123456789abcdef");
    }
}
