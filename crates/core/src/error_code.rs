//! The error catalogue: Twilio's codes, as one enum.

/// A code of Twilio's error dictionary that Postrider can emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u32);
