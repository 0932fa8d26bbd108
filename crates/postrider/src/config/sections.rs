//! The sections `[server]`, `[store]` and `[links]`.

use std::path::PathBuf;

use postrider_server::TrustedProxies;
use serde::Deserialize;
use url::Url;

use super::problem::Problem;

/// `[server]`: the port for the API and for whoever watches over it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) listen: String,
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) connections: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            trusted_proxies: Vec::new(),
            connections: 10_000,
        }
    }
}

impl Server {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut wrong =
            |key: &str, text: String| problems.push(Problem::at(key, text).within("server"));
        if !is_address(&self.listen) {
            let expected = "expected an address and a port such as 127.0.0.1:8080";
            wrong("listen", format!("given \"{}\", {expected}", self.listen));
        }
        if let Some(url) = &self.public_url
            && !is_web_url(url)
        {
            let expected = "expected a URL such as https://sms.example.com";
            wrong("public_url", format!("given \"{url}\", {expected}"));
        }
        if let Err(error) = self.trusted_proxies() {
            wrong("trusted_proxies", error.to_string());
        }
        if self.connections == 0 {
            wrong("connections", "given 0, expected 1 or more".to_owned());
        }
    }

    pub(crate) fn trusted_proxies(
        &self,
    ) -> Result<TrustedProxies, postrider_server::InvalidNetwork> {
        TrustedProxies::parse(self.trusted_proxies.iter().map(String::as_str))
    }
}

/// A host and a port; whether the host exists shows when it is listened on.
pub(crate) fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn is_web_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// What an embedded store's URL begins with; the rest is a directory.
pub(super) const SQLITE: &str = "sqlite://";

/// `[store]`: where messages and settings are kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) reserve_mib: u64,
    pub(crate) messages_per_shard: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: format!("{SQLITE}data"),
            reserve_mib: 256,
            messages_per_shard: 750_000,
        }
    }
}

impl Store {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut wrong =
            |key: &str, text: String| problems.push(Problem::at(key, text).within("store"));
        if self.directory().is_none() {
            let later = if self.url.starts_with("postgres") {
                " (PostgreSQL is not supported yet)"
            } else {
                ""
            };
            let expected = "expected sqlite:// and a directory";
            wrong("url", format!("given \"{}\", {expected}{later}", self.url));
        }
        if self.messages_per_shard < 1_000 {
            let text = format!("given {}, expected 1000 or more", self.messages_per_shard);
            wrong("messages_per_shard", text);
        }
    }

    /// The embedded store's directory, relative to where Postrider was started.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        let directory = self.url.strip_prefix(SQLITE)?;
        (!directory.is_empty()).then(|| PathBuf::from(directory))
    }
}

/// `[links]`: ports for the redirects of short links.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Links {
    pub(crate) listen_http: Option<String>,
    pub(crate) listen_https: Option<String>,
}
