//! Queues: one per sender, divided into lanes by carrier, each a bounded window over the backlog.
//!
//! The sender owns the pace; the lanes keep a dead carrier from blocking what goes elsewhere. What
//! does not fit a lane's window stays on disk, and each lane has a walk of its own over the rows that
//! it left there. Which lane a row belongs to is known when it is accepted. Where it is not, because a
//! former process accepted it or the routes changed, the sender's *scan* goes over the rows first, and
//! leaves to the lanes what they have no room for (`refill.rs`).
//!
//! Of each lane this holds: a row on disk that is not in memory is ahead of the scan, or of its lane's
//! walk.

use std::collections::{BTreeMap, VecDeque};

use postrider_carriers::CarrierNo;
use postrider_core::clock::Millis;
use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::message::{AccountNo, Message, SenderNo, Status};
use postrider_core::opt_out::{ChannelGroup, ListKeys};
use postrider_core::pacing::{Pace, Rate};
use postrider_core::sender::{SenderAddress, number_of};
use postrider_core::sid::Id;

use super::limit::SenderPace;
use super::live::Stage;
use super::shared::LaneKey;
use super::walk::Walk;
use super::{Dispatch, Effect, Failure, Read, Timer, callback_job};

/// One sender's queue.
pub(super) struct SenderQueue {
    account: AccountNo,
    pace: Pace,
    /// What a message takes of it.
    rate: SenderPace,
    pace_version: u64,
    pub(super) lanes: BTreeMap<CarrierNo, Lane>,
    /// Over rows of which it is not known yet to which lane they belong.
    pub(super) scan: Walk,
}

/// One sender's messages for one carrier.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Messages in turn, each of which waits here ([`Stage::Waiting`]) and nowhere else.
    pub(super) waiting: VecDeque<Id>,
    /// Over rows that were left on disk because of this lane.
    pub(super) walk: Walk,
}

impl SenderQueue {
    pub(super) fn has_disk(&self) -> bool {
        self.scan.is_open() || self.lanes.values().any(|lane| lane.walk.is_open())
    }

    fn is_idle(&self, now_ms: Millis) -> bool {
        let mut lanes = self.lanes.values();
        !self.has_disk()
            && lanes.all(|lane| lane.waiting.is_empty())
            && self.pace.is_settled(now_ms)
    }

    pub(super) fn is_backlogged(&self, window: usize) -> bool {
        self.has_disk() || self.lanes.values().any(|lane| lane.waiting.len() >= window)
    }

    /// Whether what is new has to wait on disk: there is no room for it, or it would get ahead of
    /// older messages that wait there for the same carrier.
    fn waits_on_disk(&self, lane: CarrierNo, window: usize) -> bool {
        let lane = self.lanes.get(&lane);
        let has_to_wait = |lane: &Lane| lane.walk.is_open() || lane.waiting.len() >= window;
        self.scan.is_open() || lane.is_some_and(has_to_wait)
    }

    /// A row stays on disk, for its lane to find when it has room.
    fn leave(&mut self, id: Id, lane: CarrierNo) {
        if self.scan.comes_to(id) {
            self.scan.leave(id);
        } else {
            self.lanes.entry(lane).or_default().walk.leave(id);
        }
    }
}

/// What a look at the head of a lane found.
enum Head {
    Empty,
    /// Not before this instant.
    Paced(Millis),
    /// Until its turn at a shared limit comes.
    Held,
    Go(Id),
    /// It may not be sent any more, for this reason.
    Barred(Id, ErrorCode),
}

impl Dispatch {
    pub(super) fn queue_mut(&mut self, sender: SenderNo) -> &mut SenderQueue {
        let directory = &self.directory;
        self.queues.entry(sender).or_insert_with(|| {
            let account = directory
                .sender(sender)
                .and_then(|entry| directory.account(entry.account));
            SenderQueue {
                account: account.map_or(AccountNo(0), |account| account.no),
                pace: Pace::new(Rate::UNLIMITED),
                rate: SenderPace::UNLIMITED,
                pace_version: u64::MAX,
                lanes: BTreeMap::new(),
                scan: Walk::default(),
            }
        })
    }

