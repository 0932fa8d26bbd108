//! What the peer sends: octets are cut into frames, frames are decoded, and each PDU finds the arm
//! that answers it.
//!
//! A frame is cut by its length before anything inside is read, so a body that makes no sense never
//! costs the next frame or the bind. Answers to our submits go on in [`session`](super).

use tracing::{debug, info, warn};

use super::{Cause, CloseReason, Event, Session, State, UNBIND_MS, latin1};
use crate::contract::{self, AckToken, Inbound};
use crate::smpp::address::End;
use crate::smpp::command_status::describe;
use crate::smpp::config::PortAddressed;
use crate::smpp::decode::{Cut, Decoded, Frame, Soundness, cut, decode};
use crate::smpp::inbound_text::{inbound_text, inbound_units};
use crate::smpp::pdu::{BindResponse, CommandStatus, MessageResponse, Pdu, ShortMessage};
use crate::smpp::receipt::receipt;
use crate::smpp::tlv;

/// Deliveries by `data_sm` that may wait for their acknowledgement.
const DATA_SM_MAX: usize = 10_000;

impl Session {
    /// Decodes frame after frame; returns the octets used.
    pub(super) fn consume(&mut self, input: &[u8], now_ms: i64, events: &mut Vec<Event>) -> usize {
        let mut used = 0;
        while self.state != State::Closed {
            match cut(&input[used..]) {
                Cut::Frame { frame, length } => {
                    used += length;
                    self.received_ms = now_ms;
                    self.enquiry_ms = None;
                    self.enquiries_missed = 0;
                    self.on_frame(&frame, now_ms, events);
                }
                Cut::Incomplete => return used,
                Cut::FramingLost { command_length } => {
                    self.send_urgent(CommandStatus::INVALID_COMMAND_LENGTH, 0, &Pdu::GenericNack);
                    self.close(CloseReason::FramingLost { command_length }, events);
                }
            }
        }
        input.len()
    }

    fn on_frame(&mut self, frame: &Frame<'_>, now_ms: i64, events: &mut Vec<Event>) {
        let Decoded { pdu, soundness } = decode(frame);
        let (status, sequence) = (frame.header.status, frame.header.sequence);
        match pdu {
            Pdu::SubmitSmResponse(response) => {
                self.on_submit_response(sequence, status, &response, now_ms, events);
            }
            Pdu::DeliverSm(_) | Pdu::DataSm(_) if soundness == Soundness::Unreadable => {
                warn!(
                    sequence,
                    "a delivery without readable addresses was refused"
                );
                self.answer(
                    sequence,
                    CommandStatus::SYSTEM_ERROR,
                    matches!(pdu, Pdu::DataSm(_)),
                );
            }
            Pdu::DeliverSm(message) => self.on_delivery(&message, frame, false, now_ms, events),
            Pdu::DataSm(message) => self.on_delivery(&message, frame, true, now_ms, events),
            Pdu::EnquireLink => {
                self.send_urgent(CommandStatus::OK, sequence, &Pdu::EnquireLinkResponse);
            }
            Pdu::BindResponse(_, response) => self.on_bind_response(status, &response, events),
            Pdu::GenericNack => self.on_nack(sequence, status, now_ms, events),
            Pdu::Unbind => {
                self.send_urgent(CommandStatus::OK, sequence, &Pdu::UnbindResponse);
                self.on_peer_unbind(now_ms, events);
            }
            Pdu::UnbindResponse => {
                if matches!(self.state, State::Unbinding { .. }) {
                    self.close(CloseReason::Unbound, events);
                }
            }
            Pdu::Outbind(_) => {
                warn!("an outbind was refused: this connection is ours");
                self.send_urgent(
                    CommandStatus::INVALID_BIND_STATUS,
                    sequence,
                    &Pdu::GenericNack,
                );
            }
            Pdu::AlertNotification(alert) => {
                let source = self
                    .setup
                    .settings
                    .addresses
                    .inbound(alert.source, End::Source);
                info!(%source, "alert notification");
            }
            Pdu::EnquireLinkResponse => {}
            Pdu::Bind(..) | Pdu::SubmitSm(_) | Pdu::Other(_)
                if !frame.header.command_id.is_response() =>
            {
                debug!(command_id = ?frame.header.command_id, "unknown request");
                self.send_urgent(
                    CommandStatus::INVALID_COMMAND_ID,
                    sequence,
                    &Pdu::GenericNack,
                );
            }
            Pdu::DeliverSmResponse(_)
            | Pdu::DataSmResponse(_)
            | Pdu::Bind(..)
            | Pdu::SubmitSm(_)
            | Pdu::Other(_) => {
                debug!(command_id = ?frame.header.command_id, sequence, "answer to no question");
            }
        }
    }

