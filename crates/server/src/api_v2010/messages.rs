//! `/2010-04-01/Accounts/{AC}/Messages`: the resource everything else is for.
//!
//! Creating is the hot path: the form is read in one pass, and the answer is one struct that borrows
//! from the message and writes its SIDs, dates and URIs straight into the body.
//! <https://www.twilio.com/docs/messaging/api/message-resource>

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{Message, Status};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::Account;
use postrider_core::sid::{AccountSid, Id, MessageSid, ServiceSid};
use postrider_engine::{Created, Once};
use postrider_store::{Cursor, MessageFilter};
use serde::{Serialize, Serializer};

use super::{API_VERSION, not_offered};
use crate::call::{Call, Method};
use crate::date::{Rfc2822, Span};
use crate::error::Refusal;
use crate::form::{Form, MAX_FIELDS, parse_boolean};
use crate::page::{PageRequest, Start};
use crate::reply::{Answer, Reply, as_text};

pub(super) async fn collection(call: &Call<'_>, account: &Arc<Account>) -> Answer {
    match call.method {
        Method::Post => create(call, account).await,
        Method::Get => list(call, account).await,
        Method::Delete | Method::Other => not_offered(call, "GET, POST"),
    }
}

pub(super) async fn instance(call: &Call<'_>, account: &Account, sid: &str) -> Answer {
    let sid: MessageSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    let message = match call.method {
        Method::Get => call.engine().message(account.no, sid).await?,
        Method::Post => update(call, account, sid).await?,
        Method::Delete => {
            call.engine().delete_message(account.no, sid).await?;
            return Ok(Reply::no_content());
        }
        Method::Other => return not_offered(call, "GET, POST, DELETE"),
    };
    Ok(Reply::ok(&MessageJson::stored(&message, account.sid)))
}

async fn create(call: &Call<'_>, account: &Arc<Account>) -> Answer {
    let request = read_create(&call.body)?;
    let engine = call.engine();
    let show = |created| Reply::created(&MessageJson::created(created, account.sid));
    let Some(repeatable) = call.repeatable else {
        let created = engine.create_message(account, request).await?;
        return Ok(show(&created));
    };
    let created = engine.create_message_once(account, request, repeatable);
    Ok(match created.await? {
        Once::Done(created) => show(&created),
        Once::Repeated(created) => show(&created).replayed(),
    })
}

/// Reads a create request in one pass. Of a parameter given twice the first counts.
pub(crate) fn read_create(body: &[u8]) -> Result<CreateMessage, Refusal> {
    let mut request = CreateMessage::default();
    for (index, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if index == MAX_FIELDS {
            return Err(Form::too_many_fields());
        }
        if value.is_empty() {
            continue;
        }
        match &*name {
            "To" => set(&mut request.to, value),
            "From" => set(&mut request.from, value),
            "FallbackFrom" => set(&mut request.fallback_from, value),
            "MessagingServiceSid" => set(&mut request.messaging_service, value),
            "Body" => set(&mut request.body, value),
            "MediaUrl" => request.media_urls.push(value.into_owned()),
            "ContentSid" => set(&mut request.content_sid, value),
            "ContentVariables" => set(&mut request.content_variables, value),
            "StatusCallback" => set(&mut request.status_callback, value),
            "ApplicationSid" => set(&mut request.application, value),
            "ValidityPeriod" => set(&mut request.validity_period, value),
            "SmartEncoded" => request.smart_encoded = Some(parse_boolean(&name, &value)?),
            "ShortenUrls" => request.shorten_urls = Some(parse_boolean(&name, &value)?),
            "ScheduleType" => set(&mut request.schedule_type, value),
            "SendAt" => set(&mut request.send_at, value),
            "SendAsMms" => request.send_as_mms = Some(parse_boolean(&name, &value)?),
            "ProvideFeedback" => request.provide_feedback = Some(parse_boolean(&name, &value)?),
            "ContentRetention" => set(&mut request.content_retention, value),
            "AddressRetention" => set(&mut request.address_retention, value),
            "Attempt" => set(&mut request.attempt, value),
            "MaxPrice" => set(&mut request.max_price, value),
            "RiskCheck" => set(&mut request.risk_check, value),
            "TrafficType" => set(&mut request.traffic_type, value),
            "PersistentAction" => request.persistent_actions.push(value.into_owned()),
            _ => {}
        }
    }
    Ok(request)
}

