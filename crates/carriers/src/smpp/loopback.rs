//! The whole client over TCP on loopback against the SMSC of [`testing`](super::testing).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use postrider_core::clock::{Clock, ManualClock};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::text::count_segments;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::config::{Bind, Config, TlsConfig};
use super::pdu::CommandStatus;
use super::testing::{
    Behavior, Dialect, Listening, Reaction, ReceiptPlan, Timing, listen, listen_tls,
};
use super::{ConfigError, SmppCarrier};
use crate::contract::{
    Carrier as _, CarrierNo, Event, EventBatch, Health, Outcome, Receipt, Submission, Ticket,
};
use crate::correlation::canonical;

/// Real time, which these tests need; they wait for events, never for the clock.
struct RealClock(tokio::time::Instant);

impl Clock for RealClock {
    fn now_ms(&self) -> i64 {
        1_790_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(RealClock(tokio::time::Instant::now()))
}

/// A carrier bound to an SMSC, and everything it has said so far.
struct World {
    carrier: SmppCarrier,
    smsc: Listening,
    events: mpsc::Receiver<EventBatch>,
    outcomes: BTreeMap<u64, Outcome>,
    receipts: Vec<Receipt>,
    capacity: u32,
    health: Health,
    next_ticket: u64,
    now_ms: i64,
}

impl World {
    async fn new(behavior: Behavior, change: impl FnOnce(&mut Config)) -> Self {
        let clock = clock();
        let smsc = listen(behavior, clock.clone()).await.unwrap();
        Self::against(smsc, clock, change)
    }

    fn against(smsc: Listening, clock: Arc<dyn Clock>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            name: "acme".into(),
            host: "127.0.0.1".into(),
            port: smsc.address.port(),
            system_id: "postrider".into(),
            ..Config::default()
        };
        change(&mut config);
        let (sender, events) = mpsc::channel(64);
        let now_ms = clock.now_ms();
        let carrier = SmppCarrier::start(CarrierNo(3), &config, clock, 7, sender).unwrap();
        Self {
            carrier,
            smsc,
            events,
            outcomes: BTreeMap::new(),
            receipts: Vec::new(),
            capacity: 0,
            health: Health::default(),
            next_ticket: 0,
            now_ms,
        }
    }

    async fn bound(behavior: Behavior, change: impl FnOnce(&mut Config)) -> Self {
        let mut world = Self::new(behavior, change).await;
        world.until("bound", |world| world.capacity > 0).await;
        world
    }

    fn submit(&mut self, bodies: &[&str]) {
        let batch = bodies.iter().map(|body| self.submission(body)).collect();
        self.carrier.submit(batch);
    }

    fn submission(&mut self, body: &str) -> Submission {
        let count = count_segments(body);
        self.next_ticket += 1;
        Submission {
            ticket: Ticket(self.next_ticket),
            from: SenderAddress::Number(PhoneNumber::parse("+14155550101").unwrap()),
            to: PhoneNumber::parse("+447700900123").unwrap(),
            body: body.into(),
            encoding: count.encoding,
            segments: count.segments,
            deadline_ms: self.now_ms + 3_600_000,
        }
    }

