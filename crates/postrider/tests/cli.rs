//! The binary as its users meet it: commands, what they print, and their exit codes.

#![expect(clippy::unwrap_used, reason = "a test that can't go on stops here")]

mod process;
mod reload;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use process::{Process, finish, finish_with};

#[test]
fn serve_says_where_it_listens_first_and_ends_with_0_on_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut serve = Process::start(&[
        "serve",
        "--data-dir",
        data.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    let first = serve.line();
    let url = first
        .strip_prefix("listening on http://")
        .expect("the line that others wait for");
    assert!(url.starts_with("127.0.0.1:"), "{url}");
    assert!(serve.line().starts_with("account sid: AC"));
    assert!(serve.line().starts_with("auth token:  "));

    assert_eq!(process::get(url, "/healthz").0, 200);
    process::eventually("ready", || process::get(url, "/readyz").0 == 200);
    let (status, metrics) = process::get(url, "/metrics");
    assert_eq!(status, 200);
    for metric in [
        "postrider_build_info{version=",
        "postrider_accepted_total 0",
        "# EOF",
    ] {
        assert!(metrics.contains(metric), "{metric}\n{metrics}");
    }

    // The data is this process's own.
    let account = ["account", "list", "--data-dir", data.to_str().unwrap()];
    let (code, _, stderr) = finish(&account);
    assert_eq!(code, 1);
    assert!(stderr.contains("in use by another process"), "{stderr}");

    assert_eq!(serve.stop(), 0);
    let (code, stdout, _) = finish(&account);
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stdout}");
}

#[test]
fn a_wrong_configuration_ends_with_2_and_names_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("postrider.toml");
    fs::write(
        &file,
        "[server]\nlisten = \"127.0.0.1:0\"\npublic_ulr = \"https://example.com\"\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let expected = "server.public_ulr: there is no such key; did you mean `public_url`?";

    let (code, stdout, stderr) = finish(&["serve", "--config", file]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains(expected), "{stderr}");

    let (code, stdout, _) = finish(&["check", "--config", file, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &report["is_usable"]), (2, &false.into()));
    assert_eq!(report["problems"][0], expected);

    // The configuration is sound, and the place it names is not.
    let config = format!("[store]\nurl = \"sqlite://{file}\"\n");
    let other = directory.path().join("other.toml");
    fs::write(&other, config).unwrap();
    let (code, stdout, _) = finish(&["check", "--config", other.to_str().unwrap()]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("is not a directory"), "{stdout}");
}

#[test]
fn the_first_account_has_the_credentials_of_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let sid = "AC0123456789abcdef0123456789abcdef";
    let serve = ["serve", "--data-dir", data, "--listen", "127.0.0.1:0"];
    let environment = [
        ("POSTRIDER_ACCOUNT_SID", sid),
        ("POSTRIDER_AUTH_TOKEN", "ATokenOfOurOwn1"),
    ];
    let mut process = Process::start_with(&serve, &environment);
    process.line();
    assert_eq!(process.line(), format!("account sid: {sid}"));
    assert_eq!(process.stop(), 0);
    let (_, stdout, _) = finish(&["account", "token", sid, "--data-dir", data]);
    assert!(stdout.contains("ATokenOfOurOwn1"), "{stdout}");

    // Columns: variable, value, what is said. A token is never shown, and SDKs take no other.
    for (variable, value, said) in [
        ("POSTRIDER_ACCOUNT_SID", "AC1", "given \"AC1\""),
        (
            "POSTRIDER_AUTH_TOKEN",
            "a-token",
            "expected ASCII letters and digits only",
        ),
        ("POSTRIDER_AUTH_TOKEN", "t\u{f6}ken", "expected ASCII"),
    ] {
        let (code, _, stderr) = finish_with(&serve, &[(variable, value)]);
        assert_eq!(code, 2, "{stderr}");
        let told = stderr
            .lines()
            .any(|line| line.contains(variable) && line.contains(said));
        assert!(told && !stderr.contains("a-token"), "{stderr}");
    }
}

/// The store opens its files while strangers hold every connection that they can get.
#[test]
fn connections_never_take_the_files_that_the_store_needs() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let sid = "AC0123456789abcdef0123456789abcdef";
    let environment = [
        ("POSTRIDER_ACCOUNT_SID", sid),
        ("POSTRIDER_AUTH_TOKEN", "secret"),
    ];
    let serve = ["serve", "--data-dir", data, "--listen", "127.0.0.1:0"];
    let mut process = Process::spawn(process::with_open_files(320, &serve, &environment));
    let first = process.line();
    let authority = first.strip_prefix("listening on http://").unwrap();
    let ours = TcpStream::connect(authority).unwrap();
    let address = authority.parse().unwrap();
    // The system holds some that nobody has taken yet, and then lets us wait.
    let others: Vec<_> = (0..400)
        .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok())
        .collect();
    let body = "To=%2B447700900199&From=ACME&Body=Hello";
    // The credentials above, in Base64.
    let credentials = "QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpzZWNyZXQ=";
    let (status, answer) = process::ask(
        ours,
        &format!(
            "POST /2010-04-01/Accounts/{sid}/Messages.json HTTP/1.1\r\nHost: {authority}\r\n\
             Authorization: Basic {credentials}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert_eq!(status, 201, "{answer}");
    drop(others);
    assert_eq!(process.stop(), 0);
}

#[test]
fn check_says_when_too_few_files_may_be_open() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../postrider.example.toml");
    let mut check = process::with_open_files(1_024, &["check", "--config", example], &[]);
    let output = check.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    let note = "note     the system allows 1024 open files and connections";
    assert!(stdout.contains(note), "{stdout}");
}

