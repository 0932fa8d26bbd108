//! What a reload does to messages that wait: they move to the carrier that the routes name now, in
//! order, wherever they were.

use std::collections::BTreeSet;

use postrider_carriers::{Health, Outcome, UnknownOutcome};
use postrider_core::error_code::ErrorCode;
use postrider_core::lifecycle::ReceiptParts;
use postrider_core::message::AccountNo;
use postrider_core::route::Route;
use postrider_core::settings::Document;
use postrider_core::sid::AccountSid;
use postrider_core::testing;
use postrider_store::Store;
use postrider_store::conformance::sample::{id, message, number};
use postrider_store::memory::MemoryStore;

use super::*;
use crate::secrets::Vault;
use crate::testing::START_MS;

const OLD: CarrierNo = CarrierNo(0);
const NEW: CarrierNo = CarrierNo(1);

fn policy(name: &str, unknown_outcome: UnknownOutcome) -> CarrierPolicy {
    CarrierPolicy {
        name: name.into(),
        group: name.into(),
        unknown_outcome,
        receipt_parts: ReceiptParts::All,
        keep_receipts: false,
    }
}

fn routes(carriers: &[u16]) -> Arc<Routes> {
    Arc::new(Routes(vec![Route {
        carriers: carriers.to_vec(),
        ..Route::default()
    }]))
}

/// Dispatch over a store that does at once what it is told, with carriers that remember.
struct World {
    dispatch: Dispatch,
    store: MemoryStore,
    unknown_outcome: UnknownOutcome,
    /// Commits that are not durable yet, while `is_slow`.
    commits: Vec<(u64, Vec<Change>)>,
    is_slow: bool,
    /// Number of the message and ticket, in order.
    submitted: Vec<(CarrierNo, u32, Ticket)>,
    retired: Vec<CarrierNo>,
}

impl World {
    /// All goes to the old carrier, of which messages 1 to `count` are waiting for room.
    fn new(unknown_outcome: UnknownOutcome, count: u32) -> Self {
        let vault = Vault::new(&[9; 32]);
        let account = Account {
            auth_token_sealed: vault.seal("token", [1; 12]),
            ..testing::account(AccountSid(id(1)), AccountNo(1))
        };
        let directory = Directory::load(vec![Document::Account(account)], vault).unwrap();
        let limits = DispatchLimits {
            window: 4,
            page: 3,
            ..DispatchLimits::default()
        };
        let paces = PaceSettings {
            long_code: Some(0.0),
            ..PaceSettings::default()
        };
        let mut world = Self {
            dispatch: Dispatch::new(
                Arc::new(directory),
                Arc::default(),
                Arc::default(),
                limits,
                Arc::new(paces),
                routes(&[OLD.0]),
                vec![policy("old", unknown_outcome)],
            ),
            store: MemoryStore::new(),
            unknown_outcome,
            commits: Vec::new(),
            is_slow: false,
            submitted: Vec::new(),
            retired: Vec::new(),
        };
        let messages: Vec<_> = (1..=count)
            .map(|number| {
                let mut message = message(number);
                message.is_backlog = number > 1;
                message
            })
            .collect();
        let inserts = messages.iter().cloned();
        let inserts: Vec<_> = inserts.map(|m| Change::Insert(Box::new(m))).collect();
        world.store.commit(&inserts).unwrap();
        world.take(Input::Accepted(messages));
        world
    }

    fn take(&mut self, input: Input) {
        let mut inputs = vec![input];
        loop {
            let mut effects = Vec::new();
            for input in inputs.drain(..) {
                self.dispatch.handle(input, START_MS, &mut effects);
            }
            self.dispatch.poll(START_MS, &mut effects);
            if effects.is_empty() {
                return;
            }
            inputs = effects
                .into_iter()
                .filter_map(|effect| self.perform(effect))
                .collect();
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Commit { commit, changes } if self.is_slow => {
                self.commits.push((commit, changes));
                None
            }
            Effect::Commit { commit, changes } => Some(self.commit(commit, &changes)),
            Effect::Submit { carrier, batch } => {
                for submission in batch {
                    let id = self.dispatch.tickets[&submission.ticket].id;
                    let live = self.dispatch.live.get(id).unwrap();
                    let entry = (carrier, number(&live.message), submission.ticket);
                    self.submitted.push(entry);
                }
                None
            }
            Effect::Refill {
                load,
                sender,
                after,
                limit,
            } => {
                let messages = self.store.queued(sender, after, limit).unwrap();
                Some(Input::Refilled { load, messages })
            }
            Effect::Retire(carrier) => {
                self.retired.push(carrier);
                None
            }
            _ => None,
        }
    }

    fn commit(&mut self, commit: u64, changes: &[Change]) -> Input {
        let applied = self.store.commit(changes).unwrap();
        Input::Committed { commit, applied }
    }

    /// What was committed meanwhile becomes durable.
    fn finish_commits(&mut self) {
        self.is_slow = false;
        for (commit, changes) in std::mem::take(&mut self.commits) {
            let committed = self.commit(commit, &changes);
            self.take(committed);
        }
    }

