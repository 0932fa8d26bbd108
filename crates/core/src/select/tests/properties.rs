//! What holds for every pool, message and load.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select as one_of;

use super::super::*;
use super::world::{self, NOW_MS, SMS, SMS_MMS, World};
use crate::message::SenderNo;
use crate::network::Network;
use crate::phone_number::PhoneNumber;
use crate::sender::{AlphaSenderId, SenderAddress, ShortCode};
use crate::settings::SenderStatus;

/// A pool with everything that a selection is told.
#[derive(Clone, Debug)]
struct Case {
    senders: Vec<PoolSender>,
    recipient: Recipient,
    from: Option<usize>,
    has_media: bool,
    settings: Settings,
    mapping: Option<StickyMapping>,
    world: World,
}

impl Case {
    fn pool(&self) -> Pool {
        Pool::new(self.senders.clone())
    }

    fn from(&self) -> Option<&SenderAddress> {
        let index = self.from?.checked_rem(self.senders.len())?;
        Some(&self.senders[index].address)
    }

    fn facts(&self, detail: Detail) -> Facts<'_> {
        Facts {
            recipient: self.recipient,
            from: self.from(),
            has_media: self.has_media,
            settings: self.settings,
            mapping: self.mapping,
            now_ms: NOW_MS,
            detail,
        }
    }

    fn select(&self, detail: Detail) -> Decision {
        select(&self.pool(), &self.facts(detail), &self.world, &self.world)
            .expect("the pool has senders, and a named one is in it")
    }
}

/// Few countries, area codes and levels of load, so that they collide.
fn sender(index: u32, seed: u32, status: SenderStatus, has_mms: bool) -> PoolSender {
    const PREFIXES: [&str; 12] = [
        "+1415555",
        "+1628555",
        "+1212555",
        "+1917555",
        "+1646555",
        "+1416555",
        "+1647555",
        "+1888555",
        "+1876555",
        "+44770090",
        "+4915110",
        "+88161234",
    ];
    let no = SenderNo(index * 3 + 7);
    let position = u64::from(index) + 1;
    let capabilities = if has_mms { SMS_MMS } else { SMS };
    let number = |prefix: &str| PhoneNumber::parse(&format!("{prefix}{:04}", index + 100)).unwrap();
    let home = ["US", "GB", "DE"][seed as usize % 3];
    let mut sender = match seed % 16 {
        kind @ 0..=11 => {
            PoolSender::number(no, number(PREFIXES[kind as usize]), capabilities, position)
        }
        12 => {
            let code = ShortCode::parse(&(55_000 + index).to_string()).unwrap();
            PoolSender::short_code(no, code, world::country(home), capabilities, position)
        }
        13 | 14 => {
            let id = AlphaSenderId::parse(&format!("ACME{index}")).unwrap();
            let destination = (seed % 16 == 14).then(|| world::country(home));
            PoolSender::alpha(no, id, destination, position)
        }
        _ => PoolSender::whatsapp(no, number("+1415555"), position),
    };
    sender.status = status;
    sender
}

