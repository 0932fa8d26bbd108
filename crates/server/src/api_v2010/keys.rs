//! `/2010-04-01/Accounts/{AC}/Keys`: API keys, each with a secret that is shown once.
//!
//! <https://www.twilio.com/docs/iam/api-keys>

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::settings::{Account, ApiKey};
use postrider_core::sid::KeySid;
use serde::Serialize;

use super::not_offered;
use crate::call::{Call, Method};
use crate::date::Rfc2822;
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

pub(super) async fn collection(call: &Call<'_>, account: &Account) -> Answer {
    call.caller.require_auth_token()?;
    match call.method {
        Method::Post => create(call, account).await,
        Method::Get => list(call, account),
        Method::Delete | Method::Other => not_offered(call, "GET, POST"),
    }
}

pub(super) async fn instance(call: &Call<'_>, account: &Account, sid: &str) -> Answer {
    call.caller.require_auth_token()?;
    let key = find(call, account, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&KeyJson::new(&key))),
        Method::Post => {
            let form = call.form()?;
            let name = form.friendly_name()?;
            let change = |key: &mut ApiKey| name.apply_or(&mut key.friendly_name, String::new());
            let updated = call.engine().update_key(key.sid, change).await?;
            Ok(Reply::ok(&KeyJson::new(&updated)))
        }
        Method::Delete => {
            call.engine().delete_key(key.sid).await?;
            Ok(Reply::no_content())
        }
        Method::Other => not_offered(call, "GET, POST, DELETE"),
    }
}

fn find(call: &Call<'_>, account: &Account, sid: &str) -> Option<Arc<ApiKey>> {
    let sid: KeySid = sid.parse().ok()?;
    call.directory()
        .key(sid)
        .filter(|key| key.account == account.sid)
}

async fn create(call: &Call<'_>, account: &Account) -> Answer {
    let form = call.form()?;
    let name = form.friendly_name()?.set().unwrap_or_default();
    let (key, secret) = call.engine().create_key(account.sid, name).await?;
    let KeyJson {
        sid,
        friendly_name,
        date_created,
        date_updated,
    } = KeyJson::new(&key);
    Ok(Reply::created(&NewKeyJson {
        sid,
        friendly_name,
        date_created,
        date_updated,
        secret: &secret,
    }))
}

fn list(call: &Call<'_>, account: &Account) -> Answer {
    let path = format!("/2010-04-01/Accounts/{}/Keys.json", account.sid);
    let request = PageRequest::new(path, &call.query()?, &[])?;
    let mut keys = call.directory().keys_of(account.sid);
    keys.sort_unstable_by_key(|key| std::cmp::Reverse(key.sid));
    let page = request.page_of(keys, |key| key.sid.0.as_u128());
    let shown = page.map(|key| KeyJson::new(key));
    Ok(Reply::ok(&shown.in_2010("keys")))
}

#[derive(Serialize)]
struct KeyJson<'a> {
    sid: KeySid,
    friendly_name: Option<&'a str>,
    date_created: Rfc2822,
    date_updated: Rfc2822,
}

#[derive(Serialize)]
struct NewKeyJson<'a> {
    sid: KeySid,
    friendly_name: Option<&'a str>,
    date_created: Rfc2822,
    date_updated: Rfc2822,
    secret: &'a str,
}

impl<'a> KeyJson<'a> {
    fn new(key: &'a ApiKey) -> Self {
        Self {
            sid: key.sid,
            friendly_name: Some(key.friendly_name.as_str()).filter(|name| !name.is_empty()),
            date_created: Rfc2822(key.created_ms),
            date_updated: Rfc2822(key.updated_ms),
        }
    }
}
