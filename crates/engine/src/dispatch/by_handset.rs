//! Doubts that a receipt settles although nobody knows its id: the one case in which its handset is
//! enough (carriers.md 4.2).
//!
//! The answer to a submit was lost, and with it the id that its receipts bear. They match nothing and
//! are parked (`receipt.rs`). Where a message in doubt is the only one that they can be about, its
//! carrier took it, and a second copy is spared. Whatever makes that uncertain leaves the doubt as it
//! is: a copy too many says that it is one, whereas a message that is reported delivered for another
//! is never sent. So the account's other messages to the handset are read from the store first.

use std::collections::VecDeque;
use std::sync::Arc;

use postrider_carriers::Ticket;
use postrider_core::clock::Millis;
use postrider_core::lifecycle::{Event, ReceiptParts, Segment};
use postrider_core::message::Message;
use postrider_core::sid::Id;
use postrider_store::{Change, ParkedReceipt};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::live::Stage;
use super::matching::Question;
use super::receipt::PARKED_MAX_MS;
use super::{Dispatch, Effect, Read};
use crate::metrics::MatchedBy;

/// Reads at once.
const READS_MAX: usize = 16;

/// Other messages to a handset that are looked at. One that gets more in three days is left alone.
const OTHERS_MAX: usize = 50;

/// A group of carriers, and a handset's digits.
pub(super) type Handset = (Arc<str>, u64);

/// The messages in doubt, by where they went.
#[derive(Default)]
pub(super) struct Doubts {
    by_handset: FxHashMap<Handset, SmallVec<[(Ticket, Id); 1]>>,
    /// The reverse, to forget by.
    handsets: FxHashMap<Ticket, Handset>,
    /// Those with both a doubt and a parked receipt, to be looked at.
    asked: VecDeque<Handset>,
    reads: usize,
}

impl Doubts {
    pub(super) fn insert(&mut self, handset: Handset, ticket: Ticket, id: Id) {
        self.handsets.insert(ticket, handset.clone());
        let doubts = self.by_handset.entry(handset).or_default();
        doubts.push((ticket, id));
    }

    pub(super) fn remove(&mut self, ticket: Ticket) {
        let Some(handset) = self.handsets.remove(&ticket) else {
            return;
        };
        if let Some(doubts) = self.by_handset.get_mut(&handset) {
            doubts.retain(|(other, _)| *other != ticket);
            if doubts.is_empty() {
                self.by_handset.remove(&handset);
            }
        }
    }

    /// The read of a handset's messages has come to nothing. It is not begun again: the doubt ends by
    /// itself.
    pub(super) fn read_is_over(&mut self) {
        self.reads -= 1;
    }
}

impl Dispatch {
    /// Where a message in doubt went.
    pub(super) fn handset_of(&self, id: Id) -> Option<Handset> {
        let live = self.live.get(id)?;
        let digits = live.message.to.strip_prefix('+')?.parse().ok()?;
        Some((self.group_of(live.lane), digits))
    }

    /// Whether a message to this handset is in doubt.
    pub(super) fn is_in_doubt_to(&self, handset: &Handset) -> bool {
        self.doubts.by_handset.contains_key(handset)
    }

    /// There is news of a handset: a receipt that nobody knows, or a doubt.
    pub(super) fn ask_by_handset(&mut self, handset: Handset) {
        if self.doubts.by_handset.contains_key(&handset)
            && self.receipts.parked_by_handset.contains_key(&handset)
            && !self.doubts.asked.contains(&handset)
        {
            self.doubts.asked.push_back(handset);
        }
    }

    /// Begins to read what else was sent to the handsets that are asked about.
    pub(super) fn find_others(&mut self, effects: &mut Vec<Effect>) {
        while self.doubts.reads < READS_MAX
            && let Some(handset) = self.doubts.asked.pop_front()
        {
            let Some((id, _)) = self.settled_by(&handset) else {
                continue;
            };
            let Some(live) = self.live.get(id) else {
                continue;
            };
            let (account, to) = (live.message.account, live.message.to.clone());
            self.doubts.reads += 1;
            let load = self.begin_read(Read::Others(handset));
            effects.push(Effect::Others {
                load,
                account,
                to,
                limit: OTHERS_MAX,
            });
        }
    }

    /// The account's newest messages to a handset.
    pub(super) fn others_found(&mut self, load: u64, messages: &[Message], now_ms: Millis) {
        let Some(Read::Others(handset)) = self.reads.remove(&load) else {
            return;
        };
        self.doubts.reads -= 1;
        let is_old = messages.iter().any(|message| {
            let id = message.sid.id;
            self.live.get(id).is_none() && self.live.has_left(id, load)
        });
        self.end_read(load);
        if is_old {
            return self.ask_by_handset(handset);
        }
        let since_ms = now_ms - PARKED_MAX_MS;
        let is_cut_short = messages.len() >= OTHERS_MAX
            && messages
                .last()
                .is_some_and(|oldest| oldest.created_ms() >= since_ms);
        // What the world is like by now.
        let Some((id, receipts)) = self.settled_by(&handset) else {
            return;
        };
        let mut others = messages.iter().filter(|message| message.sid.id != id);
        if !is_cut_short && !others.any(|other| self.may_be_receipted(other, since_ms)) {
            self.settle_by_handset(id, &receipts, now_ms);
        }
    }

