//! The built-in keywords and replies.
//!
//! The keywords are those that carriers demand in the US and Canada, and that the FCC calls valid in
//! themselves (47 CFR 64.1200(a)(10)). They are English, as Twilio's are; the table has a few words of
//! other languages, too, that nobody obeys before a customer has put them into a layer. The replies are
//! ours: an operator may word them otherwise ([`Wording`]).

use std::sync::LazyLock;

use serde::Deserialize;

use super::advanced::{KeywordGroup, Layer};
use super::{Candidate, Keyword, KeywordType, Language};
use crate::text::{Encoding, count_segments};

/// A row of `data/opt_out_keywords.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultKeyword {
    pub language: Language,
    pub kind: KeywordType,
    pub keyword: Keyword,
    /// Advanced Opt-Out can't take it away, nor give it another type.
    pub is_reserved: bool,
    /// Too ordinary a word to mean anything by itself: without Advanced Opt-Out it counts only where it
    /// could undo an opt-out.
    pub needs_opt_out: bool,
    /// US and Canadian toll-free numbers: the network above us obeys it, too, and no other word.
    pub is_network_word: bool,
}

/// What is obeyed without Advanced Opt-Out, and what the standard set of a new configuration holds.
pub fn default_keywords() -> impl Iterator<Item = &'static DefaultKeyword> {
    KEYWORDS
        .iter()
        .filter(|row| row.language == Language::English)
}

/// Words to offer to who sets up a language: nothing but suggestions. Languages may share a word, which
/// can then be in one layer only.
pub fn starter_keywords(language: Language) -> impl Iterator<Item = &'static DefaultKeyword> {
    KEYWORDS.iter().filter(move |row| row.language == language)
}

pub(super) fn find(candidate: &Candidate) -> Option<&'static DefaultKeyword> {
    default_keywords().find(|row| row.keyword.is(candidate))
}

pub(super) fn reserved_keywords() -> impl Iterator<Item = &'static DefaultKeyword> {
    default_keywords().filter(|row| row.is_reserved)
}

pub(super) fn is_network_word(keyword: &Keyword) -> bool {
    default_keywords().any(|row| row.is_network_word && row.keyword.normal() == keyword.normal())
}

static KEYWORDS: LazyLock<Vec<DefaultKeyword>> = LazyLock::new(|| {
    include_str!("../../data/opt_out_keywords.csv")
        .lines()
        .skip(1)
        .map(|line| read_row(line).expect("a test has read every row of the data file"))
        .collect()
});

/// `ENGLISH,STOP,STOPALL,` and after the last comma the traits, apart by blanks.
fn read_row(line: &'static str) -> Option<DefaultKeyword> {
    let mut fields = line.split(',');
    let mut row = DefaultKeyword {
        language: Language::parse(fields.next()?)?,
        kind: KeywordType::parse(fields.next()?)?,
        keyword: Keyword::new(fields.next()?).ok()?,
        is_reserved: false,
        needs_opt_out: false,
        is_network_word: false,
    };
    for one_trait in fields.next()?.split_whitespace() {
        match one_trait {
            "reserved" => row.is_reserved = true,
            "if_opted_out" => row.needs_opt_out = true,
            "network" => row.is_network_word = true,
            _ => return None,
        }
    }
    fields.next().is_none().then_some(row)
}

/// What is answered where a service has no words of its own: `data/opt_out_messages.csv`, unless the
/// operator words it otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wording {
    /// Confirms an opt-out, and nothing else: the one message that may still go there has no advertising.
    pub stop: String,
    pub start: String,
    pub help: String,
}

impl Default for Wording {
    fn default() -> Self {
        let [stop, start, help] = KeywordType::ALL.map(|kind| default_message(kind).to_owned());
        Self { stop, start, help }
    }
}

/// A reply that is not fit to go everywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reply to {kind} must be one segment of GSM-7: 1 to 160 characters of its alphabet")]
pub struct WordingError {
    pub kind: KeywordType,
}

impl Wording {
    pub fn of(&self, kind: KeywordType) -> &str {
        match kind {
            KeywordType::Stop => &self.stop,
            KeywordType::Start => &self.start,
            KeywordType::Help => &self.help,
        }
    }

