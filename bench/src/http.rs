//! The load generator: keep-alive connections, each with one request in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::clock;

/// What a load did.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Load {
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// Sends `total` requests made by `request(n)` over `connections`, as fast as they are answered.
pub(crate) async fn load(
    address: &str,
    connections: usize,
    total: u64,
    wanted_status: &'static str,
    request: impl Fn(u64) -> String + Send + Sync + 'static,
) -> anyhow::Result<Load> {
    let next = Arc::new(AtomicU64::new(0));
    let request = Arc::new(request);
    let start = clock::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (next, request, address) = (next.clone(), request.clone(), address.to_owned());
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = Vec::with_capacity(8 * 1024);
            let mut latencies = Vec::new();
            let mut refused = 0_u64;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return Ok::<_, anyhow::Error>((latencies, refused));
                }
                let text = request(number);
                let begin = clock::now();
                stream.write_all(text.as_bytes()).await?;
                let is_wanted = read_response(&mut stream, &mut buffer, wanted_status).await?;
                latencies.push(begin.elapsed());
                refused += u64::from(!is_wanted);
            }
        });
    }
    let mut latencies: Vec<Duration> = Vec::new();
    let mut refused = 0;
    while let Some(joined) = tasks.join_next().await {
        let (more, other) = joined??;
        latencies.extend(more);
        refused += other;
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let index = (latencies.len() as f64 * share) as usize;
        latencies
            .get(index.min(latencies.len().saturating_sub(1)))
            .map_or(0.0, Duration::as_secs_f64)
            * 1000.0
    };
    Ok(Load {
        requests: latencies.len() as u64,
        refused,
        seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        max_ms: at(1.0),
    })
}

/// Reads one response; true if its status line starts as wanted.
async fn read_response(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    wanted_status: &str,
) -> anyhow::Result<bool> {
    buffer.clear();
    loop {
        if let Some(head) = find(buffer, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&buffer[..head]);
            let length = text
                .lines()
                .find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse::<usize>().ok())?
                })
                .context("a response without a length")?;
            let is_wanted = text.get(9..12) == Some(wanted_status);
            while buffer.len() < head + 4 + length {
                if stream.read_buf(buffer).await? == 0 {
                    bail!("the server closed in the middle of an answer");
                }
            }
            return Ok(is_wanted);
        }
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
    }
}

pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// One request with its answer's body.
pub(crate) async fn once(address: &str, text: &str) -> anyhow::Result<(String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut buffer = Vec::new();
    let mut is_whole = false;
    while !is_whole {
        if stream.read_buf(&mut buffer).await? == 0 {
            break;
        }
        if let Some(head) = find(&buffer, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|value| value.trim().parse::<usize>().ok())
                .unwrap_or(0);
            is_whole = buffer.len() >= head + 4 + length;
        }
    }
    let text = String::from_utf8_lossy(&buffer).into_owned();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("an answer without a head")?;
    Ok((head.to_owned(), body.to_owned()))
}
