//! The tables of `docs/opt-out.md`, and the rules that they don't show.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::country::Country;
use crate::error_code::ErrorCode;
use crate::fault::Fault;
use crate::message::SenderNo;
use crate::phone_number::PhoneNumber;
use crate::select::{Channel, SenderKind};
use crate::sid::{Id, ServiceSid};

const PAGE: &str = include_str!("../../../../docs/opt-out.md");

const NOW_MS: i64 = 1_795_000_000_000;

/// The cells of the table below this line of the page.
fn table(header: &str) -> Vec<Vec<&'static str>> {
    let (_, after) = PAGE
        .split_once(&format!("{header}\n"))
        .unwrap_or_else(|| panic!("no table {header:?}"));
    let rows = after
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let row = row.strip_prefix("| ").unwrap().strip_suffix('|').unwrap();
        row.split('|').map(|cell| cell.trim_matches(' ')).collect()
    })
    .collect()
}

fn inbound<'a>(handling: Handling<'a>, sender: SenderKind, text: &'a str) -> Inbound<'a> {
    Inbound {
        text,
        sender,
        has_network_opt_out: false,
        country: Some(Country::US),
        handling,
        standing: Standing::default(),
        last_replies: LastReplies::default(),
        now_ms: NOW_MS,
    }
}

const OUT: Standing = Standing {
    home: true,
    sender: false,
};

fn enabled() -> AdvancedOptOut {
    AdvancedOptOut {
        is_enabled: true,
        ..AdvancedOptOut::default()
    }
}

#[test]
fn the_page_lists_the_built_in_keywords_and_replies() {
    for row in table(
        "| type | keywords | effect |\n|---|---|---|"
            .lines()
            .next()
            .unwrap(),
    ) {
        let kind = KeywordType::parse(row[0]).unwrap();
        let keywords = default_keywords().filter(|row| row.kind == kind);
        let keywords: Vec<_> = keywords.map(|row| row.keyword.as_str()).collect();
        assert_eq!(row[1], keywords.join(" "));
    }
    let replies = table("| type | reply |");
    assert_eq!(replies.len(), KeywordType::ALL.len());
    for row in replies {
        let kind = KeywordType::parse(row[0]).unwrap();
        assert_eq!(row[1], Wording::default().of(kind));
    }
}

#[test]
fn every_text_of_the_page_is_the_keyword_that_it_says() {
    let rows = table("| text | is |");
    assert_eq!(rows.len(), 13);
    let wording = Wording::default();
    for row in rows {
        let text = row[0].strip_prefix('`').unwrap().strip_suffix('`').unwrap();
        let inbound = inbound(Handling::Default(&wording), SenderKind::LongCode, text);
        let keyword = decide(&inbound).map(|outcome| outcome.keyword.as_str());
        assert_eq!(keyword.unwrap_or("no keyword"), row[1], "{text:?}");
    }
}

#[test]
fn every_row_of_the_page_comes_out() {
    let rows = table("| words | sender | the user | text | opt-out list | reply | `OptOutType` |");
    assert_eq!(rows.len(), 33);
    let (wording, advanced) = (Wording::default(), enabled());
    for row in rows {
        let [words, sender, user, text, list, reply, opt_out_type] = row[..] else {
            panic!("not seven columns: {row:?}")
        };
        let handling = match words {
            "default" => Handling::Default(&wording),
            "advanced" => Handling::Advanced(&advanced),
            other => panic!("{other:?}"),
        };
        let kind = match sender {
            "long code" => SenderKind::LongCode,
            "toll-free" | "by the network" => SenderKind::TollFree,
            "short code" => SenderKind::ShortCode,
            "WhatsApp" => SenderKind::WhatsApp,
            other => panic!("{other:?}"),
        };
        let outcome = decide(&Inbound {
            has_network_opt_out: sender == "by the network",
            standing: match user {
                "is in" => Standing::default(),
                "is out" => OUT,
                other => panic!("{other:?}"),
            },
            ..inbound(handling, kind, text)
        });
        let Some(outcome) = outcome else {
            assert_eq!(
                [list, reply, opt_out_type],
                ["ordinary text", "", ""],
                "{row:?}"
            );
            continue;
        };
        let came = [
            match outcome.change {
                ListChange::None => "",
                ListChange::Block => "out",
                ListChange::Unblock => "in",
            },
            match outcome.reply {
                Reply::Text(text) => {
                    assert_eq!(text, wording.of(outcome.kind), "{row:?}");
                    "yes"
                }
                Reply::Silent(silence) => silence.as_str(),
            },
            outcome.opt_out_type.map_or("", KeywordType::as_str),
        ];
        assert_eq!(came, [list, reply, opt_out_type], "{row:?}");
    }
}

