//! Messages of a history: sent at once or later, withdrawn, and texted back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use postrider_carriers::{Concat, Inbound};
use postrider_core::clock::Millis;
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{self, SenderNo, Status};
use postrider_core::select::reference::Choice;
use postrider_core::select::{Channel, Decision, Outcome};
use postrider_core::sender::{SenderAddress, WHATSAPP_PREFIX};
use postrider_core::sid::MessageSid;
use postrider_core::text::Encoding;

use super::model::{Request, Times, made};
use super::step::{Length, Message};
use super::{History, cast};
use crate::receive;

/// A message that is to be sent later, or was.
pub(super) struct Later {
    sid: MessageSid,
    message: Message,
    from: Option<SenderAddress>,
    times: Times,
    is_waiting: bool,
}

/// The choice, and the sender or what the message fails with. A refused request has neither.
type Fate = Result<(Choice, Result<SenderNo, ErrorCode>), ErrorCode>;

impl History {
    pub(super) fn send(&mut self, message: &Message) {
        let from = message.from.map(|who| cast::sender(self.who(who)).0);
        let request = self.create(message, from.as_ref());
        let asked = asked(message, from.as_ref());
        let expected = self.model.choose(asked);
        let seen: Fate = expected.map(|choice| made(choice, asked));

        let preview = self.run(self.engine().preview(&self.account, &request));
        let preview = preview.map(|preview| {
            let decision = preview.decision.expect("a service decides");
            (choice(&decision), fate(&preview.message))
        });
        assert_eq!(
            preview.map_err(|fault| fault.code),
            seen,
            "preview of {message:?}"
        );

        let created = self.run(self.engine().create_message(&self.account, request));
        let created = created.map(|created| decided(&created.message));
        assert_eq!(created.map_err(|fault| fault.code), seen, "{message:?}");
        if let Ok(expected) = expected {
            self.model.send(expected, asked);
        }
    }

    fn create(&self, message: &Message, from: Option<&SenderAddress>) -> CreateMessage {
        let to = cast::recipient(message.to, message.channel);
        CreateMessage {
            to: Some(match message.channel {
                Channel::Sms => to.number.to_string(),
                Channel::WhatsApp => format!("{WHATSAPP_PREFIX}{}", to.number),
            }),
            from: from.map(ToString::to_string),
            messaging_service: Some(self.services[message.service].to_string()),
            body: Some(match message.length {
                Length::Short => "zzzzz".to_owned(),
                Length::Long => "z".repeat(200),
            }),
            send_as_mms: Some(message.has_media),
            ..CreateMessage::default()
        }
    }

    pub(super) fn schedule(&mut self, message: &Message, ahead_ms: Millis) {
        let from = message.from.map(|who| cast::sender(self.who(who)).0);
        let created_ms = self.model.now_ms;
        let times = Times {
            created_ms,
            send_at_ms: created_ms + ahead_ms,
        };
        let send_at = Timestamp::from_millisecond(times.send_at_ms).unwrap();
        let request = CreateMessage {
            schedule_type: Some("fixed".to_owned()),
            send_at: Some(send_at.to_string()),
            ..self.create(message, from.as_ref())
        };
        let expected = self.model.schedule(asked(message, from.as_ref()));
        let created = self.run(self.engine().create_message(&self.account, request));
        let created = created.map(|created| created.message);
        let status = created.as_ref().map(|created| created.status);
        assert_eq!(
            status.map_err(|fault| fault.code),
            expected.map(|()| Status::Scheduled),
            "{message:?}"
        );
        if let Ok(created) = created {
            self.later.push(Later {
                sid: created.sid,
                message: message.clone(),
                from,
                times,
                is_waiting: true,
            });
        }
    }

    pub(super) fn cancel(&mut self, place: usize) {
        let Some(place) = place.checked_rem(self.later.len()) else {
            return;
        };
        let later = &mut self.later[place];
        let (sid, is_waiting) = (later.sid, later.is_waiting);
        later.is_waiting = false;
        let canceled = self.run(self.engine().cancel_message(self.account.no, sid));
        match canceled.map_err(|fault| fault.code) {
            Ok(canceled) => assert_eq!((is_waiting, canceled.status), (true, Status::Canceled)),
            // Or it was so long ago that it is forgotten.
            Err(ErrorCode::NotCancelable | ErrorCode::NotFound) => assert!(!is_waiting),
            Err(other) => panic!("{other:?}"),
        }
    }

