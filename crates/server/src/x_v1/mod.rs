//! Postrider's own operations, under `/x/v1/`, where no path of Twilio's can ever collide.
//!
//! The same style as v1: names in PascalCase in, snake_case out, HTTP Basic, the credential's own
//! account.

use crate::call::Call;
use crate::error::Refusal;
use crate::reply::Answer;

mod account;
mod dry_run;
mod explain;
mod opt_outs;
mod recipient_network;
mod recipients;
mod registered_senders;
mod sender;
mod services;
mod short_codes;
pub(crate) mod simulator;
mod sticky_senders;
mod warning;

pub(crate) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    match *path {
        ["v1", "Account"] => account::instance(call).await,
        ["v1", "Recipients", number] => recipients::instance(call, number).await,
        ["v1", "ShortCodes"] => short_codes::collection(call).await,
        ["v1", "ShortCodes", sid] => short_codes::instance(call, sid).await,
        ["v1", "Explain"] => explain::collection(call).await,
        ["v1", "DryRun"] => dry_run::collection(call).await,
        ["v1", "StickySenders"] => sticky_senders::collection(call).await,
        ["v1", "StickySenders", service, number] => {
            sticky_senders::instance(call, service, number).await
        }
        ["v1", "OptOuts", ref path @ ..] => opt_outs::route(call, path).await,
        ["v1", "RegisteredSenders"] => registered_senders::collection(call).await,
        ["v1", "RegisteredSenders", sid] => registered_senders::instance(call, sid).await,
        ["v1", "Services", sid] => services::instance(call, sid).await,
        ["v1", "Explain", sid] => explain::instance(call, sid).await,
        ["v1", "Simulator", "Rules"] => simulator::rules(call),
        ["v1", "Simulator", "Handsets", number] => simulator::handset(call, number),
        _ => Err(Refusal::not_found()),
    }
}
