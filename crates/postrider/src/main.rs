//! Postrider: self-hosted Messaging Services that speak Twilio's API.
//!
//! The binary decides nothing. It reads the command line ([`cli`]) and the configuration
//! ([`config`]), makes every part and gives it to the others ([`wiring`]), and says what happened.
//! One file for each command: `dev`, `serve`, `check`, `account`, `receipts`,
//! `run`.

mod cli;
mod config;
mod output;
mod telemetry;

mod clock;
mod first_account;
mod instance_key;
mod open_files;
mod sdk_proxy;
mod simulator_control;
mod wiring;

mod reload;
mod serve;
mod stop;

mod account;
mod check;
mod dev;
mod receipts;
mod run;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::cli::{Cli, Command, Common};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Done, failed, misused: the exit codes of every command.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let Cli { command, common } = Cli::parse();
    let code = run(command, &common).unwrap_or_else(|error| {
        output::error(&format!("{error:#}"));
        if error.is::<config::Unusable>() {
            MISUSED
        } else {
            FAILED
        }
    });
    ExitCode::from(code)
}

fn run(command: Command, common: &Common) -> anyhow::Result<u8> {
    let default_level = match command {
        // Their output is for people; the log only disturbs.
        Command::Dev(_)
        | Command::Run(_)
        | Command::Account(_)
        | Command::Receipts(_)
        | Command::Check(_) => "warn",
        Command::Serve(_) => "info",
    };
    telemetry::start_log(common, default_level)?;
    match command {
        Command::Dev(arguments) => runtime()?.block_on(dev::dev(&arguments)),
        Command::Serve(arguments) => runtime()?.block_on(serve::serve(&arguments)),
        Command::Check(arguments) => check::check(&arguments, common.json),
        Command::Account(arguments) => account::account(&arguments, common.json),
        Command::Receipts(arguments) => receipts::receipts(&arguments, common.json),
        Command::Run(arguments) => runtime()?.block_on(run::run(&arguments)),
    }
}

/// One worker for each core.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .build()
        .context("can't start worker threads")
}
