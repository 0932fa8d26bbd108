//! What the customer's server sees, and what is tried again.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use postrider_core::settings::HttpMethod;
use sha1::Sha1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::server::{Server, TOKEN, Webhooks, config, job};
use crate::testing::web_server::Seen;
use crate::webhooks::{AttemptFailure, Config, Content, Outcome};

const OK: Outcome = Outcome::Answered { status: 200 };

/// What a customer's validator computes from a request.
fn expected_signature(url: &str, seen: &Seen) -> String {
    let form: BTreeMap<_, _> = form_urlencoded::parse(&seen.body).collect();
    let text = form
        .iter()
        .fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

fn failed(failure: AttemptFailure) -> Outcome {
    Outcome::Failed(failure)
}

#[tokio::test]
async fn a_callback_is_a_signed_form() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let url = server.url("/status?tenant=a%2Fb");
    assert_eq!(webhooks.finish(&[&format!("{url}#rc=2")]).await, [OK]);
    let seen = server.seen.lock()[0].clone();
    assert_eq!(seen.method, Method::POST);
    assert_eq!(seen.path, "/status?tenant=a%2Fb");
    let header = |name: &str| seen.headers[name].to_str().unwrap();
    assert_eq!(
        header("content-type"),
        "application/x-www-form-urlencoded; charset=utf-8"
    );
    assert_eq!(header("user-agent"), "TwilioProxy/1.1");
    assert_eq!(header("accept"), "*/*");
    assert_eq!(header("x-home-region"), "us1");
    assert_eq!(header("host"), server.address.to_string());
    assert_eq!(
        header("x-twilio-signature"),
        expected_signature(&url, &seen)
    );
    assert!(uuid::Uuid::parse_str(header("i-twilio-idempotency-token")).is_ok());
    let form: Vec<_> = form_urlencoded::parse(&seen.body).collect();
    assert_eq!(form[3], ("From".into(), "ACME & Söhne".into()));
}

#[tokio::test]
async fn credentials_in_the_url_become_basic_auth() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let url = format!("http://user:p%40ss@{}/", server.address);
    assert_eq!(webhooks.finish(&[&url]).await, [OK]);
    let seen = server.seen.lock()[0].clone();
    assert_eq!(seen.headers["authorization"], "Basic dXNlcjpwQHNz");
    assert_eq!(
        seen.headers["x-twilio-signature"],
        expected_signature(&url, &seen)
    );
}

#[tokio::test]
async fn a_get_carries_its_parameters_in_the_query() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let mut job = job(&server.url("/a?b=c"), 1);
    job.method = HttpMethod::Get;
    webhooks.handle.offer(vec![job]);
    webhooks.finished(1).await;
    let seen = server.seen.lock()[0].clone();
    assert_eq!(seen.method, Method::GET);
    assert!(
        seen.path.starts_with("/a?b=c&MessageSid=SM0"),
        "{}",
        seen.path
    );
    assert!(
        seen.path.ends_with("&From=ACME+%26+S%C3%B6hne"),
        "{}",
        seen.path
    );
    assert!(seen.body.is_empty());
    let signed = server.url(&seen.path);
    assert_eq!(
        seen.headers["x-twilio-signature"],
        expected_signature(&signed, &seen)
    );
}

#[tokio::test]
async fn a_json_body_is_signed_by_the_hash_in_its_url() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let mut job = job(&server.url("/click#ct=300"), 1);
    job.content = Content::Json(Bytes::from_static(b"{\"clicked\":true}"));
    webhooks.handle.offer(vec![job]);
    webhooks.finished(1).await;
    let seen = server.seen.lock()[0].clone();
    assert!(seen.path.starts_with("/click?bodySHA256="), "{}", seen.path);
    assert_eq!(seen.body, "{\"clicked\":true}");
    assert_eq!(seen.headers["content-type"], "application/json");
    let unsigned_body = Seen {
        body: Bytes::new(),
        ..seen.clone()
    };
    let signature = expected_signature(&server.url(&seen.path), &unsigned_body);
    assert_eq!(seen.headers["x-twilio-signature"], signature);
}

#[tokio::test]
async fn only_a_failed_connection_is_retried_unless_the_url_says_more() {
    use AttemptFailure as Because;
    let server = Server::start().await;
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}", refusing.local_addr().unwrap());
    drop(refusing);
    // No resolver needs to ask anyone about a label of more than 63 letters.
    let unknown = format!("http://{}.invalid/", "x".repeat(64));
    let status = |path: &str| server.url(path);
    #[rustfmt::skip]
    let rows = [
        // url                                      outcome                         attempts
        (refused.clone() + "/",                     failed(Because::ConnectFailed), 2),
        (refused + "/#rc=4",                        failed(Because::ConnectFailed), 5),
        (unknown,                                   failed(Because::HostUnknown),   2),
        (status("/status/200"),                     OK,                             1),
        (status("/status/204"),                     Outcome::Answered { status: 204 }, 1),
        (status("/status/500"),                     failed(Because::Status(500)),   1),
        (status("/status/404"),                     failed(Because::Status(404)),   1),
        (status("/status/304"),                     failed(Because::Status(304)),   1),
        (status("/status/503#rc=2&rp=5xx"),         failed(Because::Status(503)),   3),
        (status("/hang#rt=100"),                    failed(Because::ReadTimeout),   1),
        (status("/hang#rt=100&rp=rt"),              failed(Because::ReadTimeout),   2),
        (status("/hang#tt=150&rt=100&rp=rt&rc=5"),  failed(Because::ReadTimeout),   2),
        (status("/large"),                          OK,                             1),
    ];
    for (url, outcome, attempts) in rows {
        let mut webhooks = Webhooks::start(&config());
        assert_eq!(webhooks.finish(&[&url]).await, [outcome], "{url}");
        let seen = webhooks.watch.attempts.lock();
        assert_eq!(seen.len(), attempts, "{url}");
        assert!(
            seen.iter().all(|(token, _)| *token == seen[0].0),
            "one token for all attempts"
        );
    }
}

