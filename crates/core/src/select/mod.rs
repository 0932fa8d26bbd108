//! Sender selection: which sender of the pool a message goes out from, and why.
//!
//! [`select`] is a pure function. Pool, settings, recipient, loads and sticky mapping come in as
//! arguments; out comes a [`Decision`] that names the winner, the rule that chose it, and for every
//! other candidate the rule that removed it. See `docs/sender-selection.md`.

mod candidates;
mod decision;
mod facts;
mod fate;
mod groups;
mod pool;
mod procedure;
mod ranking;
#[cfg(any(test, feature = "testing"))]
pub mod reference;
mod rule;
mod scaler;
mod stored;
#[cfg(test)]
mod tests;

pub use decision::{
    Broken, Candidate, CandidateOutcome, Decision, Outcome, Removed, Step, StickyAction,
};
pub use facts::{
    Channel, Detail, Facts, Idle, Loads, PublicReach, QueueLoad, Reach, Recipient, Served,
    Settings, StickyMapping,
};
pub use groups::{Edition, Group, Member};
pub use pool::{Pool, PoolSender, SenderKind};
pub use ranking::{Ranking, Standing};
pub use rule::Rule;
pub use scaler::{Order, Scaled};
pub use stored::UnreadableDecision;

use crate::error_code::ErrorCode;
use crate::message::SenderNo;
use candidates::{Carriage, Selection};
use procedure::Course;

/// Chooses the sender of one message.
///
/// The error is an answer to the request: the pool is empty (21704), or the sender that the request
/// names is not in it (21711). A message that was accepted and finds no sender is a [`Decision`] too,
/// with [`Outcome::None`].
pub fn select(
    pool: &Pool,
    facts: &Facts<'_>,
    loads: &impl Loads,
    reach: &impl Reach,
) -> Result<Decision, ErrorCode> {
    let Some(from) = facts.from else {
        if pool.is_empty() {
            return Err(ErrorCode::ServicePoolEmpty);
        }
        let own = facts.recipient.own_address();
        return Ok(match pool.find(&own).next() {
            None => choose(pool, facts, loads, reach),
            Some(own) => choose_among_others(own.no, pool, facts, loads, reach),
        });
    };
    let selection = Selection::new(pool, facts, loads, reach);
    // Senders may share an address: the one that fits the message best is meant.
    let only = |sender| (sender, selection.for_one(sender));
    let namesakes = || pool.find(from).map(only);
    let (sender, selection) = namesakes()
        .find(|(sender, selection)| selection.barrier(sender).is_none())
        .or_else(|| namesakes().next())
        .ok_or(ErrorCode::SenderNotInService)?;
    Ok(selection.decide(&selection.run_named(sender)))
}

fn choose(pool: &Pool, facts: &Facts<'_>, loads: &impl Loads, reach: &impl Reach) -> Decision {
    let selection = Selection::new(pool, facts, loads, reach);
    selection.decide(&selection.run())
}

/// A number does not text itself: it is chosen from a pool without that one. The pool is copied, which
/// takes a while, and happens when somebody texts their own number.
fn choose_among_others(
    own: SenderNo,
    pool: &Pool,
    facts: &Facts<'_>,
    loads: &impl Loads,
    reach: &impl Reach,
) -> Decision {
    let mut others = pool.clone();
    others.remove(own);
    let facts = &Facts {
        // From a time before this was a rule. There is no such mapping.
        mapping: facts.mapping.filter(|mapping| mapping.sender != own),
        ..*facts
    };
    let mut decision = choose(&others, facts, &Walked(loads), reach);
    // It is told last.
    let rule = Rule::OwnNumber;
    if facts.detail == Detail::Compact && decision.removed.len() >= fate::LISTED_MAX {
        decision.unlisted.push((rule, 1));
    } else {
        decision.removed.push(Removed { sender: own, rule });
    }
    decision
}

/// Loads without rankings: those are kept by the edition of a group, and the groups of a copy have
/// editions that the pool itself gives to others.
struct Walked<'a, L>(&'a L);

impl<L: Loads> Loads for Walked<'_, L> {
    fn mappings(&self, sender: SenderNo, position: u64) -> u64 {
        self.0.mappings(sender, position)
    }

    fn queue(&self, sender: SenderNo) -> QueueLoad {
        self.0.queue(sender)
    }
}

impl<L: Loads, R: Reach> Selection<'_, L, R> {
    fn decide(&self, course: &Course) -> Decision {
        let losers = self.losers(course);
        let rule = course.path.last().map(|step| step.rule);
        Decision {
            outcome: match (course.winner, rule) {
                (Some(winner), Some(rule)) => Outcome::Chosen {
                    sender: winner.no,
                    rule,
                },
                (Some(_) | None, _) => Outcome::None {
                    error: course.error,
                },
            },
            path: course.path.clone(),
            recipient_country: self.facts.recipient.country,
            recipient_area_code: self.facts.recipient.area_code,
            recipient_network: self.facts.recipient.network,
            sticky: course.sticky,
            is_converted_to_sms: self.carriage == Carriage::ConvertedMedia,
            warning: self.warning(course),
            removed: losers.removed,
            unlisted: losers.unlisted,
        }
    }

    /// The pre-registration alert: an alpha sender was chosen, by whichever rule, that should be
    /// registered and is not.
    fn warning(&self, course: &Course) -> Option<ErrorCode> {
        if !self.facts.settings.preregistration_alert {
            return None;
        }
        let winner = self.pool.get(course.winner?.no)?;
        let country = self.facts.recipient.country?;
        let is_wanted = matches!(
            winner.kind,
            SenderKind::Alpha | SenderKind::DestinationAlpha
        ) && self.reach.preregistration(country).is_advisable()
            && !self.reach.is_registered(winner.no, country);
        is_wanted.then_some(ErrorCode::PreregistrationWanted)
    }
}
