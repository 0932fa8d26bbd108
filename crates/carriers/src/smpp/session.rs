//! One bind as a value: octets and instants go in, octets, events and the next deadline come out.
//!
//! There is no socket, clock or task in here, so tests and fuzzers can play the SMSC, and the same
//! seed gives the same run. The socket loop in [`client`](super::client) feeds it.
//!
//! The promise: a submission handed to [`Session::submit`] gets exactly one outcome, at the latest
//! when the session closes. Never written means `Returned`; written and unanswered, `Unknown`.
//! Ruled by SMPP v3.4 section 2 and `docs/carriers.md`, *Sessions*.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use tracing::{debug, info};

use self::alarms::Alarms;
use self::inbound_window::InboundWindow;
use self::message::{Messages, Next, Report, Segment};
use self::window::{Phase, Window};
use super::command_status::{Verdict, describe};
use super::config::Settings;
use super::encode::encode;
use super::pace::Pace;
use super::pdu::{Address, Bind, BindMode, CommandStatus, MessageResponse, Pdu};
use super::random::Random;
use crate::contract::{self, AckToken, Outcome, RefusalClass, Submission};

mod alarms;
mod inbound_window;
mod incoming;
mod message;
mod references;
mod submit;
#[cfg(test)]
mod tests;
mod window;

pub use self::alarms::{Alarm, Cause};
pub use self::references::References;

/// How long an answer may come late and still be put to use.
const LATE_MS: i64 = 600_000;
/// How long a peer that unbinds may still answer, and how long it may take to answer our unbind.
const UNBIND_MS: i64 = 5_000;
/// Submits without an answer in a row after which the bind is given up.
const MISSES_MAX: u32 = 3;
/// Enquiries without an answer in a row after which the bind is given up.
const ENQUIRIES_MAX: u32 = 2;
/// RMSGQFUL answers in a row for one destination after which it is that destination's trouble.
const QUEUE_FULL_MAX: u8 = 3;
/// Destinations for which such answers are counted at a time.
const QUEUE_FULL_DESTINATIONS_MAX: usize = 1_024;

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    pub settings: Arc<Settings>,
    pub mode: BindMode,
    /// Goes into every [`AckToken`] of this session.
    pub number: u32,
    /// Shared by all binds of the carrier.
    pub references: Arc<References>,
    pub seed: u64,
}

/// What a session has to say.
#[derive(Clone, Debug)]
pub enum Event {
    /// The SMSC took the bind. `version` is its `sc_interface_version`, when it gives one.
    Bound {
        system_id: Box<str>,
        version: Option<u8>,
    },
    /// For the engine.
    Carrier(contract::Event),
    /// For the operator.
    Alarm(Alarm),
    /// The session is over: write what output is left, then close the socket.
    Closed(CloseReason),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    BindRefused(CommandStatus),
    BindTimeout,
    /// Two enquiries went unanswered.
    PeerSilent,
    /// Three submits in a row went unanswered.
    ResponsesMissing,
    FramingLost {
        command_length: u32,
    },
    /// The peer could not make sense of what we sent.
    Nacked(CommandStatus),
    /// An answer said that the bind itself is broken.
    LinkFault(CommandStatus),
    PeerUnbound,
    /// We unbound.
    Unbound,
    /// It sent nothing although messages waited.
    Stuck,
    /// The connection broke.
    LinkLost,
}

/// Whether a session would take a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    Now,
    /// The pace allows it from this instant on.
    At(i64),
    /// The window is full; an answer will open it.
    WhenAnswered,
    /// Not bound, not a transmitter, or on the way out.
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Binding {
        deadline_ms: i64,
    },
    Bound,
    /// The peer has unbound; open answers may still come.
    PeerUnbinding {
        deadline_ms: i64,
    },
    /// We take no more work; open answers and acknowledgements may still come.
    Stopping {
        deadline_ms: i64,
    },
    Unbinding {
        deadline_ms: i64,
    },
    Closed,
}

