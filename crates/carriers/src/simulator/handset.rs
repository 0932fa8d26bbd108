//! Handsets: what each simulated phone saw.
//!
//! Bounded both ways. When there are too many handsets, the one that was silent longest is forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use rustc_hash::FxHashMap;

/// A message as a phone shows it: its segments joined again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandsetMessage {
    pub from: SenderAddress,
    pub body: Arc<str>,
    pub segments: u16,
    pub received_ms: Millis,
}

#[derive(Debug)]
pub(super) struct Handsets {
    by_number: FxHashMap<PhoneNumber, Handset>,
    /// Who heard something when, oldest first.
    by_last_heard: BTreeMap<u64, PhoneNumber>,
    heard: u64,
    count_max: usize,
    messages_max: usize,
}

#[derive(Debug, Default)]
struct Handset {
    messages: VecDeque<HandsetMessage>,
    last_heard: u64,
}

impl Handsets {
    pub(super) fn new(count_max: u32, messages_max: u32) -> Self {
        Self {
            by_number: FxHashMap::default(),
            by_last_heard: BTreeMap::new(),
            heard: 0,
            count_max: count_max as usize,
            messages_max: messages_max as usize,
        }
    }

    /// Whether anything is remembered at all.
    pub(super) fn remembers(&self) -> bool {
        self.count_max > 0 && self.messages_max > 0
    }

    pub(super) fn show(&mut self, to: PhoneNumber, message: HandsetMessage) {
        if !self.remembers() {
            return;
        }
        self.heard += 1;
        let handset = self.by_number.entry(to).or_default();
        self.by_last_heard.remove(&handset.last_heard);
        self.by_last_heard.insert(self.heard, to);
        handset.last_heard = self.heard;
        if handset.messages.len() >= self.messages_max {
            handset.messages.pop_front();
        }
        handset.messages.push_back(message);
        if self.by_number.len() > self.count_max
            && let Some((_, silent)) = self.by_last_heard.pop_first()
        {
            self.by_number.remove(&silent);
        }
    }

    /// What a handset saw, newest first.
    pub(super) fn messages(&self, number: PhoneNumber) -> Vec<HandsetMessage> {
        self.by_number
            .get(&number)
            .map(|handset| handset.messages.iter().rev().cloned().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(line: u64) -> PhoneNumber {
        PhoneNumber::from_digits(14_155_550_100 + line).unwrap()
    }

    fn message(body: &str) -> HandsetMessage {
        HandsetMessage {
            from: SenderAddress::parse("55501").unwrap(),
            body: body.into(),
            segments: 1,
            received_ms: 0,
        }
    }

    fn bodies(handsets: &Handsets, line: u64) -> Vec<String> {
        handsets
            .messages(number(line))
            .iter()
            .map(|message| message.body.to_string())
            .collect()
    }

    #[test]
    fn a_handset_shows_its_last_messages_newest_first() {
        let mut handsets = Handsets::new(10, 2);
        for body in ["one", "two", "three"] {
            handsets.show(number(1), message(body));
        }
        assert_eq!(bodies(&handsets, 1), ["three", "two"]);
        assert_eq!(bodies(&handsets, 2), [""; 0]);
    }

    #[test]
    fn the_handset_that_was_silent_longest_is_forgotten() {
        let mut handsets = Handsets::new(2, 10);
        for (line, body) in [(1, "a"), (2, "b"), (1, "c"), (3, "d")] {
            handsets.show(number(line), message(body));
        }
        assert_eq!(bodies(&handsets, 1), ["c", "a"]);
        assert_eq!(bodies(&handsets, 2), [""; 0]);
        assert_eq!(bodies(&handsets, 3), ["d"]);
        assert_eq!(handsets.by_last_heard.len(), 2);
    }

    #[test]
    fn nothing_is_remembered_when_there_is_no_room() {
        for mut handsets in [Handsets::new(0, 10), Handsets::new(10, 0)] {
            handsets.show(number(1), message("a"));
            assert!(!handsets.remembers() && handsets.by_number.is_empty());
        }
    }
}
