//! Operations on settings: validate, persist, then take effect, in that order.
//!
//! One at a time (see `settings_lock`), so that what was checked still holds when it is written.
//! Rules about one parameter's spelling live in the HTTP layer; rules about the whole live here.

mod channel_senders;
mod pool_warning;
mod us_a2p;

pub use self::pool_warning::PoolWarning;

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{AlphaSenderId, SenderAddress, ShortCode};
use postrider_core::settings::{
    Account, AccountStatus, ApiKey, Campaign, Capabilities, ChannelSender, Document,
    IncomingNumber, PoolMember, PoolSenderSid, Sender, SenderStatus, SenderWebhooks, Service,
    ShortCodeEntry,
};
use postrider_core::sid::{
    AccountSid, AlphaSenderSid, ChannelSenderSid, KeySid, PhoneNumberSid, ServiceSid, ShortCodeSid,
};
use postrider_store::DocumentChange;

use crate::directory::Directory;
use crate::ids::IdGenerator;
use crate::{Engine, secrets};

/// A sender to be added to a pool.
#[derive(Clone, Debug, PartialEq)]
pub enum NewPoolEntry {
    Number(PhoneNumberSid),
    ShortCode(ShortCodeSid),
    Alpha(AlphaSenderId),
    DestinationAlpha(AlphaSenderId, Country),
    Channel(ChannelSenderSid),
}

fn not_found(what: &str, sid: impl std::fmt::Display) -> Fault {
    Fault::because(
        ErrorCode::NotFound,
        format!("The requested {what} {sid} was not found"),
    )
}

/// Composes an account's record, its token hashed and sealed. Operators' commands make accounts so,
/// on a store that no engine runs on.
pub fn new_account(
    directory: &Directory,
    ids: &IdGenerator,
    now_ms: Millis,
    sid: AccountSid,
    parent: Option<AccountSid>,
    friendly_name: String,
    token: &str,
) -> Account {
    let mut nonce = [0; 12];
    ids.fill(&mut nonce);
    Account {
        sid,
        no: directory.next_account_no(),
        parent,
        friendly_name,
        status: AccountStatus::Active,
        auth_token_hash: secrets::hash(token),
        auth_token_sealed: directory.vault().seal(token, nonce),
        secondary_token: None,
        created_ms: now_ms,
        updated_ms: now_ms,
    }
}

/// Accounts and keys.
impl Engine {
    /// Creates the very first account, or one with given credentials; `None` draws them.
    /// Returns the account and its token.
    pub async fn create_main_account(
        &self,
        sid: Option<AccountSid>,
        token: Option<String>,
        friendly_name: &str,
    ) -> Result<(Arc<Account>, String), Fault> {
        let lock = self.settings_lock().await;
        let sid = sid.unwrap_or_else(|| AccountSid(self.ids().next()));
        if self.directory().account(sid).is_some() {
            return Err(Fault::because(
                ErrorCode::Conflict,
                format!("Account {sid} exists"),
            ));
        }
        let token = token.unwrap_or_else(|| self.ids().auth_token());
        let account = self.new_account(sid, None, friendly_name.to_owned(), &token);
        self.write_settings(lock, vec![DocumentChange::Put(Document::Account(account))])
            .await?;
        Ok((self.account(sid)?, token))
    }

    pub async fn create_account(
        &self,
        parent: AccountSid,
        friendly_name: Option<String>,
    ) -> Result<Arc<Account>, Fault> {
        let lock = self.settings_lock().await;
        let parent_account = self.account(parent)?;
        if parent_account.parent.is_some() {
            let text = "A subaccount can't have subaccounts of its own";
            return Err(Fault::because(ErrorCode::Forbidden, text));
        }
        let sid = AccountSid(self.ids().next());
        let name = friendly_name.unwrap_or_else(|| Account::default_name(sid, Some(parent)));
        let account = self.new_account(sid, Some(parent), name, &self.ids().auth_token());
        self.write_settings(lock, vec![DocumentChange::Put(Document::Account(account))])
            .await?;
        self.account(sid)
    }

