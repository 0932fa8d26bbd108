//! `/v1/Services`: Messaging Services.
//!
//! <https://www.twilio.com/docs/messaging/api/service-resource>

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{HttpMethod, Service};
use postrider_core::sid::{AccountSid, ServiceSid};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::{Change, Form};
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

/// Seconds. Ten hours at most, as the API's reference says today.
const VALIDITY_PERIOD_S: std::ops::RangeInclusive<u32> = 1..=36_000;

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
            let changes = Changes::read(&form)?;
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
    let mut changes = Changes::read(&form)?;
    // A service with a webhook of its own uses it, one without leaves inbound messages to the
    // number they came to; unless the caller says otherwise.
    let has_url = matches!(changes.inbound_request_url, Change::Set(_));
    changes
        .use_inbound_webhook_on_number
        .get_or_insert(!has_url);
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

/// What a request sets; `None` leaves a setting alone.
struct Changes<'a> {
    friendly_name: Option<&'a str>,
    inbound_request_url: Change<String>,
    inbound_method: Option<HttpMethod>,
    fallback_url: Change<String>,
    fallback_method: Option<HttpMethod>,
    status_callback: Change<String>,
    sticky_sender: Option<bool>,
    mms_converter: Option<bool>,
    smart_encoding: Option<bool>,
    scan_message_content: Option<&'a str>,
    fallback_to_long_code: Option<bool>,
    area_code_geomatch: Option<bool>,
    validity_period_s: Option<u32>,
    synchronous_validation: Option<bool>,
    usecase: Option<&'a str>,
    use_inbound_webhook_on_number: Option<bool>,
}

impl<'a> Changes<'a> {
    fn read(form: &'a Form<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            friendly_name: form.friendly_name()?,
            inbound_request_url: form.url("InboundRequestUrl")?,
            inbound_method: form.method("InboundMethod")?,
            fallback_url: form.url("FallbackUrl")?,
            fallback_method: form.method("FallbackMethod")?,
            status_callback: form.status_callback()?,
            sticky_sender: form.boolean("StickySender")?,
            mms_converter: form.boolean("MmsConverter")?,
            smart_encoding: form.boolean("SmartEncoding")?,
            scan_message_content: read_scan_message_content(form)?,
            fallback_to_long_code: form.boolean("FallbackToLongCode")?,
            area_code_geomatch: form.boolean("AreaCodeGeomatch")?,
            validity_period_s: read_validity_period(form)?,
            synchronous_validation: form.boolean("SynchronousValidation")?,
            usecase: read_usecase(form)?,
            use_inbound_webhook_on_number: form.boolean("UseInboundWebhookOnNumber")?,
        })
    }

    fn apply(self, service: &mut Service) {
        fn set<T>(setting: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *setting = value;
            }
        }
        set(
            &mut service.friendly_name,
            self.friendly_name.map(str::to_owned),
        );
        self.inbound_request_url
            .apply(&mut service.inbound_request_url);
        set(&mut service.inbound_method, self.inbound_method);
        self.fallback_url.apply(&mut service.fallback_url);
        set(&mut service.fallback_method, self.fallback_method);
        self.status_callback.apply(&mut service.status_callback);
        set(&mut service.sticky_sender, self.sticky_sender);
        set(&mut service.mms_converter, self.mms_converter);
        set(&mut service.smart_encoding, self.smart_encoding);
        set(
            &mut service.scan_message_content,
            self.scan_message_content.map(str::to_owned),
        );
        set(
            &mut service.fallback_to_long_code,
            self.fallback_to_long_code,
        );
        set(&mut service.area_code_geomatch, self.area_code_geomatch);
        set(&mut service.validity_period_s, self.validity_period_s);
        set(
            &mut service.synchronous_validation,
            self.synchronous_validation,
        );
        set(&mut service.usecase, self.usecase.map(str::to_owned));
        set(
            &mut service.use_inbound_webhook_on_number,
            self.use_inbound_webhook_on_number,
        );
    }
}

fn read_scan_message_content<'a>(form: &'a Form<'_>) -> Result<Option<&'a str>, Refusal> {
    match form.text("ScanMessageContent") {
        Some("inherit" | "enable" | "disable") | None => Ok(form.text("ScanMessageContent")),
        Some(_) => {
            let text = "'ScanMessageContent' must be inherit, enable or disable";
            Err(Fault::because(ErrorCode::InvalidParameter, text).into())
        }
    }
}

fn read_usecase<'a>(form: &'a Form<'_>) -> Result<Option<&'a str>, Refusal> {
    match form.text("Usecase") {
        usecase @ (None
        | Some(
            "notifications" | "marketing" | "verification" | "discussion" | "poll" | "undeclared",
        )) => Ok(usecase),
        Some(_) => Err(ErrorCode::InvalidUsecase.into()),
    }
}

fn read_validity_period(form: &Form<'_>) -> Result<Option<u32>, Refusal> {
    let Some(text) = form.text("ValidityPeriod") else {
        return Ok(None);
    };
    text.parse()
        .ok()
        .filter(|seconds| VALIDITY_PERIOD_S.contains(seconds))
        .map(Some)
        .ok_or_else(|| ErrorCode::InvalidServiceValidityPeriod.into())
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
            us_app_to_person_registered: false,
            use_inbound_webhook_on_number: service.use_inbound_webhook_on_number,
        }
    }
}
