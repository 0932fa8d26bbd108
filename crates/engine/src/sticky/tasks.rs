//! What goes on beside the messages: notes are written, a crash is made good, old mappings are dropped.

use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_core::clock::Millis;
use postrider_core::fault::Fault;
use postrider_core::message::{Direction, Message};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::{Decision, StickyAction};
use postrider_core::sid::Id;
use postrider_store::{Cursor, MessageFilter, Result, StickyKey, StickySender};

use super::{Outdated, Sticky, is_of_pool, mapping};
use crate::Engine;
use crate::accept::Acceptor;
use crate::directory::Directory;
use crate::receive;

/// How long a note waits for others.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// How often the store is told how far it is when there is nothing to note.
const ADVANCE_EVERY: u32 = 10;

/// Between an id is given out and its mapping is noted no more time than this passes.
pub(super) const MARGIN_MS: Millis = 2_000;

/// Messages and mappings read at once.
pub(super) const PAGE: usize = 1_000;

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

    /// Writes everything that is noted, if anything is.
    pub(crate) async fn write_sticky_notes(&self) -> Result<(), Fault> {
        if self.shared.acceptor.sticky.has_notes() {
            self.write_sticky(MARGIN_MS).await?;
        }
        Ok(())
    }

    /// Writes everything that is noted, so that nothing of it is made again from the messages there
    /// are: something was decided that those did not know of. One that is being made at this very
    /// moment, and the process be killed within the second before its note is written, would teach its
    /// recipient nothing.
    pub(crate) async fn settle_sticky(&self) -> Result<(), Fault> {
        let acceptor = self.shared.acceptor.clone();
        let reached = self.ids().next();
        self.write(move || acceptor.sticky.write_notes(reached))
            .await
    }
}

impl Sticky {
    /// Whether there are messages that the store, told how far it is, may not have passed.
    pub(super) fn is_behind(&self) -> bool {
        let newest_ms = self.newest_ms.load(Ordering::Relaxed);
        let reached = self.state.lock().reached;
        reached.is_none_or(|reached| reached.created_ms() <= newest_ms + MARGIN_MS)
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
        match message.direction {
            Direction::Inbound => self.repeat_inbound(message, directory),
            Direction::OutboundApi | Direction::OutboundReply | Direction::OutboundCall => {
                self.repeat_outbound(message, directory)
            }
        }
    }

    fn repeat_outbound(&self, message: &Message, directory: &Directory) -> Result<()> {
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
        let at_ms = time_of(message);
        let chosen = decision.chosen().and_then(|sender| pool.get(sender));
        // One that left since and came back is another member.
        let chosen = chosen.filter(|sender| directory.is_member_since(service, sender, at_ms));
        let key = StickyKey { service, recipient };
        let looked = self.look(key)?;
        let mut now = self.lock();
        // Nobody else writes yet.
        if let Ok(former) = now.current(&looked) {
            // Made later, by a scheduled message, whose id is older, or by one that comes yet.
            if former.is_some_and(|former| former.created_ms > at_ms) {
                return Ok(());
            }
            let action = match decision.sticky {
                // What it used was made by a scheduled message, whose id is older than all of these.
                StickyAction::Touch if former.is_none() => StickyAction::Write,
                action => action,
            };
            now.note(key, former, action, chosen, at_ms);
        }
        Ok(())
    }

    fn repeat_inbound(&self, message: &Message, directory: &Directory) -> Result<()> {
        let handset = message.from.as_deref().unwrap_or_default();
        let owner = receive::owner(directory, handset, &message.to);
        let Some(member) = owner.and_then(|owner| owner.member) else {
            return Ok(());
        };
        let at_ms = time_of(message);
        if message.service != Some(member.service) || member.added_ms > at_ms {
            return Ok(());
        }
        receive::remember(self, directory, &member, handset, at_ms)
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
            if is_live(directory, key, sender, now_ms) {
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

/// When the message was made, and a scheduled one its choice.
fn time_of(message: &Message) -> Millis {
    let made_ms = message.sid.id.created_ms();
    message
        .send_at_ms
        .map_or(made_ms, |at_ms| at_ms.max(made_ms))
}

/// Whether the next message will find the mapping as it is: not too old, and to a member of the pool
/// that is not the recipient itself.
pub(super) fn is_live(
    directory: &Directory,
    key: StickyKey,
    sender: StickySender,
    now_ms: Millis,
) -> bool {
    let mapping = mapping(sender);
    let pool = directory.service_and_pool(key.service);
    !mapping.is_expired(now_ms) && pool.is_some_and(|(_, pool)| is_of_pool(&pool, key, mapping))
}

/// Drops what is of no use any more, page by page, until the process stops.
pub(crate) async fn sweep(engine: Engine) {
    loop {
        let pause = match engine.sweep_sticky().await {
            Ok(Swept::Page) => SWEEP_PAGE_EVERY,
            Ok(Swept::All) => SWEEP_EVERY,
            Err(_) => {
                // The log says why. What is before that place may be swept again meanwhile.
                if engine.keep_swept(None).await.is_err() {
                    return;
                }
                SWEEP_EVERY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// What a sweep has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    /// A page, and there are more.
    Page,
    /// The last one.
    All,
}

impl Engine {
    /// Sweeps the page after the last one, be it this process's or one's before.
    pub(crate) async fn sweep_sticky(&self) -> Result<Swept, Fault> {
        let acceptor = self.shared.acceptor.clone();
        let now_ms = self.now_ms();
        let sweep = move || {
            let Acceptor {
                sticky, directory, ..
            } = &*acceptor;
            let after = sticky.store.sticky().swept()?;
            sticky.sweep_page(after, directory, now_ms)
        };
        let next = self.read(sweep).await?;
        // First what was dropped, then the place: a crash in between sweeps the page once more.
        self.write_sticky_notes().await?;
        self.keep_swept(next).await?;
        Ok(match next {
            Some(_) => Swept::Page,
            None => Swept::All,
        })
    }

    async fn keep_swept(&self, place: Option<StickyKey>) -> Result<(), Fault> {
        let store = self.shared.store.clone();
        self.write(move || store.sticky().keep_swept(place)).await
    }
}
