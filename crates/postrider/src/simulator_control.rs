//! The simulated carrier's orders, as the API has them, in the carrier's own words.

use postrider_carriers::RefusalClass;
use postrider_carriers::simulator::{Behavior, Rule, SimulatorHandle, Unanswered};
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_server::{
    Handset, HandsetMessage, SimulatedOutcome, SimulatorControl, SimulatorRule,
};

/// The API's door to a simulated carrier.
pub(crate) struct Control(pub(crate) SimulatorHandle);

impl SimulatorControl for Control {
    fn add_rule(&self, rule: SimulatorRule) {
        self.0.set_rule(Rule {
            to: rule.to.into(),
            behavior: behavior(rule.outcome, rule.error),
            delay_ms: u32::try_from(rule.delay_ms).unwrap_or(u32::MAX),
            times: rule.times,
        });
    }

    fn handset(&self, number: PhoneNumber) -> Handset {
        let messages = self
            .0
            .handset(number)
            .into_iter()
            .map(|message| HandsetMessage {
                from: message.from.to_string(),
                body: message.body.to_string(),
                segments: message.segments,
                received_ms: message.received_ms,
            });
        Handset {
            messages: messages.collect(),
        }
    }
}

fn behavior(outcome: SimulatedOutcome, error: Option<ErrorCode>) -> Behavior {
    match outcome {
        SimulatedOutcome::Delivered => Behavior::Delivered,
        SimulatedOutcome::Undelivered => {
            Behavior::Undelivered(error.unwrap_or(ErrorCode::HandsetUnreachable))
        }
        SimulatedOutcome::Rejected => Behavior::Rejected {
            code: error.unwrap_or(ErrorCode::MessageFiltered),
            class: RefusalClass::Fail,
        },
        SimulatedOutcome::LostReceipt => Behavior::LostReceipt,
        SimulatedOutcome::Throttle => Behavior::Throttle { per_second: 0 },
        SimulatedOutcome::Unknown => Behavior::Unknown(Unanswered::Lost),
    }
}
