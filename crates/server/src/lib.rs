//! The HTTP front: Twilio's API on one port, and Postrider's own beside it.
//!
//! A request is read here, turned into types, handed to the engine, and the answer is written.
//! Nothing is decided here that the engine could decide. `docs/api.md` lists the operations and
//! where they differ from Twilio's.
//!
//! Routing is a `match` over the path's segments in each product's module. Products are told apart
//! by host, by prefix or by path (see `product`), which a router over one path cannot express, and
//! the way of a message to the engine stays free of allocations that only a router needs.
//!
//! Modules in the order in which a request meets them.

mod bad_head;
mod door;
mod serve;
mod write_timeout;

mod app;
mod auth;
mod call;
mod consent;
mod form;
mod idempotency;
mod json_form;
mod page;
mod product;
mod proxy;
mod sender_form;

mod accounts_v1;
mod api_v2010;
mod messaging_v1;
mod messaging_v2;
mod messaging_v3;
mod monitor_v1;
mod ops;
mod x_v1;

mod body;
mod date;
mod error;
mod reply;
mod request_id;
mod traffic;

pub use app::{App, Peer, Scheme, Setup};
pub use body::{BrokenOff, ReplyBody};
pub use door::{Authority, AuthorityError, Door};
pub use ops::Ops;
pub use proxy::{InvalidNetwork, TrustedProxies};
pub use serve::{Limits, serve};
pub use x_v1::simulator::{
    Handset, HandsetMessage, SimulatedClass, SimulatedOutcome, SimulatorControl, SimulatorRule,
};
