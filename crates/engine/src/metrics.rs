//! Metrics: what an operator would alert on, in the OpenMetrics text format (`docs/operations.md`).

use std::sync::atomic::AtomicU64;

use postrider_core::message::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::Engine;

/// Label of a message's status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabel {
    pub status: &'static str,
}

/// Labels of a refused request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabel {
    /// Of the catalogue, as in the answer.
    pub code: u32,
    /// The code's title.
    pub result: &'static str,
}

/// Label of a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CarrierLabel {
    pub carrier: String,
}

/// Labels of a limit that messages wait for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LimitLabel {
    /// `sender`, `campaign`, `campaign_carrier`, `account` or `route`.
    pub limit: &'static str,
    /// Of the campaign, of the campaign and the carrier, the account's SID, the place of the route.
    pub name: String,
}

/// Labels of a receipt that found its message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MatchLabel {
    pub carrier: String,
    /// How its id was read.
    pub reading: &'static str,
}

/// How a receipt found its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedBy {
    /// The id could be read in one way only.
    Certain,
    AsWritten,
    DecimalToHexadecimal,
    HexadecimalToDecimal,
    /// By its id as written, although the handset does not confirm it.
    IdAlone,
    /// Another reading led to another message to the same handset.
    Ambiguous,
    /// Its id was lost with the answer to the submit: by its handset, where nothing else was sent to.
    HandsetAlone,
}

impl MatchedBy {
    const NAMES: [&'static str; 7] = [
        "certain",
        "as_written",
        "dec_to_hex",
        "hex_to_dec",
        "id_alone",
        "ambiguous",
        "handset_alone",
    ];
}

/// One carrier's counters by [`MatchedBy`], so that counting looks nothing up.
#[derive(Clone, Debug)]
pub struct MatchCounters([Counter; 7]);

impl MatchCounters {
    pub fn count(&self, matched: MatchedBy) {
        self.0[matched as usize].inc();
    }
}

/// Labels of an answer about a recipient's network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct NetworkLabel {
    pub source: &'static str,
    pub result: &'static str,
}

/// Label of a webhook's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabel {
    pub result: &'static str,
}

/// Every metric of the engine. Cheap to count on: atomics, no locks on the hot path.
pub struct Metrics {
    pub accepted: Counter<u64, AtomicU64>,
    pub refused: Family<RefusalLabel, Counter>,
    /// The counters of `messages`, by status, so that counting looks nothing up.
    statuses: [Counter; 13],
    messages: Family<StatusLabel, Counter>,
    pub receipts: Counter,
    pub receipts_matched: Family<MatchLabel, Counter>,
    pub parked_receipts: Counter,
    pub orphaned_receipts: Counter,
    pub unknown_outcomes: Counter,
    pub partial_messages: Counter,
    pub stale_changes: Counter,
    pub webhooks: Family<ResultLabel, Counter>,
    pub network_lookups: Family<NetworkLabel, Counter>,
    pub alerts: Counter,
    pub alerts_dropped: Counter,
    pub commits: Counter,
    pub commit_changes: Counter,
    /// Only of changes that requests wait for, and that became durable.
    pub commit_duration_seconds: Histogram,
    /// The next three are looked at when somebody asks, see [`crate::Engine::measure`].
    pub queued_segments: Gauge,
    pub webhooks_waiting: Gauge,
    pub store_free_bytes: Gauge,
    /// Set by dispatch, which alone knows.
    pub live_messages: Gauge,
    /// Queues that wait for a limit, set by dispatch.
    pub pace_waiting: Family<LimitLabel, Gauge>,
    /// That of `pace_waiting` for senders' own paces.
    pub pace_waiting_for_sender: Gauge,
    pub carrier_links_bound: Family<CarrierLabel, Gauge>,
    pub carrier_links_configured: Family<CarrierLabel, Gauge>,
    pub carrier_throttled: Family<CarrierLabel, Gauge>,
    pub carrier_config_fault: Family<CarrierLabel, Gauge>,
    pub carrier_links_stuck: Family<CarrierLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        // Every status shows from the start: a counter that appears with its first failure
        // has not risen in the eyes of an alert.
        let messages = Family::<StatusLabel, Counter>::default();
        let statuses = Status::ALL.map(|status| {
            let status = status.as_str();
            messages.get_or_create_owned(&StatusLabel { status })
        });
        let pace_waiting = Family::<LimitLabel, Gauge>::default();
        let own_pace = LimitLabel {
            limit: "sender",
            name: String::new(),
        };
        Self {
            pace_waiting_for_sender: pace_waiting.get_or_create_owned(&own_pace),
            pace_waiting,
            accepted: Counter::default(),
            refused: Family::default(),
            statuses,
            messages,
            receipts: Counter::default(),
            receipts_matched: Family::default(),
            parked_receipts: Counter::default(),
            orphaned_receipts: Counter::default(),
            unknown_outcomes: Counter::default(),
            partial_messages: Counter::default(),
            stale_changes: Counter::default(),
            webhooks: Family::default(),
            network_lookups: Family::default(),
            alerts: Counter::default(),
            alerts_dropped: Counter::default(),
            commits: Counter::default(),
            commit_changes: Counter::default(),
            // The clock counts in milliseconds.
            commit_duration_seconds: Histogram::new([
                0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0,
            ]),
            queued_segments: Gauge::default(),
            webhooks_waiting: Gauge::default(),
            store_free_bytes: Gauge::default(),
            live_messages: Gauge::default(),
            carrier_links_bound: Family::default(),
            carrier_links_configured: Family::default(),
            carrier_throttled: Family::default(),
            carrier_config_fault: Family::default(),
            carrier_links_stuck: Family::default(),
        }
    }
}

