//! The model test of sender selection: random histories of a service, on an engine and on a model.
//!
//! Senders come and go, settings change, recipients are sent to and text back, carriers take what
//! waits or do not, days and years pass, the process is stopped or crashes. After each message the
//! engine must have chosen as the model does, by the same rule, and done the same to the mapping; now
//! and then all mappings, counts and queues must agree.

mod cast;
mod life;
mod model;
mod step;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use postrider_carriers::Inbound;
use postrider_core::clock::{Clock, ManualClock, Millis};
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{self, SenderNo, Status};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::reference::Choice;
use postrider_core::select::{Channel, Decision, Outcome, PoolSender};
use postrider_core::sender::{SenderAddress, WHATSAPP_PREFIX};
use postrider_core::settings::{Account, Capabilities, PoolSenderSid, Service};
use postrider_core::sid::{ChannelSenderSid, PhoneNumberSid, ServiceSid, ShortCodeSid};
use postrider_core::text::Encoding;
use postrider_store::RecipientCursor;
use postrider_store::memory::MemoryDisk;
use proptest::prelude::*;

use self::life::Life;
use self::model::{Mapping, Model, Request, made};
use self::step::{Ending, Message, Side, Step, Switch, Who, any_steps};
use crate::testing::START_MS;
use crate::{Engine, NewPoolEntry};

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_is_like_the_model(steps in any_steps()) {
        let mut history = History::begin();
        for step in &steps {
            history.take(step);
        }
        history.compare_all();
    }
}

/// The same story, twice.
struct History {
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    /// `None` only between two.
    life: Option<Life>,
    account: Arc<Account>,
    service: ServiceSid,
    model: Model,
    /// By their numbers in [`cast`].
    known: BTreeMap<usize, Known>,
    /// Places in the engine's pool, of all that ever joined.
    places: Vec<u64>,
}

/// A sender that the account has.
struct Known {
    /// Not known of an alpha sender before it joins.
    no: Option<SenderNo>,
    sid: Sid,
    capabilities: Capabilities,
    /// What it is called in the pool; `None` while it is not in it.
    member: Option<String>,
    is_slow: bool,
}

#[derive(Clone, Copy)]
enum Sid {
    Number(PhoneNumberSid),
    ShortCode(ShortCodeSid),
    Channel(ChannelSenderSid),
    Alpha,
}

impl History {
    fn begin() -> Self {
        let disk = MemoryDisk::new();
        let clock = Arc::new(ManualClock::at(START_MS));
        let life = Life::begin(&disk, &clock);
        let (account, service) = life.run(async {
            let main = life.engine.create_main_account(None, None, "Test").await;
            let (account, _) = main.unwrap();
            let service = life.engine.create_service(account.sid, |_| {}).await;
            (account, service.unwrap())
        });
        Self {
            disk,
            clock,
            life: Some(life),
            account,
            service: service.sid,
            model: Model::new(START_MS),
            known: BTreeMap::new(),
            places: Vec::new(),
        }
    }

    fn life(&self) -> &Life {
        self.life.as_ref().expect("somebody lives")
    }

    fn engine(&self) -> &Engine {
        &self.life().engine
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.life().run(work)
    }

    /// Each step takes a millisecond, so that no two things happen at once.
    fn take(&mut self, step: &Step) {
        self.clock.advance(1);
        self.model.wait(1);
        match *step {
            Step::JoinOrLeave(who) => self.join_or_leave(self.who(who)),
            Step::Rejoin(who) => {
                let sender = self.who(who);
                self.join_or_leave(sender);
                self.join_or_leave(sender);
            }
            Step::Capabilities(who, can) => self.set_capabilities(self.who(who), can),
            Step::Serves(who, networks) => self.serve(self.who(who), networks),
            Step::SlowOrFast(who) => self.slow_or_fast(self.who(who)),
            Step::Toggle(switch) => self.toggle(switch),
            Step::Message(ref message) => self.send(message),
            Step::Text(from, to) => self.text(from, self.who(to)),
            Step::Wait(ms) => self.wait(ms),
            Step::Deliver(side) => self.deliver(side),
            Step::Sweep => self.sweep(),
            Step::Look => self.compare_all(),
            Step::Forget(recipient) => self.forget(recipient),
            Step::Restart(ending) => self.restart(ending),
        }
    }
}

