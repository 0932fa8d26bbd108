//! `/x/v1/StickySenders`: by which sender each recipient knows a service.
//!
//! `GET` lists a service's recipients by number, or shows one; `DELETE` makes a recipient's next
//! message choose anew. They are written by messages only.

use percent_encoding::percent_decode_str;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::sid::ServiceSid;
use postrider_store::{RecipientCursor, StickySender};
use serde::Serialize;

use super::sender::{SenderJson, Senders};
use crate::call::{Call, Method};
use crate::date::Iso8601;
use crate::error::Refusal;
use crate::page::{PageRequest, Start};
use crate::reply::{Answer, Reply};

pub(super) async fn collection(call: &Call<'_>) -> Answer {
    if call.method != Method::Get {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let query = call.query()?;
    let service = service(call, query.required("MessagingServiceSid")?)?;
    let path = "/v1/StickySenders".to_owned();
    let request = PageRequest::new(path, &query, &["MessagingServiceSid"])?;
    // Lists are by descending key, and this one is by ascending number.
    let cursor = match request.start {
        Start::Newest => RecipientCursor::Start,
        Start::After(key) => RecipientCursor::After(recipient_of(key)?),
        Start::Before(key) => RecipientCursor::Before(recipient_of(key)?),
    };
    let limit = request.probe();
    let mappings = call.engine().sticky_senders(service, cursor, limit).await?;
    let page = request.page(mappings, |(key, _)| page_key(key.recipient));
    let senders = Senders::of(call.directory(), Some(service));
    let shown = page
        .map(|(key, sender)| StickySenderJson::new(call, &senders, service, key.recipient, sender));
    Ok(Reply::ok(&shown.in_v1("sticky_senders", call.base)))
}

pub(super) async fn instance(call: &Call<'_>, sid: &str, number: &str) -> Answer {
    let service = service(call, sid)?;
    let number = percent_decode_str(number).decode_utf8_lossy();
    let recipient = PhoneNumber::parse(&number).map_err(|_| ErrorCode::NotFound)?;
    match call.method {
        Method::Get => {
            let sender = call.engine().sticky_sender(service, recipient).await?;
            let senders = Senders::of(call.directory(), Some(service));
            Ok(Reply::ok(&StickySenderJson::new(
                call, &senders, service, recipient, &sender,
            )))
        }
        Method::Delete => {
            call.engine()
                .forget_sticky_sender(service, recipient)
                .await?;
            Ok(Reply::no_content())
        }
        Method::Post | Method::Other => Err(Refusal::method_not_allowed("GET, DELETE")),
    }
}

/// The caller's service.
fn service(call: &Call<'_>, sid: &str) -> Result<ServiceSid, Refusal> {
    let sid: ServiceSid = sid.parse().map_err(|_| ErrorCode::NotFound)?;
    let service = call.directory().service(sid);
    let own = service.filter(|service| service.account == call.caller.account.sid);
    Ok(own.map(|service| service.sid).ok_or(ErrorCode::NotFound)?)
}

fn page_key(recipient: PhoneNumber) -> u128 {
    u128::from(u64::MAX - recipient.digits())
}

fn recipient_of(key: u128) -> Result<PhoneNumber, Refusal> {
    let digits = u64::try_from(key).map(|key| u64::MAX - key).ok();
    let recipient = digits.and_then(PhoneNumber::from_digits);
    Ok(recipient.ok_or(ErrorCode::InvalidParameter)?)
}

#[derive(Serialize)]
struct StickySenderJson {
    messaging_service_sid: ServiceSid,
    to: String,
    from: Option<SenderAddress>,
    #[serde(flatten)]
    sender: SenderJson,
    date_created: Iso8601,
    date_used: Iso8601,
    url: String,
}

impl StickySenderJson {
    fn new(
        call: &Call<'_>,
        senders: &Senders<'_>,
        service: ServiceSid,
        recipient: PhoneNumber,
        sender: &StickySender,
    ) -> Self {
        Self {
            messaging_service_sid: service,
            to: recipient.to_string(),
            from: senders.address(sender.sender),
            sender: senders.json(sender.sender),
            date_created: Iso8601(sender.created_ms),
            date_used: Iso8601(sender.used_ms),
            url: format!(
                "{}/v1/StickySenders/{service}/%2B{}",
                call.base,
                recipient.digits()
            ),
        }
    }
}
