//! What carriers can do, as the operator tells it: networks of short codes, routes of MMS, alpha
//! senders by country.
//!
//! [`Coverage`] is the operator's word from the configuration, replaced as a whole when that is read
//! again. [`EngineReach`] puts it, and what the directory says of senders, before a selection.

use std::collections::BTreeMap;

use postrider_core::clock::Millis;
use postrider_core::country::{self, Country, Preregistration, Support};
use postrider_core::message::SenderNo;
use postrider_core::network::Network;
use postrider_core::select::{Reach, Served};
use serde::Deserialize;

use crate::Directory;
use crate::networks::Networks;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// `None`: recipients' networks are not asked for.
    pub networks: Option<Networks>,
    pub mms: Mms,
    pub countries: Countries,
}

/// The `[mms]` section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mms {
    /// From which countries' senders MMS gets to which countries' recipients.
    pub reach: Vec<MmsReach>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MmsReach {
    pub from: Vec<Country>,
    pub to: Vec<Country>,
}

/// Within the US and Canada, as it is publicly known.
impl Default for Mms {
    fn default() -> Self {
        let america = vec![Country::US, Country::CA];
        Self {
            reach: vec![MmsReach {
                from: america.clone(),
                to: america,
            }],
        }
    }
}

impl Mms {
    fn gets(&self, sender: Country, recipient: Country) -> bool {
        self.reach
            .iter()
            .any(|reach| reach.from.contains(&sender) && reach.to.contains(&recipient))
    }
}

/// The `[countries]` section of the configuration: where the operator knows better.
pub type Countries = BTreeMap<Country, CountryOverride>;

/// What is not given is as publicly known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountryOverride {
    pub alpha_sender: Option<Support>,
    pub preregistration: Option<Preregistration>,
}

impl Coverage {
    pub fn alpha_sender(&self, country: Country) -> Support {
        let told = self.countries.get(&country);
        let told = told.and_then(|told| told.alpha_sender);
        let public = || country::capabilities(country).map(|row| row.alpha_sender);
        told.or_else(public).unwrap_or(Support::Unknown)
    }

    pub fn preregistration(&self, country: Country) -> Preregistration {
        let told = self.countries.get(&country);
        let told = told.and_then(|told| told.preregistration);
        let public = || country::capabilities(country).map(|row| row.preregistration);
        told.or_else(public).unwrap_or(Preregistration::Unknown)
    }
}

/// What carriers can do for one message.
#[derive(Clone, Copy)]
pub struct EngineReach<'a> {
    pub directory: &'a Directory,
    pub coverage: &'a Coverage,
    /// Of the recipient.
    pub country: Option<Country>,
    pub now_ms: Millis,
}

impl Reach for EngineReach<'_> {
    fn short_code(&self, short_code: SenderNo, network: Network) -> Served {
        // A short code that is a candidate is one of the recipient's country.
        let served = self
            .country
            .and_then(|country| self.directory.served_networks(short_code, country));
        match served {
            Some(served) if !served.iter().any(|pattern| pattern.covers(network)) => Served::No,
            Some(_) | None => Served::Yes,
        }
    }

    fn mms(&self, sender: Option<Country>, recipient: Option<Country>) -> Served {
        let (Some(sender), Some(recipient)) = (sender, recipient) else {
            return Served::No;
        };
        if self.coverage.mms.gets(sender, recipient) {
            Served::Yes
        } else {
            Served::No
        }
    }

    fn alpha_sender(&self, country: Country) -> Support {
        self.coverage.alpha_sender(country)
    }

    fn preregistration(&self, country: Country) -> Preregistration {
        self.coverage.preregistration(country)
    }

    fn is_registered(&self, alpha: SenderNo, country: Country) -> bool {
        self.directory.is_registered(alpha, country, self.now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Vault;

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    #[test]
    fn the_operators_word_counts_before_what_is_publicly_known() {
        let overridden = CountryOverride {
            alpha_sender: Some(Support::Yes),
            ..CountryOverride::default()
        };
        let coverage = Coverage {
            countries: [(country("BQ"), overridden)].into(),
            ..Coverage::default()
        };
        assert_eq!(coverage.alpha_sender(country("BQ")), Support::Yes);
        assert_eq!(coverage.alpha_sender(country("GB")), Support::Yes);
        assert_eq!(coverage.alpha_sender(country("US")), Support::No);
        assert_eq!(coverage.alpha_sender(country("ZZ")), Support::Unknown);
        let of = |code| coverage.preregistration(country(code));
        assert_eq!(of("AE"), Preregistration::Required);
        assert_eq!(of("ZZ"), Preregistration::Unknown);
    }

    #[test]
    fn mms_gets_where_a_route_leads() {
        let directory = Directory::load(Vec::new(), Vault::new(&[1; 32])).unwrap();
        let mut coverage = Coverage::default();
        let gets = |coverage: &Coverage, from: &str, to: &str| {
            let reach = EngineReach {
                directory: &directory,
                coverage,
                country: None,
                now_ms: 0,
            };
            reach.mms(Country::parse(from), Country::parse(to)) == Served::Yes
        };
        for (from, to, expected) in [
            ("US", "CA", true),
            ("CA", "CA", true),
            ("US", "GB", false),
            ("GB", "GB", false),
            ("GB", "US", false),
            ("US", "", false),
            ("US", "PR", false),
        ] {
            assert_eq!(gets(&coverage, from, to), expected, "{from} {to}");
        }
        coverage.mms.reach.push(MmsReach {
            from: vec![Country::US],
            to: vec![country("GB")],
        });
        assert!(gets(&coverage, "US", "GB"));
        assert!(!gets(&coverage, "GB", "US"));
    }
}
