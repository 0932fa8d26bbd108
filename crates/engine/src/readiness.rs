//! Whether the engine can do its work: what each carrier last said of its links, for `/readyz` and the
//! metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_carriers::{CarrierNo, Health};

use crate::metrics::{CarrierLabel, Metrics};

/// See the module.
#[derive(Default)]
pub struct Readiness {
    carriers: Mutex<BTreeMap<CarrierNo, (Arc<str>, Health)>>,
}

impl Readiness {
    /// Name and health of every carrier.
    pub fn carriers(&self) -> Vec<(Arc<str>, Health)> {
        self.carriers.lock().values().cloned().collect()
    }

    /// The carriers' names; a carrier that has not spoken yet is its number.
    pub(crate) fn names(&self, carriers: &[u16]) -> Vec<String> {
        let known = self.carriers.lock();
        let name = |&no: &u16| match known.get(&CarrierNo(no)) {
            Some((name, _)) => name.to_string(),
            None => no.to_string(),
        };
        carriers.iter().map(name).collect()
    }

    /// At least one carrier has a link and does not refuse us as such.
    pub fn has_carrier(&self) -> bool {
        self.carriers
            .lock()
            .values()
            .any(|(_, health)| health.links_bound > 0 && health.config_fault.is_none())
    }

    pub(crate) fn note(
        &self,
        carrier: CarrierNo,
        name: Arc<str>,
        health: Health,
        metrics: &Metrics,
    ) {
        let label = CarrierLabel {
            carrier: name.to_string(),
        };
        metrics
            .carrier_links_bound
            .get_or_create(&label)
            .set(health.links_bound.into());
        metrics
            .carrier_links_configured
            .get_or_create(&label)
            .set(health.links_configured.into());
        metrics
            .carrier_throttled
            .get_or_create(&label)
            .set(health.is_throttled.into());
        metrics
            .carrier_config_fault
            .get_or_create(&label)
            .set(health.config_fault.is_some().into());
        let links_stuck = health.links_stuck;
        let known = self.carriers.lock().insert(carrier, (name, health));
        let known = known.map_or(0, |(_, health)| health.links_stuck);
        metrics
            .carrier_links_stuck
            .get_or_create(&label)
            .inc_by(links_stuck.saturating_sub(known));
    }

    /// The carrier is retired: it is no news any more.
    pub(crate) fn forget(&self, carrier: CarrierNo, name: &str, metrics: &Metrics) {
        let label = CarrierLabel {
            carrier: name.to_owned(),
        };
        for gauges in [
            &metrics.carrier_links_bound,
            &metrics.carrier_links_configured,
            &metrics.carrier_throttled,
            &metrics.carrier_config_fault,
        ] {
            gauges.remove(&label);
        }
        self.carriers.lock().remove(&carrier);
    }
}
