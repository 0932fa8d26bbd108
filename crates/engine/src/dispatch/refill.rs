//! What waits on disk comes back into memory, page by page, where lanes have room for it.
//!
//! A page arrives later than it was asked for: what memory learnt meanwhile is never overruled by it.

use postrider_carriers::CarrierNo;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{Message, SenderNo};
use postrider_core::sid::Id;
use smallvec::{SmallVec, smallvec};

use super::walk::Walk;
use super::{Dispatch, Effect, Read};

impl Dispatch {
    /// Asks for the pages that lanes have room for.
    pub(super) fn read_more(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        let low = self.limits.window / 2;
        let senders: Vec<_> = self.on_disk.iter().copied().collect();
        for sender in senders {
            let carriers = self.carriers_of(sender);
            let Some(queue) = self
                .queues
                .get_mut(&sender)
                .filter(|queue| queue.has_disk())
            else {
                self.on_disk.remove(&sender);
                continue;
            };
            let mut wanted = Vec::new();
            let scan_after = queue.scan.after();
            for (&carrier, lane) in &mut queue.lanes {
                let is_next = is_behind(&lane.walk, scan_after);
                if lane.waiting.len() <= low && is_next && lane.walk.may_read(now_ms) {
                    let after = lane.walk.begin_page();
                    wanted.push((Read::CatchUp(sender, carrier), after));
                }
            }
            // What a full lane has no room for must not hide what goes elsewhere behind it.
            let wants_scan = |carrier: &Option<CarrierNo>| {
                let lane = carrier.and_then(|carrier| queue.lanes.get(&carrier));
                lane.is_none_or(|lane| {
                    lane.waiting.len() <= low && !is_behind(&lane.walk, scan_after)
                })
            };
            if queue.scan.may_read(now_ms) && carriers.iter().any(wants_scan) {
                let after = queue.scan.begin_page();
                wanted.push((Read::Scan(sender), after));
            }
            for (read, after) in wanted {
                let load = self.begin_read(read);
                effects.push(Effect::Refill {
                    load,
                    sender,
                    after,
                    limit: self.limits.page,
                });
            }
        }
    }

    /// The carriers that a sender's messages may go to, whomever they are for; `None` where they may
    /// find no route.
    fn carriers_of(&self, sender: SenderNo) -> SmallVec<[Option<CarrierNo>; 4]> {
        let Some(sender) = self.directory.sender(sender) else {
            return smallvec![None];
        };
        let routes = self.routes.of_sender(&sender.address);
        let mut carriers: SmallVec<_> = routes.map(|route| self.first_of(route, &[])).collect();
        if carriers.is_empty() {
            carriers.push(None);
        }
        carriers
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
        let is_last = messages.len() < self.limits.page;
        let seen = messages.last().map(|message| message.sid.id);
        let window = self.limits.window;
        for message in messages {
            let id = message.sid.id;
            if self.live.shadows(id, load) {
                continue;
            }
            let Some(lane) = self.lane_for(&message, &[]) else {
                self.end_from_disk(message, ErrorCode::NoRoute, now_ms);
                continue;
            };
            let entry = self.queue_mut(sender).lanes.entry(lane).or_default();
            if entry.walk.comes_to(id) {
                continue;
            }
            if entry.waiting.len() >= window {
                entry.walk.leave(id);
                continue;
            }
            self.take_from_disk(message, sender, lane, now_ms);
        }
        self.queue_mut(sender).scan.end_page(seen, is_last);
        self.tell_backlog(sender);
    }

    fn caught_up(
        &mut self,
        (sender, lane): (SenderNo, CarrierNo),
        messages: Vec<Message>,
        load: u64,
        now_ms: Millis,
    ) {
        let window = self.limits.window;
        let scan_after = self.queue_mut(sender).scan.after();
        let mut is_last = messages.len() < self.limits.page;
        let mut seen = None;
        for message in messages {
            let id = message.sid.id;
            if scan_after.is_some_and(|after| id > after) {
                // From here on the scan sees to it.
                is_last = true;
                break;
            }
            let is_ours =
                !self.live.shadows(id, load) && self.lane_for(&message, &[]) == Some(lane);
            if is_ours {
                let entry = self.queue_mut(sender).lanes.entry(lane).or_default();
                if entry.waiting.len() >= window {
                    is_last = false;
                    break;
                }
                self.take_from_disk(message, sender, lane, now_ms);
            }
            seen = Some(id);
        }
        let entry = self.queue_mut(sender).lanes.entry(lane).or_default();
        entry.walk.end_page(seen, is_last);
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
        let id = self.adopt(message, lane);
        if self.live.get(id).is_some_and(|live| live.unknowns > 0) {
            self.resume_doubt(id, now_ms);
        } else {
            self.join(id, sender, lane);
        }
    }

    /// A stored message ends, for this reason unless its carrier may have it.
    pub(super) fn end_from_disk(&mut self, message: Message, code: ErrorCode, now_ms: Millis) {
        let lane = self.lane_for(&message, &[]).unwrap_or(CarrierNo(0));
        let id = self.adopt(message, lane);
        self.give_up(id, code, now_ms);
    }

    pub(super) fn tell_backlog(&mut self, sender: SenderNo) {
        let window = self.limits.window;
        let is_backlogged = self.queue_mut(sender).is_backlogged(window);
        self.loads
            .with(|table| table.get_mut(sender).is_backlogged = is_backlogged);
    }
}

/// The walk has rows to look at that the scan has passed.
fn is_behind(walk: &Walk, scan_after: Option<Id>) -> bool {
    walk.after()
        .is_some_and(|after| scan_after.is_none_or(|scan| after < scan))
}
