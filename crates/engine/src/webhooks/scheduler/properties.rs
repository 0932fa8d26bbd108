//! The scheduler's promises, against random traffic.

use std::collections::{BTreeMap, BTreeSet};

use postrider_core::message::Status;
use proptest::prelude::*;

use super::tests::{account, job, job_of};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Offer {
        host: u8,
        message: u8,
        status: u8,
    },
    /// The result of one of the attempts in flight.
    Result {
        which: u16,
        kind: u8,
    },
    Advance {
        ms: u16,
    },
    Poll,
}

/// The last host never answers until the end. The first two are another account's.
const HOSTS: u8 = 5;
const STUCK: u8 = HOSTS - 1;
const STATUSES: [Status; 4] = [
    Status::Queued,
    Status::Sent,
    Status::Delivered,
    Status::Read,
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..HOSTS, 0..20u8, 0..4u8)
            .prop_map(|(host, message, status)| Step::Offer { host, message, status }),
        4 => (any::<u16>(), 0..6u8).prop_map(|(which, kind)| Step::Result { which, kind }),
        1 => (0..4_000u16).prop_map(|ms| Step::Advance { ms }),
        3 => Just(Step::Poll),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (1..12usize, 1..5usize, 4..40usize, 1..20usize).prop_map(
        |(concurrency, per_endpoint_concurrency, queue, per_endpoint_queue)| Limits {
            concurrency,
            per_endpoint_concurrency,
            queue,
            per_endpoint_queue,
            age_ms_max: 20_000,
        },
    )
}

