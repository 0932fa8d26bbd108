//! Lookups against a service that answers as it is told.

use std::sync::atomic::Ordering;

use postrider_core::clock::ManualClock;

use super::testing::{Script, Service, at_least_one, open};
use super::*;
use crate::testing::authority::Authority;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(1_000_000))
}

fn number(last: u64) -> PhoneNumber {
    PhoneNumber::from_digits(14_155_550_100 + last).unwrap()
}

fn network(text: &str) -> Finding {
    Finding::Known(text.parse().unwrap())
}

#[tokio::test]
async fn answers_are_read_as_they_are_documented() {
    let service = Service::start(Script::Hang).await;
    let networks = open(&service.config(), &clock());
    let unknown = Finding::Unknown;
    let not_understood = Finding::Failed(LookupFailure::NotUnderstood);
    let status = |status| {
        Finding::Failed(LookupFailure::Request(
            crate::webhooks::AttemptFailure::Status(status),
        ))
    };
    let rows = [
        (200, r#"{"mcc": "310", "mnc": "260"}"#, network("310-260")),
        (
            200,
            r#"{"mcc": 310, "mnc": 26, "name": "x"}"#,
            network("310-026"),
        ),
        (200, r#"{"mcc": "262", "mnc": 1}"#, network("262-01")),
        (200, r#"{"mcc": null, "mnc": null}"#, unknown),
        (200, "{}", unknown),
        (404, "no such number", unknown),
        (204, "", unknown),
        (200, r#"{"mcc": "310"}"#, not_understood),
        (200, r#"{"mcc": "31", "mnc": "260"}"#, not_understood),
        (200, r#"{"mcc": -1, "mnc": 1}"#, not_understood),
        (200, r#"{"mcc": ["310"], "mnc": 1}"#, not_understood),
        (200, "<html>", not_understood),
        (500, "", status(500)),
        (302, "", status(302)),
        (401, "", status(401)),
    ];
    for (last, (status, body, expected)) in (0..).zip(rows) {
        service.tell(Script::Answer(status, body));
        let answer = networks.find(number(last)).await.unwrap();
        assert_eq!(answer.finding, expected, "{status} {body}");
        assert_eq!(answer.source, Source::Http);
        // So that failures never come to a row.
        service.tell(Script::Answer(200, "{}"));
        networks.find(number(last + 50)).await.unwrap();
    }
    let first = service.seen.lock()[0].clone();
    assert!(
        first.starts_with("GET /hlr/14155550100 HTTP/1.1\r\n"),
        "{first}"
    );
    assert!(!first.to_lowercase().contains("authorization"), "{first}");
}

#[tokio::test]
async fn a_service_that_speaks_no_http_or_too_much_is_a_failure() {
    let service = Service::start(Script::Noise).await;
    let networks = open(&service.config(), &clock());
    let large: &'static str = Box::leak(" ".repeat(70_000).into_boxed_str());
    for (last, script) in (0..).zip([Script::Noise, Script::Close, Script::Answer(200, large)]) {
        service.tell(script);
        let answer = networks.find(number(last)).await.unwrap();
        assert!(matches!(answer.finding, Finding::Failed(_)), "{answer:?}");
        assert_eq!(answer.network(), None);
    }
}

#[tokio::test]
async fn the_token_is_sent() {
    let service = Service::start(Script::Answer(200, "{}")).await;
    let config = Config {
        lookup_token: Some("sesame".to_owned()),
        ..service.config()
    };
    open(&config, &clock()).find(number(0)).await.unwrap();
    let head = service.seen.lock()[0].clone();
    assert!(head.contains("Authorization: Bearer sesame\r\n"), "{head}");
    assert!(!format!("{config:?}").contains("sesame"));
}

#[tokio::test]
async fn an_answer_is_remembered_as_long_as_it_counts() {
    let service = Service::start(Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#)).await;
    let clock = clock();
    let networks = open(&service.config(), &clock);
    let ask = async |last| networks.find(number(last)).await.unwrap();
    let asked_ms = clock.now_ms();
    ask(0).await;
    service.tell(Script::Answer(404, ""));
    ask(1).await;
    assert_eq!(service.asked(), 2);
    clock.advance(9_999);
    let known = ask(0).await;
    assert_eq!(known.finding, network("310-260"));
    assert_eq!((known.source, known.as_of_ms), (Source::Cache, asked_ms));
    assert_eq!(ask(1).await.source, Source::Cache);
    clock.advance(1);
    assert_eq!(ask(1).await.source, Source::Http);
    assert_eq!(ask(0).await.source, Source::Cache);
    assert_eq!(service.asked(), 3);
    clock.advance(90_000);
    assert_eq!(ask(0).await.finding, Finding::Unknown);
    assert_eq!(service.asked(), 4);
}

#[tokio::test]
async fn many_who_ask_about_one_number_are_one_question() {
    let service = Service::start(Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#)).await;
    let networks = open(&service.config(), &clock());
    let all = futures_util::future::join_all((0..20).map(|_| networks.find(number(0)))).await;
    assert!(
        all.iter()
            .all(|answer| answer.unwrap().finding == network("310-260"))
    );
    assert_eq!(service.asked(), 1);
}

#[tokio::test]
async fn so_many_questions_and_no_more_are_asked_at_a_time() {
    let service = Service::start(Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#)).await;
    let config = Config {
        concurrency: at_least_one(3),
        ..service.config()
    };
    let networks = open(&config, &clock());
    let all = futures_util::future::join_all((0..20).map(|last| networks.find(number(last)))).await;
    assert!(
        all.iter()
            .all(|answer| answer.unwrap().finding == network("310-260"))
    );
    assert_eq!(service.asked(), 20);
    assert_eq!(service.at_once_max.load(Ordering::SeqCst), 3);
}

/// Thirty that wait for one slot are not thirty failures of the service.
#[tokio::test]
async fn who_waited_in_our_own_queue_is_no_failure_of_the_service() {
    let service = Service::start(Script::Hang).await;
    let config = Config {
        timeout_ms: at_least_one(20),
        concurrency: at_least_one(1),
        ..service.config()
    };
    let networks = open(&config, &clock());
    let all = futures_util::future::join_all((0..30).map(|last| networks.find(number(last)))).await;
    assert!(all.iter().all(|answer| answer.unwrap().network().is_none()));
    service.tell(Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#));
    for last in 30..99 {
        let finding = networks.find(number(last)).await.unwrap().finding;
        assert_ne!(finding, Finding::Failed(LookupFailure::Resting));
        if finding == network("310-260") {
            return;
        }
    }
    panic!("it never answers");
}

#[tokio::test]
async fn a_service_that_hangs_takes_its_timeout_and_is_then_left_alone_for_a_while() {
    let service = Service::start(Script::Hang).await;
    let clock = clock();
    let config = Config {
        timeout_ms: at_least_one(20),
        ..service.config()
    };
    let networks = open(&config, &clock);
    for last in 0..10 {
        let answer = networks.find(number(last)).await.unwrap();
        assert_eq!(answer.finding, Finding::Failed(LookupFailure::Timeout));
    }
    let asked = service.asked();
    let resting = Finding::Failed(LookupFailure::Resting);
    // The last question ends when it ends, not when its answer is no longer waited for.
    for _ in 0..2_000 {
        if networks.find(number(20)).await.unwrap().finding == resting {
            break;
        }
    }
    let tried = service.asked();
    assert!(tried <= asked + 1, "{tried}");
    for last in 30..50 {
        assert_eq!(networks.find(number(last)).await.unwrap().finding, resting);
    }
    assert_eq!(service.asked(), tried);
    // A clock that was set back by an hour does not make the rest an hour longer.
    clock.advance(-3_600_000);
    let finding = networks.find(number(51)).await.unwrap().finding;
    assert_ne!(finding, resting);
    clock.advance(3_605_000);
    // Not the twenty milliseconds of before, which a busy machine may need for an answer.
    service.tell(Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#));
    for last in 60..99 {
        if networks.find(number(last)).await.unwrap().finding == network("310-260") {
            return;
        }
        clock.advance(5_000);
    }
    panic!("it is never asked again");
}

#[tokio::test]
async fn a_private_address_is_asked_only_where_that_is_allowed() {
    let service = Service::start(Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#)).await;
    let config = Config {
        allow_private_networks: false,
        ..service.config()
    };
    let answer = open(&config, &clock()).find(number(0)).await.unwrap();
    let refused = crate::webhooks::AttemptFailure::AddressRefused;
    assert_eq!(
        answer.finding,
        Finding::Failed(LookupFailure::Request(refused))
    );
    assert_eq!(service.asked(), 0);
}

#[tokio::test]
async fn the_table_is_asked_first_and_a_reload_keeps_what_the_lookup_told() {
    let service = Service::start(Script::Answer(200, r#"{"mcc": 310, "mnc": 410}"#)).await;
    let clock = clock();
    let directory = tempfile::tempdir().unwrap();
    let table = directory.path().join("networks.csv");
    std::fs::write(&table, "14155550100,310,260\n").unwrap();
    let config = Config {
        table: Some(table.clone()),
        ..service.config()
    };
    let wiring = Wiring {
        clock: clock.clone(),
        metrics: Arc::default(),
        ca_file: None,
    };
    let open = |config: &Config, former| Networks::open(config, &wiring, former).unwrap();
    let first = open(&config, None).unwrap();
    let asked = async |networks: &Networks, last| {
        let answer = networks.find(number(last)).await.unwrap();
        (answer.finding, answer.source)
    };
    assert_eq!(asked(&first, 0).await, (network("310-260"), Source::Table));
    assert_eq!(asked(&first, 1).await, (network("310-410"), Source::Http));

    std::fs::write(&table, "14155550100,311,480\n").unwrap();
    let second = open(&config, Some(&first)).unwrap();
    assert_eq!(asked(&second, 0).await, (network("311-480"), Source::Table));
    assert_eq!(asked(&second, 1).await, (network("310-410"), Source::Cache));
    assert_eq!(service.asked(), 1);

    std::fs::write(&table, "14155550100,311\n").unwrap();
    let bad = Networks::open(&config, &wiring, Some(&first)).unwrap_err();
    assert!(bad.to_string().contains("networks.csv: line 1: "), "{bad}");
    assert!(open(&Config::default(), Some(&first)).is_none());
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named() {
    use crate::webhooks::AttemptFailure;
    let authority = Authority::new();
    let named = Some(authority.file().to_owned());
    let known = network("310-260");
    let untrusted = AttemptFailure::CertificateUntrusted;
    let untrusted = Finding::Failed(LookupFailure::Request(untrusted));
    for (ca_file, expected, asked) in [(named, known, 1), (None, untrusted, 0)] {
        let script = Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#);
        let acceptor = authority.acceptor("localhost", 4000);
        let service = Service::start_tls(script, acceptor).await;
        let wiring = Wiring {
            clock: clock(),
            metrics: Arc::default(),
            ca_file,
        };
        let networks = Networks::open(&service.config(), &wiring, None).unwrap();
        let answer = networks.unwrap().find(number(0)).await.unwrap();
        assert_eq!(answer.finding, expected);
        assert_eq!(service.asked(), asked);
    }
}

#[test]
fn an_authority_that_cannot_be_read_is_refused_by_name() {
    let config = Config {
        lookup_url: Some("https://localhost/{number}".to_owned()),
        ..Config::default()
    };
    let missing = tempfile::tempdir().unwrap().path().join("ca.pem");
    let wiring = Wiring {
        clock: clock(),
        metrics: Arc::default(),
        ca_file: Some(missing.clone()),
    };
    let error = Networks::open(&config, &wiring, None).unwrap_err();
    assert!(
        error.to_string().contains(missing.to_str().unwrap()),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_is_asked_before_the_answer_is_waited_for() {
    let service = Service::start(Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#)).await;
    let networks = open(&service.config(), &clock());
    let questions = [(); 2].map(|()| networks.look_up(number(0)));
    let [Some(Lookup::Asking(first)), Some(Lookup::Asking(second))] = questions else {
        panic!("nothing is known");
    };
    assert_eq!(service.asked(), 0);
    assert_eq!(first.await.source, Source::Http);
    // What was told since is not asked again.
    assert_eq!(second.await.source, Source::Cache);
    assert_eq!(service.asked(), 1);
}
