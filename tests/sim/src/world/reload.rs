//! Reloads: the operator prefers another carrier, does without one, or puts a new one in its place.
//!
//! What left the configuration brings its answers and receipts all the same, and is told nothing more.

use std::sync::Arc;

use postrider_carriers::CarrierNo;
use postrider_core::clock::Clock;
use postrider_core::lifecycle::ReceiptParts;
use postrider_core::pacing::Rate;
use postrider_core::route::{Route, Routes};
use postrider_engine::dispatch::{CarrierPolicy, Input, Reconfigured};
use rand::Rng;

use super::World;
use crate::carrier::Carrier;

impl World {
    /// Of two destinations, each prefers another carrier if there are several.
    pub(super) fn routes(&self) -> Arc<Routes> {
        let mut others = self.routed.clone();
        others.rotate_left(1);
        let route = |destination: &str, carriers, rate| Route {
            destination: destination.to_owned(),
            carriers,
            rate: Rate::per_second(rate),
            ..Route::default()
        };
        let [british, others_rate] = self.shared.routes;
        Arc::new(Routes(vec![
            route("44", others, british),
            route("", self.routed.clone(), others_rate),
        ]))
    }

    /// For the oracle, which asks what a message waited for.
    pub(super) fn note_routes(&mut self) {
        let now_ms = self.clock.now_ms();
        let others = self.routed.get(1).unwrap_or(&self.routed[0]);
        let first = [self.routed[0], *others].map(CarrierNo);
        self.routed_since.push((now_ms, first));
    }

    /// Of every carrier there ever was.
    pub(super) fn policies(&self) -> Vec<CarrierPolicy> {
        let policy = |carrier: &Carrier| {
            let name: Arc<str> = format!("carrier {}", carrier.no.0).into();
            CarrierPolicy {
                name: name.clone(),
                group: name,
                unknown_outcome: self.policy,
                receipt_parts: ReceiptParts::All,
                keep_receipts: false,
            }
        };
        self.carriers.iter().map(policy).collect()
    }

    pub(super) fn reload(&mut self) {
        let new = CarrierNo(self.carriers.len().try_into().expect("few carriers"));
        match self.rng.random_range(0..4) {
            0 => self.routed.rotate_left(1),
            1 if self.routed.len() > 1 => drop(self.routed.pop()),
            2 => self.routed[0] = new.0,
            _ => self.routed.insert(0, new.0),
        }
        let is_new = self.routed.contains(&new.0);
        if is_new {
            self.carriers.push(Carrier::new(new, false));
        }
        let now_ms = self.clock.now_ms();
        self.upheavals.push(now_ms);
        self.note_routes();
        for carrier in &mut self.carriers {
            carrier.lift(now_ms);
        }
        let (routes, carriers) = (self.routes(), self.policies());
        let paces = self.paces();
        let numbers = self.carriers.iter().map(|carrier| carrier.no);
        let retired = numbers.filter(|no| !self.routed.contains(&no.0)).collect();
        let Some(process) = &mut self.process else {
            // The next start finds the new configuration.
            return;
        };
        process.acceptor.routes.store(routes.clone());
        process.inputs.push(Input::Reconfigured(Reconfigured {
            routes,
            carriers,
            retired,
            paces,
        }));
        if is_new {
            let hello = self.carriers[usize::from(new.0)].hello();
            self.tell(usize::from(new.0), vec![hello]);
        }
    }
}
