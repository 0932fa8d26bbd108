//! Who can take the message at all: how it is carried, and what bars a sender from carrying it.
//!
//! The first half of a selection. The same question is asked in two ways that must agree: of one
//! sender ([`Selection::barrier`]), for sticky mappings and explanations, and of whole groups, so
//! that a decision need not visit every sender.

use std::sync::OnceLock;

use smallvec::{SmallVec, smallvec};

use super::facts::{Channel, Facts, Loads, Reach, Served};
use super::groups::{Group, Member, Numbers};
use super::pool::{Pool, PoolSender, SenderKind};
use super::rule::Rule;
use crate::country::{Country, Support};
use crate::nanp::{self, AreaCode};

/// One selection at work: its arguments, and how the message will be carried.
pub(super) struct Selection<'a, L, R> {
    pub(super) pool: &'a Pool,
    pub(super) facts: &'a Facts<'a>,
    pub(super) loads: &'a L,
    pub(super) reach: &'a R,
    pub(super) carriage: Carriage,
    alphas: Alphas,
}

/// What the sender has to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    Text,
    Media,
    /// Text, with links to the media in it.
    ConvertedMedia,
}

/// Whether alpha senders may have this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphas {
    Admitted,
    Excluded,
}

/// Numbers, as the groups that hold them. None is empty.
pub(super) type NumberSet<'a> = SmallVec<[&'a Group; 4]>;

impl<'a, L: Loads, R: Reach> Selection<'a, L, R> {
    pub(super) fn new(pool: &'a Pool, facts: &'a Facts<'a>, loads: &'a L, reach: &'a R) -> Self {
        let selection = Self {
            pool,
            facts,
            loads,
            reach,
            carriage: Carriage::Text,
            alphas: Alphas::Admitted,
        };
        // A WhatsApp sender carries text and media alike.
        match facts.recipient.channel {
            Channel::Sms if facts.has_media => selection.with_media(),
            Channel::Sms | Channel::WhatsApp => selection,
        }
    }

    /// As media if any sender can, else converted to text if the service wants that. An alpha sender
    /// carries no media; it takes the links only when nobody else can (our reading: whoever attached
    /// media is better served by a sender that might have carried it).
    fn with_media(self) -> Self {
        let as_media = Self {
            carriage: Carriage::Media,
            alphas: Alphas::Excluded,
            ..self
        };
        if as_media.has_number_or_short_code() || !self.facts.settings.mms_converter {
            return as_media;
        }
        let as_text = Self {
            carriage: Carriage::ConvertedMedia,
            ..as_media
        };
        if as_text.has_number_or_short_code() {
            return as_text;
        }
        Self {
            alphas: Alphas::Admitted,
            ..as_text
        }
    }

    /// The same selection when only this one sender counts, because the request names it.
    pub(super) fn for_one(self, sender: &PoolSender) -> Self {
        let only = Self {
            carriage: Carriage::Text,
            alphas: Alphas::Admitted,
            ..self
        };
        if !self.facts.has_media || self.facts.recipient.channel != Channel::Sms {
            return only;
        }
        let as_media = Self {
            carriage: Carriage::Media,
            ..only
        };
        if as_media.barrier(sender).is_none() || !self.facts.settings.mms_converter {
            return as_media;
        }
        Self {
            carriage: Carriage::ConvertedMedia,
            ..as_media
        }
    }

    fn has_number_or_short_code(&self) -> bool {
        !self.numbers_by_country().1.is_empty() || !self.short_codes().is_empty()
    }

    /// What keeps this sender from carrying this message; `None` for a candidate. Whether a short
    /// code reaches the recipient's network is a later question ([`Self::is_served`]).
    pub(super) fn barrier(&self, sender: &PoolSender) -> Option<Rule> {
        let recipient = self.facts.recipient;
        if sender.channel() != recipient.channel {
            return Some(Rule::OtherChannel);
        }
        if let Some(rule) = sender.status_barrier() {
            return Some(rule);
        }
        match sender.kind {
            SenderKind::WhatsApp => None,
            SenderKind::ShortCode if sender.country != recipient.country => {
                Some(Rule::ShortCodeOfOtherCountry)
            }
            SenderKind::LongCode | SenderKind::TollFree | SenderKind::ShortCode => {
                self.capability_barrier(sender)
            }
            SenderKind::Alpha | SenderKind::DestinationAlpha if !self.shows_alphas() => {
                Some(Rule::AlphaNotSupported)
            }
            SenderKind::DestinationAlpha if sender.country != recipient.country => {
                Some(Rule::AlphaOfOtherCountry)
            }
            SenderKind::Alpha | SenderKind::DestinationAlpha => self.media_barrier_of_alphas(),
        }
    }

    fn capability_barrier(&self, sender: &PoolSender) -> Option<Rule> {
        match self.carriage {
            Carriage::Text | Carriage::ConvertedMedia => {
                (!sender.capabilities.sms).then_some(Rule::NoSms)
            }
            Carriage::Media if !sender.capabilities.mms => Some(Rule::NoMms),
            Carriage::Media => (!self.is_routed(sender.country)).then_some(Rule::MmsNotRouted),
        }
    }

    fn media_barrier_of_alphas(&self) -> Option<Rule> {
        match (self.carriage, self.alphas) {
            (Carriage::Text | Carriage::ConvertedMedia, Alphas::Admitted) => None,
            (Carriage::Media, Alphas::Admitted)
            | (Carriage::Text | Carriage::ConvertedMedia | Carriage::Media, Alphas::Excluded) => {
                Some(Rule::AlphaWithoutMedia)
            }
        }
    }

