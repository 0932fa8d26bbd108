//! The scheduler's rules, one by one.

use postrider_core::message::Status;
use postrider_core::settings::HttpMethod;
use postrider_core::sid::{AccountSid, Id, MessageKind, MessageSid};

use super::*;
use crate::webhooks::job::{AuthToken, Content};

const LIMITS: Limits = Limits {
    concurrency: 16,
    per_endpoint_concurrency: 4,
    queue: 200,
    per_endpoint_queue: 10,
    age_ms_max: 60_000,
};

pub(super) fn event(message: u128, status: Status) -> Event {
    let message = MessageSid {
        id: Id::from_u128(message),
        kind: MessageKind::Sms,
    };
    Event::StatusCallback { message, status }
}

pub(super) fn account(no: u128) -> AccountSid {
    AccountSid(Id::from_u128(no))
}

pub(super) fn job(url: &str, message: u128, status: Status, due_ms: Millis) -> Job {
    job_of(account(1), url, message, status, due_ms)
}

pub(super) fn job_of(
    account: AccountSid,
    url: &str,
    message: u128,
    status: Status,
    due_ms: Millis,
) -> Job {
    Job {
        event: event(message, status),
        account,
        method: HttpMethod::Post,
        url: url.into(),
        content: Content::Params(Vec::new()),
        cookie: None,
        token: AuthToken::new("token"),
        due_ms,
    }
}

fn poll(scheduler: &mut Scheduler, now_ms: Millis) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    scheduler.poll(now_ms, &mut attempts);
    attempts
}

fn reports(scheduler: &mut Scheduler) -> Vec<Report> {
    let mut reports = Vec::new();
    scheduler.drain_reports(&mut reports);
    reports
}

fn finished(message: u128, status: Status, outcome: Outcome) -> Report {
    Report::Finished(Finished {
        event: event(message, status),
        outcome,
    })
}

/// Offers one job for `url` and lets each attempt take `took_ms` and end in `failure`; says when
/// each attempt began, and with which timeouts.
fn attempts_of(url: &str, took_ms: Millis, failure: AttemptFailure) -> Vec<(Millis, Timeouts)> {
    let mut scheduler = Scheduler::new(LIMITS);
    scheduler.offer(job(url, 1, Status::Sent, 0), 0);
    let mut now_ms = 0;
    let mut seen = Vec::new();
    while let Some(attempt) = poll(&mut scheduler, now_ms).pop() {
        seen.push((now_ms, attempt.timeouts));
        assert_eq!(usize::from(attempt.number), seen.len());
        now_ms += took_ms;
        scheduler.on_result(attempt.id, Err(failure), now_ms);
    }
    let expected = finished(1, Status::Sent, Outcome::Failed(failure));
    assert_eq!(reports(&mut scheduler), [expected]);
    assert_eq!(scheduler.load(), Load::default());
    seen
}

#[test]
fn the_url_says_what_is_retried_and_how_often() {
    use AttemptFailure as Because;
    #[rustfmt::skip]
    let rows = [
        // fragment          failure                        attempts
        ("",                 Because::ConnectFailed,        2),
        ("",                 Because::ConnectTimeout,       2),
        ("",                 Because::HostUnknown,          2),
        ("",                 Because::TlsFailed,            2),
        ("",                 Because::Status(500),          1),
        ("",                 Because::Status(404),          1),
        ("",                 Because::ReadTimeout,          1),
        ("",                 Because::Closed,               1),
        ("",                 Because::AddressRefused,       1),
        ("#rc=0",            Because::ConnectFailed,        1),
        ("#rc=5",            Because::ConnectFailed,        6),
        ("#rc=2&rp=5xx",     Because::Status(503),          3),
        ("#rc=2&rp=5xx",     Because::Status(400),          1),
        ("#rc=2&rp=5xx",     Because::ConnectFailed,        1),
        ("#rp=4xx",          Because::Status(429),          2),
        ("#rp=rt",           Because::ReadTimeout,          2),
        ("#rp=all",          Because::Closed,               2),
        ("#rp=all&rc=5",     Because::AddressRefused,       1),
        ("#rp=all&rc=5",     Because::BadHttp,              1),
        ("#rp=all&rc=5",     Because::Status(304),          1),
        ("#rp=nonsense",     Because::ConnectFailed,        2),
    ];
    for (fragment, failure, expected) in rows {
        let url = format!("https://example.com/{fragment}");
        assert_eq!(
            attempts_of(&url, 10, failure).len(),
            expected,
            "{fragment} {failure}"
        );
    }
}

