//! `/2010-04-01/Accounts/{AC}/IncomingPhoneNumbers`: the long codes and toll-free numbers that the
//! operator owns.
//!
//! "Buying" a number here means registering it; creating it twice updates it. `Status`, `SmsEnabled`,
//! `MmsEnabled`, `VoiceEnabled`, `Pace` and `IsoCountry` are extensions.
//! <https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource>

use std::sync::Arc;

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::phone_number::{NumberKind, PhoneNumber};
use postrider_core::settings::{
    Account, HttpMethod, IncomingNumber, SenderStatus, VoiceReceiveMode,
};
use postrider_core::sid::{AccountSid, ApplicationSid, PhoneNumberSid};
use serde::Serialize;

use super::{API_VERSION, matches_number, not_offered};
use crate::call::{Call, Method};
use crate::date::Rfc2822;
use crate::error::Refusal;
use crate::form::{Change, Form};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};
use crate::sender_form::{IN_USE, SenderForm, VoiceForm};

/// `kind` is the last part of the path `.../IncomingPhoneNumbers/TollFree` and the like.
pub(super) async fn collection(call: &Call<'_>, account: &Account, kind: Option<&str>) -> Answer {
    match call.method {
        Method::Post => create(call, account).await,
        Method::Get => list(call, account, kind),
        Method::Delete | Method::Other => not_offered(call, "GET, POST"),
    }
}

pub(super) async fn instance(call: &Call<'_>, account: &Account, sid: &str) -> Answer {
    let number = find(call, account, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&NumberJson::new(&number))),
        Method::Post => {
            let form = call.form()?;
            let sender = SenderForm::read_update(&form)?;
            let voice = VoiceForm::read(&form)?;
            let country = read_country(&form, number.number)?;
            let change = |number: &mut IncomingNumber| {
                country.apply(&mut number.country);
                sender.apply_to_number(number);
                voice.apply(&mut number.voice);
            };
            let updated = call.engine().update_number(number.sid, change).await?;
            Ok(Reply::ok(&NumberJson::new(&updated)))
        }
        Method::Delete => {
            call.engine().delete_number(number.sid).await?;
            Ok(Reply::no_content())
        }
        Method::Other => not_offered(call, "GET, POST, DELETE"),
    }
}

fn find(call: &Call<'_>, account: &Account, sid: &str) -> Option<Arc<IncomingNumber>> {
    let sid: PhoneNumberSid = sid.parse().ok()?;
    call.directory()
        .number(sid)
        .filter(|number| number.account == account.sid)
}

async fn create(call: &Call<'_>, account: &Account) -> Answer {
    let form = call.form()?;
    let number = read_number(&form)?;
    let sender = SenderForm::read(&form)?;
    let voice = VoiceForm::read(&form)?;
    // Where something is created, an empty parameter is an absent one.
    let country = read_country(&form, number)?.set();
    let change = |number: &mut IncomingNumber| {
        number.country = country.or(number.country);
        sender.apply_to_number(number);
        voice.apply(&mut number.voice);
    };
    let created = call
        .engine()
        .register_number(account.sid, number, change)
        .await?;
    Ok(Reply::created(&NumberJson::new(&created)))
}

fn read_number(form: &Form<'_>) -> Result<PhoneNumber, Refusal> {
    if let Some(text) = form.text("PhoneNumber") {
        return PhoneNumber::parse(text).map_err(|error| {
            let text = format!("'PhoneNumber' is no phone number: {error}");
            Fault::because(ErrorCode::InvalidPhoneNumber, text).into()
        });
    }
    match form.text("AreaCode").map(str::as_bytes) {
        // There is no inventory to choose from: the operator's numbers are named one by one.
        Some([b'2'..=b'9', b'0'..=b'9', b'0'..=b'9']) => Err(ErrorCode::NoNumbersInAreaCode.into()),
        Some(_) => Err(ErrorCode::InvalidAreaCode.into()),
        None => {
            let text = "the required parameter 'PhoneNumber' is missing";
            Err(Fault::because(ErrorCode::MissingParameter, text).into())
        }
    }
}

/// `IsoCountry` of a toll-free number that the US and Canada share: which of them it serves. Any other
/// number is of the country that its digits tell.
fn read_country(form: &Form<'_>, number: PhoneNumber) -> Result<Change<Country>, Refusal> {
    form.change("IsoCountry", |text| {
        if !number.is_shared_toll_free() {
            let text = format!(
                "'IsoCountry' is for toll-free numbers of +1, and {number} is none: its digits tell its \
                 country"
            );
            return Err(Fault::because(ErrorCode::InvalidParameter, text).into());
        }
        let country = Country::parse(text);
        let country = country.filter(|&country| country == Country::US || country == Country::CA);
        country.ok_or_else(|| {
            let text = "'IsoCountry' of a toll-free number must be US or CA";
            Fault::because(ErrorCode::InvalidParameter, text).into()
        })
    })
}

