//! Engines for tests: over the memory store, on a clock that stands still, with a carrier that
//! takes everything and receipts it at once.

#[cfg(test)]
pub(crate) mod authority;
#[cfg(test)]
pub(crate) mod web_server;

use std::sync::Arc;
use std::time::Duration;

use postrider_carriers::correlation::canonical;
use postrider_carriers::{
    AckToken, Carrier, CarrierNo, Event, EventBatch, EventSender, Health, Inbound, Outcome,
    Receipt, ReceiptState, Submission,
};
use postrider_core::clock::ManualClock;
use postrider_core::lifecycle::ReceiptParts;
#[cfg(test)]
use postrider_core::message::{AccountNo, Direction, Message};
use postrider_core::opt_out::Wording;
use postrider_core::pacing::PaceSettings;
use postrider_core::route::{Route, Routes};
use postrider_core::select::SenderKind;
use postrider_core::text::Encoding;
use postrider_store::Store;
use postrider_store::memory::MemoryStore;
#[cfg(test)]
use postrider_store::{Cursor, MessageFilter};
use smallvec::smallvec;
use tokio::sync::{Notify, mpsc};

use crate::dispatch::{CarrierPolicy, DispatchLimits};
use crate::runtime::{Running, Setup, start};
use crate::webhooks;
use crate::{Compliance, Coverage, Engine, Limits, Metrics};

/// An engine and what a test may want to turn.
pub struct TestEngine {
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    pub running: Running,
    carrier: Arc<Agreeable>,
}

impl TestEngine {
    /// The account's messages of one direction, oldest first.
    #[cfg(test)]
    pub(crate) async fn messages(&self, account: AccountNo, direction: Direction) -> Vec<Message> {
        let filter = MessageFilter {
            account: Some(account),
            ..MessageFilter::default()
        };
        let listed = self.engine.messages(filter, Cursor::Start, 1_000).await;
        let mut listed = listed.expect("the store reads");
        listed.retain(|message| message.direction == direction);
        listed.reverse();
        listed
    }

    /// A handset texts one of the account's senders. When this returns, the message is stored.
    pub async fn inbound(&self, from: &str, to: &str, text: &str) {
        let inbound = Inbound {
            from: from.into(),
            to: to.into(),
            text: text.into(),
            encoding: Encoding::Gsm7,
            concat: None,
            raw: [].into(),
        };
        let ack = AckToken {
            session: Agreeable::INBOUND,
            sequence: 0,
        };
        self.carrier.tell(vec![Event::Inbound { inbound, ack }]);
        self.carrier.acknowledged.notified().await;
    }
}

/// 2026-01-01T00:00:00Z.
pub const START_MS: i64 = 1_767_225_600_000;

/// Starts an engine. Must be called within a tokio runtime.
pub fn engine() -> TestEngine {
    engine_over(Arc::new(MemoryStore::new()))
}

/// Starts an engine over a given store.
pub fn engine_over(store: Arc<dyn Store>) -> TestEngine {
    engine_with(store, |_| {})
}

/// Starts an engine over a given store, set up as `edit` leaves it.
pub fn engine_with(store: Arc<dyn Store>, edit: impl FnOnce(&mut Setup)) -> TestEngine {
    let clock = Arc::new(ManualClock::at(START_MS));
    let (events_to, events) = mpsc::channel(64);
    let carrier = Arc::new(Agreeable::new(events_to));
    let policy = CarrierPolicy {
        name: "test".into(),
        group: "test".into(),
        unknown_outcome: postrider_carriers::UnknownOutcome::Resend,
        receipt_parts: ReceiptParts::All,
        keep_receipts: false,
    };
    let mut setup = Setup {
        clock: clock.clone(),
        seed: [7; 32],
        instance_key: [9; 32],
        store,
        limits: Limits::default(),
        compliance: Compliance::default(),
        dispatch_limits: DispatchLimits::default(),
        paces: PaceSettings {
            long_code: Some(0.0),
            ..PaceSettings::default()
        },
        caps: Vec::new(),
        opt_out_wording: Wording::default(),
        routes: Routes(vec![
            to_the_carrier(None),
            to_the_carrier(Some(SenderKind::WhatsApp)),
        ]),
        coverage: Coverage::default(),
        carriers: vec![(policy, carrier.clone())],
        events: vec![events],
        webhooks: webhooks::Config::default(),
        observer: Arc::new(webhooks::Logged),
        metrics: Arc::new(Metrics::default()),
    };
    edit(&mut setup);
    let (engine, running) = start(setup).expect("a new memory store starts");
    TestEngine {
        engine,
        clock,
        running,
        carrier,
    }
}

