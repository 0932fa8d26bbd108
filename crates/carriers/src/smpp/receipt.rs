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
    let text = inbound_text(message, rules.gsm7_wire).text;
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
        let state = self.state();
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

    /// A state that we cannot read is UNKNOWN, which ends the segment's wait (jasmin issue 447).
    fn state(&self) -> State {
        let by_tlv = self
            .message
            .tlvs
            .get_u8(tlv::MESSAGE_STATE)
            .map(State::from_tlv);
        by_tlv
            .or_else(|| self.fields.stat.and_then(State::from_text))
            .unwrap_or(State::Unknown)
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::correlation::IdForm;
    use crate::smpp::pdu::Address;
    use crate::smpp::tlv::Tlvs;

    fn read_with(rules: &ReceiptRules, message: &ShortMessage<'_>) -> Option<Receipt> {
        receipt(message, rules, &AddressPlan::default())
    }

    fn message(esm_class: u8, text: &[u8]) -> ShortMessage<'_> {
        let source = Address {
            ton: 1,
            npi: 1,
            octets: b"447700900123",
        };
        ShortMessage {
            esm_class,
            source,
            short_message: text,
            ..ShortMessage::default()
        }
    }

    fn read(text: &str) -> Receipt {
        read_with(&ReceiptRules::default(), &message(4, text.as_bytes())).expect("a receipt")
    }

    fn state_of(text: &str) -> (ReceiptState, Option<u32>) {
        let receipt = read(text);
        (receipt.state, receipt.error.map(ErrorCode::code))
    }

    #[test]
    fn the_suggested_text_of_the_specification_is_read_whole() {
        let receipt = read(
            "id:0123456789 sub:001 dlvrd:001 submit date:2611240323 done date:2611240324 \
             stat:DELIVRD err:000 Text:Hello id:9 stat:FAILED",
        );
        assert_eq!(&*receipt.carrier_id, "0123456789");
        assert_eq!(receipt.candidates[0].as_ref(), "123456789");
        assert_eq!(receipt.state, ReceiptState::Delivered);
        assert_eq!(receipt.error, None);
        assert_eq!(receipt.done_date.as_deref(), Some("2611240324"));
        assert_eq!(
            receipt.handset.map(|h| h.to_string()).as_deref(),
            Some("+447700900123")
        );
        assert_eq!(&*receipt.detail, "DELIVRD err:000");
    }

    /// One row per line of the state table in carriers.md 2.8.
    #[test]
    fn each_state_has_its_meaning() {
        use ReceiptState::{Delivered, Intermediate, Undelivered};
        for (stats, state_value, expected) in [
            (&["ENROUTE", "ENROUTED"][..], 1, (Intermediate, None)),
            (
                &["DELIVRD", "DELIVERED", "delivrd", "DELIV"],
                2,
                (Delivered, None),
            ),
            (&["EXPIRED", "EXPIR"], 3, (Undelivered, Some(30003))),
            (&["DELETED"], 4, (Undelivered, Some(30008))),
            (
                &["UNDELIV", "FAILED", "UNDELIVERABLE"],
                5,
                (Undelivered, Some(30008)),
            ),
            (&["ACCEPTD", "ACCEPTED"], 6, (Intermediate, None)),
            (
                &["UNKNOWN", "SOMETHING", "7"],
                7,
                (Undelivered, Some(30008)),
            ),
            (&["REJECTD", "REJECTED"], 8, (Undelivered, Some(30007))),
            (&["SCHEDULED"], 0, (Intermediate, None)),
            (&["SKIPPED"], 9, (Undelivered, Some(30008))),
        ] {
            for stat in stats {
                assert_eq!(
                    state_of(&format!("id:1 stat:{stat} err:000")),
                    expected,
                    "{stat}"
                );
            }
            let tlvs = [0x00, 0x1E, 0, 2, b'7', 0, 0x04, 0x27, 0, 1, state_value];
            let by_tlv = ShortMessage {
                tlvs: Tlvs(&tlvs),
                ..message(0, b"")
            };
            let receipt = read_with(&ReceiptRules::default(), &by_tlv).unwrap();
            assert_eq!(
                (receipt.state, receipt.error.map(ErrorCode::code)),
                expected
            );
            assert_eq!(&*receipt.carrier_id, "7");
        }
    }

    /// One row per line of the err map in carriers.md 2.8.
    #[test]
    fn err_names_the_code_of_an_undelivered_segment() {
        for (errs, code) in [
            (&["1", "001", "00001"][..], 30005),
            (&["005", "006", "027", "031", "032", "033"], 30003),
            (&["009", "011", "021"], 30006),
            (&["013"], 30004),
            (&["034", "036", "000", "999", "", "zz"], 30008),
        ] {
            for err in errs {
                let text = format!("id:1 stat:UNDELIV err:{err} text:x");
                assert_eq!(
                    state_of(&text),
                    (ReceiptState::Undelivered, Some(code)),
                    "{err}"
                );
            }
        }
        assert_eq!(state_of("id:1 stat:REJECTD err:001").1, Some(30005));
        let hexadecimal = ReceiptRules {
            err_base: ErrBase::Hexadecimal,
            ..ReceiptRules::default()
        };
        let receipt = read_with(&hexadecimal, &message(4, b"id:1 stat:UNDELIV err:1B")).unwrap();
        assert_eq!(receipt.error, Some(ErrorCode::HandsetUnreachable));
    }

    #[test]
    fn a_carrier_may_override_codes_and_finality() {
        let rules = ReceiptRules {
            acceptd_is_final: true,
            expired: ErrorCode::UnknownFailure,
            err_overrides: [(1, ErrorCode::MessageFiltered)].into(),
            ..ReceiptRules::default()
        };
        let read = |text: &[u8]| read_with(&rules, &message(4, text)).unwrap();
        assert_eq!(read(b"id:1 stat:ACCEPTD").state, ReceiptState::Delivered);
        assert_eq!(
            read(b"id:1 stat:EXPIRED").error,
            Some(ErrorCode::UnknownFailure)
        );
        assert_eq!(
            read(b"id:1 stat:UNDELIV err:1").error,
            Some(ErrorCode::MessageFiltered)
        );
    }

    #[test]
    fn keys_come_in_any_order_case_and_spacing() {
        for text in [
            "stat:DELIVRD id:a-1",
            "ID: a-1  STAT : DELIVRD",
            "id:a-1\nstat:DELIVRD\n",
            "id:a-1,stat:DELIVRD;err:000",
            "sub:001 dlvrd:001 id:a-1 stat:DELIVRD",
            "id:a-1 stat:DELIVRD id:b-2",
        ] {
            let receipt = read(text);
            assert_eq!(&*receipt.carrier_id, "a-1", "{text}");
            assert_eq!(receipt.state, ReceiptState::Delivered, "{text}");
        }
    }

    #[test]
    fn an_id_may_be_of_any_length_and_hold_spaces() {
        let long = "0123456789abcdef-".repeat(4);
        for id in [
            "a b c",
            "0e999f21-d345-4c5b-a8a2-5ab8cea5e55c",
            &long,
            "SAR:1/2",
        ] {
            assert_eq!(
                &*read(&format!("id:{id} sub:001 stat:DELIVRD")).carrier_id,
                id
            );
        }
    }

    #[test]
    fn done_dates_of_any_length_pass_and_zeros_do_not() {
        for (date, expected) in [
            ("2611240323", Some("2611240323")),
            ("261124032301", Some("261124032301")),
            ("20261124032301", Some("20261124032301")),
            ("261124", Some("261124")),
            ("0000000000", None),
            ("", None),
            ("26-11-24", None),
        ] {
            let receipt = read(&format!("id:1 submit date:1 done date:{date} stat:DELIVRD"));
            assert_eq!(receipt.done_date.as_deref(), expected, "{date}");
        }
    }

    #[test]
    fn tlvs_win_over_the_text() {
        let tlvs = [
            0x00, 0x1E, 0, 3, b'a', b'b', 0, 0x04, 0x27, 0, 1, 5, 0x04, 0x23, 0, 3, 3, 0, 1,
        ];
        let both = ShortMessage {
            tlvs: Tlvs(&tlvs),
            ..message(4, b"id:x stat:DELIVRD err:013")
        };
        let receipt = read_with(&ReceiptRules::default(), &both).unwrap();
        assert_eq!(&*receipt.carrier_id, "ab");
        assert_eq!(receipt.state, ReceiptState::Undelivered);
        assert_eq!(receipt.error, Some(ErrorCode::HandsetUnknown));
        assert_eq!(&*receipt.detail, "DELIVRD network_error_code:030001");
    }

    #[test]
    fn network_error_codes_of_two_octets_or_in_text_are_read() {
        for code in [
            &[0x04, 0x23, 0, 2, 0, 27][..],
            &[0x04, 0x23, 0, 3, b'0', b'2', b'7'],
        ] {
            let with_code = ShortMessage {
                tlvs: Tlvs(code),
                ..message(4, b"id:1 stat:UNDELIV")
            };
            let receipt = read_with(&ReceiptRules::default(), &with_code).unwrap();
            assert_eq!(
                receipt.error,
                Some(ErrorCode::HandsetUnreachable),
                "{code:?}"
            );
        }
    }

    #[test]
    fn a_receipt_in_ucs2_or_in_the_payload_is_read() {
        let ucs2: Vec<u8> = "id:1 stat:DELIVRD".bytes().flat_map(|b| [0, b]).collect();
        let wide = ShortMessage {
            data_coding: 8,
            ..message(4, &ucs2)
        };
        let receipt = read_with(&ReceiptRules::default(), &wide).unwrap();
        assert_eq!(receipt.state, ReceiptState::Delivered);

        let mut tlvs = vec![0x04, 0x24, 0, 17];
        tlvs.extend_from_slice(b"id:1 stat:DELIVRD");
        let payload = ShortMessage {
            tlvs: Tlvs(&tlvs),
            ..message(4, b"")
        };
        let receipt = read_with(&ReceiptRules::default(), &payload).unwrap();
        assert_eq!(receipt.state, ReceiptState::Delivered);
    }

    #[test]
    fn a_receipt_without_esm_class_needs_id_first_and_a_known_state() {
        for (text, is_receipt) in [
            (&b"id:1 sub:001 stat:DELIVRD err:000"[..], true),
            (b"ID:1 STAT:FAILED", true),
            (b"my id: 5 and stat:DELIVRD", false),
            (b"id:1 stat:great", false),
            (b"id: please call me", false),
            (b"stat:DELIVRD id:1", false),
        ] {
            let found = read_with(&ReceiptRules::default(), &message(0, text)).is_some();
            assert_eq!(found, is_receipt, "{}", String::from_utf8_lossy(text));
            let strict = ReceiptRules {
                accepts_by_text: false,
                ..ReceiptRules::default()
            };
            assert_eq!(read_with(&strict, &message(0, text)), None);
        }
    }

    #[test]
    fn intermediate_notifications_and_acknowledgements_are_never_final() {
        for esm_class in [0x20, 0x08, 0x10] {
            let found = read_with(
                &ReceiptRules::default(),
                &message(esm_class, b"id:1 stat:UNDELIV"),
            );
            let receipt = found.unwrap();
            assert_eq!(
                (receipt.state, receipt.error),
                (ReceiptState::Intermediate, None)
            );
        }
    }

    #[test]
    fn row_5_an_unknown_state_under_esm_class_4_is_a_receipt_not_a_text() {
        for text in ["id:1 stat:FAILED", "id:1 stat:XYZ", "no pairs at all", ""] {
            assert_eq!(read(text).state, ReceiptState::Undelivered, "{text}");
        }
    }

    #[test]
    fn id_forms_reach_the_candidates() {
        let id_forms = IdForms {
            response: IdForm::Hexadecimal,
            receipt: IdForm::Decimal,
        };
        let rules = ReceiptRules {
            id_forms,
            ..ReceiptRules::default()
        };
        let receipt = read_with(&rules, &message(4, b"id:255 stat:DELIVRD")).unwrap();
        assert_eq!(receipt.candidates.as_slice(), [Box::from("ff")]);
    }

    proptest! {
        #[test]
        fn no_text_and_no_tlvs_upset_the_reading(
            esm_class in any::<u8>(),
            data_coding in any::<u8>(),
            text in prop::collection::vec(any::<u8>(), 0..255),
            tlvs in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let message = ShortMessage {
                data_coding, tlvs: Tlvs(&tlvs), ..message(esm_class, &text)
            };
            let _ = read_with(&ReceiptRules::default(), &message);
        }

        #[test]
        fn any_unicode_between_the_keys_is_harmless(noise in "\\PC{0,20}", id in "[a-z0-9-]{1,70}") {
            let text = format!("id:{id} stat:DELIVRD err:{noise} text:{noise}");
            let ucs2: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let wide = ShortMessage { data_coding: 8, ..message(4, &ucs2) };
            let receipt = read_with(&ReceiptRules::default(), &wide).unwrap();
            prop_assert_eq!(&*receipt.carrier_id, &*id);
        }
    }
}
