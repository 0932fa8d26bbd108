//! The carriers at work: each at its number for as long as the process lives, and what they say.
//!
//! Owned by the shell (`runtime.rs`). They are heard in turn, a batch at a time, so that none waits
//! longer for the others than a batch of each: a carrier that floods us fills its own channel only. A
//! channel closes with its carrier, and none is kept open for those that may come later.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use postrider_carriers::{Carrier, CarrierNo, EventBatch};
use tokio::sync::mpsc;

/// All carriers since the start, those that are retired included.
pub(crate) struct Carriers {
    by_number: Vec<(Arc<str>, Arc<dyn Carrier>)>,
    /// Whose turn it is comes first.
    events: VecDeque<mpsc::Receiver<EventBatch>>,
}

impl Carriers {
    pub(crate) fn new() -> Self {
        Self {
            by_number: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Gives further carriers the numbers that come next.
    pub(crate) fn add(
        &mut self,
        started: impl IntoIterator<Item = (Arc<str>, Arc<dyn Carrier>)>,
        events: impl IntoIterator<Item = mpsc::Receiver<EventBatch>>,
    ) {
        self.by_number.extend(started);
        self.events.extend(events);
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

    /// Waits for a batch; none means that every carrier is gone. Safe to cancel.
    pub(crate) async fn recv(&mut self) -> Option<EventBatch> {
        poll_fn(|context| {
            let mut silent = 0;
            while silent < self.events.len() {
                match self.events[0].poll_recv(context) {
                    Poll::Ready(Some(batch)) => {
                        self.events.rotate_left(1);
                        return Poll::Ready(Some(batch));
                    }
                    Poll::Ready(None) => drop(self.events.pop_front()),
                    Poll::Pending => {
                        self.events.rotate_left(1);
                        silent += 1;
                    }
                }
            }
            if self.events.is_empty() {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// Takes what is there already, until `batches` hold about as many events as wanted.
    pub(crate) fn take(&mut self, batches: &mut Vec<EventBatch>, wanted: usize) {
        let mut held: usize = batches.iter().map(weight).sum();
        let mut silent = 0;
        while held < wanted && silent < self.events.len() {
            match self.events[0].try_recv() {
                Ok(batch) => {
                    held += weight(&batch);
                    batches.push(batch);
                    silent = 0;
                }
                Err(_) => silent += 1,
            }
            self.events.rotate_left(1);
        }
    }
}

/// What a batch adds to a round. One without events is work too.
fn weight(batch: &EventBatch) -> usize {
    batch.events.len().max(1)
}

#[cfg(test)]
mod tests {
    use postrider_carriers::{Event, Outcome, Ticket};

    use super::*;

    /// A carrier's batches of so many events each.
    fn speaking(
        carriers: &mut Carriers,
        number: u16,
        batches: &[usize],
    ) -> mpsc::Sender<EventBatch> {
        let (to, from) = mpsc::channel(8);
        let event = Event::Outcome {
            ticket: Ticket(0),
            outcome: Outcome::Returned,
        };
        for &events in batches {
            let batch = EventBatch {
                carrier: CarrierNo(number),
                events: vec![event.clone(); events],
            };
            to.try_send(batch).unwrap();
        }
        carriers.add([], [from]);
        to
    }

    #[tokio::test]
    async fn all_are_heard_in_turn_until_the_last_is_gone() {
        let mut carriers = Carriers::new();
        for number in 0..2 {
            speaking(&mut carriers, number, &[0, 0]);
        }
        let mut heard = Vec::new();
        while let Some(batch) = carriers.recv().await {
            heard.push(batch.carrier.0);
        }
        assert_eq!(heard, [0, 1, 0, 1]);
    }

    #[tokio::test]
    async fn a_round_has_about_so_many_events_and_something_of_everybody() {
        let mut carriers = Carriers::new();
        let flood = speaking(&mut carriers, 0, &[256; 8]);
        let _quiet = speaking(&mut carriers, 1, &[1]);
        let _silent = speaking(&mut carriers, 2, &[]);
        let mut batches = vec![carriers.recv().await.unwrap()];
        carriers.take(&mut batches, 1_024);
        let heard: Vec<_> = batches.iter().map(|batch| batch.carrier.0).collect();
        assert_eq!(heard, [0, 1, 0, 0, 0]);
        assert_eq!(flood.capacity(), 4);
    }
}
