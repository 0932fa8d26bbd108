//! Receive: what a handset sends us is stored, then the carrier is answered.

mod reassembly;

use std::sync::Arc;
use std::time::Duration;

use postrider_carriers::Inbound;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{Direction, Message, MessageOptions, SenderNo, Status, StatusSet};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::PoolSender;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{Account, PoolMember, ShortCodeEntry};
use postrider_core::sid::{Id, MessageKind, MessageSid};
use postrider_core::text::Encoding;
use postrider_store::{Applied, Change, Part, PartOf, Result, StickyKey};

pub(crate) use self::reassembly::Reassembly;
use self::reassembly::{Due, Joined, Taken};
use crate::Engine;
use crate::alerts::Details;
use crate::directory::Directory;
use crate::inbound_webhooks::{self, Destination};
use crate::opt_outs;
use crate::sticky::Sticky;

/// Stores an inbound message, or a segment of one. False if it could not be made durable: the carrier
/// must send again. One that is for no number of ours is logged and taken, so that the carrier stops
/// sending it.
pub(crate) async fn store(engine: &Engine, carrier: &Arc<str>, inbound: &Inbound) -> bool {
    let Some(owner) = owner(engine.directory(), &inbound.from, &inbound.to) else {
        tracing::warn!(to = %inbound.to, "an inbound message is for no number of ours");
        return true;
    };
    let id = engine.ids().next();
    let Some(concat) = inbound.concat else {
        let text = Text {
            from: &inbound.from,
            to: &inbound.to,
            body: inbound.text.to_string(),
            encoding: inbound.encoding,
            segments: 1,
        };
        return store_text(engine, id, &owner, text, Vec::new()).await;
    };
    let part = Part {
        message: id,
        of: PartOf {
            carrier: carrier.clone(),
            from: inbound.from.clone(),
            to: inbound.to.clone(),
            reference: concat.reference,
            is_16_bit: concat.is_16_bit,
            total: concat.total,
        },
        sequence: concat.sequence,
        received_ms: engine.now_ms(),
        encoding: inbound.encoding,
        text: inbound.text.clone(),
    };
    store_part(engine, &owner, part).await
}

async fn store_part(engine: &Engine, owner: &Owner, mut part: Part) -> bool {
    let now_ms = engine.now_ms();
    let taken = engine.shared.reassembly.lock().take(&mut part, now_ms);
    let keep = Change::KeepPart(Box::new(part));
    match taken {
        // The same one that came before may be on its way to the disk still; this is behind it.
        Taken::Kept | Taken::Again => engine.shared.committer.commit(keep).await.is_ok(),
        // First the segment, then the message. They are in different files, and a crash between the two
        // must not forget of which segments the message was made: they would come again and make another.
        Taken::Whole(joined) => {
            engine.shared.committer.commit(keep).await.is_ok()
                && store_joined(engine, owner, &joined).await
        }
        Taken::Full => {
            tracing::warn!("too many segments wait for others; carriers are asked to come again");
            false
        }
    }
}

/// Makes a message of the segments that are there.
async fn store_joined(engine: &Engine, owner: &Owner, joined: &Joined) -> bool {
    let first = joined.first();
    let is_ucs2 = |part: &Part| part.encoding == Encoding::Ucs2;
    let text = Text {
        from: &first.of.from,
        to: &first.of.to,
        body: joined.text().to_string(),
        encoding: if joined.parts.iter().any(is_ucs2) {
            Encoding::Ucs2
        } else {
            Encoding::Gsm7
        },
        segments: u16::try_from(joined.parts.len()).unwrap_or(u16::MAX),
    };
    // The id is that of the first segment: after a crash nobody might look among messages as old as that
    // for the mapping it made. So that is written before; without the message it is harmless.
    if let Some(member) = &owner.member {
        note(engine, member.clone(), text.from).await;
        if engine.write_sticky_notes().await.is_err() {
            return false;
        }
    }
    let message = first.message;
    let join = Change::JoinParts { message };
    store_text(engine, message, owner, text, vec![join]).await
}

