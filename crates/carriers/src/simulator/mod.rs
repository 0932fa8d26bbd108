//! The simulated carrier: a network and its handsets in the binary, scriptable by destination number.
//!
//! For `postrider dev`, for applications' test suites, for the engine's own simulations and for
//! benchmarks. [`World`] is the carrier as a value. Ruled by `docs/simulator.md`.

mod config;
mod handset;
mod recipients;
mod rule;

mod due;
mod links;
mod notice;
mod pace;
mod random;
mod world;

pub use config::{Config, ConfigError, Odds};
pub use handset::HandsetMessage;
pub use recipients::{Digits, Recipients, RecipientsError};
pub use rule::{Behavior, Rule, Unanswered};
pub use world::{ReplyError, World};
