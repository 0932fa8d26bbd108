//! From the octets of a `deliver_sm` to text: user data header, data coding, alphabet.
//!
//! Nothing here fails. What cannot be decoded becomes U+FFFD, and the raw PDU travels along for
//! replay. Ruled by SMPP v3.4 5.2.19, 3GPP TS 23.038 section 4 (the whole octet is decoded by its
//! groups) and TS 23.040 section 9.2.3.24 (header).

use postrider_core::text::gsm7::{self, FillBits};
use postrider_core::text::{Encoding, Utf16Text, ucs2};

use super::pdu::{ShortMessage, esm_class};
use super::tlv;
use super::wire_text::Gsm7Wire;
use crate::contract::Concat;

/// What a handset wrote, as far as one PDU tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundText {
    pub text: String,
    pub encoding: Encoding,
    pub concat: Option<Concat>,
    /// Application port: the message is for a program on a phone or behind us, not for a reader.
    pub port: Option<u16>,
}

/// Decodes the text of an inbound message, wherever it is.
pub fn inbound_text(message: &ShortMessage<'_>, wire: Gsm7Wire) -> InboundText {
    let (header, octets, header_length) = divide(message);
    let (text, encoding) = decode(octets, message.data_coding, wire, header_length);
    InboundText {
        text,
        encoding,
        concat: header
            .concat
            .or_else(|| sar(message))
            .filter(|concat| is_a_segment_of_several(*concat)),
        port: header
            .port
            .or_else(|| message.tlvs.get_u16(tlv::DESTINATION_PORT)),
    }
}

/// The same text for joining: a character that is cut between two segments can be made whole again.
pub fn inbound_units(message: &ShortMessage<'_>, wire: Gsm7Wire) -> Utf16Text {
    let (_, octets, header_length) = divide(message);
    if alphabet(message.data_coding) == Alphabet::Ucs2 {
        return ucs2::units(octets).collect();
    }
    let (text, _) = decode(octets, message.data_coding, wire, header_length);
    Utf16Text::from(&*text)
}

/// The user data header, the octets of the text, and how many stand before those.
fn divide<'a>(message: &ShortMessage<'a>) -> (UserDataHeader, &'a [u8], u8) {
    let octets = body_octets(message);
    let has_header = message.esm_class & esm_class::UDHI != 0;
    let (header, text) = match octets.split_first() {
        Some((length, rest)) if has_header => match rest.split_at_checked(usize::from(*length)) {
            Some((header, text)) => (UserDataHeader::parse(header), text),
            // A header longer than the message is no header.
            None => (UserDataHeader::default(), octets),
        },
        _ => (UserDataHeader::default(), octets),
    };
    // A header's length octet counts up to 255; beyond 140 it is nonsense and the fill irrelevant.
    let header_length = u8::try_from(octets.len() - text.len()).unwrap_or(0);
    (header, text, header_length)
}

/// The short message, or the `message_payload` when that is empty.
pub fn body_octets<'a>(message: &ShortMessage<'a>) -> &'a [u8] {
    if message.short_message.is_empty() {
        message.tlvs.get(tlv::MESSAGE_PAYLOAD).unwrap_or_default()
    } else {
        message.short_message
    }
}

fn sar(message: &ShortMessage<'_>) -> Option<Concat> {
    Some(Concat {
        reference: message.tlvs.get_u16(tlv::SAR_MSG_REF_NUM)?,
        is_16_bit: true,
        total: message.tlvs.get_u8(tlv::SAR_TOTAL_SEGMENTS)?,
        sequence: message.tlvs.get_u8(tlv::SAR_SEGMENT_SEQNUM)?,
    })
}

/// Senseless numbers mean a message of its own, not a lost one.
fn is_a_segment_of_several(concat: Concat) -> bool {
    concat.total > 1 && (1..=concat.total).contains(&concat.sequence)
}

/// The elements of a user data header that we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct UserDataHeader {
    concat: Option<Concat>,
    port: Option<u16>,
}