fn list(call: &Call<'_>, account: &Account, kind: Option<&str>) -> Answer {
    let query = call.query()?;
    let folder = kind.map(|kind| format!("/{kind}")).unwrap_or_default();
    let path = format!(
        "/2010-04-01/Accounts/{}/IncomingPhoneNumbers{folder}.json",
        account.sid
    );
    let filters = ["Beta", "FriendlyName", "PhoneNumber", "Origin"];
    let request = PageRequest::new(path, &query, &filters)?;
    // Both answers are the same: `Beta` lets numbers new to the platform in, and none are.
    query.boolean("Beta")?;
    let mut numbers = call.directory().numbers_of(account.sid);
    numbers.retain(|number| {
        kind.is_none_or(|kind| type_of(number.number).path == kind)
            && query
                .text("FriendlyName")
                .is_none_or(|name| number.friendly_name == name)
            && query
                .text("PhoneNumber")
                .is_none_or(|pattern| matches_number(&number.number.to_string(), pattern))
            && query.text("Origin").is_none_or(|origin| origin == ORIGIN)
    });
    numbers.sort_unstable_by_key(|number| std::cmp::Reverse(number.sid));
    let page = request.page_of(numbers, |number| number.sid.0.as_u128());
    let shown = page.map(|number| NumberJson::new(number));
    Ok(Reply::ok(&shown.in_2010("incoming_phone_numbers")))
}

/// Numbers are not hosted elsewhere.
const ORIGIN: &str = "twilio";

/// A type of number, as paths and as bodies spell it.
struct NumberType {
    path: &'static str,
    name: &'static str,
}

fn type_of(number: PhoneNumber) -> NumberType {
    let (path, name) = match number.kind() {
        NumberKind::TollFree => ("TollFree", "toll-free"),
        NumberKind::Mobile => ("Mobile", "mobile"),
        NumberKind::FixedLine
        | NumberKind::FixedLineOrMobile
        | NumberKind::PremiumRate
        | NumberKind::Other
        | NumberKind::Unknown => ("Local", "local"),
    };
    NumberType { path, name }
}

#[derive(Serialize)]
struct NumberJson<'a> {
    account_sid: AccountSid,
    address_sid: (),
    address_requirements: &'static str,
    api_version: &'static str,
    beta: bool,
    capabilities: CapabilitiesJson,
    date_created: Rfc2822,
    date_updated: Rfc2822,
    friendly_name: &'a str,
    identity_sid: (),
    phone_number: PhoneNumber,
    origin: &'static str,
    sid: PhoneNumberSid,
    sms_application_sid: Option<ApplicationSid>,
    sms_fallback_method: HttpMethod,
    sms_fallback_url: Option<&'a str>,
    sms_method: HttpMethod,
    sms_url: Option<&'a str>,
    status_callback: Option<&'a str>,
    status_callback_method: HttpMethod,
    trunk_sid: (),
    uri: String,
    voice_receive_mode: VoiceReceiveMode,
    voice_application_sid: Option<ApplicationSid>,
    voice_caller_id_lookup: bool,
    voice_fallback_method: HttpMethod,
    voice_fallback_url: Option<&'a str>,
    voice_method: HttpMethod,
    voice_url: Option<&'a str>,
    emergency_status: &'static str,
    emergency_address_sid: (),
    emergency_address_status: &'static str,
    bundle_sid: (),
    status: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the API's shape")]
struct CapabilitiesJson {
    mms: bool,
    sms: bool,
    voice: bool,
    fax: bool,
}

impl<'a> NumberJson<'a> {
    fn new(number: &'a IncomingNumber) -> Self {
        let IncomingNumber {
            webhooks, voice, ..
        } = number;
        Self {
            account_sid: number.account,
            address_sid: (),
            address_requirements: "none",
            api_version: API_VERSION,
            beta: false,
            capabilities: CapabilitiesJson {
                mms: number.capabilities.mms,
                sms: number.capabilities.sms,
                voice: number.capabilities.voice,
                fax: false,
            },
            date_created: Rfc2822(number.created_ms),
            date_updated: Rfc2822(number.updated_ms),
            friendly_name: &number.friendly_name,
            identity_sid: (),
            phone_number: number.number,
            origin: ORIGIN,
            sid: number.sid,
            sms_application_sid: webhooks.sms_application,
            sms_fallback_method: webhooks.sms_fallback_method,
            sms_fallback_url: webhooks.sms_fallback_url.as_deref(),
            sms_method: webhooks.sms_method,
            sms_url: webhooks.sms_url.as_deref(),
            status_callback: webhooks.status_callback.as_deref(),
            status_callback_method: webhooks.status_callback_method,
            trunk_sid: (),
            uri: format!(
                "/2010-04-01/Accounts/{}/IncomingPhoneNumbers/{}.json",
                number.account, number.sid
            ),
            voice_receive_mode: voice.receive_mode,
            voice_application_sid: voice.application,
            voice_caller_id_lookup: voice.caller_id_lookup,
            voice_fallback_method: voice.fallback_method,
            voice_fallback_url: voice.fallback_url.as_deref(),
            voice_method: voice.method,
            voice_url: voice.url.as_deref(),
            emergency_status: "Inactive",
            emergency_address_sid: (),
            emergency_address_status: "unregistered",
            bundle_sid: (),
            status: match number.status {
                SenderStatus::Active => IN_USE,
                other => other.as_str(),
            },
            r#type: type_of(number.number).name,
        }
    }
}
