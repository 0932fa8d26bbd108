//! `/v1/Services/{MG}/ChannelSenders`: the senders in a service's pool that are of another channel
//! than SMS.
//!
//! <https://www.twilio.com/docs/messaging/api/channelsender-resource>

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{PoolMember, PoolSenderSid};
use postrider_core::sid::{AccountSid, ChannelSenderSid, ServiceSid};
use postrider_engine::NewPoolEntry;
use serde::Serialize;

use super::{PoolResource, Shown};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Form;

pub(super) struct ChannelSenders;

#[derive(Serialize)]
pub(super) struct ChannelSenderJson {
    account_sid: AccountSid,
    messaging_service_sid: ServiceSid,
    sid: ChannelSenderSid,
    sender: SenderAddress,
    sender_type: &'static str,
    country_code: Option<Country>,
    date_created: Iso8601,
    date_updated: Iso8601,
    url: String,
}

impl PoolResource for ChannelSenders {
    const PATH: &'static str = "ChannelSenders";
    const LIST_KEY: &'static str = "senders";
    const FILTERS: &'static [&'static str] = &[];

    type Json<'a> = ChannelSenderJson;

    fn read(form: &Form<'_>) -> Result<NewPoolEntry, Refusal> {
        let sid = form.required("Sid")?;
        let sid = sid.parse().map_err(|_| ErrorCode::InvalidSid)?;
        Ok(NewPoolEntry::Channel(sid))
    }

    fn show(shown: &Shown<'_>, member: &PoolMember) -> Option<ChannelSenderJson> {
        let PoolSenderSid::Channel(sid) = member.sender else {
            return None;
        };
        let sender = shown.call.directory().channel_sender(sid)?;
        Some(ChannelSenderJson {
            account_sid: sender.account,
            messaging_service_sid: member.service,
            sid,
            sender: SenderAddress::WhatsApp(sender.number),
            sender_type: "WhatsApp",
            country_code: sender.number.country(),
            date_created: Iso8601(member.added_ms),
            date_updated: Iso8601(member.added_ms),
            url: shown.url(sid),
        })
    }
}
