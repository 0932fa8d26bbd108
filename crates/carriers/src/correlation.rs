//! Which submit does a receipt belong to? Carriers write the same id in two ways.
//!
//! The engine stores **one** key for each id a submit response gave ([`canonical`]) and looks a
//! receipt up by its candidates, in order ([`candidates`]). The canonical form forgives what
//! carriers do between response and receipt without changing the id: letter case, leading zeros,
//! spaces around. The candidates add the one thing that changes it: decimal there, hexadecimal
//! here, or the other way round. Ruled by `docs/carriers.md`, *Matching receipts*.
//!
//! A guess (any candidate but the first) is only good when it finds exactly one open message, and
//! that to the same handset; that check is the engine's. Settings end the guessing.

use serde::Deserialize;
use smallvec::{SmallVec, smallvec};

/// How a carrier writes its ids in one place, as far as the operator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    /// Not known: try what is plausible.
    #[default]
    Guess,
    #[serde(rename = "dec")]
    Decimal,
    #[serde(rename = "hex")]
    Hexadecimal,
    Text,
}

/// The form of ids in submit responses (`resp_id`) and in receipts (`dlr_id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct IdForms {
    pub response: IdForm,
    pub receipt: IdForm,
}

/// The key under which an id from a submit response is stored: ASCII letters in lower case, no
/// leading zeros, no blanks or NULs around. Never a number: an id of any shape and length has one.
pub fn canonical(id: &str) -> Box<str> {
    let is_padding = |c: char| c == '\0' || c.is_ascii_whitespace();
    let id = id.trim_matches(is_padding);
    // Both at once: a key is its own key, also when blanks follow the zeros.
    let significant = id.trim_start_matches(|c| c == '0' || is_padding(c));
    // "000" is the id zero, not the empty id.
    let kept = if significant.is_empty() && !id.is_empty() {
        "0"
    } else {
        significant
    };
    kept.to_ascii_lowercase().into()
}

/// The keys under which the submit response of a receipt's id may be stored, most literal first.
pub fn candidates(receipt_id: &str, forms: IdForms) -> SmallVec<[Box<str>; 3]> {
    use IdForm::{Decimal, Guess, Hexadecimal, Text};
    let same = canonical(receipt_id);
    if same.is_empty() {
        return SmallVec::new();
    }
    match (forms.response, forms.receipt) {
        (Text, _) | (_, Text) | (Decimal, Decimal) | (Hexadecimal, Hexadecimal) => smallvec![same],
        (Hexadecimal, Decimal) => smallvec![decimal_to_hexadecimal(&same).unwrap_or(same)],
        (Decimal, Hexadecimal) => smallvec![hexadecimal_to_decimal(&same).unwrap_or(same)],
        (response, receipt) => {
            let to_hexadecimal = (response != Decimal && receipt != Hexadecimal)
                .then(|| decimal_to_hexadecimal(&same))
                .flatten();
            let to_decimal = (response != Hexadecimal && receipt != Decimal)
                .then(|| hexadecimal_to_decimal(&same))
                .flatten();
            debug_assert!(response == Guess || receipt == Guess);
            let mut keys: SmallVec<[Box<str>; 3]> = smallvec![same];
            for key in [to_hexadecimal, to_decimal].into_iter().flatten() {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            keys
        }
    }
}

/// How a receipt's id was understood, where it may mean several (see [`candidates`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As it is written. Letter case and leading zeros never were in question.
    AsWritten,
    /// The receipt writes in decimal what the response wrote in hexadecimal.
    DecimalToHexadecimal,
    HexadecimalToDecimal,
}

impl Reading {
    /// In the order of [`candidates`].
    pub const ALL: [Self; 3] = [
        Self::AsWritten,
        Self::DecimalToHexadecimal,
        Self::HexadecimalToDecimal,
    ];

    /// How one of several candidates came about; `literal` is the first of them.
    pub fn of(literal: &str, candidate: &str) -> Self {
        if literal == candidate {
            return Self::AsWritten;
        }
        match decimal_to_hexadecimal(literal) {
            Some(hexadecimal) if *hexadecimal == *candidate => Self::DecimalToHexadecimal,
            _ => Self::HexadecimalToDecimal,
        }
    }

    /// The settings `resp_id` and `dlr_id` under which nothing else is tried.
    pub fn settings(self) -> (&'static str, &'static str) {
        match self {
            Self::AsWritten => ("text", "text"),
            Self::DecimalToHexadecimal => ("hex", "dec"),
            Self::HexadecimalToDecimal => ("dec", "hex"),
        }
    }
}

/// Numbers of 38 decimal digits, and some of 39, fit 128 bits; anything else is text.
fn decimal_to_hexadecimal(canonical: &str) -> Option<Box<str>> {
    let is_decimal = canonical.len() <= 39 && canonical.bytes().all(|b| b.is_ascii_digit());
    let number: u128 = is_decimal.then(|| canonical.parse().ok()).flatten()?;
    Some(format!("{number:x}").into())
}

