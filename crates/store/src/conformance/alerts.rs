//! Alerts: kept, counted up, listed by account, level and time, forgotten, and there after a restart.

use postrider_core::clock::Millis;
use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::message::AccountNo;
use postrider_core::settings::HttpMethod;
use postrider_core::sid::{Id, ServiceSid};

use super::{Backend, Case, ok, sample};
use crate::alerts::{Alert, AlertFilter, AlertRepeat, Exchange};
use crate::contract::{Cursor, Store};

pub(super) const CASES: &[Case] = &[
    (
        "alerts about one message are found and rewritten",
        rewritten,
    ),
    ("old alerts of one account are forgotten", forgotten_of),
    ("an alert is what was written", written),
    ("repeats are added to their alert", repeated),
    ("alerts are listed by account, level and time", listed),
    ("alerts are paged in both directions", paged),
    ("the newest alerts are given oldest first", recent),
    (
        "old alerts and those beyond an account's share are forgotten",
        forgotten,
    ),
];

/// A warning of account 1 from the instant of message `number`.
fn alert(number: u32) -> Alert {
    Alert {
        id: sample::id(number),
        account: AccountNo(1),
        code: ErrorCode::PreregistrationWanted,
        level: AlertLevel::Warning,
        resource: None,
        service: None,
        scope: "".into(),
        text: "register it".into(),
        count: 1,
        updated_ms: sample::created_ms(number),
        exchange: None,
    }
}

fn error(number: u32) -> Alert {
    Alert {
        level: AlertLevel::Error,
        ..alert(number)
    }
}

/// Of account 2.
fn foreign(number: u32) -> Alert {
    Alert {
        account: AccountNo(2),
        ..alert(number)
    }
}

fn of(account: u32) -> AlertFilter {
    AlertFilter {
        account: AccountNo(account),
        level: None,
        from_ms: None,
        before_ms: None,
    }
}

fn put(store: &dyn Store, alerts: &[Alert]) {
    ok(store.alerts().write(alerts, &[]));
}

fn numbers(alerts: &[Alert]) -> Vec<i64> {
    let number = |alert: &Alert| (alert.id.created_ms() - sample::START_MS) / 1_000;
    alerts.iter().map(number).collect()
}

fn listing(store: &dyn Store, filter: AlertFilter, cursor: Cursor, limit: usize) -> Vec<i64> {
    numbers(&ok(store.alerts().list(&filter, cursor, limit)))
}

fn written(backend: &dyn Backend) {
    let full = Alert {
        level: AlertLevel::Error,
        code: ErrorCode::WebhookErrorStatus,
        resource: Some("SM00000000000000000000000000000001".into()),
        service: Some(ServiceSid(Id::from_u128(u128::MAX >> 3))),
        scope: "https://a.example".into(),
        text: "ä ✓".into(),
        count: 7,
        exchange: Some(Box::new(Exchange {
            method: HttpMethod::Post,
            url: "https://a.example/x?y=1".into(),
            request_headers: Some("accept: */*".into()),
            request_variables: Some("To=%2B1".into()),
            status: Some(503),
            response_headers: Some("server: x".into()),
            response_body: Some("no".into()),
        })),
        ..alert(1)
    };
    let mut bare = alert(2);
    bare.exchange = Some(Box::new(Exchange {
        method: HttpMethod::Get,
        url: "http://b.example".into(),
        request_headers: None,
        request_variables: None,
        status: None,
        response_headers: None,
        response_body: None,
    }));
    let store = backend.open();
    put(&*store, &[full.clone(), bare.clone(), alert(3)]);
    drop(store);
    let store = backend.open();
    let find = |id| ok(store.alerts().find(id));
    assert_eq!(find(full.id).as_ref(), Some(&full));
    assert_eq!(find(bare.id).as_ref(), Some(&bare));
    assert_eq!(find(alert(3).id), Some(alert(3)));
    assert_eq!(find(alert(4).id), None);
    // The same instant and sequence, another id.
    let stranger = Id::from_key(full.id.key(), full.id.tail() ^ 1);
    assert_eq!(find(stranger), None);
    let all = ok(store.alerts().list(&of(1), Cursor::Start, 9));
    assert_eq!(all, [alert(3), bare, full]);
}

