//! What carriers can do for one message, as selection asks it: the operator's word ([`Coverage`]), and
//! what the directory says of senders.

use postrider_core::clock::Millis;
use postrider_core::country::{Country, Preregistration, Support};
use postrider_core::message::SenderNo;
use postrider_core::network::Network;
use postrider_core::select::{Reach, Served};

use crate::{Coverage, Directory};

/// See the module.
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
    use crate::coverage::MmsReach;
    use crate::secrets::Vault;

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
            to: vec![Country::parse("GB").unwrap()],
        });
        assert!(gets(&coverage, "US", "GB"));
        assert!(!gets(&coverage, "GB", "US"));
    }
}
