//! Receive: what a handset sends us is stored, then the carrier is answered.

use postrider_carriers::Inbound;
use postrider_core::lifecycle::Segments;
use postrider_core::message::{Direction, Message, MessageOptions, Status, StatusSet};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::ShortCode;
use postrider_core::settings::Account;
use postrider_core::sid::{MessageKind, MessageSid, ServiceSid};
use postrider_store::Change;

use crate::Engine;

/// Stores an inbound message. False if it could not be made durable: the carrier must send again.
/// One that is for no number of ours is logged and taken, so that the carrier stops sending it.
pub(crate) async fn store(engine: &Engine, inbound: &Inbound) -> bool {
    let Some((account, service)) = owner(engine, &inbound.to) else {
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
        service,
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
    committed.is_ok()
}

/// Whose number it is, and the service it is pooled in.
fn owner(engine: &Engine, to: &str) -> Option<(std::sync::Arc<Account>, Option<ServiceSid>)> {
    let directory = engine.directory();
    let (account, sender) = if let Ok(number) = PhoneNumber::parse(to) {
        let entry = directory.number_by_digits(number)?;
        (entry.account, entry.sid.to_string())
    } else {
        let code = ShortCode::parse(to)?;
        let accounts = directory.accounts();
        let entry = accounts
            .iter()
            .find_map(|account| directory.short_code_by_digits(account.sid, &code, None))?;
        (entry.account, entry.sid.to_string())
    };
    let service = directory.membership(&sender).map(|member| member.service);
    Some((directory.account(account)?, service))
}
