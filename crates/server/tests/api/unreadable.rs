//! Requests that cannot be read, over real connections: each is told why before the connection ends.

use std::net::SocketAddr;
use std::time::Duration;

use postrider_server::{Limits, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::world::World;

async fn serving(world: &World, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending();
    tokio::spawn(serve(listener, world.app.clone(), limits, never));
    address
}

/// Everything that comes until the connection ends.
async fn told(address: SocketAddr, request: &str) -> String {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let request = request.to_owned();
    // The server may have heard enough before all is written.
    let writing =
        tokio::spawn(async move { write.write_all(request.as_bytes()).await.map(|()| write) });
    let mut answer = String::new();
    let reading = read.read_to_string(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(10), reading).await;
    read.expect("the connection ends")
        .expect("and is not reset");
    writing.abort();
    answer
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_in_json() {
    let world = World::new().await;
    let address = serving(&world, Limits::default()).await;
    let filled =
        |octets: usize| format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(octets));
    let headers = |count| format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(count));
    let lengths = "POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello";
    for (what, request, status) in [
        ("100 headers", headers(100), 200),
        ("101 headers", headers(101), 431),
        ("60 kB", filled(60_000), 200),
        ("70 kB", filled(70_000), 431),
        ("140 kB", filled(140_000), 431),
        ("2 MB", filled(2_000_000), 431),
        ("two lengths", lengths.to_owned(), 400),
        ("no method", "\u{1}\u{1} / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("no version", "GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
    ] {
        if status == 200 {
            let request = request.replace("HTTP/1.1\r\n", "HTTP/1.0\r\n");
            let answer = told(address, &request).await;
            assert!(answer.starts_with("HTTP/1.0 200"), "{what}: {answer}");
            continue;
        }
        let answer = told(address, &request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what}: {answer}"
        );
        assert!(head.contains("connection: close"), "{what}: {head}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&body["status"], &body["code"]),
            (&status.into(), &20001.into()),
            "{what}"
        );
    }
}

/// Columns: what comes of a body of ten octets with the head, and whether the connection goes on.
#[tokio::test]
async fn who_is_refused_before_the_body_came_is_told_that_the_connection_ends() {
    let world = World::new().await;
    let address = serving(&world, Limits::default()).await;
    for (head, body, goes_on) in [
        ("content-length: 10", "To=%2B1415", true),
        ("content-length: 10", "To=%2B", false),
        ("content-length: 10", "", false),
        ("content-length: 10\r\nexpect: 100-continue", "", false),
        ("content-length: 0", "", true),
    ] {
        let path = world.list("Messages");
        let form = "content-type: application/x-www-form-urlencoded";
        let refused = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{form}\r\n{head}\r\n\r\n{body}");
        let next = "GET /healthz HTTP/1.0\r\n\r\n";
        let next = if goes_on { next } else { "" };
        let answers = told(address, &format!("{refused}{next}")).await;
        assert!(
            answers.starts_with("HTTP/1.1 401 "),
            "{head} {body}: {answers}"
        );
        assert_eq!(answers.contains("connection: close"), !goes_on, "{answers}");
        assert_eq!(answers.contains("HTTP/1.0 200"), goes_on, "{answers}");
    }
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_refused_in_json() {
    let world = World::new().await;
    let address = serving(&world, Limits::default()).await;
    for (length, body) in [
        ("", "zz\r\nhello\r\n0\r\n\r\n"),
        // Chunks count, and these are none. Whoever sends both may be up to something.
        ("content-length: 7\r\n", "To=%2B1"),
    ] {
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n{length}transfer-encoding: chunked\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
            world.list("Messages"),
            world.authorization()
        );
        let answer = told(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("\"code\":20001"), "{answer}");
    }
}

#[tokio::test]
async fn requests_before_the_one_that_cannot_be_read_are_answered() {
    let world = World::new().await;
    let address = serving(&world, Limits::default()).await;
    let good = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = told(address, &format!("{good}{good}GET / HTTP/9.9\r\n\r\n")).await;
    let statuses: Vec<_> = answer
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses, ["200", "200", "400"]);
    assert!(answer.contains("malformed"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_place() {
    let world = World::new().await;
    let limits = Limits {
        connections: 1,
        write_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let address = serving(&world, limits).await;
    let mut greedy = TcpStream::connect(address).await.unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let writing = tokio::spawn(async move {
        // Ends when the server has closed the connection.
        while greedy.write_all(request.as_bytes()).await.is_ok() {}
    });
    let patience = tokio::time::timeout(Duration::from_secs(20), writing);
    patience.await.expect("it is closed").unwrap();
    let answer = told(address, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}