/// Numbers up to 32 hexadecimal digits fit 128 bits; anything longer, or not a number, is text.
fn hexadecimal_to_decimal(canonical: &str) -> Option<Box<str>> {
    let is_hexadecimal = canonical.len() <= 32 && canonical.bytes().all(|b| b.is_ascii_hexdigit());
    let number = is_hexadecimal
        .then(|| u128::from_str_radix(canonical, 16).ok())
        .flatten()?;
    Some(number.to_string().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GUESS: IdForms = IdForms {
        response: IdForm::Guess,
        receipt: IdForm::Guess,
    };

    fn forms(response: IdForm, receipt: IdForm) -> IdForms {
        IdForms { response, receipt }
    }

    #[track_caller]
    fn assert_matches(response_id: &str, receipt_id: &str, forms: IdForms) {
        let key = canonical(response_id);
        let keys = candidates(receipt_id, forms);
        assert!(
            keys.contains(&key),
            "{response_id} is stored as {key}, looked up by {keys:?}"
        );
    }

    /// One row per way in which a receipt's id differs from the response's.
    #[test]
    fn a_receipt_finds_its_submit_in_every_known_dialect() {
        for (response, receipt) in [
            ("abc-1", "abc-1"),                   // exact
            ("abc-1", "ABC-1"),                   // case-folded
            ("0000042", "42"),                    // zeros stripped in the receipt
            ("42", "00000042"),                   // zeros added in the receipt
            ("7b", "123"),                        // response hex, receipt dec
            ("123", "7B"),                        // response dec, receipt hex
            ("0007B", "0000000123"),              // padded on both sides
            (" 123 ", "123\0"),                   // blanks and NULs around
            ("0 123", "123"),                     // zeros and blanks before
            ("id with spaces", "ID WITH SPACES"), // any characters
            (
                "ffffffffffffffffffffffffffffffff",
                "340282366920938463463374607431768211455",
            ),
        ] {
            assert_matches(response, receipt, GUESS);
        }
    }

    #[test]
    fn row_1_zero_stripped_and_upper_cased_text_id_is_found() {
        assert_matches(
            "0e999f21-d345-4c5b-a8a2-5ab8cea5e55c",
            "E999F21-D345-4C5B-A8A2-5AB8CEA5E55C",
            GUESS,
        );
    }

    #[test]
    fn row_1_a_text_id_is_never_treated_as_a_number() {
        let text = forms(IdForm::Text, IdForm::Text);
        assert_eq!(candidates("0123", text).as_slice(), [Box::from("123")]);
    }

    #[test]
    fn row_2_hexadecimal_response_and_decimal_receipt_above_2_to_the_63rd() {
        let receipt = 0x812F_C747_0000_001B_u64.to_string();
        assert_matches("812FC7470000001B", &receipt, GUESS);
        assert_matches(
            "812FC7470000001B",
            &receipt,
            forms(IdForm::Hexadecimal, IdForm::Decimal),
        );
        assert_matches(
            &receipt,
            "812fc7470000001b",
            forms(IdForm::Decimal, IdForm::Hexadecimal),
        );
    }

    #[test]
    fn row_3_an_id_that_is_no_number_is_text_and_not_an_error() {
        for forms in [
            GUESS,
            forms(IdForm::Decimal, IdForm::Hexadecimal),
            forms(IdForm::Hexadecimal, IdForm::Decimal),
        ] {
            let id = "5c3b2a19-uuid-like-id";
            assert_eq!(candidates(id, forms).as_slice(), [canonical(id)]);
        }
    }

    #[test]
    fn row_4_any_character_may_be_in_an_id() {
        assert_matches("SAR:1/3 é#0042", "sar:1/3 é#0042", GUESS);
    }

    #[test]
    fn an_id_too_long_for_128_bits_is_text() {
        let long = "9".repeat(60);
        assert_eq!(candidates(&long, GUESS).as_slice(), [canonical(&long)]);
        assert_eq!(candidates(&"f".repeat(33), GUESS).len(), 1);
    }

    #[test]
    fn settings_end_the_guessing() {
        let keys = candidates("123", forms(IdForm::Hexadecimal, IdForm::Decimal));
        assert_eq!(keys.as_slice(), [Box::from("7b")]);
        let keys = candidates("123", forms(IdForm::Decimal, IdForm::Decimal));
        assert_eq!(keys.as_slice(), [Box::from("123")]);
    }

    #[test]
    fn a_candidate_tells_how_it_was_read_and_its_settings_read_it_so() {
        use IdForm::{Decimal, Hexadecimal, Text};
        for (reading, at, resp_id, dlr_id) in [
            (Reading::AsWritten, 0, Text, Text),
            (Reading::DecimalToHexadecimal, 1, Hexadecimal, Decimal),
            (Reading::HexadecimalToDecimal, 2, Decimal, Hexadecimal),
        ] {
            let keys = candidates("1234", GUESS);
            assert_eq!(Reading::of(&keys[0], &keys[at]), reading);
            let settled = candidates("1234", forms(resp_id, dlr_id));
            assert_eq!(settled.as_slice(), &keys[at..=at]);
        }
        // No decimal: the second candidate is the other conversion.
        let keys = candidates("7b", GUESS);
        assert_eq!(
            Reading::of(&keys[0], &keys[1]),
            Reading::HexadecimalToDecimal
        );
    }

    #[test]
    fn an_empty_id_has_no_candidates_and_zero_is_an_id() {
        assert!(candidates(" \0", GUESS).is_empty());
        assert_matches("000", "0", GUESS);
    }

    proptest! {
        #[test]
        fn the_literal_form_comes_first_and_candidates_are_distinct(id in ".{0,70}") {
            let keys = candidates(&id, GUESS);
            let same = canonical(&id);
            prop_assert_eq!(keys.first(), Some(&same).filter(|key| !key.is_empty()));
            for (at, key) in keys.iter().enumerate() {
                prop_assert!(!keys[..at].contains(key));
                prop_assert_eq!(canonical(key), key.clone());
            }
        }

        #[test]
        fn both_directions_agree_for_all_numbers(number in any::<u128>()) {
            let (decimal, hexadecimal) = (number.to_string(), format!("{number:X}"));
            assert_matches(&hexadecimal, &decimal, GUESS);
            assert_matches(&decimal, &hexadecimal, GUESS);
        }
    }
}