    pub(super) fn next_due(&self) -> Option<Millis> {
        let waiting = self.later.iter().filter(|later| later.is_waiting);
        waiting.map(|later| later.times.send_at_ms).min()
    }

    /// The scheduler has its turn.
    pub(super) fn release(&mut self) {
        let now_ms = self.model.now_ms;
        let later = self.later.iter_mut();
        let mut due: Vec<_> = later
            .filter(|later| later.is_waiting && later.times.send_at_ms <= now_ms)
            .collect();
        due.sort_by_key(|later| later.times.send_at_ms);
        let mut expected: Vec<(MessageSid, Fate)> = Vec::new();
        for later in due {
            later.is_waiting = false;
            let asked = asked(&later.message, later.from.as_ref());
            let released = self.model.release(asked, later.times);
            expected.push((later.sid, released.map(|choice| made(choice, asked))));
        }
        for (sid, expected) in expected {
            let message = self.released(sid);
            let seen = match &message.decision {
                Some(_) => Ok(decided(&message)),
                None => Err(fate(&message).expect_err("nobody chose a sender")),
            };
            assert_eq!(seen, expected, "{message:?}");
        }
    }

    /// The message, once it is scheduled no longer.
    fn released(&self, sid: MessageSid) -> message::Message {
        self.run(async {
            for _ in 0..5_000 {
                let message = self.engine().message(self.account.no, sid).await.unwrap();
                if message.status != Status::Scheduled {
                    return message;
                }
                self.engine().shared.schedule_changed.notify_one();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            panic!("{sid} is not released");
        })
    }

    /// One that changes nothing is past what a crash makes again before its rival can leave: made again
    /// after that, it would count.
    pub(super) fn text(&mut self, from: usize, to: usize, length: Length) {
        let handset = cast::recipient(from, Channel::Sms).number;
        let (sender, _) = cast::sender(to);
        let segment = |concat| Inbound {
            from: handset.to_string().into(),
            to: sender.to_string().into(),
            text: "Hi".into(),
            encoding: Encoding::Gsm7,
            concat,
            raw: [].into(),
        };
        match length {
            Length::Short => self.hear(&segment(None)),
            Length::Long => {
                self.long_texts += 1;
                let of_two = |sequence| Concat {
                    reference: self.long_texts,
                    is_16_bit: true,
                    total: 2,
                    sequence,
                };
                let segments = [1, 2].map(|sequence| segment(Some(of_two(sequence))));
                self.hear(&segments[0]);
                self.wait(3_000);
                self.hear(&segments[1]);
            }
        }
        let is_heard = match sender {
            // Nobody knows oneself.
            SenderAddress::Number(number) => number != handset,
            SenderAddress::ShortCode(_) | SenderAddress::WhatsApp(_) => true,
            SenderAddress::Alpha(_) => false,
        };
        let no = self.known.get(&to).and_then(|known| known.no);
        if let Some(no) = no.filter(|_| is_heard)
            && !self.model.hear(handset, no)
        {
            self.wait(3_000);
        }
    }

    fn hear(&self, segment: &Inbound) {
        let carrier: Arc<str> = "carrier".into();
        assert!(self.run(receive::store(self.engine(), &carrier, segment)));
    }
}

/// As the model is asked.
fn asked<'a>(message: &Message, from: Option<&'a SenderAddress>) -> Request<'a> {
    let is_in_two = message.length == Length::Long && message.channel == Channel::Sms;
    Request {
        service: message.service,
        to: cast::recipient(message.to, message.channel),
        from,
        has_media: message.has_media,
        segments: if is_in_two { 2 } else { 1 },
    }
}

fn decided(message: &message::Message) -> (Choice, Result<SenderNo, ErrorCode>) {
    let decision = message.decision.as_deref().expect("a service decides");
    (
        choice(&Decision::from_bytes(decision).unwrap()),
        fate(message),
    )
}

fn choice(decision: &Decision) -> Choice {
    Choice {
        sender: match decision.outcome {
            Outcome::Chosen { sender, rule } => Ok((sender, rule)),
            Outcome::None { error } => Err(error),
        },
        sticky: decision.sticky,
        is_converted: decision.is_converted_to_sms,
    }
}

fn fate(message: &message::Message) -> Result<SenderNo, ErrorCode> {
    match (message.status, message.sender, message.error) {
        (Status::Queued, Some(sender), None) => Ok(sender),
        (Status::Failed, None, Some(error)) => Err(error),
        other => panic!("neither queued nor failed: {other:?}"),
    }
}
