//! The settings of one `[[carriers]]` table with `kind = "simulator"`. Unknown keys are errors. Every
//! key is explained in `docs/simulator.md`.

use postrider_core::error_code::ErrorCode;
use serde::Deserialize;

use super::random::Random;
use super::rule::{Behavior, Unanswered};
use crate::contract::{ReceiptSegments, RefusalClass, UnknownOutcome};

/// A simulated carrier as the operator writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the carrier in routes, logs and metrics. Default "simulator".
    pub name: String,
    /// Least and most milliseconds from the answer to a submit until its receipt; each segment draws
    /// its own. `[0, 0]` for benchmarks. Default [20, 200].
    pub latency_ms: [u32; 2],
    /// Least and most milliseconds from a submit to its answer. Default [0, 0].
    pub answer_ms: [u32; 2],
    /// Segments per second it takes; more are answered as throttled. 0 means no limit. Default 0.
    pub throughput: u32,
    /// Pause after a throttle answer, in milliseconds. Default 200.
    pub throttle_ms: u32,
    /// Segments that may be unanswered at once. Default 5000.
    pub capacity: u32,
    /// Links it claims to have. Default 1.
    pub links: u32,
    /// A receipt or reply that is not acknowledged comes again after this many milliseconds.
    /// Default 10000.
    pub redelivery_ms: u32,
    /// Handsets it remembers; the one that was silent longest is forgotten first. 0 remembers
    /// nothing, for benchmarks. Default 10000.
    pub handsets: u32,
    /// Messages it remembers of each handset. Default 100.
    pub handset_messages: u32,
    /// How often messages without a rule go wrong. Default never.
    pub odds: Odds,
    /// Start of its random numbers: the same seed and the same messages give the same events, but
    /// for the ids. Default: another one at each start.
    pub seed: Option<u64>,
    /// Which segments' receipts decide: "all", "any", "first", "last". Default "all".
    pub receipt_segments: ReceiptSegments,
    /// What to do with a submit that was never answered: "resend" or "fail". Default "resend".
    pub unknown_outcome: UnknownOutcome,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "simulator".to_owned(),
            latency_ms: [20, 200],
            answer_ms: [0, 0],
            throughput: 0,
            throttle_ms: 200,
            capacity: 5_000,
            links: 1,
            redelivery_ms: 10_000,
            handsets: 10_000,
            handset_messages: 100,
            odds: Odds::default(),
            seed: None,
            receipt_segments: ReceiptSegments::default(),
            unknown_outcome: UnknownOutcome::default(),
        }
    }
}

/// Probabilities, from 0 to 1, that a message without a rule fares so. What they leave of 1 is
/// delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Odds {
    pub undelivered: f64,
    pub rejected: f64,
    pub lost_receipt: f64,
    pub early_receipt: f64,
    pub duplicate_receipt: f64,
    pub throttle: f64,
    /// No answer; as often as not the handset gets the message.
    pub unknown: f64,
    /// The links drop for a second.
    pub disconnect: f64,
}

/// How long the links stay down when the odds drop them.
const DISCONNECT_MS: u32 = 1_000;

impl Odds {
    /// Draws what becomes of a message.
    pub(super) fn draw(&self, random: &mut Random) -> Behavior {
        if *self == Self::default() {
            return Behavior::Delivered;
        }
        let lot = random.lot();
        let arrives = random.coin();
        let unanswered = if arrives {
            Unanswered::Arrived
        } else {
            Unanswered::Lost
        };
        let refused = Behavior::Rejected {
            code: ErrorCode::MessageFiltered,
            class: RefusalClass::Fail,
        };
        let behaviors = [
            (
                self.undelivered,
                Behavior::Undelivered(ErrorCode::HandsetUnreachable),
            ),
            (self.rejected, refused),
            (self.lost_receipt, Behavior::LostReceipt),
            (self.early_receipt, Behavior::EarlyReceipt),
            (self.duplicate_receipt, Behavior::DuplicateReceipt),
            (self.throttle, Behavior::Throttle { per_second: 0 }),
            (self.unknown, Behavior::Unknown(unanswered)),
            (
                self.disconnect,
                Behavior::Disconnect {
                    for_ms: DISCONNECT_MS,
                },
            ),
        ];
        let mut upto = 0.0;
        for (odds, behavior) in behaviors {
            upto += odds;
            if lot < upto {
                return behavior;
            }
        }
        Behavior::Delivered
    }

