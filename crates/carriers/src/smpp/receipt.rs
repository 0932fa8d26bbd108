//! Delivery receipts: recognizing one, and reading it in every dialect.
//!
//! SMPP v3.4 leaves the text of a receipt to the vendor (appendix B is a suggestion), so the text is
//! read as `key:value` pairs in any order, with any of them missing, and TLVs win where there are
//! both. States and error codes are data. Ruled by SMPP v3.4 5.2.12, 5.3.2.31 to 5.3.2.35 and
//! `docs/carriers.md`, *Receipts*.

use std::collections::BTreeMap;

use postrider_core::error_code::ErrorCode;
use postrider_core::phone_number::PhoneNumber;
use serde::Deserialize;

use super::address::{AddressPlan, End};
use super::inbound_text::inbound_text;
use super::pdu::{ShortMessage, esm_class};
use super::tlv;
use super::wire_text::Gsm7Wire;
use crate::contract::{Receipt, ReceiptState};
use crate::correlation::{self, IdForms};

/// How one carrier's receipts are to be read.
#[derive(Clone, Debug)]
pub struct ReceiptRules {
    pub id_forms: IdForms,
    /// A message that reads like a receipt is one, also when `esm_class` does not say so.
    pub accepts_by_text: bool,
    /// `ACCEPTD` is the last word of this carrier.
    pub acceptd_is_final: bool,
    /// Error code of `EXPIRED`.
    pub expired: ErrorCode,
    pub err_base: ErrBase,
    /// One carrier's meanings of `err`, before the built-in ones.
    pub err_overrides: BTreeMap<u32, ErrorCode>,
    pub gsm7_wire: Gsm7Wire,
}

impl Default for ReceiptRules {
    fn default() -> Self {
        Self {
            id_forms: IdForms::default(),
            accepts_by_text: true,
            acceptd_is_final: false,
            expired: ErrorCode::HandsetUnreachable,
            err_base: ErrBase::Decimal,
            err_overrides: BTreeMap::new(),
            gsm7_wire: Gsm7Wire::default(),
        }
    }
}

/// The base in which a carrier writes `err`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
pub enum ErrBase {
    #[default]
    #[serde(rename = "dec")]
    Decimal,
    #[serde(rename = "hex")]
    Hexadecimal,
}

/// Reads `message` as a receipt, or `None` when it is a message from a handset.
pub fn receipt(
    message: &ShortMessage<'_>,
    rules: &ReceiptRules,
    addresses: &AddressPlan,
) -> Option<Receipt> {
    let message_type = message.esm_class & esm_class::TYPE_MASK;
    let is_acknowledgement = matches!(
        message_type,
        esm_class::DELIVERY_ACKNOWLEDGEMENT | esm_class::USER_ACKNOWLEDGEMENT
    );
    let is_intermediate = message_type == esm_class::INTERMEDIATE_NOTIFICATION;
    let has_tlvs = message.tlvs.get(tlv::RECEIPTED_MESSAGE_ID).is_some()
        && message.tlvs.get(tlv::MESSAGE_STATE).is_some();
    let is_announced =
        message_type == esm_class::RECEIPT || is_intermediate || is_acknowledgement || has_tlvs;
    if !is_announced && !rules.accepts_by_text {
        return None;
    }
    let text = receipt_text(message, rules.gsm7_wire);
    let fields = TextFields::parse(&text);
    if !is_announced && !fields.is_unmistakable(&text) {
        return None;
    }
    let mut receipt = Reading {
        message,
        rules,
        fields,
    }
    .receipt();
    // Neither an intermediate notification nor a handset's acknowledgement is a final word.
    if is_intermediate || is_acknowledgement {
        receipt.state = ReceiptState::Intermediate;
        receipt.error = None;
    }
    receipt.handset = PhoneNumber::parse(&addresses.inbound(message.source, End::Source)).ok();
    Some(receipt)
}

