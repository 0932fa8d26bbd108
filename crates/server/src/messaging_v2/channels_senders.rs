//! `/v2/Channels/Senders`: WhatsApp senders.
//!
//! A record: no provider is asked, so there is nothing to wait for, and an active sender is `ONLINE`
//! as soon as a carrier of this server takes its messages. SDKs write every field that the caller left
//! out as null, so null is no change; an empty text clears.
//! <https://www.twilio.com/docs/whatsapp/api/senders>

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{SenderAddress, WHATSAPP_PREFIX};
use postrider_core::settings::{
    ChannelConfiguration, ChannelSender, ChannelSenderRecord, ChannelWebhooks, SenderStatus,
};
use postrider_core::sid::{ApplicationSid, ChannelSenderSid};
use serde::Serialize;

use super::profile::{ProfileForm, ProfileJson};
use crate::call::{Call, Method};
use crate::error::Refusal;
use crate::form::is_webhook_url;
use crate::json_form::{JsonForm, invalid};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

/// Entries of a page unless the request says otherwise.
const PAGE_SIZE: usize = 20;

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Post => create(call).await,
        Method::Get => list(call),
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

pub(super) async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    let sender = find(call, sid).ok_or(ErrorCode::NotFound)?;
    match call.method {
        Method::Get => Ok(Reply::ok(&SenderJson::new(call, &sender))),
        Method::Post => {
            let form = SenderForm::read(JsonForm::parse(&call.body)?)?;
            form.check()?;
            let apply = |sender: &mut ChannelSender| form.apply(sender);
            let updated = call.engine().update_channel_sender(sender.sid, apply);
            let updated = updated.await?;
            Ok(Reply::accepted(&SenderJson::new(call, &updated)))
        }
        Method::Delete => {
            call.engine().delete_channel_sender(sender.sid).await?;
            Ok(Reply::no_content())
        }
        Method::Other => Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    }
}

/// The sender, if it is the caller's.
fn find(call: &Call<'_>, sid: &str) -> Option<Arc<ChannelSender>> {
    let sid: ChannelSenderSid = sid.parse().ok()?;
    call.directory()
        .channel_sender(sid)
        .filter(|sender| sender.account == call.caller.account.sid)
}

async fn create(call: &Call<'_>) -> Answer {
    let form = SenderForm::read(JsonForm::parse(&call.body)?)?;
    let number = read_sender_id(form.sender_id.as_deref())?;
    form.check()?;
    let account = call.caller.account.sid;
    let apply = |sender: &mut ChannelSender| {
        // What a WhatsApp sender is verified by, unless it says otherwise.
        sender.record.configuration.verification_method = Some("sms".to_owned());
        form.apply(sender);
    };
    let created = call
        .engine()
        .register_channel_sender(account, number, apply);
    let created = created.await?;
    Ok(Reply::accepted_new(&SenderJson::new(call, &created)))
}

fn list(call: &Call<'_>) -> Answer {
    let query = call.query()?;
    let channel = query.required("Channel")?;
    let path = "/v2/Channels/Senders".to_owned();
    let request = PageRequest::sized(path, &query, &["Channel"], PAGE_SIZE)?;
    let mut senders = match channel {
        "whatsapp" => call.directory().channel_senders_of(call.caller.account.sid),
        // Nobody can have one of another channel.
        _ => Vec::new(),
    };
    senders.reverse();
    let page = request.page_of(senders, |sender| sender.sid.0.as_u128());
    let shown = page.map(|sender| SenderJson::new(call, sender));
    Ok(Reply::ok(&shown.in_v1("senders", call.base)))
}

fn read_sender_id(given: Option<&str>) -> Result<PhoneNumber, Refusal> {
    let given = given.filter(|given| !given.is_empty());
    let given = given.ok_or_else(|| invalid("the required parameter 'sender_id' is missing"))?;
    let expected = "'sender_id' must be whatsapp: and a phone number in E.164";
    let Some((channel, _)) = given.split_once(':') else {
        return Err(invalid(expected));
    };
    let Some(number) = given.strip_prefix(WHATSAPP_PREFIX) else {
        let text = format!("{channel} is not a channel this server carries");
        return Err(Fault::because(ErrorCode::ChannelNotSupported, text).into());
    };
    let number = PhoneNumber::parse(number);
    number.map_err(|error| invalid(format!("{expected}: {error}")))
}

/// What a request sets.
#[derive(Debug)]
struct SenderForm {
    sender_id: Option<String>,
    /// Ours: a [`SenderStatus`].
    status: Option<String>,
    configuration: Option<ConfigurationForm>,
    webhook: Option<WebhookForm>,
    profile: Option<ProfileForm>,
}

#[derive(Debug)]
struct ConfigurationForm {
    waba_id: Option<String>,
    verification_method: Option<String>,
    /// Proves nothing to us, and is a secret: forgotten.
    verification_code: Option<String>,
    voice_application_sid: Option<String>,
    account_type: Option<String>,
}

