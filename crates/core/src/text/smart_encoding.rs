//! Smart encoding: a text that is UCS-2 only for its typographic quotes and dashes becomes GSM-7.
//!
//! Comes after link shortening and before the segment count. All or nothing: a text that would stay
//! UCS-2 anyway is sent exactly as written. URLs are never touched, since a replaced character would
//! lead somewhere else. The reasons are in `docs/encoding.md`.
//!
//! The list is `data/smart_encoding.csv`: Twilio's published one, with every kind of blank as one space.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use super::{Encoding, count_segments, gsm7};

/// The text to send: with look-alikes replaced if that makes it GSM-7, else the body itself.
///
/// Borrowed means untouched. The result never takes more segments than the body, and is never empty
/// unless the body is: a body of invisible characters alone is sent as it is.
pub fn smart_encode(body: &str) -> Cow<'_, str> {
    if Encoding::of(body) == Encoding::Gsm7 {
        return Cow::Borrowed(body);
    }
    match replace_outside_urls(body) {
        Some(replaced) if !replaced.is_empty() && !costs_more(&replaced, body) => {
            Cow::Owned(replaced)
        }
        _ => Cow::Borrowed(body),
    }
}

/// A few characters grow (a tab to seven spaces, a fraction to three characters).
fn costs_more(replaced: &str, body: &str) -> bool {
    count_segments(replaced).segments > count_segments(body).segments
}

/// The whole text in GSM-7, or `None` when something in it cannot be replaced, or may not.
fn replace_outside_urls(body: &str) -> Option<String> {
    let mut replaced = String::new();
    let mut rest = body;
    while let Some(url) = find_url(rest) {
        replace_into(&mut replaced, &rest[..url.start])?;
        let link = &rest[url.clone()];
        gsm7::septet_count(link)?;
        replaced.push_str(link);
        rest = &rest[url.end..];
    }
    replace_into(&mut replaced, rest)?;
    Some(replaced)
}

fn replace_into(replaced: &mut String, text: &str) -> Option<()> {
    for c in text.chars() {
        if gsm7::septets_of(c).is_some() {
            replaced.push(c);
        } else {
            replaced.push_str(replacement(c)?);
        }
    }
    Some(())
}

/// What a character on the list becomes: GSM-7 characters, or nothing for an invisible one.
fn replacement(c: char) -> Option<&'static str> {
    let row = LIST.binary_search_by_key(&c, |row| row.0).ok()?;
    Some(LIST[row].1)
}

/// The data file, in the order of code points. Read once; only texts outside GSM-7 come here.
static LIST: LazyLock<Vec<(char, &'static str)>> = LazyLock::new(|| {
    let mut list: Vec<_> = include_str!("../../data/smart_encoding.csv")
        .lines()
        .skip(1)
        .map(|line| parse_row(line).expect("a test has read every row of the data file"))
        .collect();
    list.sort_unstable_by_key(|row| row.0);
    list
});

/// `U+2026,HORIZONTAL ELLIPSIS,...,002E 002E 002E`; a comma and a quote are themselves quoted.
fn parse_row(line: &'static str) -> Option<(char, &'static str)> {
    let (code_point, line) = line.strip_prefix("U+")?.split_once(',')?;
    let (_name, line) = line.split_once(',')?;
    let (replacement, _hex) = line.rsplit_once(',')?;
    let replacement = match replacement {
        r#""""""# => r#"""#,
        r#"",""# => ",",
        plain => plain,
    };
    Some((
        char::from_u32(u32::from_str_radix(code_point, 16).ok()?)?,
        replacement,
    ))
}

/// The first `http://` or `https://` link, without the punctuation behind it.
///
/// Sees more links than a link shortener would: what it finds too much stays as written, what it
/// missed would break. So a link ends only at white space or at a character that no URL holds and
/// that stays what it is. `https://example.com，ok` is one link here, because with its comma
/// replaced a handset would take it for one.
fn find_url(text: &str) -> Option<Range<usize>> {
    text.match_indices("://").find_map(|(colon, _)| {
        let scheme = ["https", "http"]
            .into_iter()
            .find(|scheme| ends_with(&text[..colon], scheme))?;
        let start = colon - scheme.len();
        let rest = &text[start..];
        let length = rest.find(ends_url).unwrap_or(rest.len());
        Some(start..start + without_punctuation(&rest[..length]).len())
    })
}

