//! Kannel doing the same work: HTTP in, SMPP out, receipts back, one status URL per message.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::http;

/// Kannel's two processes.
pub(crate) struct Kannel {
    bearerbox: Child,
    smsbox: Child,
    pub(crate) address: String,
}

impl Kannel {
    /// Where the programs are, if Kannel is installed.
    pub(crate) fn find() -> Option<(PathBuf, PathBuf)> {
        let find = |name: &str| {
            ["/usr/sbin", "/usr/bin", "/usr/local/sbin"]
                .iter()
                .map(|folder| Path::new(folder).join(name))
                .find(|path| path.exists())
        };
        Some((find("bearerbox")?, find("smsbox")?))
    }

    pub(crate) async fn start(data: &Path, smsc: u16) -> anyhow::Result<Self> {
        let (bearerbox, smsbox) = Self::find().context("Kannel is not installed")?;
        std::fs::create_dir_all(data.join("spool"))?;
        let port = |used: &std::net::TcpListener| used.local_addr().map(|address| address.port());
        // Held until the last one is known, so that they differ.
        let free: Vec<_> = (0..3)
            .map(|_| std::net::TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()?;
        let ports: Vec<u16> = free.iter().map(port).collect::<Result<_, _>>()?;
        drop(free);
        let config = format!(
            r#"group = core
admin-port = {admin}
admin-password = bench
smsbox-port = {smsbox}
store-type = file
store-location = "{spool}/store"
dlr-storage = internal
log-level = 3

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = bench
smsc-password = secret
system-type = ""
max-pending-submits = 500
throughput = 0
instances = 2

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
global-sender = 14155550100
log-level = 3

group = sendsms-user
username = bench
password = bench
"#,
            admin = ports[0],
            smsbox = ports[1],
            sendsms = ports[2],
            spool = data.join("spool").display(),
        );
        let path = data.join("kannel.conf");
        std::fs::write(&path, config)?;
        let run = |program: &Path| {
            Command::new(program)
                .args(["-v", "3"])
                .arg(&path)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
        };
        let bearerbox = run(&bearerbox)?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let smsbox = run(&smsbox)?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(Self {
            bearerbox,
            smsbox,
            address: format!("127.0.0.1:{}", ports[2]),
        })
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        [&self.bearerbox, &self.smsbox]
            .iter()
            .filter_map(|child| child.id())
            .collect()
    }

    /// Builds the request for message `number`, with a receipt reported to `callback`.
    pub(crate) fn message(&self, callback: u16) -> impl Fn(u64) -> String + Send + Sync + 'static {
        let address = self.address.clone();
        move |number| {
            let to = 2_000_000 + number * 7_919 % 7_000_000;
            format!(
                "GET /cgi-bin/sendsms?username=bench&password=bench&from=14155550100&to=1415{to:07}&text=Your+parcel+number+{number}+will+arrive+today+between+two+and+four.+Reply+STOP+to+end.&dlr-mask=1&dlr-url=http%3A%2F%2F127.0.0.1%3A{callback}%2Fstatus HTTP/1.1\r\nHost: {address}\r\nConnection: keep-alive\r\n\r\n"
            )
        }
    }

    /// Whether it answers at all.
    pub(crate) async fn is_up(&self, callback: u16) -> bool {
        http::once(&self.address, &self.message(callback)(0))
            .await
            .is_ok_and(|(head, _)| head.contains(" 202 "))
    }
}
