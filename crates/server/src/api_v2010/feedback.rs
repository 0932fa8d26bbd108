//! `/2010-04-01/Accounts/{AC}/Messages/{SM}/Feedback`: whether a recipient did what a message was for.
//!
//! Kept with the message and never read by us, so it is taken with `ProvideFeedback` and without.
//! <https://www.twilio.com/docs/messaging/api/message-feedback-resource>

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::FeedbackOutcome;
use postrider_core::settings::Account;
use postrider_core::sid::{AccountSid, MessageSid};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::Rfc2822;
use crate::error::Refusal;
use crate::reply::{Answer, Reply, as_text};

/// 200, not 201: the documented answer.
pub(super) async fn create(call: &Call<'_>, account: &Account, sid: &str) -> Answer {
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let sid: MessageSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    let form = call.form()?;
    let outcome = match form.required("Outcome")? {
        "confirmed" => FeedbackOutcome::Confirmed,
        "unconfirmed" => FeedbackOutcome::Unconfirmed,
        _ => {
            let text = "'Outcome' must be confirmed or unconfirmed";
            return Err(Fault::because(ErrorCode::InvalidParameter, text).into());
        }
    };
    let engine = call.engine();
    let feedback = engine.keep_feedback(account.no, sid, outcome).await?;
    let at = Rfc2822(feedback.at_ms);
    Ok(Reply::ok(&FeedbackJson {
        account_sid: account.sid,
        message_sid: sid,
        outcome: feedback.outcome,
        date_created: at,
        date_updated: at,
        uri: format!(
            "/2010-04-01/Accounts/{}/Messages/{sid}/Feedback.json",
            account.sid
        ),
    }))
}

#[derive(Serialize)]
struct FeedbackJson {
    account_sid: AccountSid,
    #[serde(serialize_with = "as_text")]
    message_sid: MessageSid,
    outcome: FeedbackOutcome,
    date_created: Rfc2822,
    date_updated: Rfc2822,
    uri: String,
}
