//! `/v1/Services/{MG}/AlphaSenders` and `/DestinationAlphaSenders`: names in place of numbers.
//!
//! An alpha sender lives in its pool only and gets a SID there. One without a country is the
//! default for all countries; it is shown by both resources.
//! <https://www.twilio.com/docs/messaging/api/alphasender-resource>

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::sender::AlphaSenderId;
use postrider_core::settings::{PoolMember, PoolSenderSid};
use postrider_core::sid::{AccountSid, AlphaSenderSid, ServiceSid};
use postrider_engine::NewPoolEntry;
use serde::Serialize;

use super::{PoolResource, Shown};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Form;

/// A name carries no media and no voice.
const CAPABILITIES: [&str; 1] = ["SMS"];

pub(super) struct AlphaSenders;

#[derive(Serialize)]
pub(super) struct AlphaSenderJson<'a> {
    sid: AlphaSenderSid,
    account_sid: AccountSid,
    service_sid: ServiceSid,
    date_created: Iso8601,
    date_updated: Iso8601,
    alpha_sender: &'a AlphaSenderId,
    capabilities: [&'static str; 1],
    url: String,
}

impl PoolResource for AlphaSenders {
    const PATH: &'static str = "AlphaSenders";
    const LIST_KEY: &'static str = "alpha_senders";
    const FILTERS: &'static [&'static str] = &[];

    type Json<'a> = AlphaSenderJson<'a>;

    fn read(form: &Form<'_>) -> Result<NewPoolEntry, Refusal> {
        Ok(NewPoolEntry::Alpha(read_alpha_sender(form)?))
    }

    fn show<'a>(shown: &Shown<'_>, member: &'a PoolMember) -> Option<AlphaSenderJson<'a>> {
        let PoolSenderSid::Alpha { sid, id, .. } = &member.sender else {
            return None;
        };
        Some(AlphaSenderJson {
            sid: *sid,
            account_sid: shown.service.account,
            service_sid: member.service,
            date_created: Iso8601(member.added_ms),
            date_updated: Iso8601(member.added_ms),
            alpha_sender: id,
            capabilities: CAPABILITIES,
            url: shown.url(sid),
        })
    }
}

pub(super) struct DestinationAlphaSenders;

#[derive(Serialize)]
pub(super) struct DestinationAlphaSenderJson<'a> {
    sid: AlphaSenderSid,
    account_sid: AccountSid,
    service_sid: ServiceSid,
    date_created: Iso8601,
    date_updated: Iso8601,
    alpha_sender: &'a AlphaSenderId,
    capabilities: [&'static str; 1],
    url: String,
    iso_country_code: Option<Country>,
}

impl PoolResource for DestinationAlphaSenders {
    const PATH: &'static str = "DestinationAlphaSenders";
    const LIST_KEY: &'static str = "alpha_senders";
    const FILTERS: &'static [&'static str] = &["IsoCountryCode"];

    type Json<'a> = DestinationAlphaSenderJson<'a>;

    fn read(form: &Form<'_>) -> Result<NewPoolEntry, Refusal> {
        let id = read_alpha_sender(form)?;
        let Some(text) = form.text("IsoCountryCode") else {
            return Ok(NewPoolEntry::Alpha(id));
        };
        let country = Country::parse_known(text).ok_or_else(|| {
            let text =
                "'IsoCountryCode' must be a country's two letters in ISO 3166, such as FR or GB";
            Fault::because(ErrorCode::InvalidParameter, text)
        })?;
        Ok(NewPoolEntry::DestinationAlpha(id, country))
    }

    fn show<'a>(
        shown: &Shown<'_>,
        member: &'a PoolMember,
    ) -> Option<DestinationAlphaSenderJson<'a>> {
        let (sid, id, country) = match &member.sender {
            PoolSenderSid::Alpha { sid, id, .. } => (*sid, id, None),
            PoolSenderSid::DestinationAlpha {
                sid, id, country, ..
            } => (*sid, id, Some(*country)),
            PoolSenderSid::Number(_) | PoolSenderSid::ShortCode(_) | PoolSenderSid::Channel(_) => {
                return None;
            }
        };
        Some(DestinationAlphaSenderJson {
            sid,
            account_sid: shown.service.account,
            service_sid: member.service,
            date_created: Iso8601(member.added_ms),
            date_updated: Iso8601(member.added_ms),
            alpha_sender: id,
            capabilities: CAPABILITIES,
            url: shown.url(sid),
            iso_country_code: country,
        })
    }

    fn is_listed(member: &PoolMember, query: &Form<'_>) -> bool {
        let Some(wanted) = query.text("IsoCountryCode") else {
            return true;
        };
        match &member.sender {
            PoolSenderSid::DestinationAlpha { country, .. } => {
                Country::parse(wanted) == Some(*country)
            }
            PoolSenderSid::Alpha { .. }
            | PoolSenderSid::Number(_)
            | PoolSenderSid::ShortCode(_)
            | PoolSenderSid::Channel(_) => false,
        }
    }
}

fn read_alpha_sender(form: &Form<'_>) -> Result<AlphaSenderId, Refusal> {
    let text = form
        .text("AlphaSender")
        .ok_or(ErrorCode::MissingAlphaSender)?;
    AlphaSenderId::parse_new(text).ok_or_else(|| ErrorCode::InvalidAlphaSender.into())
}
