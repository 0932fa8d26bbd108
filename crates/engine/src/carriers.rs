//! The carriers at work: each at its number for as long as the process lives, and what they say.
//!
//! Owned by the shell (`runtime.rs`). Carriers that a reload starts come with a channel of their own,
//! so that every channel closes with the carriers that were started with it and none is kept open for
//! those that may come later.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use postrider_carriers::{Carrier, CarrierNo, EventBatch};
use tokio::sync::mpsc;

/// All carriers since the start, those that are retired included.
pub(crate) struct Carriers {
    by_number: Vec<(Arc<str>, Arc<dyn Carrier>)>,
    events: Vec<mpsc::Receiver<EventBatch>>,
}

impl Carriers {
    pub(crate) fn new() -> Self {
        Self {
            by_number: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Gives further carriers the numbers that come next.
    pub(crate) fn add(
        &mut self,
        started: impl IntoIterator<Item = (Arc<str>, Arc<dyn Carrier>)>,
        events: mpsc::Receiver<EventBatch>,
    ) {
        self.by_number.extend(started);
        self.events.push(events);
    }

    pub(crate) fn get(&self, number: CarrierNo) -> &Arc<dyn Carrier> {
        &self.by_number[usize::from(number.0)].1
    }

    pub(crate) fn name(&self, number: CarrierNo) -> &Arc<str> {
        &self.by_number[usize::from(number.0)].0
    }

    pub(crate) fn shut_down(&self, grace: Duration) {
        for (_, carrier) in &self.by_number {
            carrier.shut_down(grace);
        }
    }

    /// Waits for batches; none means that every carrier is gone. Safe to cancel.
    pub(crate) async fn recv_many(&mut self, batches: &mut Vec<EventBatch>, limit: usize) -> usize {
        poll_fn(|context| {
            let mut index = 0;
            while let Some(channel) = self.events.get_mut(index) {
                match channel.poll_recv_many(context, batches, limit) {
                    Poll::Ready(0) => drop(self.events.remove(index)),
                    Poll::Ready(count) => {
                        // The others come first next time.
                        self.events.rotate_left(index + 1);
                        return Poll::Ready(count);
                    }
                    Poll::Pending => index += 1,
                }
            }
            if self.events.is_empty() {
                Poll::Ready(0)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// A batch that is there already.
    pub(crate) fn try_recv(&mut self) -> Option<EventBatch> {
        self.events
            .iter_mut()
            .find_map(|channel| channel.try_recv().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u16) -> EventBatch {
        EventBatch {
            carrier: CarrierNo(number),
            events: Vec::new(),
        }
    }

    #[tokio::test]
    async fn all_are_heard_in_turn_until_the_last_is_gone() {
        let mut carriers = Carriers::new();
        let mut senders = Vec::new();
        for number in 0..2 {
            let (to, from) = mpsc::channel(8);
            for _ in 0..2 {
                to.try_send(batch(number)).unwrap();
            }
            carriers.add([], from);
            senders.push(to);
        }
        let mut batches = Vec::new();
        while batches.len() < 4 {
            assert_eq!(carriers.recv_many(&mut batches, 1).await, 1);
        }
        let heard: Vec<_> = batches.iter().map(|batch| batch.carrier.0).collect();
        assert_eq!(heard, [0, 1, 0, 1]);
        senders.remove(0);
        senders[0].try_send(batch(1)).unwrap();
        assert!(carriers.try_recv().is_some());
        drop(senders);
        assert_eq!(carriers.recv_many(&mut batches, 1).await, 0);
    }
}