#[test]
fn the_total_budget_spans_all_attempts() {
    let url = "https://example.com/#ct=4000&rt=6000&tt=10000&rc=5";
    let timeouts = |connect_ms, read_ms, total_ms| Timeouts {
        connect_ms,
        read_ms,
        total_ms,
    };
    assert_eq!(
        attempts_of(url, 4_000, AttemptFailure::ConnectTimeout),
        [
            (0, timeouts(4_000, 6_000, 10_000)),
            (4_000, timeouts(4_000, 6_000, 6_000)),
            (8_000, timeouts(2_000, 2_000, 2_000)),
        ],
    );
    let url = "https://example.com/#tt=100&rc=5";
    assert_eq!(attempts_of(url, 99, AttemptFailure::ConnectFailed).len(), 2);
    assert_eq!(
        attempts_of(url, 100, AttemptFailure::ConnectFailed).len(),
        1
    );
}

#[test]
fn the_events_of_a_message_go_out_one_at_a_time_by_rank() {
    let mut scheduler = Scheduler::new(LIMITS);
    for status in [Status::Sent, Status::Delivered, Status::Queued] {
        scheduler.offer(job("http://a.example/", 1, status, 0), 0);
    }
    for status in [Status::Queued, Status::Sent, Status::Delivered] {
        let attempts = poll(&mut scheduler, 0);
        assert_eq!(attempts.len(), 1);
        assert_eq!(attempts[0].job.event, event(1, status));
        assert!(poll(&mut scheduler, 0).is_empty());
        scheduler.on_result(attempts[0].id, Ok(200), 0);
    }
    assert_eq!(reports(&mut scheduler).len(), 3);
}

#[test]
fn an_event_in_memory_or_lately_done_is_not_taken_again() {
    let mut scheduler = Scheduler::new(LIMITS);
    let offer = |scheduler: &mut Scheduler| {
        scheduler.offer(job("http://a.example/", 1, Status::Sent, 0), 0);
    };
    offer(&mut scheduler);
    offer(&mut scheduler);
    let attempts = poll(&mut scheduler, 0);
    offer(&mut scheduler);
    scheduler.on_result(attempts[0].id, Ok(204), 0);
    scheduler.on_result(attempts[0].id, Ok(204), 0);
    offer(&mut scheduler);
    assert!(poll(&mut scheduler, 0).is_empty());
    let expected = finished(1, Status::Sent, Outcome::Answered { status: 204 });
    assert_eq!(reports(&mut scheduler), [expected]);
}

#[test]
fn hanging_endpoints_leave_a_slot_for_the_next() {
    let limits = Limits {
        concurrency: 1024,
        per_endpoint_concurrency: 64,
        queue: 50_000,
        ..LIMITS
    };
    let mut scheduler = Scheduler::new(Limits {
        per_endpoint_queue: 5_000,
        ..limits
    });
    for host in 0..90 {
        for message in 0..100 {
            let url = format!("http://h{host}.example/");
            scheduler.offer(job(&url, host * 1_000 + message, Status::Sent, 0), 0);
        }
        assert_eq!(
            poll(&mut scheduler, 0).len(),
            8,
            "{host} has found its slots"
        );
    }
}

#[test]
fn an_endpoint_earns_slots_by_answering_and_loses_them_by_hanging() {
    let limits = Limits {
        concurrency: 1024,
        per_endpoint_concurrency: 20,
        ..LIMITS
    };
    let mut scheduler = Scheduler::new(Limits {
        queue: 5_000,
        per_endpoint_queue: 500,
        ..limits
    });
    for message in 0..400 {
        scheduler.offer(job("http://a.example/", message, Status::Sent, 0), 0);
    }
    let mut in_flight = Vec::new();
    let mut round = |result: AttemptResult| {
        scheduler.poll(0, &mut in_flight);
        let count = in_flight.len();
        for attempt in in_flight.drain(..) {
            scheduler.on_result(attempt.id, result, 0);
        }
        count
    };
    assert_eq!(round(Ok(200)), 8);
    assert_eq!(round(Err(AttemptFailure::Status(500))), 16);
    assert_eq!(round(Ok(200)), 20);
    assert_eq!(round(Err(AttemptFailure::ReadTimeout)), 20);
    assert_eq!(round(Ok(200)), 8);
}

