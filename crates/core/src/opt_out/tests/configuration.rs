//! Advanced Opt-Out: what a configuration answers, what it must be, and how it is stored.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::error_code::ErrorCode;
use crate::fault::Fault;

/// The example of the page.
pub(super) fn example() -> AdvancedOptOut {
    let mut advanced = AdvancedOptOut {
        is_enabled: true,
        standard: Layer::default(),
        ..AdvancedOptOut::default()
    };
    for row in table("| layer | language | type | keywords | message |") {
        let language = Language::parse(row[1]).unwrap();
        let layer = match row[0] {
            "standard" => &mut advanced.standard,
            "language" => advanced.languages.entry(language).or_default(),
            country => {
                let country = Country::parse(&country[..2]).unwrap();
                let layer = advanced.countries.entry(country).or_insert(CountryLayer {
                    default_language: language,
                    languages: BTreeMap::new(),
                });
                layer.languages.entry(language).or_default()
            }
        };
        *layer.group_mut(KeywordType::parse(row[2]).unwrap()) = KeywordGroup {
            keywords: row[3]
                .split(' ')
                .map(|word| Keyword::new(word).unwrap())
                .collect(),
            message: (!row[4].is_empty()).then(|| row[4].to_owned()),
        };
    }
    advanced
}

#[test]
fn the_pages_layers_answer_as_it_says() {
    let advanced = example();
    assert_eq!(advanced.check(), Ok(()));
    let rows = table("| text | user in | is | rule | reply |");
    assert_eq!(rows.len(), 15);
    for row in rows {
        let outcome = decide(&Inbound {
            country: Country::parse(row[1]),
            ..inbound(Handling::Advanced(&advanced), SenderKind::LongCode, row[0])
        });
        let Some(outcome) = outcome else {
            assert_eq!(row[2..], ["ordinary text", "", ""], "{row:?}");
            continue;
        };
        let is = format!("{}.{}", outcome.kind, outcome.language);
        assert_eq!([&is, outcome.rule.as_str()], [row[2], row[3]], "{row:?}");
        assert_eq!(outcome.reply, Reply::Text(row[4]), "{row:?}");
        assert_eq!(outcome.opt_out_type, Some(outcome.kind));
    }
    // A number of no country is of none that has a layer.
    let abroad = advanced
        .find(&Candidate::of("PARAR").unwrap(), None)
        .unwrap();
    assert_eq!(abroad.rule, Rule::LanguageLayer);
}

pub(super) fn group(keywords: &[&str], message: &str) -> KeywordGroup {
    KeywordGroup {
        keywords: keywords
            .iter()
            .map(|word| Keyword::new(word).unwrap())
            .collect(),
        message: Some(message.to_owned()),
    }
}

type Spoil = Box<dyn Fn(&mut AdvancedOptOut)>;

/// Each row spoils the page's example in one way.
#[test]
fn a_configuration_that_cannot_be_kept_is_refused_with_the_reason() {
    let mx = Country::parse("MX").unwrap();
    let rows: Vec<(&str, Spoil)> = vec![
        (
            "the keyword \"Quit\" stands in STOP.ENGLISH and in HELP.SPANISH: it can have one meaning only",
            Box::new(|it| {
                let layer = it.languages.get_mut(&Language::Spanish).unwrap();
                layer.help = group(&["AYUDA", "Quit"], "x");
            }),
        ),
        (
            "the keyword \"ＢＡＪＡ\" stands in STOP.SPANISH in MX and in STOP.ZULU in MX: it can have one meaning only",
            Box::new(move |it| {
                let languages = &mut it.countries.get_mut(&mx).unwrap().languages;
                languages.insert(
                    Language::Zulu,
                    Layer {
                        stop: group(&["ＢＡＪＡ"], "x"),
                        ..Layer::default()
                    },
                );
            }),
        ),
        (
            "the keyword \"stop\" stands in STOP.ENGLISH and in STOP.ENGLISH: it can have one meaning only",
            Box::new(|it| it.standard.stop = group(&["STOP", "stop"], "x")),
        ),
        (
            "the keyword \"STOP\" is reserved and can't be removed from STOP.ENGLISH",
            Box::new(|it| it.standard.stop = group(&["QUIT"], "x")),
        ),
        (
            "the keyword \"UNSTOP\" is reserved and can't be removed from START.ENGLISH",
            Box::new(|it| it.standard.start = group(&["START"], "x")),
        ),
        (
            "the keyword \"STOP\" is reserved for STOP and can't stand in START.SPANISH in MX",
            Box::new(move |it| {
                let languages = &mut it.countries.get_mut(&mx).unwrap().languages;
                languages.get_mut(&Language::Spanish).unwrap().start = group(&["Stop!"], "x");
            }),
        ),
        (
            "101 keywords in STOP.ENGLISH, expected at most 100",
            Box::new(|it| {
                let words: Vec<_> = (0..98).map(|number| format!("w{number}")).collect();
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                it.standard
                    .stop
                    .keywords
                    .extend(group(&words, "x").keywords);
            }),
        ),
        (
            "the message of HELP.ENGLISH has 321 characters, expected 1 to 320, not all of them blanks",
            Box::new(|it| it.standard.help.message = Some("я".repeat(321))),
        ),
        (
            "the message of START.SPANISH in MX has 0 characters, expected 1 to 320, not all of them blanks",
            Box::new(move |it| {
                let languages = &mut it.countries.get_mut(&mx).unwrap().languages;
                languages.get_mut(&Language::Spanish).unwrap().start.message = Some(String::new());
            }),
        ),
        (
            "English is the language of the standard set: change that one",
            Box::new(|it| {
                it.languages.insert(Language::English, Layer::default());
            }),
        ),
        (
            "the default language FRENCH of MX has no layer there",
            Box::new(move |it| {
                it.countries.get_mut(&mx).unwrap().default_language = Language::French;
            }),
        ),
    ];
    for (expected, spoil) in rows {
        let mut advanced = example();
        spoil(&mut advanced);
        let problem = advanced.check().unwrap_err();
        assert_eq!(problem.to_string(), expected);
        let fault = Fault::from(problem);
        assert_eq!(fault.code, ErrorCode::InvalidParameter);
        assert_eq!(fault.text.as_deref(), Some(expected));
    }
}

