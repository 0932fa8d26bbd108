//! Receipts: which message each is about, and what to do when none is known yet.
//!
//! Looked for in memory first, then in the store. A receipt may be faster than the answer to its
//! submit, so one that finds nothing is *parked*: stored, acknowledged, and tried again with every
//! answer that comes in. The carrier is answered only when what it told us is durable.
//!
//! Which of the messages that an id may mean is meant, is decided in `matching.rs`. A receipt whose id
//! nobody knows is matched by its handset only where a lost answer explains that, and nothing else was
//! sent there that it could be about (`by_handset.rs`). It is tempting to do so wherever an answer was
//! lost, but with two messages to one handset it reports the wrong one delivered, and that one is then
//! never sent (the simulation found it).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use postrider_carriers::{AckToken, CarrierNo, Receipt, ReceiptState, Ticket};
use postrider_core::clock::Millis;
use postrider_core::lifecycle::Event;
use postrider_core::message::Message;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::Id;
use postrider_store::{Change, ParkedReceipt, RawReason, RawReceipt, Submitted, SubmittedKey};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

use super::by_handset::Handset;
use super::live::{Live, Stage};
use super::matching::{Fit, Match, Question, Receipted};
use super::outcome::SILENCE_MS;
use super::track_record::TrackRecord;
use super::{Deferred, Dispatch, Read, Timer};

/// How often parked receipts are looked after.
pub(super) const SWEEP_MS: Millis = 60_000;

/// A parked receipt nobody claimed is reported and dropped after this.
pub(super) const PARKED_MAX_MS: Millis = 72 * 3_600_000;

/// Carrier ids are unique only for a time: older messages do not count.
const ID_LIFE_MS: Millis = 7 * 24 * 3_600_000;

/// Parked receipts kept at once of one group of carriers; beyond, its oldest goes.
const PARKED_COUNT_MAX: usize = 100_000;

/// Lookups in the store at once.
const FINDS_MAX: usize = 32;

/// Lookups of parked receipts begun at one time.
const LOOK_AGAIN_MAX: usize = 256;

/// What receipts are matched by.
#[derive(Default)]
pub(super) struct Receipts {
    /// Ids of messages in memory that carriers gave, and to which segments.
    pub(super) expected: FxHashMap<SubmittedKey, SmallVec<[(Id, u16); 1]>>,
    /// The reverse, to forget by.
    keys: FxHashMap<Id, Vec<SubmittedKey>>,
    /// Ids whose message left memory while a read of the store was on its way: the read may not
    /// know them yet. With the number of the next read at the time, and oldest first.
    left: FxHashMap<SubmittedKey, u64>,
    left_order: VecDeque<(u64, SubmittedKey)>,
    pub(super) parked: BTreeMap<u64, ParkedReceipt>,
    parked_by_key: FxHashMap<SubmittedKey, SmallVec<[u64; 1]>>,
    parked_by_group: FxHashMap<Arc<str>, BTreeSet<u64>>,
    pub(super) parked_by_handset: FxHashMap<Handset, SmallVec<[u64; 1]>>,
    next_parked: u64,
    /// Parked receipts that the store may know a message for: it did not fit well enough, or was
    /// not asked since the process started.
    pub(super) doubted: VecDeque<u64>,
    /// Receipts that carriers of each group brought, whose message is being looked up.
    looked_up: FxHashMap<Arc<str>, usize>,
    /// How each group's receipts have been read so far.
    pub(super) track_records: FxHashMap<Arc<str>, TrackRecord>,
    /// Submissions with an unknown outcome, as long as an answer may still come.
    unanswered: BTreeMap<Ticket, Id>,
}

/// A receipt whose message is being looked up.
#[derive(Debug)]
pub(super) struct Pending {
    report: ParkedReceipt,
    origin: Origin,
    /// As it came; empty where it is kept already.
    raw: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    /// It came just now, and its number is not chosen yet.
    Carrier(CarrierNo, AckToken),
    Parked,
}

