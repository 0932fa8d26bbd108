//! Registered alpha senders, by SID for lists and by what they are looked up by.

use std::collections::BTreeMap;
use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::message::SenderNo;
use postrider_core::sender::{AlphaSenderId, SenderAddress};
use postrider_core::settings::RegisteredSender;
use postrider_core::sid::{AccountSid, RegisteredSenderSid};
use rustc_hash::FxHashMap;

use super::Directory;

#[derive(Clone, Default)]
pub(super) struct Table {
    by_sid: BTreeMap<RegisteredSenderSid, Arc<RegisteredSender>>,
    by_sender: FxHashMap<Key, RegisteredSenderSid>,
}

type Key = (AccountSid, AlphaSenderId, Country);

impl Table {
    pub(super) fn put(&mut self, entry: RegisteredSender) {
        let key = (entry.account, entry.sender.clone(), entry.country);
        self.by_sender.insert(key, entry.sid);
        self.by_sid.insert(entry.sid, Arc::new(entry));
    }

    pub(super) fn delete(&mut self, sid: RegisteredSenderSid) {
        if let Some(entry) = self.by_sid.remove(&sid) {
            let key = (entry.account, entry.sender.clone(), entry.country);
            self.by_sender.remove(&key);
        }
    }

    fn find(&self, key: &Key) -> Option<&Arc<RegisteredSender>> {
        self.by_sid.get(self.by_sender.get(key)?)
    }
}

impl Directory {
    pub fn registered_sender(&self, sid: RegisteredSenderSid) -> Option<Arc<RegisteredSender>> {
        self.tables.read().registered.by_sid.get(&sid).cloned()
    }

    /// Oldest first.
    pub fn registered_senders_of(&self, account: AccountSid) -> Vec<Arc<RegisteredSender>> {
        let tables = self.tables.read();
        let all = tables.registered.by_sid.values();
        all.filter(|entry| entry.account == account)
            .cloned()
            .collect()
    }

    /// What the account knows of a sender in a country, valid or not.
    pub fn registration(
        &self,
        account: AccountSid,
        sender: &AlphaSenderId,
        country: Country,
    ) -> Option<Arc<RegisteredSender>> {
        let key = (account, sender.clone(), country);
        self.tables.read().registered.find(&key).cloned()
    }

    /// Whether the alpha sender is registered in the country at this instant.
    pub(crate) fn is_registered(&self, sender: SenderNo, country: Country, now_ms: Millis) -> bool {
        let tables = self.tables.read();
        let Some(sender) = tables.senders.get(&sender) else {
            return false;
        };
        let SenderAddress::Alpha(id) = &sender.address else {
            return false;
        };
        let key = (sender.account, id.clone(), country);
        let entry = tables.registered.find(&key);
        entry.is_some_and(|entry| entry.is_valid(now_ms))
    }
}
