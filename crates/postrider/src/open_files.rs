//! How many files and connections the process may have open, and who gets how many.
//!
//! The store must always get a file opened: a commit that can't is a failed write, and ends the
//! process. So connections, which strangers open, never take the last ones: what the system allows is
//! raised as far as it lets us, a reserve is kept back, and the connections share the rest. See
//! `docs/operations.md`.

use std::num::NonZeroU32;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::config::{Carrier, Config};

/// For the store (64 readers of two or three files each, which is all there may be; 8 writers of two),
/// the log and the runtime.
const RESERVE: u64 = 256;

/// How many connections may be open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) http: u32,
    pub(crate) webhooks: NonZeroU32,
}

/// The most this process may have open, once [`raise`] was called.
pub(crate) fn limit() -> u64 {
    // No number means no limit.
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Takes what the system allows: shells and systemd give 1,024 at first for the sake of old programs.
/// Returns what may be open.
pub(crate) fn raise() -> u64 {
    let mut limits = getrlimit(Resource::Nofile);
    let given = limits.current;
    limits.current = limits.maximum;
    match setrlimit(Resource::Nofile, limits) {
        Ok(()) => limits.maximum.unwrap_or(u64::MAX),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files can't be raised");
            given.unwrap_or(u64::MAX)
        }
    }
}

/// Divides `limit` so that the store's reserve and the carriers' sessions are left over.
pub(crate) fn shares(config: &Config, limit: u64) -> Shares {
    let free = limit.saturating_sub(kept_back(config));
    let http = u64::from(config.server.connections);
    let webhooks = u64::from(config.webhooks.concurrency.get());
    // Requests come first, but webhooks are never crowded out.
    let http = http.min(free - webhooks.min(free / 4)).max(1);
    let webhooks = webhooks.min(free.saturating_sub(http)).max(1);
    Shares {
        http: u32::try_from(http).unwrap_or(u32::MAX),
        webhooks: u32::try_from(webhooks)
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MAX),
    }
}

/// What the operator should know when `limit` is too small for the configuration.
pub(crate) fn warning(config: &Config, limit: u64) -> Option<String> {
    let given = shares(config, limit);
    let (http, webhooks) = (config.server.connections, config.webhooks.concurrency);
    if given.http >= http && given.webhooks >= webhooks {
        return None;
    }
    let needed = kept_back(config) + u64::from(http) + u64::from(webhooks.get());
    Some(format!(
        "the system allows {limit} open files and connections, the configuration asks for {needed}: \
         {} connections instead of server.connections = {http}, {} webhooks at a time instead of \
         webhooks.concurrency = {webhooks}; raise the limit (LimitNOFILE, ulimit -n) or lower these",
        given.http, given.webhooks
    ))
}

fn kept_back(config: &Config) -> u64 {
    let sessions = |carrier: &Carrier| match carrier {
        Carrier::Smpp(config) => u64::from(config.sessions),
        Carrier::Simulator(_) => 0,
    };
    RESERVE + config.carriers.iter().map(sessions).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row per limit: what the defaults (10,000 connections, 1,024 webhooks) become.
    #[test]
    fn connections_leave_the_reserve_alone() {
        let config = Config::default();
        for (limit, http, webhooks) in [
            (u64::MAX, 10_000, 1_024),
            (10_000 + 1_024 + RESERVE, 10_000, 1_024),
            (10_000 + 1_024 + RESERVE - 1, 9_999, 1_024),
            (4_096, 2_880, 960),
            (1_024, 576, 192),
            // Nothing is left: it still answers somebody.
            (256, 1, 1),
            (0, 1, 1),
        ] {
            let shares = shares(&config, limit);
            let given = (shares.http, shares.webhooks.get());
            assert_eq!(given, (http, webhooks), "{limit}");
            assert_eq!(
                warning(&config, limit).is_none(),
                limit >= 11_280,
                "{limit}"
            );
        }
    }
}
