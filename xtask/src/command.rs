//! Running other programs: echoed before they run, and an error that names them when they fail.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A command in `directory`, written as on a command line: `program`, then its arguments.
pub(crate) fn command(directory: &Path, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(directory);
    command
}

/// Runs to the end with our own stdout and stderr; a failure names the command line.
pub(crate) fn execute(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    println!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("could not start: {line}"))?;
    if !status.success() {
        bail!("{line}\n  ended with {status}");
    }
    Ok(())
}

/// As [`execute`], once more when it fails: for downloads, whose failures are often passing ones.
pub(crate) fn execute_twice(command: &mut Command) -> Result<()> {
    execute(command).or_else(|error| {
        println!("failed, trying once more: {error:#}");
        execute(command)
    })
}

/// Whether the command can be run and ends well; prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn line_of(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(std::ffi::OsStr::to_string_lossy));
    words.join(" ")
}
