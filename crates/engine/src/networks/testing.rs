//! A lookup's service for tests, on a port of its own, answering as it is told; and an engine that asks
//! it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use postrider_core::clock::ManualClock;
use postrider_core::country::Country;
use postrider_core::create::CreateMessage;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::ShortCode;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;
use postrider_store::Store;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::{Config, Networks, Wiring};
use crate::NewPoolEntry;
use crate::testing::{TestEngine, engine_with};

/// What the service does with a question.
#[derive(Clone)]
pub(crate) enum Script {
    /// A status and a body.
    Answer(u16, &'static str),
    /// Octets that are no HTTP.
    Noise,
    /// Closes the connection.
    Close,
    /// Answers nothing until it is told otherwise.
    Hang,
}

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) url: String,
    script: watch::Sender<Script>,
    /// The heads of the requests.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    pub(crate) at_once_max: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) async fn start(script: Script) -> Self {
        Self::listen(script, None).await
    }

    /// The same over TLS, as `localhost`.
    pub(crate) async fn start_tls(script: Script, acceptor: TlsAcceptor) -> Self {
        Self::listen(script, Some(acceptor)).await
    }

    async fn listen(script: Script, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = match acceptor {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        };
        let service = Self {
            url: format!("{base}/hlr/{{number}}"),
            script: watch::Sender::new(script),
            seen: Arc::default(),
            at_once_max: Arc::default(),
            at_once: Arc::default(),
        };
        tokio::spawn(service.clone().accept(listener, acceptor));
        service
    }

    async fn accept(self, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (service, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                match acceptor {
                    None => service.serve(stream).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            service.serve(stream).await;
                        }
                    }
                }
            });
        }
    }

    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut head = String::new();
        let mut octets = [0; 1024];
        loop {
            let Ok(len @ 1..) = stream.read(&mut octets).await else {
                return;
            };
            head.push_str(str::from_utf8(&octets[..len]).unwrap());
            if !head.ends_with("\r\n\r\n") {
                continue;
            }
            self.seen.lock().push(std::mem::take(&mut head));
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.at_once_max.fetch_max(now, Ordering::SeqCst);
            let answer = self.answer().await;
            // Others may come meanwhile.
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let Some(answer) = answer else { return };
            // Who asked may have gone.
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self) -> Option<String> {
        let mut told = self.script.subscribe();
        let script = told.wait_for(|script| !matches!(script, Script::Hang));
        let script = script.await.unwrap().clone();
        match script {
            Script::Answer(status, body) => Some(format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )),
            Script::Noise => Some("SSH-2.0-OpenSSH\r\n\r\n".to_owned()),
            Script::Close | Script::Hang => None,
        }
    }

    pub(crate) fn tell(&self, script: Script) {
        self.script.send_replace(script);
    }

    pub(crate) fn asked(&self) -> usize {
        self.seen.lock().len()
    }

    /// Waits until so many questions have come. The deadline only ends a test that is lost.
    pub(crate) async fn asked_at_least(&self, count: usize) {
        for _ in 0..10_000 {
            if self.asked() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("only {} questions came", self.asked());
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            lookup_url: Some(self.url.clone()),
            allow_private_networks: true,
            // Only what hangs takes so long.
            timeout_ms: at_least_one(5_000),
            known_for_s: 100,
            unknown_for_s: 10,
            ..Config::default()
        }
    }
}

pub(crate) fn at_least_one(value: u32) -> NonZeroU32 {
    NonZeroU32::new(value).unwrap()
}

pub(crate) fn open(config: &Config, clock: &Arc<ManualClock>) -> Networks {
    let wiring = Wiring {
        clock: clock.clone(),
        metrics: Arc::default(),
        ca_file: None,
    };
    Networks::open(config, &wiring, None).unwrap().unwrap()
}

/// A customer whose service has a number, and a short code that serves one network.
pub(crate) struct Customer {
    pub(crate) account: Arc<Account>,
    pub(crate) service: ServiceSid,
}

impl Customer {
    pub(crate) const NUMBER: &str = "+14155550101";
    pub(crate) const CODE: &str = "55501";
    /// What a lookup says of recipients that the short code serves, and of others.
    pub(crate) const SERVED: Script = Script::Answer(200, r#"{"mcc": 310, "mnc": 410}"#);
    pub(crate) const AWAY: Script = Script::Answer(200, r#"{"mcc": 310, "mnc": 260}"#);

    pub(crate) async fn new(test: &TestEngine) -> Self {
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Test").await;
        let (account, _) = main.unwrap();
        let service = engine.create_service(account.sid, |_| {}).await.unwrap();
        let number = PhoneNumber::parse(Self::NUMBER).unwrap();
        let number = engine.register_number(account.sid, number, |_| {});
        let code = ShortCode::parse(Self::CODE).unwrap();
        let code = engine.register_short_code(account.sid, code, Country::US, |code| {
            code.served_networks = vec!["310-410".parse().unwrap()];
        });
        for entry in [
            NewPoolEntry::Number(number.await.unwrap().sid),
            NewPoolEntry::ShortCode(code.await.unwrap().sid),
        ] {
            engine.add_to_pool(service.sid, entry).await.unwrap();
        }
        Self {
            account,
            service: service.sid,
        }
    }

    pub(crate) fn request(&self, to: &str) -> CreateMessage {
        CreateMessage {
            to: Some(to.to_owned()),
            messaging_service: Some(self.service.to_string()),
            body: Some("Hi".to_owned()),
            ..CreateMessage::default()
        }
    }
}

/// An engine whose lookup is as configured.
pub(crate) fn engine_that_asks(store: Arc<dyn Store>, config: &Config) -> TestEngine {
    engine_with(store, |setup| {
        let wiring = Wiring {
            clock: setup.clock.clone(),
            metrics: setup.metrics.clone(),
            ca_file: None,
        };
        setup.coverage.networks = Networks::open(config, &wiring, None).unwrap();
    })
}
