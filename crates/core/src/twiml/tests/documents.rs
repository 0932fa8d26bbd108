//! Verbs, nouns, attributes, and what becomes of those that are wrong.

use super::{fault_texts, outline};

fn read(document: &str) -> Vec<String> {
    outline(Some("text/xml"), document.as_bytes())
}

/// Reads the verbs of a response.
fn verbs(verbs: &str) -> Vec<String> {
    read(&format!("<Response>{verbs}</Response>"))
}

#[test]
fn a_message_is_read() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("<Message>Hi</Message>", &["message body=\"Hi\""]),
        ("<Sms>Hi</Sms>", &["message body=\"Hi\""]),
        ("<Message>One</Message><Message>Two</Message>", &["message body=\"One\"", "message body=\"Two\""]),
        ("<Message><Body>Hi</Body></Message>", &["message body=\"Hi\""]),
        ("<Message to='+14155550199' from='ACME'>Hi</Message>", &["message to=+14155550199 from=ACME body=\"Hi\""]),
        ("<Message to=' (415) 555-0199 '>Hi</Message>", &["message to=(415) 555-0199 body=\"Hi\""]),
        // Media alone, beside text, and beside a body.
        ("<Message><Media>https://example.com/a.png</Media></Message>", &["message media=https://example.com/a.png"]),
        ("<Message>Hi<Media>/a.png</Media></Message>", &["message media=https://example.com/a.png body=\"Hi\""]),
        ("<Message><Media>a.png</Media><Body>Hi</Body><Media>b.png</Media></Message>",
            &["message media=https://example.com/app/a.png media=https://example.com/app/b.png body=\"Hi\""]),
    ];
    for (document, expected) in rows {
        assert_eq!(&verbs(document), expected, "{document}");
    }
}

#[test]
fn text_is_trimmed_and_keeps_its_lines() {
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("  Hi  ", "Hi"),
        ("\n\tOne\n\n  Two  \n", "One\n\n  Two"),
        ("One\r\nTwo\rThree", "One\nTwo\nThree"),
        ("a &amp;&lt;&gt;&quot;&apos; b", "a &<>\"' b"),
        ("&#72;&#x69;&#x1F600;&#10;!", "Hi😀\n!"),
        ("<![CDATA[1 < 2 && \"3\" <b>]]>", "1 < 2 && \"3\" <b>"),
        ("a <![CDATA[]]]]><![CDATA[>]]> b", "a ]]> b"),
        ("a<!-- not said -->b<?pi not said?>c", "abc"),
        ("  <!-- --> <![CDATA[ Hi ]]> ", "Hi"),
        ("&amp;amp;", "&amp;"),
        ("é 😀 \u{200B}", "é 😀 \u{200B}"),
    ];
    for (content, body) in rows {
        let expected = [format!("message body={body:?}")];
        assert_eq!(verbs(&format!("<Message>{content}</Message>")), expected);
        assert_eq!(
            verbs(&format!("<Message><Body>{content}</Body></Message>")),
            expected
        );
    }
    let url = "<Redirect>\n  https://example.com/?a=1&amp;b=2\n</Redirect>";
    assert_eq!(verbs(url), ["redirect POST https://example.com/?a=1&b=2"]);
}

#[test]
fn status_events_go_to_action_or_status_callback() {
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("action='https://example.net/s'", "POST https://example.net/s"),
        ("statusCallback='https://example.net/s'", "POST https://example.net/s"),
        ("action='https://example.net/new' statusCallback='https://example.net/old'", "POST https://example.net/new"),
        ("action='' statusCallback='https://example.net/old'", "POST https://example.net/old"),
        ("action='https://example.net/s' method='GET'", "GET https://example.net/s"),
        ("action='https://example.net/s' method='post'", "POST https://example.net/s"),
        ("action='https://example.net/s' method=''", "POST https://example.net/s"),
        // As written, where it is absolute: what is signed is the text.
        ("action='HTTPS://EXAMPLE.net:443?a b#rc=3'", "POST HTTPS://EXAMPLE.net:443?a b#rc=3"),
        ("action='http://user:pass@example.net'", "POST http://user:pass@example.net"),
        // Relative, to the document's URL without its fragment.
        ("action='status'", "POST https://example.com/app/status"),
        ("action='/status?a=1&amp;b=2'", "POST https://example.com/status?a=1&b=2"),
        ("action='../up'", "POST https://example.com/up"),
        ("action='?again'", "POST https://example.com/app/sms?again"),
        ("action='//example.net/x'", "POST https://example.net/x"),
        ("action='a?back=http://b/'", "POST https://example.com/app/a?back=http://b/"),
    ];
    for (attributes, callback) in rows {
        let expected = [format!("message callback={callback} body=\"Hi\"")];
        assert_eq!(
            verbs(&format!("<Message {attributes}>Hi</Message>")),
            expected,
            "{attributes}"
        );
    }
    let none = ["message body=\"Hi\""];
    assert_eq!(verbs("<Message method='GET'>Hi</Message>"), none);
    assert_eq!(
        verbs("<Message action='' statusCallback=' '>Hi</Message>"),
        none
    );
}

