//! Who pays a sender's pace, and when a changed one counts.

use postrider_store::DocumentChange;

use super::*;

/// The sender sends a message in 100 seconds.
fn slow_bench() -> Bench {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    bench.set_pace(0.01);
    bench
}

impl Bench {
    fn set(&mut self, document: Document) {
        let change = DocumentChange::Put(document);
        self.directory.apply(vec![change]).unwrap();
        self.turn(vec![Input::SettingsChanged]);
    }

    fn set_pace(&mut self, per_second: f64) {
        self.set(Document::Number(number_at(per_second)));
    }
}

#[test]
fn messages_of_a_suspended_account_end_when_their_turn_comes_and_pay_no_pace() {
    let mut bench = slow_bench();
    bench.capacity(0, 0);
    let ids: Vec<Id> = (1..=3).map(|number| bench.accept(number)).collect();
    bench.set(Document::Account(account(AccountStatus::Suspended)));
    bench.capacity(0, 100);
    assert_eq!(bench.take_submitted().len(), 0);
    let code = Some(ErrorCode::AccountSuspended);
    for id in ids {
        assert_eq!(bench.records[&id], (Status::Failed, code, false));
    }
    bench.set(Document::Account(account(AccountStatus::Active)));
    bench.accept(4);
    bench.take_one();
}

#[test]
fn a_raised_pace_counts_at_once() {
    let mut bench = slow_bench();
    bench.accept(1);
    bench.take_one();
    bench.accept(2);
    bench.advance(MINUTE_MS);
    assert_eq!(bench.take_submitted().len(), 0);
    bench.set_pace(100.0);
    bench.take_one();
}

/// Its queue is forgotten, not what it owes.
#[test]
fn an_idle_sender_takes_no_memory() {
    let mut bench = slow_bench();
    bench.dispatch.start(None, Vec::new(), Vec::new(), START_MS);
    bench.accept(1);
    bench.take_one();
    bench.advance(MINUTE_MS + 1);
    bench.accept(2);
    assert_eq!(bench.take_submitted().len(), 0);
    bench.advance(MINUTE_MS);
    bench.take_one();
    bench.advance(4 * MINUTE_MS);
    assert_eq!(bench.dispatch.queues.len(), 0);
    bench.accept(3);
    bench.take_one();
}

#[test]
fn a_toll_free_number_sends_three_a_second_at_home_and_one_abroad() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let toll_free = Document::Sender(Sender {
        no: SenderNo(2),
        account: account(AccountStatus::Active).sid,
        address: SenderAddress::parse("+18005550101").unwrap(),
        country: None,
    });
    let known = vec![DocumentChange::Put(toll_free)];
    bench.directory.apply(known).unwrap();
    for (first, to, at_once) in [(1, "+12125550199", 3), (11, "+447700900123", 1)] {
        for number in first..first + 6 {
            bench.accept_with(number, |message| {
                message.from = Some("+18005550101".into());
                message.sender = Some(SenderNo(2));
                message.to = to.into();
            });
        }
        assert_eq!(bench.take_submitted().len(), at_once, "{to}");
        bench.advance(1_000);
        assert_eq!(bench.take_submitted().len(), at_once, "{to}");
        bench.advance(MINUTE_MS);
        bench.take_submitted();
    }
}
