//! The socket loop around a session: connect, read, write, sleep, connect again.
//!
//! All decisions are the session's. What is decided here: when events find no room in the engine's
//! channel, nothing is read until they do; a peer that does not read is given up after the write
//! timeout. Time in which we do not read is not held against the peer.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use postrider_core::clock::Clock;
use rustls::pki_types::ServerName;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf,
};
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tracing::{error, info, warn};

use super::carrier::{Answer, Pull, Shared, Standing};
use super::command_status::{Fault, describe};
use super::config::{Config, ConfigError};
use super::connect::connect;
use super::pdu::BindMode;
use super::reconnect::Reconnect;
use super::session::{self, Alarm, Cause, CloseReason, Readiness, Session, Setup};
use super::tls::Tls;
use super::watchdog::{Duty, Watchdog};
use crate::contract::{CarrierNo, Event, EventBatch, EventSender, Outcome};

/// Octets read at a time: some hundreds of answers.
const READ_LENGTH: usize = 64 * 1024;
/// Events in a batch: few enough that other carriers' batches soon have their turn.
const BATCH_MAX: usize = 256;
/// Unwritten octets at which reading stops: the peer is to read our answers before it asks more.
const OUTPUT_MAX: usize = 1024 * 1024;
/// How long the last words of a closed session may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// TCP keepalive, for what lies between us and the SMSC; `enquire_link` watches the SMSC itself.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// The longest sleep, so that a clock that was set back costs little.
const SLEEP_MAX_MS: i64 = 60_000;

/// One address of the SMSC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    host: Box<str>,
    port: u16,
}

impl Endpoint {
    /// The host and its alternates.
    pub(super) fn all(config: &Config) -> Result<Vec<Self>, ConfigError> {
        let first = Self {
            host: config.host.as_str().into(),
            port: config.port,
        };
        let mut endpoints = vec![first];
        for alternate in &config.alternates {
            endpoints.push(Self::parse(alternate)?);
        }
        Ok(endpoints)
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        text.rsplit_once(':')
            .and_then(|(host, port)| {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                Some(Self {
                    host: host.into(),
                    port: port.parse().ok()?,
                })
            })
            .filter(|endpoint| !endpoint.host.is_empty())
            .ok_or_else(|| ConfigError::Malformed {
                key: "alternates",
                given: text.to_owned(),
                expected: "host:port",
            })
    }
}

/// One bind of a carrier, kept up until the carrier stops. Owned by its task.
pub(super) struct Link {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) mode: BindMode,
    pub(super) events: EventSender,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) source_address: Option<IpAddr>,
    pub(super) tls: Option<Tls>,
    pub(super) connect_timeout: Duration,
    pub(super) write_timeout_ms: i64,
    pub(super) seed: u64,
}

/// How a conversation ended.
struct Ended {
    reason: CloseReason,
    bound_ms: Option<i64>,
}