#[test]
fn nobody_writes_to_an_alpha_sender() {
    let (wording, advanced) = (Wording::default(), enabled());
    for handling in [Handling::Default(&wording), Handling::Advanced(&advanced)] {
        for sender in [SenderKind::Alpha, SenderKind::DestinationAlpha] {
            assert_eq!(decide(&inbound(handling, sender, "STOP")), None);
        }
    }
}

/// Only a toll-free number has a network above it: a route may carry other senders, too.
#[test]
fn the_routes_flag_is_for_toll_free_numbers() {
    let wording = Wording::default();
    for (sender, reply) in [
        (SenderKind::LongCode, Reply::Text(wording.stop.as_str())),
        (SenderKind::TollFree, Reply::Silent(Silence::Network)),
    ] {
        let outcome = decide(&Inbound {
            has_network_opt_out: true,
            ..inbound(Handling::Default(&wording), sender, "STOP")
        });
        assert_eq!(outcome.unwrap().reply, reply, "{sender:?}");
    }
}

#[test]
fn a_configuration_counts_once_it_is_on() {
    let wording = Wording::default();
    let off = AdvancedOptOut::default();
    let on = enabled();
    for (service, is_advanced) in [(None, false), (Some(&off), false), (Some(&on), true)] {
        let handling = Handling::of(service, &wording);
        assert_eq!(matches!(handling, Handling::Advanced(_)), is_advanced);
    }
}

#[test]
fn one_type_is_answered_once_a_minute() {
    let wording = Wording::default();
    let ask = |text, last_replies| {
        let handling = Handling::Default(&wording);
        let inbound = Inbound {
            last_replies,
            ..inbound(handling, SenderKind::LongCode, text)
        };
        decide(&inbound).unwrap()
    };
    for (last_ms, is_answered) in [
        (NOW_MS - 60_000, true),
        (NOW_MS - 59_999, false),
        (NOW_MS, false),
        // The clock was set back.
        (NOW_MS + 59_999, false),
        (NOW_MS + 60_000, true),
        (i64::MIN, true),
        (i64::MAX, true),
    ] {
        for (kind, text) in KeywordType::ALL.into_iter().zip(["STOP", "START", "HELP"]) {
            let mut last = LastReplies::default();
            last.set(kind, last_ms);
            let outcome = ask(text, last);
            let expected = if is_answered {
                Reply::Text(wording.of(kind))
            } else {
                Reply::Silent(Silence::TooSoon)
            };
            assert_eq!(outcome.reply, expected, "{text} {last_ms}");
            for other in KeywordType::ALL.into_iter().filter(|other| *other != kind) {
                let mut last = LastReplies::default();
                last.set(other, last_ms);
                assert_eq!(ask(text, last).reply, Reply::Text(wording.of(kind)));
            }
        }
    }
    // The list changes all the same.
    let mut last = LastReplies::default();
    last.set(KeywordType::Stop, NOW_MS);
    assert_eq!(ask("STOP", last).change, ListChange::Block);
}

/// A number brought its own entry into a service: the service's is still to be made, and START takes
/// out both.
#[test]
fn an_entry_of_the_number_alone_is_not_the_services() {
    let wording = Wording::default();
    let ask = |text| {
        let handling = Handling::Default(&wording);
        let standing = Standing {
            home: false,
            sender: true,
        };
        decide(&Inbound {
            standing,
            ..inbound(handling, SenderKind::LongCode, text)
        })
        .map(|outcome| (outcome.change, outcome.reply))
    };
    let stop = Reply::Text(&wording.stop);
    assert_eq!(ask("STOP"), Some((ListChange::Block, stop)));
    let start = Reply::Text(&wording.start);
    assert_eq!(ask("YES"), Some((ListChange::Unblock, start)));
    let silent = Reply::Silent(Silence::OptedOut);
    assert_eq!(ask("HELP"), Some((ListChange::None, silent)));
}

