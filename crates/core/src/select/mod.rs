//! Sender selection: which sender of the pool a message goes out from, and why.
//!
//! [`select`] is a pure function. Pool, settings, recipient, loads and sticky mapping come in as
//! arguments; out comes a [`Decision`] that names the winner, the rule that chose it, and for every
//! other candidate the rule that removed it. See `docs/sender-selection.md`.
