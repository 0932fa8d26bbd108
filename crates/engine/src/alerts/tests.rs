//! Alerts through an engine: raised, written, counted up, recalled after a restart, forgotten.

use std::sync::Arc;
use std::time::Duration;

use postrider_core::clock::Millis;
use postrider_core::create::CreateMessage;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::AccountNo;
use postrider_core::settings::Service;
use postrider_store::memory::{MemoryDisk, MemoryStore};
use postrider_store::{ALERT_AGE_MAX_MS, Alert, AlertFilter, Cursor, Store};

use super::{Details, WAITING_MAX};
use crate::Engine;
use crate::testing::{START_MS, TestEngine, engine, engine_over, engine_with};

const ACCOUNT: AccountNo = AccountNo(1);
const UNREGISTERED: ErrorCode = ErrorCode::PreregistrationWanted;
const DAY_MS: Millis = 86_400_000;

fn raise(engine: &Engine, code: ErrorCode, scope: &str) {
    engine
        .alerting()
        .raise(ACCOUNT, code, scope, Details::default);
}

async fn written(engine: &Engine) -> Vec<Alert> {
    engine.write_alerts().await;
    let filter = AlertFilter {
        account: ACCOUNT,
        level: None,
        from_ms: None,
        before_ms: None,
    };
    engine.alerts(filter, Cursor::Start, 9_999).await.unwrap()
}

fn counts(alerts: &[Alert]) -> Vec<u64> {
    alerts.iter().map(|alert| alert.count).collect()
}

#[tokio::test]
async fn what_happens_again_is_counted() {
    let TestEngine { engine, clock, .. } = &engine();
    for _ in 0..3 {
        raise(engine, UNREGISTERED, "a");
    }
    raise(engine, UNREGISTERED, "b");
    assert_eq!(counts(&written(engine).await), [1, 3]);
    clock.advance(1_000);
    raise(engine, UNREGISTERED, "a");
    let alerts = written(engine).await;
    assert_eq!(counts(&alerts), [1, 4]);
    assert_eq!(alerts[1].updated_ms, START_MS + 1_000);
    clock.advance(DAY_MS);
    raise(engine, UNREGISTERED, "a");
    assert_eq!(counts(&written(engine).await), [1, 1, 4]);
    assert_eq!(engine.metrics().alerts.get(), 6);
}

#[tokio::test]
async fn a_restart_does_not_tell_it_again() {
    let disk = MemoryDisk::new();
    let test = engine_over(Arc::new(disk.open()));
    raise(&test.engine, UNREGISTERED, "a");
    // A polite stop writes what waits.
    test.running.shut_down(Duration::from_secs(5)).await;
    let test = engine_over(Arc::new(disk.open()));
    raise(&test.engine, UNREGISTERED, "a");
    raise(&test.engine, UNREGISTERED, "b");
    let alerts = written(&test.engine).await;
    assert_eq!(counts(&alerts), [1, 2]);
    // Although the clock was set back.
    assert!(alerts[0].id > alerts[1].id);
}

#[tokio::test]
async fn a_flood_is_bounded_and_a_bad_disk_stops_nobody() {
    let store = Arc::new(MemoryStore::new());
    let test = engine_over(store.clone());
    let engine = &test.engine;
    // Before the writer has its turn.
    for account in 0..100 {
        for scope in 0..60 {
            let scope = scope.to_string();
            let alerting = engine.alerting();
            alerting.raise(AccountNo(account), UNREGISTERED, &scope, Details::default);
        }
    }
    assert_eq!(engine.alerting().raised().len(), WAITING_MAX);
    let beyond = 6_000 - WAITING_MAX as u64;
    assert_eq!(engine.metrics().alerts_dropped.get(), beyond);
    store.set_full(true);
    let alerting = engine.alerting();
    for _ in 0..2 {
        assert!(!engine.write_alerts().await);
        assert_eq!(alerting.raised().len(), WAITING_MAX);
    }
    // One that waits to be written counts what is like it; one that was dropped is not made up for
    // while there is no room.
    alerting.raise(AccountNo(0), UNREGISTERED, "7", Details::default);
    alerting.raise(AccountNo(99), UNREGISTERED, "7", Details::default);
    assert_eq!(engine.metrics().alerts_dropped.get(), beyond + 1);
    assert!(!engine.write_alerts().await);
    store.set_full(false);
    assert!(engine.write_alerts().await);
    assert_eq!(alerting.raised(), []);
    // Now it is.
    for _ in 0..2 {
        alerting.raise(AccountNo(0), UNREGISTERED, "7", Details::default);
        alerting.raise(AccountNo(99), UNREGISTERED, "7", Details::default);
    }
    assert!(engine.write_alerts().await);
    let everything = store.alerts().recent(0, 9_999).unwrap();
    assert_eq!(everything.len(), WAITING_MAX + 1);
    let count = |account| {
        let mut all = everything.iter();
        let like = |alert: &&Alert| alert.account == AccountNo(account) && &*alert.scope == "7";
        all.find(like).map(|alert| alert.count)
    };
    assert_eq!([count(0), count(99)], [Some(4), Some(2)]);
    assert_eq!(*engine.failure().borrow(), None);
}