/// The text of a receipt. Many SMSCs write it in ASCII whatever alphabet was agreed on for messages,
/// so octets that name neither an id nor a state are read again, one character in each.
fn receipt_text(message: &ShortMessage<'_>, wire: Gsm7Wire) -> String {
    /// ISO 8859-1 (SMPP v3.4, 5.2.19), of which ASCII is a part.
    const LATIN1: u8 = 0x03;
    let agreed = inbound_text(message, wire).text;
    if TextFields::parse(&agreed).say_something() {
        return agreed;
    }
    let in_latin1 = ShortMessage {
        data_coding: LATIN1,
        ..*message
    };
    let plain = inbound_text(&in_latin1, wire).text;
    if TextFields::parse(&plain).say_something() {
        plain
    } else {
        agreed
    }
}

/// The pairs of a receipt's text, as slices of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct TextFields<'a> {
    id: Option<&'a str>,
    stat: Option<&'a str>,
    err: Option<&'a str>,
    done_date: Option<&'a str>,
}

/// Longer keys first, so that `submit date` is not read as `date`.
const KEYS: [&str; 9] = [
    "submit date",
    "done date",
    "dlvrd",
    "text",
    "stat",
    "sub",
    "err",
    "id",
    "date",
];

impl<'a> TextFields<'a> {
    /// A value runs to the next known key, so that an id may hold spaces.
    fn parse(text: &'a str) -> Self {
        let mut fields = Self::default();
        let mut at = 0;
        let mut open: Option<(&str, usize)> = None;
        while at < text.len() {
            let Some((key, length)) = key_at(text, at) else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            };
            if let Some((previous, value_start)) = open {
                fields.set(previous, &text[value_start..at]);
            }
            at += length;
            open = Some((key, at));
            if key == "text" {
                // What follows is the customer's own words and may look like anything.
                break;
            }
        }
        if let Some((key, value_start)) = open {
            fields.set(key, &text[value_start..]);
        }
        fields
    }

    /// The first of several pairs with the same key counts.
    fn set(&mut self, key: &str, value: &'a str) {
        let value =
            value.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '\0'));
        let field = match key {
            "id" => &mut self.id,
            "stat" => &mut self.stat,
            "err" => &mut self.err,
            "done date" => &mut self.done_date,
            _ => return,
        };
        if field.is_none() && !value.is_empty() {
            *field = Some(value);
        }
    }

    fn say_something(&self) -> bool {
        self.id.is_some() || self.stat.and_then(State::from_text).is_some()
    }

    /// A person who writes "id:" does not also write a known state, and not from the first letter on.
    fn is_unmistakable(&self, text: &str) -> bool {
        let starts_with_id = text
            .trim_start()
            .get(..3)
            .is_some_and(|s| s.eq_ignore_ascii_case("id:"));
        starts_with_id && self.id.is_some() && self.stat.and_then(State::from_text).is_some()
    }
}

/// The key that starts at `at`, and the length of it with its colon. A key stands at the start or
/// after something that is no letter or digit.
fn key_at(text: &str, at: usize) -> Option<(&'static str, usize)> {
    let before = text[..at].chars().next_back();
    if before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let rest = &text[at..];
    KEYS.iter().find_map(|key| {
        let head = rest.get(..key.len())?;
        if !head.eq_ignore_ascii_case(key) {
            return None;
        }
        let tail = &rest[key.len()..];
        let spaces = tail.len() - tail.trim_start_matches(' ').len();
        tail[spaces..]
            .starts_with(':')
            .then_some((*key, key.len() + spaces + 1))
    })
}

/// The states of SMPP v3.4 5.2.28 and, from SCHEDULED on, of 5.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Scheduled,
    Enroute,
    Delivered,
    Expired,
    Deleted,
    Undeliverable,
    Accepted,
    Unknown,
    Rejected,
    Skipped,
}

impl State {
    fn from_tlv(value: u8) -> Self {
        match value {
            0 => Self::Scheduled,
            1 => Self::Enroute,
            2 => Self::Delivered,
            3 => Self::Expired,
            4 => Self::Deleted,
            5 => Self::Undeliverable,
            6 => Self::Accepted,
            8 => Self::Rejected,
            9 => Self::Skipped,
            _ => Self::Unknown,
        }
    }

