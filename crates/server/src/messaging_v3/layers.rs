//! The layers of a configuration, flat: a place is a keyword type (`STOP.SPANISH`) and a message type
//! (`ALL`, or the country whose layer it is in).

use std::sync::Arc;

use postrider_core::country::{Country, capabilities};
use postrider_core::opt_out::{
    AdvancedOptOut, Edit, Keyword, KeywordGroup, KeywordType, Language, Place,
};
use postrider_core::settings::Service;
use postrider_core::sid::{AccountSid, OptOutConfigurationSid};
use serde::{Deserialize, Serialize};

use super::{configuration, configuration_sid, edit, invalid};
use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::form::Form;
use crate::reply::{Answer, Reply};

/// The message type of the standard set and the language layers; as a language, the standard set's.
pub(super) const EVERYWHERE: &str = "ALL";

/// Changes in one request: every word of a configuration at once.
const EDITS_MAX: usize = 1_000;

/// One of them, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageForm {
    #[serde(alias = "keyword_type")]
    keyword_type: String,
    #[serde(alias = "message_type")]
    message_type: Option<String>,
    /// Null or empty: what a wider layer says.
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeywordForm {
    #[serde(alias = "keyword_type")]
    keyword_type: String,
    #[serde(alias = "message_type")]
    message_type: Option<String>,
    keyword: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageTypeForm {
    #[serde(alias = "message_type")]
    message_type: String,
    #[serde(alias = "default_language")]
    default_language: String,
}

pub(super) async fn messages(call: &Call<'_>, service: &Arc<Service>) -> Answer {
    let edits = match call.method {
        Method::Get => return Ok(Reply::ok(&MessagesJson::new(service))),
        Method::Post => read(call, |form: MessageForm| {
            let place = place(&form.keyword_type, form.message_type.as_deref())?;
            let message = form.message.filter(|message| !message.is_empty());
            Ok(Edit::SetMessage(place, message))
        })?,
        Method::Delete | Method::Other => return Err(Refusal::method_not_allowed("GET, POST")),
    };
    let changed = edit(call, service, edits).await?;
    Ok(Reply::ok(&MessagesJson::new(&changed)))
}

pub(super) async fn keywords(call: &Call<'_>, service: &Arc<Service>) -> Answer {
    let edits = match call.method {
        Method::Get => return Ok(Reply::ok(&KeywordsJson::new(service))),
        Method::Post => read(call, |form: KeywordForm| {
            let place = place(&form.keyword_type, form.message_type.as_deref())?;
            Ok(Edit::AddKeyword(place, keyword(&form.keyword)?))
        })?,
        Method::Delete => {
            let query = call.query()?;
            let place = place(query.required("KeywordType")?, query.text("MessageType"))?;
            let keyword = keyword(query.required("Keyword")?)?;
            vec![Edit::RemoveKeyword(place, keyword)]
        }
        Method::Other => return Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    };
    let changed = edit(call, service, edits).await?;
    Ok(match call.method {
        Method::Delete => Reply::no_content(),
        _ => Reply::ok(&KeywordsJson::new(&changed)),
    })
}

pub(super) async fn message_types(call: &Call<'_>, service: &Arc<Service>) -> Answer {
    let edits = match call.method {
        Method::Get => return Ok(Reply::ok(&MessageTypesJson::new(service))),
        Method::Post => read(call, |form: MessageTypeForm| {
            let language = Language::parse(&form.default_language);
            let language = language.ok_or_else(|| {
                invalid("'defaultLanguage' must be one of /v3/OptOuts/Configurations/Languages, but ALL")
            })?;
            Ok(Edit::SetDefaultLanguage(
                country(&form.message_type)?,
                language,
            ))
        })?,
        Method::Delete => {
            let query: Form<'_> = call.query()?;
            vec![Edit::RemoveCountry(country(
                query.required("MessageType")?,
            )?)]
        }
        Method::Other => return Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    };
    let changed = edit(call, service, edits).await?;
    Ok(match call.method {
        Method::Delete => Reply::no_content(),
        _ => Reply::ok(&MessageTypesJson::new(&changed)),
    })
}

fn read<'a, T: Deserialize<'a>>(
    call: &'a Call<'_>,
    edit: impl Fn(T) -> Result<Edit, Refusal>,
) -> Result<Vec<Edit>, Refusal> {
    let forms = match call.json()? {
        OneOrMany::Many(forms) => forms,
        OneOrMany::One(form) => vec![form],
    };
    if forms.len() > EDITS_MAX {
        return Err(invalid(format!("a list has at most {EDITS_MAX} entries")));
    }
    forms.into_iter().map(edit).collect()
}

/// `STOP.SPANISH` and `ALL` or a country.
fn place(keyword_type: &str, message_type: Option<&str>) -> Result<Place, Refusal> {
    let country = match message_type {
        None | Some("" | EVERYWHERE) => None,
        Some(text) => Some(country(text)?),
    };
    let parts = keyword_type.split_once('.');
    let parts = parts.and_then(|(kind, language)| {
        let language = match language {
            EVERYWHERE if country.is_none() => Language::English,
            language => Language::parse(language)?,
        };
        Some((KeywordType::parse(kind)?, language))
    });
    let (kind, language) = parts.ok_or_else(|| {
        invalid(
            "'keywordType' must be STOP, START or HELP, a point and a language, such as STOP.SPANISH; \
             ALL is the language of the standard set and of no country",
        )
    })?;
    Ok(Place {
        kind,
        language,
        country,
    })
}

fn country(text: &str) -> Result<Country, Refusal> {
    Country::parse_known(text).ok_or_else(|| {
        invalid("'messageType' must be a country's two letters in ISO 3166, or ALL where no country is meant")
    })
}

fn keyword(text: &str) -> Result<Keyword, Refusal> {
    Keyword::new(text).map_err(|error| invalid(error.to_string()))
}

/// Every group of a configuration with its place: the standard set, languages, countries.
fn groups(advanced: &AdvancedOptOut) -> Vec<(Place, &KeywordGroup)> {
    let mut layers = vec![(None, Language::English, &advanced.standard)];
    for (language, layer) in &advanced.languages {
        layers.push((None, *language, layer));
    }
    for (country, in_country) in &advanced.countries {
        for (language, layer) in &in_country.languages {
            layers.push((Some(*country), *language, layer));
        }
    }
    let groups = layers.into_iter().flat_map(|(country, language, layer)| {
        KeywordType::ALL.map(|kind| {
            let place = Place {
                kind,
                language,
                country,
            };
            (place, layer.group(kind))
        })
    });
    groups.collect()
}

fn keyword_type(place: Place) -> String {
    format!("{}.{}", place.kind, place.language)
}

fn message_type(country: Option<Country>) -> String {
    country.map_or_else(|| EVERYWHERE.to_owned(), |country| country.to_string())
}

#[derive(Serialize)]
struct MessagesJson {
    account_sid: AccountSid,
    opt_out_sid: OptOutConfigurationSid,
    config: Vec<MessageJson>,
}

#[derive(Serialize)]
struct MessageJson {
    keyword_type: String,
    message_type: String,
    message: String,
}

impl MessagesJson {
    /// Those that are set.
    fn new(service: &Service) -> Self {
        let advanced = configuration(service);
        let messages = groups(&advanced).into_iter().filter_map(|(place, group)| {
            Some(MessageJson {
                keyword_type: keyword_type(place),
                message_type: message_type(place.country),
                message: group.message.clone()?,
            })
        });
        Self {
            account_sid: service.account,
            opt_out_sid: configuration_sid(service),
            config: messages.collect(),
        }
    }
}

#[derive(Serialize)]
struct KeywordsJson {
    account_sid: AccountSid,
    opt_out_sid: OptOutConfigurationSid,
    config: Vec<KeywordGroupJson>,
}

#[derive(Serialize)]
struct KeywordGroupJson {
    keyword_type: String,
    message_type: String,
    keywords: Vec<String>,
}

impl KeywordsJson {
    /// Groups that have any.
    fn new(service: &Service) -> Self {
        let advanced = configuration(service);
        let groups = groups(&advanced).into_iter();
        let groups = groups.filter(|(_, group)| !group.keywords.is_empty());
        Self {
            account_sid: service.account,
            opt_out_sid: configuration_sid(service),
            config: groups
                .map(|(place, group)| KeywordGroupJson {
                    keyword_type: keyword_type(place),
                    message_type: message_type(place.country),
                    keywords: group.keywords.iter().map(Keyword::to_string).collect(),
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct MessageTypesJson {
    account_sid: AccountSid,
    opt_out_sid: OptOutConfigurationSid,
    message_types: Vec<MessageTypeJson>,
}

#[derive(Serialize)]
struct MessageTypeJson {
    key: String,
    friendly_name: String,
    default_language: Language,
    languages: Vec<Language>,
}

impl MessageTypesJson {
    /// `ALL`, then the countries that have a layer.
    fn new(service: &Service) -> Self {
        let advanced = configuration(service);
        let worldwide = std::iter::once(&Language::English).chain(advanced.languages.keys());
        let everywhere = MessageTypeJson {
            key: EVERYWHERE.to_owned(),
            friendly_name: "Everywhere".to_owned(),
            default_language: Language::English,
            languages: worldwide.copied().collect(),
        };
        let countries = advanced
            .countries
            .iter()
            .map(|(country, layer)| MessageTypeJson {
                key: country.to_string(),
                friendly_name: capabilities(*country)
                    .map_or_else(String::new, |row| row.name.to_owned()),
                default_language: layer.default_language,
                languages: layer.languages.keys().copied().collect(),
            });
        Self {
            account_sid: service.account,
            opt_out_sid: configuration_sid(service),
            message_types: std::iter::once(everywhere).chain(countries).collect(),
        }
    }
}
