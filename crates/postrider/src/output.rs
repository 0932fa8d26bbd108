//! Results on stdout. A reader that has gone away (`| head`) is no failure.

use std::io::{self, Write};

use serde::Serialize;

/// Prints one line.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.as_ref());
    let _ = stdout.flush();
}

/// Prints a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints what made a command fail, on stderr.
pub(crate) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "postrider: {text}");
}