impl Metrics {
    /// Counts a message that reached a status.
    pub fn count_status(&self, status: Status) {
        self.statuses[status as usize].inc();
    }

    /// How many messages reached a status.
    #[cfg(test)]
    pub(crate) fn count_of(&self, status: Status) -> u64 {
        self.statuses[status as usize].get()
    }

    /// A carrier's counters of receipts that found their messages.
    pub fn match_counters(&self, carrier: &str) -> MatchCounters {
        MatchCounters(MatchedBy::NAMES.map(|reading| {
            self.receipts_matched.get_or_create_owned(&MatchLabel {
                carrier: carrier.to_owned(),
                reading,
            })
        }))
    }

    /// The gauge of queues that wait for one shared limit.
    pub fn pace_waiting_at(&self, limit: &LimitLabel) -> Gauge {
        self.pace_waiting.get_or_create_owned(limit)
    }

    /// Makes every metric known to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let ours = registry.sub_registry_with_prefix("postrider");
        ours.register(
            "accepted",
            "Messages accepted by the API",
            self.accepted.clone(),
        );
        ours.register(
            "refused",
            "Create requests answered with an error, by code",
            self.refused.clone(),
        );
        ours.register(
            "messages",
            "Messages that reached a status",
            self.messages.clone(),
        );
        ours.register(
            "receipts",
            "Delivery receipts received",
            self.receipts.clone(),
        );
        ours.register(
            "receipts_matched",
            "Delivery receipts that found their message, by how their id was read",
            self.receipts_matched.clone(),
        );
        ours.register(
            "receipts_parked",
            "Receipts that found no message yet",
            self.parked_receipts.clone(),
        );
        ours.register(
            "receipts_orphaned",
            "Receipts dropped because no message ever claimed them",
            self.orphaned_receipts.clone(),
        );
        ours.register(
            "submit_outcomes_unknown",
            "Submissions the carrier never answered",
            self.unknown_outcomes.clone(),
        );
        ours.register(
            "messages_partial",
            "Long messages of which the carrier took only the first segments",
            self.partial_messages.clone(),
        );
        ours.register(
            "changes_stale",
            "Changes the store refused because the message had moved on",
            self.stale_changes.clone(),
        );
        ours.register(
            "webhooks",
            "Webhooks finished, by result",
            self.webhooks.clone(),
        );
        ours.register(
            "network_lookups",
            "Answers about recipients' networks, by who gave them and what they said",
            self.network_lookups.clone(),
        );
        ours.register(
            "alerts",
            "What alerts were raised for, those that only count included",
            self.alerts.clone(),
        );
        ours.register(
            "alerts_dropped",
            "Alerts that are not kept: too many at once, or no room on the disk",
            self.alerts_dropped.clone(),
        );
        ours.register(
            "commits",
            "Commits of the message store",
            self.commits.clone(),
        );
        ours.register(
            "commit_changes",
            "Changes written by those commits",
            self.commit_changes.clone(),
        );
        ours.register(
            "commit_duration_seconds",
            "Time until a request's change was durable, its wait for the disk included",
            self.commit_duration_seconds.clone(),
        );
        ours.register(
            "queued_segments",
            "Segments accepted and not yet with a carrier, all senders together",
            self.queued_segments.clone(),
        );
        ours.register(
            "webhooks_waiting",
            "Webhooks in memory that were not tried yet",
            self.webhooks_waiting.clone(),
        );
        ours.register(
            "store_free_bytes",
            "Bytes free on the store's disk, less what its log will take",
            self.store_free_bytes.clone(),
        );
        ours.register(
            "live_messages",
            "Messages dispatch holds in memory",
            self.live_messages.clone(),
        );
        ours.register(
            "pace_waiting",
            "Queues whose next message waits for a limit, by the limit that keeps it longest",
            self.pace_waiting.clone(),
        );
        ours.register(
            "carrier_links_bound",
            "Links of a carrier that are up",
            self.carrier_links_bound.clone(),
        );
        ours.register(
            "carrier_links_configured",
            "Links of a carrier that should be up",
            self.carrier_links_configured.clone(),
        );
        ours.register(
            "carrier_throttled",
            "1 while a carrier has told us to slow down",
            self.carrier_throttled.clone(),
        );
        ours.register(
            "carrier_config_fault",
            "1 while a carrier refuses us for a reason that only the operator can mend",
            self.carrier_config_fault.clone(),
        );
        ours.register(
            "carrier_links_stuck",
            "Links given up because they sent nothing for a minute although messages waited",
            self.carrier_links_stuck.clone(),
        );
    }
}

