//! Queues: one per sender, divided into lanes by carrier, each a bounded window over the backlog.
//!
//! The sender owns the pace; the lanes keep a dead carrier from blocking what goes elsewhere. What
//! does not fit a lane's window stays on disk: the sender's *scan* walks the stored queue once, in
//! order, and a lane that was full when the scan passed remembers where it must *catch up*.

use std::collections::{BTreeMap, VecDeque};

use postrider_carriers::CarrierNo;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Event;
use postrider_core::message::{AccountNo, Message, SenderNo, Status};
use postrider_core::pacing::{Pace, Rate};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::sender_rate::{Cost, Reach, SenderRate};
use postrider_core::sid::Id;

use super::live::Stage;
use super::{Dispatch, Effect, Read, Timer, callback_job};
use crate::pace::rate_of;

/// One sender's queue.
pub(super) struct SenderQueue {
    account: AccountNo,
    pace: Pace,
    /// What a message takes of it.
    rate: SenderRate,
    pace_version: u64,
    lanes: BTreeMap<CarrierNo, Lane>,
    scan: Scan,
}

/// The walk over the sender's stored queue.
#[derive(Debug, Default)]
struct Scan {
    /// The last message looked at.
    cursor: Option<Id>,
    /// Something is stored beyond the cursor.
    has_more: bool,
    is_reading: bool,
}

/// One sender's messages for one carrier.
#[derive(Debug, Default)]
struct Lane {
    /// Messages in turn. May name messages that left meanwhile.
    waiting: VecDeque<Id>,
    /// Rows after this one were passed over while the lane was full.
    skipped_after: Option<Id>,
    is_reading: bool,
}

impl SenderQueue {
    /// A former process left messages here.
    pub(super) fn scan_from_start(&mut self) {
        self.scan.has_more = true;
    }

    /// The read of the scan, or of a lane, has come to nothing and may be begun again.
    pub(super) fn read_is_over(&mut self, lane: Option<CarrierNo>) {
        match lane {
            None => self.scan.is_reading = false,
            Some(carrier) => {
                if let Some(lane) = self.lanes.get_mut(&carrier) {
                    lane.is_reading = false;
                }
            }
        }
    }

    fn has_disk(&self) -> bool {
        self.scan.has_more || self.lanes.values().any(|lane| lane.skipped_after.is_some())
    }

    fn is_backlogged(&self, window: usize) -> bool {
        self.has_disk() || self.lanes.values().any(|lane| lane.waiting.len() >= window)
    }
}

/// What a message takes of its sender's pace.
fn cost_of(rate: SenderRate, message: &Message) -> Cost {
    // Most senders have one rate, and then nobody needs to know.
    let reach = if rate.is_the_same_everywhere() {
        Reach::UsCa
    } else {
        Reach::of_text(&message.to)
    };
    rate.cost(message.num_segments.max(1), reach)
}

/// What a look at the head of a lane found.
enum Head {
    Empty,
    /// Not before this instant.
    Paced(Millis),
    Go(Id),
}

impl Dispatch {
    pub(super) fn queue_mut(&mut self, sender: SenderNo) -> &mut SenderQueue {
        let directory = &self.directory;
        self.queues.entry(sender).or_insert_with(|| {
            let account = directory
                .sender(sender)
                .and_then(|entry| directory.account(entry.account));
            SenderQueue {
                account: account.map_or(AccountNo(0), |account| account.no),
                pace: Pace::new(Rate::UNLIMITED),
                rate: SenderRate::UNLIMITED,
                pace_version: u64::MAX,
                lanes: BTreeMap::new(),
                scan: Scan::default(),
            }
        })
    }

    /// A message was accepted and is durable: it joins its lane, or waits on disk.
    pub(super) fn accepted(&mut self, message: Message, now_ms: Millis) {
        let id = message.sid.id;
        if self.live.get(id).is_some() {
            return;
        }
        for status in message.callbacks_due.iter() {
            self.ready_jobs
                .extend(callback_job(&self.directory, &message, status, now_ms));
        }
        let Some(sender) = message.sender.filter(|_| message.status == Status::Queued) else {
            // It failed before it could wait (no sender, no room): only the callback was to be made.
            return;
        };
        let Some(lane) = self.lane_for(&message, &[]) else {
            let id = self.adopt(message, CarrierNo(0));
            self.give_up(id, ErrorCode::NoRoute, now_ms);
            return;
        };
        let window = self.limits.window;
        let queue = self.queue_mut(sender);
        let is_full = queue
            .lanes
            .get(&lane)
            .is_some_and(|lane| lane.waiting.len() >= window);
        if message.is_backlog && (is_full || queue.has_disk()) {
            queue.scan.has_more = true;
            return;
        }
        self.adopt(message, lane);
        self.join(id, sender, lane);
    }