#[test]
fn a_redirect_ends_the_document() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("<Redirect>https://example.net/next</Redirect>", &["redirect POST https://example.net/next"]),
        ("<Redirect method='GET'>next</Redirect>", &["redirect GET https://example.com/app/next"]),
        ("<Message>Hi</Message><Redirect>next</Redirect><Message>No</Message><Foo/>",
            &["message body=\"Hi\"", "redirect POST https://example.com/app/next"]),
        ("<Redirect>one</Redirect><Redirect>two</Redirect>", &["redirect POST https://example.com/app/one"]),
        ("<Redirect method='PUT'>next</Redirect>", &["redirect POST https://example.com/app/next", "12200"]),
        ("<Redirect method=''>next</Redirect>", &["redirect POST https://example.com/app/next"]),
        ("<Redirect to='x'><b/>next</Redirect>", &["redirect POST https://example.com/app/next", "12200", "12200"]),
        // A redirect that leads nowhere ends it as well.
        ("<Redirect/><Message>No</Message>", &["11321"]),
        ("<Redirect>mailto:a@example.com</Redirect><Message>No</Message>", &["11321"]),
        ("<Redirect>https://</Redirect>", &["11321"]),
    ];
    for (document, expected) in rows {
        assert_eq!(&verbs(document), expected, "{document}");
    }
}

#[test]
fn a_verb_that_cannot_be_done_is_skipped_with_its_fault() {
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("<Message to=''>Hi</Message>", "14101"),
        ("<Message from=' '>Hi</Message>", "14102"),
        ("<Message/>", "14103"),
        ("<Message> <!-- --> </Message>", "14103"),
        ("<Message><Body/></Message>", "14103"),
        ("<Message><Media/>Hi</Message>", "14103"),
        ("<Message>Hi<Media>ftp://example.com/a</Media></Message>", "14103"),
        ("<Message>Hi<Media>data:text/plain,a</Media></Message>", "14103"),
        ("<Message method='PUT'>Hi</Message>", "14104"),
        ("<Message action='mailto:a@example.com'>Hi</Message>", "14105"),
        ("<Message statusCallback='http://'>Hi</Message>", "14105"),
        ("<Message action='https://exa mple.com/'>Hi</Message>", "14105"),
        ("<Say>Hi</Say>", "14110"),
        ("<Hangup/>", "14110"),
        ("<Foo>Hi</Foo>", "12200"),
        ("<message>Hi</message>", "12200"),
        ("<SMS>Hi</SMS>", "12200"),
        ("<redirect>next</redirect>", "12200"),
    ];
    for (document, code) in rows {
        let expected = ["message body=\"before\"", "message body=\"after\"", code];
        let around = format!("<Message>before</Message>{document}<Message>after</Message>");
        assert_eq!(verbs(&around), expected, "{document}");
    }
}

