//! Inbound webhooks: what a handset wrote is told to its application, and what that answers is done.
//!
//! The outbox is in the store, as for status callbacks: an inbound message that somebody is to be told
//! of has `received` due until the end of its inquiry is committed, together with the replies. So each
//! message is told at least once, and replied to exactly as often as was answered for.
//!
//! What is in memory is bounded. A message that finds no room waits in the store and comes back by the
//! refill, and so does a request that the webhooks did not keep.

mod cookies;
mod destination;
mod inquiry;
mod line;
mod loop_guard;
mod params;
mod reply;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use http::header::CONTENT_TYPE;
use parking_lot::Mutex;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{Message, Status, StatusSet};
use postrider_core::sid::Id;
use postrider_core::twiml;
use postrider_store::Change;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use url::Url;

use self::cookies::Cookies;
pub(crate) use self::destination::Destination;
use self::inquiry::{Inquiry, Next};
use self::line::Line;
use self::loop_guard::LoopGuard;
use crate::Engine;
use crate::alerts::Details;
use crate::recent::Recent;
use crate::refill::Wish;
use crate::webhooks::{Answered, AuthToken, Event, Job, Outcome};

/// Inquiries in memory, waiting ones included, of about 2 KiB each.
const INQUIRIES_MAX: usize = 20_000;

/// What is asked and waits to be asked.
#[derive(Debug)]
pub(crate) struct Inquiries {
    state: Mutex<State>,
    wishes: mpsc::Sender<Wish>,
}

#[derive(Debug, Default)]
struct State {
    inquiries: FxHashMap<Id, Inquiry>,
    /// The first of each line is under way, the others wait for it.
    lines: FxHashMap<Line, VecDeque<Id>>,
    /// The lines of those whose replies are being sent, which are in `inquiries` no more.
    ending: FxHashMap<Id, Line>,
    /// What has ended lately.
    ended: Recent<Id>,
    /// Some found no room.
    has_overflowed: bool,
    cookies: Cookies,
    loop_guard: LoopGuard,
}

impl Inquiries {
    pub(crate) fn new(wishes: mpsc::Sender<Wish>) -> Self {
        Self {
            state: Mutex::default(),
            wishes,
        }
    }

    fn url(&self, id: Id) -> Option<String> {
        let state = self.state.lock();
        state
            .inquiries
            .get(&id)
            .map(|inquiry| inquiry.url().to_owned())
    }

    fn admits_reply(&self, line: Line, now_ms: Millis) -> bool {
        self.state.lock().loop_guard.admit(line, now_ms)
    }

    fn is_known(&self, id: Id) -> bool {
        let state = self.state.lock();
        state.inquiries.contains_key(&id)
            || state.ending.contains_key(&id)
            || state.ended.contains(id)
    }

    /// The current request of a message that is asked about, to be offered once more.
    fn again(&self, id: Id, now_ms: Millis) -> Option<Job> {
        self.state.lock().job(id, now_ms)
    }

    /// Takes an inquiry. The job is its first request, unless it waits for others of its line.
    fn take(&self, inquiry: Inquiry, now_ms: Millis) -> Option<Job> {
        let mut state = self.state.lock();
        if state.inquiries.len() >= INQUIRIES_MAX {
            state.has_overflowed = true;
            return None;
        }
        let id = inquiry.id();
        let line = Line::of(&inquiry.message);
        state.lines.entry(line).or_default().push_back(id);
        state.inquiries.insert(id, inquiry);
        state.job(id, now_ms)
    }

    /// An inquiry is over. The job is the first request of the next one in its line.
    fn end(&self, id: Id, now_ms: Millis) -> Option<Job> {
        let mut state = self.state.lock();
        let line = state.ending.remove(&id)?;
        state.ended.insert(id);
        if state.has_overflowed && state.inquiries.len() * 2 <= INQUIRIES_MAX {
            // Without room for a wish there are others that read the same.
            state.has_overflowed = self.wishes.try_send(Wish::Everyone).is_err();
        }
        let waiting = state.lines.get_mut(&line)?;
        waiting.pop_front();
        let Some(&next) = waiting.front() else {
            state.lines.remove(&line);
            return None;
        };
        state.job(next, now_ms)
    }
}

impl State {
    /// The current request of the first one of a line.
    fn job(&mut self, id: Id, now_ms: Millis) -> Option<Job> {
        let inquiry = self.inquiries.get(&id)?;
        let line = Line::of(&inquiry.message);
        if self.lines.get(&line)?.front() != Some(&id) {
            return None;
        }
        let job = inquiry.job();
        let cookie = self.cookies.header(&line, &job.url, now_ms);
        Some(Job { cookie, ..job })
    }

    /// Takes an inquiry out to have its replies sent; its line stays with it.
    fn begin_end(&mut self, id: Id) -> Option<Inquiry> {
        let inquiry = self.inquiries.remove(&id)?;
        self.ending.insert(id, Line::of(&inquiry.message));
        Some(inquiry)
    }

    /// The inquiry whose current request this was.
    fn asked(&mut self, event: Event) -> Option<&mut Inquiry> {
        let inquiry = self.inquiries.get_mut(&event.message().id)?;
        (inquiry.event() == event).then_some(inquiry)
    }
}

