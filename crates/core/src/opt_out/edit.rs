//! Changes of an Advanced Opt-Out configuration, a word or a message at a time.
//!
//! Layers come and go with what is in them: the first word or message of a language makes its layer, and
//! one that nothing is left of is gone. Several changes are made together or not at all, since what is
//! in between need not make sense.

use super::advanced::{AdvancedOptOut, CountryLayer, KeywordGroup, Layer};
use super::check::{OptOutProblem, Place};
use super::{Keyword, KeywordType, Language};
use crate::country::Country;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    Enable(bool),
    /// `None`: what a wider layer answers.
    SetMessage(Place, Option<String>),
    /// A word that is there already is spelled anew.
    AddKeyword(Place, Keyword),
    RemoveKeyword(Place, Keyword),
    /// In which language a country's reserved words are answered. Makes the layer of a country that has
    /// none.
    SetDefaultLanguage(Country, Language),
    /// With all its languages.
    RemoveCountry(Country),
}

impl AdvancedOptOut {
    /// Makes all changes, or says what would be wrong after them.
    pub fn edit(&mut self, edits: impl IntoIterator<Item = Edit>) -> Result<(), OptOutProblem> {
        let mut edited = self.clone();
        for edit in edits {
            edited.make(edit);
        }
        edited.drop_empty_layers();
        edited.check()?;
        *self = edited;
        Ok(())
    }

    fn make(&mut self, edit: Edit) {
        match edit {
            Edit::Enable(is_enabled) => self.is_enabled = is_enabled,
            Edit::SetMessage(place, message) => self.group_mut(place).message = message,
            Edit::AddKeyword(place, keyword) => {
                let keywords = &mut self.group_mut(place).keywords;
                let same = |known: &&mut Keyword| known.normal() == keyword.normal();
                match keywords.iter_mut().find(same) {
                    Some(known) => *known = keyword,
                    None => keywords.push(keyword),
                }
            }
            Edit::RemoveKeyword(place, keyword) => {
                let keywords = &mut self.group_mut(place).keywords;
                keywords.retain(|known| known.normal() != keyword.normal());
            }
            Edit::SetDefaultLanguage(country, language) => {
                let layer = self.country_mut(country, language);
                layer.default_language = language;
                layer.languages.entry(language).or_default();
            }
            Edit::RemoveCountry(country) => {
                self.countries.remove(&country);
            }
        }
    }

    /// English outside of countries is the standard set.
    fn group_mut(&mut self, place: Place) -> &mut KeywordGroup {
        let Place {
            kind,
            language,
            country,
        } = place;
        let layer = match country {
            Some(country) => {
                let layer = self.country_mut(country, language);
                layer.languages.entry(language).or_default()
            }
            None if language == Language::English => &mut self.standard,
            None => self.languages.entry(language).or_default(),
        };
        layer.group_mut(kind)
    }

    fn country_mut(&mut self, country: Country, language: Language) -> &mut CountryLayer {
        let new = || CountryLayer {
            default_language: language,
            languages: [(language, Layer::default())].into(),
        };
        self.countries.entry(country).or_insert_with(new)
    }

    fn drop_empty_layers(&mut self) {
        self.languages.retain(|_, layer| !layer.is_empty());
        for country in self.countries.values_mut() {
            let default = country.default_language;
            country
                .languages
                .retain(|language, layer| *language == default || !layer.is_empty());
        }
    }
}

impl Layer {
    fn is_empty(&self) -> bool {
        KeywordType::ALL.into_iter().all(|kind| {
            let group = self.group(kind);
            group.keywords.is_empty() && group.message.is_none()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(kind: KeywordType, language: Language, country: Option<&str>) -> Place {
        Place {
            kind,
            language,
            country: country.map(|country| Country::parse_known(country).unwrap()),
        }
    }

    fn word(word: &str) -> Keyword {
        Keyword::new(word).unwrap()
    }

    #[test]
    fn layers_come_and_go_with_what_is_in_them() {
        let stop = place(KeywordType::Stop, Language::Spanish, None);
        let mut advanced = AdvancedOptOut::default();
        advanced
            .edit([
                Edit::AddKeyword(stop, word("PARAR")),
                Edit::AddKeyword(stop, word("parar")),
                Edit::SetMessage(stop, Some("No más.".to_owned())),
            ])
            .unwrap();
        let group = &advanced.languages[&Language::Spanish].stop;
        assert_eq!(group.keywords, [word("parar")]);
        advanced
            .edit([
                Edit::RemoveKeyword(stop, word("Parar")),
                Edit::SetMessage(stop, None),
            ])
            .unwrap();
        assert_eq!(advanced, AdvancedOptOut::default());
    }

    #[test]
    fn a_country_begins_with_its_first_language_and_keeps_its_default() {
        let aide = place(KeywordType::Help, Language::French, Some("CA"));
        let info = place(KeywordType::Help, Language::English, Some("CA"));
        let mut advanced = AdvancedOptOut::default();
        advanced
            .edit([
                Edit::AddKeyword(aide, word("AIDE")),
                Edit::AddKeyword(info, word("INFO")),
            ])
            .unwrap();
        let canada = aide.country.unwrap();
        assert_eq!(
            advanced.countries[&canada].default_language,
            Language::French
        );
        advanced
            .edit([
                Edit::SetDefaultLanguage(canada, Language::English),
                Edit::RemoveKeyword(info, word("INFO")),
                Edit::RemoveKeyword(aide, word("AIDE")),
            ])
            .unwrap();
        let languages: Vec<_> = advanced.countries[&canada].languages.keys().collect();
        assert_eq!(languages, [&Language::English]);
        advanced.edit([Edit::RemoveCountry(canada)]).unwrap();
        assert_eq!(advanced, AdvancedOptOut::default());
    }

    #[test]
    fn nothing_is_changed_if_the_end_makes_no_sense() {
        let stop = place(KeywordType::Stop, Language::English, None);
        let help = place(KeywordType::Help, Language::English, None);
        let mut advanced = AdvancedOptOut::default();
        let refused = advanced.edit([Edit::Enable(true), Edit::RemoveKeyword(stop, word("stop"))]);
        assert!(matches!(
            refused,
            Err(OptOutProblem::ReservedMissing { .. })
        ));
        assert_eq!(advanced, AdvancedOptOut::default());
        // A word moves from one type to the other in one go.
        let moved = [
            Edit::AddKeyword(help, word("END")),
            Edit::RemoveKeyword(stop, word("END")),
        ];
        advanced.edit(moved).unwrap();
        let refused = advanced.edit([Edit::AddKeyword(stop, word("END"))]);
        assert!(matches!(refused, Err(OptOutProblem::KeywordTwice { .. })));
    }
}
