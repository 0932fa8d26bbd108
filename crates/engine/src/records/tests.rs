//! Records past their retention, redacted, deleted and erased: what is gone of them, and what is left.

use std::sync::Arc;

use postrider_carriers::Concat;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::message::{AccountNo, Direction, Message, Status, StatusSet};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::settings::{Account, HttpMethod};
use postrider_core::sid::{AccountSid, Id, MessageSid};
use postrider_core::testing;
use postrider_core::text::Encoding;
use postrider_store::{
    Alert, AlertFilter, Change, Cursor, Exchange, MessageFilter, RawReason, RawReceipt,
};

use super::*;
use crate::alerts::Details;
use crate::testing::{START_MS, TestEngine, engine};

const DAY_MS: Millis = 86_400_000;

/// Before the engine gives out ids of its own.
const MADE_MS: Millis = START_MS - 5_000;
const HANDSET: &str = "+447700900123";
const NUMBER: &str = "+14155550100";

async fn account(test: &TestEngine) -> Arc<Account> {
    let created = test.engine.create_main_account(None, None, "Main").await;
    created.unwrap().0
}

/// A delivered message that was made at an instant.
fn delivered(account: AccountNo, at_ms: Millis, sequence: u32) -> Message {
    Message {
        account,
        status: Status::Delivered,
        ..testing::message(Id::new(at_ms, sequence, 7))
    }
}

fn insert(test: &TestEngine, messages: impl IntoIterator<Item = Message>) {
    let inserts = messages.into_iter().map(Box::new).map(Change::Insert);
    let store = &test.engine.shared.store;
    store.commit(&inserts.collect::<Vec<_>>()).unwrap();
}

fn stored(test: &TestEngine, account: AccountNo) -> Vec<MessageSid> {
    let filter = MessageFilter {
        account: Some(account),
        ..MessageFilter::default()
    };
    let store = &test.engine.shared.store;
    let all = store.list(&filter, Cursor::Start, 10_000).unwrap();
    all.iter().map(|message| message.sid).collect()
}

async fn listed(test: &TestEngine, account: AccountNo) -> usize {
    let filter = MessageFilter {
        account: Some(account),
        ..MessageFilter::default()
    };
    let listed = test.engine.messages(filter, Cursor::Start, 10_000).await;
    listed.unwrap().len()
}

#[tokio::test]
async fn what_has_had_its_time_goes_step_by_step() {
    let test = engine();
    let (short, long) = (account(&test).await, account(&test).await);
    let sub = test.engine.create_account(short.sid, None).await.unwrap();
    test.engine.set_retention(short.sid, Some(7)).await.unwrap();
    let many = u32::try_from(2 * STEP + 1).unwrap();
    insert(&test, (0..many).map(|n| delivered(short.no, START_MS, n)));
    let scheduled = Message {
        status: Status::Scheduled,
        send_at_ms: Some(START_MS + 30 * DAY_MS),
        ..delivered(short.no, START_MS, many)
    };
    let untold = Message {
        callbacks_due: StatusSet::of(Status::Delivered),
        ..delivered(short.no, START_MS, many + 1)
    };
    insert(&test, [scheduled.clone(), untold.clone()]);
    insert(&test, [delivered(sub.no, START_MS, many + 2)]);
    insert(&test, [delivered(long.no, START_MS, many + 3)]);
    insert(&test, [delivered(short.no, START_MS + 1, 0)]);

    test.clock.set(START_MS + 7 * DAY_MS);
    assert_eq!(test.engine.forget_aged().await.unwrap(), 0, "too early");
    assert_eq!(listed(&test, short.no).await, 2 * STEP + 4);
    test.clock.advance(1);
    // At once for whoever asks: one is young enough, one is to be sent yet.
    assert_eq!(listed(&test, short.no).await, 2);
    assert_eq!(listed(&test, sub.no).await, 0);
    assert_eq!(listed(&test, long.no).await, 1);
    let untold_is = test.engine.message(short.no, untold.sid).await;
    assert_eq!(untold_is.unwrap_err().code, ErrorCode::NotFound);
    test.engine.message(short.no, scheduled.sid).await.unwrap();
    // And from the disk: many of the account, one of its subaccount.
    let gone = test.engine.forget_aged().await.unwrap();
    assert_eq!(gone, 2 * STEP as u64 + 2);
    assert_eq!(stored(&test, short.no).len(), 3);
    assert_eq!(stored(&test, sub.no), []);
    assert_eq!(stored(&test, long.no).len(), 1);
    let told = Change::CallbacksDone {
        id: untold.sid.id,
        done: StatusSet::of(Status::Delivered),
    };
    test.engine.shared.store.commit(&[told]).unwrap();
    assert_eq!(test.engine.forget_aged().await.unwrap(), 1);

    // The server's default holds for the other one.
    test.clock.set(START_MS + 400 * DAY_MS + 1);
    test.engine.forget_aged().await.unwrap();
    assert_eq!(stored(&test, long.no), []);
    assert_eq!(stored(&test, short.no), [scheduled.sid]);
}