    /// States come cut off, spelled out, and in any case: what counts is a known beginning.
    fn from_text(stat: &str) -> Option<Self> {
        const BEGINNINGS: [(&str, State); 11] = [
            ("DELIV", State::Delivered),
            ("DELET", State::Deleted),
            ("EXPIR", State::Expired),
            ("UNDEL", State::Undeliverable),
            ("FAIL", State::Undeliverable),
            ("REJ", State::Rejected),
            ("ACCEP", State::Accepted),
            ("ENROU", State::Enroute),
            ("UNKN", State::Unknown),
            ("SCHED", State::Scheduled),
            ("SKIP", State::Skipped),
        ];
        let starts_with = |b: &str| {
            stat.get(..b.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(b))
        };
        BEGINNINGS
            .iter()
            .find(|(beginning, _)| starts_with(beginning))
            .map(|(_, state)| *state)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Enroute => "ENROUTE",
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Undeliverable => "UNDELIV",
            Self::Accepted => "ACCEPTD",
            Self::Unknown => "UNKNOWN",
            Self::Rejected => "REJECTD",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// One receipt in the reading.
struct Reading<'a> {
    message: &'a ShortMessage<'a>,
    rules: &'a ReceiptRules,
    fields: TextFields<'a>,
}

impl Reading<'_> {
    fn receipt(&self) -> Receipt {
        let id = self.id();
        let known = self.state();
        // A state that we cannot read ends the segment's wait (jasmin issue 447).
        let state = known.unwrap_or(State::Unknown);
        let err = self.err();
        let (segment, error) = self.outcome(state, err);
        Receipt {
            candidates: correlation::candidates(&id, self.rules.id_forms),
            carrier_id: id,
            state: segment,
            error,
            done_date: self.done_date(),
            handset: None,
            detail: self.detail(state),
            is_understood: known.is_some() && self.is_err_known(state, err),
            raw: [].into(),
        }
    }

    fn id(&self) -> Box<str> {
        self.message
            .tlvs
            .get(tlv::RECEIPTED_MESSAGE_ID)
            .map(latin1_without_nul)
            .filter(|id| !id.is_empty())
            .or_else(|| self.fields.id.map(Box::from))
            .unwrap_or_default()
    }

    fn state(&self) -> Option<State> {
        let by_tlv = self
            .message
            .tlvs
            .get_u8(tlv::MESSAGE_STATE)
            .map(State::from_tlv);
        by_tlv.or_else(|| self.fields.stat.and_then(State::from_text))
    }

