//! The simulated carrier's orders, as the API has them, in the carrier's own words.

use parking_lot::RwLock;
use postrider_carriers::RefusalClass;
use postrider_carriers::simulator::{Behavior, Rule, SimulatorHandle, Unanswered};
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_server::{
    Handset, HandsetMessage, SimulatedClass, SimulatedOutcome, SimulatorControl, SimulatorRule,
};

/// The API's door to the first simulated carrier, which a reload may exchange.
pub(crate) struct Control(RwLock<SimulatorHandle>);

impl Control {
    pub(crate) fn new(simulator: SimulatorHandle) -> Self {
        Self(RwLock::new(simulator))
    }

    pub(crate) fn turn_to(&self, simulator: SimulatorHandle) {
        *self.0.write() = simulator;
    }
}

impl SimulatorControl for Control {
    fn add_rule(&self, rule: SimulatorRule) {
        self.0.read().set_rule(Rule {
            to: rule.to.into(),
            behavior: behavior(&rule),
            delay_ms: u32::try_from(rule.delay_ms).unwrap_or(u32::MAX),
            times: rule.times,
        });
    }

    fn handset(&self, number: PhoneNumber) -> Handset {
        let messages = self
            .0
            .read()
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

    fn reply(&self, from: PhoneNumber, to: &SenderAddress, body: &str) -> Result<(), String> {
        let replied = self.0.read().reply(from, to, body);
        replied.map_err(|error| error.to_string())
    }
}

fn behavior(rule: &SimulatorRule) -> Behavior {
    match rule.outcome {
        SimulatedOutcome::Delivered => Behavior::Delivered,
        SimulatedOutcome::Undelivered => {
            Behavior::Undelivered(rule.error.unwrap_or(ErrorCode::HandsetUnreachable))
        }
        SimulatedOutcome::Rejected => Behavior::Rejected {
            code: rule.error.unwrap_or(ErrorCode::MessageFiltered),
            class: class(rule.class),
        },
        SimulatedOutcome::LostReceipt => Behavior::LostReceipt,
        SimulatedOutcome::EarlyReceipt => Behavior::EarlyReceipt,
        SimulatedOutcome::DuplicateReceipt => Behavior::DuplicateReceipt,
        SimulatedOutcome::Throttle => Behavior::Throttle {
            per_second: rule.per_second,
        },
        SimulatedOutcome::Unknown => Behavior::Unknown(Unanswered::Lost),
        SimulatedOutcome::UnknownArrived => Behavior::Unknown(Unanswered::Arrived),
        SimulatedOutcome::AnsweredLate => Behavior::Unknown(Unanswered::AnsweredLate),
        SimulatedOutcome::Disconnect => Behavior::Disconnect {
            for_ms: rule.down_ms,
        },
    }
}

fn class(class: SimulatedClass) -> RefusalClass {
    match class {
        SimulatedClass::Fail => RefusalClass::Fail,
        SimulatedClass::RetrySame => RefusalClass::RetrySame,
        SimulatedClass::RetrySoon => RefusalClass::RetrySoon,
        SimulatedClass::RetryOther => RefusalClass::RetryOther,
        SimulatedClass::Config => RefusalClass::Config,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(outcome: SimulatedOutcome) -> SimulatorRule {
        SimulatorRule {
            to: PhoneNumber::parse("+14155550100").unwrap(),
            outcome,
            error: None,
            class: SimulatedClass::RetryOther,
            per_second: 3,
            down_ms: 400,
            delay_ms: 0,
            times: None,
        }
    }

    /// One row for each outcome of the API's page.
    #[test]
    fn each_outcome_is_a_behavior_of_its_own() {
        let expected = [
            Behavior::Delivered,
            Behavior::Undelivered(ErrorCode::HandsetUnreachable),
            Behavior::Rejected {
                code: ErrorCode::MessageFiltered,
                class: RefusalClass::RetryOther,
            },
            Behavior::LostReceipt,
            Behavior::EarlyReceipt,
            Behavior::DuplicateReceipt,
            Behavior::Throttle { per_second: 3 },
            Behavior::Unknown(Unanswered::Lost),
            Behavior::Unknown(Unanswered::Arrived),
            Behavior::Unknown(Unanswered::AnsweredLate),
            Behavior::Disconnect { for_ms: 400 },
        ];
        let found = SimulatedOutcome::ALL.map(|(_, outcome)| behavior(&rule(outcome)));
        assert_eq!(found, expected);
    }
}
