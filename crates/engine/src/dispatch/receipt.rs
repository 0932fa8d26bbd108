//! Receipts: which message each is about, and what to do when none is known yet.
//!
//! Looked for in memory first, then in the store. A receipt may be faster than the answer to its
//! submit, so one that finds nothing is *parked*: stored, acknowledged, and tried again with every
//! answer that comes in. The carrier is answered only when what it told us is durable.
//!
//! An id alone may stand for several messages: carriers give ids again after a while, and where the
//! operator did not say how a carrier writes them, a decimal receipt may be about a hexadecimal id.
//! Of all messages that an id may mean, the one to the receipt's handset is meant; a guess counts
//! only with that. See `docs/carriers.md`, *Matching receipts*.
//!
//! A receipt is never matched by its handset alone. It is tempting where the answer to a submit was
//! lost, but with two messages to one handset it reports the wrong one delivered, and that one is
//! then never sent (the simulation found it).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use postrider_carriers::{AckToken, CarrierNo, Receipt, ReceiptState, Ticket};
use postrider_core::clock::Millis;
use postrider_core::lifecycle::Event;
use postrider_core::message::Message;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::Id;
use postrider_store::{Change, ParkedReceipt, Store, Submitted, SubmittedKey};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::live::{Live, Stage};
use super::{Deferred, Dispatch, Read};

/// How often parked receipts are looked after.
pub(super) const SWEEP_MS: Millis = 60_000;

/// A parked receipt nobody claimed is reported and dropped after this.
const PARKED_MAX_MS: Millis = 72 * 3_600_000;

/// Carrier ids are unique only for a time: older messages do not count.
const ID_LIFE_MS: Millis = 7 * 24 * 3_600_000;

/// Parked receipts kept at once of one group of carriers; beyond, its oldest goes.
const PARKED_COUNT_MAX: usize = 100_000;

/// Lookups in the store at once, and receipts waiting for one before the carriers have to wait.
const FINDS_MAX: usize = 32;
pub(super) const FINDS_WAITING_MAX: usize = 4_096;

/// What receipts are matched by.
#[derive(Default)]
pub(super) struct Receipts {
    /// Ids of messages in memory that carriers gave, and to which segments.
    expected: FxHashMap<SubmittedKey, SmallVec<[(Id, u16); 1]>>,
    /// The reverse, to forget by.
    keys: FxHashMap<Id, Vec<SubmittedKey>>,
    /// Ids whose message left memory while a read of the store was on its way: the read may not
    /// know them yet. With the number of the next read at the time, and oldest first.
    left: FxHashMap<SubmittedKey, u64>,
    left_order: VecDeque<(u64, SubmittedKey)>,
    parked: BTreeMap<u64, ParkedReceipt>,
    parked_by_key: FxHashMap<SubmittedKey, SmallVec<[u64; 1]>>,
    parked_by_group: FxHashMap<Arc<str>, BTreeSet<u64>>,
    next_parked: u64,
    /// Submissions with an unknown outcome, as long as an answer may still come.
    unanswered: BTreeMap<Ticket, Id>,
}

/// A message that a receipt may be about.
struct Match {
    id: Id,
    segment: u16,
    /// Nothing speaks against it, and nothing in the store can be a better match.
    is_sure: bool,
}

/// A receipt whose message is being looked up.
#[derive(Debug)]
pub(super) struct Pending {
    carrier: CarrierNo,
    receipt: Receipt,
    ack: AckToken,
}

impl Receipts {
    pub(super) fn restore(&mut self, parked: Vec<ParkedReceipt>) {
        for receipt in parked {
            self.park(receipt);
        }
    }

    /// The carrier gave these ids to a message's segments.
    pub(super) fn expect(&mut self, id: Id, submitted: &[Submitted]) {
        for entry in submitted {
            let owners = self.expected.entry(entry.key.clone()).or_default();
            owners.push((id, entry.segment));
            self.keys.entry(id).or_default().push(entry.key.clone());
        }
    }

    /// The message left memory. `next_read` is the number of the next read, if any is under way.
    pub(super) fn forget(&mut self, id: Id, next_read: Option<u64>) {
        for key in self.keys.remove(&id).unwrap_or_default() {
            if let Some(next_read) = next_read {
                self.left.insert(key.clone(), next_read);
                self.left_order.push_back((next_read, key.clone()));
            }
            if let Some(owners) = self.expected.get_mut(&key) {
                owners.retain(|(owner, _)| *owner != id);
                if owners.is_empty() {
                    self.expected.remove(&key);
                }
            }
        }
    }

