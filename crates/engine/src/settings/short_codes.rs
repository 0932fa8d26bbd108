//! Short codes: known by their digits and their country.

use std::sync::Arc;

use postrider_core::country::Country;
use postrider_core::fault::Fault;
use postrider_core::sender::{SenderAddress, ShortCode};
use postrider_core::settings::{
    Capabilities, Document, SenderStatus, SenderWebhooks, ShortCodeEntry,
};
use postrider_core::sid::{AccountSid, ShortCodeSid};
use postrider_store::DocumentChange;

use super::not_found;
use crate::Engine;

impl Engine {
    /// Takes a short code into an account. The same code and country again updates it.
    pub async fn register_short_code(
        &self,
        account: AccountSid,
        code: ShortCode,
        country: Country,
        change: impl FnOnce(&mut ShortCodeEntry) + Send,
    ) -> Result<Arc<ShortCodeEntry>, Fault> {
        let lock = self.settings_lock().await;
        let now_ms = self.now_ms();
        let mut changes = Vec::new();
        let known = self
            .directory()
            .short_code_by_digits(account, &code, Some(country))
            .filter(|entry| entry.country == country);
        let mut entry = match known {
            Some(known) => ShortCodeEntry::clone(&known),
            None => ShortCodeEntry {
                sid: ShortCodeSid(self.ids().next()),
                account,
                sender: self.sender_for(
                    account,
                    SenderAddress::ShortCode(code.clone()),
                    Some(country),
                    &mut changes,
                ),
                friendly_name: code.to_string(),
                status: SenderStatus::default(),
                code,
                country,
                capabilities: Capabilities::default(),
                webhooks: SenderWebhooks::default(),
                pace: None,
                served_networks: Vec::new(),
                created_ms: now_ms,
                updated_ms: now_ms,
            },
        };
        change(&mut entry);
        entry.updated_ms = now_ms;
        let sid = entry.sid;
        changes.push(DocumentChange::Put(Document::ShortCode(Box::new(entry))));
        self.write_settings(lock, changes).await?;
        self.short_code(sid)
    }

    pub async fn update_short_code(
        &self,
        sid: ShortCodeSid,
        change: impl FnOnce(&mut ShortCodeEntry) + Send,
    ) -> Result<Arc<ShortCodeEntry>, Fault> {
        let lock = self.settings_lock().await;
        let mut code = ShortCodeEntry::clone(&*self.short_code(sid)?);
        change(&mut code);
        code.updated_ms = self.now_ms();
        self.write_settings(
            lock,
            vec![DocumentChange::Put(Document::ShortCode(Box::new(code)))],
        )
        .await?;
        self.short_code(sid)
    }

    /// Gives a short code up; it leaves its pool with it.
    pub async fn delete_short_code(&self, sid: ShortCodeSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let code = self.short_code(sid)?;
        let mut changes = self.leave_pool(&sid.to_string());
        changes.push(DocumentChange::Delete(
            Document::ShortCode(Box::new(ShortCodeEntry::clone(&code))).key(),
        ));
        self.write_settings(lock, changes).await
    }

    pub(super) fn short_code(&self, sid: ShortCodeSid) -> Result<Arc<ShortCodeEntry>, Fault> {
        self.directory()
            .short_code(sid)
            .ok_or_else(|| not_found("short code", sid))
    }
}
