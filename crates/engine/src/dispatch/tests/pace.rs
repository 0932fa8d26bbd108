//! Who pays a sender's pace, and when a changed one counts.

use postrider_core::pacing::PaceSettings;
use postrider_store::DocumentChange;

use super::*;

/// The sender sends a message in 100 seconds.
fn slow_bench() -> Bench {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.set_pace(0.01);
    bench
}

impl Bench {
    fn set(&mut self, document: Document) {
        let change = DocumentChange::Put(document);
        self.directory.apply(vec![change]).unwrap();
        self.turn(vec![Input::SettingsChanged]);
    }

    fn set_pace(&mut self, per_second: f64) {
        self.set(Document::Number(number_at(per_second)));
    }
}

#[test]
fn messages_of_a_suspended_account_end_when_their_turn_comes_and_pay_no_pace() {
    let mut bench = slow_bench();
    bench.capacity(0, 0);
    let ids: Vec<Id> = (1..=3).map(|number| bench.accept(number)).collect();
    bench.set(Document::Account(account(AccountStatus::Suspended)));
    bench.capacity(0, 100);
    assert_eq!(bench.take_submitted().len(), 0);
    let code = Some(ErrorCode::AccountSuspended);
    for id in ids {
        assert_eq!(bench.records[&id], (Status::Failed, code, false));
    }
    bench.set(Document::Account(account(AccountStatus::Active)));
    bench.accept(4);
    bench.take_one();
}

#[test]
fn a_raised_pace_counts_at_once() {
    let mut bench = slow_bench();
    bench.accept(1);
    bench.take_one();
    bench.accept(2);
    bench.advance(MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
    bench.set_pace(100.0);
    bench.take_one();
}

/// Its queue is forgotten, not what it owes.
#[test]
fn an_idle_sender_takes_no_memory() {
    let mut bench = slow_bench();
    bench.dispatch.start(None, Vec::new(), Vec::new(), START_MS);
    bench.accept(1);
    bench.take_one();
    bench.advance(MINUTE_MS + 1);
    bench.accept(2);
    assert_eq!(bench.take_submitted().len(), 0);
    bench.advance(MINUTE_MS);
    bench.take_one();
    bench.advance(4 * MINUTE_MS);
    assert_eq!(bench.dispatch.queues.len(), 0);
    bench.accept(3);
    bench.take_one();
}

#[test]
fn a_toll_free_number_sends_three_a_second_at_home_and_one_abroad() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let toll_free = Document::Sender(Sender {
        no: SenderNo(2),
        account: account(AccountStatus::Active).sid,
        address: SenderAddress::parse("+18005550101").unwrap(),
        country: None,
    });
    let known = vec![DocumentChange::Put(toll_free)];
    bench.directory.apply(known).unwrap();
    for (first, to, at_once) in [(1, "+12125550199", 3), (11, "+447700900123", 1)] {
        for number in first..first + 6 {
            bench.accept_with(number, |message| {
                message.from = Some("+18005550101".into());
                message.sender = Some(SenderNo(2));
                message.to = to.into();
            });
        }
        assert_eq!(bench.take_submitted().len(), at_once, "{to}");
        bench.advance(1_000);
        assert_eq!(bench.take_submitted().len(), at_once, "{to}");
        bench.advance(MINUTE_MS);
        bench.take_submitted();
    }
}

mod shared {
    use postrider_core::pacing::Rate;
    use postrider_core::settings::{PoolMember, PoolSenderSid, Service};
    use postrider_core::shared_pace::{Campaign, DestinationPace};
    use postrider_core::sid::ServiceSid;

    use super::*;
    use crate::metrics::LimitLabel;

    fn service() -> ServiceSid {
        ServiceSid(Id::new(START_MS, 0, 50))
    }

    /// Two numbers at no pace of their own: the usual one, in the pool of a service, and a second one.
    fn bench(paces: PaceSettings, routes: Vec<Route>) -> Bench {
        let mut bench = Bench::new(UnknownOutcome::Resend);
        let account = account(AccountStatus::Active).sid;
        let number = PhoneNumber::parse("+14155550102").unwrap();
        let second = Sender {
            no: SenderNo(2),
            account,
            address: SenderAddress::Number(number),
            country: None,
        };
        let member = PoolMember {
            service: service(),
            sender: PoolSenderSid::Number(PhoneNumberSid(Id::new(START_MS, 0, 2))),
            added_ms: START_MS,
            position: 0,
        };
        let documents = [
            Document::Sender(second),
            Document::Service(Service::new(service(), account, 36_000, START_MS)),
            Document::PoolMember(member),
        ];
        let documents = documents.map(DocumentChange::Put).to_vec();
        bench.directory.apply(documents).unwrap();
        bench.reload(paces, routes);
        bench
    }

