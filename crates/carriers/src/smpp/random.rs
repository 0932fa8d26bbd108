//! A small seeded generator for jitter and first references: the same seed gives the same run.

/// SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in `0..=maximum`; the bias is below one in a billion for the spans used here.
    pub(crate) fn up_to(&mut self, maximum: i64) -> i64 {
        let span = u64::try_from(maximum).unwrap_or(0).saturating_add(1);
        i64::try_from(self.next_u64() % span).unwrap_or(0)
    }
}

/// The finishing mix of SplitMix64, also good as a hash of one number.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
