//! The task around the scheduler: carries jobs in, attempts out to the client, and reports back.
//!
//! It owns every attempt in flight. All it holds is bounded: offers by the inbox, jobs and attempts
//! by the scheduler's limits, and while the engine does not take reports, it starts nothing new.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};
use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::alarm::{Alarm, Last, Sent};
use super::client::Client;
use super::config::Config;
use super::failure::AttemptFailure;
use super::idempotency::TokenSecret;
use super::inbox::Inbox;
use super::job::{Answered, Job, Report};
use super::record::{AttemptRecord, Observer};
use super::scheduler::{Attempt, AttemptId, AttemptResult, Load, Scheduler};

/// With so many reports not taken, nothing new is started.
const REPORTS_PENDING_MAX: usize = 4096;
/// How often idle connections are closed and aged jobs given up.
const TICK: Duration = Duration::from_secs(1);

/// What the webhooks are connected to.
pub struct Wiring {
    pub clock: Arc<dyn Clock>,
    pub client: Arc<Client>,
    pub secret: TokenSecret,
    pub observer: Arc<dyn Observer>,
    pub alarm: Alarm,
    /// Takes the reports. When its other end is dropped, the webhooks end.
    pub reports: mpsc::Sender<Vec<Report>>,
}

/// The way to the webhooks. Clones are the same webhooks.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: Arc<Inbox>,
    load: Arc<Mutex<Load>>,
    /// Taken by the first shutdown.
    running: Arc<Mutex<Option<Running>>>,
}

#[derive(Debug)]
struct Running {
    shutdown: oneshot::Sender<Instant>,
    task: JoinHandle<()>,
}

impl Handle {
    /// Offers jobs whose events are committed as due. Never waits: what does not fit is reported as
    /// overflow and asked for again later. Events already in memory are ignored.
    pub fn offer(&self, jobs: Vec<Job>) {
        self.inbox.offer(jobs);
    }

    pub fn load(&self) -> Load {
        *self.load.lock()
    }

    /// Starts nothing new, waits for what is in flight (but no longer than `grace`), and hands the
    /// last reports over. What did not finish stays due in the store.
    pub async fn shutdown(&self, grace: Duration) {
        let running = self.running.lock().take();
        if let Some(Running { shutdown, task }) = running {
            // If it has ended already, there is nobody to tell.
            let _ = shutdown.send(Instant::now() + grace);
            let _ = task.await;
        }
    }
}

/// Starts the webhooks.
pub fn spawn(config: &Config, wiring: Wiring) -> Handle {
    let limits = config.limits();
    let inbox = Arc::new(Inbox::new(limits.queue));
    let load = Arc::new(Mutex::default());
    let shell = Shell {
        inbox: inbox.clone(),
        load: load.clone(),
        scheduler: Scheduler::new(limits),
        wiring: Arc::new(wiring),
        attempts: JoinSet::new(),
        attempt_of: FxHashMap::default(),
        starting: Vec::new(),
        pending: Vec::new(),
    };
    let (shutdown, told) = oneshot::channel();
    let task = tokio::spawn(shell.run(told));
    let running = Arc::new(Mutex::new(Some(Running { shutdown, task })));
    Handle {
        inbox,
        load,
        running,
    }
}

struct Shell {
    inbox: Arc<Inbox>,
    load: Arc<Mutex<Load>>,
    scheduler: Scheduler,
    wiring: Arc<Wiring>,
    /// The attempts in flight; dropping it aborts them.
    attempts: JoinSet<Landed>,
    /// To know which attempt a task was that panicked.
    attempt_of: FxHashMap<task::Id, AttemptId>,
    /// Empty between steps; kept for its room.
    starting: Vec<Attempt>,
    /// Reports not yet taken by the engine.
    pending: Vec<Report>,
}

/// An attempt that is over.
struct Landed {
    id: AttemptId,
    result: AttemptResult,
    told: Told,
}

/// What is kept of an attempt beside its result.
enum Told {
    Nothing,
    /// It failed.
    Last(Box<Last>),
    /// It was answered, and that matters.
    Answered(Box<Answered>),
}

type Joined = Result<(task::Id, Landed), task::JoinError>;

