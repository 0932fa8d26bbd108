//! Reference numbers of long messages: one counter for each destination, shared by all binds.
//!
//! With one 8-bit counter for all traffic, two long messages to the same handset get the same
//! reference after 256 others, and the handset merges them. So each destination counts for itself,
//! from a random start. Destinations share a fixed number of counters by hash, which bounds memory
//! and only makes a counter run faster.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::smpp::random::{Random, mix};

const COUNTERS: usize = 4_096;

#[derive(Debug)]
pub struct References {
    counters: Box<[AtomicU32]>,
}

impl References {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let start = || AtomicU32::new(random.next_u64().to_le_bytes()[0].into());
        Self {
            counters: std::iter::repeat_with(start).take(COUNTERS).collect(),
        }
    }

    /// The next reference for a destination; with an 8-bit header its low octet counts.
    pub fn next(&self, destination: u64) -> u16 {
        let place = usize::try_from(mix(destination) % COUNTERS as u64).unwrap_or(0);
        let count = self.counters[place].fetch_add(1, Ordering::Relaxed);
        let [high, low] = [count.to_le_bytes()[1], count.to_le_bytes()[0]];
        u16::from_be_bytes([high, low])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_meets_the_same_8_bit_reference_only_after_255_others() {
        let references = References::new(7);
        let first = references.next(447_700_900_123).to_be_bytes()[1];
        for other in 0..300 {
            references.next(15_550_000_000 + other);
        }
        let later: Vec<u8> = (0..200)
            .map(|_| references.next(447_700_900_123).to_be_bytes()[1])
            .collect();
        assert!(!later.contains(&first));
    }
}
