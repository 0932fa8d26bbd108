//! Polite stops: nothing is asked of the process any more, carriers have a while for their last answers,
//! and it ends as soon as all that it owes is on disk.

use postrider_core::clock::{Clock as _, Millis};
use postrider_engine::dispatch::Input;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Action, Process, World};
use crate::carrier::Carrier;

/// As the binary has it.
const GRACE_MS: Millis = 10_000;

/// A new process finds the carriers there.
const RESTART_MS: Millis = 100;

impl World {
    /// In one seed of three, so that the others keep the life they had. While a message is on its way,
    /// for that is when a stop has to take care.
    pub(super) fn plan_stops(&mut self) {
        if !self.seed.is_multiple_of(3) {
            return;
        }
        let mut rng = StdRng::seed_from_u64(!self.seed);
        let planned = self.plan.iter();
        let requests = planned.filter(|(_, action)| matches!(action, Action::Request));
        let requests: Vec<Millis> = requests.map(|((at_ms, _), _)| *at_ms).collect();
        for _ in 0..rng.random_range(1..6) {
            let at_ms = requests[rng.random_range(0..requests.len())];
            self.plan(at_ms + rng.random_range(0..100), Action::Stop);
        }
    }

    /// The process, unless it is stopping.
    pub(super) fn serving(&mut self) -> Option<&mut Process> {
        self.process.as_mut().filter(|process| !process.is_stopping)
    }

    pub(super) fn stop(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(process) = self.serving() else {
            return;
        };
        process.is_stopping = true;
        process.inputs.insert(0, Input::Stop);
        self.plan(now_ms + GRACE_MS, Action::GraceOver);
    }

    /// The links close, and what was not answered is unknown.
    pub(super) fn grace_over(&mut self) {
        let now_ms = self.clock.now_ms();
        for index in 0..self.carriers.len() {
            let mut events = Vec::new();
            self.carriers[index].disconnect(RESTART_MS, now_ms, &mut events);
            self.tell(index, events);
        }
    }

    pub(super) fn end_when_quiet(&mut self) {
        let Some(process) = &self.process else {
            return;
        };
        let owes_nothing = process.mailbox.is_empty()
            && !process.is_flushing
            && process.inputs.is_empty()
            && self.carriers.iter().all(Carrier::is_idle);
        if process.is_stopping && owes_nothing {
            assert!(process.dispatch.is_quiet(), "a stop waits for nothing");
            self.report.stops += 1;
            self.end_process();
        }
    }
}
