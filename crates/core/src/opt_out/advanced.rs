//! Advanced Opt-Out: a service's own keywords and replies, in three layers.
//!
//! The standard set is English and always there. A language layer adds words of another language to it,
//! in every country that has no layer of its own. A country layer has languages of its own, and is asked
//! first for users of that country; what it does not know falls through to the standard set, past the
//! language layers. The reply is in the language of the word.
//!
//! Reading never fails: a configuration is checked when it is changed (`check.rs`), and one that an
//! older version accepted still gives one answer to every word.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::defaults::{default_message, reserved_keywords, standard_layer};
use super::{Candidate, Keyword, KeywordType, Language, Rule};
use crate::country::Country;

/// One service's configuration. It can be edited while it is off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdvancedOptOut {
    pub is_enabled: bool,
    /// In English.
    pub standard: Layer,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<Language, Layer>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub countries: BTreeMap<Country, CountryLayer>,
}

/// Off, with the built-in keywords and replies as its standard set.
impl Default for AdvancedOptOut {
    fn default() -> Self {
        Self {
            is_enabled: false,
            standard: standard_layer(),
            languages: BTreeMap::new(),
            countries: BTreeMap::new(),
        }
    }
}

/// What users of one country can say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountryLayer {
    /// In which reserved words are answered: one of `languages`.
    pub default_language: Language,
    pub languages: BTreeMap<Language, Layer>,
}

/// The words and replies of one language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Layer {
    pub stop: KeywordGroup,
    pub start: KeywordGroup,
    pub help: KeywordGroup,
}

/// The words of one type, and what is answered to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeywordGroup {
    pub keywords: Vec<Keyword>,
    /// `None`: what a wider layer answers in this language, else the standard set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The keyword that a text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match<'a> {
    pub kind: KeywordType,
    pub keyword: &'a Keyword,
    /// Of the word and of the reply.
    pub language: Language,
    pub message: &'a str,
    pub rule: Rule,
}

impl AdvancedOptOut {
    /// What a text means to a user of this country.
    pub fn find(&self, candidate: &Candidate, country: Option<Country>) -> Option<Match<'_>> {
        match country.and_then(|country| self.countries.get(&country)) {
            Some(layer) => self.find_in_country(layer, candidate),
            None => self.find_worldwide(candidate),
        }
    }

    /// Whether any layer is in this language.
    pub fn has_language(&self, language: Language) -> bool {
        let mut countries = self.countries.values();
        language == Language::English
            || self.languages.contains_key(&language)
            || countries.any(|country| country.languages.contains_key(&language))
    }

    fn find_in_country<'a>(
        &'a self,
        country: &'a CountryLayer,
        candidate: &Candidate,
    ) -> Option<Match<'a>> {
        let here = Some(country);
        let layers = || {
            country
                .languages
                .iter()
                .map(|(language, layer)| (*language, layer))
        };
        if let Some((kind, language, keyword)) = find(layers, candidate) {
            return Some(self.found(kind, keyword, language, here, Rule::CountryLayer));
        }
        if let Some((kind, keyword)) = find_reserved(candidate) {
            let language = country.default_language;
            return Some(self.found(kind, keyword, language, here, Rule::ReservedWord));
        }
        let (kind, language, keyword) = find(|| [(Language::English, &self.standard)], candidate)?;
        Some(self.found(kind, keyword, language, None, Rule::StandardSet))
    }

    fn find_worldwide(&self, candidate: &Candidate) -> Option<Match<'_>> {
        if let Some((kind, language, keyword)) = find(|| self.worldwide_layers(), candidate) {
            let rule = match language {
                Language::English => Rule::StandardSet,
                _ => Rule::LanguageLayer,
            };
            return Some(self.found(kind, keyword, language, None, rule));
        }
        // Only where they were lost: no checked configuration lacks them.
        let (kind, keyword) = find_reserved(candidate)?;
        Some(self.found(kind, keyword, Language::English, None, Rule::ReservedWord))
    }

    /// A keyword with the reply to it, the country's if there is one.
    fn found<'a>(
        &'a self,
        kind: KeywordType,
        keyword: &'a Keyword,
        language: Language,
        country: Option<&'a CountryLayer>,
        rule: Rule,
    ) -> Match<'a> {
        Match {
            kind,
            keyword,
            language,
            message: self.message(kind, language, country),
            rule,
        }
    }

    /// The standard set, then the language layers.
    pub(super) fn worldwide_layers(&self) -> impl Iterator<Item = (Language, &Layer)> {
        let standard = (Language::English, &self.standard);
        let languages = self.languages.iter();
        std::iter::once(standard).chain(languages.map(|(language, layer)| (*language, layer)))
    }

    /// The narrowest message in the language of the word; without one, what the standard set says.
    fn message<'a>(
        &'a self,
        kind: KeywordType,
        language: Language,
        country: Option<&'a CountryLayer>,
    ) -> &'a str {
        let of_country = country.and_then(|country| country.languages.get(&language));
        [
            of_country,
            self.languages.get(&language),
            Some(&self.standard),
        ]
        .into_iter()
        .flatten()
        .find_map(|layer| layer.group(kind).message.as_deref())
        .unwrap_or_else(|| default_message(kind))
    }
}

impl Layer {
    pub fn group(&self, kind: KeywordType) -> &KeywordGroup {
        match kind {
            KeywordType::Stop => &self.stop,
            KeywordType::Start => &self.start,
            KeywordType::Help => &self.help,
        }
    }

    pub fn group_mut(&mut self, kind: KeywordType) -> &mut KeywordGroup {
        match kind {
            KeywordType::Stop => &mut self.stop,
            KeywordType::Start => &mut self.start,
            KeywordType::Help => &mut self.help,
        }
    }
}

/// STOP before START before HELP, whichever layer has it.
fn find<'a, L>(
    layers: impl Fn() -> L,
    candidate: &Candidate,
) -> Option<(KeywordType, Language, &'a Keyword)>
where
    L: IntoIterator<Item = (Language, &'a Layer)>,
{
    KeywordType::ALL.into_iter().find_map(|kind| {
        layers().into_iter().find_map(|(language, layer)| {
            let mut keywords = layer.group(kind).keywords.iter();
            let keyword = keywords.find(|keyword| keyword.is(candidate))?;
            Some((kind, language, keyword))
        })
    })
}

fn find_reserved(candidate: &Candidate) -> Option<(KeywordType, &'static Keyword)> {
    reserved_keywords()
        .find(|row| row.keyword.is(candidate))
        .map(|row| (row.kind, &row.keyword))
}
