//! What a submission comes to: refused, throttled, sent again in another form, unknown, late.

use super::*;

#[test]
fn an_answer_with_another_status_is_sorted_by_the_table() {
    for (status, class, code) in [
        (0x08, RefusalClass::RetrySoon, 30008),
        (0x0A, RefusalClass::RetryOther, 30024),
        (0x0B, RefusalClass::Fail, 30005),
        (0x15, RefusalClass::Config, 30008),
        (0x66, RefusalClass::Fail, 30007),
        (0x0777, RefusalClass::RetryOther, 30008),
    ] {
        let mut bench = Bench::bound(|_| {});
        bench.submit("x");
        let submit = bench.submits().remove(0);
        bench.refuse(&submit, status);
        let outcomes = bench.outcomes();
        let refusal = refusal(&outcomes[0].1);
        assert_eq!(
            (refusal.class, refusal.code.code()),
            (class, code),
            "{status:#x}"
        );
        assert!(
            refusal.detail.starts_with(&format!("0x{status:08X}")),
            "{}",
            refusal.detail
        );
    }
}

#[test]
fn a_refused_segment_stops_the_rest_and_names_what_was_taken() {
    let mut bench = Bench::bound(|_| {});
    bench.submit(&"a".repeat(153 * 5));
    let submits = bench.submits();
    bench.answer(&submits[0], "a");
    bench.refuse(&submits[1], 0x0B);
    bench.answer(&submits[2], "c");
    // The fourth went out when the first was answered; the fifth never does.
    let rest = bench.submits();
    assert_eq!(rest.len(), 1);
    assert_eq!(bench.outcomes(), []);
    bench.answer(&rest[0], "d");
    let outcomes = bench.outcomes();
    let refusal = refusal(&outcomes[0].1);
    assert_eq!(
        refusal.accepted.as_slice(),
        [Box::from("a"), "c".into(), "d".into()]
    );
    assert_eq!(bench.submits(), []);
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn a_throttled_message_returns_to_its_queue_and_the_bind_freezes() {
    let mut bench = Bench::bound(|config| config.session_throughput = 100);
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.refuse(&submit, 0x58);
    assert_eq!(bench.outcomes(), [(1, Outcome::Throttled)]);
    assert!(bench.session.is_throttled(bench.now_ms));
    let Readiness::At(at_ms) = bench.session.readiness(bench.now_ms) else {
        panic!()
    };
    assert!((800..=1_200).contains(&(at_ms - bench.now_ms)));
    bench.now_ms = at_ms;
    assert_eq!(bench.session.readiness(bench.now_ms), Readiness::Now);
}

#[test]
fn row_8_a_throttled_segment_of_a_partly_taken_message_follows_on_the_same_bind() {
    let mut bench = Bench::bound(|_| {});
    let body = "a".repeat(300);
    bench.submit(&body);
    let submits = bench.submits();
    bench.answer(&submits[0], "a");
    bench.refuse(&submits[1], 0x14);
    assert_eq!(bench.outcomes(), []);
    // Nothing overtakes it.
    assert_eq!(
        bench.session.readiness(bench.now_ms),
        Readiness::WhenAnswered
    );
    bench.pass(2_000);
    let again = bench.submits();
    assert_eq!(again.len(), 1);
    assert_eq!(
        again[0].message().short_message,
        submits[1].message().short_message
    );
    bench.answer(&again[0], "b");
    assert_eq!(bench.outcomes(), [(1, accepted(&["a", "b"]))]);
}

#[test]
fn a_full_queue_of_one_destination_is_that_destinations_trouble_the_third_time() {
    let mut bench = Bench::bound(|config| config.window = 1);
    for expected in [Outcome::Throttled, Outcome::Throttled] {
        let ticket = bench.submit("x");
        let submit = bench.submits().remove(0);
        bench.refuse(&submit, 0x14);
        assert_eq!(bench.outcomes(), [(ticket, expected)]);
        bench.pass(4_000);
    }
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.refuse(&submit, 0x14);
    let outcomes = bench.outcomes();
    assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::RetrySame);
    assert!(!bench.session.is_throttled(bench.now_ms));
}

#[test]
fn a_refused_time_or_tlv_is_left_out_once() {
    let with_extras = |config: &mut Config| {
        config.validity_period = ValidityForm::Relative;
        config.tlvs = vec![FixedTlv {
            tag: 0x1400,
            text: Some("entity".into()),
            hex: None,
        }];
    };
    for (status, lacks_time, lacks_tlvs) in [(0x62, true, false), (0xC1, false, true)] {
        let mut bench = Bench::bound(with_extras);
        bench.submit("x");
        let first = bench.submits().remove(0);
        assert_eq!(first.message().validity_period, b"000000040000000R");
        assert_eq!(first.message().tlvs.get(0x1400), Some(&b"entity"[..]));
        bench.refuse(&first, status);
        assert_eq!(bench.outcomes(), []);
        let second = bench.submits().remove(0);
        assert_eq!(second.message().validity_period.is_empty(), lacks_time);
        assert_eq!(second.message().tlvs.get(0x1400).is_none(), lacks_tlvs);
        bench.refuse(&second, status);
        let outcomes = bench.outcomes();
        assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::Fail);
    }
}

