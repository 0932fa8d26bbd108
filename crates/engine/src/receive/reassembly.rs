//! Reassembly: segments of messages from handsets, until all of one are there.
//!
//! A value: what came is told, what to do is answered, and time comes in as an argument. Segments may
//! come in any order, twice, and days apart; each is durable before its carrier is answered. Whoever
//! waits too long for its others is made a message without them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use postrider_core::clock::Millis;
use postrider_core::sid::Id;
use postrider_core::text::Utf16Text;
use postrider_store::{KeptPart, Part, PartOf};
use rustc_hash::FxHashMap;

/// How long a segment waits for the others of its message.
pub(crate) const WAIT_MS: Millis = 10 * 60_000;

/// How long a message that was made knows its segments when they come again: a carrier that lost the
/// answer, or its link, sends within minutes.
pub(crate) const JOINED_MS: Millis = 10 * 60_000;

/// Segments in memory: some 50 MB.
const PARTS_MAX: usize = 200_000;

/// What becomes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It waits for the others.
    Kept,
    /// It was the last one.
    Whole(Joined),
    /// It had come before; it is kept.
    Again,
    /// There is no room: it should come again later.
    Full,
}

/// A message of the segments that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    /// In their order.
    pub(crate) parts: Vec<Part>,
}

impl Joined {
    pub(crate) fn first(&self) -> &Part {
        &self.parts[0]
    }

    pub(crate) fn text(&self) -> Utf16Text {
        Utf16Text::join(self.parts.iter().map(|part| &part.text))
    }
}

/// What waited long enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// All segments are there, and a former process had no time to make the message.
    Whole(Joined),
    /// Segments are missing; the message is made without them.
    Incomplete(Joined),
    /// The message was made long ago.
    Forget(Id),
}

#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    /// By what its segments have in common, the one that segments come for now.
    open: FxHashMap<PartOf, Id>,
    groups: BTreeMap<Id, Group>,
    parts: usize,
    /// Whole ones that a former process left.
    left: Vec<Id>,
}

/// The segments of one message. By its id, hence by the time of the first one.
#[derive(Debug)]
struct Group {
    parts: BTreeMap<u8, Part>,
    /// When the message was made.
    joined_ms: Option<Millis>,
}

impl Group {
    fn due_ms(&self, message: Id) -> Millis {
        match self.joined_ms {
            None => message.created_ms() + WAIT_MS,
            Some(joined_ms) => joined_ms + JOINED_MS,
        }
    }

    fn is_whole(&self) -> bool {
        let total = self.parts.values().next().map(|part| part.of.total);
        total.is_some_and(|total| self.parts.len() >= usize::from(total))
    }

    fn joined(&self) -> Joined {
        Joined {
            parts: self.parts.values().cloned().collect(),
        }
    }
}

impl Reassembly {
    /// Goes on with what a former process kept.
    pub(crate) fn open(kept: Vec<KeptPart>, now_ms: Millis) -> Self {
        let mut reassembly = Self::default();
        for KeptPart { part, is_joined } in kept {
            reassembly.open.insert(part.of.clone(), part.message);
            let group = reassembly.groups.entry(part.message);
            let group = group.or_insert_with(|| Group {
                parts: BTreeMap::new(),
                joined_ms: is_joined.then_some(now_ms),
            });
            group.parts.insert(part.sequence, part);
            reassembly.parts += 1;
        }
        let is_left = |group: &Group| group.joined_ms.is_none() && group.is_whole();
        let left = reassembly.groups.iter().filter(|(_, group)| is_left(group));
        reassembly.left = left.map(|(message, _)| *message).collect();
        reassembly
    }

    /// Takes a segment. Its id is that of a message which begins with it; where others of it came
    /// before, it gets theirs.
    pub(crate) fn take(&mut self, part: &mut Part, now_ms: Millis) -> Taken {
        if self.parts >= PARTS_MAX {
            return Taken::Full;
        }
        let known = self.open.get(&part.of).copied();
        if let Some(message) = known
            && let Some(group) = self.groups.get_mut(&message)
        {
            match group.parts.entry(part.sequence) {
                Entry::Occupied(there) if there.get().text == part.text => {
                    part.message = message;
                    return Taken::Again;
                }
                // The handset has used the number again, for another message.
                Entry::Occupied(_) => {}
                Entry::Vacant(_) if group.joined_ms.is_some() => {}
                Entry::Vacant(place) => {
                    part.message = message;
                    place.insert(part.clone());
                    self.parts += 1;
                    if !group.is_whole() {
                        return Taken::Kept;
                    }
                    group.joined_ms = Some(now_ms);
                    return Taken::Whole(group.joined());
                }
            }
        }
        self.open.insert(part.of.clone(), part.message);
        let group = Group {
            parts: BTreeMap::from([(part.sequence, part.clone())]),
            joined_ms: None,
        };
        self.groups.insert(part.message, group);
        self.parts += 1;
        Taken::Kept
    }

    /// What has waited long enough.
    pub(crate) fn take_due(&mut self, now_ms: Millis) -> Vec<Due> {
        // Whoever began later is due later, unless it was made meanwhile: that may be late, never early.
        let begun = self.groups.range(..Id::new(now_ms - WAIT_MS + 1, 0, 0));
        let due = begun.filter(|(message, group)| group.due_ms(**message) <= now_ms);
        let due: Vec<Id> = due.map(|(message, _)| *message).collect();
        let left = std::mem::take(&mut self.left);
        let left = left.into_iter().filter_map(|message| {
            let group = self.groups.get_mut(&message)?;
            group.joined_ms = Some(now_ms);
            Some(Due::Whole(group.joined()))
        });
        let mut all: Vec<Due> = left.collect();
        let due = due.into_iter();
        all.extend(due.filter_map(|message| self.end(message, now_ms)));
        all
    }

    /// Forgets segments whose message was made, of those that `owner` knows an owner of, and names them.
    /// Those that wait for others are named beside.
    pub(crate) fn forget<T>(
        &mut self,
        owner: impl Fn(&PartOf) -> Option<T>,
    ) -> (Vec<Id>, Vec<(Id, T)>) {
        let (mut forgotten, mut waiting) = (Vec::new(), Vec::new());
        for (message, group) in &self.groups {
            let part = group.parts.values().next();
            match part.and_then(|part| owner(&part.of)) {
                None => {}
                Some(_) if group.joined_ms.is_some() => forgotten.push(*message),
                Some(owner) => waiting.push((*message, owner)),
            }
        }
        for message in &forgotten {
            self.remove(*message);
        }
        (forgotten, waiting)
    }

    fn remove(&mut self, message: Id) -> Option<()> {
        let group = self.groups.remove(&message)?;
        self.parts -= group.parts.len();
        let (_, part) = group.parts.first_key_value()?;
        if self.open.get(&part.of) == Some(&message) {
            self.open.remove(&part.of);
        }
        Some(())
    }

    fn end(&mut self, message: Id, now_ms: Millis) -> Option<Due> {
        let group = self.groups.get_mut(&message)?;
        if group.joined_ms.is_none() {
            group.joined_ms = Some(now_ms);
            return Some(Due::Incomplete(group.joined()));
        }
        self.remove(message)?;
        Some(Due::Forget(message))
    }
}

#[cfg(test)]
mod tests;
