//! Receipts: which message each is about, and what to do when none is known yet.
//!
//! Looked for in memory first, then in the store. A receipt may be faster than the answer to its
//! submit, so one that finds nothing is *parked*: stored, acknowledged, and tried again with every
//! answer that comes in. The carrier is answered only when what it told us is durable.
//!
//! A receipt is never matched by its handset alone. It is tempting where the answer to a submit was
//! lost, but with two messages to one handset it reports the wrong one delivered, and that one is
//! then never sent (the simulation found it).

use std::collections::BTreeMap;

use postrider_carriers::{AckToken, CarrierNo, Receipt, ReceiptState, Ticket};
use postrider_core::clock::Millis;
use postrider_core::lifecycle::Event;
use postrider_core::message::Message;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::Id;
use postrider_store::{Change, ParkedReceipt, Submitted, SubmittedKey};
use rustc_hash::FxHashMap;

use super::live::{Live, Stage};
use super::{Deferred, Dispatch, Read};

/// How often parked receipts are looked after.
pub(super) const SWEEP_MS: Millis = 60_000;

/// A parked receipt nobody claimed is reported and dropped after this.
const PARKED_MAX_MS: Millis = 72 * 3_600_000;

/// Carrier ids are unique only for a time: older messages do not count.
const ID_LIFE_MS: Millis = 7 * 24 * 3_600_000;

/// Parked receipts kept at once; beyond, the oldest goes.
const PARKED_COUNT_MAX: usize = 100_000;

