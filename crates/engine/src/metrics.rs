//! Metrics: what an operator would alert on, in Prometheus' text format.

use std::sync::atomic::AtomicU64;

use postrider_core::message::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Label of a message's status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabel {
    pub status: &'static str,
}

/// Label of a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CarrierLabel {
    pub carrier: String,
}

/// Label of a result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    pub result: &'static str,
}

/// Every metric of the engine. Cheap to count on: atomics, no locks on the hot path.
pub struct Metrics {
    pub accepted: Counter<u64, AtomicU64>,
    pub refused: Family<ResultLabel, Counter>,
    pub statuses: [Counter<u64, AtomicU64>; 13],
    pub receipts: Counter,
    pub parked_receipts: Counter,
    pub orphaned_receipts: Counter,
    pub unknown_outcomes: Counter,
    pub partial_messages: Counter,
    pub stale_changes: Counter,
    pub webhooks: Family<ResultLabel, Counter>,
    pub commits: Counter,
    pub commit_changes: Counter,
    pub commit_seconds: Histogram,
    pub live_messages: Gauge,
    pub carrier_links_bound: Family<CarrierLabel, Gauge>,
    pub carrier_links_configured: Family<CarrierLabel, Gauge>,
    pub carrier_throttled: Family<CarrierLabel, Gauge>,
    pub carrier_config_fault: Family<CarrierLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            accepted: Counter::default(),
            refused: Family::default(),
            statuses: Default::default(),
            receipts: Counter::default(),
            parked_receipts: Counter::default(),
            orphaned_receipts: Counter::default(),
            unknown_outcomes: Counter::default(),
            partial_messages: Counter::default(),
            stale_changes: Counter::default(),
            webhooks: Family::default(),
            commits: Counter::default(),
            commit_changes: Counter::default(),
            commit_seconds: Histogram::new([
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
            ]),
            live_messages: Gauge::default(),
            carrier_links_bound: Family::default(),
            carrier_links_configured: Family::default(),
            carrier_throttled: Family::default(),
            carrier_config_fault: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts a message that reached a status.
    pub fn count_status(&self, status: Status) {
        self.statuses[status as usize].inc();
    }

    /// Makes every metric known to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let statuses = registry.sub_registry_with_prefix("postrider");
        statuses.register(
            "accepted",
            "Messages accepted by the API",
            self.accepted.clone(),
        );
        statuses.register(
            "refused",
            "Create requests answered with an error, by code",
            self.refused.clone(),
        );
        for status in Status::ALL {
            statuses
                .sub_registry_with_label(("status".into(), status.as_str().into()))
                .register(
                    "messages",
                    "Messages that reached a status",
                    self.statuses[status as usize].clone(),
                );
        }
        statuses.register(
            "receipts",
            "Delivery receipts received",
            self.receipts.clone(),
        );
        statuses.register(
            "receipts_parked",
            "Receipts that found no message yet",
            self.parked_receipts.clone(),
        );
        statuses.register(
            "receipts_orphaned",
            "Receipts dropped because no message ever claimed them",
            self.orphaned_receipts.clone(),
        );
        statuses.register(
            "submit_outcomes_unknown",
            "Submissions the carrier never answered",
            self.unknown_outcomes.clone(),
        );
        statuses.register(
            "messages_partial",
            "Long messages of which the carrier took only the first segments",
            self.partial_messages.clone(),
        );
        statuses.register(
            "changes_stale",
            "Changes the store refused because the message had moved on",
            self.stale_changes.clone(),
        );
        statuses.register(
            "webhooks",
            "Webhooks finished, by result",
            self.webhooks.clone(),
        );
        statuses.register(
            "commits",
            "Commits of the message store",
            self.commits.clone(),
        );
        statuses.register(
            "commit_changes",
            "Changes written by those commits",
            self.commit_changes.clone(),
        );
        statuses.register(
            "commit_duration_seconds",
            "Time of one commit, flush included",
            self.commit_seconds.clone(),
        );
        statuses.register(
            "live_messages",
            "Messages dispatch holds in memory",
            self.live_messages.clone(),
        );
        statuses.register(
            "carrier_links_bound",
            "Links of a carrier that are up",
            self.carrier_links_bound.clone(),
        );
        statuses.register(
            "carrier_links_configured",
            "Links of a carrier that should be up",
            self.carrier_links_configured.clone(),
        );
        statuses.register(
            "carrier_throttled",
            "1 while a carrier has told us to slow down",
            self.carrier_throttled.clone(),
        );
        statuses.register(
            "carrier_config_fault",
            "1 while a carrier refuses us for a reason that only the operator can mend",
            self.carrier_config_fault.clone(),
        );
    }
}
