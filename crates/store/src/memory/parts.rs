//! Segments of messages from handsets.

use std::collections::BTreeMap;

use postrider_core::sid::Id;

use crate::contract::Applied;
use crate::parts::{KeptPart, Part};

/// By message and sequence.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts(BTreeMap<(Id, u8), KeptPart>);

impl Parts {
    pub(super) fn keep(&mut self, part: &Part) -> Applied {
        let key = (part.message, part.sequence);
        if self.0.contains_key(&key) {
            return Applied::Stale;
        }
        let kept = KeptPart {
            part: part.clone(),
            is_joined: false,
        };
        self.0.insert(key, kept);
        Applied::Yes
    }

    pub(super) fn join(&mut self, message: Id) -> Applied {
        let parts = self.0.range_mut((message, 0)..=(message, u8::MAX));
        parts.fold(Applied::Missing, |_, (_, kept)| {
            kept.is_joined = true;
            Applied::Yes
        })
    }

    pub(super) fn forget(&mut self, message: Id) -> Applied {
        let before = self.0.len();
        self.0.retain(|(of, _), _| *of != message);
        if self.0.len() < before {
            Applied::Yes
        } else {
            Applied::Missing
        }
    }

    pub(super) fn all(&self) -> Vec<KeptPart> {
        self.0.values().cloned().collect()
    }
}
