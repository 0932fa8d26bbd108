//! One process after another over the same disk, with carriers that take nothing until told.
//!
//! Each has a runtime of its own, so that a crash leaves no task behind, and a single thread for what
//! may block, so that what was begun first is done first.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_carriers::{
    AckToken, Carrier, CarrierNo, Event, EventBatch, EventSender, Health, Outcome, Submission,
};
use postrider_core::cap::CapRule;
use postrider_core::clock::ManualClock;
use postrider_core::route::{Route, Routes};
use postrider_core::select::SenderKind;
use postrider_store::memory::{MemoryDisk, MemoryStore};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use super::cast;
use super::step::{Ending, Side};
use crate::runtime::Running;
use crate::testing::{TestEngine, engine_with};
use crate::{Coverage, Engine};

pub(super) struct Life {
    runtime: Runtime,
    pub(super) engine: Engine,
    running: Running,
    store: Arc<MemoryStore>,
    gates: [Arc<Gate>; 2],
}

impl Life {
    pub(super) fn begin(disk: &MemoryDisk, clock: &Arc<ManualClock>, caps: &[CapRule]) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let store = Arc::new(disk.open());
        let [(near, near_events), (far, far_events)] = [0, 1].map(|carrier| {
            let (to, events) = mpsc::channel(64);
            (Arc::new(Gate::new(CarrierNo(carrier), to)), events)
        });
        let gates = [near, far];
        let test = {
            let _entered = runtime.enter();
            engine_with(store.clone(), |setup| {
                let (policy, _) = setup.carriers.remove(0);
                let carrier = |gate: &Arc<Gate>| (policy.clone(), gate.clone() as Arc<dyn Carrier>);
                setup.clock = clock.clone();
                setup.carriers = gates.iter().map(carrier).collect();
                setup.events = vec![near_events, far_events];
                setup.routes = routes();
                setup.paces = cast::paces();
                setup.caps = caps.to_vec();
                setup.coverage = Coverage {
                    networks: Some(cast::networks()),
                    ..Coverage::default()
                };
            })
        };
        let TestEngine {
            engine, running, ..
        } = test;
        let life = Self {
            runtime,
            engine,
            running,
            store,
            gates,
        };
        life.catch_breath();
        life
    }

    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Whatever begins by itself has begun, and what it does at first is done.
    fn catch_breath(&self) {
        self.run(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            tokio::task::spawn_blocking(|| {}).await.unwrap();
        });
    }

    pub(super) fn end(self, ending: Ending) {
        match ending {
            Ending::Crash => {
                self.store.crash();
                self.runtime.shutdown_background();
            }
            Ending::Stop => {
                drop(self.engine);
                let stop = self.running.shut_down(Duration::from_secs(5));
                self.runtime.block_on(stop);
            }
        }
    }

    pub(super) fn gate(&self, side: Side) -> &Gate {
        match side {
            Side::NorthAmerica => &self.gates[0],
            Side::Elsewhere => &self.gates[1],
        }
    }

    /// Whether dispatch knows of an open gate.
    pub(super) fn is_open(&self) -> bool {
        self.engine.readiness().has_carrier()
    }
}

fn routes() -> Routes {
    let route = |sender, destination: &str, carrier| Route {
        sender,
        destination: destination.to_owned(),
        carriers: vec![carrier],
        ..Route::default()
    };
    let whatsapp = Some(SenderKind::WhatsApp);
    Routes(vec![
        route(None, "1", 0),
        route(None, "", 1),
        route(whatsapp, "1", 0),
        route(whatsapp, "", 1),
    ])
}

/// A carrier that takes everything while its gate is open. There are no receipts.
pub(super) struct Gate {
    carrier: CarrierNo,
    events: Mutex<Option<EventSender>>,
}

impl Gate {
    fn new(carrier: CarrierNo, events: EventSender) -> Self {
        Self {
            carrier,
            events: Mutex::new(Some(events)),
        }
    }

    pub(super) fn open(&self) {
        self.announce(10_000, 1);
    }

    pub(super) fn shut(&self) {
        self.announce(0, 0);
    }

    fn announce(&self, segments: u32, links_bound: u32) {
        let health = Health {
            links_configured: 1,
            links_bound,
            ..Health::default()
        };
        self.tell(vec![Event::Capacity { segments, health }]);
    }

    fn tell(&self, events: Vec<Event>) {
        if let Some(sender) = &*self.events.lock() {
            let carrier = self.carrier;
            let told = sender.try_send(EventBatch { carrier, events });
            told.expect("the test's event channel has room");
        }
    }
}

impl Carrier for Gate {
    fn submit(&self, batch: Vec<Submission>) {
        let taken = batch.iter().map(|submission| Event::Outcome {
            ticket: submission.ticket,
            outcome: Outcome::Accepted {
                ids: (0..submission.segments).map(|_| "".into()).collect(),
            },
        });
        self.tell(taken.collect());
    }

    fn acknowledge(&self, _: Vec<AckToken>) {}

    fn shut_down(&self, _: Duration) {
        self.events.lock().take();
    }
}
