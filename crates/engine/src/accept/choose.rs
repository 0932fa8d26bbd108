//! Choosing the sender: what is asked before, and what the choice leaves behind.
//!
//! The store is asked for the recipient's mapping before the loads are locked. Selection, its note of
//! the mapping and the place in the sender's queue are one step under that lock, so two messages that
//! are accepted at the same instant see each other. A question is answered from a copy ([`Still`]).

use std::cell::RefCell;
use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::SenderNo;
use postrider_core::opt_out::Scope;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::route::kind_of;
use postrider_core::select::{
    Channel, Decision, Detail, Facts, Group, Loads, Member, Order, Outcome, Pool, QueueLoad,
    Ranking, Recipient, Rule, Scaled, Settings, Standing, select,
};
use postrider_core::sender::SenderAddress;
use postrider_core::sender_rate::Zone;
use postrider_core::settings::Service;
use postrider_core::sid::{AccountSid, ServiceSid};
use postrider_store::{StickyKey, StickySender};
use smallvec::SmallVec;

use super::still::Still;
use super::{Acceptor, Draft};
use crate::caps::Use;
use crate::change_log::ChangeLog;
use crate::loads::{Load, LoadTable, QueueBound};
use crate::pace::rate_of;
use crate::rankings::{RANKED_FROM, Seen};
use crate::reach::EngineReach;
use crate::sticky::{self, Counts, Looked, Outdated};

/// A sender was chosen, or the reason there is none.
pub(super) struct Chosen {
    pub(super) outcome: Result<(SenderAddress, SenderNo), ErrorCode>,
    /// `None` when the request named the sender, and no service.
    pub(super) decision: Option<Decision>,
    /// The sender's queue is so long that the message waits on disk.
    pub(super) is_backlog: bool,
}

/// What a sender is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A message: its place in the queue is taken, its mapping noted.
    Sending,
    /// A question: nothing changes, and every candidate is named.
    Asking,
}

impl Acceptor {
    pub(super) fn choose(
        &self,
        draft: &Draft<'_>,
        opted_out: &[Scope],
        segments: u16,
        purpose: Purpose,
        now_ms: Millis,
    ) -> Result<Chosen, Fault> {
        if let Some(service) = &draft.service
            && opted_out.contains(&Scope::Service(service.sid))
        {
            return Ok(Chosen {
                outcome: Err(ErrorCode::RecipientOptedOut),
                decision: None,
                is_backlog: false,
            });
        }
        let about = About {
            opted_out,
            segments,
            to: draft.to.number,
            now_ms,
        };
        let chosen = loop {
            let looked = self.look(draft)?;
            let chosen = match (&draft.service, purpose) {
                (Some(service), Purpose::Sending) => self.loads.with(|table| {
                    let chosen = self.choose_from_pool(draft, service, looked, about, table)?;
                    if let Ok(chosen) = &chosen {
                        self.take_place(chosen, about, table);
                    }
                    Ok::<_, Fault>(chosen)
                })?,
                (Some(service), Purpose::Asking) => self.ask(draft, service, looked, about)?,
                (None, _) => self.loads.with(|table| {
                    let chosen = self.take_named(draft, about, table)?;
                    if purpose == Purpose::Sending {
                        self.take_place(&chosen, about, table);
                    }
                    Ok::<_, Fault>(Ok(chosen))
                })?,
            };
            if let Ok(chosen) = chosen {
                break chosen;
            }
        };
        if purpose == Purpose::Sending {
            self.sticky.advance(now_ms);
        }
        Ok(chosen)
    }

    /// From whom the recipient wants nothing. An answer to a keyword goes all the same.
    pub(super) fn opted_out(&self, draft: &Draft<'_>) -> Result<Vec<Scope>, Fault> {
        if draft.options.auto_reply.is_some() {
            return Ok(Vec::new());
        }
        let opted_out = self.opt_outs.of(draft.to.channel, draft.to.number);
        opted_out.map_err(|error| {
            tracing::error!(%error, "the opt-out list can't be read");
            ErrorCode::Unavailable.into()
        })
    }

    /// In the sender's queue, and what its cap leaves of the day.
    fn take_place(&self, chosen: &Chosen, about: About<'_>, table: &mut LoadTable) {
        if let Ok((_, sender)) = &chosen.outcome {
            table.reserve(*sender, about.segments, Zone::of(about.to));
            let used = about.use_of(*sender);
            self.caps
                .count(&self.directory, &self.alerts, used, about.now_ms);
        }
    }

