//! The `[networks]` section of the configuration.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;

use crate::webhooks::CallbackUrl;

/// What stands in `lookup_url` for the recipient's digits.
pub const NUMBER: &str = "{number}";

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// CSV file of the operator: prefix or number, MCC, MNC.
    pub table: Option<PathBuf>,
    /// Asked where the table does not tell; `{number}` stands for the digits.
    pub lookup_url: Option<String>,
    /// Sent as a bearer token.
    pub lookup_token: Option<String>,
    /// The longest that a message waits for its recipient's network.
    pub timeout_ms: NonZeroU32,
    /// Questions in flight at a time.
    pub concurrency: NonZeroU32,
    /// Answers remembered.
    pub cache_size: NonZeroU32,
    /// Seconds for which an answer counts, by what it said.
    pub known_for_s: u32,
    pub unknown_for_s: u32,
    /// The lookup may be at a private, loopback or other special address.
    pub allow_private_networks: bool,
}

impl Default for Config {
    fn default() -> Self {
        const fn at_least_one(value: u32) -> NonZeroU32 {
            NonZeroU32::new(value).expect("a default that is not zero")
        }
        Self {
            table: None,
            lookup_url: None,
            lookup_token: None,
            timeout_ms: at_least_one(300),
            concurrency: at_least_one(64),
            // About 40 bytes each.
            cache_size: at_least_one(100_000),
            known_for_s: 24 * 60 * 60,
            unknown_for_s: 60 * 60,
            allow_private_networks: false,
        }
    }
}

impl Config {
    /// What is wrong with the URL, if anything.
    pub fn check_url(&self) -> Result<(), String> {
        let Some(url) = &self.lookup_url else {
            return Ok(());
        };
        if !url.contains(NUMBER) {
            return Err(format!(
                "given \"{url}\", expected a URL with {NUMBER} in it"
            ));
        }
        let example: Result<CallbackUrl, _> = url.replace(NUMBER, "14155550199").parse();
        example
            .map(drop)
            .map_err(|error| format!("given \"{url}\": {error}"))
    }

    /// Whether the lookup over HTTP is configured alike, wherever the table is.
    pub(super) fn is_same_lookup(&self, other: &Self) -> bool {
        let without_table = |config: &Self| Self {
            table: None,
            ..config.clone()
        };
        without_table(self) == without_table(other)
    }
}

/// Without the token.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("table", &self.table)
            .field("lookup_url", &self.lookup_url)
            .field("timeout_ms", &self.timeout_ms)
            .finish_non_exhaustive()
    }
}
