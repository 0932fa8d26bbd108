//! What became of each sender: the rule that removed it, told from the course of the selection.
//!
//! In a small pool every loser is asked for one by one. In a large one the losers of the last group
//! are named and all others counted by group, so that the cost of explaining does not grow with the
//! pool. Both ways must agree; a property test compares them.

use smallvec::SmallVec;

use super::candidates::{Carriage, NumberSet, Selection};
use super::decision::Removed;
use super::facts::{Channel, Detail, Loads, Reach};
use super::groups::Member;
use super::pool::{PoolSender, SenderKind};
use super::procedure::{Course, End, len};
use super::rule::Rule;
use super::scaler::{LEVELS, Scaled};
use crate::country::Country;
use crate::nanp;

/// How many losers a compact decision names.
pub(super) const LISTED_MAX: usize = 32;

/// Those who lost by name, and how many more lost by each rule.
#[derive(Default)]
pub(super) struct Losers {
    pub(super) removed: SmallVec<[Removed; 12]>,
    pub(super) unlisted: SmallVec<[(Rule, u32); 4]>,
}

impl<L: Loads, R: Reach> Selection<'_, L, R> {
    pub(super) fn losers(&self, course: &Course) -> Losers {
        let losers = self.pool.len() - usize::from(course.winner.is_some());
        let mut found = if losers <= LISTED_MAX || self.facts.detail == Detail::Full {
            self.list_all(course)
        } else {
            self.list_last_and_count(course)
        };
        found
            .removed
            .sort_unstable_by_key(|removed| (removed.rule, removed.sender));
        found
    }

    fn list_all(&self, course: &Course) -> Losers {
        let losers = self
            .pool
            .iter()
            .filter(|sender| Some(sender.member()) != course.winner);
        let removed = losers
            .map(|sender| Removed {
                sender: sender.no,
                rule: self.fate(sender, course),
            })
            .collect();
        Losers {
            removed,
            ..Losers::default()
        }
    }

    /// Whoever is in the last group lost to the winner there and nowhere else, so nothing but its
    /// load is asked.
    fn list_last_and_count(&self, course: &Course) -> Losers {
        let mut counts = self.count(course);
        let mut removed = SmallVec::new();
        if let Some((scaled, group)) = self.last_group(course) {
            for member in group.take(LISTED_MAX) {
                let rule = scaled.removal(member, self.loads);
                counts.subtract(rule);
                removed.push(Removed {
                    sender: member.no,
                    rule,
                });
            }
        }
        Losers {
            removed,
            unlisted: counts.iter().collect(),
        }
    }

    /// The rule that removed this loser. Asked in the order of the procedure: the first one counts.
    fn fate(&self, sender: &PoolSender, course: &Course) -> Rule {
        if let End::Named(named) = course.end
            && named != sender.member()
        {
            return Rule::NotNamed;
        }
        if let Some(rule) = self.barrier(sender) {
            return rule;
        }
        match course.end {
            End::Named(_) => self.fate_without_room(sender),
            End::Sticky(sticky) if sticky == sender.member() => self.fate_without_room(sender),
            End::Sticky(_) => Rule::NotSticky,
            End::ShortCodes(_) | End::Alphas(_) | End::Numbers { .. } | End::Nobody
                if !self.is_served(sender) =>
            {
                Rule::NetworkNotServed
            }
            End::ShortCodes(scaled) if sender.kind == SenderKind::ShortCode => {
                scaled.removal(sender.member(), self.loads)
            }
            End::ShortCodes(_) => Rule::ShortCodePreferred,
            End::Alphas(chosen) => self.fate_at_alphas(sender, chosen),
            End::Numbers { country, .. } if !self.is_of(sender.country, country) => {
                Rule::OtherCountry
            }
            End::Numbers {
                area_code: Some(rule),
                ..
            } if !self.is_local(sender, rule) => Rule::OtherAreaCode,
            End::Numbers { scaled, .. } => scaled.removal(sender.member(), self.loads),
            End::Nobody => {
                debug_assert!(
                    false,
                    "nobody was chosen, and yet {sender:?} is a candidate"
                );
                Rule::NotUsable
            }
        }
    }

    fn fate_without_room(&self, sender: &PoolSender) -> Rule {
        if self.loads.queue(sender.no).is_capped {
            Rule::DailyCapReached
        } else {
            Rule::QueueFull
        }
    }

    fn fate_at_alphas(&self, sender: &PoolSender, chosen: SenderKind) -> Rule {
        let is_alpha = matches!(
            sender.kind,
            SenderKind::Alpha | SenderKind::DestinationAlpha
        );
        if !is_alpha {
            Rule::AlphaPreferred
        } else if self.loads.queue(sender.no).is_capped {
            Rule::DailyCapReached
        } else if self.loads.queue(sender.no).is_full {
            Rule::QueueFull
        } else if sender.kind == chosen {
            Rule::LaterInPool
        } else {
            Rule::DestinationAlphaPreferred
        }
    }

    /// Whether a number of this country is in the set that the rule leaves.
    fn is_of(&self, country: Option<Country>, rule: Rule) -> bool {
        let wanted = if rule == Rule::CountryGeomatch {
            self.facts.recipient.country
        } else if rule == Rule::UsFallback {
            Some(Country::US)
        } else {
            return true;
        };
        country == wanted
    }

    fn is_local(&self, sender: &PoolSender, rule: Rule) -> bool {
        let (Some(own), Some(wanted)) = (sender.area_code, self.facts.recipient.area_code) else {
            return false;
        };
        if rule == Rule::AreaCodeMatch {
            own == wanted
        } else {
            nanp::are_overlays(own, wanted)
        }
    }

    /// The losers among those before the scaler, if the selection got as far as that.
    fn last_group(&self, course: &Course) -> Option<(Scaled, impl Iterator<Item = Member>)> {
        let (scaled, short_codes, numbers) = match course.end {
            End::ShortCodes(scaled) => (scaled, self.short_codes(), NumberSet::new()),
            End::Numbers {
                area_code: Some(_),
                scaled,
                ..
            } => (scaled, SmallVec::new(), self.numbers_by_area_code()?.1),
            End::Numbers {
                area_code: None,
                scaled,
                ..
            } => (scaled, SmallVec::new(), self.numbers_by_country().1),
            End::Named(_) | End::Sticky(_) | End::Alphas(_) | End::Nobody => return None,
        };
        let winner = course.winner;
        let numbers = numbers.into_iter().flat_map(|group| group.iter()).copied();
        let group = short_codes.into_iter().chain(numbers);
        Some((scaled, group.filter(move |&member| Some(member) != winner)))
    }

    /// How many senders each rule removed, by the sizes of groups.
    fn count(&self, course: &Course) -> Counts {
        let mut counts = Counts::default();
        if let End::Named(named) = course.end {
            counts.add(Rule::NotNamed, self.pool.len() - 1);
            self.count_each(&[named], course, &mut counts);
            return counts;
        }
        let pool = self.pool;
        let whatsapp = pool.whatsapp.by_country.len();
        let unusable = pool.unusable(Channel::WhatsApp);
        let of_whatsapp = whatsapp + unusable.map(|(_, count)| count).sum::<usize>();
        for (rule, count) in pool.unusable(self.facts.recipient.channel) {
            counts.add(rule, count);
        }
        match self.facts.recipient.channel {
            Channel::Sms => {
                counts.add(Rule::OtherChannel, of_whatsapp);
                self.count_short_codes(course, &mut counts);
                self.count_alphas(course, &mut counts);
                self.count_numbers(pool.usable_numbers, course, &mut counts);
            }
            Channel::WhatsApp => {
                counts.add(Rule::OtherChannel, pool.len() - of_whatsapp);
                self.count_numbers(whatsapp, course, &mut counts);
            }
        }
        counts
    }

    fn count_short_codes(&self, course: &Course, counts: &mut Counts) {
        let short_codes = &self.pool.short_codes;
        let Some(country) = self.facts.recipient.country else {
            counts.add(Rule::ShortCodeOfOtherCountry, short_codes.len());
            return;
        };
        let local = short_codes.get(Some(country));
        counts.add(
            Rule::ShortCodeOfOtherCountry,
            short_codes.len() - local.len(),
        );
        self.count_each(local, course, counts);
    }

    fn count_alphas(&self, course: &Course, counts: &mut Counts) {
        let general = &self.pool.alphas;
        let destination = &self.pool.destination_alphas;
        if !self.shows_alphas() {
            counts.add(Rule::AlphaNotSupported, general.len() + destination.len());
            return;
        }
        let local = destination.get(self.facts.recipient.country);
        counts.add(Rule::AlphaOfOtherCountry, destination.len() - local.len());
        self.count_each(general, course, counts);
        self.count_each(local, course, counts);
    }

    fn count_numbers(&self, total: usize, course: &Course, counts: &mut Counts) {
        let able = self.numbers().by_country.len();
        let lacking = match self.carriage {
            Carriage::Text | Carriage::ConvertedMedia => Rule::NoSms,
            Carriage::Media => Rule::NoMms,
        };
        counts.add(lacking, total - able);
        let groups = self.numbers().by_country.iter();
        let routed: usize = groups
            .filter(|(country, _)| self.is_routed(*country))
            .map(|(_, members)| members.len())
            .sum();
        counts.add(Rule::MmsNotRouted, able - routed);
        match course.end {
            End::Sticky(sticky) => {
                let is_number = self.pool.get(sticky.no).is_some_and(PoolSender::is_number);
                counts.add(Rule::NotSticky, routed - usize::from(is_number));
                if is_number {
                    self.count_each(&[sticky], course, counts);
                }
            }
            End::ShortCodes(_) => counts.add(Rule::ShortCodePreferred, routed),
            End::Alphas(_) => counts.add(Rule::AlphaPreferred, routed),
            End::Numbers {
                area_code, scaled, ..
            } => {
                let of_country = len(&self.numbers_by_country().1);
                counts.add(Rule::OtherCountry, routed - of_country);
                if area_code.is_some() {
                    counts.add(Rule::OtherAreaCode, of_country - scaled.set_len());
                }
                counts.add_scaled(&scaled);
            }
            End::Named(_) | End::Nobody => {}
        }
    }

    fn count_each(&self, members: &[Member], course: &Course, counts: &mut Counts) {
        for member in members
            .iter()
            .filter(|&&member| Some(member) != course.winner)
        {
            if let Some(sender) = self.pool.get(member.no) {
                counts.add(self.fate(sender, course), 1);
            }
        }
    }
}

