//! The simulated links: up, throttled, down or closed, and what they can take.
//!
//! After a throttle answer nothing is taken for a while. Then half of what was taken before, and twice
//! as much with every clean second, as a real client would back off.

use postrider_core::clock::Millis;

use crate::contract::{Event, Health};

/// A clean second doubles the capacity.
const RECOVERY_MS: Millis = 1_000;

#[derive(Debug)]
pub(super) struct Links {
    count: u32,
    /// Segments when all is well.
    capacity_full: u32,
    capacity: u32,
    /// Since when nobody complained; the capacity is grown from here.
    clean_ms: Millis,
    throttle_ms: Millis,
    state: State,
    is_draining: bool,
    announced: Option<(u32, Health)>,
    /// Counts the times the links came up.
    pub(super) session: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Throttled { until_ms: Millis },
    Down { until_ms: Millis },
    Closed,
}

impl Links {
    pub(super) fn new(count: u32, capacity: u32, throttle_ms: u32) -> Self {
        Self {
            count,
            capacity_full: capacity,
            capacity,
            clean_ms: 0,
            throttle_ms: throttle_ms.into(),
            state: State::Up,
            is_draining: false,
            announced: None,
            session: 1,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn are_bound(&self) -> bool {
        match self.state {
            State::Up | State::Throttled { .. } => true,
            State::Down { .. } | State::Closed => false,
        }
    }

    pub(super) fn throttle(&mut self, now_ms: Millis) {
        if self.are_bound() {
            self.capacity = (self.capacity / 2).max(1);
            self.state = State::Throttled {
                until_ms: now_ms.saturating_add(self.throttle_ms),
            };
        }
    }

    pub(super) fn go_down(&mut self, for_ms: u32, now_ms: Millis) {
        let until_ms = now_ms.saturating_add(for_ms.into());
        self.state = match self.state {
            State::Closed => State::Closed,
            State::Down { until_ms: before } => State::Down {
                until_ms: before.max(until_ms),
            },
            State::Up | State::Throttled { .. } => State::Down { until_ms },
        };
    }

    /// Takes nothing more, but stays bound for answers.
    pub(super) fn drain(&mut self) {
        self.is_draining = true;
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
    }

    /// What time alone changes.
    pub(super) fn advance(&mut self, now_ms: Millis) {
        match self.state {
            State::Throttled { until_ms } if until_ms <= now_ms => {
                self.state = State::Up;
                self.clean_ms = until_ms;
            }
            State::Down { until_ms } if until_ms <= now_ms => {
                self.state = State::Up;
                self.capacity = self.capacity_full;
                self.session = self.session.wrapping_add(1);
            }
            State::Up | State::Throttled { .. } | State::Down { .. } | State::Closed => {}
        }
        while self.recovers_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            self.clean_ms = self.clean_ms.saturating_add(RECOVERY_MS);
            self.capacity = self.capacity.saturating_mul(2).min(self.capacity_full);
        }
    }

    pub(super) fn next_ms(&self) -> Option<Millis> {
        match self.state {
            State::Throttled { until_ms } | State::Down { until_ms } => Some(until_ms),
            State::Up => self.recovers_ms(),
            State::Closed => None,
        }
    }

    fn recovers_ms(&self) -> Option<Millis> {
        (self.state == State::Up && self.capacity < self.capacity_full)
            .then(|| self.clean_ms.saturating_add(RECOVERY_MS))
    }

    /// What the engine does not know yet.
    pub(super) fn announce(&mut self) -> Option<Event> {
        let takes = self.state == State::Up && !self.is_draining;
        let segments = if takes { self.capacity } else { 0 };
        let health = Health {
            links_configured: self.count,
            links_bound: if self.are_bound() { self.count } else { 0 },
            is_throttled: matches!(self.state, State::Throttled { .. }),
            ..Health::default()
        };
        let capacity = (segments, health);
        if self.announced.as_ref() == Some(&capacity) {
            return None;
        }
        self.announced = Some(capacity.clone());
        let (segments, health) = capacity;
        Some(Event::Capacity { segments, health })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(links: &mut Links, now_ms: Millis) -> Option<(u32, u32, bool)> {
        links.advance(now_ms);
        match links.announce()? {
            Event::Capacity { segments, health } => {
                Some((segments, health.links_bound, health.is_throttled))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_throttled_carrier_recovers_step_by_step() {
        let mut links = Links::new(2, 100, 200);
        assert_eq!(announced(&mut links, 0), Some((100, 2, false)));
        links.throttle(0);
        assert_eq!(announced(&mut links, 0), Some((0, 2, true)));
        assert_eq!(announced(&mut links, 199), None);
        assert_eq!(announced(&mut links, 200), Some((50, 2, false)));
        links.throttle(300);
        assert_eq!(links.next_ms(), Some(500));
        assert_eq!(announced(&mut links, 600), Some((25, 2, false)));
        assert_eq!(links.next_ms(), Some(1_500));
        assert_eq!(announced(&mut links, 1_500), Some((50, 2, false)));
        assert_eq!(announced(&mut links, 10_000), Some((100, 2, false)));
        assert_eq!(links.next_ms(), None);
    }

    #[test]
    fn a_link_that_is_down_comes_back_as_another_session() {
        let mut links = Links::new(1, 10, 200);
        assert_eq!(announced(&mut links, 0), Some((10, 1, false)));
        links.go_down(500, 0);
        links.go_down(100, 0);
        links.throttle(0);
        assert_eq!(announced(&mut links, 499), Some((0, 0, false)));
        assert_eq!((links.session, links.next_ms()), (1, Some(500)));
        assert_eq!(announced(&mut links, 500), Some((10, 1, false)));
        assert_eq!(links.session, 2);
    }

    #[test]
    fn a_closed_carrier_stays_closed() {
        let mut links = Links::new(1, 10, 200);
        links.drain();
        assert_eq!(announced(&mut links, 0), Some((0, 1, false)));
        links.close();
        links.go_down(5, 0);
        assert_eq!(announced(&mut links, 100), Some((0, 0, false)));
        assert_eq!((links.state(), links.next_ms()), (State::Closed, None));
    }
}
