//! The simulated carrier as a value: submissions, orders and instants go in, events and the next
//! deadline come out.
//!
//! No task, no clock and no unseeded chance: the engine's simulations drive it on virtual time, the
//! shell in [`super`] on real time, and the same seed with the same calls gives the same events. What
//! happens later lies in two ordered queues: answers, which the links can still lose, and deliveries,
//! which they cannot. Promises each submission one outcome, and each notice until it is acknowledged.

use postrider_core::clock::Millis;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::{SenderAddress, WHATSAPP_PREFIX};
use postrider_core::text::{Encoding, HeaderSize, split};

use super::config::{Config, Odds};
use super::due::Due;
use super::handset::{HandsetMessage, Handsets};
use super::links::{Links, State};
use super::notice::{Notice, Notices, SegmentId};
use super::pace::Allowance;
use super::random::Random;
use super::rule::{Rule, Rules};
use crate::contract::{AckToken, Concat, Event, Inbound, Outcome, Submission, Ticket};

mod network;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use network::{Answer, Delivery, Message};

/// Answers, deliveries and notices kept at once; beyond, the carrier is full and throttles.
const PENDING_MAX: usize = if cfg!(test) { 1_000 } else { 1_000_000 };
/// Events given out by one poll; the rest is due at once.
const BATCH_MAX: usize = 4_096;

/// A simulated carrier with its network and handsets.
#[derive(Debug)]
pub struct World {
    random: Random,
    latency_ms: [u32; 2],
    answer_ms: [u32; 2],
    odds: Odds,
    /// `None` without a limit.
    allowance: Option<Allowance>,
    rules: Rules,
    links: Links,
    answers: Due<Answer>,
    deliveries: Due<Delivery>,
    notices: Notices,
    handsets: Handsets,
    /// Events to be given out by the next poll.
    ready: Vec<Event>,
    /// Part of every id, see [`SegmentId`].
    run: u32,
    next_id: u64,
    next_reference: u8,
    /// When the grace ends, once it is to stop.
    stop_ms: Option<Millis>,
}

/// Why a handset cannot send a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("the text takes {segments} segments, expected at most 255")]
    TooLong { segments: usize },
    #[error("nobody can write to an alphanumeric sender")]
    AlphaSender,
}

impl World {
    /// `seed` is the process's. It always goes into the ids, which must not repeat in a store; the
    /// dice follow it only when the configuration has no seed of its own.
    pub fn new(config: &Config, seed: u64) -> Self {
        let mut world = Self {
            run: Random::new(seed).next_u32(),
            random: Random::new(config.seed.unwrap_or(seed)),
            latency_ms: config.latency_ms,
            answer_ms: config.answer_ms,
            odds: config.odds,
            allowance: (config.throughput > 0).then(|| Allowance::new(config.throughput, 0)),
            rules: Rules::default(),
            links: Links::new(config.links, config.capacity, config.throttle_ms),
            answers: Due::default(),
            deliveries: Due::default(),
            notices: Notices::new(config.redelivery_ms),
            handsets: Handsets::new(config.handsets, config.handset_messages),
            ready: Vec::new(),
            next_id: 1,
            next_reference: 0,
            stop_ms: None,
        };
        world.announce();
        world
    }

    /// Takes a message, or says at once why not.
    pub fn submit(&mut self, submission: Submission, now_ms: Millis) {
        self.advance_links(now_ms);
        let ticket = submission.ticket;
        if self.stop_ms.is_some() {
            return self.outcome(ticket, Outcome::Returned);
        }
        match self.links.state() {
            State::Up => {}
            State::Throttled { .. } => return self.outcome(ticket, Outcome::Throttled),
            State::Down { .. } | State::Closed => return self.outcome(ticket, Outcome::Returned),
        }
        let segments = u32::from(submission.segments.max(1));
        let is_over_rate = self
            .allowance
            .as_mut()
            .is_some_and(|allowance| !allowance.takes(segments, now_ms));
        if is_over_rate || self.pending() >= PENDING_MAX {
            return self.throttle(ticket, now_ms);
        }
        let (behavior, delay_ms) = self
            .rules
            .decide(submission.to, segments, now_ms)
            .unwrap_or_else(|| (self.odds.draw(&mut self.random), 0));
        let id = SegmentId {
            run: self.run,
            number: self.next_id,
        };
        self.next_id += u64::from(segments);
        self.take(Message::new(submission, id), behavior, delay_ms, now_ms);
    }

    /// Gives out what has happened until now, in order.
    pub fn poll(&mut self, now_ms: Millis, events: &mut Vec<Event>) {
        while self.ready.len() < BATCH_MAX {
            let links = self.links.next_ms().unwrap_or(Millis::MAX);
            let answer = self.answers.next_ms().unwrap_or(Millis::MAX);
            let delivery = self.next_delivery_ms().unwrap_or(Millis::MAX);
            let at_ms = links.min(answer).min(delivery);
            if at_ms > now_ms || at_ms == Millis::MAX {
                break;
            }
            if links == at_ms {
                self.advance_links(at_ms);
            } else if answer == at_ms {
                if let Some((at_ms, answer)) = self.answers.pop() {
                    self.answer(answer, at_ms);
                }
            } else if let Some((at_ms, delivery)) = self.deliveries.pop() {
                self.deliver(delivery, at_ms, now_ms);
            }
        }
        if self.links.are_bound() {
            self.notices.send_again(now_ms, &mut self.ready);
        }
        self.stop_if_done(now_ms);
        events.append(&mut self.ready);
    }

