//! What goes in and out of the webhooks: jobs to perform, and reports of what became of them.
//!
//! The outbox is in the store: an event stays due there until the engine commits that it is done.
//! So everything here may be dropped at any instant and offered again; nothing is lost by it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{Message, Status};
use postrider_core::settings::{Account, HttpMethod};
use postrider_core::sid::{AccountSid, Id, MessageSid};
use postrider_store::Exchange;

use super::alarm::{self, Sent};
use super::client::Response;
use super::failure::AttemptFailure;
use super::record::safe_url;
use super::status_callback;

/// Form parameters by name. No name occurs twice: the official validators disagree about that.
pub type Params = Vec<(&'static str, Box<str>)>;

/// One webhook to make: as many attempts as its URL's connection overrides allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub event: Event,
    /// Whose token signs the request.
    pub account: AccountSid,
    pub method: HttpMethod,
    /// As configured: the fragment holds connection overrides and is never sent.
    pub url: Arc<str>,
    pub content: Content,
    /// What the endpoint wants to be reminded of.
    pub cookie: Option<HeaderValue>,
    /// The account's auth token.
    pub token: AuthToken,
    /// When it became due. Older than the age limit, it is given up.
    pub due_ms: Millis,
}

impl Job {
    /// The callback that reports `status` of `message` to `url`.
    pub fn status_callback(
        message: &Message,
        status: Status,
        account: &Account,
        url: Arc<str>,
        token: AuthToken,
        due_ms: Millis,
    ) -> Self {
        let method = message.options.status_callback_method;
        Self {
            event: Event::StatusCallback {
                message: message.sid,
                status,
            },
            account: account.sid,
            method: method.unwrap_or_default(),
            url,
            content: Content::Params(status_callback::params(message, status, account)),
            cookie: None,
            token,
            due_ms,
        }
    }

    /// The URL without what may be secret in it.
    pub(crate) fn safe_url(&self) -> &str {
        safe_url(&self.url)
    }

    /// The same with one more parameter, where it has parameters.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Box<str>) -> Self {
        if let Content::Params(params) = &mut self.content {
            params.push((name, value));
        }
        self
    }
}

/// What a webhook is about: its identity. The same event is never in memory twice, and has the same
/// idempotency token in each attempt, also after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    StatusCallback {
        message: MessageSid,
        status: Status,
    },
    /// An application is asked what to do with an inbound message. Each of the requests that follow
    /// one another for it is a step.
    Inbound {
        message: MessageSid,
        step: u8,
    },
}

impl Event {
    pub fn message(self) -> MessageSid {
        match self {
            Self::StatusCallback { message, .. } | Self::Inbound { message, .. } => message,
        }
    }

    /// Events of one lane go out one at a time, in the order of the events.
    pub(super) fn lane(self) -> Id {
        self.message().id
    }

    /// Whether what the endpoint says matters, and not only that it says it.
    pub(super) fn wants_answer(self) -> bool {
        matches!(self, Self::Inbound { .. })
    }

    /// In words, at the beginning of a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::StatusCallback { .. } => "The status callback",
            Self::Inbound { .. } => "The webhook of an inbound message",
        }
    }
}

/// What the request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The form of a POST, or the query of a GET.
    Params(Params),
    /// A body that is signed by its hash.
    Json(Bytes),
}

/// An account's auth token. Prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthToken(Arc<str>);

impl AuthToken {
    pub fn new(token: impl Into<Arc<str>>) -> Self {
        Self(token.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthToken(…)")
    }
}

/// What the webhooks tell the engine, in batches and in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Comes before the [`Report::Finished`] of an event whose answer matters.
    Answered(Box<Answered>),
    Finished(Finished),
    /// Jobs of this backlog were not kept, because its share of the queue in memory is full. None of an
    /// endpoint's jobs are kept until [`Report::WantsRefill`] says so.
    Overflowed {
        backlog: Backlog,
    },
    /// A backlog that had overflowed has room again: offer what the store says is due, oldest first.
    WantsRefill {
        backlog: Backlog,
    },
}

/// Whose jobs wait in the store for room in memory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backlog {
    Everyone,
    Account(AccountSid),
    /// An account's jobs for one scheme, host and port.
    Endpoint {
        account: AccountSid,
        authority: Arc<str>,
    },
}

/// A job has had its attempts. Commit it as done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub event: Event,
    pub outcome: Outcome,
}

/// What an endpoint said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub job: Arc<Job>,
    /// With a status of success.
    pub response: Response,
    pub(super) sent: Sent,
}

impl Answered {
    /// What was sent and said, for an alert.
    pub(crate) fn exchange(&self) -> Exchange {
        alarm::exchange(&self.job, Some(&self.sent), Some(&self.response))
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered with this 2xx status.
    Answered { status: u16 },
    /// The last attempt failed, and the URL's policy asks for no other.
    Failed(AttemptFailure),
    /// It waited longer than the age limit.
    TooOld,
    /// The URL can't be requested at all.
    Misconfigured,
}

impl Outcome {
    /// The code of the alert it is worth; `None` when all went well.
    pub fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Answered { .. } => None,
            Self::Failed(failure) => Some(failure.code()),
            Self::TooOld => Some(ErrorCode::WebhookFailed),
            Self::Misconfigured => Some(ErrorCode::WebhookMisconfigured),
        }
    }
}
