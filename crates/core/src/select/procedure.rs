//! The procedure: from the candidates to one sender, rule by rule, in the documented order.
//!
//! Sticky mapping, short code, alpha sender, country, area code, scaler
//! (`docs/sender-selection.md`, *The decision*). Each station either ends the selection or hands on.
//! What the stations remove is not recorded on the way; [`super::fate`] tells it afterwards from the
//! [`Course`] that the selection took.

use smallvec::SmallVec;

use super::candidates::{NumberSet, Selection};
use super::decision::{Broken, Step, StickyAction};
use super::facts::{Channel, Loads, Reach};
use super::groups::Member;
use super::pool::{PoolSender, SenderKind};
use super::rule::Rule;
use super::scaler::{Order, Scaled, scale, scale_groups};
use crate::error_code::ErrorCode;

/// The way a selection went.
pub(super) struct Course {
    pub(super) end: End,
    pub(super) winner: Option<Member>,
    pub(super) path: SmallVec<[Step; 4]>,
    pub(super) sticky: StickyAction,
    /// What the message fails with when there is no winner.
    pub(super) error: ErrorCode,
}

/// The station where a selection ended, with what it takes to tell why each sender lost there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// The request named this sender.
    Named(Member),
    /// The recipient's mapping named this sender.
    Sticky(Member),
    ShortCodes(Scaled),
    /// The kind of the alpha sender that was chosen; the general one when all queues are full.
    Alphas(SenderKind),
    Numbers {
        country: Rule,
        area_code: Option<Rule>,
        scaled: Scaled,
    },
    /// No sender was left.
    Nobody,
}

/// What the sticky mapping says.
enum Mapping<'a> {
    /// Stickiness does not apply.
    Off,
    Absent,
    Usable(&'a PoolSender),
    /// Its sender cannot take this one message.
    Unfit,
    Broken(Broken),
}

impl<'a, L: Loads, R: Reach> Selection<'a, L, R> {
    /// Takes the sender that the request names. No mapping is read, created or changed.
    pub(super) fn run_named(&self, sender: &PoolSender) -> Course {
        let mut course = Course::new(End::Named(sender.member()));
        course.step(Rule::ExplicitFrom, 1);
        match self.barrier(sender) {
            Some(rule) => course.error = error_of_named(rule, self.facts.recipient.channel),
            None => course.take_unless_full(sender, self.loads),
        }
        course
    }

    pub(super) fn run(&self) -> Course {
        let mapping = self.mapping();
        if let Mapping::Usable(sender) = mapping {
            // A full queue fails the message: another `From` would surprise the recipient more.
            let mut course = Course::new(End::Sticky(sender.member()));
            course.step(Rule::StickySender, 1);
            course.take_unless_full(sender, self.loads);
            course.sticky = match course.winner {
                Some(_) => StickyAction::Touch,
                None => StickyAction::Keep,
            };
            return course;
        }
        let mut course = self
            .choose_short_code()
            .or_else(|| self.choose_alpha())
            .or_else(|| self.choose_number())
            .unwrap_or_else(|| Course::new(End::Nobody));
        course.sticky = match (mapping, course.winner) {
            (Mapping::Off | Mapping::Usable(_), _) | (Mapping::Absent, None) => {
                StickyAction::Ignore
            }
            (Mapping::Unfit, _) => StickyAction::Keep,
            (Mapping::Absent, Some(_)) => StickyAction::Write,
            (Mapping::Broken(broken), Some(_)) => StickyAction::Replace(broken),
            (Mapping::Broken(broken), None) => StickyAction::Delete(broken),
        };
        course
    }

