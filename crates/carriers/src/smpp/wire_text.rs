//! From a body to the octets of its segments.
//!
//! The order is fixed: the alphabet is decided for the whole message, the message is split by what
//! a handset can take, and only then each segment is written in the carrier's coding. So counts
//! never depend on the carrier. Ruled by 3GPP TS 23.038, TS 23.040 9.2.3.24.1 and SMPP v3.4 5.2.19.

use std::ops::Range;

use postrider_core::text::gsm7::{self, FillBits};
use postrider_core::text::{Encoding, HeaderSize, split, ucs2};
use serde::Deserialize;
use smallvec::SmallVec;

use super::encode::EncodeError;
use super::pdu::esm_class;
use super::tlv;

/// How a carrier wants GSM-7 text (`gsm7_wire`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gsm7Wire {
    /// One septet in each octet, data coding 0.
    #[default]
    Unpacked,
    /// Eight septets in seven octets, data coding 0.
    Packed,
    /// ISO 8859-1, data coding 3; a message with other characters goes as UCS-2.
    Latin1,
    /// IA5, data coding 1; a message with other characters goes as UCS-2.
    Ascii,
    /// ISO 8859-1 although the data coding is 0.
    SmscDefaultLatin1,
}

/// How the segments of a long message are tied together (`long_messages`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongMessages {
    /// User data header with an 8-bit reference.
    #[default]
    Udh8,
    /// User data header with a 16-bit reference; room for one septet or one unit less.
    Udh16,
    /// The three `sar_` TLVs.
    Sar,
    /// The whole text in one `message_payload`; the carrier splits it, and gives one id.
    Payload,
}

/// The coding of one message on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gsm7(Gsm7Wire),
    Ucs2,
}

impl Coding {
    /// The alphabet is GSM-7 or UCS-2; a carrier's eight-bit coding may lack a character.
    pub fn choose(body: &str, encoding: Encoding, wire: Gsm7Wire) -> Self {
        let fits = match (encoding, wire) {
            (Encoding::Ucs2, _) => false,
            (Encoding::Gsm7, Gsm7Wire::Unpacked | Gsm7Wire::Packed) => true,
            (Encoding::Gsm7, Gsm7Wire::Latin1 | Gsm7Wire::SmscDefaultLatin1) => {
                body.chars().all(|c| u32::from(c) < 0x100)
            }
            (Encoding::Gsm7, Gsm7Wire::Ascii) => body.is_ascii(),
        };
        if fits { Self::Gsm7(wire) } else { Self::Ucs2 }
    }

    pub fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7(Gsm7Wire::Unpacked | Gsm7Wire::Packed | Gsm7Wire::SmscDefaultLatin1) => 0,
            Self::Gsm7(Gsm7Wire::Ascii) => 1,
            Self::Gsm7(Gsm7Wire::Latin1) => 3,
            Self::Ucs2 => 8,
        }
    }

    fn encoding(self) -> Encoding {
        match self {
            Self::Gsm7(_) => Encoding::Gsm7,
            Self::Ucs2 => Encoding::Ucs2,
        }
    }
}

/// One message cut into what its `submit_sm`s will carry. Holds positions, not text, so that it can
/// wait for a window slot without borrowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireText {
    pub coding: Coding,
    pieces: SmallVec<[Range<u32>; 1]>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Fits into one segment as it is.
    Alone,
    Segments(LongMessages),
}

