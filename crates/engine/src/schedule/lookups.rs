//! Due messages whose recipients' networks somebody has to be asked for: asked beside the pages, a few
//! at a time, so that no other message waits for the answers.
//!
//! They stay scheduled in the store meanwhile. A cancel finds them there, and a process that ends
//! leaves them to the next one.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use postrider_core::message::Message;
use postrider_core::network::Network;
use postrider_core::sid::Id;
use rustc_hash::FxHashSet;

use crate::accept::Acceptor;
use crate::networks::{Asking, Lookup};

/// A message's number and the network of its recipient, where that is known.
pub(super) type Answered = (Id, Option<Network>);

pub(super) struct Lookups {
    /// All that are asked about or wait for their turn: no page takes them again.
    held: FxHashSet<Id>,
    held_max: usize,
    waiting: VecDeque<Question>,
    asking: FuturesUnordered<Question>,
    /// Others were due and had no room.
    has_passed_over: bool,
}

type Question = Pin<Box<dyn Future<Output = Answered> + Send>>;

impl Lookups {
    pub(super) fn new(held_max: usize) -> Self {
        Self {
            held: FxHashSet::default(),
            held_max,
            waiting: VecDeque::new(),
            asking: FuturesUnordered::new(),
            has_passed_over: false,
        }
    }

    /// From here on all that is due is sorted again, what was passed over included.
    pub(super) fn begin(&mut self) {
        self.has_passed_over = false;
    }

    /// Whether it is time to look for what was passed over. Not for each place that is free: all that
    /// is due is read then.
    pub(super) fn has_room_again(&self) -> bool {
        self.has_passed_over && self.held.len() <= self.held_max / 2
    }

    /// Of messages that are due, those that nobody has to be asked about, with their recipients'
    /// networks. The others are held, or passed over if there is no room.
    pub(super) fn sort(
        &mut self,
        acceptor: &Acceptor,
        due: Vec<Message>,
    ) -> Vec<(Message, Option<Network>)> {
        let mut at_hand = Vec::with_capacity(due.len());
        for message in due {
            if self.held.contains(&message.sid.id) {
                continue;
            }
            match acceptor.look_up_due(&message) {
                None => at_hand.push((message, None)),
                Some(Lookup::Answered(answer)) => at_hand.push((message, answer.network())),
                Some(Lookup::Asking(answer)) => self.hold(message.sid.id, answer),
            }
        }
        at_hand
    }

    fn hold(&mut self, id: Id, answer: Asking) {
        if self.held.len() >= self.held_max {
            self.has_passed_over = true;
            return;
        }
        self.held.insert(id);
        let question = async move { (id, answer.await.network()) };
        self.waiting.push_back(Box::pin(question));
    }

    /// Asks, and waits for answers: for one, and takes what else has come. They are held no longer.
    /// Never ends while nothing is held; nothing is lost if it is not waited for to the end.
    pub(super) async fn answered(&mut self, acceptor: &Acceptor) -> Vec<Answered> {
        while self.asking.len() < acceptor.lookup_concurrency()
            && let Some(question) = self.waiting.pop_front()
        {
            self.asking.push(question);
        }
        let Some(first) = self.asking.next().await else {
            return std::future::pending().await;
        };
        let mut answered = vec![first];
        while let Some(Some(next)) = self.asking.next().now_or_never() {
            answered.push(next);
        }
        for (id, _) in &answered {
            self.held.remove(id);
        }
        answered
    }
}

#[cfg(test)]
mod tests;
