//! The simulated carrier: a network and its handsets in the binary, scriptable by destination number.
//!
//! For `postrider dev`, for applications' test suites, for the engine's own simulations and for
//! benchmarks. [`World`] is the carrier as a value; [`SimulatorCarrier`] is the task around it that
//! speaks the same contract as SMPP; [`SimulatorHandle`] gives it orders and looks at its handsets.
//! Ruled by `docs/simulator.md`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_core::clock::{Clock, Millis};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::contract::{AckToken, Carrier, CarrierNo, EventBatch, EventSender, Submission};

mod config;
mod handset;
mod recipients;
mod rule;

mod due;
mod links;
mod notice;
mod pace;
mod random;
mod world;

#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError, Odds};
pub use handset::HandsetMessage;
pub use recipients::{Digits, Recipients, RecipientsError};
pub use rule::{Behavior, Rule, Unanswered};
pub use world::{ReplyError, World};

/// The longest sleep, so that a clock that was set back costs little.
const SLEEP_MAX_MS: u64 = 60_000;

/// A simulated carrier at work. Dropping it stops it at once.
pub struct SimulatorCarrier {
    shared: Arc<Shared>,
}

/// Gives a simulated carrier orders and looks at its handsets. Cheap to clone.
#[derive(Clone)]
pub struct SimulatorHandle {
    shared: Arc<Shared>,
}

struct Shared {
    number: CarrierNo,
    clock: Arc<dyn Clock>,
    /// Everything there is. Locked for moments, never across an await.
    world: Mutex<World>,
    /// Woken when the world may have something to say, or is due earlier.
    wake: Notify,
}

impl SimulatorCarrier {
    /// Checks the configuration and starts the carrier on the current tokio runtime. `seed` is to be
    /// another one in each process, see [`World::new`].
    pub fn start(
        number: CarrierNo,
        config: &Config,
        clock: Arc<dyn Clock>,
        seed: u64,
        events: EventSender,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let world = World::new(config, seed.wrapping_add(number.0.into()));
        let shared = Arc::new(Shared {
            number,
            clock,
            world: Mutex::new(world),
            wake: Notify::new(),
        });
        tokio::spawn(shared.clone().run(events));
        Ok(Self { shared })
    }

    pub fn handle(&self) -> SimulatorHandle {
        SimulatorHandle {
            shared: self.shared.clone(),
        }
    }
}

impl Carrier for SimulatorCarrier {
    fn submit(&self, batch: Vec<Submission>) {
        self.shared.tell(|world, now_ms| {
            for submission in batch {
                world.submit(submission, now_ms);
            }
        });
    }

    fn acknowledge(&self, tokens: Vec<AckToken>) {
        // Nothing to say to that, so nobody is woken.
        let mut world = self.shared.world();
        for token in tokens {
            world.acknowledge(token);
        }
    }

    fn shut_down(&self, grace: Duration) {
        let grace_ms = Millis::try_from(grace.as_millis()).unwrap_or(Millis::MAX);
        self.shared
            .tell(|world, now_ms| world.shut_down(grace_ms, now_ms));
    }
}

impl Drop for SimulatorCarrier {
    fn drop(&mut self) {
        self.shut_down(Duration::ZERO);
    }
}

impl SimulatorHandle {
    /// From now on messages to these handsets fare so.
    pub fn set_rule(&self, rule: Rule) {
        self.shared
            .tell(|world, now_ms| world.set_rule(rule, now_ms));
    }

    /// The rules in force, newest first, each with the times it has left.
    pub fn rules(&self) -> Vec<Rule> {
        self.shared.world().rules()
    }

    pub fn clear_rules(&self) {
        self.shared.world().clear_rules();
    }

    /// What a handset saw, newest first.
    pub fn handset(&self, number: PhoneNumber) -> Vec<HandsetMessage> {
        self.shared.world().handset(number)
    }

    /// Sends a text from a handset to one of our senders.
    pub fn reply(
        &self,
        from: PhoneNumber,
        to: &SenderAddress,
        text: &str,
    ) -> Result<(), ReplyError> {
        self.shared
            .tell(|world, now_ms| world.reply(from, to, text, now_ms))
    }

    /// Drops the links for a while.
    pub fn down(&self, for_ms: u32) {
        self.shared
            .tell(|world, now_ms| world.go_down(for_ms, now_ms));
    }
}

impl Shared {
    /// Carries events to the engine until the carrier is closed or the engine gone. When the channel
    /// is full, the world waits.
    async fn run(self: Arc<Self>, events: EventSender) {
        loop {
            let mut batch = Vec::new();
            let now_ms = self.clock.now_ms();
            let (deadline_ms, is_closed) = {
                let mut world = self.world();
                world.poll(now_ms, &mut batch);
                (world.next_deadline(), world.is_closed())
            };
            if !batch.is_empty() {
                let batch = EventBatch {
                    carrier: self.number,
                    events: batch,
                };
                if events.send(batch).await.is_err() {
                    return;
                }
                continue;
            }
            if is_closed {
                return;
            }
            let wait_ms = deadline_ms.map_or(SLEEP_MAX_MS, |at_ms| {
                u64::try_from(at_ms.saturating_sub(now_ms))
                    .unwrap_or(0)
                    .min(SLEEP_MAX_MS)
            });
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep(Duration::from_millis(wait_ms)) => {}
            }
        }
    }

    /// Lets the world change, and the task see to what came of it.
    fn tell<T>(&self, change: impl FnOnce(&mut World, Millis) -> T) -> T {
        let now_ms = self.clock.now_ms();
        let told = change(&mut self.world(), now_ms);
        self.wake.notify_one();
        told
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // The world is whole between any two of its calls, so a poisoned lock is as good as any.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
