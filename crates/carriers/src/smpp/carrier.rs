//! The carrier that the engine sees: one queue, several binds, one voice about capacity.
//!
//! Binds pull from the shared queue whenever they have a free window slot and a token, so a slow
//! bind holds nothing back. A supervisor adds up what the binds can take and hands messages back to
//! the engine when no bind can: after a throttle answer as `Throttled`, so that they return to the
//! head of their queues in order, otherwise as `Returned`, so that another carrier may have them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_core::clock::Clock;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::warn;

use super::client::{Endpoint, Link};
use super::config::{Config, ConfigError, Settings};
use super::pace::TokenBucket;
use super::random::Random;
use super::session::References;
use super::tls::Tls;
use crate::contract::{
    AckToken, Carrier, CarrierNo, Event, EventBatch, EventSender, Health, Outcome, Submission,
};

/// Segments we ask for, as a multiple of the window: one window under way, one ready behind it.
const WINDOWS_AHEAD: u32 = 2;
/// The low bits of a session's number name its link.
const LINK_BITS: u32 = 8;

/// One SMPP carrier with all its binds. Dropping it stops it at once.
pub struct SmppCarrier {
    shared: Arc<Shared>,
}

impl SmppCarrier {
    /// Checks the configuration and starts the binds on the current tokio runtime.
    pub fn start(
        number: CarrierNo,
        config: &Config,
        clock: Arc<dyn Clock>,
        seed: u64,
        events: EventSender,
    ) -> Result<Self, ConfigError> {
        let settings = Arc::new(config.compile()?);
        let tls = config
            .tls
            .as_ref()
            .map(|tls| Tls::new(tls, &config.name))
            .transpose()?;
        let endpoints = Endpoint::all(config)?;
        let modes = config.bind.modes().repeat(config.sessions as usize);
        let now_ms = clock.now_ms();
        let shared = Arc::new(Shared {
            number,
            name: config.name.as_str().into(),
            settings,
            references: Arc::new(References::new(seed)),
            queue: Mutex::new(Queue {
                ready: VecDeque::new(),
                bucket: TokenBucket::new(config.throughput, now_ms),
            }),
            links: modes.iter().map(|_| LinkSlot::default()).collect(),
            links_stuck: AtomicU64::new(0),
            supervisor: Notify::new(),
            stop: watch::Sender::new(None),
            clock,
        });
        let mut random = Random::new(seed);
        let mut tasks = JoinSet::new();
        for (index, mode) in modes.iter().enumerate() {
            let link = Link {
                shared: shared.clone(),
                index,
                mode: *mode,
                events: events.clone(),
                endpoints: endpoints.clone(),
                source_address: config.source_address,
                tls: tls.clone(),
                connect_timeout: Duration::from_secs(config.connect_timeout_s.into()),
                write_timeout_ms: i64::from(config.write_timeout_s) * 1_000,
                seed: random.next_u64(),
            };
            tasks.spawn(link.run());
        }
        tokio::spawn(supervise(shared.clone(), tasks, events));
        Ok(Self { shared })
    }
}

impl Carrier for SmppCarrier {
    fn submit(&self, batch: Vec<Submission>) {
        self.shared.queue().ready.extend(batch);
        self.shared.wake_all();
        // With no bind to pull, the supervisor hands them back.
        if !self.shared.can_transmit() {
            self.shared.supervisor.notify_one();
        }
    }

    fn acknowledge(&self, tokens: Vec<AckToken>) {
        self.shared.answer(tokens, Answer::Durable);
    }

    fn decline(&self, tokens: Vec<AckToken>) {
        self.shared.answer(tokens, Answer::Later);
    }

    fn shut_down(&self, grace: Duration) {
        let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX / 2);
        self.shared.stop.send_replace(Some(grace_ms));
        self.shared.supervisor.notify_one();
    }
}

impl Drop for SmppCarrier {
    fn drop(&mut self) {
        if self.shared.stop.borrow().is_none() {
            self.shut_down(Duration::ZERO);
        }
    }
}

/// What the binds, the supervisor and the handle have in common.
pub(super) struct Shared {
    pub(super) number: CarrierNo,
    pub(super) name: Box<str>,
    pub(super) settings: Arc<Settings>,
    pub(super) references: Arc<References>,
    /// Messages no bind has taken yet, in order. Locked for moments, never across an await.
    queue: Mutex<Queue>,
    links: Box<[LinkSlot]>,
    /// Links given up by the watchdog.
    links_stuck: AtomicU64,
    /// Woken when a link's standing changes, or nobody is there to pull.
    supervisor: Notify,
    /// Milliseconds of grace, once the carrier is to stop.
    pub(super) stop: watch::Sender<Option<i64>>,
    pub(super) clock: Arc<dyn Clock>,
}

struct Queue {
    ready: VecDeque<Submission>,
    /// The limit over all binds.
    bucket: TokenBucket,
}

/// The letterbox of one link, and its standing as last reported.
#[derive(Default)]
struct LinkSlot {
    wake: Notify,
    answers: Mutex<Vec<(AckToken, Answer)>>,
    standing: Mutex<Standing>,
}

/// What the engine has to say to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Durable,
    Later,
}

/// What one link can do at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) is_bound: bool,
    /// Bound, a transmitter, and not on the way out.
    pub(super) is_transmitting: bool,
    pub(super) is_throttled: bool,
    pub(super) config_fault: Option<Box<str>>,
}

