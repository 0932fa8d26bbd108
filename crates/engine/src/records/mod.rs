//! Records of messages when they have had their time: forgotten by age, or because somebody asks.
//!
//! The store deletes whole files where it can. What has to go one by one goes in small steps through
//! the committer, behind and before everybody else's changes, so that nobody waits for more than a
//! step. `docs/privacy.md` says what is kept for how long.

mod erasure;
mod retention;

use std::time::Duration;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::Message;
use postrider_core::sid::Id;
use postrider_store::{Applied, Change, Cursor, MessageFilter, is_settled};

pub use self::erasure::{Erasure, Left, LeftReason};
pub use self::retention::RETENTION_DAYS;
pub(crate) use self::retention::forget_old;

use crate::Engine;

/// Records that are forgotten at once: one transaction, some milliseconds.
const STEP: usize = 200;

/// Whether nothing will be done for the message any more, by us or by a carrier that we wait for.
/// Callbacks that are due are read from the record.
fn is_done(message: &Message) -> bool {
    is_settled(message.status) && message.callbacks_due.is_empty()
}

impl Engine {
    /// Forgets what is listed, oldest first and in steps with a pause between, as far as it is done with;
    /// returns how many. `each` is shown every record before.
    async fn forget_listed(
        &self,
        filter: MessageFilter,
        pause: Duration,
        mut each: impl FnMut(&Message),
    ) -> Result<u64, Fault> {
        let mut forgotten = 0;
        let mut oldest = Id::MIN;
        loop {
            let (store, filter) = (self.shared.store.clone(), filter.clone());
            let page = self.read(move || store.list(&filter, Cursor::Before(oldest), STEP));
            let page = page.await?;
            // A page is newest first, and the next one is of what is newer.
            let Some(newest) = page.first() else {
                return Ok(forgotten);
            };
            oldest = newest.sid.id;
            page.iter().for_each(&mut each);
            forgotten += self.forget_done(&page).await?;
            if page.len() < STEP {
                return Ok(forgotten);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Forgets those of the records that are done with; returns how many. One that is gone already, or
    /// has something to do again, is not among them.
    async fn forget_done(&self, page: &[Message]) -> Result<u64, Fault> {
        let done = page.iter().filter(|message| is_done(message));
        let changes: Vec<_> = done
            .map(|message| Change::Delete { id: message.sid.id })
            .collect();
        if changes.is_empty() {
            return Ok(0);
        }
        let applied = self.shared.committer.commit_all(changes).await;
        let applied = applied.map_err(|_| Fault::new(ErrorCode::Unavailable))?;
        let gone = applied.iter().filter(|applied| **applied == Applied::Yes);
        Ok(gone.count() as u64)
    }
}

#[cfg(test)]
mod tests;
