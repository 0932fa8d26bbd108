//! Senders of WhatsApp. A number is one sender of one account: over WhatsApp, too, nobody else may
//! speak for it.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{ChannelSender, Document, SenderStatus};
use postrider_core::sid::{AccountSid, ChannelSenderSid};
use postrider_store::DocumentChange;

use super::{not_found, refuse_number_of_others};
use crate::Engine;

impl Engine {
    pub async fn register_channel_sender(
        &self,
        account: AccountSid,
        number: PhoneNumber,
        change: impl FnOnce(&mut ChannelSender) + Send,
    ) -> Result<Arc<ChannelSender>, Fault> {
        let lock = self.settings_lock().await;
        let directory = self.directory();
        let address = SenderAddress::WhatsApp(number);
        if directory.channel_sender_by_number(number).is_some() {
            let text = format!("{address} is a sender already");
            return Err(Fault::because(ErrorCode::Conflict, text));
        }
        refuse_number_of_others(directory, number, account)?;
        let max = self.limits().channel_senders_max;
        if directory.channel_senders_of(account).len() >= max {
            let text = format!("This account has {max} WhatsApp senders, the most there may be");
            return Err(Fault::because(ErrorCode::Forbidden, text));
        }
        let now_ms = self.now_ms();
        let mut changes = Vec::new();
        let mut sender = ChannelSender {
            sid: ChannelSenderSid(self.ids().next()),
            account,
            sender: self.sender_for(account, address, None, &mut changes),
            number,
            status: SenderStatus::default(),
            record: Box::default(),
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        change(&mut sender);
        let sid = sender.sid;
        changes.push(DocumentChange::Put(Document::ChannelSender(sender)));
        self.write_settings(lock, changes).await?;
        self.channel_sender(sid)
    }

    pub async fn update_channel_sender(
        &self,
        sid: ChannelSenderSid,
        change: impl FnOnce(&mut ChannelSender) + Send,
    ) -> Result<Arc<ChannelSender>, Fault> {
        let lock = self.settings_lock().await;
        let mut sender = ChannelSender::clone(&*self.channel_sender(sid)?);
        change(&mut sender);
        sender.updated_ms = self.now_ms();
        let change = DocumentChange::Put(Document::ChannelSender(sender));
        self.write_settings(lock, vec![change]).await?;
        self.channel_sender(sid)
    }

    /// Gives a sender up; it leaves its pool with it.
    pub async fn delete_channel_sender(&self, sid: ChannelSenderSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let sender = self.channel_sender(sid)?;
        let mut changes = self.leave_pool(&sid.to_string());
        let document = Document::ChannelSender(ChannelSender::clone(&sender));
        changes.push(DocumentChange::Delete(document.key()));
        self.write_settings(lock, changes).await
    }

    pub(super) fn channel_sender(
        &self,
        sid: ChannelSenderSid,
    ) -> Result<Arc<ChannelSender>, Fault> {
        self.directory()
            .channel_sender(sid)
            .ok_or_else(|| not_found("channel sender", sid))
    }

    /// Whether any carrier takes messages from this sender, wherever they go.
    pub fn is_carried(&self, sender: &SenderAddress) -> bool {
        let routes = self.shared.acceptor.routes.load();
        routes
            .of_sender(sender)
            .any(|carriers| !carriers.is_empty())
    }
}
