//! The opt-out list at work: who may not be written to, and what handsets say about it.
//!
//! The rules are [`postrider_core::opt_out`]'s, the list is the store's. A message is checked when it is
//! accepted, and a scheduled one when it is released, against the store; and once more before its
//! carrier gets it, against what has changed lately, which is in memory ([`Lately`]).

mod consents;
mod import;
mod keyword;
mod lately;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::clock::Millis;
use postrider_core::fault::Fault;
use postrider_core::opt_out::{ListKeys, Scope, Standing, Wording};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::Channel;
use postrider_store::{OptOutEvent, Result, Store};

pub use self::consents::{Breadth, Consent, ListOwner, UnknownSender};
pub use self::import::{Import, ImportEnd, ImportProgress, ImportRow, ROW_ERRORS_MAX};
pub(crate) use self::keyword::hear;
pub use self::lately::Lately;

use self::import::Imports;
use self::keyword::Answered;
use crate::Engine;

/// What acceptance and carriers' deliveries know of opt-outs.
pub struct OptOuts {
    store: Arc<dyn Store>,
    lately: Arc<Lately>,
    wording: Wording,
    answered: Mutex<Answered>,
    /// Held while the list changes.
    changing: Mutex<()>,
    imports: Imports,
}

impl OptOuts {
    pub fn open(store: Arc<dyn Store>, wording: Wording, now_ms: Millis) -> Result<Self> {
        let lately = Lately::new(
            store.opt_outs().blocked_since(Lately::since(now_ms))?,
            now_ms,
        );
        Ok(Self {
            store,
            lately: Arc::new(lately),
            wording,
            answered: Mutex::default(),
            changing: Mutex::default(),
            imports: Imports::default(),
        })
    }

    /// For whoever has messages waiting.
    pub fn lately(&self) -> Arc<Lately> {
        self.lately.clone()
    }

    /// From whom the recipient wants no messages.
    pub(crate) fn of(&self, channel: Channel, user: PhoneNumber) -> Result<Vec<Scope>> {
        self.store.opt_outs().opted_out(channel.into(), user)
    }

    fn standing(&self, keys: &ListKeys) -> Result<Standing> {
        let list = self.store.opt_outs();
        let scopes = list.opted_out(keys.home.channels, keys.home.user)?;
        Ok(keys.standing(|key| scopes.contains(&key.scope)))
    }
}

impl Engine {
    /// Makes changes of the list durable: for each, whether it changed anything. From then on they hold
    /// for every message that no carrier has yet.
    pub async fn change_opt_outs(&self, events: Vec<OptOutEvent>) -> Result<Vec<bool>, Fault> {
        let acceptor = self.shared.acceptor.clone();
        let written = self.write(move || {
            let opt_outs = &acceptor.opt_outs;
            // Memory learns of changes in the order in which the list has them.
            let _changing = opt_outs.changing.lock();
            let applied = opt_outs.store.opt_outs().apply(&events)?;
            let now_ms = acceptor.clock.now_ms();
            // Whoever was out already is known from then, or was out before any message that waits.
            for (event, _) in events.iter().zip(&applied).filter(|(_, changed)| **changed) {
                opt_outs.lately.note(event.key, event.is_blocked, now_ms);
            }
            Ok(applied)
        });
        written.await
    }
}

/// Reads the list once, so that most questions about it need no disk after that.
pub(crate) async fn warm_up(engine: Engine) {
    let store = engine.shared.store.clone();
    // An error is in the log; every question goes to the disk then.
    let _ = engine.read(move || store.opt_outs().warm_up()).await;
}
