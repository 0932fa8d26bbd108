//! What the webhooks report back: callbacks that are done leave the outbox, backlogs that have room
//! again are refilled.
//!
//! A done callback waits here for [`HOLD_MS`] before that is written. Most messages are `sent` and
//! `delivered` within that time, and then one write tells of both. A crash forgets what waits here, so
//! those callbacks are made once more, with the same idempotency token; a polite stop writes it all.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::future::join_all;
use postrider_core::clock::Millis;
use postrider_core::message::StatusSet;
use postrider_core::sid::Id;
use postrider_store::Change;
use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;
use tokio::time::{MissedTickBehavior, interval};

use crate::Engine;
use crate::dispatch::Input;
use crate::inbound_webhooks;
use crate::metrics::ResultLabel;
use crate::refill::{Overflowed, Wish};
use crate::webhooks::{Event, Report};

/// How long a done callback waits for another one of its message.
const HOLD_MS: Millis = 1_000;

/// How often those that have waited long enough are written. Often, so that each write is small.
const TICK: Duration = Duration::from_millis(20);

/// Beyond so many messages the oldest are written early: 4 MiB.
const HELD_MAX: usize = 65_536;

/// Takes reports until the webhooks end, then writes what is left.
pub(crate) async fn run(
    engine: Engine,
    mut reports: mpsc::Receiver<Vec<Report>>,
    overflowed: Overflowed,
    wishes: mpsc::Sender<Wish>,
) {
    let mut held = Held::default();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            batch = reports.recv() => {
                let Some(batch) = batch else { break };
                for report in batch {
                    match report {
                        Report::Answered(answered) => inbound_webhooks::answered(&engine, &answered),
                        Report::Finished(finished) => {
                            let result = finished.outcome.code().map_or("ok", |code| code.title());
                            let webhooks = &engine.metrics().webhooks;
                            webhooks.get_or_create(&ResultLabel { result }).inc();
                            match (finished.event, finished.outcome.code()) {
                                (Event::StatusCallback { message, status }, _) => {
                                    held.add(message.id, StatusSet::of(status), engine.now_ms());
                                }
                                (event @ Event::Inbound { .. }, Some(code)) => {
                                    inbound_webhooks::failed(&engine, event, finished.outcome, code);
                                }
                                (Event::Inbound { .. }, None) => {}
                            }
                        }
                        Report::Overflowed { backlog } => {
                            tracing::warn!(?backlog, "webhooks wait on disk: their endpoint is slow");
                            overflowed.lock().insert(backlog);
                        }
                        Report::WantsRefill { backlog } => {
                            overflowed.lock().remove(&backlog);
                            // A thousand have room; then it waits for one page to be read, and
                            // reports wait with it.
                            let _ = wishes.send(backlog).await;
                        }
                    }
                }
            }
            _ = tick.tick() => {}
        }
        let done = held.take_due(engine.now_ms());
        if !done.is_empty() {
            let input = Input::CallbacksDone(done);
            // In a stop, dispatch ends before the webhooks do.
            if let Err(SendError(Input::CallbacksDone(done))) =
                engine.shared.dispatch.send(input).await
            {
                write(&engine, done).await;
            }
        }
    }
    write(&engine, held.take_all()).await;
}

/// Writes without dispatch, which has no use for callbacks that are done.
async fn write(engine: &Engine, done: Vec<(Id, StatusSet)>) {
    let committer = &engine.shared.committer;
    let changes = done.into_iter();
    let commits = changes.map(|(id, done)| committer.commit(Change::CallbacksDone { id, done }));
    // An error means that the store has failed, and everybody has been told.
    let _ = join_all(commits).await;
}

/// Done callbacks by message, oldest first.
#[derive(Debug, Default)]
struct Held {
    done: FxHashMap<Id, StatusSet>,
    /// Since when each message of `done` is in it.
    since: VecDeque<(Millis, Id)>,
}

impl Held {
    fn add(&mut self, message: Id, statuses: StatusSet, now_ms: Millis) {
        let done = self.done.entry(message).or_insert_with(|| {
            self.since.push_back((now_ms, message));
            StatusSet::EMPTY
        });
        *done = done.with(statuses);
    }