/// What a handset wrote, whole.
struct Text<'a> {
    from: &'a str,
    to: &'a str,
    body: String,
    encoding: Encoding,
    segments: u16,
}

/// Stores it as a message, together with other changes. The id of one that is there already is of one
/// that was made just before a crash.
async fn store_text(
    engine: &Engine,
    id: Id,
    owner: &Owner,
    text: Text<'_>,
    also: Vec<Change>,
) -> bool {
    let sid = MessageSid {
        id,
        kind: MessageKind::Sms,
    };
    let now_ms = engine.now_ms();
    let mut message = Message {
        sid,
        account: owner.account.no,
        service: owner.member.as_ref().map(|member| member.service),
        direction: Direction::Inbound,
        status: Status::Received,
        from: Some(text.from.into()),
        sender: None,
        to: text.to.into(),
        body: text.body.into(),
        submitted_body: None,
        encoding: text.encoding,
        num_segments: text.segments,
        num_media: 0,
        updated_ms: now_ms,
        sent_ms: Some(now_ms),
        send_at_ms: None,
        deadline_ms: now_ms,
        error: None,
        carrier: None,
        attempts: 0,
        is_possible_duplicate: false,
        segments: Segments::default(),
        done_date: None,
        status_callback: None,
        callbacks_due: StatusSet::EMPTY,
        decision: None,
        options: MessageOptions::default(),
        is_backlog: false,
    };
    if Destination::of(engine.directory(), &message).is_some() {
        message.callbacks_due = StatusSet::of(Status::Received);
    }
    let Ok(spoken) = opt_outs::hear(engine, owner, &message).await else {
        return false;
    };
    message.options.opt_out_type = spoken.opt_out_type;
    let insert = Change::Insert(Box::new(message.clone()));
    let reply = spoken.reply.clone().map(Box::new).map(Change::Insert);
    let changes = [insert].into_iter().chain(reply).chain(also).collect();
    let Ok(applied) = engine.shared.committer.commit_all(changes).await else {
        if let Some(reply) = &spoken.reply {
            engine.shared.acceptor.abandon(reply);
        }
        return false;
    };
    if let Some(member) = &owner.member {
        note(engine, member.clone(), text.from).await;
    }
    // One that was there already is told of by the outbox, or was.
    let is_new = applied.first() == Some(&Applied::Yes);
    if is_new && !message.callbacks_due.is_empty() {
        let job = inbound_webhooks::job(engine, &message, now_ms);
        engine.shared.webhooks.offer(job.into_iter().collect());
    }
    true
}

/// How often it is looked for segments that have waited long enough.
const TICK: Duration = Duration::from_secs(1);

