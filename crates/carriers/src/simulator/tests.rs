//! The shell: the world on a task, in real time. The tests wait for events, never for the clock.

use postrider_core::clock::ManualClock;
use postrider_core::text::Encoding;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::*;
use crate::contract::{Event, Outcome, Ticket};

const NOW_MS: Millis = 1_790_000_000_000;

struct RealClock(Instant);

impl Clock for RealClock {
    fn now_ms(&self) -> Millis {
        NOW_MS + Millis::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

fn sender() -> SenderAddress {
    SenderAddress::parse("55501").unwrap()
}

fn submission(ticket: u64, to: PhoneNumber) -> Submission {
    Submission {
        ticket: Ticket(ticket),
        from: sender(),
        to,
        body: "hello".into(),
        encoding: Encoding::Gsm7,
        segments: 1,
        deadline_ms: Millis::MAX,
    }
}

fn start(config: &Config) -> (SimulatorCarrier, mpsc::Receiver<EventBatch>) {
    let (sender, events) = mpsc::channel(4);
    let clock = Arc::new(RealClock(Instant::now()));
    (
        SimulatorCarrier::start(CarrierNo(2), config, clock, 7, sender).unwrap(),
        events,
    )
}

/// The next events, up to and with the one that is looked for.
async fn until(
    events: &mut mpsc::Receiver<EventBatch>,
    is_it: impl Fn(&Event) -> bool,
) -> Vec<Event> {
    let mut seen = Vec::new();
    while !seen.iter().any(&is_it) {
        let batch = timeout(Duration::from_secs(30), events.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(batch.carrier, CarrierNo(2));
        seen.extend(batch.events);
    }
    seen
}

fn is_receipt(event: &Event) -> bool {
    matches!(event, Event::Receipt { .. })
}

#[tokio::test]
async fn a_handle_scripts_what_happens_and_sees_what_handsets_saw() {
    let (carrier, mut events) = start(&Config {
        latency_ms: [1, 3],
        ..Config::default()
    });
    let handle = carrier.handle();
    let (lost, found) = (number("+14155550100"), number("+14155550101"));
    let rule = Rule::new(lost, Behavior::LostReceipt).times(5);
    handle.set_rule(rule.clone());
    carrier.submit(vec![submission(1, lost), submission(2, found)]);
    let seen = until(&mut events, is_receipt).await;
    assert!(seen.iter().any(|event| matches!(
        event,
        Event::Receipt { receipt, .. } if receipt.handset == Some(found)
    )));
    assert_eq!(
        handle.rules(),
        [Rule {
            times: Some(4),
            ..rule
        }]
    );
    handle.clear_rules();
    assert_eq!(handle.rules(), []);
    let shown = handle.handset(found);
    assert_eq!(
        (shown.len(), &*shown[0].body, &shown[0].from),
        (1, "hello", &sender())
    );
    assert!(shown[0].received_ms >= NOW_MS);

    handle.reply(found, &sender(), "STOP").unwrap();
    let seen = until(&mut events, |event| matches!(event, Event::Inbound { .. })).await;
    let Some(Event::Inbound { inbound, .. }) = seen.last() else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (&*inbound.from, &*inbound.to, &*inbound.text.to_string()),
        ("+14155550101", "55501", "STOP")
    );
}

#[tokio::test]
async fn links_that_are_down_come_back_by_themselves() {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let (sender, mut events) = mpsc::channel(4);
    let config = Config::default();
    let carrier = SimulatorCarrier::start(CarrierNo(2), &config, clock.clone(), 7, sender).unwrap();
    let is_bound = |event: &Event| matches!(event, Event::Capacity { segments: 5_000, health } if health.links_bound == 1);
    until(&mut events, is_bound).await;
    carrier.handle().down(5);
    carrier.submit(vec![submission(1, number("+14155550100"))]);
    clock.advance(5);
    let seen = until(&mut events, is_bound).await;
    assert!(seen.iter().any(|event| matches!(
        event,
        Event::Outcome {
            ticket: Ticket(1),
            outcome: Outcome::Returned
        }
    )));
}

#[tokio::test]
async fn dropping_the_carrier_ends_its_task() {
    let (carrier, mut events) = start(&Config::default());
    let handle = carrier.handle();
    drop(carrier);
    let last = timeout(Duration::from_secs(30), async {
        let mut last = None;
        while let Some(batch) = events.recv().await {
            last = batch.events.into_iter().last();
        }
        last
    });
    assert!(matches!(
        last.await.unwrap(),
        Some(Event::Capacity { segments: 0, .. })
    ));
    assert_eq!(handle.rules(), []);
}

#[tokio::test]
async fn a_slow_engine_loses_nothing() {
    let (carrier, mut events) = start(&Config {
        latency_ms: [0, 0],
        ..Config::default()
    });
    let to = number("+14155550100");
    // Far more batches than the channel holds.
    for ticket in 0..100 {
        carrier.submit(vec![submission(ticket, to)]);
        tokio::task::yield_now().await;
    }
    let (mut outcomes, mut receipts) = (0, 0);
    while outcomes < 100 || receipts < 100 {
        let batch = timeout(Duration::from_secs(30), events.recv())
            .await
            .unwrap()
            .unwrap();
        outcomes += batch
            .events
            .iter()
            .filter(|e| matches!(e, Event::Outcome { .. }))
            .count();
        receipts += batch
            .events
            .iter()
            .filter(|event| is_receipt(event))
            .count();
    }
}
