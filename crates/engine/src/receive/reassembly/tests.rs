//! What is told of segments in this order and that, also by a process that goes on with what another kept.

use std::collections::BTreeMap;

use postrider_core::text::Encoding;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const START_MS: Millis = 1_767_225_600_000;

fn part(reference: u16, total: u8, sequence: u8, text: &str, id: Id) -> Part {
    Part {
        message: id,
        of: PartOf {
            carrier: "acme".into(),
            from: "+447700900123".into(),
            to: "55501".into(),
            reference,
            is_16_bit: false,
            total,
        },
        sequence,
        received_ms: id.created_ms(),
        encoding: Encoding::Gsm7,
        text: Utf16Text::from(text),
    }
}

/// A reassembly, its clock, and what a store would hold.
struct Bench {
    reassembly: Reassembly,
    now_ms: Millis,
    next: u128,
    kept: BTreeMap<(Id, u8), KeptPart>,
}

impl Bench {
    fn new() -> Self {
        Self {
            reassembly: Reassembly::default(),
            now_ms: START_MS,
            next: 0,
            kept: BTreeMap::new(),
        }
    }

    /// What is told of a segment: `-` waits, `=` came before, or the message it makes.
    fn take(&mut self, reference: u16, total: u8, sequence: u8, text: &str) -> String {
        self.next += 1;
        let id = Id::new(self.now_ms, 0, 0).as_u128() + self.next;
        let mut part = part(reference, total, sequence, text, Id::from_u128(id));
        let taken = self.reassembly.take(&mut part, self.now_ms);
        let message = part.message;
        let kept = KeptPart {
            part,
            is_joined: false,
        };
        self.kept.entry((message, sequence)).or_insert(kept);
        match taken {
            Taken::Kept => "-".to_owned(),
            Taken::Again => "=".to_owned(),
            Taken::Full => "full".to_owned(),
            Taken::Whole(joined) => {
                assert_eq!(joined.parts.len(), usize::from(total));
                assert_eq!(joined.first().message, message);
                self.join(message);
                joined.text().to_string()
            }
        }
    }

    fn join(&mut self, message: Id) {
        let of_message = (message, 0)..=(message, u8::MAX);
        for (_, kept) in self.kept.range_mut(of_message) {
            kept.is_joined = true;
        }
    }

    /// What is told of after so many minutes.
    fn wait(&mut self, minutes: i64) -> Vec<String> {
        self.now_ms += minutes * 60_000;
        let mut told = Vec::new();
        for due in self.reassembly.take_due(self.now_ms) {
            match due {
                Due::Whole(joined) => {
                    self.join(joined.first().message);
                    told.push(joined.text().to_string());
                }
                Due::Incomplete(joined) => {
                    assert!(joined.parts.len() < usize::from(joined.first().of.total));
                    self.join(joined.first().message);
                    told.push(joined.text().to_string());
                }
                Due::Forget(message) => {
                    self.kept.retain(|(of, _), _| *of != message);
                    told.push("forgotten".to_owned());
                }
            }
        }
        told
    }

    /// Another process goes on.
    fn restart(&mut self) {
        let kept = self.kept.values().cloned().collect();
        self.reassembly = Reassembly::open(kept, self.now_ms);
    }
}

