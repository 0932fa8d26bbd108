//! New ids, secrets and other draws: the engine's only source of randomness, seeded from outside.

use std::sync::Arc;

use parking_lot::Mutex;
use postrider_core::clock::{Clock, Millis};
use postrider_core::sid::{Id, SEQUENCE_BITS};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// Mints ids that ascend, whatever the clock does, and draws secrets.
pub struct IdGenerator {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    rng: StdRng,
    /// Time and sequence of the last id.
    last_ms: Millis,
    sequence: u32,
}

impl IdGenerator {
    /// `seed` decides every draw; production passes 32 octets of the system's entropy.
    pub fn new(clock: Arc<dyn Clock>, seed: [u8; 32]) -> Self {
        let rng = StdRng::from_seed(seed);
        Self {
            clock,
            state: Mutex::new(State {
                rng,
                last_ms: 0,
                sequence: 0,
            }),
        }
    }

    /// Makes every later id greater than this one: a store's newest id, found at the start, so
    /// that a clock set back can't reorder messages.
    pub fn start_after(&self, id: Id) {
        let mut state = self.state.lock();
        if id.created_ms() >= state.last_ms {
            state.last_ms = id.created_ms() + 1;
            state.sequence = 0;
        }
    }

    /// A new id, greater than every one before.
    pub fn next(&self) -> Id {
        let now_ms = self.clock.now_ms();
        let mut state = self.state.lock();
        if now_ms > state.last_ms {
            state.last_ms = now_ms;
            state.sequence = 0;
        } else if state.sequence + 1 < 1 << SEQUENCE_BITS {
            state.sequence += 1;
        } else {
            // A million ids in one millisecond: borrow from the next.
            state.last_ms += 1;
            state.sequence = 0;
        }
        let random = state.rng.next_u64();
        Id::new(state.last_ms, state.sequence, random)
    }

    /// A new auth token: 32 lower-case hexadecimal digits.
    pub fn auth_token(&self) -> String {
        let mut bytes = [0; 16];
        self.state.lock().rng.fill_bytes(&mut bytes);
        format!("{:032x}", u128::from_be_bytes(bytes))
    }

    /// A new API key secret: 32 ASCII letters and digits (SDKs refuse anything else).
    pub fn key_secret(&self) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut state = self.state.lock();
        let mut secret = String::with_capacity(32);
        while secret.len() < 32 {
            // Six bits at a time; the two values outside the alphabet are drawn again.
            let draw = (state.rng.next_u32() >> 26) as usize;
            if let Some(&letter) = ALPHABET.get(draw) {
                secret.push(char::from(letter));
            }
        }
        secret
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        self.state.lock().rng.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::clock::ManualClock;

    use super::*;

    #[test]
    fn ids_ascend_when_the_clock_steps_back() {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let ids = IdGenerator::new(clock.clone(), [7; 32]);
        let first = ids.next();
        clock.set(900_000);
        let second = ids.next();
        ids.start_after(Id::new(2_000_000, 5, 0));
        let third = ids.next();
        assert!(first < second && second < third);
        assert!(first.key() < second.key() && second.key() < third.key());
        assert!(third.created_ms() > 2_000_000);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let make = || IdGenerator::new(Arc::new(ManualClock::at(5)), [1; 32]);
        let (a, b) = (make(), make());
        assert_eq!(
            (a.next(), a.auth_token(), a.key_secret()),
            (b.next(), b.auth_token(), b.key_secret())
        );
        assert!(a.key_secret().bytes().all(|b| b.is_ascii_alphanumeric()));
    }
}