    /// One of the ids left memory after this read was begun.
    fn has_left(&self, keys: &[SubmittedKey], read: u64) -> bool {
        keys.iter().any(|key| {
            let left = self.left.get(key);
            left.is_some_and(|&next_read| next_read > read)
        })
    }

    /// Forgets what left before the oldest read still on its way was begun.
    pub(super) fn prune_left(&mut self, oldest_read: u64) {
        while let Some((next_read, key)) = self.left_order.front()
            && *next_read <= oldest_read
        {
            if self.left.get(key) == Some(next_read) {
                self.left.remove(key);
            }
            self.left_order.pop_front();
        }
    }

    pub(super) fn unanswered(&mut self, ticket: Ticket, id: Id) {
        self.unanswered.insert(ticket, id);
    }

    pub(super) fn unanswered_message(&self, ticket: Ticket) -> Option<Id> {
        self.unanswered.get(&ticket).copied()
    }

    pub(super) fn take_unanswered(&mut self, ticket: Ticket) -> Option<Id> {
        self.unanswered.remove(&ticket)
    }

    fn park(&mut self, receipt: ParkedReceipt) {
        self.next_parked = self.next_parked.max(receipt.parked + 1);
        for candidate in &receipt.candidates {
            let key = SubmittedKey {
                group: receipt.group.clone(),
                carrier_id: candidate.clone(),
            };
            let waiting = self.parked_by_key.entry(key).or_default();
            waiting.push(receipt.parked);
        }
        let group = self.parked_by_group.entry(receipt.group.clone());
        group.or_default().insert(receipt.parked);
        self.parked.insert(receipt.parked, receipt);
    }

    fn unpark(&mut self, parked: u64) -> Option<ParkedReceipt> {
        let receipt = self.parked.remove(&parked)?;
        for candidate in &receipt.candidates {
            let key = SubmittedKey {
                group: receipt.group.clone(),
                carrier_id: candidate.clone(),
            };
            if let Some(waiting) = self.parked_by_key.get_mut(&key) {
                waiting.retain(|other| *other != parked);
                if waiting.is_empty() {
                    self.parked_by_key.remove(&key);
                }
            }
        }
        if let Some(group) = self.parked_by_group.get_mut(&receipt.group) {
            group.remove(&parked);
        }
        Some(receipt)
    }
}

impl Dispatch {
    /// A receipt arrived.
    pub(super) fn receipt(
        &mut self,
        carrier: CarrierNo,
        receipt: Receipt,
        ack: AckToken,
        now_ms: Millis,
    ) {
        self.metrics.receipts.inc();
        if receipt.state == ReceiptState::Intermediate || receipt.candidates.is_empty() {
            self.after.push(Deferred::Ack(carrier, ack));
            return;
        }
        if let Some(known) = self.expected_for(carrier, &receipt)
            && known.is_sure
        {
            self.apply_receipt(known.id, known.segment, &receipt, now_ms);
            self.after.push(Deferred::Ack(carrier, ack));
            return;
        }
        self.unfinished_finds.push_back(Pending {
            carrier,
            receipt,
            ack,
        });
    }

    /// The message in memory that a receipt is most likely about.
    fn expected_for(&self, carrier: CarrierNo, receipt: &Receipt) -> Option<Match> {
        let group = self.group_of(carrier);
        let is_only_form = receipt.candidates.len() == 1;
        let mut best = None;
        for (guess, candidate) in receipt.candidates.iter().enumerate() {
            let key = SubmittedKey {
                group: group.clone(),
                carrier_id: candidate.clone(),
            };
            let owners = self.receipts.expected.get(&key);
            let owners = owners.map_or(&[][..], SmallVec::as_slice);
            for &(id, segment) in owners {
                let Some(live) = self.live.get(id) else {
                    continue;
                };
                let agrees = receipt.handset.map(|to| is_to(&live.message, to.digits()));
                if guess > 0 && agrees != Some(true) {
                    continue;
                }
                let is_open = !live.message.status.is_final();
                let rank = (
                    agrees == Some(true),
                    is_open,
                    Reverse(guess),
                    id,
                    Reverse(segment),
                );
                if best.as_ref().is_none_or(|(other, _)| *other < rank) {
                    let is_alone = is_only_form && owners.len() == 1;
                    let is_sure = agrees.unwrap_or(true) || is_alone;
                    best = Some((
                        rank,
                        Match {
                            id,
                            segment,
                            is_sure,
                        },
                    ));
                }
            }
        }
        best.map(|(_, found)| found)
    }