fn ends_with(text: &str, scheme: &str) -> bool {
    let tail = text
        .len()
        .checked_sub(scheme.len())
        .and_then(|start| text.get(start..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(scheme))
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || matches!(c, '<' | '>' | '"' | '{' | '}' | '\\' | '^' | '|')
}

/// Cuts off what ends the sentence rather than the link, also when it is only about to become
/// that: `”` and `…` go, and so does a bracket that the link did not open.
fn without_punctuation(mut url: &str) -> &str {
    let count = |bracket| {
        url.chars()
            .filter(|c| first_shown(*c) == Some(bracket))
            .count()
    };
    let mut unopened_round = count(')').saturating_sub(count('('));
    let mut unopened_square = count(']').saturating_sub(count('['));
    while let Some(last) = url.chars().next_back() {
        let unopened = match first_shown(last) {
            None
            | Some('.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' | '<' | '>' | '"') => {
                url = &url[..url.len() - last.len_utf8()];
                continue;
            }
            Some(')') => &mut unopened_round,
            Some(']') => &mut unopened_square,
            Some(_) => break,
        };
        if *unopened == 0 {
            break;
        }
        *unopened -= 1;
        url = &url[..url.len() - last.len_utf8()];
    }
    url
}

/// The first character that smart encoding makes of `c`, or `None` when nothing is left of it.
fn first_shown(c: char) -> Option<char> {
    match replacement(c) {
        Some(shown) => shown.chars().next(),
        None => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_row_of_the_data_file_is_applied() {
        let lines: Vec<&str> = include_str!("../../data/smart_encoding.csv")
            .lines()
            .skip(1)
            .collect();
        assert_eq!(lines.len(), 270);
        assert_eq!(LIST.len(), lines.len());
        for line in lines {
            let code_point = u32::from_str_radix(&line[2..6], 16).unwrap();
            let c = char::from_u32(code_point).unwrap();
            // The hexadecimal column is the same replacement, written without quotes and blanks.
            let (_, hex) = line.rsplit_once(',').unwrap();
            let expected: String = hex
                .split_whitespace()
                .map(|unit| char::from_u32(u32::from_str_radix(unit, 16).unwrap()).unwrap())
                .collect();
            assert_eq!(replacement(c), Some(expected.as_str()), "{line}");
            assert_eq!(Encoding::of(&c.to_string()), Encoding::Ucs2, "{line}");
            assert_eq!(Encoding::of(&expected), Encoding::Gsm7, "{line}");
            assert_eq!(
                smart_encode(&format!("ok {c}")),
                format!("ok {expected}"),
                "{line}"
            );
        }
    }

    #[test]
    fn texts_are_sent_as_the_rule_says() {
        // Submitted, sent.
        let replaced = [
            ("“Hi” — ok…", "\"Hi\" - ok..."),
            ("It’s 5\u{A0}o’clock", "It's 5 o'clock"),
            ("½ price", "1/2 price"),
            ("ＳＭＳ［１］", "SMS[1]"),
            ("‹menu› «go»", ">menu< \"go\""),
            ("\u{FEFF}zero\u{200B}width", "zerowidth"),
            // Each code point by itself: no composing first, and the result is not looked up again.
            ("a\u{302}", "a^"),
            ("“é” €", "\"é\" €"),
        ];
        for (body, sent) in replaced {
            assert_eq!(smart_encode(body), sent);
        }
        let untouched = [
            "",
            "plain, with € and é and [",
            // Something remains that no list covers: not a quote is changed.
            "“Hi” 😀",
            "“Hi” 안녕",
            "“Hi” ç",
            "“Hi” 5\u{2032}",
            "“soft\u{AD}hyphen”",
            // Nothing would be left to send.
            "\u{200B}\u{FEFF}",
        ];
        for body in untouched {
            assert!(
                matches!(smart_encode(body), Cow::Borrowed(sent) if sent == body),
                "{body:?}"
            );
        }
    }

    #[test]
    fn a_replacement_that_would_cost_a_segment_is_not_made() {
        // 23 tabs are 23 UTF-16 units or 161 septets; 22 tabs are 154.
        let tabs = "\t".repeat(23);
        assert_eq!(smart_encode(&tabs), tabs);
        assert_eq!(smart_encode(&tabs[1..]), " ".repeat(154));
        // 70 units each: 140 septets are one segment too, 210 are two.
        assert_eq!(smart_encode(&"＾".repeat(70)), "^".repeat(70));
        assert_eq!(smart_encode(&"½".repeat(70)), "½".repeat(70));
    }

    #[test]
    fn links_are_found_without_what_only_follows_them() {
        // Text, link in it ("" for none).
        let table = [
            ("see https://a.example/b now", "https://a.example/b"),
            ("HTTP://A.example", "HTTP://A.example"),
            ("“https://a.example/b”", "https://a.example/b"),
            ("«https://a.example/b» ", "https://a.example/b"),
            ("(https://a.example/b)", "https://a.example/b"),
            ("（https://a.example/b）", "https://a.example/b"),
            ("[x](https://a.example/b_(c)).", "https://a.example/b_(c)"),
            ("https://a.example/b…", "https://a.example/b"),
            ("https://a.example/b!!\u{200B}", "https://a.example/b"),
            ("https://a.example/b/?", "https://a.example/b/"),
            ("<https://a.example/b>x", "https://a.example/b"),
            ("https://a.example/b\u{3000}x", "https://a.example/b"),
            // What would be glued to the link if it were replaced stays part of it.
            ("https://a.example/b–c", "https://a.example/b–c"),
            (
                "https://a.example/b\u{200B}c",
                "https://a.example/b\u{200B}c",
            ),
            ("https://a.example，b", "https://a.example，b"),
            ("xhttps://a.example", "https://a.example"),
            ("mailto:a@a.example", ""),
            ("ftp://a.example", ""),
            ("é://a.example", ""),
            ("://", ""),
        ];
        for (text, link) in table {
            assert_eq!(
                find_url(text).map_or("", |url| &text[url]),
                link,
                "{text:?}"
            );
        }
    }

    #[test]
    fn links_are_never_changed() {
        let table = [
            ("“Sale” https://a.example/b", "\"Sale\" https://a.example/b"),
            ("“https://a.example/b”", "\"https://a.example/b\""),
            (
                "https://a.example – http://b.example…",
                "https://a.example - http://b.example...",
            ),
            (
                "“Sale” https://a.example/b–c",
                "“Sale” https://a.example/b–c",
            ),
            ("“Sale” https://a.example/ｂ", "“Sale” https://a.example/ｂ"),
            (
                "“Sale” http://b.example https://a–b.example",
                "“Sale” http://b.example https://a–b.example",
            ),
        ];
        for (body, sent) in table {
            assert_eq!(smart_encode(body), sent);
        }
    }

    fn body() -> impl Strategy<Value = String> {
        let pieces = vec![
            "a",
            "é",
            "€",
            "[",
            " ",
            "“",
            "”",
            "’",
            "…",
            "–",
            "½",
            "\t",
            "\u{A0}",
            "\u{200B}",
            "\0",
            "（",
            "）",
            "，",
            "https://",
            "http://a.example/b",
            "(",
            ")",
            "]",
            "/",
            ".",
            "Ｈ",
            "\r\n",
        ];
        let piece = prop_oneof![
            400 => proptest::sample::select(pieces).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ];
        let run = (piece, 1_usize..20).prop_map(|(piece, times)| piece.repeat(times));
        proptest::collection::vec(run, 0..30).prop_map(|runs| runs.concat())
    }

    proptest! {
        #[test]
        fn the_result_is_the_body_or_gsm7_and_never_longer(text in body()) {
            let sent = smart_encode(&text);
            prop_assert!(sent == text || Encoding::of(&sent) == Encoding::Gsm7);
            prop_assert!(count_segments(&sent).segments <= count_segments(&text).segments);
            prop_assert_eq!(sent.is_empty(), text.is_empty());
        }

        #[test]
        fn a_second_time_changes_nothing(text in body()) {
            let sent = smart_encode(&text);
            prop_assert_eq!(smart_encode(&sent), sent.as_ref());
        }

        #[test]
        fn a_text_in_gsm7_is_untouched(text in body()) {
            let text: String = text.chars().filter(|c| gsm7::septets_of(*c).is_some()).collect();
            prop_assert!(matches!(smart_encode(&text), Cow::Borrowed(sent) if sent == text));
        }

        #[test]
        fn every_link_of_the_body_is_a_link_of_the_result(text in body()) {
            let sent = smart_encode(&text);
            prop_assert_eq!(links(&sent), links(&text));
        }
    }

    fn links(text: &str) -> Vec<&str> {
        let mut links = Vec::new();
        let mut rest = text;
        while let Some(url) = find_url(rest) {
            links.push(&rest[url.clone()]);
            rest = &rest[url.end..];
        }
        links
    }
}
