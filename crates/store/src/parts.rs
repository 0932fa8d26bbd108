//! Segments of messages from handsets, kept until a message can be made of them.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::sid::Id;
use postrider_core::text::{Encoding, Utf16Text};

/// A segment as it came. Those of one message have the same id: the one that the message will have, so
/// that a crash while it is made makes it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub message: Id,
    pub of: PartOf,
    /// From 1 to the total.
    pub sequence: u8,
    pub received_ms: Millis,
    pub encoding: Encoding,
    pub text: Utf16Text,
}

/// What segments of one message have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartOf {
    pub carrier: Arc<str>,
    pub from: Box<str>,
    pub to: Box<str>,
    pub reference: u16,
    pub is_16_bit: bool,
    pub total: u8,
}

/// A part that is kept, and whether its message was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPart {
    pub part: Part,
    pub is_joined: bool,
}