    /// When to poll next. In the past when something is ready.
    pub fn next_deadline(&self) -> Option<Millis> {
        if !self.ready.is_empty() {
            return Some(Millis::MIN);
        }
        let redelivery = self.notices.next_ms().filter(|_| self.links.are_bound());
        let closes = self.stop_ms.filter(|_| !self.is_closed());
        [
            self.links.next_ms(),
            self.answers.next_ms(),
            self.next_delivery_ms(),
            redelivery,
            closes,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The engine has made this event durable.
    pub fn acknowledge(&mut self, token: AckToken) {
        self.notices.acknowledge(token);
    }

    pub fn set_rule(&mut self, rule: Rule, now_ms: Millis) {
        self.rules.set(rule, now_ms);
    }

    /// The rules in force, newest first, each with the times it has left.
    pub fn rules(&self) -> Vec<Rule> {
        self.rules.all()
    }

    pub fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// What a handset saw, newest first.
    pub fn handset(&self, number: PhoneNumber) -> Vec<HandsetMessage> {
        self.handsets.messages(number)
    }

    /// Sends a text from a handset to one of our senders, in as many segments as it takes.
    pub fn reply(
        &mut self,
        from: PhoneNumber,
        to: &SenderAddress,
        text: &str,
        now_ms: Millis,
    ) -> Result<(), ReplyError> {
        if matches!(to, SenderAddress::Alpha(_)) {
            return Err(ReplyError::AlphaSender);
        }
        let encoding = Encoding::of(text);
        let mut segments = split(text, encoding, HeaderSize::Reference8);
        let mut from = from.to_string();
        // WhatsApp has no segments, and names its channel on both sides.
        if matches!(to, SenderAddress::WhatsApp(_)) {
            segments.clear();
            segments.push(text);
            from.insert_str(0, WHATSAPP_PREFIX);
        }
        let total = u8::try_from(segments.len()).map_err(|_| ReplyError::TooLong {
            segments: segments.len(),
        })?;
        if total == 0 {
            segments.push("");
        }
        self.next_reference = self.next_reference.wrapping_add(1);
        for (sequence, segment) in (1..).zip(segments) {
            let inbound = Inbound {
                from: from.as_str().into(),
                to: to.to_string().into(),
                text: segment.into(),
                encoding,
                concat: (total > 1).then_some(Concat {
                    reference: self.next_reference.into(),
                    is_16_bit: false,
                    total,
                    sequence,
                }),
                raw: segment.as_bytes().into(),
            };
            self.notify(Notice::Inbound(Box::new(inbound)), now_ms);
        }
        Ok(())
    }

    /// Drops the links. What is unanswered becomes unknown, and arrives as often as not.
    pub fn go_down(&mut self, for_ms: u32, now_ms: Millis) {
        self.links.go_down(for_ms, now_ms);
        self.announce();
        self.notices.links_dropped();
        for answer in self.answers.take() {
            self.lose(answer, now_ms);
        }
    }

    /// Takes nothing more and closes when all is answered, at the latest after `grace_ms`. Notices
    /// that wait are gone, as if the carrier had been switched off.
    pub fn shut_down(&mut self, grace_ms: Millis, now_ms: Millis) {
        let until_ms = now_ms.saturating_add(grace_ms);
        self.stop_ms = Some(self.stop_ms.map_or(until_ms, |before| before.min(until_ms)));
        self.links.drain();
        self.announce();
        self.stop_if_done(now_ms);
    }

    /// Nothing will happen any more.
    pub fn is_closed(&self) -> bool {
        self.links.state() == State::Closed
    }

    fn pending(&self) -> usize {
        self.answers.len() + self.deliveries.len() + self.notices.len()
    }

    /// A closed carrier brings nothing.
    fn next_delivery_ms(&self) -> Option<Millis> {
        self.deliveries.next_ms().filter(|_| !self.is_closed())
    }

    fn advance_links(&mut self, now_ms: Millis) {
        let session = self.links.session;
        self.links.advance(now_ms);
        self.announce();
        if self.links.session != session {
            self.notices
                .links_up(self.links.session, now_ms, &mut self.ready);
        }
    }

    fn throttle(&mut self, ticket: Ticket, now_ms: Millis) {
        self.links.throttle(now_ms);
        self.announce();
        self.outcome(ticket, Outcome::Throttled);
    }

    fn stop_if_done(&mut self, now_ms: Millis) {
        let Some(until_ms) = self.stop_ms else { return };
        if self.is_closed() || (now_ms < until_ms && !self.answers.is_empty()) {
            return;
        }
        for answer in self.answers.take() {
            self.lose(answer, now_ms);
        }
        self.links.close();
        self.announce();
    }

    /// Tells the engine, as soon as there is a link to do it on.
    fn notify(&mut self, notice: Notice, now_ms: Millis) {
        if self.links.are_bound() {
            self.notices.send(notice, now_ms, &mut self.ready);
        } else {
            self.notices.hold(notice);
        }
    }

    fn announce(&mut self) {
        self.ready.extend(self.links.announce());
    }

    fn outcome(&mut self, ticket: Ticket, outcome: Outcome) {
        self.ready.push(Event::Outcome { ticket, outcome });
    }
}
