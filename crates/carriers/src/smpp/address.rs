//! Addresses on the wire: type of number, numbering plan, form (SMPP v3.4, 5.2.5 to 5.2.9).
//!
//! Outbound, each kind of sender has its type and plan, and numbers go out as digits without a plus
//! sign unless the carrier wants one. Inbound, whatever the carrier wrote becomes the form the rest
//! of Postrider knows: `+` and digits, a short code, or text. Rewrite rules bend both ways.

use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::text::gsm7::{self, FillBits};
use regex::Regex;
use smallvec::SmallVec;

use super::pdu::Address;

/// Type of number of an international number.
pub const TON_INTERNATIONAL: u8 = 1;
/// Type of number of a national number.
pub const TON_NATIONAL: u8 = 2;
/// Type of number of an alphanumeric address.
pub const TON_ALPHANUMERIC: u8 = 5;

/// Type of number and numbering plan of one kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberType {
    pub ton: u8,
    pub npi: u8,
}

/// How one carrier wants and writes its addresses.
#[derive(Clone, Debug)]
pub struct AddressPlan {
    pub long_code: NumberType,
    pub short_code: NumberType,
    pub alpha: NumberType,
    pub destination: NumberType,
    /// Numbers keep their plus sign.
    pub keeps_plus: bool,
    pub rewrite_source: Rewrites,
    pub rewrite_destination: Rewrites,
    pub rewrite_inbound_source: Rewrites,
    pub rewrite_inbound_destination: Rewrites,
    /// Country calling code that completes inbound addresses of the national type.
    pub country_calling_code: Option<Box<str>>,
    /// Inbound alphanumeric addresses are packed septets.
    pub has_packed_alpha: bool,
}

impl Default for AddressPlan {
    fn default() -> Self {
        let e164 = NumberType {
            ton: TON_INTERNATIONAL,
            npi: 1,
        };
        Self {
            long_code: e164,
            short_code: NumberType { ton: 3, npi: 0 },
            alpha: NumberType {
                ton: TON_ALPHANUMERIC,
                npi: 0,
            },
            destination: e164,
            keeps_plus: false,
            rewrite_source: Rewrites::default(),
            rewrite_destination: Rewrites::default(),
            rewrite_inbound_source: Rewrites::default(),
            rewrite_inbound_destination: Rewrites::default(),
            country_calling_code: None,
            has_packed_alpha: false,
        }
    }
}

/// Which end of an inbound message an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Source,
    Destination,
}

/// An address ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireAddress {
    number_type: NumberType,
    octets: SmallVec<[u8; 24]>,
}

impl WireAddress {
    pub fn as_address(&self) -> Address<'_> {
        Address {
            ton: self.number_type.ton,
            npi: self.number_type.npi,
            octets: &self.octets,
        }
    }
}

impl AddressPlan {
    /// `None` for a sender of another channel than SMS, which has no form here.
    pub fn source(&self, sender: &SenderAddress) -> Option<WireAddress> {
        let mut address = match sender {
            SenderAddress::Number(number) => self.number(self.long_code, *number),
            SenderAddress::ShortCode(code) => verbatim(self.short_code, code.as_str()),
            SenderAddress::Alpha(id) => verbatim(self.alpha, id.as_str()),
            SenderAddress::WhatsApp(_) => return None,
        };
        self.rewrite_source.apply(&mut address.octets);
        Some(address)
    }

    pub fn destination(&self, recipient: PhoneNumber) -> WireAddress {
        let mut address = self.number(self.destination, recipient);
        self.rewrite_destination.apply(&mut address.octets);
        address
    }

    fn number(&self, number_type: NumberType, number: PhoneNumber) -> WireAddress {
        let mut octets = SmallVec::new();
        if self.keeps_plus {
            octets.push(b'+');
        }
        push_digits(number.digits(), &mut octets);
        WireAddress {
            number_type,
            octets,
        }
    }

    /// The text form of an address that a carrier sent.
    pub fn inbound(&self, address: Address<'_>, end: End) -> Box<str> {
        if self.has_packed_alpha
            && address.ton == TON_ALPHANUMERIC
            && address.octets.iter().any(|octet| *octet >= 0x80)
        {
            return gsm7::decode(&gsm7::unpack(address.octets, FillBits::NONE)).into();
        }
        let mut text: String = address.octets.iter().copied().map(char::from).collect();
        match end {
            End::Source => self.rewrite_inbound_source.apply_to_text(&mut text),
            End::Destination => self.rewrite_inbound_destination.apply_to_text(&mut text),
        }
        let text = text.trim();
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return text.into();
        }
        if text.starts_with('+') {
            return text.into();
        }
        match (address.ton, &self.country_calling_code) {
            (TON_ALPHANUMERIC, _) => text.into(),
            (TON_NATIONAL, Some(calling_code)) => {
                format!("+{calling_code}{}", digits.trim_start_matches('0')).into()
            }
            // No country code starts with 0: what stands there is a dialling prefix.
            (TON_INTERNATIONAL, _) => format!("+{}", digits.trim_start_matches('0')).into(),
            _ if digits.len() >= 10 => format!("+{}", digits.trim_start_matches('0')).into(),
            _ => text.into(),
        }
    }
}

