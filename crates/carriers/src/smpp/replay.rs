//! Reads a kept PDU again: what is in it, and what it means under given settings.
//!
//! For the operator who asks why a receipt was read as it was: settings are changed, and the same
//! octets tell what would have come of it (`postrider receipts`).

use super::config::Settings;
use super::decode::{Cut, Soundness, cut, decode};
use super::inbound_text::inbound_text;
use super::pdu::{Address, Pdu};
use super::receipt::receipt;
use crate::contract::Receipt;

/// A delivery, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Type of number, numbering plan and octets (as Latin-1), untouched by rules.
    pub source: (u8, u8, String),
    pub destination: (u8, u8, String),
    pub esm_class: u8,
    pub data_coding: u8,
    pub text: String,
    pub tlvs: Vec<(u16, Box<[u8]>)>,
    /// The body keeps to the specification.
    pub is_sound: bool,
    /// `None` when it would be taken for a message from a handset.
    pub receipt: Option<Receipt>,
}

/// `None` for octets that are no delivery.
pub fn replay(octets: &[u8], settings: &Settings) -> Option<Replay> {
    let Cut::Frame { frame, .. } = cut(octets) else {
        return None;
    };
    let decoded = decode(&frame);
    let (Pdu::DeliverSm(message) | Pdu::DataSm(message)) = decoded.pdu else {
        return None;
    };
    Some(Replay {
        source: shown(message.source),
        destination: shown(message.destination),
        esm_class: message.esm_class,
        data_coding: message.data_coding,
        text: inbound_text(&message, settings.gsm7_wire).text,
        tlvs: message
            .tlvs
            .iter()
            .map(|(tag, value)| (tag, value.into()))
            .collect(),
        is_sound: decoded.soundness == Soundness::Sound,
        receipt: receipt(&message, &settings.receipts, &settings.addresses),
    })
}

fn shown(address: Address<'_>) -> (u8, u8, String) {
    let text = address.octets.iter().copied().map(char::from).collect();
    (address.ton, address.npi, text)
}
