//! A handset says STOP, START or HELP: the list is changed, and an answer drawn up.
//!
//! The list is durable before the message is stored and its carrier answered. A crash between the two
//! leaves the opt-out in force; the carrier sends the text again, and only its confirmation may be
//! missing then.

use postrider_core::clock::Millis;
use postrider_core::create::CreateMessage;
use postrider_core::fault::Fault;
use postrider_core::message::{Direction, Message, StatusSet};
use postrider_core::opt_out::{
    Candidate, Handling, Inbound, KeywordType, LastReplies, ListKey, ListKeys, Outcome,
    REPLY_INTERVAL_MS, Reply, decide,
};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::kind_of;
use postrider_core::sender::WHATSAPP_PREFIX;
use postrider_store::{OptOutCause, OptOutEvent, OptOutSource};

use super::OptOuts;
use crate::Engine;
use crate::fading::Fading;
use crate::receive::Owner;

/// What a keyword comes to.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    /// For the webhook.
    pub(crate) opt_out_type: Option<KeywordType>,
    /// The automatic reply, its place in the queue taken: to be committed, or abandoned.
    pub(crate) reply: Option<Message>,
}

/// Obeys the keyword that an inbound message is; most are none. When this returns, the list is durable.
pub(crate) async fn hear(
    engine: &Engine,
    owner: &Owner,
    message: &Message,
) -> Result<Spoken, Fault> {
    let from = message.from.as_deref().unwrap_or_default();
    let number = from.strip_prefix(WHATSAPP_PREFIX).unwrap_or(from);
    let Ok(user) = PhoneNumber::parse(number) else {
        return Ok(Spoken::default());
    };
    // Only a short text can be a keyword, and the others are most.
    if Candidate::of(&message.body).is_none() {
        return Ok(Spoken::default());
    }
    let service = owner.member.as_ref().map(|member| member.service);
    let kind = kind_of(&owner.address);
    let channels = kind.channel().into();
    let keys = ListKeys::new(service, owner.sender, channels, user);
    let acceptor = &engine.shared.acceptor;
    let list = acceptor.clone();
    let standing = engine.read(move || list.opt_outs.standing(&keys)).await?;
    let now_ms = engine.now_ms();
    let settings = service.and_then(|service| engine.directory().service(service));
    let advanced = settings
        .as_deref()
        .and_then(|service| service.advanced_opt_out.as_deref());
    let opt_outs = &acceptor.opt_outs;
    let inbound = Inbound {
        text: &message.body,
        sender: kind,
        has_network_opt_out: acceptor.routes.load().has_opt_out(&owner.address, user),
        country: user.country(),
        handling: Handling::of(advanced, &opt_outs.wording),
        standing,
        last_replies: opt_outs.answered.lock().of(&keys.home, now_ms),
        now_ms,
    };
    let Some(outcome) = decide(&inbound) else {
        return Ok(Spoken::default());
    };
    let changes = keys.changed_by(outcome.change, standing);
    let events = events(engine, owner, message, changes, &outcome);
    if !events.is_empty() {
        engine.change_opt_outs(events).await?;
    }
    let reply = match outcome.reply {
        // Of the same word twice at one instant, one is answered.
        Reply::Text(text) if opt_outs.may_answer(keys.home, outcome.kind, now_ms) => {
            draw_up(engine, owner, message, text, outcome.kind).await
        }
        Reply::Text(_) | Reply::Silent(_) => None,
    };
    Ok(Spoken {
        opt_out_type: outcome.opt_out_type,
        reply,
    })
}

fn events(
    engine: &Engine,
    owner: &Owner,
    message: &Message,
    changes: impl Iterator<Item = (ListKey, bool)>,
    outcome: &Outcome<'_>,
) -> Vec<OptOutEvent> {
    let event = |(key, is_blocked): (ListKey, bool)| OptOutEvent {
        id: engine.ids().next(),
        account: owner.account.no,
        key,
        is_blocked,
        cause: OptOutCause {
            message: Some(message.sid),
            keyword: Some(outcome.keyword.as_str().into()),
            language: Some(outcome.language),
            rule: Some(outcome.rule),
            ..OptOutCause::of(if is_blocked {
                OptOutSource::OptOutMessage
            } else {
                OptOutSource::OptInMessage
            })
        },
    };
    changes.map(event).collect()
}

/// The answer, from the sender that was written to. It reports to nobody. One that can't be sent is in
/// the log: nobody has asked for it.
async fn draw_up(
    engine: &Engine,
    owner: &Owner,
    inbound: &Message,
    text: &str,
    kind: KeywordType,
) -> Option<Message> {
    let request = CreateMessage {
        to: inbound.from.as_deref().map(str::to_owned),
        from: Some(inbound.to.to_string()),
        messaging_service: inbound.service.map(|service| service.to_string()),
        body: Some(text.to_owned()),
        auto_reply: Some(kind),
        ..CreateMessage::default()
    };
    let drawn_up = engine.draw_up(&owner.account, request).await;
    let mut reply = drawn_up
        .inspect_err(|fault| tracing::warn!(%fault, %kind, "a keyword can't be answered"))
        .ok()?;
    reply.direction = Direction::OutboundReply;
    reply.decision = None;
    reply.status_callback = None;
    reply.callbacks_due = StatusSet::EMPTY;
    Some(reply)
}

impl OptOuts {
    /// Notes the answer, unless the same was given just now.
    fn may_answer(&self, key: ListKey, kind: KeywordType, now_ms: Millis) -> bool {
        let mut answered = self.answered.lock();
        let last_ms = answered.of(&key, now_ms).of(kind);
        let is_first = last_ms.is_none_or(|last_ms| !is_recent(last_ms, now_ms));
        if is_first {
            answered.set(key, kind, now_ms);
        }
        is_first
    }
}

/// When users were last answered automatically.
#[derive(Debug, Default)]
pub(super) struct Answered {
    last: Fading<ListKey, (LastReplies, Millis)>,
}

impl Answered {
    fn of(&self, key: &ListKey, now_ms: Millis) -> LastReplies {
        let last = self
            .last
            .get(key)
            .filter(|(_, at_ms)| is_recent(*at_ms, now_ms));
        last.map(|(replies, _)| *replies).unwrap_or_default()
    }

    fn set(&mut self, key: ListKey, kind: KeywordType, now_ms: Millis) {
        self.last.make_room(|(_, at_ms)| is_recent(*at_ms, now_ms));
        let (replies, at_ms) = self.last.entry(key).or_default();
        replies.set(kind, now_ms);
        *at_ms = now_ms;
    }
}

fn is_recent(at_ms: Millis, now_ms: Millis) -> bool {
    now_ms.abs_diff(at_ms) < REPLY_INTERVAL_MS.unsigned_abs()
}