/// Losers by rule.
struct Counts([u32; RULES_MAX]);

/// More than the highest number of a rule.
const RULES_MAX: usize = 64;

const _: () = {
    let mut at = 0;
    while at < Rule::ALL.len() {
        assert!((Rule::ALL[at] as usize) < RULES_MAX);
        at += 1;
    }
};

impl Default for Counts {
    fn default() -> Self {
        Self([0; RULES_MAX])
    }
}

impl Counts {
    fn add(&mut self, rule: Rule, count: usize) {
        self.0[rule as usize] += u32::try_from(count).unwrap_or(u32::MAX);
    }

    fn add_scaled(&mut self, scaled: &Scaled) {
        self.0[Rule::QueueFull as usize] += scaled.full;
        self.0[Rule::DailyCapReached as usize] += scaled.capped;
        for level in 0..LEVELS {
            self.0[scaled.order.removal(level) as usize] += scaled.lost[level];
        }
    }

    fn subtract(&mut self, rule: Rule) {
        debug_assert!(
            self.0[rule as usize] > 0,
            "{rule} removed more senders than were counted"
        );
        self.0[rule as usize] = self.0[rule as usize].saturating_sub(1);
    }

    fn iter(&self) -> impl Iterator<Item = (Rule, u32)> {
        Rule::ALL
            .iter()
            .map(|&rule| (rule, self.0[rule as usize]))
            .filter(|&(_, count)| count > 0)
    }
}