    pub async fn update_account(
        &self,
        sid: AccountSid,
        change: impl FnOnce(&mut Account) + Send,
    ) -> Result<Arc<Account>, Fault> {
        let lock = self.settings_lock().await;
        let mut account = Account::clone(&*self.account(sid)?);
        let before = account.status;
        change(&mut account);
        if before == AccountStatus::Closed && account.status != AccountStatus::Closed {
            let text = "A closed account can't be opened again";
            return Err(Fault::because(ErrorCode::AccountNotActive, text));
        }
        if account.parent.is_none() && account.status != AccountStatus::Active {
            let text = "A main account can't be suspended or closed through the API";
            return Err(Fault::because(ErrorCode::Forbidden, text));
        }
        account.updated_ms = self.now_ms();
        let mut changes = match account.status {
            AccountStatus::Closed => self.release_senders(sid),
            AccountStatus::Active | AccountStatus::Suspended => Vec::new(),
        };
        changes.push(DocumentChange::Put(Document::Account(account)));
        self.write_settings(lock, changes).await?;
        self.account(sid)
    }

    /// Gives up every number, short code and WhatsApp sender of an account. Closing does, as at Twilio: nobody could
    /// reach them afterwards, and a number belongs to one account at a time.
    fn release_senders(&self, account: AccountSid) -> Vec<DocumentChange> {
        let directory = self.directory();
        let numbers = directory.numbers_of(account).into_iter().map(|number| {
            let sid = number.sid.to_string();
            (sid, Document::Number(IncomingNumber::clone(&number)))
        });
        let codes = directory.short_codes_of(account).into_iter().map(|code| {
            let sid = code.sid.to_string();
            (
                sid,
                Document::ShortCode(Box::new(ShortCodeEntry::clone(&code))),
            )
        });
        let mut changes = Vec::new();
        let channels = directory.channel_senders_of(account);
        let channels = channels.into_iter().map(|sender| {
            let sid = sender.sid.to_string();
            (sid, Document::ChannelSender(ChannelSender::clone(&sender)))
        });
        for (sid, document) in numbers.chain(codes).chain(channels) {
            changes.extend(self.leave_pool(&sid));
            changes.push(DocumentChange::Delete(document.key()));
        }
        changes
    }

    fn new_account(
        &self,
        sid: AccountSid,
        parent: Option<AccountSid>,
        friendly_name: String,
        token: &str,
    ) -> Account {
        let (directory, now_ms) = (self.directory(), self.now_ms());
        new_account(
            directory,
            self.ids(),
            now_ms,
            sid,
            parent,
            friendly_name,
            token,
        )
    }

    pub(crate) fn account(&self, sid: AccountSid) -> Result<Arc<Account>, Fault> {
        self.directory()
            .account(sid)
            .ok_or_else(|| not_found("account", sid))
    }

    /// The account's auth token in the clear.
    pub fn auth_token(&self, account: &Account) -> String {
        self.directory()
            .auth_token(account.sid)
            .as_deref()
            .unwrap_or_default()
            .to_owned()
    }

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

/// Numbers and short codes.
impl Engine {
    /// Takes a number the operator owns into an account. The same account again updates it.
    pub async fn register_number(
        &self,
        account: AccountSid,
        number: PhoneNumber,
        change: impl FnOnce(&mut IncomingNumber) + Send,
    ) -> Result<Arc<IncomingNumber>, Fault> {
        let lock = self.settings_lock().await;
        let now_ms = self.now_ms();
        let mut changes = Vec::new();
        refuse_number_of_others(self.directory(), number, account)?;
        let mut entry = match self.directory().number_by_digits(number) {
            Some(known) => IncomingNumber::clone(&known),
            None => IncomingNumber {
                sid: PhoneNumberSid(self.ids().next()),
                account,
                sender: self.sender_for(account, SenderAddress::Number(number), None, &mut changes),
                number,
                friendly_name: number.to_string(),
                status: SenderStatus::default(),
                capabilities: Capabilities::default(),
                webhooks: SenderWebhooks::default(),
                voice: Box::default(),
                pace: None,
                created_ms: now_ms,
                updated_ms: now_ms,
            },
        };
        change(&mut entry);
        entry.updated_ms = now_ms;
        let sid = entry.sid;
        changes.push(DocumentChange::Put(Document::Number(entry)));
        self.write_settings(lock, changes).await?;
        self.number(sid)
    }