    /// Whether the recipient's country is known to show alpha senders.
    pub(super) fn shows_alphas(&self) -> bool {
        let country = self.facts.recipient.country;
        country.is_some_and(|country| self.reach.alpha_sender(country) == Support::Yes)
    }

    /// Whether numbers of this country get the message to the recipient, as it is carried.
    pub(super) fn is_routed(&self, country: Option<Country>) -> bool {
        match self.carriage {
            Carriage::Text | Carriage::ConvertedMedia => true,
            Carriage::Media => self.reach.mms(country, self.facts.recipient.country) == Served::Yes,
        }
    }

    /// Whether a sender reaches the recipient's network. Only short codes can fail this.
    pub(super) fn is_served(&self, sender: &PoolSender) -> bool {
        let (SenderKind::ShortCode, Some(network)) = (sender.kind, self.facts.recipient.network)
        else {
            return true;
        };
        self.reach.short_code(sender.no, network) == Served::Yes
    }

    /// Short codes that can take the message.
    pub(super) fn short_codes(&self) -> SmallVec<[Member; 4]> {
        let (Channel::Sms, Some(country)) =
            (self.facts.recipient.channel, self.facts.recipient.country)
        else {
            return SmallVec::new();
        };
        let is_candidate = |short_code: &&Member| {
            self.pool
                .get(short_code.no)
                .is_some_and(|sender| self.barrier(sender).is_none() && self.is_served(sender))
        };
        let short_codes = self.pool.short_codes.get(Some(country)).iter();
        short_codes.filter(is_candidate).copied().collect()
    }

    /// Alpha senders that can take the message, the groups in order of preference.
    pub(super) fn alphas(&self) -> [&'a [Member]; 2] {
        let is_possible = self.facts.recipient.channel == Channel::Sms
            && self.media_barrier_of_alphas().is_none()
            && self.shows_alphas();
        if !is_possible {
            return [&[], &[]];
        }
        let country = self.facts.recipient.country;
        [self.pool.destination_alphas.get(country), &self.pool.alphas]
    }

    /// Numbers that can carry the message, wherever they are and whether or not it gets through.
    pub(super) fn numbers(&self) -> &'a Numbers {
        match (self.facts.recipient.channel, self.carriage) {
            (Channel::WhatsApp, _) => &self.pool.whatsapp,
            (Channel::Sms, Carriage::Text | Carriage::ConvertedMedia) => &self.pool.text,
            (Channel::Sms, Carriage::Media) => &self.pool.media,
        }
    }

    /// Country geomatch: numbers of the recipient's country, else of the US, else all.
    pub(super) fn numbers_by_country(&self) -> (Rule, NumberSet<'a>) {
        let country = self.facts.recipient.country;
        if let Some(local) = country.and_then(|country| self.numbers_of(country)) {
            return (Rule::CountryGeomatch, smallvec![local]);
        }
        if let Some(american) = self.numbers_of(Country::US) {
            return (Rule::UsFallback, smallvec![american]);
        }
        let groups = self.numbers().by_country.iter();
        let routed = groups.filter(|(country, _)| self.is_routed(*country));
        (
            Rule::AnyCountry,
            routed.map(|(_, members)| members).collect(),
        )
    }

    /// Numbers of one country that can take the message.
    pub(super) fn numbers_of(&self, country: Country) -> Option<&'a Group> {
        let numbers = self.numbers().by_country.get(Some(country));
        (!numbers.is_empty() && self.is_routed(Some(country))).then_some(numbers)
    }

    /// Area-code geomatch: numbers with the recipient's area code, else with one that overlays it.
    /// `None` where it does not apply or nobody matches. Toll-free numbers have no area code here,
    /// neither as senders nor as recipients.
    pub(super) fn numbers_by_area_code(&self) -> Option<(Rule, NumberSet<'a>)> {
        let recipient = self.facts.recipient;
        let is_on = self.facts.settings.area_code_geomatch && recipient.channel == Channel::Sms;
        let area_code = recipient.area_code.filter(|_| is_on)?;
        let of = |area_code| {
            self.numbers()
                .by_area_code
                .get((recipient.country, area_code))
        };
        let same = of(area_code);
        if !same.is_empty() {
            return Some((Rule::AreaCodeMatch, smallvec![same]));
        }
        let overlays = overlays_of(area_code).iter().map(|&overlay| of(overlay));
        let overlays: NumberSet<'a> = overlays.filter(|members| !members.is_empty()).collect();
        (!overlays.is_empty()).then_some((Rule::AreaCodeOverlay, overlays))
    }
}

impl<L, R> Clone for Selection<'_, L, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, R> Copy for Selection<'_, L, R> {}

/// The area codes that overlay this one, remembered: comparing it with all 800 takes longer than the
/// rest of a selection.
fn overlays_of(area_code: AreaCode) -> &'static [AreaCode] {
    const FIRST: u16 = 200;
    static OVERLAYS: [OnceLock<Box<[AreaCode]>>; 800] = [const { OnceLock::new() }; 800];
    OVERLAYS[usize::from(area_code.number() - FIRST)].get_or_init(|| {
        let all = (FIRST..=999).filter_map(AreaCode::new);
        all.filter(|&other| nanp::are_overlays(area_code, other))
            .collect()
    })
}
