//! Monitor v1: `/v1/Alerts`, the Debugger's list.
//!
//! A list leaves out what a request carried and what came back; a single alert has it.
//! <https://www.twilio.com/docs/usage/monitor-alert>

use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::fault::Fault;
use postrider_core::settings::HttpMethod;
use postrider_core::sid::{AccountSid, AlertSid, Id, ServiceSid};
use postrider_store::{Alert, AlertFilter, Cursor};
use serde::Serialize;

use crate::call::{Call, Method};
use crate::date::{Iso8601, Span};
use crate::error::{MoreInfo, Refusal};
use crate::form::Form;
use crate::page::{PageRequest, Start};
use crate::reply::{Answer, Reply};

pub(crate) async fn route(call: &Call<'_>, path: &[&str]) -> Answer {
    match *path {
        ["v1", "Alerts"] => collection(call).await,
        ["v1", "Alerts", sid] => instance(call, sid).await,
        _ => Err(Refusal::not_found()),
    }
}

const FILTERS: &[&str] = &["LogLevel", "StartDate", "EndDate"];

async fn collection(call: &Call<'_>) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let query = call.query()?;
    let request = PageRequest::new("/v1/Alerts".to_owned(), &query, FILTERS)?;
    let shown = match query.text("LogLevel").map(read_level).transpose()? {
        // Nothing here is so quiet.
        Some(Level::Quieter) => Vec::new(),
        level => {
            let filter = AlertFilter {
                account: call.caller.account.no,
                level: match level {
                    Some(Level::Known(level)) => Some(level),
                    Some(Level::Quieter) | None => None,
                },
                from_ms: span(&query, "StartDate")?.map(|span| span.start_ms),
                before_ms: span(&query, "EndDate")?.map(|span| span.widened_to_day().end_ms),
            };
            let cursor = match request.start {
                Start::Newest => Cursor::Start,
                Start::After(key) => Cursor::After(Id::from_u128(key)),
                Start::Before(key) => Cursor::Before(Id::from_u128(key)),
            };
            let limit = request.probe();
            call.engine().alerts(filter, cursor, limit).await?
        }
    };
    let page = request.page(shown, |alert| alert.id.as_u128());
    let json = page.map(|alert| AlertJson::new(call, alert));
    Ok(Reply::ok(&json.in_v1("alerts", call.base)))
}

async fn instance(call: &Call<'_>, sid: &str) -> Answer {
    // Alerts could be deleted once; no official SDK does it any more.
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let sid: AlertSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    let account = call.caller.account.no;
    let alert = call.engine().alert(account, sid).await?;
    Ok(Reply::ok(&AlertInstanceJson::new(call, &alert)))
}

enum Level {
    Known(AlertLevel),
    /// A level that no alert has.
    Quieter,
}

fn read_level(text: &str) -> Result<Level, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Ok(Level::Known(AlertLevel::Error)),
        "warning" => Ok(Level::Known(AlertLevel::Warning)),
        "notice" | "debug" => Ok(Level::Quieter),
        _ => Err(invalid(
            "'LogLevel' must be error, warning, notice or debug".to_owned(),
        )),
    }
}

fn span(query: &Form<'_>, name: &str) -> Result<Option<Span>, Refusal> {
    let parse = |text| {
        Span::parse(text).ok_or_else(|| {
            invalid(format!(
                "'{name}' must be a date, or a date and time in ISO 8601"
            ))
        })
    };
    query.text(name).map(parse).transpose()
}

fn invalid(text: String) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

fn level_name(level: AlertLevel) -> &'static str {
    match level {
        AlertLevel::Error => "error",
        AlertLevel::Warning => "warning",
    }
}

#[derive(Serialize)]
struct AlertJson<'a> {
    account_sid: AccountSid,
    alert_text: String,
    api_version: &'static str,
    date_created: Iso8601,
    date_generated: Iso8601,
    date_updated: Iso8601,
    /// A text, other than on messages.
    error_code: String,
    log_level: &'static str,
    more_info: MoreInfo,
    request_method: Option<HttpMethod>,
    request_url: Option<&'a str>,
    resource_sid: Option<&'a str>,
    sid: AlertSid,
    url: String,
    service_sid: Option<ServiceSid>,
}

impl<'a> AlertJson<'a> {
    fn new(call: &Call<'_>, alert: &'a Alert) -> Self {
        let sid = AlertSid(alert.id);
        let exchange = alert.exchange.as_deref();
        let happened = Iso8601(alert.id.created_ms());
        Self {
            account_sid: call.caller.account.sid,
            alert_text: alert_text(alert),
            api_version: "2010-04-01",
            date_created: happened,
            date_generated: happened,
            date_updated: Iso8601(alert.updated_ms),
            error_code: alert.code.to_string(),
            log_level: level_name(alert.level),
            more_info: MoreInfo(alert.code),
            request_method: exchange.map(|exchange| exchange.method),
            request_url: exchange.map(|exchange| &*exchange.url),
            resource_sid: alert.resource.as_deref(),
            url: format!("{}/v1/Alerts/{sid}", call.base),
            sid,
            service_sid: alert.service,
        }
    }
}

#[derive(Serialize)]
struct AlertInstanceJson<'a> {
    #[serde(flatten)]
    alert: AlertJson<'a>,
    request_variables: Option<&'a str>,
    response_body: Option<&'a str>,
    response_headers: Option<&'a str>,
    request_headers: Option<&'a str>,
}

impl<'a> AlertInstanceJson<'a> {
    fn new(call: &Call<'_>, alert: &'a Alert) -> Self {
        let exchange = alert.exchange.as_deref();
        Self {
            alert: AlertJson::new(call, alert),
            request_variables: exchange.and_then(|e| e.request_variables.as_deref()),
            response_body: exchange.and_then(|e| e.response_body.as_deref()),
            response_headers: exchange.and_then(|e| e.response_headers.as_deref()),
            request_headers: exchange.and_then(|e| e.request_headers.as_deref()),
        }
    }
}

/// Twilio's number for its messaging.
const SOURCE_COMPONENT: &str = "14100";

/// The details, form-encoded as Twilio does it.
fn alert_text(alert: &Alert) -> String {
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(256));
    form.append_pair("Msg", &alert.text);
    form.append_pair("sourceComponent", SOURCE_COMPONENT);
    form.append_pair("ErrorCode", &alert.code.to_string());
    if let Some(exchange) = &alert.exchange {
        if let Some(status) = exchange.status {
            form.append_pair("httpResponse", &status.to_string());
        }
        form.append_pair("url", &exchange.url);
    }
    form.append_pair("LogLevel", &level_name(alert.level).to_ascii_uppercase());
    if alert.count > 1 {
        form.append_pair("Count", &alert.count.to_string());
    }
    form.finish()
}
