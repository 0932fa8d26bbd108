//! The measurements, one after the other, on one machine.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;

use crate::kannel::Kannel;
use crate::preload::{Rows, preload};
use crate::server::{Config, Server};

use crate::{Options, clock, http, process, receiver, smsc};

const WINDOW: u32 = 1_000;

/// Numbers of a pool that is very large.
const POOL: u32 = 10_000;

/// A measured end-to-end run.
struct Delivery {
    rate: f64,
    accept_rate: f64,
    cpu_s_per_100k: f64,
    load: http::Load,
}

pub(crate) async fn run_all(options: &Options) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let data = options
        .data
        .clone()
        .unwrap_or_else(|| temporary.path().to_owned());
    println!(
        "{} messages per measurement, {} connections, load generator on the same cores",
        options.messages, options.connections
    );
    let folder = |name: &str| -> PathBuf { data.join(name) };
    if options.wants("accept") {
        accept(options, &folder("accept")).await?;
    }
    if options.wants("service") {
        for numbers in [None, Some(10), Some(1_000)] {
            service(options, &folder("service"), numbers).await?;
        }
    }
    if options.wants("pool") {
        pool(options, &folder("pool")).await?;
    }
    let mut fresh = None;
    if options.wants("delivery") {
        let delivery = deliver(options, &folder("delivery"), None).await?;
        print_delivery("accept → SMPP → receipt", &delivery);
        fresh = Some(delivery.rate);
    }
    if options.wants("callbacks") {
        let (port, count) = receiver::start().await?;
        let delivery = deliver(options, &folder("callbacks"), Some((port, &count))).await?;
        print_delivery("the same, two status callbacks each", &delivery);
    }
    if options.wants("growth") {
        let path = folder("growth");
        preload(&path, options.rows, Rows::Delivered, wall_ms())?;
        let delivery = deliver(options, &path, None).await?;
        print_delivery(
            &format!("the same with {} rows in the store", options.rows),
            &delivery,
        );
        if let Some(fresh) = fresh {
            println!(
                "  {:.0} % of the rate of an empty store",
                delivery.rate / fresh * 100.0
            );
        }
    }
    if options.wants("memory") {
        memory(options, &folder("memory")).await?;
    }
    if options.wants("kannel") {
        if Kannel::find().is_some() {
            kannel(options, &data).await?;
        } else {
            println!("Kannel is not installed: no comparison (apt-get install kannel)");
        }
    }
    Ok(())
}

fn print_delivery(title: &str, delivery: &Delivery) {
    println!("{title}");
    println!(
        "  {:.0} messages/s end to end, {:.1} CPU s per 100,000 messages",
        delivery.rate, delivery.cpu_s_per_100k
    );
    println!(
        "  accepted {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, max {:.0} ms, refused {}",
        delivery.accept_rate,
        delivery.load.p50_ms,
        delivery.load.p99_ms,
        delivery.load.max_ms,
        delivery.load.refused
    );
}

/// Durable accepts while no carrier is up: everything queues.
async fn accept(options: &Options, data: &Path) -> anyhow::Result<()> {
    let config = Config {
        data,
        smsc: 1,
        window: WINDOW,
    };
    let server = Server::start(&options.binary, &config).await?;
    let cpu = process::cpu_seconds(server.pid())?;
    let load = http::load(
        &server.address,
        options.connections,
        options.messages,
        "201",
        server.message(None),
    )
    .await?;
    let cpu = process::cpu_seconds(server.pid())? - cpu;
    println!("durable accept, nothing leaves");
    println!(
        "  {:.0} accepts/s, p50 {:.1} ms, p99 {:.1} ms, max {:.0} ms, refused {}, {:.1} CPU s per 100,000",
        load.rate(),
        load.p50_ms,
        load.p99_ms,
        load.max_ms,
        load.refused,
        per_100k(cpu, load.requests),
    );
    let (now, peak) = process::memory_mib(server.pid())?;
    println!(
        "  memory with {} queued: {now:.0} MiB, peak {peak:.0} MiB",
        load.requests
    );
    server.stop().await
}