#[test]
fn full_queues_leave_room_for_the_next() {
    let mut scheduler = Scheduler::new(Limits {
        queue: 1_000,
        per_endpoint_queue: 100,
        ..LIMITS
    });
    for host in 0..20 {
        for message in 0..200 {
            let url = format!("http://h{host}.example/");
            scheduler.offer(job(&url, host * 1_000 + message, Status::Sent, 0), 0);
        }
    }
    let before = scheduler.load().waiting;
    scheduler.offer(job("http://next.example/", 99_999, Status::Sent, 0), 0);
    assert_eq!(scheduler.load().waiting, before + 1);
}

#[test]
fn an_overflow_is_told_once_and_refilled_below_half() {
    let mut scheduler = Scheduler::new(LIMITS);
    let url = "http://a.example/";
    for message in 0..12 {
        scheduler.offer(job(url, message, Status::Sent, 0), 0);
    }
    let backlog = Backlog::Endpoint {
        account: account(1),
        authority: "http://a.example:80".into(),
    };
    assert_eq!(
        reports(&mut scheduler),
        [Report::Overflowed {
            backlog: backlog.clone()
        }]
    );
    assert_eq!(scheduler.load().dropped_total, 2);
    // Ten are waiting: six after the first four are in flight, two after the next.
    let first = poll(&mut scheduler, 0);
    assert_eq!(first.len(), 4);
    assert!(reports(&mut scheduler).is_empty());
    scheduler.offer(job(url, 20, Status::Sent, 0), 0);
    assert_eq!(
        scheduler.load().waiting,
        6,
        "what comes after an overflow waits for the refill"
    );
    for attempt in first {
        scheduler.on_result(attempt.id, Ok(200), 0);
    }
    reports(&mut scheduler);
    poll(&mut scheduler, 0);
    assert_eq!(reports(&mut scheduler), [Report::WantsRefill { backlog }]);
    scheduler.offer(job(url, 10, Status::Sent, 0), 0);
    assert_eq!(scheduler.load().waiting, 3);
}

#[test]
fn a_job_is_given_up_at_the_age_limit() {
    let mut scheduler = Scheduler::new(Limits {
        per_endpoint_concurrency: 1,
        ..LIMITS
    });
    let url = "http://a.example/";
    scheduler.offer(job(url, 1, Status::Sent, 0), 0);
    scheduler.offer(job(url, 2, Status::Sent, 500), 500);
    let attempts = poll(&mut scheduler, 500);
    assert_eq!(attempts.len(), 1);
    assert_eq!(scheduler.next_deadline(), Some(60_500));
    assert!(poll(&mut scheduler, 60_499).is_empty());
    assert!(reports(&mut scheduler).is_empty());
    assert!(poll(&mut scheduler, 60_500).is_empty());
    assert_eq!(
        reports(&mut scheduler),
        [finished(2, Status::Sent, Outcome::TooOld)]
    );
    // What is in flight has its own budget.
    scheduler.on_result(attempts[0].id, Ok(200), 60_500);
    assert!(poll(&mut scheduler, 60_500).is_empty());
    scheduler.offer(job(url, 3, Status::Sent, 500), 60_500);
    assert_eq!(
        reports(&mut scheduler).last(),
        Some(&finished(3, Status::Sent, Outcome::TooOld))
    );
    assert_eq!(scheduler.load(), Load::default());
}

#[test]
fn a_url_that_cannot_be_called_finishes_at_once() {
    let mut scheduler = Scheduler::new(LIMITS);
    scheduler.offer(job("https://no_host.example/", 1, Status::Sent, 0), 0);
    let expected = finished(1, Status::Sent, Outcome::Misconfigured);
    assert_eq!(reports(&mut scheduler), [expected]);
}

