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
    spilled: u64,
}

/// What was offered since the last time.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) jobs: Vec<Job>,
    /// How many more did not fit.
    pub(super) spilled: u64,
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
        state.spilled += jobs.len().saturating_sub(room) as u64;
        if state.jobs.is_empty() && jobs.len() <= room {
            state.jobs = jobs;
        } else {
            state.jobs.extend(jobs.into_iter().take(room));
        }
        drop(state);
        self.offered.notify_one();
    }

    pub(super) fn take(&self) -> Offered {
        let State { jobs, spilled } = std::mem::take(&mut *self.state.lock());
        Offered { jobs, spilled }
    }
}