fn exchange() -> Exchange {
    Exchange {
        method: HttpMethod::Post,
        url: "https://app.example/sms".into(),
        request_headers: Some("accept: */*".into()),
        request_variables: Some("From=%2B447700900123&Body=my+secret&NumMedia=0".into()),
        status: Some(500),
        response_headers: Some("server: a".into()),
        response_body: Some("could not read 'my secret'".into()),
    }
}

fn raise(test: &TestEngine, message: &Message, scope: &str) {
    let code = ErrorCode::WebhookFailed;
    let alerting = test.engine.alerting();
    alerting.raise(message.account, code, scope, || Details {
        resource: Some(message.sid.to_string().into()),
        text: Some(format!("about {HANDSET}").into()),
        exchange: Some(Box::new(exchange())),
        ..Details::default()
    });
}

/// All that were raised, oldest first.
async fn alerts(test: &TestEngine, account: AccountNo) -> Vec<Alert> {
    assert!(test.engine.write_alerts().await);
    let filter = AlertFilter {
        account,
        level: None,
        from_ms: None,
        before_ms: None,
    };
    let mut alerts = test.engine.alerts(filter, Cursor::Start, 99).await.unwrap();
    alerts.reverse();
    alerts
}

fn inbound(account: AccountNo, sequence: u32) -> Message {
    Message {
        direction: Direction::Inbound,
        status: Status::Received,
        from: Some(HANDSET.into()),
        to: NUMBER.into(),
        body: "my secret".into(),
        ..delivered(account, MADE_MS, sequence)
    }
}

#[tokio::test]
async fn an_alert_does_not_outlive_the_text_it_shows() {
    let test = engine();
    let account = account(&test).await.no;
    let (redacted, deleted, other) = (
        inbound(account, 1),
        inbound(account, 2),
        inbound(account, 3),
    );
    insert(&test, [redacted.clone(), deleted.clone(), other.clone()]);
    for message in [&redacted, &deleted, &other] {
        raise(&test, message, "written before");
    }
    assert_eq!(alerts(&test, account).await.len(), 3);
    raise(&test, &redacted, "not written yet");
    test.engine
        .redact_message(account, redacted.sid)
        .await
        .unwrap();
    test.engine
        .delete_message(account, deleted.sid)
        .await
        .unwrap();
    raise(&test, &redacted, "raised afterwards");
    raise(&test, &deleted, "raised afterwards, too");

    let bodyless = Exchange {
        request_variables: Some("From=%2B447700900123&Body=&NumMedia=0".into()),
        response_headers: None,
        response_body: None,
        ..exchange()
    };
    let empty = Exchange {
        request_variables: None,
        ..bodyless.clone()
    };
    let shown: Vec<_> = alerts(&test, account)
        .await
        .into_iter()
        .map(|alert| *alert.exchange.unwrap())
        .collect();
    assert_eq!(
        shown,
        [
            bodyless.clone(),
            empty.clone(),
            exchange(),
            bodyless.clone(),
            bodyless,
            empty
        ]
    );
}

#[tokio::test]
async fn alerts_are_kept_no_longer_than_messages() {
    let test = engine();
    let main = account(&test).await;
    test.engine.set_retention(main.sid, Some(7)).await.unwrap();
    raise(&test, &inbound(main.no, 1), "");
    let alert = alerts(&test, main.no).await.remove(0);
    test.clock.advance(7 * DAY_MS);
    assert_eq!(alerts(&test, main.no).await.len(), 1);
    test.clock.advance(1);
    assert_eq!(alerts(&test, main.no).await, []);
    let sid = postrider_core::sid::AlertSid(alert.id);
    test.engine.alert(main.no, sid).await.unwrap_err();
}

/// Of one number: everything there can be, in an account, its subaccount and another one.
struct Traces {
    test: TestEngine,
    main: Arc<Account>,
    other: Arc<Account>,
}

impl Traces {
    async fn new() -> Self {
        let test = engine();
        let (main, other) = (account(&test).await, account(&test).await);
        let number = PhoneNumber::parse(NUMBER).unwrap();
        let registered = test.engine.register_number(main.sid, number, |_| {}).await;
        registered.unwrap();
        Self { test, main, other }
    }

    async fn erase(&self, account: AccountSid) -> Erasure {
        let number = PhoneNumber::parse(HANDSET).unwrap();
        self.test.engine.erase(account, number).await.unwrap()
    }

