//! The directory: every setting, in memory, as the next message will see it.
//!
//! Documents are loaded at the start and replaced one by one as they are written (after they are
//! durable). Readers get `Arc`s and never wait for IO; the lock is held for look-ups only. Pools are
//! kept ready for selection.

mod channel_senders;
mod registrations;
mod shared;
mod us_a2p;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::message::{AccountNo, SenderNo};
use postrider_core::network::NetworkPattern;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::{Pool, PoolSender};
use postrider_core::sender::{SenderAddress, ShortCode};
use postrider_core::settings::{
    Account, ApiKey, Brand, Campaign, ChannelSender, Document, IncomingNumber, PoolMember,
    PoolSenderSid, Sender, Service, ShortCodeEntry,
};
use postrider_core::sid::{
    AccountSid, BrandSid, CampaignSid, ChannelSenderSid, KeySid, PhoneNumberSid, ServiceSid,
    ShortCodeSid,
};
use postrider_store::DocumentChange;
use rustc_hash::FxHashMap;

use self::shared::Shared;
use crate::pool;
use crate::secrets::Vault;

/// All settings. See the module.
pub struct Directory {
    tables: RwLock<Tables>,
    vault: Arc<Vault>,
}

/// A table that is shown in the order of its keys: of SIDs, the order of creation.
type Listed<K, V> = Shared<BTreeMap<K, V>>;

/// A table for look-ups only.
type LookedUp<K, V> = Shared<FxHashMap<K, V>>;

#[derive(Clone, Default)]
struct Tables {
    accounts: Listed<AccountSid, Arc<Account>>,
    account_by_no: LookedUp<AccountNo, AccountSid>,
    /// Auth tokens in the clear, for signing webhooks. Never logged, never listed.
    tokens: LookedUp<AccountSid, Arc<str>>,
    keys: Listed<KeySid, Arc<ApiKey>>,
    senders: Listed<SenderNo, Arc<Sender>>,
    sender_by_address: LookedUp<(AccountSid, SenderAddress, Option<Country>), SenderNo>,
    alpha_senders: LookedUp<AccountSid, usize>,
    numbers: Listed<PhoneNumberSid, Arc<IncomingNumber>>,
    number_by_digits: LookedUp<PhoneNumber, PhoneNumberSid>,
    short_codes: Listed<ShortCodeSid, Arc<ShortCodeEntry>>,
    /// Of short codes that do not reach all networks of their country.
    served_networks: LookedUp<(SenderNo, Country), Arc<[NetworkPattern]>>,
    channel_senders: Listed<ChannelSenderSid, Arc<ChannelSender>>,
    channel_sender_by_number: LookedUp<PhoneNumber, ChannelSenderSid>,
    brands: Listed<BrandSid, Arc<Brand>>,
    campaigns: Listed<CampaignSid, Arc<Campaign>>,
    campaign_by_service: LookedUp<ServiceSid, CampaignSid>,
    services: Listed<ServiceSid, Arc<Service>>,
    /// By service, then by position.
    members: Listed<ServiceSid, BTreeMap<u64, Arc<PoolMember>>>,
    /// Which service a pooled sender (by its SID in text) belongs to, and where in it.
    membership: LookedUp<String, (ServiceSid, u64)>,
    pools: LookedUp<ServiceSid, Arc<Pool>>,
    registered: Shared<registrations::Table>,
}

impl Directory {
    /// Builds the directory from all documents of a store.
    pub fn load(documents: Vec<Document>, vault: Vault) -> Result<Self, crate::secrets::WrongKey> {
        let directory = Self {
            tables: RwLock::default(),
            vault: Arc::new(vault),
        };
        let mut members = Vec::new();
        for document in documents {
            match document {
                // Members name numbers and short codes, so those come first.
                Document::PoolMember(_) => members.push(document),
                other => directory.put(other)?,
            }
        }
        for member in members {
            directory.put(member)?;
        }
        Ok(directory)
    }

    /// The same settings, to be changed by themselves. What is not changed is shared.
    pub(crate) fn copy(&self) -> Self {
        Self {
            tables: RwLock::new(self.tables.read().clone()),
            vault: self.vault.clone(),
        }
    }

    /// Makes written changes visible.
    pub fn apply(&self, changes: Vec<DocumentChange>) -> Result<(), crate::secrets::WrongKey> {
        for change in changes {
            match change {
                DocumentChange::Put(document) => self.put(document)?,
                DocumentChange::Delete(key) => self.tables.write().delete(key.kind, &key.key),
            }
        }
        Ok(())
    }

