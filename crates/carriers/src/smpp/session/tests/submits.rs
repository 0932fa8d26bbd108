//! What we write: the window, segments and references, and the fields that settings change.

use super::*;

#[test]
fn the_window_fills_and_answers_open_it() {
    let mut bench = Bench::bound(|_| {});
    for _ in 0..3 {
        assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
        bench.submit("x");
    }
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    let submits = bench.submits();
    assert_eq!(submits.len(), 3);
    bench.answer(&submits[1], "b");
    assert_eq!(bench.outcomes(), [(2, accepted(&["b"]))]);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn a_submission_beyond_the_window_is_returned() {
    let mut bench = Bench::bound(|config| config.window = 1);
    bench.submit("x");
    bench.submit("y");
    assert_eq!(bench.outcomes(), [(2, Outcome::Returned)]);
}

/// Routes keep it away; here it must not go out as an SMS from the same digits.
#[test]
fn a_message_of_whatsapp_is_refused() {
    let mut bench = Bench::bound(|_| {});
    bench.submit_from("whatsapp:+14155550101", "x");
    assert!(bench.submits().is_empty());
    let outcomes = bench.outcomes();
    let [(1, Outcome::Refused(refusal))] = &outcomes[..] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(refusal.class, RefusalClass::Fail);
    // The bind is as good as before.
    bench.submit("x");
    assert_eq!(bench.submits().len(), 1);
}

#[test]
fn segments_go_back_to_back_and_give_one_outcome_in_order() {
    let mut bench = Bench::bound(|_| {});
    // Five segments through a window of three; nothing may come between.
    bench.submit(&"a".repeat(153 * 5));
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    let first = bench.submits();
    bench.answer(&first[2], "c");
    bench.answer(&first[0], "a");
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    let second = bench.submits();
    bench.answer(&second[1], "e");
    bench.answer(&first[1], "b");
    assert_eq!(bench.outcomes(), []);
    bench.answer(&second[0], "d");
    assert_eq!(
        bench.outcomes(),
        [(1, accepted(&["a", "b", "c", "d", "e"]))]
    );
    let reference = first[0].message().short_message[3];
    for (index, submit) in first.iter().chain(&second).enumerate() {
        let sequence = u8::try_from(index + 1).unwrap();
        assert_eq!(
            submit.message().short_message[..6],
            [5, 0, 3, reference, 5, sequence]
        );
    }
}

#[test]
fn two_long_messages_to_one_handset_have_different_references() {
    let mut bench = Bench::bound(|config| config.window = 10);
    let body = "a".repeat(200);
    bench.submit(&body);
    bench.submit(&body);
    let submits = bench.submits();
    assert_ne!(
        submits[0].message().short_message[3],
        submits[2].message().short_message[3]
    );
}

#[test]
fn receipts_are_asked_for_as_the_setting_says() {
    for (setting, expected) in [
        (RequestReceipts::All, [1, 1]),
        (RequestReceipts::LastSegment, [0, 1]),
        (RequestReceipts::Failures, [2, 2]),
        (RequestReceipts::None, [0, 0]),
    ] {
        let mut bench = Bench::bound(|config| config.request_receipts = setting);
        bench.submit(&"a".repeat(300));
        let found: Vec<u8> = bench
            .submits()
            .iter()
            .map(|submit| submit.message().registered_delivery)
            .collect();
        assert_eq!(found, expected);
    }
    let mut bench = Bench::bound(|config| config.intermediate_receipts = true);
    bench.submit("x");
    assert_eq!(bench.submits()[0].message().registered_delivery, 0x11);
}

#[test]
fn more_messages_to_send_marks_all_segments_but_the_last() {
    let mut bench = Bench::bound(|config| config.more_messages_to_send = true);
    bench.submit(&"a".repeat(300));
    let submits = bench.submits();
    let flag = |submit: &Written| submit.message().tlvs.get_u8(tlv::MORE_MESSAGES_TO_SEND);
    assert_eq!((flag(&submits[0]), flag(&submits[1])), (Some(1), None));
}

#[test]
fn a_payload_is_one_submit_with_one_id() {
    let mut bench = Bench::bound(|config| config.long_messages = LongMessages::Payload);
    bench.submit(&"a".repeat(1_000));
    let submits = bench.submits();
    assert_eq!(submits.len(), 1);
    let message = submits[0].message();
    assert_eq!(
        message.tlvs.get(tlv::MESSAGE_PAYLOAD).map(<[u8]>::len),
        Some(1_000)
    );
    bench.answer(&submits[0], "a");
    assert_eq!(bench.outcomes(), [(1, accepted(&["a"]))]);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut bench = Bench::bound(|config| {
        config.rewrite_destination = vec![crate::smpp::config::Rewrite {
            pattern: "^".into(),
            replace: "1".repeat(20),
        }];
    });
    bench.submit("x");
    let outcomes = bench.outcomes();
    assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::Fail);
    assert_eq!(bench.session.in_flight(), 0);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn a_receiver_takes_no_messages() {
    let mut bench = Bench::bound(|config| config.bind = crate::smpp::config::Bind::Receiver);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Closed);
    assert!(bench.session.is_bound() && !bench.session.is_transmitting());
}
