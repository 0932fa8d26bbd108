//! SMPP client (ESME): one carrier over one or more binds.
//!
//! Protocol state is a value ([`session::Session`]): octets and an instant go in, octets, events and
//! the next deadline come out. The socket loop around it ([`client`]) is the only part that awaits.
//! The codec serves both sides, so that tests and the simulator can play the SMSC.
//! Ruled by SMPP v3.4 and `docs/carriers.md`. The modules lie from the wire upwards.

pub mod pdu;
pub mod tlv;

pub mod decode;
pub mod encode;

pub mod address;
pub mod command_status;
pub mod inbound_text;
pub mod receipt;
pub mod validity_period;
pub mod wire_text;

pub mod config;
pub mod pace;
mod random;
pub mod replay;
pub mod session;

mod carrier;
mod client;
mod connect;
mod reconnect;
mod tls;
mod watchdog;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
mod codec_tests;
#[cfg(test)]
mod loopback;
#[cfg(test)]
mod speed;

pub use carrier::SmppCarrier;
pub use config::{Config, ConfigError};
