//! The books of a session: each message under way, segment by segment, until it has its outcome.
//!
//! Answers come in any order, for some segments and not for others. Only when no answer is due any
//! more is the message judged, once, by [`Message::verdict`].

use postrider_core::error_code::ErrorCode;
use smallvec::SmallVec;

use super::window::{Phase, Slot};
use crate::contract::{Outcome, Refusal, RefusalClass, Submission, Ticket};
use crate::smpp::command_status::Variant;
use crate::smpp::config::Settings;
use crate::smpp::validity_period::ValidityForm;
use crate::smpp::wire_text::{Coding, WireText};

/// Throttle answers to the rest of a message that is partly accepted, after which it is refused.
const THROTTLES_MAX: u8 = 10;

/// Where one segment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Unsent,
    /// Encoded or written, and not answered.
    Open,
    /// Taken under this id.
    Accepted(Box<str>),
    Throttled,
    /// Refused, but another form may pass.
    Resend {
        variant: Variant,
        code: ErrorCode,
        detail: Box<str>,
    },
    Refused(Box<Refusal>),
    /// Written and not answered in time.
    Unknown,
}

impl Segment {
    pub(super) fn refused(class: RefusalClass, code: ErrorCode, detail: Box<str>) -> Self {
        Self::Refused(Box::new(Refusal {
            class,
            code,
            detail,
            accepted: SmallVec::new(),
        }))
    }
}

/// One message under way.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) submission: Submission,
    pub(super) text: WireText,
    pub(super) reference: u16,
    pub(super) without_times: bool,
    pub(super) without_tlvs: bool,
    segments: SmallVec<[Segment; 1]>,
    /// Answers that are due.
    open: u16,
    /// Answers that are overdue and would still be put to use.
    late: u16,
    throttles: u8,
    reported: Reported,
    /// Place in the order of submission.
    order: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    Not,
    /// As unknown: a late answer settles the doubt.
    Unknown,
    Finally,
}

/// What is to be done about a message after an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// More answers are due, or more segments to be written.
    Wait,
    /// Its unsent segments are to be written as soon as the pace allows.
    Again,
    Report(Report),
}

/// The word about a message.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) ticket: Ticket,
    pub(super) outcome: Outcome,
    pub(super) is_late: bool,
}

enum Verdict {
    Outcome(Outcome),
    Again,
}

impl Message {
    pub(super) fn new(submission: Submission, text: WireText, reference: u16) -> Self {
        let segments = SmallVec::from_elem(Segment::Unsent, text.len());
        Self {
            submission,
            text,
            reference,
            without_times: false,
            without_tlvs: false,
            segments,
            open: 0,
            late: 0,
            throttles: 0,
            reported: Reported::Not,
            order: 0,
        }
    }

