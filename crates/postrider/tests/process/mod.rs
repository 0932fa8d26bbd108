//! The binary as a process: started, listened to with a time limit, stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// For anything to happen, on a machine that does much else.
const PATIENCE: Duration = Duration::from_mins(1);

const BINARY: &str = env!("CARGO_BIN_EXE_postrider");

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    prepared(Command::new(BINARY), arguments, environment)
}

/// The binary, which may have so many files open and no more.
pub(crate) fn with_open_files(
    limit: u32,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
    shell.arg(BINARY);
    prepared(shell, arguments, environment)
}

fn prepared(mut command: Command, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
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
        Self::spawn(command(arguments, environment))
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
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

    /// Sends a signal, as `kill` writes it.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(killed.success());
    }

    /// Sends SIGTERM; returns the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("-TERM");
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

/// Who asks.
pub(crate) struct Account {
    pub(crate) sid: &'static str,
    pub(crate) token: &'static str,
    /// Both, joined by a colon, in base64.
    pub(crate) basic: &'static str,
}

/// One HTTP request, without credentials: status and body.
pub(crate) fn get(authority: &str, path: &str) -> (u16, String) {
    send(authority, &format!("GET {path} HTTP/1.1"), "", "")
}

pub(crate) fn get_as(authority: &str, path: &str, account: &Account) -> (u16, String) {
    let headers = format!("Authorization: Basic {}\r\n", account.basic);
    send(authority, &format!("GET {path} HTTP/1.1"), &headers, "")
}

/// Sends a form.
pub(crate) fn post(authority: &str, path: &str, account: &Account, form: &str) -> (u16, String) {
    let headers = format!(
        "Authorization: Basic {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n",
        account.basic,
        form.len()
    );
    send(authority, &format!("POST {path} HTTP/1.1"), &headers, form)
}

fn send(authority: &str, line: &str, headers: &str, body: &str) -> (u16, String) {
    let request =
        format!("{line}\r\nHost: {authority}\r\nConnection: close\r\n{headers}\r\n{body}");
    ask(TcpStream::connect(authority).unwrap(), &request)
}

/// Sends a request whose answer closes the connection: status and answer.
pub(crate) fn ask(mut stream: TcpStream, request: &str) -> (u16, String) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, body.to_owned())
}

/// Asks until it holds. Each question takes its time, so nothing sleeps.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let attempts = 10_000;
    assert!((0..attempts).any(|_| holds()), "never {what}");
}