#[test]
fn what_the_limits_still_allow() {
    let mut advanced = example();
    advanced.standard.help.message = Some("я".repeat(320));
    let words: Vec<_> = (0..97).map(|number| format!("w{number}")).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let stop = &mut advanced.standard.stop.keywords;
    stop.extend(group(&words, "x").keywords);
    assert_eq!(stop.len(), KEYWORDS_MAX);
    // Another country may give a word another meaning.
    let layer = Layer {
        help: group(&["CANCEL"], "x"),
        ..Layer::default()
    };
    let country = CountryLayer {
        default_language: Language::German,
        languages: BTreeMap::from([(Language::German, layer)]),
    };
    advanced
        .countries
        .insert(Country::parse("DE").unwrap(), country);
    assert_eq!(advanced.check(), Ok(()));
    assert_eq!(AdvancedOptOut::default().check(), Ok(()));
}

#[test]
fn phrases_are_looked_for_in_the_languages_that_are_set_up() {
    let mut advanced = example();
    let ask = |advanced: &AdvancedOptOut, text| {
        possible_revocation(text, |language| advanced.has_language(language))
            .map(|row| row.language)
    };
    for (text, language) in [
        ("Please stop texting me", Some(Language::English)),
        ("Quiero darme de baja ya", Some(Language::Spanish)),
        ("Laissez-moi tranquille !", Some(Language::French)),
        ("Bitte keine SMS mehr", None),
    ] {
        assert_eq!(ask(&advanced, text), language, "{text:?}");
    }
    let country = CountryLayer {
        default_language: Language::German,
        languages: BTreeMap::from([(Language::German, Layer::default())]),
    };
    advanced
        .countries
        .insert(Country::parse("AT").unwrap(), country);
    assert_eq!(
        ask(&advanced, "Bitte keine SMS mehr"),
        Some(Language::German)
    );
}

/// No check would let it through; read from a store that it got into, it still has one answer.
#[test]
fn in_inconsistent_data_stop_comes_before_start_before_help() {
    let word = Candidate::of("word").unwrap();
    let mut advanced = enabled();
    let spanish = advanced.languages.entry(Language::Spanish).or_default();
    spanish.start = group(&["WORD"], "start");
    advanced
        .standard
        .help
        .keywords
        .push(Keyword::new("WORD").unwrap());
    let found = advanced.find(&word, None).unwrap();
    assert_eq!((found.kind, found.message), (KeywordType::Start, "start"));
    let french = advanced.languages.entry(Language::French).or_default();
    french.stop = group(&["WORD"], "stop");
    let found = advanced.find(&word, None).unwrap();
    assert_eq!((found.kind, found.message), (KeywordType::Stop, "stop"));

    advanced.standard = Layer::default();
    let stop = advanced
        .find(&Candidate::of("Stop").unwrap(), None)
        .unwrap();
    assert_eq!(
        (stop.kind, stop.rule),
        (KeywordType::Stop, Rule::ReservedWord)
    );
    assert_eq!(stop.message, Wording::default().stop);
}

