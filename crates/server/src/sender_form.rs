//! The parameters that numbers and short codes share (their webhooks, capabilities, status and pace), and
//! those of numbers for calls.
//!
//! Everything is read before anything is changed, so a bad parameter changes nothing.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{
    Capabilities, HttpMethod, IncomingNumber, SenderStatus, SenderWebhooks, ShortCodeEntry,
    VoiceReceiveMode, VoiceSettings,
};
use postrider_core::sid::ApplicationSid;

use crate::error::Refusal;
use crate::form::{Change, Form};

/// What a request sets.
#[derive(Debug)]
pub(crate) struct SenderForm {
    friendly_name: Change<String>,
    sms_url: Change<String>,
    sms_method: Change<HttpMethod>,
    sms_fallback_url: Change<String>,
    sms_fallback_method: Change<HttpMethod>,
    status_callback: Change<String>,
    status_callback_method: Change<HttpMethod>,
    // Extensions: a number is the operator's own, so what it can do is for the operator to say.
    status: Option<SenderStatus>,
    sms_enabled: Change<bool>,
    mms_enabled: Change<bool>,
    voice_enabled: Change<bool>,
    pace: Change<f64>,
}

impl SenderForm {
    pub(crate) fn read(form: &Form<'_>) -> Result<Self, Refusal> {
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
            status: form.text("Status").map(read_status).transpose()?,
            sms_enabled: form.switch("SmsEnabled")?,
            mms_enabled: form.switch("MmsEnabled")?,
            voice_enabled: form.switch("VoiceEnabled")?,
            pace: form.pace()?,
        })
    }

    /// As [`SenderForm::read`], of a sender that is there. A status is no setting: an empty one must not
    /// revive it.
    pub(crate) fn read_update(form: &Form<'_>) -> Result<Self, Refusal> {
        form.get("Status").map(read_status).transpose()?;
        Self::read(form)
    }

    pub(crate) fn apply_to_number(self, number: &mut IncomingNumber) {
        self.apply(
            (&mut number.friendly_name, number.number.to_string()),
            &mut number.status,
            &mut number.capabilities,
            &mut number.webhooks,
            &mut number.pace,
        );
    }

    pub(crate) fn apply_to_short_code(self, code: &mut ShortCodeEntry) {
        self.apply(
            (&mut code.friendly_name, code.code.to_string()),
            &mut code.status,
            &mut code.capabilities,
            &mut code.webhooks,
            &mut code.pace,
        );
    }

    fn apply(
        self,
        (friendly_name, default_name): (&mut String, String),
        status: &mut SenderStatus,
        capabilities: &mut Capabilities,
        webhooks: &mut SenderWebhooks,
        pace: &mut Option<f64>,
    ) {
        let method = HttpMethod::default();
        let able = Capabilities::default();
        self.friendly_name.apply_or(friendly_name, default_name);
        if let Some(given) = self.status {
            *status = given;
        }
        self.sms_enabled.apply_or(&mut capabilities.sms, able.sms);
        self.mms_enabled.apply_or(&mut capabilities.mms, able.mms);
        self.voice_enabled
            .apply_or(&mut capabilities.voice, able.voice);
        self.sms_url.apply(&mut webhooks.sms_url);
        self.sms_method.apply_or(&mut webhooks.sms_method, method);
        self.sms_fallback_url.apply(&mut webhooks.sms_fallback_url);
        self.sms_fallback_method
            .apply_or(&mut webhooks.sms_fallback_method, method);
        self.status_callback.apply(&mut webhooks.status_callback);
        self.status_callback_method
            .apply_or(&mut webhooks.status_callback_method, method);
        self.pace.apply(pace);
    }
}

/// Also `in-use`, which is how Twilio's resource shows a number that is active.
fn read_status(word: &str) -> Result<SenderStatus, Refusal> {
    if word == IN_USE {
        return Ok(SenderStatus::Active);
    }
    SenderStatus::parse(word).ok_or_else(|| {
        let text = "'Status' must be active, suspended, porting or pending";
        Fault::because(ErrorCode::InvalidParameter, text).into()
    })
}

/// The `status` of a number that is active.
pub(crate) const IN_USE: &str = "in-use";

/// What a request sets of a number's calls.
#[derive(Debug)]
pub(crate) struct VoiceForm {
    url: Change<String>,
    method: Change<HttpMethod>,
    fallback_url: Change<String>,
    fallback_method: Change<HttpMethod>,
    application: Change<ApplicationSid>,
    caller_id_lookup: Change<bool>,
    receive_mode: Change<VoiceReceiveMode>,
}

impl VoiceForm {
    pub(crate) fn read(form: &Form<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            url: form.url("VoiceUrl")?,
            method: form.method("VoiceMethod")?,
            fallback_url: form.url("VoiceFallbackUrl")?,
            fallback_method: form.method("VoiceFallbackMethod")?,
            application: read_application(form)?,
            caller_id_lookup: form.switch("VoiceCallerIdLookup")?,
            receive_mode: read_receive_mode(form)?,
        })
    }

    pub(crate) fn apply(self, voice: &mut VoiceSettings) {
        let default = VoiceSettings::default();
        self.url.apply(&mut voice.url);
        self.method.apply_or(&mut voice.method, default.method);
        self.fallback_url.apply(&mut voice.fallback_url);
        self.fallback_method
            .apply_or(&mut voice.fallback_method, default.fallback_method);
        self.application.apply(&mut voice.application);
        self.caller_id_lookup
            .apply_or(&mut voice.caller_id_lookup, default.caller_id_lookup);
        self.receive_mode
            .apply_or(&mut voice.receive_mode, default.receive_mode);
    }
}

/// Kept as it is: an application that nothing calls need not be there.
fn read_application(form: &Form<'_>) -> Result<Change<ApplicationSid>, Refusal> {
    form.change("VoiceApplicationSid", |text| {
        text.parse()
            .map_err(|_| ErrorCode::InvalidApplicationSid.into())
    })
}

fn read_receive_mode(form: &Form<'_>) -> Result<Change<VoiceReceiveMode>, Refusal> {
    form.change("VoiceReceiveMode", |mode| match mode {
        "voice" => Ok(VoiceReceiveMode::Voice),
        "fax" => Ok(VoiceReceiveMode::Fax),
        _ => {
            let text = "'VoiceReceiveMode' must be voice or fax";
            Err(Fault::because(ErrorCode::InvalidParameter, text).into())
        }
    })
}
