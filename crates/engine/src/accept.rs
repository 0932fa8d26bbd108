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
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{
    AccountNo, Direction, Message, MessageOptions, SenderNo, Status, StatusSet,
};
use postrider_core::network::Network;
use postrider_core::pacing::PaceSettings;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::Routes;
use postrider_core::select::{Channel, Decision};
use postrider_core::sender::SenderAddress;
use postrider_core::sender_rate::Zone;
use postrider_core::settings::{Account, Service};
use postrider_core::sid::{MessageKind, MessageSid};
use postrider_core::text::{self, Segmentation};
use postrider_core::validity::ValidityPeriod;

use crate::Coverage;
use crate::alerts::{Alerts, Details};
use crate::caps::{Caps, Use};
use crate::directory::Directory;
use crate::ids::IdGenerator;
use crate::limits::Limits;
use crate::loads::Loads;
use crate::metrics::Metrics;
use crate::opt_outs::OptOuts;
use crate::preregistration::{self, Compliance};
use crate::sticky::Sticky;

mod choose;
mod later;
mod network;
mod options;
mod preview;
mod read;
mod repeat;
mod reserved;
mod still;
mod warnings;

pub use self::preview::Preview;
pub(crate) use self::read::read_from;
pub(crate) use self::repeat::first as first_message;
pub(crate) use self::reserved::Reserved;
pub use self::warnings::Warning;

use self::choose::Purpose;
use self::read::read_to;

/// Decides what a create request becomes, by what is configured, busy, capped, remembered and opted out of.
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
    pub compliance: ArcSwap<Compliance>,
    pub caps: Caps,
    pub opt_outs: OptOuts,
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
        if let (Some(service), Some(text)) = (&draft.service, self.of_validity(request, &draft)) {
            let code = ErrorCode::InheritedValidityPeriodInvalid;
            let scope = service.sid.to_string();
            self.alerts
                .raise(message.account, code, &scope, || Details {
                    resource: Some(message.sid.to_string().into()),
                    service: Some(service.sid),
                    text: Some(text.into()),
                    ..Details::default()
                });
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

    /// The place a message took in its sender's queue is free again.
    pub fn abandon(&self, message: &Message) {
        if let (Some(sender), Status::Queued) = (message.sender, message.status) {
            let zone = Zone::of_text(&message.to);
            self.loads
                .with(|table| table.release(sender, message.num_segments, zone));
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
            preregistration::warn(
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
        let opted_out = self.opted_out(draft)?;
        let chosen = self.choose(draft, &opted_out, segments, purpose, now_ms)?;
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
                // Who was named stays on record, though it sent nothing.
                message.from = draft.from.as_ref().map(|from| from.to_string().into());
            }
        }
        if draft.service.is_some() && message.status_callback.is_some() {
            message.callbacks_due = StatusSet::of(message.status);
        }
        Ok((message, chosen.decision))
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
