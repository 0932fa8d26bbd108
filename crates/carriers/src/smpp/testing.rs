//! An SMSC for tests: the other side of a session, as a value, on the same codec.
//!
//! [`Smsc`] plays one connection without a socket; [`listen`] puts it behind a port on loopback.
//! What it does with a submit is up to a function, so a test scripts refusals, silence, throttling
//! and disconnects in a line or two.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use postrider_core::clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::decode::{Cut, Frame, cut, decode};
use super::encode::encode;
use super::pdu::{
    Address, BindResponse, CommandId, CommandStatus, MessageResponse, Pdu, ShortMessage, esm_class,
};
use super::tlv::{self, Tlvs};

/// A submit as the SMSC saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Which of all submits of this listener or value it was, from 0.
    pub number: usize,
    pub source: Vec<u8>,
    pub destination: Vec<u8>,
    pub esm_class: u8,
    pub data_coding: u8,
    pub registered_delivery: u8,
    pub validity_period: Vec<u8>,
    pub short_message: Vec<u8>,
    pub tlvs: Vec<u8>,
    pub at_ms: i64,
}

/// What to do with a submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    Accept,
    Refuse(CommandStatus),
    /// Say nothing, ever.
    Silence,
    /// Take it, and answer so late.
    AcceptAfter {
        ms: i64,
    },
    /// Answer with a `generic_nack` of this status.
    Nack(CommandStatus),
    /// Close the connection without a word.
    Disconnect,
}

/// When and how receipts come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptPlan {
    pub timing: Timing,
    pub dialect: Dialect,
    pub stat: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Before the answer to the submit.
    BeforeResponse,
    After {
        ms: i64,
    },
}

/// How a receipt is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As the specification suggests, with the id as in the response.
    Text,
    /// No text; id and state in TLVs.
    Tlvs,
    /// Response in hexadecimal, receipt in decimal.
    DecimalReceipt,
    /// Response in decimal, receipt in lower-case hexadecimal.
    HexadecimalReceipt,
    /// Response with leading zeros in lower case, receipt without and in upper case.
    StrippedReceipt,
    /// Text in the `message_payload` TLV of a `data_sm`.
    DataSm,
}

type React = dyn Fn(&Submitted) -> Reaction + Send + Sync;

/// The character of an SMSC.
#[derive(Clone)]
pub struct Behavior {
    pub bind_status: CommandStatus,
    pub react: Arc<React>,
    pub receipts: Option<ReceiptPlan>,
    pub answers_enquiries: bool,
    pub answers_unbind: bool,
}

impl Default for Behavior {
    /// Takes everything at once and sends no receipts.
    fn default() -> Self {
        Self {
            bind_status: CommandStatus::OK,
            react: Arc::new(|_| Reaction::Accept),
            receipts: None,
            answers_enquiries: true,
            answers_unbind: true,
        }
    }
}

/// What an SMSC has seen, over all its connections.
#[derive(Debug, Default)]
pub struct Record {
    pub binds: usize,
    pub submits: Vec<Submitted>,
    /// Sequence number and status of each answer to a delivery.
    pub delivery_answers: Vec<(u32, CommandStatus)>,
    pub enquiries: usize,
    pub unbinds: usize,
    /// Keep count only, for load.
    pub is_count_only: bool,
    pub submit_count: usize,
}

/// One connection of an SMSC.
pub struct Smsc {
    behavior: Behavior,
    record: Arc<Mutex<Record>>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Octets that are due later.
    pending: Vec<(i64, Vec<u8>)>,
    sequence: u32,
    is_closed: bool,
}

impl Smsc {
    pub fn new(behavior: Behavior, record: Arc<Mutex<Record>>) -> Self {
        Self {
            behavior,
            record,
            input: Vec::new(),
            output: Vec::new(),
            pending: Vec::new(),
            sequence: 0,
            is_closed: false,
        }
    }