    async fn segment(&self, sequence: u8, reference: u16) {
        let inbound = postrider_carriers::Inbound {
            from: HANDSET.into(),
            to: NUMBER.into(),
            text: "long".into(),
            encoding: Encoding::Gsm7,
            concat: Some(Concat {
                reference,
                is_16_bit: false,
                total: 2,
                sequence,
            }),
            raw: [].into(),
        };
        let carrier = Arc::from("test");
        assert!(crate::receive::store(&self.test.engine, &carrier, &inbound).await);
    }
}

#[tokio::test]
async fn everything_of_a_number_is_erased_but_what_is_in_flight() {
    let traces = Traces::new().await;
    let (test, main, other) = (&traces.test, &traces.main, &traces.other);
    let sub = test.engine.create_account(main.sid, None).await.unwrap();
    let to = |account: &Account, sequence: u32| delivered(account.no, MADE_MS, sequence);
    let whatsapp = Message {
        to: format!("whatsapp:{HANDSET}").into(),
        ..to(main, 2)
    };
    let stranger = Message {
        to: "+447700900124".into(),
        ..to(main, 3)
    };
    let queued = Message {
        status: Status::Queued,
        ..to(&sub, 4)
    };
    let untold = Message {
        callbacks_due: StatusSet::of(Status::Received),
        ..inbound(main.no, 5)
    };
    insert(
        test,
        [
            to(main, 0),
            inbound(main.no, 1),
            whatsapp,
            stranger.clone(),
            queued.clone(),
            untold.clone(),
            to(&sub, 6),
            to(other, 7),
        ],
    );
    raise(test, &inbound(main.no, 1), "");
    raise(test, &to(other, 7), "");
    assert_eq!(alerts(test, main.no).await.len(), 1);
    // A long text that was made, and one that waits for its second segment.
    traces.segment(1, 1).await;
    traces.segment(2, 1).await;
    traces.segment(1, 2).await;
    let raw = |octets: &[u8]| {
        Change::KeepRaw(RawReceipt {
            received_ms: START_MS,
            carrier: "test".into(),
            why: RawReason::Asked,
            octets: octets.into(),
        })
    };
    let store = &test.engine.shared.store;
    let kept = [
        raw(b"\x00447700900123\0id:1"),
        raw(b"\x00447700900124\0id:2"),
    ];
    store.commit(&kept).unwrap();

    let erasure = traces.erase(main.sid).await;
    let waiting = store.parts().unwrap();
    assert_eq!(waiting.len(), 1);
    let waiting = waiting[0].part.message;
    let left = |account: &Account, message: Id, reason| Left {
        account: account.sid,
        message: MessageSid {
            id: message,
            ..queued.sid
        },
        reason,
    };
    assert_eq!(
        erasure,
        Erasure {
            messages: 5,
            sticky_senders: 0,
            long_texts: 1,
            alerts: 1,
            raw_receipts: 1,
            left: vec![
                left(main, untold.sid.id, LeftReason::WebhookDue),
                left(&sub, queued.sid.id, LeftReason::InFlight),
                left(main, waiting, LeftReason::Incomplete),
            ],
            left_count: 3,
        }
    );
    assert_eq!(stored(test, main.no), [untold.sid, stranger.sid]);
    assert_eq!(stored(test, sub.no), [queued.sid]);
    assert_eq!(stored(test, other.no).len(), 1);
    let ours = alerts(test, main.no).await.remove(0);
    assert_eq!(ours.exchange, None);
    assert!(!ours.text.contains("4477"), "{}", ours.text);
    let theirs = alerts(test, other.no).await.remove(0);
    assert_eq!(theirs.exchange.as_deref(), Some(&exchange()));

    // Asked again it finds what has come to its end since.
    let done = Change::CallbacksDone {
        id: untold.sid.id,
        done: StatusSet::of(Status::Received),
    };
    store.commit(&[done]).unwrap();
    traces.segment(2, 2).await;
    let erasure = traces.erase(main.sid).await;
    assert_eq!((erasure.messages, erasure.long_texts), (2, 1));
    assert_eq!(erasure.left_count, 1);
    assert_eq!(traces.erase(main.sid).await.messages, 0);
}

#[tokio::test]
async fn only_whose_own_records_they_are_can_have_them_erased() {
    let traces = Traces::new().await;
    let (test, main) = (&traces.test, &traces.main);
    let sub = test.engine.create_account(main.sid, None).await.unwrap();
    let ours = delivered(main.no, START_MS, 1);
    insert(test, [ours.clone(), delivered(sub.no, START_MS, 2)]);
    assert_eq!(traces.erase(sub.sid).await.messages, 1);
    assert_eq!(stored(test, main.no), [ours.sid]);
    let own = PhoneNumber::parse(NUMBER).unwrap();
    let refused = test.engine.erase(main.sid, own).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidParameter);
    // Of another account it is a number like any other.
    let erasure = test.engine.erase(traces.other.sid, own).await.unwrap();
    assert_eq!(erasure, Erasure::default());
}
