//! A lane: the events of one message at one endpoint, which go out one at a time and in order.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::sid::Id;
use smallvec::SmallVec;

use super::endpoints::EndpointNo;
use crate::webhooks::job::{Event, Job};
use crate::webhooks::url::Target;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LaneKey {
    pub(super) endpoint: EndpointNo,
    pub(super) id: Id,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    /// By event, so that a job offered late still goes out before its successors.
    waiting: SmallVec<[Waiting; 1]>,
    pub(super) has_turn: bool,
    pub(super) is_in_flight: bool,
}

/// A job not yet tried.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) job: Arc<Job>,
    pub(super) target: Arc<Target>,
    pub(super) gives_up_ms: Millis,
}

impl Lane {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn insert(&mut self, waiting: Waiting) {
        let event = waiting.job.event;
        let at = self
            .waiting
            .partition_point(|other| other.job.event < event);
        self.waiting.insert(at, waiting);
    }

    pub(super) fn take_first(&mut self) -> Option<Waiting> {
        (!self.waiting.is_empty()).then(|| self.waiting.remove(0))
    }

    pub(super) fn remove(&mut self, event: Event) -> Option<Waiting> {
        let at = self
            .waiting
            .iter()
            .position(|waiting| waiting.job.event == event);
        at.map(|at| self.waiting.remove(at))
    }
}