#[test]
fn an_account_whose_share_is_full_is_told_and_refilled() {
    let mut scheduler = Scheduler::new(Limits { queue: 4, ..LIMITS });
    for host in 0..6 {
        let url = format!("http://h{host}.example/");
        scheduler.offer(job(&url, host, Status::Sent, 0), 0);
    }
    assert_eq!(
        scheduler.load().endpoints,
        3,
        "unknown endpoints are not remembered"
    );
    let backlog = Backlog::Account(account(1));
    assert_eq!(
        reports(&mut scheduler),
        [Report::Overflowed {
            backlog: backlog.clone()
        }]
    );
    let url = "http://other.example/";
    scheduler.offer(job_of(account(2), url, 10, Status::Sent, 0), 0);
    assert_eq!(scheduler.load().waiting, 4);
    assert_eq!(poll(&mut scheduler, 0).len(), 4);
    assert_eq!(reports(&mut scheduler), [Report::WantsRefill { backlog }]);
}

#[test]
fn offers_lost_before_they_came_are_refilled_for_everyone() {
    let mut scheduler = Scheduler::new(LIMITS);
    scheduler.spill(7);
    scheduler.spill(1);
    assert_eq!(scheduler.load().dropped_total, 8);
    poll(&mut scheduler, 0);
    let backlog = Backlog::Everyone;
    assert_eq!(
        reports(&mut scheduler),
        [
            Report::Overflowed {
                backlog: backlog.clone()
            },
            Report::WantsRefill { backlog }
        ]
    );
}

#[test]
fn accounts_share_the_limit_of_a_server_but_not_its_queue() {
    let mut scheduler = Scheduler::new(LIMITS);
    let url = "http://shared.example/";
    for message in 0..20 {
        scheduler.offer(job(url, message, Status::Sent, 0), 0);
    }
    assert_eq!(scheduler.load().waiting, 10);
    for message in 100..105 {
        scheduler.offer(job_of(account(2), url, message, Status::Sent, 0), 0);
    }
    assert_eq!(scheduler.load().waiting, 15);
    let attempts = poll(&mut scheduler, 0);
    let of_other = |attempt: &&Attempt| attempt.job.account == account(2);
    assert_eq!(attempts.len(), LIMITS.per_endpoint_concurrency);
    assert_eq!(attempts.iter().filter(of_other).count(), 2);
    // A slot that one gives back may be the other's next.
    for attempt in attempts.iter().filter(|attempt| !of_other(attempt)) {
        scheduler.on_result(attempt.id, Ok(200), 0);
    }
    let attempts = poll(&mut scheduler, 0);
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts.iter().filter(of_other).count(), 1);
}

#[test]
fn an_account_alone_may_use_three_quarters_and_yields_to_others() {
    let mut scheduler = Scheduler::new(Limits {
        concurrency: 100,
        queue: 5_000,
        ..LIMITS
    });
    let offer_all = |scheduler: &mut Scheduler, of, first| {
        for host in first..first + 200 {
            let url = format!("http://h{host}.example/");
            scheduler.offer(job_of(of, &url, host, Status::Sent, 0), 0);
        }
    };
    offer_all(&mut scheduler, account(1), 0);
    let mut in_flight = poll(&mut scheduler, 0);
    assert_eq!(in_flight.len(), 75);
    offer_all(&mut scheduler, account(2), 1_000);
    // Each slot that comes back goes to whoever has less, until both have three sevenths.
    in_flight.extend(poll(&mut scheduler, 0));
    for _ in 0..75 {
        let at = in_flight
            .iter()
            .position(|attempt| attempt.job.account == account(1));
        let attempt = in_flight.remove(at.unwrap());
        scheduler.on_result(attempt.id, Ok(200), 0);
        in_flight.extend(poll(&mut scheduler, 0));
    }
    let of_other = |attempt: &&Attempt| attempt.job.account == account(2);
    let others = in_flight.iter().filter(of_other).count();
    assert!((40..=45).contains(&others), "{others}");
    assert!((40..=45).contains(&(in_flight.len() - others)));
}
