//! Selection again, slow and obvious: filters over a list, in the order of the documentation.
//!
//! It shares the vocabulary of the real one and none of its indexes, sets or counting.

use super::world::{NOW_MS, World};
use crate::country::Country;
use crate::error_code::ErrorCode;
use crate::message::SenderNo;
use crate::nanp;
use crate::select::{
    Broken, Channel, Facts, Loads, PoolSender, Reach, SenderKind, Served, StickyAction,
    StickyMapping,
};
use crate::sender::SenderAddress;

/// What is compared: the sender or the error, the mapping's fate, whether media became links.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) sender: Result<SenderNo, ErrorCode>,
    pub(super) sticky: StickyAction,
    pub(super) is_converted: bool,
}

/// Selection without a named sender over a pool in pool order.
pub(super) fn choose(pool: &[PoolSender], facts: &Facts<'_>, world: &World) -> Choice {
    let case = Case { facts, world };
    let usable: Vec<&PoolSender> = pool
        .iter()
        .filter(|sender| sender.is_usable && sender.channel() == facts.recipient.channel)
        .filter(|sender| !case.is_recipient(sender))
        .filter(|sender| case.may_reach_country(sender))
        .collect();
    let is_media = facts.has_media && facts.recipient.channel == Channel::Sms;
    if !is_media {
        let candidates: Vec<_> = usable
            .iter()
            .copied()
            .filter(|s| s.capabilities.sms)
            .collect();
        return case.among(pool, &usable, &candidates, false);
    }
    let with_mms: Vec<_> = usable
        .iter()
        .copied()
        .filter(|sender| case.carries_media(sender))
        .collect();
    if with_mms.iter().any(|sender| case.is_served(sender)) || !facts.settings.mms_converter {
        return case.among(pool, &usable, &with_mms, false);
    }
    let with_sms: Vec<_> = usable
        .iter()
        .copied()
        .filter(|s| s.capabilities.sms)
        .collect();
    let without_alphas: Vec<_> = with_sms
        .iter()
        .copied()
        .filter(|sender| !is_alpha(sender))
        .collect();
    if without_alphas.iter().any(|sender| case.is_served(sender)) {
        case.among(pool, &usable, &without_alphas, true)
    } else {
        case.among(pool, &usable, &with_sms, true)
    }
}

struct Case<'a> {
    facts: &'a Facts<'a>,
    world: &'a World,
}

impl Case<'_> {
    fn may_reach_country(&self, sender: &PoolSender) -> bool {
        let country = self.facts.recipient.country;
        let shows_alphas = || {
            country.is_some_and(|country| {
                self.world.alpha_sender(country) == crate::country::Support::Yes
            })
        };
        match sender.kind {
            SenderKind::LongCode | SenderKind::TollFree | SenderKind::WhatsApp => true,
            SenderKind::ShortCode => sender.country == country,
            SenderKind::Alpha => shows_alphas(),
            SenderKind::DestinationAlpha => shows_alphas() && sender.country == country,
        }
    }

    fn is_recipient(&self, sender: &PoolSender) -> bool {
        match sender.address {
            SenderAddress::Number(number) | SenderAddress::WhatsApp(number) => {
                number == self.facts.recipient.number
            }
            SenderAddress::ShortCode(_) | SenderAddress::Alpha(_) => false,
        }
    }

    fn carries_media(&self, sender: &PoolSender) -> bool {
        let is_routed = self.world.mms(sender.country, self.facts.recipient.country);
        !is_alpha(sender) && sender.capabilities.mms && is_routed == Served::Yes
    }

    fn is_served(&self, sender: &PoolSender) -> bool {
        sender.kind != SenderKind::ShortCode
            || self.facts.recipient.network.is_none()
            || !self.world.not_served.contains(&sender.no)
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
                choice(Ok(sender), StickyAction::Touch)
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

    fn judge(
        &self,
        mapping: StickyMapping,
        pool: &[PoolSender],
        usable: &[&PoolSender],
        served: &[&PoolSender],
    ) -> Verdict {
        if NOW_MS - mapping.last_used_ms > 365 * 24 * 3600 * 1000 {
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
        let is_capped = self.world.queue(sender.no).is_capped;
        if !is_capped && served.iter().any(|candidate| candidate.no == sender.no) {
            return Verdict::Use(sender.no);
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
    ) -> Result<SenderNo, ErrorCode> {
        let recipient = self.facts.recipient;
        let of_kind = |kind: SenderKind| -> Vec<&PoolSender> {
            served
                .iter()
                .copied()
                .filter(|sender| sender.kind == kind)
                .collect()
        };
        let short_codes = of_kind(SenderKind::ShortCode);
        if !short_codes.is_empty() {
            return self.scale(&short_codes, is_sticky);
        }
        let mut alphas = of_kind(SenderKind::DestinationAlpha);
        alphas.extend(of_kind(SenderKind::Alpha));
        if !alphas.is_empty() {
            let first = alphas.iter().find(|alpha| self.has_room(alpha.no));
            return first
                .map(|alpha| alpha.no)
                .ok_or_else(|| self.why_no_room(&alphas));
        }
        let of_country = |country: Option<Country>| -> Vec<&PoolSender> {
            let is_of = |sender: &&PoolSender| country.is_some() && sender.country == country;
            served.iter().copied().filter(is_of).collect()
        };
        let mut numbers = of_country(recipient.country);
        if numbers.is_empty() {
            numbers = of_country(Some(Country::US));
        }
        if numbers.is_empty() {
            numbers = served.to_vec();
        }
        if let (true, Channel::Sms, Some(wanted)) = (
            self.facts.settings.area_code_geomatch,
            recipient.channel,
            recipient.area_code,
        ) {
            let matching = |test: &dyn Fn(nanp::AreaCode) -> bool| -> Vec<&PoolSender> {
                numbers
                    .iter()
                    .copied()
                    .filter(|s| s.area_code.is_some_and(test))
                    .collect()
            };
            let same = matching(&|code| code == wanted);
            let overlays = matching(&|code| nanp::are_overlays(code, wanted));
            if !same.is_empty() {
                numbers = same;
            } else if !overlays.is_empty() {
                numbers = overlays;
            }
        }
        if numbers.is_empty() {
            return Err(ErrorCode::NoSuitableSender);
        }
        self.scale(&numbers, is_sticky)
    }

    fn scale(&self, senders: &[&PoolSender], is_sticky: bool) -> Result<SenderNo, ErrorCode> {
        senders
            .iter()
            .filter(|sender| self.has_room(sender.no))
            .min_by_key(|sender| {
                let queue = self.world.queue(sender.no);
                if is_sticky {
                    (
                        self.world.mappings(sender.no, sender.position),
                        queue.drain_ms,
                        0,
                        sender.position,
                    )
                } else {
                    let is_busy = u64::from(queue.queued_segments > 0);
                    (is_busy, queue.drain_ms, queue.last_used, sender.position)
                }
            })
            .map(|sender| sender.no)
            .ok_or_else(|| self.why_no_room(senders))
    }

    fn has_room(&self, sender: SenderNo) -> bool {
        let queue = self.world.queue(sender);
        !queue.is_full && !queue.is_capped
    }

    fn why_no_room(&self, senders: &[&PoolSender]) -> ErrorCode {
        let is_capped = |sender: &&PoolSender| self.world.queue(sender.no).is_capped;
        if senders.iter().all(is_capped) {
            ErrorCode::CampaignDailyCapReached
        } else {
            ErrorCode::QueueOverflow
        }
    }
}

enum Verdict {
    Use(SenderNo),
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
