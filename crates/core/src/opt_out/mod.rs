//! Opt-out: what a received STOP, START or HELP does, and whom a message may therefore not go to.
//!
//! [`decide`] is asked once for each received text, before any webhook: it says what becomes of the
//! opt-out list, what is answered, and what the webhook is told. [`ListKeys`] names the entries of that
//! list which concern a message, in either direction. Words and replies are the built-in ones
//! ([`Wording`]) or a service's own ([`AdvancedOptOut`]). Nothing is kept here: the list and the times
//! of the last replies belong to the caller. Ruled by `docs/opt-out.md`.

mod advanced;
mod check;
mod decide;
mod defaults;
mod edit;
mod keyword;
mod language;
mod ledger;
mod revocation;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use advanced::{AdvancedOptOut, CountryLayer, KeywordGroup, Layer, Match};
pub use check::{KEYWORDS_MAX, MESSAGE_LENGTH_MAX, OptOutProblem, Place};
pub use decide::{
    Handling, Inbound, LastReplies, Outcome, REPLY_INTERVAL_MS, Reply, Silence, decide,
};
pub use defaults::{DefaultKeyword, Wording, WordingError, default_keywords, starter_keywords};
pub use edit::Edit;
pub use keyword::{Candidate, KEYWORD_LENGTH_MAX, Keyword, KeywordError};
pub use language::Language;
pub use ledger::{ChannelGroup, ListChange, ListKey, ListKeys, Scope, Standing};
pub use revocation::{RevocationPhrase, possible_revocation};

/// What a keyword asks for. Where the same word could be two, the earlier one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum KeywordType {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
    Help,
}

impl KeywordType {
    pub const ALL: [Self; 3] = [Self::Stop, Self::Start, Self::Help];

    /// As the webhook's `OptOutType` and the API spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "STOP",
            Self::Start => "START",
            Self::Help => "HELP",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for KeywordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// By which rule a received word counted: part of an entry's cause in the opt-out list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// One of the built-in keywords, where a service has none of its own.
    DefaultKeyword,
    /// Advanced Opt-Out: in the standard set.
    StandardSet,
    /// Advanced Opt-Out: in the layer of a language.
    LanguageLayer,
    /// Advanced Opt-Out: in the layer of the user's country.
    CountryLayer,
    /// Advanced Opt-Out: a reserved word, which no layer takes away.
    ReservedWord,
}

impl Rule {
    pub const ALL: [Self; 5] = [
        Self::DefaultKeyword,
        Self::StandardSet,
        Self::LanguageLayer,
        Self::CountryLayer,
        Self::ReservedWord,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::DefaultKeyword => "default_keyword",
            Self::StandardSet => "standard_set",
            Self::LanguageLayer => "language_layer",
            Self::CountryLayer => "country_layer",
            Self::ReservedWord => "reserved_word",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