fn repeated(backend: &dyn Backend) {
    let store = backend.open();
    let repeat = |number, count, last_ms| AlertRepeat {
        id: sample::id(number),
        count,
        last_ms,
    };
    let later_ms = sample::created_ms(9_u32);
    let alerts = store.alerts();
    // Also of an alert of the same call, and of none.
    ok(alerts.write(
        &[alert(1)],
        &[repeat(1, 4, later_ms), repeat(2, 1, later_ms)],
    ));
    ok(alerts.write(&[], &[repeat(1, 2, later_ms - 1)]));
    let found = ok(alerts.find(sample::id(1)));
    let counted = Alert {
        count: 7,
        updated_ms: later_ms,
        ..alert(1)
    };
    assert_eq!(found, Some(counted));
    assert_eq!(listing(&*store, of(1), Cursor::Start, 9), [1]);
}

/// Beyond what row keys can tell.
const YEAR_2999_MS: Millis = 32_503_593_600_000;

fn listed(backend: &dyn Backend) {
    let store = backend.open();
    put(
        &*store,
        &[alert(1), error(2), foreign(3), alert(4), error(5)],
    );
    let ms = |number: u32| Some(sample::created_ms(number));
    let base = of(1);
    for (filter, wanted) in [
        (base, &[5, 4, 2, 1][..]),
        (of(2), &[3]),
        (of(3), &[]),
        (
            AlertFilter {
                level: Some(AlertLevel::Error),
                ..base
            },
            &[5, 2],
        ),
        (
            AlertFilter {
                level: Some(AlertLevel::Warning),
                ..base
            },
            &[4, 1],
        ),
        (
            AlertFilter {
                from_ms: ms(2),
                ..base
            },
            &[5, 4, 2],
        ),
        (
            AlertFilter {
                before_ms: ms(4),
                ..base
            },
            &[2, 1],
        ),
        (
            AlertFilter {
                from_ms: ms(2),
                before_ms: ms(5),
                level: Some(AlertLevel::Error),
                ..base
            },
            &[2],
        ),
        (
            AlertFilter {
                before_ms: Some(YEAR_2999_MS),
                ..base
            },
            &[5, 4, 2, 1],
        ),
        (
            AlertFilter {
                from_ms: Some(YEAR_2999_MS),
                ..base
            },
            &[],
        ),
    ] {
        let page = listing(&*store, filter, Cursor::Start, 9);
        assert_eq!(page, wanted, "{filter:?}");
    }
}

fn paged(backend: &dyn Backend) {
    let store = backend.open();
    let all: Vec<_> = (1..=6).map(alert).chain([foreign(7)]).collect();
    put(&*store, &all);
    let at = |number| sample::id(number);
    for (cursor, limit, wanted) in [
        (Cursor::Start, 2, &[6, 5][..]),
        (Cursor::After(at(5)), 2, &[4, 3]),
        (Cursor::After(at(5)), 9, &[4, 3, 2, 1]),
        (Cursor::After(at(1)), 9, &[]),
        (Cursor::Before(at(2)), 2, &[4, 3]),
        (Cursor::Before(at(2)), 9, &[6, 5, 4, 3]),
        (Cursor::Before(at(6)), 9, &[]),
    ] {
        let page = listing(&*store, of(1), cursor, limit);
        assert_eq!(page, wanted, "{cursor:?} {limit}");
    }
    let late = AlertFilter {
        before_ms: Some(sample::created_ms(5_u32)),
        ..of(1)
    };
    assert_eq!(listing(&*store, late, Cursor::Before(at(1)), 2), [3, 2]);
}

fn recent(backend: &dyn Backend) {
    let store = backend.open();
    put(&*store, &[alert(1), foreign(2), alert(3), foreign(4)]);
    let recent = |since: u32, limit| {
        let since_ms = sample::created_ms(since);
        numbers(&ok(store.alerts().recent(since_ms, limit)))
    };
    assert_eq!(recent(2, 9), [2, 3, 4]);
    assert_eq!(recent(1, 2), [3, 4]);
    assert_eq!(recent(5, 9), Vec::<i64>::new());
}

