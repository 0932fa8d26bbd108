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
    let lines: Vec<_> = text.lines().map(printable).collect();
    let _ = writeln!(io::stderr().lock(), "postrider: {}", lines.join("\n"));
}

/// A line that may hold what came from outside, fit for a terminal.
pub(crate) fn printable(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '\'' | '"' | '\\' => text.push(character),
            _ => text.extend(character.escape_debug()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_but_text() {
        for (line, expected) in [
            ("it's \"ACME\" → a\\b", "it's \"ACME\" → a\\b"),
            ("\u{1b}]0;pwn\u{7}", "\\u{1b}]0;pwn\\u{7}"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(printable(line), expected);
        }
    }
}