impl Link {
    pub(super) async fn run(self) {
        let mut time = Time {
            clock: self.shared.clock.clone(),
            last_ms: i64::MIN,
            added_ms: 0,
        };
        let mut reconnect = Reconnect::new(self.seed);
        let mut stop = self.shared.stop.subscribe();
        let mut generation = 0_u32;
        let mut endpoints = self.endpoints.iter().cycle();
        let mut endpoint = endpoints.next();
        while let Some(at) = endpoint {
            if stop.borrow().is_some() || self.events.is_closed() {
                break;
            }
            let connected = tokio::select! {
                connected = timeout(self.connect_timeout, self.connect(at)) => connected,
                _ = stop.changed() => break,
            };
            let ended = match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => {
                    generation = generation.wrapping_add(1);
                    let ended = Conversation::new(&self, stream, generation, &mut time)
                        .run()
                        .await;
                    info!(
                        carrier = %self.shared.name, link = self.index, host = %at.host,
                        reason = ?ended.reason, "session ended"
                    );
                    Some(ended)
                }
                Err(error) => {
                    warn!(
                        carrier = %self.shared.name, link = self.index, host = %at.host,
                        port = at.port, %error, "cannot connect"
                    );
                    None
                }
            };
            let (reason, bound_ms) = ended.map_or((None, None), |e| (Some(e.reason), e.bound_ms));
            if bound_ms.is_none() {
                endpoint = endpoints.next();
            }
            let wait_ms = reconnect.wait_ms(reason, bound_ms);
            self.report_down(&reconnect);
            tokio::select! {
                () = sleep(milliseconds(wait_ms)) => {}
                _ = stop.changed() => break,
            }
        }
        self.shared.set_standing(self.index, &Standing::default());
    }

    fn report_down(&self, reconnect: &Reconnect) {
        let config_fault = reconnect
            .has_login_fault()
            .then(|| "the SMSC refuses our system_id or password".into());
        if let Some(fault) = &config_fault {
            warn!(carrier = %self.shared.name, link = self.index, "{fault}; next try in 5 min");
        }
        let standing = Standing {
            config_fault,
            ..Standing::default()
        };
        self.shared.set_standing(self.index, &standing);
    }

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Box<dyn Stream>> {
        let addresses = lookup_host((&*endpoint.host, endpoint.port)).await?;
        let stream = connect(addresses, self.source_address, self.connect_timeout).await?;
        stream.set_nodelay(true)?;
        let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = tls
            .server_name
            .as_deref()
            .unwrap_or(&endpoint.host)
            .to_owned();
        let name = ServerName::try_from(name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(tls.client.clone());
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}

/// A TCP or TLS connection.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Time that never steps back: when the clock does, the step is added from then on.
struct Time {
    clock: Arc<dyn Clock>,
    last_ms: i64,
    added_ms: i64,
}

impl Time {
    fn now_ms(&mut self) -> i64 {
        let now_ms = self.clock.now_ms() + self.added_ms;
        if now_ms < self.last_ms {
            self.added_ms += self.last_ms - now_ms;
        } else {
            self.last_ms = now_ms;
        }
        self.last_ms
    }
}

/// One connection from the bind to its end.
struct Conversation<'a> {
    link: &'a Link,
    time: &'a mut Time,
    session: Session,
    reader: ReadHalf<Box<dyn Stream>>,
    writer: WriteHalf<Box<dyn Stream>>,
    input: Box<[u8]>,
    /// Octets the session has given out; those before `written` are with the system.
    output: Vec<u8>,
    written: usize,
    /// When the oldest unwritten octet was given out, or the last progress since.
    write_since_ms: Option<i64>,
    session_events: Vec<session::Event>,
    /// Events for the engine that its channel has not taken yet.
    batch: Vec<Event>,
    /// Since when nothing has been read, for lack of room in the channel or for a pause of the session.
    unread_since_ms: Option<i64>,
    bound_at_ms: Option<i64>,
    watchdog: Watchdog,
    closed: Option<CloseReason>,
}

/// What the wait of a conversation ended with.
enum Woken {
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    ChannelHasRoom(bool),
    Stop,
    Other,
}