/// Senders and settings.
impl History {
    fn who(&self, who: Who) -> usize {
        match who {
            Who::Any(sender) => sender,
            Who::Member(place) => {
                let known = self.known.iter();
                let members = known.filter(|(_, known)| known.member.is_some());
                let members: Vec<_> = members.map(|(sender, _)| *sender).collect();
                let place = place.checked_rem(members.len());
                place.map_or(0, |place| members[place])
            }
        }
    }

    /// The account has it from now on.
    fn register(&mut self, sender: usize) {
        if self.known.contains_key(&sender) {
            return;
        }
        let (address, country) = cast::sender(sender);
        let account = self.account.sid;
        let capabilities = cast::CAPABILITIES[0];
        let (engine, life) = (self.engine(), self.life());
        let (no, sid) = match address {
            SenderAddress::Number(number) => {
                let set = |number: &mut postrider_core::settings::IncomingNumber| {
                    number.capabilities = capabilities;
                };
                let number = life.run(engine.register_number(account, number, set));
                let number = number.unwrap();
                (Some(number.sender), Sid::Number(number.sid))
            }
            SenderAddress::ShortCode(code) => {
                let set = |code: &mut postrider_core::settings::ShortCodeEntry| {
                    code.capabilities = capabilities;
                };
                let country = country.unwrap();
                let code = life.run(engine.register_short_code(account, code, country, set));
                let code = code.unwrap();
                (Some(code.sender), Sid::ShortCode(code.sid))
            }
            SenderAddress::WhatsApp(number) => {
                let sender = life.run(engine.register_channel_sender(account, number, |_| {}));
                let sender = sender.unwrap();
                (Some(sender.sender), Sid::Channel(sender.sid))
            }
            SenderAddress::Alpha(_) => (None, Sid::Alpha),
        };
        let known = Known {
            no,
            sid,
            capabilities,
            member: None,
            is_slow: false,
        };
        self.known.insert(sender, known);
    }

    fn join_or_leave(&mut self, sender: usize) {
        self.register(sender);
        let member = self
            .known
            .get_mut(&sender)
            .and_then(|known| known.member.take());
        match member {
            None => self.join(sender),
            Some(member) => {
                let left = self.engine().remove_from_pool(self.service, &member);
                self.run(left).unwrap();
                self.model.leave(self.no(sender));
            }
        }
    }

    fn join(&mut self, sender: usize) {
        let (address, country) = cast::sender(sender);
        let entry = match (self.known[&sender].sid, &address, country) {
            (Sid::Number(sid), ..) => NewPoolEntry::Number(sid),
            (Sid::ShortCode(sid), ..) => NewPoolEntry::ShortCode(sid),
            (Sid::Channel(sid), ..) => NewPoolEntry::Channel(sid),
            (Sid::Alpha, SenderAddress::Alpha(id), None) => NewPoolEntry::Alpha(id.clone()),
            (Sid::Alpha, SenderAddress::Alpha(id), Some(country)) => {
                NewPoolEntry::DestinationAlpha(id.clone(), country)
            }
            (Sid::Alpha, ..) => unreachable!("an alpha sender has an alpha sender's address"),
        };
        let member = self.run(self.engine().add_to_pool(self.service, entry));
        let member = member.unwrap();
        let known = self.known.get_mut(&sender).expect("it is registered");
        known.member = Some(member.sender.to_string());
        if let PoolSenderSid::Alpha { sender: no, .. }
        | PoolSenderSid::DestinationAlpha { sender: no, .. } = member.sender
        {
            known.no = Some(no);
        }
        let (no, can) = (known.no.unwrap(), known.capabilities);
        self.places.push(member.position);
        self.model.join(|position| match address {
            SenderAddress::Number(number) => PoolSender::number(no, number, can, position),
            SenderAddress::ShortCode(code) => {
                PoolSender::short_code(no, code, country.unwrap(), can, position)
            }
            SenderAddress::Alpha(id) => PoolSender::alpha(no, id, country, position),
            SenderAddress::WhatsApp(number) => PoolSender::whatsapp(no, number, position),
        });
    }

