//! Webhooks: signed HTTP requests to the customers' URLs.
//!
//! The engine commits what is due together with what caused it, then offers it here as a [`Job`].
//! The scheduler decides what is tried when, the guarded client tries it, and [`Report`]s tell the
//! engine what is done. `docs/webhooks.md` is the page for operators and customers.

mod config;
mod job;
pub mod status_callback;
mod url;

mod shell;

mod inbox;
mod overrides;
mod scheduler;

mod idempotency;
mod request;
mod sign;

mod alarm;
mod client;
mod failure;
mod guard;
mod record;

#[cfg(test)]
mod tests;

pub use alarm::Alarm;
pub use client::{Client, ClientError, Response};
pub use config::Config;
pub use failure::{AttemptFailure, FailureClass};
pub use guard::{Guard, InvalidNetwork, Network};
pub use idempotency::TokenSecret;
pub use job::{
    Answered, AuthToken, Backlog, Content, Event, Finished, Job, Outcome, Params, Report,
};
pub use overrides::{InvalidOverride, Overrides, RetryOn};
pub use record::{AttemptRecord, Logged, Observer};
pub use request::Request;
pub use scheduler::{Attempt, AttemptId, AttemptResult, Limits, Load, Scheduler, Timeouts};
pub use shell::{Handle, Wiring, spawn};
pub use status_callback::API_VERSION;
pub(crate) use url::invalid_overrides;
pub use url::{CALLBACK_URL_LEN_MAX, CallbackUrl, InvalidCallbackUrl, authority};