#[test]
fn check_finds_the_example_usable() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../postrider.example.toml");
    let (code, stdout, stderr) = finish(&["check", "--config", example]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("BUILT-IN SIMULATOR"), "{stdout}");
}

#[test]
fn misuse_ends_with_2() {
    for arguments in [&["serve"][..], &["fly"], &["account", "token", "AC1"]] {
        assert_eq!(finish(arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn accounts_are_made_listed_and_renewed_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let (code, _, stderr) = finish(&["account", "list", "--data-dir", data]);
    assert_eq!(code, 1);
    assert!(stderr.contains("there is no Postrider data"), "{stderr}");

    let json = |arguments: &[&str]| -> serde_json::Value {
        let (code, stdout, stderr) = finish(&[arguments, &["--data-dir", data, "--json"]].concat());
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).unwrap()
    };
    let made = json(&["account", "create", "--friendly-name", "shop"]);
    let sid = made["account_sid"].as_str().unwrap();
    let listed = json(&["account", "list"]);
    assert_eq!(listed[0]["sid"], sid);
    assert_eq!(listed[0]["friendly_name"], "shop");
    assert_eq!(
        json(&["account", "token", sid])["auth_token"],
        made["auth_token"]
    );
    let renewed = json(&["account", "token", sid, "--renew"]);
    assert_ne!(renewed["auth_token"], made["auth_token"]);
    assert_eq!(
        json(&["account", "token", sid])["auth_token"],
        renewed["auth_token"]
    );
}

#[test]
fn run_gives_a_command_a_server_and_passes_its_code_on() {
    let script = "test -n \"$TWILIO_ACCOUNT_SID\" && test -n \"$TWILIO_AUTH_TOKEN\" \
                  && echo \"$POSTRIDER_URL\" && exit 7";
    let (code, stdout, stderr) = finish(&["run", "--", "sh", "-c", script]);
    assert_eq!(code, 7, "{stderr}");
    assert!(stdout.starts_with("http://127.0.0.1:"), "{stdout}");
}

#[test]
fn dev_shows_a_dozen_deliveries_and_stays_up() {
    let mut dev = Process::start(&["dev", "--listen", "127.0.0.1:0"]);
    let mut delivered = 0;
    let mut undelivered = 0;
    let mut told = Vec::new();
    let url = loop {
        let line = dev.line();
        told.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
        if let Some(url) = line.strip_prefix("URL ") {
            break url.trim().trim_start_matches("http://").to_owned();
        }
        delivered += usize::from(line.contains("→ sent → delivered "));
        undelivered += usize::from(line.contains("→ undelivered 30003"));
    };
    assert_eq!((delivered, undelivered), (12, 1));
    let story = "+447700900199 accepted → ACME (alpha sender: GB supports it) → sent → delivered \
                 1 segment GSM-7 ";
    let is_told = |line: &String| line.starts_with(story) && line.ends_with(" ms");
    assert!(told.iter().any(is_told), "{told:#?}");
    assert_eq!(process::get(&url, "/readyz").0, 200);
    assert_eq!(dev.stop(), 0);
}

/// What an explanation says is tested where it is made; this is the way to it.
#[test]
fn explain_finds_the_server_and_says_what_it_answers() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let mut serve = Process::start(&["serve", "--data-dir", data, "--listen", "127.0.0.1:0"]);
    let url = serve.line().replace("listening on ", "");
    let message = "SM0123456789abcdef0123456789abcdef";
    let other = something_else();
    let service = "MG0123456789abcdef0123456789abcdef";
    // Columns: arguments, what is said.
    for (arguments, expected) in [
        (
            &[message, "--data-dir", data, "--url", &url][..],
            "was not found (20404)",
        ),
        (
            &[
                "--to",
                "+14155550199",
                "--service",
                service,
                "--data-dir",
                data,
                "--url",
                &url,
            ],
            "does not exist (21701)",
        ),
        (
            &[message, "--data-dir", data, "--url", &other],
            "is no Postrider",
        ),
        (&[message, "--url", &url], "say who asks"),
        (
            &[message, "--data-dir", data, "--url", "http://127.0.0.1:1"],
            "no server answers",
        ),
        (
            &[message, "--data-dir", directory.path().to_str().unwrap()],
            "no Postrider data",
        ),
    ] {
        let line: Vec<_> = ["explain"].iter().chain(arguments).copied().collect();
        let (code, stdout, stderr) = finish(&line);
        assert_eq!((code, stdout.as_str()), (1, ""), "{line:?}");
        assert!(stderr.contains(expected), "{line:?}: {stderr}");
    }
    assert_eq!(serve.stop(), 0);
}

/// A server of another kind, which answers everything with a page.
fn something_else() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut connection = connection;
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    url
}
