//! The life of a mapping, seen through messages.

use std::collections::BTreeMap;

use postrider_carriers::{Concat, Inbound};
use postrider_core::create::CreateMessage;
use postrider_core::message::SenderNo;
use postrider_core::settings::Account;
use postrider_core::sid::PhoneNumberSid;
use postrider_core::text::Encoding;
use postrider_store::RecipientCursor::{After, Before, Start};
use postrider_store::memory::MemoryDisk;

use super::*;
use crate::testing::{TestEngine, engine, engine_over};
use crate::{Engine, NewPoolEntry};
use postrider_core::phone_number::PhoneNumber;

const DAY_MS: Millis = 86_400_000;

/// A customer with a service.
struct Customer {
    account: Arc<Account>,
    service: ServiceSid,
}

impl Customer {
    async fn new(engine: &Engine) -> Self {
        let main = engine.create_main_account(None, None, "Test").await;
        let (account, _) = main.unwrap();
        let service = engine.create_service(account.sid, |_| {}).await.unwrap();
        Self {
            account,
            service: service.sid,
        }
    }

    async fn with_numbers(engine: &Engine, count: u32) -> Self {
        let customer = Self::new(engine).await;
        for last in 1..=count {
            customer.join(engine, &format!("+1415555010{last}")).await;
        }
        customer
    }

    async fn join(&self, engine: &Engine, number: &str) -> PhoneNumberSid {
        let number = PhoneNumber::parse(number).unwrap();
        let sid = if let Some(known) = engine.directory().number_by_digits(number) {
            known.sid
        } else {
            let new = engine.register_number(self.account.sid, number, |_| {});
            new.await.unwrap().sid
        };
        let entry = NewPoolEntry::Number(sid);
        engine.add_to_pool(self.service, entry).await.unwrap();
        sid
    }

    /// Whom a message to this recipient comes from.
    async fn sender(&self, engine: &Engine, recipient: u32) -> String {
        let request = CreateMessage {
            to: Some(format!("+1212555{recipient:04}")),
            messaging_service: Some(self.service.to_string()),
            body: Some("Hello".to_owned()),
            ..CreateMessage::default()
        };
        let created = engine.create_message(&self.account, request).await.unwrap();
        created.message.from.expect("there is a sender").into()
    }

    async fn leave(&self, engine: &Engine, number: PhoneNumberSid) {
        let number = number.to_string();
        let left = engine.remove_from_pool(self.service, &number);
        left.await.unwrap();
    }

    /// By whom the recipient knows the service, as operators see it.
    async fn known(&self, engine: &Engine, recipient: u32) -> Option<SenderNo> {
        let recipient = PhoneNumber::parse(&format!("+1212555{recipient:04}")).unwrap();
        let known = engine.sticky_sender(self.service, recipient).await;
        known.ok().map(|known| known.sender)
    }

    async fn senders(&self, engine: &Engine, recipients: std::ops::Range<u32>) -> Vec<String> {
        let mut senders = Vec::new();
        for recipient in recipients {
            senders.push(self.sender(engine, recipient).await);
        }
        senders
    }

    async fn set_sticky(&self, engine: &Engine, is_on: bool) {
        let set = |service: &mut postrider_core::settings::Service| service.sticky_sender = is_on;
        engine.update_service(self.service, set).await.unwrap();
    }

    fn counts(&self, engine: &Engine) -> Vec<u64> {
        let mappings = engine.shared.acceptor.sticky.lock();
        let of_service = mappings.state.counts.get(&self.service);
        let counts = of_service
            .into_iter()
            .flat_map(|counts| &counts.by_position);
        let counts: BTreeMap<_, _> = counts.collect();
        counts.into_values().copied().collect()
    }
}

/// A handset texts one of the senders.
async fn text(engine: &Engine, from: u32, to: &str) {
    hear(engine, from, to, None).await;
}

async fn hear(engine: &Engine, from: u32, to: &str, concat: Option<Concat>) {
    let inbound = Inbound {
        from: format!("+1212555{from:04}").into(),
        to: to.into(),
        text: "Hi".into(),
        encoding: Encoding::Gsm7,
        concat,
        raw: [].into(),
    };
    assert!(crate::receive::store(engine, &"carrier".into(), &inbound).await);
}

