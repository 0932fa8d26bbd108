//! The record of one attempt, for whoever watches: logs, metrics, later the list of attempts.

use postrider_core::clock::Millis;

use super::job::{Event, Job};
use super::overrides::InvalidOverride;
use super::request::Request;
use super::scheduler::AttemptResult;
use crate::hourly::Hourly;

/// All there is to know of an attempt that was made.
#[derive(Debug)]
pub struct AttemptRecord<'a> {
    pub job: &'a Job,
    /// From 1.
    pub number: u8,
    /// The last request: after redirects it is not that to the job's URL.
    pub request: &'a Request,
    pub redirects: u8,
    pub started_ms: Millis,
    pub finished_ms: Millis,
    /// The answer's 2xx status, or what went wrong.
    pub result: AttemptResult,
    /// Connection overrides in the job's URL that could not be used (11243).
    pub invalid_overrides: &'a [InvalidOverride],
}

/// Learns of each attempt when it is over. Must not block: it is called between requests.
pub trait Observer: Send + Sync {
    fn attempted(&self, record: &AttemptRecord<'_>);
}

/// Writes attempts to the log: failures as `info`, the rest as `debug`. Connection overrides that
/// could not be used are the customer's to mend, so they are a `warn`, once an hour.
#[derive(Debug, Default)]
pub struct Logged {
    /// What the log says, which names the URL and the override.
    warned: Hourly<String>,
}

impl Observer for Logged {
    fn attempted(&self, record: &AttemptRecord<'_>) {
        let Event::StatusCallback { message, status } = record.job.event;
        let (number, url, status) = (record.number, safe_url(&record.job.url), status.as_str());
        let took_ms = record.finished_ms - record.started_ms;
        match record.result {
            Ok(answer) => {
                tracing::debug!(message_sid = %message, status, url, number, took_ms, answer, "status callback made");
            }
            Err(failure) => {
                let (code, why) = (failure.code().code(), failure.to_string());
                tracing::info!(message_sid = %message, status, url, number, took_ms, code, why, "status callback failed");
            }
        }
        for invalid in record.invalid_overrides {
            if self.must_warn(url, invalid, record.finished_ms) {
                tracing::warn!(message_sid = %message, url, code = invalid.code().code(), "{invalid}");
            }
        }
    }
}

impl Logged {
    /// The URL counts as it is logged: a query may differ with each message.
    fn must_warn(&self, url: &str, invalid: &InvalidOverride, now_ms: Millis) -> bool {
        self.warned.is_due(format!("{url} {invalid}"), now_ms)
    }
}

/// The URL without what may be secret in it: credentials, query and fragment.
fn safe_url(url: &str) -> &str {
    if url.contains('@') {
        return "(URL with credentials)";
    }
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::overrides::Overrides;

    #[test]
    fn an_override_that_is_not_usable_is_warned_of_once_an_hour_for_its_url() {
        let logged = Logged::default();
        // Columns: URL, fragment, instant, whether it is warned of.
        for (url, fragment, now_ms, is_warned) in [
            ("https://a.example/?id=1", "rp=never", 0, true),
            ("https://a.example/?id=2", "rp=never", 1, false),
            ("https://a.example/?id=2", "rc=9", 1, true),
            ("https://b.example/?id=2", "rp=never", 1, true),
            ("https://a.example/?id=3", "rp=never", 3_600_000, true),
        ] {
            let (_, invalid) = Overrides::parse(fragment);
            let warned = logged.must_warn(safe_url(url), &invalid[0], now_ms);
            assert_eq!(warned, is_warned, "{url}#{fragment} at {now_ms}");
        }
    }
}