    /// Takes octets from the client.
    pub fn on_bytes(&mut self, bytes: &[u8], now_ms: i64) {
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut used = 0;
        while !self.is_closed {
            match cut(&input[used..]) {
                Cut::Frame { frame, length } => {
                    used += length;
                    self.on_frame(&frame, now_ms);
                }
                Cut::Incomplete => break,
                Cut::FramingLost { .. } => self.is_closed = true,
            }
        }
        input.drain(..used);
        self.input = input;
        self.poll(now_ms);
    }

    /// Releases what is due.
    pub fn poll(&mut self, now_ms: i64) {
        let mut at = 0;
        while at < self.pending.len() {
            if self.pending[at].0 <= now_ms {
                let (_, octets) = self.pending.remove(at);
                self.output.extend_from_slice(&octets);
            } else {
                at += 1;
            }
        }
    }

    pub fn next_deadline(&self) -> Option<i64> {
        self.pending.iter().map(|(due_ms, _)| *due_ms).min()
    }

    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.output);
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Sends any PDU to the client; returns its sequence number.
    pub fn send(&mut self, pdu: &Pdu<'_>) -> u32 {
        self.sequence += 1;
        put(&mut self.output, CommandStatus::OK, self.sequence, pdu);
        self.sequence
    }

    /// Sends octets as they are.
    pub fn send_raw(&mut self, octets: &[u8]) {
        self.output.extend_from_slice(octets);
    }

    fn on_frame(&mut self, frame: &Frame<'_>, now_ms: i64) {
        let sequence = frame.header.sequence;
        match decode(frame).pdu {
            Pdu::Bind(mode, bind) => {
                self.record().binds += 1;
                let status = self.behavior.bind_status;
                let system_id = &bind.system_id[..bind.system_id.len().min(15)];
                let response = BindResponse {
                    system_id,
                    ..BindResponse::default()
                };
                put(
                    &mut self.output,
                    status,
                    sequence,
                    &Pdu::BindResponse(mode, response),
                );
                self.is_closed = !status.is_ok();
            }
            Pdu::SubmitSm(message) => self.on_submit(&message, sequence, now_ms),
            Pdu::EnquireLink => {
                self.record().enquiries += 1;
                if self.behavior.answers_enquiries {
                    put(
                        &mut self.output,
                        CommandStatus::OK,
                        sequence,
                        &Pdu::EnquireLinkResponse,
                    );
                }
            }
            Pdu::Unbind => {
                self.record().unbinds += 1;
                if self.behavior.answers_unbind {
                    put(
                        &mut self.output,
                        CommandStatus::OK,
                        sequence,
                        &Pdu::UnbindResponse,
                    );
                }
            }
            Pdu::UnbindResponse => self.is_closed = true,
            Pdu::DeliverSmResponse(_) | Pdu::DataSmResponse(_) => {
                self.record()
                    .delivery_answers
                    .push((sequence, frame.header.status));
            }
            Pdu::BindResponse(..)
            | Pdu::Outbind(_)
            | Pdu::EnquireLinkResponse
            | Pdu::GenericNack
            | Pdu::SubmitSmResponse(_)
            | Pdu::DeliverSm(_)
            | Pdu::DataSm(_)
            | Pdu::AlertNotification(_)
            | Pdu::Other(_) => {}
        }
    }

    fn on_submit(&mut self, message: &ShortMessage<'_>, sequence: u32, now_ms: i64) {
        let submitted = Submitted {
            number: self.record().submit_count,
            source: message.source.octets.to_vec(),
            destination: message.destination.octets.to_vec(),
            esm_class: message.esm_class,
            data_coding: message.data_coding,
            registered_delivery: message.registered_delivery,
            validity_period: message.validity_period.to_vec(),
            short_message: message.short_message.to_vec(),
            tlvs: message.tlvs.0.to_vec(),
            at_ms: now_ms,
        };
        let reaction = (self.behavior.react)(&submitted);
        let number = submitted.number;
        {
            let mut record = self.record();
            record.submit_count += 1;
            if !record.is_count_only {
                record.submits.push(submitted);
            }
        }
        match reaction {
            Reaction::Accept => self.accept(message, sequence, number, now_ms, now_ms),
            Reaction::AcceptAfter { ms } => {
                self.accept(message, sequence, number, now_ms, now_ms + ms);
            }
            Reaction::Refuse(status) => {
                let response = Pdu::SubmitSmResponse(MessageResponse::default());
                put(&mut self.output, status, sequence, &response);
            }
            Reaction::Nack(status) => put(&mut self.output, status, sequence, &Pdu::GenericNack),
            Reaction::Silence => {}
            Reaction::Disconnect => self.is_closed = true,
        }
    }

    fn accept(
        &mut self,
        message: &ShortMessage<'_>,
        sequence: u32,
        number: usize,
        now_ms: i64,
        at_ms: i64,
    ) {
        // Ids that look alike in both bases would hide a missing conversion.
        let id = 0xAB00_0000_u64 + u64::try_from(number).unwrap_or(0);
        let dialect = self
            .behavior
            .receipts
            .map_or(Dialect::Text, |plan| plan.dialect);
        let (response_id, receipt_id) = match dialect {
            Dialect::Text | Dialect::Tlvs | Dialect::DataSm => {
                (format!("{id:x}-a"), format!("{id:x}-a"))
            }
            Dialect::DecimalReceipt => (format!("{id:X}"), id.to_string()),
            Dialect::HexadecimalReceipt => (id.to_string(), format!("{id:x}")),
            Dialect::StrippedReceipt => (format!("00{id:x}"), format!("{id:X}")),
        };
        let mut response = Vec::new();
        let body = MessageResponse {
            message_id: Some(response_id.as_bytes()),
            tlvs: Tlvs::default(),
        };
        put(
            &mut response,
            CommandStatus::OK,
            sequence,
            &Pdu::SubmitSmResponse(body),
        );
        let wants_receipt = message.registered_delivery & 1 != 0;
        match self.behavior.receipts.filter(|_| wants_receipt) {
            Some(plan) if plan.timing == Timing::BeforeResponse => {
                let receipt = self.receipt(message, &receipt_id, plan);
                self.schedule(now_ms, at_ms, receipt);
                self.schedule(now_ms, at_ms, response);
            }
            Some(ReceiptPlan {
                timing: Timing::After { ms },
                ..
            }) => {
                let plan = self.behavior.receipts;
                self.schedule(now_ms, at_ms, response);
                if let Some(plan) = plan {
                    let receipt = self.receipt(message, &receipt_id, plan);
                    self.schedule(now_ms, at_ms + ms, receipt);
                }
            }
            _ => self.schedule(now_ms, at_ms, response),
        }
    }

    fn schedule(&mut self, now_ms: i64, at_ms: i64, octets: Vec<u8>) {
        if at_ms <= now_ms {
            self.output.extend_from_slice(&octets);
        } else {
            self.pending.push((at_ms, octets));
        }
    }

    fn receipt(&mut self, message: &ShortMessage<'_>, id: &str, plan: ReceiptPlan) -> Vec<u8> {
        self.sequence += 1;
        let text = format!(
            "id:{id} sub:001 dlvrd:001 submit date:2611240000 done date:2611240001 stat:{} err:000 \
             text:",
            plan.stat
        );
        let mut tlvs = Vec::new();
        let mut push = |tag, value: &[u8]| {
            tlv::push(&mut tlvs, tag, value).expect("short values fit");
        };
        let mut receipt = ShortMessage {
            source: Address {
                ton: 1,
                npi: 1,
                octets: message.destination.octets,
            },
            destination: message.source,
            esm_class: esm_class::RECEIPT,
            ..ShortMessage::default()
        };
        let pdu = match plan.dialect {
            Dialect::Tlvs => {
                push(tlv::RECEIPTED_MESSAGE_ID, format!("{id}\0").as_bytes());
                push(
                    tlv::MESSAGE_STATE,
                    &[if plan.stat == "DELIVRD" { 2 } else { 5 }],
                );
                receipt.tlvs = Tlvs(&tlvs);
                Pdu::DeliverSm(receipt)
            }
            Dialect::DataSm => {
                push(tlv::MESSAGE_PAYLOAD, text.as_bytes());
                receipt.tlvs = Tlvs(&tlvs);
                Pdu::DataSm(receipt)
            }
            Dialect::Text
            | Dialect::DecimalReceipt
            | Dialect::HexadecimalReceipt
            | Dialect::StrippedReceipt => {
                receipt.short_message = text.as_bytes();
                Pdu::DeliverSm(receipt)
            }
        };
        let mut octets = Vec::new();
        put(&mut octets, CommandStatus::OK, self.sequence, &pdu);
        octets
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(out: &mut Vec<u8>, status: CommandStatus, sequence: u32, pdu: &Pdu<'_>) {
    let refused_without_body = !status.is_ok() && pdu.command_id() != CommandId::DELIVER_SM_RESP;
    let written = encode(out, status, sequence, pdu);
    debug_assert!(written.is_ok() || refused_without_body, "{written:?}");
}

/// An SMSC on a port of its own. Dropping it closes everything.
pub struct Listening {
    pub address: SocketAddr,
    pub record: Arc<Mutex<Record>>,
    _task: JoinSet<()>,
}

/// Listens on loopback and plays `behavior` on every connection.
pub async fn listen(behavior: Behavior, clock: Arc<dyn Clock>) -> std::io::Result<Listening> {
    listen_with(behavior, clock, None).await
}

/// The same behind TLS.
pub async fn listen_tls(
    behavior: Behavior,
    clock: Arc<dyn Clock>,
    tls: Arc<rustls::ServerConfig>,
) -> std::io::Result<Listening> {
    listen_with(behavior, clock, Some(TlsAcceptor::from(tls))).await
}

async fn listen_with(
    behavior: Behavior,
    clock: Arc<dyn Clock>,
    tls: Option<TlsAcceptor>,
) -> std::io::Result<Listening> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let record = Arc::new(Mutex::new(Record::default()));
    let mut task = JoinSet::new();
    let shared = record.clone();
    task.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let smsc = Smsc::new(behavior.clone(), shared.clone());
            let (clock, tls) = (clock.clone(), tls.clone());
            connections.spawn(async move {
                match tls {
                    None => play(smsc, stream, clock).await,
                    Some(tls) => {
                        // A client that refuses us is what some tests are about.
                        if let Ok(stream) = tls.accept(stream).await {
                            play(smsc, stream, clock).await;
                        }
                    }
                }
            });
        }
    });
    Ok(Listening {
        address,
        record,
        _task: task,
    })
}

async fn play(
    mut smsc: Smsc,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    clock: Arc<dyn Clock>,
) {
    let mut input = vec![0; 64 * 1024];
    let mut output = Vec::new();
    while !smsc.is_closed() {
        smsc.poll(clock.now_ms());
        smsc.take_output(&mut output);
        if stream.write_all(&output).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        output.clear();
        let nap_ms = smsc
            .next_deadline()
            .map_or(60_000, |at_ms| at_ms - clock.now_ms());
        let nap = std::time::Duration::from_millis(u64::try_from(nap_ms).unwrap_or(0).max(1));
        tokio::select! {
            read = stream.read(&mut input) => match read {
                Ok(length) if length > 0 => smsc.on_bytes(&input[..length], clock.now_ms()),
                _ => return,
            },
            () = tokio::time::sleep(nap) => {}
        }
    }
    smsc.take_output(&mut output);
    // The client may have gone first.
    let _ = stream.write_all(&output).await;
}