    /// Without a limit for one sender.
    fn paces() -> PaceSettings {
        PaceSettings {
            long_code: Some(0.0),
            ..PaceSettings::default()
        }
    }

    fn routes() -> Vec<Route> {
        let route = |destination: &str, carrier| Route {
            destination: destination.to_owned(),
            carriers: vec![carrier],
            ..Route::default()
        };
        vec![route("44", 1), route("", 0)]
    }

    fn campaign(rate: f64) -> Campaign {
        Campaign {
            rate,
            services: vec![service()],
            ..Campaign::default()
        }
    }

    impl Bench {
        fn reload(&mut self, paces: PaceSettings, routes: Vec<Route>) {
            let policies = self.dispatch.carriers.iter();
            let carriers = policies.map(|state| state.policy.clone()).collect();
            self.turn(vec![Input::Reconfigured(Reconfigured {
                routes: Arc::new(Routes(routes)),
                carriers,
                retired: BTreeSet::new(),
                paces: Arc::new(paces),
            })]);
        }

        /// Messages `from` on, of either number in turn, to handsets at home and abroad in turn.
        fn accept_mixed(&mut self, from: u32, count: u32) {
            for number in from..from + count {
                self.accept_with(number, |message| {
                    if number % 2 == 1 {
                        message.from = Some("+14155550102".into());
                        message.sender = Some(SenderNo(2));
                    }
                    if number % 4 >= 2 {
                        message.to = format!("+4477009{number:05}").into();
                    }
                });
            }
        }

        fn waiting_for(&self, limit: &'static str, name: &str) -> i64 {
            let name = name.to_owned();
            let label = LimitLabel { limit, name };
            let gauge = self.dispatch.metrics.pace_waiting.get_or_create(&label);
            gauge.get()
        }
    }

    #[test]
    fn all_senders_of_an_account_share_its_limit_over_all_carriers() {
        let paces = PaceSettings {
            account: 4.0,
            ..paces()
        };
        let mut bench = bench(paces, routes());
        bench.accept_mixed(1, 40);
        assert_eq!(bench.take_submitted().len(), 4, "a second's worth at once");
        let sid = account(AccountStatus::Active).sid.to_string();
        assert_eq!(
            bench.waiting_for("account", &sid),
            4,
            "each lane waits for it"
        );
        let mut carriers = [0; 2];
        for _ in 0..9 {
            bench.advance(1_000);
            let submitted = bench.take_submitted();
            assert_eq!(submitted.len(), 4);
            for (no, _) in submitted {
                carriers[usize::from(no)] += 1;
            }
        }
        assert_eq!(carriers, [18, 18], "in turn");
        assert_eq!(bench.waiting_for("account", &sid), 0);
    }

    #[test]
    fn a_campaign_is_shared_by_its_services_and_its_pool_and_by_nobody_else() {
        let paces = PaceSettings {
            campaigns: [("spring".to_owned(), campaign(2.0))].into(),
            ..paces()
        };
        let mut bench = bench(paces, routes());
        // The first number is in the pool, the second is not, unless the service has sent the message.
        bench.accept_mixed(1, 20);
        assert_eq!(bench.take_submitted().len(), 12);
        assert_eq!(bench.waiting_for("campaign", "spring"), 2);
        for number in [31, 33] {
            bench.accept_with(number, |message| {
                message.from = Some("+14155550102".into());
                message.sender = Some(SenderNo(2));
                message.service = Some(service());
            });
        }
        assert_eq!(bench.take_submitted().len(), 0);
        bench.advance(1_000);
        assert_eq!(bench.take_submitted().len(), 2);
        bench.advance(4_000);
        assert_eq!(bench.take_submitted().len(), 8);
    }

    #[test]
    fn a_campaign_through_one_carrier_waits_for_that_one_only() {
        let paces = PaceSettings {
            campaigns: [(
                "spring".to_owned(),
                Campaign {
                    by_carrier: [("b".to_owned(), 1.0)].into(),
                    ..campaign(10.0)
                },
            )]
            .into(),
            ..paces()
        };
        let mut bench = bench(paces, routes());
        for number in 0..8 {
            bench.accept_with(number, |message| {
                if number % 2 == 0 {
                    message.to = format!("+4477009{number:05}").into();
                }
            });
        }
        let mut carriers = [0; 2];
        for (no, _) in bench.take_submitted() {
            carriers[usize::from(no)] += 1;
        }
        assert_eq!(carriers, [4, 1]);
        assert_eq!(bench.waiting_for("campaign_carrier", "spring/b"), 1);
        bench.advance(3_000);
        assert_eq!(bench.take_submitted().len(), 3);
    }

