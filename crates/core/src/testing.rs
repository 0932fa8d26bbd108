//! Records for tests and benchmarks: whole and plain, altered where a test says so.
//!
//! The one place that a new field of a message or an account concerns; builders with numbers, times
//! and texts of their own stand on these.

use crate::lifecycle::Segments;
use crate::message::{AccountNo, Direction, Message, MessageOptions, SenderNo, Status, StatusSet};
use crate::settings::{Account, AccountStatus};
use crate::sid::{AccountSid, Id, MessageKind, MessageSid};
use crate::text::Encoding;
use crate::validity::MAX_VALIDITY_PERIOD_S;

/// A message of account 1 that waits in the queue of sender 1, as it was accepted.
pub fn message(id: Id) -> Message {
    Message {
        sid: MessageSid {
            id,
            kind: MessageKind::Sms,
        },
        account: AccountNo(1),
        service: None,
        direction: Direction::OutboundApi,
        status: Status::Queued,
        from: Some("+14155550100".into()),
        sender: Some(SenderNo(1)),
        to: "+447700900123".into(),
        body: "Your code is 4711".into(),
        submitted_body: None,
        encoding: Encoding::Gsm7,
        num_segments: 1,
        num_media: 0,
        updated_ms: id.created_ms(),
        sent_ms: None,
        send_at_ms: None,
        deadline_ms: id.created_ms() + i64::from(MAX_VALIDITY_PERIOD_S) * 1_000,
        error: None,
        carrier: None,
        attempts: 0,
        is_possible_duplicate: false,
        segments: Segments::default(),
        done_date: None,
        status_callback: None,
        callbacks_due: StatusSet::EMPTY,
        decision: None,
        options: MessageOptions::default(),
        is_backlog: false,
    }
}

/// A main account that may send. It has no auth token.
pub fn account(sid: AccountSid, no: AccountNo) -> Account {
    Account {
        sid,
        no,
        parent: None,
        friendly_name: "Test".to_owned(),
        status: AccountStatus::Active,
        auth_token_hash: String::new(),
        auth_token_sealed: String::new(),
        secondary_token: None,
        retention_days: None,
        created_ms: sid.0.created_ms(),
        updated_ms: sid.0.created_ms(),
    }
}
