//! Webhooks: signed HTTP requests to the customers' URLs, today status callbacks.
//!
//! The engine commits what is due together with what caused it, then offers it here as a [`Job`].
//! The scheduler decides what is tried when, the guarded client tries it, and [`Report`]s tell the
//! engine what is done. `docs/webhooks.md` is the page for operators and customers.

mod config;
mod failure;
mod guard;
mod idempotency;
mod inbox;
mod job;
mod overrides;
mod scheduler;
mod sign;
pub mod status_callback;
mod url;

use std::sync::Arc;

pub use config::Config;
pub use failure::{AttemptFailure, FailureClass};
pub use guard::{Guard, InvalidNetwork, Network};
pub use idempotency::TokenSecret;
pub use job::{AuthToken, Content, Event, Finished, Job, Outcome, Params, Report};
pub use overrides::{InvalidOverride, Overrides, RetryOn};
pub use scheduler::{Attempt, AttemptId, AttemptResult, Limits, Load, Scheduler, Timeouts};
pub use url::{CALLBACK_URL_LEN_MAX, CallbackUrl, InvalidCallbackUrl, authority};

use inbox::Inbox;

/// The way to the webhooks. Clones are the same webhooks.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: Arc<Inbox>,
}

impl Handle {
    /// Offers jobs whose events are committed as due. Never waits: what does not fit is reported as
    /// overflown and asked for again later. Events already in memory are ignored.
    pub fn offer(&self, jobs: Vec<Job>) {
        self.inbox.offer(jobs);
    }
}
