//! Reading a create request: what it says, apart from time and queues, and the faults of it, in the
//! documented order (`docs/message-lifecycle.md`).

use std::sync::Arc;

use postrider_core::country::{Country, Support};
use postrider_core::create::{BODY_CHARS_MAX, CreateMessage, MEDIA_MAX};
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::phone_number::{NumberKind, PhoneNumber, PhoneNumberError};
use postrider_core::select::Channel;
use postrider_core::sender::{AlphaSenderId, SenderAddress, ShortCode};
use postrider_core::settings::{Account, AccountStatus, SenderStatus, Service};
use postrider_core::sid::ServiceSid;
use postrider_core::validity::ValidityPeriod;

use super::{Acceptor, Draft, To, options};
use crate::webhooks::CallbackUrl;

impl Acceptor {
    /// Reads the parameters that do not depend on time or queues, in the documented order.
    pub(super) fn read<'a>(
        &self,
        account: &Account,
        request: &'a CreateMessage,
    ) -> Result<Draft<'a>, Fault> {
        if account.status != AccountStatus::Active {
            return Err(ErrorCode::AccountNotActive.into());
        }
        let to = request.to.as_deref().ok_or(ErrorCode::MissingTo)?;
        let (from, service) = sender_parameters(request)?;
        let body = request.body.as_deref().unwrap_or_default();
        let has_media = !request.media_urls.is_empty() || request.send_as_mms == Some(true);
        if body.is_empty() && request.media_urls.is_empty() && request.content_sid.is_none() {
            return Err(ErrorCode::MissingContent.into());
        }
        let to = read_to(to)?;
        let channel = to.channel;
        let service = service
            .map(|sid| self.read_service(account, sid))
            .transpose()?;
        let from = from.map(read_from).transpose()?;
        if request.fallback_from.is_some() {
            return Err(refuse_fallback(from.as_ref(), service.as_deref()).into());
        }
        match (&from, &service) {
            (Some(from), None) => self.check_from(account, from, &to)?,
            (Some(from), Some(service)) => self.check_member(service, from, &to)?,
            (None, _) => {}
        }
        check_content(request)?;
        let status_callback = status_callback(request, service.as_deref())?;
        Ok(Draft {
            account: account.no,
            newcomer: None,
            service,
            from,
            to,
            body,
            has_media,
            network: request.recipient_network,
            smart_encoded: request.smart_encoded,
            status_callback,
            options: options::read(request, channel)?,
        })
    }

    fn read_service(&self, account: &Account, sid: &str) -> Result<Arc<Service>, Fault> {
        let sid: ServiceSid = sid.parse().map_err(|_| {
            Fault::because(
                ErrorCode::InvalidServiceSid,
                format!("{sid} is not a SID that begins with MG"),
            )
        })?;
        let service = self
            .directory
            .service(sid)
            .filter(|service| service.account == account.sid);
        service.ok_or_else(|| {
            let text = format!("The Messaging Service {sid} does not exist");
            Fault::because(ErrorCode::ServiceNotFound, text)
        })
    }

    /// A sender named without a service: ours, of this account, able to reach the recipient.
    fn check_from(&self, account: &Account, from: &SenderAddress, to: &To) -> Result<(), Fault> {
        match from {
            SenderAddress::WhatsApp(number) => self.check_whatsapp_from(account, *number, to)?,
            _ if to.channel == Channel::WhatsApp => {
                let text =
                    format!("{from} is not a WhatsApp sender: it has no whatsapp: before it");
                return Err(Fault::because(ErrorCode::ChannelSenderNotFound, text));
            }
            SenderAddress::Number(number) => {
                if *number == to.number {
                    return Err(ErrorCode::ToEqualsFrom.into());
                }
                let entry = self.directory.number_by_digits(*number).ok_or_else(|| {
                    let text = format!("{number} is not a number of this account");
                    Fault::because(ErrorCode::FromNotOurs, text)
                })?;
                if entry.account != account.sid {
                    return Err(ErrorCode::FromOfOtherAccount.into());
                }
                check_usable(from, entry.status)?;
                if !entry.capabilities.sms {
                    return Err(ErrorCode::FromWithoutSms.into());
                }
            }
            SenderAddress::ShortCode(code) => {
                let country = to.number.country();
                let entry = self
                    .directory
                    .short_code_by_digits(account.sid, code, country);
                let entry = entry.filter(|entry| Some(entry.country) == country);
                let entry = entry.ok_or_else(|| {
                    let text = format!(
                        "{code} is not a short code of this account in the recipient's country"
                    );
                    Fault::because(ErrorCode::FromNotOurs, text)
                })?;
                check_usable(from, entry.status)?;
                if !entry.capabilities.sms {
                    return Err(ErrorCode::FromWithoutSms.into());
                }
            }
            SenderAddress::Alpha(id) => {
                let coverage = self.coverage.load();
                let country = to.number.country();
                let shows = |country: &Country| coverage.alpha_sender(*country) == Support::Yes;
                let country = country.filter(shows).ok_or(ErrorCode::NoRoute)?;
                if self.compliance.load().refuse_unregistered_alpha {
                    self.refuse_unregistered(account, id, country)?;
                }
            }
        }
        Ok(())
    }

    /// A sender named together with a service: in its pool at this time, though the message be sent
    /// later, and not the recipient itself.
    fn check_member(&self, service: &Service, from: &SenderAddress, to: &To) -> Result<(), Fault> {
        let is_recipient = match from {
            SenderAddress::Number(number) => to.channel == Channel::Sms && *number == to.number,
            SenderAddress::WhatsApp(number) => {
                to.channel == Channel::WhatsApp && *number == to.number
            }
            SenderAddress::ShortCode(_) | SenderAddress::Alpha(_) => false,
        };
        if is_recipient {
            return Err(ErrorCode::ToEqualsFrom.into());
        }
        let pool = self.directory.service_and_pool(service.sid);
        if pool.is_some_and(|(_, pool)| pool.find(from).next().is_some()) {
            return Ok(());
        }
        Err(ErrorCode::SenderNotInService.into())
    }

    /// A WhatsApp sender of this account, for a recipient on WhatsApp.
    fn check_whatsapp_from(
        &self,
        account: &Account,
        number: PhoneNumber,
        to: &To,
    ) -> Result<(), Fault> {
        let sender = self.directory.channel_sender_by_number(number);
        // Whose it is otherwise, nobody is told.
        let sender = sender.filter(|sender| sender.account == account.sid);
        let sender = sender.ok_or_else(|| {
            let text = format!("whatsapp:{number} is not a WhatsApp sender of this account");
            Fault::because(ErrorCode::ChannelSenderNotFound, text)
        })?;
        if to.channel != Channel::WhatsApp {
            return Err(ErrorCode::ChannelsIncompatible.into());
        }
        if number == to.number {
            return Err(ErrorCode::ToEqualsFrom.into());
        }
        check_usable(&SenderAddress::WhatsApp(number), sender.status)
    }

    /// How long the message may take.
    pub(super) fn validity(
        &self,
        request: &CreateMessage,
        draft: &Draft<'_>,
    ) -> Result<ValidityPeriod, Fault> {
        let service = draft.service.as_deref();
        Ok(ValidityPeriod::resolve(
            request.validity_period.as_deref(),
            service.map(|service| service.validity_period_s),
            self.limits.max_validity_period,
        )?)
    }
}

