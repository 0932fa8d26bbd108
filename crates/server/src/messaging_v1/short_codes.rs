//! `/v1/Services/{MG}/ShortCodes`: the short codes in a service's pool.
//!
//! <https://www.twilio.com/docs/messaging/api/services-shortcode-resource>

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::sender::ShortCode;
use postrider_core::settings::{PoolMember, PoolSenderSid};
use postrider_core::sid::{AccountSid, ServiceSid, ShortCodeSid};
use postrider_engine::NewPoolEntry;
use serde::Serialize;

use super::{PoolResource, Shown, capability_names};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Form;

pub(super) struct ShortCodes;

#[derive(Serialize)]
pub(super) struct ShortCodeJson {
    sid: ShortCodeSid,
    account_sid: AccountSid,
    service_sid: ServiceSid,
    date_created: Iso8601,
    date_updated: Iso8601,
    short_code: ShortCode,
    country_code: Country,
    capabilities: Vec<&'static str>,
    url: String,
}

impl PoolResource for ShortCodes {
    const PATH: &'static str = "ShortCodes";
    const LIST_KEY: &'static str = "short_codes";
    const FILTERS: &'static [&'static str] = &[];

    type Json<'a> = ShortCodeJson;

    fn read(form: &Form<'_>) -> Result<NewPoolEntry, Refusal> {
        let sid = form.required("ShortCodeSid")?;
        let sid = sid.parse().map_err(|_| ErrorCode::InvalidSid)?;
        Ok(NewPoolEntry::ShortCode(sid))
    }

    fn show(shown: &Shown<'_>, member: &PoolMember) -> Option<ShortCodeJson> {
        let PoolSenderSid::ShortCode(sid) = member.sender else {
            return None;
        };
        let code = shown.call.directory().short_code(sid)?;
        Some(ShortCodeJson {
            sid,
            account_sid: code.account,
            service_sid: member.service,
            date_created: Iso8601(member.added_ms),
            date_updated: Iso8601(member.added_ms),
            short_code: code.code.clone(),
            country_code: code.country,
            capabilities: capability_names(code.capabilities),
            url: shown.url(sid),
        })
    }
}