    fn mapping(&self) -> Mapping<'a> {
        if !self.is_sticky() {
            return Mapping::Off;
        }
        let Some(mapping) = self.facts.mapping else {
            return Mapping::Absent;
        };
        if mapping.is_expired(self.facts.now_ms) {
            return Mapping::Broken(Broken::Expired);
        }
        let sender = self.pool.get(mapping.sender);
        let Some(sender) = sender.filter(|sender| sender.position == mapping.position) else {
            return Mapping::Broken(Broken::LeftPool);
        };
        if self.is_foreign(sender) {
            return Mapping::Broken(Broken::Foreign);
        }
        match self.barrier(sender) {
            None if self.loads.queue(sender.no).is_capped => Mapping::Unfit,
            None if self.is_served(sender) => Mapping::Usable(sender),
            None => Mapping::Unfit,
            Some(rule) if is_of_this_message(rule, sender) => Mapping::Unfit,
            Some(_) => Mapping::Broken(Broken::NotCompliant),
        }
    }

    pub(super) fn is_sticky(&self) -> bool {
        self.facts.settings.sticky_sender && self.facts.recipient.channel == Channel::Sms
    }

    fn order(&self) -> Order {
        if self.is_sticky() {
            Order::Recipients
        } else {
            Order::Messages
        }
    }

    /// A number of another country, while a number or short code of the recipient's could take the
    /// message. A short code that does not serve the recipient's network does not count (ours: it
    /// would break the mapping at every message, and never replace it).
    fn is_foreign(&self, sender: &PoolSender) -> bool {
        let Some(country) = self.facts.recipient.country else {
            return false;
        };
        sender.is_number()
            && sender.country != Some(country)
            && (self.numbers_of(country).is_some() || !self.short_codes().is_empty())
    }

    /// Any short code comes before all other kinds.
    fn choose_short_code(&self) -> Option<Course> {
        let short_codes = self.short_codes();
        if short_codes.is_empty() {
            return None;
        }
        let scaled = scale(short_codes.iter(), self.order(), self.loads);
        let mut course = Course::new(End::ShortCodes(scaled));
        course.step(Rule::ShortCode, short_codes.len());
        course.take_scaled(scaled);
        Some(course)
    }

    /// The alpha sender for the country, else the general one; of several the first in the pool
    /// whose queue has room.
    fn choose_alpha(&self) -> Option<Course> {
        let [destination, general] = self.alphas();
        if destination.is_empty() && general.is_empty() {
            return None;
        }
        let groups = [
            (
                destination,
                SenderKind::DestinationAlpha,
                Rule::DestinationAlpha,
            ),
            (general, SenderKind::Alpha, Rule::AlphaSender),
        ];
        for (alphas, kind, rule) in groups {
            let has_room = |alpha: &&Member| {
                let queue = self.loads.queue(alpha.no);
                !queue.is_full && !queue.is_capped
            };
            let Some(&alpha) = alphas.iter().find(has_room) else {
                continue;
            };
            let mut course = Course::new(End::Alphas(kind));
            course.step(rule, alphas.len());
            if alphas.len() > 1 {
                course.step(Rule::PoolOrder, 1);
            }
            course.winner = Some(alpha);
            return Some(course);
        }
        let mut course = Course::new(End::Alphas(SenderKind::Alpha));
        let mut alphas = destination.iter().chain(general);
        let are_capped = alphas.all(|alpha| self.loads.queue(alpha.no).is_capped);
        course.error = error_without_room(are_capped);
        Some(course)
    }

    fn choose_number(&self) -> Option<Course> {
        let (country, of_country) = self.numbers_by_country();
        if of_country.is_empty() {
            return None;
        }
        // Away from the recipient's country no area code can match.
        let local = self
            .numbers_by_area_code()
            .filter(|_| country == Rule::CountryGeomatch);
        let numbers = local.as_ref().map_or(&of_country, |(_, numbers)| numbers);
        let scaled = scale_groups(numbers, self.order(), self.loads);
        let area_code = local.as_ref().map(|&(rule, _)| rule);

        let mut course = Course::new(End::Numbers {
            country,
            area_code,
            scaled,
        });
        course.step(country, len(&of_country));
        if let Some((rule, numbers)) = &local {
            course.step(*rule, len(numbers));
        }
        course.take_scaled(scaled);
        Some(course)
    }
}

impl Course {
    fn new(end: End) -> Self {
        Self {
            end,
            winner: None,
            path: SmallVec::new(),
            sticky: StickyAction::Ignore,
            error: ErrorCode::NoSuitableSender,
        }
    }

    fn step(&mut self, rule: Rule, left: usize) {
        self.path.push(Step {
            rule,
            left: u32::try_from(left).unwrap_or(u32::MAX),
        });
    }

    fn take_unless_full(&mut self, sender: &PoolSender, loads: &impl Loads) {
        let queue = loads.queue(sender.no);
        if queue.is_full || queue.is_capped {
            self.error = error_without_room(queue.is_capped);
        } else {
            self.winner = Some(sender.member());
        }
    }

    fn take_scaled(&mut self, scaled: Scaled) {
        self.winner = scaled.winner.map(|(_, member)| member);
        if self.winner.is_none() {
            self.error = error_without_room(scaled.full == 0);
        }
        if let Some(rule) = scaled.rule() {
            self.step(rule, 1);
        }
    }
}

pub(super) fn len(numbers: &NumberSet<'_>) -> usize {
    numbers.iter().map(|members| members.len()).sum()
}

/// What a message fails with that all senders could carry and none has room for.
fn error_without_room(are_capped: bool) -> ErrorCode {
    if are_capped {
        ErrorCode::CampaignDailyCapReached
    } else {
        ErrorCode::QueueOverflow
    }
}

/// Whether a barrier stands in the way of this message only, so that the mapping stays: it has media,
/// and a plain text could come from this sender.
fn is_of_this_message(barrier: Rule, sender: &PoolSender) -> bool {
    let is_of_media = matches!(
        barrier,
        Rule::AlphaWithoutMedia | Rule::NoMms | Rule::MmsNotRouted
    );
    is_of_media && sender.capabilities.sms
}

/// What a message fails with whose named sender cannot carry it.
fn error_of_named(barrier: Rule, channel: Channel) -> ErrorCode {
    if barrier == Rule::OtherChannel {
        return match channel {
            Channel::WhatsApp => ErrorCode::ChannelSenderNotFound,
            Channel::Sms => ErrorCode::ChannelsIncompatible,
        };
    }
    if matches!(
        barrier,
        Rule::Suspended
            | Rule::Porting
            | Rule::Pending
            | Rule::NoSms
            | Rule::ShortCodeOfOtherCountry
    ) {
        return ErrorCode::FromCannotReachTo;
    }
    ErrorCode::NoRoute
}
