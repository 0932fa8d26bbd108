//! Messaging v2: the senders of other channels than SMS. Bodies are JSON.

mod channels_senders;
mod profile;

use crate::call::Call;
use crate::error::Refusal;
use crate::reply::Answer;

pub(crate) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    match *path {
        ["v2", "Channels", "Senders"] => channels_senders::collection(call).await,
        ["v2", "Channels", "Senders", sid] => channels_senders::instance(call, sid).await,
        _ => Err(Refusal::not_found()),
    }
}