    /// Puts a live message at the end of its lane.
    fn join(&mut self, id: Id, sender: SenderNo, lane: CarrierNo) {
        let window = self.limits.window;
        let queue = self.queue_mut(sender);
        queue.lanes.entry(lane).or_default().waiting.push_back(id);
        let account = queue.account;
        let is_backlogged = queue.is_backlogged(window);
        self.carriers[usize::from(lane.0)]
            .ready
            .enter(account, sender);
        if is_backlogged {
            self.loads
                .with(|table| table.get_mut(sender).is_backlogged = true);
        }
    }

    /// Puts a live message back at the head of its lane, among others that came back in the order
    /// in which all of them were accepted: a conversation keeps its order. The lane is the one that
    /// the routes name now.
    pub(super) fn rejoin(&mut self, id: Id, now_ms: Millis) {
        let Some(sender) = self.live.get(id).and_then(|live| live.message.sender) else {
            return;
        };
        self.live.set_stage(id, Stage::Waiting);
        let Some(lane) = self.turn_to_lane(id) else {
            return self.give_up(id, ErrorCode::NoRoute, now_ms);
        };
        let queue = self.queue_mut(sender);
        let waiting = &mut queue.lanes.entry(lane).or_default().waiting;
        let place = waiting.iter().take_while(|other| **other < id).count();
        waiting.insert(place, id);
        let account = queue.account;
        self.carriers[usize::from(lane.0)]
            .ready
            .enter(account, sender);
    }

    /// The lane of a live message by the routes as they are now, which it is given. One that had to
    /// leave its carrier may try those again that refused it, if there is no other.
    fn turn_to_lane(&mut self, id: Id) -> Option<CarrierNo> {
        let live = self.live.get(id)?;
        let lane = self
            .lane_for(&live.message, &live.tried)
            .or_else(|| self.lane_for(&live.message, &[]))?;
        let live = self.live.get_mut(id)?;
        if live.lane != lane {
            live.lane = lane;
            live.retries = 0;
        }
        Some(lane)
    }

    /// Routes or carriers are others: what waits goes to the lane that they name now, in the order
    /// in which it was accepted; what they name none for ends.
    pub(super) fn reroute(&mut self, now_ms: Millis) {
        let mut waiting = Vec::new();
        for (&sender, queue) in &mut self.queues {
            for (carrier, lane) in std::mem::take(&mut queue.lanes) {
                if let Some(after) = lane.skipped_after {
                    // Some other lane may want these rows now: the scan goes over them again. What
                    // it is being shown belongs to the old routes.
                    let scan = &mut queue.scan;
                    scan.cursor = scan.cursor.map(|cursor| cursor.min(after));
                    scan.has_more = true;
                    scan.is_reading = false;
                    self.reads.retain(|_, read| match read {
                        Read::Scan(other) | Read::CatchUp(other, _) => *other != sender,
                        Read::Expiring | Read::Unshelved | Read::Find(_) => true,
                    });
                }
                let waits_here = |id: &Id| {
                    let live = self.live.get(*id);
                    live.is_some_and(|live| live.stage == Stage::Waiting && live.lane == carrier)
                };
                let ids = lane.waiting.into_iter().filter(waits_here);
                waiting.extend(ids.map(|id| (id, sender)));
            }
        }
        waiting.sort_unstable();
        waiting.dedup();
        for (id, sender) in waiting {
            match self.turn_to_lane(id) {
                Some(lane) => self.join(id, sender, lane),
                None => self.give_up(id, ErrorCode::NoRoute, now_ms),
            }
        }
        let senders: Vec<_> = self.queues.keys().copied().collect();
        for sender in senders {
            self.tell_backlog(sender);
        }
    }

    /// The carrier a message goes to: the first of its route that is not in `tried`.
    pub(super) fn lane_for(&self, message: &Message, tried: &[CarrierNo]) -> Option<CarrierNo> {
        let from = SenderAddress::parse(message.from.as_deref()?)?;
        let to = PhoneNumber::parse(&message.to).ok()?;
        let carriers = self.routes.find(&from, to);
        carriers.iter().map(|&no| CarrierNo(no)).find(|no| {
            let state = self.carriers.get(usize::from(no.0));
            state.is_some_and(|state| !state.is_retired) && !tried.contains(no)
        })
    }