fn set(parameter: &mut Option<String>, value: Cow<'_, str>) {
    if parameter.is_none() {
        *parameter = Some(value.into_owned());
    }
}

/// `Body=` redacts, `Status=canceled` withdraws; nothing else can be changed.
async fn update(call: &Call<'_>, account: &Account, sid: MessageSid) -> Result<Message, Refusal> {
    let form = call.form()?;
    let redact = match form.get("Body") {
        None => false,
        Some("") => true,
        Some(_) => {
            return Err(Fault::because(
                ErrorCode::InvalidParameter,
                "'Body' can only be emptied, which redacts the message",
            )
            .into());
        }
    };
    let cancel = match form.get("Status") {
        None => false,
        Some("canceled") => true,
        Some(_) => {
            return Err(Fault::because(
                ErrorCode::InvalidParameter,
                "'Status' can only be set to canceled",
            )
            .into());
        }
    };
    let engine = call.engine();
    if cancel {
        let canceled = engine.cancel_message(account.no, sid).await?;
        if !redact {
            return Ok(canceled);
        }
    }
    if redact {
        return Ok(engine.redact_message(account.no, sid).await?);
    }
    Ok(engine.message(account.no, sid).await?)
}

/// `Status` is an extension.
const FILTERS: &[&str] = &["To", "From", "DateSent", "DateSent<", "DateSent>", "Status"];

async fn list(call: &Call<'_>, account: &Account) -> Answer {
    let query = call.query()?;
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", account.sid);
    let request = PageRequest::new(path, &query, FILTERS)?;
    let filter = read_filter(account, &query)?;
    let cursor = match request.start {
        Start::Newest => Cursor::Start,
        Start::After(key) => Cursor::After(Id::from_u128(key)),
        Start::Before(key) => Cursor::Before(Id::from_u128(key)),
    };
    let messages = call
        .engine()
        .messages(filter, cursor, request.probe())
        .await?;
    let page = request.page(messages, |message| message.sid.id.as_u128());
    let shown = page.map(|message| MessageJson::stored(message, account.sid));
    Ok(Reply::ok(&shown.in_2010("messages")))
}

fn read_filter(account: &Account, query: &Form<'_>) -> Result<MessageFilter, Refusal> {
    let mut filter = MessageFilter {
        account: Some(account.no),
        to: query.text("To").map(normal_address),
        from: query.text("From").map(normal_address),
        ..MessageFilter::default()
    };
    if let Some(status) = query.text("Status") {
        let status = Status::parse(status)
            .ok_or_else(|| Fault::because(ErrorCode::InvalidParameter, "'Status' is unknown"))?;
        filter.status = Some(status);
    }
    let mut from_ms = None;
    let mut before_ms = None;
    if let Some(span) = date(query, "DateSent")? {
        (from_ms, before_ms) = (Some(span.start_ms), Some(span.end_ms));
    }
    // Both bounds are inclusive: on a wire they read `DateSent<=` and `DateSent>=`.
    if let Some(span) = date(query, "DateSent>")? {
        from_ms = from_ms.max(Some(span.start_ms));
    }
    if let Some(span) = date(query, "DateSent<")? {
        before_ms = Some(before_ms.map_or(span.end_ms, |ms: i64| ms.min(span.end_ms)));
    }
    filter.sent_from_ms = from_ms;
    filter.sent_before_ms = before_ms;
    Ok(filter)
}

/// Numbers in the form they are stored in, anything else as it is.
fn normal_address(text: &str) -> Box<str> {
    match PhoneNumber::parse(text) {
        Ok(number) => number.to_string().into(),
        Err(_) => text.into(),
    }
}

/// Midnight is the whole day in each of the three, as a bare date is: SDKs send a date so.
fn date(query: &Form<'_>, name: &str) -> Result<Option<Span>, Refusal> {
    let Some(text) = query.text(name) else {
        return Ok(None);
    };
    let span = Span::parse(text).ok_or_else(|| {
        Fault::because(
            ErrorCode::InvalidParameter,
            format!("'{name}' must be a date such as 2026-01-31, or a time in ISO 8601"),
        )
    })?;
    Ok(Some(span.widened_to_day()))
}

