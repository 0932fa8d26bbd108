//! The record of one attempt, for whoever watches: logs, metrics, later the list of attempts.

use postrider_core::clock::Millis;
use postrider_core::message::Status;

use super::job::{Event, Job};
use super::overrides::InvalidOverride;
use super::request::Request;
use super::scheduler::AttemptResult;

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

/// Writes attempts to the log: failures as `info`, the rest as `debug`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logged;

impl Observer for Logged {
    fn attempted(&self, record: &AttemptRecord<'_>) {
        let message = record.job.event.message();
        let status = match record.job.event {
            Event::StatusCallback { status, .. } => status,
            Event::Inbound { .. } => Status::Received,
        };
        let (number, url, status) = (record.number, safe_url(&record.job.url), status.as_str());
        let took_ms = record.finished_ms - record.started_ms;
        match record.result {
            Ok(answer) => {
                tracing::debug!(message_sid = %message, status, url, number, took_ms, answer, "webhook called");
            }
            Err(failure) => {
                let (code, why) = (failure.code().code(), failure.to_string());
                tracing::info!(message_sid = %message, status, url, number, took_ms, code, why, "webhook failed");
            }
        }
    }
}

/// The URL without what may be secret in it: credentials, query and fragment.
pub(super) fn safe_url(url: &str) -> &str {
    if url.contains('@') {
        return "(URL with credentials)";
    }
    url.split(['?', '#']).next().unwrap_or_default()
}