    fn all(&self) -> [(&'static str, f64); 8] {
        [
            ("undelivered", self.undelivered),
            ("rejected", self.rejected),
            ("lost_receipt", self.lost_receipt),
            ("early_receipt", self.early_receipt),
            ("duplicate_receipt", self.duplicate_receipt),
            ("throttle", self.throttle),
            ("unknown", self.unknown),
            ("disconnect", self.disconnect),
        ]
    }
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("`{key}` is [{least}, {most}], expected the smaller number first")]
    Range {
        key: &'static str,
        least: u32,
        most: u32,
    },
    #[error("`{key}` is 0, expected 1 or more")]
    Zero { key: &'static str },
    #[error("`odds.{key}` is {given}, expected 0 to 1")]
    Odds { key: &'static str, given: f64 },
    #[error("the `odds` add up to {sum}, expected at most 1")]
    OddsSum { sum: f64 },
}

impl Config {
    pub fn check(&self) -> Result<(), ConfigError> {
        for (key, [least, most]) in [
            ("latency_ms", self.latency_ms),
            ("answer_ms", self.answer_ms),
        ] {
            if least > most {
                return Err(ConfigError::Range { key, least, most });
            }
        }
        for (key, given) in [
            ("capacity", self.capacity),
            ("links", self.links),
            ("throttle_ms", self.throttle_ms),
            ("redelivery_ms", self.redelivery_ms),
        ] {
            if given == 0 {
                return Err(ConfigError::Zero { key });
            }
        }
        for (key, given) in self.odds.all() {
            if !(0.0..=1.0).contains(&given) {
                return Err(ConfigError::Odds { key, given });
            }
        }
        let sum: f64 = self.odds.all().iter().map(|(_, odds)| odds).sum();
        // Tenths do not add up exactly in binary.
        if sum > 1.0 + 1e-9 {
            return Err(ConfigError::OddsSum { sum });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_the_default() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
        assert_eq!(Config::default().check(), Ok(()));
    }

    /// The page's example is the default, but for its name, its seed and its odds.
    #[test]
    fn the_documented_settings_are_the_defaults() {
        let page = include_str!("../../../../docs/simulator.md");
        let example = page
            .split("```toml")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let mut example: toml::Table = toml::from_str(example).unwrap();
        let carrier = &mut example.get_mut("carriers").unwrap().as_array_mut().unwrap()[0];
        let carrier = carrier.as_table_mut().unwrap();
        assert_eq!(carrier.remove("kind").unwrap().as_str(), Some("simulator"));
        let config: Config = carrier.clone().try_into().unwrap();
        assert_eq!(config.check(), Ok(()));
        let Config {
            name, odds, seed, ..
        } = config.clone();
        assert_eq!(
            config,
            Config {
                name,
                odds,
                seed,
                ..Config::default()
            }
        );
    }

    #[test]
    fn every_key_can_be_set() {
        let config: Config = toml::from_str(
            r#"
            name = "demo"
            latency_ms = [0, 0]
            answer_ms = [1, 5]
            throughput = 100
            throttle_ms = 50
            capacity = 64
            links = 2
            redelivery_ms = 1000
            handsets = 0
            handset_messages = 10
            seed = 7
            receipt_segments = "last"
            unknown_outcome = "fail"
            [odds]
            undelivered = 0.25
            lost_receipt = 0.75
            "#,
        )
        .unwrap();
        assert_eq!(config.check(), Ok(()));
        assert_eq!((config.seed, config.odds.lost_receipt), (Some(7), 0.75));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (text, expected) in [
            (
                "latency_ms = [9, 3]",
                "`latency_ms` is [9, 3], expected the smaller number first",
            ),
            ("capacity = 0", "`capacity` is 0, expected 1 or more"),
            (
                "odds.unknown = 1.5",
                "`odds.unknown` is 1.5, expected 0 to 1",
            ),
            (
                "odds.unknown = nan",
                "`odds.unknown` is NaN, expected 0 to 1",
            ),
            (
                "odds = { unknown = 0.75, rejected = 0.5 }",
                "the `odds` add up to 1.25, expected at most 1",
            ),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            assert_eq!(config.check().unwrap_err().to_string(), expected);
        }
        assert!(toml::from_str::<Config>("latency = 3").is_err());
    }
}
