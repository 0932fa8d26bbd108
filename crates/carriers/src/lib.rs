//! Carriers: how messages leave and how receipts and replies come back.
//!
//! The contract is written from the engine's side. A carrier is handed [`Submission`]s and answers
//! each with exactly one [`Outcome`]; whatever else it has to say (receipts, inbound messages, its
//! own health) arrives as further [`Event`]s on the same channel, in batches. A carrier never
//! retries, never decides, and does not know the store: it says what happened and whose fault it
//! was. Ruled by `docs/carriers.md`.

pub mod contract;
pub mod correlation;
pub mod simulator;
pub mod smpp;

#[cfg(any(test, feature = "testing"))]
pub mod conformance;

pub use contract::*;
