//! `/x/v1/RegisteredSenders`: which alpha senders are registered with which country's carriers.
//!
//! The same sender and country again updates the entry. It keeps
//! the pre-registration alert quiet, and lets the sender pass where the operator refuses unregistered ones.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::sender::AlphaSenderId;
use postrider_core::settings::{RegisteredSender, RegistrationStatus};
use postrider_core::sid::{AccountSid, RegisteredSenderSid};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::{Iso8601, Span};
use crate::error::Refusal;
use crate::form::{Change, Form};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Post => create(call).await,
        Method::Get => list(call),
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

pub(super) async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    let entry = find(call, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&RegisteredSenderJson::new(call, &entry))),
        Method::Post => {
            let changes = Changes::read(&call.form()?)?;
            let change = |entry: &mut RegisteredSender| changes.apply(entry);
            let engine = call.engine();
            let updated = engine.update_registered_sender(entry.sid, change).await?;
            Ok(Reply::ok(&RegisteredSenderJson::new(call, &updated)))
        }
        Method::Delete => {
            call.engine().delete_registered_sender(entry.sid).await?;
            Ok(Reply::no_content())
        }
        Method::Other => Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    }
}

fn find(call: &Call<'_>, sid: &str) -> Option<Arc<RegisteredSender>> {
    let sid: RegisteredSenderSid = sid.parse().ok()?;
    call.directory()
        .registered_sender(sid)
        .filter(|entry| entry.account == call.caller.account.sid)
}

async fn create(call: &Call<'_>) -> Answer {
    let form = call.form()?;
    let sender = AlphaSenderId::parse_new(form.required("Sender")?)
        .ok_or_else(|| invalid("'Sender' must be an alphanumeric sender ID"))?;
    let country = read_country(form.required("IsoCountryCode")?)?;
    let changes = Changes::read(&form)?;
    let change = |entry: &mut RegisteredSender| changes.apply(entry);
    let account = call.caller.account.sid;
    let created = call
        .engine()
        .register_sender(account, sender, country, change)
        .await?;
    Ok(Reply::created(&RegisteredSenderJson::new(call, &created)))
}

fn list(call: &Call<'_>) -> Answer {
    let query = call.query()?;
    let filters = ["Sender", "IsoCountryCode"];
    let request = PageRequest::new("/v1/RegisteredSenders".to_owned(), &query, &filters)?;
    let country = query.text("IsoCountryCode").map(read_country).transpose()?;
    let mut entries = call
        .directory()
        .registered_senders_of(call.caller.account.sid);
    entries.retain(|entry| {
        country.is_none_or(|country| entry.country == country)
            && query
                .text("Sender")
                .is_none_or(|sender| entry.sender.as_str() == sender)
    });
    entries.reverse();
    let page = request.page_of(entries, |entry| entry.sid.0.as_u128());
    let shown = page.map(|entry| RegisteredSenderJson::new(call, entry));
    Ok(Reply::ok(&shown.in_v1("registered_senders", call.base)))
}

fn read_country(text: &str) -> Result<Country, Refusal> {
    Country::parse_known(text).ok_or_else(|| {
        invalid("'IsoCountryCode' must be a country's two letters in ISO 3166, such as FR or GB")
    })
}

fn invalid(text: &'static str) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

/// What a request sets.
struct Changes {
    status: Change<RegistrationStatus>,
    valid_until_ms: Change<Millis>,
}

impl Changes {
    fn read(form: &Form<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            status: form.change("Status", |text| {
                let mut all = RegistrationStatus::ALL.into_iter();
                all.find(|status| status.as_str() == text)
                    .ok_or_else(|| invalid("'Status' must be pending, registered or rejected"))
            })?,
            valid_until_ms: form.change("ValidUntil", |text| {
                let until = Span::parse(text).map(valid_until);
                until.ok_or_else(|| {
                    invalid("'ValidUntil' must be a date, or a date and time in ISO 8601")
                })
            })?,
        })
    }

    fn apply(&self, entry: &mut RegisteredSender) {
        self.status
            .apply_or(&mut entry.status, RegistrationStatus::default());
        self.valid_until_ms.apply(&mut entry.valid_until_ms);
    }
}

/// A day counts to its end, an instant as it is.
fn valid_until(span: Span) -> Millis {
    if span.is_day() {
        span.end_ms
    } else {
        span.start_ms
    }
}

#[derive(Serialize)]
struct RegisteredSenderJson<'a> {
    sid: RegisteredSenderSid,
    account_sid: AccountSid,
    sender: &'a AlphaSenderId,
    iso_country_code: Country,
    status: &'static str,
    valid_until: Option<Iso8601>,
    date_created: Iso8601,
    date_updated: Iso8601,
    url: String,
}

impl<'a> RegisteredSenderJson<'a> {
    fn new(call: &Call<'_>, entry: &'a RegisteredSender) -> Self {
        Self {
            sid: entry.sid,
            account_sid: entry.account,
            sender: &entry.sender,
            iso_country_code: entry.country,
            status: entry.status.as_str(),
            valid_until: entry.valid_until_ms.map(Iso8601),
            date_created: Iso8601(entry.created_ms),
            date_updated: Iso8601(entry.updated_ms),
            url: format!("{}/v1/RegisteredSenders/{}", call.base, entry.sid),
        }
    }
}