impl Shell {
    async fn run(mut self, mut told: oneshot::Receiver<Instant>) {
        let reports = self.wiring.reports.clone();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_stuck = self.pending.len() >= REPORTS_PENDING_MAX;
            if !is_stuck {
                self.start_attempts();
            }
            tokio::select! {
                permit = reports.reserve(), if !self.pending.is_empty() => match permit {
                    Ok(permit) => permit.send(std::mem::take(&mut self.pending)),
                    Err(_) => return,
                },
                Some(joined) = self.attempts.join_next_with_id() => self.land_all(joined),
                () = self.inbox.offered.notified(), if !is_stuck => self.take_offers(),
                _ = tick.tick() => self.wiring.client.sweep(),
                // An error: every handle is gone, so nobody will offer anything again.
                deadline = &mut told => {
                    return self.end(deadline.unwrap_or_else(|_| Instant::now())).await;
                }
            }
        }
    }

    fn take_offers(&mut self) {
        let offered = self.inbox.take();
        let now_ms = self.wiring.clock.now_ms();
        for job in offered.jobs {
            self.scheduler.offer(job, now_ms);
        }
        if offered.spilled > 0 {
            self.scheduler.spill(offered.spilled);
        }
        self.raise_failed(None);
    }

    fn start_attempts(&mut self) {
        self.scheduler
            .poll(self.wiring.clock.now_ms(), &mut self.starting);
        self.raise_failed(None);
        for attempt in self.starting.drain(..) {
            let id = attempt.id;
            let task = self.attempts.spawn(make(attempt, self.wiring.clone()));
            self.attempt_of.insert(task.id(), id);
        }
        self.scheduler.drain_reports(&mut self.pending);
        *self.load.lock() = self.scheduler.load();
    }

    /// Takes this result and all others that are there.
    fn land_all(&mut self, joined: Joined) {
        let now_ms = self.wiring.clock.now_ms();
        let mut next = Some(joined);
        while let Some(joined) = next {
            let landed = match joined {
                Ok((task, landed)) => {
                    self.attempt_of.remove(&task);
                    Some(landed)
                }
                Err(error) => {
                    tracing::error!(%error, "an attempt at a webhook has panicked");
                    let id = self.attempt_of.remove(&error.id());
                    id.map(|id| Landed {
                        id,
                        result: Err(AttemptFailure::Abandoned),
                        told: Told::Nothing,
                    })
                }
            };
            if let Some(landed) = landed {
                self.land(landed, now_ms);
            }
            next = self.attempts.try_join_next_with_id();
        }
        self.scheduler.drain_reports(&mut self.pending);
    }

    fn land(&mut self, landed: Landed, now_ms: Millis) {
        let Landed { id, result, told } = landed;
        let last = match told {
            Told::Nothing => None,
            Told::Last(last) => Some(last),
            Told::Answered(answered) => {
                self.pending.push(Report::Answered(answered));
                None
            }
        };
        self.scheduler.on_result(id, result, now_ms);
        self.raise_failed(last.as_deref());
    }

    /// `last` is the attempt by which a job has failed just now.
    fn raise_failed(&mut self, last: Option<&Last>) {
        for (job, outcome) in self.scheduler.drain_failed() {
            self.wiring.alarm.ended(&job, outcome, last);
        }
    }

    async fn end(mut self, deadline: Instant) {
        let last_words = async {
            while let Some(joined) = self.attempts.join_next_with_id().await {
                self.land_all(joined);
            }
        };
        // Past the deadline, what is still in flight stays due and is made again.
        let _ = timeout_at(deadline, last_words).await;
        self.attempts.abort_all();
        if !self.pending.is_empty() {
            let reports = self.wiring.reports.send(std::mem::take(&mut self.pending));
            // Not waiting at all would lose them when the deadline was spent on the attempts.
            let deadline = deadline.max(Instant::now() + TICK);
            let _ = timeout_at(deadline, reports).await;
        }
    }
}

async fn make(attempt: Attempt, wiring: Arc<Wiring>) -> Landed {
    let Attempt {
        id,
        number,
        job,
        timeouts,
        target,
    } = attempt;
    let token = wiring.secret.token(job.event);
    let started_ms = wiring.clock.now_ms();
    let attempted = wiring.client.attempt(&job, &target, timeouts, &token).await;
    wiring.observer.attempted(&AttemptRecord {
        job: &job,
        number,
        request: &attempted.request,
        redirects: attempted.redirects,
        started_ms,
        finished_ms: wiring.clock.now_ms(),
        result: attempted.result,
        invalid_overrides: &target.invalid_overrides,
    });
    for invalid in &target.invalid_overrides {
        wiring.alarm.overridden(&job, invalid);
    }
    let (result, sent) = (attempted.result, attempted.request);
    let told = match attempted.response {
        response if result.is_err() => Told::Last(Box::new(Last {
            sent: Sent::from(sent),
            response,
        })),
        Some(response) if job.event.wants_answer() => Told::Answered(Box::new(Answered {
            job,
            response,
            sent: Sent::from(sent),
        })),
        Some(_) | None => Told::Nothing,
    };
    Landed { id, result, told }
}
