//! The parameters of a status callback.
//!
//! They follow Twilio's guide to outbound message status in status callbacks
//! (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
//! A callback may be made long after the fact, so each parameter is what held at that status, not
//! what the record says by now.

use postrider_core::message::{Message, Status};
use postrider_core::settings::Account;

use super::job::Params;

const API_VERSION: &str = "2010-04-01";

/// What `message` looked like when it reached `status`.
pub fn params(message: &Message, status: Status, account: &Account) -> Params {
    let sid: Box<str> = message.sid.to_string().into();
    let mut params: Params = Vec::with_capacity(12);
    params.push(("SmsSid", sid.clone()));
    params.push(("SmsStatus", status.as_str().into()));
    params.push(("MessageStatus", status.as_str().into()));
    params.push(("To", recipient(message)));
    if let Some(service) = message.service {
        params.push(("MessagingServiceSid", service.to_string().into()));
    }
    params.push(("MessageSid", sid));
    params.push(("AccountSid", account.sid.to_string().into()));
    // A message that is accepted or scheduled has no sender yet, even if the record has one by now.
    if status.rank() >= Status::Queued.rank()
        && let Some(from) = &message.from
    {
        params.push(("From", from.clone()));
    }
    params.push(("ApiVersion", API_VERSION.into()));
    if status.is_failure()
        && let Some(error) = message.error
    {
        params.push(("ErrorCode", error.to_string().into()));
        params.push(("ErrorMessage", error.title().into()));
    }
    match channel(&message.to) {
        None => params.extend(done_date(message, status).map(|date| ("RawDlrDoneDate", date))),
        Some(channel) => {
            params.push(("ChannelPrefix", channel.into()));
            params.push(("ChannelToAddress", recipient(message)));
            if status == Status::Read {
                params.push(("EventType", "READ".into()));
            }
        }
    }
    params
}

/// `To`, with its last four digits masked when the message asked for that.
fn recipient(message: &Message) -> Box<str> {
    if !message.options.obfuscate_address {
        return message.to.clone();
    }
    let is_masked = |at: usize| at + 4 >= message.to.len();
    message
        .to
        .char_indices()
        .map(|(at, c)| {
            if is_masked(at) && c.is_ascii_digit() {
                'X'
            } else {
                c
            }
        })
        .collect::<String>()
        .into()
}

/// `whatsapp` of `whatsapp:+15551234567`; `None` for SMS and MMS.
fn channel(to: &str) -> Option<&str> {
    to.split_once(':').map(|(channel, _)| channel)
}

/// The receipt's own date as `YYMMDDhhmm`. Some carriers add seconds.
fn done_date(message: &Message, status: Status) -> Option<Box<str>> {
    if !matches!(status, Status::Delivered | Status::Undelivered) {
        return None;
    }
    let digits = message.done_date.as_deref()?.get(..10)?;
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.into())
}
