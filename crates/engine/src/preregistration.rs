//! The pre-registration alert: what it means to send from an alpha sender that is not registered.

use postrider_core::country::{self, Country, Preregistration};
use postrider_core::error_code::ErrorCode;
use postrider_core::message::Message;
use serde::Deserialize;

use crate::Coverage;
use crate::alerts::{Alerts, Details};

/// What the operator wants of senders: the `[compliance]` section of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compliance {
    /// Whether a message fails instead, where the pre-registration alert would be raised.
    pub refuse_unregistered_alpha: bool,
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
