//! Which alpha senders an account has registered with a country's carriers, and what it means to send
//! from one that is not.

use std::sync::Arc;

use postrider_core::country::{self, Country, Preregistration};
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::Message;
use postrider_core::sender::AlphaSenderId;
use postrider_core::settings::{Account, Document, RegisteredSender, RegistrationStatus};
use postrider_core::sid::{AccountSid, RegisteredSenderSid};
use postrider_store::DocumentChange;
use serde::Deserialize;

use crate::Engine;
use crate::accept::Acceptor;
use crate::alerts::{Alerts, Details};
use crate::reach::Coverage;

/// What the operator wants of senders: the `[compliance]` section of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compliance {
    /// Whether a message fails where the pre-registration alert could be raised, whoever asked for that.
    pub refuse_unregistered_alpha: bool,
}

impl Acceptor {
    /// Whether a request that names an alpha sender, and no service, names one that should be registered in
    /// the country, and is not: what selection tells of a service's senders.
    pub(crate) fn is_unregistered(
        &self,
        account: &Account,
        sender: &AlphaSenderId,
        country: Country,
    ) -> bool {
        let known = || self.directory.registration(account.sid, sender, country);
        let is_valid = |entry: Arc<RegisteredSender>| entry.is_valid(self.clock.now_ms());
        self.coverage.load().preregistration(country).is_advisable()
            && !known().is_some_and(is_valid)
    }

    /// As the operator wants it of such a request.
    pub(crate) fn refuse_unregistered(
        &self,
        account: &Account,
        sender: &AlphaSenderId,
        country: Country,
    ) -> Result<(), Fault> {
        if !self.is_unregistered(account, sender, country) {
            return Ok(());
        }
        let wish = self.coverage.load().preregistration(country);
        let text = sentence(sender.as_str(), country, wish);
        Err(Fault::because(ErrorCode::SenderIdNotRegistered, text))
    }
}

/// Warns of a message that is about to leave from a sender that should be registered.
pub(crate) fn warn(
    alerts: &Alerts,
    coverage: &Coverage,
    message: &Message,
    country: Option<Country>,
) {
    let (Some(service), Some(from), Some(country)) = (message.service, &message.from, country)
    else {
        return;
    };
    let scope = format!("{service}/{from}/{country}");
    let code = ErrorCode::PreregistrationWanted;
    alerts.raise(message.account, code, &scope, || Details {
        resource: Some(message.sid.to_string().into()),
        service: Some(service),
        text: Some(sentence(from, country, coverage.preregistration(country)).into()),
        ..Details::default()
    });
}

fn sentence(from: &str, country: Country, wish: Preregistration) -> String {
    let row = country::capabilities(country);
    let name = row.map_or("this country", |row| row.name);
    let wish = match wish {
        Preregistration::Required => "require registration",
        Preregistration::Conditional => "require registration of some senders",
        _ => "recommend registration",
    };
    format!(
        "The sender {from} is not recorded as registered in {name} ({country}), where carriers {wish}"
    )
}

impl Engine {
    /// Records a registration. The account's same sender and country again updates the record.
    pub async fn register_sender(
        &self,
        account: AccountSid,
        sender: AlphaSenderId,
        country: Country,
        change: impl FnOnce(&mut RegisteredSender) + Send,
    ) -> Result<Arc<RegisteredSender>, Fault> {
        let lock = self.settings_lock().await;
        let now_ms = self.now_ms();
        let known = self.directory().registration(account, &sender, country);
        let mut entry = match known {
            Some(known) => RegisteredSender::clone(&known),
            None => RegisteredSender {
                sid: RegisteredSenderSid(self.ids().next()),
                account,
                sender,
                country,
                status: RegistrationStatus::default(),
                valid_until_ms: None,
                created_ms: now_ms,
                updated_ms: now_ms,
            },
        };
        change(&mut entry);
        entry.updated_ms = now_ms;
        let sid = entry.sid;
        let put = DocumentChange::Put(Document::RegisteredSender(entry));
        self.write_settings(lock, vec![put]).await?;
        self.registered_sender(sid)
    }

    pub async fn update_registered_sender(
        &self,
        sid: RegisteredSenderSid,
        change: impl FnOnce(&mut RegisteredSender) + Send,
    ) -> Result<Arc<RegisteredSender>, Fault> {
        let lock = self.settings_lock().await;
        let mut entry = RegisteredSender::clone(&*self.registered_sender(sid)?);
        change(&mut entry);
        entry.updated_ms = self.now_ms();
        let put = DocumentChange::Put(Document::RegisteredSender(entry));
        self.write_settings(lock, vec![put]).await?;
        self.registered_sender(sid)
    }

    pub async fn delete_registered_sender(&self, sid: RegisteredSenderSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let entry = RegisteredSender::clone(&*self.registered_sender(sid)?);
        let key = Document::RegisteredSender(entry).key();
        self.write_settings(lock, vec![DocumentChange::Delete(key)])
            .await
    }

    fn registered_sender(&self, sid: RegisteredSenderSid) -> Result<Arc<RegisteredSender>, Fault> {
        self.directory().registered_sender(sid).ok_or_else(|| {
            let text = format!("The requested registered sender {sid} was not found");
            Fault::because(ErrorCode::NotFound, text)
        })
    }
}
