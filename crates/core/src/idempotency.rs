//! Requests that their clients may repeat: the key that a client gave one, and what the request said.
//!
//! Both are kept as hashes: a key is compared and never shown, and of what a request said nothing can
//! be read back, also after its message was redacted. `docs/api.md` has the rules.

use std::fmt;

use crate::clock::Millis;

/// For so long a key stands for the first request that carried it.
pub const REMEMBERED_MS: Millis = 86_400_000;

/// A create request that may come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatable {
    pub key: KeyHash,
    pub fingerprint: Fingerprint,
}

/// The moment from which on a request must have been accepted to be remembered now.
pub fn remembered_since_ms(now_ms: Millis) -> Millis {
    now_ms - REMEMBERED_MS + 1
}

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

hashes! {
    /// An account's idempotency key.
    KeyHash;
    /// All that makes two requests the same: operation and parameters.
    Fingerprint;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_exactly_a_day() {
        let made_ms = 1_795_000_000_000;
        // Columns: time since, whether it is remembered.
        for (later_ms, is_remembered) in [
            (0, true),
            (REMEMBERED_MS - 1, true),
            (REMEMBERED_MS, false),
            // The clock was set back.
            (-5, true),
        ] {
            let since_ms = remembered_since_ms(made_ms + later_ms);
            assert_eq!(made_ms >= since_ms, is_remembered, "{later_ms}");
        }
    }
}
