//! Which limits a message is under beside its sender's pace, by the configuration as it is now.

use std::sync::Arc;

use postrider_carriers::CarrierNo;
use postrider_core::clock::Millis;
use postrider_core::message::{Message, SenderNo};
use postrider_core::pacing::{PaceSettings, Rate};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::{Routes, kind_of};
use postrider_core::select::SenderKind;
use postrider_core::sender::{SenderAddress, number_of};
use postrider_core::sender_rate::{Cost, SenderRate, Zone};
use postrider_core::sid::{Id, MessageKind, ServiceSid};
use rustc_hash::FxHashMap;

use super::Dispatch;
use super::carrier::CarrierState;
use super::shared::{Claim, LaneKey, LimitKey};
use crate::directory::Directory;
use crate::metrics::LimitLabel;
use crate::pace::rate_of;

/// The limits of the configuration, for looking up.
pub(super) struct LimitTable {
    pub(super) paces: Arc<PaceSettings>,
    routes: Arc<Routes>,
    campaigns: Vec<CampaignLimits>,
    campaign_of: FxHashMap<ServiceSid, u16>,
    has_accounts: bool,
    has_routes: bool,
}

struct CampaignLimits {
    name: String,
    rate: Rate,
    carriers: Vec<(String, Rate)>,
}

impl LimitTable {
    pub(super) fn new(paces: Arc<PaceSettings>, routes: Arc<Routes>) -> Self {
        let mut campaign_of = FxHashMap::default();
        let mut campaigns = Vec::new();
        for ((name, campaign), place) in paces.campaigns.iter().zip(0..) {
            let of_campaign = campaign.services.iter().map(|service| (*service, place));
            campaign_of.extend(of_campaign);
            let carriers = campaign.by_carrier.iter();
            let carriers = carriers.map(|(name, rate)| (name.clone(), Rate::per_second(*rate)));
            campaigns.push(CampaignLimits {
                name: name.clone(),
                rate: Rate::per_second(campaign.rate),
                carriers: carriers.collect(),
            });
        }
        let of_accounts = paces.account_by_sid.values().copied();
        let mut of_accounts = of_accounts.chain([paces.account]);
        Self {
            has_accounts: of_accounts.any(|rate| !Rate::per_second(rate).is_unlimited()),
            has_routes: routes.0.iter().any(|route| !route.rate.is_unlimited()),
            paces,
            routes,
            campaigns,
            campaign_of,
        }
    }

    /// No limit is shared: nothing has to be asked.
    fn is_empty(&self) -> bool {
        self.campaigns.is_empty() && !self.has_accounts && !self.has_routes
    }

    fn rate(&self, key: LimitKey, directory: &Directory) -> Rate {
        match key {
            LimitKey::Campaign(place) => {
                let campaign = self.campaigns.get(usize::from(place));
                campaign.map_or(Rate::UNLIMITED, |campaign| campaign.rate)
            }
            LimitKey::CampaignCarrier(place, carrier) => {
                let campaign = self.campaigns.get(usize::from(place));
                let carrier = campaign.and_then(|it| it.carriers.get(usize::from(carrier)));
                carrier.map_or(Rate::UNLIMITED, |(_, rate)| *rate)
            }
            LimitKey::Account(no) => {
                let own = directory.account_by_no(no);
                let own = own.and_then(|account| self.paces.account_by_sid.get(&account.sid));
                Rate::per_second(*own.unwrap_or(&self.paces.account))
            }
            LimitKey::Route(place) => {
                let route = self.routes.0.get(usize::from(place));
                route.map_or(Rate::UNLIMITED, |route| route.rate)
            }
        }
    }

    /// For the metrics.
    pub(super) fn label(&self, key: LimitKey, directory: &Directory) -> LimitLabel {
        let (limit, name) = match key {
            LimitKey::Campaign(place) => {
                let campaign = self.campaigns.get(usize::from(place));
                ("campaign", campaign.map(|it| it.name.clone()))
            }
            LimitKey::CampaignCarrier(place, carrier) => {
                let campaign = self.campaigns.get(usize::from(place));
                let name = campaign.and_then(|it| {
                    let (carrier, _) = it.carriers.get(usize::from(carrier))?;
                    Some(format!("{}/{carrier}", it.name))
                });
                ("campaign_carrier", name)
            }
            LimitKey::Account(no) => {
                let account = directory.account_by_no(no);
                ("account", account.map(|account| account.sid.to_string()))
            }
            LimitKey::Route(place) => ("route", Some(place.to_string())),
        };
        LimitLabel {
            limit,
            name: name.unwrap_or_default(),
        }
    }