impl UserDataHeader {
    /// Walks the elements; unknown ones are skipped, a broken one ends the walk.
    fn parse(mut rest: &[u8]) -> Self {
        let mut header = Self::default();
        while let [element, length, tail @ ..] = rest {
            let Some((data, tail)) = tail.split_at_checked(usize::from(*length)) else {
                break;
            };
            rest = tail;
            match (*element, data) {
                (0x00, [reference, total, sequence]) => {
                    header.concat = Some(Concat {
                        reference: u16::from(*reference),
                        is_16_bit: false,
                        total: *total,
                        sequence: *sequence,
                    });
                }
                (0x08, [high, low, total, sequence]) => {
                    header.concat = Some(Concat {
                        reference: u16::from_be_bytes([*high, *low]),
                        is_16_bit: true,
                        total: *total,
                        sequence: *sequence,
                    });
                }
                (0x04, [destination, _source]) => header.port = Some(u16::from(*destination)),
                (0x05, [high, low, _, _]) => header.port = Some(u16::from_be_bytes([*high, *low])),
                _ => {}
            }
        }
        header
    }
}

/// The alphabets that a data coding can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    Gsm7,
    Ascii,
    Latin1,
    Cyrillic,
    Hebrew,
    Ucs2,
    /// Data, or an alphabet that we have no table for.
    Binary,
}

fn alphabet(data_coding: u8) -> Alphabet {
    match data_coding {
        0x01 => Alphabet::Ascii,
        0x03 => Alphabet::Latin1,
        0x06 => Alphabet::Cyrillic,
        0x07 => Alphabet::Hebrew,
        0x02 | 0x04 | 0x05 | 0x09 | 0x0A | 0x0D | 0x0E => Alphabet::Binary,
        // General groups: bits 2 and 3 name the alphabet.
        0x10..=0x7F => match (data_coding >> 2) & 0b11 {
            0b01 => Alphabet::Binary,
            0b10 => Alphabet::Ucs2,
            _ => Alphabet::Gsm7,
        },
        0x08 | 0xE0..=0xEF => Alphabet::Ucs2,
        0xF0..=0xFF if data_coding & 0b100 != 0 => Alphabet::Binary,
        0x00 | 0x0B | 0x0C | 0x0F | 0x80..=0xDF | 0xF0..=0xFF => Alphabet::Gsm7,
    }
}

fn decode(octets: &[u8], data_coding: u8, wire: Gsm7Wire, header_length: u8) -> (String, Encoding) {
    let by_table = |table: fn(u8) -> char| octets.iter().copied().map(table).collect();
    match alphabet(data_coding) {
        Alphabet::Gsm7 => {
            let text = match wire {
                Gsm7Wire::Packed => gsm7::decode(&unpack(octets, header_length)),
                Gsm7Wire::SmscDefaultLatin1 => by_table(latin1),
                Gsm7Wire::Unpacked | Gsm7Wire::Latin1 | Gsm7Wire::Ascii => gsm7::decode(octets),
            };
            (text, Encoding::Gsm7)
        }
        Alphabet::Ascii => (by_table(ascii), Encoding::Gsm7),
        Alphabet::Latin1 => (by_table(latin1), Encoding::Gsm7),
        Alphabet::Cyrillic => (by_table(iso_8859_5), Encoding::Ucs2),
        Alphabet::Hebrew => (by_table(iso_8859_8), Encoding::Ucs2),
        Alphabet::Ucs2 => (ucs2::decode(octets), Encoding::Ucs2),
        Alphabet::Binary => (by_table(printable_latin1), Encoding::Gsm7),
    }
}

/// Unpacks the text behind a header. A carriage return in the last seven bits of the last octet is
/// padding (TS 23.038, 6.1.2.3.1), as is the zero that the unpacking itself removes.
fn unpack(octets: &[u8], header_length: u8) -> Vec<u8> {
    let mut septets = gsm7::unpack(octets, FillBits::after_header(header_length));
    let fill_bits = (7 - usize::from(header_length) * 8 % 7) % 7;
    let ends_with_octet = (fill_bits + septets.len() * 7).is_multiple_of(8);
    if ends_with_octet && septets.last() == Some(&b'\r') {
        septets.pop();
    }
    septets
}

