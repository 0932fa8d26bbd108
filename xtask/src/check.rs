//! `cargo xtask check`: the whole of CI as a table of steps, cheapest first.
//!
//! A failing step stops the run and names itself, so that `cargo xtask check STEP` repeats only it.
//! The workspace is compiled in two profiles: dev for everything Rust tests, release once for the
//! suites that drive the binary from outside.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{command, execute, succeeds};
use crate::{install, tidy};

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&Path) -> Result<()>,
}

const STEPS: [Step; 12] = [
    Step {
        name: "fmt",
        what: "formatting",
        run: fmt,
    },
    Step {
        name: "tidy",
        what: "headers, file lengths, links, stray paths",
        run: tidy::run,
    },
    Step {
        name: "deny",
        what: "licences, bans and sources of dependencies",
        run: deny,
    },
    Step {
        name: "clippy",
        what: "lints, warnings are errors",
        run: clippy,
    },
    Step {
        name: "test",
        what: "unit and integration tests",
        run: test,
    },
    Step {
        name: "doc",
        what: "examples in documentation",
        run: doc,
    },
    Step {
        name: "fuzz",
        what: "the fuzz targets still compile",
        run: fuzz,
    },
    Step {
        name: "build",
        what: "the release binary",
        run: build,
    },
    Step {
        name: "sdk-python",
        what: "the official Python SDK against the binary",
        run: sdk_python,
    },
    Step {
        name: "sdk-node",
        what: "the official Node SDK against the binary",
        run: sdk_node,
    },
    Step {
        name: "smsc",
        what: "the binary against a foreign SMSC",
        run: smsc,
    },
    Step {
        name: "crash",
        what: "kill -9 under load, twice twenty times",
        run: crash,
    },
];

/// Prints the steps in the order in which they run.
pub(crate) fn list() {
    for step in &STEPS {
        println!("{:<11} {}", step.name, step.what);
    }
}

/// Runs the steps named, or all of them, and stops at the first failure. A name also stands for
/// every step that it begins, up to a dash: `sdk` is `sdk-python` and `sdk-node`.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<()> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !STEPS.iter().any(|step| is_named(step, name)))
    {
        bail!("there is no step `{unknown}`; `cargo xtask check --list` shows them");
    }
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| names.is_empty() || names.iter().any(|name| is_named(step, name)))
        .collect();

    let start = now();
    let mut took = Vec::new();
    for (number, step) in chosen.iter().enumerate() {
        println!(
            "\n=== {} ({}/{}): {}",
            step.name,
            number + 1,
            chosen.len(),
            step.what
        );
        let step_start = now();
        (step.run)(root).with_context(|| {
            format!(
                "step `{0}` failed; to run only it again: cargo xtask check {0}",
                step.name
            )
        })?;
        let duration = step_start.elapsed();
        println!("=== {} took {}", step.name, in_words(duration));
        took.push((step.name, duration));
    }

    println!("\nall of it took {}", in_words(start.elapsed()));
    for (name, duration) in &took {
        println!("  {name:<11} {:>8}", in_words(*duration));
    }
    println!("steps: {} passed, 0 failed", took.len());
    Ok(())
}