/// `FallbackFrom` names who sends an SMS where RCS fails. There are no RCS senders yet, so that it is
/// wrong whatever it says.
fn refuse_fallback(from: Option<&SenderAddress>, service: Option<&Service>) -> ErrorCode {
    match (service, from) {
        (None, _) => ErrorCode::FallbackFromWithoutService,
        (Some(_), Some(_)) => ErrorCode::FallbackFromWithFrom,
        (Some(_), None) => ErrorCode::FallbackFromWithoutRcs,
    }
}

/// A sender named without a service is the only one there is, so what bars it bars the request.
fn check_usable(from: &SenderAddress, status: SenderStatus) -> Result<(), Fault> {
    let Some(objection) = status.objection() else {
        return Ok(());
    };
    let text = format!("'From' {from} can't be used at present: {objection}");
    Err(Fault::because(ErrorCode::FromCannotReachTo, text))
}

/// `From` and the service. A service's SID given as `From` means the service, in whichever case either is
/// written.
pub(super) fn sender_parameters(
    request: &CreateMessage,
) -> Result<(Option<&str>, Option<&str>), Fault> {
    let from = request.from.as_deref();
    let service = request.messaging_service.as_deref();
    let sid = |text: &str| text.parse::<ServiceSid>().ok();
    match (from, service) {
        (None, None) => Err(ErrorCode::MissingFrom.into()),
        (Some(from), None) if sid(from).is_some() => Ok((None, Some(from))),
        (Some(from), Some(service))
            if from == service || sid(from).is_some_and(|from| sid(service) == Some(from)) =>
        {
            Ok((None, Some(service)))
        }
        (from, service) => Ok((from, service)),
    }
}

