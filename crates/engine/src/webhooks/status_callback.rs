//! The parameters of a status callback.
//!
//! They follow Twilio's guide to outbound message status in status callbacks
//! (<https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks>).
//! A callback may be made long after the fact, so each parameter is what held at that status, not
//! what the record says by now.

use postrider_core::message::{Message, Status};
use postrider_core::settings::Account;

use super::job::Params;

pub const API_VERSION: &str = "2010-04-01";

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

/// `To`, masked when the message asked for that.
fn recipient(message: &Message) -> Box<str> {
    message.shown_to().into()
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

#[cfg(test)]
mod tests {
    use postrider_core::error_code::ErrorCode;
    use postrider_core::message::AccountNo;
    use postrider_core::sid::{AccountSid, Id, ServiceSid};
    use postrider_core::testing;

    use super::*;

    fn account() -> Account {
        testing::account(AccountSid(Id::from_u128(1)), AccountNo(1))
    }

    fn message() -> Message {
        Message {
            service: Some(ServiceSid(Id::from_u128(3))),
            status: Status::Undelivered,
            from: Some("+15005550006".into()),
            to: "+447700900199".into(),
            error: Some(ErrorCode::try_from(30003).unwrap()),
            done_date: Some("261124033512".into()),
            ..testing::message(Id::from_u128(2))
        }
    }

    fn names(params: &Params) -> String {
        params
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn value<'a>(params: &'a Params, name: &str) -> &'a str {
        &params.iter().find(|(other, _)| *other == name).unwrap().1
    }

    const ALWAYS: &str =
        "SmsSid SmsStatus MessageStatus To MessagingServiceSid MessageSid AccountSid";

    #[test]
    fn each_status_has_its_parameters_whatever_the_message_is_by_now() {
        #[rustfmt::skip]
        let rows = [
            (Status::Scheduled,   "ApiVersion"),
            (Status::Accepted,    "ApiVersion"),
            (Status::Queued,      "From ApiVersion"),
            (Status::Sending,     "From ApiVersion"),
            (Status::Sent,        "From ApiVersion"),
            (Status::Delivered,   "From ApiVersion RawDlrDoneDate"),
            (Status::Undelivered, "From ApiVersion ErrorCode ErrorMessage RawDlrDoneDate"),
            (Status::Failed,      "From ApiVersion ErrorCode ErrorMessage"),
            (Status::Canceled,    "From ApiVersion"),
        ];
        for (status, expected) in rows {
            let params = params(&message(), status, &account());
            assert_eq!(names(&params), format!("{ALWAYS} {expected}"), "{status:?}");
            assert_eq!(value(&params, "MessageStatus"), status.as_str());
            assert_eq!(value(&params, "SmsStatus"), status.as_str());
        }
    }

    #[test]
    fn the_values_are_twilios() {
        let params = params(&message(), Status::Undelivered, &account());
        #[rustfmt::skip]
        let rows = [
            ("AccountSid",          "AC00000000000000000000000000000001"),
            ("MessageSid",          "SM00000000000000000000000000000002"),
            ("SmsSid",              "SM00000000000000000000000000000002"),
            ("MessagingServiceSid", "MG00000000000000000000000000000003"),
            ("ApiVersion",          "2010-04-01"),
            ("To",                  "+447700900199"),
            ("From",                "+15005550006"),
            ("ErrorCode",           "30003"),
            ("RawDlrDoneDate",      "2611240335"),
        ];
        for (name, expected) in rows {
            assert_eq!(value(&params, name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let mut message = message();
        message.service = None;
        message.from = None;
        for done_date in [None, Some("26112403"), Some("2026-11-24")] {
            message.done_date = done_date.map(Into::into);
            let params = params(&message, Status::Delivered, &account());
            assert_eq!(
                names(&params),
                "SmsSid SmsStatus MessageStatus To MessageSid AccountSid ApiVersion"
            );
        }
    }

    #[test]
    fn an_obfuscated_recipient_loses_four_digits() {
        let mut message = message();
        message.options.obfuscate_address = true;
        let to = |message: &Message| {
            let params = params(message, Status::Sent, &account());
            value(&params, "To").to_owned()
        };
        assert_eq!(to(&message), "+44770090XXXX");
        message.to = "+44770090XXXX".into();
        assert_eq!(to(&message), "+44770090XXXX");
    }

    #[test]
    fn a_channel_adds_its_own() {
        let mut message = message();
        message.to = "whatsapp:+447700900199".into();
        let params = params(&message, Status::Read, &account());
        assert_eq!(value(&params, "ChannelPrefix"), "whatsapp");
        assert_eq!(value(&params, "ChannelToAddress"), "whatsapp:+447700900199");
        assert_eq!(value(&params, "EventType"), "READ");
    }
}
