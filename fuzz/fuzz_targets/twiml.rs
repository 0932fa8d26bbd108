//! Any octets as the answer of an inbound webhook: read or refused, and what is read can be sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_core::create::{BODY_CHARS_MAX, MEDIA_MAX};
use postrider_core::twiml::{self, Answer, InboundAddresses, Limits};
use url::Url;

fuzz_target!(|input: (Option<&str>, &[u8])| {
    let (content_type, body) = input;
    let url = Url::parse("https://example.com/app/sms?tenant=7").expect("a URL");
    // Half of the answers are XML, whatever the fuzzer thinks of content types.
    for content_type in [content_type, Some("text/xml")] {
        let answer = Answer {
            url: &url,
            content_type,
            body,
        };
        let limits = Limits::default();
        let Ok(reply) = twiml::read(&answer, &limits) else {
            continue;
        };
        assert!(reply.messages.len() <= limits.messages);
        for message in &reply.messages {
            let body = message.body.as_deref().unwrap_or_default();
            assert!(!body.is_empty() || !message.media_urls.is_empty());
            assert!(body.chars().count() <= BODY_CHARS_MAX);
            assert!(message.media_urls.len() <= MEDIA_MAX);
            for inbound in [
                ("+14155550199", "+14155550101"),
                ("whatsapp:+447700900199", "whatsapp:+14155550101"),
                ("ACME", "55501"),
            ] {
                let (from, to) = inbound;
                let _ = message.addresses(InboundAddresses { from, to });
            }
        }
    }
});
