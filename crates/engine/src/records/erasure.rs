//! Erasure: everything that an account and its subaccounts have of one phone number.
//!
//! Walks what there is in small steps and counts. It remembers nothing, so after a crash, or once what is
//! in flight has come to its end, it is asked again and goes on with what is left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::Message;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::WHATSAPP_PREFIX;
use postrider_core::settings::Account;
use postrider_core::sid::{AccountSid, MessageKind, MessageSid};
use postrider_store::{Applied, Change, MessageFilter, PartOf, StickyKey, is_settled};

use super::is_done;
use crate::{Engine, lost_task, receive};

/// Raw receipts looked at in one step. They are written where all messages are, so others wait.
const RAW_RECEIPTS_STEP: usize = 1_000;

/// What was left is named up to here, and counted beyond.
const NAMED_MAX: usize = 1_000;

/// What an erasure did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasure {
    pub messages: u64,
    pub sticky_senders: u64,
    /// Long texts whose segments were kept, to know them should they come again.
    pub long_texts: u64,
    /// Alerts that show nothing of the number any more.
    pub alerts: u64,
    pub raw_receipts: u64,
    /// What could not go yet: the first ones, oldest first in each account.
    pub left: Vec<Left>,
    pub left_count: u64,
}

/// A message that is there still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    pub account: AccountSid,
    pub message: MessageSid,
    pub reason: LeftReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftReason {
    /// It is scheduled, or on its way to a carrier.
    InFlight,
    /// Its application is still to be told of it.
    WebhookDue,
    /// Segments of it are still to come.
    Incomplete,
}

impl LeftReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::WebhookDue => "webhook_due",
            Self::Incomplete => "incomplete",
        }
    }

    fn of(message: &Message) -> Self {
        if is_settled(message.status) {
            Self::WebhookDue
        } else {
            Self::InFlight
        }
    }
}

impl Erasure {
    fn left(&mut self, left: Left) {
        self.left_count += 1;
        if self.left.len() < NAMED_MAX {
            self.left.push(left);
        }
    }
}

impl Engine {
    /// Erases what the account, and its subaccounts, have of a number that is none of their own.
    pub async fn erase(&self, account: AccountSid, number: PhoneNumber) -> Result<Erasure, Fault> {
        let accounts = self.directory().accounts_of(account);
        let owner = self.directory().owner_of(number);
        if owner.is_some_and(|owner| accounts.iter().any(|account| account.sid == owner)) {
            let text = format!(
                "{number} is a number of this account's own; a recipient's number can be erased"
            );
            return Err(Fault::because(ErrorCode::InvalidParameter, text));
        }
        let engine = self.clone();
        // It goes on when the client hangs up: what is begun is better done.
        let erased = tokio::spawn(async move { engine.erase_of(&accounts, number).await });
        erased
            .await
            .unwrap_or_else(|error| Err(lost_task::fault("an erasure", &error)))
    }

    async fn erase_of(
        &self,
        accounts: &[Arc<Account>],
        number: PhoneNumber,
    ) -> Result<Erasure, Fault> {
        let mut erasure = Erasure::default();
        for account in accounts {
            self.erase_messages(account, number, &mut erasure).await?;
            self.erase_sticky_senders(account, number, &mut erasure)
                .await?;
            erasure.alerts += self.erase_from_alerts(account.no, number).await?;
        }
        if erasure.sticky_senders > 0 {
            self.settle_sticky().await?;
        }
        self.erase_segments(accounts, number, &mut erasure).await?;
        erasure.raw_receipts = self.erase_raw_receipts(number).await?;
        // The opt-out list is left as it is: an entry is no record of a message but the user's will, and
        // its events the evidence of it. This is where its numbers become keyed hashes, once the list can
        // be asked by such.
        let main = accounts.first().map(|account| account.sid);
        tracing::info!(
            account_sid = main.map(tracing::field::display),
            messages = erasure.messages,
            left = erasure.left_count,
            "a phone number was erased"
        );
        Ok(erasure)
    }