fn to_the_carrier(sender: Option<SenderKind>) -> Route {
    Route {
        sender,
        carriers: vec![0],
        ..Route::default()
    }
}

/// A carrier that accepts and delivers everything.
struct Agreeable {
    events: parking_lot::Mutex<Option<EventSender>>,
    /// An inbound message was.
    acknowledged: Notify,
}

impl Agreeable {
    /// The session that inbound messages come by.
    const INBOUND: u32 = 1;

    fn new(events: EventSender) -> Self {
        let health = Health {
            links_configured: 1,
            links_bound: 1,
            ..Health::default()
        };
        let carrier = Self {
            events: parking_lot::Mutex::new(Some(events)),
            acknowledged: Notify::new(),
        };
        carrier.tell(vec![Event::Capacity {
            segments: 1_000,
            health,
        }]);
        carrier
    }

    /// Tests send few messages: a full channel would be a bug of the test.
    fn tell(&self, events: Vec<Event>) {
        if let Some(sender) = &*self.events.lock() {
            sender
                .try_send(EventBatch {
                    carrier: CarrierNo(0),
                    events,
                })
                .expect("the test's event channel has room");
        }
    }
}

impl Carrier for Agreeable {
    fn submit(&self, batch: Vec<Submission>) {
        let mut events = Vec::new();
        for submission in batch {
            let ids: Vec<Box<str>> = (0..submission.segments)
                .map(|segment| format!("{}-{segment}", submission.ticket.0).into())
                .collect();
            events.push(Event::Outcome {
                ticket: submission.ticket,
                outcome: Outcome::Accepted {
                    ids: ids.clone().into(),
                },
            });
            for (id, sequence) in ids.into_iter().zip(0..) {
                let receipt = Receipt {
                    candidates: smallvec![canonical(&id)],
                    carrier_id: id,
                    state: ReceiptState::Delivered,
                    error: None,
                    done_date: Some("2601010000".into()),
                    handset: Some(submission.to),
                    detail: "".into(),
                    is_understood: true,
                    raw: [].into(),
                };
                events.push(Event::Receipt {
                    receipt,
                    ack: AckToken {
                        session: 0,
                        sequence,
                    },
                });
            }
        }
        self.tell(events);
    }

    fn acknowledge(&self, tokens: Vec<AckToken>) {
        if tokens.iter().any(|token| token.session == Self::INBOUND) {
            self.acknowledged.notify_one();
        }
    }

    fn shut_down(&self, _grace: Duration) {
        self.events.lock().take();
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::create::CreateMessage;
    use postrider_core::message::{Message, Status};
    use postrider_core::phone_number::PhoneNumber;

    use super::*;
    use crate::NewPoolEntry;

    /// Polls the store until the message is final. The deadline only ends a test that is lost.
    async fn settled(engine: &Engine, message: &Message) -> Message {
        for _ in 0..2_000 {
            let now = engine.message(message.account, message.sid).await.unwrap();
            if now.status.is_final() {
                return now;
            }
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{} did not settle", message.sid);
    }

    #[tokio::test]
    async fn a_message_through_a_service_is_delivered() {
        let test = engine();
        let (account, _) = test
            .engine
            .create_main_account(None, None, "Test")
            .await
            .unwrap();
        let number = PhoneNumber::parse("+14155550101").unwrap();
        let number = test
            .engine
            .register_number(account.sid, number, |_| {})
            .await
            .unwrap();
        let service = test
            .engine
            .create_service(account.sid, |service| {
                service.friendly_name = "S".to_owned();
            })
            .await
            .unwrap();
        test.engine
            .add_to_pool(service.sid, NewPoolEntry::Number(number.sid))
            .await
            .unwrap();
        let request = CreateMessage {
            to: Some("+14155550199".to_owned()),
            messaging_service: Some(service.sid.to_string()),
            body: Some("Hello – there".to_owned()),
            ..CreateMessage::default()
        };
        let created = test.engine.create_message(&account, request).await.unwrap();
        assert!(created.through_service);
        let message = settled(&test.engine, &created.message).await;
        assert_eq!(message.status, Status::Delivered);
        assert_eq!(message.from.as_deref(), Some("+14155550101"));
        assert_eq!(&*message.body, "Hello - there");
        assert_eq!(message.attempts, 1);
        test.running.shut_down(Duration::from_secs(5)).await;
    }
}
