//! `postrider account`: accounts of a data directory that no server runs on.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use postrider_core::clock::Clock;
use postrider_core::settings::{self, AccountStatus, Document};
use postrider_core::sid::AccountSid;
use postrider_engine::directory::Directory;
use postrider_engine::ids::IdGenerator;
use postrider_engine::secrets::{self, Vault};
use postrider_engine::settings::new_account;
use postrider_store::{DocumentChange, Store};
use serde::Serialize;

use crate::cli::{Account, AccountVerb, Source};
use crate::clock::SystemClock;
use crate::{DONE, instance_key, output, serve, wiring};

pub(crate) fn account(arguments: &Account, is_json: bool) -> anyhow::Result<u8> {
    match &arguments.verb {
        AccountVerb::List { source } => list(&Accounts::open(source)?, is_json)?,
        AccountVerb::Create {
            source,
            friendly_name,
        } => {
            let (sid, token) = Accounts::open_or_create(source)?.create(friendly_name)?;
            print_credentials(sid, &token, is_json)?;
        }
        AccountVerb::Token { sid, source, renew } => {
            let accounts = Accounts::open(source)?;
            let token = if *renew {
                accounts.renew_token(*sid)?
            } else {
                accounts.token(*sid)?
            };
            print_credentials(*sid, &token, is_json)?;
        }
    }
    Ok(DONE)
}

/// A data directory's settings, without an engine.
struct Accounts {
    store: Arc<dyn Store>,
    directory: Directory,
    ids: IdGenerator,
    clock: Arc<dyn Clock>,
}

impl Accounts {
    /// Opens what is there; a mistyped path must not become a new data directory.
    fn open(source: &Source) -> anyhow::Result<Self> {
        let config = serve::read(source)?;
        let directory: PathBuf = config
            .store
            .directory()
            .context("store.url names no directory")?;
        if !directory.join("control.db").exists() {
            bail!("there is no Postrider data in {}", directory.display());
        }
        Self::open_or_create(source)
    }

    fn open_or_create(source: &Source) -> anyhow::Result<Self> {
        let config = serve::read(source)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (_, store, key) = wiring::open_store(&config, clock.clone())?;
        let directory = Directory::load(store.documents()?, Vault::new(&key))?;
        let ids = IdGenerator::new(clock.clone(), instance_key::random()?);
        Ok(Self {
            store,
            directory,
            ids,
            clock,
        })
    }

    fn create(&self, friendly_name: &str) -> anyhow::Result<(AccountSid, String)> {
        let sid = AccountSid(self.ids.next());
        let token = self.ids.auth_token();
        let (now_ms, name) = (self.clock.now_ms(), friendly_name.to_owned());
        let account = new_account(&self.directory, &self.ids, now_ms, sid, None, name, &token);
        self.put(account)?;
        Ok((sid, token))
    }

    fn token(&self, sid: AccountSid) -> anyhow::Result<String> {
        let token = self.directory.auth_token(sid);
        Ok(token
            .with_context(|| format!("there is no account {sid}"))?
            .as_ref()
            .to_owned())
    }

    fn renew_token(&self, sid: AccountSid) -> anyhow::Result<String> {
        let account = self.directory.account(sid);
        let account = account.with_context(|| format!("there is no account {sid}"))?;
        let mut account = settings::Account::clone(&account);
        let token = self.ids.auth_token();
        let mut nonce = [0; 12];
        self.ids.fill(&mut nonce);
        account.auth_token_hash = secrets::hash(&token);
        account.auth_token_sealed = self.directory.vault().seal(&token, nonce);
        // Whoever renews a token wants every other one to be void.
        account.secondary_token = None;
        account.updated_ms = self.clock.now_ms();
        self.put(account)?;
        Ok(token)
    }

    fn put(&self, account: settings::Account) -> anyhow::Result<()> {
        self.store
            .commit_documents(&[DocumentChange::Put(Document::Account(account))], None)?;
        Ok(())
    }
}

#[derive(Serialize)]
struct AccountJson {
    sid: AccountSid,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<AccountSid>,
    friendly_name: String,
    status: &'static str,
}

fn list(accounts: &Accounts, is_json: bool) -> anyhow::Result<()> {
    let accounts: Vec<_> = accounts
        .directory
        .accounts()
        .iter()
        .map(|account| AccountJson {
            sid: account.sid,
            parent: account.parent,
            friendly_name: account.friendly_name.clone(),
            status: status(account.status),
        })
        .collect();
    if is_json {
        return output::json(&accounts);
    }
    for account in accounts {
        let place = account
            .parent
            .map_or_else(String::new, |parent| format!("  of {parent}"));
        let (sid, name, status) = (account.sid, account.friendly_name, account.status);
        output::line(format!("{sid}  {status:<9}  {name}{place}"));
    }
    Ok(())
}

fn status(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::Suspended => "suspended",
        AccountStatus::Closed => "closed",
    }
}

#[derive(Serialize)]
struct Credentials<'a> {
    account_sid: AccountSid,
    auth_token: &'a str,
}

fn print_credentials(
    account_sid: AccountSid,
    auth_token: &str,
    is_json: bool,
) -> anyhow::Result<()> {
    if is_json {
        return output::json(&Credentials {
            account_sid,
            auth_token,
        });
    }
    output::line(format!("account sid: {account_sid}"));
    output::line(format!("auth token:  {auth_token}"));
    Ok(())
}
