//! A message whose place in its sender's queue is taken, while it is not certain to be inserted.

use postrider_core::message::Message;

use super::Acceptor;

/// Gives the place back on drop.
pub(crate) struct Reserved<'a> {
    acceptor: &'a Acceptor,
    /// `None` once it is kept.
    message: Option<Message>,
}

impl<'a> Reserved<'a> {
    /// Of a message that [`Acceptor::prepare`] has made.
    pub(crate) fn new(acceptor: &'a Acceptor, message: Message) -> Self {
        Self {
            acceptor,
            message: Some(message),
        }
    }

    /// The message is about to be inserted: the place is its own.
    pub(crate) fn keep(mut self) -> Message {
        self.message.take().expect("only this takes it")
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(message) = &self.message {
            self.acceptor.abandon(message);
        }
    }
}
