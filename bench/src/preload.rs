//! Stores with many messages in them, written directly: an old store, and a long queue.

use std::path::Path;
use std::sync::Arc;

use postrider_core::clock::{Clock, ManualClock, Millis};
use postrider_core::lifecycle::Segments;
use postrider_core::message::{Message, Status, StatusSet};
use postrider_core::privacy::Concealment;
use postrider_core::sid::Id;
use postrider_core::testing;
use postrider_store::sqlite::{Options, SqliteStore};
use postrider_store::{Change, Store as _, Submitted, SubmittedKey, Update};
use smallvec::smallvec;

/// Messages per commit.
const BATCH: u64 = 4_000;

/// What the rows of a preloaded store are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Sent and delivered, each by three commits as in life.
    Delivered,
    /// Waiting in the queue of the first sender.
    Queued,
}

/// Adds `count` messages to the store in `data`. Their time is before `now_ms`.
pub(crate) fn preload(data: &Path, count: u64, rows: Rows, now_ms: Millis) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now_ms));
    let store = SqliteStore::open(&data.join("store"), clock, Options::default())?;
    let first_ms = now_ms - 3_600_000;
    let mut number = 0;
    while number < count {
        let batch: Vec<Message> = (number..(number + BATCH).min(count))
            .map(|number| message(number, first_ms, rows))
            .collect();
        number += BATCH;
        let inserts: Vec<_> = batch
            .iter()
            .map(|message| Change::Insert(Box::new(message.clone())))
            .collect();
        store.commit(&inserts)?;
        if rows == Rows::Delivered {
            for status in [Status::Sent, Status::Delivered] {
                let updates: Vec<_> = batch
                    .iter()
                    .map(|message| update(message, status))
                    .collect();
                store.commit(&updates)?;
            }
        }
    }
    Ok(())
}

fn message(number: u64, first_ms: Millis, rows: Rows) -> Message {
    let signed = i64::try_from(number).expect("a benchmark's count");
    // Three thousand a millisecond, each millisecond's in sequence.
    let at_ms = first_ms + signed / 3_000;
    let sequence = u32::try_from(number % 3_000).expect("below 3,000");
    let id = Id::new(at_ms, sequence, number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    Message {
        to: format!("+1415{:07}", 2_000_000 + number * 7_919 % 7_000_000).into(),
        body: format!(
            "Your parcel number {number} will arrive today between two and four. Reply STOP to end."
        )
        .into(),
        is_backlog: rows == Rows::Queued,
        ..testing::message(id)
    }
}

fn update(message: &Message, status: Status) -> Change {
    let is_sent = status == Status::Sent;
    let key = SubmittedKey {
        group: "preloaded".into(),
        carrier_id: format!("{:x}", message.sid.id.key()).into(),
    };
    Change::Update(Update {
        id: message.sid.id,
        status,
        at_ms: message.updated_ms + 100,
        error: None,
        sent_ms: Some(message.updated_ms + 100),
        carrier: Some("bench".into()),
        attempts: 1,
        is_possible_duplicate: false,
        segments: Segments::accepted(1),
        done_date: None,
        callbacks_due: StatusSet::EMPTY,
        submitted: if is_sent {
            smallvec![Submitted { key, segment: 0 }]
        } else {
            smallvec![]
        },
        concealment: Concealment::default(),
    })
}