    /// The carrier's error number: `network_error_code` before the text's `err`.
    fn err(&self) -> Option<u32> {
        let by_tlv = match self.message.tlvs.get(tlv::NETWORK_ERROR_CODE) {
            Some([0..=9, high, low]) => Some(u32::from(u16::from_be_bytes([*high, *low]))),
            // Two octets: digits as text, or the bare number without a network type.
            Some(text) if !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit) => {
                self.number(&latin1_without_nul(text))
            }
            Some([high, low]) => Some(u32::from(u16::from_be_bytes([*high, *low]))),
            _ => None,
        };
        by_tlv.or_else(|| self.number(self.fields.err?))
    }

    fn number(&self, text: &str) -> Option<u32> {
        if let Some(digits) = after_0x(text) {
            return u32::from_str_radix(digits, 16).ok();
        }
        let base = match self.rules.err_base {
            // Letters give the base away.
            ErrBase::Decimal if text.bytes().all(|b| b.is_ascii_digit()) => 10,
            ErrBase::Decimal | ErrBase::Hexadecimal => 16,
        };
        u32::from_str_radix(text, base).ok()
    }

    /// One arm for each row of the state table.
    fn outcome(&self, state: State, err: Option<u32>) -> (ReceiptState, Option<ErrorCode>) {
        let undelivered = |code| (ReceiptState::Undelivered, Some(code));
        let by_err = |otherwise| {
            err.and_then(|err| self.meaning_of_err(err))
                .unwrap_or(otherwise)
        };
        match state {
            State::Scheduled | State::Enroute => (ReceiptState::Intermediate, None),
            State::Accepted if !self.rules.acceptd_is_final => (ReceiptState::Intermediate, None),
            State::Delivered | State::Accepted => (ReceiptState::Delivered, None),
            State::Expired => undelivered(self.rules.expired),
            State::Deleted | State::Unknown | State::Skipped => {
                undelivered(ErrorCode::UnknownFailure)
            }
            State::Undeliverable => undelivered(by_err(ErrorCode::UnknownFailure)),
            State::Rejected => undelivered(by_err(ErrorCode::MessageFiltered)),
        }
    }

    /// Whether the error has a meaning of its own, where the state asks for one.
    fn is_err_known(&self, state: State, err: Option<u32>) -> bool {
        match (state, err) {
            (State::Undeliverable | State::Rejected, Some(0)) => true,
            (State::Undeliverable | State::Rejected, Some(err)) => {
                self.meaning_of_err(err).is_some()
            }
            // One that is no number at all.
            (State::Undeliverable | State::Rejected, None) => self.fields.err.is_none(),
            _ => true,
        }
    }

    fn meaning_of_err(&self, err: u32) -> Option<ErrorCode> {
        self.rules.err_overrides.get(&err).copied().or_else(|| {
            ERR_MEANINGS
                .iter()
                .find(|(number, _)| *number == err)
                .map(|(_, code)| *code)
        })
    }

    fn done_date(&self) -> Option<Box<str>> {
        let digits = self.fields.done_date?;
        let is_date = digits.bytes().all(|b| b.is_ascii_digit());
        let is_set = digits.bytes().any(|b| b != b'0');
        (is_date && is_set).then(|| digits.into())
    }

    /// `UNDELIV err:027`, with the carrier's own spelling where there is one.
    fn detail(&self, state: State) -> Box<str> {
        let stat = self.fields.stat.unwrap_or(state.name());
        let stat: String = stat.chars().take(24).collect();
        match (
            self.message.tlvs.get(tlv::NETWORK_ERROR_CODE),
            self.fields.err,
        ) {
            (Some(code), _) => {
                use std::fmt::Write as _;
                let mut text = stat + " network_error_code:";
                for octet in code.iter().take(8) {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{octet:02x}");
                }
                text.into()
            }
            (None, Some(err)) => {
                format!("{stat} err:{}", err.chars().take(12).collect::<String>()).into()
            }
            (None, None) => stat.into(),
        }
    }
}

/// The default meaning of `err`: the numbers of GSM MAP (3GPP TS 29.002, 17.6), as most carriers use
/// them. Overridden by `err_map`.
#[rustfmt::skip]
static ERR_MEANINGS: [(u32, ErrorCode); 13] = [
    (1,  ErrorCode::HandsetUnknown),              // unknown subscriber
    (5,  ErrorCode::HandsetUnreachable),          // unidentified subscriber
    (6,  ErrorCode::HandsetUnreachable),          // absent subscriber
    (9,  ErrorCode::LandlineOrCarrierUnreachable),// illegal subscriber
    (11, ErrorCode::LandlineOrCarrierUnreachable),// teleservice not provisioned
    (13, ErrorCode::MessageBlocked),              // call barred
    (21, ErrorCode::LandlineOrCarrierUnreachable),// facility not supported
    (27, ErrorCode::HandsetUnreachable),          // detached
    (31, ErrorCode::HandsetUnreachable),          // subscriber busy
    (32, ErrorCode::HandsetUnreachable),          // SM delivery failure
    (33, ErrorCode::HandsetUnreachable),          // message waiting list full
    (34, ErrorCode::UnknownFailure),              // system failure
    (36, ErrorCode::UnknownFailure),              // unexpected data
];

/// The digits of a number that says by its prefix that it is hexadecimal.
pub(super) fn after_0x(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

fn latin1_without_nul(octets: &[u8]) -> Box<str> {
    let end = octets
        .iter()
        .position(|octet| *octet == 0)
        .unwrap_or(octets.len());
    octets[..end]
        .iter()
        .copied()
        .map(char::from)
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests;
