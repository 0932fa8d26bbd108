//! Listings: every filter, both cursors, page borders.

use postrider_core::message::{AccountNo, Message, Status};

use super::sample::{created_ms, message, message_with, number};
use super::{Backend, Case, insert, numbers, ok};
use crate::contract::{Cursor, MessageFilter, Store};

pub(super) const CASES: &[Case] = &[
    (
        "what is settled and older than asked is not listed",
        what_is_settled_and_old_is_not_listed,
    ),
    (
        "every filter and their combinations, by every page size",
        every_filter,
    ),
    (
        "pages join without gap or repetition, both ways",
        pages_join,
    ),
    ("a page of nothing is empty", a_page_of_nothing),
    (
        "an address is compared as text",
        an_address_is_compared_as_text,
    ),
    (
        "dates of sending are a half-open interval",
        dates_of_sending,
    ),
];

const HOW_MANY: u32 = 48;

/// Messages that differ in every filtered field, in ways that do not line up.
fn various(number: u32) -> Message {
    message_with(number, |message| {
        message.account = AccountNo(number % 2);
        message.to = ["+447700900001", "+447700900002", "whatsapp:+447700900001"]
            [number as usize % 3]
            .into();
        message.from = [Some("+14155550100"), Some("ACME"), Some("12345"), None]
            [number as usize / 2 % 4]
            .map(Into::into);
        message.status = [
            Status::Queued,
            Status::Sent,
            Status::Delivered,
            Status::Failed,
        ][number as usize / 3 % 4];
        // Sent in another order than made; some never.
        message.sent_ms =
            (!number.is_multiple_of(5)).then(|| created_ms(number) + i64::from(number % 7) * 2_500);
    })
}

fn filters() -> Vec<MessageFilter> {
    let accounts = [
        None,
        Some(AccountNo(0)),
        Some(AccountNo(1)),
        Some(AccountNo(7)),
    ];
    let tos = [
        None,
        Some("+447700900001"),
        Some("whatsapp:+447700900001"),
        Some("+4477"),
    ];
    let froms = [None, Some("+14155550100"), Some("ACME"), Some("acme")];
    let statuses = [None, Some(Status::Delivered)];
    let dates = [
        (None, None),
        (Some(created_ms(20_u32)), None),
        (None, Some(created_ms(25_u32))),
        (Some(created_ms(10_u32)), Some(created_ms(30_u32))),
        (Some(created_ms(30_u32)), Some(created_ms(10_u32))),
    ];
    let mut filters = Vec::new();
    for account in accounts {
        for to in tos {
            for from in froms {
                for status in statuses {
                    for (sent_from_ms, sent_before_ms) in dates {
                        filters.push(MessageFilter {
                            account,
                            to: to.map(Into::into),
                            from: from.map(Into::into),
                            status,
                            sent_from_ms,
                            sent_before_ms,
                            ..MessageFilter::default()
                        });
                    }
                }
            }
        }
    }
    filters
}

/// The filter said once more, as plainly as can be.
fn fits(filter: &MessageFilter, message: &Message) -> bool {
    let sent_ms = message.sent_ms;
    if filter
        .account
        .is_some_and(|account| account != message.account)
    {
        return false;
    }
    if filter.to.is_some() && filter.to.as_ref() != Some(&message.to) {
        return false;
    }
    if filter.from.is_some() && filter.from != message.from {
        return false;
    }
    if filter.status.is_some_and(|status| status != message.status) {
        return false;
    }
    if filter.sent_from_ms.is_some() && (sent_ms.is_none() || sent_ms < filter.sent_from_ms) {
        return false;
    }
    if filter.sent_before_ms.is_some() && (sent_ms.is_none() || sent_ms >= filter.sent_before_ms) {
        return false;
    }
    true
}

fn filled(backend: &dyn Backend) -> (Box<dyn Store>, Vec<Message>) {
    let store = backend.open();
    let mut messages: Vec<Message> = (0..HOW_MANY).map(various).collect();
    insert(&*store, &messages);
    messages.reverse();
    (store, messages)
}

fn every_filter(backend: &dyn Backend) {
    let (store, newest_first) = filled(backend);
    for filter in filters() {
        let wanted: Vec<u32> = newest_first
            .iter()
            .filter(|message| fits(&filter, message))
            .map(number)
            .collect();
        for limit in [1, 5, 100] {
            let page = ok(store.list(&filter, Cursor::Start, limit));
            let expected = &wanted[..wanted.len().min(limit)];
            assert_eq!(numbers(&page), expected, "{filter:?} limit {limit}");
        }
        // From the middle both ways, a page of three.
        let middle = super::sample::id(24);
        let older: Vec<u32> = wanted.iter().copied().filter(|&n| n < 24).take(3).collect();
        let page = ok(store.list(&filter, Cursor::After(middle), 3));
        assert_eq!(numbers(&page), older, "{filter:?} after");
        let newer: Vec<u32> = wanted.iter().copied().filter(|&n| n > 24).collect();
        let newer = &newer[newer.len().saturating_sub(3)..];
        let page = ok(store.list(&filter, Cursor::Before(middle), 3));
        assert_eq!(numbers(&page), newer, "{filter:?} before");
    }
}