    fn on_bind_response(
        &mut self,
        status: CommandStatus,
        response: &BindResponse<'_>,
        events: &mut Vec<Event>,
    ) {
        if !matches!(self.state, State::Binding { .. }) {
            return;
        }
        if !status.is_ok() {
            return self.close(CloseReason::BindRefused(status), events);
        }
        self.state = State::Bound;
        events.push(Event::Bound {
            system_id: latin1(response.system_id),
            version: response.tlvs.get_u8(tlv::SC_INTERFACE_VERSION),
        });
    }

    fn on_nack(
        &mut self,
        sequence: u32,
        status: CommandStatus,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) {
        warn!(sequence, status = %describe(status), "generic_nack");
        if sequence == self.bind_sequence && matches!(self.state, State::Binding { .. }) {
            return self.close(CloseReason::BindRefused(status), events);
        }
        // A nack is a refusal, whatever its status says.
        let refusal = if status.is_ok() {
            CommandStatus(0xFF)
        } else {
            status
        };
        self.on_submit_response(
            sequence,
            refusal,
            &MessageResponse::default(),
            now_ms,
            events,
        );
        if sequence == 0 || status == CommandStatus::INVALID_COMMAND_LENGTH {
            self.close(CloseReason::Nacked(status), events);
        }
    }

    fn on_peer_unbind(&mut self, now_ms: i64, events: &mut Vec<Event>) {
        match self.state {
            State::Binding { .. } | State::Unbinding { .. } => {
                self.close(CloseReason::PeerUnbound, events);
            }
            State::Bound | State::Stopping { .. } => {
                self.recall_buffered();
                self.state = State::PeerUnbinding {
                    deadline_ms: now_ms + UNBIND_MS,
                };
            }
            State::PeerUnbinding { .. } | State::Closed => {}
        }
    }

    fn on_delivery(
        &mut self,
        message: &ShortMessage<'_>,
        frame: &Frame<'_>,
        is_data_sm: bool,
        now_ms: i64,
        events: &mut Vec<Event>,
    ) {
        let sequence = frame.header.sequence;
        if !self.deliveries.takes(now_ms) {
            self.raise(Cause::TooManyDeliveries, now_ms, events);
            let status = CommandStatus::TEMPORARY_APPLICATION_ERROR;
            return self.answer(sequence, status, is_data_sm);
        }
        let settings = &self.setup.settings;
        let ack = AckToken {
            session: self.setup.number,
            sequence,
        };
        let read = receipt(message, &settings.receipts, &settings.addresses);
        let event = if let Some(mut receipt) = read {
            receipt.raw = frame.octets.into();
            if receipt.candidates.is_empty() {
                let detail = receipt.detail.clone();
                self.raise(Cause::ReceiptWithoutId { detail }, now_ms, events);
            }
            contract::Event::Receipt { receipt, ack }
        } else {
            let text = inbound_text(message, settings.gsm7_wire);
            if let Some(port) = text.port
                && settings.port_addressed == PortAddressed::Ignore
            {
                info!(
                    port,
                    "a message for an application port was answered and ignored"
                );
                return self.answer(sequence, CommandStatus::OK, is_data_sm);
            }
            let inbound = Inbound {
                from: settings.addresses.inbound(message.source, End::Source),
                to: settings
                    .addresses
                    .inbound(message.destination, End::Destination),
                text: inbound_units(message, settings.gsm7_wire),
                encoding: text.encoding,
                concat: text.concat,
                raw: frame.octets.into(),
            };
            contract::Event::Inbound { inbound, ack }
        };
        self.deliveries.add(now_ms);
        if is_data_sm && self.data_sm_open.len() < DATA_SM_MAX {
            self.data_sm_open.insert(sequence);
        }
        events.push(Event::Carrier(event));
    }

    pub(super) fn answer_delivery(&mut self, token: AckToken, status: CommandStatus) {
        if token.session != self.setup.number || self.state == State::Closed {
            return;
        }
        self.deliveries.remove();
        let is_data_sm = self.data_sm_open.remove(&token.sequence);
        self.answer(token.sequence, status, is_data_sm);
    }

    fn answer(&mut self, sequence: u32, status: CommandStatus, is_data_sm: bool) {
        let response = MessageResponse {
            message_id: Some(b""),
            ..MessageResponse::default()
        };
        let pdu = if is_data_sm {
            Pdu::DataSmResponse(response)
        } else {
            Pdu::DeliverSmResponse(response)
        };
        self.send_urgent(status, sequence, &pdu);
    }
}