    /// What the store says of the recipient's mapping, where stickiness applies.
    fn look(&self, draft: &Draft<'_>) -> Result<Option<Looked>, Fault> {
        let service = draft.service.as_ref().filter(|service| {
            service.sticky_sender && draft.from.is_none() && draft.to.channel == Channel::Sms
        });
        let key = service.map(|service| StickyKey {
            service: service.sid,
            recipient: draft.to.number,
        });
        let looked = key.map(|key| self.sticky.look(key)).transpose();
        looked.map_err(|error| {
            tracing::error!(%error, "a sticky mapping can't be read");
            ErrorCode::Unavailable.into()
        })
    }

    /// The sender was named: faults are the request's.
    fn take_named(
        &self,
        draft: &Draft<'_>,
        about: About<'_>,
        table: &mut LoadTable,
    ) -> Result<Chosen, Fault> {
        let from = draft.from.clone().ok_or(ErrorCode::MissingFrom)?;
        if draft.has_media || self.routes.load().find(&from, draft.to.number).is_empty() {
            return Err(ErrorCode::NoRoute.into());
        }
        let account = self.directory.account_by_no(draft.account);
        let sender = account
            .and_then(|account| self.named_sender(account.sid, &from, draft.to.number))
            .or(draft.newcomer)
            .ok_or(ErrorCode::FromNotOurs)?;
        let service = self.directory.service_of(sender).map(Scope::Service);
        let scopes = [Some(Scope::Sender(sender)), service];
        let mut scopes = scopes.iter().flatten();
        if scopes.any(|scope| about.opted_out.contains(scope)) {
            return Err(ErrorCode::RecipientOptedOut.into());
        }
        let queue = self.queue_load(sender, self.load_of(table, sender), about);
        if queue.is_full {
            return Err(ErrorCode::SenderQueueFull.into());
        }
        if queue.is_capped {
            return Err(ErrorCode::CampaignDailyCapReached.into());
        }
        Ok(Chosen {
            outcome: Ok((from, sender)),
            decision: None,
            is_backlog: table.get(sender).is_backlogged,
        })
    }

    fn named_sender(
        &self,
        account: AccountSid,
        from: &SenderAddress,
        to: PhoneNumber,
    ) -> Option<SenderNo> {
        let SenderAddress::ShortCode(code) = from else {
            return self.directory.sender_no(account, from);
        };
        let country = to.country();
        let entry = self.directory.short_code_by_digits(account, code, country);
        entry.map(|entry| entry.sender)
    }

    /// The service chooses: faults that depend on the sender are the message's.
    fn choose_from_pool(
        &self,
        draft: &Draft<'_>,
        service: &Service,
        looked: Option<Looked>,
        about: About<'_>,
        table: &mut LoadTable,
    ) -> Result<Result<Chosen, Outdated>, Fault> {
        let pool = self.pool_of(service)?;
        let mut mappings = self.sticky.lock();
        let former = match looked.map(|looked| mappings.current(&looked)).transpose() {
            Ok(former) => former.flatten(),
            Err(outdated) => return Ok(Err(outdated)),
        };
        let loads = PoolLoads {
            acceptor: self,
            service: service.sid,
            counts: mappings.counts_of(service.sid),
            expired: expired(former, about.now_ms),
            table: RefCell::new(table),
            about,
        };
        let purpose = Purpose::Sending;
        let decision = self.decision(draft, service, &pool, former, purpose, about, &loads)?;
        let table = loads.table.into_inner();
        let key = StickyKey {
            service: service.sid,
            recipient: about.to,
        };
        let chosen = decision.chosen().and_then(|sender| pool.get(sender));
        mappings.note(key, former, decision.sticky, chosen, about.now_ms);
        let is_backlogged = |sender| table.get(sender).is_backlogged;
        Ok(Ok(Chosen::by(decision, &pool, is_backlogged)))
    }

    /// As if it were to be sent, from a copy of the loads.
    fn ask(
        &self,
        draft: &Draft<'_>,
        service: &Service,
        looked: Option<Looked>,
        about: About<'_>,
    ) -> Result<Result<Chosen, Outdated>, Fault> {
        let pool = self.pool_of(service)?;
        let still = match Still::of(self, service, &pool, looked, about) {
            Ok(still) => still,
            Err(outdated) => return Ok(Err(outdated)),
        };
        let (former, purpose) = (still.former, Purpose::Asking);
        let decision = self.decision(draft, service, &pool, former, purpose, about, &still)?;
        let is_backlogged = |sender| still.is_backlogged(sender);
        Ok(Ok(Chosen::by(decision, &pool, is_backlogged)))
    }

    fn pool_of(&self, service: &Service) -> Result<Arc<Pool>, Fault> {
        let found = self.directory.service_and_pool(service.sid);
        Ok(found
            .map(|(_, pool)| pool)
            .ok_or(ErrorCode::ServiceNotFound)?)
    }