#[test]
fn a_configuration_is_stored_as_it_is() {
    let advanced = example();
    let json = serde_json::to_value(&advanced).unwrap();
    assert_eq!(json["standard"]["stop"]["keywords"][1], "CANCEL");
    assert_eq!(
        json["languages"]["SPANISH"]["help"]["message"],
        "Envíe PARAR para salir."
    );
    assert_eq!(json["countries"]["CA"]["default_language"], "ENGLISH");
    let read: AdvancedOptOut = serde_json::from_value(json).unwrap();
    assert_eq!(read, advanced);
    // Beyond today's limits, and still read.
    let long = format!("\"{}\"", "a".repeat(50));
    assert_eq!(
        serde_json::from_str::<Keyword>(&long)
            .unwrap()
            .as_str()
            .len(),
        50
    );
    for rule in Rule::ALL {
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(json, format!("\"{}\"", rule.as_str()));
    }
    for kind in KeywordType::ALL {
        let json = serde_json::to_string(&kind).unwrap();
        assert_eq!(json, format!("\"{kind}\""));
    }
}

/// A few words in a few places, so that they meet often.
fn any_configuration() -> impl Strategy<Value = AdvancedOptOut> {
    let words = || proptest::sample::subsequence(vec!["A", "b", "ß", "SS", "Stop", "C"], 0..3);
    let group = move || {
        words().prop_map(|words| KeywordGroup {
            keywords: words
                .into_iter()
                .map(|word| Keyword::new(word).unwrap())
                .collect(),
            message: None,
        })
    };
    let layer = move || {
        (group(), group(), group()).prop_map(|(stop, start, help)| Layer { stop, start, help })
    };
    let language = || proptest::sample::select(vec![Language::German, Language::Polish]);
    let languages = move || proptest::collection::btree_map(language(), layer(), 0..3);
    let country =
        (language(), languages()).prop_map(|(default_language, languages)| CountryLayer {
            default_language,
            languages,
        });
    let countries = proptest::collection::btree_map(Just(Country::US), country, 0..2);
    let is_bare = any::<bool>();
    (layer(), languages(), countries, is_bare).prop_map(|(layer, languages, countries, is_bare)| {
        let mut advanced = AdvancedOptOut {
            languages,
            countries,
            ..enabled()
        };
        if !is_bare {
            for kind in KeywordType::ALL {
                let keywords = layer.group(kind).keywords.clone();
                advanced.standard.group_mut(kind).keywords.extend(keywords);
            }
        }
        advanced
    })
}

/// Every place in which these layers have the word.
fn places<'a>(
    layers: impl Iterator<Item = (Language, &'a Layer)>,
    word: &Candidate,
) -> Vec<(KeywordType, Language)> {
    layers
        .flat_map(|(language, layer)| {
            KeywordType::ALL.into_iter().flat_map(move |kind| {
                let keywords = layer.group(kind).keywords.iter();
                keywords
                    .filter(|keyword| keyword.is(word))
                    .map(move |_| (kind, language))
            })
        })
        .collect()
}

proptest! {
    #[test]
    fn a_checked_configuration_has_no_ambiguous_word(advanced in any_configuration()) {
        let is_kept = advanced.check().is_ok();
        let mut is_ambiguous = false;
        for text in ["a", "B", "SS", "stop", "c", "START"] {
            let word = Candidate::of(text).unwrap();
            let of_country = advanced.countries.get(&Country::US);
            let of_country = of_country.iter().flat_map(|layer| &layer.languages);
            let of_country = places(of_country.map(|(language, layer)| (*language, layer)), &word);
            let worldwide = places(advanced.worldwide_layers(), &word);
            is_ambiguous |= of_country.len() > 1 || worldwide.len() > 1;
            if is_kept {
                let found = advanced.find(&word, None);
                let found = found.map(|found| (found.kind, found.language));
                prop_assert_eq!(found, worldwide.first().copied());
                let found = advanced.find(&word, Some(Country::US));
                if let (Some(only), Some(found)) = (of_country.first(), found) {
                    prop_assert_eq!((found.kind, found.language), *only);
                }
                // Whatever the layers are, it stays what it is.
                let stop = advanced.find(&Candidate::of("STOP").unwrap(), Some(Country::US));
                prop_assert_eq!(stop.unwrap().kind, KeywordType::Stop);
            }
        }
        prop_assert!(!(is_kept && is_ambiguous));
        if let Err(OptOutProblem::KeywordTwice { .. }) = advanced.check() {
            prop_assert!(is_ambiguous);
        }
    }
}
