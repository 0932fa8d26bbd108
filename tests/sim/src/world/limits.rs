//! Limits that all senders share, by the seed itself: another draw would give every seed another life.

use std::collections::BTreeMap;
use std::sync::Arc;

use postrider_core::pacing::PaceSettings;
use postrider_core::shared_pace::Campaign;

use super::World;

/// Segments per second of all messages, of those that go through the first carrier, and of those to +44
/// and elsewhere; 0 = no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SharedRates {
    pub(crate) campaign: f64,
    pub(crate) account: f64,
    pub(crate) first_carrier: f64,
    pub(crate) routes: [f64; 2],
}

impl SharedRates {
    pub(super) fn of_seed(seed: u64) -> Self {
        let none = Self::default();
        match seed % 6 {
            1 => Self {
                campaign: 3.0,
                ..none
            },
            2 => Self {
                account: 2.0,
                ..none
            },
            3 => Self {
                campaign: 4.0,
                account: 5.0,
                first_carrier: 2.5,
                ..none
            },
            4 => Self {
                routes: [1.5, 3.0],
                ..none
            },
            5 => Self {
                campaign: 4.0,
                account: 4.0,
                routes: [2.0, 0.0],
                ..none
            },
            _ => none,
        }
    }

    /// Whether a message may wait for others than those of its sender.
    pub(crate) fn are_there(self) -> bool {
        let [first, second] = self.routes;
        self.campaign + self.account + self.first_carrier + first + second > 0.0
    }
}

impl World {
    pub(super) fn paces(&self) -> Arc<PaceSettings> {
        let rates = self.shared;
        let campaign = Campaign {
            rate: rates.campaign,
            services: vec![self.service],
            by_carrier: BTreeMap::from([("carrier 0".to_owned(), rates.first_carrier)]),
        };
        Arc::new(PaceSettings {
            account: rates.account,
            campaigns: BTreeMap::from([("all".to_owned(), campaign)]),
            ..PaceSettings::default()
        })
    }
}
