//! Look-ups of what is registered beside numbers: senders of other channels, brands, campaigns.

use std::sync::Arc;

use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::{Brand, Campaign, ChannelSender};
use postrider_core::sid::{AccountSid, BrandSid, CampaignSid, ChannelSenderSid, ServiceSid};

use super::Directory;

impl Directory {
    pub fn channel_sender(&self, sid: ChannelSenderSid) -> Option<Arc<ChannelSender>> {
        self.tables.read().channel_senders.get(&sid).cloned()
    }

    /// Who sends over WhatsApp from a number, whichever account it is.
    pub fn channel_sender_by_number(&self, number: PhoneNumber) -> Option<Arc<ChannelSender>> {
        let tables = self.tables.read();
        let sid = tables.channel_sender_by_number.get(&number)?;
        tables.channel_senders.get(sid).cloned()
    }

    /// Oldest first.
    pub fn channel_senders_of(&self, account: AccountSid) -> Vec<Arc<ChannelSender>> {
        let tables = self.tables.read();
        let senders = tables.channel_senders.values();
        senders
            .filter(|sender| sender.account == account)
            .cloned()
            .collect()
    }

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