/// One message after the other; a row is a segment and what is told of it.
#[test]
fn a_message_is_made_when_its_last_segment_has_come() {
    for restarts in [false, true] {
        let mut bench = Bench::new();
        for (at, (reference, total, sequence, text, told)) in [
            // In order.
            (1, 2, 1, "Hel", "-"),
            (1, 2, 2, "lo", "Hello"),
            // Out of order, twice, and beside others.
            (2, 3, 3, "c", "-"),
            (2, 3, 1, "a", "-"),
            (2, 3, 3, "c", "="),
            (3, 2, 2, "y", "-"),
            (2, 3, 2, "b", "abc"),
            (3, 2, 1, "x", "xy"),
            // It came in time, but the carrier does not know.
            (2, 3, 2, "b", "="),
            (1, 2, 2, "lo", "="),
            // The handset begins again at a number that is known.
            (1, 2, 1, "Bye", "-"),
            (1, 2, 2, "!", "Bye!"),
            // As many segments are not the same message.
            (4, 2, 1, "p", "-"),
            (4, 3, 2, "q", "-"),
            // It begins again before the first was whole.
            (4, 2, 1, "r", "-"),
            (4, 2, 2, "s", "rs"),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(
                bench.take(reference, total, sequence, text),
                told,
                "row {at}"
            );
            if restarts {
                bench.restart();
            }
        }
        // What is left without its others.
        assert_eq!(bench.wait(9), [] as [&str; 0]);
        let mut told = bench.wait(1);
        told.retain(|told| told != "forgotten");
        assert_eq!(told, ["p", "q"]);
        bench.wait(10);
        assert!(bench.kept.is_empty());
        assert_eq!(
            (bench.reassembly.parts, bench.reassembly.open.len()),
            (0, 0)
        );
    }
}

#[test]
fn what_comes_after_a_message_was_given_up_is_another() {
    let mut bench = Bench::new();
    assert_eq!(bench.take(7, 2, 1, "late"), "-");
    assert_eq!(bench.wait(10), ["late"]);
    assert_eq!(bench.take(7, 2, 1, "late"), "=");
    assert_eq!(bench.take(7, 2, 2, "r"), "-");
    assert_eq!(bench.wait(10), ["forgotten", "r"]);
}

#[test]
fn beyond_the_room_carriers_are_asked_to_come_again() {
    let mut bench = Bench::new();
    bench.reassembly.parts = PARTS_MAX;
    assert_eq!(bench.take(1, 2, 1, "a"), "full");
}

#[test]
fn a_process_that_dies_before_it_makes_the_message_leaves_that_to_the_next() {
    let mut bench = Bench::new();
    assert_eq!(bench.take(1, 2, 2, "B"), "-");
    assert_eq!(bench.take(1, 2, 1, "A"), "AB");
    // The mark that they are joined was not written.
    for kept in bench.kept.values_mut() {
        kept.is_joined = false;
    }
    bench.restart();
    assert_eq!(bench.take(1, 2, 2, "B"), "=");
    assert_eq!(bench.wait(0), ["AB"]);
    assert_eq!(bench.take(1, 2, 1, "A"), "=");
    assert!(bench.wait(9).is_empty());
    assert_eq!(bench.wait(1), ["forgotten"]);
}

proptest! {
    /// Messages cut in segments that come in any order, some of them twice, with processes between:
    /// each is made once, whole.
    #[test]
    fn each_message_is_made_once(
        messages in vec(2..6_u8, 1..6),
        seed in vec(any::<prop::sample::Index>(), 60),
        restarts in vec(any::<bool>(), 60),
    ) {
        let mut segments = Vec::new();
        let mut expected = Vec::new();
        for (reference, total) in (1..).zip(&messages) {
            let text = |sequence: u8| format!("{reference}.{sequence} ");
            expected.push((1..=*total).map(text).collect::<String>());
            segments.extend((1..=*total).map(|sequence| (reference, *total, sequence)));
        }
        // Some come twice.
        let twice: Vec<_> = seed.iter().take(5).map(|at| *at.get(&segments)).collect();
        segments.extend(twice);
        let mut bench = Bench::new();
        let mut made = Vec::new();
        for (at, restart) in seed.iter().cycle().zip(restarts.iter().cycle()) {
            if segments.is_empty() {
                break;
            }
            let (reference, total, sequence) = segments.swap_remove(at.index(segments.len()));
            let told = bench.take(reference, total, sequence, &format!("{reference}.{sequence} "));
            if told != "-" && told != "=" {
                made.push(told);
            }
            if *restart {
                bench.restart();
            }
        }
        made.sort();
        expected.sort();
        prop_assert_eq!(made, expected);
        bench.wait(10);
        prop_assert!(bench.wait(10).iter().all(|told| told == "forgotten"));
        prop_assert!(bench.kept.is_empty());
    }
}
