//! Decides which attempt is made when: a plain value, without clock, tasks or chance.
//!
//! Time comes in as an argument, attempts and reports go out as values, and the same calls give the
//! same answers, so a simulation can drive it. It promises:
//!
//! - A server (scheme, host, port) has at most `per_endpoint_concurrency` attempts in flight, all
//!   servers together at most `concurrency`. An endpoint is a server as one account calls it. Accounts
//!   take turns, then an account's endpoints, then an endpoint's messages in the order in which they
//!   were offered.
//! - Endpoints that hang leave room for the others. An endpoint starts with a few slots, earns more
//!   by answering and loses half by each hang. And neither an account nor, within it, an endpoint may
//!   use more of what is shared than in proportion to what is still free (the "dynamic threshold" that
//!   network switches share buffers by). So hosts are no way to get more than other accounts.
//! - Events of one message go out one at a time, by rank, and the next waits no longer than the
//!   time budget of the one before.
//! - Every job that is kept is finished exactly once; one that is not kept is reported as overflow.

mod accounts;
mod endpoints;
mod lane;
mod targets;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::sid::AccountSid;
use rustc_hash::{FxHashMap, FxHashSet};

use self::accounts::Accounts;
use self::endpoints::{EndpointNo, Endpoints, Standing};
use self::lane::{Lane, LaneKey, Waiting};
use self::targets::Targets;
use super::failure::{AttemptFailure, FailureClass};
use super::job::{Backlog, Event, Finished, Job, Outcome, Report};
use super::url::Target;
use crate::recent::Recent;

/// The bounds that a scheduler keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts in flight, over all endpoints.
    pub concurrency: usize,
    /// Attempts in flight to one endpoint.
    pub per_endpoint_concurrency: usize,
    /// Jobs waiting in memory, over all endpoints.
    pub queue: usize,
    /// Jobs of one account for one endpoint waiting in memory.
    pub per_endpoint_queue: usize,
    /// Age at which a job that was not tried yet is given up.
    pub age_ms_max: Millis,
}

/// Slots of an endpoint that has not answered yet, and of one that keeps hanging. At the default
/// limit of 1024, 90 dead endpoints of an account find place beside each other.
const ALLOWANCE_MIN: usize = 8;

/// An account may have in flight, and waiting, so many times what is free. Alone it gets three
/// quarters: 768 slots of 1024. Of `n` greedy accounts each gets 3/(3n + 1) and 1/(3n + 1) is left, so
/// that beside ten of them a newcomer still finds 33 slots.
const ACCOUNT_SHARE: usize = 3;

/// An endpoint's jobs may take one part in so many of its account's room in the queue: an eighth, so
/// that it takes some eighty dead endpoints to fill 50,000 places.
const QUEUE_SHARE: usize = 8;

/// Names one attempt; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// One request to make, now.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub id: AttemptId,
    /// From 1.
    pub number: u8,
    pub job: Arc<Job>,
    pub timeouts: Timeouts,
    pub(super) target: Arc<Target>,
}

/// What one attempt may take. Whoever makes the attempt keeps these: each attempt has a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection is there, TLS included.
    pub connect_ms: u32,
    /// From the request to the answer's head.
    pub read_ms: u32,
    pub total_ms: u32,
}

/// What became of one attempt: the answer's 2xx status, or why there is none.
pub type AttemptResult = Result<u16, AttemptFailure>;

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Jobs not yet tried.
    pub waiting: usize,
    pub in_flight: usize,
    pub endpoints: usize,
    /// Endpoints whose queue is full.
    pub overflowed: usize,
    /// Offers not kept, ever.
    pub dropped_total: u64,
}

