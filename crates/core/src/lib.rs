//! The domain of Postrider: every decision, as pure functions over plain values.
//!
//! Nothing here reads a clock, draws a random number, awaits, locks or does IO. Instants and seeds
//! come in as arguments; what must happen next goes out as values. The modules are listed in the
//! order in which a message meets them.

mod serde_as_text;
pub mod serde_unique_keys;

pub mod clock;
pub mod sid;

pub mod country;
pub mod nanp;
pub mod network;
pub mod phone_number;
pub mod sender;
pub mod sender_rate;

pub mod error_code;
pub mod fault;
pub mod settings;

pub mod create;
pub mod idempotency;
pub mod message;
pub mod privacy;
pub mod schedule;
pub mod text;
pub mod validity;

pub mod select;

pub mod opt_out;

pub mod cap;
pub mod pacing;
pub mod route;
pub mod shared_pace;

pub mod lifecycle;

pub mod twiml;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
