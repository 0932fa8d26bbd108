//! The parameters that numbers and short codes share (their webhooks, capabilities and pace), and
//! those of numbers for calls.
//!
//! Everything is read before anything is changed, so a bad parameter changes nothing.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{
    Capabilities, HttpMethod, IncomingNumber, SenderWebhooks, ShortCodeEntry, VoiceReceiveMode,
    VoiceSettings,
};
use postrider_core::sid::ApplicationSid;

use crate::error::Refusal;
use crate::form::{Change, Form};

/// What a request sets; `None` leaves a setting alone.
#[derive(Debug)]
pub(crate) struct SenderForm<'a> {
    friendly_name: Option<&'a str>,
    sms_url: Change<String>,
    sms_method: Option<HttpMethod>,
    sms_fallback_url: Change<String>,
    sms_fallback_method: Option<HttpMethod>,
    status_callback: Change<String>,
    status_callback_method: Option<HttpMethod>,
    // Extensions: a number is the operator's own, so what it can do is for the operator to say.
    sms_enabled: Option<bool>,
    mms_enabled: Option<bool>,
    voice_enabled: Option<bool>,
    pace: Change<f64>,
}

impl<'a> SenderForm<'a> {
    pub(crate) fn read(form: &'a Form<'_>) -> Result<Self, Refusal> {
        if form.text("SmsApplicationSid").is_some() {
            // There are no applications yet, so whatever this names is not there.
            return Err(ErrorCode::InvalidApplicationSid.into());
        }
        Ok(Self {
            friendly_name: form.friendly_name()?,
            sms_url: form.url("SmsUrl")?,
            sms_method: form.method("SmsMethod")?,
            sms_fallback_url: form.url("SmsFallbackUrl")?,
            sms_fallback_method: form.method("SmsFallbackMethod")?,
            status_callback: form.status_callback()?,
            status_callback_method: form.method("StatusCallbackMethod")?,
            sms_enabled: form.boolean("SmsEnabled")?,
            mms_enabled: form.boolean("MmsEnabled")?,
            voice_enabled: form.boolean("VoiceEnabled")?,
            pace: form.pace()?,
        })
    }

    pub(crate) fn apply_to_number(self, number: &mut IncomingNumber) {
        self.apply(
            &mut number.friendly_name,
            &mut number.capabilities,
            &mut number.webhooks,
            &mut number.pace,
        );
    }

    pub(crate) fn apply_to_short_code(self, code: &mut ShortCodeEntry) {
        self.apply(
            &mut code.friendly_name,
            &mut code.capabilities,
            &mut code.webhooks,
            &mut code.pace,
        );
    }

    fn apply(
        self,
        friendly_name: &mut String,
        capabilities: &mut Capabilities,
        webhooks: &mut SenderWebhooks,
        pace: &mut Option<f64>,
    ) {
        if let Some(name) = self.friendly_name {
            name.clone_into(friendly_name);
        }
        capabilities.sms = self.sms_enabled.unwrap_or(capabilities.sms);
        capabilities.mms = self.mms_enabled.unwrap_or(capabilities.mms);
        capabilities.voice = self.voice_enabled.unwrap_or(capabilities.voice);
        self.sms_url.apply(&mut webhooks.sms_url);
        webhooks.sms_method = self.sms_method.unwrap_or(webhooks.sms_method);
        self.sms_fallback_url.apply(&mut webhooks.sms_fallback_url);
        webhooks.sms_fallback_method = self
            .sms_fallback_method
            .unwrap_or(webhooks.sms_fallback_method);
        self.status_callback.apply(&mut webhooks.status_callback);
        webhooks.status_callback_method = self
            .status_callback_method
            .unwrap_or(webhooks.status_callback_method);
        self.pace.apply(pace);
    }
}

/// What a request sets of a number's calls; `None` leaves a setting alone.
#[derive(Debug)]
pub(crate) struct VoiceForm {
    url: Change<String>,
    method: Option<HttpMethod>,
    fallback_url: Change<String>,
    fallback_method: Option<HttpMethod>,
    application: Change<ApplicationSid>,
    caller_id_lookup: Option<bool>,
    receive_mode: Option<VoiceReceiveMode>,
}

impl VoiceForm {
    pub(crate) fn read(form: &Form<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            url: form.url("VoiceUrl")?,
            method: form.method("VoiceMethod")?,
            fallback_url: form.url("VoiceFallbackUrl")?,
            fallback_method: form.method("VoiceFallbackMethod")?,
            application: read_application(form)?,
            caller_id_lookup: form.boolean("VoiceCallerIdLookup")?,
            receive_mode: read_receive_mode(form)?,
        })
    }

    pub(crate) fn apply(self, voice: &mut VoiceSettings) {
        self.url.apply(&mut voice.url);
        voice.method = self.method.unwrap_or(voice.method);
        self.fallback_url.apply(&mut voice.fallback_url);
        voice.fallback_method = self.fallback_method.unwrap_or(voice.fallback_method);
        self.application.apply(&mut voice.application);
        voice.caller_id_lookup = self.caller_id_lookup.unwrap_or(voice.caller_id_lookup);
        voice.receive_mode = self.receive_mode.unwrap_or(voice.receive_mode);
    }
}

/// Kept as it is: an application that nothing calls need not be there.
fn read_application(form: &Form<'_>) -> Result<Change<ApplicationSid>, Refusal> {
    match form.get("VoiceApplicationSid") {
        None => Ok(Change::Keep),
        Some("") => Ok(Change::Clear),
        Some(text) => match text.parse() {
            Ok(sid) => Ok(Change::Set(sid)),
            Err(_) => Err(ErrorCode::InvalidApplicationSid.into()),
        },
    }
}

fn read_receive_mode(form: &Form<'_>) -> Result<Option<VoiceReceiveMode>, Refusal> {
    match form.text("VoiceReceiveMode") {
        None => Ok(None),
        Some("voice") => Ok(Some(VoiceReceiveMode::Voice)),
        Some("fax") => Ok(Some(VoiceReceiveMode::Fax)),
        Some(_) => Err(Fault::because(
            ErrorCode::InvalidParameter,
            "'VoiceReceiveMode' must be voice or fax",
        )
        .into()),
    }
}