#[derive(Clone, Debug)]
pub struct Scheduler {
    limits: Limits,
    /// Waiting or in flight.
    known: FxHashSet<Event>,
    done: Recent<Event>,
    targets: Targets,
    endpoints: Endpoints,
    accounts: Accounts,
    lanes: FxHashMap<LaneKey, Lane>,
    /// When each waiting job is given up.
    ages: BTreeSet<(Millis, Event, EndpointNo)>,
    /// Accounts to look at, by their turn.
    ready: VecDeque<AccountSid>,
    /// Accounts that could send if others had less in flight, by their turn.
    starved: VecDeque<AccountSid>,
    /// Endpoints that have overflowed, in that order.
    overflowed: Vec<EndpointNo>,
    /// Accounts that have spilled, in that order.
    spilled: Vec<AccountSid>,
    /// Offers were not kept for want of room for any account.
    has_spilled: bool,
    flights: FxHashMap<AttemptId, Flight>,
    /// To be repeated at once; they keep their slot.
    retries: VecDeque<Flight>,
    next_attempt: u64,
    waiting: usize,
    in_flight: usize,
    dropped_total: u64,
    reports: Vec<Report>,
    failed: Vec<(Arc<Job>, Outcome)>,
}

#[derive(Clone, Debug)]
struct Flight {
    lane: LaneKey,
    job: Arc<Job>,
    target: Arc<Target>,
    /// Attempts made before the one in flight.
    attempts: u8,
    first_ms: Millis,
}

impl Scheduler {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            known: FxHashSet::default(),
            done: Recent::default(),
            targets: Targets::default(),
            endpoints: Endpoints::default(),
            accounts: Accounts::default(),
            lanes: FxHashMap::default(),
            ages: BTreeSet::new(),
            ready: VecDeque::new(),
            starved: VecDeque::new(),
            overflowed: Vec::new(),
            spilled: Vec::new(),
            has_spilled: false,
            flights: FxHashMap::default(),
            retries: VecDeque::new(),
            next_attempt: 0,
            waiting: 0,
            in_flight: 0,
            dropped_total: 0,
            reports: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Takes a job. Ignores an event that is in memory already or was done lately.
    pub fn offer(&mut self, job: Job, now_ms: Millis) {
        let event = job.event;
        if self.known.contains(&event) || self.done.contains(event) {
            return;
        }
        let Ok(target) = self.targets.get(&job.url) else {
            self.fail(Arc::new(job), Outcome::Misconfigured);
            return;
        };
        let gives_up_ms = job.due_ms.saturating_add(self.limits.age_ms_max);
        if gives_up_ms <= now_ms {
            self.fail(Arc::new(job), Outcome::TooOld);
            return;
        }
        let account = job.account;
        let room = self.room(account);
        if room == 0 {
            self.spill_account(account);
            return;
        }
        let (no, is_new) = self
            .endpoints
            .of(account, &target.authority, self.allowance_min());
        if is_new {
            self.accounts.of(account).endpoints += 1;
        }
        if self.endpoints[no].has_overflowed || self.endpoints[no].waiting >= self.share(room) {
            self.drop_offer(no);
            return;
        }
        self.known.insert(event);
        self.ages.insert((gives_up_ms, event, no));
        self.endpoints[no].waiting += 1;
        self.accounts[account].waiting += 1;
        self.waiting += 1;
        let key = LaneKey {
            endpoint: no,
            id: event.lane(),
        };
        let lane = self.lanes.entry(key).or_default();
        lane.insert(Waiting {
            job: Arc::new(job),
            target,
            gives_up_ms,
        });
        if !lane.is_in_flight && !lane.has_turn {
            lane.has_turn = true;
            self.endpoints[no].turns.push_back(key.id);
            self.make_ready(no);
        }
    }

    /// Notes that offers of whichever account were not kept.
    pub fn spill(&mut self, offers: u64) {
        self.dropped_total += offers;
        if !self.has_spilled {
            self.has_spilled = true;
            self.reports.push(Report::Overflowed {
                backlog: Backlog::Everyone,
            });
        }
    }

    /// Appends the attempts to make now.
    pub fn poll(&mut self, now_ms: Millis, attempts: &mut Vec<Attempt>) {
        self.give_up_aged(now_ms);
        while let Some(flight) = self.retries.pop_front() {
            attempts.push(self.start(flight, now_ms));
        }
        while let Some(account) = self.starved.pop_back() {
            self.accounts[account].standing = Standing::Ready;
            self.ready.push_front(account);
            if self.slots_left(account) > 0 {
                self.wake_starved(account);
            }
        }
        while let Some(account) = self.ready.pop_front() {
            match self.next_endpoint(account) {
                Next::Endpoint(no) => {
                    attempts.extend(self.take_turn(no, now_ms));
                    self.ready.push_back(account);
                    if self.endpoints[no].turns.is_empty() {
                        self.endpoints[no].standing = Standing::Idle;
                        self.forget_idle(no);
                    } else {
                        self.accounts[account].ready.push_back(no);
                    }
                }
                Next::Starved => {
                    self.accounts[account].standing = Standing::Starved;
                    self.starved.push_back(account);
                }
                Next::Idle => {
                    self.accounts[account].standing = Standing::Idle;
                    self.accounts.forget_idle(account);
                }
            }
        }
        self.ask_for_refills();
    }

