//! The simulator's dice: the same seed gives the same throws.

use postrider_core::clock::Millis;

/// SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    pub(super) fn next_u32(&mut self) -> u32 {
        // The upper half fits.
        u32::try_from(self.next_u64() >> 32).unwrap_or(0)
    }

    /// From the least to the most, both included; costs no throw when they are the same.
    pub(super) fn between(&mut self, [least, most]: [u32; 2]) -> Millis {
        if least >= most {
            return Millis::from(least);
        }
        let span = u64::from(most - least) + 1;
        Millis::from(least) + Millis::try_from(self.next_u64() % span).unwrap_or(0)
    }

    /// From 0 up to 1.
    pub(super) fn lot(&mut self) -> f64 {
        f64::from(self.next_u32()) / 4_294_967_296.0
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next_u64() & 1 == 1
    }
}
