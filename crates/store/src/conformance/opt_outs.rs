//! The opt-out list: what was applied blocks, is listed with its cause, and is there after a restart.

use postrider_core::message::{AccountNo, SenderNo};
use postrider_core::opt_out::{ChannelGroup, Language, ListKey, Rule, Scope};
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, MessageKind, MessageSid, ServiceSid};

use super::{Backend, Case, ok};
use crate::contract::{Cursor, Store};
use crate::opt_outs::{OptOutCause, OptOutEvent, OptOutFilter, OptOutSource};

pub(super) const CASES: &[Case] = &[
    ("an opt-out blocks until an opt-in", blocks),
    ("what says nothing new is not kept", news),
    ("entries are listed newest first", listed),
    ("each change says why", causes),
    ("what changed lately is found", lately),
];

const ACCOUNT: AccountNo = AccountNo(7);

fn key(scope: Scope, user: u64) -> ListKey {
    ListKey {
        scope,
        channels: ChannelGroup::Text,
        user: PhoneNumber::from_digits(14_155_550_000 + user).expect("eleven digits are a number"),
    }
}

fn service(number: u128) -> Scope {
    Scope::Service(ServiceSid(Id::from_u128(number)))
}

/// At so many milliseconds.
fn event(at_ms: i64, key: ListKey, is_blocked: bool) -> OptOutEvent {
    OptOutEvent {
        id: Id::new(at_ms, 0, 0),
        account: ACCOUNT,
        key,
        is_blocked,
        cause: OptOutCause::of(OptOutSource::Others),
    }
}

fn filter() -> OptOutFilter {
    OptOutFilter {
        account: ACCOUNT,
        scope: None,
        user: None,
        is_blocked: None,
    }
}

/// Times of entries.
fn list(store: &dyn Store, filter: OptOutFilter, cursor: Cursor, limit: usize) -> Vec<i64> {
    let entries = ok(store.opt_outs().list(&filter, cursor, limit)).into_iter();
    entries.map(|entry| entry.id.created_ms()).collect()
}

fn blocks(backend: &dyn Backend) {
    let (one, other) = (key(service(1), 1), key(Scope::Sender(SenderNo(9)), 1));
    let store = backend.open();
    let is_blocked = |store: &dyn Store, key: ListKey| {
        let scopes = ok(store.opt_outs().opted_out(key.channels, key.user));
        scopes.contains(&key.scope)
    };
    assert!(!is_blocked(&*store, one));
    ok(store.opt_outs().apply(&[event(1, one, true)]));
    assert!(is_blocked(&*store, one));
    ok(store.opt_outs().warm_up());
    ok(store.opt_outs().apply(&[event(2, other, true)]));
    let whatsapp = ListKey {
        channels: ChannelGroup::WhatsApp,
        ..one
    };
    for (key, expected) in [
        (one, true),
        (other, true),
        (whatsapp, false),
        (key(service(2), 1), false),
        (key(service(1), 2), false),
        (key(Scope::Sender(SenderNo(8)), 1), false),
    ] {
        assert_eq!(is_blocked(&*store, key), expected, "{key:?}");
    }
    drop(store);
    let store = backend.open();
    assert!(is_blocked(&*store, one));
    ok(store.opt_outs().warm_up());
    assert!(is_blocked(&*store, one) && is_blocked(&*store, other));
    ok(store.opt_outs().apply(&[event(3, one, false)]));
    assert!(!is_blocked(&*store, one));
}

fn news(backend: &dyn Backend) {
    let store = backend.open();
    let key = key(service(1), 1);
    let events = [
        event(1, key, true),
        event(2, key, true),
        event(3, key, false),
        event(4, key, false),
        event(5, key, true),
    ];
    let applied = ok(store.opt_outs().apply(&events));
    assert_eq!(applied, [true, false, true, false, true]);
    let history = ok(store.opt_outs().history(ACCOUNT, key.user, 10));
    let times: Vec<_> = history.iter().map(|event| event.id.created_ms()).collect();
    assert_eq!(times, [5, 3, 1]);
    let entry = ok(store.opt_outs().find(Id::new(1, 0, 0))).expect("the first event's");
    assert_eq!((entry.updated_ms, entry.last.is_blocked), (5, true));
    // Later events have no entries of their own.
    assert_eq!(ok(store.opt_outs().find(Id::new(3, 0, 0))), None);
    assert_eq!(ok(store.opt_outs().find(Id::new(2, 0, 0))), None);
}