    fn tell(&mut self, carrier: CarrierNo, event: Event) {
        let events = vec![event];
        self.take(Input::Carrier(EventBatch { carrier, events }));
    }

    fn has_room(&mut self, carrier: CarrierNo, segments: u32) {
        let health = Health::default();
        self.tell(carrier, Event::Capacity { segments, health });
    }

    /// Another carrier takes the place of the old one.
    fn replace(&mut self, carriers: &[u16]) {
        let policies = ["old", "new"].map(|name| policy(name, self.unknown_outcome));
        self.take(Input::Reconfigured(Reconfigured {
            routes: routes(carriers),
            carriers: policies.to_vec(),
            retired: BTreeSet::from([OLD]),
            paces: Arc::default(),
        }));
    }

    /// Numbers of the messages that a carrier was given, in order.
    fn given(&self, carrier: CarrierNo) -> Vec<u32> {
        let given = self.submitted.iter().filter(|(to, ..)| *to == carrier);
        given.map(|(_, number, _)| *number).collect()
    }

    fn ticket(&self, wanted: u32) -> Ticket {
        let mut submitted = self.submitted.iter();
        let found = submitted.find(|(_, number, _)| *number == wanted);
        found.unwrap().2
    }

    fn stored(&self, number: u32) -> Message {
        self.store.message(id(number)).unwrap().unwrap()
    }
}

#[test]
fn what_waits_in_memory_and_on_disk_moves_in_order() {
    let mut world = World::new(UnknownOutcome::Resend, 20);
    world.replace(&[NEW.0]);
    assert_eq!(world.retired, [OLD]);
    // The old link comes up in its last seconds.
    world.has_room(OLD, 100);
    world.has_room(NEW, 100);
    assert_eq!(world.given(OLD), [0; 0]);
    assert_eq!(world.given(NEW), (1..=20).collect::<Vec<_>>());
    // Another reload retires nobody twice.
    world.replace(&[NEW.0]);
    assert_eq!(world.retired, [OLD]);
}

#[test]
fn what_comes_back_from_a_retired_carrier_goes_before_what_waits() {
    let mut world = World::new(UnknownOutcome::Resend, 6);
    world.has_room(OLD, 2);
    assert_eq!(world.given(OLD), [1, 2]);
    world.replace(&[NEW.0]);
    for number in [2, 1] {
        let ticket = world.ticket(number);
        let outcome = Outcome::Returned;
        world.tell(OLD, Event::Outcome { ticket, outcome });
    }
    world.has_room(NEW, 100);
    assert_eq!(world.given(NEW), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn an_intent_that_becomes_durable_after_its_carrier_retired_is_taken_back() {
    let mut world = World::new(UnknownOutcome::Fail, 3);
    world.is_slow = true;
    world.has_room(OLD, 1);
    world.replace(&[NEW.0]);
    world.finish_commits();
    world.has_room(NEW, 100);
    assert_eq!(world.given(OLD), [0; 0]);
    assert_eq!(world.given(NEW), [1, 2, 3]);
    assert_eq!(world.stored(1).attempts, 1);
}

#[test]
fn the_answers_of_a_retired_carrier_count() {
    let mut world = World::new(UnknownOutcome::Resend, 1);
    world.has_room(OLD, 1);
    world.replace(&[NEW.0]);
    let ticket = world.ticket(1);
    let outcome = Outcome::Accepted {
        ids: smallvec::smallvec!["7".into()],
    };
    world.tell(OLD, Event::Outcome { ticket, outcome });
    world.has_room(NEW, 100);
    assert_eq!(world.given(NEW), [0; 0]);
    let message = world.stored(1);
    assert_eq!(message.status, Status::Sent);
    assert_eq!(message.carrier.as_deref(), Some("old"));
}

#[test]
fn what_has_no_route_any_more_fails() {
    let mut world = World::new(UnknownOutcome::Resend, 20);
    world.replace(&[]);
    for number in 1..=20 {
        let message = world.stored(number);
        let end = (message.status, message.error);
        assert_eq!(end, (Status::Failed, Some(ErrorCode::NoRoute)), "{number}");
    }
}

#[test]
fn other_routes_alone_move_what_waits() {
    let mut world = World::new(UnknownOutcome::Resend, 20);
    let reconfigured = |first: u16, second: u16| Reconfigured {
        routes: routes(&[first, second]),
        carriers: ["old", "new"]
            .map(|name| policy(name, UnknownOutcome::Resend))
            .to_vec(),
        retired: BTreeSet::new(),
        paces: Arc::default(),
    };
    world.take(Input::Reconfigured(reconfigured(NEW.0, OLD.0)));
    world.has_room(OLD, 100);
    assert_eq!(world.given(OLD), [0; 0]);
    world.has_room(NEW, 3);
    world.take(Input::Reconfigured(reconfigured(OLD.0, NEW.0)));
    assert_eq!(world.given(NEW), [1, 2, 3]);
    assert_eq!(world.given(OLD), (4..=20).collect::<Vec<_>>());
}