#[derive(Debug)]
struct WebhookForm {
    callback_url: Option<String>,
    callback_method: Option<String>,
    fallback_url: Option<String>,
    fallback_method: Option<String>,
    status_callback_url: Option<String>,
    status_callback_method: Option<String>,
}

impl SenderForm {
    fn read(mut form: JsonForm) -> Result<Self, Refusal> {
        Ok(Self {
            sender_id: form.text("sender_id")?,
            status: form.text("status")?,
            configuration: form
                .object("configuration")?
                .map(ConfigurationForm::read)
                .transpose()?,
            webhook: form.object("webhook")?.map(WebhookForm::read).transpose()?,
            profile: form.object("profile")?.map(ProfileForm::read).transpose()?,
        })
    }

    /// Everything is looked at before anything is changed.
    fn check(&self) -> Result<(), Refusal> {
        let status = self.status.as_deref();
        if status.is_some_and(|word| SenderStatus::parse(word).is_none()) {
            let text = "'status' must be active, suspended, porting or pending";
            return Err(invalid(text));
        }
        if let Some(configuration) = &self.configuration {
            configuration.check()?;
        }
        if let Some(webhook) = &self.webhook {
            webhook.check()?;
        }
        self.profile.as_ref().map_or(Ok(()), ProfileForm::check)
    }

    fn apply(self, sender: &mut ChannelSender) {
        if let Some(status) = self.status.as_deref().and_then(SenderStatus::parse) {
            sender.status = status;
        }
        let record = &mut *sender.record;
        if let Some(configuration) = self.configuration {
            configuration.apply(&mut record.configuration);
        }
        if let Some(webhook) = self.webhook {
            webhook.apply(&mut record.webhook);
        }
        if let Some(profile) = self.profile {
            profile.apply(&mut record.profile);
        }
    }
}

impl ConfigurationForm {
    fn read(mut form: JsonForm) -> Result<Self, Refusal> {
        Ok(Self {
            waba_id: form.text("waba_id")?,
            verification_method: form.text("verification_method")?,
            verification_code: form.text("verification_code")?,
            voice_application_sid: form.text("voice_application_sid")?,
            account_type: form.text("account_type")?,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        const METHODS: &[&str] = &["sms", "voice"];
        const ACCOUNT_TYPES: &[&str] = &["ISV", "ISVSubAccount"];
        short(self.waba_id.as_deref(), "configuration.waba_id", 64)?;
        short(
            self.verification_code.as_deref(),
            "configuration.verification_code",
            64,
        )?;
        let method = self.verification_method.as_deref();
        one_of(method, "configuration.verification_method", METHODS)?;
        one_of(
            self.account_type.as_deref(),
            "configuration.account_type",
            ACCOUNT_TYPES,
        )?;
        let application = given(self.voice_application_sid.as_deref());
        if application.is_some_and(|sid| sid.parse::<ApplicationSid>().is_err()) {
            return Err(ErrorCode::InvalidApplicationSid.into());
        }
        Ok(())
    }

    fn apply(self, configuration: &mut ChannelConfiguration) {
        set(&mut configuration.waba_id, self.waba_id);
        set(
            &mut configuration.verification_method,
            self.verification_method,
        );
        set(&mut configuration.account_type, self.account_type);
        if let Some(sid) = self.voice_application_sid {
            configuration.voice_application = sid.parse().ok();
        }
    }
}

impl WebhookForm {
    fn read(mut form: JsonForm) -> Result<Self, Refusal> {
        Ok(Self {
            callback_url: form.text("callback_url")?,
            callback_method: form.text("callback_method")?,
            fallback_url: form.text("fallback_url")?,
            fallback_method: form.text("fallback_method")?,
            status_callback_url: form.text("status_callback_url")?,
            status_callback_method: form.text("status_callback_method")?,
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        const METHODS: &[&str] = &["POST", "PUT"];
        url(self.callback_url.as_deref(), "webhook.callback_url")?;
        url(self.fallback_url.as_deref(), "webhook.fallback_url")?;
        url(
            self.status_callback_url.as_deref(),
            "webhook.status_callback_url",
        )?;
        one_of(
            self.callback_method.as_deref(),
            "webhook.callback_method",
            METHODS,
        )?;
        one_of(
            self.fallback_method.as_deref(),
            "webhook.fallback_method",
            METHODS,
        )?;
        let method = self.status_callback_method.as_deref();
        one_of(method, "webhook.status_callback_method", METHODS)
    }

    fn apply(self, webhook: &mut ChannelWebhooks) {
        set(&mut webhook.callback_url, self.callback_url);
        set(&mut webhook.callback_method, self.callback_method);
        set(&mut webhook.fallback_url, self.fallback_url);
        set(&mut webhook.fallback_method, self.fallback_method);
        set(&mut webhook.status_callback_url, self.status_callback_url);
        set(
            &mut webhook.status_callback_method,
            self.status_callback_method,
        );
    }
}

/// An empty text is none.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn set(setting: &mut Option<String>, text: Option<String>) {
    if let Some(text) = text {
        *setting = Some(text).filter(|text| !text.is_empty());
    }
}

pub(super) fn short(text: Option<&str>, name: &str, most: usize) -> Result<(), Refusal> {
    if given(text).is_some_and(|text| text.chars().count() > most) {
        let text = format!("'{name}' has more than {most} characters");
        return Err(Fault::because(ErrorCode::ParameterTooLong, text).into());
    }
    Ok(())
}

pub(super) fn url(text: Option<&str>, name: &str) -> Result<(), Refusal> {
    short(text, name, 2_048)?;
    if given(text).is_some_and(|text| !is_webhook_url(text)) {
        let text = format!("'{name}' must be an absolute http or https URL with a host name");
        return Err(Fault::because(ErrorCode::InvalidUrl, text).into());
    }
    Ok(())
}

fn one_of(text: Option<&str>, name: &str, words: &[&str]) -> Result<(), Refusal> {
    if given(text).is_some_and(|text| !words.contains(&text)) {
        return Err(invalid(format!("'{name}' must be {}", words.join(" or "))));
    }
    Ok(())
}

#[derive(Serialize)]
struct SenderJson<'a> {
    sid: ChannelSenderSid,
    status: &'static str,
    sender_id: SenderAddress,
    configuration: ConfigurationJson<'a>,
    webhook: WebhookJson<'a>,
    profile: ProfileJson<'a>,
    /// What a provider would tell; there is none.
    properties: Option<()>,
    offline_reasons: Option<[OfflineReason; 1]>,
    /// Of RCS.
    compliance: Option<()>,
    url: String,
}

#[derive(Serialize)]
struct ConfigurationJson<'a> {
    waba_id: Option<&'a str>,
    verification_method: Option<&'a str>,
    verification_code: Option<()>,
    voice_application_sid: Option<ApplicationSid>,
    account_type: Option<&'a str>,
}

#[derive(Serialize)]
struct WebhookJson<'a> {
    callback_url: Option<&'a str>,
    callback_method: Option<&'a str>,
    fallback_url: Option<&'a str>,
    fallback_method: Option<&'a str>,
    status_callback_url: Option<&'a str>,
    status_callback_method: Option<&'a str>,
}

