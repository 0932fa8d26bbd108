//! Accept: from a create request to the message that is committed.
//!
//! Everything that decides what leaves (recipient, sender, text, segments, deadline) is decided
//! here, before the one insert, although the answer to a request through a service says `accepted`
//! and names no sender, as Twilio's does. Faults of the request are found in a fixed order, so the
//! same request is always refused for the same reason; through a service, faults that depend on the
//! chosen sender become a message that has `failed`. See `docs/message-lifecycle.md`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use postrider_core::clock::{Clock, Millis};
use postrider_core::country::Support;
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{
    AccountNo, Direction, Message, MessageOptions, SenderNo, Status, StatusSet,
};
use postrider_core::network::Network;
use postrider_core::pacing::PaceSettings;
use postrider_core::phone_number::{NumberKind, PhoneNumber, PhoneNumberError};
use postrider_core::route::Routes;
use postrider_core::schedule::{self, Release, ScheduleLimits, ScheduleRequest};
use postrider_core::select::{Channel, Decision};
use postrider_core::sender::{AlphaSenderId, SenderAddress, ShortCode};
use postrider_core::sender_rate::Reach;
use postrider_core::settings::{Account, AccountStatus, Service};
use postrider_core::sid::{MessageKind, MessageSid, ServiceSid};
use postrider_core::text::{self, Segmentation};
use postrider_core::validity::{self, ValidityPeriod};

use crate::alerts::{Alerts, Details};
use crate::caps::{Caps, Use};
use crate::directory::Directory;
use crate::ids::IdGenerator;
use crate::limits::Limits;
use crate::loads::Loads;
use crate::metrics::Metrics;
use crate::reach::Coverage;
use crate::registered_senders::{self, Compliance};
use crate::sticky::Sticky;
use crate::webhooks::CallbackUrl;

mod choose;
mod network;
mod options;
mod preview;
mod repeat;
mod reserved;

pub use self::preview::Preview;
pub(crate) use self::repeat::first as first_message;
pub(crate) use self::reserved::Reserved;

use self::choose::Purpose;

/// Decides what a create request becomes. Holds no state of its own that decides anything.
pub struct Acceptor {
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    pub directory: Arc<Directory>,
    pub loads: Arc<Loads>,
    pub metrics: Arc<Metrics>,
    pub limits: Limits,
    pub paces: ArcSwap<PaceSettings>,
    pub routes: ArcSwap<Routes>,
    pub coverage: ArcSwap<Coverage>,
    pub sticky: Sticky,
    pub alerts: Arc<Alerts>,
    pub compliance: Compliance,
    pub caps: Caps,
}

/// A request whose parameters were read, and no sender chosen yet.
struct Draft<'a> {
    account: AccountNo,
    /// See [`Acceptor::prepare`].
    newcomer: Option<SenderNo>,
    service: Option<Arc<Service>>,
    from: Option<SenderAddress>,
    to: To,
    body: &'a str,
    has_media: bool,
    /// The recipient's, where it is known.
    network: Option<Network>,
    smart_encoded: Option<bool>,
    status_callback: Option<Box<str>>,
    options: MessageOptions,
}

/// The recipient as written and as understood.
#[derive(Clone)]
struct To {
    text: Box<str>,
    channel: Channel,
    number: PhoneNumber,
}

impl Acceptor {
    /// Turns a request into the message to insert, its place in the sender's queue reserved. If the
    /// insert fails, [`Acceptor::abandon`] gives the place back.
    ///
    /// `scheduled` is how many scheduled messages the account has waiting. `newcomer` is the number
    /// kept free for the alpha sender that the request names for the first time; the caller makes it
    /// known if the message carries it.
    pub fn prepare(
        &self,
        account: &Account,
        request: &CreateMessage,
        scheduled: u32,
        newcomer: Option<SenderNo>,
    ) -> Result<Message, Fault> {
        let now_ms = self.clock.now_ms();
        let draft = Draft {
            newcomer,
            ..self.read(account, request)?
        };
        let validity = self.validity(request, &draft)?;
        let message = self.decide(request, &draft, validity, scheduled, now_ms)?;
        if request.validity_period.is_none()
            && let Some(service) = &draft.service
        {
            self.warn_of_validity(service, &message);
        }
        Ok(message)
    }

