//! One inbound message's way through its application: the requests that follow one another, and what
//! is to be replied in the end.
//!
//! A plain value. Nothing is sent before the last document is read: then all replies are committed
//! together with the end of the inquiry, so that a crash before it asks again and has sent nothing, and
//! one after it sends nothing twice.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::Message;
use postrider_core::settings::Account;
use postrider_core::sid::Id;
use postrider_core::twiml::{self, Endpoint, Limits, Reply, ReplyMessage};

use super::destination::Destination;
use crate::webhooks::{AuthToken, Content, Event, Job, Params};

/// Documents read for one inbound message (<https://www.twilio.com/docs/api/errors/14106>).
const DOCUMENTS_MAX: u8 = 50;

/// An inbound message that an application is asked about.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) message: Message,
    pub(super) account: Arc<Account>,
    token: AuthToken,
    params: Params,
    /// Of the current request only.
    extra: Params,
    url: Endpoint,
    /// Until it is used.
    fallback: Option<Endpoint>,
    /// The current request, from 0.
    step: u8,
    due_ms: Millis,
    /// To be sent when all is read.
    pub(super) replies: Vec<ReplyMessage>,
}

/// What comes after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// [`Inquiry::job`] is another request.
    Ask,
    /// All is read.
    Reply,
}

impl Inquiry {
    pub(super) fn new(
        message: Message,
        account: Arc<Account>,
        token: AuthToken,
        params: Params,
        destination: Destination,
        due_ms: Millis,
    ) -> Self {
        Self {
            message,
            account,
            token,
            params,
            extra: Params::new(),
            url: destination.url,
            fallback: destination.fallback,
            step: 0,
            due_ms,
            replies: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> Id {
        self.message.sid.id
    }

    /// The current request's.
    pub(super) fn url(&self) -> &str {
        &self.url.url
    }

    pub(super) fn event(&self) -> Event {
        Event::Inbound {
            message: self.message.sid,
            step: self.step,
        }
    }

    /// The current request, but for cookies.
    pub(super) fn job(&self) -> Job {
        let params = self.params.iter().chain(&self.extra).cloned();
        Job {
            event: self.event(),
            account: self.account.sid,
            method: self.url.method,
            url: self.url.url.as_str().into(),
            content: Content::Params(params.collect()),
            cookie: None,
            token: self.token.clone(),
            due_ms: self.due_ms,
        }
    }

    /// How much of the next document is read: those before have used up some of it.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            messages: twiml::MESSAGES_MAX.saturating_sub(self.replies.len()),
            ..Limits::default()
        }
    }

    /// A document was read. The fault is one to tell of.
    pub(super) fn read(&mut self, reply: Reply, now_ms: Millis) -> (Next, Option<Fault>) {
        self.replies.extend(reply.messages);
        let Some(redirect) = reply.redirect else {
            return (Next::Reply, None);
        };
        if self.step + 1 >= DOCUMENTS_MAX {
            return (Next::Reply, Some(ErrorCode::ReplyTooManyDocuments.into()));
        }
        self.extra.clear();
        self.go_on(redirect, now_ms);
        (Next::Ask, None)
    }

    /// The current request brought nothing usable. What was read before it is replied all the same.
    pub(super) fn failed(&mut self, code: ErrorCode, now_ms: Millis) -> Next {
        let Some(fallback) = self.fallback.take() else {
            return Next::Reply;
        };
        let without_fragment = self.url().split('#').next().unwrap_or_default();
        self.extra = vec![
            ("ErrorCode", code.to_string().into()),
            ("ErrorUrl", without_fragment.into()),
        ];
        self.go_on(fallback, now_ms);
        Next::Ask
    }

    fn go_on(&mut self, url: Endpoint, now_ms: Millis) {
        self.url = url;
        self.step += 1;
        self.due_ms = now_ms;
    }
}
