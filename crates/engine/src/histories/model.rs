//! What an account's services should do, slow and obvious: lists of senders, of what waits and of what
//! was sent, maps of mappings, everything counted by going through it. No process, no disk, no clock of its own.
//!
//! Who is chosen at one instant is the core's reference's word; this is what lies between two messages
//! (`docs/sender-selection.md`, *Sticky sender* and *The scaler*).

use std::collections::{BTreeMap, BTreeSet};

use postrider_core::cap::CapRule;
use postrider_core::clock::Millis;
use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::SenderNo;
use postrider_core::network::{Network, NetworkPattern};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::reference::{self, Choice};
use postrider_core::select::{
    Detail, Facts, Loads, PoolSender, QueueLoad, Reach, Recipient, SenderKind, Served, Settings,
    StickyAction, StickyMapping,
};
use postrider_core::sender::SenderAddress;

use super::cast;

const HOUR_MS: Millis = 3_600_000;
const YEAR_MS: Millis = 365 * 24 * HOUR_MS;

const DAY_MS: Millis = 24 * HOUR_MS;

/// Ten hours of a sender's rate.
const QUEUE_MS: u64 = 36_000_000;

/// How long a message waits: ten hours too.
const VALIDITY_MS: Millis = 36_000_000;

pub(super) struct Model {
    pub(super) now_ms: Millis,
    pub(super) services: [Service; cast::SERVICES],
    waiting: Vec<Waiting>,
    /// By sender, the number of its last message among all of this process.
    last_used: BTreeMap<SenderNo, u64>,
    sent: u64,
    served: BTreeMap<SenderNo, Vec<NetworkPattern>>,
    slow: BTreeSet<SenderNo>,
    caps: Vec<CapRule>,
    taken_over: Vec<TakenOver>,
}

#[derive(Default)]
pub(super) struct Service {
    pub(super) settings: Settings,
    /// In the order of joining; positions count all that ever joined.
    pool: Vec<PoolSender>,
    joined: u64,
    pub(super) mappings: BTreeMap<PhoneNumber, Mapping>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) sender: SenderNo,
    pub(super) position: u64,
    pub(super) created_ms: Millis,
    /// In whole seconds. Uses within an hour count as one.
    pub(super) used_ms: Millis,
}

impl Mapping {
    pub(super) fn is_expired(self, now_ms: Millis) -> bool {
        now_ms - self.used_ms > YEAR_MS + HOUR_MS
    }
}

/// A message in a sender's queue.
struct Waiting {
    /// Its place among all that were taken over.
    taken_over: usize,
    sender: SenderNo,
    segments: u64,
    deadline_ms: Millis,
    to: PhoneNumber,
}

/// A message that a sender's cap counts.
struct TakenOver {
    at_ms: Millis,
    times: Times,
    sender: SenderNo,
    segments: u64,
    to: PhoneNumber,
    has_expired: bool,
}

/// When a message was made, and when it was to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) created_ms: Millis,
    pub(super) send_at_ms: Millis,
}

/// A request, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) service: usize,
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

impl Service {
    /// A sender joins, at the place that it is told.
    pub(super) fn join(&mut self, sender: impl FnOnce(u64) -> PoolSender) {
        self.pool.push(sender(self.joined));
        self.joined += 1;
    }

    pub(super) fn leave(&mut self, sender: SenderNo) {
        self.pool.retain(|member| member.no != sender);
    }

    pub(super) fn pool(&self) -> &[PoolSender] {
        &self.pool
    }

    fn member(&self, sender: SenderNo) -> Option<&PoolSender> {
        self.pool.iter().find(|member| member.no == sender)
    }

    pub(super) fn is_live(&self, mapping: Mapping, now_ms: Millis) -> bool {
        !mapping.is_expired(now_ms) && self.pool.iter().any(|m| m.position == mapping.position)
    }

    /// Recipients who know the service by the sender at this place, as far as they have not been
    /// swept; without `besides`, if its own is too old.
    pub(super) fn count(&self, position: u64, besides: Option<PhoneNumber>, now_ms: Millis) -> u64 {
        let counted = self.mappings.iter().filter(|&(recipient, mapping)| {
            let is_own = Some(*recipient) == besides;
            mapping.position == position && !(is_own && mapping.is_expired(now_ms))
        });
        counted.count() as u64
    }

    fn touch(&mut self, recipient: PhoneNumber, now_ms: Millis) {
        let mapping = self.mappings.get_mut(&recipient);
        let mapping = mapping.expect("what is used is there");
        if now_ms - mapping.used_ms >= HOUR_MS {
            mapping.used_ms = in_seconds(now_ms);
        }
    }
}