/// What an observer of the calls knows.
struct World {
    limits: Limits,
    scheduler: Scheduler,
    now_ms: Millis,
    in_flight: BTreeMap<AttemptId, (u8, Event)>,
    /// Taken and not yet finished.
    kept: BTreeSet<Event>,
    done: BTreeSet<Event>,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            scheduler: Scheduler::new(limits),
            now_ms: 0,
            in_flight: BTreeMap::new(),
            kept: BTreeSet::new(),
            done: BTreeSet::new(),
        }
    }

    fn offer(&mut self, host: u8, message: u8, status: u8) {
        let message = u128::from(message) + u128::from(host) * 1_000;
        let url = format!("http://h{host}.example/#rc=2&rp=ct,5xx");
        let status = STATUSES[usize::from(status)];
        let of = account(if host < 2 { 2 } else { 1 });
        let job = job_of(of, &url, message, status, self.now_ms);
        let event = job.event;
        let before = self.scheduler.load();
        self.scheduler.offer(job, self.now_ms);
        let after = self.scheduler.load();
        if after.waiting > before.waiting {
            assert!(
                !self.done.contains(&event),
                "{event:?} is done and was taken again"
            );
            assert!(self.kept.insert(event), "{event:?} was taken twice");
        } else if after.dropped_total == before.dropped_total {
            assert!(self.kept.contains(&event) || self.done.contains(&event));
        }
        assert!(after.waiting <= self.limits.queue);
    }

    fn result(&mut self, which: usize, kind: u8) {
        let answering: Vec<_> = self
            .in_flight
            .iter()
            .filter(|(_, (host, _))| *host != STUCK)
            .collect();
        if answering.is_empty() {
            return;
        }
        let (&id, _) = answering[which % answering.len()];
        let result = match kind {
            0 => Err(AttemptFailure::ConnectFailed),
            1 => Err(AttemptFailure::Status(503)),
            2 => Err(AttemptFailure::ReadTimeout),
            _ => Ok(200),
        };
        self.answer(id, result);
    }

    fn answer(&mut self, id: AttemptId, result: AttemptResult) {
        self.in_flight.remove(&id);
        self.scheduler.on_result(id, result, self.now_ms);
        self.reports();
    }

    fn reports(&mut self) {
        let mut reports = Vec::new();
        self.scheduler.drain_reports(&mut reports);
        for report in reports {
            let Report::Finished(finished) = report else {
                continue;
            };
            let event = finished.event;
            assert!(self.kept.remove(&event), "only what was kept finishes");
            assert!(self.done.insert(event), "{event:?} finished twice");
        }
    }

    fn poll(&mut self) {
        let mut attempts = Vec::new();
        self.scheduler.poll(self.now_ms, &mut attempts);
        self.reports();
        for attempt in attempts {
            let event = attempt.job.event;
            assert!(self.kept.contains(&event));
            for &(_, other) in self.in_flight.values() {
                assert_ne!(
                    other.lane(),
                    event.lane(),
                    "two events of a message overlap"
                );
            }
            let is_first = attempt.number == 1;
            let earlier = self
                .kept
                .iter()
                .find(|e| e.lane() == event.lane() && **e < event);
            assert!(
                !is_first || earlier.is_none(),
                "{event:?} overtook {earlier:?}"
            );
            let host = attempt.target.host.as_bytes()[1] - b'0';
            self.in_flight.insert(attempt.id, (host, event));
        }
        assert!(self.in_flight.len() <= self.limits.concurrency);
        for host in 0..HOSTS {
            let of_host = self.in_flight.values().filter(|(h, _)| *h == host).count();
            assert!(of_host <= self.limits.per_endpoint_concurrency);
        }
        // Nobody idles while there is work and a slot for everyone.
        let load = self.scheduler.load();
        if load.in_flight == 0 {
            assert_eq!(load.waiting, 0);
        }
        assert_eq!(load.in_flight, self.in_flight.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn each_job_finishes_once_within_the_limits(
        limits in limits(),
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut world = World::new(limits);
        for step in steps {
            match step {
                Step::Offer { host, message, status } => world.offer(host, message, status),
                Step::Result { which, kind } => world.result(usize::from(which), kind),
                Step::Advance { ms } => world.now_ms += Millis::from(ms),
                Step::Poll => world.poll(),
            }
        }
        // The stuck host does not keep the others from finishing, if there is a slot for them.
        if limits.concurrency > limits.per_endpoint_concurrency {
            for _ in 0..2_000 {
                world.poll();
                world.result(0, 9);
            }
            for event in &world.kept {
                let host = event.lane().as_u128() / 1_000;
                prop_assert_eq!(host, u128::from(STUCK), "{:?} is left behind", event);
            }
        }
        // And at the end, its attempts time out as well.
        loop {
            world.poll();
            let Some((&id, _)) = world.in_flight.first_key_value() else { break };
            world.answer(id, Err(AttemptFailure::ReadTimeout));
        }
        prop_assert!(world.kept.is_empty());
        let load = world.scheduler.load();
        prop_assert_eq!((load.waiting, load.in_flight, load.endpoints), (0, 0, 0));
        prop_assert!(world.scheduler.lanes.is_empty() && world.scheduler.ages.is_empty());
        prop_assert!(world.scheduler.accounts.is_empty());
    }

    #[test]
    fn the_same_calls_give_the_same_answers(steps in prop::collection::vec(step(), 1..200)) {
        let limits = Limits {
            concurrency: 6,
            per_endpoint_concurrency: 3,
            queue: 20,
            per_endpoint_queue: 8,
            age_ms_max: 5_000,
        };
        let run = || {
            let mut world = World::new(limits);
            let mut log = Vec::new();
            for step in &steps {
                match *step {
                    Step::Offer { host, message, status } => world.offer(host, message, status),
                    Step::Result { which, kind } => world.result(usize::from(which), kind),
                    Step::Advance { ms } => world.now_ms += Millis::from(ms),
                    Step::Poll => world.poll(),
                }
                log.push((world.in_flight.clone(), world.kept.clone()));
            }
            log
        };
        prop_assert_eq!(run(), run());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn hanging_endpoints_of_an_account_never_delay_another_account(
        hosts in 1..1_200u128,
        messages in 1..6u128,
        steps in prop::collection::vec((any::<u16>(), 1..8u128), 1..16),
    ) {
        let limits = Limits {
            concurrency: 1024,
            per_endpoint_concurrency: 64,
            queue: 5_000,
            per_endpoint_queue: 500,
            age_ms_max: 20_000,
        };
        let mut scheduler = Scheduler::new(limits);
        let (mut next, mut hanging, mut attempts) = (0, Vec::new(), Vec::new());
        for (which, good) in steps {
            for at in 0..hosts * messages {
                let url = format!("http://h{}.example/", at % hosts);
                scheduler.offer(job(&url, next, Status::Sent, 0), 0);
                next += 1;
            }
            scheduler.poll(0, &mut hanging);
            for _ in 0..good {
                let url = "http://good.example/";
                scheduler.offer(job_of(account(2), url, next, Status::Sent, 0), 0);
                next += 1;
            }
            scheduler.poll(0, &mut attempts);
            let good = usize::try_from(good).unwrap();
            prop_assert_eq!(attempts.len(), good);
            for attempt in attempts.drain(..) {
                prop_assert_eq!(attempt.job.account, account(2));
                scheduler.on_result(attempt.id, Ok(200), 0);
            }
            if !hanging.is_empty() {
                let attempt = hanging.swap_remove(usize::from(which) % hanging.len());
                scheduler.on_result(attempt.id, Err(AttemptFailure::ReadTimeout), 0);
            }
            scheduler.drain_reports(&mut Vec::new());
        }
    }
}
