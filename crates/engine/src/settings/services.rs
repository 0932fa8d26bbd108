//! Messaging services.

use std::sync::Arc;

use postrider_core::fault::Fault;
use postrider_core::settings::{Campaign, Document, PoolMember, Service};
use postrider_core::sid::{AccountSid, ServiceSid};
use postrider_store::DocumentChange;

use super::not_found;
use crate::Engine;

impl Engine {
    /// Creates a service from the defaults and what `change` sets.
    pub async fn create_service(
        &self,
        account: AccountSid,
        change: impl FnOnce(&mut Service) + Send,
    ) -> Result<Arc<Service>, Fault> {
        let lock = self.settings_lock().await;
        let now_ms = self.now_ms();
        let sid = ServiceSid(self.ids().next());
        let validity_period_s = self.limits().max_validity_period;
        let mut service = Service::new(sid, account, validity_period_s, now_ms);
        change(&mut service);
        self.write_settings(lock, vec![DocumentChange::Put(Document::Service(service))])
            .await?;
        self.service(sid)
    }

    pub async fn update_service(
        &self,
        sid: ServiceSid,
        change: impl FnOnce(&mut Service) + Send,
    ) -> Result<Arc<Service>, Fault> {
        let lock = self.settings_lock().await;
        let former = self.service(sid)?;
        let mut service = Service::clone(&former);
        change(&mut service);
        service.updated_ms = self.now_ms();
        let is_switched = service.sticky_sender != former.sticky_sender;
        self.write_settings(lock, vec![DocumentChange::Put(Document::Service(service))])
            .await?;
        if is_switched {
            self.settle_sticky().await?;
        }
        self.service(sid)
    }

    /// Frees the senders; messages already queued still go.
    pub async fn delete_service(&self, sid: ServiceSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let service = self.service(sid)?;
        let members = self.directory().pool_members(sid);
        let mut changes: Vec<_> = members
            .iter()
            .map(|member| Document::PoolMember(PoolMember::clone(member)).key())
            .map(DocumentChange::Delete)
            .collect();
        let campaign = self.directory().campaign_of(sid);
        changes.extend(campaign.map(|campaign| {
            let document = Document::Campaign(Box::new(Campaign::clone(&campaign)));
            DocumentChange::Delete(document.key())
        }));
        changes.push(DocumentChange::Delete(
            Document::Service(Service::clone(&service)).key(),
        ));
        self.write_settings(lock, changes).await
    }

    pub(super) fn service(&self, sid: ServiceSid) -> Result<Arc<Service>, Fault> {
        self.directory()
            .service(sid)
            .ok_or_else(|| not_found("messaging service", sid))
    }
}
