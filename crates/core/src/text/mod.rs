//! Text on its way to a handset: alphabet, smart encoding, segments.

/// The alphabet of a whole message (never of one segment alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    Gsm7,
    Ucs2,
}
