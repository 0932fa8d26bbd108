//! API keys. A secret is shown once.

use std::sync::Arc;

use postrider_core::fault::Fault;
use postrider_core::settings::{ApiKey, Document};
use postrider_core::sid::{AccountSid, KeySid};
use postrider_store::DocumentChange;

use super::not_found;
use crate::{Engine, secrets};

impl Engine {
    /// Creates a key; its secret is returned here and never again.
    pub async fn create_key(
        &self,
        account: AccountSid,
        friendly_name: String,
    ) -> Result<(Arc<ApiKey>, String), Fault> {
        let lock = self.settings_lock().await;
        let sid = KeySid(self.ids().next());
        let secret = self.ids().key_secret();
        let now_ms = self.now_ms();
        let key = ApiKey {
            sid,
            account,
            friendly_name,
            secret_hash: secrets::hash(&secret),
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        self.write_settings(lock, vec![DocumentChange::Put(Document::Key(key))])
            .await?;
        Ok((self.key(sid)?, secret))
    }

    pub async fn update_key(
        &self,
        sid: KeySid,
        change: impl FnOnce(&mut ApiKey) + Send,
    ) -> Result<Arc<ApiKey>, Fault> {
        let lock = self.settings_lock().await;
        let mut key = ApiKey::clone(&*self.key(sid)?);
        change(&mut key);
        key.updated_ms = self.now_ms();
        self.write_settings(lock, vec![DocumentChange::Put(Document::Key(key))])
            .await?;
        self.key(sid)
    }

    pub async fn delete_key(&self, sid: KeySid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let key = self.key(sid)?;
        self.write_settings(
            lock,
            vec![DocumentChange::Delete(
                Document::Key(ApiKey::clone(&key)).key(),
            )],
        )
        .await
    }

    fn key(&self, sid: KeySid) -> Result<Arc<ApiKey>, Fault> {
        self.directory()
            .key(sid)
            .ok_or_else(|| not_found("key", sid))
    }
}
