//! Segments: how many a text takes, and where it is cut.
//!
//! [`count_segments`] runs once for each message, before it is stored, and is what the customer sees
//! as `num_segments`; it allocates nothing. [`split`] runs where a carrier writes the segments. Both
//! walk the same [`Segments`], so they cannot disagree.
//!
//! An *atom* is what a cut never divides: in GSM-7 a character (so an escape stays with its code), in
//! UCS-2 a grapheme cluster (so neither a surrogate pair nor an emoji sequence is torn), except that
//! CR LF is two atoms. Why, and where this differs from other counters, is in `docs/encoding.md`.

use smallvec::SmallVec;
use unicode_segmentation::GraphemeCursor;

use super::{Encoding, gsm7, ucs2};

/// What a text takes on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    pub encoding: Encoding,
    /// Segments with 8-bit references, also where a route carries the text in another way. 0 for
    /// empty text.
    pub segments: u16,
}

/// The reference in the concatenation header that each of several segments carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderSize {
    /// `05 00 03` reference total sequence: 6 octets, the default.
    Reference8,
    /// `06 08 04` reference (two octets) total sequence: 7 octets.
    Reference16,
}

/// Units (septets or UTF-16 units) of a message that fits one segment. A segment has 140 octets, so
/// 140 · 8 / 7 = 160 septets or 140 / 2 = 70 units.
const fn units_alone(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Gsm7 => 160,
        Encoding::Ucs2 => 70,
    }
}

/// Units of text in each of several segments, from the octets that the header leaves: 134 · 8 / 7 = 153
/// septets or 134 / 2 = 67 units; 133 · 8 / 7 = 152 or 133 / 2 = 66.
const fn units_each(encoding: Encoding, header: HeaderSize) -> usize {
    match (encoding, header) {
        (Encoding::Gsm7, HeaderSize::Reference8) => 153,
        (Encoding::Gsm7, HeaderSize::Reference16) => 152,
        (Encoding::Ucs2, HeaderSize::Reference8) => 67,
        (Encoding::Ucs2, HeaderSize::Reference16) => 66,
    }
}

/// Chooses the alphabet and counts the segments of a final text.
pub fn count_segments(body: &str) -> Segmentation {
    let (encoding, units) = match gsm7::septet_count(body) {
        Some(septets) => (Encoding::Gsm7, septets),
        None => (Encoding::Ucs2, ucs2::unit_count(body)),
    };
    let segments = match units {
        0 => 0,
        _ if units <= units_alone(encoding) => 1,
        _ => Segments::of_several(body, encoding, HeaderSize::Reference8).count(),
    };
    Segmentation {
        encoding,
        segments: u16::try_from(segments).unwrap_or(u16::MAX),
    }
}

/// Cuts a final text into its segments. Joined, they are the body.
///
/// `encoding` is what [`count_segments`] said, or UCS-2 for a route that has no GSM-7. There is nothing
/// to cut in empty text. The limit of 255 segments on the air is for the caller to keep.
pub fn split(body: &str, encoding: Encoding, header: HeaderSize) -> SmallVec<[&str; 4]> {
    let units = match encoding {
        Encoding::Gsm7 => body.chars().map(septets_of).sum(),
        Encoding::Ucs2 => ucs2::unit_count(body),
    };
    // Only the whole text decides whether there is a header, and so which of the two limits holds.
    if units <= units_alone(encoding) {
        return (!body.is_empty()).then_some(body).into_iter().collect();
    }
    Segments::of_several(body, encoding, header).collect()
}

/// The segments of a text that does not fit one, filled greedily from its start.
#[derive(Clone, Debug)]
struct Segments<'b> {
    rest: &'b str,
    encoding: Encoding,
    limit: usize,
}

impl<'b> Segments<'b> {
    fn of_several(body: &'b str, encoding: Encoding, header: HeaderSize) -> Self {
        Self {
            rest: body,
            encoding,
            limit: units_each(encoding, header),
        }
    }
}

impl<'b> Iterator for Segments<'b> {
    type Item = &'b str;

