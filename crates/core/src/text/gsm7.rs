//! The GSM 7-bit default alphabet: characters to septets and back, and septets packed into octets.
//!
//! Source: 3GPP TS 23.038, 6.2.1 (basic and extension table) and 6.1.2 (packing). A test compares
//! every row of `data/gsm0338.csv` with the tables here.
//!
//! Outbound text uses these two tables only. Inbound text may name a national language in its user
//! data header (elements 0x24 single shift and 0x25 locking shift); such a language is one more
//! pair of tables for [`decode_with`]. None is built in yet: their text is read by the default tables.
//!
//! [`code_of`] runs for every character of every message, so Latin-1 and Greek are array look-ups.

use std::iter;

/// The septet that announces a code of the extension table.
const ESCAPE: u8 = 0x1B;

/// Code to character, sixteen to a line as the standard prints it. 0x1B is the escape: a receiver
/// that cannot make sense of it shows a space.
#[rustfmt::skip]
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å',
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É',
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/',
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?',
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O',
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§',
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// Code after the escape, and its character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The place of a character in the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Basic(u8),
    Extension(u8),
}

impl Code {
    const fn septets(self) -> usize {
        match self {
            Self::Basic(_) => 1,
            Self::Extension(_) => 2,
        }
    }
}

static LATIN_1: [Option<Code>; 0x100] = codes_from('\0');
static GREEK: [Option<Code>; 0x20] = codes_from('\u{390}');

/// Inverts the tables for `N` code points, once, in the compiler.
const fn codes_from<const N: usize>(first: char) -> [Option<Code>; N] {
    let first = first as usize;
    let mut codes = [None; N];
    let mut code = 0;
    while code < 0x80 {
        let c = BASIC[code as usize] as usize;
        if code != ESCAPE && c >= first && c < first + N {
            codes[c - first] = Some(Code::Basic(code));
        }
        code += 1;
    }
    let mut row = 0;
    while row < EXTENSION.len() {
        let (code, c) = EXTENSION[row];
        let c = c as usize;
        if c >= first && c < first + N {
            codes[c - first] = Some(Code::Extension(code));
        }
        row += 1;
    }
    codes
}

fn code_of(c: char) -> Option<Code> {
    match c as usize {
        latin @ ..=0xFF => LATIN_1[latin],
        greek @ 0x390..=0x3AF => GREEK[greek - 0x390],
        0x20AC => Some(Code::Extension(0x65)),
        _ => None,
    }
}

/// Septets that one character takes: 1, or 2 from the extension table, or `None` outside the alphabet.
pub fn septets_of(c: char) -> Option<usize> {
    code_of(c).map(Code::septets)
}

/// Septets that a text takes, or `None` when some character is outside the alphabet.
pub fn septet_count(text: &str) -> Option<usize> {
    text.chars()
        .try_fold(0, |count, c| Some(count + septets_of(c)?))
}

/// A character that the alphabet lacks, and the octet of the UTF-8 text at which it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("U+{:04X} at octet {index} is not in the GSM 7-bit alphabet", *character as u32)]
pub struct NotGsm7 {
    pub character: char,
    pub index: usize,
}

/// Appends the septets of a text, one to an octet, high bit clear. On error `septets` is as before.
pub fn encode(text: &str, septets: &mut Vec<u8>) -> Result<(), NotGsm7> {
    let start = septets.len();
    septets.reserve(text.len());
    for (index, character) in text.char_indices() {
        match code_of(character) {
            Some(Code::Basic(code)) => septets.push(code),
            Some(Code::Extension(code)) => septets.extend([ESCAPE, code]),
            None => {
                septets.truncate(start);
                return Err(NotGsm7 { character, index });
            }
        }
    }
    Ok(())
}

/// The text of septets that stand one to an octet.
///
/// Nothing is refused. An escape before a code that the extension table lacks shows the basic
/// character of that code; an escape before an escape, or at the end, shows a space (TS 23.038,
/// 6.2.1.1). An octet above 0x7F is no septet and shows U+FFFD.
pub fn decode(septets: &[u8]) -> String {
    decode_with(&BASIC, &EXTENSION, septets)
}

