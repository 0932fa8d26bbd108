//! `/x/v1/ShortCodes`: registers the operator's short codes, which Twilio's API only lists.
//!
//! The same code and country again updates the entry. `DELETE` gives the code up; it leaves its pool
//! with it.

use std::sync::Arc;

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::network::NetworkPattern;
use postrider_core::sender::ShortCode;
use postrider_core::settings::{HttpMethod, SenderStatus, ShortCodeEntry};
use postrider_core::sid::{AccountSid, ShortCodeSid};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::{Change, Form};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};
use crate::sender_form::SenderForm;

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Post => create(call).await,
        Method::Get => list(call),
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

pub(super) async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    let code = find(call, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&ShortCodeJson::new(call, &code))),
        Method::Post => {
            let form = call.form()?;
            let sender = SenderForm::read_update(&form)?;
            let served = served_networks(&form)?;
            let change = |code: &mut ShortCodeEntry| {
                served.apply_or(&mut code.served_networks, Vec::new());
                sender.apply_to_short_code(code);
            };
            let updated = call.engine().update_short_code(code.sid, change).await?;
            Ok(Reply::ok(&ShortCodeJson::new(call, &updated)))
        }
        Method::Delete => {
            call.engine().delete_short_code(code.sid).await?;
            Ok(Reply::no_content())
        }
        Method::Other => Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    }
}

fn find(call: &Call<'_>, sid: &str) -> Option<Arc<ShortCodeEntry>> {
    let sid: ShortCodeSid = sid.parse().ok()?;
    call.directory()
        .short_code(sid)
        .filter(|code| code.account == call.caller.account.sid)
}

async fn create(call: &Call<'_>) -> Answer {
    let form = call.form()?;
    let code = ShortCode::parse(form.required("ShortCode")?)
        .ok_or_else(|| invalid("'ShortCode' must be 3 to 8 digits"))?;
    let country = Country::parse_known(form.required("IsoCountry")?).ok_or_else(|| {
        invalid("'IsoCountry' must be a country's two letters in ISO 3166, such as US or GB")
    })?;
    let sender = SenderForm::read(&form)?;
    let served = served_networks(&form)?;
    let change = |code: &mut ShortCodeEntry| {
        served.apply_or(&mut code.served_networks, Vec::new());
        sender.apply_to_short_code(code);
    };
    let created = call
        .engine()
        .register_short_code(call.caller.account.sid, code, country, change)
        .await?;
    Ok(Reply::created(&ShortCodeJson::new(call, &created)))
}

/// `ServedNetworks`, repeated: networks that the code reaches, each an MCC or an MCC and an MNC. One that
/// is empty stands for all networks.
fn served_networks(form: &Form<'_>) -> Result<Change<Vec<NetworkPattern>>, Refusal> {
    const NAME: &str = "ServedNetworks";
    let given = form.iter().filter(|(name, _)| *name == NAME);
    let texts: Vec<_> = given.map(|(_, text)| text).collect();
    let mut patterns = Vec::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let pattern = text.parse().map_err(|error| {
            Fault::because(
                ErrorCode::InvalidParameter,
                format!("'{NAME}' has \"{text}\": {error}"),
            )
        })?;
        patterns.push(pattern);
    }
    patterns.sort_unstable();
    patterns.dedup();
    Ok(match (texts.is_empty(), patterns.is_empty()) {
        (true, _) => Change::Keep,
        (false, true) => Change::Clear,
        (false, false) => Change::Set(patterns),
    })
}

fn invalid(text: &'static str) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

fn list(call: &Call<'_>) -> Answer {
    let request = PageRequest::new("/v1/ShortCodes".to_owned(), &call.query()?, &[])?;
    let mut codes = call.directory().short_codes_of(call.caller.account.sid);
    codes.sort_unstable_by_key(|code| std::cmp::Reverse(code.sid));
    let page = request.page_of(codes, |code| code.sid.0.as_u128());
    let shown = page.map(|code| ShortCodeJson::new(call, code));
    Ok(Reply::ok(&shown.in_v1("short_codes", call.base)))
}

#[derive(Serialize)]
struct ShortCodeJson<'a> {
    sid: ShortCodeSid,
    account_sid: AccountSid,
    short_code: &'a ShortCode,
    iso_country: Country,
    friendly_name: &'a str,
    status: SenderStatus,
    capabilities: CapabilitiesJson,
    /// Networks that it reaches; empty for all of its country.
    served_networks: &'a [NetworkPattern],
    /// Segments per second, 0 for no limit; null for the default of short codes.
    pace: Option<f64>,
    sms_url: Option<&'a str>,
    sms_method: HttpMethod,
    sms_fallback_url: Option<&'a str>,
    sms_fallback_method: HttpMethod,
    status_callback: Option<&'a str>,
    date_created: Iso8601,
    date_updated: Iso8601,
    url: String,
}

#[derive(Serialize)]
struct CapabilitiesJson {
    sms: bool,
    mms: bool,
    voice: bool,
}

impl<'a> ShortCodeJson<'a> {
    fn new(call: &Call<'_>, code: &'a ShortCodeEntry) -> Self {
        let webhooks = &code.webhooks;
        Self {
            sid: code.sid,
            account_sid: code.account,
            short_code: &code.code,
            iso_country: code.country,
            friendly_name: &code.friendly_name,
            status: code.status,
            capabilities: CapabilitiesJson {
                sms: code.capabilities.sms,
                mms: code.capabilities.mms,
                voice: code.capabilities.voice,
            },
            served_networks: &code.served_networks,
            pace: code.pace,
            sms_url: webhooks.sms_url.as_deref(),
            sms_method: webhooks.sms_method,
            sms_fallback_url: webhooks.sms_fallback_url.as_deref(),
            sms_fallback_method: webhooks.sms_fallback_method,
            status_callback: webhooks.status_callback.as_deref(),
            date_created: Iso8601(code.created_ms),
            date_updated: Iso8601(code.updated_ms),
            url: format!("{}/v1/ShortCodes/{}", call.base, code.sid),
        }
    }
}