    /// A message was accepted and is durable: it joins its lane, or waits on disk.
    pub(super) fn accepted(&mut self, message: Message, now_ms: Millis) {
        let id = message.sid.id;
        tracing::debug!(
            message_sid = %message.sid,
            status = message.status.as_str(),
            from = message.from.as_deref(),
            code = message.error.map(ErrorCode::code),
            "a message was accepted"
        );
        for status in message.callbacks_due.iter() {
            self.ready_jobs
                .extend(callback_job(&self.directory, &message, status, now_ms));
        }
        if self.live.get(id).is_some() {
            // A page that was read after the commit was faster than the news of it.
            return;
        }
        let Some(sender) = message.sender.filter(|_| message.status == Status::Queued) else {
            // It failed before it could wait (no sender, no room): nothing is left but to tell.
            if message.status.is_failure() {
                self.metrics.count_status(message.status);
                self.failures
                    .extend(Failure::of(&message, AlertLevel::Error));
            }
            return;
        };
        let Some(lane) = self.lane_for(&message, &[]) else {
            let id = self.adopt(message, CarrierNo(0));
            self.give_up(id, ErrorCode::NoRoute, now_ms);
            return;
        };
        let window = self.limits.window;
        let queue = self.queue_mut(sender);
        if message.is_backlog && queue.waits_on_disk(lane, window) {
            queue.leave(id, lane);
            self.on_disk.insert(sender);
            return;
        }
        self.adopt(message, lane);
        self.join(id, sender, lane);
    }

    /// Puts a live message at the end of its lane.
    pub(super) fn join(&mut self, id: Id, sender: SenderNo, lane: CarrierNo) {
        let window = self.limits.window;
        let queue = self.queue_mut(sender);
        queue.lanes.entry(lane).or_default().waiting.push_back(id);
        let account = queue.account;
        let is_backlogged = queue.is_backlogged(window);
        self.carriers[usize::from(lane.0)]
            .ready
            .enter(account, sender);
        if is_backlogged {
            self.loads
                .with(|table| table.get_mut(sender).is_backlogged = true);
        }
    }

    /// A message that ends, or turns out to be with its carrier, while it waits for its turn gives its
    /// place in the lane away: nobody else would while the carrier is down, and the lane would seem
    /// to be full. Those that expire are mostly at its head.
    pub(super) fn leave_lane(&mut self, id: Id) {
        let Some(live) = self
            .live
            .get(id)
            .filter(|live| live.stage == Stage::Waiting)
        else {
            return;
        };
        let (sender, carrier) = (live.message.sender, live.lane);
        let Some(sender) = sender else { return };
        let queue = self.queues.get_mut(&sender);
        let Some(lane) = queue.and_then(|queue| queue.lanes.get_mut(&carrier)) else {
            return;
        };
        if let Some(place) = lane.waiting.iter().position(|other| *other == id) {
            lane.waiting.remove(place);
            let left = lane.waiting.len();
            self.tell_if_shorter(sender, left);
        }
    }

    /// After a message left a lane with `left` others.
    fn tell_if_shorter(&mut self, sender: SenderNo, left: usize) {
        if left + 1 == self.limits.window / 2 || left == 0 {
            self.tell_backlog(sender);
        }
    }

    /// Puts a live message back at the head of its lane, among others that came back in the order
    /// in which all of them were accepted: a conversation keeps its order. The lane is the one that
    /// the routes name now.
    pub(super) fn rejoin(&mut self, id: Id, now_ms: Millis) {
        let Some(sender) = self.live.get(id).and_then(|live| live.message.sender) else {
            return;
        };
        self.live.set_stage(id, Stage::Waiting);
        let Some(lane) = self.turn_to_lane(id) else {
            return self.give_up(id, ErrorCode::NoRoute, now_ms);
        };
        let queue = self.queue_mut(sender);
        let waiting = &mut queue.lanes.entry(lane).or_default().waiting;
        let place = waiting.iter().take_while(|other| **other < id).count();
        waiting.insert(place, id);
        let account = queue.account;
        self.carriers[usize::from(lane.0)]
            .ready
            .enter(account, sender);
    }

    /// The lane of a live message by the routes as they are now, which it is given. One that had to
    /// leave its carrier may try those again that refused it, if there is no other.
    fn turn_to_lane(&mut self, id: Id) -> Option<CarrierNo> {
        let live = self.live.get(id)?;
        let lane = self
            .lane_for(&live.message, &live.tried)
            .or_else(|| self.lane_for(&live.message, &[]))?;
        let live = self.live.get_mut(id)?;
        if live.lane != lane {
            live.lane = lane;
            live.retries = 0;
        }
        Some(lane)
    }

