//! The webhooks as a whole, against servers on this machine.

mod alarm;
mod delivery;
mod log;
mod safety;
mod server;
mod tls;
