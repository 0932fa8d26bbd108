//! Receive: what a handset sends us is stored, then the carrier is answered.

use std::sync::Arc;

use postrider_carriers::Inbound;
use postrider_core::clock::Millis;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{Direction, Message, MessageOptions, Status, StatusSet};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{SenderAddress, ShortCode};
use postrider_core::settings::{Account, PoolMember};
use postrider_core::sid::{MessageKind, MessageSid};
use postrider_store::Change;

use crate::{Directory, Engine};

/// Stores an inbound message. False if it could not be made durable: the carrier must send again.
/// One that is for no number of ours is logged and taken, so that the carrier stops sending it.
pub(crate) async fn store(engine: &Engine, inbound: &Inbound) -> bool {
    let Some((account, member)) = owner(engine.directory(), &inbound.to) else {
        tracing::warn!(to = %inbound.to, "an inbound message is for no number of ours");
        return true;
    };
    let sid = MessageSid {
        id: engine.ids().next(),
        kind: MessageKind::Sms,
    };
    let now_ms = engine.now_ms();
    let message = Message {
        sid,
        account: account.no,
        service: member.as_ref().map(|member| member.service),
        direction: Direction::Inbound,
        status: Status::Received,
        from: Some(inbound.from.clone()),
        sender: None,
        to: inbound.to.clone(),
        body: (*inbound.text).into(),
        submitted_body: None,
        encoding: inbound.encoding,
        num_segments: 1,
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
    let committed = engine
        .shared
        .committer
        .commit(Change::Insert(Box::new(message)))
        .await;
    if let (Ok(_), Some(member)) = (&committed, member) {
        remember(engine, member, inbound, now_ms).await;
    }
    committed.is_ok()
}

/// Who texts one of a service's senders knows the service by it, unless by another one already.
async fn remember(engine: &Engine, member: Arc<PoolMember>, inbound: &Inbound, now_ms: Millis) {
    let acceptor = engine.shared.acceptor.clone();
    let handset = inbound.from.clone();
    let remembered = engine.read(move || {
        let directory = &acceptor.directory;
        acceptor.sticky.heard(directory, &member, &handset, now_ms)
    });
    // The message is stored; what could not be looked up is in the log.
    let _ = remembered.await;
}

/// Whose number it is, and its place in a service's pool.
pub(crate) fn owner(
    directory: &Directory,
    to: &str,
) -> Option<(Arc<Account>, Option<Arc<PoolMember>>)> {
    let (account, sender) = if let Ok(number) = PhoneNumber::parse(to) {
        let entry = directory.number_by_digits(number)?;
        (entry.account, entry.sid.to_string())
    } else if let Some(SenderAddress::WhatsApp(number)) = SenderAddress::parse(to) {
        let entry = directory.channel_sender_by_number(number)?;
        (entry.account, entry.sid.to_string())
    } else {
        let code = ShortCode::parse(to)?;
        let accounts = directory.accounts();
        let entry = accounts
            .iter()
            .find_map(|account| directory.short_code_by_digits(account.sid, &code, None))?;
        (entry.account, entry.sid.to_string())
    };
    let member = directory.membership(&sender);
    Some((directory.account(account)?, member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::engine;

    /// Columns: to, whose number it is.
    #[tokio::test]
    async fn an_inbound_message_finds_its_owner() {
        let test = engine();
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (main, _) = main.unwrap();
        let child = engine.create_account(main.sid, None).await.unwrap();
        let number = PhoneNumber::parse("+14155550101").unwrap();
        engine
            .register_number(main.sid, number, |_| {})
            .await
            .unwrap();
        let other = PhoneNumber::parse("+14155550102").unwrap();
        engine
            .register_channel_sender(child.sid, other, |_| {})
            .await
            .unwrap();
        for (to, expected) in [
            ("+14155550101", Some(main.sid)),
            ("whatsapp:+14155550102", Some(child.sid)),
            // The same digits on the other channel are nobody's.
            ("whatsapp:+14155550101", None),
            ("+14155550102", None),
            ("whatsapp:55501", None),
        ] {
            let owner = owner(engine.directory(), to).map(|(account, _)| account.sid);
            assert_eq!(owner, expected, "{to}");
        }
    }
}
