//! Receipts as carriers write them: one row per line of the tables in carriers.md 2.8.

use postrider_core::text::gsm7::{self, FillBits};
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
        (&["0x06", "0X1b", "0x006"], 30003),
        (&["0x", "0xzz", "x06", "0x0x06"], 30008),
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
    for text in ["err:1B", "err:0x1B"] {
        let text = format!("id:1 stat:UNDELIV {text}");
        let receipt = read_with(&hexadecimal, &message(4, text.as_bytes())).unwrap();
        assert_eq!(receipt.error, Some(ErrorCode::HandsetUnreachable), "{text}");
    }
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

/// Many SMSCs agree on an alphabet for messages and write their receipts in ASCII all the same.
#[test]
fn a_receipt_in_ascii_is_read_whatever_alphabet_was_agreed_on() {
    const TEXT: &str = "id:0a-1 sub:001 dlvrd:001 stat:UNDELIV err:006 text:Hi";
    let ascii = TEXT.as_bytes().to_vec();
    // Header and text of a receipt that is the second of two segments.
    let with_header = [&[5, 0, 3, 7, 2, 2], TEXT.as_bytes()].concat();
    let packed = gsm7::pack(TEXT.as_bytes(), FillBits::NONE);
    for (gsm7_wire, esm_class, data_coding, octets) in [
        (Gsm7Wire::Packed, 0x04, 0, &packed),
        (Gsm7Wire::Packed, 0x04, 0, &ascii),
        (Gsm7Wire::Packed, 0x44, 0, &with_header),
        (Gsm7Wire::Packed, 0x00, 0, &ascii),
        (Gsm7Wire::Packed, 0x04, 1, &ascii),
        (Gsm7Wire::Unpacked, 0x04, 8, &ascii),
        (Gsm7Wire::SmscDefaultLatin1, 0x04, 0, &ascii),
    ] {
        let rules = ReceiptRules {
            gsm7_wire,
            ..ReceiptRules::default()
        };
        let message = ShortMessage {
            data_coding,
            ..message(esm_class, octets)
        };
        let row = format!("{gsm7_wire:?} {esm_class:#x} {data_coding}");
        let receipt = read_with(&rules, &message).expect(&row);
        assert_eq!(&*receipt.carrier_id, "0a-1", "{row}");
        assert_eq!(receipt.error, Some(ErrorCode::HandsetUnreachable), "{row}");
    }
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

#[test]
fn what_has_no_meaning_of_its_own_is_not_understood() {
    for (text, is_understood) in [
        ("id:1 stat:DELIVRD err:000", true),
        ("id:1 stat:UNDELIV err:000", true),
        ("id:1 stat:UNDELIV", true),
        ("id:1 stat:UNDELIV err:006", true),
        ("id:1 stat:UNDELIV err:099", false),
        ("id:1 stat:REJECTD err:none", false),
        // Only failures ask for it.
        ("id:1 stat:DELIVRD err:099", true),
        ("id:1 stat:UNKNOWN", true),
        ("id:1 stat:LOST", false),
        ("id:1", false),
    ] {
        assert_eq!(read(text).is_understood, is_understood, "{text}");
    }
}
