//! The engine beside the model: mappings, counts and queues.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_core::phone_number::PhoneNumber;
use postrider_store::RecipientCursor;

use super::life::Life;
use super::model::Mapping;
use super::{History, cast};

impl History {
    pub(super) fn compare_all(&self) {
        self.settle(|_| true);
        for service in 0..cast::SERVICES {
            self.compare(service);
        }
    }

    fn compare(&self, service: usize) {
        let sid = self.services[service];
        let listed = self
            .engine()
            .sticky_senders(sid, RecipientCursor::Start, 100);
        let listed = self.run(listed).unwrap();
        let listed: BTreeMap<PhoneNumber, _> = listed
            .into_iter()
            .map(|(key, known)| {
                let times = (known.created_ms, known.used_ms);
                (key.recipient, (known.sender, known.position, times))
            })
            .collect();
        let (model, now_ms) = (&self.model.services[service], self.model.now_ms);
        let mappings = model.mappings.iter();
        let live = mappings.filter(|(_, known)| model.is_live(**known, now_ms));
        let expected = live.map(|(recipient, known)| {
            let &Mapping {
                sender, position, ..
            } = known;
            let times = (known.created_ms, known.used_ms);
            (*recipient, (sender, self.place(service, position), times))
        });
        assert_eq!(listed, expected.collect());

        let sticky = self.engine().shared.acceptor.sticky.lock();
        let counts = sticky.counts_of(sid);
        for member in model.pool() {
            let place = self.place(service, member.position);
            let counted = counts.map_or(0, |counts| counts.get(place));
            let expected = model.count(member.position, None, now_ms);
            assert_eq!(counted, expected, "{member:?}");
        }
    }

    fn place(&self, service: usize, position: u64) -> u64 {
        self.places[service][usize::try_from(position).unwrap()]
    }

    /// Until dispatch has done what it does by itself, and all queues are as the model's.
    pub(super) fn settle(&self, is_done: impl Fn(&Life) -> bool) {
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