async fn write(test: &TestEngine) {
    test.engine.write_sticky(0).await.unwrap();
}

#[tokio::test]
async fn recipients_are_spread_and_each_keeps_its_sender() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 3).await;
    let first = customer.senders(engine, 100..120).await;
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for sender in &first {
        *count.entry(sender).or_default() += 1;
    }
    assert_eq!(count.into_values().collect::<Vec<_>>(), [7, 7, 6]);
    assert_eq!(customer.senders(engine, 100..120).await, first);
    write(&test).await;
    assert_eq!(customer.senders(engine, 100..120).await, first);
    assert_eq!(customer.counts(engine), [7, 7, 6]);
}

/// With a crash before anything was written, after it, and a clean stop.
#[tokio::test]
async fn a_restart_forgets_no_recipient() {
    for (is_written, is_polite) in [(false, false), (true, false), (false, true)] {
        let disk = MemoryDisk::new();
        let test = engine_over(Arc::new(disk.open()));
        let customer = Customer::with_numbers(&test.engine, 3).await;
        let mut first = customer.senders(&test.engine, 100..110).await;
        if is_written {
            test.clock.advance(10_000);
            write(&test).await;
            test.clock.advance(10_000);
            first.extend(customer.senders(&test.engine, 110..115).await);
        }
        let last = u32::try_from(100 + first.len()).unwrap();
        let counts = customer.counts(&test.engine);
        let now_ms = test.engine.now_ms();
        if is_polite {
            test.running
                .shut_down(std::time::Duration::from_secs(5))
                .await;
        }
        let test = engine_over(Arc::new(disk.open()));
        test.clock.set(now_ms + 60_000);
        assert_eq!(
            customer.counts(&test.engine),
            counts,
            "{is_written} {is_polite}"
        );
        assert_eq!(customer.senders(&test.engine, 100..last).await, first);
    }
}

#[tokio::test]
async fn nothing_is_remembered_of_a_sender_that_left() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::new(engine).await;
    let old = customer.join(engine, "+14155550101").await;
    let at_first = customer.sender(engine, 100).await;
    customer.join(engine, "+14155550102").await;
    engine
        .remove_from_pool(customer.service, &old.to_string())
        .await
        .unwrap();
    let then = customer.sender(engine, 100).await;
    assert_ne!(at_first, then);
    customer.join(engine, "+14155550101").await;
    assert_eq!(customer.sender(engine, 100).await, then);
}

/// The only sender leaves and comes back: to its place it would come back too, were places reused.
#[tokio::test]
async fn a_sender_that_comes_back_has_no_recipients() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::new(engine).await;
    let number = customer.join(engine, "+14155550101").await;
    customer.senders(engine, 100..103).await;
    engine
        .remove_from_pool(customer.service, &number.to_string())
        .await
        .unwrap();
    customer.join(engine, "+14155550102").await;
    customer.join(engine, "+14155550101").await;
    let senders = customer.senders(engine, 100..103).await;
    assert_eq!(senders, ["+14155550102", "+14155550101", "+14155550102"]);
}

#[tokio::test]
async fn while_the_feature_is_off_mappings_rest() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 2).await;
    let first = customer.senders(engine, 100..104).await;
    customer.set_sticky(engine, false).await;
    let mut others = customer.senders(engine, 103..104).await;
    others.extend(customer.senders(engine, 100..103).await);
    customer.set_sticky(engine, true).await;
    assert_eq!(customer.senders(engine, 100..104).await, first);
    assert_eq!(customer.counts(engine), [2, 2]);
}

#[tokio::test]
async fn a_year_without_a_message_ends_a_mapping() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 1).await;
    let first = customer.sender(engine, 100).await;
    customer.join(engine, "+12125550103").await;
    // Used again after 300 days, its year begins anew.
    for days in [300, 365] {
        write(&test).await;
        test.clock.advance(days * DAY_MS);
        assert_eq!(customer.sender(engine, 100).await, first, "{days}");
    }
    write(&test).await;
    test.clock.advance(366 * DAY_MS);
    assert_eq!(customer.sender(engine, 100).await, "+12125550103");
}

