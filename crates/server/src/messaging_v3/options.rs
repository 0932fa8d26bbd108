//! What a configuration can be made of: languages, countries, and the words that are there to begin with.

use postrider_core::country::countries;
use postrider_core::opt_out::{
    DefaultKeyword, KeywordType, Language, Wording, default_keywords, starter_keywords,
};
use serde::Serialize;

use super::layers::EVERYWHERE;
use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

/// The built-in keywords with their replies, then words to begin other languages with, which nobody obeys
/// until they are added.
pub(super) fn defaults(call: &Call<'_>) -> Answer {
    read_only(call)?;
    let wording = Wording::default();
    let built_in = default_keywords().map(|row| DefaultJson::new(row, Some(&wording)));
    let others = Language::ALL
        .iter()
        .filter(|language| **language != Language::English);
    let starters = others
        .flat_map(|language| starter_keywords(*language))
        .map(|row| DefaultJson::new(row, None));
    Ok(Reply::ok(&DefaultsJson {
        default_keywords: built_in.chain(starters).collect(),
    }))
}

pub(super) fn languages(call: &Call<'_>) -> Answer {
    read_only(call)?;
    let all = Language::ALL.iter().map(|language| OptionJson {
        key: language.key(),
        friendly_name: language.name(),
    });
    let standard = OptionJson {
        key: EVERYWHERE,
        friendly_name: "Standard set",
    };
    Ok(Reply::ok(&LanguagesJson {
        languages: std::iter::once(standard).chain(all).collect(),
    }))
}

pub(super) fn message_types(call: &Call<'_>) -> Answer {
    read_only(call)?;
    let standard = OptionJson {
        key: EVERYWHERE,
        friendly_name: "Everywhere",
    };
    let of_countries = countries().iter().map(|row| OptionJson {
        key: row.country.as_str(),
        friendly_name: row.name,
    });
    Ok(Reply::ok(&MessageTypesJson {
        message_types: std::iter::once(standard).chain(of_countries).collect(),
    }))
}

fn read_only(call: &Call<'_>) -> Result<(), Refusal> {
    match call.method {
        Method::Get => Ok(()),
        Method::Post | Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET")),
    }
}

#[derive(Serialize)]
struct LanguagesJson<'a> {
    languages: Vec<OptionJson<'a>>,
}

#[derive(Serialize)]
struct MessageTypesJson<'a> {
    message_types: Vec<OptionJson<'a>>,
}

#[derive(Serialize)]
struct OptionJson<'a> {
    key: &'a str,
    friendly_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefaultsJson<'a> {
    default_keywords: Vec<DefaultJson<'a>>,
}

/// Names as the draft has them, here in camel case.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefaultJson<'a> {
    keyword: &'a str,
    keyword_type: KeywordType,
    message_type: &'static str,
    language: &'static str,
    reserved: bool,
    message: Option<&'a str>,
}

impl<'a> DefaultJson<'a> {
    fn new(row: &'static DefaultKeyword, wording: Option<&'a Wording>) -> Self {
        Self {
            keyword: row.keyword.as_str(),
            keyword_type: row.kind,
            message_type: EVERYWHERE,
            language: row.language.key(),
            reserved: row.is_reserved,
            message: wording.map(|wording| wording.of(row.kind)),
        }
    }
}
