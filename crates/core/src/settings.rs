//! What operators and customers configure: accounts, keys, numbers, short codes, services, pools.
//!
//! These are documents: small, read on every message from memory, written rarely. The store keeps
//! one JSON row per document, so a new field with a default needs no migration.

mod channel_sender;
mod sender_status;
mod us_a2p;

use serde::{Deserialize, Serialize};

pub use self::channel_sender::{
    ChannelConfiguration, ChannelProfile, ChannelSender, ChannelSenderRecord, ChannelWebhooks,
    Labeled,
};
pub use self::sender_status::SenderStatus;
pub use self::us_a2p::{Brand, BrandStatus, Campaign, CampaignStatus};

use crate::clock::Millis;
use crate::country::Country;
use crate::message::{AccountNo, SenderNo};
use crate::network::NetworkPattern;
use crate::opt_out::AdvancedOptOut;
use crate::phone_number::PhoneNumber;
use crate::sender::{AlphaSenderId, SenderAddress, ShortCode};
use crate::sid::{
    AccountSid, AlphaSenderSid, ApplicationSid, ChannelSenderSid, KeySid, PhoneNumberSid,
    RegisteredSenderSid, ServiceSid, ShortCodeSid,
};

/// One document. The variant's name is its kind in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Document {
    Account(Account),
    Key(ApiKey),
    Sender(Sender),
    Number(IncomingNumber),
    ShortCode(Box<ShortCodeEntry>),
    Service(Service),
    PoolMember(PoolMember),
    RegisteredSender(RegisteredSender),
    ChannelSender(ChannelSender),
    Brand(Brand),
    Campaign(Box<Campaign>),
}

/// The kind and key of a document, unique in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    pub kind: &'static str,
    pub key: String,
}