#[test]
fn a_refused_coding_is_sent_once_as_ucs2() {
    let mut bench = Bench::bound(|_| {});
    bench.submit(&"a".repeat(100));
    let first = bench.submits().remove(0);
    bench.refuse(&first, 0x104);
    let again = bench.submits();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|submit| submit.message().data_coding == 8));
    bench.answer(&again[0], "a");
    bench.answer(&again[1], "b");
    assert_eq!(bench.outcomes(), [(1, accepted(&["a", "b"]))]);
}

#[test]
fn an_unanswered_submit_is_unknown_and_a_late_answer_settles_it() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.receive(CommandId::ENQUIRE_LINK, 0, 50, b"");
    bench.pass(29_999);
    assert_eq!(bench.outcomes(), []);
    bench.pass(1);
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
    assert_eq!(bench.session.in_flight(), 0);
    for _ in 0..20 {
        bench.receive(CommandId::ENQUIRE_LINK, 0, 51, b"");
        bench.pass(20_000);
    }
    bench.answer(&submit, "late");
    assert_eq!(bench.late_outcomes(), [(1, accepted(&["late"]))]);
    bench.answer(&submit, "later still");
    assert_eq!(bench.late_outcomes(), []);
}

#[test]
fn a_failed_query_is_no_answer_to_a_submit() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("answered after all");
    bench.submit("never answered");
    let submits = bench.submits();
    for submit in &submits {
        bench.refuse(submit, 0x67);
    }
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.session.in_flight(), 2);
    bench.answer(&submits[0], "a");
    bench.pass(30_000);
    assert_eq!(
        bench.outcomes(),
        [(1, accepted(&["a"])), (2, Outcome::Unknown)]
    );
    // What a carrier means by it otherwise, its operator knows.
    let mut bench = Bench::bound(|config| {
        let class = StatusClass::Fail;
        let fails = StatusOverride { class, code: None };
        config.status = [("0x67".to_owned(), fails)].into();
    });
    bench.submit("x");
    let submit = bench.submits().remove(0);
    bench.refuse(&submit, 0x67);
    let outcomes = bench.outcomes();
    assert_eq!(refusal(&outcomes[0].1).class, RefusalClass::Fail);
}

#[test]
fn an_answer_after_ten_minutes_is_forgotten() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    let submit = bench.submits().remove(0);
    for _ in 0..35 {
        bench.receive(CommandId::ENQUIRE_LINK, 0, 51, b"");
        bench.pass(20_000);
    }
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
    bench.answer(&submit, "late");
    assert_eq!(bench.late_outcomes(), []);
}

#[test]
fn late_answers_to_segments_settle_the_message_when_the_last_has_come() {
    let mut bench = Bench::bound(|_| {});
    bench.submit(&"a".repeat(300));
    let submits = bench.submits();
    bench.answer(&submits[0], "a");
    bench.pass(30_000);
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
    bench.answer(&submits[1], "b");
    assert_eq!(bench.late_outcomes(), [(1, accepted(&["a", "b"]))]);
}

#[test]
fn row_14_three_unanswered_submits_in_a_row_drop_the_bind() {
    let mut bench = Bench::bound(|config| config.window = 10);
    for _ in 0..4 {
        bench.submit("x");
        bench.written();
        bench.pass(1_000);
    }
    bench.pass(26_000);
    bench.receive(CommandId::ENQUIRE_LINK, 0, 50, b"");
    bench.pass(2_000);
    let events = bench.events();
    assert!(matches!(
        events.last(),
        Some(Event::Closed(CloseReason::ResponsesMissing))
    ));
    bench.events = events;
    let unknown = |ticket| (ticket, Outcome::Unknown);
    assert_eq!(
        bench.outcomes(),
        [unknown(1), unknown(2), unknown(3), unknown(4)]
    );
}

#[test]
fn row_20_the_response_timer_starts_when_the_submit_is_written() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("x");
    // The socket takes nothing for a minute.
    bench.now_ms += 60_000;
    bench.session.received_ms = bench.now_ms;
    bench.session.poll(bench.now_ms, &mut bench.events);
    assert_eq!(bench.outcomes(), []);
    assert_eq!(bench.submits().len(), 1);
    bench.receive(CommandId::ENQUIRE_LINK, 0, 50, b"");
    bench.pass(29_999);
    assert_eq!(bench.outcomes(), []);
}

#[test]
fn a_link_lost_tells_written_from_unwritten() {
    let mut bench = Bench::bound(|_| {});
    bench.submit("written");
    bench.written();
    bench.submit("buffered");
    bench.submit(&"a".repeat(400));
    let mut events = Vec::new();
    bench.session.lost(&mut events);
    bench.events.extend(events);
    assert_eq!(
        bench.outcomes(),
        [
            (1, Outcome::Unknown),
            (2, Outcome::Returned),
            (3, Outcome::Returned)
        ]
    );
    bench.submit("after the end");
    assert_eq!(bench.outcomes(), [(4, Outcome::Returned)]);
}

#[test]
fn a_partly_taken_message_on_a_lost_link_is_in_doubt() {
    let mut bench = Bench::bound(|config| config.window = 1);
    bench.submit(&"a".repeat(300));
    let submit = bench.submits().remove(0);
    bench.answer(&submit, "a");
    // The second segment is encoded and was never written.
    let mut events = Vec::new();
    bench.session.lost(&mut events);
    bench.events = events;
    assert_eq!(bench.outcomes(), [(1, Outcome::Unknown)]);
}
