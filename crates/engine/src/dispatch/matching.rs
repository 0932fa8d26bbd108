//! Which message is a receipt about, when its id may mean several?
//!
//! Carriers give ids again after a while, and where the operator did not say how a carrier writes
//! them, a decimal receipt may be about a hexadecimal id. Of all messages that an id may mean, one to
//! the receipt's handset is meant; a guess counts only with that. Between several of those the
//! carrier's [`TrackRecord`] decides. What fits badly waits: its own message may not be known yet,
//! because receipts overtake answers. Ruled by `docs/carriers.md`, *Matching receipts*.

use std::cmp::Reverse;
use std::sync::Arc;

use postrider_carriers::Receipt;
use postrider_carriers::correlation::Reading;
use postrider_core::clock::Millis;
use postrider_core::message::{AccountNo, Message};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::privacy::{mask, may_be};
use postrider_core::sid::Id;
use postrider_store::{Cursor, MessageFilter, ParkedReceipt, Store, SubmittedKey};
use smallvec::SmallVec;

use super::Dispatch;
use super::receipt::HasWaited;
use super::track_record::TrackRecord;
use crate::metrics::MatchedBy;

/// What a receipt says of its message.
pub(super) struct Question<'a> {
    group: &'a Arc<str>,
    /// Most literal first.
    candidates: &'a [Box<str>],
    handset: Option<u64>,
}

impl<'a> Question<'a> {
    pub(super) fn of(group: &'a Arc<str>, receipt: &'a Receipt) -> Self {
        Self {
            group,
            candidates: &receipt.candidates,
            handset: receipt.handset.map(PhoneNumber::digits),
        }
    }

    pub(super) fn of_parked(receipt: &'a ParkedReceipt) -> Self {
        Self {
            group: &receipt.group,
            candidates: &receipt.candidates,
            handset: receipt.handset,
        }
    }

    pub(super) fn key(&self, candidate: &str) -> SubmittedKey {
        SubmittedKey {
            group: self.group.clone(),
            carrier_id: candidate.into(),
        }
    }

    /// What its message may be stored under, most literal first.
    pub(super) fn keys(&self) -> Vec<SubmittedKey> {
        let candidates = self.candidates.iter();
        candidates.map(|candidate| self.key(candidate)).collect()
    }

    /// Whether the message went to the receipt's handset, where it names one.
    pub(super) fn agrees(&self, message: &Message) -> Option<bool> {
        let digits = self.handset?;
        let handset = format!("+{digits}");
        if *message.to == *handset {
            return Some(true);
        }
        // Of one that is final and masked nobody can tell any more.
        (!may_be(&message.to, &handset)).then_some(false)
    }

    /// `None` where the id can be read in one way only.
    fn reading(&self, candidate: &str) -> Option<Reading> {
        let is_guess = self.candidates.len() > 1;
        is_guess.then(|| Reading::of(&self.candidates[0], candidate))
    }
}

/// A message that a receipt may be about.
pub(super) struct Match {
    pub(super) id: Id,
    pub(super) segment: u16,
    pub(super) fit: Fit,
    /// How the id was read to find it; `None` where there was no choice.
    pub(super) reading: Option<Reading>,
    agrees: Option<bool>,
    /// Of which the receipt speaks.
    handset: Option<u64>,
    /// Read in another way, the id means another open message to the same handset.
    is_ambiguous: bool,
}

impl Match {
    fn matched_by(&self) -> MatchedBy {
        match self.reading {
            None => MatchedBy::Certain,
            Some(_) if self.is_ambiguous => MatchedBy::Ambiguous,
            Some(_) if self.agrees != Some(true) => MatchedBy::IdAlone,
            Some(Reading::AsWritten) => MatchedBy::AsWritten,
            Some(Reading::DecimalToHexadecimal) => MatchedBy::DecimalToHexadecimal,
            Some(Reading::HexadecimalToDecimal) => MatchedBy::HexadecimalToDecimal,
        }
    }
}

/// How well a message fits its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Nothing speaks against it, and nothing in the store can be a better match.
    Sure,
    /// Nothing speaks against it.
    Likely,
    /// The handset is right, but this carrier's ids are usually read in another way. It waits
    /// while an answer is owed that may name a better match.
    Unusual,
    /// Another handset, or none with an id that this carrier would mean otherwise.
    IdAlone,
}

