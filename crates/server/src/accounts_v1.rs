//! Accounts v1: the caller's auth tokens, one replaced by another without a pause, and what users said
//! about being written to ([`consents`]).
//!
//! Paths name no account: the credential's own is meant. For the tokens it must be an auth token.
//! <https://www.twilio.com/docs/iam/api/authtoken>

mod consents;

use postrider_core::sid::AccountSid;
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

pub(crate) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    match *path {
        ["v1", "AuthTokens", "Secondary"] => secondary(call).await,
        ["v1", "AuthTokens", "Promote"] => promotion(call).await,
        ["v1", "Consents", "Bulk"] => consents::bulk(call).await,
        _ => Err(Refusal::not_found()),
    }
}

async fn secondary(call: &Call<'_>) -> Answer {
    call.caller.require_auth_token()?;
    let account_sid = call.caller.account.sid;
    match call.method {
        Method::Post => {
            let made = call.engine().create_secondary_token(account_sid).await?;
            let (token, secondary_auth_token) = made;
            Ok(Reply::created(&SecondaryTokenJson {
                account_sid,
                date_created: Iso8601(token.created_ms),
                date_updated: Iso8601(token.created_ms),
                secondary_auth_token,
                url: format!("{}/v1/AuthTokens/Secondary", call.base),
            }))
        }
        Method::Delete => {
            call.engine().delete_secondary_token(account_sid).await?;
            Ok(Reply::no_content())
        }
        Method::Get | Method::Other => Err(Refusal::method_not_allowed("POST, DELETE")),
    }
}

async fn promotion(call: &Call<'_>) -> Answer {
    call.caller.require_auth_token()?;
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let account_sid = call.caller.account.sid;
    let account = call.engine().promote_secondary_token(account_sid).await?;
    Ok(Reply::ok(&PromotionJson {
        account_sid,
        auth_token: call.engine().auth_token(&account),
        date_created: Iso8601(account.created_ms),
        date_updated: Iso8601(account.updated_ms),
        url: format!("{}/v1/AuthTokens/Promote", call.base),
    }))
}

#[derive(Serialize)]
struct SecondaryTokenJson {
    account_sid: AccountSid,
    date_created: Iso8601,
    date_updated: Iso8601,
    secondary_auth_token: String,
    url: String,
}

#[derive(Serialize)]
struct PromotionJson {
    account_sid: AccountSid,
    auth_token: String,
    date_created: Iso8601,
    date_updated: Iso8601,
    url: String,
}
