//! A thousand seeds, each a whole life of the engine. A failing seed is printed; run it alone with
//! `SIM_SEED=<seed> cargo test -p postrider-sim`.

use std::panic;

use postrider_sim::run;

/// How many seeds a run takes unless `SIM_SEEDS` says otherwise.
const SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a whole number"))
}

#[test]
fn every_promise_holds_on_every_seed() {
    if let Some(seed) = number("SIM_SEED") {
        println!("seed {seed}: {:?}", run(seed));
        return;
    }
    let seeds = number("SIM_SEEDS").unwrap_or(SEEDS);
    let mut failed = Vec::new();
    let mut duplicates = 0;
    let mut crashes = 0;
    let mut stops = 0;
    let mut messages = 0;
    let mut confused = 0;
    for seed in 0..seeds {
        let Ok(report) = panic::catch_unwind(|| run(seed)) else {
            eprintln!("seed {seed} failed: SIM_SEED={seed} cargo test -p postrider-sim");
            failed.push(seed);
            continue;
        };
        duplicates += report.duplicates;
        crashes += report.crashes;
        stops += report.stops;
        messages += report.messages;
        confused += report.confused;
    }
    println!(
        "{seeds} seeds: {messages} messages, {crashes} crashes, {stops} stops, {duplicates} declared \
         duplicates, {confused} confused"
    );
    assert_eq!(failed, Vec::<u64>::new(), "seeds that broke a promise");
    // What can't be told apart is rare, or it is guessed badly.
    assert!(
        confused <= 2 + messages / 10_000,
        "{confused} were confused"
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [1, 17, 400] {
        assert_eq!(run(seed), run(seed));
    }
}