    fn decide(
        &self,
        request: &CreateMessage,
        draft: &Draft<'_>,
        validity: ValidityPeriod,
        scheduled: u32,
        now_ms: Millis,
    ) -> Result<Message, Fault> {
        if let Some(send_at_ms) = self.send_at(request, draft, scheduled, now_ms)? {
            return Ok(self.scheduled(draft, validity, send_at_ms, request, now_ms));
        }
        let deadline_ms = validity.deadline_ms(now_ms);
        let sid = MessageSid {
            id: self.ids.next(),
            kind: kind_of(draft),
        };
        self.complete(sid, draft, deadline_ms, now_ms)
    }

    /// The limit may have been lowered since the service was given its period.
    fn warn_of_validity(&self, service: &Service, message: &Message) {
        let (given_s, max_s) = (service.validity_period_s, self.limits.max_validity_period);
        if !validity::is_inherited_too_long(given_s, max_s) {
            return;
        }
        let code = ErrorCode::InheritedValidityPeriodInvalid;
        let scope = service.sid.to_string();
        self.alerts.raise(message.account, code, &scope, || {
            let text = format!(
                "The service's ValidityPeriod of {given_s} seconds is over the limit; its messages \
                 get {max_s}"
            );
            Details {
                resource: Some(message.sid.to_string().into()),
                service: Some(service.sid),
                text: Some(text.into()),
                ..Details::default()
            }
        });
    }

    /// The place a message took in its sender's queue is free again.
    pub fn abandon(&self, message: &Message) {
        if let (Some(sender), Status::Queued) = (message.sender, message.status) {
            let reach = Reach::of_text(&message.to);
            self.loads
                .with(|table| table.release(sender, message.num_segments, reach));
            if !self.caps.are_off()
                && let Ok(to) = read_to(&message.to)
            {
                self.caps.uncount(Use {
                    sender,
                    segments: message.num_segments,
                    to: to.number,
                });
            }
        }
    }

    /// A scheduled message's time has come: the record that replaces it. `network` is the recipient's,
    /// where it is known.
    pub fn release(
        &self,
        scheduled: &Message,
        network: Option<Network>,
        now_ms: Millis,
    ) -> Message {
        let validity_s = scheduled.options.validity_period_s;
        let validity_s = validity_s.unwrap_or(validity::MAX_VALIDITY_PERIOD_S);
        let deadline_ms = now_ms.saturating_add(Millis::from(validity_s) * 1_000);
        let send_at_ms = scheduled.send_at_ms.unwrap_or(now_ms);
        let released = match schedule::release(send_at_ms, validity_s, now_ms) {
            Release::Expired => Err(ErrorCode::ValidityPeriodExpired),
            Release::NotYet | Release::Now => self.redraft(scheduled, network).and_then(|draft| {
                let completed = self.complete(scheduled.sid, &draft, deadline_ms, now_ms);
                completed.map_err(|fault| fault.code)
            }),
        };
        let mut message = match released {
            Ok(message) => message,
            Err(code) => Message {
                status: Status::Failed,
                error: Some(code),
                updated_ms: now_ms,
                ..scheduled.clone()
            },
        };
        message.send_at_ms = scheduled.send_at_ms;
        message.callbacks_due = match message.status_callback {
            Some(_) => StatusSet::of(Status::Accepted).with(StatusSet::of(message.status)),
            None => StatusSet::EMPTY,
        };
        message
    }

