//! The events in memory, and the last ones that are done.
//!
//! The engine offers again what the store says is due, and that read may be older than the last
//! reports. So an event stays known for a while after it is done, or it would be called twice.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

use crate::webhooks::job::Event;

/// Events remembered after they are done: at 20,000 a second, three seconds' worth, in 4 MiB.
const DONE_MAX: usize = 65_536;

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    events: FxHashSet<Event>,
    /// Those of `events` that are done, oldest first.
    done: VecDeque<Event>,
}

impl Known {
    pub(super) fn contains(&self, event: Event) -> bool {
        self.events.contains(&event)
    }

    pub(super) fn insert(&mut self, event: Event) {
        self.events.insert(event);
    }

    pub(super) fn finish(&mut self, event: Event) {
        self.events.insert(event);
        self.done.push_back(event);
        if self.done.len() > DONE_MAX
            && let Some(oldest) = self.done.pop_front()
        {
            self.events.remove(&oldest);
        }
    }
}
