//! The customer: whose requests were answered with 201, and what the webhook endpoint heard.

use std::collections::BTreeMap;

use postrider_core::clock::Millis;
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
    /// It is valid for longer than any trouble lasts.
    pub(crate) is_patient: bool,
    /// When it came to its sender's queue; again if it was scheduled.
    pub(crate) queued_ms: Option<Millis>,
}

/// Beyond what customers ask for who are in a hurry.
const PATIENCE_MS: Millis = 3_600_000;

impl Customer {
    pub(crate) fn was_answered(&mut self, message: &Message, now_ms: Millis) {
        let was_scheduled = message.status == Status::Scheduled;
        let from_ms = message.send_at_ms.unwrap_or(message.created_ms());
        let created = Created {
            sid: message.sid,
            through_service: message.service.is_some(),
            was_scheduled,
            is_patient: message.deadline_ms - from_ms > PATIENCE_MS,
            queued_ms: (!was_scheduled).then_some(now_ms),
        };
        self.created.insert(message.body.to_string(), created);
    }

    pub(crate) fn was_released(&mut self, message: &Message, now_ms: Millis) {
        if let Some(created) = self.created.get_mut(&*message.body) {
            created.queued_ms = Some(now_ms);
        }
    }

    pub(crate) fn hear(&mut self, id: Id, status: Status) {
        self.heard.entry(id).or_default().push(status);
    }
}
