//! `postrider check`: is this configuration usable here? Nothing is started and nothing is changed.

use std::fs::{File, TryLockError};
use std::path::Path;

use postrider_engine::networks::Table;
use postrider_store::sqlite::Options;
use serde::Serialize;

use crate::cli::Check;
use crate::config::{Carrier, Config};
use crate::{DONE, FAILED, MISUSED, instance_key, open_files, output, serve, wiring};

/// What was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    is_usable: bool,
    /// Any of these keeps Postrider from starting, or from working.
    problems: Vec<String>,
    notes: Vec<String>,
}

pub(crate) fn check(arguments: &Check, is_json: bool) -> anyhow::Result<u8> {
    let mut report = Report::default();
    // As `serve` would end with this configuration: what is wrong in it is misuse, what is wrong
    // with the machine is a failure.
    let code_of_problems = match Config::of_file(&arguments.config) {
        Ok(config) => {
            look(&config, &mut report);
            FAILED
        }
        Err(unusable) => {
            report.problems = unusable.problems;
            MISUSED
        }
    };
    report.is_usable = report.problems.is_empty();
    if is_json {
        output::json(&report)?;
    } else {
        report
            .notes
            .iter()
            .for_each(|note| output::line(format!("note     {note}")));
        report
            .problems
            .iter()
            .for_each(|problem| output::line(format!("problem  {problem}")));
        let verdict = if report.is_usable {
            "is usable"
        } else {
            "cannot be used"
        };
        output::line(format!("{} {verdict}", arguments.config.display()));
    }
    Ok(if report.is_usable {
        DONE
    } else {
        code_of_problems
    })
}

fn look(config: &Config, report: &mut Report) {
    report.notes = serve::notes(config);
    report
        .notes
        .extend(wiring::carriers(config).iter().map(describe));
    report
        .notes
        .extend(open_files::warning(config, open_files::limit()));
    if let Some(path) = &config.networks.table {
        match Table::of_file(path, 0) {
            Ok(table) => report.notes.push(format!(
                "networks.table {}: {} rows",
                path.display(),
                table.len()
            )),
            Err(problem) => report
                .problems
                .push(format!("networks.table {}: {problem}", path.display())),
        }
    }
    // Already checked: there is one.
    if let Some(directory) = config.store.directory() {
        look_at_store(&directory, &wiring::store_options(config), report);
    }
}

fn describe(carrier: &Carrier) -> String {
    let name = carrier.name();
    match carrier {
        Carrier::Smpp(config) => {
            let (sessions, host, port) = (config.sessions, &config.host, config.port);
            let tls = if config.tls.is_some() {
                ", over TLS"
            } else {
                ""
            };
            format!("carrier {name}: {sessions} SMPP sessions with {host}:{port}{tls}")
        }
        Carrier::Simulator(_) => format!("carrier {name}: simulated"),
    }
}

fn look_at_store(directory: &Path, options: &Options, report: &mut Report) {
    let shown = directory.display();
    if !directory.is_dir() {
        if directory.exists() {
            report
                .problems
                .push(format!("store.url: {shown} is not a directory"));
        } else {
            report.notes.push(format!(
                "store {shown} does not exist yet and will be created"
            ));
        }
        return;
    }
    let has_settings = directory.join("control.db").exists();
    if has_settings && !directory.join(instance_key::FILE).exists() {
        report.problems.push(format!(
            "store.url: {shown} holds data, but not its {}: bring it back from the backup",
            instance_key::FILE
        ));
    }
    let is_running = is_locked(&directory.join("lock"));
    if is_running {
        report
            .notes
            .push(format!("store {shown} is in use by a running process"));
    }
    // A running one may have its log already, and says in /readyz whether it has room.
    let needed = if is_running {
        options.reserve_bytes
    } else {
        options.needed_bytes()
    };
    match options.disk_space.free_bytes(directory) {
        Ok(free) if free <= needed => report.problems.push(format!(
            "store.url: {} MiB are free in {shown}, not more than the {} MiB of store.reserve_mib and \
             the store's log: every message will be refused",
            free >> 20,
            needed >> 20
        )),
        Ok(free) => report.notes.push(format!("store {shown}: {} MiB are free", free >> 20)),
        Err(error) => report.problems.push(format!("store.url: can't look at {shown}: {error}")),
    }
}

fn is_locked(lock: &Path) -> bool {
    let file = File::open(lock);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
