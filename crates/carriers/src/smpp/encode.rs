//! Writing PDUs, strictly: what exceeds the specification's maxima is rejected, never sent.
//!
//! A PDU is appended to the caller's buffer, so that everything ready leaves in one write. On an
//! error the buffer is left as it was.

use super::pdu::{
    Address, AlertNotification, Bind, BindResponse, CommandStatus, MessageResponse, Outbind, Pdu,
    ShortMessage,
};

/// Maxima of SMPP v3.4, section 4, without the closing NUL.
pub mod maximum {
    pub const SYSTEM_ID: usize = 15;
    pub const PASSWORD: usize = 8;
    pub const SYSTEM_TYPE: usize = 12;
    pub const ADDRESS_RANGE: usize = 40;
    pub const SERVICE_TYPE: usize = 5;
    pub const ADDRESS: usize = 20;
    /// `data_sm` and `alert_notification` allow longer ones.
    pub const LONG_ADDRESS: usize = 64;
    pub const SHORT_MESSAGE: usize = 254;
    pub const MESSAGE_ID: usize = 64;
    /// Times are empty or exactly this long.
    pub const TIME: usize = 16;
}

/// Why a PDU cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("{field} has {length} octets, at most {maximum} fit")]
    TooLong {
        field: &'static str,
        length: usize,
        maximum: usize,
    },
    #[error("{field} holds a NUL octet")]
    HoldsNul { field: &'static str },
    #[error("{field} must be empty or 16 octets long, not {length}")]
    NotATime { field: &'static str, length: usize },
    #[error(transparent)]
    NotGsm7(#[from] postrider_core::text::gsm7::NotGsm7),
    #[error("a message of WhatsApp cannot go over SMPP")]
    OtherChannel,
}

/// Appends one PDU with its header.
pub fn encode(
    out: &mut Vec<u8>,
    status: CommandStatus,
    sequence: u32,
    pdu: &Pdu<'_>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&pdu.command_id().0.to_be_bytes());
    out.extend_from_slice(&status.0.to_be_bytes());
    out.extend_from_slice(&sequence.to_be_bytes());
    let written = encode_body(&mut Writer(out), pdu);
    // The fields' maxima keep any PDU far below 4 GiB.
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn encode_body(out: &mut Writer<'_>, pdu: &Pdu<'_>) -> Result<(), EncodeError> {
    match pdu {
        Pdu::Bind(_, bind) => out.bind(bind),
        Pdu::BindResponse(_, response) => out.bind_response(response),
        Pdu::Outbind(outbind) => out.outbind(outbind),
        Pdu::SubmitSm(message) | Pdu::DeliverSm(message) => out.short_message(message),
        Pdu::DataSm(message) => out.data_sm(message),
        Pdu::SubmitSmResponse(response)
        | Pdu::DeliverSmResponse(response)
        | Pdu::DataSmResponse(response) => out.message_response(response),
        Pdu::AlertNotification(alert) => out.alert_notification(alert),
        Pdu::Unbind
        | Pdu::UnbindResponse
        | Pdu::EnquireLink
        | Pdu::EnquireLinkResponse
        | Pdu::GenericNack
        | Pdu::Other(_) => Ok(()),
    }
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn c_string(
        &mut self,
        field: &'static str,
        text: &[u8],
        maximum: usize,
    ) -> Result<(), EncodeError> {
        if text.len() > maximum {
            return Err(EncodeError::TooLong {
                field,
                length: text.len(),
                maximum,
            });
        }
        if text.contains(&0) {
            return Err(EncodeError::HoldsNul { field });
        }
        self.0.extend_from_slice(text);
        self.0.push(0);
        Ok(())
    }

    fn time(&mut self, field: &'static str, text: &[u8]) -> Result<(), EncodeError> {
        if !text.is_empty() && text.len() != maximum::TIME {
            return Err(EncodeError::NotATime {
                field,
                length: text.len(),
            });
        }
        self.c_string(field, text, maximum::TIME)
    }

    fn address(
        &mut self,
        field: &'static str,
        address: &Address<'_>,
        maximum: usize,
    ) -> Result<(), EncodeError> {
        self.0.extend_from_slice(&[address.ton, address.npi]);
        self.c_string(field, address.octets, maximum)
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Result<(), EncodeError> {
        self.c_string("system_id", bind.system_id, maximum::SYSTEM_ID)?;
        self.c_string("password", bind.password, maximum::PASSWORD)?;
        self.c_string("system_type", bind.system_type, maximum::SYSTEM_TYPE)?;
        self.0.push(bind.interface_version);
        self.address("address_range", &bind.addresses, maximum::ADDRESS_RANGE)
    }

    fn bind_response(&mut self, response: &BindResponse<'_>) -> Result<(), EncodeError> {
        self.c_string("system_id", response.system_id, maximum::SYSTEM_ID)?;
        self.0.extend_from_slice(response.tlvs.0);
        Ok(())
    }

    fn outbind(&mut self, outbind: &Outbind<'_>) -> Result<(), EncodeError> {
        self.c_string("system_id", outbind.system_id, maximum::SYSTEM_ID)?;
        self.c_string("password", outbind.password, maximum::PASSWORD)
    }

    fn short_message(&mut self, message: &ShortMessage<'_>) -> Result<(), EncodeError> {
        self.c_string("service_type", message.service_type, maximum::SERVICE_TYPE)?;
        self.address("source_addr", &message.source, maximum::ADDRESS)?;
        self.address("destination_addr", &message.destination, maximum::ADDRESS)?;
        self.0.extend_from_slice(&[
            message.esm_class,
            message.protocol_id,
            message.priority_flag,
        ]);
        self.time("schedule_delivery_time", message.schedule_delivery_time)?;
        self.time("validity_period", message.validity_period)?;
        let length = message.short_message.len();
        let sm_length = u8::try_from(length)
            .ok()
            .filter(|_| length <= maximum::SHORT_MESSAGE)
            .ok_or(EncodeError::TooLong {
                field: "short_message",
                length,
                maximum: maximum::SHORT_MESSAGE,
            })?;
        self.0.extend_from_slice(&[
            message.registered_delivery,
            message.replace_if_present,
            message.data_coding,
            message.default_message_id,
            sm_length,
        ]);
        self.0.extend_from_slice(message.short_message);
        self.0.extend_from_slice(message.tlvs.0);
        Ok(())
    }

    fn data_sm(&mut self, message: &ShortMessage<'_>) -> Result<(), EncodeError> {
        self.c_string("service_type", message.service_type, maximum::SERVICE_TYPE)?;
        self.address("source_addr", &message.source, maximum::LONG_ADDRESS)?;
        self.address(
            "destination_addr",
            &message.destination,
            maximum::LONG_ADDRESS,
        )?;
        self.0.extend_from_slice(&[
            message.esm_class,
            message.registered_delivery,
            message.data_coding,
        ]);
        self.0.extend_from_slice(message.tlvs.0);
        Ok(())
    }

    /// A refusal goes out with the header alone (4.4.2: the body is not returned on an error).
    fn message_response(&mut self, response: &MessageResponse<'_>) -> Result<(), EncodeError> {
        let Some(message_id) = response.message_id else {
            return Ok(());
        };
        self.c_string("message_id", message_id, maximum::MESSAGE_ID)?;
        self.0.extend_from_slice(response.tlvs.0);
        Ok(())
    }

    fn alert_notification(&mut self, alert: &AlertNotification<'_>) -> Result<(), EncodeError> {
        self.address("source_addr", &alert.source, maximum::LONG_ADDRESS)?;
        self.address("esme_addr", &alert.esme, maximum::LONG_ADDRESS)?;
        self.0.extend_from_slice(alert.tlvs.0);
        Ok(())
    }
}