/// Where the next request about a message goes.
pub(crate) fn url(engine: &Engine, message: &Message) -> Option<String> {
    let current = engine.shared.inquiries.url(message.sid.id);
    current.or_else(|| Some(Destination::of(engine.directory(), message)?.url.url))
}

/// The request that tells of an inbound message whose webhook is due, if it can be made now.
pub(crate) fn job(engine: &Engine, message: &Message, due_ms: Millis) -> Option<Job> {
    let (id, now_ms) = (message.sid.id, engine.now_ms());
    let inquiries = &engine.shared.inquiries;
    if inquiries.is_known(id) {
        return inquiries.again(id, now_ms);
    }
    let directory = engine.directory();
    let account = directory.account_by_no(message.account);
    let token = account
        .as_ref()
        .and_then(|account| directory.auth_token(account.sid));
    let destination = Destination::of(directory, message);
    let (Some(account), Some(token), Some(destination)) = (account, token, destination) else {
        nobody_to_tell(engine.clone(), id);
        return None;
    };
    let params = params::params(message, &account, directory);
    let (message, token) = (message.clone(), AuthToken::new(token));
    let inquiry = Inquiry::new(message, account, token, params, destination, due_ms);
    inquiries.take(inquiry, now_ms)
}

/// Its URL was taken away since.
fn nobody_to_tell(engine: Engine, id: Id) {
    let done = StatusSet::of(Status::Received);
    tokio::spawn(async move {
        let done = Change::CallbacksDone { id, done };
        // An error means that the store has failed, and everybody has been told.
        let _ = engine.shared.committer.commit(done).await;
    });
}

/// An application has answered.
pub(crate) fn answered(engine: &Engine, answered: &Answered) {
    let now_ms = engine.now_ms();
    let mut state = engine.shared.inquiries.state.lock();
    let event = answered.job.event;
    let Some(inquiry) = state.asked(event) else {
        return;
    };
    let mut faults = Vec::new();
    let next = match read(answered, &inquiry.limits()) {
        Ok(mut reply) => {
            faults.append(&mut reply.faults);
            let (next, fault) = inquiry.read(reply, now_ms);
            faults.extend(fault);
            next
        }
        Err(fault) => {
            let next = inquiry.failed(fault.code, now_ms);
            faults.push(fault);
            next
        }
    };
    let inbound = &inquiry.message;
    let (account, service) = (inbound.account, inbound.service);
    let line = Line::of(inbound);
    let (url, headers) = (&answered.response.url, &answered.response.headers);
    state.cookies.keep(&line, url, headers, now_ms);
    drop(state);
    for fault in faults {
        let scope = answered.job.safe_url();
        engine
            .alerting()
            .raise(account, fault.code, scope, || Details {
                resource: Some(event.message().to_string().into()),
                service,
                text: Some(fault.message().into()),
                exchange: Some(Box::new(answered.exchange())),
                ..Details::default()
            });
    }
    go_on(engine, event.message().id, next);
}

fn read(answered: &Answered, limits: &twiml::Limits) -> Result<twiml::Reply, Fault> {
    let response = &answered.response;
    if response.is_too_long {
        return Err(ErrorCode::TwimlTooLarge.into());
    }
    let url = Url::parse(&response.url).map_err(|_| Fault::new(ErrorCode::WebhookFailed))?;
    let content_type = response.headers.get(CONTENT_TYPE);
    let answer = twiml::Answer {
        url: &url,
        content_type: content_type.and_then(|value| value.to_str().ok()),
        body: &response.body,
    };
    twiml::read(&answer, limits)
}

/// A request brought no answer, which the customer knows already.
pub(crate) fn failed(engine: &Engine, event: Event, outcome: Outcome, code: ErrorCode) {
    let mut state = engine.shared.inquiries.state.lock();
    let Some(inquiry) = state.asked(event) else {
        return;
    };
    let next = match outcome {
        // What is old news at one URL is old news at the other.
        Outcome::TooOld => Next::Reply,
        _ => inquiry.failed(code, engine.now_ms()),
    };
    drop(state);
    go_on(engine, event.message().id, next);
}

fn go_on(engine: &Engine, id: Id, next: Next) {
    let inquiries = &engine.shared.inquiries;
    match next {
        Next::Ask => offer(engine, inquiries.again(id, engine.now_ms())),
        Next::Reply => {
            let inquiry = inquiries.state.lock().begin_end(id);
            if let Some(inquiry) = inquiry {
                let ending = Ending {
                    engine: engine.clone(),
                    id,
                };
                tokio::spawn(async move { reply::send(&ending.engine, inquiry).await });
            }
        }
    }
}

fn offer(engine: &Engine, job: Option<Job>) {
    if let Some(job) = job {
        engine.shared.webhooks.offer(vec![job]);
    }
}

/// Whatever becomes of the replies, the next message of the line is told.
struct Ending {
    engine: Engine,
    id: Id,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let next = self
            .engine
            .shared
            .inquiries
            .end(self.id, self.engine.now_ms());
        offer(&self.engine, next);
    }
}