impl Standing {
    fn takes_messages(&self) -> bool {
        self.is_transmitting && !self.is_throttled
    }
}

/// What the shared queue has for a link that is ready.
pub(super) enum Pull {
    Message(Box<Submission>),
    /// Something is there, and may leave from this instant on.
    At(i64),
    Empty,
}

impl Shared {
    /// Takes the next message if the carrier's pace allows it.
    pub(super) fn pull(&self, now_ms: i64) -> Pull {
        let mut queue = self.queue();
        let queue = &mut *queue;
        if queue.ready.is_empty() {
            return Pull::Empty;
        }
        if let Some(at_ms) = queue.bucket.opens_at(now_ms) {
            return Pull::At(at_ms);
        }
        let Some(submission) = queue.ready.pop_front() else {
            return Pull::Empty;
        };
        queue
            .bucket
            .take(u32::from(submission.segments).max(1), now_ms);
        Pull::Message(Box::new(submission))
    }

    /// Gives the tokens of a pulled message back that did not leave.
    pub(super) fn give_back(&self, segments: u16) {
        self.queue().bucket.give_back(u32::from(segments).max(1));
    }

    /// Whether messages wait that no link has taken.
    pub(super) fn has_ready(&self) -> bool {
        !self.queue().ready.is_empty()
    }

    /// Told with the standing that follows.
    pub(super) fn count_stuck(&self) {
        self.links_stuck.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_standing(&self, index: usize, standing: &Standing) {
        let mut held = lock(&self.links[index].standing);
        if *held != *standing {
            held.clone_from(standing);
            drop(held);
            self.supervisor.notify_one();
        }
    }

    pub(super) fn take_answers(&self, index: usize) -> Vec<(AckToken, Answer)> {
        std::mem::take(&mut *lock(&self.links[index].answers))
    }

    /// Resolves when there may be messages or answers for a link.
    pub(super) async fn woken(&self, index: usize) {
        self.links[index].wake.notified().await;
    }

    /// The number of a link's next session. Numbers of different links never meet.
    pub(super) fn session_number(index: usize, generation: u32) -> u32 {
        let index = u32::try_from(index).unwrap_or(0);
        generation << LINK_BITS | index
    }

    fn answer(&self, tokens: Vec<AckToken>, answer: Answer) {
        for token in tokens {
            let index = (token.session & ((1 << LINK_BITS) - 1)) as usize;
            if let Some(link) = self.links.get(index) {
                lock(&link.answers).push((token, answer));
            }
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        for link in &self.links {
            link.wake.notify_one();
        }
    }

    fn can_transmit(&self) -> bool {
        self.links
            .iter()
            .any(|link| lock(&link.standing).takes_messages())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn capacity(&self) -> (u32, Health) {
        let standings: Vec<Standing> = self
            .links
            .iter()
            .map(|link| lock(&link.standing).clone())
            .collect();
        let count = |holds: fn(&Standing) -> bool| {
            u32::try_from(standings.iter().filter(|s| holds(s)).count()).unwrap_or(u32::MAX)
        };
        let takers = count(Standing::takes_messages);
        let health = Health {
            links_configured: u32::try_from(standings.len()).unwrap_or(u32::MAX),
            links_bound: count(|standing| standing.is_bound),
            is_throttled: standings.iter().any(|standing| standing.is_throttled),
            links_stuck: self.links_stuck.load(Ordering::Relaxed),
            config_fault: standings
                .iter()
                .find_map(|standing| standing.config_fault.clone()),
        };
        (takers * self.settings.window * WINDOWS_AHEAD, health)
    }

    /// What becomes of messages that no link can take.
    fn strand(&self) -> Vec<Event> {
        let is_stopping = self.stop.borrow().is_some();
        if !is_stopping && self.can_transmit() {
            return Vec::new();
        }
        let is_throttled = self.links.iter().any(|link| {
            let standing = lock(&link.standing);
            standing.is_transmitting && standing.is_throttled
        });
        let outcome = if is_throttled && !is_stopping {
            Outcome::Throttled
        } else {
            Outcome::Returned
        };
        let stranded = std::mem::take(&mut self.queue().ready);
        stranded
            .into_iter()
            .map(|submission| Event::Outcome {
                ticket: submission.ticket,
                outcome: outcome.clone(),
            })
            .collect()
    }
}

/// Nothing panics while it holds one of these locks, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports capacity and returns stranded messages until every link is done.
async fn supervise(shared: Arc<Shared>, mut links: JoinSet<()>, events: EventSender) {
    let mut announced = None;
    loop {
        let capacity = shared.capacity();
        let mut batch = Vec::new();
        if announced.as_ref() != Some(&capacity) {
            let (segments, health) = capacity.clone();
            batch.push(Event::Capacity { segments, health });
            announced = Some(capacity);
        }
        batch.extend(shared.strand());
        if !batch.is_empty() {
            // The engine is gone when this fails; the links notice too.
            let _ = events
                .send(EventBatch {
                    carrier: shared.number,
                    events: batch,
                })
                .await;
        }
        if links.is_empty() {
            return;
        }
        tokio::select! {
            () = shared.supervisor.notified() => {}
            Some(ended) = links.join_next() => {
                if let Err(error) = ended {
                    warn!(carrier = %shared.name, %error, "a link ended in a panic");
                }
            }
        }
    }
}
