//! The benchmark: one command, every figure the README claims.
//!
//! `cargo run --release -p postrider-bench` builds a world on this machine (server, SMSC, customers,
//! webhook endpoint, all on loopback) and measures. Everything shares the machine's cores with the
//! load generator, so figures are comparable within a run and not between machines; where Kannel is
//! installed it does the same work in the same run, and the ratio is printed. See
//! `docs/benchmarks.md`.
#![expect(clippy::print_stdout, reason = "its results are its output")]

mod clock;
mod http;
mod kannel;
mod preload;
mod process;
mod receiver;
mod scenario;
mod server;
mod smsc;

use std::path::PathBuf;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What to measure.
#[derive(Parser)]
pub(crate) struct Options {
    /// The server's binary.
    #[arg(long, default_value = "target/release/postrider")]
    pub(crate) binary: PathBuf,
    /// Messages per measurement.
    #[arg(long, default_value_t = 300_000)]
    pub(crate) messages: u64,
    /// Connections of the load generator.
    #[arg(long, default_value_t = 256)]
    pub(crate) connections: usize,
    /// Rows in the store before the growth measurement.
    #[arg(long, default_value_t = 5_000_000)]
    pub(crate) rows: u64,
    /// Queued messages for the memory measurement.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) queued: u64,
    /// Only these: accept, service, pool, delivery, callbacks, growth, memory, kannel.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// A directory for the stores; needs some gigabytes.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    scenario::run_all(&options).await
}
