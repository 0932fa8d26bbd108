//! What waits on disk comes back into memory, page by page, where lanes have room for it.
//!
//! A page arrives later than it was asked for: what memory learnt meanwhile is never overruled by it.

use postrider_carriers::CarrierNo;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::Event;
use postrider_core::message::{Message, SenderNo, Status};
use postrider_core::sid::Id;

use super::{Dispatch, Effect, Read};

impl Dispatch {
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

    pub(super) fn tell_backlog(&mut self, sender: SenderNo) {
        let window = self.limits.window;
        let is_backlogged = self.queue_mut(sender).is_backlogged(window);
        self.loads
            .with(|table| table.get_mut(sender).is_backlogged = is_backlogged);
    }
}
