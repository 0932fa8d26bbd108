//! Sticky mappings.

use std::collections::BTreeMap;
use std::ops::Bound;

use postrider_core::clock::Millis;
use postrider_core::sid::{Id, ServiceSid};

use super::MemoryStore;
use crate::contract::Result;
use crate::sticky::{
    RecipientCursor, StickyChange, StickyCount, StickyKey, StickySender, StickyStore,
};

#[derive(Clone, Default)]
pub(super) struct Mappings {
    by_key: BTreeMap<StickyKey, StickySender>,
    reached: Option<Id>,
    swept: Option<StickyKey>,
}

impl StickyStore for MemoryStore {
    fn find(&self, key: StickyKey) -> Result<Option<StickySender>> {
        Ok(self.records()?.sticky.by_key.get(&key).copied())
    }

    fn write(&self, changes: &[StickyChange], reached: Id) -> Result<()> {
        let mappings = &mut self.records()?.sticky;
        for change in changes {
            match change.sender {
                Some(sender) => mappings.by_key.insert(change.key, in_seconds(sender)),
                None => mappings.by_key.remove(&change.key),
            };
        }
        mappings.reached = Some(reached);
        Ok(())
    }

    fn reached(&self) -> Result<Option<Id>> {
        Ok(self.records()?.sticky.reached)
    }

    fn swept(&self) -> Result<Option<StickyKey>> {
        Ok(self.records()?.sticky.swept)
    }

    fn keep_swept(&self, place: Option<StickyKey>) -> Result<()> {
        self.records()?.sticky.swept = place;
        Ok(())
    }

    fn counts(&self) -> Result<Vec<StickyCount>> {
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for (key, sender) in &self.records()?.sticky.by_key {
            *counts.entry((key.service, sender.position)).or_default() += 1;
        }
        let count = |((service, position), mappings)| StickyCount {
            service,
            position,
            mappings,
        };
        Ok(counts.into_iter().map(count).collect())
    }

    fn page(
        &self,
        after: Option<StickyKey>,
        limit: usize,
    ) -> Result<Vec<(StickyKey, StickySender)>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records()?;
        let mappings = records.sticky.by_key.range((from, Bound::Unbounded));
        Ok(mappings
            .map(|(key, sender)| (*key, *sender))
            .take(limit)
            .collect())
    }

    fn of_service(
        &self,
        service: ServiceSid,
        cursor: RecipientCursor,
        limit: usize,
    ) -> Result<Vec<(StickyKey, StickySender)>> {
        let records = self.records()?;
        let mappings = records.sticky.by_key.iter();
        let is_wanted = |key: &StickyKey| {
            key.service == service
                && match cursor {
                    RecipientCursor::Start => true,
                    RecipientCursor::After(recipient) => key.recipient > recipient,
                    RecipientCursor::Before(recipient) => key.recipient < recipient,
                }
        };
        let mut wanted: Vec<_> = mappings
            .filter(|(key, _)| is_wanted(key))
            .map(|(key, sender)| (*key, *sender))
            .collect();
        if matches!(cursor, RecipientCursor::Before(_)) {
            wanted.drain(..wanted.len().saturating_sub(limit));
        }
        wanted.truncate(limit);
        Ok(wanted)
    }
}

/// As precise as the contract keeps it.
fn in_seconds(sender: StickySender) -> StickySender {
    let seconds = |ms: Millis| ms.div_euclid(1_000) * 1_000;
    StickySender {
        created_ms: seconds(sender.created_ms),
        used_ms: seconds(sender.used_ms),
        ..sender
    }
}