    pub async fn update_number(
        &self,
        sid: PhoneNumberSid,
        change: impl FnOnce(&mut IncomingNumber) + Send,
    ) -> Result<Arc<IncomingNumber>, Fault> {
        let lock = self.settings_lock().await;
        let mut number = IncomingNumber::clone(&*self.number(sid)?);
        change(&mut number);
        number.updated_ms = self.now_ms();
        self.write_settings(lock, vec![DocumentChange::Put(Document::Number(number))])
            .await?;
        self.number(sid)
    }

    /// Gives a number up; it leaves its pool with it.
    pub async fn delete_number(&self, sid: PhoneNumberSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let number = self.number(sid)?;
        let mut changes = self.leave_pool(&sid.to_string());
        changes.push(DocumentChange::Delete(
            Document::Number(IncomingNumber::clone(&number)).key(),
        ));
        self.write_settings(lock, changes).await
    }

    fn number(&self, sid: PhoneNumberSid) -> Result<Arc<IncomingNumber>, Fault> {
        self.directory()
            .number(sid)
            .ok_or_else(|| not_found("phone number", sid))
    }

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

    fn short_code(&self, sid: ShortCodeSid) -> Result<Arc<ShortCodeEntry>, Fault> {
        self.directory()
            .short_code(sid)
            .ok_or_else(|| not_found("short code", sid))
    }

    /// The queue identity of an address, made on first use.
    pub(crate) fn sender_for(
        &self,
        account: AccountSid,
        address: SenderAddress,
        country: Option<Country>,
        changes: &mut Vec<DocumentChange>,
    ) -> SenderNo {
        let known = self.directory().sender_no_in(account, &address, country);
        if let Some(no) = known {
            return no;
        }
        let no = self.directory().next_sender_no();
        changes.push(DocumentChange::Put(Document::Sender(Sender {
            no,
            account,
            address,
            country,
        })));
        no
    }
}

/// Services and their pools.
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
        let mut service = Service::clone(&*self.service(sid)?);
        change(&mut service);
        service.updated_ms = self.now_ms();
        self.write_settings(lock, vec![DocumentChange::Put(Document::Service(service))])
            .await?;
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

    fn service(&self, sid: ServiceSid) -> Result<Arc<Service>, Fault> {
        self.directory()
            .service(sid)
            .ok_or_else(|| not_found("messaging service", sid))
    }

