//! Documents as the builders of the official SDKs write them, kept as they came out of twilio-python
//! 9.13.0 and twilio-node 6.2.0.

use super::outline;

#[test]
fn what_the_sdks_build_is_understood() {
    const BODY: &str = "message body=\"Hi & <bye> \\\"q\\\" 'a' é 😀\\nsecond line\"";
    const FULL: &str = "message to=+14155550101 from=+14155550102 \
                        callback=GET https://example.com/status?a=1&b=2 body=\"Hi\"";
    const NESTED: &str = "message media=https://example.com/a.png?x=1&y=2 \
                          media=https://example.com/b.png body=\"Look: 1 < 2\"";
    const LOOSE: &str = "message media=https://example.com/a.png body=\"Loose\"";
    const NEXT: &str = "redirect GET https://example.com/next?a=1&b=2";
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        // Python.
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response />"#, &[]),
        (concat!(r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Hi &amp; &lt;bye&gt; "q" 'a' é 😀"#, "\n",
            "second line</Message></Response>"), &[BODY]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message action="/status?a=1&amp;b=2" from="+14155550102" method="GET" statusCallback="https://example.com/old" to="+14155550101">Hi</Message></Response>"#, &[FULL]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message><Body>Look: 1 &lt; 2</Body><Media>https://example.com/a.png?x=1&amp;y=2</Media><Media>https://example.com/b.png</Media></Message></Response>"#, &[NESTED]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Loose<Media>https://example.com/a.png</Media></Message></Response>"#, &[LOOSE]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Appended</Message><Message>Two</Message><Redirect method="GET">https://example.com/next?a=1&amp;b=2</Redirect></Response>"#,
            &["message body=\"Appended\"", "message body=\"Two\"", NEXT]),
        ("<Response><Message>No declaration</Message></Response>", &["message body=\"No declaration\""]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message dataExtra="x">Commented</Message><Custom attr="v">text</Custom>loose</Response>"#,
            &["message body=\"Commented\"", "12200", "12200", "12200"]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message /></Response>"#, &["14103"]),
        // Node.
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#, &[]),
        (concat!(r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Hi &amp; &lt;bye&gt; "q" 'a' é 😀"#, "\n",
            "second line</Message></Response>"), &[BODY]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message to="+14155550101" from="+14155550102" action="/status?a=1&amp;b=2" method="GET" statusCallback="https://example.com/old">Hi</Message></Response>"#, &[FULL]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message><Body>Look: 1 &lt; 2</Body><Media>https://example.com/a.png?x=1&amp;y=2</Media><Media>https://example.com/b.png</Media></Message></Response>"#, &[NESTED]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>Loose<Media>https://example.com/a.png</Media></Message></Response>"#, &[LOOSE]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message>One</Message><Message>Two</Message><Redirect method="GET">https://example.com/next?a=1&amp;b=2</Redirect></Response>"#,
            &["message body=\"One\"", "message body=\"Two\"", NEXT]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><!-- before --><Response><!-- in --><Message>Commented</Message>loose<Custom attr="v"/></Response><!-- after -->"#,
            &["message body=\"Commented\"", "12200", "12200"]),
        (r#"<?xml version="1.0" encoding="UTF-8"?><Response><Message/></Response>"#, &["14103"]),
    ];
    for (document, expected) in rows {
        for content_type in [
            Some("text/xml"),
            Some("application/xml; charset=utf-8"),
            None,
        ] {
            assert_eq!(
                &outline(content_type, document.as_bytes()),
                expected,
                "{document}"
            );
        }
    }
}
