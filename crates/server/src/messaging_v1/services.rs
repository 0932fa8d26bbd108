//! `/v1/Services`: Messaging Services.
//!
//! <https://www.twilio.com/docs/messaging/api/service-resource>

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{HttpMethod, Service};
use postrider_core::sid::{AccountSid, ServiceSid};
use postrider_core::validity::ValidityPeriod;
use serde::Serialize;

use super::usecases;
use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::{Change, Form};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Post => create(call).await,
        Method::Get => list(call),
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

pub(super) async fn instance(call: &Call<'_>, service: &Service) -> Answer {
    match call.method {
        Method::Get => Ok(Reply::ok(&ServiceJson::new(call, service))),
        Method::Post => {
            let form = call.form()?;
            let max_s = call.engine().limits().max_validity_period;
            let changes = Changes::read(&form, max_s)?;
            let apply = |service: &mut Service| changes.apply(service);
            let updated = call.engine().update_service(service.sid, apply).await?;
            Ok(Reply::ok(&ServiceJson::new(call, &updated)))
        }
        Method::Delete => {
            call.engine().delete_service(service.sid).await?;
            Ok(Reply::no_content())
        }
        Method::Other => Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    }
}

async fn create(call: &Call<'_>) -> Answer {
    let form = call.form()?;
    form.required("FriendlyName")?;
    let max_s = call.engine().limits().max_validity_period;
    let mut changes = Changes::read(&form, max_s)?;
    // Its default depends on what else the request gives.
    if changes.use_inbound_webhook_on_number == Change::Keep {
        changes.use_inbound_webhook_on_number = Change::Clear;
    }
    let apply = |service: &mut Service| changes.apply(service);
    let created = call
        .engine()
        .create_service(call.caller.account.sid, apply)
        .await?;
    Ok(Reply::created(&ServiceJson::new(call, &created)))
}

fn list(call: &Call<'_>) -> Answer {
    let request = PageRequest::new("/v1/Services".to_owned(), &call.query()?, &[])?;
    let mut services = call.directory().services_of(call.caller.account.sid);
    services.sort_unstable_by_key(|service| std::cmp::Reverse(service.sid));
    let page = request.page_of(services, |service| service.sid.0.as_u128());
    let shown = page.map(|service| ServiceJson::new(call, service));
    Ok(Reply::ok(&shown.in_v1("services", call.base)))
}

/// What a request sets.
struct Changes {
    /// The longest validity period there may be, which is the default.
    max_s: u32,
    friendly_name: Change<String>,
    inbound_request_url: Change<String>,
    inbound_method: Change<HttpMethod>,
    fallback_url: Change<String>,
    fallback_method: Change<HttpMethod>,
    status_callback: Change<String>,
    sticky_sender: Change<bool>,
    mms_converter: Change<bool>,
    smart_encoding: Change<bool>,
    scan_message_content: Change<String>,
    fallback_to_long_code: Change<bool>,
    area_code_geomatch: Change<bool>,
    validity_period_s: Change<u32>,
    synchronous_validation: Change<bool>,
    usecase: Change<String>,
    use_inbound_webhook_on_number: Change<bool>,
}

impl Changes {
    fn read(form: &Form<'_>, max_s: u32) -> Result<Self, Refusal> {
        Ok(Self {
            max_s,
            friendly_name: read_friendly_name(form)?,
            inbound_request_url: form.url("InboundRequestUrl")?,
            inbound_method: form.method("InboundMethod")?,
            fallback_url: form.url("FallbackUrl")?,
            fallback_method: form.method("FallbackMethod")?,
            status_callback: form.status_callback()?,
            sticky_sender: form.switch("StickySender")?,
            mms_converter: form.switch("MmsConverter")?,
            smart_encoding: form.switch("SmartEncoding")?,
            scan_message_content: read_scan_message_content(form)?,
            fallback_to_long_code: form.switch("FallbackToLongCode")?,
            area_code_geomatch: form.switch("AreaCodeGeomatch")?,
            validity_period_s: read_validity_period(form, max_s)?,
            synchronous_validation: form.switch("SynchronousValidation")?,
            usecase: read_usecase(form)?,
            use_inbound_webhook_on_number: form.switch("UseInboundWebhookOnNumber")?,
        })
    }

    fn apply(self, service: &mut Service) {
        let (sid, account) = (service.sid, service.account);
        let default = Service::new(sid, account, self.max_s, service.created_ms);
        self.friendly_name
            .apply_or(&mut service.friendly_name, default.friendly_name);
        self.inbound_request_url
            .apply(&mut service.inbound_request_url);
        self.inbound_method
            .apply_or(&mut service.inbound_method, default.inbound_method);
        self.fallback_url.apply(&mut service.fallback_url);
        self.fallback_method
            .apply_or(&mut service.fallback_method, default.fallback_method);
        self.status_callback.apply(&mut service.status_callback);
        self.sticky_sender
            .apply_or(&mut service.sticky_sender, default.sticky_sender);
        self.mms_converter
            .apply_or(&mut service.mms_converter, default.mms_converter);
        self.smart_encoding
            .apply_or(&mut service.smart_encoding, default.smart_encoding);
        self.scan_message_content.apply_or(
            &mut service.scan_message_content,
            default.scan_message_content,
        );
        self.fallback_to_long_code.apply_or(
            &mut service.fallback_to_long_code,
            default.fallback_to_long_code,
        );
        self.area_code_geomatch
            .apply_or(&mut service.area_code_geomatch, default.area_code_geomatch);
        self.validity_period_s
            .apply_or(&mut service.validity_period_s, default.validity_period_s);
        self.synchronous_validation.apply_or(
            &mut service.synchronous_validation,
            default.synchronous_validation,
        );
        self.usecase.apply_or(&mut service.usecase, default.usecase);
        // A service with a webhook of its own uses it, one without leaves inbound messages to the
        // number they came to; unless the caller says otherwise.
        let has_url = service.inbound_request_url.is_some();
        self.use_inbound_webhook_on_number
            .apply_or(&mut service.use_inbound_webhook_on_number, !has_url);
    }
}

