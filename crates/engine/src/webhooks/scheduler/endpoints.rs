//! Endpoints: what shares a queue and a concurrency limit, made when needed and then forgotten.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use postrider_core::sid::Id;
use rustc_hash::FxHashMap;

/// Place of an endpoint; reused once it is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EndpointNo(usize);

#[derive(Clone, Debug)]
pub(super) struct Endpoint {
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

/// Whether the scheduler has an endpoint on one of its lists.
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
    by_authority: FxHashMap<Arc<str>, EndpointNo>,
}

impl Endpoints {
    pub(super) fn len(&self) -> usize {
        self.by_authority.len()
    }

    /// The endpoint of this name; a new one gets the given allowance.
    pub(super) fn of(&mut self, authority: &Arc<str>, allowance: usize) -> EndpointNo {
        if let Some(&no) = self.by_authority.get(authority) {
            return no;
        }
        let endpoint = Endpoint {
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
        self.by_authority.insert(authority.clone(), no);
        no
    }

    /// Forgets an endpoint that has nothing to do: hosts come and go by the million.
    pub(super) fn forget_idle(&mut self, no: EndpointNo) {
        let endpoint = &self[no];
        let is_idle = endpoint.turns.is_empty()
            && endpoint.in_flight == 0
            && endpoint.standing == Standing::Idle
            && !endpoint.has_overflowed;
        if is_idle && let Some(endpoint) = self.places[no.0].take() {
            debug_assert_eq!(endpoint.waiting, 0, "jobs wait in no lane that has a turn");
            self.by_authority.remove(&endpoint.authority);
            self.free.push(no);
        }
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
