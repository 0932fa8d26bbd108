//! What dispatch reads from the store: the answer comes later, perhaps stale, or the read fails.

use postrider_core::clock::Clock;
use postrider_engine::dispatch::{Effect, Input, find_others, find_receipted};
use postrider_store::{Result, Store};
use rand::Rng;

use super::{Action, START_MS, TROUBLE_MS, World};

impl World {
    pub(super) fn read(&mut self, effect: Effect) {
        let Some(process) = &self.process else {
            return;
        };
        let answer = look_up(&*process.store, effect).expect("the store reads");
        if let Some((load, answer)) = answer {
            self.answer_read(load, answer);
        }
    }

    fn answer_read(&mut self, load: u64, answer: Input) {
        let is_trouble = self.clock.now_ms() < START_MS + TROUBLE_MS;
        let input = if is_trouble && self.rng.random_bool(0.05) {
            Input::ReadFailed { load }
        } else {
            answer
        };
        self.plan_in(0..60, Action::Answer(Box::new(input)));
    }
}

/// The number of the read and its answer; `None` for what is no read.
fn look_up(store: &dyn Store, effect: Effect) -> Result<Option<(u64, Input)>> {
    let answer = match effect {
        Effect::Refill {
            load,
            sender,
            after,
            limit,
        } => {
            let messages = store.queued(sender, after, limit)?;
            (load, Input::Refilled { load, messages })
        }
        Effect::Expiring {
            load,
            before_ms,
            after,
            limit,
        } => {
            let messages = store.expiring(before_ms, after, limit)?;
            (load, Input::Expiring { load, messages })
        }
        Effect::Unshelved {
            load,
            sender,
            after,
            limit,
        } => {
            let ids = store.unshelved(sender, after, limit)?;
            (load, Input::Unshelved { load, ids })
        }
        Effect::Find {
            load,
            keys,
            first,
            to,
            since_ms,
        } => {
            let found = find_receipted(store, &keys, first, to.as_deref(), since_ms)?;
            (load, Input::Found { load, found })
        }
        Effect::Others {
            load,
            account,
            to,
            limit,
        } => {
            let messages = find_others(store, account, &to, limit)?;
            (load, Input::Others { load, messages })
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}
