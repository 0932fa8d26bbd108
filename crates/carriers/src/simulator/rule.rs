//! Rules: what becomes of messages to which handsets.
//!
//! The newest rule that matches a message decides, and only a rule that decides is used up. Below all
//! rules lie the odds of the configuration, and below those, delivery.

use std::collections::BTreeMap;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use rustc_hash::FxHashMap;

use super::pace::Allowance;
use super::recipients::Recipients;
use crate::contract::RefusalClass;

/// Rules kept at once; beyond, the oldest goes. A test suite that makes one for each test and never
/// clears them stays far below.
const RULES_MAX: usize = 10_000;

/// How messages to some handsets will fare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub to: Recipients,
    pub behavior: Behavior,
    /// Milliseconds on top of the configured latency: before the receipt where there is one, before
    /// the answer of `Rejected`, `Unknown` and `Disconnect`.
    pub delay_ms: u32,
    /// Messages it is for; `None` means all. A rule that is used up is gone.
    pub times: Option<u32>,
}

impl Rule {
    /// For every message to one handset, at the usual speed.
    pub fn new(to: impl Into<Recipients>, behavior: Behavior) -> Self {
        Self {
            to: to.into(),
            behavior,
            delay_ms: 0,
            times: None,
        }
    }

    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    #[must_use]
    pub fn delayed_by(self, delay_ms: u32) -> Self {
        Self { delay_ms, ..self }
    }
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behavior {
    Delivered,
    /// Accepted, then a receipt that says no.
    Undelivered(ErrorCode),
    /// Refused at once.
    Rejected {
        code: ErrorCode,
        class: RefusalClass,
    },
    /// The handset gets it and nobody says so.
    LostReceipt,
    /// Receipts overtake the answer to the submit.
    EarlyReceipt,
    /// Each receipt comes twice.
    DuplicateReceipt,
    /// Told to slow down above this many segments a second; 0 means always. Messages within the
    /// limit fare as if the rule were not there.
    Throttle {
        per_second: u32,
    },
    /// No answer to the submit.
    Unknown(Unanswered),
    /// The links drop for a while, and take down what is unanswered.
    Disconnect {
        for_ms: u32,
    },
}

/// What became of a message whose submit was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// It never arrived.
    Lost,
    /// It arrived: the handset gets it, and receipts come with ids that nobody has seen before.
    Arrived,
    /// It arrived, and the answer comes after it was given up.
    AnsweredLate,
}

/// The rules in force, found by number without looking at all of them.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Oldest first.
    by_age: BTreeMap<u64, Active>,
    next: u64,
    /// Rules for one number, oldest first.
    by_number: FxHashMap<PhoneNumber, Vec<u64>>,
    /// Rules for many, oldest first.
    patterns: Vec<u64>,
}

#[derive(Debug)]
struct Active {
    /// `times` is what is left.
    rule: Rule,
    /// For `Throttle`.
    allowance: Option<Allowance>,
}

impl Rules {
    pub(super) fn set(&mut self, rule: Rule, now_ms: Millis) {
        if rule.times == Some(0) {
            return;
        }
        let allowance = match rule.behavior {
            Behavior::Throttle { per_second } => Some(Allowance::new(per_second, now_ms)),
            Behavior::Delivered
            | Behavior::Undelivered(_)
            | Behavior::Rejected { .. }
            | Behavior::LostReceipt
            | Behavior::EarlyReceipt
            | Behavior::DuplicateReceipt
            | Behavior::Unknown(_)
            | Behavior::Disconnect { .. } => None,
        };
        if rule.times.is_none() && allowance.is_none() {
            // Older rules for the same handsets can never decide again.
            for age in self.same_recipients(rule.to) {
                self.remove(age);
            }
        }
        if self.by_age.len() >= RULES_MAX
            && let Some((&oldest, _)) = self.by_age.first_key_value()
        {
            self.remove(oldest);
        }
        let age = self.next;
        self.next += 1;
        match rule.to {
            Recipients::One(number) => self.by_number.entry(number).or_default().push(age),
            Recipients::All | Recipients::Prefix(_) | Recipients::Suffix(_) => {
                self.patterns.push(age);
            }
        }
        self.by_age.insert(age, Active { rule, allowance });
    }

    /// The rules in force, newest first, each with the times it has left.
    pub(super) fn all(&self) -> Vec<Rule> {
        self.by_age
            .values()
            .rev()
            .map(|active| active.rule.clone())
            .collect()
    }

    pub(super) fn clear(&mut self) {
        self.by_age.clear();
        self.by_number.clear();
        self.patterns.clear();
    }

