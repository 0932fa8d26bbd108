//! A carrier that misbehaves in every way a carrier can, and remembers what it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use postrider_carriers::correlation::{IdForm, IdForms, candidates, canonical};
use postrider_carriers::{
    AckToken, CarrierNo, Event, Health, Outcome, Receipt, ReceiptState, Refusal, RefusalClass,
    Submission, Ticket,
};
use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use rand::Rng;
use rand::rngs::StdRng;
use smallvec::smallvec;

/// Segments a carrier takes at once.
const CAPACITY: u32 = 40;

/// With so many messages of up to three segments it may have no room for another.
const NEARLY_FULL: usize = 12;

/// How long a submission may stay unanswered before its outcome is unknown.
const RESPONSE_TIMEOUT_MS: Millis = 30_000;

/// Receipts that were not acknowledged come again after this.
const RESEND_MS: Millis = 20_000;

/// One simulated carrier: the link we hold and the SMSC behind it.
pub(crate) struct Carrier {
    pub(crate) no: CarrierNo,
    /// Faults happen only while this is set.
    pub(crate) is_hostile: bool,
    is_up: bool,
    /// How its ids are read, as far as the operator said.
    id_forms: IdForms,
    /// Submissions of the living process that have no outcome yet.
    open: BTreeSet<Ticket>,
    /// What happens when, in order of time and then of planning.
    plan: BTreeMap<(Millis, u64), Planned>,
    planned: u64,
    next_id: u64,
    /// Receipts not yet acknowledged, by token.
    unacknowledged: BTreeMap<u32, Receipt>,
    next_token: u32,
    /// It said that it has something against us, and nothing better since.
    is_held: bool,
    /// When it could not be expected to take anything: it was down, held, or nearly full.
    pub(crate) closed: Vec<Range<Millis>>,
    closed_from: Option<Millis>,
    /// Every submission that it was given: when, from whom, and the message's body.
    pub(crate) offered: Vec<Offer>,
    /// Every submission the SMSC took: the message's body (unique in a run), when, and its fate.
    pub(crate) taken: Vec<Taken>,
}

/// A submission, whatever became of it.
pub(crate) struct Offer {
    pub(crate) at_ms: Millis,
    pub(crate) from: String,
    pub(crate) body: String,
    pub(crate) to: PhoneNumber,
    pub(crate) segments: u16,
}

/// One message as the SMSC saw it.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) body: String,
    pub(crate) to: PhoneNumber,
    /// Numbers of its segments' ids.
    pub(crate) ids: Range<u64>,
    pub(crate) from: String,
    pub(crate) at_ms: Millis,
    pub(crate) segments: u16,
    pub(crate) deadline_ms: Millis,
    pub(crate) fate: Fate,
}

/// What the SMSC tells about a message it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    Undelivered,
    /// No receipt ever comes.
    Silent,
}

enum Planned {
    Answer {
        ticket: Ticket,
        outcome: Outcome,
    },
    /// The answer comes after we stopped waiting.
    LateAnswer {
        ticket: Ticket,
        outcome: Outcome,
    },
    Receipt(Receipt),
    Up,
}

