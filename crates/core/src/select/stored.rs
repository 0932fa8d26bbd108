//! The stored form of a decision: a few dozen bytes beside the message.
//!
//! Its first byte is a version, so that old messages stay explainable when the form changes: a decision
//! with the recipient's network is of version 2, all others are of version 1 still. Numbers are LEB128 varints; the senders that one rule removed are ascending, and all but the first are
//! stored as differences. A pool of a dozen takes about forty bytes.
//!
//! | field | bytes |
//! |---|---|
//! | version | 1 |
//! | flags: chosen, converted, warning, country, area code, network | 1 |
//! | sender, or error code | varint |
//! | recipient country, if any | 2 |
//! | recipient area code, if any | varint |
//! | recipient network, if any (version 2): country code, network code | varint each |
//! | sticky action | 1 |
//! | warning, if any | varint |
//! | path: count, then rule and number left | 1 + (1 + varint) each |
//! | removed: count of rules, then rule, count, senders | 1 + (1 + varint + varints) each |
//! | unlisted, to the end: rule and count | (1 + varint) each |

use smallvec::SmallVec;

use super::decision::{Broken, Decision, Outcome, Removed, Step, StickyAction};
use super::rule::Rule;
use crate::country::Country;
use crate::error_code::ErrorCode;
use crate::message::SenderNo;
use crate::nanp::AreaCode;
use crate::network::Network;

/// Without the recipient's network.
const VERSION_1: u8 = 1;
/// With it.
const VERSION_2: u8 = 2;

const CHOSEN: u8 = 1;
const CONVERTED: u8 = 1 << 1;
const WARNING: u8 = 1 << 2;
const COUNTRY: u8 = 1 << 3;
const AREA_CODE: u8 = 1 << 4;
const NETWORK: u8 = 1 << 5;

/// Bytes that are no stored decision, or one of a later version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a stored decision of a version that this release knows")]
pub struct UnreadableDecision;

impl Decision {
    pub fn to_bytes(&self) -> Box<[u8]> {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend([self.version(), self.flags()]);
        match self.outcome {
            Outcome::Chosen { sender, .. } => put(&mut bytes, sender.0),
            Outcome::None { error } => put(&mut bytes, error.code()),
        }
        if let Some(country) = self.recipient_country {
            bytes.extend(country.as_str().bytes());
        }
        if let Some(area_code) = self.recipient_area_code {
            put(&mut bytes, area_code.number().into());
        }
        if let Some(network) = self.recipient_network {
            put(&mut bytes, network.mcc().into());
            put(&mut bytes, network.mnc().into());
        }
        bytes.push(sticky_number(self.sticky));
        if let Some(warning) = self.warning {
            put(&mut bytes, warning.code());
        }
        put_len(&mut bytes, self.path.len());
        for step in &self.path {
            bytes.push(step.rule as u8);
            put(&mut bytes, step.left);
        }
        self.put_removed(&mut bytes);
        for &(rule, count) in &self.unlisted {
            bytes.push(rule as u8);
            put(&mut bytes, count);
        }
        bytes.into_boxed_slice()
    }

    fn version(&self) -> u8 {
        match self.recipient_network {
            Some(_) => VERSION_2,
            None => VERSION_1,
        }
    }

    fn flags(&self) -> u8 {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        flag(self.chosen().is_some(), CHOSEN)
            | flag(self.is_converted_to_sms, CONVERTED)
            | flag(self.warning.is_some(), WARNING)
            | flag(self.recipient_country.is_some(), COUNTRY)
            | flag(self.recipient_area_code.is_some(), AREA_CODE)
            | flag(self.recipient_network.is_some(), NETWORK)
    }