/// Makes messages of segments whose others did not come, and forgets those of messages long made, until
/// the process stops.
pub(crate) async fn run(engine: Engine) {
    loop {
        let due = engine.shared.reassembly.lock().take_due(engine.now_ms());
        for due in due {
            match due {
                Due::Whole(joined) => drop(make_up(&engine, &joined).await),
                Due::Incomplete(joined) => give_up(&engine, &joined).await,
                Due::Forget(message) => {
                    // An error means that the store has failed, and everybody has been told.
                    let forget = Change::ForgetParts { message };
                    let _ = engine.shared.committer.commit(forget).await;
                }
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Makes a message of segments that waited. `None`: it is nobody's any more, or could not be stored.
async fn make_up(engine: &Engine, joined: &Joined) -> Option<Owner> {
    let first = joined.first();
    let Some(owner) = owner(engine.directory(), &first.of.from, &first.of.to) else {
        tracing::warn!(to = %first.of.to, "segments are for no number of ours any more");
        let message = first.message;
        let forget = Change::ForgetParts { message };
        let _ = engine.shared.committer.commit(forget).await;
        return None;
    };
    store_joined(engine, &owner, joined).await.then_some(owner)
}

/// The message is made without the segments that did not come.
async fn give_up(engine: &Engine, joined: &Joined) {
    let Some(Owner {
        account, member, ..
    }) = make_up(engine, joined).await
    else {
        return;
    };
    let first = joined.first();
    let message = first.message;
    let code = ErrorCode::InboundSegmentMissing;
    engine.alerting().raise(account.no, code, &first.of.to, || {
        let (there, total) = (joined.parts.len(), first.of.total);
        let text =
            format!("Only {there} of {total} segments came; the message is without the others");
        let sid = MessageSid {
            id: message,
            kind: MessageKind::Sms,
        };
        Details {
            resource: Some(sid.to_string().into()),
            service: member.map(|member| member.service),
            text: Some(text.into()),
            ..Details::default()
        }
    });
}

/// Remembers by which sender the handset knows the service.
async fn note(engine: &Engine, member: Arc<PoolMember>, from: &str) {
    let acceptor = engine.shared.acceptor.clone();
    let (from, now_ms) = (from.to_owned(), engine.now_ms());
    let remembered = engine.read(move || {
        let (sticky, directory) = (&acceptor.sticky, &acceptor.directory);
        remember(sticky, directory, &member, &from, now_ms)
    });
    // The message is stored; what could not be looked up is in the log.
    let _ = remembered.await;
}

/// Who texts one of a service's senders knows the service by it, unless by another one already.
/// While the service has the feature off, mappings rest.
pub(crate) fn remember(
    sticky: &Sticky,
    directory: &Directory,
    member: &PoolMember,
    handset: &str,
    now_ms: Millis,
) -> Result<()> {
    let Ok(recipient) = PhoneNumber::parse(handset) else {
        return Ok(());
    };
    let service = member.service;
    let Some((settings, pool)) = directory.service_and_pool(service) else {
        return Ok(());
    };
    let is_meant = |sender: &&PoolSender| sender.position == member.position;
    match pool
        .iter()
        .find(is_meant)
        .filter(|_| settings.sticky_sender)
    {
        Some(sender) => {
            let key = StickyKey { service, recipient };
            sticky.heard(key, sender, &pool, now_ms)
        }
        None => Ok(()),
    }
}

/// A sender of ours, as a handset writes to it.
pub(crate) struct Owner {
    pub(crate) account: Arc<Account>,
    /// Its place in a service's pool.
    pub(crate) member: Option<Arc<PoolMember>>,
    pub(crate) sender: SenderNo,
    pub(crate) address: SenderAddress,
}

/// Whose sender it is that a handset writes to.
pub(crate) fn owner(directory: &Directory, handset: &str, to: &str) -> Option<Owner> {
    let address = match PhoneNumber::parse(to) {
        Ok(number) => SenderAddress::Number(number),
        Err(_) => SenderAddress::parse(to)?,
    };
    let (account, sender, sid) = match &address {
        SenderAddress::Number(number) => {
            let entry = directory.number_by_digits(*number)?;
            (entry.account, entry.sender, entry.sid.to_string())
        }
        SenderAddress::WhatsApp(number) => {
            let entry = directory.channel_sender_by_number(*number)?;
            (entry.account, entry.sender, entry.sid.to_string())
        }
        SenderAddress::ShortCode(code) => {
            // Several countries, and then several accounts, may have the same code.
            let number = PhoneNumber::parse(handset).ok();
            let country = number.and_then(PhoneNumber::country);
            let accounts = directory.accounts();
            let of =
                |account: &Arc<Account>| directory.short_code_by_digits(account.sid, code, country);
            let at_home = |entry: &Arc<ShortCodeEntry>| Some(entry.country) == country;
            let entries = || accounts.iter().filter_map(of);
            let entry = entries().find(at_home).or_else(|| entries().next())?;
            (entry.account, entry.sender, entry.sid.to_string())
        }
        SenderAddress::Alpha(_) => return None,
    };
    Some(Owner {
        account: directory.account(account)?,
        member: directory.membership(&sid),
        sender,
        address,
    })
}

#[cfg(test)]
mod tests;
