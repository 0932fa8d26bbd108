//! Where messages and settings live: one contract, and the stores that keep it.
//!
//! The contract ([`contract`]) is shaped by the domain and written for single ownership: the engine
//! decides, the store records, in order, durably, and nothing is read to be written back. It blocks;
//! callers are threads that may block. [`sqlite`] is the embedded store; [`memory`] is the model the
//! simulations run on. Whoever implements the contract must pass
//! `conformance` (behind the feature `testing`).

mod alerts;
mod answers;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod contract;
pub mod memory;
mod opt_outs;
mod parts;
pub mod sqlite;
mod sticky;
#[cfg(test)]
mod tests;

pub use alerts::*;
pub use answers::*;
pub use contract::*;
pub use opt_outs::*;
pub use parts::*;
pub use sticky::*;
