//! A sorted map that is copied in no time: a copy shares what neither side has changed since.
//!
//! Its entries are in chunks, in order. A write copies the list of chunks and the one chunk that it
//! changes if another map has them too, and nothing else. So the directory of a draft costs little
//! more than what the draft changes, however many senders there are.

use std::borrow::Borrow;
use std::sync::Arc;

/// Entries of a chunk at most. With ten thousand entries a write to a copy clones some hundred keys
/// and pointers, and some ten entries.
const CHUNK_MAX: usize = 64;

#[derive(Clone)]
pub(super) struct SharedMap<K, V> {
    chunks: Arc<Vec<Chunk<K, V>>>,
}

#[derive(Clone)]
struct Chunk<K, V> {
    /// Not above the first of them. Here, so that a look-up opens one chunk only. Whatever is below the
    /// first chunk's belongs there too.
    from: K,
    /// Never empty.
    entries: Arc<Vec<(K, V)>>,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self {
            chunks: Arc::default(),
        }
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (no, at) = self.place(key);
        let (_, value) = &self.chunks.get(no)?.entries[at.ok()?];
        Some(value)
    }

    pub(super) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// In the order of their keys.
    pub(super) fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        let entries = self.chunks.iter().flat_map(|chunk| chunk.entries.iter());
        entries.map(|(_, value)| value)
    }

    pub(super) fn last_key(&self) -> Option<&K> {
        let (key, _) = self.chunks.last()?.entries.last()?;
        Some(key)
    }

    /// The chunk that has the key if any does, and where in it the key is or belongs.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let after = self
            .chunks
            .partition_point(|chunk| chunk.from.borrow() <= key);
        let no = after.saturating_sub(1);
        let at = self.chunks.get(no).map_or(Err(0), |chunk| {
            let entries = &chunk.entries;
            entries.binary_search_by(|(known, _)| known.borrow().cmp(key))
        });
        (no, at)
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// Returns what the key had before.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (no, at) = self.place(&key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(no) else {
            chunks.push(Chunk {
                from: key.clone(),
                entries: Arc::new(vec![(key, value)]),
            });
            return None;
        };
        let entries = Arc::make_mut(&mut chunk.entries);
        match at {
            Ok(at) => return Some(std::mem::replace(&mut entries[at].1, value)),
            Err(at) => entries.insert(at, (key, value)),
        }
        if entries.len() > CHUNK_MAX {
            let rest = entries.split_off(CHUNK_MAX / 2);
            let rest = Chunk {
                from: rest[0].0.clone(),
                entries: Arc::new(rest),
            };
            chunks.insert(no + 1, rest);
        }
        None
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (no, at) = self.place(key);
        let at = at.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let entries = Arc::make_mut(&mut chunks[no].entries);
        let (_, value) = entries.remove(at);
        if entries.is_empty() {
            chunks.remove(no);
        }
        Some(value)
    }

    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (no, at) = self.place(key);
        let at = at.ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let entries = Arc::make_mut(&mut chunks[no].entries);
        Some(&mut entries[at].1)
    }

    /// Changes what the key has, or else puts in the default, changed.
    pub(super) fn update(&mut self, key: K, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        if let Some(value) = self.get_mut(&key) {
            return change(value);
        }
        let mut value = V::default();
        change(&mut value);
        self.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u16, u8),
        Remove(u16),
        Update(u16),
        /// The copy goes on, and what it was copied from must stay as it is.
        Copy,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let key = 0_u16..600;
        prop_oneof![
            8 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
            4 => key.clone().prop_map(Step::Remove),
            2 => key.prop_map(Step::Update),
            1 => Just(Step::Copy),
        ]
    }

    #[track_caller]
    fn assert_same(map: &SharedMap<u16, u8>, model: &BTreeMap<u16, u8>) {
        assert!(map.values().eq(model.values()));
        assert!(map.values().rev().eq(model.values().rev()));
        assert_eq!(map.is_empty(), model.is_empty());
        assert_eq!(map.last_key(), model.last_key_value().map(|(key, _)| key));
        for key in 0..600 {
            assert_eq!(map.get(&key), model.get(&key));
            assert_eq!(map.contains_key(&key), model.contains_key(&key));
        }
        let mut sizes = map.chunks.iter().map(|chunk| chunk.entries.len());
        assert!(sizes.all(|size| (1..=CHUNK_MAX).contains(&size)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_like_a_sorted_map_and_copies_do_not_see_each_other(
            first in 0_u16..500,
            steps in prop::collection::vec(any_step(), 0..400),
        ) {
            let (mut map, mut model) = (SharedMap::default(), BTreeMap::new());
            // In their order, as most are.
            for key in 0..first {
                prop_assert_eq!(map.insert(key, 0), model.insert(key, 0));
            }
            let mut copied = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(key, value) => {
                        prop_assert_eq!(map.insert(key, value), model.insert(key, value));
                    }
                    Step::Remove(key) => {
                        prop_assert_eq!(map.remove(&key), model.remove(&key));
                    }
                    Step::Update(key) => {
                        map.update(key, |value| *value = value.wrapping_add(1));
                        let value = model.entry(key).or_default();
                        *value = value.wrapping_add(1);
                    }
                    Step::Copy => copied.push((map.clone(), model.clone())),
                }
            }
            copied.push((map, model));
            for (map, model) in &copied {
                assert_same(map, model);
            }
        }
    }

    #[test]
    fn a_copy_shares_what_neither_side_changes() {
        let mut map = SharedMap::default();
        for key in 0..10_000 {
            map.insert(key, key);
        }
        let mut copy = map.clone();
        assert!(Arc::ptr_eq(&map.chunks, &copy.chunks));
        copy.insert(5_000, 0);
        copy.insert(10_000, 0);
        let pairs = map.chunks.iter().zip(copy.chunks.iter());
        let differ = pairs.filter(|(one, other)| !Arc::ptr_eq(&one.entries, &other.entries));
        assert_eq!(differ.count(), 2);
        assert_eq!(map.get(&5_000), Some(&5_000));
        assert_eq!(map.get(&10_000), None);
    }
}