fn decode_with(basic: &[char; 128], extension: &[(u8, char)], septets: &[u8]) -> String {
    let in_basic = |code: u8| {
        basic
            .get(usize::from(code))
            .copied()
            .unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    let in_extension = |code: u8| extension.iter().find(|row| row.0 == code).map(|row| row.1);
    let mut rest = septets.iter().copied();
    iter::from_fn(|| match rest.next()? {
        ESCAPE => {
            let code = rest.next().unwrap_or(ESCAPE);
            Some(in_extension(code).unwrap_or_else(|| in_basic(code)))
        }
        code => Some(in_basic(code)),
    })
    .collect()
}

/// Zero bits between a user data header and packed text, so that the text starts on a septet boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillBits(u8);

impl FillBits {
    /// Text without a header starts at the first bit.
    pub const NONE: Self = Self(0);

    /// The fill after a header of so many octets, its length octet included: 1 bit after the 6 octets
    /// of an 8-bit reference (48 bits up to 49), none after the 7 of a 16-bit one (56 = 8 · 7).
    pub const fn after_header(octets: u8) -> Self {
        let bits_over = octets % 7 * 8 % 7;
        Self((7 - bits_over) % 7)
    }
}

/// Packs septets seven bits after seven bits, least significant first (TS 23.038, 6.1.2.1). Unused bits
/// of the last octet are zero.
pub fn pack(septets: &[u8], fill: FillBits) -> Vec<u8> {
    let mut octets = Vec::with_capacity((septets.len() * 7 + usize::from(fill.0)).div_ceil(8));
    let mut pending = 0_u16;
    let mut pending_bits = fill.0;
    for &septet in septets {
        pending |= u16::from(septet & 0x7F) << pending_bits;
        pending_bits += 7;
        if pending_bits >= 8 {
            let [low, high] = pending.to_le_bytes();
            octets.push(low);
            pending = u16::from(high);
            pending_bits -= 8;
        }
    }
    if pending_bits > 0 {
        octets.push(pending.to_le_bytes()[0]);
    }
    octets
}

/// Unpacks as many whole septets as the octets hold.
///
/// SMPP gives the length in octets, so seven unused bits look like one more septet of zero, the code
/// of `@`. A last septet of zero that fills its octet to the end is taken for padding: as many texts
/// end seven bits short as end full, and few of the full ones end in `@`.
pub fn unpack(octets: &[u8], fill: FillBits) -> Vec<u8> {
    let mut septets = Vec::with_capacity(octets.len() * 8 / 7);
    let mut pending = 0_u16;
    let mut pending_bits = 0;
    let mut skip = fill.0;
    for &octet in octets {
        pending |= u16::from(octet) << pending_bits;
        pending_bits += 8;
        if skip > 0 {
            pending >>= skip;
            pending_bits -= skip;
            skip = 0;
        }
        while pending_bits >= 7 {
            septets.push(pending.to_le_bytes()[0] & 0x7F);
            pending >>= 7;
            pending_bits -= 7;
        }
    }
    if pending_bits == 0 && septets.last() == Some(&0) {
        septets.pop();
    }
    septets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str) -> Vec<u8> {
        let mut septets = Vec::new();
        encode(text, &mut septets).expect("the text is in the alphabet");
        septets
    }

    /// `0x1B65` -> `[0x1B, 0x65]`, `U+20AC` -> `'€'`, 2.
    fn csv_rows() -> Vec<(Vec<u8>, char, usize)> {
        include_str!("../../data/gsm0338.csv")
            .lines()
            .skip(1)
            .map(|line| {
                let mut fields = line.split(',');
                let mut field = |prefix| fields.next().unwrap().trim_start_matches(prefix);
                let code = u16::from_str_radix(field("0x"), 16).unwrap();
                let code_point = u32::from_str_radix(field("U+"), 16).unwrap();
                let octets = code.to_be_bytes();
                let septets = if code > 0x7F {
                    octets.to_vec()
                } else {
                    vec![octets[1]]
                };
                (
                    septets,
                    char::from_u32(code_point).unwrap(),
                    field("").parse().unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn every_row_of_the_data_file_is_in_the_tables_and_nothing_else() {
        let rows = csv_rows();
        assert_eq!(rows.len(), 127 + EXTENSION.len());
        for (septets, c, count) in &rows {
            assert_eq!(encoded(&c.to_string()), *septets, "{c:?}");
            assert_eq!(decode(septets), c.to_string());
            assert_eq!(septets_of(*c), Some(*count), "{c:?}");
        }
        let in_alphabet = ('\0'..=char::MAX)
            .filter(|c| septets_of(*c).is_some())
            .count();
        assert_eq!(in_alphabet, rows.len());
    }

    #[test]
    fn characters_that_only_look_gsm_are_outside() {
        for c in ['ç', '`', '\t', '‘', '’', '“', '”', '\0', 'Α', 'Ρ', 'ά', 'â'] {
            assert_eq!(septets_of(c), None, "{c:?}");
        }
    }

    #[test]
    fn a_refused_text_leaves_nothing_behind() {
        let mut septets = vec![0x41];
        let refused = encode("é, then ç", &mut septets);
        assert_eq!(
            refused,
            Err(NotGsm7 {
                character: 'ç',
                index: 9
            })
        );
        assert_eq!(septets, [0x41]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "U+00E7 at octet 9 is not in the GSM 7-bit alphabet"
        );
    }

    #[test]
    fn odd_escapes_decode_as_the_standard_says() {
        let table: &[(&[u8], &str)] = &[
            (b"\x1B\x65", "€"),
            (b"\x1B\x41\x42", "AB"),
            (b"\x1B\x00", "@"),
            (b"A\x1B\x1BB", "A B"),
            (b"A\x1B\x1B\x65", "A e"),
            (b"A\x1B", "A "),
            (b"A\xE9", "A\u{FFFD}"),
            (b"A\x1B\xE9B", "A\u{FFFD}B"),
            (b"", ""),
        ];
        for (septets, text) in table {
            assert_eq!(decode(septets), *text, "{septets:02X?}");
        }
    }

    #[test]
    fn packing_matches_published_examples() {
        assert_eq!(
            pack(&encoded("hellohello"), FillBits::NONE),
            *b"\xE8\x32\x9B\xFD\x46\x97\xD9\xEC\x37"
        );
        assert_eq!(
            pack(&encoded("Hello"), FillBits::NONE),
            *b"\xC8\x32\x9B\xFD\x06"
        );
        // One fill bit: H is 0x48, shifted by one bit.
        assert_eq!(pack(&encoded("H"), FillBits::after_header(6)), [0x90]);
        assert!(pack(&[], FillBits::NONE).is_empty());
    }

    #[test]
    fn fill_bits_lead_to_the_next_septet_boundary() {
        for octets in 0..=u8::MAX {
            let FillBits(fill) = FillBits::after_header(octets);
            assert!(fill < 7);
            assert_eq!((u32::from(octets) * 8 + u32::from(fill)) % 7, 0, "{octets}");
        }
        assert_eq!(FillBits::after_header(6), FillBits(1));
        assert_eq!(FillBits::after_header(7), FillBits::NONE);
    }

    #[test]
    fn full_segments_fill_140_octets() {
        assert_eq!(pack(&[0x7F; 160], FillBits::NONE).len(), 140);
        assert_eq!(6 + pack(&[0x7F; 153], FillBits::after_header(6)).len(), 140);
        assert_eq!(7 + pack(&[0x7F; 152], FillBits::after_header(7)).len(), 140);
    }

    #[test]
    fn seven_unused_bits_are_not_an_at_sign() {
        assert_eq!(
            unpack(&pack(&encoded("seven@@"), FillBits::NONE), FillBits::NONE),
            encoded("seven@@")
        );
        // The price: an eighth septet of zero cannot be told from padding.
        assert_eq!(
            unpack(&pack(&encoded("eight@@@"), FillBits::NONE), FillBits::NONE),
            encoded("eight@@")
        );
    }

    fn gsm7_text() -> impl Strategy<Value = String> {
        let characters: Vec<char> = csv_rows().into_iter().map(|row| row.1).collect();
        proptest::collection::vec(proptest::sample::select(characters), 0..200)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn decoding_gives_back_what_was_encoded(text in gsm7_text()) {
            let septets = encoded(&text);
            prop_assert_eq!(Some(septets.len()), septet_count(&text));
            prop_assert_eq!(decode(&septets), text);
        }

        #[test]
        fn any_octets_decode(octets: Vec<u8>, header in 0_u8..20) {
            let fill = FillBits::after_header(header);
            prop_assert!(decode(&octets).chars().count() <= octets.len());
            prop_assert!(unpack(&octets, fill).len() <= octets.len() * 8 / 7);
        }

        #[test]
        fn unpacking_gives_back_what_was_packed(
            septets in proptest::collection::vec(0_u8..0x80, 0..200),
            header in 0_u8..20,
        ) {
            let fill = FillBits::after_header(header);
            let ends_an_octet = (septets.len() * 7 + usize::from(fill.0)).is_multiple_of(8);
            prop_assume!(!(ends_an_octet && septets.last() == Some(&0)));
            prop_assert_eq!(unpack(&pack(&septets, fill), fill), septets);
        }
    }
}
