//! Where offered jobs wait for the scheduler's task: bounded, and never blocking the offerer.

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::job::Job;

#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Told after each offer; the scheduler's task waits on it.
    pub(super) offered: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: Vec<Job>,
    has_spilled: bool,
}

/// What was offered since the last time.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) jobs: Vec<Job>,
    /// Some did not fit.
    pub(super) has_spilled: bool,
}

impl Inbox {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            offered: Notify::new(),
            capacity,
        }
    }

    pub(super) fn offer(&self, jobs: Vec<Job>) {
        let mut state = self.state.lock();
        let room = self.capacity.saturating_sub(state.jobs.len());
        state.has_spilled |= jobs.len() > room;
        if state.jobs.is_empty() && jobs.len() <= room {
            state.jobs = jobs;
        } else {
            state.jobs.extend(jobs.into_iter().take(room));
        }
        drop(state);
        self.offered.notify_one();
    }

    pub(super) fn take(&self) -> Offered {
        let State { jobs, has_spilled } = std::mem::take(&mut *self.state.lock());
        Offered { jobs, has_spilled }
    }
}
