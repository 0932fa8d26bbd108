//! Accounts: the first, subaccounts, and what closing one gives up.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{
    Account, AccountStatus, ChannelSender, Document, IncomingNumber, ShortCodeEntry,
};
use postrider_core::sid::AccountSid;
use postrider_store::DocumentChange;

use super::not_found;
use crate::directory::Directory;
use crate::ids::IdGenerator;
use crate::{Engine, secrets};

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
        retention_days: None,
        created_ms: now_ms,
        updated_ms: now_ms,
    }
}

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
}