    fn put(&self, document: Document) -> Result<(), crate::secrets::WrongKey> {
        if let Document::Account(account) = &document {
            let token = self.vault.open(&account.auth_token_sealed)?;
            self.tables.write().tokens.insert(account.sid, token.into());
        }
        self.tables.write().put(document);
        Ok(())
    }

    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    pub fn account(&self, sid: AccountSid) -> Option<Arc<Account>> {
        self.tables.read().accounts.get(&sid).cloned()
    }

    pub fn account_by_no(&self, no: AccountNo) -> Option<Arc<Account>> {
        let tables = self.tables.read();
        tables
            .account_by_no
            .get(&no)
            .and_then(|sid| tables.accounts.get(sid))
            .cloned()
    }

    /// That of the account's parent, or its own.
    pub fn main_account_no(&self, no: AccountNo) -> Option<AccountNo> {
        let tables = self.tables.read();
        let account = tables.accounts.get(tables.account_by_no.get(&no)?)?;
        let Some(parent) = account.parent else {
            return Some(no);
        };
        tables.accounts.get(&parent).map(|parent| parent.no)
    }

    /// The account itself, then its subaccounts, oldest first.
    pub fn accounts_of(&self, parent: AccountSid) -> Vec<Arc<Account>> {
        let tables = self.tables.read();
        let own = tables.accounts.get(&parent).cloned();
        let children = tables
            .accounts
            .values()
            .filter(|account| account.parent == Some(parent));
        own.into_iter().chain(children.cloned()).collect()
    }

