//! Whom a handset talks to, and what is remembered of each such pair.

use postrider_core::message::{AccountNo, Message};

/// A handset and the sender of ours that it writes to. Their messages are told one after another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    account: AccountNo,
    handset: Box<str>,
    sender: Box<str>,
}

impl Line {
    /// Of an inbound message.
    pub(super) fn of(message: &Message) -> Self {
        Self::between(
            message.account,
            message.from.as_deref().unwrap_or_default(),
            &message.to,
        )
    }

    pub(super) fn between(account: AccountNo, handset: &str, sender: &str) -> Self {
        Self {
            account,
            handset: handset.into(),
            sender: sender.into(),
        }
    }
}