    async fn until(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) {
        while !is_done(self) {
            let batch = timeout(Duration::from_secs(20), self.events.recv()).await;
            let batch = batch
                .unwrap_or_else(|_| panic!("never {what}"))
                .expect("carrier alive");
            assert_eq!(batch.carrier, CarrierNo(3));
            assert!(batch.events.len() <= 256, "{}", batch.events.len());
            for event in batch.events {
                self.note(event);
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Outcome { ticket, outcome } => {
                let earlier = self.outcomes.insert(ticket.0, outcome);
                assert_eq!(earlier, None, "two outcomes for {ticket:?}");
            }
            Event::Receipt { receipt, ack } => {
                self.receipts.push(receipt);
                self.carrier.acknowledge(vec![ack]);
            }
            Event::Inbound { ack, .. } => self.carrier.acknowledge(vec![ack]),
            Event::Capacity { segments, health } => {
                self.capacity = segments;
                self.health = health;
            }
            Event::LateOutcome { .. } => {}
        }
    }

    async fn until_outcomes(&mut self, count: usize) {
        self.until("answered", |world| world.outcomes.len() >= count)
            .await;
    }

    fn accepted(&self, ticket: u64) -> Vec<Box<str>> {
        match &self.outcomes[&ticket] {
            Outcome::Accepted { ids } => ids.to_vec(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_message_is_accepted_and_its_receipt_comes_back() {
    for dialect in [
        Dialect::Text,
        Dialect::Tlvs,
        Dialect::DataSm,
        Dialect::DecimalReceipt,
        Dialect::HexadecimalReceipt,
        Dialect::StrippedReceipt,
    ] {
        for timing in [Timing::After { ms: 5 }, Timing::BeforeResponse] {
            let receipts = Some(ReceiptPlan {
                timing,
                dialect,
                stat: "DELIVRD",
            });
            let behavior = Behavior {
                receipts,
                ..Behavior::default()
            };
            let mut world = World::bound(behavior, |_| {}).await;
            world.submit(&["hello"]);
            world.until_outcomes(1).await;
            world
                .until("delivered", |world| world.receipts.len() == 1)
                .await;
            let key = canonical(&world.accepted(1)[0]);
            assert!(
                world.receipts[0].candidates.contains(&key),
                "{dialect:?} {timing:?}"
            );

            world.carrier.shut_down(Duration::from_secs(5));
            while world.events.recv().await.is_some() {}
            let record = world
                .smsc
                .record
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            assert_eq!(record.delivery_answers, [(1, CommandStatus::OK)]);
            assert_eq!(record.unbinds, 1);
        }
    }
}

#[tokio::test]
async fn thousands_of_messages_get_an_outcome_each_over_several_binds() {
    for bind in [Bind::Transceiver, Bind::Pair] {
        let mut world = World::bound(Behavior::default(), |config| {
            config.sessions = 3;
            config.window = 50;
            config.bind = bind;
        })
        .await;
        world
            .until("all bound", |world| world.capacity == 300)
            .await;
        world.submit(&vec!["hello"; 3_000]);
        world.until_outcomes(3_000).await;
        assert!(
            world
                .outcomes
                .values()
                .all(|o| matches!(o, Outcome::Accepted { .. }))
        );
    }
}

#[tokio::test]
async fn a_long_message_has_one_outcome_and_an_id_for_each_segment() {
    let mut world = World::bound(Behavior::default(), |config| config.window = 2).await;
    world.submit(&["a".repeat(1_000).as_str()]);
    world.until_outcomes(1).await;
    assert_eq!(world.accepted(1).len(), 7);
}

#[tokio::test]
async fn a_lost_link_makes_unknown_of_what_was_written_and_returns_the_rest() {
    let react = Arc::new(
        |submitted: &super::testing::Submitted| match submitted.number {
            0..5 => Reaction::Accept,
            5..9 => Reaction::Silence,
            _ => Reaction::Disconnect,
        },
    );
    let mut world = World::bound(
        Behavior {
            react,
            ..Behavior::default()
        },
        |config| {
            config.window = 5;
        },
    )
    .await;
    world.submit(&["hello"; 20]);
    world.until_outcomes(20).await;
    let count = |outcome: &Outcome| world.outcomes.values().filter(|o| *o == outcome).count();
    assert_eq!(count(&Outcome::Unknown), 5);
    assert_eq!(count(&Outcome::Returned), 10);
    assert_eq!(world.capacity, 0);
    world.until("bound again", |world| world.capacity > 0).await;
}

#[tokio::test]
async fn a_carrier_that_is_not_there_returns_messages_at_once() {
    let mut world = World::new(Behavior::default(), |config| config.port = 1).await;
    world.submit(&["hello"]);
    world.until_outcomes(1).await;
    assert_eq!(world.outcomes[&1], Outcome::Returned);
}

#[tokio::test]
async fn a_throttled_carrier_hands_messages_back_and_recovers() {
    let react = Arc::new(
        |submitted: &super::testing::Submitted| match submitted.number {
            0 => Reaction::Refuse(CommandStatus::THROTTLED),
            _ => Reaction::Accept,
        },
    );
    let mut world = World::bound(
        Behavior {
            react,
            ..Behavior::default()
        },
        |config| {
            config.window = 1;
        },
    )
    .await;
    world.submit(&["one", "two"]);
    world.until_outcomes(2).await;
    assert_eq!(world.outcomes[&1], Outcome::Throttled);
    assert_eq!(world.outcomes[&2], Outcome::Throttled);
    world
        .until("frozen", |world| {
            world.capacity == 0 && world.health.is_throttled
        })
        .await;
    world.until("thawed", |world| world.capacity > 0).await;
    world.submit(&["one", "two"]);
    world.until_outcomes(4).await;
    assert_eq!(world.accepted(4).len(), 1);
}

#[tokio::test]
async fn an_expired_message_is_returned_unsent() {
    let mut world = World::bound(Behavior::default(), |_| {}).await;
    let mut submission = world.submission("too late");
    submission.deadline_ms = world.now_ms - 1;
    world.carrier.submit(vec![submission]);
    world.until_outcomes(1).await;
    assert_eq!(world.outcomes[&1], Outcome::Returned);
}

#[tokio::test]
async fn shutting_down_waits_for_answers_and_closes_the_channel() {
    let react = Arc::new(|_: &super::testing::Submitted| Reaction::AcceptAfter { ms: 50 });
    let mut world = World::bound(
        Behavior {
            react,
            ..Behavior::default()
        },
        |config| {
            config.window = 4;
        },
    )
    .await;
    world.submit(&["hello"; 10]);
    let smsc = world.smsc.record.clone();
    while smsc.lock().unwrap().submit_count < 4 {
        tokio::task::yield_now().await;
    }
    world.carrier.shut_down(Duration::from_secs(5));
    while let Some(batch) = world.events.recv().await {
        for event in batch.events {
            world.note(event);
        }
    }
    let is_accepted = |outcome: &&Outcome| matches!(outcome, Outcome::Accepted { .. });
    let accepted = world.outcomes.values().filter(is_accepted).count();
    let returned = world
        .outcomes
        .values()
        .filter(|o| **o == Outcome::Returned)
        .count();
    // A slow machine may let a few more out before it stops; what went out is answered.
    let sent = smsc.lock().unwrap().submit_count;
    assert_eq!((accepted, accepted + returned), (sent, 10));
    assert_eq!(smsc.lock().unwrap().unbinds, 1);
}

#[tokio::test]
async fn a_slow_engine_stops_the_reading_and_loses_nothing() {
    let timing = Timing::BeforeResponse;
    let receipts = Some(ReceiptPlan {
        timing,
        dialect: Dialect::Text,
        stat: "DELIVRD",
    });
    let mut world = World::bound(
        Behavior {
            receipts,
            ..Behavior::default()
        },
        |config| {
            config.window = 1_000;
            config.response_timeout_s = 3;
        },
    )
    .await;
    world.submit(&vec!["hello"; 5_000]);
    // Nobody empties the channel for longer than the response timeout.
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    world.until_outcomes(5_000).await;
    world
        .until("delivered", |world| world.receipts.len() == 5_000)
        .await;
    assert!(
        world
            .outcomes
            .values()
            .all(|o| matches!(o, Outcome::Accepted { .. }))
    );
}

#[tokio::test]
async fn more_deliveries_than_the_inbound_window_wait_in_the_socket() {
    let receipts = Some(ReceiptPlan {
        timing: Timing::BeforeResponse,
        dialect: Dialect::Text,
        stat: "DELIVRD",
    });
    let behavior = Behavior {
        receipts,
        ..Behavior::default()
    };
    // It stands still: a pause ends when there is room, or never.
    let clock = Arc::new(ManualClock::at(1_790_000_000_000));
    let smsc = listen(behavior, clock.clone()).await.unwrap();
    let mut world = World::against(smsc, clock, |config| {
        config.window = 1_000;
        config.inbound_window = 10;
    });
    world.until("bound", |world| world.capacity > 0).await;
    world.submit(&vec!["hello"; 2_000]);
    world.until_outcomes(2_000).await;
    world
        .until("delivered", |world| world.receipts.len() == 2_000)
        .await;
}

/// An authority, a server certificate of it for `localhost`, and a client certificate of it.
struct Certificates {
    folder: tempfile::TempDir,
    server: Arc<rustls::ServerConfig>,
    server_sha256: String,
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca_parameters = rcgen::CertificateParams::new([]).unwrap();
        ca_parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = ca_parameters.self_signed(&ca_key).unwrap();
        write("ca.pem", ca.pem());
        let issuer = rcgen::Issuer::new(ca_parameters, ca_key);

        let issue = |name: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let parameters = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
            (parameters.signed_by(&key, &issuer).unwrap(), key)
        };
        let (client, client_key) = issue("postrider");
        write("client.pem", client.pem());
        write("client.key", client_key.serialize_pem());
        let (server, server_key) = issue("localhost");
        let digest = <sha2::Sha256 as sha2::Digest>::digest(server.der());
        let server_sha256 = digest
            .iter()
            .fold(String::new(), |text, octet| text + &format!("{octet:02X}"));

        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            provider.clone(),
        )
        .allow_unauthenticated()
        .build()
        .unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(server_key.serialize_der().into());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![server.der().clone()], key)
            .unwrap();
        Self {
            folder,
            server: Arc::new(server),
            server_sha256,
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

#[tokio::test]
async fn tls_trusts_whom_the_operator_says() {
    let own = Certificates::new();
    let other = Certificates::new();
    let base = TlsConfig {
        server_name: Some("localhost".into()),
        ..TlsConfig::default()
    };
    let pin = |pin: &str| Some(pin.to_owned());
    for (name, tls, is_trusted) in [
        (
            "own authority",
            TlsConfig {
                ca_file: Some(own.path("ca.pem")),
                ..base.clone()
            },
            true,
        ),
        (
            "another authority",
            TlsConfig {
                ca_file: Some(other.path("ca.pem")),
                ..base.clone()
            },
            false,
        ),
        (
            "wrong name",
            TlsConfig {
                ca_file: Some(own.path("ca.pem")),
                server_name: Some("smsc.example.net".into()),
                ..base.clone()
            },
            false,
        ),
        (
            "pinned",
            TlsConfig {
                pinned_sha256: pin(&own.server_sha256),
                ..base.clone()
            },
            true,
        ),
        (
            "another pin",
            TlsConfig {
                pinned_sha256: pin(&other.server_sha256),
                ..base.clone()
            },
            false,
        ),
        (
            "not verified",
            TlsConfig {
                verify: false,
                ..base.clone()
            },
            true,
        ),
        (
            "client certificate",
            TlsConfig {
                ca_file: Some(own.path("ca.pem")),
                certificate_file: Some(own.path("client.pem")),
                key_file: Some(own.path("client.key")),
                ..base.clone()
            },
            true,
        ),
    ] {
        let clock = clock();
        let smsc = listen_tls(Behavior::default(), clock.clone(), own.server.clone())
            .await
            .unwrap();
        let mut world = World::against(smsc, clock, |config| config.tls = Some(tls));
        if is_trusted {
            world.until(name, |world| world.capacity > 0).await;
        }
        world.submit(&["hello"]);
        world.until_outcomes(1).await;
        let is_accepted = matches!(world.outcomes[&1], Outcome::Accepted { .. });
        assert_eq!(is_accepted, is_trusted, "{name}");
    }
}

#[test]
fn wrong_configurations_are_named() {
    let base = || Config {
        name: "acme".into(),
        host: "smsc.example.net".into(),
        system_id: "user".into(),
        ..Config::default()
    };
    let error = |change: fn(&mut Config)| {
        let mut config = base();
        change(&mut config);
        config.compile().map(|_| ()).unwrap_err().to_string()
    };
    assert!(base().compile().is_ok());
    for (change, expected) in [
        ((|c| c.host.clear()) as fn(&mut Config), "host is required"),
        (|c| c.window = 0, "window = 0, expected 1 to 10000"),
        (
            |c| c.password.0 = "ninechars".into(),
            "password: password has 9 octets, at most 8 fit",
        ),
        (
            |c| c.expired_code = 7,
            "expired_code: \"7\" is not an error code",
        ),
        (
            |c| {
                c.window = 200;
                c.throughput = 10;
            },
            "200 unanswered segments need 20 s to drain at throughput = 10, more than half of \
             response_timeout_s = 30: lower the window or raise throughput",
        ),
    ] {
        assert_eq!(error(change), expected);
    }
    assert!(matches!(
        Config {
            password_file: Some("/nonexistent".into()),
            ..base()
        }
        .compile(),
        Err(ConfigError::File { .. })
    ));
}

#[tokio::test]
async fn the_contract_is_kept() {
    for bind in [Bind::Transceiver, Bind::Pair] {
        let clock = clock();
        let timing = Timing::After { ms: 1 };
        let receipts = Some(ReceiptPlan {
            timing,
            dialect: Dialect::Text,
            stat: "DELIVRD",
        });
        let behavior = Behavior {
            receipts,
            ..Behavior::default()
        };
        let smsc = listen(behavior, clock.clone()).await.unwrap();
        let world = World::against(smsc, clock, |config| {
            config.bind = bind;
            config.sessions = 2;
        });
        crate::conformance::check(&world.carrier, world.events, world.now_ms).await;
    }
}