#[derive(Debug)]
pub struct Session {
    setup: Setup,
    state: State,
    random: Random,
    /// The front of a frame whose rest has not come yet.
    input: Vec<u8>,
    /// Answers to the peer and housekeeping: they overtake submits.
    urgent: Vec<u8>,
    /// Submits ready to be written.
    output: Vec<u8>,
    last_sequence: u32,
    bind_sequence: u32,
    received_ms: i64,
    /// The deadline of the enquiry under way, and how many went unanswered before it.
    enquiry_ms: Option<i64>,
    enquiries_missed: u32,
    pace: Pace,
    window: Window,
    messages: Messages,
    /// The message whose segments are being written as slots open.
    current: Option<u32>,
    /// Messages that go out again in part or in another form, before any new one.
    held: VecDeque<u32>,
    /// Submits in a row that went unanswered.
    misses: u32,
    /// Submits since the bind, for the watchdog.
    submits: u64,
    /// Events whose acknowledgement is due.
    deliveries: InboundWindow,
    data_sm_open: FxHashSet<u32>,
    queue_full: FxHashMap<u64, u8>,
    alarms: Alarms,
    scratch: submit::Scratch,
}

impl Session {
    /// A session on a fresh connection. The bind request is its first output.
    pub fn new(setup: Setup, now_ms: i64) -> Self {
        let settings = &setup.settings;
        let mut session = Self {
            state: State::Binding {
                deadline_ms: now_ms + settings.bind_timeout_ms,
            },
            random: Random::new(setup.seed),
            input: Vec::new(),
            urgent: Vec::new(),
            output: Vec::new(),
            last_sequence: 0,
            bind_sequence: 0,
            received_ms: now_ms,
            enquiry_ms: None,
            enquiries_missed: 0,
            pace: Pace::new(settings.session_throughput, now_ms),
            window: Window::new(settings.window, settings.response_timeout_ms),
            messages: Messages::default(),
            current: None,
            held: VecDeque::new(),
            misses: 0,
            submits: 0,
            deliveries: InboundWindow::new(settings.inbound_window),
            data_sm_open: FxHashSet::default(),
            queue_full: FxHashMap::default(),
            alarms: Alarms::default(),
            scratch: submit::Scratch::default(),
            setup,
        };
        session.send_bind();
        session
    }

    /// Takes what the socket received, in pieces of any size.
    pub fn on_bytes(&mut self, bytes: &[u8], now_ms: i64, events: &mut Vec<Event>) {
        if self.input.is_empty() {
            let used = self.consume(bytes, now_ms, events);
            self.input.extend_from_slice(&bytes[used..]);
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(bytes);
            let used = self.consume(&input, now_ms, events);
            input.drain(..used);
            self.input = input;
        }
        self.go_on(now_ms, events);
    }

    /// Whether [`submit`](Self::submit) would take a message.
    pub fn readiness(&mut self, now_ms: i64) -> Readiness {
        if self.state != State::Bound || !self.setup.mode.can_transmit() {
            Readiness::Closed
        } else if self.current.is_some() || !self.held.is_empty() || self.window.is_full() {
            Readiness::WhenAnswered
        } else {
            self.pace
                .opens_at(now_ms)
                .map_or(Readiness::Now, Readiness::At)
        }
    }

    /// Takes a message. One that comes when the session is not ready is returned.
    pub fn submit(&mut self, submission: Submission, now_ms: i64, events: &mut Vec<Event>) {
        if self.readiness(now_ms) != Readiness::Now {
            let ticket = submission.ticket;
            events.push(outcome_event(ticket, Outcome::Returned));
            return;
        }
        let message = self.new_message(submission);
        self.pace.take(message.segment_count(), now_ms);
        let key = self.messages.insert(message);
        self.current = Some(key);
        self.write_current(now_ms, events);
    }

    /// Answers a receipt or an inbound message that is now durable.
    pub fn acknowledge(&mut self, token: AckToken) {
        self.answer_delivery(token, CommandStatus::OK);
    }

    /// Asks the SMSC to bring a receipt or an inbound message again. RX_T_APPN is what the standard
    /// has for that: an SMSC may take RTHROTTLED and RMSGQFUL, which are its own words to us, for a
    /// final refusal when they come from us.
    pub fn decline(&mut self, token: AckToken) {
        self.answer_delivery(token, CommandStatus::TEMPORARY_APPLICATION_ERROR);
    }

    /// Takes no more work, waits for open answers until `deadline_ms`, then unbinds.
    pub fn stop(&mut self, deadline_ms: i64, now_ms: i64, events: &mut Vec<Event>) {
        match self.state {
            State::Binding { .. } => self.close(CloseReason::Unbound, events),
            State::Bound => {
                self.state = State::Stopping { deadline_ms };
                self.go_on(now_ms, events);
            }
            State::PeerUnbinding { .. }
            | State::Stopping { .. }
            | State::Unbinding { .. }
            | State::Closed => {}
        }
    }