    /// Lets the newest matching rule decide, and uses it up by one: what to do, and how much later.
    pub(super) fn decide(
        &mut self,
        to: PhoneNumber,
        segments: u32,
        now_ms: Millis,
    ) -> Option<(Behavior, Millis)> {
        if self.by_age.is_empty() {
            return None;
        }
        let mut before = u64::MAX;
        while let Some(age) = self.newest_matching(to, before) {
            let active = self.by_age.get_mut(&age)?;
            let is_within_limit = active
                .allowance
                .as_mut()
                .is_some_and(|allowance| allowance.takes(segments, now_ms));
            if is_within_limit {
                before = age;
                continue;
            }
            let decided = (active.rule.behavior, Millis::from(active.rule.delay_ms));
            if let Some(times) = &mut active.rule.times {
                *times -= 1;
                if *times == 0 {
                    self.remove(age);
                }
            }
            return Some(decided);
        }
        None
    }

    fn newest_matching(&self, to: PhoneNumber, before: u64) -> Option<u64> {
        let exact = self
            .by_number
            .get(&to)
            .and_then(|ages| last_below(ages.iter(), before));
        let pattern = last_below(
            self.patterns
                .iter()
                .filter(|age| self.by_age[age].rule.to.contains(to)),
            before,
        );
        exact.max(pattern)
    }

    fn same_recipients(&self, to: Recipients) -> Vec<u64> {
        match to {
            Recipients::One(number) => self.by_number.get(&number).cloned().unwrap_or_default(),
            Recipients::All | Recipients::Prefix(_) | Recipients::Suffix(_) => {
                let is_same = |age: &u64| self.by_age[age].rule.to == to;
                self.patterns.iter().copied().filter(is_same).collect()
            }
        }
    }

    fn remove(&mut self, age: u64) {
        let Some(active) = self.by_age.remove(&age) else {
            return;
        };
        match active.rule.to {
            Recipients::One(number) => {
                if let Some(ages) = self.by_number.get_mut(&number) {
                    ages.retain(|&other| other != age);
                    if ages.is_empty() {
                        self.by_number.remove(&number);
                    }
                }
            }
            Recipients::All | Recipients::Prefix(_) | Recipients::Suffix(_) => {
                self.patterns.retain(|&other| other != age);
            }
        }
    }
}

fn last_below<'a>(ages: impl DoubleEndedIterator<Item = &'a u64>, before: u64) -> Option<u64> {
    ages.rev().copied().find(|&age| age < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    fn recipients(text: &str) -> Recipients {
        Recipients::parse(text).unwrap()
    }

    const LOST: Behavior = Behavior::LostReceipt;
    const EARLY: Behavior = Behavior::EarlyReceipt;

    #[test]
    fn the_newest_matching_rule_wins_until_it_is_used_up() {
        let to = number("+14155550100");
        let mut rules = Rules::default();
        rules.set(Rule::new(to, LOST), 0);
        rules.set(Rule::new(recipients("+1*"), EARLY).times(2), 0);
        assert_eq!(rules.decide(to, 1, 0), Some((EARLY, 0)));
        assert_eq!(rules.all()[0].times, Some(1));
        assert_eq!(rules.decide(to, 1, 0), Some((EARLY, 0)));
        assert_eq!(rules.decide(to, 1, 0), Some((LOST, 0)));
        assert_eq!(rules.decide(number("+447700900123"), 1, 0), None);
        assert_eq!(rules.all(), [Rule::new(to, LOST)]);
    }

    #[test]
    fn a_rule_for_good_replaces_older_ones_for_the_same_handsets() {
        let to = number("+14155550100");
        let mut rules = Rules::default();
        rules.set(Rule::new(to, LOST).times(3), 0);
        rules.set(Rule::new(to, EARLY).delayed_by(5), 0);
        assert_eq!(rules.all().len(), 1);
        assert_eq!(rules.decide(to, 1, 0), Some((EARLY, 5)));
        rules.clear();
        assert_eq!(rules.decide(to, 1, 0), None);
        rules.set(Rule::new(to, LOST).times(0), 0);
        assert_eq!(rules.all(), []);
    }

    #[test]
    fn a_throttle_leaves_what_is_within_its_limit_to_older_rules() {
        let to = number("+14155550100");
        let throttle = Behavior::Throttle { per_second: 2 };
        let mut rules = Rules::default();
        rules.set(Rule::new(to, LOST), 0);
        rules.set(Rule::new(to, throttle).times(1), 0);
        let decided: Vec<_> = (0..4).map(|_| rules.decide(to, 1, 0).unwrap().0).collect();
        assert_eq!(decided, [LOST, LOST, throttle, LOST]);
    }

    #[test]
    fn rules_are_bounded() {
        let mut rules = Rules::default();
        for line in 0..RULES_MAX as u64 + 5 {
            let to = PhoneNumber::from_digits(14_155_550_000 + line).unwrap();
            rules.set(Rule::new(to, LOST), 0);
        }
        assert_eq!(rules.by_age.len(), RULES_MAX);
        assert_eq!(rules.by_number.len(), RULES_MAX);
        assert_eq!(rules.decide(number("+14155550004"), 1, 0), None);
        assert!(rules.decide(number("+14155550005"), 1, 0).is_some());
    }
}
