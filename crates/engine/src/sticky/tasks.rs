//! What goes on beside the messages: notes are written, a crash is made good, old mappings are dropped.

use std::time::Duration;

use postrider_core::clock::Millis;
use postrider_core::fault::Fault;
use postrider_core::message::{Direction, Message};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::{Decision, PoolSender, StickyAction};
use postrider_core::sid::Id;
use postrider_store::{Cursor, MessageFilter, Result, StickyKey};

use super::{Outdated, Sticky, is_in, mapping};
use crate::directory::Directory;
use crate::{Engine, receive};

/// How long a note waits for others.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// How often the store is told how far it is when there is nothing to note.
const ADVANCE_EVERY: u32 = 10;

/// Between an id is given out and its mapping is noted no more time than this passes.
pub(super) const MARGIN_MS: Millis = 2_000;

/// Messages and mappings read at once.
const PAGE: usize = 1_000;

/// Between pages of a sweep, and between sweeps: a hundred million mappings take a day.
const SWEEP_PAGE_EVERY: Duration = Duration::from_secs(1);
const SWEEP_EVERY: Duration = Duration::from_hours(6);

/// Writes notes until the process stops.
pub(crate) async fn write(engine: Engine) {
    let sticky = &engine.shared.acceptor.sticky;
    let mut rounds = 0;
    loop {
        let round = tokio::time::sleep(WRITE_EVERY);
        tokio::select! {
            () = round => rounds += 1,
            () = sticky.is_full.notified() => {}
        }
        let is_turn = rounds >= ADVANCE_EVERY && sticky.is_behind();
        if !sticky.has_notes() && !is_turn {
            continue;
        }
        rounds = 0;
        if engine.write_sticky(MARGIN_MS).await.is_err() {
            return;
        }
    }
}

impl Engine {
    /// Writes everything that is noted. Messages of the last `margin_ms` may still be about to note.
    pub(crate) async fn write_sticky(&self, margin_ms: Millis) -> Result<(), Fault> {
        let acceptor = self.shared.acceptor.clone();
        let reached = Id::new(self.now_ms() - margin_ms, 0, 0);
        self.write(move || acceptor.sticky.write_notes(reached))
            .await
    }
}

impl Sticky {
    fn is_behind(&self) -> bool {
        use std::sync::atomic::Ordering;
        self.is_behind.swap(false, Ordering::Relaxed)
    }

    /// Makes the mappings again that a crash kept from being written, from the messages since.
    pub(super) fn catch_up(&self, directory: &Directory, now_ms: Millis) -> Result<()> {
        let store = &self.store;
        // `None`: the first start, or messages of a version that made no mappings.
        let mut reached = store.sticky().reached()?;
        while let Some(cursor) = reached {
            let mut page = store.list(&MessageFilter::default(), Cursor::Before(cursor), PAGE)?;
            // Listings are newest first.
            page.reverse();
            for message in &page {
                self.repeat(message, directory)?;
            }
            reached = page.last().map(|message| message.sid.id);
        }
        self.write_notes(Id::new(now_ms - MARGIN_MS, 0, 0))
    }

    /// Notes once more what the message noted.
    fn repeat(&self, message: &Message, directory: &Directory) -> Result<()> {
        if message.direction == Direction::Inbound {
            return self.hear_again(message, directory);
        }
        let (Some(service), Some(decision)) = (message.service, &message.decision) else {
            return Ok(());
        };
        let (Ok(recipient), Ok(decision)) = (
            PhoneNumber::parse(&message.to),
            Decision::from_bytes(decision),
        ) else {
            return Ok(());
        };
        let Some((_, pool)) = directory.service_and_pool(service) else {
            return Ok(());
        };
        // A message that failed all the same taught its recipient nothing.
        if message.sender.is_none() && decision.chosen().is_some() {
            return Ok(());
        }
        // A scheduled message's id is older than the choice of its sender.
        let at_ms = match message.send_at_ms {
            None => message.created_ms(),
            Some(_) => message.updated_ms,
        };
        // One that has left and come back since is another.
        let was_in_pool = |sender: &&PoolSender| {
            let member = directory.pool_member(service, sender.position);
            member.is_some_and(|member| member.added_ms <= at_ms)
        };
        let chosen = decision.chosen().and_then(|sender| pool.get(sender));
        let chosen = chosen.filter(was_in_pool);
        let key = StickyKey { service, recipient };
        let looked = self.look(key)?;
        let mut now = self.lock();
        // Nobody else writes yet.
        if let Ok(former) = now.current(&looked) {
            let action = match decision.sticky {
                // What it used was made by a scheduled message, whose id is older than all of these.
                StickyAction::Touch if former.is_none() => StickyAction::Write,
                action => action,
            };
            now.note(key, former, action, chosen, at_ms);
        }
        Ok(())
    }

    /// The same for one from a handset.
    fn hear_again(&self, message: &Message, directory: &Directory) -> Result<()> {
        let owner = receive::owner(directory, &message.to);
        let (Some((_, Some(member))), Some(handset)) = (owner, &message.from) else {
            return Ok(());
        };
        let at_ms = message.created_ms();
        if message.service != Some(member.service) || member.added_ms > at_ms {
            return Ok(());
        }
        self.heard(directory, &member, handset, at_ms)
    }

    /// Forgets those of a page of mappings that were not used for a year, or whose sender has left.
    /// Returns the last key of a full page.
    pub(crate) fn sweep_page(
        &self,
        after: Option<StickyKey>,
        directory: &Directory,
        now_ms: Millis,
    ) -> Result<Option<StickyKey>> {
        let page = self.store.sticky().page(after, PAGE)?;
        for &(key, sender) in &page {
            let pool = directory.service_and_pool(key.service);
            let mapping = mapping(sender);
            let is_member = pool.is_some_and(|(_, pool)| is_in(&pool, mapping));
            if is_member && !mapping.is_expired(now_ms) {
                continue;
            }
            let looked = self.look(key)?;
            let mut now = self.lock();
            match now.current(&looked) {
                Ok(Some(current)) if current == sender => now.put(key, Some(sender), None),
                Ok(_) | Err(Outdated) => {}
            }
        }
        let is_full = page.len() == PAGE;
        Ok(page.last().map(|(key, _)| *key).filter(|_| is_full))
    }
}

/// Drops what is of no use any more, page by page, until the process stops.
pub(crate) async fn sweep(engine: Engine) {
    let mut after = None;
    loop {
        let acceptor = engine.shared.acceptor.clone();
        let now_ms = engine.now_ms();
        let swept = tokio::task::spawn_blocking(move || {
            let directory = &acceptor.directory;
            acceptor.sticky.sweep_page(after, directory, now_ms)
        });
        after = match swept.await {
            Ok(Ok(next)) => next,
            Ok(Err(error)) => {
                tracing::error!(%error, "sticky mappings can't be swept");
                None
            }
            Err(_) => None,
        };
        let pause = if after.is_some() {
            SWEEP_PAGE_EVERY
        } else {
            SWEEP_EVERY
        };
        tokio::time::sleep(pause).await;
    }
}
