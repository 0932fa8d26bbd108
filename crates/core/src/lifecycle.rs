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
    /// A carrier may have it from now on: it is about to be written to one whose policy needs that on
    /// record, or was written to one that did not answer.
    Submitting {
        segments: u16,
    },
    /// The carrier gave it back: not one octet was written.
    Returned,
    /// The carrier took every segment.
    CarrierAccepted {
        segments: u16,
    },
    /// The carrier refused it, or a segment of it, for good.
    CarrierRefused {
        code: ErrorCode,
    },
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
    /// Some segments were reported delivered, and nothing was heard of the others for so long that
    /// this carrier reports only one segment of a message.
    OthersSilent,
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
        Event::OthersSilent => others_silent(state),
    }
}

impl State {
    /// Sent, and at least one segment was reported delivered and none undelivered.
    pub fn is_partly_delivered(&self) -> bool {
        self.status == Status::Sent
            && self.segments.0.contains(&Segment::Delivered)
            && !self.segments.0.contains(&Segment::Undelivered)
    }
}

fn others_silent(state: &State) -> Step {
    if state.is_partly_delivered() {
        moved(state, Status::Delivered, None)
    } else {
        Step::Ignored(Ignored::Late)
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

/// That a carrier may have it is on record while the segments are pending.
fn submitting(state: &State, segments: u16) -> Step {
    let pending = Segments(SmallVec::from_elem(Segment::Pending, usize::from(segments)));
    if state.status.rank() < Status::Sending.rank() {
        Step::Moved {
            status: Status::Sending,
            error: None,
            segments: pending,
        }
    } else if state.status == Status::Sending && state.segments == pending {
        Step::Ignored(Ignored::Repeated)
    } else if state.status == Status::Sending {
        Step::Noted { segments: pending }
    } else {
        Step::Ignored(Ignored::Late)
    }
}

fn returned(state: &State) -> Step {
    if state.status == Status::Sending && !state.segments.is_empty() {
        Step::Noted {
            segments: Segments::default(),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODE: ErrorCode = ErrorCode::UnknownFailure;

    fn state(status: Status, segments: &str) -> State {
        let segments = segments.chars().map(|letter| match letter {
            'p' => Segment::Pending,
            'a' => Segment::Accepted,
            'd' => Segment::Delivered,
            'u' => Segment::Undelivered,
            other => panic!("{other} is no segment"),
        });
        State {
            status,
            segments: Segments(segments.collect()),
        }
    }

    fn receipt_of(segment: u16, is_delivered: bool) -> Event {
        let error = (!is_delivered).then_some(CODE);
        Event::Receipt {
            segment,
            is_delivered,
            error,
        }
    }

    /// What a step comes to, in a word: the new status, `noted`, or why it was ignored.
    fn outcome(from: &State, event: &Event, parts: ReceiptParts) -> String {
        match step(from, event, parts) {
            Step::Moved { status, .. } => status.as_str().to_owned(),
            Step::Noted { .. } => "noted".to_owned(),
            Step::Ignored(why) => format!("{why:?}").to_lowercase(),
        }
    }

    /// One row a sentence: a message like this, to which that happens, becomes this.
    #[test]
    fn every_event_has_one_answer() {
        use ReceiptParts::{All, Any, First, Last};
        use Status::{
            Accepted, Canceled, Delivered, Failed, Queued, Read, Scheduled, Sending, Sent,
            Undelivered,
        };
        let taken = Event::CarrierAccepted { segments: 2 };
        let refused = Event::CarrierRefused { code: CODE };
        let gave_up = Event::GaveUp { code: CODE };
        let unknown = Event::OutcomeUnknown { code: CODE };
        let submitting = Event::Submitting { segments: 1 };
        let rows: &[(Status, &str, &Event, ReceiptParts, &str)] = &[
            (Scheduled, "", &Event::Released, All, "accepted"),
            (Canceled, "", &Event::Released, All, "late"),
            (Scheduled, "", &Event::Canceled, All, "canceled"),
            (Accepted, "", &Event::Canceled, All, "late"),
            (Accepted, "", &Event::Queued, All, "queued"),
            (Queued, "", &Event::Queued, All, "repeated"),
            (Sent, "a", &Event::Queued, All, "late"),
            // The intent to submit, and taking it back.
            (Queued, "", &submitting, All, "sending"),
            (Sending, "", &submitting, All, "noted"),
            (Delivered, "d", &submitting, All, "late"),
            (Sending, "p", &Event::Returned, All, "noted"),
            (Queued, "", &Event::Returned, All, "repeated"),
            // The carrier's answer.
            (Queued, "", &taken, All, "sent"),
            (Sending, "p", &taken, All, "sent"),
            (Sent, "a", &taken, All, "late"),
            (Undelivered, "", &taken, All, "late"),
            (Queued, "", &refused, All, "undelivered"),
            (Sent, "a", &refused, All, "late"),
            (Sending, "p", &unknown, All, "undelivered"),
            (Delivered, "d", &unknown, All, "late"),
            (Queued, "", &gave_up, All, "failed"),
            (Sent, "a", &gave_up, All, "late"),
            // Receipts, by the carrier's habit.
            (Sent, "a", &receipt_of(0, true), All, "delivered"),
            (Sent, "aa", &receipt_of(0, true), All, "noted"),
            (Sent, "da", &receipt_of(1, true), All, "delivered"),
            (Sent, "aa", &receipt_of(1, true), Any, "delivered"),
            (Sent, "aa", &receipt_of(0, true), First, "delivered"),
            (Sent, "aa", &receipt_of(1, true), First, "noted"),
            (Sent, "aa", &receipt_of(1, true), Last, "delivered"),
            (Sent, "aa", &receipt_of(0, true), Last, "noted"),
            (Sent, "aa", &receipt_of(1, false), All, "undelivered"),
            // Late, repeated, contradicting, senseless.
            (Delivered, "d", &receipt_of(0, true), All, "repeated"),
            (Delivered, "d", &receipt_of(0, false), All, "contradiction"),
            (Undelivered, "u", &receipt_of(0, true), All, "contradiction"),
            (Undelivered, "ua", &receipt_of(1, true), All, "noted"),
            (Read, "d", &receipt_of(0, true), All, "repeated"),
            (Sent, "a", &receipt_of(7, true), All, "impossible"),
            (Failed, "", &receipt_of(0, true), All, "impossible"),
        ];
        for (status, segments, event, parts, wanted) in rows {
            let got = outcome(&state(*status, segments), event, *parts);
            assert_eq!(
                got, *wanted,
                "{status:?} {segments:?} + {event:?} ({parts:?})"
            );
        }
    }

    #[test]
    fn an_error_code_comes_with_failures_only() {
        let sent = state(Status::Sent, "a");
        let Step::Moved { error, .. } = step(&sent, &receipt_of(0, false), ReceiptParts::All)
        else {
            panic!("an undelivered receipt moves a sent message");
        };
        assert_eq!(error, Some(CODE));
        let event = Event::Receipt {
            segment: 0,
            is_delivered: true,
            error: Some(CODE),
        };
        let Step::Moved { error, .. } = step(&sent, &event, ReceiptParts::All) else {
            panic!("a delivered receipt moves a sent message");
        };
        assert_eq!(error, None);
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Released),
            Just(Event::Canceled),
            Just(Event::Queued),
            (1..4_u16).prop_map(|segments| Event::Submitting { segments }),
            Just(Event::Returned),
            (1..4_u16).prop_map(|segments| Event::CarrierAccepted { segments }),
            Just(Event::CarrierRefused { code: CODE }),
            Just(Event::OutcomeUnknown { code: CODE }),
            Just(Event::GaveUp { code: CODE }),
            (0..4_u16, any::<bool>()).prop_map(|(segment, ok)| receipt_of(segment, ok)),
        ]
    }

    proptest! {
        #[test]
        fn the_rank_never_falls_and_the_first_final_status_stands(
            events in prop::collection::vec(any_event(), 0..40),
        ) {
            let mut now = state(Status::Scheduled, "");
            for event in events {
                let before = now.clone();
                match step(&now, &event, ReceiptParts::All) {
                    Step::Moved { status, error, segments } => {
                        prop_assert!(status.rank() > before.status.rank());
                        prop_assert_eq!(error.is_some(), status.is_failure());
                        now = State { status, segments };
                    }
                    Step::Noted { segments } => {
                        prop_assert_ne!(&segments, &before.segments);
                        now.segments = segments;
                    }
                    Step::Ignored(_) => {}
                }
                prop_assert!(!before.status.is_final() || before.status == now.status);
            }
        }
    }
}
