//! The whole engine in a seeded simulation on virtual time.
//!
//! [`run`] builds a world from a seed: an account, a service, senders, a few carriers and a
//! customer's webhook endpoint. It sends messages through the real accept, dispatch and webhook
//! scheduling code over the model store, while carriers refuse, throttle, disconnect, answer late
//! or never, lose, repeat and hurry receipts, commits fail, and the process dies or stops politely and
//! starts again.
//! In the end everything heals, time runs on, and the [`oracle`] says whether every promise was
//! kept. The same seed gives the same run, step by step.

mod carrier;
mod customer;
pub mod oracle;
mod world;

pub use oracle::Report;
pub use world::run;