    /// Does what is due. To be called at or after [`next_deadline`](Self::next_deadline).
    pub fn poll(&mut self, now_ms: i64, events: &mut Vec<Event>) {
        if let State::Binding { deadline_ms } = self.state
            && now_ms >= deadline_ms
        {
            return self.close(CloseReason::BindTimeout, events);
        }
        self.expire_responses(now_ms, events);
        self.enquire(now_ms, events);
        while let Some(slot) = self.window.forget(now_ms) {
            self.messages.forget_late(slot.message);
        }
        self.go_on(now_ms, events);
    }

    /// When [`poll`](Self::poll) has something to do; `None` when the session is over.
    pub fn next_deadline(&mut self, now_ms: i64) -> Option<i64> {
        let by_state = match self.state {
            State::Closed => return None,
            State::Bound => None,
            State::Binding { deadline_ms }
            | State::PeerUnbinding { deadline_ms }
            | State::Stopping { deadline_ms }
            | State::Unbinding { deadline_ms } => Some(deadline_ms),
        };
        let enquiry_ms = (!matches!(self.state, State::Binding { .. } | State::Unbinding { .. }))
            .then(|| {
                self.enquiry_ms
                    .unwrap_or(self.received_ms + self.setup.settings.enquire_link_ms)
            });
        let resend_ms = (!self.held.is_empty() && self.current.is_none())
            .then(|| self.pace.opens_at(now_ms))
            .flatten();
        let thaw_ms = self.pace.thaws_at(now_ms);
        [
            by_state,
            enquiry_ms,
            resend_ms,
            thaw_ms,
            self.window.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Moves what is to be written behind what is in `out`. From now on it counts as written: the
    /// response timers start here, so that waiting in front of the socket never counts.
    pub fn take_output(&mut self, now_ms: i64, out: &mut Vec<u8>) {
        for buffer in [&mut self.urgent, &mut self.output] {
            if out.is_empty() {
                std::mem::swap(out, buffer);
            } else {
                out.append(buffer);
            }
        }
        self.window.written(now_ms);
    }

    /// Octets waiting to be written.
    pub fn output_length(&self) -> usize {
        self.urgent.len() + self.output.len()
    }

    /// The connection is gone.
    pub fn lost(&mut self, events: &mut Vec<Event>) {
        self.close(CloseReason::LinkLost, events);
    }

    /// It does not move any more.
    pub fn stuck(&mut self, events: &mut Vec<Event>) {
        self.close(CloseReason::Stuck, events);
    }

    /// Time in which nobody read the socket does not count against the peer.
    pub fn excuse(&mut self, paused_ms: i64) {
        self.received_ms += paused_ms;
        if let Some(deadline_ms) = &mut self.enquiry_ms {
            *deadline_ms += paused_ms;
        }
        self.window.excuse(paused_ms);
    }

    pub fn is_bound(&self) -> bool {
        matches!(
            self.state,
            State::Bound | State::Stopping { .. } | State::PeerUnbinding { .. }
        )
    }

    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether the carrier has told us to slow down and the pause is not over.
    pub fn is_throttled(&self, now_ms: i64) -> bool {
        self.pace.is_frozen(now_ms)
    }

    /// Whether new messages could go out, now or when an answer or a token comes.
    pub fn is_transmitting(&self) -> bool {
        self.state == State::Bound && self.setup.mode.can_transmit()
    }

    /// Submits it has written since the bind.
    pub fn submits(&self) -> u64 {
        self.submits
    }

    /// Whether it has taken a message that is not all written, and the pace does not hold it.
    pub fn has_unwritten(&mut self, now_ms: i64) -> bool {
        self.current.is_some() || (!self.held.is_empty() && self.pace.is_open(now_ms))
    }

    /// Until when its owner should not read, because so many deliveries wait for an answer.
    pub fn pauses_until(&self, now_ms: i64) -> Option<i64> {
        self.deliveries.pauses_until(now_ms)
    }

    /// Submits without an answer.
    pub fn in_flight(&self) -> u32 {
        self.window.open()
    }

    fn on_submit_response(
        &mut self,
        sequence: u32,
        status: CommandStatus,
        response: &MessageResponse<'_>,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) {
        if !status.is_ok() && self.setup.settings.statuses.ignores(status) {
            info!(sequence, status = %describe(status), "answer to no question of ours");
            return;
        }
        let Some(slot) = self.window.answer(sequence) else {
            debug!(sequence, "answer to no question");
            return;
        };
        if slot.phase == Phase::Late {
            info!(sequence, status = %describe(status), "late answer");
        } else {
            self.misses = 0;
        }
        let segment = if status.is_ok() {
            self.note_success(slot.message);
            Segment::Accepted(response.message_id.map(latin1).unwrap_or_default())
        } else {
            self.refused_segment(slot.message, slot.written_ms, status, now_ms, events)
        };
        let is_link_fault = segment == Segment::Unsent;
        let next = self.messages.answered(&slot, segment, &self.setup.settings);
        self.proceed(slot.message, next, events);
        if is_link_fault {
            self.close(CloseReason::LinkFault(status), events);
        }
    }

    /// What a refusal means for its segment, and for the pace. `Unsent` means that the carrier took
    /// nothing because the bind itself is broken.
    fn refused_segment(
        &mut self,
        key: u32,
        written_ms: i64,
        status: CommandStatus,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) -> Segment {
        let submission = self.messages.submission(key);
        let is_alpha = matches!(
            submission.from,
            postrider_core::sender::SenderAddress::Alpha(_)
        );
        let destination = submission.to.digits();
        let meaning = self.setup.settings.statuses.meaning(status, is_alpha);
        if let Some(fault) = meaning.fault {
            self.raise(Cause::Refusal { status, fault }, now_ms, events);
        }
        match meaning.verdict {
            Verdict::Throttle => {
                if status == CommandStatus::MESSAGE_QUEUE_FULL && self.is_queue_full_of(destination)
                {
                    let class = RefusalClass::RetrySame;
                    return Segment::refused(class, meaning.code, describe(status));
                }
                self.pace.throttled(written_ms, now_ms, &mut self.random);
                Segment::Throttled
            }
            Verdict::LinkFault => Segment::Unsent,
            // Sorted out before its slot was given up. If not, nothing is known either way.
            Verdict::Ignore => Segment::Unknown,
            Verdict::Resend(variant) => Segment::Resend {
                variant,
                code: meaning.code,
                detail: describe(status),
            },
            Verdict::Refuse(class) => Segment::refused(class, meaning.code, describe(status)),
        }
    }

    /// Tells the operator, if that was not done just now.
    fn raise(&mut self, cause: Cause, now_ms: i64, events: &mut Vec<Event>) {
        events.extend(self.alarms.raise(cause, now_ms).map(Event::Alarm));
    }

    /// Counts RMSGQFUL in a row for one destination; true when it is that destination's alone.
    fn is_queue_full_of(&mut self, destination: u64) -> bool {
        if self.queue_full.len() >= QUEUE_FULL_DESTINATIONS_MAX {
            self.queue_full.clear();
        }
        let count = self.queue_full.entry(destination).or_default();
        *count += 1;
        let is_its_own = *count >= QUEUE_FULL_MAX;
        if is_its_own {
            self.queue_full.remove(&destination);
        }
        is_its_own
    }

    fn note_success(&mut self, key: u32) {
        if !self.queue_full.is_empty() {
            let destination = self.messages.submission(key).to.digits();
            self.queue_full.remove(&destination);
        }
    }

    /// Acts on what the books say after an answer.
    fn proceed(&mut self, key: u32, next: Next, events: &mut Vec<Event>) {
        match next {
            Next::Wait => {}
            Next::Again => {
                if self.current == Some(key) {
                    self.current = None;
                }
                self.held.push_back(key);
            }
            Next::Report(report) => {
                if self.current == Some(key) {
                    self.current = None;
                }
                events.push(report_event(report));
            }
        }
    }

    fn expire_responses(&mut self, now_ms: i64, events: &mut Vec<Event>) {
        while let Some(slot) = self.window.expire(now_ms, now_ms + LATE_MS) {
            self.misses += 1;
            let next = self.messages.expired(&slot, &self.setup.settings);
            self.proceed(slot.message, next, events);
            if self.misses >= MISSES_MAX {
                return self.close(CloseReason::ResponsesMissing, events);
            }
        }
    }

    fn enquire(&mut self, now_ms: i64, events: &mut Vec<Event>) {
        if !self.is_bound() {
            return;
        }
        let due_ms = self
            .enquiry_ms
            .unwrap_or(self.received_ms + self.setup.settings.enquire_link_ms);
        if now_ms < due_ms {
            return;
        }
        if self.enquiry_ms.is_some() {
            self.enquiries_missed += 1;
            if self.enquiries_missed >= ENQUIRIES_MAX {
                return self.close(CloseReason::PeerSilent, events);
            }
        }
        let sequence = self.next_sequence();
        self.send_urgent(CommandStatus::OK, sequence, &Pdu::EnquireLink);
        self.enquiry_ms = Some(now_ms + self.setup.settings.enquire_link_timeout_ms);
    }

    /// Writes what can be written and moves a session that is on its way out.
    fn go_on(&mut self, now_ms: i64, events: &mut Vec<Event>) {
        self.write_current(now_ms, events);
        let is_idle = self.window.open() == 0 && self.current.is_none() && self.held.is_empty();
        match self.state {
            State::PeerUnbinding { deadline_ms } => {
                if self.window.open() == 0 || now_ms >= deadline_ms {
                    self.close(CloseReason::PeerUnbound, events);
                }
            }
            State::Stopping { deadline_ms } => {
                if (is_idle && self.deliveries.is_empty()) || now_ms >= deadline_ms {
                    self.recall_buffered();
                    let sequence = self.next_sequence();
                    self.send_urgent(CommandStatus::OK, sequence, &Pdu::Unbind);
                    self.state = State::Unbinding {
                        deadline_ms: now_ms + UNBIND_MS,
                    };
                }
            }
            State::Unbinding { deadline_ms } => {
                if now_ms >= deadline_ms {
                    self.close(CloseReason::Unbound, events);
                }
            }
            State::Binding { .. } | State::Bound | State::Closed => {}
        }
    }

    /// Takes back submits that were encoded and never left for the socket.
    fn recall_buffered(&mut self) {
        self.output.clear();
        for slot in self.window.recall() {
            self.messages.recalled(&slot);
        }
    }

    fn close(&mut self, reason: CloseReason, events: &mut Vec<Event>) {
        if self.state == State::Closed {
            return;
        }
        self.recall_buffered();
        self.state = State::Closed;
        self.current = None;
        self.held.clear();
        self.window.clear();
        for report in self.messages.close() {
            events.push(report_event(report));
        }
        events.push(Event::Closed(reason));
    }

    fn send_bind(&mut self) {
        let settings = self.setup.settings.clone();
        let bind = Bind {
            system_id: &settings.system_id,
            password: settings.password.0.as_bytes(),
            system_type: &settings.system_type,
            interface_version: settings.interface_version,
            addresses: Address {
                ton: settings.address_range_type.ton,
                npi: settings.address_range_type.npi,
                octets: &settings.address_range,
            },
        };
        self.bind_sequence = self.next_sequence();
        let pdu = Pdu::Bind(self.setup.mode, bind);
        self.send_urgent(CommandStatus::OK, self.bind_sequence, &pdu);
    }

    fn send_urgent(&mut self, status: CommandStatus, sequence: u32, pdu: &Pdu<'_>) {
        // Settings were measured when they were compiled and everything else is fixed.
        let written = encode(&mut self.urgent, status, sequence, pdu);
        debug_assert!(written.is_ok(), "{written:?}");
    }

    /// 1 to 0x7FFFFFFF, round and round, without the numbers that still wait for an answer.
    fn next_sequence(&mut self) -> u32 {
        loop {
            self.last_sequence = match self.last_sequence {
                0x7FFF_FFFF.. => 1,
                last => last + 1,
            };
            if !self.window.contains(self.last_sequence) {
                return self.last_sequence;
            }
        }
    }
}

fn report_event(report: Report) -> Event {
    let Report {
        ticket,
        outcome,
        is_late,
    } = report;
    if is_late {
        Event::Carrier(contract::Event::LateOutcome { ticket, outcome })
    } else {
        outcome_event(ticket, outcome)
    }
}

fn outcome_event(ticket: contract::Ticket, outcome: Outcome) -> Event {
    Event::Carrier(contract::Event::Outcome { ticket, outcome })
}

fn latin1(octets: &[u8]) -> Box<str> {
    match std::str::from_utf8(octets) {
        Ok(ascii) if ascii.is_ascii() => ascii.into(),
        _ => octets
            .iter()
            .copied()
            .map(char::from)
            .collect::<String>()
            .into(),
    }
}
