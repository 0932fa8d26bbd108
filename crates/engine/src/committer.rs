//! Group commit: one thread takes whatever is waiting, writes it in one transaction, answers all.
//!
//! A flush costs the same for one change and for a thousand, so nobody waits for a timer: while one
//! batch is being flushed the next one gathers. Above the store, so that every store gets it.
//!
//! A failed commit is final: the process can't know what is durable, so the supervisor is told, and
//! every waiter is refused. The binary then stops.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use postrider_core::message::Message;
use postrider_store::{Applied, Change, Store, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::dispatch::Input;
use crate::in_hand::Place;
use crate::metrics::Metrics;
use crate::supervisor::Supervisor;

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
    supervisor: Supervisor,
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
        /// As above.
        place: Option<Place>,
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
    pub(crate) fn spawn(
        store: Arc<dyn Store>,
        metrics: Arc<Metrics>,
        committed: mpsc::Sender<Input>,
        supervisor: Supervisor,
    ) -> (Self, std::thread::JoinHandle<()>) {
        let shared = Arc::new(Shared {
            mailbox: Mutex::default(),
            is_work: Condvar::new(),
            supervisor,
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
        self.commit_together(changes, None).await
    }

    /// The same for an account, whose place in the backlog it holds until they are durable.
    pub(crate) async fn commit_all_in(
        &self,
        place: Place,
        changes: Vec<Change>,
    ) -> Result<Vec<Applied>, CommitFailed> {
        self.commit_together(changes, Some(place)).await
    }

    async fn commit_together(
        &self,
        changes: Vec<Change>,
        place: Option<Place>,
    ) -> Result<Vec<Applied>, CommitFailed> {
        let (reply, answer) = oneshot::channel();
        self.push(Work::All {
            changes,
            place,
            reply,
        });
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

    /// No more work will come: the thread finishes what there is and ends.
    pub fn close(&self) {
        self.shared.mailbox.lock().is_closed = true;
        self.shared.is_work.notify_one();
    }

    /// Nobody looks into a closed mailbox: its work is dropped, and so its waiter is refused.
    fn push(&self, work: Work) {
        let mut mailbox = self.shared.mailbox.lock();
        if !mailbox.is_closed {
            mailbox.work.push_back(work);
            self.shared.is_work.notify_one();
        }
    }
}

fn run(shared: &Shared, store: &dyn Store, metrics: &Metrics, committed: &mpsc::Sender<Input>) {
    let _alarm = shared.supervisor.alarm("the committing thread");
    let _closing = Closing(shared);
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
                    place,
                    reply,
                } => {
                    changes.extend(all);
                    waiters.push((len, Waiter::All(reply, place)));
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
    All(
        oneshot::Sender<Result<Vec<Applied>, CommitFailed>>,
        Option<Place>,
    ),
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
            Waiter::All(reply, _place) => {
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

/// Nothing more is written.
fn fail(shared: &Shared, error: &StoreError) {
    tracing::error!(%error, "a write to the store failed; stopping");
    shared.supervisor.fail(error.to_string());
    drop(Closing(shared));
    // The thread may be waiting for work.
    shared.is_work.notify_one();
}

/// Closes the mailbox on drop, and refuses waiters by dropping their channels: also when the thread
/// panics.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let mut mailbox = self.0.mailbox.lock();
        mailbox.work.clear();
        mailbox.is_closed = true;
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::sid::Id;
    use postrider_core::testing::message;
    use postrider_store::memory::{Fault, MemoryStore};
    use tokio::sync::watch;

    use super::*;
    use crate::testing::START_MS;

    fn change() -> Change {
        Change::Insert(Box::new(message(Id::new(START_MS, 0, 0))))
    }

    #[tokio::test]
    async fn what_comes_after_the_end_is_refused() {
        let failed = StoreError::Failed("no disk".to_owned());
        let ends: [&dyn Fn(&Committer); 2] = [&Committer::close, &|it| it.fail(&failed)];
        for end in ends {
            let (inputs, _inbox) = mpsc::channel(4);
            let store = Arc::new(MemoryStore::new());
            let (_stop, stopping) = watch::channel(None);
            let supervisor = Supervisor::new(stopping);
            let (committer, thread) = Committer::spawn(store, Arc::default(), inputs, supervisor);
            assert_eq!(committer.commit(change()).await, Ok(Applied::Yes));
            end(&committer);
            // The thread ends by itself, whatever it was doing.
            thread.join().unwrap();
            assert_eq!(committer.commit(change()).await, Err(CommitFailed));
            assert_eq!(committer.backlog(), 0);
        }
    }

    #[tokio::test]
    async fn a_panic_refuses_everybody_and_is_told() {
        let (inputs, _inbox) = mpsc::channel(4);
        let store = Arc::new(MemoryStore::new());
        store.fail_next_commit(Fault::Panic);
        let (_stop, stopping) = watch::channel(None);
        let supervisor = Supervisor::new(stopping);
        let failure = supervisor.failure();
        let (committer, thread) = Committer::spawn(store, Arc::default(), inputs, supervisor);
        assert_eq!(committer.commit(change()).await, Err(CommitFailed));
        thread.join().unwrap_err();
        let told = failure.borrow().clone();
        assert_eq!(told.as_deref(), Some("the committing thread has panicked"));
        assert_eq!(committer.commit(change()).await, Err(CommitFailed));
    }
}
