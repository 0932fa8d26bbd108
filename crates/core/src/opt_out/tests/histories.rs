//! Random histories of one user and eight senders: the real rules against the slow ones.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::reference::{Event, SENDERS, Sender, TEXTS, World, own};
use super::*;

/// The list, and when who was answered: what an engine would keep.
struct Real {
    wording: Wording,
    bravo: AdvancedOptOut,
    list: HashSet<ListKey>,
    replies: HashMap<ListKey, LastReplies>,
    is_wanderer_pooled: bool,
    now_ms: i64,
}

impl Real {
    fn new() -> Self {
        let mut bravo = enabled();
        let spanish = Layer {
            stop: configuration::group(&["Baja"], "Fuera."),
            start: configuration::group(&["alta"], "Dentro."),
            help: configuration::group(&["AYUDA"], "Texto."),
        };
        bravo.languages.insert(Language::Spanish, spanish);
        assert_eq!(bravo.check(), Ok(()));
        Self {
            wording: Wording::default(),
            bravo,
            list: HashSet::new(),
            replies: HashMap::new(),
            is_wanderer_pooled: false,
            now_ms: NOW_MS,
        }
    }

    fn keys(&self, sender: Sender) -> ListKeys {
        let service_of = match sender {
            Sender::Wanderer if !self.is_wanderer_pooled => None,
            Sender::Wanderer | Sender::Acme | Sender::AcmeTollFree | Sender::AcmeShortCode => {
                Some(service(1))
            }
            Sender::Bravo
            | Sender::BravoTollFree
            | Sender::BravoShortCode
            | Sender::BravoWhatsApp => Some(service(2)),
        };
        let no = SENDERS.iter().position(|other| *other == sender).unwrap();
        let channel = kind_of(sender).channel();
        let no = SenderNo(u32::try_from(no).unwrap());
        ListKeys::new(service_of, no, channel.into(), user(14_155_550_101))
    }

    fn standing(&self, sender: Sender) -> Standing {
        self.keys(sender).standing(|key| self.list.contains(&key))
    }

    fn text(&mut self, to: Sender, text: &str) -> Option<(bool, Option<&'static str>)> {
        let keys = self.keys(to);
        let advanced = (keys.home.scope == Scope::Service(service(2))).then_some(&self.bravo);
        let last_replies = self.replies.get(&keys.home).copied().unwrap_or_default();
        let standing = self.standing(to);
        let outcome = decide(&Inbound {
            text,
            sender: kind_of(to),
            has_network_opt_out: true,
            country: Some(Country::US),
            handling: Handling::of(advanced, &self.wording),
            standing,
            last_replies,
            now_ms: self.now_ms,
        })?;
        for (key, is_blocked) in keys.changed_by(outcome.change, standing) {
            if is_blocked {
                assert!(self.list.insert(key), "entered twice: {key:?}");
            } else {
                self.list.remove(&key);
            }
        }
        let is_answered = matches!(outcome.reply, Reply::Text(_));
        if is_answered {
            let replies = self.replies.entry(keys.home).or_default();
            replies.set(outcome.kind, self.now_ms);
        }
        Some((is_answered, outcome.opt_out_type.map(KeywordType::as_str)))
    }

    fn play(&mut self, event: Event, dress: Dress) -> Option<(bool, Option<&'static str>)> {
        match event {
            Event::Text { to, text } => return self.text(to, &dress.put_on(text)),
            Event::Move => self.is_wanderer_pooled = !self.is_wanderer_pooled,
            Event::Operator { sender, is_blocked } => {
                let key = self.keys(sender).home;
                if is_blocked {
                    self.list.insert(key);
                } else {
                    self.list.remove(&key);
                }
            }
            Event::Wait { seconds } => self.now_ms += seconds * 1000,
        }
        None
    }
}

fn kind_of(sender: Sender) -> SenderKind {
    match sender {
        Sender::Wanderer | Sender::Acme | Sender::Bravo => SenderKind::LongCode,
        Sender::AcmeTollFree | Sender::BravoTollFree => SenderKind::TollFree,
        Sender::AcmeShortCode | Sender::BravoShortCode => SenderKind::ShortCode,
        Sender::BravoWhatsApp => SenderKind::WhatsApp,
    }
}

/// How a keyboard spells a word.
#[derive(Clone, Copy, Debug)]
enum Dress {
    Plain,
    Lower,
    Quoted,
    Blanks,
    FullWidth,
}

