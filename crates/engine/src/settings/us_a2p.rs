//! Brands and campaigns of US long codes: kept for whoever asks, with no verdict of our own.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{Brand, Campaign, Document};
use postrider_core::sid::{AccountSid, BrandSid, CampaignSid, ServiceSid};
use postrider_store::DocumentChange;

use super::not_found;
use crate::Engine;

impl Engine {
    /// `make` gets the SID and the time.
    pub async fn create_brand(
        &self,
        make: impl FnOnce(BrandSid, i64) -> Brand + Send,
    ) -> Result<Arc<Brand>, Fault> {
        let lock = self.settings_lock().await;
        let sid = BrandSid(self.ids().next());
        let brand = make(sid, self.now_ms());
        self.write_settings(lock, vec![DocumentChange::Put(Document::Brand(brand))])
            .await?;
        self.brand(sid)
    }

    pub async fn update_brand(
        &self,
        sid: BrandSid,
        change: impl FnOnce(&mut Brand) -> Result<(), Fault> + Send,
    ) -> Result<Arc<Brand>, Fault> {
        let lock = self.settings_lock().await;
        let mut brand = Brand::clone(&*self.brand(sid)?);
        change(&mut brand)?;
        brand.updated_ms = self.now_ms();
        self.write_settings(lock, vec![DocumentChange::Put(Document::Brand(brand))])
            .await?;
        self.brand(sid)
    }

    fn brand(&self, sid: BrandSid) -> Result<Arc<Brand>, Fault> {
        self.directory()
            .brand(sid)
            .ok_or_else(|| not_found("brand", sid))
    }

    /// A service has one campaign at most: its long codes are registered under one.
    pub async fn create_campaign(
        &self,
        account: AccountSid,
        service: ServiceSid,
        change: impl FnOnce(&mut Campaign) + Send,
    ) -> Result<Arc<Campaign>, Fault> {
        let lock = self.settings_lock().await;
        let directory = self.directory();
        if directory.service(service).is_none() {
            return Err(not_found("messaging service", service));
        }
        if let Some(other) = directory.campaign_of(service) {
            let text = format!("{service} has the campaign {} already", other.sid);
            return Err(Fault::because(ErrorCode::Conflict, text));
        }
        let sid = CampaignSid(self.ids().next());
        let mut campaign = Campaign::new(sid, account, service, self.now_ms());
        change(&mut campaign);
        let brand = campaign.brand.map(|brand| directory.brand(brand));
        if brand.is_some_and(|brand| brand.is_none_or(|brand| brand.account != account)) {
            return Err(ErrorCode::BrandNotRegistered.into());
        }
        let change = DocumentChange::Put(Document::Campaign(Box::new(campaign)));
        self.write_settings(lock, vec![change]).await?;
        self.campaign(sid)
    }

    pub async fn update_campaign(
        &self,
        sid: CampaignSid,
        change: impl FnOnce(&mut Campaign) + Send,
    ) -> Result<Arc<Campaign>, Fault> {
        let lock = self.settings_lock().await;
        let mut campaign = Campaign::clone(&*self.campaign(sid)?);
        change(&mut campaign);
        campaign.updated_ms = self.now_ms();
        let change = DocumentChange::Put(Document::Campaign(Box::new(campaign)));
        self.write_settings(lock, vec![change]).await?;
        self.campaign(sid)
    }

    pub async fn delete_campaign(&self, sid: CampaignSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let campaign = self.campaign(sid)?;
        let document = Document::Campaign(Box::new(Campaign::clone(&campaign)));
        self.write_settings(lock, vec![DocumentChange::Delete(document.key())])
            .await
    }

    fn campaign(&self, sid: CampaignSid) -> Result<Arc<Campaign>, Fault> {
        self.directory()
            .campaign(sid)
            .ok_or_else(|| not_found("campaign", sid))
    }
}