pub(super) fn read_to(text: &str) -> Result<To, Fault> {
    let (channel, digits) = match text.split_once(':') {
        Some(("whatsapp", number)) => (Channel::WhatsApp, number),
        Some((prefix, _)) if prefix.chars().all(|c| c.is_ascii_lowercase()) => {
            let text = format!("{prefix} is not a channel this server carries");
            return Err(Fault::because(ErrorCode::ChannelNotSupported, text));
        }
        _ => (Channel::Sms, text),
    };
    if ShortCode::parse(digits).is_some_and(|code| code.as_str().len() <= 6) {
        return Err(ErrorCode::ToIsShortCode.into());
    }
    let number = PhoneNumber::parse(digits).map_err(|error: PhoneNumberError| {
        let text = format!("The 'To' number {text} is not a valid phone number: {error}");
        Fault::because(ErrorCode::InvalidTo, text)
    })?;
    if number.kind() == NumberKind::PremiumRate {
        return Err(ErrorCode::ToIsPremium.into());
    }
    let text = match channel {
        Channel::Sms => number.to_string(),
        Channel::WhatsApp => format!("whatsapp:{number}"),
    };
    Ok(To {
        text: text.into(),
        channel,
        number,
    })
}

pub(crate) fn read_from(text: &str) -> Result<SenderAddress, Fault> {
    let invalid = || {
        let text =
            format!("'From' {text} is not a phone number, short code or alphanumeric sender");
        Fault::because(ErrorCode::InvalidFrom, text)
    };
    if let Some((channel, _)) = text.split_once(':') {
        // An address of another channel than WhatsApp can be no sender of ours either.
        let address = SenderAddress::parse(text).filter(|_| channel == "whatsapp");
        return address.ok_or_else(|| {
            let text = format!("{text} is not a WhatsApp sender, and no other channel is carried");
            Fault::because(ErrorCode::ChannelSenderNotFound, text)
        });
    }
    if let Some(code) = ShortCode::parse(text) {
        return Ok(SenderAddress::ShortCode(code));
    }
    if let Ok(number) = PhoneNumber::parse(text) {
        return Ok(SenderAddress::Number(number));
    }
    AlphaSenderId::parse_new(text)
        .map(SenderAddress::Alpha)
        .ok_or_else(invalid)
}

fn check_content(request: &CreateMessage) -> Result<(), Fault> {
    if let Some(body) = &request.body
        && body.len() > BODY_CHARS_MAX
        && body.chars().count() > BODY_CHARS_MAX
    {
        return Err(ErrorCode::BodyTooLong.into());
    }
    if request.media_urls.len() > MEDIA_MAX {
        return Err(ErrorCode::TooManyMedia.into());
    }
    for url in &request.media_urls {
        if url.parse::<CallbackUrl>().is_err() {
            return Err(ErrorCode::InvalidMediaUrl.into());
        }
    }
    if let Some(sid) = &request.content_sid {
        let text = format!("The content template {sid} does not exist");
        return Err(Fault::because(ErrorCode::InvalidContentSid, text));
    }
    if request.shorten_urls == Some(true) {
        return Err(ErrorCode::AccountWithoutDomain.into());
    }
    Ok(())
}

/// Where status callbacks go: the message's own URL, else the service's.
fn status_callback(
    request: &CreateMessage,
    service: Option<&Service>,
) -> Result<Option<Box<str>>, Fault> {
    if request.application.is_some() {
        return Err(ErrorCode::InvalidApplicationSid.into());
    }
    match &request.status_callback {
        Some(url) => {
            let url: CallbackUrl = url.parse().map_err(|error| {
                let text = format!("StatusCallback: {error}");
                Fault::because(ErrorCode::InvalidStatusCallback, text)
            })?;
            Ok(Some(url.as_str().into()))
        }
        None => Ok(service
            .and_then(|service| service.status_callback.as_deref())
            .map(Into::into)),
    }
}
