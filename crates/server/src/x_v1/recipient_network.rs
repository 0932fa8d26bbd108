//! The recipient's network in questions and in their answers.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::network::Network;
use postrider_engine::networks::{Answer, Finding};
use serde::Serialize;

use crate::date::Iso8601;
use crate::error::Refusal;
use crate::form::Form;

/// `RecipientNetwork`: the network that a question supposes, instead of looking it up.
pub(super) fn supposed(form: &Form<'_>) -> Result<Option<Network>, Refusal> {
    let text = form.text("RecipientNetwork");
    let network = text.map(|text| {
        text.parse().map_err(|error| {
            Fault::because(
                ErrorCode::InvalidParameter,
                format!("'RecipientNetwork': {error}"),
            )
        })
    });
    Ok(network.transpose()?)
}

/// What was told of the recipient's network, and by whom.
#[derive(Serialize)]
pub(super) struct RecipientNetworkJson {
    /// As `310-260`; null where nobody knows it.
    network: Option<String>,
    /// `question`, `table`, `cache` or `http`.
    source: &'static str,
    as_of: Iso8601,
    /// Why a lookup did not tell.
    problem: Option<String>,
}

impl From<Answer> for RecipientNetworkJson {
    fn from(answer: Answer) -> Self {
        Self {
            network: answer.network().map(|network| network.to_string()),
            source: answer.source.as_str(),
            as_of: Iso8601(answer.as_of_ms),
            problem: match answer.finding {
                Finding::Failed(failure) => Some(failure.to_string()),
                Finding::Known(_) | Finding::Unknown => None,
            },
        }
    }
}
