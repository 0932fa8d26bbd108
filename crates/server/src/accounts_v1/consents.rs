//! `POST /v1/Consents/Bulk`: what users said about being written to, up to 25 of them at once.
//!
//! Each item is as if its user had said STOP or START to the sender, and each is answered for itself:
//! a wrong one keeps no other from being carried out. <https://www.twilio.com/docs/messaging/features/consent-api>

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::opt_out::ChannelGroup;
use postrider_engine::{Breadth, Consent};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::call::{Call, Method};
use crate::consent::{self, ConsentFields, Flaw};
use crate::error::Refusal;
use crate::reply::{Answer, Reply};

/// Twilio's limit.
const ITEMS_MAX: usize = 25;

const CORRELATION_ID_DIGITS: usize = 32;

pub(super) async fn bulk(call: &Call<'_>) -> Answer {
    if call.method != Method::Post {
        return Err(Refusal::method_not_allowed("POST"));
    }
    let form = call.form()?;
    let given: Vec<_> = form
        .all("Items")
        .map(read_object)
        .collect::<Result<_, _>>()?;
    if given.is_empty() || given.len() > ITEMS_MAX {
        let given = given.len();
        return Err(invalid(format!(
            "{given} items in 'Items', expected 1 to {ITEMS_MAX}"
        )));
    }
    let mut items: Vec<_> = given.iter().map(Item::read).collect();
    let consents: Vec<Consent> = items
        .iter()
        .filter_map(|item| item.consent.as_ref().ok().cloned())
        .collect();
    let (account, actor) = (&call.caller.account, call.caller.actor());
    let recorded = call
        .engine()
        .record_consents(account, &actor, Breadth::Keyword, &consents)
        .await?;
    let of_good_ones = items.iter_mut().filter(|item| item.consent.is_ok());
    for (item, recorded) in of_good_ones.zip(recorded) {
        if recorded.is_err() {
            item.consent = Err(vec![Flaw::SenderId.token()]);
        }
    }
    Ok(Reply::created(&BulkJson {
        items: items.iter().map(ItemJson::new).collect(),
    }))
}

fn read_object(text: &str) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        invalid(format!(
            "each of 'Items' must be an object in JSON: {error}"
        ))
    })
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

struct Item<'a> {
    correlation_id: Option<&'a str>,
    consent: Result<Consent, Vec<&'static str>>,
}

impl<'a> Item<'a> {
    fn read(given: &'a Map<String, Value>) -> Self {
        let text = |name: &str| given.get(name).and_then(Value::as_str);
        let fields = ConsentFields {
            contact_id: text("contact_id").unwrap_or_default(),
            sender_id: text("sender_id").unwrap_or_default(),
            status: text("status").unwrap_or_default(),
            source: text("source").unwrap_or_default(),
            date_of_consent: text("date_of_consent").unwrap_or_default(),
        };
        let consent = consent::read(fields).map_err(tokens).and_then(|consent| {
            // WhatsApp users are none of this API.
            match consent.channels {
                ChannelGroup::Text => Ok(consent),
                ChannelGroup::WhatsApp => Err(vec![Flaw::ContactId.token()]),
            }
        });
        let correlation_id = text("correlation_id");
        let is_id = correlation_id.is_some_and(|id| {
            id.len() == CORRELATION_ID_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit())
        });
        let consent = if is_id {
            consent
        } else {
            let mut tokens = consent.err().unwrap_or_default();
            tokens.push("INVALID_CORRELATION_ID");
            Err(tokens)
        };
        Self {
            correlation_id,
            consent,
        }
    }
}

fn tokens(flaws: Vec<Flaw>) -> Vec<&'static str> {
    flaws.into_iter().map(Flaw::token).collect()
}

#[derive(Serialize)]
struct BulkJson<'a> {
    items: Vec<ItemJson<'a>>,
}

#[derive(Serialize)]
struct ItemJson<'a> {
    correlation_id: Option<&'a str>,
    /// 0 if it holds.
    error_code: u32,
    error_messages: &'a [&'static str],
}

impl<'a> ItemJson<'a> {
    fn new(item: &'a Item<'_>) -> Self {
        let (error_code, error_messages) = match &item.consent {
            Ok(_) => (0, &[][..]),
            Err(tokens) => (ErrorCode::ConsentRejected.code(), &tokens[..]),
        };
        Self {
            correlation_id: item.correlation_id,
            error_code,
            error_messages,
        }
    }
}