impl Model {
    pub(super) fn new(now_ms: Millis, caps: Vec<CapRule>) -> Self {
        Self {
            now_ms,
            services: Default::default(),
            waiting: Vec::new(),
            last_used: BTreeMap::new(),
            sent: 0,
            served: BTreeMap::new(),
            slow: BTreeSet::new(),
            caps,
            taken_over: Vec::new(),
        }
    }

    pub(super) fn members_mut(
        &mut self,
        sender: SenderNo,
    ) -> impl Iterator<Item = &mut PoolSender> {
        let members = self
            .services
            .iter_mut()
            .flat_map(|service| &mut service.pool);
        members.filter(move |member| member.no == sender)
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
        if request.from == Some(&request.to.own_address()) {
            return Err(ErrorCode::ToEqualsFrom);
        }
        let recipient = request.to.number;
        let service = &self.services[request.service];
        let mapping = service.mappings.get(&recipient);
        let mapping = mapping.map(|mapping| StickyMapping {
            sender: mapping.sender,
            position: mapping.position,
            last_used_ms: mapping.used_ms + HOUR_MS,
        });
        let facts = Facts {
            recipient: request.to,
            from: request.from,
            has_media: request.has_media,
            settings: service.settings,
            mapping,
            now_ms: self.now_ms,
            detail: Detail::Compact,
        };
        let instant = Instant {
            model: self,
            service,
            recipient,
            segments: request.segments,
        };
        reference::choose(&service.pool, &facts, &instant, &instant)
    }

    /// A message to be sent later may be refused at once for nothing but a sender that is not there.
    pub(super) fn schedule(&self, request: Request<'_>) -> Result<(), ErrorCode> {
        let pool = &self.services[request.service].pool;
        match request.from {
            Some(from) if *from == request.to.own_address() => Err(ErrorCode::ToEqualsFrom),
            Some(from) if !pool.iter().any(|member| member.address == *from) => {
                Err(ErrorCode::SenderNotInService)
            }
            _ => Ok(()),
        }
    }

    /// The time of a message has come: its choice, or what it fails with before there is one.
    pub(super) fn release(
        &mut self,
        request: Request<'_>,
        times: Times,
    ) -> Result<Choice, ErrorCode> {
        if self.now_ms >= times.send_at_ms + VALIDITY_MS {
            return Err(ErrorCode::ValidityPeriodExpired);
        }
        let choice = self.choose(request)?;
        self.make(choice, request, times);
        Ok(choice)
    }

    /// The message is made as chosen, to be sent at once.
    pub(super) fn send(&mut self, choice: Choice, request: Request<'_>) {
        let times = Times {
            created_ms: self.now_ms,
            send_at_ms: self.now_ms,
        };
        self.make(choice, request, times);
    }

    fn make(&mut self, choice: Choice, request: Request<'_>, times: Times) {
        let (now_ms, to) = (self.now_ms, request.to.number);
        let (choice, outcome) = made(choice, request);
        if let Ok(sender) = outcome {
            self.sent += 1;
            self.last_used.insert(sender, self.sent);
            self.waiting.push(Waiting {
                taken_over: self.taken_over.len(),
                sender,
                segments: request.segments,
                deadline_ms: now_ms + VALIDITY_MS,
                to,
            });
            self.taken_over.push(TakenOver {
                at_ms: now_ms,
                times,
                sender,
                segments: request.segments,
                to,
                has_expired: false,
            });
        }
        let service = &mut self.services[request.service];
        match (choice.sticky, outcome) {
            (StickyAction::Ignore | StickyAction::Keep, _) => {}
            (StickyAction::Touch, _) => service.touch(to, now_ms),
            (StickyAction::Write | StickyAction::Replace(_), Ok(sender)) => {
                let member = service.member(sender);
                let position = member.expect("the chosen one is a member").position;
                service.mappings.insert(
                    to,
                    Mapping {
                        sender,
                        position,
                        created_ms: in_seconds(now_ms),
                        used_ms: in_seconds(now_ms),
                    },
                );
            }
            (StickyAction::Write | StickyAction::Replace(_) | StickyAction::Delete(_), _) => {
                service.mappings.remove(&to);
            }
        }
    }

    /// A handset texts a sender. False if it knows the sender's service by another one.
    pub(super) fn hear(&mut self, handset: PhoneNumber, sender: SenderNo) -> bool {
        let now_ms = self.now_ms;
        let services = self.services.iter_mut();
        let mut sticky = services.filter(|service| service.settings.sticky_sender);
        let Some((service, position)) = sticky.find_map(|service| {
            let position = service.member(sender)?.position;
            Some((service, position))
        }) else {
            return true;
        };
        let known = service.mappings.get(&handset).copied();
        match known.filter(|known| service.is_live(*known, now_ms)) {
            Some(known) if known.position == position => service.touch(handset, now_ms),
            Some(_) => return false,
            None => {
                let mapping = Mapping {
                    sender,
                    position,
                    created_ms: in_seconds(now_ms),
                    used_ms: in_seconds(now_ms),
                };
                service.mappings.insert(handset, mapping);
            }
        }
        true
    }

