//! What dispatch knows of a carrier: its policy, its room, and who is waiting for it.

use std::sync::Arc;

use postrider_carriers::{CarrierNo, Health, UnknownOutcome};
use postrider_core::clock::Millis;
use postrider_core::lifecycle::ReceiptParts;
use postrider_core::sid::Id;

use super::ring::Ring;
use super::{Dispatch, Effect, Reconfigured, Timer};
use crate::metrics::{MatchCounters, Metrics};

/// How long a carrier that refuses us is left alone before one message is tried again.
const HOLD_MS: Millis = 300_000;

/// The settings of a carrier that the engine, not the carrier, obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierPolicy {
    pub name: Arc<str>,
    /// Carriers of one group share the ids they give: all binds of one account at a carrier.
    pub group: Arc<str>,
    pub unknown_outcome: UnknownOutcome,
    pub receipt_parts: ReceiptParts,
    /// Every receipt is kept as it came, not only the strange ones.
    pub keep_receipts: bool,
}

#[derive(Debug)]
pub(super) struct CarrierState {
    pub(super) policy: CarrierPolicy,
    /// It left the configuration, or another one took its place: it only finishes what it has.
    pub(super) is_retired: bool,
    /// Segments it takes at once; 0 while no link is up.
    pub(super) limit: u32,
    /// Segments it has and has not answered for.
    pub(super) outstanding: u32,
    /// Lanes with a message that may go now.
    pub(super) ready: Ring,
    pub(super) hold: Hold,
    /// As the carrier last said.
    pub(super) health: Health,
    /// How its receipts found their messages.
    pub(super) matched: MatchCounters,
    /// Why it is held, in its own words.
    fault: Option<Box<str>>,
    is_health_news: bool,
}

/// A message on its way into a carrier's hands, and the room it takes there until it is answered or
/// turns back. Given back exactly once ([`Dispatch::give_back`]): what is not is missing for ever, and
/// a carrier without room is given nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandOver {
    pub(super) id: Id,
    pub(super) carrier: CarrierNo,
    pub(super) segments: u32,
}

/// Whether a carrier is spared because it refuses our account or our addresses as such: every
/// message would be refused like the first, and none of them is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    None,
    /// Nothing goes.
    Held,
    /// One message goes, to see whether the fault was mended.
    Probing,
}

impl CarrierState {
    pub(super) fn new(policy: CarrierPolicy, metrics: &Metrics) -> Self {
        Self {
            matched: metrics.match_counters(&policy.name),
            policy,
            is_retired: false,
            limit: 0,
            outstanding: 0,
            ready: Ring::default(),
            hold: Hold::None,
            health: Health::default(),
            fault: None,
            is_health_news: false,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        if self.is_retired {
            return false;
        }
        match self.hold {
            Hold::None => self.outstanding < self.limit,
            Hold::Held => false,
            Hold::Probing => self.outstanding == 0 && self.limit > 0,
        }
    }

    /// Nothing goes, and nobody knows until when.
    pub(super) fn is_away(&self) -> bool {
        self.is_retired || self.limit == 0 || self.hold == Hold::Held
    }

    pub(super) fn note_health(&mut self, health: Health) {
        self.health = health;
        self.is_health_news = true;
    }

    /// The carrier took a message, or refused one for its own sake: the fault is mended.
    pub(super) fn answers_well(&mut self) {
        if self.hold != Hold::None {
            tracing::info!(carrier = %self.policy.name, "the carrier takes messages again");
            self.lift();
        }
    }

    pub(super) fn lift(&mut self) {
        self.hold = Hold::None;
        self.is_health_news |= self.fault.take().is_some();
    }
}

impl Dispatch {
    /// Room for a message's segments at a carrier.
    pub(super) fn take_room(&mut self, id: Id, carrier: CarrierNo, segments: u16) -> HandOver {
        let segments = u32::from(segments.max(1));
        self.carriers[usize::from(carrier.0)].outstanding += segments;
        HandOver {
            id,
            carrier,
            segments,
        }
    }

    pub(super) fn give_back(&mut self, hand_over: HandOver) {
        let state = &mut self.carriers[usize::from(hand_over.carrier.0)];
        debug_assert!(state.outstanding >= hand_over.segments, "{hand_over:?}");
        state.outstanding = state.outstanding.saturating_sub(hand_over.segments);
    }

    /// Takes the carriers and routes as they are now, and moves what waits to where it belongs.
    pub(super) fn reconfigure(
        &mut self,
        reconfigured: Reconfigured,
        now_ms: Millis,
        effects: &mut Vec<Effect>,
    ) {
        let Reconfigured {
            routes,
            carriers,
            retired,
            paces,
        } = reconfigured;
        self.routes = routes.clone();
        self.take_limits(paces, routes, now_ms);
        self.ask_paces_again();
        let known = self.carriers.len();
        let mut policies = carriers.into_iter();
        for (state, policy) in self.carriers.iter_mut().zip(policies.by_ref().take(known)) {
            state.policy = policy;
            // Perhaps this is the cure.
            state.lift();
        }
        let metrics = &self.metrics;
        self.carriers
            .extend(policies.map(|policy| CarrierState::new(policy, metrics)));
        for carrier in retired {
            let Some(state) = self.carriers.get_mut(usize::from(carrier.0)) else {
                continue;
            };
            if !std::mem::replace(&mut state.is_retired, true) {
                state.ready = Ring::default();
                effects.push(Effect::Retire(carrier));
            }
        }
        self.reroute(now_ms);
    }

    /// The carrier refuses us, not a message: hold its queue and tell the operator, once.
    pub(super) fn hold(&mut self, carrier: CarrierNo, detail: &str, now_ms: Millis) {
        let state = &mut self.carriers[usize::from(carrier.0)];
        if state.hold == Hold::Held {
            return;
        }
        if state.fault.is_none() {
            tracing::error!(
                carrier = %state.policy.name,
                detail,
                "the carrier refuses our configuration; its queue is held and tried every 5 minutes"
            );
        }
        state.hold = Hold::Held;
        state.fault = Some(detail.into());
        state.is_health_news = true;
        self.timers
            .insert((now_ms + HOLD_MS, Timer::Probe(carrier)));
    }

    pub(super) fn probe(&mut self, carrier: CarrierNo) {
        let state = &mut self.carriers[usize::from(carrier.0)];
        if state.hold == Hold::Held {
            state.hold = Hold::Probing;
        }
    }

    /// Passes on what changed in the carriers' states.
    pub(super) fn tell_health(&mut self, effects: &mut Vec<Effect>) {
        for (state, number) in self.carriers.iter_mut().zip(0..) {
            // A successor of the same name speaks for a carrier that is retired.
            if std::mem::take(&mut state.is_health_news) && !state.is_retired {
                let mut health = state.health.clone();
                health.config_fault = health.config_fault.or_else(|| state.fault.clone());
                effects.push(Effect::Health {
                    carrier: CarrierNo(number),
                    health,
                });
            }
        }
    }
}
