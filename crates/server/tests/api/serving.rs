//! Over real connections.

use std::time::Duration;

use postrider_server::{Limits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::world::World;

/// Reads one answer with a body of known size.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the connection closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return text;
        }
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_stops_when_asked() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(
        listener,
        world.app.clone(),
        Limits::default(),
        async move { drop(stopped.await) },
    ));
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\n\r\n",
        world.list("Messages"),
        world.authorization()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\"messages\":[]"), "{answer}");
    }
    stop.send(()).unwrap();
    // The idle connection is closed, and the server returns.
    let read = stream.read(&mut [0; 16]).await.unwrap();
    assert_eq!(read, 0);
    tokio::time::timeout(Duration::from_secs(10), server)
        .await
        .expect("the server stops")
        .unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
