//! The opt-out list as its owner sees it: read, and changed by what users said elsewhere than in a text.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::opt_out::{ChannelGroup, ListChange, ListKey, ListKeys, Scope};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::Account;
use postrider_core::sid::{ChannelSenderSid, OptOutSid, PhoneNumberSid, ServiceSid, ShortCodeSid};
use postrider_store::{Cursor, OptOutCause, OptOutEntry, OptOutEvent, OptOutFilter, OptOutSource};

use crate::Engine;

/// Whose messages a user wants or does not want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListOwner {
    Service(ServiceSid),
    Sender(SenderAddress),
    Number(PhoneNumberSid),
    ShortCode(ShortCodeSid),
    ChannelSender(ChannelSenderSid),
}

/// What a user said, as somebody tells us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub owner: ListOwner,
    pub channels: ChannelGroup,
    pub user: PhoneNumber,
    pub is_opt_out: bool,
    pub source: OptOutSource,
    pub note: Option<Box<str>>,
    /// When they said it, if that is known.
    pub consent_ms: Option<Millis>,
}

/// Which entries of the list a [`Consent`] changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// Those that STOP or START to the sender would: of a sender in a service, the service's.
    Keyword,
    /// The one entry that is named.
    Entry,
}

/// The account has no such service or sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sender_id is no Messaging Service, number or other sender of this account")]
pub struct UnknownSender;

impl Engine {
    /// Makes what users said durable: for each, whether it changed anything. `actor` is who tells it.
    pub async fn record_consents(
        &self,
        account: &Account,
        actor: &str,
        breadth: Breadth,
        consents: &[Consent],
    ) -> Result<Vec<Result<bool, UnknownSender>>, Fault> {
        let mut events = Vec::with_capacity(consents.len());
        let mut counts = Vec::with_capacity(consents.len());
        for consent in consents {
            let keys = match self.list_scope(account, &consent.owner) {
                None => Err(UnknownSender),
                Some(scope) => Ok(self.keys(scope, breadth, consent).await?),
            };
            let made = keys.map(|keys| {
                events.extend(keys.iter().map(|&key| OptOutEvent {
                    id: self.ids().next(),
                    account: account.no,
                    key,
                    is_blocked: consent.is_opt_out,
                    cause: consent.cause(actor),
                }));
                keys.len()
            });
            counts.push(made);
        }
        let changed = if events.is_empty() {
            Vec::new()
        } else {
            self.change_opt_outs(events).await?
        };
        let mut changed = changed.into_iter();
        let of_each = counts.into_iter().map(|made| {
            let made = made?;
            Ok(changed.by_ref().take(made).fold(false, |any, it| any | it))
        });
        Ok(of_each.collect())
    }

    /// The scope of the account's service or sender.
    pub fn list_scope(&self, account: &Account, owner: &ListOwner) -> Option<Scope> {
        let directory = self.directory();
        match owner {
            ListOwner::Service(sid) => {
                let service = directory.service(*sid)?;
                (service.account == account.sid).then_some(Scope::Service(*sid))
            }
            ListOwner::Sender(SenderAddress::ShortCode(code)) => {
                // Short codes are of a country.
                let entry = directory.short_code_by_digits(account.sid, code, None)?;
                Some(Scope::Sender(entry.sender))
            }
            ListOwner::Sender(address) => {
                let sender = directory.sender_no(account.sid, address)?;
                Some(Scope::Sender(sender))
            }
            ListOwner::Number(sid) => {
                let number = directory.number(*sid)?;
                (number.account == account.sid).then_some(Scope::Sender(number.sender))
            }
            ListOwner::ShortCode(sid) => {
                let code = directory.short_code(*sid)?;
                (code.account == account.sid).then_some(Scope::Sender(code.sender))
            }
            ListOwner::ChannelSender(sid) => {
                let sender = directory.channel_sender(*sid)?;
                (sender.account == account.sid).then_some(Scope::Sender(sender.sender))
            }
        }
    }

    async fn keys(
        &self,
        scope: Scope,
        breadth: Breadth,
        consent: &Consent,
    ) -> Result<Vec<ListKey>, Fault> {
        let named = ListKey {
            scope,
            channels: consent.channels,
            user: consent.user,
        };
        let (Breadth::Keyword, Scope::Sender(sender)) = (breadth, scope) else {
            return Ok(vec![named]);
        };
        let service = self.directory().service_of(sender);
        let keys = ListKeys::new(service, sender, named.channels, named.user);
        let change = if consent.is_opt_out {
            ListChange::Block
        } else {
            ListChange::Unblock
        };
        let acceptor = self.shared.acceptor.clone();
        let standing = self.read(move || acceptor.opt_outs.standing(&keys)).await?;
        let changed = keys.changed_by(change, standing);
        Ok(changed.map(|(key, _)| key).collect())
    }

    /// The account's entries, newest first.
    pub async fn opt_outs(
        &self,
        filter: OptOutFilter,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<OptOutEntry>, Fault> {
        let store = self.shared.store.clone();
        self.read(move || store.opt_outs().list(&filter, cursor, limit))
            .await
    }

    pub async fn opt_out(&self, account: &Account, sid: OptOutSid) -> Result<OptOutEntry, Fault> {
        let store = self.shared.store.clone();
        let found = self.read(move || store.opt_outs().find(sid.0)).await?;
        let own = found.filter(|entry| entry.last.account == account.no);
        own.ok_or_else(|| {
            let text = format!("there is no opt-out {sid}");
            Fault::because(ErrorCode::NotFound, text)
        })
    }

    /// The entry of the account's that a consent names.
    pub async fn opt_out_of(
        &self,
        account: &Account,
        consent: &Consent,
    ) -> Result<Option<OptOutEntry>, Fault> {
        let Some(scope) = self.list_scope(account, &consent.owner) else {
            return Ok(None);
        };
        let filter = OptOutFilter {
            account: account.no,
            scope: Some(scope),
            user: Some(consent.user),
            is_blocked: None,
        };
        let entries = self.opt_outs(filter, Cursor::Start, ChannelGroup::ALL.len());
        let mut entries = entries.await?.into_iter();
        Ok(entries.find(|entry| entry.last.key.channels == consent.channels))
    }

    /// Changes what an entry says; returns it as it is then.
    pub async fn change_opt_out(
        &self,
        account: &Account,
        actor: &str,
        sid: OptOutSid,
        is_opt_out: bool,
        cause: OptOutCause,
    ) -> Result<OptOutEntry, Fault> {
        let entry = self.opt_out(account, sid).await?;
        let event = OptOutEvent {
            id: self.ids().next(),
            account: account.no,
            key: entry.last.key,
            is_blocked: is_opt_out,
            cause: OptOutCause {
                actor: Some(actor.into()),
                ..cause
            },
        };
        self.change_opt_outs(vec![event]).await?;
        self.opt_out(account, sid).await
    }

    /// What changed the account's entries of a user, newest first.
    pub async fn opt_out_history(
        &self,
        account: &Arc<Account>,
        user: PhoneNumber,
        limit: usize,
    ) -> Result<Vec<OptOutEvent>, Fault> {
        let (store, account) = (self.shared.store.clone(), account.no);
        self.read(move || store.opt_outs().history(account, user, limit))
            .await
    }
}

impl Consent {
    fn cause(&self, actor: &str) -> OptOutCause {
        OptOutCause {
            actor: Some(actor.into()),
            note: self.note.clone(),
            consent_ms: self.consent_ms,
            ..OptOutCause::of(self.source)
        }
    }
}
