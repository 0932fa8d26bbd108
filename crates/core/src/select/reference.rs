//! Selection again, slow and obvious: filters over a list, in the order of the documentation.
//!
//! The yardstick of tests, here on random pools and in the engine on random histories. It shares the
//! vocabulary of the real one and none of its indexes, sets or counting.

use super::{
    Broken, Channel, Facts, Loads, PoolSender, Reach, Rule, SenderKind, Served, StickyAction,
    StickyMapping,
};
use crate::country::{Country, Support};
use crate::error_code::ErrorCode;
use crate::message::SenderNo;
use crate::nanp;
use crate::sender::SenderAddress;

/// What is compared: the sender and its rule or the error, the mapping's fate, whether media became
/// links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub sender: Result<(SenderNo, Rule), ErrorCode>,
    pub sticky: StickyAction,
    pub is_converted: bool,
}

/// Selection over a pool in pool order. The error is an answer to the request.
pub fn choose<L: Loads, R: Reach>(
    pool: &[PoolSender],
    facts: &Facts<'_>,
    loads: &L,
    reach: &R,
) -> Result<Choice, ErrorCode> {
    let case = Case {
        facts,
        loads,
        reach,
    };
    if let Some(from) = facts.from {
        return case.named(pool, from);
    }
    if pool.is_empty() {
        return Err(ErrorCode::ServicePoolEmpty);
    }
    let own = facts.recipient.own_address();
    let is_own = |sender: &&PoolSender| sender.address == own;
    let others = pool.iter().filter(|sender| !is_own(sender));
    let others = others.cloned().collect::<Vec<_>>();
    // Nobody knows oneself.
    let own = pool.iter().find(is_own).map(|sender| sender.no);
    let facts = &Facts {
        mapping: facts.mapping.filter(|it| Some(it.sender) != own),
        ..*facts
    };
    Ok(Case { facts, ..case }.unnamed(&others))
}

struct Case<'a, L, R> {
    facts: &'a Facts<'a>,
    loads: &'a L,
    reach: &'a R,
}