    /// Whom the message gets, or what it fails with.
    #[expect(clippy::too_many_arguments, reason = "facts of one choice, named once")]
    fn decision(
        &self,
        draft: &Draft<'_>,
        service: &Service,
        pool: &Pool,
        former: Option<StickySender>,
        purpose: Purpose,
        about: About<'_>,
        loads: &impl Loads,
    ) -> Result<Decision, Fault> {
        let now_ms = about.now_ms;
        let recipient = Recipient {
            network: draft.network,
            ..Recipient::of(draft.to.number, draft.to.channel)
        };
        let coverage = self.coverage.load();
        let refuses = self.compliance.load().refuse_unregistered_alpha;
        let reach = EngineReach {
            directory: &self.directory,
            coverage: &coverage,
            country: recipient.country,
            now_ms,
        };
        let facts = Facts {
            recipient,
            from: draft.from.as_ref(),
            has_media: draft.has_media,
            settings: Settings {
                // A question is always answered with the warning.
                preregistration_alert: service.preregistration_alert
                    || refuses
                    || purpose == Purpose::Asking,
                ..Settings::from(service)
            },
            mapping: former.map(sticky::mapping),
            now_ms,
            detail: match purpose {
                Purpose::Sending => Detail::Compact,
                Purpose::Asking => Detail::Full,
            },
        };
        let mut decision = select(pool, &facts, loads, &reach)?;
        if let Some((rule, error)) = self.obstacle(&decision, pool, refuses, draft, about) {
            decision.fail(rule, error);
        }
        Ok(decision)
    }

    /// What keeps the message from the sender that was chosen for it.
    fn obstacle(
        &self,
        decision: &Decision,
        pool: &Pool,
        refuses_unregistered: bool,
        draft: &Draft<'_>,
        about: About<'_>,
    ) -> Option<(Rule, ErrorCode)> {
        let chosen = pool.get(decision.chosen()?)?;
        if refuses_unregistered && decision.warning == Some(ErrorCode::PreregistrationWanted) {
            return Some((Rule::NotRegistered, ErrorCode::SenderIdNotRegistered));
        }
        if draft.has_media {
            return Some((Rule::MediaNotCarried, ErrorCode::NoRoute));
        }
        let routes = self.routes.load();
        if routes.find(&chosen.address, draft.to.number).is_empty() {
            return Some((Rule::NoRoute, ErrorCode::NoRoute));
        }
        let is_opted_out = about.opted_out.contains(&Scope::Sender(chosen.no));
        is_opted_out.then_some((Rule::OptedOut, ErrorCode::RecipientOptedOut))
    }

    /// With its bound, which the table keeps from now on.
    fn load_of(&self, table: &mut LoadTable, sender: SenderNo) -> Load {
        table.bound(sender, || self.bound_of(sender));
        table.get(sender)
    }

    pub(super) fn bound_of(&self, sender: SenderNo) -> QueueBound {
        QueueBound {
            rate: rate_of(&self.directory, &self.paces.load(), sender),
            queue_ms: self.queue_ms(sender),
        }
    }

    /// A sender's queue as selection wants it. The load has its bound.
    pub(super) fn queue_load(&self, sender: SenderNo, load: Load, about: About<'_>) -> QueueLoad {
        let used = about.use_of(sender);
        QueueLoad {
            queued_segments: load.queued_segments(),
            drain_ms: load.drain_ms(),
            last_used: load.last_used,
            is_full: load.is_full(about.segments, Zone::of(about.to)),
            is_capped: self.caps.is_over(&self.directory, used, about.now_ms),
        }
    }

    fn queue_ms(&self, sender: SenderNo) -> u64 {
        let sender = self.directory.sender(sender);
        // One that is not known has no rate either.
        let seconds = sender.map_or(0, |sender| {
            let kind = kind_of(&sender.address);
            self.limits.queue_seconds.of(kind)
        });
        u64::from(seconds) * 1_000
    }
}

impl Chosen {
    fn by(decision: Decision, pool: &Pool, is_backlogged: impl Fn(SenderNo) -> bool) -> Self {
        let outcome = match decision.outcome {
            Outcome::Chosen { sender, .. } => match pool.get(sender) {
                Some(entry) => Ok((entry.address.clone(), sender)),
                None => Err(ErrorCode::NoSuitableSender),
            },
            Outcome::None { error } => Err(error),
        };
        let sender = outcome.as_ref().ok().map(|&(_, sender)| sender);
        Self {
            is_backlog: sender.is_some_and(is_backlogged),
            outcome,
            decision: Some(decision),
        }
    }
}

/// The message that loads are asked about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// From whom its recipient wants nothing.
    opted_out: &'a [Scope],
    pub(super) segments: u16,
    pub(super) to: PhoneNumber,
    pub(super) now_ms: Millis,
}

impl About<'_> {
    /// What the sender's daily cap counts.
    fn use_of(self, sender: SenderNo) -> Use {
        Use {
            sender,
            segments: self.segments,
            to: self.to,
        }
    }
}

