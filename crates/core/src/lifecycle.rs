//! The status machine: what an event does to a message, as a value.
//!
//! [`step`] is total: every pair of state and event is answered, and events that change nothing say
//! why. A status only rises in rank, so late, repeated and reordered receipts are harmless. The
//! engine commits what a step returns and only then acts on it.

use smallvec::SmallVec;

use crate::error_code::ErrorCode;
use crate::message::Status;

/// What is known of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Segment {
    /// Not known to be with the carrier.
    Pending = 0,
    Accepted = 1,
    Delivered = 2,
    Undelivered = 3,
}

/// The state of every segment of one message, in order; empty until the carrier took it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments(SmallVec<[Segment; 4]>);

impl Segments {
    /// All segments accepted, none receipted.
    pub fn accepted(count: usize) -> Self {
        Self(SmallVec::from_elem(Segment::Accepted, count))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_slice(&self) -> &[Segment] {
        &self.0
    }

    /// The stored form: one octet a segment.
    pub fn to_bytes(&self) -> SmallVec<[u8; 4]> {
        self.0.iter().map(|&segment| segment as u8).collect()
    }

    /// Reads the stored form; an unknown octet counts as pending.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(
            bytes
                .iter()
                .map(|byte| match byte {
                    1 => Segment::Accepted,
                    2 => Segment::Delivered,
                    3 => Segment::Undelivered,
                    _ => Segment::Pending,
                })
                .collect(),
        )
    }
}

/// Which receipts make a long message delivered; a carrier's habit, so a carrier's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReceiptParts {
    /// Every segment has its receipt.
    #[default]
    All,
    /// One receipt, for whichever segment, speaks for the message.
    Any,
    First,
    Last,
}

/// Something that happened to a message already in our hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its time has come (`SendAt`).
    Released,
    Canceled,
    /// A sender is chosen and it waits in that sender's queue.
    Queued,
    /// It is about to be written to a carrier whose policy needs that on record.
    Submitting { segments: u16 },
    /// The carrier gave it back: not one octet was written.
    Returned,
    /// The carrier took every segment.
    CarrierAccepted {
        segments: u16,
    },
    /// The carrier refused it, or a segment of it, for good.
    CarrierRefused { code: ErrorCode },
    /// It is not known whether the carrier has it, and the policy forbids trying again.
    OutcomeUnknown {
        code: ErrorCode,
    },
    /// We gave up before any carrier took it.
    GaveUp {
        code: ErrorCode,
    },
    /// A receipt for one segment (from 0).
    Receipt {
        segment: u16,
        is_delivered: bool,
        error: Option<ErrorCode>,
    },
}

/// What a message looks like to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub status: Status,
    pub segments: Segments,
}

/// The answer of [`step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new status, which calls back unless it is the one the message was created with.
    Moved {
        status: Status,
        error: Option<ErrorCode>,
        segments: Segments,
    },
    /// The status stays, what is known of the segments changed.
    Noted {
        segments: Segments,
    },
    Ignored(Ignored),
}

/// Why an event changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The message has passed this point already.
    Late,
    /// The same was said before.
    Repeated,
    /// A second final receipt that contradicts the first: the first stands.
    Contradiction,
    /// The event makes no sense in this state.
    Impossible,
}

/// Applies `event` to `state`.
pub fn step(state: &State, event: &Event, parts: ReceiptParts) -> Step {
    match event {
        Event::Released => only_from(state, Status::Scheduled, Status::Accepted),
        Event::Canceled => only_from(state, Status::Scheduled, Status::Canceled),
        Event::Queued => rise(state, Status::Queued, None),
        Event::Submitting { segments } => submitting(state, *segments),
        Event::Returned => returned(state),
        Event::CarrierAccepted { segments } => accepted(state, *segments),
        Event::GaveUp { code } => give_up(state, Status::Failed, *code),
        Event::CarrierRefused { code } | Event::OutcomeUnknown { code } => {
            give_up(state, Status::Undelivered, *code)
        }
        Event::Receipt {
            segment,
            is_delivered,
            error,
        } => receipt(state, usize::from(*segment), *is_delivered, *error, parts),
    }
}

fn only_from(state: &State, from: Status, to: Status) -> Step {
    if state.status == from {
        moved(state, to, None)
    } else {
        Step::Ignored(Ignored::Late)
    }
}

fn rise(state: &State, to: Status, error: Option<ErrorCode>) -> Step {
    if state.status.rank() < to.rank() {
        moved(state, to, error)
    } else if state.status == to {
        Step::Ignored(Ignored::Repeated)
    } else {
        Step::Ignored(Ignored::Late)
    }
}

/// The intent to submit is on record while the segments are pending.
fn submitting(state: &State, segments: u16) -> Step {
    let pending = Segments(SmallVec::from_elem(Segment::Pending, usize::from(segments)));
    if state.status.rank() < Status::Sending.rank() {
        Step::Moved { status: Status::Sending, error: None, segments: pending }
    } else if state.status == Status::Sending {
        Step::Noted { segments: pending }
    } else {
        Step::Ignored(Ignored::Late)
    }
}

fn returned(state: &State) -> Step {
    if state.status == Status::Sending && !state.segments.is_empty() {
        Step::Noted { segments: Segments::default() }
    } else {
        Step::Ignored(Ignored::Repeated)
    }
}

fn moved(state: &State, status: Status, error: Option<ErrorCode>) -> Step {
    Step::Moved {
        status,
        error,
        segments: state.segments.clone(),
    }
}

fn accepted(state: &State, segments: u16) -> Step {
    if state.status.rank() >= Status::Sent.rank() {
        return Step::Ignored(Ignored::Late);
    }
    Step::Moved {
        status: Status::Sent,
        error: None,
        segments: Segments::accepted(usize::from(segments)),
    }
}

/// Giving up is for messages that no carrier is known to have whole.
fn give_up(state: &State, to: Status, code: ErrorCode) -> Step {
    if state.status.rank() >= Status::Sent.rank() {
        return Step::Ignored(Ignored::Late);
    }
    moved(state, to, Some(code))
}

fn receipt(
    state: &State,
    index: usize,
    is_delivered: bool,
    error: Option<ErrorCode>,
    parts: ReceiptParts,
) -> Step {
    let Some(&known) = state.segments.0.get(index) else {
        return Step::Ignored(Ignored::Impossible);
    };
    let now = if is_delivered {
        Segment::Delivered
    } else {
        Segment::Undelivered
    };
    match known {
        Segment::Delivered | Segment::Undelivered if known == now => {
            return Step::Ignored(Ignored::Repeated);
        }
        Segment::Delivered | Segment::Undelivered => {
            return Step::Ignored(Ignored::Contradiction);
        }
        Segment::Pending | Segment::Accepted => {}
    }
    let mut segments = state.segments.clone();
    segments.0[index] = now;
    if state.status.is_final() {
        return Step::Noted { segments };
    }
    let status = if !is_delivered {
        Status::Undelivered
    } else if speaks_for_all(&segments, index, parts) {
        Status::Delivered
    } else {
        return Step::Noted { segments };
    };
    Step::Moved {
        status,
        error: error.filter(|_| !is_delivered),
        segments,
    }
}

fn speaks_for_all(segments: &Segments, index: usize, parts: ReceiptParts) -> bool {
    match parts {
        ReceiptParts::All => segments
            .0
            .iter()
            .all(|&segment| segment == Segment::Delivered),
        ReceiptParts::Any => true,
        ReceiptParts::First => index == 0,
        ReceiptParts::Last => index + 1 == segments.0.len(),
    }
}