    /// Hands over whatever may go: fair turns, as long as a carrier has room.
    pub(super) fn pump(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        for index in 0..self.carriers.len() {
            let carrier = CarrierNo(u16::try_from(index).expect("the configuration is small"));
            let mut batch = Vec::new();
            while self.carriers[index].has_room() {
                let Some((account, sender)) = self.carriers[index].ready.front() else {
                    break;
                };
                match self.head(sender, carrier, now_ms) {
                    Head::Empty => self.carriers[index].ready.leave(account),
                    Head::Paced(until) => {
                        self.carriers[index].ready.leave(account);
                        self.timers.insert((until, Timer::Pace(sender, carrier)));
                    }
                    Head::Go(id) if !self.is_of_sending_account(id) => {
                        self.give_up(id, ErrorCode::AccountSuspended, now_ms);
                    }
                    Head::Go(id) => {
                        let segments = self
                            .live
                            .get(id)
                            .map_or(1, |live| live.message.num_segments);
                        self.carriers[index].ready.spend(account, segments);
                        self.hand_over(id, carrier, now_ms, &mut batch);
                    }
                }
            }
            if !batch.is_empty() {
                effects.push(Effect::Submit { carrier, batch });
            }
        }
    }

    /// An account may have been suspended while its messages waited.
    fn is_of_sending_account(&self, id: Id) -> bool {
        let live = self.live.get(id);
        live.is_none_or(|live| self.may_send(&live.message))
    }

    /// Takes the head of a lane, if the sender's pace allows it now.
    fn head(&mut self, sender: SenderNo, carrier: CarrierNo, now_ms: Millis) -> Head {
        let pace_version = self.pace_version;
        if self.queue_mut(sender).pace_version != pace_version {
            self.refresh_pace(sender, now_ms);
        }
        let window = self.limits.window;
        let Some(queue) = self.queues.get_mut(&sender) else {
            return Head::Empty;
        };
        let Some(lane) = queue.lanes.get_mut(&carrier) else {
            return Head::Empty;
        };
        // What expired, failed or moved to another lane is still named here.
        while let Some(&id) = lane.waiting.front() {
            let waits_here = self
                .live
                .get(id)
                .filter(|live| live.stage == Stage::Waiting && live.lane == carrier);
            let Some(live) = waits_here else {
                lane.waiting.pop_front();
                continue;
            };
            let cost = cost_of(queue.rate, &live.message);
            if let Err(until) = queue.pace.take_cost(now_ms, cost) {
                return Head::Paced(until);
            }
            lane.waiting.pop_front();
            if lane.waiting.len() + 1 == window / 2 || lane.waiting.is_empty() {
                let is_backlogged = queue.is_backlogged(window);
                self.loads
                    .with(|table| table.get_mut(sender).is_backlogged = is_backlogged);
            }
            return Head::Go(id);
        }
        if !queue.has_disk() {
            queue.lanes.remove(&carrier);
        }
        Head::Empty
    }

    fn refresh_pace(&mut self, sender: SenderNo, now_ms: Millis) {
        let version = self.pace_version;
        let rate = rate_of(&self.directory, &self.paces, sender);
        let queue = self.queue_mut(sender);
        queue.pace.set_rate(now_ms, rate.bucket());
        queue.rate = rate;
        queue.pace_version = version;
    }

    /// A paced lane may go on.
    pub(super) fn unpause(&mut self, sender: SenderNo, carrier: CarrierNo) {
        if let Some(queue) = self.queues.get(&sender) {
            let account = queue.account;
            self.carriers[usize::from(carrier.0)]
                .ready
                .enter(account, sender);
        }
    }

    /// Begins the reads that lanes with room wait for.
    pub(super) fn read_more(&mut self, effects: &mut Vec<Effect>) {
        let low = self.limits.window / 2;
        let mut wanted = Vec::new();
        for (&sender, queue) in &mut self.queues {
            if !queue.has_disk() {
                continue;
            }
            for (&carrier, lane) in &mut queue.lanes {
                if let Some(after) = lane.skipped_after
                    && !lane.is_reading
                    && lane.waiting.len() <= low
                {
                    lane.is_reading = true;
                    wanted.push((Read::CatchUp(sender, carrier), sender, Some(after)));
                }
            }
            let scan = &mut queue.scan;
            let has_low_lane = queue
                .lanes
                .values()
                .any(|lane| lane.skipped_after.is_none() && lane.waiting.len() <= low);
            if scan.has_more && !scan.is_reading && (has_low_lane || queue.lanes.is_empty()) {
                scan.is_reading = true;
                wanted.push((Read::Scan(sender), sender, scan.cursor));
            }
        }
        for (read, sender, after) in wanted {
            let load = self.begin_read(read);
            effects.push(Effect::Refill {
                load,
                sender,
                after,
                limit: self.limits.page,
            });
        }
    }