fn senders(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<PoolSender>> {
    let statuses = prop_oneof![
        27 => Just(SenderStatus::Active),
        1 => Just(SenderStatus::Suspended),
        1 => Just(SenderStatus::Porting),
        1 => Just(SenderStatus::Pending),
    ];
    let seed = (0..48_u32, statuses, any::<bool>());
    vec(seed, sizes).prop_map(|seeds| {
        let numbered = (0..).zip(seeds);
        numbered
            .map(|(index, (seed, status, has_mms))| sender(index, seed, status, has_mms))
            .collect()
    })
}

fn recipient() -> impl Strategy<Value = Recipient> {
    let numbers = one_of(vec![
        "+14155550199",
        "+17185550199",
        "+16475550199",
        "+18885550199",
        "+17875550199",
        "+447700900199",
        "+4915110000099",
        "+33700000099",
        "+971500000099",
        // Senders, too.
        "+14155550100",
        "+14155550103",
        "+881612345678",
    ]);
    let channel = prop::bool::weighted(0.1);
    (numbers, channel, any::<bool>()).prop_map(|(number, is_whatsapp, has_network)| {
        let channel = if is_whatsapp {
            Channel::WhatsApp
        } else {
            Channel::Sms
        };
        let network = has_network.then_some(Network::new(310, 260).unwrap());
        Recipient {
            network,
            ..Recipient::of(PhoneNumber::parse(number).unwrap(), channel)
        }
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    any::<[bool; 4]>().prop_map(
        |[sticky_sender, area_code_geomatch, mms_converter, alert]| Settings {
            sticky_sender,
            area_code_geomatch,
            mms_converter,
            preregistration_alert: alert,
        },
    )
}

fn load() -> impl Strategy<Value = (u64, QueueLoad)> {
    let seldom = || prop::bool::weighted(0.1);
    (0..3_u64, 0..3_u64, 0..3_u64, seldom(), seldom()).prop_map(
        |(mappings, queued_segments, last_used, is_full, is_capped)| {
            let drain_ms = queued_segments * 100;
            (
                mappings,
                QueueLoad {
                    queued_segments,
                    drain_ms,
                    last_used,
                    is_full,
                    is_capped,
                },
            )
        },
    )
}

/// Where the request now and then names a sender.
fn case_perhaps_named(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Case> {
    let from = option::weighted(0.1, 0..sizes.end);
    (case(sizes), from).prop_map(|(case, from)| Case { from, ..case })
}

fn case(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Case> {
    let max = sizes.end;
    let has_rejoined = prop::bool::weighted(0.1);
    let mapping = option::of((0..max + 1, one_of(vec![0, 365, 366]), has_rejoined));
    let world = (
        vec(load(), max),
        btree_set(0..max, 0..max / 2 + 1),
        btree_set(one_of(vec!["GB", "DE", "JM"]), 0..3),
    );
    let message = (recipient(), prop::bool::weighted(0.3), settings());
    (senders(sizes), message, mapping, world).prop_map(
        |(senders, (recipient, has_media, settings), mapping, (loads, not_served, mms))| {
            let no = |index: usize| {
                senders
                    .get(index)
                    .map_or(SenderNo(1), |sender: &PoolSender| sender.no)
            };
            let world = World {
                mappings: loads
                    .iter()
                    .enumerate()
                    .map(|(i, load)| (no(i), load.0))
                    .collect(),
                queues: loads
                    .iter()
                    .enumerate()
                    .map(|(i, load)| (no(i), load.1))
                    .collect(),
                not_served: not_served.into_iter().map(no).collect(),
                registered: BTreeSet::new(),
                mms: mms.into_iter().map(world::country).collect(),
            };
            let position = |index: usize| senders.get(index).map_or(0, |sender| sender.position);
            let mapping = mapping.map(|(index, days, has_rejoined)| {
                let position = position(index) + u64::from(has_rejoined) * 1_000;
                world::mapping(no(index), position, days)
            });
            Case {
                recipient,
                from: None,
                has_media,
                settings,
                mapping,
                world,
                senders,
            }
        },
    )
}

proptest! {
    #[test]
    fn it_agrees_with_the_slow_reference(case in case_perhaps_named(1..14)) {
        let decision = case.select(Detail::Compact);
        let choice = reference::Choice {
            sender: match decision.outcome {
                Outcome::Chosen { sender, rule } => Ok((sender, rule)),
                Outcome::None { error } => Err(error),
            },
            sticky: decision.sticky,
            is_converted: decision.is_converted_to_sms,
        };
        let facts = case.facts(Detail::Compact);
        let expected = reference::choose(&case.senders, &facts, &case.world, &case.world);
        prop_assert_eq!(Ok(choice), expected);
    }

    #[test]
    fn a_sender_that_lost_makes_no_difference(case in case_perhaps_named(2..14), loser in any::<prop::sample::Index>()) {
        let decision = case.select(Detail::Compact);
        if decision.chosen().is_none() || decision.removed.is_empty() {
            return Ok(());
        }
        let loser = decision.removed[loser.index(decision.removed.len())].sender;
        let mut without = Case { from: None, ..case.clone() };
        without.senders.retain(|sender| sender.no != loser);
        // A mapping that broke is deleted whoever wins.
        if matches!(decision.sticky, StickyAction::Replace(_)) {
            without.mapping = None;
        }
        let facts = Facts { from: case.from(), ..without.facts(Detail::Compact) };
        let again = select(&without.pool(), &facts, &case.world, &case.world).unwrap();
        prop_assert_eq!(decision.chosen(), again.chosen());
    }

    #[test]
    fn the_explanation_names_everyone_once_and_the_winner_with_its_rule(
        case in case_perhaps_named(1..60)
    ) {
        let decision = case.select(Detail::Full);
        let candidates = decision.explain(&case.pool());
        let named: Vec<_> = candidates.iter().map(|candidate| candidate.sender).collect();
        prop_assert_eq!(named.len(), case.senders.len());
        prop_assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len());
        for candidate in &candidates {
            prop_assert!(!candidate.reason.is_empty());
        }
        let chosen: Vec<_> = candidates
            .iter()
            .filter(|candidate| candidate.outcome == CandidateOutcome::Chosen)
            .map(|candidate| Outcome::Chosen { sender: candidate.sender, rule: candidate.rule })
            .collect();
        match decision.outcome {
            outcome @ Outcome::Chosen { rule, .. } => {
                prop_assert_eq!(chosen, vec![outcome]);
                prop_assert_eq!(decision.path.last().map(|step| step.rule), Some(rule));
                prop_assert!(decision.summary().starts_with(rule.words()));
            }
            Outcome::None { .. } => prop_assert!(chosen.is_empty()),
        }
    }

    #[test]
    fn counting_groups_agrees_with_asking_everyone(case in case_perhaps_named(34..120)) {
        let compact = case.select(Detail::Compact);
        let full = case.select(Detail::Full);
        prop_assert!(full.unlisted.is_empty());
        prop_assert!(compact.removed.len() <= 32);
        prop_assert_eq!(compact.outcome, full.outcome);
        let by_rule = |decision: &Decision| {
            let mut counts: BTreeMap<Rule, u32> = decision.unlisted.iter().copied().collect();
            for removed in &decision.removed {
                *counts.entry(removed.rule).or_default() += 1;
            }
            counts
        };
        prop_assert_eq!(by_rule(&compact), by_rule(&full));
        for removed in &compact.removed {
            prop_assert!(full.removed.contains(removed));
        }
    }

    #[test]
    fn a_stored_decision_reads_back(case in case_perhaps_named(1..120)) {
        for detail in [Detail::Compact, Detail::Full] {
            let decision = case.select(detail);
            prop_assert_eq!(Decision::from_bytes(&decision.to_bytes()), Ok(decision));
        }
    }

    #[test]
    fn bytes_that_are_no_decision_are_refused_without_harm(
        case in case_perhaps_named(1..14),
        noise in vec(any::<u8>(), 0..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = case.select(Detail::Compact).to_bytes();
        let _ = Decision::from_bytes(&bytes[..cut.index(bytes.len())]);
        let _ = Decision::from_bytes(&noise);
        prop_assert!(Decision::from_bytes(&[&[3], &bytes[1..]].concat()).is_err());
    }

    /// Insertions and removals in any order leave the pool as if it had been built at once.
    #[test]
    fn an_edited_pool_selects_like_a_fresh_one(case in case(2..60), gone in vec(any::<prop::sample::Index>(), 0..20)) {
        let mut edited = case.pool();
        for sender in gone.iter().map(|index| index.get(&case.senders)) {
            edited.remove(sender.no);
        }
        for sender in gone.iter().map(|index| index.get(&case.senders)) {
            edited.insert(sender.clone());
        }
        prop_assert_eq!(edited.len(), case.senders.len());
        let facts = case.facts(Detail::Compact);
        let decision = select(&edited, &facts, &case.world, &case.world).unwrap();
        prop_assert_eq!(decision, case.select(Detail::Compact));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Sticky: each new recipient goes to the sender with the fewest, each known one stays.
    #[test]
    fn equal_senders_differ_by_at_most_one_recipient(
        count in 1..8_u32,
        recipients in vec(0..200_usize, 1..400),
    ) {
        let pool = Pool::new((0..count).map(|index| sender(index, 9, SenderStatus::Active, false)));
        let mut world = World::default();
        let mut known: BTreeMap<usize, StickyMapping> = BTreeMap::new();
        for recipient in recipients {
            let number = PhoneNumber::parse(&format!("+447700{:06}", 900_200 + recipient)).unwrap();
            let facts = Facts {
                recipient: Recipient::of(number, Channel::Sms),
                from: None,
                has_media: false,
                settings: Settings::default(),
                mapping: known.get(&recipient).copied(),
                now_ms: NOW_MS,
                detail: Detail::Compact,
            };
            let decision = select(&pool, &facts, &world, &world).unwrap();
            let sender = decision.chosen().unwrap();
            if let Some(mapping) = known.get(&recipient) {
                prop_assert_eq!(mapping.sender, sender);
                prop_assert_eq!(decision.sticky, StickyAction::Touch);
            } else {
                prop_assert_eq!(decision.sticky, StickyAction::Write);
                let position = pool.get(sender).unwrap().position;
                known.insert(recipient, world::mapping(sender, position, 0));
                *world.mappings.entry(sender).or_default() += 1;
            }
            let loads: Vec<_> = pool.iter().map(|sender| world.mappings(sender.no, sender.position)).collect();
            let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{least} and {most}");
        }
    }
}

/// More senders than a compact decision names, the recipient's own number among them.
#[test]
fn ones_own_number_is_counted_where_there_is_no_room_for_its_name() {
    let pool = Pool::new((0..40).map(|index| sender(index, 0, SenderStatus::Active, false)));
    let decide = |detail| {
        let facts = Facts {
            recipient: Recipient::of(PhoneNumber::parse("+14155550100").unwrap(), Channel::Sms),
            from: None,
            has_media: false,
            settings: Settings::default(),
            mapping: None,
            now_ms: NOW_MS,
            detail,
        };
        select(&pool, &facts, &Idle, &PublicReach).unwrap()
    };
    let own = (Rule::OwnNumber, 1);
    let compact = decide(Detail::Compact);
    assert_eq!(compact.removed.len(), 32);
    assert_eq!(compact.unlisted.last(), Some(&own));
    assert_eq!(Decision::from_bytes(&compact.to_bytes()), Ok(compact));
    let full = decide(Detail::Full);
    assert_eq!(full.removed.len(), 39);
    assert_eq!(full.removed.last().unwrap().rule, Rule::OwnNumber);
}

#[test]
fn a_pool_of_a_dozen_is_stored_in_sixty_bytes() {
    let names = [
        "SC-UK", "US415", "US628", "US212", "CA416", "TF888", "UK", "UKb", "DE", "FR", "JM", "ACME",
    ];
    let pool = Pool::new(
        (1..)
            .zip(names)
            .map(|(position, name)| world::sender(name, position)),
    );
    for to in [
        "+14155550199",
        "+16475550199",
        "+447700900199",
        "+4915110000099",
        "+33700000099",
    ] {
        let facts = Facts {
            recipient: Recipient::of(PhoneNumber::parse(to).unwrap(), Channel::Sms),
            from: None,
            has_media: false,
            settings: Settings::default(),
            mapping: None,
            now_ms: NOW_MS,
            detail: Detail::Compact,
        };
        let decision = select(&pool, &facts, &Idle, &PublicReach).unwrap();
        assert_eq!(decision.removed.len(), 11);
        let size = decision.to_bytes().len();
        assert!(size <= 60, "{size} bytes for {to}");
    }
}
