//! What webhooks refuse to reach, and what a hostile server can't do to them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::server::{Server, Webhooks, config};
use crate::webhooks::{AttemptFailure, Config, Outcome};

const REFUSED: Outcome = Outcome::Failed(AttemptFailure::AddressRefused);

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let server = Server::start().await;
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
    ] {
        let mut webhooks = Webhooks::start(&Config::default());
        let url = format!("http://{host}:{port}/#rc=5&rp=all");
        let refused = match host {
            "localhost" => Outcome::Failed(AttemptFailure::HostRefused),
            _ => REFUSED,
        };
        assert_eq!(webhooks.finish(&[&url]).await, [refused], "{host}");
        assert_eq!(webhooks.watch.attempts.lock().len(), 1, "refusal is final");
    }
    assert_eq!(server.hits(), 0);
    let open = Config {
        allow_private_networks: true,
        ..Config::default()
    };
    let mut webhooks = Webhooks::start(&open);
    let url = format!("http://localhost:{port}/");
    assert_eq!(
        webhooks.finish(&[&url]).await,
        [Outcome::Answered { status: 200 }]
    );
}

#[tokio::test]
async fn a_redirect_leads_nowhere_private() {
    let server = Server::start().await;
    let inner = Server::start_at("127.0.0.2:0").await;
    let mut webhooks = Webhooks::start(&config());
    let url = server.url(&format!("/redirect/307?{}", inner.url("/secret")));
    assert_eq!(webhooks.finish(&[&url]).await, [REFUSED]);
    assert_eq!((server.hits(), inner.hits()), (1, 0));
}

/// A server that answers each request with the same octets, at once, and then stays.
async fn raw_server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
                if answer.is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_mins(1)).await;
            });
        }
    });
    format!("http://{address}/#tt=1000")
}

#[tokio::test]
async fn a_broken_answer_is_a_failure_with_a_name() {
    use AttemptFailure as Because;
    let endless_head = {
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        head.extend(b"X-Filler: 0123456789\r\n".repeat(10_000));
        head
    };
    #[rustfmt::skip]
    let rows: [(Vec<u8>, Result<u16, Because>); 7] = [
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),                           Err(Because::BadHttp)),
        (b"HTTP/1.1 two hundred\r\n\r\n".to_vec(),                      Err(Because::BadHttp)),
        (endless_head,                                                  Err(Because::BadHttp)),
        (Vec::new(),                                                    Err(Because::Closed)),
        (b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),                     Err(Because::ReadTimeout)),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_vec(),   Err(Because::BadRedirect)),
        // The body never comes; the answer is clear without it.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec(),      Ok(200)),
    ];
    for (answer, expected) in rows {
        let start = String::from_utf8_lossy(&answer[..answer.len().min(30)]).into_owned();
        let url = raw_server(answer).await;
        let mut webhooks = Webhooks::start(&config());
        let outcome = webhooks.finish(&[&url]).await;
        let expected = expected.map_or_else(Outcome::Failed, |status| Outcome::Answered { status });
        assert_eq!(outcome, [expected], "{start}");
    }
}
