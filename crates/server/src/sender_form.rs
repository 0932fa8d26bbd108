//! The parameters that numbers and short codes share: their webhooks, capabilities and pace.
//!
//! Everything is read before anything is changed, so a bad parameter changes nothing.

use postrider_core::error_code::ErrorCode;
use postrider_core::settings::{
    Capabilities, HttpMethod, IncomingNumber, SenderWebhooks, ShortCodeEntry,
};

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
        self.pace.apply(pace);
    }
}