    /// Routes or carriers are others: what waits goes to the lane that they name now, in the order
    /// in which it was accepted; what they name none for ends.
    pub(super) fn reroute(&mut self, now_ms: Millis) {
        let mut waiting = Vec::new();
        for (&sender, queue) in &mut self.queues {
            for lane in std::mem::take(&mut queue.lanes).into_values() {
                if let Some(after) = lane.walk.after() {
                    // Some other lane may want these rows now: the scan goes over them. Pages that
                    // are on their way belong to walks that are no more.
                    let scan = queue.scan.after().map_or(after, |scan| scan.min(after));
                    queue.scan = Walk::from(scan);
                    self.reads.retain(|_, read| match read {
                        Read::Scan(other) | Read::CatchUp(other, _) => *other != sender,
                        Read::Expiring | Read::Unshelved | Read::Find(_) | Read::Others(_) => true,
                    });
                }
                waiting.extend(lane.waiting.into_iter().map(|id| (id, sender)));
            }
        }
        waiting.sort_unstable();
        for (id, sender) in waiting {
            match self.turn_to_lane(id) {
                Some(lane) => self.join(id, sender, lane),
                None => self.give_up(id, ErrorCode::NoRoute, now_ms),
            }
        }
        let senders: Vec<_> = self.queues.keys().copied().collect();
        for sender in senders {
            self.tell_backlog(sender);
        }
    }

    /// The carrier a message goes to: the first of its route that is not in `tried`.
    pub(super) fn lane_for(&self, message: &Message, tried: &[CarrierNo]) -> Option<CarrierNo> {
        let from = SenderAddress::parse(message.from.as_deref()?)?;
        let to = number_of(&message.to)?;
        self.first_of(self.routes.find(&from, to), tried)
    }

    /// The first of a route's carriers that is at work and not in `tried`.
    pub(super) fn first_of(&self, carriers: &[u16], tried: &[CarrierNo]) -> Option<CarrierNo> {
        carriers.iter().map(|&no| CarrierNo(no)).find(|no| {
            let state = self.carriers.get(usize::from(no.0));
            state.is_some_and(|state| !state.is_retired) && !tried.contains(no)
        })
    }

    /// Hands over whatever may go: fair turns, as long as a carrier has room and the disk keeps up.
    /// Whoever goes may be followed at once by who waits for the same limit, for any carrier.
    pub(super) fn pump(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        loop {
            self.wake_lanes(now_ms);
            self.pump_carriers(now_ms, effects);
            self.shared.pass_over(now_ms);
            if self.shared.next_wake().is_none_or(|at_ms| at_ms > now_ms) {
                break;
            }
        }
    }

    fn pump_carriers(&mut self, now_ms: Millis, effects: &mut Vec<Effect>) {
        for index in 0..self.carriers.len() {
            let carrier = CarrierNo(u16::try_from(index).expect("the configuration is small"));
            let mut batch = Vec::new();
            while self.carriers[index].has_room() && !self.is_behind() {
                let Some((account, sender)) = self.carriers[index].ready.front() else {
                    break;
                };
                match self.head(sender, carrier, now_ms) {
                    Head::Empty => {
                        self.carriers[index].ready.leave(account);
                        self.shared.forget(LaneKey { sender, carrier }, now_ms);
                    }
                    Head::Paced(until) => {
                        self.carriers[index].ready.leave(account);
                        self.shared.step_aside(LaneKey { sender, carrier }, now_ms);
                        if self.timers.insert((until, Timer::Pace(sender, carrier))) {
                            self.metrics.pace_waiting_for_sender.inc();
                        }
                    }
                    Head::Held => self.carriers[index].ready.leave(account),
                    Head::Barred(id, why) => {
                        self.give_up(id, why, now_ms);
                        self.close_full_commit();
                    }
                    Head::Go(id) => {
                        let segments = self
                            .live
                            .get(id)
                            .map_or(1, |live| live.message.num_segments);
                        self.carriers[index].ready.spend(account, segments);
                        self.hand_over(id, carrier, now_ms, &mut batch);
                        self.close_full_commit();
                    }
                }
            }
            if !batch.is_empty() {
                effects.push(Effect::Submit { carrier, batch });
            }
        }
    }

    /// While a message waited, its account may have been suspended, or its recipient have opted out.
    fn barred(&self, id: Id) -> Option<ErrorCode> {
        let message = &self.live.get(id)?.message;
        if !self.may_send(message) {
            return Some(ErrorCode::AccountSuspended);
        }
        self.has_opted_out(message)
            .then_some(ErrorCode::RecipientOptedOut)
    }

