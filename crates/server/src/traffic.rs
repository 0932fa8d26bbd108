//! What passes through the HTTP front, counted: requests in flight, answers by status and time.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use postrider_core::clock::Millis;

/// Counters of one server. Relaxed throughout: nothing is ordered by them.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    in_flight: AtomicUsize,
    /// Answers by the hundreds of their status; the first two never occur.
    by_class: [AtomicU64; 6],
    /// Answers that took up to the bound of the same index, and those that took longer.
    by_duration: [AtomicU64; BOUNDS_MS.len() + 1],
    duration_sum_ms: AtomicU64,
    over_limit: AtomicU64,
}

/// Upper bounds of the duration histogram.
const BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 30, 100, 300, 1000, 3000, 10_000];

/// One request in flight; counted until dropped.
pub(crate) struct InFlight<'a> {
    traffic: &'a Traffic,
    /// Including this one.
    pub(crate) concurrent: usize,
}

impl Traffic {
    pub(crate) fn enter(&self) -> InFlight<'_> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight {
            traffic: self,
            concurrent: before + 1,
        }
    }

    pub(crate) fn record(&self, status: u16, duration_ms: Millis) {
        if let Some(count) = self.by_class.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // A clock that was set back makes a negative duration.
        let duration_ms = duration_ms.max(0).unsigned_abs();
        let bucket = BOUNDS_MS.partition_point(|&bound| bound < duration_ms);
        self.by_duration[bucket].fetch_add(1, Ordering::Relaxed);
        self.duration_sum_ms
            .fetch_add(duration_ms, Ordering::Relaxed);
    }

    /// A request was refused because its account has too many in flight.
    pub(crate) fn count_over_limit(&self) {
        self.over_limit.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the counters in the OpenMetrics text format.
    pub(crate) fn write(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = self.try_write(text);
    }

    fn try_write(&self, text: &mut String) -> std::fmt::Result {
        text.push_str(
            "# HELP postrider_http_requests_in_flight API requests being answered now.\n\
             # TYPE postrider_http_requests_in_flight gauge\n",
        );
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        writeln!(text, "postrider_http_requests_in_flight {in_flight}")?;
        text.push_str(
            "# HELP postrider_http_requests API requests answered, by class of status.\n\
             # TYPE postrider_http_requests counter\n",
        );
        for (class, count) in self.by_class.iter().enumerate().skip(2) {
            let count = count.load(Ordering::Relaxed);
            writeln!(
                text,
                "postrider_http_requests_total{{class=\"{class}xx\"}} {count}"
            )?;
        }
        text.push_str(
            "# HELP postrider_http_requests_over_limit API requests refused because their account \
             had too many in flight.\n\
             # TYPE postrider_http_requests_over_limit counter\n",
        );
        let over_limit = self.over_limit.load(Ordering::Relaxed);
        writeln!(
            text,
            "postrider_http_requests_over_limit_total {over_limit}"
        )?;
        text.push_str(
            "# HELP postrider_http_request_duration_seconds Time from a request's head to its answer.\n\
             # TYPE postrider_http_request_duration_seconds histogram\n",
        );
        let name = "postrider_http_request_duration_seconds";
        let mut total = 0;
        for (index, count) in self.by_duration.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            match BOUNDS_MS.get(index) {
                Some(bound) => {
                    let (seconds, thousandths) = (bound / 1000, bound % 1000);
                    writeln!(
                        text,
                        "{name}_bucket{{le=\"{seconds}.{thousandths:03}\"}} {total}"
                    )?;
                }
                None => writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {total}")?,
            }
        }
        writeln!(text, "{name}_count {total}")?;
        let sum_ms = self.duration_sum_ms.load(Ordering::Relaxed);
        writeln!(text, "{name}_sum {}.{:03}", sum_ms / 1000, sum_ms % 1000)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class_and_time() {
        let traffic = Traffic::default();
        let first = traffic.enter();
        assert_eq!(traffic.enter().concurrent, 2);
        assert_eq!(traffic.enter().concurrent, 2);
        drop(first);
        traffic.record(201, 0);
        traffic.record(201, 2);
        traffic.record(404, 20_000);
        traffic.record(503, -5);
        let mut text = String::new();
        traffic.write(&mut text);
        for line in [
            "postrider_http_requests_in_flight 0",
            "postrider_http_requests_total{class=\"2xx\"} 2",
            "postrider_http_requests_total{class=\"4xx\"} 1",
            "postrider_http_request_duration_seconds_bucket{le=\"0.001\"} 2",
            "postrider_http_request_duration_seconds_bucket{le=\"0.002\"} 3",
            "postrider_http_request_duration_seconds_bucket{le=\"10.000\"} 3",
            "postrider_http_request_duration_seconds_bucket{le=\"+Inf\"} 4",
            "postrider_http_request_duration_seconds_sum 20.002",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line}\n{text}"
            );
        }
    }
}