/// No message has media yet, so the list is there and empty.
pub(super) async fn media(call: &Call<'_>, account: &Account, sid: &str) -> Answer {
    if call.method != Method::Get {
        return not_offered(call, "GET");
    }
    let sid: MessageSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    call.engine().message(account.no, sid).await?;
    let path = format!("{}/Media.json", MessagePath(account.sid, sid));
    let request = PageRequest::new(
        path,
        &call.query()?,
        &["DateCreated", "DateCreated<", "DateCreated>"],
    )?;
    let page = request.page_of(Vec::<()>::new(), |()| 0);
    Ok(Reply::ok(&page.in_2010("media_list")))
}

#[derive(Serialize)]
struct MessageJson<'a> {
    body: &'a str,
    num_segments: Digits,
    direction: &'static str,
    from: Option<Cow<'a, str>>,
    to: Cow<'a, str>,
    date_updated: Rfc2822,
    price: (),
    error_message: Option<&'static str>,
    uri: Uri,
    account_sid: AccountSid,
    num_media: Digits,
    status: &'static str,
    messaging_service_sid: Option<ServiceSid>,
    #[serde(serialize_with = "as_text")]
    sid: MessageSid,
    date_sent: Option<Rfc2822>,
    date_created: Rfc2822,
    error_code: Option<u32>,
    price_unit: (),
    api_version: &'static str,
    subresource_uris: Subresources,
}

#[derive(Serialize)]
struct Subresources {
    media: Uri,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<Uri>,
}

impl<'a> MessageJson<'a> {
    /// A message as it is.
    fn stored(message: &'a Message, account: AccountSid) -> Self {
        let uri = |suffix| Uri {
            message: MessagePath(account, message.sid),
            suffix,
        };
        Self {
            body: &message.body,
            num_segments: Digits(message.num_segments),
            direction: message.direction.as_str(),
            from: message.from.as_deref().map(Cow::Borrowed),
            to: message.shown_to(),
            date_updated: Rfc2822(message.updated_ms),
            price: (),
            error_message: message.error.map(ErrorCode::title),
            uri: uri(".json"),
            account_sid: account,
            num_media: Digits(message.num_media),
            status: message.status.as_str(),
            messaging_service_sid: message.service,
            sid: message.sid,
            date_sent: message.sent_ms.map(Rfc2822),
            date_created: Rfc2822(message.created_ms()),
            error_code: message.error.map(ErrorCode::code),
            price_unit: (),
            api_version: API_VERSION,
            subresource_uris: Subresources {
                media: uri("/Media.json"),
                feedback: Some(uri("/Feedback.json")),
            },
        }
    }

    /// A message just created. Through a service it is shown before a sender is chosen, as
    /// Twilio shows it, though the record already holds the choice and perhaps its failure.
    fn created(created: &'a Created, account: AccountSid) -> Self {
        let message = &created.message;
        let mut json = Self::stored(message, account);
        json.subresource_uris.feedback = None;
        // A repeated answer knows no other.
        json.date_updated = json.date_created;
        if created.through_service {
            let status = match message.status {
                Status::Scheduled => Status::Scheduled,
                _ => Status::Accepted,
            };
            json.status = status.as_str();
            json.from = created
                .named_sender
                .as_ref()
                .map(|sender| Cow::Owned(sender.to_string()));
            json.num_segments = Digits(0);
            json.date_sent = None;
            json.error_code = None;
            json.error_message = None;
            json.body = message.submitted_body.as_deref().unwrap_or(&message.body);
        }
        json
    }
}

/// A number that this API writes as a string.
struct Digits(u16);

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Clone, Copy)]
struct MessagePath(AccountSid, MessageSid);

impl fmt::Display for MessagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/2010-04-01/Accounts/{}/Messages/{}", self.0, self.1)
    }
}

struct Uri {
    message: MessagePath,
    suffix: &'static str,
}

impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}{}", self.message, self.suffix))
    }
}