    fn put_removed(&self, bytes: &mut Vec<u8>) {
        let groups = || self.removed.chunk_by(|a, b| a.rule == b.rule);
        put_len(bytes, groups().count());
        for group in groups() {
            bytes.push(group[0].rule as u8);
            put_len(bytes, group.len());
            let mut previous = 0;
            for removed in group {
                put(bytes, removed.sender.0 - previous);
                previous = removed.sender.0;
            }
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UnreadableDecision> {
        Reader(bytes).decision().ok_or(UnreadableDecision)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn decision(&mut self) -> Option<Decision> {
        if !matches!(self.byte()?, VERSION_1 | VERSION_2) {
            return None;
        }
        let flags = self.byte()?;
        let subject = self.number()?;
        let recipient_country = match flags & COUNTRY {
            0 => None,
            _ => Some(self.country()?),
        };
        let recipient_area_code = match flags & AREA_CODE {
            0 => None,
            _ => Some(AreaCode::new(self.number()?.try_into().ok()?)?),
        };
        let recipient_network = match flags & NETWORK {
            0 => None,
            _ => Some(self.network()?),
        };
        let sticky = sticky_from(self.byte()?)?;
        let warning = match flags & WARNING {
            0 => None,
            _ => Some(ErrorCode::try_from(self.number()?).ok()?),
        };
        let path = self.path()?;
        let outcome = match flags & CHOSEN {
            0 => Outcome::None {
                error: ErrorCode::try_from(subject).ok()?,
            },
            _ => Outcome::Chosen {
                sender: SenderNo(subject),
                rule: path.last()?.rule,
            },
        };
        Some(Decision {
            outcome,
            path,
            recipient_country,
            recipient_area_code,
            recipient_network,
            sticky,
            is_converted_to_sms: flags & CONVERTED != 0,
            warning,
            removed: self.removed()?,
            unlisted: self.unlisted()?,
        })
    }

    fn path(&mut self) -> Option<SmallVec<[Step; 4]>> {
        let steps = self.number()?;
        (0..steps)
            .map(|_| {
                Some(Step {
                    rule: self.rule()?,
                    left: self.number()?,
                })
            })
            .collect()
    }

    fn removed(&mut self) -> Option<SmallVec<[Removed; 12]>> {
        let mut removed = SmallVec::new();
        for _ in 0..self.number()? {
            let rule = self.rule()?;
            let mut sender = 0_u32;
            for _ in 0..self.number()? {
                sender = sender.checked_add(self.number()?)?;
                removed.push(Removed {
                    sender: SenderNo(sender),
                    rule,
                });
            }
        }
        Some(removed)
    }

    fn unlisted(&mut self) -> Option<SmallVec<[(Rule, u32); 4]>> {
        let mut unlisted = SmallVec::new();
        while !self.0.is_empty() {
            unlisted.push((self.rule()?, self.number()?));
        }
        Some(unlisted)
    }

    fn rule(&mut self) -> Option<Rule> {
        Rule::from_u8(self.byte()?)
    }

    fn country(&mut self) -> Option<Country> {
        let letters = [self.byte()?, self.byte()?];
        Country::parse(str::from_utf8(&letters).ok()?)
    }

    fn network(&mut self) -> Option<Network> {
        let mcc = self.number()?.try_into().ok()?;
        let mnc = self.number()?.try_into().ok()?;
        Network::new(mcc, mnc).ok()
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0_u32;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            let bits = u32::from(byte & 0x7F);
            if bits > u32::MAX >> shift {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

fn put_len(bytes: &mut Vec<u8>, len: usize) {
    put(bytes, u32::try_from(len).unwrap_or(u32::MAX));
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a varint takes seven bits at a time"
)]
fn put(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The action in the tens, why the mapping broke in the ones.
fn sticky_number(action: StickyAction) -> u8 {
    match action {
        StickyAction::Ignore => 0,
        StickyAction::Touch => 10,
        StickyAction::Keep => 20,
        StickyAction::Write => 30,
        StickyAction::Replace(broken) => 40 + broken_number(broken),
        StickyAction::Delete(broken) => 50 + broken_number(broken),
    }
}

fn broken_number(broken: Broken) -> u8 {
    match broken {
        Broken::Expired => 0,
        Broken::LeftPool => 1,
        Broken::NotCompliant => 2,
        Broken::Foreign => 3,
    }
}

fn sticky_from(number: u8) -> Option<StickyAction> {
    let simple = [
        StickyAction::Ignore,
        StickyAction::Touch,
        StickyAction::Keep,
        StickyAction::Write,
    ];
    let broken = [
        Broken::Expired,
        Broken::LeftPool,
        Broken::NotCompliant,
        Broken::Foreign,
    ];
    let because = broken
        .into_iter()
        .flat_map(|broken| [StickyAction::Replace(broken), StickyAction::Delete(broken)]);
    simple
        .into_iter()
        .chain(because)
        .find(|&action| sticky_number(action) == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the release before networks wrote it: +14155550199 from the second sender by its area code;
    /// the first one lost, and four of other countries.
    const OLD: [u8; 19] = [
        1, 0b11001, 2, b'U', b'S', 0x9F, 0x03, 30, 2, 6, 2, 9, 1, 1, 48, 1, 1, 47, 4,
    ];

    #[test]
    fn what_an_older_release_wrote_is_read() {
        let decision = Decision::from_bytes(&OLD).unwrap();
        assert_eq!(decision.chosen(), Some(SenderNo(2)));
        assert_eq!(decision.recipient_country, Some(Country::US));
        assert_eq!(decision.recipient_area_code, AreaCode::new(415));
        assert_eq!(decision.recipient_network, None);
        assert_eq!(*decision.to_bytes(), OLD);
    }

    #[test]
    fn a_network_is_kept_and_named() {
        let decision = Decision {
            recipient_network: "310-260".parse().ok(),
            ..Decision::from_bytes(&OLD).unwrap()
        };
        let bytes = decision.to_bytes();
        assert_eq!(bytes[0], VERSION_2);
        assert_eq!(bytes.len(), OLD.len() + 4);
        let read = Decision::from_bytes(&bytes).unwrap();
        assert_eq!(
            read.reason(Rule::NetworkNotServed),
            "it does not serve the recipient's network 310-260"
        );
        assert_eq!(read, decision);
    }
}