#[tokio::test]
async fn alerts_are_kept_for_thirty_days() {
    let store = Arc::new(MemoryStore::new());
    let TestEngine { engine, clock, .. } = &engine_over(store.clone());
    raise(engine, ErrorCode::WebhookFailed, "a");
    let alert = written(engine).await.remove(0);
    let sid = postrider_core::sid::AlertSid(alert.id);
    clock.advance(ALERT_AGE_MAX_MS);
    assert_eq!(engine.alert(ACCOUNT, sid).await.unwrap(), alert);
    clock.advance(1);
    // Not forgotten yet, but too old to be shown.
    assert_eq!(
        engine.alert(ACCOUNT, sid).await.unwrap_err().code,
        ErrorCode::NotFound
    );
    assert_eq!(written(engine).await, []);
    assert_eq!(store.alerts().find(alert.id).unwrap(), Some(alert));
    let before_ms = engine.now_ms() - ALERT_AGE_MAX_MS;
    assert_eq!(store.alerts().forget(before_ms, 9, 9).unwrap(), 1);
}

#[tokio::test]
async fn a_period_over_a_limit_that_was_lowered_is_warned_of_once_an_hour() {
    let test = engine_with(Arc::new(MemoryStore::new()), |setup| {
        setup.limits.max_validity_period = 14_400;
    });
    let engine = &test.engine;
    let main = engine.create_main_account(None, None, "Main").await;
    let (account, _) = main.unwrap();
    let number = postrider_core::phone_number::PhoneNumber::parse("+14155550101").unwrap();
    let number = engine.register_number(account.sid, number, |_| {}).await;
    let service = engine.create_service(account.sid, |_| {}).await.unwrap();
    let entry = crate::NewPoolEntry::Number(number.unwrap().sid);
    engine.add_to_pool(service.sid, entry).await.unwrap();
    let mut request = CreateMessage {
        to: Some("+14155550199".to_owned()),
        messaging_service: Some(service.sid.to_string()),
        body: Some("Hi".to_owned()),
        ..CreateMessage::default()
    };
    let create = async |request: &CreateMessage| {
        let created = engine.create_message(&account, request.clone()).await;
        created.unwrap().message.sid
    };
    create(&request).await;
    assert_eq!(written(engine).await, []);
    let before_the_limit = |service: &mut Service| service.validity_period_s = 14_401;
    let updated = engine.update_service(service.sid, before_the_limit).await;
    updated.unwrap();
    // A message with a period of its own inherits none.
    request.validity_period = Some("60".to_owned());
    create(&request).await;
    assert_eq!(written(engine).await, []);
    request.validity_period = None;
    let first = create(&request).await;
    create(&request).await;
    let alerts = written(engine).await;
    assert_eq!(counts(&alerts), [2]);
    let alert = &alerts[0];
    assert_eq!(alert.code, ErrorCode::InheritedValidityPeriodInvalid);
    assert_eq!(alert.resource.as_deref(), Some(&*first.to_string()));
    assert_eq!(alert.service, Some(service.sid));
    test.clock.advance(3_600_000);
    create(&request).await;
    assert_eq!(counts(&written(engine).await), [1, 2]);
}