/// What receipts are matched by.
#[derive(Default)]
pub(super) struct Receipts {
    /// Ids of messages in memory that carriers gave.
    expected: FxHashMap<SubmittedKey, (Id, u16)>,
    /// The reverse, to forget by.
    keys: FxHashMap<Id, Vec<SubmittedKey>>,
    parked: BTreeMap<u64, ParkedReceipt>,
    parked_by_key: FxHashMap<SubmittedKey, u64>,
    next_parked: u64,
    /// Submissions with an unknown outcome.
    in_doubt: BTreeMap<Ticket, Id>,
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
            self.expected.insert(entry.key.clone(), (id, entry.segment));
            self.keys.entry(id).or_default().push(entry.key.clone());
        }
    }

    /// The message left memory.
    pub(super) fn forget(&mut self, id: Id, live: &Live) {
        for key in self.keys.remove(&id).unwrap_or_default() {
            if self
                .expected
                .get(&key)
                .is_some_and(|(owner, _)| *owner == id)
            {
                self.expected.remove(&key);
            }
        }
        if let Stage::Doubt(ticket) = live.stage {
            self.in_doubt.remove(&ticket);
        }
    }

    pub(super) fn doubt(&mut self, ticket: Ticket, id: Id) {
        self.in_doubt.insert(ticket, id);
    }

    pub(super) fn take_doubt(&mut self, ticket: Ticket) -> Option<Id> {
        self.in_doubt.remove(&ticket)
    }

    fn park(&mut self, receipt: ParkedReceipt) {
        self.next_parked = self.next_parked.max(receipt.parked + 1);
        for candidate in &receipt.candidates {
            let key = SubmittedKey {
                group: receipt.group.clone(),
                carrier_id: candidate.clone(),
            };
            self.parked_by_key.insert(key, receipt.parked);
        }
        self.parked.insert(receipt.parked, receipt);
    }

    fn unpark(&mut self, parked: u64) -> Option<ParkedReceipt> {
        let receipt = self.parked.remove(&parked)?;
        for candidate in &receipt.candidates {
            let key = SubmittedKey {
                group: receipt.group.clone(),
                carrier_id: candidate.clone(),
            };
            if self.parked_by_key.get(&key) == Some(&parked) {
                self.parked_by_key.remove(&key);
            }
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
        if let Some((id, segment)) = self.expected_for(carrier, &receipt) {
            self.apply_receipt(id, segment, &receipt, now_ms);
            self.after.push(Deferred::Ack(carrier, ack));
            return;
        }
        self.unfinished_finds.push(Pending {
            carrier,
            receipt,
            ack,
        });
    }

    /// The message in memory that a receipt is about.
    fn expected_for(&self, carrier: CarrierNo, receipt: &Receipt) -> Option<(Id, u16)> {
        let group = self.group_of(carrier);
        receipt
            .candidates
            .iter()
            .enumerate()
            .find_map(|(guess, candidate)| {
                let key = SubmittedKey {
                    group: group.clone(),
                    carrier_id: candidate.clone(),
                };
                let &(id, segment) = self.receipts.expected.get(&key)?;
                let live = self.live.get(id)?;
                let is_good = guess == 0 || is_for(receipt.handset, &live.message);
                is_good.then_some((id, segment))
            })
    }

    /// Begins to look up the messages of receipts that memory does not know.
    pub(super) fn find_unknown(&mut self, now_ms: Millis, effects: &mut Vec<super::Effect>) {
        for pending in std::mem::take(&mut self.unfinished_finds) {
            let group = self.group_of(pending.carrier);
            let keys = pending
                .receipt
                .candidates
                .iter()
                .map(|candidate| SubmittedKey {
                    group: group.clone(),
                    carrier_id: candidate.clone(),
                });
            let keys = keys.collect();
            let since_ms = now_ms - ID_LIFE_MS;
            let load = self.begin_read(Read::Find(Box::new(pending)));
            effects.push(super::Effect::Find {
                load,
                keys,
                since_ms,
            });
        }
    }

    /// The store's answer.
    pub(super) fn found(&mut self, load: u64, found: Option<(Box<Message>, u16)>, now_ms: Millis) {
        let Some(Read::Find(pending)) = self.reads.remove(&load) else {
            return;
        };
        let Pending {
            carrier,
            receipt,
            ack,
        } = *pending;
        // Memory may have learnt of it meanwhile, and knows better than what was read.
        let mut known = self.expected_for(carrier, &receipt);
        if known.is_none()
            && let Some((message, segment)) = found
        {
            let id = message.sid.id;
            let is_fresh = !self.live.has_left(id, load);
            if self.live.get(id).is_some() {
                known = Some((id, segment));
            } else if is_fresh {
                self.adopt_sent(*message, carrier);
                known = Some((id, segment));
            } else {
                // It left memory while we were reading: what was read is old. Read again.
                self.end_read(load);
                self.unfinished_finds.push(Pending {
                    carrier,
                    receipt,
                    ack,
                });
                return;
            }
        }
        self.end_read(load);
        match known {
            Some((id, segment)) => self.apply_receipt(id, segment, &receipt, now_ms),
            None => self.park(carrier, &receipt, now_ms),
        }
        self.after.push(Deferred::Ack(carrier, ack));
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
        self.receipts.park(parked);
        if self.receipts.parked.len() > PARKED_COUNT_MAX
            && let Some((&oldest, _)) = self.receipts.parked.first_key_value()
        {
            self.drop_parked(oldest);
        }
    }

    /// A carrier's id became known: a receipt may have been waiting for it.
    pub(super) fn unpark_for(&mut self, key: &SubmittedKey, now_ms: Millis) {
        let Some(&parked) = self.receipts.parked_by_key.get(key) else {
            return;
        };
        let Some(&(id, segment)) = self.receipts.expected.get(key) else {
            return;
        };
        let Some(receipt) = self.receipts.parked.get(&parked) else {
            return;
        };
        let is_guess = receipt.candidates.first() != Some(&key.carrier_id);
        let agrees = self.live.get(id).is_some_and(|live| {
            receipt
                .handset
                .is_some_and(|digits| live.message.to.as_ref() == format!("+{digits}"))
        });
        if is_guess && !agrees {
            return;
        }
        let Some(receipt) = self.receipts.unpark(parked) else {
            return;
        };
        self.changes.push(Change::Unpark { parked });
        let event = Event::Receipt {
            segment,
            is_delivered: receipt.is_delivered,
            error: receipt.error,
        };
        self.apply_with(
            id,
            &event,
            smallvec::SmallVec::new(),
            receipt.done_date,
            now_ms,
        );
    }

    pub(super) fn sweep_parked(&mut self, now_ms: Millis) {
        let old = |receipt: &ParkedReceipt| now_ms - receipt.received_ms > PARKED_MAX_MS;
        let gone: Vec<u64> = self
            .receipts
            .parked
            .values()
            .take_while(|receipt| old(receipt))
            .map(|receipt| receipt.parked)
            .collect();
        for parked in gone {
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

fn is_for(handset: Option<PhoneNumber>, message: &Message) -> bool {
    handset.is_some_and(|handset| PhoneNumber::parse(&message.to) == Ok(handset))
}