/// Durable accepts through a service that chooses among so many numbers, each message to another
/// recipient; without a service first.
async fn service(options: &Options, data: &Path, numbers: Option<u32>) -> anyhow::Result<()> {
    let name = numbers.map_or("none".to_owned(), |numbers| numbers.to_string());
    let data = data.join(name);
    let config = Config {
        data: &data,
        smsc: 1,
        window: WINDOW,
    };
    let mut server = Server::start(&options.binary, &config).await?;
    if let Some(numbers) = numbers {
        server.use_service(numbers).await?;
    }
    let cpu = process::cpu_seconds(server.pid())?;
    let request = server.message(None);
    let (connections, messages) = (options.connections, options.messages);
    let load = http::load(&server.address, connections, messages, "201", request).await?;
    let cpu = process::cpu_seconds(server.pid())? - cpu;
    let title = numbers.map_or("no service".to_owned(), |numbers| {
        format!("through a service that chooses among {numbers} numbers")
    });
    println!("durable accept, {title}");
    println!(
        "  {:.0} accepts/s, p50 {:.1} ms, p99 {:.1} ms, refused {}, {:.1} CPU s per 100,000",
        load.rate(),
        load.p50_ms,
        load.p99_ms,
        load.refused,
        per_100k(cpu, load.requests),
    );
    server.stop().await?;
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

/// A service with a pool that is very large: made, sent through to the end, and read at the next start.
async fn pool(options: &Options, data: &Path) -> anyhow::Result<()> {
    let (port, counts) = smsc::start().await?;
    let config = Config {
        data,
        smsc: port,
        window: WINDOW,
    };
    let mut server = Server::start(&options.binary, &config).await?;
    server.ready().await?;
    let (before, _) = process::memory_mib(server.pid())?;
    let start = clock::now();
    server.use_service(POOL).await?;
    println!(
        "a service with {POOL} numbers, made in {:.0} s by one request after another",
        start.elapsed().as_secs_f64()
    );
    let (made, _) = process::memory_mib(server.pid())?;
    let delivery = deliver_through(&server, options, &counts, None).await?;
    print_delivery("through it: accept → SMPP → receipt", &delivery);
    let (now, peak) = process::memory_mib(server.pid())?;
    println!(
        "  memory before {before:.0} MiB, with the pool {made:.0} MiB, after the messages {now:.0} MiB, \
         peak {peak:.0} MiB"
    );
    server.stop().await?;
    let start = clock::now();
    let server = Server::start(&options.binary, &config).await?;
    println!("  up again in {:.1} s", start.elapsed().as_secs_f64());
    server.stop().await
}

/// Through SMPP and back.
async fn deliver(
    options: &Options,
    data: &Path,
    callback: Option<(u16, &AtomicU64)>,
) -> anyhow::Result<Delivery> {
    let (port, counts) = smsc::start().await?;
    let config = Config {
        data,
        smsc: port,
        window: WINDOW,
    };
    let server = Server::start(&options.binary, &config).await?;
    server.ready().await?;
    let delivery = deliver_through(&server, options, &counts, callback).await?;
    server.stop().await?;
    Ok(delivery)
}

async fn deliver_through(
    server: &Server,
    options: &Options,
    counts: &smsc::Counts,
    callback: Option<(u16, &AtomicU64)>,
) -> anyhow::Result<Delivery> {
    // Warm: caches, connections, regexes of the numbering plan.
    let warm = 2_000;
    let request = server.message(callback.map(|(port, _)| port));
    http::load(&server.address, options.connections, warm, "201", request).await?;
    until(|| counts.receipts.load(Ordering::Relaxed) >= warm).await?;
    let receipts = counts.receipts.load(Ordering::Relaxed);
    let callbacks = callback.map_or(0, |(_, count)| count.load(Ordering::Relaxed));
    let cpu = process::cpu_seconds(server.pid())?;
    let start = clock::now();
    let load = http::load(
        &server.address,
        options.connections,
        options.messages,
        "201",
        server.message(callback.map(|(port, _)| port)),
    )
    .await?;
    let wanted = options.messages - load.refused;
    until(|| counts.receipts.load(Ordering::Relaxed) - receipts >= wanted).await?;
    if let Some((_, count)) = callback {
        until(|| count.load(Ordering::Relaxed) - callbacks >= 2 * wanted).await?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = process::cpu_seconds(server.pid())? - cpu;
    Ok(Delivery {
        #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
        rate: wanted as f64 / seconds,
        accept_rate: load.rate(),
        cpu_s_per_100k: per_100k(cpu, wanted),
        load,
    })
}

/// A server that starts with a long queue and no carrier.
async fn memory(options: &Options, data: &Path) -> anyhow::Result<()> {
    for queued in [options.queued / 10, options.queued] {
        let data = data.join(queued.to_string());
        preload(&data, queued, Rows::Queued, wall_ms())?;
        let config = Config {
            data: &data,
            smsc: 1,
            window: WINDOW,
        };
        let start = clock::now();
        let server = Server::start(&options.binary, &config).await?;
        let seconds = start.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (now, peak) = process::memory_mib(server.pid())?;
        println!(
            "{queued} messages queued: up in {seconds:.1} s, {now:.0} MiB, peak {peak:.0} MiB"
        );
        server.stop().await?;
        std::fs::remove_dir_all(&data)?;
    }
    Ok(())
}

/// Kannel and Postrider one after the other. Kannel calls one URL for each message; Postrider is
/// measured without callbacks and with two for each, so that the same work lies between.
async fn kannel(options: &Options, data: &Path) -> anyhow::Result<()> {
    let (callback, count) = receiver::start().await?;
    let (port, counts) = smsc::start().await?;
    let kannel = Kannel::start(&data.join("kannel"), port).await?;
    for _ in 0..50 {
        if kannel.is_up(callback).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Kannel answers long before it has sent; fewer messages keep the comparison short.
    let messages = options.messages.min(100_000);
    until(|| counts.submits.load(Ordering::Relaxed) > 0).await?;
    let cpu =
        || -> anyhow::Result<f64> { kannel.pids().into_iter().map(process::cpu_seconds).sum() };
    let before = cpu()?;
    let (receipts, reports) = (
        counts.receipts.load(Ordering::Relaxed),
        count.load(Ordering::Relaxed),
    );
    let start = clock::now();
    let load = http::load(
        &kannel.address,
        options.connections.min(64),
        messages,
        "202",
        kannel.message(callback),
    )
    .await?;
    let wanted = messages - load.refused;
    until(|| counts.receipts.load(Ordering::Relaxed) - receipts >= wanted).await?;
    let seconds = start.elapsed().as_secs_f64();
    until(|| count.load(Ordering::Relaxed) - reports >= wanted)
        .await
        .ok();
    let used = cpu()? - before;
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let rate = wanted as f64 / seconds;
    println!("Kannel, the same work, file store that it does not flush");
    println!(
        "  {rate:.0} messages/s end to end, {:.1} CPU s per 100,000 messages, accepted {:.0}/s, refused {}",
        per_100k(used, wanted),
        load.rate(),
        load.refused
    );
    drop(kannel);
    let runs = [
        ("no callback", None),
        ("two callbacks each", Some((callback, &*count))),
    ];
    for (what, callback) in runs {
        let folder = data.join("beside-kannel").join(what.replace(' ', "-"));
        let ours = deliver(options, &folder, callback).await?;
        print_delivery(&format!("Postrider beside it, {what}"), &ours);
        println!(
            "  ratio: {:.1} times Kannel's rate, {:.2} of its CPU per message",
            ours.rate / rate,
            ours.cpu_s_per_100k / per_100k(used, wanted)
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn per_100k(seconds: f64, messages: u64) -> f64 {
    seconds / (messages.max(1) as f64) * 100_000.0
}

/// Waits for a condition, ten minutes at most.
async fn until(condition: impl Fn() -> bool) -> anyhow::Result<()> {
    let mut waited = 0;
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        waited += 1;
        (waited < 120_000)
            .then_some(())
            .context("the work does not end within ten minutes")?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark's store needs plausible times"
)]
fn wall_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}
