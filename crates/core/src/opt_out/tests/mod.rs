//! The tables of `docs/opt-out.md`, and the rules that they don't show.

mod configuration;
mod histories;
mod reference;

use proptest::prelude::*;

use super::*;
use crate::country::Country;
use crate::message::SenderNo;
use crate::phone_number::PhoneNumber;
use crate::select::{Channel, SenderKind};
use crate::sid::{Id, ServiceSid};

const PAGE: &str = include_str!("../../../../../docs/opt-out.md");

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

    let changes = |change| pooled.changed_by(change, standing).collect::<Vec<_>>();
    assert_eq!(changes(ListChange::None), []);
    assert_eq!(changes(ListChange::Block), [(pooled.home, true)]);
    assert_eq!(
        changes(ListChange::Unblock),
        [(pooled.home, false), (alone.home, false)]
    );
    let never_out = pooled.changed_by(ListChange::Unblock, Standing::default());
    assert_eq!(never_out.collect::<Vec<_>>(), [(pooled.home, false)]);

    let other_service = ListKeys::new(Some(service(2)), SenderNo(1), text, user);
    assert_ne!(other_service.home, pooled.home);
    let on_whatsapp = ListKeys::new(Some(service(1)), SenderNo(1), whatsapp, user);
    assert_ne!(on_whatsapp.home, pooled.home);
    for group in ChannelGroup::ALL {
        assert_eq!(ChannelGroup::parse(group.as_str()), Some(group));
    }
}

#[test]
fn the_type_that_counts_first_comes_first() {
    let types: std::collections::BTreeSet<_> = KeywordType::ALL.into();
    assert!(types.into_iter().eq(KeywordType::ALL));
}

proptest! {
    #[test]
    fn any_text_is_decided_without_a_panic(text in any::<String>(), now_ms in any::<i64>()) {
        let (wording, advanced) = (Wording::default(), configuration::example());
        for handling in [Handling::Default(&wording), Handling::Advanced(&advanced)] {
            let mut inbound = inbound(handling, SenderKind::LongCode, &text);
            inbound.now_ms = now_ms;
            inbound.last_replies.set(KeywordType::Stop, 0);
            let _ = decide(&inbound);
        }
    }
}