#[tokio::test]
async fn a_sweep_drops_what_is_of_no_use() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 2).await;
    customer.senders(engine, 100..104).await;
    write(&test).await;
    let sticky = &engine.shared.acceptor.sticky;
    let directory = engine.directory();
    let rest = || engine.shared.store.sticky().page(None, 99).unwrap().len();
    sticky.sweep_page(None, directory, engine.now_ms()).unwrap();
    write(&test).await;
    assert_eq!((rest(), customer.counts(engine)), (4, vec![2, 2]));
    let number = PhoneNumber::parse("+14155550101").unwrap();
    let number = directory.number_by_digits(number).unwrap();
    engine
        .remove_from_pool(customer.service, &number.sid.to_string())
        .await
        .unwrap();
    test.clock.advance(300 * DAY_MS);
    customer.sender(engine, 101).await;
    test.clock.advance(70 * DAY_MS);
    sticky.sweep_page(None, directory, engine.now_ms()).unwrap();
    write(&test).await;
    assert_eq!(rest(), 1);
}

#[tokio::test]
async fn a_handset_that_texts_first_knows_the_service_by_that_sender() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 3).await;
    text(engine, 100, "+14155550103").await;
    assert_eq!(customer.sender(engine, 100).await, "+14155550103");
    // Texting another one changes nothing.
    text(engine, 100, "+14155550102").await;
    assert_eq!(customer.sender(engine, 100).await, "+14155550103");
    assert_eq!(customer.counts(engine).iter().sum::<u64>(), 1);
}

/// Whatever the store was last told, the process is killed right after the answer.
#[tokio::test]
async fn a_crash_brings_back_nothing_that_was_forgotten() {
    for quiet_ms in [0, 5_000] {
        let disk = MemoryDisk::new();
        let test = engine_over(Arc::new(disk.open()));
        let customer = Customer::with_numbers(&test.engine, 2).await;
        customer.senders(&test.engine, 100..102).await;
        test.engine
            .write_sticky(super::tasks::MARGIN_MS)
            .await
            .unwrap();
        test.clock.advance(quiet_ms);
        let recipient = PhoneNumber::parse("+12125550100").unwrap();
        let forgotten = test
            .engine
            .forget_sticky_sender(customer.service, recipient);
        forgotten.await.unwrap();
        // A write that looks back must not undo it.
        customer.sender(&test.engine, 102).await;
        test.engine
            .write_sticky(super::tasks::MARGIN_MS)
            .await
            .unwrap();
        let test = engine_over(Arc::new(disk.open()));
        let engine = &test.engine;
        assert_eq!(customer.known(engine, 100).await, None, "{quiet_ms}");
        assert!(customer.known(engine, 101).await.is_some(), "{quiet_ms}");
        assert!(customer.known(engine, 102).await.is_some(), "{quiet_ms}");
    }
}

#[tokio::test]
async fn the_store_is_told_again_until_it_has_passed_the_newest_message() {
    let test = engine();
    let engine = &test.engine;
    let sticky = &engine.shared.acceptor.sticky;
    let customer = Customer::with_numbers(engine, 1).await;
    customer.sender(engine, 100).await;
    engine.write_sticky(super::tasks::MARGIN_MS).await.unwrap();
    assert!(sticky.is_behind());
    test.clock.advance(10_000);
    engine.write_sticky(super::tasks::MARGIN_MS).await.unwrap();
    assert!(!sticky.is_behind());
}

