//! Kinds of answers, and the charsets they come in.

use super::outline;

const NOTHING: &[&str] = &[];

#[test]
fn the_content_type_says_what_the_body_is() {
    let twiml = "<Response><Message>Hi</Message></Response>";
    let hi: &[&str] = &["message body=\"Hi\""];
    #[rustfmt::skip]
    let rows: &[(Option<&str>, &str, &[&str])] = &[
        (Some("text/xml"), twiml, hi),
        (Some("application/xml"), twiml, hi),
        (Some("text/html"), twiml, hi),
        (Some("Text/XML; Charset=\"UTF-8\""), twiml, hi),
        (Some("text/plain"), "Hi", hi),
        (Some("text/plain; charset=utf-8"), "\n Hi \r\n", hi),
        (Some("text/plain"), "One\n\nTwo", &["message body=\"One\\n\\nTwo\""]),
        // Whoever says text means text.
        (Some("text/plain"), "<Response/>", &["message body=\"<Response/>\""]),
        (None, twiml, hi),
        (Some(" "), twiml, hi),
        (None, " \r\n<Response><Message>Hi</Message></Response>", hi),
        (None, "Hi", hi),
        (None, "a < b", &["message body=\"a < b\""]),
        (None, "<3", &["failure 12100"]),
        (Some("application/json"), "{}", &["failure 12300"]),
        (Some("application/x-www-form-urlencoded"), "Body=Hi", &["failure 12300"]),
        (Some("text"), "Hi", &["failure 12300"]),
        (Some("text/xmlish"), twiml, &["failure 12300"]),
        (Some("application/soap+xml"), twiml, &["failure 12300"]),
        (Some("text/xml"), "Hi", &["failure 12100"]),
        (Some("text/html"), "<!DOCTYPE html><html></html>", &["failure 12100"]),
        (Some("text/html"), "<html><body>It works!</body></html>", &["failure 12102"]),
    ];
    for (content_type, body, expected) in rows {
        assert_eq!(
            &outline(*content_type, body.as_bytes()),
            expected,
            "{content_type:?} {body}"
        );
    }
}

#[test]
fn nothing_said_is_nothing_to_reply() {
    for content_type in [
        None,
        Some("text/xml"),
        Some("text/plain"),
        Some("application/json"),
        Some("image/png"),
    ] {
        for body in ["", " ", "\r\n\t"] {
            assert_eq!(
                outline(content_type, body.as_bytes()),
                NOTHING,
                "{content_type:?} {body:?}"
            );
        }
    }
    assert_eq!(
        outline(Some("text/plain"), "\u{FEFF}\n\u{2003}".as_bytes()),
        NOTHING
    );
    assert_eq!(outline(Some("text/xml"), b"<Response/>"), NOTHING);
    assert_eq!(outline(Some("text/xml"), b"<Response></Response>"), NOTHING);
}

fn utf16(text: &str, octets: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(octets).collect()
}

#[test]
fn the_charset_comes_from_the_mark_then_the_header_then_the_declaration() {
    let (be, le) = (u16::to_be_bytes, u16::to_le_bytes);
    let doc = |encoding: &str, text: &str| {
        format!(
            "<?xml version='1.0' encoding='{encoding}'?><Response><Message>{text}</Message></Response>"
        )
    };
    let utf8 = doc("UTF-8", "é€").into_bytes();
    let marked = [b"\xEF\xBB\xBF".to_vec(), utf8.clone()].concat();
    // é€ in windows-1252.
    let latin = |encoding: &str| {
        let text = doc(encoding, "?!");
        let (before, after) = text.split_once("?!").unwrap();
        [before.as_bytes(), b"\xE9\x80", after.as_bytes()].concat()
    };
    let undeclared = latin("");
    let undeclared = &undeclared[undeclared.iter().position(|o| *o == b'R').unwrap() - 1..];
    let plain = "<Response><Message>é€</Message></Response>";
    let be_marked = utf16(&format!("\u{FEFF}{}", doc("utf-16", "é€")), be);
    let le_marked = utf16(&format!("\u{FEFF}{}", doc("utf-16", "é€")), le);
    for (content_type, body) in [
        (Some("text/xml"), utf8.as_slice()),
        (Some("text/xml; charset=utf-8"), &utf8),
        (Some("text/xml; charset=us-ascii"), &utf8),
        (Some("text/xml; q=\"a;b\"; charset=\"UTF-8\""), &utf8),
        (None, &utf8),
        (Some("text/xml"), &marked),
        (Some("text/xml; charset=iso-8859-1"), &marked),
        (Some("text/xml; charset=ISO-8859-1"), undeclared),
        (Some("text/xml; charset=windows-1252"), &latin("utf-8")),
        (Some("text/xml"), &latin("iso-8859-1")),
        (None, &latin("Latin1")),
        (Some("text/xml"), &be_marked),
        (Some("text/xml; charset=utf-8"), &le_marked),
        (None, &le_marked),
        (Some("text/xml"), &utf16(plain, be)),
        (Some("text/xml"), &utf16(plain, le)),
        (None, &utf16(plain, le)),
        (Some("text/xml; charset=utf-16"), &utf16(plain, be)),
        (Some("text/xml; charset=utf-16"), &utf16(plain, le)),
        (Some("text/xml; charset=utf-16le"), &utf16(plain, le)),
        (Some("text/plain; charset=utf-8"), "é€".as_bytes()),
        (Some("text/plain; charset=iso-8859-1"), b"\xE9\x80"),
        (Some("text/plain; charset=UTF-16BE"), &utf16("é€", be)),
        (Some("text/plain"), &utf16("\u{FEFF}é€", le)),
    ] {
        let octets = body.escape_ascii();
        assert_eq!(
            outline(content_type, body),
            ["message body=\"é€\""],
            "{content_type:?} {octets}"
        );
    }
}

#[test]
fn what_does_not_decode_is_refused() {
    let ebcdic = "<?xml version='1.0' encoding='ebcdic'?><Response/>";
    for (content_type, body, expected) in [
        (
            Some("text/xml"),
            b"<Response>\xE9</Response>".as_slice(),
            "failure 12100",
        ),
        (Some("text/plain"), b"\xE9", "failure 12300"),
        (None, b"\xE9", "failure 12300"),
        (Some("text/xml; charset=utf-16"), b"\0<\0", "failure 12100"),
        // Half of a surrogate pair.
        (
            Some("text/plain; charset=utf-16be"),
            b"\xD8\x3D",
            "failure 12300",
        ),
        (
            Some("text/plain; charset=shift_jis"),
            b"Hi",
            "failure 12300",
        ),
        (Some("text/xml; charset=x"), b"<Response/>", "failure 12300"),
        (Some("text/xml"), ebcdic.as_bytes(), "failure 12100"),
    ] {
        let octets = body.escape_ascii();
        assert_eq!(
            outline(content_type, body),
            [expected],
            "{content_type:?} {octets}"
        );
    }
}
