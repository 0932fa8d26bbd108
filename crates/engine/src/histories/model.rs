//! What a service should do, slow and obvious: a list of senders, a list of what waits, a map of
//! mappings, everything counted by going through it. No process, no disk, no clock of its own.
//!
//! Who is chosen at one instant is the core's reference's word; this is what lies between two messages
//! (`docs/sender-selection.md`, *Sticky sender* and *The scaler*).

use std::collections::{BTreeMap, BTreeSet};

use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::SenderNo;
use postrider_core::network::{Network, NetworkPattern};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::reference::{self, Choice};
use postrider_core::select::{
    Detail, Facts, Loads, PoolSender, QueueLoad, Reach, Recipient, Served, Settings, StickyAction,
    StickyMapping,
};
use postrider_core::sender::SenderAddress;

use super::cast;

const HOUR_MS: Millis = 3_600_000;
const YEAR_MS: Millis = 365 * 24 * HOUR_MS;

/// Ten hours of a sender's rate.
const QUEUE_MS: u64 = 36_000_000;

#[derive(Default)]
pub(super) struct Model {
    pub(super) now_ms: Millis,
    pub(super) settings: Settings,
    /// In the order of joining; positions count all that ever joined.
    pool: Vec<PoolSender>,
    joined: u64,
    pub(super) mappings: BTreeMap<PhoneNumber, Mapping>,
    waiting: Vec<Waiting>,
    /// By sender, the number of its last message among all of this process.
    last_used: BTreeMap<SenderNo, u64>,
    sent: u64,
    served: BTreeMap<SenderNo, Vec<NetworkPattern>>,
    slow: BTreeSet<SenderNo>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) sender: SenderNo,
    pub(super) position: u64,
    pub(super) created_ms: Millis,
    /// Uses within an hour count as one.
    pub(super) used_ms: Millis,
}

impl Mapping {
    pub(super) fn is_expired(self, now_ms: Millis) -> bool {
        now_ms - self.used_ms > YEAR_MS + HOUR_MS
    }
}

/// A message in a sender's queue.
struct Waiting {
    sender: SenderNo,
    segments: u64,
    deadline_ms: Millis,
    to: PhoneNumber,
}

/// A request, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) to: Recipient,
    pub(super) from: Option<&'a SenderAddress>,
    pub(super) has_media: bool,
    pub(super) segments: u64,
}

/// A message as it was made: the choice, and its sender or what it fails with. Links to media are not
/// made yet, so one with media fails whoever was chosen; it teaches its recipient nothing.
pub(super) fn made(choice: Choice, request: Request<'_>) -> (Choice, Result<SenderNo, ErrorCode>) {
    match choice.sender {
        Ok(_) if request.has_media => {
            let sticky = match choice.sticky {
                StickyAction::Ignore | StickyAction::Write => StickyAction::Ignore,
                StickyAction::Touch
                | StickyAction::Keep
                | StickyAction::Replace(_)
                | StickyAction::Delete(_) => StickyAction::Keep,
            };
            let sender = Err(ErrorCode::NoRoute);
            let choice = Choice {
                sender,
                sticky,
                ..choice
            };
            (choice, Err(ErrorCode::NoRoute))
        }
        sender => (choice, sender.map(|(sender, _)| sender)),
    }
}

impl Model {
    pub(super) fn new(now_ms: Millis) -> Self {
        Self {
            now_ms,
            ..Self::default()
        }
    }

    /// A sender joins, at the place that it is told.
    pub(super) fn join(&mut self, sender: impl FnOnce(u64) -> PoolSender) {
        self.pool.push(sender(self.joined));
        self.joined += 1;
    }

    pub(super) fn leave(&mut self, sender: SenderNo) {
        self.pool.retain(|member| member.no != sender);
    }

    pub(super) fn member_mut(&mut self, sender: SenderNo) -> Option<&mut PoolSender> {
        self.pool.iter_mut().find(|member| member.no == sender)
    }

    pub(super) fn pool(&self) -> &[PoolSender] {
        &self.pool
    }

    pub(super) fn serve(&mut self, short_code: SenderNo, networks: Vec<NetworkPattern>) {
        self.served.insert(short_code, networks);
    }

    pub(super) fn set_slow(&mut self, sender: SenderNo, is_slow: bool) {
        if is_slow {
            self.slow.insert(sender);
        } else {
            self.slow.remove(&sender);
        }
    }

    pub(super) fn choose(&self, request: Request<'_>) -> Result<Choice, ErrorCode> {
        let recipient = request.to.number;
        let mapping = self.mappings.get(&recipient).map(|mapping| StickyMapping {
            sender: mapping.sender,
            position: mapping.position,
            last_used_ms: mapping.used_ms + HOUR_MS,
        });
        let facts = Facts {
            recipient: request.to,
            from: request.from,
            has_media: request.has_media,
            settings: self.settings,
            mapping,
            now_ms: self.now_ms,
            detail: Detail::Compact,
        };
        let instant = Instant {
            model: self,
            recipient,
            segments: request.segments,
        };
        reference::choose(&self.pool, &facts, &instant, &instant)
    }

