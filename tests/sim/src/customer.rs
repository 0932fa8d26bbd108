//! The customer: whose requests were answered with 201, and what the webhook endpoint heard.

use std::collections::BTreeMap;

use postrider_core::message::{Message, Status};
use postrider_core::sid::{Id, MessageSid};

/// What the customer knows.
#[derive(Default)]
pub(crate) struct Customer {
    /// Messages answered with 201, by their body (unique in a run).
    pub(crate) created: BTreeMap<String, Created>,
    /// Callbacks received, in order, by message.
    pub(crate) heard: BTreeMap<Id, Vec<Status>>,
}

/// A message the customer was promised.
pub(crate) struct Created {
    pub(crate) sid: MessageSid,
    pub(crate) through_service: bool,
    pub(crate) was_scheduled: bool,
}

impl Customer {
    pub(crate) fn was_answered(&mut self, message: &Message) {
        let created = Created {
            sid: message.sid,
            through_service: message.service.is_some(),
            was_scheduled: message.status == Status::Scheduled,
        };
        self.created.insert(message.body.to_string(), created);
    }

    pub(crate) fn hear(&mut self, id: Id, status: Status) {
        self.heard.entry(id).or_default().push(status);
    }
}