    /// One segment each: carriers ask for it, and somebody pays for the second.
    pub fn check(&self) -> Result<(), WordingError> {
        for kind in KeywordType::ALL {
            let text = self.of(kind);
            let size = count_segments(text);
            let is_fit =
                !text.trim().is_empty() && size.encoding == Encoding::Gsm7 && size.segments == 1;
            if !is_fit {
                return Err(WordingError { kind });
            }
        }
        Ok(())
    }
}

/// The built-in reply.
pub(super) fn default_message(kind: KeywordType) -> &'static str {
    include_str!("../../data/opt_out_messages.csv")
        .lines()
        .filter_map(|line| line.split_once(','))
        .find(|(of, _)| *of == kind.as_str())
        .map(|(_, message)| message)
        .expect("a test has read every row of the data file")
}

/// The standard set of a new configuration: the built-in keywords and replies.
pub(super) fn standard_layer() -> Layer {
    let group = |kind| KeywordGroup {
        keywords: default_keywords()
            .filter(|row| row.kind == kind)
            .map(|row| row.keyword.clone())
            .collect(),
        message: Some(default_message(kind).to_owned()),
    };
    Layer {
        stop: group(KeywordType::Stop),
        start: group(KeywordType::Start),
        help: group(KeywordType::Help),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The set that US carriers demand, in full.
    #[test]
    fn carriers_words_are_obeyed() {
        let of = |kind| -> Vec<_> {
            default_keywords()
                .filter(|row| row.kind == kind)
                .map(|row| row.keyword.as_str())
                .collect()
        };
        assert_eq!(
            of(KeywordType::Stop).join(" "),
            "STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT"
        );
        assert_eq!(of(KeywordType::Start).join(" "), "START YES UNSTOP");
        assert_eq!(of(KeywordType::Help).join(" "), "HELP INFO");
        let reserved: Vec<_> = reserved_keywords()
            .map(|row| row.keyword.as_str())
            .collect();
        assert_eq!(reserved.join(" "), "STOP START UNSTOP HELP");
    }

    #[test]
    fn every_row_is_understood_and_no_word_stands_twice_in_a_language() {
        let rows = include_str!("../../data/opt_out_keywords.csv").lines();
        assert_eq!(rows.count(), KEYWORDS.len() + 1);
        let mut seen = BTreeSet::new();
        for row in KEYWORDS.iter() {
            assert!(seen.insert((row.language, row.keyword.normal())), "{row:?}");
            let has_trait = row.is_reserved || row.needs_opt_out || row.is_network_word;
            assert!(!has_trait || row.language == Language::English, "{row:?}");
        }
        for wrong in [
            "ENGLISH,STOP,STOP",
            "ENGLISH,STOP,,",
            "ENGLISH,GO,STOP,",
            "ENGLISH,STOP,STOP,odd",
            "ENGLISH,STOP,STOP,,",
        ] {
            assert_eq!(read_row(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_replies_are_one_segment_and_name_the_way_back() {
        let wording = Wording::default();
        assert_eq!(wording.check(), Ok(()));
        for (kind, words) in [
            (KeywordType::Stop, &["unsubscribed", "START"][..]),
            (KeywordType::Start, &["HELP", "STOP", "rates"]),
            (KeywordType::Help, &["STOP", "rates"]),
        ] {
            for word in words {
                assert!(wording.of(kind).contains(word), "{kind}: {word}");
            }
        }
        let rows = include_str!("../../data/opt_out_messages.csv").lines();
        assert_eq!(rows.count(), 1 + KeywordType::ALL.len());
    }

    #[test]
    fn a_wording_of_the_operators_is_one_segment_too() {
        for (help, is_fit) in [
            ("a".repeat(160), true),
            ("a".repeat(161), false),
            ("€".repeat(80), true),
            ("€".repeat(81), false),
            ("Text STOP → out".to_owned(), false),
            (String::new(), false),
            (" ".to_owned(), false),
        ] {
            let wording = Wording {
                help: help.clone(),
                ..Wording::default()
            };
            let expected = if is_fit {
                Ok(())
            } else {
                Err(WordingError {
                    kind: KeywordType::Help,
                })
            };
            assert_eq!(wording.check(), expected, "{help}");
        }
    }
}