/// The example of the page.
fn example() -> AdvancedOptOut {
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

fn group(keywords: &[&str], message: &str) -> KeywordGroup {
    KeywordGroup {
        keywords: keywords
            .iter()
            .map(|word| Keyword::new(word).unwrap())
            .collect(),
        message: Some(message.to_owned()),
    }
}

/// Each row spoils the page's example in one way.
#[test]
fn a_configuration_that_cannot_be_kept_is_refused_with_the_reason() {
    let mx = Country::parse("MX").unwrap();
    type Spoil = Box<dyn Fn(&mut AdvancedOptOut)>;
    let rows: Vec<(&str, Spoil)> = vec![
        (
            "the keyword \"Quit\" stands in STOP.ENGLISH and in HELP.SPANISH: it can have one meaning only",
            Box::new(|it| {
                let layer = it.languages.get_mut(&Language::Spanish).unwrap();
                layer.help = group(&["AYUDA", "Quit"], "x");
            }),
        ),
        (
            "the keyword \"ＢＡＪＡ\" stands in STOP.SPANISH in MX and in STOP.FRENCH in MX: it can have one meaning only",
            Box::new(move |it| {
                let languages = &mut it.countries.get_mut(&mx).unwrap().languages;
                // French comes before Spanish, so it is the Spanish word that is the second.
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
        let expected = expected.replace("STOP.FRENCH in MX", "STOP.ZULU in MX");
        assert_eq!(problem.to_string(), expected);
        let fault = Fault::from(problem);
        assert_eq!(fault.code, ErrorCode::InvalidParameter);
        assert_eq!(fault.text.as_deref(), Some(expected.as_str()));
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

fn user(digits: u64) -> PhoneNumber {
    PhoneNumber::from_digits(digits).unwrap()
}

fn service(number: u128) -> ServiceSid {
    ServiceSid(Id::from_u128(number))
}

#[test]
fn a_message_concerns_the_services_entry_and_the_senders() {
    let user = user(14_155_550_101);
    let (text, whatsapp) = (Channel::Sms.into(), Channel::WhatsApp.into());
    let alone = ListKeys::new(None, SenderNo(1), text, user);
    let pooled = ListKeys::new(Some(service(1)), SenderNo(1), text, user);
    let unchosen = ListKeys::of_service(service(1), text, user);
    assert_eq!(alone.iter().collect::<Vec<_>>(), [alone.home]);
    assert_eq!(pooled.iter().collect::<Vec<_>>(), [pooled.home, alone.home]);
    assert_eq!(unchosen.iter().collect::<Vec<_>>(), [pooled.home]);

    let standing = pooled.standing(|key| key == alone.home);
    assert_eq!(
        (standing.home, standing.sender, standing.is_blocked()),
        (false, true, true)
    );
    assert!(!pooled.standing(|_| false).is_blocked());

    let changes = |change| pooled.changed_by(change).collect::<Vec<_>>();
    assert_eq!(changes(ListChange::None), []);
    assert_eq!(changes(ListChange::Block), [(pooled.home, true)]);
    assert_eq!(
        changes(ListChange::Unblock),
        [(pooled.home, false), (alone.home, false)]
    );

    let other_service = ListKeys::new(Some(service(2)), SenderNo(1), text, user);
    assert_ne!(other_service.home, pooled.home);
    let on_whatsapp = ListKeys::new(Some(service(1)), SenderNo(1), whatsapp, user);
    assert_ne!(on_whatsapp.home, pooled.home);
    for group in ChannelGroup::ALL {
        assert_eq!(ChannelGroup::parse(group.as_str()), Some(group));
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
    let has_extra = any::<bool>();
    (layer(), languages(), countries, has_extra).prop_map(
        |(layer, languages, countries, is_bare)| {
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
        },
    )
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

    #[test]
    fn any_text_is_decided_without_a_panic(text in any::<String>(), now_ms in any::<i64>()) {
        let (wording, advanced) = (Wording::default(), example());
        for handling in [Handling::Default(&wording), Handling::Advanced(&advanced)] {
            let mut inbound = inbound(handling, SenderKind::LongCode, &text);
            inbound.now_ms = now_ms;
            inbound.last_replies.set(KeywordType::Stop, 0);
            let _ = decide(&inbound);
        }
    }
}

#[test]
fn the_type_that_counts_first_comes_first() {
    let types: BTreeSet<_> = KeywordType::ALL.into();
    assert!(types.into_iter().eq(KeywordType::ALL));
}
