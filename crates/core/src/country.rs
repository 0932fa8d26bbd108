//! Countries, and what senders can do there.

/// ISO 3166-1 alpha-2 code, upper case.
#[derive(
    Clone, Copy, Debug, serde::Serialize, serde::Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
pub struct Country([u8; 2]);
