//! What the simulated network makes of a message: an answer, receipts, a text on a handset.

use std::sync::Arc;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use smallvec::SmallVec;

use super::World;
use crate::contract::{Event, Outcome, Refusal, Submission, Ticket};
use crate::simulator::handset::HandsetMessage;
use crate::simulator::notice::{Notice, SegmentId, SegmentReport};
use crate::simulator::rule::{Behavior, Unanswered};

/// A message in the carrier's hands.
#[derive(Clone, Debug)]
pub(super) struct Message {
    ticket: Ticket,
    from: SenderAddress,
    to: PhoneNumber,
    body: Arc<str>,
    segments: u16,
    /// The id of its first segment; the others follow.
    id: SegmentId,
}

/// An answer to a submit on its way. When the links drop, it is lost.
#[derive(Debug)]
pub(super) struct Answer {
    message: Message,
    kind: AnswerKind,
}

#[derive(Debug)]
enum AnswerKind {
    /// Taken; how it goes on is decided.
    Accept(Report),
    /// Taken, and its receipts are out already.
    AcceptAfterReceipts,
    Refuse(Refusal),
    /// There will be none: the carrier gives the submit up.
    Never(Unanswered),
    /// To a submit that was given up.
    Late,
    /// Instead of an answer, the links drop.
    Disconnect {
        for_ms: u32,
    },
}

/// What is reported of a message that was taken.
#[derive(Clone, Copy, Debug)]
struct Report {
    verdict: Verdict,
    /// How often each receipt comes.
    copies: u8,
    /// On top of the usual latency.
    delay_ms: Millis,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Delivered,
    Undelivered(ErrorCode),
    /// Delivered without a receipt.
    Silent,
}

/// What happens at the far end, whatever becomes of the links.
#[derive(Debug)]
pub(super) enum Delivery {
    /// The handset shows the text.
    Show(Message),
    Report(SegmentReport),
}

const DELIVERED: Report = Report {
    verdict: Verdict::Delivered,
    copies: 1,
    delay_ms: 0,
};

impl Message {
    pub(super) fn new(submission: Submission, id: SegmentId) -> Self {
        let Submission {
            ticket,
            from,
            to,
            body,
            segments,
            encoding: _,
            deadline_ms: _,
        } = submission;
        Self {
            ticket,
            from,
            to,
            body,
            segments: segments.max(1),
            id,
        }
    }

    fn ids(&self) -> impl Iterator<Item = SegmentId> + use<> {
        let first = self.id;
        (0..u64::from(self.segments)).map(move |segment| SegmentId {
            number: first.number + segment,
            ..first
        })
    }

    fn accepted(&self) -> Outcome {
        Outcome::Accepted {
            ids: self.ids().map(SegmentId::text).collect(),
        }
    }
}

impl World {
    /// Decides what becomes of a message that the links brought.
    pub(super) fn take(
        &mut self,
        message: Message,
        behavior: Behavior,
        delay_ms: Millis,
        now_ms: Millis,
    ) {
        let at_ms = now_ms.saturating_add(self.random.between(self.answer_ms));
        let late_ms = at_ms.saturating_add(delay_ms);
        let accept = |verdict, copies| {
            AnswerKind::Accept(Report {
                verdict,
                copies,
                delay_ms,
            })
        };
        let (at_ms, kind) = match behavior {
            Behavior::Delivered => (at_ms, accept(Verdict::Delivered, 1)),
            Behavior::DuplicateReceipt => (at_ms, accept(Verdict::Delivered, 2)),
            Behavior::LostReceipt => (at_ms, accept(Verdict::Silent, 1)),
            Behavior::Undelivered(code) => (at_ms, accept(Verdict::Undelivered(code), 1)),
            Behavior::EarlyReceipt => {
                let done_ms = self.schedule(
                    &message,
                    Report {
                        delay_ms,
                        ..DELIVERED
                    },
                    at_ms,
                );
                (done_ms.saturating_add(1), AnswerKind::AcceptAfterReceipts)
            }
            Behavior::Rejected { code, class } => {
                let detail = format!("refused by a rule: {code}").into();
                let refusal = Refusal {
                    class,
                    code,
                    detail,
                    accepted: SmallVec::new(),
                };
                (late_ms, AnswerKind::Refuse(refusal))
            }
            Behavior::Throttle { .. } => return self.throttle(message.ticket, now_ms),
            Behavior::Unknown(unanswered) => (late_ms, AnswerKind::Never(unanswered)),
            Behavior::Disconnect { for_ms } => (late_ms, AnswerKind::Disconnect { for_ms }),
        };
        let answer = Answer { message, kind };
        if at_ms <= now_ms {
            self.answer(answer, now_ms);
        } else {
            self.answers.push(at_ms, answer);
        }
    }