impl Engine {
    /// Sets the gauges that nobody sets as things happen: to be called before they are read.
    pub fn measure(&self) {
        let metrics = self.metrics();
        let queued = self
            .shared
            .acceptor
            .loads
            .with(|table| table.queued_segments());
        metrics.queued_segments.set(gauge(queued));
        let waiting = self.shared.webhooks.load().waiting;
        metrics.webhooks_waiting.set(gauge(waiting as u64));
        // A store that can't tell has failed, which readiness says; the last figure stands.
        if let Ok(free) = self.shared.store.free_bytes() {
            metrics.store_free_bytes.set(gauge(free));
        }
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use postrider_core::create::CreateMessage;
    use postrider_core::phone_number::PhoneNumber;
    use postrider_core::sender_rate::Zone;
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::testing::engine;

    fn page(metrics: &Metrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[track_caller]
    fn assert_line(page: &str, line: &str) {
        assert!(
            page.lines().any(|written| written == line),
            "{line}\n{page}"
        );
    }

    #[test]
    fn every_family_is_described_once() {
        let metrics = Metrics::default();
        metrics.count_status(Status::Failed);
        let label = RefusalLabel {
            code: 21211,
            result: "Invalid 'To' Phone Number",
        };
        metrics.refused.get_or_create(&label).inc();
        let text = page(&metrics);
        let mut described = BTreeSet::new();
        for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
            assert!(described.insert(line), "{line} comes twice");
        }
        for line in [
            "postrider_messages_total{status=\"failed\"} 1",
            "postrider_messages_total{status=\"delivered\"} 0",
            "postrider_refused_total{code=\"21211\",result=\"Invalid 'To' Phone Number\"} 1",
            "postrider_commit_duration_seconds_count 0",
            "postrider_queued_segments 0",
        ] {
            assert_line(&text, line);
        }
    }

    #[tokio::test]
    async fn a_commit_and_what_waits_are_measured() {
        let test = engine();
        let engine = &test.engine;
        let made = engine.create_main_account(None, None, "Main").await;
        let (account, _) = made.unwrap();
        let number = PhoneNumber::parse("+14155550101").unwrap();
        let registered = engine.register_number(account.sid, number, |_| {}).await;
        let sender = registered.unwrap().sender;
        let request = CreateMessage {
            to: Some("+14155550199".to_owned()),
            from: Some("+14155550101".to_owned()),
            body: Some("Hi".to_owned()),
            ..CreateMessage::default()
        };
        engine.create_message(&account, request).await.unwrap();
        let loads = &engine.shared.acceptor.loads;
        let held = loads.with(|table| {
            table.reserve(sender, 7, Zone::UsCa);
            table.queued_segments()
        });
        engine.measure();
        let page = page(engine.metrics());
        assert_line(&page, "postrider_commit_duration_seconds_count 1");
        assert_line(&page, &format!("postrider_queued_segments {held}"));
        let endless = format!("postrider_store_free_bytes {}", i64::MAX);
        assert_line(&page, &endless);
    }
}
