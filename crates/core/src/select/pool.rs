//! A service's senders, indexed so that selection counts groups and visits only the last one.
//!
//! The engine builds a pool from settings documents, keeps it behind an `Arc`, and edits a copy when
//! the pool changes; a pool that selection is reading never changes. Senders that are suspended or
//! being registered stay in the pool, so that an explanation can name them, and out of the indexes.
//! Pool order is the order in which senders joined: ascending `position`.

use std::collections::BTreeMap;

use serde::Deserialize;
use smallvec::SmallVec;

use super::facts::Channel;
use super::groups::{Edit, EditKind, Group, Groups, Member, Numbers};
use super::rule::Rule;
use crate::country::Country;
use crate::message::SenderNo;
use crate::nanp::AreaCode;
use crate::phone_number::{NumberKind, PhoneNumber};
use crate::sender::{AlphaSenderId, SenderAddress, ShortCode};
use crate::settings::{Capabilities, SenderStatus};

/// What kind of identity a sender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SenderKind {
    LongCode,
    TollFree,
    ShortCode,
    /// Shown in every country that supports alpha senders.
    Alpha,
    /// An alpha sender for one country. Settings speak of alpha senders of either kind.
    #[serde(skip)]
    DestinationAlpha,
    #[serde(rename = "whatsapp")]
    WhatsApp,
}

impl SenderKind {
    /// The stable name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LongCode => "long_code",
            Self::TollFree => "toll_free",
            Self::ShortCode => "short_code",
            Self::Alpha => "alpha",
            Self::DestinationAlpha => "destination_alpha",
            Self::WhatsApp => "whatsapp",
        }
    }

    pub fn channel(self) -> Channel {
        match self {
            Self::LongCode
            | Self::TollFree
            | Self::ShortCode
            | Self::Alpha
            | Self::DestinationAlpha => Channel::Sms,
            Self::WhatsApp => Channel::WhatsApp,
        }
    }
}

/// One sender of a pool, with all that selection asks about it.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolSender {
    pub no: SenderNo,
    pub address: SenderAddress,
    pub kind: SenderKind,
    /// Where it is at home; for a destination alpha, the only country it is for. `None` for a general
    /// alpha sender and for numbers that belong to no country.
    pub country: Option<Country>,
    /// Of a long code of the US or Canada; `None` for all others, toll-free numbers included.
    pub area_code: Option<AreaCode>,
    pub capabilities: Capabilities,
    pub status: SenderStatus,
    /// Ascending in the order of joining, unique in the pool.
    pub position: u64,
}

impl PoolSender {
    /// A long code or toll-free number. Country and area code follow from its digits.
    pub fn number(
        no: SenderNo,
        number: PhoneNumber,
        capabilities: Capabilities,
        position: u64,
    ) -> Self {
        let kind = match number.kind() {
            NumberKind::TollFree => SenderKind::TollFree,
            NumberKind::Mobile
            | NumberKind::FixedLine
            | NumberKind::FixedLineOrMobile
            | NumberKind::PremiumRate
            | NumberKind::Other
            | NumberKind::Unknown => SenderKind::LongCode,
        };
        Self {
            no,
            address: SenderAddress::Number(number),
            kind,
            country: number.country(),
            area_code: number.area_code(),
            capabilities,
            status: SenderStatus::Active,
            position,
        }
    }

    pub fn short_code(
        no: SenderNo,
        code: ShortCode,
        country: Country,
        capabilities: Capabilities,
        position: u64,
    ) -> Self {
        Self {
            no,
            address: SenderAddress::ShortCode(code),
            kind: SenderKind::ShortCode,
            country: Some(country),
            area_code: None,
            capabilities,
            status: SenderStatus::Active,
            position,
        }
    }

    /// An alpha sender: general, or for one country.
    pub fn alpha(
        no: SenderNo,
        id: AlphaSenderId,
        destination: Option<Country>,
        position: u64,
    ) -> Self {
        Self {
            no,
            address: SenderAddress::Alpha(id),
            kind: destination.map_or(SenderKind::Alpha, |_| SenderKind::DestinationAlpha),
            country: destination,
            area_code: None,
            capabilities: Capabilities {
                sms: true,
                mms: false,
                voice: false,
            },
            status: SenderStatus::Active,
            position,
        }
    }

    /// A WhatsApp sender. It carries text and media alike.
    pub fn whatsapp(no: SenderNo, number: PhoneNumber, position: u64) -> Self {
        Self {
            no,
            address: SenderAddress::WhatsApp(number),
            kind: SenderKind::WhatsApp,
            country: number.country(),
            area_code: None,
            capabilities: Capabilities {
                sms: true,
                mms: true,
                voice: false,
            },
            status: SenderStatus::Active,
            position,
        }
    }

    pub fn channel(&self) -> Channel {
        self.kind.channel()
    }

    /// The rule that keeps every message from it, by its status.
    pub(super) fn status_barrier(&self) -> Option<Rule> {
        match self.status {
            SenderStatus::Active => None,
            SenderStatus::Suspended => Some(Rule::Suspended),
            SenderStatus::Porting => Some(Rule::Porting),
            SenderStatus::Pending => Some(Rule::Pending),
        }
    }

    /// A phone number of the SMS channel.
    pub(super) fn is_number(&self) -> bool {
        match self.kind {
            SenderKind::LongCode | SenderKind::TollFree => true,
            SenderKind::ShortCode
            | SenderKind::Alpha
            | SenderKind::DestinationAlpha
            | SenderKind::WhatsApp => false,
        }
    }

