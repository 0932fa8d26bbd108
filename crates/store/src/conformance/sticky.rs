//! Sticky mappings: written whole, found, counted, listed, and there again after a restart.

use postrider_core::message::SenderNo;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::{Id, ServiceSid};

use super::{Backend, Case, ok};
use crate::contract::Store;
use crate::sticky::{RecipientCursor, StickyChange, StickyCount, StickyKey, StickySender};

pub(super) const CASES: &[Case] = &[
    ("a mapping is what was written last", written_last),
    ("counts follow the mappings", counted),
    ("mappings are listed by recipient", listed),
    ("a sweep's place is kept until it is over", swept),
    ("a restart changes nothing", restarted),
];

fn key(service: u128, recipient: u64) -> StickyKey {
    StickyKey {
        service: ServiceSid(Id::from_u128(service)),
        recipient: PhoneNumber::from_digits(14_155_550_000 + recipient)
            .expect("eleven digits are a number"),
    }
}

fn sender(position: u64) -> StickySender {
    StickySender {
        sender: SenderNo(100),
        position,
        created_ms: 1_767_225_600_000,
        used_ms: 1_767_225_601_000,
    }
}

fn put(store: &dyn Store, puts: &[(StickyKey, Option<u64>)], reached: u128) {
    let changes: Vec<_> = puts
        .iter()
        .map(|&(key, position)| StickyChange {
            key,
            sender: position.map(sender),
        })
        .collect();
    ok(store.sticky().write(&changes, Id::from_u128(reached)));
}

fn counts(store: &dyn Store) -> Vec<(u128, u64, u64)> {
    let counts = ok(store.sticky().counts()).into_iter();
    let plain = |count: StickyCount| {
        let service = count.service.0.as_u128();
        (service, count.position, count.mappings)
    };
    let mut counts: Vec<_> = counts.map(plain).collect();
    counts.sort_unstable();
    counts
}

fn written_last(backend: &dyn Backend) {
    let store = backend.open();
    let sticky = store.sticky();
    assert_eq!(ok(sticky.reached()), None);
    assert_eq!(ok(sticky.find(key(1, 1))), None);
    put(&*store, &[(key(1, 1), Some(3)), (key(2, 1), Some(4))], 7);
    assert_eq!(ok(sticky.find(key(1, 1))), Some(sender(3)));
    assert_eq!(ok(sticky.find(key(2, 1))), Some(sender(4)));
    assert_eq!(ok(sticky.find(key(1, 2))), None);
    assert_eq!(ok(sticky.reached()), Some(Id::from_u128(7)));
    put(
        &*store,
        &[
            (key(1, 1), Some(5)),
            (key(1, 1), Some(6)),
            (key(2, 1), None),
        ],
        8,
    );
    assert_eq!(ok(sticky.find(key(1, 1))), Some(sender(6)));
    assert_eq!(ok(sticky.find(key(2, 1))), None);
    // Seconds are kept.
    let mut precise = sender(1);
    precise.used_ms += 999;
    let change = StickyChange {
        key: key(1, 9),
        sender: Some(precise),
    };
    ok(sticky.write(&[change], Id::from_u128(9)));
    assert_eq!(ok(sticky.find(key(1, 9))), Some(sender(1)));
}

fn counted(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(counts(&*store), []);
    put(
        &*store,
        &[
            (key(1, 1), Some(3)),
            (key(1, 2), Some(3)),
            (key(1, 3), Some(4)),
            (key(2, 1), Some(3)),
        ],
        1,
    );
    assert_eq!(counts(&*store), [(1, 3, 2), (1, 4, 1), (2, 3, 1)]);
    // The same again, another sender, a deletion, and one of what is not there.
    put(
        &*store,
        &[
            (key(1, 1), Some(3)),
            (key(1, 2), Some(4)),
            (key(2, 1), None),
            (key(2, 2), None),
        ],
        2,
    );
    assert_eq!(counts(&*store), [(1, 3, 1), (1, 4, 2)]);
}

fn listed(backend: &dyn Backend) {
    let store = backend.open();
    let all: Vec<_> = (1..=5)
        .map(|recipient| (key(1, recipient), Some(3)))
        .collect();
    put(&*store, &all, 1);
    put(&*store, &[(key(2, 2), Some(8)), (key(2, 1), Some(9))], 2);
    let sticky = store.sticky();
    let recipients = |page: Vec<(StickyKey, StickySender)>| -> Vec<_> {
        page.into_iter().map(|(key, _)| key).collect()
    };
    let first = recipients(ok(sticky.page(None, 3)));
    assert_eq!(first, [key(1, 1), key(1, 2), key(1, 3)]);
    let rest = recipients(ok(sticky.page(first.last().copied(), 99)));
    assert_eq!(rest, [key(1, 4), key(1, 5), key(2, 1), key(2, 2)]);
    let service = key(1, 0).service;
    let third = key(1, 3).recipient;
    for (cursor, limit, wanted) in [
        (RecipientCursor::Start, 2, &[key(1, 1), key(1, 2)][..]),
        (RecipientCursor::After(third), 1, &[key(1, 4)]),
        (RecipientCursor::After(third), 9, &[key(1, 4), key(1, 5)]),
        (RecipientCursor::Before(third), 1, &[key(1, 2)]),
        (RecipientCursor::Before(third), 9, &[key(1, 1), key(1, 2)]),
    ] {
        let page = recipients(ok(sticky.of_service(service, cursor, limit)));
        assert_eq!(page, wanted, "{cursor:?} {limit}");
    }
    let unknown = key(3, 0).service;
    assert_eq!(
        ok(sticky.of_service(unknown, RecipientCursor::Start, 9)),
        []
    );
}

fn swept(backend: &dyn Backend) {
    let store = backend.open();
    assert_eq!(ok(store.sticky().swept()), None);
    put(&*store, &[(key(1, 1), Some(3)), (key(2, 1), Some(4))], 7);
    for place in [Some(key(1, 1)), Some(key(2, 1)), None, Some(key(1, 1))] {
        ok(store.sticky().keep_swept(place));
        assert_eq!(ok(store.sticky().swept()), place);
    }
    // Its mapping may go, and others come.
    put(&*store, &[(key(1, 1), None), (key(1, 2), Some(3))], 8);
    drop(store);
    let store = backend.open();
    assert_eq!(ok(store.sticky().swept()), Some(key(1, 1)));
    assert_eq!(ok(store.sticky().reached()), Some(Id::from_u128(8)));
    assert_eq!(ok(store.sticky().page(Some(key(1, 1)), 9)).len(), 2);
}

fn restarted(backend: &dyn Backend) {
    let store = backend.open();
    put(&*store, &[(key(1, 1), Some(3)), (key(2, 1), Some(4))], 7);
    drop(store);
    let store = backend.open();
    assert_eq!(ok(store.sticky().find(key(2, 1))), Some(sender(4)));
    assert_eq!(ok(store.sticky().reached()), Some(Id::from_u128(7)));
    assert_eq!(counts(&*store), [(1, 3, 1), (2, 4, 1)]);
    put(&*store, &[(key(3, 1), Some(5))], 8);
    assert_eq!(ok(store.sticky().page(None, 9)).len(), 3);
}