    fn next(&mut self) -> Option<&'b str> {
        if self.rest.is_empty() {
            return None;
        }
        let cut = match self.encoding {
            Encoding::Gsm7 => last_fit(self.rest, self.limit, septets_of),
            Encoding::Ucs2 => cut_ucs2(self.rest, self.limit),
        };
        let (segment, rest) = self.rest.split_at(cut);
        self.rest = rest;
        Some(segment)
    }
}

fn septets_of(c: char) -> usize {
    let septets = gsm7::septets_of(c);
    debug_assert!(
        septets.is_some(),
        "{c:?} in a text that was said to be GSM-7"
    );
    septets.unwrap_or(1)
}

/// The octet of `text` behind the last code point that still fits into `limit` units.
fn last_fit(text: &str, limit: usize, units_of: impl Fn(char) -> usize) -> usize {
    let mut units = 0;
    text.char_indices()
        .find(|&(_, c)| {
            units += units_of(c);
            units > limit
        })
        .map_or(text.len(), |(index, _)| index)
}

/// Filling greedily with grapheme clusters ends at the last cluster boundary that fits, so only the
/// code points around the cut are looked up. A cluster that no segment can hold is cut between code
/// points, and what remains of it is segmented as a text of its own: the look-back at a cut never
/// leaves its segment, and hostile text costs no more than plain text.
fn cut_ucs2(rest: &str, limit: usize) -> usize {
    let fit = last_fit(rest, limit, char::len_utf16);
    if fit == rest.len() || rest[..fit].ends_with('\r') && rest[fit..].starts_with('\n') {
        return fit;
    }
    let proof = "the cursor is given the whole text, so it asks for no more of it";
    let mut cursor = GraphemeCursor::new(fit, rest.len(), true);
    if cursor.is_boundary(rest, 0).expect(proof) {
        return fit;
    }
    match cursor.prev_boundary(rest, 0).expect(proof) {
        Some(boundary) if boundary > 0 => boundary,
        _ => fit,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    use super::Encoding::{Gsm7, Ucs2};
    use super::HeaderSize::{Reference8, Reference16};
    use super::*;

    /// A woman, two girls and a boy joined to one family: 4 · 2 + 3 joiners = 11 UTF-16 units.
    const FAMILY: &str = "👩‍👧‍👧‍👦";

    /// Zalgo: a letter with `marks` combining marks, one cluster of `marks` + 1 units.
    fn stacked(marks: usize) -> String {
        format!("Z{}", "\u{301}".repeat(marks))
    }

    fn units(text: &str, encoding: Encoding) -> usize {
        match encoding {
            Gsm7 => gsm7::septet_count(text).expect("a GSM-7 text"),
            Ucs2 => ucs2::unit_count(text),
        }
    }

    #[test]
    fn texts_take_the_segments_that_the_counting_rules_say() {
        let a = |count| "a".repeat(count);
        let zhe = |count| "Ж".repeat(count);
        // Text, alphabet, units (septets or UTF-16 units) of each segment.
        let table: &[(String, Encoding, &[usize])] = &[
            (String::new(), Gsm7, &[]),
            (a(1), Gsm7, &[1]),
            (a(153), Gsm7, &[153]),
            (a(154), Gsm7, &[154]),
            (a(160), Gsm7, &[160]),
            (a(161), Gsm7, &[153, 8]),
            (a(306), Gsm7, &[153, 153]),
            (a(307), Gsm7, &[153, 153, 1]),
            (a(158) + "€", Gsm7, &[160]),
            (a(159) + "€", Gsm7, &[153, 8]),
            (a(152) + "€" + &a(152), Gsm7, &[152, 153, 1]),
            (a(151) + "€" + &a(153), Gsm7, &[153, 153]),
            (a(158) + "\r\n", Gsm7, &[160]),
            (a(159) + "\r\n", Gsm7, &[153, 8]),
            (a(152) + "\r\n" + &a(152), Gsm7, &[153, 153]),
            ("[".repeat(80), Gsm7, &[160]),
            ("[".repeat(81), Gsm7, &[152, 10]),
            (zhe(70), Ucs2, &[70]),
            (zhe(71), Ucs2, &[67, 4]),
            (zhe(134), Ucs2, &[67, 67]),
            (zhe(135), Ucs2, &[67, 67, 1]),
            // One character outside the alphabet changes the whole message.
            (a(69) + "ç", Ucs2, &[70]),
            (a(70) + "ç", Ucs2, &[67, 4]),
            ("😀".repeat(35), Ucs2, &[70]),
            ("😀".repeat(36), Ucs2, &[66, 6]),
            (zhe(66) + "😀" + &zhe(66), Ucs2, &[66, 67, 1]),
            (zhe(59) + FAMILY, Ucs2, &[70]),
            (zhe(60) + FAMILY, Ucs2, &[60, 11]),
            (zhe(56) + FAMILY + &zhe(60), Ucs2, &[67, 60]),
            (zhe(57) + FAMILY + &zhe(60), Ucs2, &[57, 67, 4]),
            // CR LF may be torn; a letter and its mark, a flag and a skin tone may not.
            (zhe(66) + "\r\n" + &zhe(66), Ucs2, &[67, 67]),
            (zhe(66) + "e\u{301}" + &zhe(66), Ucs2, &[66, 67, 1]),
            (zhe(65) + "🇳🇴" + &zhe(3), Ucs2, &[65, 7]),
            (zhe(61) + "🇳🇴🇸🇪" + &zhe(3), Ucs2, &[65, 7]),
            (zhe(65) + "👍🏽" + &zhe(3), Ucs2, &[65, 7]),
            // A cluster that no segment holds: cut between code points, in a segment of its own.
            (stacked(66) + &zhe(4), Ucs2, &[67, 4]),
            (stacked(67) + &zhe(3), Ucs2, &[67, 4]),
            (zhe(10) + &stacked(79), Ucs2, &[10, 67, 13]),
        ];
        for (text, encoding, expected) in table {
            let segments = split(text, *encoding, Reference8);
            let found: Vec<usize> = segments
                .iter()
                .map(|segment| units(segment, *encoding))
                .collect();
            assert_eq!(found, *expected, "{text:?}");
            assert_eq!(segments.concat(), *text);
            let counted = Segmentation {
                encoding: *encoding,
                segments: u16::try_from(expected.len()).unwrap(),
            };
            assert_eq!(count_segments(text), counted, "{text:?}");
            assert_eq!(Encoding::of(text), *encoding, "{text:?}");
        }
    }

    #[test]
    fn a_sixteen_bit_reference_leaves_one_unit_less() {
        let lengths = |text: &str, encoding| -> Vec<usize> {
            split(text, encoding, Reference16)
                .iter()
                .map(|segment| units(segment, encoding))
                .collect()
        };
        assert_eq!(lengths(&"a".repeat(160), Gsm7), [160]);
        assert_eq!(lengths(&"a".repeat(304), Gsm7), [152, 152]);
        assert_eq!(lengths(&"a".repeat(305), Gsm7), [152, 152, 1]);
        assert_eq!(lengths(&"Ж".repeat(70), Ucs2), [70]);
        assert_eq!(lengths(&"Ж".repeat(132), Ucs2), [66, 66]);
        assert_eq!(lengths(&"Ж".repeat(133), Ucs2), [66, 66, 1]);
    }

    #[test]
    fn a_plain_text_can_be_cut_for_a_route_without_gsm7() {
        let lengths: Vec<usize> = split(&"a".repeat(160), Ucs2, Reference8)
            .iter()
            .map(|segment| segment.len())
            .collect();
        assert_eq!(lengths, [67, 67, 26]);
    }

    #[test]
    fn the_longest_body_stays_far_below_255_segments() {
        // 1,600 code points, all the `Body` parameter takes, at their dearest.
        assert_eq!(count_segments(&"a".repeat(1600)).segments, 11);
        assert_eq!(count_segments(&"Ж".repeat(1600)).segments, 24);
        assert_eq!(count_segments(&"😀".repeat(1600)).segments, 49);
    }

    #[test]
    fn more_segments_than_the_count_can_hold_are_not_wrapped() {
        assert_eq!(count_segments(&"Ж".repeat(67 * 70_000)).segments, u16::MAX);
    }

    /// What the rule says, word by word: list the atoms, fill greedily.
    fn greedy_by_atoms(body: &str, limit: usize) -> Vec<String> {
        let mut segments: Vec<String> = Vec::new();
        let mut used = limit;
        let clusters = body.graphemes(true);
        let atoms = clusters.flat_map(|c| {
            if c == "\r\n" {
                vec!["\r", "\n"]
            } else {
                vec![c]
            }
        });
        for atom in atoms {
            let cost = ucs2::unit_count(atom);
            if used + cost > limit {
                segments.push(String::new());
                used = 0;
            }
            segments
                .last_mut()
                .expect("the first atom finds the segment full")
                .push_str(atom);
            used += cost;
        }
        segments
    }

    /// Runs of the characters that segmentation treats in a special way, among anything else.
    fn body() -> impl Strategy<Value = String> {
        let pieces = vec![
            "a",
            "é",
            "€",
            "[",
            " ",
            "\r\n",
            "\r",
            "\n",
            "Ж",
            "字",
            "ç",
            "😀",
            FAMILY,
            "🇳🇴",
            "🇳",
            "👍🏽",
            "e\u{301}",
            "\u{301}",
            "\u{200D}",
            "\u{FE0F}",
            "क्षि",
            "각",
            "\u{600}",
            "“",
            "\t",
            "☎️",
        ];
        let piece = prop_oneof![
            8 => proptest::sample::select(pieces).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ];
        let run = (piece, 1_usize..30).prop_map(|(piece, times)| piece.repeat(times));
        proptest::collection::vec(run, 0..20).prop_map(|runs| runs.concat())
    }

    fn header() -> impl Strategy<Value = HeaderSize> {
        prop_oneof![Just(Reference8), Just(Reference16)]
    }

    proptest! {
        #[test]
        fn segments_are_the_body_cut_within_limits(text in body(), header in header()) {
            let encoding = Encoding::of(&text);
            let segments = split(&text, encoding, header);
            prop_assert_eq!(segments.concat(), text.as_str());
            let limit = match segments.len() {
                0 | 1 => units_alone(encoding),
                _ => units_each(encoding, header),
            };
            for segment in &segments {
                prop_assert!(!segment.is_empty());
                prop_assert!(units(segment, encoding) <= limit);
            }
        }

        #[test]
        fn the_count_is_the_number_of_segments(text in body()) {
            let counted = count_segments(&text);
            prop_assert_eq!(counted.encoding, Encoding::of(&text));
            let segments = split(&text, counted.encoding, Reference8);
            prop_assert_eq!(usize::from(counted.segments), segments.len());
        }

        #[test]
        fn octets_of_all_segments_decode_to_the_body(text in body(), header in header()) {
            let encoding = Encoding::of(&text);
            let mut decoded = String::new();
            for segment in split(&text, encoding, header) {
                let mut octets = Vec::new();
                match encoding {
                    Gsm7 => {
                        gsm7::encode(segment, &mut octets).expect("the text is GSM-7");
                        // A torn escape pair would leave an escape behind.
                        prop_assert_ne!(octets.last(), Some(&0x1B));
                        decoded.push_str(&gsm7::decode(&octets));
                    }
                    Ucs2 => {
                        ucs2::encode(segment, &mut octets);
                        decoded.push_str(&ucs2::decode(&octets));
                    }
                }
            }
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn looking_only_near_the_cut_equals_listing_all_atoms(text in body(), header in header()) {
            let limit = units_each(Ucs2, header);
            prop_assume!(text.graphemes(true).all(|cluster| ucs2::unit_count(cluster) <= limit));
            let segments: Vec<&str> = Segments::of_several(&text, Ucs2, header).collect();
            prop_assert_eq!(segments, greedy_by_atoms(&text, limit));
        }
    }
}