impl Receipts {
    pub(super) fn restore(&mut self, parked: Vec<ParkedReceipt>) {
        for receipt in parked {
            self.doubted.push_back(receipt.parked);
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

    pub(super) fn take_unanswered(&mut self, ticket: Ticket) -> Option<Id> {
        self.unanswered.remove(&ticket)
    }

    pub(super) fn track_record(&mut self, group: &Arc<str>) -> &mut TrackRecord {
        self.track_records.entry(group.clone()).or_default()
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
        if let Some(digits) = receipt.handset {
            let handset = (receipt.group.clone(), digits);
            let waiting = self.parked_by_handset.entry(handset).or_default();
            waiting.push(receipt.parked);
        }
        self.parked.insert(receipt.parked, receipt);
    }

    pub(super) fn unpark(&mut self, parked: u64) -> Option<ParkedReceipt> {
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
        if let Some(digits) = receipt.handset {
            let handset = (receipt.group.clone(), digits);
            if let Some(waiting) = self.parked_by_handset.get_mut(&handset) {
                waiting.retain(|other| *other != parked);
                if waiting.is_empty() {
                    self.parked_by_handset.remove(&handset);
                }
            }
        }
        Some(receipt)
    }
}

impl Dispatch {
    /// A receipt arrived. False if the carrier has to bring it again: too many of its group wait for
    /// their message to be looked up. Others need not suffer from it.
    pub(super) fn receipt(
        &mut self,
        carrier: CarrierNo,
        mut receipt: Receipt,
        ack: AckToken,
        now_ms: Millis,
    ) -> bool {
        let group = self.group_of(carrier);
        let says_nothing =
            receipt.state == ReceiptState::Intermediate || receipt.candidates.is_empty();
        let known = if says_nothing {
            None
        } else {
            self.expected_for(&Question::of(&group, &receipt))
                .filter(|known| known.fit == Fit::Sure)
        };
        let is_unknown = !says_nothing && known.is_none();
        if is_unknown {
            let limit = self.limits.lookups;
            let looked_up = self.receipts.looked_up.entry(group.clone()).or_default();
            if *looked_up >= limit {
                return false;
            }
            *looked_up += 1;
        }
        self.metrics.receipts.inc();
        if let Some(why) = self.reason_to_keep(carrier, &receipt) {
            let raw = std::mem::take(&mut receipt.raw);
            self.keep_raw(carrier, why, raw, now_ms);
        }
        if is_unknown {
            self.look_up(carrier, group, receipt, ack, now_ms);
            return true;
        }
        if let Some(known) = known {
            self.note_match(&group, &known, now_ms);
            self.apply_receipt(known.id, known.segment, &receipt, now_ms);
        }
        self.after.push(Deferred::Ack(carrier, ack));
        true
    }

    /// Its message is not known in memory, or not for sure.
    fn look_up(
        &mut self,
        carrier: CarrierNo,
        group: Arc<str>,
        receipt: Receipt,
        ack: AckToken,
        now_ms: Millis,
    ) {
        self.unfinished_finds.push_back(Pending {
            report: ParkedReceipt {
                parked: 0,
                received_ms: now_ms,
                group,
                candidates: receipt.candidates,
                handset: receipt.handset.map(PhoneNumber::digits),
                is_delivered: receipt.state == ReceiptState::Delivered,
                error: receipt.error,
                done_date: receipt.done_date,
            },
            origin: Origin::Carrier(carrier, ack),
            raw: receipt.raw,
        });
    }

    /// Why a receipt is kept as it came, whatever message it is about.
    fn reason_to_keep(&self, carrier: CarrierNo, receipt: &Receipt) -> Option<RawReason> {
        if receipt.candidates.is_empty() {
            Some(RawReason::NoId)
        } else if !receipt.is_understood {
            Some(RawReason::NotUnderstood)
        } else {
            let policy = &self.carriers[usize::from(carrier.0)].policy;
            policy.keep_receipts.then_some(RawReason::Asked)
        }
    }

    fn keep_raw(&mut self, carrier: CarrierNo, why: RawReason, raw: Box<[u8]>, now_ms: Millis) {
        if raw.is_empty() {
            return;
        }
        let policy = &self.carriers[usize::from(carrier.0)].policy;
        self.changes.push(Change::KeepRaw(RawReceipt {
            received_ms: now_ms,
            carrier: policy.name.clone(),
            why,
            octets: raw,
        }));
    }

    /// Begins to look up the messages of receipts that memory does not know.
    pub(super) fn find_unknown(&mut self, now_ms: Millis, effects: &mut Vec<super::Effect>) {
        while now_ms >= self.finds_from_ms
            && self.finds_under_way < FINDS_MAX
            && let Some(pending) = self.unfinished_finds.pop_front()
        {
            self.finds_under_way += 1;
            let question = Question::of_parked(&pending.report);
            let keys = question.keys();
            let first = self.usual_candidate(&question);
            let since_ms = now_ms - ID_LIFE_MS;
            let handset = pending.report.handset;
            let to = handset.map(|digits| format!("+{digits}").into());
            let load = self.begin_read(Read::Find(Box::new(pending)));
            effects.push(super::Effect::Find {
                load,
                keys,
                first,
                to,
                since_ms,
            });
        }
    }

    /// The store's answer.
    pub(super) fn found(&mut self, load: u64, found: Option<Receipted>, now_ms: Millis) {
        let Some(Read::Find(pending)) = self.reads.remove(&load) else {
            return;
        };
        self.finds_under_way -= 1;
        let question = Question::of_parked(&pending.report);
        // Memory may have learnt of it meanwhile, and knows better than what was read.
        let known = self.expected_for(&question);
        let found = found.filter(|found| match &known {
            None => true,
            Some(known) => known.fit != Fit::Sure && question.agrees(&found.message) == Some(true),
        });
        // It left memory while we were reading: what was read is old. Read again.
        let is_old = match &found {
            Some(found) => {
                let id = found.message.sid.id;
                self.live.get(id).is_none() && self.live.has_left(id, load)
            }
            None if known.is_none() => self.receipts.has_left(&question.keys(), load),
            None => false,
        };
        let weighed = found
            .as_ref()
            .map(|found| self.weigh_found(&question, found));
        self.end_read(load);
        if is_old {
            self.unfinished_finds.push_back(*pending);
            return;
        }
        let message = found.map(|found| found.message);
        self.answer_pending(*pending, weighed.or(known).as_ref(), message, now_ms);
        self.trim_sent();
    }

    /// The message of a receipt was looked for in memory and in the store; `message` is the store's.
    fn answer_pending(
        &mut self,
        pending: Pending,
        best: Option<&Match>,
        message: Option<Box<Message>>,
        now_ms: Millis,
    ) {
        let Pending {
            report,
            origin,
            raw,
        } = pending;
        let (carrier, has_waited) = match origin {
            Origin::Carrier(carrier, ack) => {
                if let Some(looked_up) = self.receipts.looked_up.get_mut(&report.group) {
                    *looked_up -= 1;
                }
                self.after.push(Deferred::Ack(carrier, ack));
                (Some(carrier), HasWaited::No)
            }
            // Its message became known while we were reading.
            Origin::Parked if !self.receipts.parked.contains_key(&report.parked) => return,
            Origin::Parked => (self.carrier_of(&report.group), HasWaited::Yes),
        };
        let good = best.zip(carrier);
        let good = good.filter(|(best, _)| self.is_good_enough(&report.group, best, has_waited));
        if let Some((best, carrier)) = good {
            if let Some(message) = message
                && self.live.get(best.id).is_none()
            {
                self.adopt_sent(message, carrier, now_ms);
            }
            if has_waited == HasWaited::Yes {
                self.receipts.unpark(report.parked);
                let parked = report.parked;
                self.changes.push(Change::Unpark { parked });
            }
            self.settle_receipt(report, best, now_ms);
            return;
        }
        let handset = report.handset.map(|digits| (report.group.clone(), digits));
        let parked = match has_waited {
            HasWaited::Yes => report.parked,
            HasWaited::No => {
                if let Some(best) = best {
                    self.note_doubt(&report.group, best, now_ms);
                }
                if let Some(carrier) = carrier {
                    self.keep_raw(carrier, RawReason::Unmatched, raw, now_ms);
                }
                self.park(report)
            }
        };
        if best.is_some() {
            self.receipts.doubted.push_back(parked);
        } else if let Some(handset) = handset {
            self.ask_by_handset(handset);
        }
    }

    /// A carrier that a receipt of this group may come over.
    fn carrier_of(&self, group: &Arc<str>) -> Option<CarrierNo> {
        let place = self
            .carriers
            .iter()
            .rposition(|carrier| carrier.policy.group == *group)?;
        u16::try_from(place).ok().map(CarrierNo)
    }

    /// A message that was sent long ago comes back for its receipt.
    fn adopt_sent(&mut self, message: Box<Message>, carrier: CarrierNo, now_ms: Millis) {
        let id = message.sid.id;
        let mut live = Live::new(*message, carrier);
        live.stage = Stage::Sent;
        live.message.body = "".into();
        if live.waits_for_silence() {
            // Whoever knew how long it has waited is gone; it was last heard of then.
            let silent_ms = live.message.updated_ms + SILENCE_MS;
            self.timers
                .insert((silent_ms.max(now_ms), Timer::Silence(id)));
        }
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
        self.apply_with(id, &event, smallvec![], done_date, now_ms);
    }

    /// Keeps a receipt until its message is known, under the number that is returned.
    fn park(&mut self, report: ParkedReceipt) -> u64 {
        self.metrics.parked_receipts.inc();
        let number = self.receipts.next_parked;
        let parked = ParkedReceipt {
            parked: number,
            ..report
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
        number
    }

    /// A receipt that waited, or had to be looked up, goes to its message.
    fn settle_receipt(&mut self, report: ParkedReceipt, best: &Match, now_ms: Millis) {
        self.note_match(&report.group, best, now_ms);
        let event = Event::Receipt {
            segment: best.segment,
            is_delivered: report.is_delivered,
            error: report.error,
        };
        self.apply_with(best.id, &event, smallvec![], report.done_date, now_ms);
    }

    /// A carrier's id became known: receipts may have been waiting for it.
    pub(super) fn unpark_for(&mut self, key: &SubmittedKey, now_ms: Millis) {
        let waiting = self.receipts.parked_by_key.get(key);
        for parked in waiting.cloned().unwrap_or_default() {
            self.claim_parked(parked, HasWaited::No, now_ms);
        }
    }

    /// Gives a parked receipt to the message that it is about, if that is known by now.
    fn claim_parked(&mut self, parked: u64, has_waited: HasWaited, now_ms: Millis) {
        let Some(receipt) = self.receipts.parked.get(&parked) else {
            return;
        };
        let group = receipt.group.clone();
        let best = self.expected_for(&Question::of_parked(receipt));
        let best = best.filter(|best| self.is_good_enough(&group, best, has_waited));
        let Some(best) = best else {
            return;
        };
        let Some(receipt) = self.receipts.unpark(parked) else {
            return;
        };
        self.changes.push(Change::Unpark { parked });
        self.settle_receipt(receipt, &best, now_ms);
    }

    /// Drops what nobody claimed in three days, and looks again at what has waited for a better
    /// match: none came, or the carrier's habits are known by now.
    pub(super) fn sweep_parked(&mut self, now_ms: Millis) {
        let mut old = Vec::new();
        let mut waited = Vec::new();
        for receipt in self.receipts.parked.values() {
            let age_ms = now_ms - receipt.received_ms;
            if age_ms > PARKED_MAX_MS {
                old.push(receipt.parked);
            } else if age_ms >= SWEEP_MS {
                waited.push(receipt.parked);
            }
        }
        for parked in waited {
            self.claim_parked(parked, HasWaited::Yes, now_ms);
        }
        for parked in old {
            self.drop_parked(parked);
        }
        self.look_again(now_ms);
    }

    /// Asks the store again for messages of parked receipts that it may know.
    fn look_again(&mut self, now_ms: Millis) {
        for _ in 0..self.receipts.doubted.len().min(LOOK_AGAIN_MAX) {
            let Some(parked) = self.receipts.doubted.pop_front() else {
                return;
            };
            match self.receipts.parked.get(&parked) {
                Some(report) if now_ms - report.received_ms >= SWEEP_MS => {
                    self.unfinished_finds.push_back(Pending {
                        report: report.clone(),
                        origin: Origin::Parked,
                        raw: [].into(),
                    });
                }
                Some(_) => self.receipts.doubted.push_back(parked),
                None => {}
            }
        }
    }

    fn drop_parked(&mut self, parked: u64) {
        if self.receipts.unpark(parked).is_some() {
            self.metrics.orphaned_receipts.inc();
            self.changes.push(Change::Unpark { parked });
        }
    }
}

/// Whether a receipt was given time for its own message to become known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HasWaited {
    Yes,
    No,
}
