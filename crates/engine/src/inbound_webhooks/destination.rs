//! Which URLs hear of an inbound message (content-and-inbound.md 4.2).
//!
//! A service that does not defer to its senders' webhooks has its own or none: a text to one of its
//! numbers never falls through to the number's, and the fallback URL is always of the same owner.

use postrider_core::message::Message;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{SenderAddress, ShortCode};
use postrider_core::settings::{ChannelWebhooks, HttpMethod, SenderWebhooks, Service};
use postrider_core::twiml::Endpoint;

use crate::directory::Directory;

/// Where an inbound message is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) url: Endpoint,
    /// Called once if that fails.
    pub(crate) fallback: Option<Endpoint>,
}

impl Destination {
    /// `None`: the message is stored, and nobody is told.
    pub(crate) fn of(directory: &Directory, message: &Message) -> Option<Self> {
        let service = message.service.and_then(|sid| directory.service(sid));
        match service.filter(|service| !service.use_inbound_webhook_on_number) {
            Some(service) => Self::of_service(&service),
            None => Self::of_sender(directory, message),
        }
    }

    fn of_service(service: &Service) -> Option<Self> {
        let url = service.inbound_request_url.as_deref();
        let fallback = service.fallback_url.as_deref();
        Self::new(
            url,
            service.inbound_method,
            fallback,
            service.fallback_method,
        )
    }

    fn of_sender(directory: &Directory, message: &Message) -> Option<Self> {
        let account = directory.account_by_no(message.account)?;
        let of_numbers = |webhooks: &SenderWebhooks| {
            Self::new(
                webhooks.sms_url.as_deref(),
                webhooks.sms_method,
                webhooks.sms_fallback_url.as_deref(),
                webhooks.sms_fallback_method,
            )
        };
        if let Ok(number) = PhoneNumber::parse(&message.to) {
            let entry = directory.number_by_digits(number)?;
            (entry.account == account.sid).then_some(())?;
            return of_numbers(&entry.webhooks);
        }
        if let Some(SenderAddress::WhatsApp(number)) = SenderAddress::parse(&message.to) {
            let entry = directory.channel_sender_by_number(number)?;
            (entry.account == account.sid).then_some(())?;
            return Self::of_channel(&entry.record.webhook);
        }
        let code = ShortCode::parse(&message.to)?;
        let country = PhoneNumber::parse(message.from.as_deref()?).ok();
        let country = country.and_then(PhoneNumber::country);
        let entry = directory.short_code_by_digits(account.sid, &code, country)?;
        of_numbers(&entry.webhooks)
    }

    fn of_channel(webhooks: &ChannelWebhooks) -> Option<Self> {
        let method = |text: &Option<String>| match text.as_deref() {
            Some(text) if text.eq_ignore_ascii_case("GET") => HttpMethod::Get,
            Some(_) | None => HttpMethod::Post,
        };
        Self::new(
            webhooks.callback_url.as_deref(),
            method(&webhooks.callback_method),
            webhooks.fallback_url.as_deref(),
            method(&webhooks.fallback_method),
        )
    }

    fn new(
        url: Option<&str>,
        method: HttpMethod,
        fallback: Option<&str>,
        fallback_method: HttpMethod,
    ) -> Option<Self> {
        let endpoint = |url: Option<&str>, method| {
            let url = url.filter(|url| !url.is_empty())?.to_owned();
            Some(Endpoint { url, method })
        };
        Some(Self {
            url: endpoint(url, method)?,
            fallback: endpoint(fallback, fallback_method),
        })
    }
}