    /// A page of a stored queue arrived.
    pub(super) fn refilled(&mut self, load: u64, messages: Vec<Message>, now_ms: Millis) {
        let read = self.reads.remove(&load);
        match read {
            Some(Read::Scan(sender)) => self.scanned(sender, messages, load, now_ms),
            Some(Read::CatchUp(sender, lane)) => {
                self.caught_up((sender, lane), messages, load, now_ms);
            }
            _ => {}
        }
        self.end_read(load);
    }

    fn scanned(&mut self, sender: SenderNo, messages: Vec<Message>, load: u64, now_ms: Millis) {
        let is_last_page = messages.len() < self.limits.page;
        let queue = self.queue_mut(sender);
        queue.scan.is_reading = false;
        queue.scan.has_more = !is_last_page;
        let window = self.limits.window;
        for message in messages {
            let id = message.sid.id;
            let before = self.queue_mut(sender).scan.cursor.replace(id);
            if self.live.shadows(id, load) {
                continue;
            }
            let Some(lane) = self.lane_for(&message, &[]) else {
                self.adopt(message, CarrierNo(0));
                self.give_up(id, ErrorCode::NoRoute, now_ms);
                continue;
            };
            let entry = self.queue_mut(sender).lanes.entry(lane).or_default();
            if entry.skipped_after.is_some() {
                continue;
            }
            if entry.waiting.len() >= window {
                entry.skipped_after = Some(before.unwrap_or(Id::MIN));
                continue;
            }
            self.take_from_disk(message, sender, lane, now_ms);
        }
        self.tell_backlog(sender);
    }

    fn caught_up(
        &mut self,
        (sender, lane): (SenderNo, CarrierNo),
        messages: Vec<Message>,
        load: u64,
        now_ms: Millis,
    ) {
        let is_last_page = messages.len() < self.limits.page;
        let window = self.limits.window;
        let scan_cursor = self.queue_mut(sender).scan.cursor;
        let mut is_done = is_last_page;
        let mut last = None;
        for message in messages {
            let id = message.sid.id;
            if scan_cursor.is_some_and(|cursor| id > cursor) {
                // From here on the scan sees to it.
                is_done = true;
                break;
            }
            let is_ours =
                !self.live.shadows(id, load) && self.lane_for(&message, &[]) == Some(lane);
            if is_ours {
                let entry = self.queue_mut(sender).lanes.entry(lane).or_default();
                if entry.waiting.len() >= window {
                    is_done = false;
                    break;
                }
                self.take_from_disk(message, sender, lane, now_ms);
            }
            last = Some(id);
        }
        let entry = self.queue_mut(sender).lanes.entry(lane).or_default();
        entry.is_reading = false;
        if is_done {
            entry.skipped_after = None;
        } else if let Some(last) = last {
            entry.skipped_after = Some(last);
        }
        self.tell_backlog(sender);
    }

    /// A stored message comes back into memory.
    fn take_from_disk(
        &mut self,
        message: Message,
        sender: SenderNo,
        lane: CarrierNo,
        now_ms: Millis,
    ) {
        let was_submitting = message.status == Status::Sending && !message.segments.is_empty();
        let id = self.adopt(message, lane);
        if was_submitting {
            // Its intent was on record, so its carrier forbids a second try.
            self.apply(
                id,
                &Event::OutcomeUnknown {
                    code: ErrorCode::UnknownFailure,
                },
                now_ms,
            );
        } else {
            self.join(id, sender, lane);
        }
    }

    fn tell_backlog(&mut self, sender: SenderNo) {
        let window = self.limits.window;
        let is_backlogged = self.queue_mut(sender).is_backlogged(window);
        self.loads
            .with(|table| table.get_mut(sender).is_backlogged = is_backlogged);
    }

    /// Backlog rows whose deadline passed.
    pub(super) fn expired_on_disk(&mut self, load: u64, messages: Vec<Message>, now_ms: Millis) {
        self.reads.remove(&load);
        let is_full_page = messages.len() >= self.limits.page;
        for message in messages {
            let id = message.sid.id;
            if self.live.shadows(id, load) {
                continue;
            }
            self.adopt(message, CarrierNo(0));
            self.give_up(id, ErrorCode::ValidityPeriodExpired, now_ms);
        }
        if is_full_page {
            self.timers.insert((now_ms, Timer::Expiry));
        }
        self.end_read(load);
    }
}
