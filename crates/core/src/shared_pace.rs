//! The paces beyond a sender's own: by destination, and those that many senders share.
//!
//! A message leaves when its sender, its campaign, its account and its carrier route all have room for
//! the whole of it. The sender comes first and is [`PaceSettings::rate`](crate::pacing::PaceSettings::rate);
//! a route's rate stands in the routing table ([`crate::route::Route::rate`]). See `docs/limits.md`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::country::Country;
use crate::pacing::{PaceSettings, Rate};
use crate::select::SenderKind;
use crate::sid::ServiceSid;

/// A limit that the senders of some services share, such as carriers grant to a 10DLC campaign: over all
/// carriers, through single ones, or both.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Campaign {
    /// 0 = no limit over all carriers together.
    pub rate: f64,
    pub services: Vec<ServiceSid>,
    /// By the carrier's name.
    pub by_carrier: BTreeMap<String, f64>,
}

/// What one sender may send to some destinations. Every condition that is present must hold.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationPace {
    /// 0 = no limit.
    pub rate: f64,
    pub sender: Option<SenderKind>,
    /// The recipient's; none means all.
    #[serde(default)]
    pub countries: Vec<Country>,
    /// The carrier's name.
    pub carrier: Option<String>,
}

impl DestinationPace {
    fn is_about(&self, kind: SenderKind, to: Option<Country>, carrier: &str) -> bool {
        let is_there = |to| self.countries.contains(&to);
        self.sender.is_none_or(|wanted| wanted == kind)
            && (self.countries.is_empty() || to.is_some_and(is_there))
            && self.carrier.as_deref().is_none_or(|name| name == carrier)
    }
}

impl PaceSettings {
    /// The rate of a sender of this kind to a recipient, where one is set for the destination.
    pub fn rate_to(&self, kind: SenderKind, to: Option<Country>, carrier: &str) -> Option<Rate> {
        let mut rules = self.destinations.iter();
        let rule = rules.find(|rule| rule.is_about(kind, to, carrier));
        rule.map(|rule| Rate::per_second(rule.rate))
    }

    /// The rate at which the bucket of a sender drains that has no rate of its kind: the first that is
    /// set for some destination of it.
    pub fn rate_anywhere(&self, kind: SenderKind) -> Rate {
        let rules = self.destinations.iter();
        let of_kind = rules.filter(|rule| rule.sender.is_none_or(|wanted| wanted == kind));
        let mut rates = of_kind.map(|rule| Rate::per_second(rule.rate));
        let limited = rates.find(|rate| !rate.is_unlimited());
        limited.unwrap_or(Rate::UNLIMITED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(rate: f64) -> DestinationPace {
        DestinationPace {
            rate,
            sender: None,
            countries: Vec::new(),
            carrier: None,
        }
    }

    #[test]
    fn the_first_rule_that_matches_holds() {
        let country = |code| Country::parse(code).unwrap();
        let settings = PaceSettings {
            destinations: vec![
                DestinationPace {
                    sender: Some(SenderKind::TollFree),
                    countries: vec![country("GB"), country("DE")],
                    ..rule(2.0)
                },
                DestinationPace {
                    carrier: Some("slow".to_owned()),
                    ..rule(0.5)
                },
                DestinationPace {
                    countries: vec![country("DE")],
                    ..rule(0.0)
                },
            ],
            ..PaceSettings::default()
        };
        for (kind, to, carrier, expected) in [
            (SenderKind::TollFree, "GB", "slow", Some(2.0)),
            (SenderKind::TollFree, "FR", "slow", Some(0.5)),
            (SenderKind::TollFree, "FR", "fast", None),
            (SenderKind::LongCode, "GB", "slow", Some(0.5)),
            (SenderKind::LongCode, "GB", "fast", None),
            (SenderKind::LongCode, "DE", "fast", Some(0.0)),
            (SenderKind::LongCode, "", "fast", None),
        ] {
            let rate = settings.rate_to(kind, Country::parse(to), carrier);
            assert_eq!(
                rate,
                expected.map(Rate::per_second),
                "{kind:?} {to} {carrier}"
            );
        }
        let anywhere = |kind| settings.rate_anywhere(kind);
        assert_eq!(anywhere(SenderKind::TollFree), Rate::per_second(2.0));
        assert_eq!(anywhere(SenderKind::ShortCode), Rate::per_second(0.5));
    }
}