    fn has_opted_out(&self, message: &Message) -> bool {
        if !self.opt_outs.has_some() || message.options.auto_reply.is_some() {
            return false;
        }
        let (Some(sender), Some(user)) = (message.sender, number_of(&message.to)) else {
            return false;
        };
        let service = message
            .service
            .or_else(|| self.directory.service_of(sender));
        let channels = ChannelGroup::of_address(&message.to);
        self.opt_outs
            .blocks(&ListKeys::new(service, sender, channels, user))
    }

    /// Takes the head of a lane, if the sender's pace allows it now.
    fn head(&mut self, sender: SenderNo, carrier: CarrierNo, now_ms: Millis) -> Head {
        let queue = self.queues.get(&sender);
        let lane = queue.and_then(|queue| queue.lanes.get(&carrier));
        let front = lane.and_then(|lane| lane.waiting.front().copied());
        let barred = front.and_then(|id| self.barred(id));
        let pace_version = self.pace_version;
        if self.queue_mut(sender).pace_version != pace_version {
            self.refresh_pace(sender, now_ms);
        }
        let Some(queue) = self.queues.get_mut(&sender) else {
            return Head::Empty;
        };
        let Some(lane) = queue.lanes.get_mut(&carrier) else {
            return Head::Empty;
        };
        let Some(&id) = lane.waiting.front() else {
            if !lane.walk.is_open() {
                queue.lanes.remove(&carrier);
            }
            return Head::Empty;
        };
        let live = self.live.get(id);
        debug_assert!(
            live.is_some_and(|live| live.stage == Stage::Waiting && live.lane == carrier),
            "{id} does not wait in this lane"
        );
        // What only fails pays no pace.
        if let Some(live) = live.filter(|_| barred.is_none()) {
            let name = &self.carriers[usize::from(carrier.0)].policy.name;
            let cost = queue
                .rate
                .cost(&self.limit_table.paces, &live.message, name);
            // All limits are asked before one is charged.
            let fits_ms = queue.pace.fits_at(now_ms, cost);
            if fits_ms > now_ms {
                return Head::Paced(fits_ms);
            }
            if !self.shared_limits_admit(LaneKey { sender, carrier }, id, now_ms) {
                return Head::Held;
            }
            self.leave_head(sender, carrier, |pace| pace.spend(now_ms, cost));
        } else {
            self.leave_head(sender, carrier, |_| {});
        }
        match barred {
            Some(why) => Head::Barred(id, why),
            None => Head::Go(id),
        }
    }

    /// Takes the first message out of a lane, which pays for it.
    fn leave_head(&mut self, sender: SenderNo, carrier: CarrierNo, pay: impl FnOnce(&mut Pace)) {
        let Some(queue) = self.queues.get_mut(&sender) else {
            return;
        };
        pay(&mut queue.pace);
        if let Some(lane) = queue.lanes.get_mut(&carrier) {
            lane.waiting.pop_front();
            let left = lane.waiting.len();
            self.tell_if_shorter(sender, left);
        }
    }

    fn refresh_pace(&mut self, sender: SenderNo, now_ms: Millis) {
        let version = self.pace_version;
        let rate = self.sender_pace(sender);
        let queue = self.queue_mut(sender);
        queue.pace.set_rate(now_ms, rate.bucket);
        queue.rate = rate;
        queue.pace_version = version;
    }

    /// Settings changed: whoever waits for the pace asks again, for it may be another.
    pub(super) fn ask_paces_again(&mut self) {
        self.pace_version += 1;
        let mut paced = Vec::new();
        self.timers.retain(|(_, timer)| {
            if let Timer::Pace(sender, carrier) = *timer {
                paced.push((sender, carrier));
                return false;
            }
            true
        });
        self.metrics.pace_waiting_for_sender.set(0);
        for (sender, carrier) in paced {
            self.unpause(sender, carrier);
        }
    }

    /// Forgets the queues of senders that have nothing to send and owe their pace nothing.
    pub(super) fn forget_idle_queues(&mut self, now_ms: Millis) {
        self.queues.retain(|_, queue| !queue.is_idle(now_ms));
        let (table, directory) = (&self.limit_table, &self.directory);
        let waiting = &self.metrics.pace_waiting;
        self.shared.forget_idle(now_ms, |limit| {
            waiting.remove(&table.label(limit, directory));
        });
    }

    /// A paced lane may go on.
    pub(super) fn unpause(&mut self, sender: SenderNo, carrier: CarrierNo) {
        if let Some(queue) = self.queues.get(&sender) {
            let account = queue.account;
            self.carriers[usize::from(carrier.0)]
                .ready
                .enter(account, sender);
        }
    }
}