    pub(super) fn segment_count(&self) -> u32 {
        u32::try_from(self.segments.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn unsent_count(&self) -> u32 {
        let unsent = self
            .segments
            .iter()
            .filter(|segment| **segment == Segment::Unsent);
        u32::try_from(unsent.count()).unwrap_or(u32::MAX)
    }

    /// The next segment to be written: none once any of them has met with trouble.
    pub(super) fn next_unsent(&self) -> Option<usize> {
        let is_in_trouble = self.segments.iter().any(|segment| match segment {
            Segment::Unsent | Segment::Open | Segment::Accepted(_) => false,
            Segment::Throttled
            | Segment::Resend { .. }
            | Segment::Refused(_)
            | Segment::Unknown => true,
        });
        if is_in_trouble {
            return None;
        }
        self.segments
            .iter()
            .position(|segment| *segment == Segment::Unsent)
    }

    fn is_accepted_in_part(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| matches!(segment, Segment::Accepted(_)))
    }

    fn accepted_ids(&mut self) -> SmallVec<[Box<str>; 1]> {
        let ids = self
            .segments
            .iter_mut()
            .filter_map(|segment| match segment {
                Segment::Accepted(id) => Some(std::mem::take(id)),
                _ => None,
            });
        ids.collect()
    }

    /// Judges a message for which no answer is due. A refusal outweighs a doubt, a doubt outweighs
    /// what could still be tried.
    fn verdict(&mut self, settings: &Settings) -> Verdict {
        if let Some(refusal) = self.take_refusal() {
            return Verdict::Outcome(Outcome::Refused(refusal));
        }
        if self.segments.contains(&Segment::Unknown) {
            return Verdict::Outcome(Outcome::Unknown);
        }
        if let Some((variant, code, detail)) = self.wanted_variant() {
            if self.apply(variant, settings) {
                return Verdict::Again;
            }
            return Verdict::Outcome(self.refusal(RefusalClass::Fail, code, detail));
        }
        if self.segments.contains(&Segment::Throttled) {
            return self.verdict_when_throttled();
        }
        if self
            .segments
            .iter()
            .all(|segment| matches!(segment, Segment::Accepted(_)))
        {
            return Verdict::Outcome(Outcome::Accepted {
                ids: self.accepted_ids(),
            });
        }
        Verdict::Outcome(self.outcome_when_cut_off())
    }

    /// Segments the carrier has taken cannot be taken back, so the rest must follow on this bind.
    fn verdict_when_throttled(&mut self) -> Verdict {
        if !self.is_accepted_in_part() {
            return Verdict::Outcome(Outcome::Throttled);
        }
        self.throttles += 1;
        if self.throttles >= THROTTLES_MAX {
            let detail = "throttled after earlier segments were taken".into();
            let code = ErrorCode::CarrierCongested;
            return Verdict::Outcome(self.refusal(RefusalClass::RetrySame, code, detail));
        }
        self.reset(|segment| *segment == Segment::Throttled);
        Verdict::Again
    }

    /// The session is over and these segments will not be sent here.
    fn outcome_when_cut_off(&self) -> Outcome {
        let is_in_doubt = self.is_accepted_in_part() || self.segments.contains(&Segment::Unknown);
        if is_in_doubt {
            Outcome::Unknown
        } else {
            Outcome::Returned
        }
    }

    fn take_refusal(&mut self) -> Option<Refusal> {
        let refused = self
            .segments
            .iter_mut()
            .find(|s| matches!(s, Segment::Refused(_)))?;
        let Segment::Refused(refusal) = std::mem::replace(refused, Segment::Unsent) else {
            return None;
        };
        Some(Refusal {
            accepted: self.accepted_ids(),
            ..*refusal
        })
    }

    fn refusal(&mut self, class: RefusalClass, code: ErrorCode, detail: Box<str>) -> Outcome {
        Outcome::Refused(Refusal {
            class,
            code,
            detail,
            accepted: self.accepted_ids(),
        })
    }

    fn wanted_variant(&mut self) -> Option<(Variant, ErrorCode, Box<str>)> {
        self.segments.iter().find_map(|segment| match segment {
            Segment::Resend {
                variant,
                code,
                detail,
            } => Some((*variant, *code, detail.clone())),
            _ => None,
        })
    }

    /// Turns the message into another form; false when that changes nothing or comes too late.
    fn apply(&mut self, variant: Variant, settings: &Settings) -> bool {
        let has_optional_tlvs = !settings.tlvs.is_empty() || settings.has_more_messages_flag;
        match variant {
            Variant::WithoutTimes if settings.validity_period == ValidityForm::None => false,
            Variant::WithoutTlvs if !has_optional_tlvs => false,
            Variant::WithoutTimes => {
                self.reset(|segment| matches!(segment, Segment::Resend { .. }));
                !std::mem::replace(&mut self.without_times, true)
            }
            Variant::WithoutTlvs => {
                self.reset(|segment| matches!(segment, Segment::Resend { .. }));
                !std::mem::replace(&mut self.without_tlvs, true)
            }
            Variant::AsUcs2 if self.text.coding == Coding::Ucs2 || self.is_accepted_in_part() => {
                false
            }
            Variant::AsUcs2 => {
                let body = &self.submission.body;
                self.text = WireText::new(body, Coding::Ucs2, settings.long_messages);
                self.segments = SmallVec::from_elem(Segment::Unsent, self.text.len());
                true
            }
        }
    }

    fn reset(&mut self, is_to_be_sent_again: impl Fn(&Segment) -> bool) {
        for segment in self
            .segments
            .iter_mut()
            .filter(|segment| is_to_be_sent_again(segment))
        {
            *segment = Segment::Unsent;
        }
    }
}

/// All messages of a session, by key. Keys are used again.
#[derive(Debug, Default)]
pub(super) struct Messages {
    places: Vec<Option<Message>>,
    free: Vec<u32>,
    next_order: u64,
}

impl Messages {
    pub(super) fn insert(&mut self, mut message: Message) -> u32 {
        message.order = self.next_order;
        self.next_order += 1;
        if let Some(key) = self.free.pop() {
            self.places[key as usize] = Some(message);
            return key;
        }
        self.places.push(Some(message));
        // Bounded by the window and the late slots, far below 4 billion.
        u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn get(&self, key: u32) -> &Message {
        self.places[key as usize]
            .as_ref()
            .expect("slots name living messages")
    }

    fn get_mut(&mut self, key: u32) -> &mut Message {
        self.places[key as usize]
            .as_mut()
            .expect("slots name living messages")
    }

    pub(super) fn submission(&self, key: u32) -> &Submission {
        &self.get(key).submission
    }

    /// A segment has been encoded.
    pub(super) fn opened(&mut self, key: u32, segment: usize) {
        let message = self.get_mut(key);
        message.segments[segment] = Segment::Open;
        message.open += 1;
    }

    /// A segment could not be encoded.
    pub(super) fn failed(
        &mut self,
        key: u32,
        index: usize,
        segment: Segment,
        settings: &Settings,
    ) -> Next {
        self.get_mut(key).segments[index] = segment;
        self.judge(key, settings)
    }

    /// An answer came, in time or late.
    pub(super) fn answered(&mut self, slot: &Slot, segment: Segment, settings: &Settings) -> Next {
        let message = self.get_mut(slot.message);
        message.segments[usize::from(slot.segment)] = segment;
        match slot.phase {
            Phase::Late => message.late -= 1,
            Phase::Buffered | Phase::Written => message.open -= 1,
        }
        self.judge(slot.message, settings)
    }

    /// No answer came in time.
    pub(super) fn expired(&mut self, slot: &Slot, settings: &Settings) -> Next {
        let message = self.get_mut(slot.message);
        message.segments[usize::from(slot.segment)] = Segment::Unknown;
        message.open -= 1;
        message.late += 1;
        self.judge(slot.message, settings)
    }

    /// A segment was never handed to the socket.
    pub(super) fn recalled(&mut self, slot: &Slot) {
        let message = self.get_mut(slot.message);
        message.segments[usize::from(slot.segment)] = Segment::Unsent;
        message.open -= 1;
    }

    /// An overdue answer is not waited for any more.
    pub(super) fn forget_late(&mut self, key: u32) {
        self.get_mut(key).late -= 1;
        self.remove_when_done(key);
    }

    /// Ends all: every message not yet reported gets its outcome, in the order of submission.
    pub(super) fn close(&mut self) -> impl Iterator<Item = Report> + use<> {
        self.free.clear();
        let mut messages: Vec<Message> = self
            .places
            .drain(..)
            .flatten()
            .filter(|m| m.reported == Reported::Not)
            .collect();
        messages.sort_by_key(|message| message.order);
        messages.into_iter().map(|mut message| {
            message
                .segments
                .iter_mut()
                .filter(|segment| **segment == Segment::Open)
                .for_each(|segment| *segment = Segment::Unknown);
            let outcome = match message.take_refusal() {
                Some(refusal) => Outcome::Refused(refusal),
                None => message.outcome_when_cut_off(),
            };
            Report {
                ticket: message.submission.ticket,
                outcome,
                is_late: false,
            }
        })
    }

    fn judge(&mut self, key: u32, settings: &Settings) -> Next {
        let message = self.get_mut(key);
        if message.open > 0 {
            return Next::Wait;
        }
        match message.reported {
            Reported::Finally => {
                self.remove_when_done(key);
                Next::Wait
            }
            Reported::Unknown => self.judge_late(key),
            Reported::Not if message.next_unsent().is_some() => Next::Wait,
            Reported::Not => match message.verdict(settings) {
                Verdict::Again => Next::Again,
                Verdict::Outcome(outcome) => {
                    let is_unknown = outcome == Outcome::Unknown;
                    message.reported = if is_unknown {
                        Reported::Unknown
                    } else {
                        Reported::Finally
                    };
                    let ticket = message.submission.ticket;
                    self.remove_when_done(key);
                    Next::Report(Report {
                        ticket,
                        outcome,
                        is_late: false,
                    })
                }
            },
        }
    }

    /// All doubts of a message are settled, or not yet.
    fn judge_late(&mut self, key: u32) -> Next {
        let message = self.get_mut(key);
        if message.segments.contains(&Segment::Unknown) {
            return Next::Wait;
        }
        message.reported = Reported::Finally;
        let ticket = message.submission.ticket;
        let outcome = message.late_outcome();
        self.remove_when_done(key);
        match outcome {
            Some(outcome) => Next::Report(Report {
                ticket,
                outcome,
                is_late: true,
            }),
            None => Next::Wait,
        }
    }

    fn remove_when_done(&mut self, key: u32) {
        let message = self.get(key);
        if message.reported != Reported::Not && message.open == 0 && message.late == 0 {
            self.places[key as usize] = None;
            self.free.push(key);
        }
    }
}

impl Message {
    /// What late answers add up to. Nothing when segments were held back for the doubt's sake: then
    /// the message is neither accepted nor refused.
    fn late_outcome(&mut self) -> Option<Outcome> {
        if let Some(refusal) = self.take_refusal() {
            return Some(Outcome::Refused(refusal));
        }
        if let Some((_, code, detail)) = self.wanted_variant() {
            return Some(self.refusal(RefusalClass::Fail, code, detail));
        }
        if self
            .segments
            .iter()
            .all(|segment| matches!(segment, Segment::Accepted(_)))
        {
            return Some(Outcome::Accepted {
                ids: self.accepted_ids(),
            });
        }
        let is_throttled = self.segments.contains(&Segment::Throttled);
        (is_throttled && !self.is_accepted_in_part()).then_some(Outcome::Throttled)
    }
}