fn forgotten(backend: &dyn Backend) {
    let store = backend.open();
    let own: Vec<_> = (1..=8).map(alert).chain((11..=13).map(foreign)).collect();
    put(&*store, &own);
    let both = |store: &dyn Store| [1, 2].map(|no| listing(store, of(no), Cursor::Start, 99));
    let alerts = store.alerts();
    let third_ms = sample::created_ms(3_u32);
    assert_eq!(ok(alerts.forget(third_ms, 99, 1)), 1);
    assert_eq!(both(&*store), [vec![8, 7, 6, 5, 4, 3, 2], vec![13, 12, 11]]);
    assert_eq!(ok(alerts.forget(third_ms, 99, 9)), 1);
    assert_eq!(ok(alerts.forget(third_ms, 99, 9)), 0);
    assert_eq!(ok(alerts.forget(third_ms, 4, 1)), 1);
    assert_eq!(both(&*store), [vec![8, 7, 6, 5, 4], vec![13, 12, 11]]);
    drop(store);
    let store = backend.open();
    // What was counted of an account is known after a restart.
    assert_eq!(ok(store.alerts().forget(0, 2, 9)), 4);
    assert_eq!(both(&*store), [vec![8, 7], vec![13, 12]]);
    let all_ms = sample::created_ms(99_u32);
    assert_eq!(ok(store.alerts().forget(all_ms, 2, 9)), 4);
    put(&*store, &[alert(20)]);
    assert_eq!(ok(store.alerts().forget(0, 1, 9)), 0);
}

fn rewritten(backend: &dyn Backend) {
    let store = backend.open();
    let about = |number, resource: &str| Alert {
        resource: Some(resource.into()),
        ..alert(number)
    };
    let theirs = Alert {
        account: AccountNo(2),
        ..about(3, "SM1")
    };
    let all = [about(1, "SM1"), about(2, "SM2"), theirs, about(4, "SM1")];
    ok(store.alerts().write(&all, &[]));
    let found = ok(store.alerts().about(AccountNo(1), "SM1"));
    assert_eq!(found, [all[0].clone(), all[3].clone()]);
    assert_eq!(ok(store.alerts().about(AccountNo(1), "SM3")), []);
    let exchange = Exchange {
        method: HttpMethod::Get,
        url: "https://example.com/".into(),
        request_headers: None,
        request_variables: Some("Body=".into()),
        status: Some(500),
        response_headers: None,
        response_body: None,
    };
    let changed = Alert {
        text: "shorter".into(),
        exchange: Some(Box::new(exchange)),
        // These stay as they were.
        count: 9,
        scope: "other".into(),
        ..all[0].clone()
    };
    // Of one that is not there nothing is made; a made-up tail is not there.
    let forged = Id::from_key(all[1].id.key(), all[1].id.tail() ^ 1);
    let forged = Alert {
        id: forged,
        ..changed.clone()
    };
    ok(store
        .alerts()
        .rewrite(&[changed.clone(), forged, about(9, "SM9")]));
    drop(store);
    let store = backend.open();
    let kept = Alert {
        count: 1,
        scope: "".into(),
        ..changed
    };
    assert_eq!(ok(store.alerts().find(all[0].id)), Some(kept));
    assert_eq!(ok(store.alerts().find(all[1].id)), Some(all[1].clone()));
    assert_eq!(ok(store.alerts().find(sample::id(9))), None);
}

fn forgotten_of(backend: &dyn Backend) {
    let store = backend.open();
    let all: Vec<Alert> = (0..6).map(alert).chain((6..9).map(foreign)).collect();
    ok(store.alerts().write(&all, &[]));
    let forget = |account: u32, before: u32, limit| {
        let before_ms = sample::created_ms(before);
        ok(store
            .alerts()
            .forget_of(AccountNo(account), before_ms, limit))
    };
    let left = |account| ok(store.alerts().list(&of(account), Cursor::Start, 99)).len();
    assert_eq!(forget(1, 4, 3), 3);
    assert_eq!(forget(1, 4, 3), 1);
    assert_eq!(forget(1, 4, 3), 0);
    assert_eq!((left(1), left(2)), (2, 3));
    assert_eq!(forget(2, 99, 9), 3);
    assert_eq!((left(1), left(2)), (2, 0));
}
