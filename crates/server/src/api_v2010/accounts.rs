//! `/2010-04-01/Accounts`: the caller's account and its subaccounts.
//!
//! Needs the auth token: an API key could otherwise read the token it does not have.
//! <https://www.twilio.com/docs/iam/api/account>

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{Account, AccountStatus};
use postrider_core::sid::AccountSid;
use serde::Serialize;

use super::not_offered;
use crate::auth::Access;
use crate::call::{Call, Method};
use crate::date::Rfc2822;
use crate::error::Refusal;
use crate::form::Change;
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    call.caller.require_auth_token()?;
    match call.method {
        Method::Post => create(call).await,
        Method::Get => list(call),
        Method::Delete | Method::Other => not_offered(call, "GET, POST"),
    }
}

/// Also a suspended child can be read and changed by its parent: that is how it is revived.
pub(super) async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    call.caller.require_auth_token()?;
    let account = call.caller.own_or_child(call.directory(), sid);
    let account = account.ok_or(match call.method.access() {
        Access::Read => ErrorCode::NotFound,
        Access::Write => ErrorCode::Unauthorized,
    })?;
    match call.method {
        Method::Get => Ok(Reply::ok(&AccountJson::new(call, &account))),
        Method::Post => update(call, &account).await,
        Method::Delete | Method::Other => not_offered(call, "GET, POST"),
    }
}

async fn create(call: &Call<'_>) -> Answer {
    let form = call.form()?;
    let friendly_name = form.friendly_name()?.set();
    let account = call
        .engine()
        .create_account(call.caller.account.sid, friendly_name)
        .await?;
    Ok(Reply::created(&AccountJson::new(call, &account)))
}

async fn update(call: &Call<'_>, account: &Account) -> Answer {
    let form = call.form()?;
    let friendly_name = form.friendly_name()?;
    let status = match form.change("Status", parse_status)? {
        // An empty text must not revive an account.
        Change::Clear => return Err(no_such_status()),
        change => change.set(),
    };
    let change = |account: &mut Account| {
        let default = Account::default_name(account.sid, account.parent);
        friendly_name.apply_or(&mut account.friendly_name, default);
        account.status = status.unwrap_or(account.status);
    };
    let updated = call.engine().update_account(account.sid, change).await?;
    Ok(Reply::ok(&AccountJson::new(call, &updated)))
}

fn list(call: &Call<'_>) -> Answer {
    let query = call.query()?;
    let path = "/2010-04-01/Accounts.json".to_owned();
    let request = PageRequest::new(path, &query, &["FriendlyName", "Status"])?;
    let name = query.text("FriendlyName");
    let status = query.text("Status").map(parse_status).transpose()?;
    let mut accounts = call.directory().accounts_of(call.caller.account.sid);
    accounts.retain(|account| {
        name.is_none_or(|name| account.friendly_name == name)
            && status.is_none_or(|status| account.status == status)
    });
    accounts.sort_unstable_by_key(|account| std::cmp::Reverse(account.sid));
    let page = request.page_of(accounts, |account| account.sid.0.as_u128());
    let shown = page.map(|account| AccountJson::new(call, account));
    Ok(Reply::ok(&shown.in_2010("accounts")))
}

fn parse_status(text: &str) -> Result<AccountStatus, Refusal> {
    match text {
        "active" => Ok(AccountStatus::Active),
        "suspended" => Ok(AccountStatus::Suspended),
        "closed" => Ok(AccountStatus::Closed),
        _ => Err(no_such_status()),
    }
}

fn no_such_status() -> Refusal {
    let text = "'Status' must be active, suspended or closed";
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

#[derive(Serialize)]
struct AccountJson<'a> {
    auth_token: String,
    date_created: Rfc2822,
    date_updated: Rfc2822,
    friendly_name: &'a str,
    owner_account_sid: AccountSid,
    sid: AccountSid,
    status: &'static str,
    subresource_uris: Subresources,
    r#type: &'static str,
    uri: String,
}

/// Those that there are.
#[derive(Serialize)]
struct Subresources {
    incoming_phone_numbers: String,
    keys: String,
    messages: String,
    short_codes: String,
}

impl<'a> AccountJson<'a> {
    fn new(call: &Call<'_>, account: &'a Account) -> Self {
        let sid = account.sid;
        let uri = |name: &str| format!("/2010-04-01/Accounts/{sid}/{name}.json");
        Self {
            auth_token: call.engine().auth_token(account),
            date_created: Rfc2822(account.created_ms),
            date_updated: Rfc2822(account.updated_ms),
            friendly_name: &account.friendly_name,
            owner_account_sid: account.parent.unwrap_or(sid),
            sid,
            status: match account.status {
                AccountStatus::Active => "active",
                AccountStatus::Suspended => "suspended",
                AccountStatus::Closed => "closed",
            },
            subresource_uris: Subresources {
                incoming_phone_numbers: uri("IncomingPhoneNumbers"),
                keys: uri("Keys"),
                messages: uri("Messages"),
                short_codes: uri("SMS/ShortCodes"),
            },
            r#type: "Full",
            uri: format!("/2010-04-01/Accounts/{sid}.json"),
        }
    }
}
