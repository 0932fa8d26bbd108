//! From octets to text: what kind of answer it is, and which characters its octets spell.
//!
//! A byte order mark overrules the header's charset, and that the XML declaration, as RFC 7303 orders
//! them; without any of them it is UTF-8. Latin-1 means windows-1252, as it does on the web: the
//! control characters that set them apart are in nobody's text. What does not decode is refused, not
//! guessed at: a reply with replacement characters would reach a handset.

use super::shown;
use crate::error_code::ErrorCode;
use crate::fault::Fault;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing to reply.
    Empty,
    /// The text of one reply.
    Text(String),
    Twiml(String),
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Twiml,
}

#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Windows1252,
    Utf16Be,
    Utf16Le,
}

pub(super) fn read(content_type: Option<&str>, body: &[u8]) -> Result<Content, Fault> {
    // An application that has nothing to say is right in any content type.
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Content::Empty);
    }
    let header = content_type
        .map(str::trim)
        .filter(|header| !header.is_empty());
    let kind = match header {
        Some(header) => declared_kind(header)?,
        None => sniffed_kind(body),
    };
    let (charset, octets) = match byte_order_mark(body) {
        Some(marked) => marked,
        None => (charset_of(header, kind, body)?, body),
    };
    let Some(text) = decode(charset, octets) else {
        let code = match kind {
            Kind::Text => ErrorCode::ContentTypeInvalid,
            Kind::Twiml => ErrorCode::TwimlUnparseable,
        };
        let text = format!("The body is not {}", charset.name());
        return Err(Fault::because(code, text));
    };
    Ok(match kind {
        _ if text.trim().is_empty() => Content::Empty,
        Kind::Text => Content::Text(text),
        Kind::Twiml => Content::Twiml(text),
    })
}

fn declared_kind(header: &str) -> Result<Kind, Fault> {
    let media_type = header.split(';').next().unwrap_or_default().trim();
    match media_type.to_ascii_lowercase().as_str() {
        "text/xml" | "application/xml" | "text/html" => Ok(Kind::Twiml),
        "text/plain" => Ok(Kind::Text),
        _ => {
            let given = shown(header);
            let text =
                format!("The content type is {given}, expected text/xml, text/html or text/plain");
            Err(Fault::because(ErrorCode::ContentTypeInvalid, text))
        }
    }
}

/// Whether the first sign is `<`, in any charset that is read here.
fn sniffed_kind(body: &[u8]) -> Kind {
    let octets = byte_order_mark(body).map_or(body, |(_, octets)| octets);
    let first = octets
        .iter()
        .find(|octet| **octet != 0 && !octet.is_ascii_whitespace());
    match first {
        Some(b'<') => Kind::Twiml,
        Some(_) | None => Kind::Text,
    }
}

fn byte_order_mark(body: &[u8]) -> Option<(Charset, &[u8])> {
    let marks: [(&[u8], Charset); 3] = [
        (b"\xEF\xBB\xBF", Charset::Utf8),
        (b"\xFE\xFF", Charset::Utf16Be),
        (b"\xFF\xFE", Charset::Utf16Le),
    ];
    marks
        .into_iter()
        .find_map(|(mark, charset)| Some((charset, body.strip_prefix(mark)?)))
}

/// The charset of a body without a byte order mark.
fn charset_of(header: Option<&str>, kind: Kind, body: &[u8]) -> Result<Charset, Fault> {
    let unmarked = match body {
        [b'<', 0, ..] => Charset::Utf16Le,
        _ => Charset::Utf16Be,
    };
    let read = |label: &str, code| {
        Charset::parse(label, unmarked).ok_or_else(|| {
            let given = shown(label);
            let text = format!("The charset {given} cannot be read, use utf-8");
            Fault::because(code, text)
        })
    };
    if let Some(label) = header.and_then(charset_parameter) {
        return read(label, ErrorCode::ContentTypeInvalid);
    }
    match (kind, body) {
        (Kind::Twiml, [b'<', 0, ..] | [0, b'<', ..]) => Ok(unmarked),
        (Kind::Twiml, _) => match declared_encoding(body) {
            Some(label) => read(label, ErrorCode::TwimlUnparseable),
            None => Ok(Charset::Utf8),
        },
        (Kind::Text, _) => Ok(Charset::Utf8),
    }
}

fn charset_parameter(header: &str) -> Option<&str> {
    header.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"'))
    })
}

/// The encoding in an XML declaration whose charset is like ASCII as far as that.
fn declared_encoding(body: &[u8]) -> Option<&str> {
    let rest = body.strip_prefix(b"<?xml")?;
    let end = rest.windows(2).position(|pair| pair == b"?>")?;
    let declaration = str::from_utf8(&rest[..end]).ok()?;
    let (_, after_name) = declaration.split_once("encoding")?;
    let value = after_name.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split_once(quote).map(|(label, _)| label)
}

impl Charset {
    fn parse(label: &str, unmarked_utf16: Self) -> Option<Self> {
        match label.to_ascii_lowercase().as_str() {
            // ASCII is the part of UTF-8 that the two share; servers name it by default.
            "utf-8" | "utf8" | "us-ascii" | "ascii" => Some(Self::Utf8),
            "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "windows-1252"
            | "cp1252" => Some(Self::Windows1252),
            "utf-16" | "utf16" => Some(unmarked_utf16),
            "utf-16be" => Some(Self::Utf16Be),
            "utf-16le" => Some(Self::Utf16Le),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "valid UTF-8",
            Self::Windows1252 => "valid Latin-1",
            Self::Utf16Be | Self::Utf16Le => "valid UTF-16",
        }
    }
}

fn decode(charset: Charset, octets: &[u8]) -> Option<String> {
    match charset {
        Charset::Utf8 => str::from_utf8(octets).ok().map(str::to_owned),
        Charset::Windows1252 => Some(octets.iter().copied().map(windows_1252).collect()),
        Charset::Utf16Be => decode_utf16(octets, u16::from_be_bytes),
        Charset::Utf16Le => decode_utf16(octets, u16::from_le_bytes),
    }
}

fn decode_utf16(octets: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, odd) = octets.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().copied().map(unit))
        .collect::<Result<_, _>>()
        .ok()
}

/// <https://encoding.spec.whatwg.org/index-windows-1252.txt>; the five codes without a character stay
/// controls.
fn windows_1252(octet: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž',
        '\u{8F}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}',
        'ž', 'Ÿ',
    ];
    match octet {
        0x80..=0x9F => HIGH[usize::from(octet - 0x80)],
        _ => char::from(octet),
    }
}
