//! `cargo xtask`: the project's chores, so that CI and a contributor run exactly the same ones.
//!
//! `check` is everything CI does, step by step; `tidy` is the part of it that guards what neither
//! the compiler nor clippy can see. Plain Rust over the tools of a fresh machine: Rust, Python 3,
//! Node and apt. Whatever else a step needs it installs below `target/`.

#![expect(clippy::print_stdout, reason = "a command-line tool talks on stdout")]

mod check;
mod command;
mod install;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask check [STEP...]   all of CI, or only the steps named
       cargo xtask check --list      the steps, in order
       cargo xtask tidy              headers, file lengths, links, stray paths
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["check", "--list"] => {
            check::list();
            Ok(())
        }
        ["check", steps @ ..] => check::run(&root(), steps),
        ["tidy"] => tidy::run(&root()),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("unknown command: {}\n\n{USAGE}", words.join(" "));
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace root: the parent of this crate's own folder.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .expect("xtask lies one level below the workspace root")
        .to_path_buf()
}
