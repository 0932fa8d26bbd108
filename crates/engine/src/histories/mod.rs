//! The model test of sender selection: random histories of an account's services, on an engine and on
//! a model.
//!
//! Senders come and go and change, settings change, recipients are sent to, at once or later, and text
//! back, carriers take what waits or do not, days and years pass, the process is stopped or crashes.
//! After each message the engine must have chosen as the model does, by the same rule, and done the same
//! to the mapping; now and then all mappings, counts and queues must agree.

mod cast;
mod comparing;
mod life;
mod messages;
mod model;
mod senders;
mod step;

use std::collections::BTreeMap;
use std::sync::Arc;

use postrider_core::clock::{ManualClock, Millis};
use postrider_core::error_code::ErrorCode;
use postrider_core::select::Channel;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;
use postrider_store::memory::MemoryDisk;
use proptest::prelude::*;

use self::life::Life;
use self::messages::Later;
use self::model::Model;
use self::senders::Known;
use self::step::{Ending, Plot, Side, Step, any_plot};
use crate::Engine;
use crate::sticky::Swept;
use crate::testing::START_MS;

/// How many histories a run takes unless `HISTORIES` says otherwise.
const HISTORIES: u32 = 150;

fn histories() -> u32 {
    let number = std::env::var("HISTORIES").ok();
    number.map_or(HISTORIES, |text| text.parse().expect("a whole number"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories()))]

    #[test]
    fn the_engine_is_like_the_model(plot in any_plot()) {
        play(&plot);
    }
}

fn play(plot: &Plot) {
    let mut history = History::begin(plot.caps);
    for step in &plot.steps {
        history.take(step);
    }
    history.compare_all();
}

/// The same story, twice.
struct History {
    disk: MemoryDisk,
    clock: Arc<ManualClock>,
    /// By its number in [`cast`].
    caps: usize,
    /// `None` only between two.
    life: Option<Life>,
    account: Arc<Account>,
    services: [ServiceSid; cast::SERVICES],
    model: Model,
    /// By their numbers in [`cast`].
    known: BTreeMap<usize, Known>,
    /// Places in each service's pool in the engine, of all that ever joined.
    places: [Vec<u64>; cast::SERVICES],
    /// All messages that ever were scheduled.
    later: Vec<Later>,
    /// Texts in two segments so far.
    long_texts: u16,
}

impl History {
    fn begin(caps: usize) -> Self {
        let disk = MemoryDisk::new();
        let clock = Arc::new(ManualClock::at(START_MS));
        let life = Life::begin(&disk, &clock, &cast::caps(caps));
        let (account, services) = life.run(async {
            let main = life.engine.create_main_account(None, None, "Test").await;
            let (account, _) = main.unwrap();
            let mut services = Vec::new();
            for _ in 0..cast::SERVICES {
                let service = life.engine.create_service(account.sid, |_| {}).await;
                services.push(service.unwrap().sid);
            }
            (account, services)
        });
        Self {
            disk,
            clock,
            caps,
            life: Some(life),
            account,
            services: services.try_into().unwrap(),
            model: Model::new(START_MS, cast::caps(caps)),
            known: BTreeMap::new(),
            places: Default::default(),
            later: Vec::new(),
            long_texts: 0,
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
        self.pass(1);
        match *step {
            Step::JoinOrLeave(service, who) => self.join_or_leave(service, self.who(who)),
            Step::Rejoin(service, who) => {
                let sender = self.who(who);
                self.join_or_leave(service, sender);
                self.join_or_leave(service, sender);
            }
            Step::Capabilities(who, can) => self.set_capabilities(self.who(who), can),
            Step::Status(who, status) => self.set_status(self.who(who), status),
            Step::Serves(who, networks) => self.serve(self.who(who), networks),
            Step::SlowOrFast(who) => self.slow_or_fast(self.who(who)),
            Step::Toggle(service, switch) => self.toggle(service, switch),
            Step::Message(ref message) => self.send(message),
            Step::Schedule(ref message, ahead_ms) => self.schedule(message, ahead_ms),
            Step::Cancel(place) => self.cancel(place),
            Step::Text(from, to, length) => self.text(from, self.who(to), length),
            Step::Wait(ms) => self.wait(ms),
            Step::Deliver(side) => self.deliver(side),
            Step::Sweep => self.sweep(),
            Step::Look => self.compare_all(),
            Step::Forget(service, recipient) => self.forget(service, recipient),
            Step::Restart(ending, downtime_ms) => self.restart(ending, downtime_ms),
        }
    }
}

/// What goes on beside the messages.
impl History {
    /// The mappings' writer has its turn before and after.
    fn wait(&mut self, ms: Millis) {
        self.compare_all();
        self.pass(ms);
        self.compare_all();
    }

    /// Time goes by. Scheduled messages are released each at its own instant, and what expired before
    /// has left its queue by then.
    fn pass(&mut self, ms: Millis) {
        let end_ms = self.model.now_ms + ms;
        while let Some(due_ms) = self.next_due().filter(|due_ms| *due_ms <= end_ms) {
            self.set_clock(due_ms - 1);
            self.settle(|_| true);
            self.set_clock(due_ms);
            self.release();
        }
        self.set_clock(end_ms);
    }

    fn set_clock(&mut self, now_ms: Millis) {
        let ms = now_ms - self.model.now_ms;
        self.clock.advance(ms);
        self.model.wait(ms);
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
        let swept = self.run(self.engine().sweep_sticky());
        assert_eq!(swept.unwrap(), Swept::All);
        self.model.sweep();
    }

    fn forget(&mut self, service: usize, recipient: usize) {
        let recipient = cast::recipient(recipient, Channel::Sms).number;
        let now_ms = self.model.now_ms;
        let of_model = &mut self.model.services[service];
        let known = of_model.mappings.get(&recipient).copied();
        let is_known = known.is_some_and(|known| of_model.is_live(known, now_ms));
        if is_known {
            of_model.mappings.remove(&recipient);
        }
        let engine = self.engine();
        let forget = engine.forget_sticky_sender(self.services[service], recipient);
        let forgotten = self.run(forget).map_err(|fault| fault.code);
        let expected = if is_known {
            Ok(())
        } else {
            Err(ErrorCode::NotFound)
        };
        assert_eq!(forgotten, expected);
    }

    /// Where something would expire meanwhile, the next process begins at once: it may release a
    /// scheduled message before or after.
    fn restart(&mut self, ending: Ending, downtime_ms: Millis) {
        if let Some(life) = self.life.take() {
            life.end(ending);
        }
        if !self.model.is_expiring(downtime_ms) {
            self.set_clock(self.model.now_ms + downtime_ms);
        }
        self.model.restart();
        // A process sweeps as it starts.
        self.model.sweep();
        let life = Life::begin(&self.disk, &self.clock, &cast::caps(self.caps));
        self.life = Some(life);
        self.release();
        self.settle(|_| true);
    }
}