#[tokio::test]
async fn a_crash_gives_a_sender_that_came_back_no_recipients() {
    let disk = MemoryDisk::new();
    let test = engine_over(Arc::new(disk.open()));
    let customer = Customer::new(&test.engine).await;
    let number = customer.join(&test.engine, "+14155550101").await;
    customer.senders(&test.engine, 100..102).await;
    text(&test.engine, 103, "+14155550101").await;
    test.clock.advance(1_000);
    customer.leave(&test.engine, number).await;
    customer.join(&test.engine, "+14155550101").await;
    customer.sender(&test.engine, 102).await;
    let test = engine_over(Arc::new(disk.open()));
    let engine = &test.engine;
    for recipient in [100, 101, 103] {
        assert_eq!(customer.known(engine, recipient).await, None, "{recipient}");
    }
    assert!(customer.known(engine, 102).await.is_some());
    assert_eq!(customer.counts(engine).iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_crash_forgets_no_handset_that_texted_first() {
    let disk = MemoryDisk::new();
    let test = engine_over(Arc::new(disk.open()));
    let customer = Customer::with_numbers(&test.engine, 3).await;
    text(&test.engine, 100, "+14155550103").await;
    let test = engine_over(Arc::new(disk.open()));
    let sender = customer.sender(&test.engine, 100).await;
    assert_eq!(sender, "+14155550103");
}

/// The id of a long text is that of its first segment: older than all that a new process reads again.
#[tokio::test]
async fn a_crash_forgets_no_handset_whose_text_took_its_time() {
    let disk = MemoryDisk::new();
    let test = engine_over(Arc::new(disk.open()));
    let customer = Customer::with_numbers(&test.engine, 3).await;
    for sequence in [1, 2] {
        let concat = Concat {
            reference: 1,
            is_16_bit: false,
            total: 2,
            sequence,
        };
        hear(&test.engine, 100, "+14155550103", Some(concat)).await;
        if sequence == 1 {
            test.clock.advance(10_000);
            write(&test).await;
        }
    }
    let test = engine_over(Arc::new(disk.open()));
    assert_eq!(customer.sender(&test.engine, 100).await, "+14155550103");
}

/// The store keeps whole seconds: were a note more precise, a use that follows would count or not
/// by whether the note is written, and a year could end too early.
#[tokio::test]
async fn a_use_counts_the_same_before_and_after_it_is_written() {
    for is_written in [false, true] {
        let test = engine();
        let engine = &test.engine;
        let customer = Customer::with_numbers(engine, 1).await;
        test.clock.advance(900);
        customer.sender(engine, 100).await;
        if is_written {
            write(&test).await;
        }
        test.clock.advance(USE_MS - 500);
        customer.sender(engine, 100).await;
        let recipient = PhoneNumber::parse("+12125550100").unwrap();
        let known = engine.sticky_sender(customer.service, recipient).await;
        let known = known.unwrap();
        assert_eq!(known.used_ms - known.created_ms, USE_MS, "{is_written}");
    }
}

/// However often the process ends, as long as it gets on by a page each time.
#[tokio::test]
async fn a_sweep_goes_on_where_the_last_process_ended() {
    const PAGES: usize = 3;
    let disk = MemoryDisk::new();
    let service = ServiceSid(Id::from_u128(1));
    let key = |index: u64| StickyKey {
        service,
        recipient: PhoneNumber::from_digits(12_125_550_000 + index).unwrap(),
    };
    let nobody = StickySender {
        sender: SenderNo(1),
        position: 1,
        created_ms: 0,
        used_ms: 0,
    };
    let change = |index| StickyChange {
        key: key(index),
        sender: Some(nobody),
    };
    let count = PAGES * tasks::PAGE + 1;
    let changes: Vec<_> = (0..count as u64).map(change).collect();
    disk.open().sticky().write(&changes, Id::MIN).unwrap();
    for page in 1..=PAGES + 1 {
        let store = Arc::new(disk.open());
        // Each process sweeps a page as it starts.
        let test = engine_over(store.clone());
        let is_swept =
            || store.sticky().swept().unwrap() == Some(key((page * tasks::PAGE) as u64 - 1));
        let is_over = || store.sticky().page(None, 1).unwrap().is_empty();
        for _ in 0..2_000 {
            if is_swept() || is_over() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let left = store.sticky().page(None, usize::MAX).unwrap().len();
        assert_eq!(left, count.saturating_sub(page * tasks::PAGE));
        store.crash();
        drop(test);
    }
    // Then it begins anew.
    assert_eq!(disk.open().sticky().swept().unwrap(), None);
}

#[tokio::test]
async fn a_handset_whose_sender_has_left_knows_the_one_it_texts() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::new(engine).await;
    let old = customer.join(engine, "+14155550101").await;
    customer.sender(engine, 100).await;
    customer.join(engine, "+14155550102").await;
    customer.join(engine, "+14155550103").await;
    customer.leave(engine, old).await;
    text(engine, 100, "+14155550103").await;
    assert_eq!(customer.sender(engine, 100).await, "+14155550103");
}

#[tokio::test]
async fn while_the_feature_is_off_a_handset_that_texts_is_not_remembered() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 2).await;
    customer.set_sticky(engine, false).await;
    text(engine, 100, "+14155550102").await;
    customer.set_sticky(engine, true).await;
    assert!(customer.counts(engine).is_empty());
    assert_eq!(customer.sender(engine, 100).await, "+14155550101");
}