    /// Takes the result of an attempt. A result that comes twice is ignored.
    pub fn on_result(&mut self, id: AttemptId, result: AttemptResult, now_ms: Millis) {
        let Some(flight) = self.flights.remove(&id) else {
            return;
        };
        self.adapt(flight.lane.endpoint, result);
        match result {
            Ok(status) => {
                self.land(flight.lane);
                self.finish(flight.job.event, Outcome::Answered { status });
            }
            Err(failure) if flight.wants_retry(failure, now_ms) => {
                self.retries.push_back(flight);
            }
            Err(failure) => {
                self.land(flight.lane);
                self.fail(flight.job, Outcome::Failed(failure));
            }
        }
    }

    /// When to poll next if nothing else happens: the next job is given up then.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.ages.first().map(|&(gives_up_ms, _, _)| gives_up_ms)
    }

    /// Moves what happened since the last call to the end of `reports`.
    pub fn drain_reports(&mut self, reports: &mut Vec<Report>) {
        reports.append(&mut self.reports);
    }

    /// Jobs that have failed for good since the last call.
    pub fn drain_failed(&mut self) -> std::vec::Drain<'_, (Arc<Job>, Outcome)> {
        self.failed.drain(..)
    }

    pub fn load(&self) -> Load {
        Load {
            waiting: self.waiting,
            in_flight: self.in_flight,
            endpoints: self.endpoints.len(),
            overflowed: self.overflowed.len(),
            dropped_total: self.dropped_total,
        }
    }

    fn allowance_min(&self) -> usize {
        self.limits.per_endpoint_concurrency.min(ALLOWANCE_MIN)
    }

    /// An answer, even a bad one, earns an endpoint a slot; a hang costs it half.
    fn adapt(&mut self, no: EndpointNo, result: AttemptResult) {
        let is_hang = match result.map_err(AttemptFailure::class) {
            Err(Some(FailureClass::Connect | FailureClass::Read)) => true,
            Ok(_) | Err(None | Some(FailureClass::ClientError | FailureClass::ServerError)) => {
                false
            }
        };
        let allowance_min = self.allowance_min();
        let endpoint = &mut self.endpoints[no];
        endpoint.allowance = if is_hang {
            (endpoint.allowance / 2).max(allowance_min)
        } else {
            (endpoint.allowance + 1).min(self.limits.per_endpoint_concurrency)
        };
    }

    /// How many more jobs an account may have waiting.
    fn room(&self, account: AccountSid) -> usize {
        let free = self.limits.queue - self.waiting;
        left(free, self.accounts.get(account).map_or(0, |a| a.waiting))
    }

    /// Jobs an endpoint may have waiting, by the room of its account.
    fn share(&self, room: usize) -> usize {
        self.limits
            .per_endpoint_queue
            .min(room.div_ceil(QUEUE_SHARE))
    }

    /// How many more attempts an account may have in flight.
    fn slots_left(&self, account: AccountSid) -> usize {
        let free = self.limits.concurrency - self.in_flight;
        left(free, self.accounts[account].in_flight)
    }

    /// Its starved endpoints come first, in their order.
    fn wake_starved(&mut self, account: AccountSid) {
        while let Some(no) = self.accounts[account].starved.pop_back() {
            self.endpoints[no].standing = Standing::Ready;
            self.accounts[account].ready.push_front(no);
        }
    }

    /// The endpoint of this account whose turn it is to send.
    fn next_endpoint(&mut self, account: AccountSid) -> Next {
        let slots_left = self.slots_left(account);
        while slots_left > 0
            && let Some(no) = self.accounts[account].ready.pop_front()
        {
            let is_server_busy =
                self.endpoints.server_in_flight(no) >= self.limits.per_endpoint_concurrency;
            let endpoint = &mut self.endpoints[no];
            if endpoint.in_flight >= endpoint.allowance {
                endpoint.standing = Standing::Idle;
            } else if endpoint.in_flight >= slots_left || is_server_busy {
                endpoint.standing = Standing::Starved;
                self.accounts[account].starved.push_back(no);
            } else {
                return Next::Endpoint(no);
            }
        }
        let account = &self.accounts[account];
        if account.ready.is_empty() && account.starved.is_empty() {
            Next::Idle
        } else {
            Next::Starved
        }
    }

    /// An offer for which its account had no room. Its endpoint may be unknown, and isn't remembered.
    fn spill_account(&mut self, account: AccountSid) {
        self.dropped_total += 1;
        let spilling = self.accounts.of(account);
        if !spilling.has_spilled {
            spilling.has_spilled = true;
            self.spilled.push(account);
            self.reports.push(Report::Overflowed {
                backlog: Backlog::Account(account),
            });
        }
    }

    fn forget_idle(&mut self, no: EndpointNo) {
        let account = self.endpoints[no].account;
        if self.endpoints.forget_idle(no) {
            self.accounts[account].endpoints -= 1;
            self.accounts.forget_idle(account);
        }
    }

    fn drop_offer(&mut self, no: EndpointNo) {
        self.dropped_total += 1;
        let endpoint = &mut self.endpoints[no];
        if !endpoint.has_overflowed {
            endpoint.has_overflowed = true;
            self.overflowed.push(no);
            let backlog = endpoint.backlog();
            self.reports.push(Report::Overflowed { backlog });
        }
    }

    fn ask_for_refills(&mut self) {
        let mut overflowed = std::mem::take(&mut self.overflowed);
        overflowed.retain(|&no| {
            let endpoint = &self.endpoints[no];
            let is_drained = endpoint.waiting * 2 < self.share(self.room(endpoint.account));
            if is_drained {
                let endpoint = &mut self.endpoints[no];
                endpoint.has_overflowed = false;
                let backlog = endpoint.backlog();
                self.reports.push(Report::WantsRefill { backlog });
                self.forget_idle(no);
            }
            !is_drained
        });
        self.overflowed = overflowed;
        let mut spilled = std::mem::take(&mut self.spilled);
        spilled.retain(|&account| {
            let is_drained = self.accounts[account].waiting < self.room(account);
            if is_drained {
                self.accounts[account].has_spilled = false;
                self.reports.push(Report::WantsRefill {
                    backlog: Backlog::Account(account),
                });
                self.accounts.forget_idle(account);
            }
            !is_drained
        });
        self.spilled = spilled;
        // Not when it is half empty, as for one account: a few that hang can keep it fuller than that.
        let free = self.limits.queue - self.waiting;
        if self.has_spilled && free * QUEUE_SHARE >= self.limits.queue {
            self.has_spilled = false;
            self.reports.push(Report::WantsRefill {
                backlog: Backlog::Everyone,
            });
        }
    }

    /// The first job of the endpoint's next message, as an attempt. `None` if that message's jobs
    /// were given up meanwhile.
    fn take_turn(&mut self, no: EndpointNo, now_ms: Millis) -> Option<Attempt> {
        let id = self.endpoints[no].turns.pop_front()?;
        let key = LaneKey { endpoint: no, id };
        let lane = self.lanes.get_mut(&key).expect("a lane with a turn exists");
        lane.has_turn = false;
        let Some(Waiting {
            job,
            target,
            gives_up_ms,
        }) = lane.take_first()
        else {
            self.lanes.remove(&key);
            return None;
        };
        lane.is_in_flight = true;
        self.ages.remove(&(gives_up_ms, job.event, no));
        self.waiting -= 1;
        self.in_flight += 1;
        self.endpoints[no].waiting -= 1;
        self.endpoints.take_slot(no);
        let account = &mut self.accounts[job.account];
        account.waiting -= 1;
        account.in_flight += 1;
        Some(self.start(
            Flight {
                lane: key,
                job,
                target,
                attempts: 0,
                first_ms: now_ms,
            },
            now_ms,
        ))
    }

    fn start(&mut self, mut flight: Flight, now_ms: Millis) -> Attempt {
        let id = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        flight.attempts += 1;
        let attempt = Attempt {
            id,
            number: flight.attempts,
            job: flight.job.clone(),
            timeouts: flight.timeouts(now_ms),
            target: flight.target.clone(),
        };
        self.flights.insert(id, flight);
        attempt
    }

    /// Gives an attempt's slot back, and its message the next turn.
    fn land(&mut self, key: LaneKey) {
        let no = key.endpoint;
        self.in_flight -= 1;
        let account = self.endpoints[no].account;
        self.accounts[account].in_flight -= 1;
        self.endpoints.give_slot_back(no);
        let lane = self.lanes.get_mut(&key).expect("a lane in flight exists");
        lane.is_in_flight = false;
        if lane.is_empty() {
            self.lanes.remove(&key);
        } else {
            // In front: this message has waited for its own predecessor already.
            lane.has_turn = true;
            self.endpoints[no].turns.push_front(key.id);
        }
        if self.endpoints[no].turns.is_empty() {
            self.forget_idle(no);
        } else {
            self.make_ready(no);
        }
    }

    fn make_ready(&mut self, no: EndpointNo) {
        let endpoint = &mut self.endpoints[no];
        if endpoint.standing == Standing::Idle {
            endpoint.standing = Standing::Ready;
            let sid = endpoint.account;
            let account = &mut self.accounts[sid];
            account.ready.push_back(no);
            if account.standing == Standing::Idle {
                account.standing = Standing::Ready;
                self.ready.push_back(sid);
            }
        }
    }

    fn give_up_aged(&mut self, now_ms: Millis) {
        while let Some(&(gives_up_ms, event, no)) = self.ages.first()
            && gives_up_ms <= now_ms
        {
            self.ages.pop_first();
            let key = LaneKey {
                endpoint: no,
                id: event.lane(),
            };
            let lane = self.lanes.get_mut(&key).expect("a waiting job has a lane");
            let waiting = lane.remove(event);
            debug_assert!(waiting.is_some(), "only waiting jobs have an age");
            self.waiting -= 1;
            self.endpoints[no].waiting -= 1;
            let account = self.endpoints[no].account;
            self.accounts[account].waiting -= 1;
            if let Some(waiting) = waiting {
                self.fail(waiting.job, Outcome::TooOld);
            }
        }
    }

    fn fail(&mut self, job: Arc<Job>, outcome: Outcome) {
        self.finish(job.event, outcome);
        self.failed.push((job, outcome));
    }

    fn finish(&mut self, event: Event, outcome: Outcome) {
        self.known.remove(&event);
        self.done.insert(event);
        self.reports
            .push(Report::Finished(Finished { event, outcome }));
    }
}

