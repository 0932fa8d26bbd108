//! Notices: receipts and replies on their way to the engine, kept until it says that it has them.
//!
//! As an SMSC does it: what is not acknowledged comes again after a while, and what was under way when
//! the links dropped comes again when they are back.

use std::collections::VecDeque;

use jiff::Timestamp;
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use smallvec::smallvec;

use crate::contract::{AckToken, Event, Inbound, Receipt, ReceiptState};
use crate::correlation::canonical;

/// Something the carrier has to tell.
#[derive(Clone, Debug)]
pub(super) enum Notice {
    Receipt(SegmentReport),
    Inbound(Box<Inbound>),
}

/// What became of one segment. Written out as a [`Receipt`] only when it is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentReport {
    pub(super) id: SegmentId,
    pub(super) to: PhoneNumber,
    /// `None` when it was delivered.
    pub(super) error: Option<ErrorCode>,
    pub(super) done_ms: Millis,
}

/// The carrier's id of a segment: a number for the run, so that two runs on one store never give the
/// same id, and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentId {
    pub(super) run: u32,
    pub(super) number: u64,
}

impl SegmentId {
    pub(super) fn text(self) -> Box<str> {
        format!("s{:x}-{}", self.run, self.number).into()
    }
}

#[derive(Debug)]
pub(super) struct Notices {
    redelivery_ms: Millis,
    session: u32,
    /// Sent and not acknowledged, in the order of sending; `None` is acknowledged, and never at the
    /// front. The first has the sequence number `first`.
    sent: VecDeque<Option<Sent>>,
    first: u32,
    /// Waiting for links to come up.
    held: VecDeque<Notice>,
    done_date: DoneDate,
}

#[derive(Debug)]
struct Sent {
    at_ms: Millis,
    notice: Notice,
}

impl Notices {
    pub(super) fn new(redelivery_ms: u32) -> Self {
        Self {
            redelivery_ms: redelivery_ms.into(),
            session: 1,
            sent: VecDeque::new(),
            first: 1,
            held: VecDeque::new(),
            done_date: DoneDate::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sent.len() + self.held.len()
    }

    pub(super) fn send(&mut self, notice: Notice, now_ms: Millis, events: &mut Vec<Event>) {
        let ahead = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        let ack = AckToken {
            session: self.session,
            sequence: self.first.wrapping_add(ahead),
        };
        events.push(match &notice {
            Notice::Receipt(report) => Event::Receipt {
                receipt: self.done_date.receipt(report),
                ack,
            },
            Notice::Inbound(inbound) => Event::Inbound {
                inbound: (**inbound).clone(),
                ack,
            },
        });
        self.sent.push_back(Some(Sent {
            at_ms: now_ms,
            notice,
        }));
    }

    /// Keeps a notice until the links are up.
    pub(super) fn hold(&mut self, notice: Notice) {
        self.held.push_back(notice);
    }

    /// The engine has it. Answers on a session that is gone were never read.
    pub(super) fn acknowledge(&mut self, token: AckToken) {
        if token.session != self.session {
            return;
        }
        let index = token.sequence.wrapping_sub(self.first) as usize;
        if let Some(sent) = self.sent.get_mut(index) {
            *sent = None;
        }
        self.drop_acknowledged();
    }

    /// Sends again what was not acknowledged in time.
    pub(super) fn send_again(&mut self, now_ms: Millis, events: &mut Vec<Event>) {
        while self.next_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            let Some(Some(sent)) = self.sent.pop_front() else {
                return;
            };
            self.first = self.first.wrapping_add(1);
            self.drop_acknowledged();
            self.send(sent.notice, now_ms, events);
        }
    }

    pub(super) fn next_ms(&self) -> Option<Millis> {
        let oldest = self.sent.front()?.as_ref()?;
        Some(oldest.at_ms.saturating_add(self.redelivery_ms))
    }

    /// Nothing that is under way will be acknowledged.
    pub(super) fn links_dropped(&mut self) {
        for sent in self.sent.drain(..).rev().flatten() {
            self.held.push_front(sent.notice);
        }
    }

    pub(super) fn links_up(&mut self, session: u32, now_ms: Millis, events: &mut Vec<Event>) {
        self.session = session;
        self.first = 1;
        for notice in std::mem::take(&mut self.held) {
            self.send(notice, now_ms, events);
        }
    }

    fn drop_acknowledged(&mut self) {
        while let Some(None) = self.sent.front() {
            self.sent.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }
}

/// Writes receipts, and remembers the last date it wrote: they change only every minute.
#[derive(Debug, Default)]
struct DoneDate {
    minute: Option<Millis>,
    digits: Box<str>,
}

impl DoneDate {
    fn receipt(&mut self, report: &SegmentReport) -> Receipt {
        let carrier_id = report.id.text();
        let (state, detail) = match report.error {
            None => (ReceiptState::Delivered, "DELIVRD err:000".into()),
            Some(code) => (
                ReceiptState::Undelivered,
                format!("UNDELIV err:{code}").into(),
            ),
        };
        Receipt {
            candidates: smallvec![canonical(&carrier_id)],
            carrier_id,
            state,
            error: report.error,
            done_date: Some(self.digits_of(report.done_ms).into()),
            handset: Some(report.to),
            detail,
            is_understood: true,
            raw: [].into(),
        }
    }

    /// `YYMMDDhhmm` in UTC.
    fn digits_of(&mut self, at_ms: Millis) -> &str {
        let minute = at_ms.div_euclid(60_000);
        if self.minute != Some(minute) {
            let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
            self.digits = at.strftime("%y%m%d%H%M").to_string().into();
            self.minute = Some(minute);
        }
        &self.digits
    }
}
