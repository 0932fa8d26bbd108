//! Replies: what an application answered becomes messages, committed together with the end of its
//! inquiry.

use std::sync::Arc;

use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{Direction, Message, Status, StatusSet};
use postrider_core::select::Pool;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{Account, HttpMethod};
use postrider_core::sid::ServiceSid;
use postrider_core::twiml::{InboundAddresses, ReplyMessage};
use postrider_store::Change;

use super::inquiry::Inquiry;
use super::line::Line;
use crate::Engine;
use crate::alerts::Details;

/// Sends the replies. When this returns, the inquiry is over, unless the store has failed.
pub(super) async fn send(engine: &Engine, inquiry: Inquiry) {
    let Inquiry {
        message: inbound,
        account,
        replies,
        ..
    } = inquiry;
    let mut messages = Vec::with_capacity(replies.len());
    for reply in replies {
        match prepare(engine, &account, &inbound, reply).await {
            Ok(message) => messages.push(message),
            Err(fault) => alert(engine, &inbound, &fault),
        }
    }
    let inserts = messages.iter().cloned().map(Box::new).map(Change::Insert);
    let done = Change::CallbacksDone {
        id: inbound.sid.id,
        done: StatusSet::of(Status::Received),
    };
    let changes = inserts.chain([done]).collect();
    let committed = engine.shared.committer.commit_all(changes).await;
    if committed.is_err() {
        // The store is gone and the process about to stop; the next one asks again.
        for message in &messages {
            engine.shared.acceptor.abandon(message);
        }
    }
}

async fn prepare(
    engine: &Engine,
    account: &Arc<Account>,
    inbound: &Message,
    reply: ReplyMessage,
) -> Result<Message, Fault> {
    let addresses = reply.addresses(InboundAddresses {
        from: inbound.from.as_deref().unwrap_or_default(),
        to: &inbound.to,
    })?;
    let line = Line::between(account.no, &addresses.to, &addresses.from);
    let callback = reply.status_callback;
    let method = callback.as_ref().map(|callback| callback.method);
    let service = inbound
        .service
        .filter(|service| is_in_pool(engine, *service, &addresses.from));
    let request = CreateMessage {
        to: Some(addresses.to),
        from: Some(addresses.from),
        messaging_service: service.map(|service| service.to_string()),
        body: reply.body,
        media_urls: reply.media_urls,
        status_callback: callback.map(|callback| callback.url),
        ..CreateMessage::default()
    };
    let mut message = engine.draw_up(account, request).await.map_err(of_reply)?;
    message.direction = Direction::OutboundReply;
    // Nobody chose its sender, and no request named it.
    message.decision = None;
    message.options.status_callback_method = method.filter(|method| *method != HttpMethod::Post);
    let now_ms = engine.now_ms();
    if !engine.shared.inquiries.admits_reply(line, now_ms) {
        engine.shared.acceptor.abandon(&message);
        message.status = Status::Failed;
        message.error = Some(ErrorCode::ReplyRateExceeded);
    }
    Ok(message)
}

/// A reply is of the service that the handset wrote to, unless it comes from a sender of no pool or
/// another one.
fn is_in_pool(engine: &Engine, service: ServiceSid, from: &str) -> bool {
    let pool = engine.directory().service_and_pool(service);
    let from = SenderAddress::parse(from);
    let is_member = |(_, pool): (_, Arc<Pool>)| {
        let from = from.as_ref()?;
        pool.find(from).next().map(|_| ())
    };
    pool.and_then(is_member).is_some()
}

/// What a request would be refused for, as replies call it.
fn of_reply(fault: Fault) -> Fault {
    let code = match fault.code {
        ErrorCode::InvalidTo
        | ErrorCode::MissingTo
        | ErrorCode::ToIsShortCode
        | ErrorCode::ToIsNotMobile => ErrorCode::ReplyToInvalid,
        ErrorCode::InvalidFrom | ErrorCode::FromNotOurs | ErrorCode::FromOfOtherAccount => {
            ErrorCode::ReplyFromInvalid
        }
        ErrorCode::FromWithoutSms => ErrorCode::ReplySenderWithoutSms,
        ErrorCode::InvalidStatusCallback => ErrorCode::ReplyStatusCallbackInvalid,
        code => code,
    };
    Fault { code, ..fault }
}

/// Tells of a reply that is not sent as the application wanted it.
fn alert(engine: &Engine, inbound: &Message, fault: &Fault) {
    let scope = &inbound.to;
    engine
        .alerting()
        .raise(inbound.account, fault.code, scope, || Details {
            resource: Some(inbound.sid.to_string().into()),
            service: inbound.service,
            text: Some(fault.message().into()),
            ..Details::default()
        });
}