fn pages_join(backend: &dyn Backend) {
    let (store, newest_first) = filled(backend);
    let filter = MessageFilter {
        account: Some(AccountNo(1)),
        ..MessageFilter::default()
    };
    let wanted: Vec<u32> = newest_first
        .iter()
        .filter(|message| fits(&filter, message))
        .map(number)
        .collect();
    for size in [1, 3, 8, 24, 25] {
        let mut seen = Vec::new();
        let mut cursor = Cursor::Start;
        loop {
            let page = ok(store.list(&filter, cursor, size));
            let Some(last) = page.last() else { break };
            cursor = Cursor::After(last.sid.id);
            seen.extend(numbers(&page));
        }
        assert_eq!(seen, wanted, "forward by {size}");

        let mut seen = Vec::new();
        let mut cursor = Cursor::Before(super::sample::id(0));
        loop {
            let page = ok(store.list(&filter, cursor, size));
            let Some(first) = page.first() else { break };
            cursor = Cursor::Before(first.sid.id);
            seen.splice(0..0, numbers(&page));
        }
        assert_eq!(seen, wanted, "backward by {size}");
    }
}

fn a_page_of_nothing(backend: &dyn Backend) {
    let store = backend.open();
    let all = MessageFilter::default();
    assert!(ok(store.list(&all, Cursor::Start, 10)).is_empty());
    drop(store);
    let (store, newest_first) = filled(backend);
    let (newest, oldest) = (&newest_first[0], &newest_first[newest_first.len() - 1]);
    assert!(ok(store.list(&all, Cursor::Start, 0)).is_empty());
    assert!(ok(store.list(&all, Cursor::After(oldest.sid.id), 10)).is_empty());
    assert!(ok(store.list(&all, Cursor::Before(newest.sid.id), 10)).is_empty());
}

fn an_address_is_compared_as_text(backend: &dyn Backend) {
    let store = backend.open();
    // All of them digits of the same number.
    let alike = ["+447700900001", "447700900001", "+0447700900001"];
    for (number, to) in (0..).zip(alike) {
        insert(
            &*store,
            &[message_with(number, |message| message.to = to.into())],
        );
    }
    for (number, to) in (0..).zip(alike) {
        let filter = MessageFilter {
            account: Some(AccountNo(1)),
            to: Some(to.into()),
            ..MessageFilter::default()
        };
        let page = ok(store.list(&filter, Cursor::Start, 9));
        assert_eq!(numbers(&page), [number], "{to}");
    }
}

fn dates_of_sending(backend: &dyn Backend) {
    let store = backend.open();
    for number in 0..4 {
        let sent = message_with(number, |message| {
            message.sent_ms = Some(created_ms(100 + number));
        });
        insert(&*store, &[sent]);
    }
    let page = |from: u32, before: u32| {
        let filter = MessageFilter {
            account: Some(AccountNo(1)),
            sent_from_ms: Some(created_ms(100 + from)),
            sent_before_ms: Some(created_ms(100 + before)),
            ..MessageFilter::default()
        };
        numbers(&ok(store.list(&filter, Cursor::Start, 9)))
    };
    assert_eq!(page(1, 3), [2, 1]);
    assert_eq!(page(3, 3), [0_u32; 0]);
    assert_eq!(page(0, 9), [3, 2, 1, 0]);
}

fn what_is_settled_and_old_is_not_listed(backend: &dyn Backend) {
    let store = backend.open();
    // Of each status one that is old and one that is not.
    for first in [0, 20] {
        for (number, status) in (first..).zip(Status::ALL) {
            let message = message_with(number, |message| {
                message.status = status;
                message.send_at_ms = Some(created_ms(90_u32));
            });
            insert(&*store, &[message]);
        }
    }
    let list = |filter: MessageFilter| {
        let both = [
            Cursor::Start,
            Cursor::Before(super::sample::id(0)),
            Cursor::After(super::sample::id(99)),
        ];
        let pages = both.map(|cursor| numbers(&ok(store.list(&filter, cursor, 99))));
        assert_eq!(pages[0], pages[2]);
        assert_eq!(
            pages[0].len(),
            pages[1].len() + usize::from(pages[0].contains(&0))
        );
        let mut all = pages[0].clone();
        all.reverse();
        all
    };
    let filter = |account| MessageFilter {
        account,
        settled_from_ms: Some(created_ms(20_u32)),
        made_before_ms: Some(created_ms(22_u32)),
        ..MessageFilter::default()
    };
    // Scheduled, accepted, queued, sending; and receiving.
    let unsettled = [0, 1, 2, 3, 11];
    let wanted: Vec<u32> = unsettled.into_iter().chain([20, 21]).collect();
    for account in [None, Some(AccountNo(1))] {
        assert_eq!(list(filter(account)), wanted);
    }
    let to = MessageFilter {
        to: Some(message(0).to),
        ..filter(Some(AccountNo(1)))
    };
    assert_eq!(list(to), wanted);
    let made_before = MessageFilter {
        settled_from_ms: None,
        ..filter(Some(AccountNo(1)))
    };
    assert_eq!(list(made_before).len(), Status::ALL.len() + 2);
}
