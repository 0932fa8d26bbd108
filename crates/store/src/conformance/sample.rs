//! Messages and changes for tests: plain by default, altered where a test says so.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{Message, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::sid::Id;
use postrider_core::testing;
use smallvec::SmallVec;

use crate::contract::{Submitted, SubmittedKey, Update};

/// When message 0 is made.
pub const START_MS: Millis = 1_795_000_000_000;

/// The id of message `number`: a second after the one before.
pub fn id(number: u32) -> Id {
    let number = u64::from(number);
    let tail = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Id::new(created_ms(number), 5, tail)
}

/// When message `number` is made.
pub fn created_ms(number: impl Into<u64>) -> Millis {
    START_MS + 1_000 * number.into().cast_signed()
}

/// The number that [`id`] was made from.
pub fn number(message: &Message) -> u32 {
    u32::try_from((message.created_ms() - START_MS) / 1_000).expect("a sample message")
}

/// A queued message of account 1 from sender 1 with one segment.
pub fn message(number: u32) -> Message {
    testing::message(id(number))
}

/// A message changed by `edit`.
pub fn message_with(number: u32, edit: impl FnOnce(&mut Message)) -> Message {
    let mut message = message(number);
    edit(&mut message);
    message
}

/// A scheduled message.
pub fn scheduled(number: u32, send_at_ms: Millis) -> Message {
    message_with(number, |message| {
        message.status = Status::Scheduled;
        message.send_at_ms = Some(send_at_ms);
        message.sender = None;
        message.from = None;
        message.num_segments = 0;
    })
}

/// The step to `status`, half a second after the message was made.
pub fn update(number: u32, status: Status) -> Update {
    let at_ms = created_ms(number) + 500;
    let is_sent = status == Status::Sent;
    Update {
        id: id(number),
        status,
        at_ms,
        error: None,
        sent_ms: is_sent.then_some(at_ms),
        carrier: Some(Arc::from("acme")),
        attempts: 1,
        is_possible_duplicate: false,
        segments: Segments::accepted(1),
        done_date: None,
        callbacks_due: StatusSet::EMPTY,
        submitted: SmallVec::new(),
        concealment: Concealment::default(),
    }
}

/// The step to `sent` under these ids of the carrier, one a segment.
pub fn sent_as(number: u32, carrier_ids: &[&str]) -> Update {
    let submitted = carrier_ids.iter().zip(0..).map(|(id, segment)| Submitted {
        key: key("acme", id),
        segment,
    });
    Update {
        submitted: submitted.collect(),
        segments: Segments::accepted(carrier_ids.len()),
        ..update(number, Status::Sent)
    }
}

pub fn key(group: &str, carrier_id: &str) -> SubmittedKey {
    SubmittedKey {
        group: group.into(),
        carrier_id: carrier_id.into(),
    }
}