    pub(super) fn member(&self) -> Member {
        Member {
            position: self.position,
            no: self.no,
        }
    }
}

/// The senders of a service. See the module.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// By position.
    senders: BTreeMap<u64, PoolSender>,
    position_by_no: BTreeMap<SenderNo, u64>,
    /// More than one where a general and a destination alpha have the same address.
    by_address: BTreeMap<SenderAddress, SmallVec<[SenderNo; 1]>>,
    /// Every number of the SMS channel that can carry text.
    pub(super) text: Numbers,
    /// Every number of the SMS channel that can carry media.
    pub(super) media: Numbers,
    pub(super) whatsapp: Numbers,
    /// Usable ones, whatever they can carry; there are few in any country.
    pub(super) short_codes: Groups<Option<Country>>,
    /// General alpha senders.
    pub(super) alphas: Group,
    pub(super) destination_alphas: Groups<Option<Country>>,
    /// Usable numbers of the SMS channel, whatever they can carry.
    pub(super) usable_numbers: usize,
    /// Senders whose status bars them, by the rule that says so.
    unusable: BTreeMap<(Channel, Rule), usize>,
    /// Made so far.
    edits: u64,
}

impl Pool {
    pub fn new(senders: impl IntoIterator<Item = PoolSender>) -> Self {
        let mut pool = Self::default();
        for sender in senders {
            pool.insert(sender);
        }
        pool
    }

    /// Adds a sender. One with the same number or position is replaced.
    pub fn insert(&mut self, sender: PoolSender) {
        self.remove(sender.no);
        if let Some(other) = self.senders.get(&sender.position).map(|other| other.no) {
            self.remove(other);
        }
        self.position_by_no.insert(sender.no, sender.position);
        self.by_address
            .entry(sender.address.clone())
            .or_default()
            .push(sender.no);
        self.index(&sender, EditKind::Add);
        self.senders.insert(sender.position, sender);
    }

    pub fn remove(&mut self, no: SenderNo) -> Option<PoolSender> {
        let position = self.position_by_no.remove(&no)?;
        let sender = self.senders.remove(&position)?;
        if let Some(namesakes) = self.by_address.get_mut(&sender.address) {
            namesakes.retain(|namesake| *namesake != no);
            if namesakes.is_empty() {
                self.by_address.remove(&sender.address);
            }
        }
        self.index(&sender, EditKind::Remove);
        Some(sender)
    }

    pub fn get(&self, no: SenderNo) -> Option<&PoolSender> {
        self.senders.get(self.position_by_no.get(&no)?)
    }

    /// The senders with this address.
    pub fn find(&self, address: &SenderAddress) -> impl Iterator<Item = &PoolSender> {
        let namesakes = self
            .by_address
            .get(address)
            .map_or(&[][..], |namesakes| namesakes);
        namesakes.iter().filter_map(|&no| self.get(no))
    }

    /// All senders, usable or not, in pool order.
    pub fn iter(&self) -> impl Iterator<Item = &PoolSender> {
        self.senders.values()
    }

    pub fn len(&self) -> usize {
        self.senders.len()
    }

    pub fn is_empty(&self) -> bool {
        self.senders.is_empty()
    }

    /// The usable short codes, with their countries.
    pub fn short_codes(&self) -> impl Iterator<Item = (Country, SenderNo)> {
        let by_country = self.short_codes.iter();
        let by_country = by_country.filter_map(|(country, members)| Some((country?, members)));
        by_country.flat_map(|(country, members)| members.iter().map(move |m| (country, m.no)))
    }

    /// How many senders of a channel may not be used, by the rule that says why.
    pub(super) fn unusable(&self, channel: Channel) -> impl Iterator<Item = (Rule, usize)> {
        let of_channel = self
            .unusable
            .iter()
            .filter(move |((of, _), _)| *of == channel);
        of_channel.map(|(&(_, rule), &count)| (rule, count))
    }

    /// Usable toll-free numbers: carriers may block traffic that is spread over more than one.
    pub fn toll_free_count(&self) -> usize {
        self.iter()
            .filter(|sender| sender.kind == SenderKind::TollFree && sender.status.is_usable())
            .count()
    }

    /// Every sender is in exactly one group or count; a number that carries both kinds is in two.
    fn index(&mut self, sender: &PoolSender, kind: EditKind) {
        let member = sender.member();
        self.edits += 1;
        let edit = &mut Edit::new(kind, self.edits);
        if let Some(rule) = sender.status_barrier() {
            let key = (sender.channel(), rule);
            edit.count(self.unusable.entry(key).or_default());
            return;
        }
        match sender.kind {
            SenderKind::LongCode | SenderKind::TollFree => {
                edit.count(&mut self.usable_numbers);
                let home = (sender.country, sender.area_code);
                if sender.capabilities.sms {
                    self.text.edit(edit, home, member);
                }
                if sender.capabilities.mms {
                    self.media.edit(edit, home, member);
                }
            }
            SenderKind::WhatsApp => self.whatsapp.edit(edit, (sender.country, None), member),
            SenderKind::ShortCode => self.short_codes.edit(edit, sender.country, member),
            SenderKind::DestinationAlpha => {
                self.destination_alphas.edit(edit, sender.country, member);
            }
            SenderKind::Alpha => self.alphas.edit(edit, member),
        }
    }
}