    /// What a receipt's message may be stored under, most literal first.
    fn keys_of(&self, carrier: CarrierNo, receipt: &Receipt) -> Vec<SubmittedKey> {
        let group = self.group_of(carrier);
        let candidates = receipt.candidates.iter().cloned();
        candidates
            .map(|carrier_id| SubmittedKey {
                group: group.clone(),
                carrier_id,
            })
            .collect()
    }

    /// Begins to look up the messages of receipts that memory does not know.
    pub(super) fn find_unknown(&mut self, now_ms: Millis, effects: &mut Vec<super::Effect>) {
        while now_ms >= self.finds_from_ms
            && self.finds_under_way < FINDS_MAX
            && let Some(pending) = self.unfinished_finds.pop_front()
        {
            self.finds_under_way += 1;
            let keys = self.keys_of(pending.carrier, &pending.receipt);
            let since_ms = now_ms - ID_LIFE_MS;
            let handset = pending.receipt.handset;
            let to = handset.map(|handset| handset.to_string().into());
            let load = self.begin_read(Read::Find(Box::new(pending)));
            effects.push(super::Effect::Find {
                load,
                keys,
                to,
                since_ms,
            });
        }
    }

    /// The store's answer.
    pub(super) fn found(&mut self, load: u64, found: Option<(Box<Message>, u16)>, now_ms: Millis) {
        let Some(Read::Find(pending)) = self.reads.remove(&load) else {
            return;
        };
        self.finds_under_way -= 1;
        let Pending {
            carrier,
            receipt,
            ack,
        } = *pending;
        // Memory may have learnt of it meanwhile, and knows better than what was read.
        let mut known = self.expected_for(carrier, &receipt);
        let found = found.filter(|(message, _)| {
            let agrees = |to: PhoneNumber| is_to(message, to.digits());
            let is_sure = known.as_ref().is_some_and(|known| known.is_sure);
            !is_sure && (known.is_none() || receipt.handset.is_some_and(agrees))
        });
        // It left memory while we were reading: what was read is old. Read again.
        let is_old = match &found {
            Some((message, _)) => {
                let id = message.sid.id;
                self.live.get(id).is_none() && self.live.has_left(id, load)
            }
            None if known.is_none() => {
                let keys = self.keys_of(carrier, &receipt);
                self.receipts.has_left(&keys, load)
            }
            None => false,
        };
        if is_old {
            self.end_read(load);
            self.unfinished_finds.push_back(Pending {
                carrier,
                receipt,
                ack,
            });
            return;
        }
        if let Some((message, segment)) = found {
            let id = message.sid.id;
            if self.live.get(id).is_none() {
                self.adopt_sent(*message, carrier);
            }
            known = Some(Match {
                id,
                segment,
                is_sure: true,
            });
        }
        self.end_read(load);
        match known {
            Some(known) => self.apply_receipt(known.id, known.segment, &receipt, now_ms),
            None => self.park(carrier, &receipt, now_ms),
        }
        self.after.push(Deferred::Ack(carrier, ack));
        self.trim_sent();
    }

    /// A message that was sent long ago comes back for its receipt.
    fn adopt_sent(&mut self, message: Message, carrier: CarrierNo) {
        let id = message.sid.id;
        let mut live = Live::new(message, carrier);
        live.stage = Stage::Sent;
        live.message.body = "".into();
        self.live.insert(live);
        self.live.set_stage(id, Stage::Sent);
    }

    fn apply_receipt(&mut self, id: Id, segment: u16, receipt: &Receipt, now_ms: Millis) {
        let event = Event::Receipt {
            segment,
            is_delivered: receipt.state == ReceiptState::Delivered,
            error: receipt.error,
        };
        let done_date = receipt.done_date.clone();
        self.apply_with(id, &event, smallvec::SmallVec::new(), done_date, now_ms);
    }

    fn park(&mut self, carrier: CarrierNo, receipt: &Receipt, now_ms: Millis) {
        self.metrics.parked_receipts.inc();
        let parked = ParkedReceipt {
            parked: self.receipts.next_parked,
            received_ms: now_ms,
            group: self.group_of(carrier),
            candidates: receipt.candidates.clone(),
            handset: receipt.handset.map(PhoneNumber::digits),
            is_delivered: receipt.state == ReceiptState::Delivered,
            error: receipt.error,
            done_date: receipt.done_date.clone(),
        };
        self.changes.push(Change::Park(parked.clone()));
        let group = parked.group.clone();
        self.receipts.park(parked);
        let of_group = self.receipts.parked_by_group.get(&group);
        let oldest = of_group
            .filter(|group| group.len() > PARKED_COUNT_MAX)
            .and_then(|group| group.first().copied());
        if let Some(oldest) = oldest {
            self.drop_parked(oldest);
        }
    }

