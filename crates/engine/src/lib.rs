//! The stations a message passes, as tasks around the core: accept, dispatch, receive, call back.
//!
//! The core decides, the engine commits what was decided and then performs it. See
//! `ARCHITECTURE.md` for the walk of one message through these modules.

pub mod webhooks;