fn is_named(step: &Step, name: &str) -> bool {
    step.name
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn fmt(root: &Path) -> Result<()> {
    run_cargo(root, &["fmt", "--all", "--check"])
}

/// The advisory database lives on a host that CI may not reach, so advisories are left to the
/// contributor: `cargo deny check`. Compiling the tool here would cost minutes of every run.
fn deny(root: &Path) -> Result<()> {
    if !succeeds(&mut command(root, "cargo", &["deny", "--version"])) {
        println!("!!! SKIPPED: cargo-deny is not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    run_cargo(
        root,
        &["deny", "--locked", "check", "licenses", "bans", "sources"],
    )
}

fn clippy(root: &Path) -> Result<()> {
    run_cargo(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ],
    )
}

fn test(root: &Path) -> Result<()> {
    if succeeds(&mut command(root, "cargo", &["nextest", "--version"])) {
        run_cargo(
            root,
            &["nextest", "run", "--workspace", "--locked", "--cargo-quiet"],
        )
    } else {
        run_cargo(
            root,
            &[
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--locked",
                "--quiet",
            ],
        )
    }
}

fn doc(root: &Path) -> Result<()> {
    run_cargo(
        root,
        &["test", "--workspace", "--doc", "--locked", "--quiet"],
    )
}

/// Fuzzing takes a nightly toolchain and time, so it is a contributor's; here its targets are kept
/// alive. What they found, and short random runs, are property tests of the crates.
fn fuzz(root: &Path) -> Result<()> {
    run_cargo(
        root,
        &[
            "check",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target-dir",
            "target/fuzz",
            "--locked",
            "--quiet",
        ],
    )
}

fn build(root: &Path) -> Result<()> {
    run_cargo(
        root,
        &[
            "build",
            "--release",
            "--package",
            "postrider",
            "--locked",
            "--quiet",
        ],
    )
}

fn sdk_python(root: &Path) -> Result<()> {
    let binary = binary(root)?;
    pytest(root, &["tests/sdk/python"], |python| {
        python.env("POSTRIDER_BIN", &binary)
    })
}

fn sdk_node(root: &Path) -> Result<()> {
    let binary = binary(root)?;
    let modules = install::node(root, "tests/sdk/node")?;
    let mut suites: Vec<PathBuf> = std::fs::read_dir(root.join("tests/sdk/node"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    suites.retain(|path| path.to_string_lossy().ends_with(".test.js"));
    suites.sort();
    execute(
        command(root, "node", &["--test", "--test-reporter=spec"])
            .args(suites)
            .env("NODE_PATH", modules)
            .env("POSTRIDER_BIN", binary),
    )
}

fn smsc(root: &Path) -> Result<()> {
    let binary = binary(root)?;
    let modules = install::node(root, "tests/smsc/peer")?;
    pytest(root, &["tests/smsc"], |python| {
        python
            .env("POSTRIDER_BIN", &binary)
            .env("NODE_PATH", &modules)
    })
}

fn crash(root: &Path) -> Result<()> {
    let binary = binary(root)?;
    let modules = install::node(root, "tests/smsc/peer")?;
    let python = install::python(root)?;
    execute(
        command(root, python, &["tests/smsc/crash.py"])
            .env("POSTRIDER_BIN", binary)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NODE_PATH", modules),
    )
}

/// The release binary: built when missing or old, otherwise a moment of cargo's time.
fn binary(root: &Path) -> Result<PathBuf> {
    build(root)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    Ok(root.join(target).join("release/postrider"))
}

fn pytest(
    root: &Path,
    arguments: &[&str],
    with: impl for<'a> FnOnce(&'a mut Command) -> &'a mut Command,
) -> Result<()> {
    let python = install::python(root)?;
    let mut line = command(
        root,
        python,
        &["-m", "pytest", "--config-file=tests/pytest.ini"],
    );
    execute(with(
        line.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1"),
    ))
}

fn run_cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    execute(&mut command(root, "cargo", arguments))
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures real time for a person; nothing depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 60.. => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{:.1}s", duration.as_secs_f32()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_its_step_and_for_the_steps_below_it() {
        let chosen = |name: &str| -> Vec<&str> {
            STEPS
                .iter()
                .filter(|step| is_named(step, name))
                .map(|step| step.name)
                .collect()
        };
        assert_eq!(chosen("sdk"), ["sdk-python", "sdk-node"]);
        assert_eq!(chosen("sdk-node"), ["sdk-node"]);
        assert_eq!(chosen("do"), [""; 0], "half a word names nothing");
    }

    #[test]
    fn durations_are_read_by_people() {
        for (seconds, expected) in [
            (0.25, "0.2s"),
            (59.9, "59.9s"),
            (61.0, "1m 01s"),
            (725.0, "12m 05s"),
        ] {
            assert_eq!(in_words(Duration::from_secs_f64(seconds)), expected);
        }
    }
}
