//! Which alpha senders an account has registered with a country's carriers.

use std::sync::Arc;

use postrider_core::country::Country;
use postrider_core::fault::Fault;
use postrider_core::sender::AlphaSenderId;
use postrider_core::settings::{Document, RegisteredSender, RegistrationStatus};
use postrider_core::sid::{AccountSid, RegisteredSenderSid};
use postrider_store::DocumentChange;

use super::not_found;
use crate::Engine;

impl Engine {
    /// Records a registration. The account's same sender and country again updates the record.
    pub async fn register_sender(
        &self,
        account: AccountSid,
        sender: AlphaSenderId,
        country: Country,
        change: impl FnOnce(&mut RegisteredSender) + Send,
    ) -> Result<Arc<RegisteredSender>, Fault> {
        let lock = self.settings_lock().await;
        let now_ms = self.now_ms();
        let known = self.directory().registration(account, &sender, country);
        let mut entry = match known {
            Some(known) => RegisteredSender::clone(&known),
            None => RegisteredSender {
                sid: RegisteredSenderSid(self.ids().next()),
                account,
                sender,
                country,
                status: RegistrationStatus::default(),
                valid_until_ms: None,
                created_ms: now_ms,
                updated_ms: now_ms,
            },
        };
        change(&mut entry);
        entry.updated_ms = now_ms;
        let sid = entry.sid;
        let put = DocumentChange::Put(Document::RegisteredSender(entry));
        self.write_settings(lock, vec![put]).await?;
        self.registered_sender(sid)
    }

    pub async fn update_registered_sender(
        &self,
        sid: RegisteredSenderSid,
        change: impl FnOnce(&mut RegisteredSender) + Send,
    ) -> Result<Arc<RegisteredSender>, Fault> {
        let lock = self.settings_lock().await;
        let mut entry = RegisteredSender::clone(&*self.registered_sender(sid)?);
        change(&mut entry);
        entry.updated_ms = self.now_ms();
        let put = DocumentChange::Put(Document::RegisteredSender(entry));
        self.write_settings(lock, vec![put]).await?;
        self.registered_sender(sid)
    }

    pub async fn delete_registered_sender(&self, sid: RegisteredSenderSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let entry = RegisteredSender::clone(&*self.registered_sender(sid)?);
        let key = Document::RegisteredSender(entry).key();
        self.write_settings(lock, vec![DocumentChange::Delete(key)])
            .await
    }

    fn registered_sender(&self, sid: RegisteredSenderSid) -> Result<Arc<RegisteredSender>, Fault> {
        self.directory()
            .registered_sender(sid)
            .ok_or_else(|| not_found("registered sender", sid))
    }
}
