//! What the operator says of carriers and countries: recipients' networks, where MMS gets, which
//! countries show alpha senders. Replaced as a whole when the configuration is read again.

use std::collections::BTreeMap;

use postrider_core::country::{self, Country, Preregistration, Support};
use serde::Deserialize;

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
    pub(crate) fn gets(&self, sender: Country, recipient: Country) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