    pub async fn add_to_pool(
        &self,
        service: ServiceSid,
        entry: NewPoolEntry,
    ) -> Result<Arc<PoolMember>, Fault> {
        let lock = self.settings_lock().await;
        let mut joined = Service::clone(&*self.service(service)?);
        let account = joined.account;
        let members = self.directory().pool_members(service);
        let mut changes = Vec::new();
        let sender = match entry {
            NewPoolEntry::Number(sid) => {
                let number = self
                    .number(sid)
                    .ok()
                    .filter(|number| number.account == account);
                let number = number.ok_or_else(|| not_found("phone number", sid))?;
                check_capabilities(number.capabilities)?;
                PoolSenderSid::Number(sid)
            }
            NewPoolEntry::ShortCode(sid) => {
                let code = self
                    .short_code(sid)
                    .ok()
                    .filter(|code| code.account == account);
                let code = code.ok_or_else(|| not_found("short code", sid))?;
                check_capabilities(code.capabilities)?;
                PoolSenderSid::ShortCode(sid)
            }
            NewPoolEntry::Alpha(id) => {
                refuse_known_alpha(&members, &id, None)?;
                let address = SenderAddress::Alpha(id.clone());
                let sender = self.sender_for(account, address, None, &mut changes);
                PoolSenderSid::Alpha {
                    sid: AlphaSenderSid(self.ids().next()),
                    id,
                    sender,
                }
            }
            NewPoolEntry::DestinationAlpha(id, country) => {
                refuse_known_alpha(&members, &id, Some(country))?;
                let address = SenderAddress::Alpha(id.clone());
                let sender = self.sender_for(account, address, Some(country), &mut changes);
                let sid = AlphaSenderSid(self.ids().next());
                PoolSenderSid::DestinationAlpha {
                    sid,
                    id,
                    sender,
                    country,
                }
            }
            NewPoolEntry::Channel(sid) => {
                let sender = self.channel_sender(sid);
                if !sender.is_ok_and(|sender| sender.account == account) {
                    return Err(not_found("channel sender", sid));
                }
                PoolSenderSid::Channel(sid)
            }
        };
        if let Some(member) = self.directory().membership(&sender.to_string()) {
            let text = format!("{sender} is in the sender pool of {}", member.service);
            return Err(if member.service == service {
                Fault::because(ErrorCode::SenderAlreadyInService, text)
            } else {
                Fault::because(ErrorCode::SenderInOtherService, text)
            });
        }
        refuse_full_pool(&members, &sender, self.limits().pool_size_max)?;
        let after_last = members.last().map_or(0, |last| last.position + 1);
        let position = joined.next_position.max(after_last);
        joined.next_position = position + 1;
        changes.push(DocumentChange::Put(Document::Service(joined)));
        let member = PoolMember {
            service,
            sender,
            added_ms: self.now_ms(),
            position,
        };
        let sender = member.sender.to_string();
        changes.push(DocumentChange::Put(Document::PoolMember(member)));
        self.write_settings(lock, changes).await?;
        let member = self.directory().membership(&sender);
        let member = member.ok_or_else(|| not_found("sender", sender))?;
        self.warn_of_joining(&member);
        Ok(member)
    }

    pub async fn remove_from_pool(
        &self,
        service: ServiceSid,
        sender_sid: &str,
    ) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let member = self.directory().membership(sender_sid);
        if member.is_none_or(|member| member.service != service) {
            return Err(not_found("sender", sender_sid));
        }
        let changes = self.leave_pool(sender_sid);
        self.write_settings(lock, changes).await
    }

    fn leave_pool(&self, sender_sid: &str) -> Vec<DocumentChange> {
        let member = self.directory().membership(sender_sid);
        member
            .map(|member| Document::PoolMember(PoolMember::clone(&member)).key())
            .map(DocumentChange::Delete)
            .into_iter()
            .collect()
    }
}

/// A number speaks for one account, whatever the channel: customers of another must not get its answers.
fn refuse_number_of_others(
    directory: &Directory,
    number: PhoneNumber,
    account: AccountSid,
) -> Result<(), Fault> {
    let owner = directory.owner_of(number);
    if owner.is_some_and(|owner| owner != account) {
        let text = format!("{number} belongs to another account");
        return Err(Fault::because(ErrorCode::Conflict, text));
    }
    Ok(())
}

fn check_capabilities(capabilities: Capabilities) -> Result<(), Fault> {
    if capabilities.sms || capabilities.mms {
        return Ok(());
    }
    let text = "A sender needs the SMS or the MMS capability to join a pool";
    Err(Fault::because(ErrorCode::SenderLacksCapability, text))
}

/// Numbers and short codes have a limit together, alpha senders one of the same size, and so have senders
/// of WhatsApp: none takes another's place.
fn refuse_full_pool(
    members: &[Arc<PoolMember>],
    wanted: &PoolSenderSid,
    max: usize,
) -> Result<(), Fault> {
    let share = |sender: &PoolSenderSid| match sender {
        PoolSenderSid::Number(_) | PoolSenderSid::ShortCode(_) => "numbers and short codes",
        PoolSenderSid::Alpha { .. } | PoolSenderSid::DestinationAlpha { .. } => "alpha senders",
        PoolSenderSid::Channel(_) => "WhatsApp senders",
    };
    let share_of_wanted = share(wanted);
    let alike = members.iter().map(|member| share(&member.sender));
    if alike.filter(|share| *share == share_of_wanted).count() >= max {
        let text = format!("A sender pool holds {max} {share_of_wanted} at most");
        return Err(Fault::because(ErrorCode::ServicePoolFull, text));
    }
    Ok(())
}

