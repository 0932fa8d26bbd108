//! Answers of the lookup over HTTP, remembered in bounded memory.
//!
//! Two generations: what is used lately is in the young one. When that is full it becomes the old one,
//! and what nobody used since the last time goes. No list is kept in order, and nothing is swept.

use postrider_core::clock::Millis;
use postrider_core::network::Network;
use postrider_core::phone_number::PhoneNumber;
use rustc_hash::FxHashMap;

/// What was answered, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) network: Option<Network>,
    pub(super) at_ms: Millis,
}

#[derive(Debug)]
pub(super) struct Cache {
    young: FxHashMap<PhoneNumber, Remembered>,
    old: FxHashMap<PhoneNumber, Remembered>,
    /// Of each generation.
    len_max: usize,
    known_for_ms: Millis,
    unknown_for_ms: Millis,
}

impl Cache {
    pub(super) fn new(size: u32, known_for_ms: Millis, unknown_for_ms: Millis) -> Self {
        Self {
            young: FxHashMap::default(),
            old: FxHashMap::default(),
            len_max: size.div_ceil(2) as usize,
            known_for_ms,
            unknown_for_ms,
        }
    }

    /// What was answered about this number, if it counts still.
    pub(super) fn get(&mut self, number: PhoneNumber, now_ms: Millis) -> Option<Remembered> {
        let (remembered, is_old) = match self.young.get(&number) {
            Some(&remembered) => (remembered, false),
            None => (*self.old.get(&number)?, true),
        };
        let counts_for_ms = match remembered.network {
            Some(_) => self.known_for_ms,
            None => self.unknown_for_ms,
        };
        if now_ms.saturating_sub(remembered.at_ms) >= counts_for_ms {
            return None;
        }
        if is_old {
            self.put(number, remembered);
        }
        Some(remembered)
    }

    pub(super) fn put(&mut self, number: PhoneNumber, remembered: Remembered) {
        if self.young.len() >= self.len_max && !self.young.contains_key(&number) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(number, remembered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(index: u64) -> PhoneNumber {
        PhoneNumber::from_digits(14_155_550_100 + index).unwrap()
    }

    fn at(at_ms: Millis, network: Option<&str>) -> Remembered {
        Remembered {
            network: network.map(|network| network.parse().unwrap()),
            at_ms,
        }
    }

    #[test]
    fn an_answer_counts_as_long_as_its_kind() {
        let mut cache = Cache::new(10, 100, 10);
        let (known, unknown) = (at(0, Some("310-260")), at(0, None));
        cache.put(number(0), known);
        cache.put(number(1), unknown);
        for (now_ms, first, second) in [
            (9, Some(known), Some(unknown)),
            (10, Some(known), None),
            (99, Some(known), None),
            (100, None, None),
        ] {
            assert_eq!(cache.get(number(0), now_ms), first, "{now_ms}");
            assert_eq!(cache.get(number(1), now_ms), second, "{now_ms}");
        }
    }

    #[test]
    fn it_keeps_what_is_used_and_never_more_than_its_size() {
        let mut cache = Cache::new(10, 100, 100);
        cache.put(number(0), at(0, None));
        for index in 1..1_000 {
            cache.put(number(index), at(0, None));
            assert!(cache.get(number(0), 1).is_some(), "{index}");
            assert!(cache.young.len() + cache.old.len() <= 10);
        }
        assert_eq!(cache.get(number(1), 1), None);
    }
}