    /// Reads the parameters that do not depend on time or queues, in the documented order.
    fn read<'a>(&self, account: &Account, request: &'a CreateMessage) -> Result<Draft<'a>, Fault> {
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
                entry.ok_or_else(|| {
                    let text = format!(
                        "{code} is not a short code of this account in the recipient's country"
                    );
                    Fault::because(ErrorCode::FromNotOurs, text)
                })?;
            }
            SenderAddress::Alpha(_) => {
                let coverage = self.coverage.load();
                let country = to.number.country();
                let shows = |country| coverage.alpha_sender(country) == Support::Yes;
                if !country.is_some_and(shows) {
                    return Err(ErrorCode::NoRoute.into());
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
        if sender.is_none_or(|sender| sender.account != account.sid) {
            let text = format!("whatsapp:{number} is not a WhatsApp sender of this account");
            return Err(Fault::because(ErrorCode::ChannelSenderNotFound, text));
        }
        if to.channel != Channel::WhatsApp {
            return Err(ErrorCode::ChannelsIncompatible.into());
        }
        if number == to.number {
            return Err(ErrorCode::ToEqualsFrom.into());
        }
        Ok(())
    }

    fn validity(
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

    /// When to release the message, if it is to be scheduled.
    fn send_at(
        &self,
        request: &CreateMessage,
        draft: &Draft<'_>,
        scheduled: u32,
        now_ms: Millis,
    ) -> Result<Option<Millis>, Fault> {
        let limits = ScheduleLimits {
            min_ahead_s: self.limits.schedule_min_seconds,
            waiting_max: self.limits.scheduled_max,
            ..ScheduleLimits::default()
        };
        let request = ScheduleRequest {
            schedule_type: request.schedule_type.as_deref(),
            send_at: request.send_at.as_deref(),
            has_service: draft.service.is_some(),
        };
        Ok(schedule::send_at(request, limits, scheduled, now_ms)?)
    }

    fn scheduled(
        &self,
        draft: &Draft<'_>,
        validity: ValidityPeriod,
        send_at_ms: Millis,
        request: &CreateMessage,
        now_ms: Millis,
    ) -> Message {
        let sid = MessageSid {
            id: self.ids.next(),
            kind: kind_of(draft),
        };
        let mut options = draft.options.clone();
        options.smart_encoded = draft.smart_encoded;
        options.validity_period_s = Some(validity.seconds());
        options.from = draft.from.as_ref().map(|from| from.to_string().into());
        Message {
            status: Status::Scheduled,
            send_at_ms: Some(send_at_ms),
            from: options.from.clone(),
            num_media: u16::try_from(request.media_urls.len()).unwrap_or(u16::MAX),
            options,
            ..blank(sid, draft, now_ms, validity.deadline_ms(send_at_ms))
        }
    }

    /// The draft of a scheduled message, as of now.
    fn redraft<'a>(
        &self,
        scheduled: &'a Message,
        network: Option<Network>,
    ) -> Result<Draft<'a>, ErrorCode> {
        let account = self.directory.account_by_no(scheduled.account);
        if account.is_none_or(|account| account.status != AccountStatus::Active) {
            return Err(ErrorCode::AccountSuspended);
        }
        let service = scheduled
            .service
            .and_then(|sid| self.directory.service(sid));
        let to = read_to(&scheduled.to).map_err(|fault| fault.code)?;
        Ok(Draft {
            account: scheduled.account,
            newcomer: None,
            service: Some(service.ok_or(ErrorCode::SchedulingFailed)?),
            from: scheduled
                .options
                .from
                .as_deref()
                .and_then(SenderAddress::parse),
            to,
            body: &scheduled.body,
            has_media: scheduled.num_media > 0,
            network,
            smart_encoded: scheduled.options.smart_encoded,
            status_callback: scheduled.status_callback.clone(),
            options: scheduled.options.clone(),
        })
    }

    /// Chooses the sender, fixes the text, takes a place in the queue.
    fn complete(
        &self,
        sid: MessageSid,
        draft: &Draft<'_>,
        deadline_ms: Millis,
        now_ms: Millis,
    ) -> Result<Message, Fault> {
        let (message, decision) =
            self.draw_up(sid, draft, Purpose::Sending, deadline_ms, now_ms)?;
        if let Some(decision) = &decision
            && decision.warning == Some(ErrorCode::PreregistrationWanted)
            && message.status == Status::Queued
        {
            let coverage = self.coverage.load();
            registered_senders::warn(
                &self.alerts,
                &coverage,
                &message,
                decision.recipient_country,
            );
        }
        Ok(Message {
            decision: decision.map(|decision| decision.to_bytes()),
            ..message
        })
    }

    /// The message, and the decision it will be stored with.
    fn draw_up(
        &self,
        sid: MessageSid,
        draft: &Draft<'_>,
        purpose: Purpose,
        deadline_ms: Millis,
        now_ms: Millis,
    ) -> Result<(Message, Option<Decision>), Fault> {
        let body = compose(draft);
        let Segmentation { encoding, segments } = segmentation(draft.to.channel, &body);
        let chosen = self.choose(draft, segments, purpose, now_ms)?;
        let submitted_body = (body != draft.body).then(|| draft.body.into());
        let mut message = Message {
            body: body.into(),
            submitted_body,
            encoding,
            num_segments: segments,
            is_backlog: chosen.is_backlog,
            ..blank(sid, draft, now_ms, deadline_ms)
        };
        match chosen.outcome {
            Ok((from, sender)) => {
                message.status = Status::Queued;
                message.from = Some(from.to_string().into());
                message.sender = Some(sender);
            }
            Err(code) => {
                message.status = Status::Failed;
                message.error = Some(code);
            }
        }
        if draft.service.is_some() && message.status_callback.is_some() {
            message.callbacks_due = StatusSet::of(message.status);
        }
        Ok((message, chosen.decision))
    }
}