/// What the store knows of a receipt.
#[derive(Debug)]
pub struct Receipted {
    pub message: Box<Message>,
    pub segment: u16,
    /// The id it was found under.
    pub carrier_id: Box<str>,
}

impl Dispatch {
    /// The message in memory that a receipt is most likely about.
    pub(super) fn expected_for(&self, question: &Question<'_>) -> Option<Match> {
        let usual = self.usual_reading(question);
        let mut best = None;
        let mut meant: SmallVec<[Id; 2]> = SmallVec::new();
        for (guess, candidate) in question.candidates.iter().enumerate() {
            let owners = self.receipts.expected.get(&question.key(candidate));
            let owners = owners.map_or(&[][..], SmallVec::as_slice);
            if owners.is_empty() {
                continue;
            }
            let reading = question.reading(candidate);
            for &(id, segment) in owners {
                let Some(live) = self.live.get(id) else {
                    continue;
                };
                let agrees = question.agrees(&live.message);
                if guess > 0 && agrees != Some(true) {
                    continue;
                }
                let is_open = !live.message.status.is_final();
                if is_open && agrees == Some(true) && !meant.contains(&id) {
                    meant.push(id);
                }
                let rank = (
                    agrees == Some(true),
                    usual.is_some() && reading == usual,
                    is_open,
                    Reverse(guess),
                    id,
                    Reverse(segment),
                );
                if best.as_ref().is_none_or(|(other, _)| *other < rank) {
                    let found = Match {
                        id,
                        segment,
                        fit: match fit(reading, usual, agrees, owners.len()) {
                            Fit::Sure if reading.is_some() && is_masked(question, agrees) => {
                                Fit::Unusual
                            }
                            fit => fit,
                        },
                        reading,
                        agrees,
                        handset: question.handset,
                        is_ambiguous: false,
                    };
                    best = Some((rank, found));
                }
            }
        }
        let (_, mut best) = best?;
        best.is_ambiguous = best.reading.is_some() && meant.len() > 1;
        // Of two guesses neither is one.
        let is_guess = best
            .reading
            .is_some_and(|reading| reading != Reading::AsWritten);
        let is_settled = usual.is_some() && best.reading == usual;
        (!best.is_ambiguous || !is_guess || is_settled).then_some(best)
    }

    /// How well what the store found fits.
    pub(super) fn weigh_found(&self, question: &Question<'_>, found: &Receipted) -> Match {
        let reading = question.reading(&found.carrier_id);
        let agrees = question.agrees(&found.message);
        let fit = match fit(reading, self.usual_reading(question), agrees, 1) {
            // Ten thousand handsets have this mask: a message to the right one may become known yet.
            Fit::Sure if reading.is_some() && is_masked(question, agrees) => Fit::Unusual,
            // Nothing better was found in memory or in the store.
            Fit::Sure => Fit::Likely,
            fit => fit,
        };
        Match {
            id: found.message.sid.id,
            segment: found.segment,
            fit,
            reading,
            agrees,
            handset: question.handset,
            is_ambiguous: false,
        }
    }

    /// Whether a receipt goes to this message now.
    pub(super) fn is_good_enough(
        &self,
        group: &Arc<str>,
        found: &Match,
        has_waited: HasWaited,
    ) -> bool {
        match found.fit {
            Fit::Sure | Fit::Likely => true,
            Fit::Unusual => {
                has_waited == HasWaited::Yes || !self.is_answer_owed(group, found.handset)
            }
            Fit::IdAlone => {
                let record = self.receipts.track_records.get(group);
                record.is_some_and(TrackRecord::trusts_id_alone)
            }
        }
    }

    /// Whether a message to this handset has no answer yet: the receipt may have overtaken it, and its
    /// id may be that message's.
    fn is_answer_owed(&self, group: &Arc<str>, handset: Option<u64>) -> bool {
        let Some(handset) = handset else {
            return true;
        };
        self.is_in_doubt_to(&(group.clone(), handset))
            || self.tickets.values().any(|hand_over| {
                self.handset_of(hand_over.id)
                    .is_none_or(|(_, other)| other == handset)
            })
    }