fn ascii(octet: u8) -> char {
    if octet.is_ascii() {
        char::from(octet)
    } else {
        char::REPLACEMENT_CHARACTER
    }
}

fn latin1(octet: u8) -> char {
    char::from(octet)
}

fn printable_latin1(octet: u8) -> char {
    let character = char::from(octet);
    let is_text = !character.is_control() || matches!(character, '\n' | '\r' | '\t');
    if is_text {
        character
    } else {
        char::REPLACEMENT_CHARACTER
    }
}

fn iso_8859_5(octet: u8) -> char {
    let code_point = match octet {
        0x00..=0xA0 | 0xAD => u32::from(octet),
        0xF0 => 0x2116,
        0xFD => 0xA7,
        _ => 0x0400 + u32::from(octet) - 0xA0,
    };
    char::from_u32(code_point).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn iso_8859_8(octet: u8) -> char {
    let code_point = match octet {
        0xAA => 0xD7,
        0xBA => 0xF7,
        0x00..=0xA0 | 0xA2..=0xBE => u32::from(octet),
        0xDF => 0x2017,
        0xE0..=0xFA => 0x05D0 + u32::from(octet) - 0xE0,
        0xFD => 0x200E,
        0xFE => 0x200F,
        _ => 0xFFFD,
    };
    char::from_u32(code_point).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::tlv::Tlvs;

    fn message(esm_class: u8, data_coding: u8, short_message: &[u8]) -> ShortMessage<'_> {
        ShortMessage {
            esm_class,
            data_coding,
            short_message,
            ..ShortMessage::default()
        }
    }

    fn text(data_coding: u8, octets: &[u8]) -> String {
        inbound_text(&message(0, data_coding, octets), Gsm7Wire::Unpacked).text
    }

    /// One row per group of data codings in carriers.md 2.5.
    #[test]
    fn the_whole_data_coding_octet_names_the_alphabet() {
        for (data_codings, alphabet_expected) in [
            (
                &[
                    0x00, 0x0F, 0x10, 0x11, 0x30, 0xC0, 0xC8, 0xD0, 0xDF, 0xF0, 0xF3,
                ][..],
                Alphabet::Gsm7,
            ),
            (&[0x01], Alphabet::Ascii),
            (&[0x03], Alphabet::Latin1),
            (&[0x06], Alphabet::Cyrillic),
            (&[0x07], Alphabet::Hebrew),
            (&[0x08, 0x18, 0x19, 0x28, 0xE0, 0xEF], Alphabet::Ucs2),
            (
                &[0x02, 0x04, 0x05, 0x0E, 0x14, 0xF4, 0xF7],
                Alphabet::Binary,
            ),
        ] {
            for data_coding in data_codings {
                assert_eq!(
                    alphabet(*data_coding),
                    alphabet_expected,
                    "{data_coding:#04x}"
                );
            }
        }
    }

    #[test]
    fn every_alphabet_becomes_text() {
        for (data_coding, octets, expected) in [
            (0x00, &b"Hi \x00 \x1B\x65"[..], "Hi @ €"),
            (0x01, b"Hi\xFF", "Hi\u{FFFD}"),
            (0x03, b"Caf\xE9", "Café"),
            (0x06, b"\xBF\xE0\xD8\xD2\xD5\xE2", "Привет"),
            (0x07, b"\xF9\xEC\xE5\xED", "שלום"),
            (0x08, b"\xD8\x3D\xDE\x00", "😀"),
            (0x08, b"\xD8\x3D\x00\x41\x42", "\u{FFFD}A\u{FFFD}"),
            (0x04, b"a\x01b", "a\u{FFFD}b"),
            (0xF4, b"\xFF", "ÿ"),
        ] {
            assert_eq!(text(data_coding, octets), expected, "{data_coding:#04x}");
        }
    }

    #[test]
    fn what_is_cut_between_segments_can_be_joined() {
        let unit = |octets| inbound_units(&message(0, 0x08, octets), Gsm7Wire::Unpacked);
        let halves = [unit(b"\x00A\xD8\x3D"), unit(b"\xDE\x00\x00B")];
        assert_eq!(Utf16Text::join(&halves).to_string(), "A😀B");
        let units = inbound_units(&message(0, 0, b"Hi \x1B\x65"), Gsm7Wire::Unpacked);
        assert_eq!(units.to_string(), "Hi €");
    }

    #[test]
    fn packed_septets_with_a_header_start_at_a_septet_boundary() {
        // 05 00 03 2A 02 01, one fill bit, then "Hello".
        let octets = [0x05, 0x00, 0x03, 0x2A, 2, 1, 0x90, 0x65, 0x36, 0xFB, 0x0D];
        let found = inbound_text(&message(0x40, 0, &octets), Gsm7Wire::Packed);
        assert_eq!(found.text, "Hello");
        assert_eq!(found.concat.map(|concat| concat.reference), Some(0x2A));
    }

    #[test]
    fn unknown_elements_are_skipped_and_a_broken_header_is_text() {
        let octets = [9, 0x70, 2, 1, 1, 0x00, 3, 7, 2, 2, b'x'];
        let found = inbound_text(&message(0x40, 0, &octets), Gsm7Wire::Unpacked);
        let concat = Concat {
            reference: 7,
            is_16_bit: false,
            total: 2,
            sequence: 2,
        };
        assert_eq!((found.concat, &*found.text), (Some(concat), "x"));

        let octets = [200, b'x'];
        let found = inbound_text(&message(0x40, 3, &octets), Gsm7Wire::Unpacked);
        assert_eq!((found.concat, &*found.text), (None, "Èx"));
    }

    #[test]
    fn wide_references_and_sar_parameters_are_read() {
        let octets = [6, 0x08, 4, 0x12, 0x34, 3, 2, b'x'];
        let found = inbound_text(&message(0x40, 0, &octets), Gsm7Wire::Unpacked);
        let expected = Concat {
            reference: 0x1234,
            is_16_bit: true,
            total: 3,
            sequence: 2,
        };
        assert_eq!(found.concat, Some(expected));

        let tlvs = [
            0x02, 0x0C, 0, 2, 0x12, 0x34, 0x02, 0x0E, 0, 1, 3, 0x02, 0x0F, 0, 1, 2,
        ];
        let message = ShortMessage {
            tlvs: Tlvs(&tlvs),
            ..message(0, 0, b"x")
        };
        assert_eq!(
            inbound_text(&message, Gsm7Wire::Unpacked).concat,
            Some(expected)
        );
    }

    #[test]
    fn senseless_segment_numbers_mean_a_message_of_its_own() {
        for (total, sequence) in [(0, 0), (1, 1), (2, 3), (2, 0)] {
            let octets = [5, 0, 3, 9, total, sequence, b'x'];
            let found = inbound_text(&message(0x40, 0, &octets), Gsm7Wire::Unpacked);
            assert_eq!((found.concat, &*found.text), (None, "x"));
        }
    }

    #[test]
    fn a_port_is_found_in_header_and_tlv() {
        let octets = [6, 0x05, 4, 0x0B, 0x84, 0x23, 0xF0, b'x'];
        let found = inbound_text(&message(0x40, 4, &octets), Gsm7Wire::Unpacked);
        assert_eq!(found.port, Some(2948));
        let tlvs = [0x02, 0x0B, 0, 2, 0x0B, 0x84];
        let message = ShortMessage {
            tlvs: Tlvs(&tlvs),
            ..message(0, 4, b"x")
        };
        assert_eq!(inbound_text(&message, Gsm7Wire::Unpacked).port, Some(2948));
    }

    #[test]
    fn an_empty_short_message_means_the_payload() {
        let tlvs = [0x04, 0x24, 0, 2, b'h', b'i'];
        let message = ShortMessage {
            tlvs: Tlvs(&tlvs),
            ..message(0, 0, b"")
        };
        assert_eq!(inbound_text(&message, Gsm7Wire::Unpacked).text, "hi");
    }
}
