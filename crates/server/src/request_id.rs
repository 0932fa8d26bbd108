//! The name of a request, which support engineers ask for: `RQ` and 32 hexadecimal digits.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes request ids: unique in one process, and in practice across restarts, which get another
/// seed. They are names, not secrets.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: u64,
    count: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(u128);

impl RequestIds {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            count: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let high = mix(self.seed);
        let low = mix(self.seed ^ mix(count));
        RequestId(u128::from(high) << 64 | u128::from(low))
    }
}

/// The finalizer of SplitMix64: a bijection that scatters neighbours.
/// <https://prng.di.unimi.it/splitmix64.c>
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RQ{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sids_and_differ() {
        let ids = RequestIds::new(7);
        let made: std::collections::BTreeSet<String> =
            (0..1000).map(|_| ids.next().to_string()).collect();
        assert_eq!(made.len(), 1000);
        for id in made {
            assert_eq!(id.len(), 34);
            assert!(id.starts_with("RQ") && id[2..].bytes().all(|b| b.is_ascii_hexdigit()));
        }
        assert_ne!(RequestIds::new(1).next(), RequestIds::new(2).next());
    }
}