/// What an account's turn comes to.
enum Next {
    Endpoint(EndpointNo),
    /// It has something to send, but no slot for it.
    Starved,
    Idle,
}

/// How much more of what is shared an account may take, by what is free and what it has. Having taken
/// `x`, it has so many times what is then free: `has + x = ACCOUNT_SHARE * (free - x)`.
fn left(free: usize, has: usize) -> usize {
    (free * ACCOUNT_SHARE)
        .saturating_sub(has)
        .div_ceil(ACCOUNT_SHARE + 1)
}

impl Flight {
    /// The clock may step back; then no time has passed.
    fn elapsed_ms(&self, now_ms: Millis) -> u32 {
        u32::try_from((now_ms - self.first_ms).max(0)).unwrap_or(u32::MAX)
    }

    fn wants_retry(&self, failure: AttemptFailure, now_ms: Millis) -> bool {
        let overrides = &self.target.overrides;
        failure
            .class()
            .is_some_and(|class| overrides.retry_on.contains(class))
            && self.attempts <= overrides.retries
            && self.elapsed_ms(now_ms) < overrides.total_timeout_ms
    }

    fn timeouts(&self, now_ms: Millis) -> Timeouts {
        let overrides = &self.target.overrides;
        let left_ms = overrides
            .total_timeout_ms
            .saturating_sub(self.elapsed_ms(now_ms))
            .max(1);
        Timeouts {
            connect_ms: overrides.connect_timeout_ms.min(left_ms),
            read_ms: overrides.read_timeout_ms.min(left_ms),
            total_ms: left_ms,
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
