//! The loads of a pool as they were at one instant, for a question, which names every sender of it.
//!
//! What is needed is copied under the lock of the loads, and explained outside it: messages that are
//! accepted meanwhile wait for the copy only.

use postrider_core::message::SenderNo;
use postrider_core::select::{Loads, Pool, QueueLoad};
use postrider_core::settings::Service;
use postrider_store::StickySender;
use rustc_hash::FxHashMap;

use super::Acceptor;
use super::choose::{About, expired};
use crate::loads::Load;
use crate::sticky::{Looked, Outdated};

pub(super) struct Still {
    /// The recipient's mapping.
    pub(super) former: Option<StickySender>,
    queues: FxHashMap<SenderNo, Queue>,
    /// Of the service's mappings, by place in the pool.
    mappings: FxHashMap<u64, u64>,
    /// See [`expired`].
    expired: Option<u64>,
}

struct Queue {
    load: QueueLoad,
    is_backlogged: bool,
}

impl Still {
    pub(super) fn of(
        acceptor: &Acceptor,
        service: &Service,
        pool: &Pool,
        looked: Option<Looked>,
        about: About<'_>,
    ) -> Result<Self, Outdated> {
        let senders: Vec<SenderNo> = pool.iter().map(|sender| sender.no).collect();
        // Its memory is there before the lock is.
        let mut loads = vec![Load::default(); senders.len()];
        let (former, mappings) = acceptor.loads.with(|table| {
            let now = acceptor.sticky.lock();
            let former = looked.map(|looked| now.current(&looked)).transpose()?;
            for (load, &sender) in loads.iter_mut().zip(&senders) {
                *load = table.get(sender);
            }
            let counts = now.counts_of(service.sid);
            let mappings = counts.map(|counts| counts.by_position().clone());
            Ok((former.flatten(), mappings))
        })?;
        let queue = |(sender, load): (SenderNo, Load)| {
            let load = load.with_bound(|| acceptor.bound_of(sender));
            let queue = Queue {
                load: acceptor.queue_load(sender, load, about),
                is_backlogged: load.is_backlogged,
            };
            (sender, queue)
        };
        Ok(Self {
            former,
            queues: senders.into_iter().zip(loads).map(queue).collect(),
            mappings: mappings.unwrap_or_default(),
            expired: expired(former, about.now_ms),
        })
    }

    pub(super) fn is_backlogged(&self, sender: SenderNo) -> bool {
        let queue = self.queues.get(&sender);
        queue.is_some_and(|queue| queue.is_backlogged)
    }
}

impl Loads for Still {
    fn mappings(&self, _: SenderNo, position: u64) -> u64 {
        let counted = self.mappings.get(&position).copied().unwrap_or(0);
        counted.saturating_sub(u64::from(self.expired == Some(position)))
    }

    /// Of a member of the pool; others are not asked about.
    fn queue(&self, sender: SenderNo) -> QueueLoad {
        let queue = self.queues.get(&sender);
        queue.map(|queue| queue.load).unwrap_or_default()
    }
}