    /// What a limit of an earlier configuration is called in this one.
    fn successor(&self, former: &Self, key: LimitKey) -> Option<LimitKey> {
        let campaign = |place: u16| {
            let former = former.campaigns.get(usize::from(place))?;
            let mut campaigns = self.campaigns.iter().zip(0..);
            let (now, place) = campaigns.find(|(it, _)| it.name == former.name)?;
            Some((former, now, place))
        };
        match key {
            LimitKey::Campaign(place) => {
                campaign(place).map(|(_, _, place)| LimitKey::Campaign(place))
            }
            LimitKey::CampaignCarrier(place, carrier) => {
                let (former, now, place) = campaign(place)?;
                let (name, _) = former.carriers.get(usize::from(carrier))?;
                let mut carriers = now.carriers.iter().zip(0..);
                let (_, carrier) = carriers.find(|((it, _), _)| it == name)?;
                Some(LimitKey::CampaignCarrier(place, carrier))
            }
            LimitKey::Account(_) => Some(key),
            LimitKey::Route(place) => {
                let former = former.routes.0.get(usize::from(place))?;
                let mut routes = self.routes.0.iter().zip(0..);
                let (_, place) = routes.find(|(route, _)| {
                    route.destination == former.destination && route.sender == former.sender
                })?;
                Some(LimitKey::Route(place))
            }
        }
    }
}

/// A sender's pace and what a message takes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SenderPace {
    /// The rate at which its bucket drains.
    pub(super) bucket: Rate,
    kind: SenderKind,
    rate: SenderRate,
    /// Its rate depends on destinations that the configuration names.
    has_destinations: bool,
}

impl SenderPace {
    pub(super) const UNLIMITED: Self = Self {
        bucket: Rate::UNLIMITED,
        kind: SenderKind::LongCode,
        rate: SenderRate::UNLIMITED,
        has_destinations: false,
    };

    /// What a message takes through a carrier.
    pub(super) fn cost(&self, paces: &PaceSettings, message: &Message, carrier: &str) -> Cost {
        let places = places_of(message);
        if self.has_destinations {
            let number = message.to.rsplit(':').next().unwrap_or_default();
            let country = PhoneNumber::parse(number)
                .ok()
                .and_then(PhoneNumber::country);
            if let Some(rate) = paces.rate_to(self.kind, country, carrier) {
                return Cost::at(self.bucket, rate, places);
            }
        }
        // Most senders have one rate, and then nobody needs to know.
        let zone = if self.rate.is_the_same_everywhere() {
            Zone::UsCa
        } else {
            Zone::of_text(&message.to)
        };
        Cost::at(self.bucket, self.rate.to(zone), places)
    }
}

/// What a message counts for: its segments; but an MMS, and a message on WhatsApp, is one however long.
fn places_of(message: &Message) -> u16 {
    let is_one = message.sid.kind == MessageKind::Mms || message.to.starts_with("whatsapp:");
    if is_one {
        1
    } else {
        message.num_segments.max(1)
    }
}

impl Dispatch {
    /// Takes changed settings of paces or routes. Whoever waits has to ask again, which is the caller's.
    pub(super) fn take_limits(
        &mut self,
        paces: Arc<PaceSettings>,
        routes: Arc<Routes>,
        now_ms: Millis,
    ) {
        let table = LimitTable::new(paces, routes);
        let former = std::mem::replace(&mut self.limit_table, table);
        let (table, directory) = (&self.limit_table, &self.directory);
        let metrics = &self.metrics;
        self.shared.reset(now_ms, |key| {
            metrics.pace_waiting.remove(&former.label(key, directory));
            let key = table.successor(&former, key)?;
            let gauge = metrics.pace_waiting_at(&table.label(key, directory));
            Some((key, table.rate(key, directory), gauge))
        });
    }