impl Carrier {
    /// `is_told` is whether the operator has set how the carrier writes its ids.
    pub(crate) fn new(no: CarrierNo, is_told: bool) -> Self {
        let id_forms = if is_told {
            IdForms {
                response: IdForm::Hexadecimal,
                receipt: IdForm::Decimal,
            }
        } else {
            IdForms::default()
        };
        Self {
            no,
            id_forms,
            is_hostile: true,
            is_up: true,
            open: BTreeSet::new(),
            plan: BTreeMap::new(),
            planned: 0,
            next_id: 1,
            unacknowledged: BTreeMap::new(),
            next_token: 1,
            is_held: false,
            closed: Vec::new(),
            closed_from: None,
            offered: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// What a new process is told first.
    pub(crate) fn hello(&self) -> Event {
        self.capacity()
    }

    fn capacity(&self) -> Event {
        let (segments, links_bound) = if self.is_up { (CAPACITY, 1) } else { (0, 0) };
        let health = Health {
            links_configured: 1,
            links_bound,
            ..Health::default()
        };
        Event::Capacity { segments, health }
    }

    pub(crate) fn submit(
        &mut self,
        submission: &Submission,
        now_ms: Millis,
        rng: &mut StdRng,
        events: &mut Vec<Event>,
    ) {
        self.offered.push(Offer {
            at_ms: now_ms,
            from: submission.from.to_string(),
            body: submission.body.to_string(),
            to: submission.to,
            segments: submission.segments,
        });
        self.open.insert(submission.ticket);
        self.deal_with(submission, now_ms, rng, events);
        self.note_room(now_ms);
    }

    fn deal_with(
        &mut self,
        submission: &Submission,
        now_ms: Millis,
        rng: &mut StdRng,
        events: &mut Vec<Event>,
    ) {
        let ticket = submission.ticket;
        if !self.is_up {
            self.answer(ticket, Outcome::Returned, events);
            return;
        }
        let delay_ms = rng.random_range(1..300);
        let dice = if self.is_hostile {
            rng.random_range(0..100)
        } else {
            100
        };
        let refused = |class, code| {
            let refusal = Refusal {
                class,
                code,
                detail: "refused".into(),
                accepted: smallvec![],
            };
            Outcome::Refused(refusal)
        };
        match dice {
            0..4 => self.plan_answer(now_ms + delay_ms, ticket, Outcome::Throttled),
            4..6 => {
                let outcome = refused(RefusalClass::Fail, ErrorCode::HandsetUnknown);
                self.plan_answer(now_ms + delay_ms, ticket, outcome);
            }
            6..9 => {
                let outcome = refused(RefusalClass::RetrySame, ErrorCode::UnknownFailure);
                self.plan_answer(now_ms + delay_ms, ticket, outcome);
            }
            9..11 => {
                let outcome = refused(RefusalClass::RetryOther, ErrorCode::UnknownFailure);
                self.plan_answer(now_ms + delay_ms, ticket, outcome);
            }
            // It has something against us, not against the message.
            16 => {
                let outcome = refused(RefusalClass::Config, ErrorCode::UnknownFailure);
                self.plan_answer(now_ms + delay_ms, ticket, outcome);
            }
            // Lost on the way in: never taken, never answered.
            11..13 => {
                self.plan_answer(now_ms + RESPONSE_TIMEOUT_MS, ticket, Outcome::Unknown);
            }
            // Taken, and the answer is lost; or it comes when we have stopped waiting.
            13..16 => {
                let ids = self.take(submission, now_ms, delay_ms, rng);
                self.plan_answer(now_ms + RESPONSE_TIMEOUT_MS, ticket, Outcome::Unknown);
                if rng.random_bool(0.5) {
                    let outcome = Outcome::Accepted { ids: ids.into() };
                    // Before the message is submitted again, or after.
                    let late_ms = if rng.random_bool(0.5) { 5_000 } else { 90_000 };
                    let at_ms = now_ms + RESPONSE_TIMEOUT_MS + late_ms;
                    self.plan(at_ms, Planned::LateAnswer { ticket, outcome });
                }
            }
            _ => {
                let ids = self.take(submission, now_ms, delay_ms, rng);
                let outcome = Outcome::Accepted { ids: ids.into() };
                self.plan_answer(now_ms + delay_ms, ticket, outcome);
            }
        }
    }

    /// The SMSC takes a message: ids for its segments, receipts to come.
    fn take(
        &mut self,
        submission: &Submission,
        now_ms: Millis,
        answer_ms: Millis,
        rng: &mut StdRng,
    ) -> Vec<Box<str>> {
        let dice = if self.is_hostile {
            rng.random_range(0..100)
        } else {
            50
        };
        let fate = match dice {
            0..8 => Fate::Undelivered,
            8..14 => Fate::Silent,
            _ => Fate::Delivered,
        };
        let ids_from = self.next_id;
        self.taken.push(Taken {
            body: submission.body.to_string(),
            to: submission.to,
            ids: ids_from..ids_from + u64::from(submission.segments),
            from: submission.from.to_string(),
            at_ms: now_ms,
            segments: submission.segments,
            deadline_ms: submission.deadline_ms,
            fate,
        });
        let mut ids = Vec::new();
        for _ in 0..submission.segments {
            let number = self.next_id;
            self.next_id += 1;
            let id: Box<str> = if self.writes_decimals() {
                format!("{number:x}").into()
            } else {
                format!("00{number:x}-{}", self.no.0).to_uppercase().into()
            };
            ids.push(id.clone());
            if fate == Fate::Silent {
                continue;
            }
            let (carrier_id, keys) = if self.writes_decimals() {
                let decimal = number.to_string();
                let keys = candidates(&decimal, self.id_forms);
                (decimal.into(), keys)
            } else {
                let key = canonical(&id);
                (id, smallvec![key])
            };
            let receipt = Receipt {
                candidates: keys,
                carrier_id,
                state: match fate {
                    Fate::Delivered => ReceiptState::Delivered,
                    Fate::Undelivered | Fate::Silent => ReceiptState::Undelivered,
                },
                error: (fate == Fate::Undelivered).then_some(ErrorCode::HandsetUnreachable),
                done_date: Some("2601010000".into()),
                // A guess needs the handset.
                handset: (self.has_to_be_guessed() || rng.random_bool(0.9))
                    .then_some(submission.to),
                detail: "".into(),
                is_understood: true,
                raw: [].into(),
            };
            // Some receipts are faster than the answer to their submit.
            let is_early = self.is_hostile && rng.random_bool(0.2);
            let wait_ms = if is_early {
                answer_ms / 2
            } else {
                answer_ms + rng.random_range(1..8_000)
            };
            if self.is_hostile && rng.random_bool(0.1) {
                self.plan(now_ms + wait_ms + 500, Planned::Receipt(receipt.clone()));
            }
            self.plan(now_ms + wait_ms, Planned::Receipt(receipt));
        }
        ids
    }

    /// One carrier gives ids in hexadecimal and writes them in decimal in its receipts: where nobody
    /// told us, what a receipt says may be the id of another message.
    fn writes_decimals(&self) -> bool {
        self.no == CarrierNo(1)
    }

    fn has_to_be_guessed(&self) -> bool {
        self.writes_decimals() && self.id_forms == IdForms::default()
    }

    /// Messages that a receipt may be about as well as another to the same handset, by its id read in
    /// two ways. Nobody can tell them apart before the carrier's habit is known.
    pub(crate) fn twins(&self) -> BTreeSet<&str> {
        let mut twins = BTreeSet::new();
        if !self.has_to_be_guessed() {
            return twins;
        }
        for meant in &self.taken {
            let misread: Vec<u64> = meant
                .ids
                .clone()
                .filter_map(|number| u64::from_str_radix(&number.to_string(), 16).ok())
                .collect();
            for other in &self.taken {
                let is_misread = misread.iter().any(|number| other.ids.contains(number));
                if is_misread && other.to == meant.to && other.body != meant.body {
                    twins.extend([&*meant.body, &*other.body]);
                }
            }
        }
        twins
    }

    pub(crate) fn acknowledge(&mut self, token: AckToken) {
        self.unacknowledged.remove(&token.sequence);
    }

    /// It comes again later.
    pub(crate) fn decline(&mut self, token: AckToken, now_ms: Millis) {
        if let Some(receipt) = self.unacknowledged.remove(&token.sequence) {
            self.plan(now_ms + RESEND_MS, Planned::Receipt(receipt));
        }
    }

    /// The link breaks: what was in flight is unknown, and nothing is taken for as long.
    pub(crate) fn disconnect(&mut self, for_ms: Millis, now_ms: Millis, events: &mut Vec<Event>) {
        if !self.is_up {
            return;
        }
        self.is_up = false;
        for ticket in std::mem::take(&mut self.open) {
            events.push(Event::Outcome {
                ticket,
                outcome: Outcome::Unknown,
            });
        }
        self.plan
            .retain(|_, planned| !matches!(planned, Planned::Answer { .. }));
        events.push(self.capacity());
        self.plan(now_ms + for_ms, Planned::Up);
        self.note_room(now_ms);
    }

    /// Our process tries it again with its new settings.
    pub(crate) fn lift(&mut self, now_ms: Millis) {
        self.is_held = false;
        self.note_room(now_ms);
    }

    fn note_room(&mut self, now_ms: Millis) {
        let is_closed = !self.is_up || self.is_held || self.open.len() >= NEARLY_FULL;
        match self.closed_from {
            None if is_closed => self.closed_from = Some(now_ms),
            Some(from_ms) if !is_closed => {
                self.closed.push(from_ms..now_ms);
                self.closed_from = None;
            }
            _ => {}
        }
    }

    /// Whether it could be expected to take something all the time.
    pub(crate) fn had_room(&self, times: &Range<Millis>) -> bool {
        let mut closed = self.closed.iter();
        let is_apart =
            |closed: &Range<Millis>| closed.end < times.start || closed.start > times.end;
        closed.all(is_apart) && self.closed_from.is_none_or(|from_ms| from_ms > times.end)
    }

    /// Our process died: nobody waits for answers any more. The SMSC and its receipts live on.
    pub(crate) fn forget_client(&mut self, now_ms: Millis) {
        self.open.clear();
        self.lift(now_ms);
        self.plan.retain(|_, planned| {
            !matches!(planned, Planned::Answer { .. } | Planned::LateAnswer { .. })
        });
        for receipt in std::mem::take(&mut self.unacknowledged).into_values() {
            self.plan(now_ms + RESEND_MS, Planned::Receipt(receipt));
        }
    }

    /// It owes no answer to a submission.
    pub(crate) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// A receipt was not answered yet.
    pub(crate) fn awaits_us(&self) -> bool {
        !self.unacknowledged.is_empty()
    }

    pub(crate) fn next_event(&self) -> Option<Millis> {
        self.plan.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what was planned until now. `can_hear` is whether a process of ours is running.
    pub(crate) fn advance(&mut self, now_ms: Millis, can_hear: bool, events: &mut Vec<Event>) {
        while let Some(entry) = self.plan.first_entry()
            && entry.key().0 <= now_ms
        {
            match entry.remove() {
                Planned::Answer { ticket, outcome } => self.answer(ticket, outcome, events),
                Planned::LateAnswer { ticket, outcome } => {
                    if self.is_up && can_hear {
                        events.push(Event::LateOutcome { ticket, outcome });
                    }
                }
                Planned::Receipt(receipt) if self.is_up && can_hear => {
                    let sequence = self.next_token;
                    self.next_token += 1;
                    self.unacknowledged.insert(sequence, receipt.clone());
                    events.push(Event::Receipt {
                        receipt,
                        ack: AckToken {
                            session: 1,
                            sequence,
                        },
                    });
                }
                Planned::Receipt(receipt) => self.plan(now_ms + 1_000, Planned::Receipt(receipt)),
                Planned::Up => {
                    self.is_up = true;
                    events.push(self.capacity());
                }
            }
        }
        self.note_room(now_ms);
    }

    fn answer(&mut self, ticket: Ticket, outcome: Outcome, events: &mut Vec<Event>) {
        if self.open.remove(&ticket) {
            match &outcome {
                Outcome::Accepted { .. } => self.is_held = false,
                Outcome::Refused(refusal) => self.is_held = refusal.class == RefusalClass::Config,
                Outcome::Throttled | Outcome::Returned | Outcome::Unknown => {}
            }
            events.push(Event::Outcome { ticket, outcome });
        }
    }

    fn plan_answer(&mut self, at_ms: Millis, ticket: Ticket, outcome: Outcome) {
        self.plan(at_ms, Planned::Answer { ticket, outcome });
    }

    fn plan(&mut self, at_ms: Millis, planned: Planned) {
        self.planned += 1;
        self.plan.insert((at_ms, self.planned), planned);
    }
}