    /// An answer arrives.
    pub(super) fn answer(&mut self, answer: Answer, at_ms: Millis) {
        let Answer { message, kind } = answer;
        let ticket = message.ticket;
        match kind {
            AnswerKind::Accept(report) => {
                self.outcome(ticket, message.accepted());
                self.schedule(&message, report, at_ms);
            }
            AnswerKind::AcceptAfterReceipts => self.outcome(ticket, message.accepted()),
            AnswerKind::Refuse(refusal) => self.outcome(ticket, Outcome::Refused(refusal)),
            AnswerKind::Never(unanswered) => {
                self.outcome(ticket, Outcome::Unknown);
                match unanswered {
                    Unanswered::Lost => {}
                    Unanswered::Arrived => {
                        self.schedule(&message, DELIVERED, at_ms);
                    }
                    Unanswered::AnsweredLate => {
                        let late_ms = at_ms.saturating_add(self.random.between(self.latency_ms));
                        self.answers.push(
                            late_ms,
                            Answer {
                                message,
                                kind: AnswerKind::Late,
                            },
                        );
                    }
                }
            }
            AnswerKind::Late => {
                self.ready.push(Event::LateOutcome {
                    ticket,
                    outcome: message.accepted(),
                });
                self.schedule(&message, DELIVERED, at_ms);
            }
            AnswerKind::Disconnect { for_ms } => {
                self.go_down(for_ms, at_ms);
                self.lose(
                    Answer {
                        message,
                        kind: AnswerKind::Disconnect { for_ms },
                    },
                    at_ms,
                );
            }
        }
    }

    /// An answer can no longer arrive. Whether the message did is a throw of the dice, unless it is
    /// decided.
    pub(super) fn lose(&mut self, answer: Answer, now_ms: Millis) {
        let Answer { message, kind } = answer;
        let arrives = match &kind {
            AnswerKind::Accept(report) => self.random.coin().then_some(*report),
            AnswerKind::Disconnect { .. } => self.random.coin().then_some(DELIVERED),
            AnswerKind::Never(Unanswered::Arrived | Unanswered::AnsweredLate)
            | AnswerKind::Late => Some(DELIVERED),
            AnswerKind::Never(Unanswered::Lost)
            | AnswerKind::AcceptAfterReceipts
            | AnswerKind::Refuse(_) => None,
        };
        // A late answer's submit had its outcome.
        if !matches!(kind, AnswerKind::Late) {
            self.outcome(message.ticket, Outcome::Unknown);
        }
        if let Some(report) = arrives {
            self.schedule(&message, report, now_ms);
        }
    }

    /// Sends a message on to its handset, each segment at its own speed. Gives the instant when the
    /// last one is there.
    fn schedule(&mut self, message: &Message, report: Report, at_ms: Millis) -> Millis {
        let at_ms = at_ms.saturating_add(report.delay_ms);
        let arrivals: SmallVec<[Millis; 4]> = message
            .ids()
            .map(|_| at_ms.saturating_add(self.random.between(self.latency_ms)))
            .collect();
        let last_ms = arrivals.iter().copied().max().unwrap_or(at_ms);
        let (is_shown, receipt) = match report.verdict {
            Verdict::Delivered => (true, Some(None)),
            Verdict::Undelivered(code) => (false, Some(Some(code))),
            Verdict::Silent => (true, None),
        };
        // Before its receipt: who sees the message delivered finds it on the handset.
        if is_shown && self.handsets.remembers() {
            self.deliveries
                .push(last_ms, Delivery::Show(message.clone()));
        }
        if let Some(error) = receipt {
            for (id, done_ms) in message.ids().zip(arrivals) {
                let report_of = SegmentReport {
                    id,
                    to: message.to,
                    error,
                    done_ms,
                };
                self.deliveries.push(done_ms, Delivery::Report(report_of));
                for _ in 1..report.copies {
                    let again_ms = done_ms.saturating_add(self.random.between(self.latency_ms));
                    self.deliveries.push(again_ms, Delivery::Report(report_of));
                }
            }
        }
        last_ms
    }

    /// Something arrives at the far end; a link brings word of it, now or when there is one.
    pub(super) fn deliver(&mut self, delivery: Delivery, at_ms: Millis, now_ms: Millis) {
        match delivery {
            Delivery::Show(message) => {
                let Message {
                    from,
                    to,
                    body,
                    segments,
                    ..
                } = message;
                let shown = HandsetMessage {
                    from,
                    body,
                    segments,
                    received_ms: at_ms,
                };
                self.handsets.show(to, shown);
            }
            Delivery::Report(report) => self.notify(Notice::Receipt(report), now_ms),
        }
    }
}
