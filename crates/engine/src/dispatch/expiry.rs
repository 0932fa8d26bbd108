//! Expiry on disk: every second all backlog whose deadline has passed is looked through, page by page.
//!
//! In memory a message expires by its deadline there. What a page shows of messages in memory says
//! nothing: they may be with a carrier, or their end not durable yet. So the pages are counted on by
//! place, and there is one look at a time.

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::Message;
use postrider_core::sid::Id;

use super::{Dispatch, Effect, Read, Timer};

/// How often the backlog on disk is asked for expired messages.
const PAUSE_MS: Millis = 1_000;

/// The look that is under way, or the next.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// How far it has come: deadline and id.
    after: Option<(Millis, Id)>,
    is_reading: bool,
    /// No page is asked for before this.
    from_ms: Millis,
}

impl Dispatch {
    /// Asks for the next page. It waits for its turn to commit, so that changes don't pile up.
    pub(super) fn find_expired(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        let limit = self.limits.page;
        let has_to_wait = self.is_behind() || self.changes.len() >= limit;
        let expiry = &mut self.expiry;
        if expiry.is_reading || now_ms < expiry.from_ms || has_to_wait {
            return;
        }
        expiry.is_reading = true;
        let after = expiry.after;
        let load = self.begin_read(Read::Expiring);
        effects.push(Effect::Expiring {
            load,
            before_ms: now_ms,
            after,
            limit,
        });
    }

    /// Backlog rows whose deadline passed.
    pub(super) fn expired_on_disk(&mut self, load: u64, messages: Vec<Message>, now_ms: Millis) {
        let is_last = messages.len() < self.limits.page;
        let last = messages.last();
        self.expiry.after = last.map(|last| (last.deadline_ms, last.sid.id));
        self.expiry.is_reading = false;
        for message in messages {
            let id = message.sid.id;
            if self.live.shadows(id, load) {
                continue;
            }
            self.end_from_disk(message, ErrorCode::ValidityPeriodExpired, now_ms);
        }
        if is_last {
            self.expiry.after = None;
            self.pause_expiry(now_ms);
        }
        self.end_read(load);
    }

    pub(super) fn pause_expiry(&mut self, now_ms: Millis) {
        self.expiry.is_reading = false;
        self.expiry.from_ms = now_ms + PAUSE_MS;
        self.timers.insert((self.expiry.from_ms, Timer::Expiry));
    }
}