fn listed(backend: &dyn Backend) {
    let store = backend.open();
    let foreign = OptOutEvent {
        account: AccountNo(8),
        ..event(6, key(service(3), 1), true)
    };
    let events = [
        event(1, key(service(1), 1), true),
        event(2, key(service(1), 2), true),
        event(3, key(service(2), 1), true),
        event(4, key(service(1), 3), true),
        event(5, key(service(1), 2), false),
        foreign,
    ];
    ok(store.opt_outs().apply(&events));
    let all = filter();
    let at = |ms| Id::new(ms, 0, 0);
    assert_eq!(list(&*store, all, Cursor::Start, 10), [4, 3, 2, 1]);
    assert_eq!(list(&*store, all, Cursor::Start, 2), [4, 3]);
    assert_eq!(list(&*store, all, Cursor::After(at(3)), 10), [2, 1]);
    assert_eq!(list(&*store, all, Cursor::Before(at(1)), 2), [3, 2]);
    let of_service = OptOutFilter {
        scope: Some(service(1)),
        ..all
    };
    assert_eq!(list(&*store, of_service, Cursor::Start, 10), [4, 2, 1]);
    assert_eq!(list(&*store, of_service, Cursor::After(at(4)), 1), [2]);
    let of_user = OptOutFilter {
        user: Some(key(service(1), 1).user),
        ..all
    };
    assert_eq!(list(&*store, of_user, Cursor::Start, 10), [3, 1]);
    let both = OptOutFilter {
        scope: Some(service(2)),
        ..of_user
    };
    assert_eq!(list(&*store, both, Cursor::Start, 10), [3]);
    let opted_in = OptOutFilter {
        is_blocked: Some(false),
        ..all
    };
    assert_eq!(list(&*store, opted_in, Cursor::Start, 10), [2]);
}

fn causes(backend: &dyn Backend) {
    let by_text = OptOutEvent {
        cause: OptOutCause {
            message: Some(MessageSid {
                id: Id::from_u128(77),
                kind: MessageKind::Sms,
            }),
            keyword: Some("ARRÊT".into()),
            language: Some(Language::French),
            rule: Some(Rule::CountryLayer),
            ..OptOutCause::of(OptOutSource::OptOutMessage)
        },
        ..event(1, key(service(1), 1), true)
    };
    let by_operator = OptOutEvent {
        cause: OptOutCause {
            actor: Some("AC00000000000000000000000000000001".into()),
            note: Some("asked on the phone".into()),
            consent_ms: Some(1_700_000_000_000),
            ..OptOutCause::of(OptOutSource::Offline)
        },
        ..event(2, key(Scope::Sender(SenderNo(3)), 1), true)
    };
    let events = [by_text.clone(), by_operator.clone()];
    ok(backend.open().opt_outs().apply(&events));
    let store = backend.open();
    let history = ok(store.opt_outs().history(ACCOUNT, by_text.key.user, 10));
    assert_eq!(history, [by_operator, by_text.clone()]);
    let entry = ok(store.opt_outs().find(by_text.id)).expect("an entry");
    assert_eq!(entry.last, by_text);
    assert_eq!(
        ok(store.opt_outs().history(AccountNo(8), by_text.key.user, 10)),
        []
    );
}

fn lately(backend: &dyn Backend) {
    let store = backend.open();
    let [old, back, new] = [1, 2, 3].map(|user| key(service(1), user));
    let events = [
        event(1_000, old, true),
        event(2_000, back, true),
        event(2_001, new, true),
        event(2_002, back, false),
    ];
    ok(store.opt_outs().apply(&events));
    assert_eq!(ok(store.opt_outs().blocked_since(2_000)), [new]);
    assert_eq!(ok(store.opt_outs().blocked_since(2_002)), []);
}
