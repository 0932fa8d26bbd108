//! The opt-out list in the model store.

use postrider_core::clock::Millis;
use postrider_core::message::AccountNo;
use postrider_core::opt_out::{ChannelGroup, ListKey, Scope};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::Id;

use super::MemoryStore;
use crate::contract::{Cursor, Result};
use crate::opt_outs::{OptOutEntry, OptOutEvent, OptOutFilter, OptOutStore};

/// All events, oldest first: an entry is what the last one of its key says.
#[derive(Clone, Debug, Default)]
pub(super) struct OptOuts(Vec<OptOutEvent>);

impl OptOuts {
    fn entry(&self, key: &ListKey) -> Option<OptOutEntry> {
        let mut events = self.0.iter().filter(|event| event.key == *key);
        let first = events.next()?;
        let last = events.next_back().unwrap_or(first);
        Some(OptOutEntry {
            id: first.id,
            updated_ms: last.id.created_ms(),
            last: last.clone(),
        })
    }

    /// Newest first.
    fn entries(&self) -> Vec<OptOutEntry> {
        let mut keys: Vec<_> = self.0.iter().map(|event| event.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let entries = keys.iter().filter_map(|key| self.entry(key));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id));
        entries
    }
}

impl OptOutStore for MemoryStore {
    fn apply(&self, events: &[OptOutEvent]) -> Result<Vec<bool>> {
        let mut records = self.records()?;
        let list = &mut records.opt_outs;
        let apply = |event: &OptOutEvent| {
            let entry = list.entry(&event.key);
            let is_news = entry.is_none_or(|entry| entry.last.is_blocked != event.is_blocked);
            if is_news {
                list.0.push(event.clone());
            }
            is_news
        };
        Ok(events.iter().map(apply).collect())
    }

    fn opted_out(&self, channels: ChannelGroup, user: PhoneNumber) -> Result<Vec<Scope>> {
        let entries = self.records()?.opt_outs.entries().into_iter();
        let of_user = entries.filter(|OptOutEntry { last, .. }| {
            last.is_blocked && last.key.channels == channels && last.key.user == user
        });
        Ok(of_user.map(|entry| entry.last.key.scope).collect())
    }

    fn warm_up(&self) -> Result<()> {
        Ok(())
    }

    fn find(&self, id: Id) -> Result<Option<OptOutEntry>> {
        let entries = self.records()?.opt_outs.entries();
        Ok(entries.into_iter().find(|entry| entry.id == id))
    }

    fn list(
        &self,
        filter: &OptOutFilter,
        cursor: Cursor,
        limit: usize,
    ) -> Result<Vec<OptOutEntry>> {
        let mut entries = self.records()?.opt_outs.entries();
        entries.retain(|OptOutEntry { last, .. }| {
            last.account == filter.account
                && filter.scope.is_none_or(|scope| last.key.scope == scope)
                && filter.user.is_none_or(|user| last.key.user == user)
                && filter.is_blocked.is_none_or(|is| last.is_blocked == is)
        });
        Ok(match cursor {
            Cursor::Start => entries.into_iter().take(limit).collect(),
            Cursor::After(id) => {
                let older = entries.into_iter().filter(|entry| entry.id < id);
                older.take(limit).collect()
            }
            Cursor::Before(id) => {
                entries.retain(|entry| entry.id > id);
                entries.split_off(entries.len().saturating_sub(limit))
            }
        })
    }

    fn history(
        &self,
        account: AccountNo,
        user: PhoneNumber,
        limit: usize,
    ) -> Result<Vec<OptOutEvent>> {
        let records = self.records()?;
        let newest_first = records.opt_outs.0.iter().rev();
        let of_user = |event: &&OptOutEvent| event.account == account && event.key.user == user;
        Ok(newest_first.filter(of_user).take(limit).cloned().collect())
    }

    fn blocked_since(&self, since_ms: Millis) -> Result<Vec<ListKey>> {
        let entries = self.records()?.opt_outs.entries().into_iter();
        let recent = entries.filter(|entry| entry.last.is_blocked && entry.updated_ms >= since_ms);
        Ok(recent.map(|entry| entry.last.key).collect())
    }
}