/// A service is created with a name, so there is none to go back to.
fn read_friendly_name(form: &Form<'_>) -> Result<Change<String>, Refusal> {
    match form.friendly_name()? {
        Change::Clear => {
            let text = "'FriendlyName' can't be cleared: a service has a name";
            Err(Fault::because(ErrorCode::InvalidParameter, text).into())
        }
        change => Ok(change),
    }
}

fn read_scan_message_content(form: &Form<'_>) -> Result<Change<String>, Refusal> {
    form.change("ScanMessageContent", |scan| match scan {
        "inherit" | "enable" | "disable" => Ok(scan.to_owned()),
        _ => {
            let text = "'ScanMessageContent' must be inherit, enable or disable";
            Err(Fault::because(ErrorCode::InvalidParameter, text).into())
        }
    })
}

fn read_usecase(form: &Form<'_>) -> Result<Change<String>, Refusal> {
    form.change("Usecase", |usecase| {
        if usecases::is_of_service(usecase) {
            Ok(usecase.to_owned())
        } else {
            Err(ErrorCode::InvalidUsecase.into())
        }
    })
}

fn read_validity_period(form: &Form<'_>, max_s: u32) -> Result<Change<u32>, Refusal> {
    form.change("ValidityPeriod", |text| {
        let period = ValidityPeriod::of_service(text, max_s)?;
        Ok(period.seconds())
    })
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the API's shape")]
struct ServiceJson<'a> {
    sid: ServiceSid,
    account_sid: AccountSid,
    friendly_name: &'a str,
    date_created: Iso8601,
    date_updated: Iso8601,
    inbound_request_url: Option<&'a str>,
    inbound_method: HttpMethod,
    fallback_url: Option<&'a str>,
    fallback_method: HttpMethod,
    status_callback: Option<&'a str>,
    sticky_sender: bool,
    mms_converter: bool,
    smart_encoding: bool,
    scan_message_content: &'a str,
    fallback_to_long_code: bool,
    area_code_geomatch: bool,
    synchronous_validation: bool,
    validity_period: u32,
    url: String,
    links: Links,
    usecase: &'a str,
    us_app_to_person_registered: bool,
    use_inbound_webhook_on_number: bool,
}

#[derive(Serialize)]
struct Links {
    phone_numbers: String,
    short_codes: String,
    alpha_senders: String,
    messages: String,
    us_app_to_person: String,
    us_app_to_person_usecases: String,
    channel_senders: String,
    destination_alpha_senders: String,
}

impl<'a> ServiceJson<'a> {
    fn new(call: &Call<'_>, service: &'a Service) -> Self {
        let url = format!("{}/v1/Services/{}", call.base, service.sid);
        let campaign = call.directory().campaign_of(service.sid);
        let link = |name: &str| format!("{url}/{name}");
        Self {
            sid: service.sid,
            account_sid: service.account,
            friendly_name: &service.friendly_name,
            date_created: Iso8601(service.created_ms),
            date_updated: Iso8601(service.updated_ms),
            inbound_request_url: service.inbound_request_url.as_deref(),
            inbound_method: service.inbound_method,
            fallback_url: service.fallback_url.as_deref(),
            fallback_method: service.fallback_method,
            status_callback: service.status_callback.as_deref(),
            sticky_sender: service.sticky_sender,
            mms_converter: service.mms_converter,
            smart_encoding: service.smart_encoding,
            scan_message_content: &service.scan_message_content,
            fallback_to_long_code: service.fallback_to_long_code,
            area_code_geomatch: service.area_code_geomatch,
            synchronous_validation: service.synchronous_validation,
            validity_period: service.validity_period_s,
            links: Links {
                phone_numbers: link("PhoneNumbers"),
                short_codes: link("ShortCodes"),
                alpha_senders: link("AlphaSenders"),
                messages: link("Messages"),
                us_app_to_person: link("Compliance/Usa2p"),
                us_app_to_person_usecases: link("Compliance/Usa2p/Usecases"),
                channel_senders: link("ChannelSenders"),
                destination_alpha_senders: link("DestinationAlphaSenders"),
            },
            url,
            usecase: &service.usecase,
            us_app_to_person_registered: campaign.is_some_and(|campaign| campaign.is_verified()),
            use_inbound_webhook_on_number: service.use_inbound_webhook_on_number,
        }
    }
}
