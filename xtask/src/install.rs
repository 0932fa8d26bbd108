//! What the outside suites need and a fresh machine lacks, put below `target/outside/`.
//!
//! Each function is cheap when its work is already done: a copy of the requirements is kept beside
//! what was installed from them, and only a difference installs again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{command, execute, execute_twice, succeeds};

/// A Python virtual environment holding `tests/requirements.txt`; returns its interpreter.
pub(crate) fn python(root: &Path) -> Result<PathBuf> {
    let environment = root.join("target/outside/python");
    let interpreter = environment.join("bin/python");
    let wanted = read(&root.join("tests/requirements.txt"))?;
    let stamp = environment.join("installed-requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(interpreter);
    }

    println!("installing the Python packages of tests/requirements.txt");
    need_program("python3", "the Python suites")?;
    if !succeeds(&mut command(
        root,
        "python3",
        &["-c", "import venv, ensurepip"],
    )) {
        apt(root, "python3-venv")?;
    }
    fs::create_dir_all(&environment)?;
    execute(command(root, "python3", &["-m", "venv", "--clear"]).arg(&environment))?;
    execute_twice(&mut command(
        root,
        &interpreter,
        &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            "tests/requirements.txt",
        ],
    ))?;
    fs::write(stamp, wanted)?;
    Ok(interpreter)
}

/// The npm packages of `PROJECT/package.json`; returns the folder to name in `NODE_PATH`.
pub(crate) fn node(root: &Path, project: &str) -> Result<PathBuf> {
    let folder = root
        .join("target/outside/node")
        .join(project.replace('/', "-"));
    let modules = folder.join("node_modules");
    let wanted = read(&root.join(project).join("package.json"))?;
    let stamp = folder.join("installed-package.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(modules);
    }

    println!("installing the npm packages of {project}/package.json");
    need_program("node", "the Node suites and the SMSC peer")?;
    need_program("npm", "the Node suites and the SMSC peer")?;
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("package.json"), &wanted)?;
    execute_twice(&mut command(
        &folder,
        "npm",
        &[
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
        ],
    ))?;
    fs::write(stamp, wanted)?;
    Ok(modules)
}

fn apt(root: &Path, package: &str) -> Result<()> {
    println!("installing {package} with apt-get");
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n");
    let apt_get = |arguments: &[&str]| {
        let mut line = if is_root { vec![] } else { vec!["sudo"] };
        line.push("apt-get");
        line.extend(arguments);
        execute_twice(command(root, line[0], &line[1..]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", package])
}

fn need_program(program: &str, user: &str) -> Result<()> {
    if !succeeds(Command::new(program).arg("--version")) {
        bail!("{user} need `{program}` on the PATH, and it is not there");
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