/// `From` and the service. A service's SID given as `From` means the service.
fn sender_parameters(request: &CreateMessage) -> Result<(Option<&str>, Option<&str>), Fault> {
    let from = request.from.as_deref();
    let service = request.messaging_service.as_deref();
    match (from, service) {
        (None, None) => Err(ErrorCode::MissingFrom.into()),
        (Some(from), None) if from.parse::<ServiceSid>().is_ok() => Ok((None, Some(from))),
        (Some(from), Some(service)) if from == service => Ok((None, Some(service))),
        (from, service) => Ok((from, service)),
    }
}

fn read_to(text: &str) -> Result<To, Fault> {
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
    AlphaSenderId::parse(text)
        .map(SenderAddress::Alpha)
        .ok_or_else(invalid)
}

/// Longest body, in code points.
const BODY_MAX: usize = 1_600;
const MEDIA_MAX: usize = 10;

fn check_content(request: &CreateMessage) -> Result<(), Fault> {
    if let Some(body) = &request.body
        && body.len() > BODY_MAX
        && body.chars().count() > BODY_MAX
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

/// A message of WhatsApp is one, however long.
fn segmentation(channel: Channel, body: &str) -> Segmentation {
    match channel {
        Channel::Sms => text::count_segments(body),
        Channel::WhatsApp => Segmentation {
            encoding: text::Encoding::of(body),
            segments: 1,
        },
    }
}

/// The text as it is to appear on the handset. WhatsApp carries any text as it is, so there is nothing
/// to encode.
fn compose(draft: &Draft<'_>) -> String {
    if draft.to.channel == Channel::WhatsApp {
        return draft.body.to_owned();
    }
    let by_service = draft
        .service
        .as_ref()
        .is_some_and(|service| service.smart_encoding);
    if draft.smart_encoded.unwrap_or(by_service) {
        text::smart_encode(draft.body).into_owned()
    } else {
        draft.body.to_owned()
    }
}

fn kind_of(draft: &Draft<'_>) -> MessageKind {
    if draft.has_media {
        MessageKind::Mms
    } else {
        MessageKind::Sms
    }
}

/// A message with everything that does not depend on the sender.
fn blank(sid: MessageSid, draft: &Draft<'_>, now_ms: Millis, deadline_ms: Millis) -> Message {
    Message {
        sid,
        account: draft.account,
        service: draft.service.as_ref().map(|service| service.sid),
        direction: Direction::OutboundApi,
        status: Status::Accepted,
        from: None,
        sender: None,
        to: draft.to.text.clone(),
        body: draft.body.into(),
        submitted_body: None,
        encoding: text::Encoding::Gsm7,
        num_segments: 0,
        num_media: 0,
        updated_ms: now_ms,
        sent_ms: None,
        send_at_ms: None,
        deadline_ms,
        error: None,
        carrier: None,
        attempts: 0,
        is_possible_duplicate: false,
        segments: Segments::default(),
        done_date: None,
        status_callback: draft.status_callback.clone(),
        callbacks_due: StatusSet::EMPTY,
        decision: None,
        options: draft.options.clone(),
        is_backlog: false,
    }
}