    fn no(&self, sender: usize) -> SenderNo {
        self.known[&sender].no.expect("it has joined before")
    }

    fn set_capabilities(&mut self, sender: usize, can: usize) {
        self.register(sender);
        let can = cast::CAPABILITIES[can];
        let engine = self.engine();
        match self.known[&sender].sid {
            Sid::Number(sid) => {
                let set = engine.update_number(sid, |number| number.capabilities = can);
                self.run(set).map(drop).unwrap();
            }
            Sid::ShortCode(sid) => {
                let set = engine.update_short_code(sid, |code| code.capabilities = can);
                self.run(set).map(drop).unwrap();
            }
            // These can do what their kind can.
            Sid::Channel(_) | Sid::Alpha => return,
        }
        let no = self.no(sender);
        if let Some(known) = self.known.get_mut(&sender) {
            known.capabilities = can;
        }
        if let Some(member) = self.model.member_mut(no) {
            member.capabilities = can;
        }
    }

    fn serve(&mut self, sender: usize, networks: usize) {
        self.register(sender);
        let Sid::ShortCode(sid) = self.known[&sender].sid else {
            return;
        };
        let networks = cast::served(networks);
        let set = self.engine().update_short_code(sid, |code| {
            code.served_networks = networks.clone();
        });
        self.run(set).unwrap();
        self.model.serve(self.no(sender), networks);
    }

    fn slow_or_fast(&mut self, sender: usize) {
        self.register(sender);
        self.set_slow(sender, !self.known[&sender].is_slow);
    }

    fn set_slow(&mut self, sender: usize, is_slow: bool) {
        let pace = is_slow.then_some(cast::SLOW);
        let engine = self.engine();
        match self.known[&sender].sid {
            Sid::Number(sid) => {
                let set = engine.update_number(sid, |number| number.pace = pace);
                self.run(set).map(drop).unwrap();
            }
            Sid::ShortCode(sid) => {
                let set = engine.update_short_code(sid, |code| code.pace = pace);
                self.run(set).map(drop).unwrap();
            }
            // These have no pace of their own.
            Sid::Channel(_) | Sid::Alpha => return,
        }
        let no = self.no(sender);
        self.model.set_slow(no, is_slow);
        if let Some(known) = self.known.get_mut(&sender) {
            known.is_slow = is_slow;
        }
    }

    fn toggle(&mut self, switch: Switch) {
        let settings = &mut self.model.settings;
        let switched = match switch {
            Switch::Sticky => &mut settings.sticky_sender,
            Switch::AreaCode => &mut settings.area_code_geomatch,
            Switch::MmsConverter => &mut settings.mms_converter,
        };
        *switched = !*switched;
        let settings = *settings;
        let set = |service: &mut Service| {
            service.sticky_sender = settings.sticky_sender;
            service.area_code_geomatch = settings.area_code_geomatch;
            service.mms_converter = settings.mms_converter;
        };
        let set = self.engine().update_service(self.service, set);
        self.run(set).unwrap();
    }
}

