//! From a submission to `submit_sm`s in the output buffer.

use postrider_core::error_code::ErrorCode;

use super::message::{Message, Segment};
use super::{Event, Session, State};
use crate::contract::{RefusalClass, Submission};
use crate::smpp::config::{RequestReceipts, Settings};
use crate::smpp::encode::{EncodeError, encode};
use crate::smpp::pdu::{CommandStatus, Pdu, ShortMessage};
use crate::smpp::tlv::{self, Tlvs};
use crate::smpp::validity_period;
use crate::smpp::wire_text::{Coding, WireText};

/// Buffers that every submit uses again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    short_message: Vec<u8>,
    tlvs: Vec<u8>,
    validity_period: String,
}

impl Session {
    pub(super) fn new_message(&self, submission: Submission) -> Message {
        let settings = &self.setup.settings;
        let coding = Coding::choose(&submission.body, submission.encoding, settings.gsm7_wire);
        let text = WireText::new(&submission.body, coding, settings.long_messages);
        let reference = if text.needs_reference() {
            self.setup.references.next(submission.to.digits())
        } else {
            0
        };
        Message::new(submission, text, reference)
    }

    /// Writes segments of the current message while the window has room, and takes up a held one
    /// when the pace allows.
    pub(super) fn write_current(&mut self, now_ms: i64, events: &mut Vec<Event>) {
        if !matches!(self.state, State::Bound | State::Stopping { .. }) {
            return;
        }
        loop {
            if self.current.is_none() && !self.held.is_empty() && self.pace.is_open(now_ms) {
                self.current = self.held.pop_front();
                if let Some(key) = self.current {
                    self.pace
                        .take(self.messages.get(key).unsent_count(), now_ms);
                }
            }
            let Some(key) = self.current else { return };
            let Some(index) = self.messages.get(key).next_unsent() else {
                self.current = None;
                continue;
            };
            if self.window.is_full() {
                return;
            }
            // A segment that cannot be encoded ends the message, and its turn.
            self.write_segment(key, index, now_ms, events);
        }
    }

    fn write_segment(&mut self, key: u32, index: usize, now_ms: i64, events: &mut Vec<Event>) {
        let sequence = self.next_sequence();
        let message = self.messages.get(key);
        let settings = &self.setup.settings;
        let written =
            self.scratch
                .write(&mut self.output, settings, message, index, sequence, now_ms);
        match written {
            Ok(()) => {
                self.submits += 1;
                self.messages.opened(key, index);
                self.window
                    .insert(sequence, key, u16::try_from(index).unwrap_or(u16::MAX));
            }
            Err(error) => {
                let detail = error.to_string().into();
                let refused =
                    Segment::refused(RefusalClass::Fail, ErrorCode::UnknownFailure, detail);
                let next = self
                    .messages
                    .failed(key, index, refused, &self.setup.settings);
                self.proceed(key, next, events);
            }
        }
    }
}

impl Scratch {
    fn write(
        &mut self,
        out: &mut Vec<u8>,
        settings: &Settings,
        message: &Message,
        index: usize,
        sequence: u32,
        now_ms: i64,
    ) -> Result<(), EncodeError> {
        self.short_message.clear();
        self.tlvs.clear();
        self.validity_period.clear();

        let submission = &message.submission;
        let is_last = index + 1 == message.text.len();
        let esm_class = message.text.write_segment(
            &submission.body,
            index,
            message.reference,
            &mut self.short_message,
            &mut self.tlvs,
        )?;
        if !message.without_tlvs {
            if settings.has_more_messages_flag && !is_last {
                tlv::push(&mut self.tlvs, tlv::MORE_MESSAGES_TO_SEND, &[1])?;
            }
            self.tlvs.extend_from_slice(&settings.tlvs);
        }
        if !message.without_times {
            let form = settings.validity_period;
            validity_period::write(
                form,
                now_ms,
                submission.deadline_ms,
                &mut self.validity_period,
            );
        }
        // Routes keep such messages away; should one come all the same, it must not go out as an SMS.
        let source = settings.addresses.source(&submission.from);
        let source = source.ok_or(EncodeError::OtherChannel)?;
        let destination = settings.addresses.destination(submission.to);
        let submit = ShortMessage {
            service_type: &settings.service_type,
            source: source.as_address(),
            destination: destination.as_address(),
            esm_class,
            protocol_id: settings.protocol_id,
            priority_flag: settings.priority_flag,
            validity_period: self.validity_period.as_bytes(),
            registered_delivery: registered_delivery(settings, is_last),
            data_coding: message.text.coding.data_coding(),
            short_message: &self.short_message,
            tlvs: Tlvs(&self.tlvs),
            ..ShortMessage::default()
        };
        encode(out, CommandStatus::OK, sequence, &Pdu::SubmitSm(submit))
    }
}

/// Bits of `registered_delivery` (SMPP v3.4, 5.2.17).
fn registered_delivery(settings: &Settings, is_last: bool) -> u8 {
    const INTERMEDIATE: u8 = 0x10;
    let receipt = match settings.request_receipts {
        RequestReceipts::All => 1,
        RequestReceipts::LastSegment => u8::from(is_last),
        RequestReceipts::Failures => 2,
        RequestReceipts::None => 0,
    };
    if settings.has_intermediate_receipts {
        receipt | INTERMEDIATE
    } else {
        receipt
    }
}
