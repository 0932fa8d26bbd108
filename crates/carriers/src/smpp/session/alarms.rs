//! What the operator must hear of, and how seldom: each kind once a minute, with the number of times
//! that went without a word since. Under load a setting that is wrong is wrong for every message.

use rustc_hash::FxHashMap;

use crate::smpp::command_status::Fault;
use crate::smpp::pdu::CommandStatus;

/// How long a kind of alarm is silent after it was raised.
const SILENCE_MS: i64 = 60_000;

/// Something that only a person can mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    pub cause: Cause,
    /// Times the same happened since the alarm before, in silence.
    pub unsaid: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A refusal that blames us and not the message.
    Refusal { status: CommandStatus, fault: Fault },
    /// A receipt that says of no message what it says. Whatever it was for waits in vain.
    ReceiptWithoutId { detail: Box<str> },
    /// More than `inbound_window` wait for our answer, so we ask the SMSC to come again.
    TooManyDeliveries,
}

/// The kinds of alarms: one, and as many as the status table has rows with a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Refusal(u32),
    ReceiptWithoutId,
    TooManyDeliveries,
}

impl Cause {
    fn kind(&self) -> Kind {
        match self {
            Self::Refusal { status, .. } => Kind::Refusal(status.0),
            Self::ReceiptWithoutId { .. } => Kind::ReceiptWithoutId,
            Self::TooManyDeliveries => Kind::TooManyDeliveries,
        }
    }
}

/// The alarms of one session.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    raised: FxHashMap<Kind, Raised>,
}

#[derive(Debug)]
struct Raised {
    at_ms: i64,
    unsaid: u64,
}

impl Alarms {
    /// The alarm, unless one of its kind was raised within the last minute.
    pub(super) fn raise(&mut self, cause: Cause, now_ms: i64) -> Option<Alarm> {
        let mut unsaid = 0;
        if let Some(before) = self.raised.get_mut(&cause.kind()) {
            if now_ms < before.at_ms + SILENCE_MS {
                before.unsaid += 1;
                return None;
            }
            unsaid = before.unsaid;
        }
        let raised = Raised {
            at_ms: now_ms,
            unsaid: 0,
        };
        self.raised.insert(cause.kind(), raised);
        Some(Alarm { cause, unsaid })
    }
}
