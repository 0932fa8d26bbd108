//! Text on its way to a handset, and back: alphabet, smart encoding, segments.
//!
//! An outbound body comes here last, when links are shortened and the sender is known:
//! [`smart_encode`] may replace look-alikes, [`count_segments`] chooses the alphabet and says what the
//! message costs. A carrier then cuts the same text with [`split`] and turns each segment into octets
//! with [`gsm7`] or [`ucs2`]; inbound octets come back through the same two modules.
//!
//! Four counts are kept apart by name: code points (`char`), septets, UTF-16 units and octets.
//! The rules and their reasons are in `docs/encoding.md`.

pub mod gsm7;
mod segment;
mod smart_encoding;
pub mod ucs2;
mod utf16;

pub use segment::{HeaderSize, Segmentation, count_segments, split};
pub use smart_encoding::smart_encode;
pub use utf16::Utf16Text;

/// More segments no message has on the air: their number is an octet.
pub const SEGMENTS_MAX: u16 = 255;

/// The alphabet of a whole message (never of one segment alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// The GSM 7-bit default alphabet with its extension table (3GPP TS 23.038, 6.2.1).
    Gsm7,
    /// UTF-16, most significant octet first. The standard says UCS-2; handsets show surrogate pairs.
    Ucs2,
}

impl Encoding {
    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }

    /// GSM-7 when every code point is in that alphabet, UCS-2 otherwise. Empty text is GSM-7.
    pub fn of(text: &str) -> Self {
        if gsm7::septet_count(text).is_some() {
            Self::Gsm7
        } else {
            Self::Ucs2
        }
    }
}
