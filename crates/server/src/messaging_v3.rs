//! Messaging v3: a service's own keywords and replies, Advanced Opt-Out.
//!
//! Paths and words are those of Twilio's draft; the operations are ours, since Twilio has none in public.
//! A configuration is a service's: its SID has the service's digits behind another prefix. Bodies are
//! JSON: one object, or a list of them that is carried out together or not at all. Rules in
//! `docs/opt-out.md`.

mod layers;
mod options;

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::opt_out::{AdvancedOptOut, Edit};
use postrider_core::settings::Service;
use postrider_core::sid::{AccountSid, OptOutConfigurationSid, ServiceSid};
use serde::{Deserialize, Serialize};

use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::page::PageRequest;
use crate::reply::{Answer, Reply};

pub(crate) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    let ["v3", "OptOuts", ref path @ ..] = *path else {
        return Err(Refusal::not_found());
    };
    let (sid, part) = match *path {
        [] => return collection(call).await,
        ["DefaultKeywordsMessages"] => return options::defaults(call),
        ["Configurations", "Languages"] => return options::languages(call),
        ["Configurations", "MessageTypes"] => return options::message_types(call),
        [sid] => (sid, None),
        [sid, part] => (sid, Some(part)),
        _ => return Err(Refusal::not_found()),
    };
    let service = find(call, sid).ok_or(ErrorCode::NotFound)?;
    match part {
        None => instance(call, &service).await,
        Some("Messages") => layers::messages(call, &service).await,
        Some("Keywords") => layers::keywords(call, &service).await,
        Some("MessageTypes") => layers::message_types(call, &service).await,
        Some(_) => Err(Refusal::not_found()),
    }
}

/// The caller's service with a configuration.
fn find(call: &Call<'_>, sid: &str) -> Option<Arc<Service>> {
    let OptOutConfigurationSid(id) = sid.parse().ok()?;
    let service = call.directory().service(ServiceSid(id))?;
    let is_own = service.account == call.caller.account.sid;
    (is_own && service.advanced_opt_out.is_some()).then_some(service)
}

async fn collection(call: &Call<'_>) -> Answer {
    match call.method {
        Method::Get => list(call),
        Method::Post => create(call).await,
        Method::Delete | Method::Other => Err(Refusal::method_not_allowed("GET, POST")),
    }
}

fn list(call: &Call<'_>) -> Answer {
    let request = PageRequest::new("/v3/OptOuts".to_owned(), &call.query()?, &[])?;
    let mut services = call.directory().services_of(call.caller.account.sid);
    services.retain(|service| service.advanced_opt_out.is_some());
    services.sort_unstable_by_key(|service| std::cmp::Reverse(service.sid));
    let page = request.page_of(services, |service| service.sid.0.as_u128());
    let shown = page.map(|service| ConfigurationJson::new(call, service));
    Ok(Reply::ok(&shown.in_v1("opt_outs", call.base)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigurationForm {
    #[serde(alias = "messaging_service_sid")]
    messaging_service_sid: Option<String>,
    enabled: Option<bool>,
}

async fn create(call: &Call<'_>) -> Answer {
    let form: ConfigurationForm = call.json()?;
    let given = form.messaging_service_sid.as_deref();
    let sid = given.and_then(|sid| sid.parse::<ServiceSid>().ok());
    let service = sid.and_then(|sid| call.directory().service(sid));
    let own = service.filter(|service| service.account == call.caller.account.sid);
    let service =
        own.ok_or_else(|| invalid("'messagingServiceSid' must be a Messaging Service's SID"))?;
    if service.advanced_opt_out.is_some() {
        let text = "this service has a configuration already";
        return Err(Fault::because(ErrorCode::Conflict, text).into());
    }
    let changed = edit(call, &service, form.edits()).await?;
    Ok(Reply::created(&ConfigurationJson::new(call, &changed)))
}

async fn instance(call: &Call<'_>, service: &Arc<Service>) -> Answer {
    match call.method {
        Method::Get => Ok(Reply::ok(&ConfigurationJson::new(call, service))),
        Method::Post => {
            let form: ConfigurationForm = call.json()?;
            let changed = edit(call, service, form.edits()).await?;
            Ok(Reply::ok(&ConfigurationJson::new(call, &changed)))
        }
        Method::Delete => {
            let actor = call.caller.actor();
            call.engine().forget_opt_out(service.sid, &actor).await?;
            Ok(Reply::no_content())
        }
        Method::Other => Err(Refusal::method_not_allowed("GET, POST, DELETE")),
    }
}

impl ConfigurationForm {
    fn edits(&self) -> Vec<Edit> {
        self.enabled.map(Edit::Enable).into_iter().collect()
    }
}

async fn edit(
    call: &Call<'_>,
    service: &Service,
    edits: Vec<Edit>,
) -> Result<Arc<Service>, Refusal> {
    let actor = call.caller.actor();
    let edited = call.engine().edit_opt_out(service.sid, &actor, edits);
    Ok(edited.await?)
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

fn configuration_sid(service: &Service) -> OptOutConfigurationSid {
    OptOutConfigurationSid(service.sid.0)
}

/// What is read of a service that has none is what one begins with.
fn configuration(service: &Service) -> AdvancedOptOut {
    let configuration = service.advanced_opt_out.as_deref();
    configuration.cloned().unwrap_or_default()
}

#[derive(Serialize)]
struct ConfigurationJson<'a> {
    opt_out_sid: OptOutConfigurationSid,
    account_sid: AccountSid,
    messaging_service_sid: ServiceSid,
    friendly_name: &'a str,
    enabled: bool,
    date_created: Iso8601,
    date_updated: Iso8601,
    url: String,
    links: LinksJson,
}

#[derive(Serialize)]
struct LinksJson {
    messages: String,
    keywords: String,
    message_types: String,
}

impl<'a> ConfigurationJson<'a> {
    /// Its dates are the service's, which it is part of.
    fn new(call: &Call<'_>, service: &'a Service) -> Self {
        let sid = configuration_sid(service);
        let url = format!("{}/v3/OptOuts/{sid}", call.base);
        Self {
            opt_out_sid: sid,
            account_sid: service.account,
            messaging_service_sid: service.sid,
            friendly_name: &service.friendly_name,
            enabled: configuration(service).is_enabled,
            date_created: Iso8601(service.created_ms),
            date_updated: Iso8601(service.updated_ms),
            links: LinksJson {
                messages: format!("{url}/Messages"),
                keywords: format!("{url}/Keywords"),
                message_types: format!("{url}/MessageTypes"),
            },
            url,
        }
    }
}