impl<'a> Conversation<'a> {
    fn new(link: &'a Link, stream: Box<dyn Stream>, generation: u32, time: &'a mut Time) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let setup = Setup {
            settings: link.shared.settings.clone(),
            mode: link.mode,
            number: Shared::session_number(link.index, generation),
            references: link.shared.references.clone(),
            seed: link.seed ^ u64::from(generation),
        };
        let response_timeout_ms = link.shared.settings.response_timeout_ms;
        let longest_wait_ms = response_timeout_ms.max(link.write_timeout_ms);
        Self {
            link,
            session: Session::new(setup, time.now_ms()),
            time,
            reader,
            writer,
            input: vec![0; READ_LENGTH].into(),
            output: Vec::new(),
            written: 0,
            write_since_ms: None,
            session_events: Vec::new(),
            batch: Vec::new(),
            unread_since_ms: None,
            bound_at_ms: None,
            watchdog: Watchdog::new(longest_wait_ms),
            closed: None,
        }
    }

    async fn run(mut self) -> Ended {
        let mut stop = self.link.shared.stop.subscribe();
        let mut is_stopping = false;
        loop {
            let now_ms = self.time.now_ms();
            if !is_stopping && let Some(grace_ms) = *stop.borrow_and_update() {
                is_stopping = true;
                let deadline_ms = now_ms.saturating_add(grace_ms);
                self.session
                    .stop(deadline_ms, now_ms, &mut self.session_events);
            }
            let wake_ms = self.advance(now_ms);
            if let Some(reason) = self.closed {
                return self.farewell(reason).await;
            }
            let is_reading =
                self.unread_since_ms.is_none() && self.session.output_length() < OUTPUT_MAX;
            let nap = milliseconds((wake_ms - now_ms).clamp(1, SLEEP_MAX_MS));
            let woken = tokio::select! {
                read = self.reader.read(&mut self.input), if is_reading => Woken::Read(read),
                written = write_some(&mut self.writer, &self.output[self.written..]),
                    if !self.output.is_empty() => Woken::Written(written),
                permit = self.link.events.reserve(), if !self.batch.is_empty() => {
                    Woken::ChannelHasRoom(permit.is_ok())
                }
                () = self.link.shared.woken(self.link.index) => Woken::Other,
                _ = stop.changed(), if !is_stopping => Woken::Stop,
                () = sleep(nap) => Woken::Other,
            };
            self.on_woken(&woken);
        }
    }

    /// Everything that can be done without waiting. Returns when to be back at the latest.
    fn advance(&mut self, now_ms: i64) -> i64 {
        for (token, answer) in self.link.shared.take_answers(self.link.index) {
            match answer {
                Answer::Durable => self.session.acknowledge(token),
                Answer::Later => self.session.decline(token),
            }
        }
        self.excuse(now_ms);
        // While nothing is read, the answers that timers wait for may lie in the socket.
        if self.unread_since_ms.is_none() {
            self.session.poll(now_ms, &mut self.session_events);
        }
        let pull_ms = self.pull(now_ms);
        if self.output.is_empty() {
            self.session.take_output(now_ms, &mut self.output);
            self.write_since_ms = (!self.output.is_empty()).then_some(now_ms);
        }
        self.sort_events(now_ms);
        let write_ms = self
            .write_since_ms
            .map(|since_ms| since_ms + self.link.write_timeout_ms);
        if write_ms.is_some_and(|write_ms| now_ms >= write_ms) {
            warn!(carrier = %self.link.shared.name, "the SMSC has stopped reading");
            self.session.lost(&mut self.session_events);
            self.sort_events(now_ms);
        }
        self.pass_on(now_ms);
        self.watch(pull_ms, now_ms);
        self.link
            .shared
            .set_standing(self.link.index, &self.standing(now_ms));
        let watch_ms = self.watchdog.next_deadline();
        let pause_ms = self.session.pauses_until(now_ms);
        [
            self.session.next_deadline(now_ms),
            pull_ms,
            write_ms,
            watch_ms,
            pause_ms,
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(i64::MAX)
    }

    /// Gives the session up when it does not move any more. `pull_ms` says when the pace allows more.
    fn watch(&mut self, pull_ms: Option<i64>, now_ms: i64) {
        let is_held_back = pull_ms.is_some()
            || !self.session.is_transmitting()
            || self.session.is_throttled(now_ms)
            || self.unread_since_ms.is_some();
        let has_work = self.link.shared.has_ready() || self.session.has_unwritten(now_ms);
        let duty = if has_work && !is_held_back {
            Duty::Submit
        } else {
            Duty::None
        };
        let submits = self.session.submits();
        if self.watchdog.is_stuck(duty, submits, now_ms) {
            warn!(
                carrier = %self.link.shared.name, link = self.link.index,
                unanswered = self.session.in_flight(),
                "bound, but nothing is sent although messages wait: this is a bug, please report \
                 it; binding again"
            );
            self.link.shared.count_stuck();
            self.session.stuck(&mut self.session_events);
            self.sort_events(now_ms);
        }
    }

    /// Fills the window from the shared queue. Returns when the pace allows more.
    fn pull(&mut self, now_ms: i64) -> Option<i64> {
        loop {
            match self.session.readiness(now_ms) {
                Readiness::Now => {}
                Readiness::At(at_ms) => return Some(at_ms),
                Readiness::WhenAnswered | Readiness::Closed => return None,
            }
            match self.link.shared.pull(now_ms) {
                Pull::Empty => return None,
                Pull::At(at_ms) => return Some(at_ms),
                Pull::Message(submission) if submission.deadline_ms <= now_ms => {
                    // Too old by now: the engine knows what to call that.
                    self.link.shared.give_back(submission.segments);
                    let outcome = Outcome::Returned;
                    self.batch.push(Event::Outcome {
                        ticket: submission.ticket,
                        outcome,
                    });
                }
                Pull::Message(submission) => {
                    self.session
                        .submit(*submission, now_ms, &mut self.session_events);
                }
            }
        }
    }

    fn sort_events(&mut self, now_ms: i64) {
        for event in self.session_events.drain(..) {
            match event {
                session::Event::Carrier(event) => self.batch.push(event),
                session::Event::Alarm(alarm) => {
                    say(&self.link.shared.name, self.link.index, &alarm);
                }
                session::Event::Bound { system_id, version } => {
                    self.bound_at_ms = Some(now_ms);
                    info!(
                        carrier = %self.link.shared.name, link = self.link.index, %system_id,
                        ?version, mode = ?self.link.mode, "bound"
                    );
                }
                session::Event::Closed(reason) => self.closed = Some(reason),
            }
        }
    }

    /// Passes the events on as far as the channel has room.
    fn pass_on(&mut self, now_ms: i64) {
        while !self.batch.is_empty()
            && let Ok(permit) = self.link.events.try_reserve()
        {
            permit.send(next_batch(self.link.shared.number, &mut self.batch));
        }
        if !self.batch.is_empty() || self.session.pauses_until(now_ms).is_some() {
            self.unread_since_ms.get_or_insert(now_ms);
        } else {
            self.excuse(now_ms);
        }
    }

    /// Ends the time in which nothing was read, if nothing stands in the way any more.
    fn excuse(&mut self, now_ms: i64) {
        if self.batch.is_empty()
            && self.session.pauses_until(now_ms).is_none()
            && let Some(since_ms) = self.unread_since_ms.take()
        {
            self.session.excuse(now_ms - since_ms);
        }
    }

    fn on_woken(&mut self, woken: &Woken) {
        let now_ms = self.time.now_ms();
        match woken {
            Woken::Read(Ok(length)) if *length > 0 => {
                self.session
                    .on_bytes(&self.input[..*length], now_ms, &mut self.session_events);
            }
            Woken::Written(Ok(0)) => {
                self.output.clear();
                self.written = 0;
                self.write_since_ms = None;
            }
            Woken::Written(Ok(length)) => {
                self.written += length;
                self.write_since_ms = Some(now_ms);
            }
            Woken::Read(_) | Woken::Written(Err(_)) => self.session.lost(&mut self.session_events),
            // Without an engine there is nobody to tell.
            Woken::ChannelHasRoom(false) => {
                self.batch.clear();
                self.session.lost(&mut self.session_events);
            }
            Woken::ChannelHasRoom(true) | Woken::Stop | Woken::Other => {}
        }
    }

    fn standing(&self, now_ms: i64) -> Standing {
        Standing {
            is_bound: self.session.is_bound(),
            is_transmitting: self.session.is_transmitting(),
            is_throttled: self.session.is_throttled(now_ms),
            config_fault: None,
        }
    }

    /// Gives the engine what it is owed and the peer what it is told last.
    async fn farewell(mut self, reason: CloseReason) -> Ended {
        self.link
            .shared
            .set_standing(self.link.index, &Standing::default());
        while !self.batch.is_empty() {
            let batch = next_batch(self.link.shared.number, &mut self.batch);
            // Fails when the engine is gone.
            let _ = self.link.events.send(batch).await;
        }
        if reason != CloseReason::LinkLost {
            let now_ms = self.time.now_ms();
            self.session.take_output(now_ms, &mut self.output);
            let rest = &self.output[self.written..];
            let writer = &mut self.writer;
            // Best effort: the peer may be gone.
            let _ = timeout(FAREWELL, async {
                writer.write_all(rest).await?;
                writer.shutdown().await
            })
            .await;
        }
        let now_ms = self.time.now_ms();
        Ended {
            reason,
            bound_ms: self.bound_at_ms.map(|bound_at_ms| now_ms - bound_at_ms),
        }
    }
}

