//! The messages dispatch holds in memory, and what each is waiting for.

use std::collections::{BTreeSet, VecDeque};

use postrider_carriers::{CarrierNo, Ticket};
use postrider_core::clock::Millis;
use postrider_core::lifecycle::State;
use postrider_core::message::Message;
use postrider_core::sid::Id;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A message in memory.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) message: Box<Message>,
    /// The carrier whose lane it waits in, or that has it.
    pub(super) lane: CarrierNo,
    pub(super) stage: Stage,
    /// Carriers that refused it in a way that lets another try.
    pub(super) tried: SmallVec<[CarrierNo; 2]>,
    /// One of them refused the message as such: one more carrier may say so, and then it is final.
    pub(super) is_passed_on: bool,
    /// Retries with the same carrier so far.
    pub(super) retries: u8,
    /// When it was last submitted, or when that went on record.
    pub(super) submitted_ms: Millis,
    /// Submissions of it whose outcome is unknown, those of a former process too as far as they are
    /// on record. While there are any its segments are pending on record.
    pub(super) unknowns: u8,
    /// Its mark before it was last handed over, to go back to when that came to nothing.
    pub(super) was_possible_duplicate: bool,
    /// Changes of it that are not durable yet. It stays in memory until there are none.
    pub(super) unsaved: u32,
    /// It was waiting when this process started: an earlier one may have submitted it.
    pub(super) is_recovered: bool,
}

/// What a message is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its turn in the lane.
    Waiting,
    /// A retry at its time.
    Retry,
    /// The record of the intent to submit it.
    Intent,
    /// The carrier's answer.
    Submitted(Ticket),
    /// News that settle whether the carrier has it.
    Doubt(Ticket),
    /// Its receipts.
    Sent,
    /// Nothing but the commit of its final status.
    Done,
}

impl Live {
    pub(super) fn new(message: Message, lane: CarrierNo) -> Self {
        Self {
            submitted_ms: message.updated_ms,
            message: Box::new(message),
            lane,
            stage: Stage::Waiting,
            tried: SmallVec::new(),
            is_passed_on: false,
            retries: 0,
            unknowns: 0,
            was_possible_duplicate: false,
            unsaved: 0,
            is_recovered: false,
        }
    }

    /// Final and durable: no reason to keep it.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done && self.unsaved == 0
    }

    /// A timer will say that its other segments stay silent.
    pub(super) fn waits_for_silence(&self) -> bool {
        let state = State {
            status: self.message.status,
            segments: self.message.segments.clone(),
        };
        state.is_partly_delivered()
    }

    /// Still in our hands: it expires at its deadline.
    fn expires(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Retry | Stage::Intent)
    }
}

/// All live messages, by id, with their deadlines and the order in which they were sent.
#[derive(Default)]
pub(super) struct LiveMessages {
    by_id: FxHashMap<Id, Live>,
    deadlines: BTreeSet<(Millis, Id)>,
    /// Sent ones, oldest first; may name messages that are gone.
    sent: VecDeque<Id>,
    /// Those that had to make room in `sent` and wait for silence, oldest first; may name messages that
    /// are gone. As many at most.
    partly_delivered: VecDeque<Id>,
    /// Messages that left memory while a read of the store was on its way: the read may still show
    /// them as they were. With the number of the next read at the time.
    left: FxHashMap<Id, u64>,
    left_order: VecDeque<(u64, Id)>,
}

impl LiveMessages {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn get(&self, id: Id) -> Option<&Live> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut Live> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn insert(&mut self, live: Live) {
        let id = live.message.sid.id;
        if live.expires() {
            self.deadlines.insert((live.message.deadline_ms, id));
        }
        self.by_id.insert(id, live);
    }

    /// The message moves on to `stage`.
    pub(super) fn set_stage(&mut self, id: Id, stage: Stage) {
        let Some(live) = self.by_id.get_mut(&id) else {
            return;
        };
        let did_expire = live.expires();
        live.stage = stage;
        match (did_expire, live.expires()) {
            (true, false) => drop(self.deadlines.remove(&(live.message.deadline_ms, id))),
            (false, true) => drop(self.deadlines.insert((live.message.deadline_ms, id))),
            (true, true) | (false, false) => {}
        }
        if stage == Stage::Sent {
            self.sent.push_back(id);
        }
    }

    /// Takes a message out. `next_read` is the number the next read of the store will have.
    pub(super) fn remove(&mut self, id: Id, next_read: u64) -> Option<Live> {
        let live = self.by_id.remove(&id)?;
        self.deadlines.remove(&(live.message.deadline_ms, id));
        self.left.insert(id, next_read);
        self.left_order.push_back((next_read, id));
        Some(live)
    }

    /// Whether a row read from the store must be ignored: it is in memory, or left it while the
    /// read was on its way.
    pub(super) fn shadows(&self, id: Id, read: u64) -> bool {
        self.by_id.contains_key(&id) || self.has_left(id, read)
    }

    /// It left memory after this read was begun.
    pub(super) fn has_left(&self, id: Id, read: u64) -> bool {
        self.left
            .get(&id)
            .is_some_and(|&next_read| next_read > read)
    }

    /// Forgets who left before the oldest read still on its way was begun.
    pub(super) fn prune_left(&mut self, oldest_read: u64) {
        while let Some(&(next_read, id)) = self.left_order.front()
            && next_read <= oldest_read
        {
            self.left_order.pop_front();
            if self.left.get(&id) == Some(&next_read) {
                self.left.remove(&id);
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A message whose deadline has come, if there is one.
    pub(super) fn expired(&self, now_ms: Millis) -> Option<Id> {
        self.deadlines
            .first()
            .filter(|(at, _)| *at <= now_ms)
            .map(|(_, id)| *id)
    }

    /// The oldest sent message beyond the last `keep`, if memory may be given back for it. One that
    /// waits for silence has to be there when its time comes, so as many of those stay beside the others.
    pub(super) fn pop_sent_beyond(&mut self, keep: usize) -> Option<Id> {
        while self.sent.len() > keep {
            let id = self.sent.pop_front()?;
            match self.by_id.get(&id) {
                Some(live) if live.stage == Stage::Sent && live.waits_for_silence() => {
                    self.partly_delivered.push_back(id);
                }
                Some(live) if live.stage == Stage::Sent && live.unsaved == 0 => return Some(id),
                // Not durable yet: it keeps its place at the end.
                Some(live) if live.stage == Stage::Sent => {
                    self.sent.push_back(id);
                    return None;
                }
                _ => {}
            }
        }
        while self.partly_delivered.len() > keep {
            // One that is not durable yet leaves by its timer.
            let id = self.partly_delivered.pop_front()?;
            let live = self.by_id.get(&id);
            if live.is_some_and(|live| live.stage == Stage::Sent && live.unsaved == 0) {
                return Some(id);
            }
        }
        None
    }
}
