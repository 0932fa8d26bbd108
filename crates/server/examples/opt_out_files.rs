//! What it costs to read a million opt-outs in, and to write them out again: the figures of
//! `docs/benchmarks.md`.
//!
//! ```text
//! cargo run --release -p postrider-server --example opt_out_files -- 1000000
//! ```
//!
//! The whole way but for the socket: the request's octets, rows, transactions on the disk, and the
//! export's pieces.

#[path = "../../store/examples/figures/mod.rs"]
mod figures;

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use postrider_core::clock::ManualClock;
use postrider_engine::testing::engine_over;
use postrider_server::{App, Ops, Peer, Scheme, Setup, TrustedProxies};
use postrider_store::sqlite::{Options, SqliteStore};

use figures::{line, now, ratio, resident_kib};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A shell around the app.
struct Client {
    app: App,
    authorization: String,
}

#[tokio::main]
async fn main() {
    let count = std::env::args().nth(1);
    let count: u64 = count.map_or(1_000_000, |count| count.parse().expect("a number of rows"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::default());
    let store = SqliteStore::open(dir.path(), clock, Options::default()).expect("the store opens");
    let test = engine_over(Arc::new(store));
    let account = test
        .engine
        .create_main_account(None, Some(TOKEN.to_owned()), "Main");
    let (account, _) = account.await.expect("an account");
    let service = test.engine.create_service(account.sid, |_| {});
    let service = service.await.expect("a service").sid;
    let client = Client {
        app: App::new(Setup {
            engine: test.engine.clone(),
            ops: Ops::default(),
            simulator: None,
            door: None,
            trusted_proxies: TrustedProxies::parse(Vec::<&str>::new()).expect("no network"),
            request_id_seed: 1,
        }),
        authorization: STANDARD.encode(format!("{}:{TOKEN}", account.sid)),
    };

    let mut file = String::from("contact_id,sender_id,status,source,date_of_consent\n");
    for index in 0..count {
        // A unit of the ring, so no two are alike and their order is not that of the table.
        let number = 12_000_000_000 + (index * 5_234_567_891) % 8_000_000_000;
        let row = format!("+{number},{service},opt-out,website,2026-11-24T09:05:00Z\n");
        file.push_str(&row);
    }
    line("file", ratio(file.len() as u64, 1 << 20), "MiB");
    line("resident with it", ratio(resident_kib(), 1024), "MiB");
    client.import(file.clone().into(), "first").await;
    client.import(file.into(), "again").await;
    client.export().await;
}

impl Client {
    async fn import(&self, file: Bytes, name: &str) {
        let started = now();
        let request = self
            .request("POST", "/x/v1/OptOuts/Import")
            .header("content-type", "text/csv")
            .body(Full::new(file));
        let answer = self.app.handle(request.expect("a request"), PEER).await;
        assert_eq!(answer.status(), 202);
        let path = {
            let body = answer.into_body().collect().await.expect("a body");
            let json: serde_json::Value =
                serde_json::from_slice(&body.to_bytes()).expect("an answer in JSON");
            format!(
                "/x/v1/OptOuts/Imports/{}",
                json["sid"].as_str().expect("a SID")
            )
        };
        line(&format!("{name}: answered"), seconds(started), "s");
        loop {
            let request = self.request("GET", &path).body(Full::default());
            let answer = self.app.handle(request.expect("a request"), PEER).await;
            let body = answer.into_body().collect().await.expect("a body");
            let json: serde_json::Value =
                serde_json::from_slice(&body.to_bytes()).expect("an answer in JSON");
            if json["status"] != "running" {
                line(
                    &format!("{name}: {}", json["status"]),
                    seconds(started),
                    "s",
                );
                line("  rows read", count_of(&json["rows_read"]), "");
                line("  rows changed", count_of(&json["rows_changed"]), "");
                line("  resident", ratio(resident_kib(), 1024), "MiB");
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn export(&self) {
        let started = now();
        let request = self
            .request("GET", "/x/v1/OptOuts/Export")
            .body(Full::default());
        let answer = self.app.handle(request.expect("a request"), PEER).await;
        let mut body = answer.into_body();
        let (mut octets, mut rows, mut peak_kib) = (0, 0, 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.expect("the export goes on");
            let data = frame.into_data().unwrap_or_default();
            octets += data.len() as u64;
            rows += data.split(|octet| *octet == b'\n').count() as u64 - 1;
            peak_kib = peak_kib.max(resident_kib());
        }
        line("export", seconds(started), "s");
        line("  lines", ratio(rows, 1), "");
        line("  size", ratio(octets, 1 << 20), "MiB");
        line("  resident at most", ratio(peak_kib, 1024), "MiB");
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", format!("Basic {}", self.authorization))
    }
}

const PEER: Peer = Peer {
    address: None,
    scheme: Scheme::Http,
};

fn count_of(json: &serde_json::Value) -> f64 {
    ratio(json.as_u64().unwrap_or(0), 1)
}

fn seconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}
