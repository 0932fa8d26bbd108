//! What every kind of carrier must do, against a peer that takes everything and delivers it.
//!
//! Only the contract is known here. How a kind behaves when its peer misbehaves is for its own tests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::text::count_segments;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::contract::{
    AckToken, Carrier, Event, EventBatch, Outcome, ReceiptState, Submission, Ticket,
};
use crate::correlation::canonical;

/// How long any one step may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time to answer what is open at the end.
const GRACE: Duration = Duration::from_secs(10);
const MESSAGES: u64 = 100;
/// Messages that are open when the carrier is told to stop.
const LAST_MESSAGES: u64 = 10;

/// Sends messages through a carrier that was just started, and stops it. Panics at what breaks the
/// contract. `now_ms` is what the carrier's clock says.
pub async fn check(carrier: &dyn Carrier, events: mpsc::Receiver<EventBatch>, now_ms: i64) {
    let mut books = Books::new(carrier, events, now_ms);
    books.until("a link", |books| books.capacity > 0).await;

    for ticket in 0..MESSAGES {
        let submission = books.submission(ticket);
        let segments = u32::from(submission.segments);
        // A message longer than the whole capacity goes alone.
        books
            .until("room", |books| {
                books.outstanding == 0 && books.capacity > 0
                    || books.outstanding + segments <= books.capacity
            })
            .await;
        books.submit(vec![submission]);
    }
    books.until("outcomes", |books| books.open.is_empty()).await;
    assert_eq!(
        books.accepted, MESSAGES,
        "a peer that takes everything refused something"
    );
    books
        .until("receipts", |books| books.ids == books.reported)
        .await;

    let last = MESSAGES..MESSAGES + LAST_MESSAGES;
    let last = last.map(|ticket| books.submission(ticket)).collect();
    books.submit(last);
    carrier.shut_down(GRACE);
    while books.hear("the end").await {}
    assert!(
        books.open.is_empty(),
        "closed without an outcome for {:?}",
        books.open
    );
    assert_eq!(books.capacity, 0, "closed with capacity");
}

/// What was submitted, and what the carrier said to it.
struct Books<'c> {
    carrier: &'c dyn Carrier,
    events: mpsc::Receiver<EventBatch>,
    now_ms: i64,
    capacity: u32,
    outstanding: u32,
    /// Messages without an outcome, and their segments.
    open: BTreeMap<Ticket, u16>,
    accepted: u64,
    /// Canonical ids from answers and from receipts.
    ids: BTreeSet<Box<str>>,
    reported: BTreeSet<Box<str>>,
    acknowledged: BTreeSet<AckToken>,
}

impl<'c> Books<'c> {
    fn new(carrier: &'c dyn Carrier, events: mpsc::Receiver<EventBatch>, now_ms: i64) -> Self {
        Self {
            carrier,
            events,
            now_ms,
            capacity: 0,
            outstanding: 0,
            open: BTreeMap::new(),
            accepted: 0,
            ids: BTreeSet::new(),
            reported: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
        }
    }

    /// One to three segments, in either alphabet, to ten handsets.
    fn submission(&self, ticket: u64) -> Submission {
        let character = if ticket.is_multiple_of(2) { "a" } else { "Ж" };
        let body = character.repeat(if ticket.is_multiple_of(5) { 200 } else { 20 });
        let segmentation = count_segments(&body);
        let to = PhoneNumber::from_digits(14_155_550_100 + ticket % 10);
        Submission {
            ticket: Ticket(ticket),
            from: SenderAddress::parse("+14155550999").expect("a number"),
            to: to.expect("a number"),
            body: body.into(),
            encoding: segmentation.encoding,
            segments: segmentation.segments,
            deadline_ms: self.now_ms + 3_600_000,
        }
    }