    /// Takes what has waited long enough, or has no room.
    fn take_due(&mut self, now_ms: Millis) -> Vec<(Id, StatusSet)> {
        let excess = self.since.len().saturating_sub(HELD_MAX);
        let due = self
            .since
            .partition_point(|&(since_ms, _)| since_ms + HOLD_MS <= now_ms);
        self.take(due.max(excess))
    }

    fn take_all(&mut self) -> Vec<(Id, StatusSet)> {
        self.take(self.since.len())
    }

    fn take(&mut self, count: usize) -> Vec<(Id, StatusSet)> {
        let oldest = self.since.drain(..count);
        oldest
            .filter_map(|(_, message)| self.done.remove_entry(&message))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postrider_core::message::Status;

    use super::*;
    use crate::testing::{START_MS, TestEngine, engine};
    use crate::webhooks::{Finished, Outcome};

    fn id(number: u128) -> Id {
        Id::from_u128(number)
    }

    fn sent() -> StatusSet {
        StatusSet::of(Status::Sent)
    }

    fn delivered() -> StatusSet {
        StatusSet::of(Status::Delivered)
    }

    #[test]
    fn what_is_done_within_the_hold_is_written_once() {
        let mut held = Held::default();
        held.add(id(1), sent(), 0);
        held.add(id(2), sent(), 400);
        held.add(id(1), delivered(), 999);
        assert_eq!(held.take_due(999), []);
        assert_eq!(held.take_due(1_000), [(id(1), sent().with(delivered()))]);
        // Too late for the first write: a second one.
        held.add(id(2), delivered(), 1_200);
        held.add(id(1), delivered(), 1_300);
        assert_eq!(held.take_due(1_400), [(id(2), sent().with(delivered()))]);
        assert_eq!(held.take_all(), [(id(1), delivered())]);
        assert_eq!(held.take_all(), []);
    }

    #[test]
    fn the_oldest_leave_early_when_there_are_too_many() {
        let mut held = Held::default();
        let all = HELD_MAX as u128 + 2;
        for number in 0..all {
            held.add(id(number), sent(), 0);
        }
        assert_eq!(held.take_due(0), [(id(0), sent()), (id(1), sent())]);
        assert_eq!(held.take_due(0), []);
        assert_eq!(held.take_all().len(), HELD_MAX);
    }

    /// An engine whose store has a message with a callback due, and the report that it was made.
    fn with_callback() -> (TestEngine, Report) {
        let test = engine();
        let mut message = postrider_core::testing::message(Id::new(START_MS, 0, 0));
        message.status = Status::Sent;
        message.callbacks_due = sent();
        let finished = Finished {
            event: Event::StatusCallback {
                message: message.sid,
                status: Status::Sent,
            },
            outcome: Outcome::Answered { status: 200 },
        };
        let store = &test.engine.shared.store;
        store.commit(&[Change::Insert(Box::new(message))]).unwrap();
        (test, Report::Finished(finished))
    }

    #[tokio::test]
    async fn a_polite_stop_writes_what_is_held() {
        let (test, finished) = with_callback();
        let engine = test.engine.clone();
        let store = engine.shared.store.clone();
        let (reports_to, reports) = mpsc::channel(1);
        let (wishes_to, _wishes) = mpsc::channel(1);
        reports_to.send(vec![finished]).await.unwrap();
        drop(reports_to);
        run(engine, reports, Overflowed::default(), wishes_to).await;
        assert_eq!(store.callbacks_due(None, 1).unwrap(), []);
        test.running.shut_down(Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn a_callback_that_is_done_after_dispatch_has_ended_is_written() {
        let (mut test, finished) = with_callback();
        let engine = test.engine.clone();
        let store = engine.shared.store.clone();
        let (reports_to, reports) = mpsc::channel(1);
        let (wishes_to, _wishes) = mpsc::channel(1);
        test.running.end_dispatch(Duration::from_secs(5)).await;
        let outbox = tokio::spawn(run(engine, reports, Overflowed::default(), wishes_to));
        reports_to.send(vec![finished]).await.unwrap();
        // The webhooks, which are not at their end yet, go on for longer than it is held.
        for _ in 0..500 {
            if store.callbacks_due(None, 1).unwrap().is_empty() {
                break;
            }
            test.clock.advance(HOLD_MS);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(store.callbacks_due(None, 1).unwrap(), []);
        drop(reports_to);
        outbox.await.unwrap();
    }
}