    /// A receipt goes to this message: it counts, and the carrier's track record grows.
    pub(super) fn note_match(&mut self, group: &Arc<str>, found: &Match, now_ms: Millis) {
        let Some(live) = self.live.get(found.id) else {
            return;
        };
        let carrier = usize::from(live.lane.0);
        self.carriers[carrier].matched.count(found.matched_by());
        // What was submitted twice has two ids, and one may happen to be a reading of the other.
        let is_evidence = !live.message.is_possible_duplicate;
        let Some(reading) = found.reading.filter(|_| is_evidence) else {
            return;
        };
        let record = self.receipts.track_record(group);
        if found.is_ambiguous {
            record.ambiguous(group, now_ms);
        } else if found.agrees == Some(true) {
            record.agreed(group, reading);
        }
    }

    /// A receipt would go to this message if there were nothing better.
    pub(super) fn note_doubt(&mut self, group: &Arc<str>, found: &Match, now_ms: Millis) {
        if found.fit == Fit::IdAlone && found.agrees == Some(false) {
            self.receipts
                .track_record(group)
                .contradicted(group, now_ms);
        }
    }

    fn usual_reading(&self, question: &Question<'_>) -> Option<Reading> {
        if question.candidates.len() < 2 {
            return None;
        }
        let record = self.receipts.track_records.get(question.group)?;
        record.usual()
    }

    /// The place of the candidate to try first in the store.
    pub(super) fn usual_candidate(&self, question: &Question<'_>) -> usize {
        let Some(usual) = self.usual_reading(question) else {
            return 0;
        };
        let mut candidates = question.candidates.iter();
        let place = candidates.position(|candidate| question.reading(candidate) == Some(usual));
        place.unwrap_or_default()
    }
}

/// The receipt names a handset, and nobody can tell whether it is the message's.
fn is_masked(question: &Question<'_>, agrees: Option<bool>) -> bool {
    question.handset.is_some() && agrees.is_none()
}

/// How well one of `owners` messages of an id fits.
fn fit(
    reading: Option<Reading>,
    usual: Option<Reading>,
    agrees: Option<bool>,
    owners: usize,
) -> Fit {
    let Some(reading) = reading else {
        // The id is all that is needed, unless it was given again.
        return if agrees != Some(false) || owners == 1 {
            Fit::Sure
        } else {
            Fit::Likely
        };
    };
    let is_usual = usual.unwrap_or(Reading::AsWritten) == reading;
    match agrees {
        Some(true) | None if is_usual => Fit::Sure,
        Some(true) if usual.is_none() => Fit::Likely,
        Some(true) => Fit::Unusual,
        None | Some(false) => Fit::IdAlone,
    }
}

/// The message in the store that a receipt is about: to its handset by any of the ids that it may
/// mean, the usual one (`first`) before the others, literal first; otherwise the newest that has the
/// literal id.
pub fn find_receipted(
    store: &dyn Store,
    keys: &[SubmittedKey],
    first: usize,
    to: Option<&str>,
    since_ms: Millis,
) -> postrider_store::Result<Option<Receipted>> {
    let find = |key: &SubmittedKey, to| {
        let found = store.find_submitted(key, to, since_ms)?;
        Ok(found.map(|(message, segment)| Receipted {
            message: Box::new(message),
            segment,
            carrier_id: key.carrier_id.clone(),
        }))
    };
    if to.is_some() {
        for key in keys.get(first).into_iter().chain(keys) {
            let found = find(key, to)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    match keys.first() {
        Some(literal) => find(literal, None),
        None => Ok(None),
    }
}

/// The account's newest messages to a handset, those among them that may be to it too because their
/// records have its number masked.
pub fn find_others(
    store: &dyn Store,
    account: AccountNo,
    to: &str,
    limit: usize,
) -> postrider_store::Result<Vec<Message>> {
    let mut others = Vec::new();
    for to in [to.into(), mask(to)] {
        let filter = MessageFilter {
            account: Some(account),
            to: Some(to),
            ..MessageFilter::default()
        };
        others.extend(store.list(&filter, Cursor::Start, limit)?);
    }
    others.sort_unstable_by_key(|message| Reverse(message.sid.id));
    others.truncate(limit);
    Ok(others)
}