    fn submit(&mut self, batch: Vec<Submission>) {
        for submission in &batch {
            self.outstanding += u32::from(submission.segments);
            self.open.insert(submission.ticket, submission.segments);
        }
        self.carrier.submit(batch);
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            assert!(
                self.hear(what).await,
                "the carrier closed its channel before {what}"
            );
        }
    }

    /// Takes one batch of events; `false` when the channel is closed.
    async fn hear(&mut self, what: &str) -> bool {
        let heard = timeout(PATIENCE, self.events.recv()).await;
        let Ok(batch) = heard else {
            panic!("no {what} within {PATIENCE:?}")
        };
        let Some(batch) = batch else { return false };
        assert!(!batch.events.is_empty(), "an empty batch");
        for event in batch.events {
            self.note(event);
        }
        true
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Capacity { segments, health } => {
                assert!(health.links_bound <= health.links_configured, "{health:?}");
                assert!(
                    segments == 0 || health.links_bound > 0,
                    "capacity without a link"
                );
                self.capacity = segments;
            }
            Event::Outcome { ticket, outcome } => {
                let segments = self.open.remove(&ticket);
                let segments = segments.unwrap_or_else(|| panic!("a second outcome of {ticket:?}"));
                self.outstanding -= u32::from(segments);
                if let Outcome::Accepted { ids } = outcome {
                    self.accepted += 1;
                    assert_eq!(ids.len(), usize::from(segments), "ids of {ticket:?}");
                    for id in ids {
                        assert!(self.ids.insert(canonical(&id)), "id {id} given twice");
                    }
                }
            }
            Event::LateOutcome { ticket, .. } => panic!("{ticket:?} was not given up"),
            Event::Receipt { receipt, ack } => {
                assert_eq!(receipt.state, ReceiptState::Delivered, "{receipt:?}");
                assert_eq!(receipt.error, None, "{receipt:?}");
                // A receipt may overtake its answer, so it is compared at the end.
                let id = receipt
                    .candidates
                    .first()
                    .expect("a candidate for the id")
                    .clone();
                assert!(
                    self.reported.insert(id),
                    "reported twice, though acknowledged"
                );
                assert!(self.acknowledged.insert(ack), "{ack:?} given twice");
                self.carrier.acknowledge(vec![ack]);
            }
            Event::Inbound { inbound, .. } => panic!("nobody wrote to us: {inbound:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use postrider_core::clock::Clock;
    use tokio::time::Instant;

    use super::*;
    use crate::contract::CarrierNo;
    use crate::simulator::{self, SimulatorCarrier};
    use crate::smpp::testing::{Behavior, Dialect, ReceiptPlan, Timing, listen};
    use crate::smpp::{self, SmppCarrier};

    const START_MS: i64 = 1_790_000_000_000;

    /// Real time; the tests wait for events, never for the clock.
    struct RealClock(Instant);

    impl Clock for RealClock {
        fn now_ms(&self) -> i64 {
            START_MS + i64::try_from(self.0.elapsed().as_millis()).unwrap()
        }
    }

    fn clock() -> Arc<dyn Clock> {
        Arc::new(RealClock(Instant::now()))
    }

    #[tokio::test]
    async fn the_simulator_conforms() {
        for config in [
            simulator::Config {
                latency_ms: [0, 0],
                ..simulator::Config::default()
            },
            simulator::Config {
                latency_ms: [0, 5],
                answer_ms: [0, 5],
                capacity: 7,
                ..simulator::Config::default()
            },
        ] {
            let (sender, events) = mpsc::channel(4);
            let carrier = SimulatorCarrier::start(CarrierNo(0), &config, clock(), 7, sender);
            check(&carrier.unwrap(), events, START_MS).await;
        }
    }

    #[tokio::test]
    async fn smpp_conforms() {
        let clock = clock();
        let receipts = ReceiptPlan {
            timing: Timing::After { ms: 1 },
            dialect: Dialect::Text,
            stat: "DELIVRD",
        };
        let behavior = Behavior {
            receipts: Some(receipts),
            ..Behavior::default()
        };
        let smsc = listen(behavior, clock.clone()).await.unwrap();
        let config = smpp::Config {
            name: "acme".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: smsc.address.port(),
            system_id: "postrider".to_owned(),
            sessions: 2,
            ..smpp::Config::default()
        };
        let (sender, events) = mpsc::channel(4);
        let carrier = SmppCarrier::start(CarrierNo(0), &config, clock, 7, sender);
        check(&carrier.unwrap(), events, START_MS).await;
    }
}
