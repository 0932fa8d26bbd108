//! What an Advanced Opt-Out configuration must be before it is kept.
//!
//! One rule is behind most of it: within one country, or within the standard set and the language layers
//! together, a word has one meaning and one language.

use std::collections::HashMap;
use std::fmt;

use super::advanced::{AdvancedOptOut, CountryLayer, Layer};
use super::defaults::reserved_keywords;
use super::{KeywordError, KeywordType, Language};
use crate::country::Country;
use crate::error_code::ErrorCode;
use crate::fault::Fault;

/// Characters (code points) of a reply: Twilio's limit. It may take several segments.
pub const MESSAGE_LENGTH_MAX: usize = 320;

/// Keywords of one type in one language of a layer. Ours: every received text that could be a keyword is
/// compared with them.
pub const KEYWORDS_MAX: usize = 100;

/// Where in a configuration something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub kind: KeywordType,
    pub language: Language,
    /// `None` for the standard set and the language layers.
    pub country: Option<Country>,
}

impl fmt::Display for Place {
    /// `STOP.FRENCH`, and for a country's `STOP.FRENCH in CA`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind, self.language)?;
        match self.country {
            Some(country) => write!(f, " in {country}"),
            None => Ok(()),
        }
    }
}

/// Why a configuration is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptOutProblem {
    #[error(
        "the keyword {keyword:?} stands in {first} and in {second}: it can have one meaning only"
    )]
    KeywordTwice {
        keyword: String,
        first: Place,
        second: Place,
    },
    #[error("the keyword {keyword:?} is reserved for {reserved} and can't stand in {place}")]
    ReservedElsewhere {
        keyword: String,
        reserved: KeywordType,
        place: Place,
    },
    #[error("the keyword {keyword:?} is reserved and can't be removed from {place}")]
    ReservedMissing { keyword: String, place: Place },
    #[error("{given} keywords in {place}, expected at most {KEYWORDS_MAX}")]
    TooManyKeywords { given: usize, place: Place },
    #[error(
        "the message of {place} has {given} characters, expected 1 to {MESSAGE_LENGTH_MAX}, not all of them blanks"
    )]
    MessageLength { given: usize, place: Place },
    #[error("English is the language of the standard set: change that one")]
    EnglishIsStandard,
    #[error("the default language {language} of {country} has no layer there")]
    DefaultLanguageMissing {
        country: Country,
        language: Language,
    },
}

impl From<OptOutProblem> for Fault {
    fn from(problem: OptOutProblem) -> Self {
        Self::because(ErrorCode::InvalidParameter, problem.to_string())
    }
}

impl From<KeywordError> for Fault {
    fn from(error: KeywordError) -> Self {
        Self::because(ErrorCode::InvalidParameter, error.to_string())
    }
}

impl AdvancedOptOut {
    /// Finds what is wrong, if anything is.
    pub fn check(&self) -> Result<(), OptOutProblem> {
        if self.languages.contains_key(&Language::English) {
            return Err(OptOutProblem::EnglishIsStandard);
        }
        self.check_reserved()?;
        check_layers(None, self.worldwide_layers())?;
        for (country, layer) in &self.countries {
            check_country(*country, layer)?;
        }
        Ok(())
    }

    fn check_reserved(&self) -> Result<(), OptOutProblem> {
        for row in reserved_keywords() {
            let kept = &self.standard.group(row.kind).keywords;
            if !kept
                .iter()
                .any(|kept| kept.normal() == row.keyword.normal())
            {
                return Err(OptOutProblem::ReservedMissing {
                    keyword: row.keyword.to_string(),
                    place: Place {
                        kind: row.kind,
                        language: Language::English,
                        country: None,
                    },
                });
            }
        }
        Ok(())
    }
}

fn check_country(country: Country, layer: &CountryLayer) -> Result<(), OptOutProblem> {
    let language = layer.default_language;
    if !layer.languages.contains_key(&language) {
        return Err(OptOutProblem::DefaultLanguageMissing { country, language });
    }
    let languages = layer.languages.iter();
    check_layers(
        Some(country),
        languages.map(|(language, layer)| (*language, layer)),
    )
}

/// The layers that are asked together: no word twice among them.
fn check_layers<'a>(
    country: Option<Country>,
    layers: impl Iterator<Item = (Language, &'a Layer)>,
) -> Result<(), OptOutProblem> {
    let mut places = HashMap::new();
    for (language, layer) in layers {
        for kind in KeywordType::ALL {
            let place = Place {
                kind,
                language,
                country,
            };
            let group = layer.group(kind);
            if let Some(message) = &group.message {
                check_message(message, place)?;
            }
            let given = group.keywords.len();
            if given > KEYWORDS_MAX {
                return Err(OptOutProblem::TooManyKeywords { given, place });
            }
            for keyword in &group.keywords {
                check_type(keyword.normal(), place)?;
                if let Some(first) = places.insert(keyword.normal(), place) {
                    return Err(OptOutProblem::KeywordTwice {
                        keyword: keyword.to_string(),
                        first,
                        second: place,
                    });
                }
            }
        }
    }
    Ok(())
}

fn check_message(message: &str, place: Place) -> Result<(), OptOutProblem> {
    let given = message.chars().count();
    if message.trim().is_empty() || given > MESSAGE_LENGTH_MAX {
        return Err(OptOutProblem::MessageLength { given, place });
    }
    Ok(())
}

fn check_type(normal: &str, place: Place) -> Result<(), OptOutProblem> {
    match reserved_keywords().find(|row| row.keyword.normal() == normal) {
        Some(row) if row.kind != place.kind => Err(OptOutProblem::ReservedElsewhere {
            keyword: row.keyword.to_string(),
            reserved: row.kind,
            place,
        }),
        Some(_) | None => Ok(()),
    }
}