    pub(super) fn sweep(&mut self) {
        let now_ms = self.now_ms;
        for service in &mut self.services {
            let pool = &service.pool;
            service.mappings.retain(|_, mapping| {
                let is_member = pool.iter().any(|m| m.position == mapping.position);
                is_member && !mapping.is_expired(now_ms)
            });
        }
    }

    /// The carriers take what waits for these recipients.
    pub(super) fn deliver(&mut self, is_taken: impl Fn(PhoneNumber) -> bool) {
        self.waiting.retain(|waiting| !is_taken(waiting.to));
    }

    pub(super) fn wait(&mut self, ms: Millis) {
        self.now_ms += ms;
        let (now_ms, taken_over) = (self.now_ms, &mut self.taken_over);
        self.waiting.retain(|waiting| {
            let has_expired = waiting.deadline_ms <= now_ms;
            taken_over[waiting.taken_over].has_expired |= has_expired;
            !has_expired
        });
    }

    /// Whether a message expires within this time.
    pub(super) fn is_expiring(&self, ms: Millis) -> bool {
        let end_ms = self.now_ms + ms;
        self.waiting
            .iter()
            .any(|waiting| waiting.deadline_ms <= end_ms)
    }

    /// A new process knows what is on the disk: not who was used last, and of messages that were
    /// scheduled on an earlier day not all that were released today (`docs/limits.md`).
    pub(super) fn restart(&mut self) {
        self.last_used.clear();
        self.sent = 0;
        let today_ms = day_of(self.now_ms);
        for taken in &mut self.taken_over {
            let is_new = taken.times.created_ms >= today_ms;
            let is_found = taken.times.send_at_ms >= today_ms && !taken.has_expired;
            if !is_new && !is_found {
                taken.at_ms = Millis::MIN;
            }
        }
    }

    pub(super) fn queued_segments(&self, sender: SenderNo) -> u64 {
        let waiting = self.waiting.iter();
        let of_sender = waiting.filter(|waiting| waiting.sender == sender);
        of_sender.map(|waiting| waiting.segments).sum()
    }
}

fn in_seconds(now_ms: Millis) -> Millis {
    now_ms - now_ms % 1_000
}

fn day_of(now_ms: Millis) -> Millis {
    now_ms - now_ms % DAY_MS
}

/// The model as one message finds it.
struct Instant<'a> {
    model: &'a Model,
    service: &'a Service,
    recipient: PhoneNumber,
    segments: u64,
}

impl Instant<'_> {
    fn drain_ms(&self, member: &PoolSender, segments: u64) -> u64 {
        let is_slow = self.model.slow.contains(&member.no);
        segments * cast::segment_ms(member.kind, member.country, is_slow)
    }

    /// Whether the sender has taken over today what it may.
    fn is_capped(&self, member: &PoolSender) -> bool {
        let (kind, country) = match member.kind {
            SenderKind::Alpha | SenderKind::DestinationAlpha => (SenderKind::Alpha, None),
            kind => (kind, member.country),
        };
        let is_meant = |rule: &&CapRule| {
            let is_there = country.is_some_and(|country| rule.countries.contains(&country));
            rule.sender == Some(kind) && (rule.countries.is_empty() || is_there)
        };
        let Some(cap) = self.model.caps.iter().find(is_meant) else {
            return false;
        };
        let today_ms = day_of(self.model.now_ms);
        let taken_over = self.model.taken_over.iter();
        let today: Vec<_> = taken_over
            .filter(|taken| taken.sender == member.no && taken.at_ms >= today_ms)
            .collect();
        let segments: u64 = today.iter().map(|taken| taken.segments).sum();
        let mut recipients: BTreeSet<_> = today.iter().map(|taken| taken.to).collect();
        recipients.insert(self.recipient);
        let is_over = |used: u64, cap: u32| cap > 0 && used > u64::from(cap);
        is_over(segments + self.segments, cap.daily_segments)
            || is_over(recipients.len() as u64, cap.daily_recipients)
    }
}

impl Loads for Instant<'_> {
    fn mappings(&self, _: SenderNo, position: u64) -> u64 {
        self.service
            .count(position, Some(self.recipient), self.model.now_ms)
    }

    fn queue(&self, sender: SenderNo) -> QueueLoad {
        let member = self.service.member(sender);
        let member = member.expect("only members are asked");
        let queued_segments = self.model.queued_segments(sender);
        let last_used = self.model.last_used.get(&sender);
        let with_this = queued_segments + self.segments;
        QueueLoad {
            queued_segments,
            drain_ms: self.drain_ms(member, queued_segments),
            last_used: last_used.copied().unwrap_or(0),
            is_full: self.drain_ms(member, with_this) > QUEUE_MS,
            is_capped: self.is_capped(member),
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