impl WireText {
    /// Cuts `body`. `Payload` cuts nothing, however long the text.
    pub fn new(body: &str, coding: Coding, long_messages: LongMessages) -> Self {
        let header = match long_messages {
            LongMessages::Udh16 => HeaderSize::Reference16,
            // Neither TLVs nor a payload take room from the text, but the count is still the same.
            LongMessages::Udh8 | LongMessages::Sar | LongMessages::Payload => {
                HeaderSize::Reference8
            }
        };
        let start = body.as_ptr() as usize;
        let mut pieces: SmallVec<[Range<u32>; 1]> = SmallVec::new();
        for piece in split(body, coding.encoding(), header) {
            let offset = piece.as_ptr() as usize - start;
            pieces.push(position(offset)..position(offset + piece.len()));
        }
        let form = if pieces.len() > 1 {
            Form::Segments(long_messages)
        } else {
            Form::Alone
        };
        if pieces.is_empty() || form == Form::Segments(LongMessages::Payload) {
            pieces.clear();
            pieces.push(0..position(body.len()));
        }
        Self {
            coding,
            pieces,
            form,
        }
    }

    /// Number of `submit_sm`s.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// A message has at least one segment, also when its text is empty.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether the segments carry a number that ties them together.
    pub fn needs_reference(&self) -> bool {
        matches!(
            self.form,
            Form::Segments(LongMessages::Udh8 | LongMessages::Udh16 | LongMessages::Sar)
        )
    }

    /// Writes segment `index` (from 0): octets of the short message to `short_message`, TLVs to
    /// `tlvs`. Returns the bits to set in `esm_class`.
    pub fn write_segment(
        &self,
        body: &str,
        index: usize,
        reference: u16,
        short_message: &mut Vec<u8>,
        tlvs: &mut Vec<u8>,
    ) -> Result<u8, EncodeError> {
        let piece = &self.pieces[index];
        let text = &body[piece.start as usize..piece.end as usize];
        let [reference_high, reference_low] = reference.to_be_bytes();
        // 255 segments of 67 units are more than a body may hold (api.md: 1,600 characters).
        let total = u8::try_from(self.pieces.len()).unwrap_or(u8::MAX);
        let sequence = u8::try_from(index + 1).unwrap_or(u8::MAX);
        match self.form {
            Form::Alone => {
                write_text(text, self.coding, 0, short_message)?;
                Ok(0)
            }
            Form::Segments(LongMessages::Udh8) => {
                short_message.extend_from_slice(&[5, 0, 3, reference_low, total, sequence]);
                write_text(text, self.coding, 6, short_message)?;
                Ok(esm_class::UDHI)
            }
            Form::Segments(LongMessages::Udh16) => {
                let header = [6, 8, 4, reference_high, reference_low, total, sequence];
                short_message.extend_from_slice(&header);
                write_text(text, self.coding, 7, short_message)?;
                Ok(esm_class::UDHI)
            }
            Form::Segments(LongMessages::Sar) => {
                tlv::push(tlvs, tlv::SAR_MSG_REF_NUM, &reference.to_be_bytes())?;
                tlv::push(tlvs, tlv::SAR_TOTAL_SEGMENTS, &[total])?;
                tlv::push(tlvs, tlv::SAR_SEGMENT_SEQNUM, &[sequence])?;
                write_text(text, self.coding, 0, short_message)?;
                Ok(0)
            }
            Form::Segments(LongMessages::Payload) => {
                // The scratch buffer of the short message serves; the field itself stays empty.
                write_text(text, self.coding, 0, short_message)?;
                tlv::push(tlvs, tlv::MESSAGE_PAYLOAD, short_message)?;
                short_message.clear();
                Ok(0)
            }
        }
    }
}

