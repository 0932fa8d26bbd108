//! Who opted out lately: all that a message in a queue can have missed since it was accepted.
//!
//! No message waits for longer than [`KEPT_MS`], so older opt-outs are not asked for there.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use postrider_core::clock::Millis;
use postrider_core::opt_out::{ListKey, ListKeys};
use postrider_core::validity::MAX_VALIDITY_PERIOD_S;

use crate::fading::Fading;

/// As long as a message may wait at most, and an hour more.
const KEPT_MS: Millis = (MAX_VALIDITY_PERIOD_S as Millis + 3_600) * 1_000;

/// Opt-outs of the last hours. Shared by whoever changes the list and whoever has messages waiting.
#[derive(Debug, Default)]
pub struct Lately {
    /// Nearly always there is nobody to look for.
    has_some: AtomicBool,
    /// Since when it is known, in this process.
    table: RwLock<Fading<ListKey, Millis>>,
}

impl Lately {
    /// With what a former process left.
    pub(super) fn new(keys: Vec<ListKey>, now_ms: Millis) -> Self {
        let lately = Self::default();
        for key in keys {
            lately.note(key, true, now_ms);
        }
        lately
    }

    /// What was changed before this instant does not matter.
    pub(super) fn since(now_ms: Millis) -> Millis {
        now_ms - KEPT_MS
    }

    pub fn note(&self, key: ListKey, is_blocked: bool, now_ms: Millis) {
        let mut table = self.table.write();
        if is_blocked {
            table.make_room(|at_ms| *at_ms >= Self::since(now_ms));
            table.insert(key, now_ms);
        } else {
            table.remove(&key);
        }
        self.has_some.store(!table.is_empty(), Ordering::Release);
    }

    /// Whether anybody may have opted out since messages were accepted that wait now.
    pub(crate) fn has_some(&self) -> bool {
        self.has_some.load(Ordering::Acquire)
    }

    /// Whether one of a message's entries has come to block it.
    pub(crate) fn blocks(&self, keys: &ListKeys) -> bool {
        let table = self.table.read();
        keys.iter().any(|key| table.contains_key(&key))
    }
}