impl Document {
    pub fn key(&self) -> DocumentKey {
        let (kind, key) = match self {
            Self::Account(account) => ("account", account.sid.to_string()),
            Self::Key(key) => ("key", key.sid.to_string()),
            Self::Sender(sender) => ("sender", sender.no.0.to_string()),
            Self::Number(number) => ("number", number.sid.to_string()),
            Self::ShortCode(code) => ("short_code", code.sid.to_string()),
            Self::Service(service) => ("service", service.sid.to_string()),
            Self::PoolMember(member) => (
                "pool_member",
                format!("{}/{}", member.service, member.sender),
            ),
            Self::RegisteredSender(registered) => ("registered_sender", registered.sid.to_string()),
            Self::ChannelSender(sender) => ("channel_sender", sender.sid.to_string()),
            Self::Brand(brand) => ("brand", brand.sid.to_string()),
            Self::Campaign(campaign) => ("campaign", campaign.sid.to_string()),
        };
        DocumentKey { kind, key }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub sid: AccountSid,
    pub no: AccountNo,
    /// `None` for a main account; the owner of a subaccount otherwise.
    pub parent: Option<AccountSid>,
    pub friendly_name: String,
    pub status: AccountStatus,
    /// SHA-256 of the auth token, lower-case hex: what requests are checked against.
    pub auth_token_hash: String,
    /// The auth token, sealed under the instance key: webhooks are signed with it.
    pub auth_token_sealed: String,
    /// A second token while clients move from one to the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_token: Option<SecondaryToken>,
    /// Days that records of a main account's and its subaccounts' messages are kept; `None`: the server's
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u16>,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

/// An auth token that is as good as the first for requests, and signs nothing before it is promoted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecondaryToken {
    /// As the account's `auth_token_hash`.
    pub hash: String,
    /// As the account's `auth_token_sealed`, which it becomes.
    pub sealed: String,
    pub created_ms: Millis,
}

impl Account {
    /// The name of an account that was given none.
    pub fn default_name(sid: AccountSid, parent: Option<AccountSid>) -> String {
        match parent {
            None => "main".to_owned(),
            Some(_) => format!("SubAccount {sid}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    Active,
    Suspended,
    /// Final.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    pub sid: KeySid,
    pub account: AccountSid,
    pub friendly_name: String,
    /// SHA-256 of the secret, lower-case hex.
    pub secret_hash: String,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

/// The queue identity of an address an account sends from. Never deleted, so that a number keeps
/// its queue through pools and re-registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    pub no: SenderNo,
    pub account: AccountSid,
    pub address: SenderAddress,
    /// Of a short code or destination alpha: others may have the same address in other countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

/// What a number can do. Voice is stored and echoed, never a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    pub sms: bool,
    pub mms: bool,
    pub voice: bool,
}

/// What every number can do here.
impl Default for Capabilities {
    fn default() -> Self {
        Self {
            sms: true,
            mms: false,
            voice: false,
        }
    }
}

/// The webhooks of a number or short code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SenderWebhooks {
    pub sms_url: Option<String>,
    pub sms_method: HttpMethod,
    pub sms_fallback_url: Option<String>,
    pub sms_fallback_method: HttpMethod,
    pub sms_application: Option<ApplicationSid>,
    pub status_callback: Option<String>,
    pub status_callback_method: HttpMethod,
}

/// What a number would do with calls: stored and echoed, since nothing here takes calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoiceSettings {
    pub url: Option<String>,
    pub method: HttpMethod,
    pub fallback_url: Option<String>,
    pub fallback_method: HttpMethod,
    pub application: Option<ApplicationSid>,
    pub caller_id_lookup: bool,
    pub receive_mode: VoiceReceiveMode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoiceReceiveMode {
    #[default]
    Voice,
    Fax,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    Get,
    #[default]
    Post,
}

/// A long code or toll-free number the operator owns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncomingNumber {
    pub sid: PhoneNumberSid,
    pub account: AccountSid,
    pub sender: SenderNo,
    pub number: PhoneNumber,
    pub friendly_name: String,
    #[serde(default, skip_serializing_if = "SenderStatus::is_active")]
    pub status: SenderStatus,
    pub capabilities: Capabilities,
    pub webhooks: SenderWebhooks,
    /// Apart, because no message reads it.
    #[serde(default)]
    pub voice: Box<VoiceSettings>,
    /// Segments per second of this one sender; `None` = the default of its kind, 0 = no limit.
    #[serde(default)]
    pub pace: Option<f64>,
    /// Of a toll-free number of +1 that serves Canada: its digits don't tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

impl IncomingNumber {
    /// Where it is at home.
    pub fn country(&self) -> Option<Country> {
        self.country.or_else(|| self.number.country())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShortCodeEntry {
    pub sid: ShortCodeSid,
    pub account: AccountSid,
    pub sender: SenderNo,
    pub code: ShortCode,
    pub country: Country,
    pub friendly_name: String,
    #[serde(default, skip_serializing_if = "SenderStatus::is_active")]
    pub status: SenderStatus,
    pub capabilities: Capabilities,
    pub webhooks: SenderWebhooks,
    #[serde(default)]
    pub pace: Option<f64>,
    /// Networks that it reaches; empty for all of its country.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served_networks: Vec<NetworkPattern>,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

/// A Messaging Service. Every default is the resource's own (`docs/api.md`).
#[expect(
    clippy::struct_excessive_bools,
    reason = "the resource has these switches"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    pub sid: ServiceSid,
    pub account: AccountSid,
    pub friendly_name: String,
    pub inbound_request_url: Option<String>,
    pub inbound_method: HttpMethod,
    pub fallback_url: Option<String>,
    pub fallback_method: HttpMethod,
    pub use_inbound_webhook_on_number: bool,
    pub status_callback: Option<String>,
    pub sticky_sender: bool,
    pub area_code_geomatch: bool,
    pub smart_encoding: bool,
    pub mms_converter: bool,
    /// Seconds.
    pub validity_period_s: u32,
    pub scan_message_content: String,
    pub usecase: String,
    /// Obsolete: accepted and echoed.
    pub fallback_to_long_code: bool,
    /// Reserved: accepted and echoed.
    pub synchronous_validation: bool,
    /// Keywords and replies of its own, once they were set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advanced_opt_out: Option<Box<AdvancedOptOut>>,
    /// Ours: alert when an alpha sender goes where it should be registered, and is not.
    #[serde(default)]
    pub preregistration_alert: bool,
    /// Place of the next sender that joins the pool; no place is given twice.
    #[serde(default)]
    pub next_position: u64,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

impl Service {
    /// A service with every setting at its default. Its name has none: a request must give it.
    pub fn new(
        sid: ServiceSid,
        account: AccountSid,
        validity_period_s: u32,
        now_ms: Millis,
    ) -> Self {
        Self {
            sid,
            account,
            friendly_name: String::new(),
            inbound_request_url: None,
            inbound_method: HttpMethod::Post,
            fallback_url: None,
            fallback_method: HttpMethod::Post,
            use_inbound_webhook_on_number: true,
            status_callback: None,
            sticky_sender: true,
            area_code_geomatch: true,
            smart_encoding: true,
            mms_converter: true,
            validity_period_s,
            scan_message_content: "inherit".to_owned(),
            usecase: "undeclared".to_owned(),
            fallback_to_long_code: false,
            synchronous_validation: false,
            advanced_opt_out: None,
            preregistration_alert: false,
            next_position: 0,
            created_ms: now_ms,
            updated_ms: now_ms,
        }
    }
}

/// A sender's membership of a service's pool. Pool order is the order of `added_ms`, then of SID.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolMember {
    pub service: ServiceSid,
    pub sender: PoolSenderSid,
    pub added_ms: Millis,
    /// Position in the pool: ascending, unique in the service.
    pub position: u64,
}

/// What a pool entry refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolSenderSid {
    Number(PhoneNumberSid),
    ShortCode(ShortCodeSid),
    /// An alpha sender lives in its pool only, so its data is here.
    Alpha {
        sid: AlphaSenderSid,
        id: AlphaSenderId,
        sender: SenderNo,
    },
    /// An alpha sender for one country.
    DestinationAlpha {
        sid: AlphaSenderSid,
        id: AlphaSenderId,
        sender: SenderNo,
        country: Country,
    },
    Channel(ChannelSenderSid),
}

impl std::fmt::Display for PoolSenderSid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(sid) => sid.fmt(f),
            Self::ShortCode(sid) => sid.fmt(f),
            Self::Alpha { sid, .. } | Self::DestinationAlpha { sid, .. } => sid.fmt(f),
            Self::Channel(sid) => sid.fmt(f),
        }
    }
}

/// What an account knows of an alpha sender's registration with a country's carriers. The account has
/// one for a sender and a country.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegisteredSender {
    pub sid: RegisteredSenderSid,
    pub account: AccountSid,
    pub sender: AlphaSenderId,
    pub country: Country,
    pub status: RegistrationStatus,
    /// The first instant at which it is no longer valid.
    pub valid_until_ms: Option<Millis>,
    pub created_ms: Millis,
    pub updated_ms: Millis,
}

impl RegisteredSender {
    pub fn is_valid(&self, now_ms: Millis) -> bool {
        self.status == RegistrationStatus::Registered
            && self.valid_until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationStatus {
    /// Applied for.
    Pending,
    #[default]
    Registered,
    Rejected,
}

impl RegistrationStatus {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Registered, Self::Rejected];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Registered => "registered",
            Self::Rejected => "rejected",
        }
    }
}