#[tokio::test]
async fn redirects_are_followed_and_signed_anew() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let kept = server.url("/redirect/307?/kept?a=b");
    let dropped = server.url("/redirect/302?/dropped");
    let outcomes = webhooks.finish(&[&kept, &dropped]).await;
    assert_eq!(outcomes, [OK, OK]);
    let seen = server.seen.lock().clone();
    let at = |path: &str| seen.iter().find(|seen| seen.path == path).unwrap();
    let kept = at("/kept?a=b");
    assert_eq!(kept.method, Method::POST);
    assert!(!kept.body.is_empty());
    let signature = expected_signature(&server.url("/kept?a=b"), kept);
    assert_eq!(kept.headers["x-twilio-signature"], signature);
    let dropped = at("/dropped");
    assert_eq!(dropped.method, Method::GET);
    assert!(dropped.body.is_empty());
    let signature = expected_signature(&server.url("/dropped"), dropped);
    assert_eq!(dropped.headers["x-twilio-signature"], signature);
}

#[tokio::test]
async fn ten_redirects_are_enough() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    let around = server.url("/redirect/307?/redirect/307?/redirect/307?");
    let outcome = webhooks.finish(&[&around]).await;
    // The third goes to "", which is the same URL again, for ever.
    assert_eq!(outcome, [failed(AttemptFailure::TooManyRedirects)]);
    assert_eq!(server.hits(), 11);
    let nowhere = server.url("/redirect/302?ftp://example.com/");
    let mut webhooks = Webhooks::start(&config());
    assert_eq!(
        webhooks.finish(&[&nowhere]).await,
        [failed(AttemptFailure::BadRedirect)]
    );
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start().await;
    let one = 1.try_into().unwrap();
    let config = Config {
        per_endpoint_concurrency: one,
        ..config()
    };
    let mut webhooks = Webhooks::start(&config);
    let url = server.url("/");
    assert_eq!(webhooks.finish(&[url.as_str(); 50]).await, [OK; 50]);
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // Promises to keep each connection, answers once, and closes it.
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await
                .unwrap();
        }
    });
    let config = Config {
        per_endpoint_concurrency: 1.try_into().unwrap(),
        ..config()
    };
    let mut webhooks = Webhooks::start(&config);
    assert_eq!(webhooks.finish(&[url.as_str(); 10]).await, [OK; 10]);
    assert_eq!(webhooks.watch.attempts.lock().len(), 10);
}

#[tokio::test]
async fn a_slow_endpoint_delays_only_itself() {
    let slow = Server::start().await;
    let fast = Server::start().await;
    let config = Config {
        concurrency: 16.try_into().unwrap(),
        ..config()
    };
    let mut webhooks = Webhooks::start(&config);
    let slow_url = slow.url("/hang#rt=15000");
    let jobs = (0..100).map(|message| job(&slow_url, message)).collect();
    webhooks.handle.offer(jobs);
    let url = fast.url("/");
    let jobs = (100..400).map(|message| job(&url, message)).collect();
    webhooks.handle.offer(jobs);
    let finished = tokio::time::timeout(Duration::from_secs(10), webhooks.finished(300)).await;
    let finished = finished.expect("the fast endpoint does not wait for the slow one");
    assert!(finished.iter().all(|finished| finished.outcome == OK));
    assert_eq!(fast.hits(), 300);
    assert!(slow.hits() <= 8);
}

#[tokio::test]
async fn shutdown_waits_for_what_is_in_flight_and_no_longer() {
    let server = Server::start().await;
    let mut webhooks = Webhooks::start(&config());
    webhooks
        .handle
        .offer(vec![job(&server.url("/"), 1), job(&server.url("/hang"), 2)]);
    while server.hits() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let handle = webhooks.handle.clone();
    let shutdown = tokio::spawn(async move { handle.shutdown(Duration::from_millis(200)).await });
    let finished = webhooks.finished(1).await;
    assert_eq!(finished[0].outcome, OK);
    tokio::time::timeout(Duration::from_secs(5), shutdown)
        .await
        .unwrap()
        .unwrap();
    // A second shutdown has nothing to do.
    webhooks.handle.shutdown(Duration::ZERO).await;
}
