//! Messages that are to be sent later: made without a sender, and completed when their time has come.

use postrider_core::clock::Millis;
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{Message, Status, StatusSet};
use postrider_core::network::Network;
use postrider_core::schedule::{self, Release, ScheduleLimits, ScheduleRequest};
use postrider_core::sender::SenderAddress;
use postrider_core::settings::AccountStatus;
use postrider_core::sid::{MessageKind, MessageSid};
use postrider_core::validity::{self, ValidityPeriod};

use super::read::read_to;
use super::{Acceptor, Draft, blank, kind_of};

impl Acceptor {
    /// When to release the message, if it is to be scheduled.
    pub(super) fn send_at(
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

    pub(super) fn scheduled(
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
            service: Some(service.ok_or(ErrorCode::ServiceNotFound)?),
            from: scheduled
                .options
                .from
                .as_deref()
                .and_then(SenderAddress::parse),
            to,
            body: &scheduled.body,
            // Not by the count: one may be asked for as an MMS without any.
            has_media: scheduled.sid.kind == MessageKind::Mms,
            network,
            smart_encoded: scheduled.options.smart_encoded,
            status_callback: scheduled.status_callback.clone(),
            options: scheduled.options.clone(),
        })
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
}
