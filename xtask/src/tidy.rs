//! `cargo xtask tidy`: promises about the tree that neither compiler nor clippy can keep.
//!
//! Each rule is a pure function from one file's path and text to complaints, so that the table of
//! tests below reads as the list of rules. Only files that git knows or would add are looked at.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command::command;

/// Lines a Rust file may have before it must be split, or argue for its place in the list below.
const LINES_MAX: usize = 800;

/// Files that may be longer, each with the reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// Paths that exist on one machine only. Spelled in halves, so that this file passes its own rule.
const MACHINE_PATHS: [&str; 4] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
];

/// Settings that bind a package client to one registry: they belong to the machine, not to the tree.
const REGISTRY_SETTINGS: [&str; 5] = [
    concat!("index", "-url"),
    concat!("--reg", "istry"),
    concat!("npm_config", "_registry"),
    concat!("replace", "-with"),
    concat!("\"reso", "lved\":"),
];

const TEXT_ENDINGS: [&str; 12] = [
    "rs", "md", "toml", "py", "js", "json", "sh", "txt", "ini", "sql", "yml", "html",
];

/// Checks the whole tree and reports every complaint at once.
pub(crate) fn run(root: &Path) -> Result<()> {
    let paths = tracked_paths(root)?;
    let mut complaints = Vec::new();
    let mut read = 0;
    for path in paths.iter().filter(|path| is_text(path)) {
        // A path that git still lists may be gone from the work tree.
        let Ok(text) = std::fs::read_to_string(root.join(path)) else {
            continue;
        };
        read += 1;
        complaints.extend(complaints_about(path, &text, |target| {
            root.join(target).exists()
        }));
    }
    if !complaints.is_empty() {
        bail!(
            "{}\ntidy: {} to mend",
            complaints.join("\n"),
            complaints.len()
        );
    }
    println!("tidy: {read} files are in order");
    Ok(())
}

fn complaints_about(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    match ending(path) {
        Some("rs") => {
            found.extend(header(text));
            found.extend(length(path, text));
        }
        Some("md") => found.extend(broken_links(path, text, exists)),
        _ => {}
    }
    if path == "CHANGELOG.md" {
        found.extend(unreleased(text));
    }
    found.extend(stray_lines(text));
    found
        .into_iter()
        .map(|complaint| format!("{path}{complaint}"))
        .collect()
}

fn header(text: &str) -> Option<String> {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
    let has_header = first.is_some_and(|line| line.starts_with("//!"));
    (!has_header).then(|| ": opens with a `//!` header that says what the file is for".into())
}

fn length(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let is_long = lines > LINES_MAX && !LONG_FILES.iter().any(|(long, _)| *long == path);
    is_long.then(|| format!(": {lines} lines, more than {LINES_MAX}: one file is one idea"))
}

fn unreleased(text: &str) -> Option<String> {
    let has_section = text
        .lines()
        .any(|line| line.starts_with("## ") && line.contains("Unreleased"));
    (!has_section).then(|| ": needs a section `## Unreleased`".into())
}

/// Lines that name a machine, a registry, or work that nobody has taken on.
fn stray_lines(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut complain = |what: String| found.push(format!(":{}: {what}", number + 1));
        if let Some(path) = MACHINE_PATHS.iter().find(|path| names_path(line, path)) {
            complain(format!("`{path}` is a path of one machine"));
        }
        if let Some(setting) = REGISTRY_SETTINGS
            .iter()
            .find(|setting| line.contains(**setting))
        {
            complain(format!(
                "`{setting}` binds the tree to one package registry"
            ));
        }
        if line.contains(concat!("TO", "DO")) && !names_issue(line) {
            complain(concat!("a TO", "DO names its issue (#12), or is done, or goes").into());
        }
    }
    found
}

/// Whether `path` stands in the line as the beginning of an absolute path.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '/'))
    })
}

fn names_issue(line: &str) -> bool {
    line.split('#')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Relative links of a Markdown page whose target does not exist.
fn broken_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    let mut is_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        for target in link_targets(line) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let is_there = match file.strip_prefix('/') {
                Some(from_root) => exists(from_root),
                None => resolve(folder, file).is_some_and(|resolved| exists(&resolved)),
            };
            if !is_there {
                found.push(format!(
                    ":{}: the link to `{file}` leads nowhere",
                    number + 1
                ));
            }
        }
    }
    found
}

fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ']).next()?;
        Some(target.trim_matches(['<', '>']))
    })
}

/// `file` as seen from `folder`, both relative to the root; `None` when it climbs out of the tree.
fn resolve(folder: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn tracked_paths(root: &Path) -> Result<BTreeSet<String>> {
    let listed = command(
        root,
        "git",
        &[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    )
    .output()
    .context("tidy needs git")?;
    if !listed.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    }
    let text = String::from_utf8(listed.stdout).context("a path that is not UTF-8")?;
    Ok(text
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect())
}

fn is_text(path: &str) -> bool {
    ending(path).is_some_and(|ending| TEXT_ENDINGS.contains(&ending)) || path.starts_with(".ci/")
}

fn ending(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, ending)| ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row per rule: file, its text, and a piece of the complaint, or "" when it is in order.
    #[test]
    fn every_rule_bites_and_none_bites_wrongly() {
        let long = format!("//! Header.\n{}", "\n".repeat(LINES_MAX));
        let table: &[(&str, &str, &str)] = &[
            ("a.rs", "//! Says what it is.\nfn a() {}\n", ""),
            ("a.rs", "\n//! A blank line before is harmless.\n", ""),
            ("a.rs", "use std::fmt;\n", "`//!` header"),
            ("a.rs", "", "`//!` header"),
            ("a.rs", &long, "more than 800"),
            ("a.py", "\n", ""),
            (
                "docs/a.md",
                "[b](b.md) [c](../README.md#top) [d](https://example.com) [e](#e)",
                "",
            ),
            ("docs/a.md", "see [c](c.md)", ":1: the link to `c.md`"),
            ("docs/a.md", "see [c](../../c.md)", "leads nowhere"),
            ("docs/a.md", "```\n[c](c.md)\n```", ""),
            ("docs/a.md", "[root](/README.md)", ""),
            ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n", ""),
            ("CHANGELOG.md", "# Changelog\n\n## 0.1.0\n", "Unreleased"),
            (
                "a.toml",
                concat!("dir = \"/ro", "ot/x\""),
                "path of one machine",
            ),
            ("a.toml", concat!("dir = \"frame", "wo", "rk/x\""), ""),
            (
                "a.py",
                concat!("url = base + \"https://x.example/ho", "me/\""),
                "",
            ),
            ("a.txt", concat!("--index", "-url=x"), "package registry"),
            ("a.js", concat!("// TO", "DO: later"), "names its issue"),
            ("a.js", concat!("// TO", "DO(#12): later"), ""),
        ];
        let exists = |path: &str| ["docs/b.md", "README.md"].contains(&path);
        for (path, text, expected) in table {
            let complaints = complaints_about(path, text, exists).join("\n");
            if expected.is_empty() {
                assert_eq!(complaints, "", "{path}: {text:.60}");
            } else {
                assert!(
                    complaints.contains(expected),
                    "{path}: {text:.60}: {complaints:?}"
                );
            }
        }
    }
}
