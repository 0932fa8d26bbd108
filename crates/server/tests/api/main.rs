//! The API as a caller sees it, against the whole app in process: an engine over the memory store,
//! a clock that stands still, and a carrier that delivers everything. One file per page of
//! `docs/api.md`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod shapes;
mod unreadable;
mod world;

mod authentication;
mod caps;
mod concurrency;
mod idempotency;
mod limits;
mod ops;
mod paging;
mod requests;
mod responses;
mod routing;
mod serving;

mod accounts;
mod alerts;
mod area_codes;
mod auth_tokens;
mod channel_senders;
mod consents;
mod explanations;
mod extensions;
mod incoming_phone_numbers;
mod keys;
mod messages;
mod networks;
mod opt_out_configuration;
mod opt_out_files;
mod opt_outs;
mod records;
mod registered_senders;
mod sender_pools;
mod sender_status;
mod services;
mod short_codes;
mod us_a2p;
mod whatsapp;
mod worked_examples;
