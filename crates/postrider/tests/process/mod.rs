//! The binary as a process: started, listened to with a time limit, stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// For anything to happen, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args(arguments).stdin(Stdio::null());
    for variable in ["RUST_LOG", "POSTRIDER_ACCOUNT_SID", "POSTRIDER_AUTH_TOKEN"] {
        command.env_remove(variable);
    }
    command.envs(environment.iter().copied());
    command
}

/// Runs a command to its end: exit code, stdout, stderr.
pub(crate) fn finish(arguments: &[&str]) -> (i32, String, String) {
    finish_with(arguments, &[])
}

pub(crate) fn finish_with(
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (i32, String, String) {
    let output = command(arguments, environment).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A process that goes on until it is stopped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = command(arguments, environment)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = sync_channel(1_000);
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if to.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line on stdout.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line on stdout")
    }

    /// Sends SIGTERM; returns the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(killed.success());
        // Its stdout closes when it ends.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.try_wait().unwrap();
        self.child.wait().unwrap().code().expect("an exit code")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One HTTP request, without credentials: status and body.
pub(crate) fn get(authority: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// Asks until it holds. Each question takes its time, so nothing sleeps.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let attempts = 10_000;
    assert!((0..attempts).any(|_| holds()), "never {what}");
}
