//! Group commit: one thread takes whatever is waiting, writes it in one transaction, answers all.
//!
//! A flush costs the same for one change and for a thousand, so nobody waits for a timer: while one
//! batch is being flushed the next one gathers. Above the store, so that every store gets it.
//!
//! A failed commit is final: the process can't know what is durable, so the failure is reported
//! through [`Committer::failure`] and every waiter is refused. The binary then stops.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use postrider_core::message::Message;
use postrider_store::{Applied, Change, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use crate::dispatch::Input;
use crate::in_hand::Place;
use crate::metrics::Metrics;

/// Changes written in one transaction.
const BATCH_MAX: usize = 4_096;

/// The way to the committing thread. Clones are the same way.
#[derive(Clone)]
pub struct Committer {
    shared: Arc<Shared>,
}

struct Shared {
    mailbox: Mutex<Mailbox>,
    is_work: Condvar,
    failure: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct Mailbox {
    work: std::collections::VecDeque<Work>,
    is_closed: bool,
}

/// One thing to commit, and who wants to know.
enum Work {
    /// A change from outside dispatch.
    One {
        change: Change,
        /// Kept here, not by who waits: a client that hangs up leaves its change behind.
        place: Option<Place>,
        reply: oneshot::Sender<Result<Applied, CommitFailed>>,
    },
    /// Changes from outside dispatch that came together.
    All {
        changes: Vec<Change>,
        reply: oneshot::Sender<Result<Vec<Applied>, CommitFailed>>,
    },
    /// A commit of dispatch.
    Many { commit: u64, changes: Vec<Change> },
}

impl Work {
    fn len(&self) -> usize {
        match self {
            Self::One { .. } => 1,
            Self::All { changes, .. } | Self::Many { changes, .. } => changes.len(),
        }
    }
}

/// The store failed or is shutting down; nothing is known to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message store can't commit")]
pub struct CommitFailed;

impl Committer {
    /// Starts the thread. It ends when [`Committer::close`] is called and all work is done.
    ///
    /// `committed` tells dispatch what is durable. Its owner must take from it without ever waiting
    /// for this committer, and bounds its own commits on their way.
    pub fn spawn(
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        committed: mpsc::Sender<Input>,
    ) -> (Self, std::thread::JoinHandle<()>) {
        let (failure, _) = watch::channel(None);
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            is_work: Condvar::new(),
            failure,
        });
        let committer = Self {
            shared: shared.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || run(&shared, &*store, &metrics, &committed))
            .expect("the system has room for one thread");
        (committer, thread)
    }

    /// Commits one change and waits until it is durable.
    pub async fn commit(&self, change: Change) -> Result<Applied, CommitFailed> {
        self.commit_one(change, None).await
    }

    /// The same for an account, whose place in the backlog it holds until it is durable.
    pub(crate) async fn commit_in(
        &self,
        place: Place,
        change: Change,
    ) -> Result<Applied, CommitFailed> {
        self.commit_one(change, Some(place)).await
    }

    async fn commit_one(
        &self,
        change: Change,
        place: Option<Place>,
    ) -> Result<Applied, CommitFailed> {
        let (reply, answer) = oneshot::channel();
        self.push(Work::One {
            change,
            place,
            reply,
        });
        answer.await.unwrap_or(Err(CommitFailed))
    }

    /// Commits changes in one transaction and waits until they are durable: what became of each.
    pub(crate) async fn commit_all(
        &self,
        changes: Vec<Change>,
    ) -> Result<Vec<Applied>, CommitFailed> {
        let (reply, answer) = oneshot::channel();
        self.push(Work::All { changes, reply });
        answer.await.unwrap_or(Err(CommitFailed))
    }

    /// Commits changes of dispatch; the answer goes to its inbox.
    pub(crate) fn commit_many(&self, commit: u64, changes: Vec<Change>) {
        self.push(Work::Many { commit, changes });
    }

    /// Changes waiting to be written.
    pub fn backlog(&self) -> usize {
        self.shared.mailbox.lock().work.len()
    }

    /// A write that was not ours has failed: the store takes nothing more from us either.
    pub(crate) fn fail(&self, error: &StoreError) {
        fail(&self.shared, error);
    }

    /// Tells when the store has failed, and how.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.shared.failure.subscribe()
    }

    /// No more work will come: the thread finishes what there is and ends.
    pub fn close(&self) {
        self.shared.mailbox.lock().is_closed = true;
        self.shared.is_work.notify_one();
    }

    fn push(&self, work: Work) {
        self.shared.mailbox.lock().work.push_back(work);
        self.shared.is_work.notify_one();
    }
}

