//! SIGHUP as an operator meets it: carriers come and go, and no message is lost or refused; what is
//! known of networks is read again.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{self, Account, Process};

const ACCOUNT: Account = Account {
    sid: "AC0123456789abcdef0123456789abcdef",
    token: "atokenofourown",
    // The two above, as HTTP has them.
    basic: "QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjphdG9rZW5vZm91cm93bg==",
};

const NEAR: &str = "[[carriers]]\nname = \"near\"\nkind = \"simulator\"\n";
const FAR: &str = "[[carriers]]\nname = \"far\"\nkind = \"simulator\"\n";
/// An SMSC that is never there.
const DEAD: &str = "[[carriers]]\nname = \"dead\"\nkind = \"smpp\"\nhost = \"127.0.0.1\"\nport = 1\n\
                    system_id = \"user\"\npassword = \"secret\"\n";

fn route(destination: &str, carrier: &str) -> String {
    format!("[[routes]]\ndestination = \"{destination}\"\ncarriers = [\"{carrier}\"]\n")
}

/// A server with one number, whose configuration changes.
struct Server {
    directory: TempDir,
    process: Process,
    authority: String,
}

impl Server {
    fn start(carriers: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_configuration(&directory, carriers);
        let file = configuration(&directory);
        let environment = [
            ("POSTRIDER_ACCOUNT_SID", ACCOUNT.sid),
            ("POSTRIDER_AUTH_TOKEN", ACCOUNT.token),
        ];
        let arguments = ["serve", "--config", file.to_str().unwrap()];
        let mut process = Process::start_with(&arguments, &environment);
        let line = process.line();
        let authority = line
            .strip_prefix("listening on http://")
            .unwrap()
            .to_owned();
        process.line();
        let server = Self {
            directory,
            process,
            authority,
        };
        let (status, answer) = server.post("IncomingPhoneNumbers", "PhoneNumber=%2B14155550101");
        assert_eq!(status, 201, "{answer}");
        server
    }

    fn reload(&self, carriers: &str) {
        write_configuration(&self.directory, carriers);
        self.process.signal("-HUP");
    }

    fn post(&self, list: &str, form: &str) -> (u16, Value) {
        let path = format!("/2010-04-01/Accounts/{}/{list}.json", ACCOUNT.sid);
        let (status, body) = process::post(&self.authority, &path, &ACCOUNT, form);
        (status, serde_json::from_str(&body).unwrap())
    }

