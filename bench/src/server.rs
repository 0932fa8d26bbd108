//! A Postrider server under measurement.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::http;

const ACCOUNT: &str = "ACbe000000000070008000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// Who sends, as a request says it.
    sender: String,
}

/// What a server is connected to.
pub(crate) struct Config<'a> {
    pub(crate) data: &'a Path,
    /// Port of the SMSC.
    pub(crate) smsc: u16,
    pub(crate) window: u32,
}

impl Server {
    /// Starts a server and registers the number that everything is sent from.
    pub(crate) async fn start(binary: &Path, config: &Config<'_>) -> anyhow::Result<Self> {
        let toml = format!(
            r#"[server]
listen = "127.0.0.1:0"
[store]
url = "sqlite://{data}"
[webhooks]
allow_private_networks = true
[pace]
long_code = 0
[limits]
pool_size_max = 10000
[[carriers]]
name = "bench"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "bench"
password = "secret"
sessions = 2
window = {window}
"#,
            data = config.data.join("store").display(),
            port = config.smsc,
            window = config.window,
        );
        std::fs::create_dir_all(config.data)?;
        let path = config.data.join("postrider.toml");
        std::fs::write(&path, toml)?;
        let mut child = Command::new(binary)
            .args(["serve", "--config"])
            .arg(&path)
            .env("POSTRIDER_ACCOUNT_SID", ACCOUNT)
            .env("POSTRIDER_AUTH_TOKEN", TOKEN)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(config.data.join("server.log"))?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}; build it first", binary.display()))?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(Duration::from_mins(1), lines.next_line())
            .await
            .context("the server does not come up")??
            .context("the server says nothing")?;
        let address = line
            .rsplit_once("http://")
            .context("a URL")?
            .1
            .trim()
            .to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let sender = "From=%2B14155550100".to_owned();
        let mut server = Self {
            child,
            address,
            sender,
        };
        server.register().await?;
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Waits until a carrier is bound.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        for _ in 0..600 {
            let text = "GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n";
            let (head, _) = http::once(&self.address, text).await?;
            if head.contains(" 200 ") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the server never becomes ready")
    }

    async fn register(&mut self) -> anyhow::Result<()> {
        let path = format!("/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json");
        self.create(&path, "PhoneNumber=%2B14155550100").await?;
        Ok(())
    }

    /// Messages go through a service from now on, with so many numbers in its pool. None has the area
    /// code of a recipient, so each message is for all of them.
    pub(crate) async fn use_service(&mut self, numbers: u32) -> anyhow::Result<()> {
        let service = self.create("/v1/Services", "FriendlyName=Bench").await?;
        let numbers_path = format!("/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json");
        let pool = format!("/v1/Services/{service}/PhoneNumbers");
        for number in 0..numbers {
            let form = format!("PhoneNumber=%2B1206555{number:04}");
            let number = self.create(&numbers_path, &form).await?;
            self.create(&pool, &format!("PhoneNumberSid={number}"))
                .await?;
        }
        self.sender = format!("MessagingServiceSid={service}");
        Ok(())
    }

    /// Creates a resource and gives its SID.
    async fn create(&self, path: &str, form: &str) -> anyhow::Result<String> {
        let (head, body) = http::once(&self.address, &self.post(path, form)).await?;
        if !head.contains(" 201 ") {
            bail!("{path} can't be created: {head}\n{body}");
        }
        let (_, sid) = body
            .split_once("\"sid\":\"")
            .context("an answer without a SID")?;
        let (sid, _) = sid.split_once('"').context("a SID without an end")?;
        Ok(sid.to_owned())
    }

    fn post(&self, path: &str, form: &str) -> String {
        post(&self.address, path, form)
    }

    /// Builds the request for message `number`.
    pub(crate) fn message(
        &self,
        callback: Option<u16>,
    ) -> impl Fn(u64) -> String + Send + Sync + 'static {
        let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
        let (address, sender) = (self.address.clone(), self.sender.clone());
        let callback = callback
            .map(|port| format!("&StatusCallback=http%3A%2F%2F127.0.0.1%3A{port}%2Fstatus"))
            .unwrap_or_default();
        move |number| {
            let to = 2_000_000_000 + number * 7_919 % 7_000_000;
            let form = format!(
                "{sender}&To=%2B1415{:07}&Body=Your+parcel+number+{number}+will+arrive+today+between+two+and+four.+Reply+STOP+to+end.{callback}",
                2_000_000 + to % 7_900_000,
            );
            post(&address, &path, &form)
        }
    }

    /// Stops the server politely.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.pid();
        Command::new("kill").arg(pid.to_string()).status().await?;
        let _ = tokio::time::timeout(Duration::from_secs(40), self.child.wait()).await;
        Ok(())
    }
}

fn post(address: &str, path: &str, form: &str) -> String {
    let credentials =
        base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {credentials}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}
