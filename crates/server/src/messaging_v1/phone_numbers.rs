//! `/v1/Services/{MG}/PhoneNumbers`: the numbers in a service's pool.
//!
//! <https://www.twilio.com/docs/messaging/api/phonenumber-resource>

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::{PoolMember, PoolSenderSid};
use postrider_core::sid::{AccountSid, PhoneNumberSid, ServiceSid};
use postrider_engine::NewPoolEntry;
use serde::Serialize;

use super::{PoolResource, Shown, capability_names};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Form;

pub(super) struct PhoneNumbers;

#[derive(Serialize)]
pub(super) struct PhoneNumberJson {
    sid: PhoneNumberSid,
    account_sid: AccountSid,
    service_sid: ServiceSid,
    date_created: Iso8601,
    date_updated: Iso8601,
    phone_number: PhoneNumber,
    country_code: Option<Country>,
    capabilities: Vec<&'static str>,
    url: String,
}

impl PoolResource for PhoneNumbers {
    const PATH: &'static str = "PhoneNumbers";
    const LIST_KEY: &'static str = "phone_numbers";
    const FILTERS: &'static [&'static str] = &[];

    type Json<'a> = PhoneNumberJson;

    fn read(form: &Form<'_>) -> Result<NewPoolEntry, Refusal> {
        let sid = form.required("PhoneNumberSid")?;
        let sid = sid.parse().map_err(|_| ErrorCode::InvalidSid)?;
        Ok(NewPoolEntry::Number(sid))
    }

    fn show(shown: &Shown<'_>, member: &PoolMember) -> Option<PhoneNumberJson> {
        let PoolSenderSid::Number(sid) = member.sender else {
            return None;
        };
        let number = shown.call.directory().number(sid)?;
        Some(PhoneNumberJson {
            sid,
            account_sid: number.account,
            service_sid: member.service,
            date_created: Iso8601(member.added_ms),
            date_updated: Iso8601(member.added_ms),
            phone_number: number.number,
            country_code: number.country(),
            capabilities: capability_names(number.capabilities),
            url: shown.url(sid),
        })
    }
}
