//! The `[webhooks]` section of the configuration.

use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::guard::Network;
use super::scheduler::Limits;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Webhooks may reach private, loopback and other special addresses.
    pub allow_private_networks: bool,
    /// Networks that webhooks may reach although they are special, as `10.1.0.0/16`.
    pub allow_networks: Vec<Network>,
    /// Requests in flight at a time, over all endpoints.
    pub concurrency: NonZeroU32,
    /// Requests in flight at a time to one endpoint (scheme, host and port).
    pub per_endpoint_concurrency: NonZeroU32,
    /// Jobs kept in memory, over all endpoints; more wait in the store.
    pub queue: NonZeroU32,
    /// Jobs of one account for one endpoint kept in memory.
    pub per_endpoint_queue: NonZeroU32,
    /// Seconds after which a webhook that could not be tried is given up.
    pub max_age_s: NonZeroU32,
    /// PEM file with certificates trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        const fn at_least_one(value: u32) -> NonZeroU32 {
            NonZeroU32::new(value).expect("a default that is not zero")
        }
        Self {
            allow_private_networks: false,
            allow_networks: Vec::new(),
            concurrency: at_least_one(1024),
            per_endpoint_concurrency: at_least_one(64),
            // About 1 KiB each.
            queue: at_least_one(50_000),
            per_endpoint_queue: at_least_one(5_000),
            max_age_s: at_least_one(4 * 60 * 60),
            ca_file: None,
        }
    }
}

impl Config {
    pub fn limits(&self) -> Limits {
        Limits {
            concurrency: to_usize(self.concurrency),
            per_endpoint_concurrency: to_usize(self.per_endpoint_concurrency),
            queue: to_usize(self.queue),
            per_endpoint_queue: to_usize(self.per_endpoint_queue),
            age_ms_max: i64::from(self.max_age_s.get()) * 1000,
        }
    }
}

fn to_usize(value: NonZeroU32) -> usize {
    usize::try_from(value.get()).expect("this program runs on machines of 32 bits and more")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn an_empty_section_means_the_defaults() {
        assert_eq!(parse("{}").unwrap(), Config::default());
        assert_eq!(Config::default().limits().age_ms_max, 14_400_000);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(parse(r#"{"allow_private_network": true}"#).is_err());
        assert!(parse(r#"{"concurrency": 0}"#).is_err());
        assert!(parse(r#"{"allow_networks": ["10.0.0.0/33"]}"#).is_err());
        assert!(parse(r#"{"allow_networks": ["10.0.0.0/8", "fd00::/8", "::1"]}"#).is_ok());
    }
}