    /// Every account, oldest first.
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.tables.read().accounts.values().cloned().collect()
    }

    /// The account's auth token, for signing.
    pub fn auth_token(&self, account: AccountSid) -> Option<Arc<str>> {
        self.tables.read().tokens.get(&account).cloned()
    }

    pub fn key(&self, sid: KeySid) -> Option<Arc<ApiKey>> {
        self.tables.read().keys.get(&sid).cloned()
    }

    pub fn keys_of(&self, account: AccountSid) -> Vec<Arc<ApiKey>> {
        self.tables
            .read()
            .keys
            .values()
            .filter(|key| key.account == account)
            .cloned()
            .collect()
    }

    pub fn sender(&self, no: SenderNo) -> Option<Arc<Sender>> {
        self.tables.read().senders.get(&no).cloned()
    }

    /// The sender with this address that is bound to no country.
    pub fn sender_no(&self, account: AccountSid, address: &SenderAddress) -> Option<SenderNo> {
        self.sender_no_in(account, address, None)
    }

    /// The short code or destination alpha of this country; without one, as [`Directory::sender_no`].
    pub(crate) fn sender_no_in(
        &self,
        account: AccountSid,
        address: &SenderAddress,
        country: Option<Country>,
    ) -> Option<SenderNo> {
        let key = (account, address.clone(), country);
        self.tables.read().sender_by_address.get(&key).copied()
    }

    /// How many alpha senders the account has, in pools or by mere use.
    pub fn alpha_senders(&self, account: AccountSid) -> usize {
        let tables = self.tables.read();
        tables.alpha_senders.get(&account).copied().unwrap_or(0)
    }

    pub fn number(&self, sid: PhoneNumberSid) -> Option<Arc<IncomingNumber>> {
        self.tables.read().numbers.get(&sid).cloned()
    }

    /// Who owns a number, whichever account it is.
    pub fn number_by_digits(&self, number: PhoneNumber) -> Option<Arc<IncomingNumber>> {
        let tables = self.tables.read();
        tables
            .number_by_digits
            .get(&number)
            .and_then(|sid| tables.numbers.get(sid))
            .cloned()
    }

    /// Where a number is at home, by its owner's word if there is one.
    pub fn country_of(&self, number: PhoneNumber) -> Option<Country> {
        let entry = self.number_by_digits(number);
        entry.map_or_else(|| number.country(), |entry| entry.country())
    }

    pub fn numbers_of(&self, account: AccountSid) -> Vec<Arc<IncomingNumber>> {
        let tables = self.tables.read();
        tables
            .numbers
            .values()
            .filter(|number| number.account == account)
            .cloned()
            .collect()
    }

    pub fn short_code(&self, sid: ShortCodeSid) -> Option<Arc<ShortCodeEntry>> {
        self.tables.read().short_codes.get(&sid).cloned()
    }

    pub fn short_codes_of(&self, account: AccountSid) -> Vec<Arc<ShortCodeEntry>> {
        let tables = self.tables.read();
        tables
            .short_codes
            .values()
            .filter(|code| code.account == account)
            .cloned()
            .collect()
    }

    /// The account's short code with these digits; with a country, the one of that country first.
    pub fn short_code_by_digits(
        &self,
        account: AccountSid,
        code: &ShortCode,
        country: Option<Country>,
    ) -> Option<Arc<ShortCodeEntry>> {
        let tables = self.tables.read();
        let mut found = tables
            .short_codes
            .values()
            .filter(|entry| entry.account == account && entry.code == *code);
        let first = found.next()?;
        if Some(first.country) == country {
            return Some(first.clone());
        }
        Some(
            found
                .find(|entry| Some(entry.country) == country)
                .unwrap_or(first)
                .clone(),
        )
    }

    pub fn service(&self, sid: ServiceSid) -> Option<Arc<Service>> {
        self.tables.read().services.get(&sid).cloned()
    }

    pub fn services_of(&self, account: AccountSid) -> Vec<Arc<Service>> {
        let tables = self.tables.read();
        tables
            .services
            .values()
            .filter(|service| service.account == account)
            .cloned()
            .collect()
    }

    /// The pool's members in pool order.
    pub fn pool_members(&self, service: ServiceSid) -> Vec<Arc<PoolMember>> {
        let tables = self.tables.read();
        tables
            .members
            .get(&service)
            .map(|pool| pool.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The service a sender is pooled in, and its membership.
    pub fn membership(&self, sender_sid: &str) -> Option<Arc<PoolMember>> {
        let tables = self.tables.read();
        let (service, position) = tables.membership.get(sender_sid)?;
        tables.members.get(service)?.get(position).cloned()
    }

    /// The service and its pool, ready for selection.
    pub fn service_and_pool(&self, sid: ServiceSid) -> Option<(Arc<Service>, Arc<Pool>)> {
        let tables = self.tables.read();
        let service = tables.services.get(&sid)?.clone();
        let pool = tables.pools.get(&sid).cloned().unwrap_or_default();
        Some((service, pool))
    }

    /// Whether the sender joined the service's pool at this time or before, and stayed.
    pub(crate) fn is_member_since(
        &self,
        service: ServiceSid,
        sender: &PoolSender,
        at_ms: Millis,
    ) -> bool {
        let tables = self.tables.read();
        let members = tables.members.get(&service);
        let member = members.and_then(|members| members.get(&sender.position));
        member.is_some_and(|member| member.added_ms <= at_ms)
    }

    /// Whether any short code reaches some networks only.
    pub fn has_served_networks(&self) -> bool {
        !self.tables.read().served_networks.is_empty()
    }

    /// Whether the service's pool has a short code, of this country if one is given, that reaches some
    /// networks only.
    pub fn has_short_code_with_networks(
        &self,
        service: ServiceSid,
        country: Option<Country>,
    ) -> bool {
        let tables = self.tables.read();
        let Some(pool) = tables.pools.get(&service) else {
            return false;
        };
        let short_codes = pool
            .short_codes()
            .filter(|&(of, _)| country.is_none_or(|c| c == of));
        let mut with_networks =
            short_codes.filter(|&(of, no)| tables.served_networks.contains_key(&(no, of)));
        with_networks.next().is_some()
    }

    /// The networks that a short code reaches; `None` for all of its country.
    pub fn served_networks(
        &self,
        short_code: SenderNo,
        country: Country,
    ) -> Option<Arc<[NetworkPattern]>> {
        let tables = self.tables.read();
        tables.served_networks.get(&(short_code, country)).cloned()
    }

    /// The short code that is this sender.
    pub fn short_code_of(&self, sender: SenderNo) -> Option<Arc<ShortCodeEntry>> {
        let tables = self.tables.read();
        let mut codes = tables.short_codes.values();
        codes.find(|code| code.sender == sender).cloned()
    }

    /// Every sender there ever was.
    pub fn senders(&self) -> Vec<Arc<Sender>> {
        self.tables.read().senders.values().cloned().collect()
    }

    /// The service that has the number or short code of a sender in its pool. (An alpha sender may be in
    /// the pools of many.)
    pub fn service_of(&self, sender: SenderNo) -> Option<ServiceSid> {
        let sid = self.sid_of(&*self.sender(sender)?)?;
        Some(self.membership(&sid)?.service)
    }

    /// The SID of the number, short code or WhatsApp sender, if the account has it still. (An alpha sender
    /// has one in each pool.)
    pub fn sid_of(&self, sender: &Sender) -> Option<String> {
        match &sender.address {
            SenderAddress::Number(number) => {
                let number = self.number_by_digits(*number)?;
                (number.sender == sender.no).then(|| number.sid.to_string())
            }
            SenderAddress::ShortCode(_) => Some(self.short_code_of(sender.no)?.sid.to_string()),
            SenderAddress::Alpha(_) => None,
            SenderAddress::WhatsApp(number) => {
                let channel = self.channel_sender_by_number(*number)?;
                (channel.sender == sender.no).then(|| channel.sid.to_string())
            }
        }
    }

    /// The number or short code whose queue this is, for its own pace. `None` for alpha senders.
    pub fn pace_override(&self, sender: &Sender) -> Option<f64> {
        let tables = self.tables.read();
        match &sender.address {
            SenderAddress::Number(number) => {
                let sid = tables.number_by_digits.get(number)?;
                tables.numbers.get(sid)?.pace
            }
            SenderAddress::ShortCode(_) => {
                let mut short_codes = tables.short_codes.values();
                short_codes.find(|entry| entry.sender == sender.no)?.pace
            }
            SenderAddress::Alpha(_) | SenderAddress::WhatsApp(_) => None,
        }
    }

    /// The smallest account number not yet taken.
    pub(crate) fn next_account_no(&self) -> AccountNo {
        let tables = self.tables.read();
        AccountNo(
            tables
                .account_by_no
                .keys()
                .map(|no| no.0)
                .max()
                .map_or(1, |no| no + 1),
        )
    }

    /// The smallest sender number not yet taken.
    pub(crate) fn next_sender_no(&self) -> SenderNo {
        let tables = self.tables.read();
        SenderNo(
            tables
                .senders
                .last_key_value()
                .map_or(1, |(no, _)| no.0 + 1),
        )
    }
}

impl Tables {
    fn put(&mut self, document: Document) {
        match document {
            Document::Account(account) => {
                self.account_by_no.insert(account.no, account.sid);
                self.accounts.insert(account.sid, Arc::new(account));
            }
            Document::Key(key) => {
                self.keys.insert(key.sid, Arc::new(key));
            }
            Document::Sender(sender) => {
                let is_alpha = matches!(sender.address, SenderAddress::Alpha(_));
                let key = (sender.account, sender.address.clone(), sender.country);
                let known = self.sender_by_address.insert(key, sender.no);
                if is_alpha && known.is_none() {
                    *self.alpha_senders.entry(sender.account).or_default() += 1;
                }
                self.senders.insert(sender.no, Arc::new(sender));
            }
            Document::Number(number) => {
                let sid = number.sid;
                self.number_by_digits.insert(number.number, sid);
                self.numbers.insert(sid, Arc::new(number));
                self.refresh_member(&sid.to_string());
            }
            Document::ShortCode(code) => {
                let sid = code.sid;
                let key = (code.sender, code.country);
                if code.served_networks.is_empty() {
                    self.served_networks.remove(&key);
                } else {
                    let served = code.served_networks.as_slice().into();
                    self.served_networks.insert(key, served);
                }
                self.short_codes.insert(sid, code.into());
                self.refresh_member(&sid.to_string());
            }
            Document::Service(service) => {
                self.services.insert(service.sid, Arc::new(service));
            }
            Document::PoolMember(member) => self.put_member(member),
            Document::RegisteredSender(entry) => self.registered.put(entry),
            Document::ChannelSender(sender) => {
                let sid = sender.sid;
                self.channel_sender_by_number.insert(sender.number, sid);
                self.channel_senders.insert(sid, Arc::new(sender));
                self.refresh_member(&sid.to_string());
            }
            Document::Brand(brand) => {
                self.brands.insert(brand.sid, Arc::new(brand));
            }
            Document::Campaign(campaign) => {
                let sid = campaign.sid;
                self.campaign_by_service.insert(campaign.service, sid);
                self.campaigns.insert(sid, Arc::new(*campaign));
            }
        }
    }

    fn delete(&mut self, kind: &str, key: &str) {
        match kind {
            "account" => drop(key.parse().map(|sid: AccountSid| {
                self.tokens.remove(&sid);
                if let Some(account) = self.accounts.remove(&sid) {
                    self.account_by_no.remove(&account.no);
                }
            })),
            "key" => drop(key.parse().map(|sid| self.keys.remove(&sid))),
            "number" => drop(key.parse().map(|sid| {
                if let Some(number) = self.numbers.remove(&sid) {
                    self.number_by_digits.remove(&number.number);
                }
            })),
            "short_code" => drop(key.parse().map(|sid| {
                if let Some(code) = self.short_codes.remove(&sid) {
                    self.served_networks.remove(&(code.sender, code.country));
                }
            })),
            "service" => drop(key.parse().map(|sid| {
                self.services.remove(&sid);
                self.pools.remove(&sid);
            })),
            "registered_sender" => drop(key.parse().map(|sid| self.registered.delete(sid))),
            "channel_sender" => drop(key.parse().map(|sid| {
                if let Some(sender) = self.channel_senders.remove(&sid) {
                    self.channel_sender_by_number.remove(&sender.number);
                }
            })),
            "brand" => drop(key.parse().map(|sid| self.brands.remove(&sid))),
            "campaign" => drop(key.parse().map(|sid| {
                if let Some(campaign) = self.campaigns.remove(&sid) {
                    self.campaign_by_service.remove(&campaign.service);
                }
            })),
            "pool_member" => {
                if let Some((_, sender)) = key.split_once('/') {
                    self.delete_member(sender);
                }
            }
            _ => {}
        }
    }

    fn put_member(&mut self, member: PoolMember) {
        if let Some(sender) = self.pool_sender(&member) {
            let pool = self.pools.entry(member.service).or_default();
            Arc::make_mut(pool).insert(sender);
        }
        self.membership
            .insert(member.sender.to_string(), (member.service, member.position));
        self.members
            .entry(member.service)
            .or_default()
            .insert(member.position, Arc::new(member));
    }

    fn delete_member(&mut self, sender: &str) {
        let Some((service, position)) = self.membership.remove(sender) else {
            return;
        };
        let Some(member) = self
            .members
            .get_mut(&service)
            .and_then(|members| members.remove(&position))
        else {
            return;
        };
        let no = match &member.sender {
            PoolSenderSid::Number(sid) => self.numbers.get(sid).map(|number| number.sender),
            PoolSenderSid::ShortCode(sid) => self.short_codes.get(sid).map(|code| code.sender),
            PoolSenderSid::Alpha { sender, .. }
            | PoolSenderSid::DestinationAlpha { sender, .. } => Some(*sender),
            PoolSenderSid::Channel(sid) => {
                let sender = self.channel_senders.get(sid);
                sender.map(|sender| sender.sender)
            }
        };
        if let (Some(no), Some(pool)) = (no, self.pools.get_mut(&service)) {
            Arc::make_mut(pool).remove(no);
        }
    }

    /// A pooled sender was changed: the pool must see it.
    fn refresh_member(&mut self, sender: &str) {
        let Some((service, position)) = self.membership.get(sender) else {
            return;
        };
        let member = self
            .members
            .get(service)
            .and_then(|members| members.get(position))
            .cloned();
        if let Some(member) = member
            && let Some(sender) = self.pool_sender(&member)
        {
            let pool = Arc::make_mut(self.pools.entry(member.service).or_default());
            pool.remove(sender.no);
            pool.insert(sender);
        }
    }

    fn pool_sender(&self, member: &PoolMember) -> Option<postrider_core::select::PoolSender> {
        match &member.sender {
            PoolSenderSid::Number(sid) => self
                .numbers
                .get(sid)
                .map(|number| pool::of_number(number, member.position)),
            PoolSenderSid::ShortCode(sid) => self
                .short_codes
                .get(sid)
                .map(|code| pool::of_short_code(code, member.position)),
            PoolSenderSid::Alpha { id, sender, .. } => {
                Some(pool::of_alpha(id, *sender, None, member.position))
            }
            PoolSenderSid::DestinationAlpha {
                id,
                sender,
                country,
                ..
            } => Some(pool::of_alpha(id, *sender, Some(*country), member.position)),
            PoolSenderSid::Channel(sid) => self
                .channel_senders
                .get(sid)
                .map(|sender| pool::of_channel_sender(sender, member.position)),
        }
    }
}
