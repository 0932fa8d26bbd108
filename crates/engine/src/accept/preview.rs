//! What a request would become, without making it so.

use std::sync::Arc;

use postrider_core::create::CreateMessage;
use postrider_core::fault::Fault;
use postrider_core::message::{Message, Status};
use postrider_core::select::{Decision, Pool};
use postrider_core::sender::SenderAddress;
use postrider_core::settings::Account;
use postrider_core::sid::{Id, MessageSid};

use super::choose::Purpose;
use super::{Acceptor, Draft, Warning, kind_of};
use crate::networks::Answer;

/// The answer to "what if".
#[derive(Debug)]
pub struct Preview {
    /// As it would be stored, but for its SID. One to be sent later is shown as if it were due.
    pub message: Message,
    /// The service's choice, with every candidate; `None` when the request names a sender and no
    /// service.
    pub decision: Option<Decision>,
    /// What there is to say of a message that goes on all the same; none of one that fails.
    pub warnings: Vec<Warning>,
    /// The senders that were chosen from.
    pub pool: Arc<Pool>,
    /// What was told of the recipient's network; `None` where nobody was asked.
    pub network: Option<Answer>,
    /// Numbers of the carriers that would be asked, in their order.
    pub carriers: Vec<u16>,
}

impl Acceptor {
    /// Goes through all that happens before a message is committed, and changes nothing. Faults are
    /// those that the request would be refused with.
    pub fn preview(
        &self,
        account: &Account,
        request: &CreateMessage,
        scheduled: u32,
        network: Option<Answer>,
    ) -> Result<Preview, Fault> {
        let now_ms = self.clock.now_ms();
        let draft = Draft {
            // An alpha sender that was never used yet would get this one.
            newcomer: Some(self.directory.next_sender_no()),
            network: network.and_then(|answer| answer.network()),
            ..self.read(account, request)?
        };
        let service = draft.service.as_deref();
        let validity = self.validity(request, &draft)?;
        self.send_at(request, &draft, scheduled, now_ms)?;
        let sid = MessageSid {
            id: Id::MIN,
            kind: kind_of(&draft),
        };
        let deadline_ms = validity.deadline_ms(now_ms);
        let (message, decision) =
            self.draw_up(sid, &draft, Purpose::Asking, deadline_ms, now_ms)?;
        let from = message.from.as_deref().and_then(SenderAddress::parse);
        let routes = self.routes.load();
        let from = from.filter(|_| message.status == Status::Queued);
        let carriers = from.map(|from| routes.find(&from, draft.to.number).to_vec());
        let pool = service.and_then(|service| self.directory.service_and_pool(service.sid));
        let pool = pool.map(|(_, pool)| pool).unwrap_or_default();
        let of_decision = decision.as_ref();
        let warnings = self.warnings(request, &draft, &message, of_decision, &pool, now_ms);
        Ok(Preview {
            message,
            decision,
            warnings,
            network,
            pool,
            carriers: carriers.unwrap_or_default(),
        })
    }
}
