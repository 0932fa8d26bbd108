//! `/x/v1/DryRun`: what the parameters of a message would come to, up to the commit, without it.
//!
//! Takes what `Messages` takes, and `RecipientNetwork`, and refuses what it refuses. Nothing is written,
//! reserved or counted.

use postrider_core::error_code::ErrorCode;
use postrider_core::sid::ServiceSid;
use serde::Serialize;

use super::explain::{CandidateJson, DecisionJson, candidates};
use super::recipient_network::{RecipientNetworkJson, supposed};
use super::sender::Senders;
use super::warning::WarningJson;
use crate::api_v2010::read_create;
use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let mut request = read_create(&call.body)?;
    request.recipient_network = supposed(&call.form()?)?;
    let account = &call.caller.account;
    let preview = call.engine().preview(account, &request).await?;
    let message = &preview.message;
    let decision = preview.decision.as_ref();
    let senders = Senders::of_pool(call.directory(), message.service, preview.pool.clone());
    let json = DryRunJson {
        to: &message.to,
        from: message.from.as_deref(),
        messaging_service_sid: message.service,
        // A service answers `accepted` before the sender is told.
        would_be: message.status.as_str(),
        error_code: message.error.map(ErrorCode::code),
        error_message: message.error.map(ErrorCode::title),
        body: &message.body,
        is_smart_encoded: message.submitted_body.is_some(),
        encoding: message.encoding.as_str(),
        num_segments: message.num_segments,
        recipient_network: preview.network.map(RecipientNetworkJson::from),
        opt_out: message.error == Some(ErrorCode::RecipientOptedOut),
        route: call.engine().carrier_names(&preview.carriers),
        warnings: preview.warnings.into_iter().map(Into::into).collect(),
        decision: decision.map(DecisionJson::new),
        candidates: decision.map_or_else(Vec::new, |decision| candidates(decision, &senders)),
    };
    Ok(Reply::ok(&json))
}

#[derive(Serialize)]
struct DryRunJson<'a> {
    to: &'a str,
    from: Option<&'a str>,
    messaging_service_sid: Option<ServiceSid>,
    /// `queued`, or `failed` with the error below.
    would_be: &'static str,
    error_code: Option<u32>,
    error_message: Option<&'static str>,
    /// As it would appear on the handset.
    body: &'a str,
    is_smart_encoded: bool,
    encoding: &'static str,
    num_segments: u16,
    /// Null where nobody was asked, because it does not matter.
    recipient_network: Option<RecipientNetworkJson>,
    /// The recipient wants nothing from there: the error is 21610.
    opt_out: bool,
    /// Names of the carriers that would be asked, in their order.
    route: Vec<String>,
    /// What there is to say of a message that goes on all the same; none of one that fails.
    warnings: Vec<WarningJson>,
    /// Null when the request names a sender and no service.
    decision: Option<DecisionJson>,
    candidates: Vec<CandidateJson>,
}
