//! The parameters that tell an application of an inbound message (content-and-inbound.md 4.3).
//!
//! <https://www.twilio.com/docs/messaging/guides/webhook-request> names them. What is not known is sent
//! empty and not left out, because applications read them without asking whether they are there.

use postrider_core::country::Country;
use postrider_core::message::Message;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{ShortCode, WHATSAPP_PREFIX};
use postrider_core::settings::Account;

use crate::directory::Directory;
use crate::webhooks::{API_VERSION, Params};

pub(super) fn params(message: &Message, account: &Account, directory: &Directory) -> Params {
    let sid: Box<str> = message.sid.to_string().into();
    let from = message.from.as_deref().unwrap_or_default();
    let mut params: Params = vec![
        ("MessageSid", sid.clone()),
        ("SmsSid", sid.clone()),
        ("SmsMessageSid", sid),
        ("AccountSid", account.sid.to_string().into()),
        ("From", from.into()),
        ("To", message.to.clone()),
        ("Body", Box::from(&*message.body)),
        ("NumMedia", message.num_media.to_string().into()),
        ("NumSegments", message.num_segments.to_string().into()),
        ("SmsStatus", message.status.as_str().into()),
        ("ApiVersion", API_VERSION.into()),
    ];
    if let Some(service) = message.service {
        params.push(("MessagingServiceSid", service.to_string().into()));
    }
    if let Some(kind) = message.options.opt_out_type {
        params.push(("OptOutType", kind.as_str().into()));
    }
    if let Some(number) = from.strip_prefix(WHATSAPP_PREFIX) {
        params.extend([
            ("WaId", number.trim_start_matches('+').into()),
            ("MessageType", "text".into()),
            ("ReferralNumMedia", "0".into()),
        ]);
        return params;
    }
    let country_of = |number: &str| PhoneNumber::parse(number).ok()?.country();
    let from = country_of(from);
    let to =
        country_of(&message.to).or_else(|| country_of_code(directory, account, &message.to, from));
    let name = |country: Option<Country>| country.map(|country| country.to_string());
    let name = |country| name(country).unwrap_or_default().into();
    params.extend([("FromCountry", name(from)), ("ToCountry", name(to))]);
    // Where in its country a number is at home, the numbering plan does not tell.
    params.extend(PLACES.map(|place| (place, Box::default())));
    params
}

const PLACES: [&str; 6] = [
    "FromCity",
    "FromState",
    "FromZip",
    "ToCity",
    "ToState",
    "ToZip",
];

/// The country of a short code, which may be of several: that of who writes to it, if of that one.
fn country_of_code(
    directory: &Directory,
    account: &Account,
    to: &str,
    from: Option<Country>,
) -> Option<Country> {
    let code = ShortCode::parse(to)?;
    let entry = directory.short_code_by_digits(account.sid, &code, from)?;
    Some(entry.country)
}