/// A number in decimal, without the detour over a string: this runs twice for each segment.
fn push_digits(mut number: u64, octets: &mut SmallVec<[u8; 24]>) {
    let start = octets.len();
    loop {
        octets.push(b'0' + (number % 10).to_le_bytes()[0]);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    octets[start..].reverse();
}

fn verbatim(number_type: NumberType, text: &str) -> WireAddress {
    WireAddress {
        number_type,
        octets: SmallVec::from_slice(text.as_bytes()),
    }
}

/// Ordered rewrite rules; each one sees the result of those before it.
#[derive(Clone, Debug, Default)]
pub struct Rewrites(Vec<(Regex, Box<str>)>);

impl Rewrites {
    pub fn new(rules: Vec<(Regex, Box<str>)>) -> Self {
        Self(rules)
    }

    fn apply(&self, octets: &mut SmallVec<[u8; 24]>) {
        if self.0.is_empty() {
            return;
        }
        let mut text = String::from_utf8_lossy(octets).into_owned();
        self.apply_to_text(&mut text);
        *octets = SmallVec::from_slice(text.as_bytes());
    }

    fn apply_to_text(&self, text: &mut String) {
        for (pattern, replacement) in &self.0 {
            if let std::borrow::Cow::Owned(rewritten) = pattern.replace(text, &**replacement) {
                *text = rewritten;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::sender::{AlphaSenderId, ShortCode};

    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    fn rules(pattern: &str, replacement: &str) -> Rewrites {
        Rewrites::new(vec![(Regex::new(pattern).unwrap(), replacement.into())])
    }

    /// One row per line of carriers.md 2.4.
    #[test]
    fn each_kind_of_sender_has_its_type_plan_and_form() {
        let plan = AddressPlan::default();
        let short_code = SenderAddress::ShortCode(ShortCode::parse("55501").unwrap());
        let alpha = SenderAddress::Alpha(AlphaSenderId::parse("ACME").unwrap());
        for (sender, ton, npi, octets) in [
            (
                SenderAddress::Number(number("+14155550101")),
                1,
                1,
                &b"14155550101"[..],
            ),
            (short_code, 3, 0, b"55501"),
            (alpha, 5, 0, b"ACME"),
        ] {
            let address = plan.source(&sender).unwrap();
            assert_eq!(address.as_address(), Address { ton, npi, octets });
        }
        let destination = plan.destination(number("+447700900123"));
        let expected = Address {
            ton: 1,
            npi: 1,
            octets: b"447700900123",
        };
        assert_eq!(destination.as_address(), expected);
    }

    #[test]
    fn a_carrier_may_want_the_plus_sign_or_the_national_form() {
        let plan = AddressPlan {
            keeps_plus: true,
            ..AddressPlan::default()
        };
        let address = plan.destination(number("+447700900123"));
        assert_eq!(address.as_address().octets, b"+447700900123");

        let rewrite_destination = rules("^44", "0");
        let plan = AddressPlan {
            rewrite_destination,
            ..AddressPlan::default()
        };
        let address = plan.destination(number("+447700900123"));
        assert_eq!(address.as_address().octets, b"07700900123");
    }

    #[test]
    fn inbound_addresses_take_one_form() {
        let country_calling_code = Some("44".into());
        let plan = AddressPlan {
            country_calling_code,
            ..AddressPlan::default()
        };
        for (ton, octets, expected) in [
            (1, &b"447700900123"[..], "+447700900123"),
            (1, b"00447700900123", "+447700900123"),
            (1, b"+447700900123", "+447700900123"),
            (0, b"447700900123", "+447700900123"),
            (0, b"55501", "55501"),
            (3, b"55501", "55501"),
            (2, b"07700900123", "+447700900123"),
            (5, b"ACME", "ACME"),
            (5, b"1234567890123", "1234567890123"),
            (0, b"INFO 24", "INFO 24"),
            (5, b"Caf\xE9", "Café"),
            (1, b"", ""),
            (
                0,
                b"1234567890123456789012345",
                "+1234567890123456789012345",
            ),
        ] {
            let address = Address {
                ton,
                npi: 1,
                octets,
            };
            assert_eq!(&*plan.inbound(address, End::Source), expected);
        }
    }

    #[test]
    fn packed_alpha_is_decoded_only_by_setting() {
        // "Hello" in packed septets.
        let address = Address {
            ton: 5,
            npi: 0,
            octets: b"\xC8\x32\x9B\xFD\x06",
        };
        let plan = AddressPlan {
            has_packed_alpha: true,
            ..AddressPlan::default()
        };
        assert_eq!(&*plan.inbound(address, End::Source), "Hello");
        assert_eq!(
            &*AddressPlan::default().inbound(address, End::Source),
            "È2\u{9B}ý\u{6}"
        );
    }
}