/// The place that the recipient's own mapping names, if it is too old: it is counted, and not live.
pub(super) fn expired(former: Option<StickySender>, now_ms: Millis) -> Option<u64> {
    let mapping = former.map(sticky::mapping);
    let expired = mapping.filter(|mapping| mapping.is_expired(now_ms));
    expired.map(|mapping| mapping.position)
}

/// The loads of a pool's senders, rates found on first use.
struct PoolLoads<'a, 't> {
    acceptor: &'a Acceptor,
    service: ServiceSid,
    /// Of the service's mappings.
    counts: Option<&'a Counts>,
    /// See [`expired`].
    expired: Option<u64>,
    table: RefCell<&'t mut LoadTable>,
    about: About<'a>,
}

impl Loads for PoolLoads<'_, '_> {
    fn mappings(&self, _: SenderNo, position: u64) -> u64 {
        let counted = self.counts.map_or(0, |counts| counts.get(position));
        counted.saturating_sub(u64::from(self.expired == Some(position)))
    }

    fn queue(&self, sender: SenderNo) -> QueueLoad {
        let load = self.acceptor.load_of(&mut self.table.borrow_mut(), sender);
        self.acceptor.queue_load(sender, load, self.about)
    }

    fn ranked(&self, group: &Group, order: Order) -> Option<Scaled> {
        if group.len() < RANKED_FROM {
            return None;
        }
        let key = (self.service, group.edition(), order);
        let mut kept = self.table.borrow_mut().rankings.take(&key);
        let changes = self.changes_since(kept.seen, order);
        let scaled = kept.is_calm(changes, group).then(|| {
            let mut ranking = match kept.ranking.take() {
                Some(ranking) => self.told(ranking, kept.seen, order),
                None => Ranking::new(group, order, |member| self.standing(member)),
            };
            let scaled = self.scaled(&mut ranking);
            kept.ranking = Some(ranking);
            scaled
        });
        kept.seen = self.end();
        self.table.borrow_mut().rankings.put(key, kept);
        if let Some(scaled) = scaled {
            debug_assert_eq!(scaled, Scaled::of_walk(group, order, self));
        }
        scaled
    }
}

impl PoolLoads<'_, '_> {
    /// How many loads and mappings changed since; `None` if that can't be told any more.
    fn changes_since(&self, seen: Seen, order: Order) -> Option<usize> {
        let loads = self.table.borrow().changes.since(seen.loads)?.len();
        let mappings = self.mapping_changes(order);
        let mappings = mappings.map_or(Some(0), |log| Some(log.since(seen.mappings)?.len()))?;
        Some(loads + mappings)
    }

    /// The ranking with all that changed since.
    fn told(&self, mut ranking: Ranking, seen: Seen, order: Order) -> Ranking {
        let queues: SmallVec<[SenderNo; 8]> = {
            let table = self.table.borrow();
            table
                .changes
                .since(seen.loads)
                .into_iter()
                .flatten()
                .collect()
        };
        for sender in queues {
            ranking.update(sender, |member| self.standing(member));
        }
        let positions = self.mapping_changes(order);
        let positions = positions.and_then(|log| log.since(seen.mappings));
        for position in positions.into_iter().flatten() {
            ranking.update_at(position, |member| self.standing(member));
        }
        ranking
    }

    /// Where mappings count: those of the service.
    fn mapping_changes(&self, order: Order) -> Option<&ChangeLog<u64>> {
        let counts = self.counts.filter(|_| order == Order::Recipients)?;
        Some(&counts.changes)
    }

    /// How far the changes go. Nothing changes while loads and mappings are locked.
    fn end(&self) -> Seen {
        Seen {
            loads: self.table.borrow().changes.end(),
            mappings: self.counts.map_or(0, |counts| counts.changes.end()),
        }
    }

    fn scaled(&self, ranking: &mut Ranking) -> Scaled {
        let Some(position) = self.expired else {
            return ranking.scaled(self);
        };
        ranking.update_at(position, |member| self.standing(member));
        let scaled = ranking.scaled(self);
        // For other recipients it counts until it is swept.
        let as_counted = |member: Member| Standing {
            mappings: self.counts.map_or(0, |counts| counts.get(position)),
            ..self.standing(member)
        };
        ranking.update_at(position, as_counted);
        scaled
    }

    fn is_nearly_capped(&self, sender: SenderNo) -> bool {
        let Acceptor {
            caps, directory, ..
        } = self.acceptor;
        caps.is_nearly_over(directory, sender, self.about.now_ms)
    }

    fn standing(&self, member: Member) -> Standing {
        Standing {
            queue: self.queue(member.no),
            mappings: self.mappings(member.no, member.position),
            is_apart: self.table.borrow().get(member.no).is_nearly_full()
                || self.is_nearly_capped(member.no),
        }
    }
}
