//! Texts that may be an opt-out in the user's own words.
//!
//! US law lets a consumer revoke consent in any reasonable way, not by keywords alone (47 CFR
//! 64.1200(a)(10)). A phrase of the table only flags a text for somebody to read: "stop it" may be meant
//! otherwise, and nothing is blocked here. The table is `data/revocation_phrases.csv`.

use std::sync::LazyLock;

use super::Language;
use super::keyword::fold;

/// Characters of a text that are read: the longest body that can be sent. An opt-out is not at the end of
/// a longer one.
const TEXT_LENGTH_MAX: usize = 1600;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationPhrase {
    pub language: Language,
    /// As the table spells it.
    pub phrase: &'static str,
    normal: String,
}

/// The first phrase of these languages that the text holds. Meant for texts that are no keyword.
pub fn possible_revocation(
    text: &str,
    is_configured: impl Fn(Language) -> bool,
) -> Option<&'static RevocationPhrase> {
    let end = text
        .char_indices()
        .nth(TEXT_LENGTH_MAX)
        .map_or(text.len(), |(end, _)| end);
    let words = words_of(&text[..end]);
    PHRASES
        .iter()
        .find(|row| is_configured(row.language) && words.contains(&row.normal))
}

static PHRASES: LazyLock<Vec<RevocationPhrase>> = LazyLock::new(|| {
    include_str!("../../data/revocation_phrases.csv")
        .lines()
        .skip(1)
        .map(|line| read_row(line).expect("a test has read every row of the data file"))
        .collect()
});

fn read_row(line: &'static str) -> Option<RevocationPhrase> {
    let (language, phrase) = line.split_once(',')?;
    let language = Language::parse(language)?;
    let words = words_of(phrase);
    let normal = if language.separates_words() {
        words
    } else {
        words.trim().to_owned()
    };
    (!normal.trim().is_empty()).then_some(RevocationPhrase {
        language,
        phrase,
        normal,
    })
}

/// The words of a text between single blanks, with one before and one behind, so that a phrase is found
/// where a word begins and ends. Punctuation is a blank: `don’t` is `don t`.
fn words_of(text: &str) -> String {
    let folded = fold(text);
    let mut words = String::with_capacity(folded.len() + 2);
    words.push(' ');
    for c in folded.chars() {
        if c.is_alphanumeric() {
            words.push(c);
        } else if !words.ends_with(' ') {
            words.push(' ');
        }
    }
    if !words.ends_with(' ') {
        words.push(' ');
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str, languages: &[Language]) -> Option<&'static str> {
        possible_revocation(text, |language| languages.contains(&language)).map(|row| row.phrase)
    }

    #[test]
    fn every_phrase_is_found_in_its_language_and_in_a_sentence() {
        let rows = include_str!("../../data/revocation_phrases.csv").lines();
        assert_eq!(rows.count(), PHRASES.len() + 1);
        for row in PHRASES.iter() {
            let in_a_sentence = if row.language.separates_words() {
                format!("Hey, {}! Thanks", row.phrase.to_uppercase())
            } else {
                format!("请{}谢谢", row.phrase)
            };
            let only = [row.language];
            assert!(found(&in_a_sentence, &only).is_some(), "{row:?}");
            let others = |language| language != row.language && language == Language::Zulu;
            assert_eq!(possible_revocation(&in_a_sentence, others), None, "{row:?}");
        }
    }

    #[test]
    fn a_text_is_flagged_or_it_is_not() {
        let languages = [Language::English, Language::Spanish];
        for (text, expected) in [
            ("Please STOP texting me", Some("stop texting")),
            ("stop  texting", Some("stop texting")),
            ("STOP PLEASE", Some("stop please")),
            ("please, stop", Some("please stop")),
            ("REMOVE ME!!", Some("remove me")),
            ("leave me alone", Some("leave me alone")),
            ("Don’t text this number", Some("don't text")),
            ("don't text this number", Some("don't text")),
            ("ｌｅａｖｅ ｍｅ ａｌｏｎｅ", Some("leave me alone")),
            ("No quiero mas", None),
            ("¡No quiero más!", Some("no quiero más")),
            ("lassen sie mich in ruhe", None),
            ("nonstop texting", None),
            ("stop texting", Some("stop texting")),
            ("stop textings", None),
            ("see you at the bus stop", None),
            ("remove meat from the order", None),
            ("", None),
            ("STOP", None),
        ] {
            assert_eq!(found(text, &languages), expected, "{text:?}");
        }
    }

    #[test]
    fn only_the_length_of_a_body_is_read() {
        let after = |count: usize| format!("{} stop texting", "a".repeat(count));
        let phrase = Some("stop texting");
        assert_eq!(found(&after(1587), &[Language::English]), phrase);
        assert_eq!(found(&after(1588), &[Language::English]), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = possible_revocation(&text, |_| true);
        }
    }
}
