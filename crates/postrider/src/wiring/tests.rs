//! What wiring promises to those outside: whoever comes early waits, and is not turned away.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const SID: &str = "AC0123456789abcdef0123456789abcdef";
/// The account's SID and the token `secret`, in Base64.
const CREDENTIALS: &str = "QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpzZWNyZXQ=";

/// On one thread, so that a server that answered too early would do so while the account is written.
#[tokio::test]
async fn a_request_that_comes_before_the_first_account_is_answered_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::of_directory(directory.path()).unwrap();
    let listener = listen("127.0.0.1:0").await.unwrap();
    let mut early = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let request = format!(
        "GET /2010-04-01/Accounts/{SID}.json HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Basic {CREDENTIALS}\r\nConnection: close\r\n\r\n"
    );
    early.write_all(request.as_bytes()).await.unwrap();

    let prepare = async |engine: &Engine| {
        let (sid, token) = (SID.parse()?, "secret".to_owned());
        let made = engine.create_main_account(Some(sid), Some(token), "main");
        Ok(made.await?)
    };
    let opened = Opened::new();
    let started = Postrider::start(&config, listener, None, &opened, prepare).await;
    let (postrider, _) = started.unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    postrider.stop().await;
}
