//! `[[carriers]]`: each table says by its `kind` what it is, and the rest is that kind's own.

use std::sync::Arc;

use postrider_carriers::smpp::config::RequestReceipts;
use postrider_carriers::{ReceiptSegments, simulator, smpp};
use postrider_core::lifecycle::ReceiptParts;
use postrider_engine::dispatch::CarrierPolicy;
use serde::Deserialize;

use super::problem::{Problem, nearest};

/// One carrier.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Carrier {
    Smpp(Box<smpp::Config>),
    Simulator(simulator::Config),
}

impl Carrier {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Smpp(config) => &config.name,
            Self::Simulator(config) => &config.name,
        }
    }

    /// SMPP knows SMS only.
    pub(crate) fn carries_whatsapp(&self) -> bool {
        match self {
            Self::Smpp(_) => false,
            Self::Simulator(_) => true,
        }
    }

    /// What the engine must know of it.
    pub(crate) fn policy(&self) -> CarrierPolicy {
        let name = self.name();
        match self {
            Self::Smpp(config) => CarrierPolicy {
                name: name.into(),
                // Ids come from the account at the carrier, whichever bind they came over.
                group: format!("smpp://{}@{}", config.system_id, config.host).into(),
                unknown_outcome: config.unknown_outcome,
                receipt_parts: parts(awaited(config)),
                keep_receipts: config.keep_receipts,
            },
            Self::Simulator(config) => CarrierPolicy {
                name: name.into(),
                group: Arc::from(format!("simulator://{name}")),
                unknown_outcome: config.unknown_outcome,
                receipt_parts: parts(config.receipt_segments),
                // They never were octets.
                keep_receipts: false,
            },
        }
    }

    /// The same with default policies: what a running carrier cannot change.
    #[must_use]
    pub(crate) fn without_policy(&self) -> Self {
        let mut carrier = self.clone();
        let (unknown_outcome, receipt_segments) = match &mut carrier {
            Self::Smpp(config) => (&mut config.unknown_outcome, &mut config.receipt_segments),
            Self::Simulator(config) => (&mut config.unknown_outcome, &mut config.receipt_segments),
        };
        (*unknown_outcome, *receipt_segments) = Default::default();
        if let Self::Smpp(config) = &mut carrier {
            config.keep_receipts = false;
        }
        carrier
    }

    /// Checks what can be checked without a connection.
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Smpp(config) => config
                .compile()
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Simulator(config) => config.check().map_err(|error| error.to_string()),
        }
    }
}

/// Segments whose receipts decide. A receipt that is not asked for never comes, so where only the last
/// segment's is, "all" means that one.
fn awaited(config: &smpp::Config) -> ReceiptSegments {
    match (config.request_receipts, config.receipt_segments) {
        (RequestReceipts::LastSegment, ReceiptSegments::All) => ReceiptSegments::Last,
        (_, segments) => segments,
    }
}

/// The status machine's word for it.
fn parts(segments: ReceiptSegments) -> ReceiptParts {
    match segments {
        ReceiptSegments::All => ReceiptParts::All,
        ReceiptSegments::Any => ReceiptParts::Any,
        ReceiptSegments::First => ReceiptParts::First,
        ReceiptSegments::Last => ReceiptParts::Last,
    }
}

/// The names that there are.
pub(super) fn names(carriers: &[Carrier]) -> Vec<&str> {
    if carriers.is_empty() {
        // Without carriers, the simulator stands in under its default name.
        return vec!["simulator"];
    }
    carriers.iter().map(Carrier::name).collect()
}

/// What is wrong with a name that is none of these.
pub(super) fn no_carrier(name: &str, known: &[&str]) -> Option<String> {
    if known.contains(&name) {
        return None;
    }
    let hint = nearest(name, known);
    let hint = hint.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
    Some(format!("there is no carrier \"{name}\"{hint}"))
}

pub(super) fn check(carriers: &[Carrier], problems: &mut Vec<Problem>) {
    for (index, carrier) in carriers.iter().enumerate() {
        let name = carrier.name();
        let mut wrong = |problem: Problem| problems.push(problem.within("carriers"));
        if let Err(text) = carrier.check() {
            let names_itself = if name.is_empty() {
                String::new()
            } else {
                format!(" ({name})")
            };
            wrong(Problem::at(format!("[{index}]{names_itself}"), text));
        } else if name.is_empty() {
            wrong(Problem::at("name", "is required and not given").within_element(index));
        }
        let is_known = carriers[..index]
            .iter()
            .any(|earlier| earlier.name() == name);
        if is_known {
            let text = format!("given \"{name}\" a second time, expected a name of its own");
            wrong(Problem::at("name", text).within_element(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_that_are_not_asked_for_are_not_waited_for() {
        for (request_receipts, receipt_segments, expected) in [
            (
                RequestReceipts::All,
                ReceiptSegments::All,
                ReceiptParts::All,
            ),
            (
                RequestReceipts::All,
                ReceiptSegments::Last,
                ReceiptParts::Last,
            ),
            (
                RequestReceipts::LastSegment,
                ReceiptSegments::All,
                ReceiptParts::Last,
            ),
            (
                RequestReceipts::LastSegment,
                ReceiptSegments::Any,
                ReceiptParts::Any,
            ),
            // Some carriers are asked on the last segment and answer for the first.
            (
                RequestReceipts::LastSegment,
                ReceiptSegments::First,
                ReceiptParts::First,
            ),
            (
                RequestReceipts::LastSegment,
                ReceiptSegments::Last,
                ReceiptParts::Last,
            ),
            (
                RequestReceipts::Failures,
                ReceiptSegments::All,
                ReceiptParts::All,
            ),
            (
                RequestReceipts::None,
                ReceiptSegments::All,
                ReceiptParts::All,
            ),
        ] {
            let carrier = Carrier::Smpp(Box::new(smpp::Config {
                request_receipts,
                receipt_segments,
                ..smpp::Config::default()
            }));
            let row = format!("{request_receipts:?} {receipt_segments:?}");
            assert_eq!(carrier.policy().receipt_parts, expected, "{row}");
        }
    }
}