#[derive(Serialize)]
struct OfflineReason {
    code: String,
    message: &'static str,
    more_info: String,
}

impl<'a> SenderJson<'a> {
    fn new(call: &Call<'_>, sender: &'a ChannelSender) -> Self {
        let address = SenderAddress::WhatsApp(sender.number);
        let (status, offline) = standing(sender.status, call.engine().is_carried(&address));
        let ChannelSenderRecord {
            configuration,
            webhook,
            profile,
        } = &*sender.record;
        Self {
            sid: sender.sid,
            status,
            sender_id: address,
            configuration: ConfigurationJson {
                waba_id: configuration.waba_id.as_deref(),
                verification_method: configuration.verification_method.as_deref(),
                verification_code: None,
                voice_application_sid: configuration.voice_application,
                account_type: configuration.account_type.as_deref(),
            },
            webhook: WebhookJson {
                callback_url: webhook.callback_url.as_deref(),
                callback_method: webhook.callback_method.as_deref(),
                fallback_url: webhook.fallback_url.as_deref(),
                fallback_method: webhook.fallback_method.as_deref(),
                status_callback_url: webhook.status_callback_url.as_deref(),
                status_callback_method: webhook.status_callback_method.as_deref(),
            },
            profile: ProfileJson::new(profile),
            properties: None,
            offline_reasons: offline.map(|reason| [reason]),
            compliance: None,
            url: format!("{}/v2/Channels/Senders/{}", call.base, sender.sid),
        }
    }
}

/// The API's word for a sender, and why it is none that sends.
fn standing(status: SenderStatus, is_carried: bool) -> (&'static str, Option<OfflineReason>) {
    let unusable = |message| OfflineReason::new(ErrorCode::FromCannotReachTo, message);
    match status {
        SenderStatus::Active if is_carried => ("ONLINE", None),
        SenderStatus::Active => ("OFFLINE", Some(OfflineReason::no_carrier())),
        SenderStatus::Suspended => ("OFFLINE", Some(unusable("The sender is suspended"))),
        SenderStatus::Porting => ("OFFLINE", Some(unusable("The sender is being ported"))),
        SenderStatus::Pending => ("PENDING_VERIFICATION", None),
    }
}

impl OfflineReason {
    fn no_carrier() -> Self {
        let message = "No carrier of this server takes WhatsApp messages";
        Self::new(ErrorCode::ChannelMisconfigured, message)
    }

    fn new(code: ErrorCode, message: &'static str) -> Self {
        Self {
            code: code.to_string(),
            message,
            more_info: format!("https://www.twilio.com/docs/errors/{code}"),
        }
    }
}
