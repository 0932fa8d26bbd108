//! `postrider run -- COMMAND`: a throw-away server for the time that a command takes.
//!
//! The command needs no change: its SDK finds us as its proxy.

use std::process::ExitStatus;

use anyhow::Context;
use postrider_engine::Engine;
use tokio::process::Command;

use crate::cli::Run;
use crate::config::Config;
use crate::ending::Opened;
use crate::stop::{Reason, Stop, give_up};
use crate::wiring::{Postrider, listen};
use crate::{FAILED, dev, sdk_proxy};

pub(crate) async fn run(arguments: &Run, opened: &Opened) -> anyhow::Result<u8> {
    let (program, words) = arguments
        .command
        .split_first()
        .context("no command given")?;
    let directory = tempfile::tempdir().context("can't make a temporary directory")?;
    let config = dev::local(Config::of_directory(directory.path())?);
    let (door, trust) = sdk_proxy::of_directory(directory.path())?;
    let listener = listen("127.0.0.1:0").await?;
    let prepare = async |engine: &Engine| {
        let made = engine.create_main_account(None, None, "run").await;
        made.context("can't make an account")
    };
    let (postrider, (account, token)) =
        Postrider::start(&config, listener, Some(door), opened, prepare).await?;
    let mut stop = Stop::listen(&postrider.engine)?;
    let mut child = Command::new(program)
        .args(words)
        .env("POSTRIDER_URL", &postrider.url)
        .env("TWILIO_ACCOUNT_SID", account.sid.to_string())
        .env("TWILIO_AUTH_TOKEN", token)
        .envs(trust.environment(&postrider.url))
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("can't run {}", program.display()))?;
    let code = loop {
        tokio::select! {
            status = child.wait() => break exit_code(status?),
            reason = stop.reason() => match reason {
                // A terminal has sent it to the command too, which ends as it likes.
                Reason::Signal("SIGINT") => {}
                Reason::Signal(_) => child.start_kill()?,
                Reason::Failed(reason) => return Ok(give_up(&reason)),
            },
        }
    };
    Ok(stop.finish(postrider.stop(), code).await)
}

/// The command's own code, or 128 and the signal that killed it, as shells have it.
fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(FAILED)
}
