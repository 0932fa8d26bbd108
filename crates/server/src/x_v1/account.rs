//! `/x/v1/Account`: settings of the caller's account that Twilio has in its Console only.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::Account;
use postrider_core::sid::AccountSid;
use postrider_engine::RETENTION_DAYS;
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Change;
use crate::reply::{Answer, Reply};

pub(super) async fn instance(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Get => Ok(Reply::ok(&AccountJson::new(call, &call.caller.account))),
        Method::Post => {
            call.caller.require_auth_token()?;
            let days = call.form()?.change("MessageRetentionDays", read_days)?;
            let account = call.caller.account.sid;
            let updated = match days {
                Change::Keep => call.caller.account.clone(),
                Change::Clear => call.engine().set_retention(account, None).await?,
                Change::Set(days) => call.engine().set_retention(account, Some(days)).await?,
            };
            Ok(Reply::ok(&AccountJson::new(call, &updated)))
        }
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

fn read_days(text: &str) -> Result<u16, Refusal> {
    let days = text.parse().ok();
    days.filter(|days| RETENTION_DAYS.contains(days))
        .ok_or_else(|| {
            let (least, most) = (RETENTION_DAYS.start(), RETENTION_DAYS.end());
            let text =
                format!("'MessageRetentionDays' must be a whole number from {least} to {most}");
            Fault::because(ErrorCode::InvalidParameter, text).into()
        })
}

#[derive(Serialize)]
struct AccountJson {
    sid: AccountSid,
    /// Of a subaccount, its main account's.
    message_retention_days: u16,
    date_updated: Iso8601,
    url: String,
}

impl AccountJson {
    fn new(call: &Call<'_>, account: &Account) -> Self {
        Self {
            sid: account.sid,
            message_retention_days: call.engine().retention_days(account.no),
            date_updated: Iso8601(account.updated_ms),
            url: format!("{}/v1/Account", call.base),
        }
    }
}