    #[test]
    fn a_route_has_a_rate_that_a_reload_changes_without_forgetting_what_is_owed() {
        let with_rate = |rate| {
            let mut routes = routes();
            routes[1].rate = Rate::per_second(rate);
            routes
        };
        let mut bench = bench(paces(), with_rate(1.0));
        for number in 1..=5 {
            bench.accept(number);
        }
        assert_eq!(bench.take_submitted().len(), 1);
        assert_eq!(bench.waiting_for("route", "1"), 1);
        bench.reload(paces(), with_rate(2.0));
        // One of the two of a second is owed still.
        assert_eq!(bench.take_submitted().len(), 1);
        bench.advance(499);
        assert_eq!(bench.take_submitted().len(), 0);
        bench.advance(1);
        assert_eq!(bench.take_submitted().len(), 1);
        bench.reload(paces(), with_rate(0.0));
        assert_eq!(bench.take_submitted().len(), 2);
        assert_eq!(bench.waiting_for("route", "1"), 0);
    }

    /// A long message waits for all its places, takes them together, and is not overtaken for ever.
    #[test]
    fn a_long_message_gets_all_its_places_at_once() {
        let paces = PaceSettings {
            account: 2.0,
            ..paces()
        };
        let mut bench = bench(paces, routes());
        for number in 1..=12 {
            bench.accept_with(number, |message| {
                if number == 5 {
                    message.num_segments = 6;
                    message.from = Some("+14155550102".into());
                    message.sender = Some(SenderNo(2));
                }
            });
        }
        assert_eq!(bench.take_submitted().len(), 2);
        // Three more places are owed when it asks; then it pays for three seconds.
        let mut left = Vec::new();
        for second in 1..=8 {
            bench.advance(1_000);
            let segments = bench
                .take_submitted()
                .into_iter()
                .map(|(_, it)| it.segments);
            left.push((second, segments.sum::<u16>()));
        }
        let total: u16 = left.iter().map(|(_, segments)| segments).sum();
        assert_eq!(total, 15, "{left:?}");
        assert!(
            left[..3].iter().any(|(_, segments)| *segments >= 6),
            "{left:?}"
        );
    }

    #[test]
    fn a_carrier_that_is_down_holds_no_place_of_a_shared_limit() {
        let paces = PaceSettings {
            account: 2.0,
            ..paces()
        };
        let mut bench = bench(paces, routes());
        bench.capacity(0, 0);
        bench.accept_mixed(1, 40);
        assert_eq!(bench.take_submitted().len(), 2);
        bench.advance(4_000);
        let submitted = bench.take_submitted();
        assert_eq!(submitted.len(), 8);
        assert!(submitted.iter().all(|(no, _)| *no == 1));
    }

    #[test]
    fn a_senders_pace_may_depend_on_the_country_and_the_carrier() {
        let rule = |rate| DestinationPace {
            rate,
            sender: None,
            countries: Vec::new(),
            carrier: None,
        };
        let gb = postrider_core::country::Country::parse("GB").unwrap();
        let paces = PaceSettings {
            long_code: Some(4.0),
            destinations: vec![
                DestinationPace {
                    countries: vec![gb],
                    ..rule(2.0)
                },
                DestinationPace {
                    carrier: Some("b".to_owned()),
                    ..rule(1.0)
                },
            ],
            ..PaceSettings::default()
        };
        for (to, carrier, at_once) in [
            ("+12125550199", 0, 4),
            ("+447700900123", 0, 2),
            ("+447700900123", 1, 2),
            ("+12125550199", 1, 1),
        ] {
            let route = Route {
                carriers: vec![carrier],
                ..Route::default()
            };
            let mut bench = bench(paces.clone(), vec![route]);
            for number in 1..=12 {
                bench.accept_with(number, |message| {
                    message.from = Some("+14155550102".into());
                    message.sender = Some(SenderNo(2));
                    message.to = to.into();
                });
            }
            assert_eq!(bench.take_submitted().len(), at_once, "{to} by {carrier}");
            bench.advance(2_000);
            assert_eq!(
                bench.take_submitted().len(),
                2 * at_once,
                "{to} by {carrier}"
            );
        }
    }

    /// An MMS and a message on WhatsApp count one, however long.
    #[test]
    fn what_has_no_segments_counts_one() {
        let paces = PaceSettings {
            account: 1.0,
            ..paces()
        };
        let mut bench = bench(paces, routes());
        for number in 1..=3 {
            bench.accept_with(number, |message| {
                message.num_segments = 9;
                message.sid.kind = postrider_core::sid::MessageKind::Mms;
            });
        }
        for _ in 0..3 {
            bench.take_one();
            bench.advance(1_000);
        }
    }
}
