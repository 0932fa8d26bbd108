//! What waits on disk is found again: wherever it stands in the queue, whenever it came there, and
//! whatever else its sender waits for.

use super::*;

const WINDOW: usize = 8;
const PAGE: usize = 4;

/// Messages to +1 go to `a`, those to +44 to `b`.
fn bench(page: usize) -> Bench {
    let limits = DispatchLimits {
        window: WINDOW,
        page,
        ..DispatchLimits::default()
    };
    let route = |destination: &str, carrier| Route {
        destination: destination.to_owned(),
        carriers: vec![carrier],
        ..Route::default()
    };
    let routes = vec![route("1", 0), route("44", 1)];
    Bench::with(UnknownOutcome::Resend, limits, routes)
}

fn british(number: u32) -> String {
    format!("+447700{number:06}")
}

impl Bench {
    /// Commits messages that the acceptor marks as backlog where the queue says so.
    fn accept_stored(&mut self, messages: Vec<Message>) {
        let mut accepted = Vec::new();
        for mut message in messages {
            let load = self.dispatch.loads.with(|table| table.get(SenderNo(1)));
            message.is_backlog = load.is_backlogged;
            self.store(message.clone());
            accepted.push(message);
        }
        self.turn(vec![Input::Accepted(accepted)]);
    }

    fn store(&mut self, message: Message) {
        self.stored.push(message);
        self.stored.sort_by_key(|message| message.sid.id);
    }

    /// Takes everything, as long as there is something to take.
    fn drain(&mut self, carrier: u16) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let taken = self.take_submitted();
            if taken.is_empty() {
                return bodies;
            }
            for (from, submission) in taken {
                assert_eq!(from, carrier);
                bodies.push(submission.body.to_string());
                let id = format!("id{}", submission.ticket.0);
                self.answer(carrier, submission.ticket, accepted(&[&id]));
            }
        }
    }
}

fn bodies(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    let numbers = numbers.into_iter();
    numbers.map(|number| format!("message {number}")).collect()
}

/// A scheduled message keeps the id of the day on which it was made.
#[test]
fn what_was_made_before_the_rest_of_the_queue_and_came_to_it_later_is_found() {
    let mut bench = bench(PAGE);
    bench.capacity(0, 0);
    // The queue is long enough to have been read from disk once.
    for number in 1_000..1_030 {
        bench.accept_stored(vec![message(number, START_MS)]);
    }
    bench.capacity(0, 100);
    assert_eq!(bench.drain(0), bodies(1_000..1_030));
    bench.capacity(0, 0);
    for number in 0..30 {
        bench.accept_stored(vec![message(number, START_MS)]);
    }
    bench.capacity(0, 100);
    assert_eq!(bench.drain(0), bodies(0..30));
}

#[test]
fn what_is_committed_after_its_successor_is_found() {
    let mut bench = bench(PAGE);
    bench.capacity(0, 0);
    for number in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12] {
        bench.accept_stored(vec![message(number, START_MS)]);
    }
    // Room for four: a full page that ends with 12 comes into memory.
    bench.capacity(0, 4);
    bench.turn(vec![Input::Timer]);
    assert_eq!(bench.dispatch.live.len(), 12);
    bench.accept_stored(vec![message(11, START_MS)]);
    bench.capacity(0, 100);
    let mut sent = bench.drain(0);
    sent.sort_unstable();
    let mut wanted = bodies(0..13);
    wanted.sort_unstable();
    assert_eq!(sent, wanted);
}

/// A page that was read before it does not show it.
#[test]
fn what_is_accepted_while_the_last_page_is_on_its_way_is_found() {
    let mut bench = bench(100);
    bench.capacity(0, 0);
    for number in 0..10 {
        bench.accept_stored(vec![message(number, START_MS)]);
    }
    bench.slow_reads = Some(Vec::new());
    bench.capacity(0, 100);
    bench.drain(0);
    bench.accept_stored(vec![message(10, START_MS)]);
    let answers = bench.slow_reads.take().unwrap();
    assert!(!answers.is_empty());
    bench.turn(answers);
    bench.drain(0);
    assert_eq!(bench.stored, []);
}

#[test]
fn a_dead_carrier_blocks_nothing_that_goes_elsewhere() {
    let mut bench = bench(PAGE);
    bench.capacity(0, 0);
    for number in 0..20 {
        bench.accept_stored(vec![message(number, START_MS)]);
    }
    let to_b = Message {
        to: british(20).into(),
        ..message(20, START_MS)
    };
    bench.accept_stored(vec![to_b]);
    assert_eq!(bench.drain(1), bodies([20]));
}

#[test]
fn a_dead_carrier_blocks_nothing_that_a_former_process_left_for_others() {
    let mut bench = bench(PAGE);
    bench.capacity(0, 0);
    for number in 0..40 {
        let mut message = message(number, START_MS);
        if number >= 30 {
            message.to = british(number).into();
        }
        bench.store(message);
    }
    let last = bench.stored.last().map(|message| message.sid.id);
    bench
        .dispatch
        .start(last, vec![SenderNo(1)], Vec::new(), START_MS);
    bench.turn(vec![Input::Timer]);
    assert_eq!(bench.drain(1), bodies(30..40));
    assert_eq!(bench.dispatch.live.len() - 10, WINDOW, "memory is bounded");
    bench.capacity(0, 100);
    assert_eq!(bench.drain(0), bodies(0..30));
}
/// What has expired takes no place: what is valid for longer comes into memory, where it is ready
/// when the carrier is, and memory keeps to the window.
#[test]
fn the_expired_leave_their_lane() {
    let mut bench = bench(PAGE);
    bench.capacity(0, 0);
    for number in 0..20 {
        let mut message = message(number, START_MS);
        if number < 10 {
            message.deadline_ms = START_MS + 5_000;
        }
        bench.accept_stored(vec![message]);
    }
    bench.advance(7_000);
    let waiting = bench.dispatch.live.len();
    assert!((WINDOW / 2..=WINDOW).contains(&waiting), "{waiting}");
    bench.advance(100_000);
    bench.capacity(0, 100);
    assert_eq!(bench.drain(0), bodies(10..20));
}

/// A page that was read right after its commit may arrive before the news of it.
#[test]
fn what_was_read_before_its_acceptance_was_heard_of_calls_back_all_the_same() {
    let mut bench = bench(PAGE);
    bench.capacity(0, 0);
    let message = Message {
        status_callback: Some("https://customer.example/".into()),
        callbacks_due: StatusSet::of(Status::Queued),
        ..message(1, START_MS)
    };
    bench.store(message.clone());
    bench
        .dispatch
        .start(None, vec![SenderNo(1)], Vec::new(), START_MS);
    bench.turn(vec![Input::Timer]);
    assert_eq!(bench.dispatch.live.len(), 1);
    bench.turn(vec![Input::Accepted(vec![message])]);
    assert_eq!(bench.calls, 1);
    bench.capacity(0, 100);
    assert_eq!(bench.drain(0), bodies([1]));
}
