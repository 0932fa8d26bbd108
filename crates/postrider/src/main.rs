//! Postrider: self-hosted Messaging Services that speak Twilio's API.
//!
//! The binary decides nothing. It reads the command line ([`cli`]) and the configuration
//! ([`config`]), makes every part and gives it to the others ([`wiring`]), and says what happened.
//! One file for each command: `dev`, `serve`, `check`, `account`, `explain`,
//! `receipts`, `run`.

mod cli;
mod config;
mod output;
mod telemetry;

mod clock;
mod ending;
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
mod explain;
mod receipts;
mod run;

use std::process::ExitCode;

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
        | Command::Explain(_)
        | Command::Receipts(_)
        | Command::Check(_) => "warn",
        Command::Serve(_) => "info",
    };
    telemetry::start_log(common, default_level)?;
    match command {
        Command::Dev(arguments) => ending::run(async |opened| dev::dev(&arguments, opened).await),
        Command::Serve(arguments) => {
            ending::run(async |opened| serve::serve(&arguments, opened).await)
        }
        Command::Check(arguments) => check::check(&arguments, common.json),
        Command::Account(arguments) => account::account(&arguments, common.json),
        Command::Explain(arguments) => explain::explain(&arguments, common.json),
        Command::Receipts(arguments) => receipts::receipts(&arguments, common.json),
        Command::Run(arguments) => ending::run(async |opened| run::run(&arguments, opened).await),
    }
}
