//! Senders of other channels than SMS, so far of WhatsApp: messaging v2's `Channels/Senders`.

use serde::{Deserialize, Serialize};

use super::SenderStatus;
use crate::clock::Millis;
use crate::message::SenderNo;
use crate::phone_number::PhoneNumber;
use crate::sid::{AccountSid, ApplicationSid, ChannelSenderSid};

/// A phone number as a sender of WhatsApp. The same number may send SMS as well: as an
/// [`super::IncomingNumber`], which has nothing to do with this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelSender {
    pub sid: ChannelSenderSid,
    pub account: AccountSid,
    pub sender: SenderNo,
    pub number: PhoneNumber,
    #[serde(default, skip_serializing_if = "SenderStatus::is_active")]
    pub status: SenderStatus,
    /// Apart, because no message reads it.
    #[serde(default)]
    pub record: Box<ChannelSenderRecord>,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

/// What the customer tells of a sender: kept and shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelSenderRecord {
    pub configuration: ChannelConfiguration,
    pub webhook: ChannelWebhooks,
    pub profile: ChannelProfile,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelConfiguration {
    /// Of the WhatsApp Business Account that the number belongs to.
    pub waba_id: Option<String>,
    pub verification_method: Option<String>,
    pub voice_application: Option<ApplicationSid>,
    pub account_type: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelWebhooks {
    pub callback_url: Option<String>,
    pub callback_method: Option<String>,
    pub fallback_url: Option<String>,
    pub fallback_method: Option<String>,
    pub status_callback_url: Option<String>,
    pub status_callback_method: Option<String>,
}

/// How the business presents itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelProfile {
    pub name: Option<String>,
    pub about: Option<String>,
    pub address: Option<String>,
    pub description: Option<String>,
    pub logo_url: Option<String>,
    pub banner_url: Option<String>,
    pub privacy_url: Option<String>,
    pub terms_of_service_url: Option<String>,
    pub accent_color: Option<String>,
    pub vertical: Option<String>,
    pub websites: Option<Vec<Labeled>>,
    pub emails: Option<Vec<Labeled>>,
    pub phone_numbers: Option<Vec<Labeled>>,
}

/// A website, an address or a number of a profile, and what it is called there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Labeled {
    pub value: String,
    #[serde(default)]
    pub label: Option<String>,
}