    async fn erase_messages(
        &self,
        account: &Account,
        number: PhoneNumber,
        erasure: &mut Erasure,
    ) -> Result<(), Fault> {
        let addresses = [number.to_string(), format!("{WHATSAPP_PREFIX}{number}")];
        // One that a handset wrote to itself would be met twice.
        let mut left = BTreeMap::new();
        for address in addresses {
            let address: Box<str> = address.into();
            let of_account = MessageFilter {
                account: Some(account.no),
                ..MessageFilter::default()
            };
            let to = MessageFilter {
                to: Some(address.clone()),
                ..of_account.clone()
            };
            let from = MessageFilter {
                from: Some(address),
                ..of_account
            };
            for filter in [to, from] {
                erasure.messages += self.erase_listed(filter, &mut left).await?;
            }
        }
        for (message, reason) in left {
            erasure.left(Left {
                account: account.sid,
                message,
                reason,
            });
        }
        Ok(())
    }

    async fn erase_listed(
        &self,
        filter: MessageFilter,
        left: &mut BTreeMap<MessageSid, LeftReason>,
    ) -> Result<u64, Fault> {
        let note = |message: &Message| {
            if !is_done(message) {
                left.insert(message.sid, LeftReason::of(message));
            }
        };
        self.forget_listed(filter, Duration::ZERO, note).await
    }

    async fn erase_sticky_senders(
        &self,
        account: &Account,
        recipient: PhoneNumber,
        erasure: &mut Erasure,
    ) -> Result<(), Fault> {
        for service in self.directory().services_of(account.sid) {
            let key = StickyKey {
                service: service.sid,
                recipient,
            };
            let acceptor = self.shared.acceptor.clone();
            let was_there = self.read(move || acceptor.sticky.forget(key)).await?;
            erasure.sticky_senders += u64::from(was_there);
        }
        Ok(())
    }

    /// Segments of long texts from the handset. Those whose message is not made yet are left: it would
    /// be made without them.
    async fn erase_segments(
        &self,
        accounts: &[Arc<Account>],
        number: PhoneNumber,
        erasure: &mut Erasure,
    ) -> Result<(), Fault> {
        let owner = |of: &PartOf| {
            let owner = receive::owner(self.directory(), &of.from, &of.to)?.account;
            let is_asked = accounts.iter().any(|account| account.sid == owner.sid);
            (is_asked && postrider_core::sender::number_of(&of.from) == Some(number))
                .then_some(owner.sid)
        };
        let (forgotten, waiting) = self.shared.reassembly.lock().forget(owner);
        for (message, account) in waiting {
            erasure.left(Left {
                account,
                message: MessageSid {
                    id: message,
                    kind: MessageKind::Sms,
                },
                reason: LeftReason::Incomplete,
            });
        }
        let changes: Vec<_> = forgotten
            .into_iter()
            .map(|message| Change::ForgetParts { message })
            .collect();
        if changes.is_empty() {
            return Ok(());
        }
        let applied = self.shared.committer.commit_all(changes).await;
        let applied = applied.map_err(|_| Fault::new(ErrorCode::Unavailable))?;
        let gone = applied.iter().filter(|applied| **applied == Applied::Yes);
        erasure.long_texts = gone.count() as u64;
        Ok(())
    }

    /// Receipts as carriers sent them say of no account whose they are.
    async fn erase_raw_receipts(&self, number: PhoneNumber) -> Result<u64, Fault> {
        let mut erased = 0;
        let mut after = None;
        loop {
            let store = self.shared.store.clone();
            let digits = number.digits().to_string();
            let step = self.write(move || {
                store.forget_raw_receipts(digits.as_bytes(), after, RAW_RECEIPTS_STEP)
            });
            let step = step.await?;
            erased += step.count;
            after = step.next;
            if after.is_none() {
                return Ok(erased);
            }
        }
    }
}
