//! Senders: every identity a message can come from.

use std::fmt;

use crate::phone_number::PhoneNumber;
use crate::serde_as_text;

/// How a sender appears on the wire and in `From`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SenderAddress {
    /// A long code or toll-free number.
    Number(PhoneNumber),
    ShortCode(ShortCode),
    Alpha(AlphaSenderId),
    /// The same digits may be an SMS number as well, which has a queue and a pace of its own.
    WhatsApp(PhoneNumber),
}

/// What an address of WhatsApp begins with, as a sender and as a recipient.
pub const WHATSAPP_PREFIX: &str = "whatsapp:";

/// The phone number in an address of either channel: `+14155550101` or `whatsapp:+14155550101`.
pub fn number_of(address: &str) -> Option<PhoneNumber> {
    let digits = address.strip_prefix(WHATSAPP_PREFIX).unwrap_or(address);
    PhoneNumber::parse(digits).ok()
}

impl SenderAddress {
    /// Reads the form that [`Display`](fmt::Display) writes: `+14155550101`, `55501`, `ACME` or
    /// `whatsapp:+14155550101`.
    pub fn parse(text: &str) -> Option<Self> {
        // An alpha sender may begin with a plus sign too, and has a letter.
        if text.starts_with('+')
            && let Ok(number) = PhoneNumber::parse(text)
        {
            return Some(Self::Number(number));
        }
        if let Some(number) = text.strip_prefix(WHATSAPP_PREFIX) {
            return PhoneNumber::parse(number).ok().map(Self::WhatsApp);
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
            Self::WhatsApp(number) => write!(f, "{WHATSAPP_PREFIX}{number}"),
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

    /// Reads one that a request names. A space is neither first nor last (ours: a handset would not show
    /// it, so that two senders looked alike); stores from before have some.
    pub fn parse_new(text: &str) -> Option<Self> {
        Self::parse(text).filter(|id| id.0.trim_ascii().len() == id.0.len())
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

serde_as_text! {
    SenderAddress = |text| SenderAddress::parse(text).ok_or("not a sender's address");
    ShortCode = |text| ShortCode::parse(text).ok_or("not a short code");
    AlphaSenderId = |text| AlphaSenderId::parse(text).ok_or("not an alphanumeric sender id");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for (text, is_address) in [
            ("+14155550101", true),
            ("55501", true),
            ("ACME", true),
            ("whatsapp:+14155550101", true),
            ("whatsapp:ACME", false),
            ("whatsapp:", false),
            ("WhatsApp:+14155550101", false),
            ("rcs:agent", false),
            ("+ACME", true),
            ("+1A", true),
            ("+1", false),
            ("A & B-C_D", true),
            // None that is made now, and stores have some.
            (" ACME", true),
            ("ACME ", true),
        ] {
            let address = SenderAddress::parse(text);
            let written = address.map(|address| address.to_string());
            assert_eq!(written.as_deref(), is_address.then_some(text), "{text}");
        }
    }

    /// What is stored of a sender is its text, which must be read again.
    #[test]
    fn an_alpha_sender_is_nothing_else() {
        for text in [
            "ACME",
            "+ACME",
            "+1415555A",
            "1A",
            "A1",
            "A B",
            "4155550101A",
            "&A",
            "-A",
        ] {
            let id = AlphaSenderId::parse(text).map(SenderAddress::Alpha);
            assert!(id.is_some(), "{text}");
            assert_eq!(SenderAddress::parse(text), id, "{text}");
        }
        for text in [
            "",
            "123",
            "+12",
            " ",
            "ABCDEFGHIJKL",
            "Ä",
            "A\tB",
            "A.B",
            "\nA",
        ] {
            assert_eq!(AlphaSenderId::parse(text), None, "{text:?}");
        }
        // Taken formerly.
        for text in [" A", "A ", " A B "] {
            assert_eq!(AlphaSenderId::parse_new(text), None, "{text:?}");
            let stored = serde_json::to_value(SenderAddress::parse(text)).unwrap();
            assert_eq!(stored, text);
            let read: SenderAddress = serde_json::from_value(stored).unwrap();
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn a_number_is_found_behind_its_channel() {
        let number = PhoneNumber::parse("+14155550101").ok();
        for (address, expected) in [
            ("+14155550101", number),
            ("whatsapp:+14155550101", number),
            ("whatsapp:whatsapp:+14155550101", None),
            ("rcs:+14155550101", None),
        ] {
            assert_eq!(number_of(address), expected, "{address}");
        }
    }
}