impl Dress {
    fn put_on(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Lower => text.to_lowercase(),
            Self::Quoted => format!("“{text}.”"),
            Self::Blanks => format!(" \u{a0}{text}\r\n"),
            Self::FullWidth => {
                let widen = |c| match c {
                    'A'..='Z' => char::from_u32(c as u32 - 0x41 + 0xff21).unwrap(),
                    other => other,
                };
                text.chars().map(widen).collect()
            }
        }
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let sender = || proptest::sample::select(&SENDERS[..]);
    prop_oneof![
        12 => (sender(), proptest::sample::select(&TEXTS[..]))
            .prop_map(|(to, text)| Event::Text { to, text }),
        2 => Just(Event::Move),
        1 => (sender(), any::<bool>())
            .prop_map(|(sender, is_blocked)| Event::Operator { sender, is_blocked }),
        3 => proptest::sample::select(vec![1, 30, 59, 60, 3600])
            .prop_map(|seconds| Event::Wait { seconds }),
    ]
}

fn any_dress() -> impl Strategy<Value = Dress> {
    proptest::sample::select(vec![
        Dress::Plain,
        Dress::Lower,
        Dress::Quoted,
        Dress::Blanks,
        Dress::FullWidth,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn random_histories_come_out_as_the_slow_rules_say(
        history in proptest::collection::vec((any_event(), any_dress()), 0..60)
    ) {
        let mut real = Real::new();
        let mut slow = World::default();
        for (event, dress) in history {
            let came = real.play(event, dress);
            let expected = slow.play(event);
            let expected = expected.map(|it| (it.is_answered, it.opt_out_type));
            prop_assert_eq!(came, expected, "{:?}", event);
            for sender in SENDERS {
                let may_text = !real.standing(sender).is_blocked();
                prop_assert_eq!(may_text, slow.may_text(sender), "{:?} after {:?}", sender, event);
                let standing = real.standing(sender);
                prop_assert_eq!(standing.home, slow.blocked.contains(&slow.home(sender)));
                if standing.sender {
                    prop_assert!(slow.blocked.contains(&own(sender)));
                }
            }
        }
    }
}

/// What the requirement says in so many words, as histories.
#[test]
fn two_services_one_user() {
    let mut real = Real::new();
    real.text(Sender::Acme, "STOP");
    assert!(real.standing(Sender::Acme).is_blocked());
    assert!(real.standing(Sender::AcmeTollFree).is_blocked());
    assert!(real.standing(Sender::AcmeShortCode).is_blocked());
    assert!(!real.standing(Sender::Bravo).is_blocked());
    assert!(!real.standing(Sender::Wanderer).is_blocked());
}

#[test]
fn a_whatsapp_stop_does_not_stop_texts_nor_the_reverse() {
    let mut real = Real::new();
    real.text(Sender::BravoWhatsApp, "STOP");
    assert!(real.standing(Sender::BravoWhatsApp).is_blocked());
    assert!(!real.standing(Sender::Bravo).is_blocked());
    real.text(Sender::BravoWhatsApp, "START");
    real.text(Sender::Bravo, "STOP");
    assert!(!real.standing(Sender::BravoWhatsApp).is_blocked());
    assert!(real.standing(Sender::BravoShortCode).is_blocked());
}

#[test]
fn a_numbers_own_entry_keeps_its_force_in_a_service() {
    let mut real = Real::new();
    real.text(Sender::Wanderer, "STOP");
    real.is_wanderer_pooled = true;
    assert!(real.standing(Sender::Wanderer).is_blocked());
    assert!(!real.standing(Sender::Acme).is_blocked());
    // START to it takes out both, and it stays so when it leaves again.
    real.text(Sender::Acme, "STOP");
    real.text(Sender::Wanderer, "START");
    assert!(!real.standing(Sender::Acme).is_blocked());
    real.is_wanderer_pooled = false;
    assert!(!real.standing(Sender::Wanderer).is_blocked());
}

#[test]
fn the_same_message_twice_changes_the_list_once_and_is_answered_once() {
    let mut real = Real::new();
    assert_eq!(real.text(Sender::Acme, "STOP"), Some((true, None)));
    let list = real.list.clone();
    assert_eq!(real.text(Sender::Acme, "STOP"), Some((false, None)));
    // Nor a day later: there is one confirmation for an opt-out.
    real.now_ms += 86_400_000;
    assert_eq!(real.text(Sender::AcmeTollFree, "QUIT"), Some((false, None)));
    assert_eq!(real.list, list);
}