/// Messages.
impl History {
    fn send(&mut self, message: &Message) {
        let to = cast::recipient(message.to, message.channel);
        let from = message.from.map(|who| cast::sender(self.who(who)).0);
        let request = CreateMessage {
            to: Some(match message.channel {
                Channel::Sms => to.number.to_string(),
                Channel::WhatsApp => format!("{WHATSAPP_PREFIX}{}", to.number),
            }),
            from: from.as_ref().map(ToString::to_string),
            messaging_service: Some(self.service.to_string()),
            body: Some("z".repeat(if message.is_long { 200 } else { 5 })),
            send_as_mms: Some(message.has_media),
            ..CreateMessage::default()
        };
        let is_in_two = message.is_long && message.channel == Channel::Sms;
        let asked = Request {
            to,
            from: from.as_ref(),
            has_media: message.has_media,
            segments: if is_in_two { 2 } else { 1 },
        };
        let expected = self.model.choose(asked);
        let seen = expected.map(|choice| made(choice, asked));

        let preview = self.run(self.engine().preview(&self.account, &request));
        let preview = preview.map(|preview| {
            let decision = preview.decision.expect("a service decides");
            (choice(&decision), fate(&preview.message))
        });
        assert_eq!(
            preview.map_err(|fault| fault.code),
            seen,
            "preview of {message:?}"
        );

        let created = self.run(self.engine().create_message(&self.account, request));
        let created = created.map(|created| created.message);
        let made = created.as_ref().map(|created| {
            let decision = created.decision.as_deref().expect("a service decides");
            (
                choice(&Decision::from_bytes(decision).unwrap()),
                fate(created),
            )
        });
        assert_eq!(made.map_err(|fault| fault.code), seen, "{message:?}");
        if let (Ok(created), Ok(expected)) = (created, expected) {
            self.model.send(expected, asked, created.deadline_ms);
        }
    }

    /// One that changes nothing is past what a crash makes again before its rival can leave: made again
    /// after that, it would count.
    fn text(&mut self, from: usize, to: usize) {
        let handset = cast::recipient(from, Channel::Sms).number;
        let (sender, _) = cast::sender(to);
        let inbound = Inbound {
            from: handset.to_string().into(),
            to: sender.to_string().into(),
            text: "Hi".into(),
            encoding: Encoding::Gsm7,
            concat: None,
            raw: [].into(),
        };
        assert!(self.run(crate::receive::store(self.engine(), &inbound)));
        let is_heard = matches!(
            sender,
            SenderAddress::Number(_) | SenderAddress::ShortCode(_) | SenderAddress::WhatsApp(_)
        );
        let no = self.known.get(&to).and_then(|known| known.no);
        if let Some(no) = no.filter(|_| is_heard)
            && !self.model.hear(handset, no)
        {
            self.wait(3_000);
        }
    }
}

/// What goes on beside the messages.
impl History {
    /// The mappings' writer has its turn before and after.
    fn wait(&mut self, ms: Millis) {
        self.compare_all();
        self.clock.advance(ms);
        self.model.wait(ms);
        self.compare_all();
    }

    fn deliver(&mut self, side: Side) {
        let slow: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| known.is_slow)
            .collect();
        let slow: Vec<_> = slow.into_iter().map(|(sender, _)| *sender).collect();
        for sender in slow {
            self.set_slow(sender, false);
        }
        self.model.deliver(|to| {
            let is_american = to.to_string().starts_with("+1");
            is_american == (side == Side::NorthAmerica)
        });
        self.life().gate(side).open();
        self.settle(Life::is_open);
        self.life().gate(side).shut();
        self.settle(|life| !life.is_open());
    }

    fn sweep(&mut self) {
        self.compare_all();
        let acceptor = self.engine().shared.acceptor.clone();
        let now_ms = self.clock.now_ms();
        let sweep = move || {
            let directory = &acceptor.directory;
            acceptor.sticky.sweep_page(None, directory, now_ms)
        };
        assert_eq!(self.run(self.engine().read(sweep)).unwrap(), None);
        self.model.sweep();
    }

    fn forget(&mut self, recipient: usize) {
        let recipient = cast::recipient(recipient, Channel::Sms).number;
        let known = self.model.mappings.get(&recipient);
        let is_known = known.is_some_and(|known| self.model.is_live(*known));
        let forget = self.engine().forget_sticky_sender(self.service, recipient);
        let forgotten = self.run(forget).map_err(|fault| fault.code);
        let expected = if is_known {
            Ok(())
        } else {
            Err(ErrorCode::NotFound)
        };
        assert_eq!(forgotten, expected);
        if is_known {
            self.model.forget(recipient);
        }
    }

    fn restart(&mut self, ending: Ending) {
        if let Some(life) = self.life.take() {
            life.end(ending);
        }
        self.model.restart();
        // A process sweeps as it starts.
        self.model.sweep();
        self.life = Some(Life::begin(&self.disk, &self.clock));
        self.settle(|_| true);
    }
}