impl<L: Loads, R: Reach> Case<'_, L, R> {
    fn is_media(&self) -> bool {
        self.facts.has_media && self.facts.recipient.channel == Channel::Sms
    }

    /// No geomatch, no scaler, no mapping. Of senders with one address the first that can is meant.
    fn named(&self, pool: &[PoolSender], from: &SenderAddress) -> Result<Choice, ErrorCode> {
        let namesakes = || pool.iter().filter(|sender| sender.address == *from);
        let sender = namesakes()
            .find(|sender| self.obstacle(sender).is_none())
            .or_else(|| namesakes().next())
            .ok_or(ErrorCode::SenderNotInService)?;
        let as_media = self.may_send(sender) && self.carries_media(sender);
        Ok(Choice {
            sender: match self.obstacle(sender) {
                Some(error) => Err(error),
                None if self.has_room(sender) => Ok((sender.no, Rule::ExplicitFrom)),
                None => Err(self.why_no_room(&[sender])),
            },
            sticky: StickyAction::Ignore,
            is_converted: self.is_media() && !as_media && self.facts.settings.mms_converter,
        })
    }

    /// What a message from this sender fails with.
    fn obstacle(&self, sender: &PoolSender) -> Option<ErrorCode> {
        if sender.channel() != self.facts.recipient.channel {
            return Some(match self.facts.recipient.channel {
                Channel::WhatsApp => ErrorCode::ChannelSenderNotFound,
                Channel::Sms => ErrorCode::ChannelsIncompatible,
            });
        }
        if !self.may_send(sender) {
            return Some(if sender.status.is_usable() && is_alpha(sender) {
                ErrorCode::NoRoute
            } else {
                ErrorCode::FromCannotReachTo
            });
        }
        if self.is_media() && self.carries_media(sender) {
            return None;
        }
        if self.is_media() && !self.facts.settings.mms_converter {
            return Some(ErrorCode::NoRoute);
        }
        (!sender.capabilities.sms).then_some(ErrorCode::FromCannotReachTo)
    }

    fn unnamed(&self, pool: &[PoolSender]) -> Choice {
        let usable: Vec<&PoolSender> = pool.iter().filter(|sender| self.may_send(sender)).collect();
        let only = |test: &dyn Fn(&PoolSender) -> bool| -> Vec<&PoolSender> {
            let senders = usable.iter().copied();
            senders.filter(|sender| test(sender)).collect()
        };
        let with_sms = only(&|sender| sender.capabilities.sms);
        if !self.is_media() {
            return self.among(pool, &usable, &with_sms, false);
        }
        let with_mms = only(&|sender| self.carries_media(sender));
        if with_mms.iter().any(|sender| self.is_served(sender))
            || !self.facts.settings.mms_converter
        {
            return self.among(pool, &usable, &with_mms, false);
        }
        let without_alphas = only(&|sender| sender.capabilities.sms && !is_alpha(sender));
        if without_alphas.iter().any(|sender| self.is_served(sender)) {
            self.among(pool, &usable, &without_alphas, true)
        } else {
            self.among(pool, &usable, &with_sms, true)
        }
    }

    /// The sender may reach the recipient with something.
    fn may_send(&self, sender: &PoolSender) -> bool {
        sender.status.is_usable()
            && sender.channel() == self.facts.recipient.channel
            && self.may_reach_country(sender)
    }

    fn may_reach_country(&self, sender: &PoolSender) -> bool {
        let country = self.facts.recipient.country;
        let shows_alphas =
            || country.is_some_and(|country| self.reach.alpha_sender(country) == Support::Yes);
        match sender.kind {
            SenderKind::LongCode | SenderKind::TollFree | SenderKind::WhatsApp => true,
            SenderKind::ShortCode => sender.country == country,
            SenderKind::Alpha => shows_alphas(),
            SenderKind::DestinationAlpha => shows_alphas() && sender.country == country,
        }
    }

    fn carries_media(&self, sender: &PoolSender) -> bool {
        let is_routed = self.reach.mms(sender.country, self.facts.recipient.country);
        !is_alpha(sender) && sender.capabilities.mms && is_routed == Served::Yes
    }

    fn is_served(&self, sender: &PoolSender) -> bool {
        let (SenderKind::ShortCode, Some(network)) = (sender.kind, self.facts.recipient.network)
        else {
            return true;
        };
        self.reach.short_code(sender.no, network) == Served::Yes
    }

    fn has_room(&self, sender: &PoolSender) -> bool {
        let queue = self.loads.queue(sender.no);
        !queue.is_full && !queue.is_capped
    }

    fn why_no_room(&self, senders: &[&PoolSender]) -> ErrorCode {
        let is_capped = |sender: &&PoolSender| self.loads.queue(sender.no).is_capped;
        if senders.iter().all(is_capped) {
            ErrorCode::CampaignDailyCapReached
        } else {
            ErrorCode::QueueOverflow
        }
    }

    fn among(
        &self,
        pool: &[PoolSender],
        usable: &[&PoolSender],
        candidates: &[&PoolSender],
        is_converted: bool,
    ) -> Choice {
        let is_sticky =
            self.facts.settings.sticky_sender && self.facts.recipient.channel == Channel::Sms;
        let served: Vec<_> = candidates
            .iter()
            .copied()
            .filter(|s| self.is_served(s))
            .collect();
        let verdict = self
            .facts
            .mapping
            .filter(|_| is_sticky)
            .map(|mapping| self.judge(mapping, pool, usable, &served));
        let choice = |sender, sticky| Choice {
            sender,
            sticky,
            is_converted,
        };
        if let Some(Verdict::Use(sender)) = verdict {
            return if self.has_room(sender) {
                choice(Ok((sender.no, Rule::StickySender)), StickyAction::Touch)
            } else {
                choice(Err(ErrorCode::QueueOverflow), StickyAction::Keep)
            };
        }
        let sender = self.without_mapping(&served, is_sticky);
        let sticky = match (verdict, sender.is_ok()) {
            _ if !is_sticky => StickyAction::Ignore,
            (None, false) => StickyAction::Ignore,
            (None, true) => StickyAction::Write,
            (Some(Verdict::Use(_) | Verdict::Unfit), _) => StickyAction::Keep,
            (Some(Verdict::Broken(broken)), true) => StickyAction::Replace(broken),
            (Some(Verdict::Broken(broken)), false) => StickyAction::Delete(broken),
        };
        choice(sender, sticky)
    }

    fn judge<'s>(
        &self,
        mapping: StickyMapping,
        pool: &'s [PoolSender],
        usable: &[&PoolSender],
        served: &[&PoolSender],
    ) -> Verdict<'s> {
        if self.facts.now_ms - mapping.last_used_ms > 365 * 24 * 3600 * 1000 {
            return Verdict::Broken(Broken::Expired);
        }
        let is_meant = |sender: &&PoolSender| {
            (sender.no, sender.position) == (mapping.sender, mapping.position)
        };
        let Some(sender) = pool.iter().find(is_meant) else {
            return Verdict::Broken(Broken::LeftPool);
        };
        let recipient = self.facts.recipient.country;
        let is_local = |other: &&&PoolSender| {
            recipient.is_some()
                && other.country == recipient
                && (is_number(other) || other.kind == SenderKind::ShortCode)
        };
        if is_number(sender) && sender.country != recipient && served.iter().any(|s| is_local(&s)) {
            return Verdict::Broken(Broken::Foreign);
        }
        let is_capped = self.loads.queue(sender.no).is_capped;
        if !is_capped && served.iter().any(|candidate| candidate.no == sender.no) {
            return Verdict::Use(sender);
        }
        // Texts it could carry, but not this one.
        if sender.capabilities.sms && usable.iter().any(|other| other.no == sender.no) {
            return Verdict::Unfit;
        }
        Verdict::Broken(Broken::NotCompliant)
    }

    fn without_mapping(
        &self,
        served: &[&PoolSender],
        is_sticky: bool,
    ) -> Result<(SenderNo, Rule), ErrorCode> {
        let of_kind = |kind: SenderKind| -> Vec<&PoolSender> {
            let senders = served.iter().copied();
            senders.filter(|sender| sender.kind == kind).collect()
        };
        let short_codes = of_kind(SenderKind::ShortCode);
        if !short_codes.is_empty() {
            return self.scale(&short_codes, is_sticky, Rule::ShortCode);
        }
        let alphas = [
            (SenderKind::DestinationAlpha, Rule::DestinationAlpha),
            (SenderKind::Alpha, Rule::AlphaSender),
        ]
        .map(|(kind, rule)| (of_kind(kind), rule));
        for (alphas, rule) in &alphas {
            if let Some(alpha) = alphas.iter().find(|alpha| self.has_room(alpha)) {
                let is_only = alphas.len() == 1;
                return Ok((alpha.no, if is_only { *rule } else { Rule::PoolOrder }));
            }
        }
        let alphas = alphas.map(|(alphas, _)| alphas).concat();
        if !alphas.is_empty() {
            return Err(self.why_no_room(&alphas));
        }
        let (numbers, rule) = self.by_country(served);
        let (numbers, rule) = self.by_area_code(&numbers).unwrap_or((numbers, rule));
        if numbers.is_empty() {
            return Err(ErrorCode::NoSuitableSender);
        }
        self.scale(&numbers, is_sticky, rule)
    }

    fn by_country<'s>(&self, numbers: &[&'s PoolSender]) -> (Vec<&'s PoolSender>, Rule) {
        for (country, rule) in [
            (self.facts.recipient.country, Rule::CountryGeomatch),
            (Some(Country::US), Rule::UsFallback),
        ] {
            let is_of = |sender: &&PoolSender| country.is_some() && sender.country == country;
            let of_country: Vec<_> = numbers.iter().copied().filter(is_of).collect();
            if !of_country.is_empty() {
                return (of_country, rule);
            }
        }
        (numbers.to_vec(), Rule::AnyCountry)
    }

    fn by_area_code<'s>(&self, numbers: &[&'s PoolSender]) -> Option<(Vec<&'s PoolSender>, Rule)> {
        let recipient = self.facts.recipient;
        let is_on = self.facts.settings.area_code_geomatch && recipient.channel == Channel::Sms;
        let wanted = recipient.area_code.filter(|_| is_on)?;
        let matching = |test: &dyn Fn(nanp::AreaCode) -> bool| -> Vec<&PoolSender> {
            let numbers = numbers.iter().copied();
            numbers
                .filter(|number| number.area_code.is_some_and(test))
                .collect()
        };
        let same = matching(&|code| code == wanted);
        if !same.is_empty() {
            return Some((same, Rule::AreaCodeMatch));
        }
        let overlays = matching(&|code| nanp::are_overlays(code, wanted));
        (!overlays.is_empty()).then_some((overlays, Rule::AreaCodeOverlay))
    }

    /// `rule` is what left these: the winner's, if there is nobody to beat.
    fn scale(
        &self,
        senders: &[&PoolSender],
        is_sticky: bool,
        rule: Rule,
    ) -> Result<(SenderNo, Rule), ErrorCode> {
        let rules: &[Rule] = if is_sticky {
            &[Rule::FewestMappings, Rule::EarliestDrain, Rule::PoolOrder]
        } else {
            &[
                Rule::Idle,
                Rule::EarliestDrain,
                Rule::LeastRecentlyUsed,
                Rule::PoolOrder,
            ]
        };
        let key = |sender: &PoolSender| {
            let queue = self.loads.queue(sender.no);
            if is_sticky {
                let mappings = self.loads.mappings(sender.no, sender.position);
                vec![mappings, queue.drain_ms, sender.position]
            } else {
                let is_busy = u64::from(queue.queued_segments > 0);
                vec![is_busy, queue.drain_ms, queue.last_used, sender.position]
            }
        };
        let mut ranked: Vec<_> = senders
            .iter()
            .filter(|sender| self.has_room(sender))
            .map(|sender| (key(sender), sender.no))
            .collect();
        ranked.sort();
        let (best, winner) = ranked.first().ok_or_else(|| self.why_no_room(senders))?;
        // The next best one makes it the closest.
        let rule = ranked.get(1).map_or(rule, |(next, _)| {
            let mut levels = rules.iter().zip(best.iter().zip(next));
            let first = levels.find(|(_, (best, next))| best != next);
            first.map_or(rule, |(rule, _)| *rule)
        });
        Ok((*winner, rule))
    }
}

enum Verdict<'a> {
    Use(&'a PoolSender),
    Unfit,
    Broken(Broken),
}

fn is_alpha(sender: &PoolSender) -> bool {
    matches!(
        sender.kind,
        SenderKind::Alpha | SenderKind::DestinationAlpha
    )
}

fn is_number(sender: &PoolSender) -> bool {
    matches!(sender.kind, SenderKind::LongCode | SenderKind::TollFree)
}