    /// A carrier's id became known: receipts may have been waiting for it.
    pub(super) fn unpark_for(&mut self, key: &SubmittedKey, now_ms: Millis) {
        let waiting = self.receipts.parked_by_key.get(key);
        for parked in waiting.cloned().unwrap_or_default() {
            self.claim_parked(parked, key, IdAlone::Doubtful, now_ms);
        }
    }

    /// Gives a parked receipt to the message that `key` stands for, if it is about that one.
    fn claim_parked(
        &mut self,
        parked: u64,
        key: &SubmittedKey,
        id_alone: IdAlone,
        now_ms: Millis,
    ) -> bool {
        let (Some(receipt), Some(owners)) = (
            self.receipts.parked.get(&parked),
            self.receipts.expected.get(key),
        ) else {
            return false;
        };
        let is_for_handset = |id: Id| {
            let live = self.live.get(id);
            receipt
                .handset
                .is_some_and(|digits| live.is_some_and(|live| is_to(&live.message, digits)))
        };
        let is_literal = receipt.candidates.first() == Some(&key.carrier_id);
        let may_go_by_id = is_literal
            && (receipt.handset.is_none()
                || receipt.candidates.len() == 1
                || id_alone == IdAlone::Enough);
        // The newest owner of the id is its last.
        let owner = owners
            .iter()
            .rev()
            .find(|(id, _)| is_for_handset(*id))
            .or_else(|| owners.last().filter(|_| may_go_by_id));
        let Some(&(id, segment)) = owner else {
            return false;
        };
        let Some(receipt) = self.receipts.unpark(parked) else {
            return false;
        };
        self.changes.push(Change::Unpark { parked });
        let event = Event::Receipt {
            segment,
            is_delivered: receipt.is_delivered,
            error: receipt.error,
        };
        let none = SmallVec::new();
        self.apply_with(id, &event, none, receipt.done_date, now_ms);
        true
    }

    /// Drops what nobody claimed in three days. What names a handset that no message with its id
    /// went to has waited for a better match by now, and goes by its id.
    pub(super) fn sweep_parked(&mut self, now_ms: Millis) {
        let mut old = Vec::new();
        let mut waited = Vec::new();
        for receipt in self.receipts.parked.values() {
            let age_ms = now_ms - receipt.received_ms;
            if age_ms > PARKED_MAX_MS {
                old.push(receipt.parked);
            } else if age_ms >= SWEEP_MS
                && let Some(literal) = receipt.candidates.first()
            {
                let key = SubmittedKey {
                    group: receipt.group.clone(),
                    carrier_id: literal.clone(),
                };
                if self.receipts.expected.contains_key(&key) {
                    waited.push((receipt.parked, key));
                }
            }
        }
        for (parked, key) in waited {
            self.claim_parked(parked, &key, IdAlone::Enough, now_ms);
        }
        for parked in old {
            self.drop_parked(parked);
        }
    }

    fn drop_parked(&mut self, parked: u64) {
        if self.receipts.unpark(parked).is_some() {
            self.metrics.orphaned_receipts.inc();
            self.changes.push(Change::Unpark { parked });
        }
    }
}

/// Whether an id is enough although the receipt names another handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdAlone {
    Enough,
    /// Another message may be meant.
    Doubtful,
}

/// Whether the message went to the handset with these digits.
fn is_to(message: &Message, digits: u64) -> bool {
    message.to.strip_prefix('+').and_then(|to| to.parse().ok()) == Some(digits)
}

/// The message in the store that a receipt is about: to its handset by any of the ids that it may
/// mean, literal first; otherwise the newest that has the literal id.
pub fn find_receipted(
    store: &dyn Store,
    keys: &[SubmittedKey],
    to: Option<&str>,
    since_ms: Millis,
) -> postrider_store::Result<Option<(Message, u16)>> {
    if let Some(to) = to {
        for key in keys {
            let found = store.find_submitted(key, Some(to), since_ms)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    match keys.first() {
        Some(literal) => store.find_submitted(literal, None, since_ms),
        None => Ok(None),
    }
}
