//! Both sides of every limit.

use super::super::bounds::{ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX, NAMESPACES_MAX};
use super::*;

fn read(document: &str) -> Vec<String> {
    outline(Some("text/xml"), document.as_bytes())
}

fn response(verbs: &str) -> String {
    format!("<Response>{verbs}</Response>")
}

const FAILURE: [&str; 1] = ["failure 12100"];

#[test]
fn an_answer_has_at_most_64_kilobytes() {
    let padded = |octets: usize| {
        let document = response("");
        format!("{document}{}", " ".repeat(octets - document.len()))
    };
    assert!(read(&padded(OCTETS_MAX)).is_empty());
    assert_eq!(read(&padded(OCTETS_MAX + 1)), ["failure 11750"]);
    // Empty or not, and of whatever type.
    let blank = " ".repeat(OCTETS_MAX + 1);
    assert_eq!(
        outline(Some("text/plain"), blank.as_bytes()),
        ["failure 11750"]
    );
}

#[test]
fn elements_are_nested_32_deep_at_most() {
    let nested = |levels: usize| format!("{}{}", "<b>".repeat(levels), "</b>".repeat(levels));
    assert_eq!(read(&response(&nested(DEPTH_MAX - 1))), ["12200"]);
    assert_eq!(read(&response(&nested(DEPTH_MAX))), FAILURE);
    // Elements beside each other are not deep, however they end.
    assert_eq!(
        read(&response(&"<b/><b></b>".repeat(DEPTH_MAX))).len(),
        FAULTS_MAX
    );
    // All that fits into an answer, closed or not: no stack is spent on it.
    assert_eq!(read(&response(&nested(9_000))), FAILURE);
    assert_eq!(read(&"<b>".repeat(20_000)), FAILURE);
}

#[test]
fn elements_attributes_and_namespaces_are_counted() {
    let elements = |count: usize| response(&"<b/>".repeat(count - 1));
    assert_eq!(read(&elements(ELEMENTS_MAX)).len(), FAULTS_MAX);
    assert_eq!(read(&elements(ELEMENTS_MAX + 1)), FAILURE);

    let attributes = |count: usize| -> String {
        let attributes: Vec<String> = (0..count).map(|n| format!(" a{n}='>'")).collect();
        response(&format!("<b{}/>", attributes.concat()))
    };
    assert_eq!(read(&attributes(ATTRIBUTES_MAX)), ["12200"]);
    assert_eq!(read(&attributes(ATTRIBUTES_MAX + 1)), FAILURE);

    let namespaces = |count: usize| -> String {
        let verbs: Vec<String> = (0..count).map(|n| format!("<b xmlns:a{n}='u'/>")).collect();
        response(&verbs.concat())
    };
    assert_eq!(read(&namespaces(NAMESPACES_MAX)).len(), FAULTS_MAX);
    assert_eq!(read(&namespaces(NAMESPACES_MAX + 1)), FAILURE);
}

#[test]
fn markup_that_is_no_element_costs_nothing() {
    let comments = "<!-- <b><b> -->".repeat(ELEMENTS_MAX);
    let data = format!("<![CDATA[{}]]>", "<b a='".repeat(200));
    let verbs = format!("{comments}<?pi <b>?><Message>{data}</Message>");
    assert_eq!(read(&response(&verbs)).len(), 1);
}

#[test]
fn ten_messages_answer_one() {
    let message = "<Message>Hi</Message>";
    let read = |count: usize, left: usize| {
        let limits = Limits {
            messages: left,
            ..Limits::default()
        };
        let document = response(&format!(
            "{}<Redirect>next</Redirect>",
            message.repeat(count)
        ));
        let reply = read_at_example(None, document.as_bytes(), &limits).unwrap();
        assert!(reply.redirect.is_some());
        let codes: Vec<u32> = reply.faults.iter().map(|fault| fault.code.into()).collect();
        (reply.messages.len(), codes)
    };
    assert_eq!(read(MESSAGES_MAX, MESSAGES_MAX), (10, vec![]));
    assert_eq!(read(MESSAGES_MAX + 1, MESSAGES_MAX), (10, vec![14_109]));
    assert_eq!(read(MESSAGES_MAX + 5, MESSAGES_MAX), (10, vec![14_109]));
    assert_eq!(read(3, 2), (2, vec![14_109]));
    assert_eq!(read(1, 0), (0, vec![14_109]));

    let limits = Limits {
        messages: 0,
        ..Limits::default()
    };
    assert_eq!(
        outline_within(Some("text/plain"), b"Hi", &limits),
        ["14109"]
    );
    // A message that cannot be sent takes no place.
    let skipped = response(&format!("<Message/>{}", message.repeat(MESSAGES_MAX)));
    let codes: Vec<String> = outline(None, skipped.as_bytes());
    assert_eq!(codes.len(), MESSAGES_MAX + 1);
    assert_eq!(codes.last().unwrap(), "14103");
}

#[test]
fn a_body_has_1600_characters_and_a_message_ten_media() {
    for (length, codes) in [
        (BODY_CHARS_MAX, vec![]),
        (BODY_CHARS_MAX + 1, vec!["14103"]),
    ] {
        // Code points, not octets nor UTF-16 units.
        let body = "😀".repeat(length);
        let is_sent = codes.is_empty();
        let document = response(&format!("<Message>\n{body}\n</Message>"));
        for (content_type, body) in [("text/xml", document.as_str()), ("text/plain", &body)] {
            let outline = outline(Some(content_type), body.as_bytes());
            assert_eq!(
                outline[0].starts_with("message"),
                is_sent,
                "{content_type} {length}"
            );
            assert_eq!(
                outline[usize::from(is_sent)..],
                codes,
                "{content_type} {length}"
            );
        }
    }
    let media = |count| {
        response(&format!(
            "<Message>{}</Message>",
            "<Media>a</Media>".repeat(count)
        ))
    };
    assert!(read(&media(MEDIA_MAX))[0].starts_with("message"));
    assert_eq!(read(&media(MEDIA_MAX + 1)), ["14103"]);
}

#[test]
fn faults_are_few_and_short() {
    let name = "x".repeat(5_000);
    for document in [
        response(&format!("<{name}/>")),
        response(&format!("<Message {name}=''>Hi</Message>")),
        response(&format!("<Message method='{name}'>Hi</Message>")),
        response(&format!("<Redirect method='{name}'>next</Redirect>")),
        format!("<{name}/>"),
        format!("<{name}></y>"),
        format!("<{name} {name}='' {name}=''/>"),
        format!("<?xml version='1.0' encoding='{name}'?><Response/>"),
    ] {
        let texts = fault_texts(&document);
        assert_eq!(texts.len(), 1);
        assert!(texts[0].len() <= 300, "{}", texts[0].len());
    }
}