    /// A resource of v1 or of our own, which must come to be.
    fn create(&self, path: &str, form: &str) -> Value {
        let (status, body) = process::post(&self.authority, path, &ACCOUNT, form);
        assert_eq!(status, 201, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn write(&self, file: &str, text: &str) -> String {
        let path = self.directory.path().join(file);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn send(&self, to: &str) -> (u16, Value) {
        let form = format!("From=%2B14155550101&To=%2B{to}&Body=hello");
        self.post("Messages", &form)
    }

    fn sends(&self, to: &str) -> String {
        let (status, answer) = self.send(to);
        assert_eq!(status, 201, "{answer}");
        answer["sid"].as_str().unwrap().to_owned()
    }

    fn status(&self, message: &str) -> Value {
        let path = format!(
            "/2010-04-01/Accounts/{}/Messages/{message}.json",
            ACCOUNT.sid
        );
        let (status, body) = process::get_as(&self.authority, &path, &ACCOUNT);
        assert_eq!(status, 200, "{body}");
        let message: Value = serde_json::from_str(&body).unwrap();
        message["status"].clone()
    }

    fn is_delivered_eventually(&self, message: &str) {
        process::eventually("delivered", || self.status(message) == "delivered");
    }

    /// Links that are bound, if the metrics know a carrier of this name.
    fn links_of(&self, carrier: &str) -> Option<u32> {
        let (_, metrics) = process::get(&self.authority, "/metrics");
        let gauge = format!("postrider_carrier_links_bound{{carrier=\"{carrier}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&gauge));
        line.map(|links| links.parse().unwrap())
    }

    fn has_gauges_of(&self, carrier: &str) -> bool {
        self.links_of(carrier).is_some()
    }
}

fn configuration(directory: &TempDir) -> PathBuf {
    directory.path().join("postrider.toml")
}

fn write_configuration(directory: &TempDir, carriers: &str) {
    let data = directory.path().join("data");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite://{}\"\n{carriers}",
        data.display()
    );
    fs::write(configuration(directory), text).unwrap();
}

#[test]
fn a_new_carrier_takes_messages_at_once() {
    let server = Server::start(&format!("{NEAR}{}", route("+1", "near")));
    let (status, refusal) = server.send("447700900199");
    assert_eq!((status, &refusal["code"]), (400, &21_612.into()));

    let routes = [route("+1", "near"), route("+44", "far")].concat();
    server.reload(&format!("{NEAR}{FAR}{routes}"));
    process::eventually("routed", || server.send("447700900199").0 == 201);
    server.is_delivered_eventually(&server.sends("447700900199"));
    server.is_delivered_eventually(&server.sends("14155550199"));
    assert_eq!(server.process.stop(), 0);
}

#[test]
fn what_waits_for_a_removed_carrier_goes_out_by_another() {
    let server = Server::start(&format!("{DEAD}{}", route("", "dead")));
    let waiting: Vec<_> = (0..3).map(|_| server.sends("14155550199")).collect();
    process::eventually("known", || server.has_gauges_of("dead"));
    assert_eq!(server.status(&waiting[0]), "queued");

    server.reload(&format!("{FAR}{}", route("", "far")));
    for message in &waiting {
        server.is_delivered_eventually(message);
    }
    assert!(server.has_gauges_of("far"));
    assert!(!server.has_gauges_of("dead"));
    assert_eq!(server.process.stop(), 0);
}

#[test]
fn a_changed_pace_counts_at_once_for_what_waits() {
    let paced = |account| format!("{NEAR}[pace]\naccount = {account}\n");
    let server = Server::start(&paced("0.01"));
    server.is_delivered_eventually(&server.sends("14155550199"));
    let waiting = server.sends("14155550199");
    process::eventually("held", || {
        let (_, metrics) = process::get(&server.authority, "/metrics");
        let gauge = format!(
            "postrider_pace_waiting{{limit=\"account\",name=\"{}\"}} 1",
            ACCOUNT.sid
        );
        metrics.lines().any(|line| line == gauge)
    });
    assert_eq!(server.status(&waiting), "queued");
    server.reload(&paced("0"));
    server.is_delivered_eventually(&waiting);
    assert_eq!(server.process.stop(), 0);
}

#[test]
fn a_changed_carrier_is_replaced_by_one_of_its_name() {
    let server = Server::start(NEAR);
    process::eventually("bound", || server.links_of("near") == Some(1));
    server.reload(&format!("{NEAR}links = 3\n"));
    process::eventually("replaced", || server.links_of("near") == Some(3));
    server.is_delivered_eventually(&server.sends("14155550199"));
    assert_eq!(server.links_of("near"), Some(3));
    assert_eq!(process::get(&server.authority, "/readyz").0, 200);
    assert_eq!(server.process.stop(), 0);
}

#[test]
fn a_carrier_that_cannot_start_changes_nothing() {
    let server = Server::start(&format!("{NEAR}{}", route("", "near")));
    let broken = format!("{DEAD}[carriers.tls]\nca_file = \"/nonexistent\"\n");
    server.reload(&format!("{broken}{}", route("", "dead")));
    server.is_delivered_eventually(&server.sends("14155550199"));
    server.reload(&format!("{NEAR}{FAR}{}", route("", "near")));
    process::eventually("started", || server.has_gauges_of("far"));
    assert!(!server.has_gauges_of("dead"));
    server.is_delivered_eventually(&server.sends("14155550199"));
    assert_eq!(server.process.stop(), 0);
}

#[test]
fn a_table_of_networks_is_read_again_and_a_bad_one_changes_nothing() {
    let server = Server::start(NEAR);
    let text = |json: &Value| json["sid"].as_str().unwrap().to_owned();
    let service = text(&server.create("/v1/Services", "FriendlyName=S"));
    let code = "ShortCode=55501&IsoCountry=US&ServedNetworks=310-410";
    let code = text(&server.create("/x/v1/ShortCodes", code));
    let pool = format!("/v1/Services/{service}/ShortCodes");
    server.create(&pool, &format!("ShortCodeSid={code}"));
    let network = || {
        let form = format!("To=%2B14155550199&MessagingServiceSid={service}");
        let asked = process::post(&server.authority, "/x/v1/Explain", &ACCOUNT, &form);
        let explained: Value = serde_json::from_str(&asked.1).unwrap();
        let network = explained["decision"]["network"].clone();
        (network, explained["from"].clone())
    };
    let served = |network: Value| (network, Value::from("55501"));
    assert_eq!(network(), served(Value::Null));

    let table = server.write("networks.csv", "1415,310,410\n");
    let networks = format!("[networks]\ntable = \"{table}\"\n");
    server.reload(&format!("{NEAR}{networks}"));
    process::eventually("read", || network() == served("310-410".into()));
    // The same file, now with other rows.
    server.write("networks.csv", "1415,310,410\n14155550199,310,260\n");
    server.process.signal("-HUP");
    let rerouted = (Value::from("310-260"), Value::Null);
    process::eventually("read again", || network() == rerouted);

    let bad = server.write("bad.csv", "1415,310,410\n14155550199,310\n");
    let bad = format!("{NEAR}{FAR}[networks]\ntable = \"{bad}\"\n");
    server.reload(&bad);
    let file = configuration(&server.directory);
    let (code, told, _) = process::finish(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        told.contains("bad.csv: line 2: given \"310\" and \"\""),
        "{told}"
    );
    assert_eq!(network(), rerouted);
    assert!(!server.has_gauges_of("far"));

    let mended = server.write("mended.csv", "1,310,410\n");
    server.reload(&format!("{NEAR}{FAR}[networks]\ntable = \"{mended}\"\n"));
    process::eventually("mended", || network() == served("310-410".into()));
    process::eventually("started", || server.has_gauges_of("far"));
    assert_eq!(server.process.stop(), 0);
}

#[test]
fn what_senders_must_comply_with_counts_from_the_next_message_on() {
    let server = Server::start(NEAR);
    let dry_run = || {
        let form = "To=%2B971500000099&From=ACME&Body=hello";
        process::post(&server.authority, "/x/v1/DryRun", &ACCOUNT, form).0
    };
    assert_eq!(dry_run(), 200);
    let strict = "[compliance]\nrefuse_unregistered_alpha = true\n";
    server.reload(&format!("{NEAR}{strict}"));
    process::eventually("refused", || dry_run() == 400);
    server.reload(NEAR);
    process::eventually("taken again", || dry_run() == 200);
    assert_eq!(server.process.stop(), 0);
}
