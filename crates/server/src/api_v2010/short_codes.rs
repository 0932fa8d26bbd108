//! `/2010-04-01/Accounts/{AC}/SMS/ShortCodes`: short codes, to be read and given webhooks.
//!
//! Twilio's API cannot create one; ours can, at `/x/v1/ShortCodes`.
//! <https://www.twilio.com/docs/messaging/api/short-code-resource>

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::sender::ShortCode;
use postrider_core::settings::{Account, HttpMethod, ShortCodeEntry};
use postrider_core::sid::{AccountSid, ShortCodeSid};
use serde::Serialize;

use super::{API_VERSION, matches_number, not_offered};
use crate::call::{Call, Method};
use crate::date::Rfc2822;
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};
use crate::sender_form::SenderForm;

pub(super) fn collection(call: &Call<'_>, account: &Account) -> Answer {
    match call.method {
        Method::Get => list(call, account),
        Method::Post | Method::Delete | Method::Other => not_offered(call, "GET"),
    }
}

pub(super) async fn instance(call: &Call<'_>, account: &Account, sid: &str) -> Answer {
    let code = find(call, account, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&ShortCodeJson::new(&code))),
        Method::Post => {
            let form = call.form()?;
            let sender = SenderForm::read_update(&form)?;
            let change = |code: &mut ShortCodeEntry| sender.apply_to_short_code(code);
            let updated = call.engine().update_short_code(code.sid, change).await?;
            Ok(Reply::ok(&ShortCodeJson::new(&updated)))
        }
        Method::Delete | Method::Other => not_offered(call, "GET, POST"),
    }
}

fn find(call: &Call<'_>, account: &Account, sid: &str) -> Option<Arc<ShortCodeEntry>> {
    let sid: ShortCodeSid = sid.parse().ok()?;
    call.directory()
        .short_code(sid)
        .filter(|code| code.account == account.sid)
}

fn list(call: &Call<'_>, account: &Account) -> Answer {
    let query = call.query()?;
    let path = format!("/2010-04-01/Accounts/{}/SMS/ShortCodes.json", account.sid);
    let request = PageRequest::new(path, &query, &["FriendlyName", "ShortCode"])?;
    let mut codes = call.directory().short_codes_of(account.sid);
    codes.retain(|code| {
        query
            .text("FriendlyName")
            .is_none_or(|name| code.friendly_name == name)
            && query
                .text("ShortCode")
                .is_none_or(|pattern| matches_number(code.code.as_str(), pattern))
    });
    codes.sort_unstable_by_key(|code| std::cmp::Reverse(code.sid));
    let page = request.page_of(codes, |code| code.sid.0.as_u128());
    let shown = page.map(|code| ShortCodeJson::new(code));
    Ok(Reply::ok(&shown.in_2010("short_codes")))
}

#[derive(Serialize)]
struct ShortCodeJson<'a> {
    account_sid: AccountSid,
    api_version: &'static str,
    date_created: Rfc2822,
    date_updated: Rfc2822,
    friendly_name: &'a str,
    short_code: &'a ShortCode,
    sid: ShortCodeSid,
    sms_fallback_method: HttpMethod,
    sms_fallback_url: Option<&'a str>,
    sms_method: HttpMethod,
    sms_url: Option<&'a str>,
    uri: String,
}

impl<'a> ShortCodeJson<'a> {
    fn new(code: &'a ShortCodeEntry) -> Self {
        Self {
            account_sid: code.account,
            api_version: API_VERSION,
            date_created: Rfc2822(code.created_ms),
            date_updated: Rfc2822(code.updated_ms),
            friendly_name: &code.friendly_name,
            short_code: &code.code,
            sid: code.sid,
            sms_fallback_method: code.webhooks.sms_fallback_method,
            sms_fallback_url: code.webhooks.sms_fallback_url.as_deref(),
            sms_method: code.webhooks.sms_method,
            sms_url: code.webhooks.sms_url.as_deref(),
            uri: format!(
                "/2010-04-01/Accounts/{}/SMS/ShortCodes/{}.json",
                code.account, code.sid
            ),
        }
    }
}
