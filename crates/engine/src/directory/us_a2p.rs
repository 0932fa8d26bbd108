//! Look-ups of brands and campaigns.

use std::sync::Arc;

use postrider_core::settings::{Brand, Campaign};
use postrider_core::sid::{AccountSid, BrandSid, CampaignSid, ServiceSid};

use super::Directory;

impl Directory {
    pub fn campaign(&self, sid: CampaignSid) -> Option<Arc<Campaign>> {
        self.tables.read().campaigns.get(&sid).cloned()
    }

    /// The campaign under which a service's US long codes are registered, if it has one.
    pub fn campaign_of(&self, service: ServiceSid) -> Option<Arc<Campaign>> {
        let tables = self.tables.read();
        let sid = tables.campaign_by_service.get(&service)?;
        tables.campaigns.get(sid).cloned()
    }

    pub fn brand(&self, sid: BrandSid) -> Option<Arc<Brand>> {
        self.tables.read().brands.get(&sid).cloned()
    }

    /// Oldest first.
    pub fn brands_of(&self, account: AccountSid) -> Vec<Arc<Brand>> {
        let tables = self.tables.read();
        let brands = tables.brands.values();
        brands
            .filter(|brand| brand.account == account)
            .cloned()
            .collect()
    }
}
