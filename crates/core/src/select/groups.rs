//! Groups of a pool's senders, each in pool order, with their sizes at hand.
//!
//! Selection picks one group by country or area code and walks only that. Groups are edited one
//! sender at a time; a group that becomes empty is forgotten.

use std::collections::BTreeMap;

use crate::country::Country;
use crate::message::SenderNo;
use crate::nanp::AreaCode;

/// A sender in a group. The derived order is pool order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    pub(super) position: u64,
    pub(super) no: SenderNo,
}

/// Senders by one property.
#[derive(Clone, Debug)]
pub(super) struct Groups<K> {
    groups: BTreeMap<K, Vec<Member>>,
    len: usize,
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<K: Ord + Copy> Groups<K> {
    pub(super) fn get(&self, key: K) -> &[Member] {
        self.groups.get(&key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &[Member])> {
        self.groups
            .iter()
            .map(|(&key, members)| (key, members.as_slice()))
    }

    /// Members of all groups.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn edit(&mut self, edit: Edit, key: K, member: Member) {
        edit.count(&mut self.len);
        let members = self.groups.entry(key).or_default();
        edit.list(members, member);
        if members.is_empty() {
            self.groups.remove(&key);
        }
    }
}

/// Numbers that can carry one kind of message.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    pub(super) by_country: Groups<Option<Country>>,
    pub(super) by_area_code: Groups<(Option<Country>, AreaCode)>,
}

impl Numbers {
    pub(super) fn edit(
        &mut self,
        edit: Edit,
        (country, area_code): (Option<Country>, Option<AreaCode>),
        member: Member,
    ) {
        self.by_country.edit(edit, country, member);
        if let Some(area_code) = area_code {
            self.by_area_code.edit(edit, (country, area_code), member);
        }
    }
}

/// What happens to a member of a group.
#[derive(Clone, Copy)]
pub(super) enum Edit {
    Add,
    Remove,
}

impl Edit {
    pub(super) fn count(self, count: &mut usize) {
        match self {
            Self::Add => *count += 1,
            Self::Remove => *count -= 1,
        }
    }

    /// Keeps pool order. Senders mostly join at the end, where this is cheap.
    pub(super) fn list(self, members: &mut Vec<Member>, member: Member) {
        match (self, members.binary_search(&member)) {
            (Self::Add, Err(index)) => members.insert(index, member),
            (Self::Remove, Ok(index)) => {
                members.remove(index);
            }
            (Self::Add, Ok(_)) | (Self::Remove, Err(_)) => {
                debug_assert!(false, "a sender joins a group once and leaves it once");
            }
        }
    }
}