/// Comparing.
impl History {
    fn compare_all(&self) {
        self.settle(|_| true);
        let listed = self
            .engine()
            .sticky_senders(self.service, RecipientCursor::Start, 100);
        let listed = self.run(listed).unwrap();
        let seconds = |ms: Millis| ms / 1_000 * 1_000;
        let listed: BTreeMap<PhoneNumber, _> = listed
            .into_iter()
            .map(|(key, known)| {
                let times = (known.created_ms, known.used_ms);
                (key.recipient, (known.sender, known.position, times))
            })
            .collect();
        let mappings = self.model.mappings.iter();
        let live = mappings.filter(|(_, known)| self.model.is_live(**known));
        let expected = live.map(|(recipient, known)| {
            let &Mapping {
                sender, position, ..
            } = known;
            let times = (seconds(known.created_ms), seconds(known.used_ms));
            (*recipient, (sender, self.place(position), times))
        });
        assert_eq!(listed, expected.collect());

        let sticky = self.engine().shared.acceptor.sticky.lock();
        let counts = sticky.counts_of(self.service);
        for member in self.model.pool() {
            let place = self.place(member.position);
            let counted = counts.map_or(0, |counts| counts.get(place));
            assert_eq!(
                counted,
                self.model.count(member.position, None),
                "{member:?}"
            );
        }
    }

    fn place(&self, position: u64) -> u64 {
        self.places[usize::try_from(position).unwrap()]
    }

    /// Until dispatch has done what it does by itself, and all queues are as the model's.
    fn settle(&self, is_done: impl Fn(&Life) -> bool) {
        let life = self.life();
        let senders = || self.known.values().filter_map(|known| known.no);
        let expected = || senders().map(|no| (no, self.model.queued_segments(no)));
        let waiting = || {
            let counted = life.engine.shared.acceptor.loads.with(|table| {
                let queued = |no| (no, table.get(no).queued_segments());
                senders().map(queued).collect::<Vec<_>>()
            });
            let store = &life.engine.shared.store;
            let depths = store.queue_depths().unwrap()().unwrap();
            let stored = senders().map(|no| {
                let mut of_sender = depths.iter().filter(|depth| depth.sender == no);
                (no, of_sender.next().map_or(0, |depth| depth.segments))
            });
            (counted, stored.collect::<Vec<_>>())
        };
        let expected: Vec<_> = expected().collect();
        let expected = (expected.clone(), expected);
        life.run(async {
            for round in 0.. {
                if waiting() == expected && is_done(life) {
                    return;
                }
                assert!(round < 5_000, "{:?} waits, not {expected:?}", waiting());
                let poke = life
                    .engine
                    .shared
                    .dispatch
                    .send(crate::dispatch::Input::Timer);
                poke.await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
}

fn choice(decision: &Decision) -> Choice {
    Choice {
        sender: match decision.outcome {
            Outcome::Chosen { sender, rule } => Ok((sender, rule)),
            Outcome::None { error } => Err(error),
        },
        sticky: decision.sticky,
        is_converted: decision.is_converted_to_sms,
    }
}

fn fate(message: &message::Message) -> Result<SenderNo, ErrorCode> {
    match (message.status, message.sender, message.error) {
        (Status::Queued, Some(sender), None) => Ok(sender),
        (Status::Failed, None, Some(error)) => Err(error),
        other => panic!("neither queued nor failed: {other:?}"),
    }
}
