//! `postrider serve`: the server, from its start to its end.

use anyhow::Context;
use postrider_engine::Engine;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Serve, Source};
use crate::config::{Config, Unusable};
use crate::ending::Opened;
use crate::first_account::{FirstAccount, Made};
use crate::stop::{Reason, Stop, give_up};
use crate::wiring::{Postrider, listen};
use crate::{DONE, output, reload};

pub(crate) async fn serve(arguments: &Serve, opened: &Opened) -> anyhow::Result<u8> {
    let mut config = read(&arguments.source)?;
    let first_account = FirstAccount::of_environment()?;
    if let Some(address) = &arguments.listen {
        config.server.listen.clone_from(address);
    }
    for note in notes(&config) {
        tracing::warn!("{note}");
    }
    let listener = listen(&config.server.listen).await?;
    let mut hang_up = signal(SignalKind::hangup()).context("can't listen for signals")?;
    let prepare = async |engine: &Engine| {
        let stop = Stop::listen(engine)?;
        Ok((stop, first_account.ensure(engine).await?))
    };
    let (mut postrider, (mut stop, made)) =
        Postrider::start(&config, listener, None, opened, prepare).await?;
    output::line(format!("listening on {}", postrider.url));
    if let Some(account) = made {
        announce(&account);
    }
    let reason = loop {
        tokio::select! {
            reason = stop.reason() => break reason,
            _ = hang_up.recv() => {
                // A stop does not wait for a long table of networks to be read.
                tokio::select! {
                    reason = stop.reason() => break reason,
                    () = reload::reload(&arguments.source, &config, &mut postrider) => {}
                }
            }
        }
    };
    match reason {
        Reason::Failed(reason) => Ok(give_up(&reason)),
        Reason::Signal(signal) => {
            tracing::info!(signal, "stopping: finishing what is in flight");
            Ok(stop.finish(postrider.stop(), DONE).await)
        }
    }
}

/// The settings of a command that takes either a file or a directory.
pub(crate) fn read(source: &Source) -> Result<Config, Unusable> {
    match (&source.config, &source.data_dir) {
        (Some(file), _) => Config::of_file(file),
        (None, Some(directory)) => Config::of_directory(directory),
        // The command line demands one of the two.
        (None, None) => Config::of_directory(std::path::Path::new("data")),
    }
}

/// What the operator should know of a configuration that works.
pub(crate) fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    if config.carriers.is_empty() {
        notes.push(
            "no [[carriers]]: EVERY MESSAGE GOES TO THE BUILT-IN SIMULATOR, none to a real phone"
                .to_owned(),
        );
    }
    if config.links != crate::config::Links::default() {
        notes
            .push("[links] is not used yet: short links are not served by this version".to_owned());
    }
    notes
}

fn announce(account: &Made) {
    output::line(format!("account sid: {}", account.sid));
    if account.is_generated {
        output::line(format!("auth token:  {}", account.token));
        output::line("(printed this once; `postrider account token` prints it again)");
    }
}
