//! UCS-2 as carriers speak it: UTF-16, most significant octet first (SMPP data coding 0x08).
//!
//! Decoding refuses nothing: what cannot be text shows as U+FFFD, because an inbound message is
//! never dropped for its octets.

/// UTF-16 units that a text takes: 2 for each code point beyond U+FFFF, 1 for any other.
pub fn unit_count(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Appends two octets for each UTF-16 unit of the text.
pub fn encode(text: &str, octets: &mut Vec<u8>) {
    octets.reserve(text.len() * 2);
    octets.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
}

/// The text of the octets. A lone surrogate and an odd last octet show U+FFFD.
pub fn decode(octets: &[u8]) -> String {
    char::decode_utf16(units(octets))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The UTF-16 units of the octets, lone surrogates as they are. An odd last octet is U+FFFD.
pub fn units(octets: &[u8]) -> impl Iterator<Item = u16> {
    let (pairs, odd) = octets.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    units.chain(odd.iter().map(|_| 0xFFFD))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn broken_octets_show_the_replacement_character() {
        let table: &[(&[u8], &str)] = &[
            (b"\x04\x16", "Ж"),
            (b"\xD8\x3D\xDE\x00", "😀"),
            (b"\xD8\x3D\x00A", "\u{FFFD}A"),
            (b"\xDE\x00\xD8\x3D", "\u{FFFD}\u{FFFD}"),
            (b"\x00A\x00", "A\u{FFFD}"),
            (b"", ""),
        ];
        for (octets, text) in table {
            assert_eq!(decode(octets), *text, "{octets:02X?}");
        }
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(text: String) {
            let mut octets = Vec::new();
            encode(&text, &mut octets);
            prop_assert_eq!(octets.len(), unit_count(&text) * 2);
            prop_assert_eq!(decode(&octets), text);
        }
    }
}
