//! Look-ups of senders of other channels than SMS.

use std::sync::Arc;

use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::ChannelSender;
use postrider_core::sid::{AccountSid, ChannelSenderSid};

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

    /// The account that a number speaks for, over whatever channel.
    pub fn owner_of(&self, number: PhoneNumber) -> Option<AccountSid> {
        let known = self.number_by_digits(number);
        let account = known.map(|known| known.account);
        account.or_else(|| Some(self.channel_sender_by_number(number)?.account))
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
}