    /// The rate of a sender and of its bucket.
    pub(super) fn sender_pace(&self, sender: SenderNo) -> SenderPace {
        let paces = &self.limit_table.paces;
        let rate = rate_of(&self.directory, paces, sender);
        let entry = self.directory.sender(sender);
        let kind = entry.as_ref().map(|entry| kind_of(&entry.address));
        // A rate of its own holds wherever its messages go.
        let has_own = entry.is_some_and(|entry| self.directory.pace_override(&entry).is_some());
        let kind = kind.unwrap_or(SenderKind::LongCode);
        let bucket = match rate.bucket() {
            Rate::UNLIMITED if !has_own => paces.rate_anywhere(kind),
            bucket => bucket,
        };
        SenderPace {
            bucket,
            kind,
            rate,
            has_destinations: !has_own && !paces.destinations.is_empty(),
        }
    }

    /// Whether shared limits let the message at the head of a lane go now. It takes its places then.
    pub(super) fn shared_limits_admit(
        &mut self,
        lane: LaneKey,
        message: Id,
        now_ms: Millis,
    ) -> bool {
        if self.limit_table.is_empty() {
            return true;
        }
        let Some(live) = self.live.get(message) else {
            return true;
        };
        let claim = self.claim_of(&live.message, lane.carrier);
        for &limit in &claim.limits {
            let (table, directory) = (&self.limit_table, &self.directory);
            let metrics = &self.metrics;
            self.shared.know(limit, || {
                let gauge = metrics.pace_waiting_at(&table.label(limit, directory));
                (table.rate(limit, directory), gauge)
            });
        }
        self.shared.ask(lane, claim, now_ms)
    }

    fn claim_of(&self, message: &Message, carrier: CarrierNo) -> Claim {
        let table = &self.limit_table;
        let mut claim = Claim {
            cost: Cost::of_segments(places_of(message)),
            ..Claim::default()
        };
        if let Some(place) = self.campaign_of(message) {
            let campaign = &table.campaigns[usize::from(place)];
            if !campaign.rate.is_unlimited() {
                claim.limits.push(LimitKey::Campaign(place));
            }
            let name = &*self.carriers[usize::from(carrier.0)].policy.name;
            let mut carriers = campaign.carriers.iter().zip(0..);
            let is_here = |(it, rate): &(String, Rate)| it == name && !rate.is_unlimited();
            if let Some((_, carrier)) = carriers.find(|(limit, _)| is_here(limit)) {
                claim.limits.push(LimitKey::CampaignCarrier(place, carrier));
            }
        }
        if table.has_accounts {
            claim.limits.push(LimitKey::Account(message.account));
        }
        if table.has_routes
            && let Some(row) = self.route_of(message)
            && !table.routes.0[usize::from(row)].rate.is_unlimited()
        {
            claim.limits.push(LimitKey::Route(row));
        }
        claim
    }

    /// That of the message's service; of a message that names its sender, that of the service which has
    /// the sender in its pool.
    fn campaign_of(&self, message: &Message) -> Option<u16> {
        let campaign_of = &self.limit_table.campaign_of;
        if campaign_of.is_empty() {
            return None;
        }
        let by_sender = || self.directory.service_of(message.sender?);
        let service = message.service.or_else(by_sender)?;
        campaign_of.get(&service).copied()
    }

    fn route_of(&self, message: &Message) -> Option<u16> {
        let from = SenderAddress::parse(message.from.as_deref()?)?;
        let to = number_of(&message.to)?;
        let routes = &self.limit_table.routes;
        let row = routes.rate_row(routes.row(&from, to)?);
        u16::try_from(row).ok()
    }

    /// Lanes whose turn has come go back to their carriers' rings.
    pub(super) fn wake_lanes(&mut self, now_ms: Millis) {
        let carriers = &self.carriers;
        let mut woken = Vec::new();
        let is_away = |carrier: CarrierNo| {
            carriers
                .get(usize::from(carrier.0))
                .is_none_or(CarrierState::is_away)
        };
        self.shared.wake(now_ms, is_away, &mut woken);
        for LaneKey { sender, carrier } in woken {
            self.unpause(sender, carrier);
        }
    }
}
