//! Endpoints: servers as one account calls them, made when needed and then forgotten.
//!
//! Each has a queue and an allowance of its own, so that what an account does at a server that it
//! shares with others is not held against them. What is in flight to a server is counted over all.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use postrider_core::sid::{AccountSid, Id};
use rustc_hash::FxHashMap;

use crate::webhooks::job::Backlog;

/// Place of an endpoint; reused once it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EndpointNo(usize);

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) account: AccountSid,
    pub(super) authority: Arc<str>,
    /// Lanes with something to send and nothing in flight, by their turn.
    pub(super) turns: VecDeque<Id>,
    /// Jobs not yet tried, in whichever lane.
    pub(super) waiting: usize,
    /// Attempts in flight, and those about to be repeated.
    pub(super) in_flight: usize,
    /// How many may be in flight.
    pub(super) allowance: usize,
    pub(super) standing: Standing,
    /// A job was not kept, and none will be until a refill is asked for.
    pub(super) has_overflowed: bool,
}

impl Endpoint {
    pub(super) fn backlog(&self) -> Backlog {
        Backlog::Endpoint {
            account: self.account,
            authority: self.authority.clone(),
        }
    }
}

/// Whether an account is on one of the scheduler's lists, or an endpoint on one of its account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing to send, or at its own limit.
    Idle,
    /// On the list of those to look at.
    Ready,
    /// On the list of those that wait for others to need less.
    Starved,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Endpoints {
    places: Vec<Option<Endpoint>>,
    free: Vec<EndpointNo>,
    by_name: FxHashMap<(AccountSid, Arc<str>), EndpointNo>,
    /// Attempts in flight to each server that has some, by its authority.
    in_flight: FxHashMap<Arc<str>, usize>,
}

impl Endpoints {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The endpoint of this name, and whether it is new; then it gets the given allowance.
    pub(super) fn of(
        &mut self,
        account: AccountSid,
        authority: &Arc<str>,
        allowance: usize,
    ) -> (EndpointNo, bool) {
        let name = (account, authority.clone());
        if let Some(&no) = self.by_name.get(&name) {
            return (no, false);
        }
        let endpoint = Endpoint {
            account,
            authority: authority.clone(),
            turns: VecDeque::new(),
            waiting: 0,
            in_flight: 0,
            allowance,
            standing: Standing::Idle,
            has_overflowed: false,
        };
        let no = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            EndpointNo(self.places.len() - 1)
        });
        self.places[no.0] = Some(endpoint);
        self.by_name.insert(name, no);
        (no, true)
    }

    /// Attempts in flight to the server, whichever account's.
    pub(super) fn server_in_flight(&self, no: EndpointNo) -> usize {
        let in_flight = self.in_flight.get(&self[no].authority);
        in_flight.copied().unwrap_or(0)
    }

    pub(super) fn take_slot(&mut self, no: EndpointNo) {
        self[no].in_flight += 1;
        let authority = self[no].authority.clone();
        *self.in_flight.entry(authority).or_default() += 1;
    }

    pub(super) fn give_slot_back(&mut self, no: EndpointNo) {
        self[no].in_flight -= 1;
        let authority = self[no].authority.clone();
        if let Entry::Occupied(mut in_flight) = self.in_flight.entry(authority) {
            *in_flight.get_mut() -= 1;
            if *in_flight.get() == 0 {
                in_flight.remove();
            }
        }
    }

    /// Forgets an endpoint that has nothing to do, and says so: hosts come and go by the million.
    pub(super) fn forget_idle(&mut self, no: EndpointNo) -> bool {
        let endpoint = &self[no];
        let is_idle = endpoint.turns.is_empty()
            && endpoint.in_flight == 0
            && endpoint.standing == Standing::Idle
            && !endpoint.has_overflowed;
        if is_idle && let Some(endpoint) = self.places[no.0].take() {
            debug_assert_eq!(endpoint.waiting, 0, "jobs wait in no lane that has a turn");
            self.by_name.remove(&(endpoint.account, endpoint.authority));
            self.free.push(no);
        }
        is_idle
    }
}

impl Index<EndpointNo> for Endpoints {
    type Output = Endpoint;

    fn index(&self, no: EndpointNo) -> &Endpoint {
        self.places[no.0]
            .as_ref()
            .expect("a number is used only while its endpoint is busy")
    }
}

impl IndexMut<EndpointNo> for Endpoints {
    fn index_mut(&mut self, no: EndpointNo) -> &mut Endpoint {
        self.places[no.0]
            .as_mut()
            .expect("a number is used only while its endpoint is busy")
    }
}
