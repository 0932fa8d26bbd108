//! Which part of the due callbacks is read next, and for whom: all wishes travel in one sweep.
//!
//! A wish wants only its own, but what is due lies in the order of messages, everybody's together. Were
//! wishes granted one after another, each would read all of it, and a customer with a million dead
//! callbacks would hold up every other. So the sweep goes once through all that is due, page by page, and
//! each page is for every wish that has come to it: a round costs the same for one wish and for a
//! thousand, and a wish waits for no other.

use std::collections::{BTreeMap, BTreeSet};

use postrider_core::sid::Id;

use super::Wish;

/// The wishes under way and those that wait for room. Places are ids of messages: everything up to
/// there was offered.
#[derive(Debug)]
pub(super) struct Sweep {
    /// How far this round has come.
    at: Id,
    travelers: BTreeMap<Wish, Traveler>,
    /// Where wishes go on that had no room for more, once they are made again.
    resting: BTreeMap<Wish, Id>,
}

#[derive(Debug)]
struct Traveler {
    at: Id,
    /// Its place one page ago. The report of an overflow may be one page late: it goes on from here.
    before: Id,
    /// Goes through all of it afterwards, to find what became due meanwhile for older messages.
    goes_again: bool,
}

impl Traveler {
    fn from(at: Id) -> Self {
        Self {
            at,
            before: at,
            goes_again: at != START,
        }
    }
}

/// No message has this id.
const START: Id = Id::MIN;

impl Sweep {
    pub(super) fn new() -> Self {
        Self {
            at: START,
            travelers: BTreeMap::new(),
            resting: BTreeMap::new(),
        }
    }

    /// Somebody has room (again).
    pub(super) fn wish(&mut self, wish: Wish) {
        if let Some(traveler) = self.travelers.get_mut(&wish) {
            // It had none in between, and has missed something.
            traveler.goes_again = true;
            return;
        }
        let at = self.resting.remove(&wish).unwrap_or(START);
        self.travelers.insert(wish, Traveler::from(at));
    }

    /// From where to read the next page; `None` when nobody wishes for anything. Only forward, until
    /// the round is over: else wishes that start from the beginning would keep all others waiting.
    pub(super) fn next(&mut self) -> Option<Id> {
        let places = || self.travelers.values().map(|traveler| traveler.at);
        let ahead = places().filter(|at| *at >= self.at).min();
        self.at = ahead.or_else(|| places().min())?;
        Some(self.at)
    }

    /// For whom a page is that ends with this message, `None` if it is the last one.
    pub(super) fn passengers(&self, end: Option<Id>) -> BTreeSet<Wish> {
        let is_before_end = |at| end.is_none_or(|end| at < end);
        let is_aboard = |it: &Traveler| it.at >= self.at && is_before_end(it.at);
        let travelers = self.travelers.iter();
        let aboard = travelers.filter(|(_, traveler)| is_aboard(traveler));
        aboard.map(|(wish, _)| wish.clone()).collect()
    }

    /// The page was offered to its passengers; those in `overflowed` had no room for more.
    pub(super) fn offered(
        &mut self,
        end: Option<Id>,
        passengers: &BTreeSet<Wish>,
        overflowed: &BTreeSet<Wish>,
    ) {
        for wish in passengers {
            let Some(traveler) = self.travelers.remove(wish) else {
                continue;
            };
            if overflowed.contains(wish) {
                self.resting.insert(wish.clone(), traveler.before);
                continue;
            }
            let next = match end {
                Some(end) => Traveler {
                    at: end,
                    before: traveler.at,
                    ..traveler
                },
                None if traveler.goes_again => Traveler::from(START),
                None => continue,
            };
            self.travelers.insert(wish.clone(), next);
        }
        self.at = end.unwrap_or(START);
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::sid::AccountSid;

    use super::*;
    use crate::webhooks::Backlog;

    /// Messages 1 to 9 are due, three make a page.
    const LAST: u128 = 9;

    fn id(number: u128) -> Id {
        Id::from_u128(number)
    }

    fn wish(number: u128) -> Wish {
        Backlog::Account(AccountSid(id(number)))
    }

    /// One page: the first message on it, and for whom it was.
    fn page(sweep: &mut Sweep, overflowed: &[u128]) -> Option<(u128, Vec<Wish>)> {
        let from = sweep.next()?;
        let first = from.as_u128() + 1;
        let last = first + 2;
        let end = (last < LAST).then(|| id(last));
        let passengers = sweep.passengers(end);
        let overflowed = overflowed.iter().map(|number| wish(*number)).collect();
        sweep.offered(end, &passengers, &overflowed);
        Some((first, passengers.into_iter().collect()))
    }

    #[test]
    fn a_page_is_read_once_for_all_who_wish() {
        let mut sweep = Sweep::new();
        for number in 0..100 {
            sweep.wish(wish(number));
        }
        for first in [1, 4, 7] {
            let (at, passengers) = page(&mut sweep, &[]).unwrap();
            assert_eq!((at, passengers.len()), (first, 100));
        }
        assert_eq!(page(&mut sweep, &[]), None);
    }

    #[test]
    fn who_comes_late_holds_up_nobody() {
        let mut sweep = Sweep::new();
        sweep.wish(wish(1));
        assert_eq!(page(&mut sweep, &[]), Some((1, vec![wish(1)])));
        sweep.wish(wish(2));
        assert_eq!(page(&mut sweep, &[]), Some((4, vec![wish(1)])));
        assert_eq!(page(&mut sweep, &[]), Some((7, vec![wish(1)])));
        assert_eq!(page(&mut sweep, &[]), Some((1, vec![wish(2)])));
    }

    #[test]
    fn who_has_no_room_goes_on_a_page_before_and_then_through_all() {
        let mut sweep = Sweep::new();
        sweep.wish(wish(1));
        page(&mut sweep, &[]);
        page(&mut sweep, &[]);
        assert_eq!(page(&mut sweep, &[1]), Some((7, vec![wish(1)])));
        assert_eq!(page(&mut sweep, &[]), None);
        sweep.wish(wish(1));
        for first in [4, 7, 1, 4, 7] {
            assert_eq!(page(&mut sweep, &[]), Some((first, vec![wish(1)])));
        }
        assert_eq!(page(&mut sweep, &[]), None);
    }

    #[test]
    fn a_wish_that_is_made_again_on_its_way_goes_through_all_again() {
        let mut sweep = Sweep::new();
        sweep.wish(wish(1));
        page(&mut sweep, &[]);
        sweep.wish(wish(1));
        for first in [4, 7, 1, 4, 7] {
            assert_eq!(page(&mut sweep, &[]), Some((first, vec![wish(1)])));
        }
        assert_eq!(page(&mut sweep, &[]), None);
    }

    #[test]
    fn a_long_backlog_is_joined_where_it_goes_on() {
        let mut sweep = Sweep::new();
        sweep.wish(wish(1));
        page(&mut sweep, &[]);
        page(&mut sweep, &[]);
        page(&mut sweep, &[1]);
        sweep.wish(wish(2));
        assert_eq!(page(&mut sweep, &[]), Some((1, vec![wish(2)])));
        sweep.wish(wish(1));
        for first in [4, 7] {
            assert_eq!(page(&mut sweep, &[]), Some((first, vec![wish(1), wish(2)])));
        }
        assert_eq!(page(&mut sweep, &[]), Some((1, vec![wish(1)])));
    }
}
