//! Groups of a pool's senders, each in pool order, with their sizes at hand.
//!
//! Selection picks one group by country or area code and looks at that only. Groups are edited one
//! sender at a time; a group that becomes empty is forgotten.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::country::Country;
use crate::message::SenderNo;
use crate::nanp::AreaCode;

/// A sender in a group. The derived order is pool order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub position: u64,
    pub no: SenderNo,
}

/// Senders that have one property, in pool order.
#[derive(Clone, Debug)]
pub struct Group {
    edition: Edition,
    members: Vec<Member>,
}

/// Which edit of the pool a group comes from. A group with a new member, or one member less, has
/// another edition; so have any two groups of a pool with different members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edition {
    /// Number of the edit.
    edit: u64,
    /// Place among the groups that the edit touched.
    place: u8,
}

impl Group {
    const EMPTY: Self = Self {
        edition: Edition { edit: 0, place: 0 },
        members: Vec::new(),
    };

    pub fn edition(&self) -> Edition {
        self.edition
    }

    pub(super) fn edit(&mut self, edit: &mut Edit, member: Member) {
        edit.list(&mut self.members, member);
        self.edition = edit.next_edition();
    }
}

impl Default for Group {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Deref for Group {
    type Target = [Member];

    fn deref(&self) -> &[Member] {
        &self.members
    }
}

/// Senders by one property.
#[derive(Clone, Debug)]
pub(super) struct Groups<K> {
    groups: BTreeMap<K, Group>,
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
    pub(super) fn get(&self, key: K) -> &Group {
        static EMPTY: Group = Group::EMPTY;
        self.groups.get(&key).unwrap_or(&EMPTY)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &Group)> {
        self.groups.iter().map(|(&key, group)| (key, group))
    }

    /// Members of all groups.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn edit(&mut self, edit: &mut Edit, key: K, member: Member) {
        edit.count(&mut self.len);
        let group = self.groups.entry(key).or_default();
        group.edit(edit, member);
        if group.is_empty() {
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
        edit: &mut Edit,
        (country, area_code): (Option<Country>, Option<AreaCode>),
        member: Member,
    ) {
        self.by_country.edit(edit, country, member);
        if let Some(area_code) = area_code {
            self.by_area_code.edit(edit, (country, area_code), member);
        }
    }
}

/// One sender joining or leaving groups.
pub(super) struct Edit {
    kind: EditKind,
    edition: Edition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditKind {
    Add,
    Remove,
}

impl Edit {
    /// The edit with this number, which the pool gives to no other.
    pub(super) fn new(kind: EditKind, number: u64) -> Self {
        let edition = Edition {
            edit: number,
            place: 0,
        };
        Self { kind, edition }
    }

    pub(super) fn count(&self, count: &mut usize) {
        match self.kind {
            EditKind::Add => *count += 1,
            EditKind::Remove => *count -= 1,
        }
    }

    /// Keeps pool order. Senders mostly join at the end, where this is cheap.
    fn list(&self, members: &mut Vec<Member>, member: Member) {
        match (self.kind, members.binary_search(&member)) {
            (EditKind::Add, Err(index)) => members.insert(index, member),
            (EditKind::Remove, Ok(index)) => {
                members.remove(index);
            }
            (EditKind::Add, Ok(_)) | (EditKind::Remove, Err(_)) => {
                debug_assert!(false, "a sender joins a group once and leaves it once");
            }
        }
    }

    fn next_edition(&mut self) -> Edition {
        self.edition.place += 1;
        self.edition
    }
}