    /// The message is made as chosen.
    pub(super) fn send(&mut self, choice: Choice, request: Request<'_>, deadline_ms: Millis) {
        let (now_ms, to) = (self.now_ms, request.to.number);
        let (choice, outcome) = made(choice, request);
        if let Ok(sender) = outcome {
            self.sent += 1;
            self.last_used.insert(sender, self.sent);
            self.waiting.push(Waiting {
                sender,
                segments: request.segments,
                deadline_ms,
                to,
            });
        }
        match (choice.sticky, outcome) {
            (StickyAction::Ignore | StickyAction::Keep, _) => {}
            (StickyAction::Touch, _) => self.touch(to),
            (StickyAction::Write | StickyAction::Replace(_), Ok(sender)) => {
                let member = self.pool.iter().find(|member| member.no == sender);
                let position = member.expect("the chosen one is a member").position;
                self.mappings.insert(
                    to,
                    Mapping {
                        sender,
                        position,
                        created_ms: now_ms,
                        used_ms: now_ms,
                    },
                );
            }
            (StickyAction::Write | StickyAction::Replace(_) | StickyAction::Delete(_), _) => {
                self.mappings.remove(&to);
            }
        }
    }

    fn touch(&mut self, recipient: PhoneNumber) {
        let mapping = self.mappings.get_mut(&recipient);
        let mapping = mapping.expect("what is used is there");
        if self.now_ms - mapping.used_ms >= HOUR_MS {
            mapping.used_ms = self.now_ms;
        }
    }

    /// A handset texts one of the pool's senders. False if it knows the service by another one.
    pub(super) fn hear(&mut self, handset: PhoneNumber, sender: SenderNo) -> bool {
        if !self.settings.sticky_sender {
            return true;
        }
        let Some(member) = self.pool.iter().find(|member| member.no == sender) else {
            return true;
        };
        let known = self.mappings.get(&handset).copied();
        match known.filter(|known| self.is_live(*known)) {
            Some(known) if known.position == member.position => self.touch(handset),
            Some(_) => return false,
            None => {
                let mapping = Mapping {
                    sender,
                    position: member.position,
                    created_ms: self.now_ms,
                    used_ms: self.now_ms,
                };
                self.mappings.insert(handset, mapping);
            }
        }
        true
    }

    pub(super) fn is_live(&self, mapping: Mapping) -> bool {
        !mapping.is_expired(self.now_ms) && self.pool.iter().any(|m| m.position == mapping.position)
    }

    pub(super) fn forget(&mut self, recipient: PhoneNumber) {
        self.mappings.remove(&recipient);
    }

    pub(super) fn sweep(&mut self) {
        let (now_ms, pool) = (self.now_ms, &self.pool);
        self.mappings.retain(|_, mapping| {
            let is_member = pool.iter().any(|m| m.position == mapping.position);
            is_member && !mapping.is_expired(now_ms)
        });
    }

    /// The carriers take what waits for these recipients.
    pub(super) fn deliver(&mut self, is_taken: impl Fn(PhoneNumber) -> bool) {
        self.waiting.retain(|waiting| !is_taken(waiting.to));
    }

    pub(super) fn wait(&mut self, ms: Millis) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        self.waiting.retain(|waiting| waiting.deadline_ms > now_ms);
    }

    /// A new process knows what is on the disk, and not who was used last.
    pub(super) fn restart(&mut self) {
        self.last_used.clear();
        self.sent = 0;
    }

    pub(super) fn queued_segments(&self, sender: SenderNo) -> u64 {
        let waiting = self.waiting.iter();
        let of_sender = waiting.filter(|waiting| waiting.sender == sender);
        of_sender.map(|waiting| waiting.segments).sum()
    }

    /// Recipients who know the service by the sender at this place, as far as they have not been
    /// swept; without `besides`, if its own is too old.
    pub(super) fn count(&self, position: u64, besides: Option<PhoneNumber>) -> u64 {
        let counted = self.mappings.iter().filter(|&(recipient, mapping)| {
            let is_own = Some(*recipient) == besides;
            mapping.position == position && !(is_own && mapping.is_expired(self.now_ms))
        });
        counted.count() as u64
    }

    fn drain_ms(&self, sender: SenderNo, segments: u64) -> u64 {
        let member = self.pool.iter().find(|member| member.no == sender);
        let member = member.expect("only members are asked");
        let is_slow = self.slow.contains(&sender);
        segments * cast::segment_ms(member.kind, member.country, is_slow)
    }
}

/// The model as one message finds it.
struct Instant<'a> {
    model: &'a Model,
    recipient: PhoneNumber,
    segments: u64,
}

impl Loads for Instant<'_> {
    fn mappings(&self, _: SenderNo, position: u64) -> u64 {
        self.model.count(position, Some(self.recipient))
    }

    fn queue(&self, sender: SenderNo) -> QueueLoad {
        let queued_segments = self.model.queued_segments(sender);
        let last_used = self.model.last_used.get(&sender);
        let with_this = queued_segments + self.segments;
        QueueLoad {
            queued_segments,
            drain_ms: self.model.drain_ms(sender, queued_segments),
            last_used: last_used.copied().unwrap_or(0),
            is_full: self.model.drain_ms(sender, with_this) > QUEUE_MS,
            is_capped: false,
        }
    }
}

impl Reach for Instant<'_> {
    fn short_code(&self, short_code: SenderNo, network: Network) -> Served {
        let served = self.model.served.get(&short_code);
        match served.filter(|served| !served.is_empty()) {
            Some(served) if !served.iter().any(|pattern| pattern.covers(network)) => Served::No,
            Some(_) | None => Served::Yes,
        }
    }

    fn mms(&self, sender: Option<Country>, recipient: Option<Country>) -> Served {
        let is_american = |country| country == Some(Country::US) || country == Some(Country::CA);
        if is_american(sender) && is_american(recipient) {
            Served::Yes
        } else {
            Served::No
        }
    }
}
