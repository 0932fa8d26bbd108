//! What the operator is told of: whose fault it is, and not once a message.

use super::*;

fn refusal(status: u32, fault: Fault, unsaid: u64) -> Alarm {
    let status = CommandStatus(status);
    Alarm {
        cause: Cause::Refusal { status, fault },
        unsaid,
    }
}

impl Bench {
    fn refused(&mut self, status: u32) {
        self.submit("x");
        let submit = self.submits().remove(0);
        self.refuse(&submit, status);
    }
}

#[test]
fn a_refusal_that_blames_us_is_an_alarm() {
    for (status, fault) in [
        (0x01, Some(Fault::Bug)),
        (0x02, Some(Fault::Bug)),
        (0x03, Some(Fault::Bug)),
        (0x06, Some(Fault::Configuration)),
        (0x07, Some(Fault::Configuration)),
        (0x43, Some(Fault::Configuration)),
        (0x48, Some(Fault::Configuration)),
        (0x0B, None),
        (0x58, None),
    ] {
        let mut bench = Bench::bound(|_| {});
        bench.refused(status);
        let expected: Vec<_> = fault
            .map(|fault| refusal(status, fault, 0))
            .into_iter()
            .collect();
        assert_eq!(bench.alarms(), expected, "{status:#x}");
    }
}

#[test]
fn an_alarm_is_raised_once_a_minute_for_each_status() {
    let mut bench = Bench::bound(|_| {});
    for _ in 0..500 {
        bench.refused(0x06);
        bench.refused(0x01);
    }
    let first = [
        refusal(0x06, Fault::Configuration, 0),
        refusal(0x01, Fault::Bug, 0),
    ];
    assert_eq!(bench.alarms(), first);
    bench.now_ms += 59_999;
    bench.refused(0x06);
    assert_eq!(bench.alarms(), []);
    bench.now_ms += 1;
    bench.refused(0x06);
    assert_eq!(bench.alarms(), [refusal(0x06, Fault::Configuration, 500)]);
}

#[test]
fn a_receipt_without_an_id_is_an_alarm_and_is_passed_on() {
    for (text, detail) in [
        (&b"stat:UNDELIV err:006"[..], Some("UNDELIV err:006")),
        (b"id: stat:DELIVRD", Some("DELIVRD")),
        (b"no pairs at all", Some("UNKNOWN")),
        (b"id:1 stat:DELIVRD", None),
    ] {
        let mut bench = Bench::bound(|_| {});
        bench.receive_delivery(4, text, 5);
        let events = bench.events();
        let receipts = events
            .iter()
            .filter(|event| matches!(event, Event::Carrier(CarrierEvent::Receipt { .. })));
        assert_eq!(receipts.count(), 1);
        bench.events = events;
        let expected = detail.map(|detail| Alarm {
            cause: Cause::ReceiptWithoutId {
                detail: detail.into(),
            },
            unsaid: 0,
        });
        assert_eq!(bench.alarms(), Vec::from_iter(expected), "{detail:?}");
    }
    // A carrier that leaves them out leaves them all out.
    let mut bench = Bench::bound(|_| {});
    for sequence in 0..100 {
        bench.receive_delivery(4, b"stat:DELIVRD", sequence);
    }
    assert_eq!(bench.alarms().len(), 1);
}
