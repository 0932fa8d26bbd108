//! Inbound messages through an engine: whose they are, and long ones in segments, with crashes between.

use super::*;
use postrider_carriers::Concat;
use postrider_store::MessageFilter;
use postrider_store::memory::MemoryDisk;

use crate::testing::{TestEngine, engine, engine_with};

/// Columns: to, whose number it is.
#[tokio::test]
async fn an_inbound_message_finds_its_owner() {
    let test = engine();
    let engine = &test.engine;
    let main = engine.create_main_account(None, None, "Main").await;
    let (main, _) = main.unwrap();
    let child = engine.create_account(main.sid, None).await.unwrap();
    let number = PhoneNumber::parse("+14155550101").unwrap();
    engine
        .register_number(main.sid, number, |_| {})
        .await
        .unwrap();
    let other = PhoneNumber::parse("+14155550102").unwrap();
    engine
        .register_channel_sender(child.sid, other, |_| {})
        .await
        .unwrap();
    for (to, expected) in [
        ("+14155550101", Some(main.sid)),
        ("whatsapp:+14155550102", Some(child.sid)),
        // The same digits on the other channel are nobody's.
        ("whatsapp:+14155550101", None),
        ("+14155550102", None),
        ("whatsapp:55501", None),
    ] {
        let owner = owner(engine.directory(), "+14155550199", to).map(|owner| owner.account.sid);
        assert_eq!(owner, expected, "{to}");
    }
}

/// A segment of a text of the handset's to our number.
fn segment(sequence: u8, total: u8, units: &[u16]) -> Inbound {
    Inbound {
        from: "+14155550199".into(),
        to: "+14155550101".into(),
        text: units.iter().copied().collect(),
        encoding: Encoding::Ucs2,
        concat: Some(Concat {
            reference: 7,
            is_16_bit: false,
            total,
            sequence,
        }),
        raw: [].into(),
    }
}

/// An engine over this disk that owns the number.
async fn engine_of(disk: &MemoryDisk) -> TestEngine {
    let test = engine_with(Arc::new(disk.open()), |_| {});
    if test.engine.directory().accounts().is_empty() {
        let (account, _) = test
            .engine
            .create_main_account(None, None, "Main")
            .await
            .unwrap();
        let number = PhoneNumber::parse("+14155550101").unwrap();
        let registered = test.engine.register_number(account.sid, number, |_| {});
        registered.await.unwrap();
    }
    test
}

async fn take(test: &TestEngine, inbound: &Inbound) {
    assert!(store(&test.engine, &"acme".into(), inbound).await);
}

/// Bodies and segments of the messages that are stored, oldest first.
async fn stored(test: &TestEngine) -> Vec<(String, u16)> {
    let filter = MessageFilter::default();
    let listed = test
        .engine
        .messages(filter, postrider_store::Cursor::Start, 99);
    let listed = listed.await.unwrap().into_iter().rev();
    let of = |message: Message| (message.body.to_string(), message.num_segments);
    listed.map(of).collect()
}

#[tokio::test]
async fn a_long_text_is_stored_once_whatever_is_lost_on_the_way() {
    let disk = MemoryDisk::new();
    let test = engine_of(&disk).await;
    let [first, last] = [[0x41, 0xD83D], [0xDE00, 0x42]];
    take(&test, &segment(2, 2, &last)).await;
    assert_eq!(stored(&test).await, []);
    drop(test);
    let test = engine_of(&disk).await;
    take(&test, &segment(1, 2, &first)).await;
    let whole = [("A😀B".to_owned(), 2)];
    assert_eq!(stored(&test).await, whole);
    drop(test);
    // The carrier has heard of neither.
    let test = engine_of(&disk).await;
    take(&test, &segment(1, 2, &first)).await;
    take(&test, &segment(2, 2, &last)).await;
    assert_eq!(stored(&test).await, whole);
}

/// The message is durable, the mark that its segments are joined is not.
#[tokio::test]
async fn a_crash_between_message_and_segments_makes_no_second_message() {
    let disk = MemoryDisk::new();
    let test = engine_of(&disk).await;
    take(&test, &segment(1, 2, &[0x41])).await;
    let store = test.engine.shared.store.clone();
    let kept = store.parts().unwrap();
    let owner = owner(test.engine.directory(), "+14155550199", "+14155550101").unwrap();
    let text = Text {
        from: "+14155550199",
        to: "+14155550101",
        body: "AB".to_owned(),
        encoding: Encoding::Ucs2,
        segments: 2,
    };
    let message = kept[0].part.message;
    // The last segment is durable before the message is.
    let last = Part {
        sequence: 2,
        text: "B".into(),
        ..kept[0].part.clone()
    };
    store.commit(&[Change::KeepPart(Box::new(last))]).unwrap();
    assert!(store_text(&test.engine, message, &owner, text, Vec::new()).await);
    drop(test);
    let test = engine_of(&disk).await;
    take(&test, &segment(2, 2, &[0x42])).await;
    let are_joined = || {
        let kept = test.engine.shared.store.parts().unwrap();
        kept.iter().all(|kept| kept.is_joined)
    };
    for _ in 0..1_000 {
        if are_joined() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(are_joined());
    assert_eq!(stored(&test).await, [("AB".to_owned(), 2)]);
}

#[tokio::test]
async fn what_waited_long_enough_becomes_a_message_and_an_alert() {
    let disk = MemoryDisk::new();
    let test = engine_of(&disk).await;
    take(&test, &segment(3, 3, &[0x43])).await;
    take(&test, &segment(1, 3, &[0x41])).await;
    test.clock.advance(reassembly::WAIT_MS);
    for _ in 0..500 {
        if !stored(&test).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stored(&test).await, [("AC".to_owned(), 2)]);
    // It is raised after the message is stored.
    let alert = loop {
        test.engine.write_alerts().await;
        let mut alerts = test.engine.shared.store.alerts().recent(0, 9).unwrap();
        if let Some(alert) = alerts.pop() {
            break alert;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(alert.code, ErrorCode::InboundSegmentMissing);
    assert!(alert.text.contains("2 of 3"), "{}", alert.text);
}
