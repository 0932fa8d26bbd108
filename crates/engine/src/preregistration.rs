//! The pre-registration alert: what it means to send from an alpha sender that is not registered.

use std::sync::Arc;

use postrider_core::country::{self, Country, Preregistration};
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::Message;
use postrider_core::sender::AlphaSenderId;
use postrider_core::settings::{Account, RegisteredSender};
use serde::Deserialize;

use crate::Coverage;
use crate::accept::Acceptor;
use crate::alerts::{Alerts, Details};

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

pub(crate) fn sentence(from: &str, country: Country, wish: Preregistration) -> String {
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