#[test]
fn what_is_not_understood_is_skipped_with_a_warning() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("<Message to_='1' TO='2'>Hi</Message>", &["message body=\"Hi\"", "12200", "12200"]),
        ("<Message>loose<Body>Hi</Body></Message>", &["message body=\"Hi\"", "12200"]),
        ("<Message>loose<Body> </Body></Message>", &["message body=\"loose\""]),
        ("<Message><Body>Hi</Body><Body>No</Body></Message>", &["message body=\"Hi\"", "12200"]),
        ("<Message><Body a='1'>Hi <b>there</b></Body></Message>", &["message body=\"Hi\"", "12200", "12200"]),
        ("<Message>Hi<Media a='1'>a.png</Media></Message>", &["message media=https://example.com/app/a.png body=\"Hi\"", "12200"]),
        ("<Message>Hi<Redirect>next</Redirect></Message>", &["message body=\"Hi\"", "12200"]),
        ("<Message>Hi<body>No</body></Message>", &["message body=\"Hi\"", "12200"]),
        ("loose<Message>Hi</Message>", &["message body=\"Hi\"", "12200"]),
        // Attributes of another namespace are none of ours.
        ("<Message xml:lang='en'>Hi</Message>", &["message body=\"Hi\""]),
        ("<Message xmlns:a='u' a:b='1'>Hi</Message>", &["message body=\"Hi\""]),
    ];
    for (document, expected) in rows {
        assert_eq!(&verbs(document), expected, "{document}");
    }
    for document in [
        "<Response xmlns='urn:x'><Message>Hi</Message></Response>",
        "<Response xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:noNamespaceSchemaLocation='twiml.xsd' version='2010-04-01'><Message>Hi</Message></Response>",
        "<?xml version='1.0' encoding='UTF-8'?>\n<!-- a --><?b c?>\n<Response>\n  <Message>Hi</Message>\n</Response>\n<!-- d -->\n",
    ] {
        assert_eq!(read(document), ["message body=\"Hi\""], "{document}");
    }
}

#[test]
fn what_is_no_document_is_a_failure() {
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("<Message>Hi</Message>", "12102"),
        ("<response><Message>Hi</Message></response>", "12102"),
        ("<Response>", "12100"),
        ("<Response><Message>Hi</Response>", "12100"),
        ("<Response><Message>a & b</Message></Response>", "12100"),
        ("<Response><Message>a < b</Message></Response>", "12100"),
        ("<Response><Message>a ]]> b</Message></Response>", "12100"),
        ("<Response><Message to=+14155550199>Hi</Message></Response>", "12100"),
        ("<Response><Message to='1' to='2'>Hi</Message></Response>", "12100"),
        ("<Response><Message to='<'>Hi</Message></Response>", "12100"),
        ("<Response><Message>a\u{0}b</Message></Response>", "12100"),
        ("<Response><Message>&#0;</Message></Response>", "12100"),
        ("<Response><x:Message>Hi</x:Message></Response>", "12100"),
        ("<Response/><Response/>", "12100"),
        ("<Response/>more", "12100"),
        ("warning: x\n<Response/>", "12100"),
        ("\n<?xml version='1.0'?><Response/>", "12100"),
        ("<!-- -->", "12100"),
        ("<Response><!-- -- --></Response>", "12100"),
        // Nothing but references to characters and the five that XML predefines is expanded.
        ("<Response><Message>&nbsp;</Message></Response>", "12100"),
        ("<!DOCTYPE Response><Response/>", "12100"),
        ("<!DOCTYPE Response [<!ENTITY a 'x'>]><Response><Message>&a;</Message></Response>", "12100"),
        ("<!DOCTYPE Response SYSTEM 'file:///etc/passwd'><Response/>", "12100"),
        ("<!DOCTYPE Response [<!ENTITY a SYSTEM 'http://127.0.0.1/'>]><Response><Message>&a;</Message></Response>", "12100"),
        ("<!DOCTYPE r [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'><!ENTITY c '&b;&b;'>]><Response><Message>&c;</Message></Response>", "12100"),
    ];
    for (document, code) in rows {
        assert_eq!(read(document), [format!("failure {code}")], "{document}");
    }
}

#[test]
fn a_fault_says_where_and_what() {
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("<Response>\n\n<Foo/></Response>", "12200: <Foo> at line 3: this verb is unknown and was skipped"),
        ("<Response><message>Hi</message></Response>",
            "12200: <message> at line 1: names are case-sensitive, write <Message>; the verb was skipped"),
        ("<Response>\n<Message statuscallback='x'>Hi</Message></Response>",
            "12200: <Message> at line 2: the attribute 'statuscallback' is unknown"),
        ("<Response><Message/></Response>", "14103: <Message> at line 1: The message has neither a body nor media"),
        ("<Response><Message>a & b</Message></Response>", "12100: malformed entity reference at 1:22"),
        ("<html/>", "12102: The root element is <html>, expected <Response>"),
        ("<!DOCTYPE html><html/>", "12100: The document has a document type declaration (<!DOCTYPE>), which is not read"),
    ];
    for (document, text) in rows {
        assert_eq!(fault_texts(document), [*text], "{document}");
    }
}