fn run(shared: &Shared, store: &dyn Store, metrics: &Metrics, committed: &mpsc::Sender<Input>) {
    while let Some(batch) = next_batch(shared) {
        let mut changes = Vec::with_capacity(batch.iter().map(Work::len).sum());
        let mut waiters = Vec::with_capacity(batch.len());
        for work in batch {
            let len = work.len();
            match work {
                Work::One {
                    change,
                    place,
                    reply,
                } => {
                    changes.push(change);
                    waiters.push((len, Waiter::One(reply, place)));
                }
                Work::All {
                    changes: all,
                    reply,
                } => {
                    changes.extend(all);
                    waiters.push((len, Waiter::All(reply)));
                }
                Work::Many {
                    commit,
                    changes: many,
                } => {
                    changes.extend(many);
                    waiters.push((len, Waiter::Dispatch(commit)));
                }
            }
        }
        metrics.commits.inc();
        metrics.commit_changes.inc_by(changes.len() as u64);
        let result = if changes.is_empty() {
            Ok(Vec::new())
        } else {
            store.commit(&changes)
        };
        match result {
            Ok(applied) => answer(waiters, changes, &applied, committed),
            Err(error) => {
                fail(shared, &error);
                return;
            }
        }
    }
}

enum Waiter {
    One(
        oneshot::Sender<Result<Applied, CommitFailed>>,
        Option<Place>,
    ),
    All(oneshot::Sender<Result<Vec<Applied>, CommitFailed>>),
    Dispatch(u64),
}

/// Dispatch hears of new messages before their senders' clients do, so that a client's next request
/// can't overtake its last.
fn answer(
    waiters: Vec<(usize, Waiter)>,
    changes: Vec<Change>,
    applied: &[Applied],
    committed: &mpsc::Sender<Input>,
) {
    let new: Vec<Message> = changes
        .into_iter()
        .zip(applied)
        .filter_map(|(change, applied)| new_message(change, *applied))
        .collect();
    let mut applied = applied.iter().copied();
    let mut replies = Vec::with_capacity(waiters.len());
    let mut replies_to_all = Vec::new();
    let mut commits = Vec::new();
    for (len, waiter) in waiters {
        match waiter {
            Waiter::One(reply, _place) => {
                replies.push((reply, applied.next().unwrap_or(Applied::Missing)));
            }
            Waiter::All(reply) => {
                let applied: Vec<_> = applied.by_ref().take(len).collect();
                replies_to_all.push((reply, applied));
            }
            Waiter::Dispatch(commit) => {
                commits.push(Input::Committed {
                    commit,
                    applied: applied.by_ref().take(len).collect(),
                });
            }
        }
    }
    if !new.is_empty() {
        // An error means dispatch is gone, and with it the process.
        let _ = committed.blocking_send(Input::Accepted(new));
    }
    for commit in commits {
        let _ = committed.blocking_send(commit);
    }
    for (reply, applied) in replies {
        let _ = reply.send(Ok(applied));
    }
    for (reply, applied) in replies_to_all {
        let _ = reply.send(Ok(applied));
    }
}

/// A message dispatch has not seen yet: inserted, or released at its time.
fn new_message(change: Change, applied: Applied) -> Option<Message> {
    match change {
        Change::Insert(message) | Change::Release(message) if applied == Applied::Yes => {
            Some(*message)
        }
        _ => None,
    }
}

fn next_batch(shared: &Shared) -> Option<Vec<Work>> {
    let mut mailbox = shared.mailbox.lock();
    while mailbox.work.is_empty() {
        if mailbox.is_closed {
            return None;
        }
        shared.is_work.wait(&mut mailbox);
    }
    let mut batch = Vec::new();
    let mut len = 0;
    while let Some(work) = mailbox.work.front() {
        if len > 0 && len + work.len() > BATCH_MAX {
            break;
        }
        len += work.len();
        batch.extend(mailbox.work.pop_front());
    }
    Some(batch)
}

/// Nothing more is written. Waiters are refused by dropping their channels.
fn fail(shared: &Shared, error: &StoreError) {
    tracing::error!(%error, "the message store failed; stopping");
    shared.failure.send_replace(Some(error.to_string()));
    let mut mailbox = shared.mailbox.lock();
    mailbox.work.clear();
    mailbox.is_closed = true;
}