/// Takes the front of `events`.
fn next_batch(carrier: CarrierNo, events: &mut Vec<Event>) -> EventBatch {
    let rest = events.split_off(events.len().min(BATCH_MAX));
    let events = std::mem::replace(events, rest);
    EventBatch { carrier, events }
}

fn say(carrier: &str, link: usize, alarm: &Alarm) {
    let unsaid = alarm.unsaid;
    match &alarm.cause {
        Cause::Refusal { status, fault } => {
            let status = describe(*status);
            match fault {
                Fault::Bug => error!(
                    carrier, link, %status, unsaid,
                    "the SMSC cannot read our submits: this is a bug, please report it"
                ),
                Fault::Configuration => warn!(
                    carrier, link, %status, unsaid,
                    "the SMSC refuses our submits for a setting of this carrier"
                ),
            }
        }
        Cause::ReceiptWithoutId { detail } => warn!(
            carrier, link, %detail, unsaid,
            "a receipt names no message id, so it changes no status"
        ),
        Cause::TooManyDeliveries => warn!(
            carrier,
            link,
            unsaid,
            "the SMSC brings more than we can answer for: what is beyond inbound_window is declined, \
             to be brought again"
        ),
    }
}

/// Writes some octets, or, when none are left, flushes and returns 0. Nothing is lost when it is
/// dropped half-way.
async fn write_some(writer: &mut WriteHalf<Box<dyn Stream>>, octets: &[u8]) -> io::Result<usize> {
    if octets.is_empty() {
        writer.flush().await?;
        return Ok(0);
    }
    match writer.write(octets).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        length => Ok(length),
    }
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