    /// The one message in doubt to a handset, and the receipts that settle it, if none of what is in
    /// memory speaks against it.
    fn settled_by(&self, handset: &Handset) -> Option<(Id, SmallVec<[u64; 1]>)> {
        let doubts = self.doubts.by_handset.get(handset)?;
        let mut doubts = doubts.iter().filter(|(ticket, id)| {
            let live = self.live.get(*id);
            live.is_some_and(|live| live.stage == Stage::Doubt(*ticket))
        });
        let (Some(&(_, id)), None) = (doubts.next(), doubts.next()) else {
            return None;
        };
        let live = self.live.get(id)?;
        let is_in_flight = self.tickets.values().any(|hand_over| {
            let to = self.live.get(hand_over.id).map(|other| &other.message.to);
            to == Some(&live.message.to)
        });
        if is_in_flight {
            return None;
        }
        let parked = self.receipts.parked_by_handset.get(handset)?;
        let mut receipts = SmallVec::<[u64; 1]>::new();
        let mut ids = SmallVec::<[&str; 1]>::new();
        for (number, receipt) in parked
            .iter()
            .filter_map(|number| Some((*number, self.receipts.parked.get(number)?)))
        {
            let id = &*receipt.candidates[0];
            let is_ours = receipt.received_ms >= live.submitted_ms && self.is_unknown(receipt);
            // The same one may come twice.
            if is_ours && !ids.contains(&id) {
                ids.push(id);
                receipts.push(number);
            }
        }
        let wanted = match self.carriers[usize::from(live.lane.0)].policy.receipt_parts {
            ReceiptParts::All => usize::from(live.message.num_segments.max(1)),
            ReceiptParts::Any | ReceiptParts::First | ReceiptParts::Last => 1,
        };
        // Fewer may mean that only some segments arrived, more that they are not all its own.
        (receipts.len() == wanted).then_some((id, receipts))
    }

    /// No message is known that a parked receipt could be about by its id.
    fn is_unknown(&self, receipt: &ParkedReceipt) -> bool {
        self.expected_for(&Question::of_parked(receipt)).is_none()
            && !self.receipts.doubted.contains(&receipt.parked)
    }

    /// A receipt with an id that we don't know may be about this message, read from the store.
    fn may_be_receipted(&self, read: &Message, since_ms: Millis) -> bool {
        let live = self.live.get(read.sid.id);
        let message = live.map_or(read, |live| &live.message);
        if message.updated_ms < since_ms {
            return false;
        }
        let is_recovered = self.boot_last.is_some_and(|last| read.sid.id <= last);
        let is_waiting = postrider_store::is_waiting(message.status);
        let is_open = |segment: &Segment| match segment {
            Segment::Pending | Segment::Accepted => true,
            Segment::Delivered | Segment::Undelivered => false,
        };
        // It went twice, nobody knows whether it went, or its receipts are still to come: they should
        // bear ids that we know, but not every carrier's do.
        message.is_possible_duplicate
            || (is_waiting && is_recovered)
            || message.segments.as_slice().iter().any(is_open)
    }

    /// The carrier took it: its receipts say so, and what became of it.
    fn settle_by_handset(&mut self, id: Id, receipts: &[u64], now_ms: Millis) {
        let Some(live) = self.live.get(id) else {
            return;
        };
        let carrier = live.lane;
        let state = &self.carriers[usize::from(carrier.0)];
        tracing::info!(
            message_sid = %live.message.sid,
            carrier = %state.policy.name,
            "a receipt for its handset speaks for a message in doubt"
        );
        let segments = usize::from(live.message.num_segments.max(1));
        let first = match state.policy.receipt_parts {
            ReceiptParts::Last => segments - 1,
            ReceiptParts::All | ReceiptParts::Any | ReceiptParts::First => 0,
        };
        let mut ids = vec![Box::default(); segments];
        let mut reports = Vec::new();
        for (&number, segment) in receipts.iter().zip(first..) {
            let Some(report) = self.receipts.unpark(number) else {
                continue;
            };
            self.changes.push(Change::Unpark { parked: number });
            // Should it come again, it is known by this.
            let usual = self.usual_candidate(&Question::of_parked(&report));
            ids[segment] = report.candidates[usual].clone();
            reports.push((segment, report));
        }
        self.carrier_accepted(id, carrier, &ids, now_ms);
        for (segment, report) in reports {
            let state = &self.carriers[usize::from(carrier.0)];
            state.matched.count(MatchedBy::HandsetAlone);
            let event = Event::Receipt {
                segment: u16::try_from(segment).unwrap_or(u16::MAX),
                is_delivered: report.is_delivered,
                error: report.error,
            };
            self.apply_with(id, &event, SmallVec::new(), report.done_date, now_ms);
        }
    }
}