/// Before the sweep has come by.
#[tokio::test]
async fn operators_see_only_mappings_that_hold() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::new(engine).await;
    let old = customer.join(engine, "+14155550101").await;
    customer.senders(engine, 100..102).await;
    customer.join(engine, "+14155550102").await;
    customer.leave(engine, old).await;
    customer.senders(engine, 101..104).await;
    let recipient = |last: u32| PhoneNumber::parse(&format!("+1212555{last:04}")).unwrap();
    for (cursor, limit, expected) in [
        (Start, 9, &[101, 102, 103][..]),
        (Start, 2, &[101, 102]),
        (After(recipient(101)), 1, &[102]),
        (Before(recipient(103)), 9, &[101, 102]),
        (Before(recipient(103)), 1, &[102]),
    ] {
        let listed = engine.sticky_senders(customer.service, cursor, limit);
        let listed: Vec<_> = listed
            .await
            .unwrap()
            .into_iter()
            .map(|(key, _)| key.recipient)
            .collect();
        let expected: Vec<_> = expected.iter().map(|&last| recipient(last)).collect();
        assert_eq!(listed, expected, "{cursor:?} {limit}");
    }
    assert_eq!(customer.known(engine, 100).await, None);
    test.clock.advance(366 * DAY_MS);
    assert_eq!(customer.known(engine, 102).await, None);
    let listed = engine.sticky_senders(customer.service, Start, 9).await;
    assert_eq!(listed.unwrap(), []);
}

/// A loop of carriers can bring it about.
#[tokio::test]
async fn a_number_that_texts_itself_makes_no_mapping() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 1).await;
    customer.join(engine, "+12125550103").await;
    text(engine, 103, "+12125550103").await;
    assert_eq!(customer.known(engine, 103).await, None);
    assert!(customer.counts(engine).is_empty());
    // Another sender of the pool may be known to it.
    text(engine, 103, "+14155550101").await;
    assert!(customer.known(engine, 103).await.is_some());
    assert_eq!(customer.sender(engine, 103).await, "+14155550101");
}

/// As an older version made them: not shown, replaced by whatever comes next, and swept.
#[tokio::test]
async fn a_mapping_to_oneself_counts_as_none() {
    let test = engine();
    let engine = &test.engine;
    let customer = Customer::with_numbers(engine, 1).await;
    for last in 103..=105 {
        customer.join(engine, &format!("+12125550{last}")).await;
    }
    let sticky = &engine.shared.acceptor.sticky;
    let (_, pool) = engine
        .directory()
        .service_and_pool(customer.service)
        .unwrap();
    for member in pool.iter().skip(1) {
        let SenderAddress::Number(recipient) = member.address else {
            panic!("{member:?}")
        };
        let key = StickyKey {
            service: customer.service,
            recipient,
        };
        let oneself = StickySender {
            sender: member.no,
            position: member.position,
            created_ms: engine.now_ms(),
            used_ms: engine.now_ms(),
        };
        sticky.lock().put(key, None, Some(oneself));
    }
    for last in 103..=105 {
        assert_eq!(customer.known(engine, last).await, None);
    }
    let listed = engine.sticky_senders(customer.service, Start, 9).await;
    assert_eq!(listed.unwrap(), []);
    let chosen = customer.sender(engine, 103).await;
    assert_ne!(chosen, "+12125550103");
    assert!(customer.known(engine, 103).await.is_some());
    text(engine, 104, "+14155550101").await;
    assert!(customer.known(engine, 104).await.is_some());
    write(&test).await;
    sticky
        .sweep_page(None, engine.directory(), engine.now_ms())
        .unwrap();
    write(&test).await;
    let rest = engine.shared.store.sticky().page(None, 99).unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(customer.counts(engine).iter().sum::<u64>(), 2);
}