/// Alpha senders get a new SID per pool entry, so only their text can be compared.
fn refuse_known_alpha(
    members: &[Arc<PoolMember>],
    wanted: &AlphaSenderId,
    wanted_country: Option<Country>,
) -> Result<(), Fault> {
    let is_known = members.iter().any(|member| match &member.sender {
        PoolSenderSid::Alpha { id, .. } => id == wanted && wanted_country.is_none(),
        PoolSenderSid::DestinationAlpha { id, country, .. } => {
            id == wanted && wanted_country == Some(*country)
        }
        PoolSenderSid::Number(_) | PoolSenderSid::ShortCode(_) | PoolSenderSid::Channel(_) => false,
    });
    if is_known {
        let text = format!("The alpha sender {wanted} is in this sender pool already");
        return Err(Fault::because(ErrorCode::SenderAlreadyInService, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::testing::{engine, engine_with};

    #[tokio::test]
    async fn a_number_speaks_for_one_account_over_every_channel() {
        let test = engine();
        let engine = &test.engine;
        let (owner, _) = engine.create_main_account(None, None, "A").await.unwrap();
        let (other, _) = engine.create_main_account(None, None, "B").await.unwrap();
        let number = |text| PhoneNumber::parse(text).unwrap();
        let (sms, whatsapp) = (number("+14155550101"), number("+14155550102"));
        let registered = engine.register_number(owner.sid, sms, |_| {}).await;
        registered.unwrap();
        let registered = engine.register_channel_sender(owner.sid, whatsapp, |_| {});
        registered.await.unwrap();
        // Columns: who registers, what, the code that refuses it.
        for (account, number, is_whatsapp, refused) in [
            (other.sid, sms, true, Some(ErrorCode::Conflict)),
            (other.sid, whatsapp, false, Some(ErrorCode::Conflict)),
            (other.sid, sms, false, Some(ErrorCode::Conflict)),
            (other.sid, whatsapp, true, Some(ErrorCode::Conflict)),
            (owner.sid, sms, true, None),
            (owner.sid, whatsapp, false, None),
        ] {
            let code = if is_whatsapp {
                let registered = engine.register_channel_sender(account, number, |_| {});
                registered.await.err().map(|fault| fault.code)
            } else {
                let registered = engine.register_number(account, number, |_| {});
                registered.await.err().map(|fault| fault.code)
            };
            assert_eq!(code, refused, "{account} {number} {is_whatsapp}");
        }
    }

    #[tokio::test]
    async fn a_full_pool_takes_senders_of_other_kinds() {
        let test = engine_with(Arc::new(MemoryStore::new()), |setup| {
            setup.limits.pool_size_max = 1;
        });
        let engine = &test.engine;
        let (account, _) = engine.create_main_account(None, None, "A").await.unwrap();
        let service = engine.create_service(account.sid, |_| {}).await.unwrap();
        let mut numbers = Vec::new();
        for number in ["+14155550101", "+14155550102"] {
            let number = PhoneNumber::parse(number).unwrap();
            let number = engine.register_number(account.sid, number, |_| {}).await;
            numbers.push(NewPoolEntry::Number(number.unwrap().sid));
        }
        let alphas =
            ["Shop", "News"].map(|id| NewPoolEntry::Alpha(AlphaSenderId::parse(id).unwrap()));
        let full = Some(ErrorCode::ServicePoolFull);
        for (entry, refused) in [
            (&alphas[0], None),
            (&numbers[0], None),
            (&numbers[1], full),
            (&alphas[1], full),
        ] {
            let added = engine.add_to_pool(service.sid, entry.clone()).await;
            assert_eq!(added.err().map(|fault| fault.code), refused, "{entry:?}");
        }
    }
}