/// Bodies are bounded far below 4 GiB at the edge.
fn position(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn write_text(
    text: &str,
    coding: Coding,
    header_length: u8,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    match coding {
        Coding::Gsm7(Gsm7Wire::Unpacked) => gsm7::encode(text, out)?,
        Coding::Gsm7(Gsm7Wire::Packed) => {
            let mut septets = Vec::with_capacity(160);
            gsm7::encode(text, &mut septets)?;
            // Seven bits left over in the last octet would read as one more `@`: TS 23.038
            // 6.1.2.3.1 puts a carriage return there.
            let fill_bits = (7 - usize::from(header_length) * 8 % 7) % 7;
            if (fill_bits + septets.len() * 7) % 8 == 1 {
                septets.push(b'\r');
            }
            out.extend_from_slice(&gsm7::pack(&septets, FillBits::after_header(header_length)));
        }
        Coding::Gsm7(Gsm7Wire::Latin1 | Gsm7Wire::SmscDefaultLatin1 | Gsm7Wire::Ascii) => {
            // `choose` saw to it that every character has such an octet.
            out.extend(
                text.chars()
                    .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')),
            );
        }
        Coding::Ucs2 => ucs2::encode(text, out),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::smpp::inbound_text::inbound_text;
    use crate::smpp::pdu::ShortMessage;
    use crate::smpp::tlv::Tlvs;

    fn octets(body: &str, encoding: Encoding, wire: Gsm7Wire) -> (u8, Vec<u8>) {
        let coding = Coding::choose(body, encoding, wire);
        let text = WireText::new(body, coding, LongMessages::Udh8);
        assert_eq!(text.len(), 1);
        let (mut short_message, mut tlvs) = (Vec::new(), Vec::new());
        text.write_segment(body, 0, 7, &mut short_message, &mut tlvs)
            .unwrap();
        (coding.data_coding(), short_message)
    }

    /// One row per line of the `gsm7_wire` table in carriers.md 2.5.
    #[test]
    fn each_wire_coding_has_its_octets_and_data_coding() {
        use Gsm7Wire::{Ascii, Latin1, Packed, SmscDefaultLatin1, Unpacked};
        for (wire, body, data_coding, expected) in [
            (Unpacked, "@é€", 0, &[0x00, 0x05, 0x1B, 0x65][..]),
            (
                Packed,
                "hellohello",
                0,
                b"\xE8\x32\x9B\xFD\x46\x97\xD9\xEC\x37",
            ),
            (Latin1, "é@", 3, b"\xE9@"),
            (Latin1, "€", 8, b"\x20\xAC"),
            (Ascii, "a@", 1, b"a@"),
            (Ascii, "é", 8, b"\x00\xE9"),
            (SmscDefaultLatin1, "é@", 0, b"\xE9@"),
            (SmscDefaultLatin1, "Δ", 8, b"\x03\x94"),
        ] {
            assert_eq!(
                octets(body, Encoding::Gsm7, wire),
                (data_coding, expected.to_vec())
            );
        }
        assert_eq!(
            octets("😀", Encoding::Ucs2, Unpacked),
            (8, b"\xD8\x3D\xDE\x00".to_vec())
        );
    }

    #[test]
    fn seven_spare_bits_hold_a_carriage_return() {
        let (_, packed) = octets("1234567", Encoding::Gsm7, Gsm7Wire::Packed);
        assert_eq!(packed, [0x31, 0xD9, 0x8C, 0x56, 0xB3, 0xDD, 0x1A]);
    }

    /// One row per line of carriers.md 2.6.
    #[test]
    fn each_form_of_long_message_has_its_header_or_tlvs() {
        let body = "a".repeat(200);
        for (form, esm_class_bits, header, tlvs_expected, count) in [
            (
                LongMessages::Udh8,
                0x40,
                &[5, 0, 3, 0x34, 2, 1][..],
                &[][..],
                2,
            ),
            (
                LongMessages::Udh16,
                0x40,
                &[6, 8, 4, 0x12, 0x34, 2, 1],
                &[],
                2,
            ),
            (
                LongMessages::Sar,
                0,
                &[],
                &[
                    2, 0x0C, 0, 2, 0x12, 0x34, 2, 0x0E, 0, 1, 2, 2, 0x0F, 0, 1, 1,
                ],
                2,
            ),
            (
                LongMessages::Payload,
                0,
                &[],
                &[0x04, 0x24, 0, 200, b'a'],
                1,
            ),
        ] {
            let text = WireText::new(&body, Coding::Gsm7(Gsm7Wire::Unpacked), form);
            assert_eq!(text.len(), count);
            let (mut short_message, mut tlvs) = (Vec::new(), Vec::new());
            let bits = text
                .write_segment(&body, 0, 0x1234, &mut short_message, &mut tlvs)
                .unwrap();
            assert_eq!(bits, esm_class_bits);
            assert!(short_message.starts_with(header));
            assert!(tlvs.starts_with(tlvs_expected), "{tlvs:02x?}");
            assert_eq!(short_message.is_empty(), form == LongMessages::Payload);
        }
    }

    #[test]
    fn segments_stay_within_what_a_handset_takes() {
        for (form, wire, length, segments) in [
            (LongMessages::Udh8, Gsm7Wire::Unpacked, 306, 2),
            (LongMessages::Udh8, Gsm7Wire::Unpacked, 307, 3),
            (LongMessages::Udh16, Gsm7Wire::Unpacked, 304, 2),
            (LongMessages::Udh16, Gsm7Wire::Packed, 305, 3),
            (LongMessages::Sar, Gsm7Wire::Unpacked, 306, 2),
        ] {
            let body = "a".repeat(length);
            assert_eq!(
                WireText::new(&body, Coding::Gsm7(wire), form).len(),
                segments
            );
        }
        let (_, packed) = octets(&"a".repeat(160), Encoding::Gsm7, Gsm7Wire::Packed);
        assert_eq!(packed.len(), 140);
    }

    fn gsm7_body() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[ -_a-~@£$¥èéùìòÇØøÅåΔΦΓ€\n]{1,500}").unwrap()
    }

    fn read_back(body: &str, coding: Coding, form: LongMessages) -> String {
        let text = WireText::new(body, coding, form);
        let Coding::Gsm7(wire) = coding else {
            return segments_read_back(body, &text, Gsm7Wire::Unpacked);
        };
        segments_read_back(body, &text, wire)
    }

    fn segments_read_back(body: &str, text: &WireText, wire: Gsm7Wire) -> String {
        let mut joined = String::new();
        for index in 0..text.len() {
            let (mut short_message, mut tlvs) = (Vec::new(), Vec::new());
            let esm_class = text
                .write_segment(body, index, 0xABCD, &mut short_message, &mut tlvs)
                .unwrap();
            assert!(short_message.len() <= 160);
            let segment = ShortMessage {
                esm_class,
                data_coding: text.coding.data_coding(),
                short_message: &short_message,
                tlvs: Tlvs(&tlvs),
                ..ShortMessage::default()
            };
            let found = inbound_text(&segment, wire);
            assert_eq!(found.concat.is_some(), text.needs_reference());
            joined.push_str(&found.text);
        }
        joined
    }

    proptest! {
        #[test]
        fn joined_segments_give_the_body(
            body in gsm7_body(),
            wire in prop::sample::select(vec![
                Gsm7Wire::Unpacked, Gsm7Wire::Packed, Gsm7Wire::Latin1,
                Gsm7Wire::Ascii, Gsm7Wire::SmscDefaultLatin1,
            ]),
            form in prop::sample::select(vec![
                LongMessages::Udh8, LongMessages::Udh16, LongMessages::Sar, LongMessages::Payload,
            ]),
        ) {
            prop_assume!(body.chars().all(|c| gsm7::septets_of(c).is_some()));
            // A last `@` in seven spare bits cannot be told from padding in packed form.
            prop_assume!(wire != Gsm7Wire::Packed || !body.contains(['@', '\r']));
            let coding = Coding::choose(&body, Encoding::Gsm7, wire);
            prop_assert_eq!(read_back(&body, coding, form), body);
        }

        #[test]
        fn joined_ucs2_segments_give_the_body(body in "[a-zа-я😀👍\u{1F3FD}é ]{1,300}") {
            prop_assert_eq!(read_back(&body, Coding::Ucs2, LongMessages::Udh8), body);
        }
    }
}
