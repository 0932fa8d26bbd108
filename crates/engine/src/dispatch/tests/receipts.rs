//! Whose receipt it is, by its id and its handset.

use super::*;

#[test]
fn of_messages_with_one_id_the_one_to_the_receipts_handset_is_meant() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let ids: Vec<Id> = (1..=2).map(|number| bench.accept(number)).collect();
    for (_, submission) in bench.take_submitted() {
        bench.answer(0, submission.ticket, accepted(&["77"]));
    }
    let failed = Receipt {
        state: ReceiptState::Undelivered,
        error: Some(ErrorCode::HandsetUnreachable),
        ..delivered("77", 1)
    };
    bench.receive(0, failed);
    assert_eq!(bench.status(ids[0]), Some(Status::Undelivered));
    assert_eq!(bench.status(ids[1]), Some(Status::Sent));
    bench.receive(0, delivered("77", 2));
    assert_eq!(bench.status(ids[1]), Some(Status::Delivered));
}

#[test]
fn decimal_receipts_for_hexadecimal_ids_find_their_own_messages() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let ids: Vec<Id> = (1..=40).map(|number| bench.accept(number)).collect();
    for ((_, submission), number) in bench.take_submitted().iter().zip(0x10..) {
        bench.answer(0, submission.ticket, accepted(&[&format!("{number:x}")]));
    }
    // "16" is also the hexadecimal id of another message.
    for (number, id) in (1..=40).zip(0x10_u32..) {
        bench.receive(0, delivered(&id.to_string(), number));
    }
    for id in ids {
        assert_eq!(bench.status(id), Some(Status::Delivered));
    }
}

#[test]
fn a_guess_without_its_handset_is_no_match() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    bench.answer(0, ticket, accepted(&["10"]));
    bench.receive(0, delivered("16", 2));
    bench.advance(5 * MINUTE_MS);
    assert_eq!(bench.status(id), Some(Status::Sent));
}

#[test]
fn early_receipts_wait_for_their_answer_each_of_them() {
    let mut bench = Bench::new(UnknownOutcome::Resend);
    let id = bench.accept(1);
    let ticket = bench.take_one().ticket;
    // One with the same id is about somebody else, and came later.
    bench.receive(0, delivered("5", 1));
    bench.receive(0, delivered("5", 2));
    bench.answer(0, ticket, accepted(&["5"]));
    assert_eq!(bench.status(id), Some(Status::Delivered));
}
