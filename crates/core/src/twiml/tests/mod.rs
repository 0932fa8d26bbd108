//! What is read out of an answer: one row for each claim of `docs/twiml.md`.

mod addresses;
mod content;
mod documents;
mod limits;
mod properties;
mod sdk;

use super::*;

/// An answer of this URL, in short: one line for each message, the redirect, and each fault's code.
fn outline(content_type: Option<&str>, body: &[u8]) -> Vec<String> {
    outline_within(content_type, body, &Limits::default())
}

fn outline_within(content_type: Option<&str>, body: &[u8], limits: &Limits) -> Vec<String> {
    let reply = match read_at_example(content_type, body, limits) {
        Ok(reply) => reply,
        Err(fault) => return vec![format!("failure {}", fault.code)],
    };
    let messages = reply.messages.iter().map(outline_of_message);
    let redirect = reply
        .redirect
        .iter()
        .map(|next| format!("redirect {}", outline_of(next)));
    let faults = reply.faults.iter().map(|fault| fault.code.to_string());
    messages.chain(redirect).chain(faults).collect()
}

fn read_at_example(
    content_type: Option<&str>,
    body: &[u8],
    limits: &Limits,
) -> Result<Reply, Fault> {
    let url = Url::parse("https://example.com/app/sms?tenant=7#rc=2").unwrap();
    let answer = Answer {
        url: &url,
        content_type,
        body,
    };
    read(&answer, limits)
}

/// The texts of all faults of a document, or of the failure.
fn fault_texts(document: &str) -> Vec<String> {
    let faults = match read_at_example(Some("text/xml"), document.as_bytes(), &Limits::default()) {
        Ok(reply) => reply.faults,
        Err(failure) => vec![failure],
    };
    faults.iter().map(ToString::to_string).collect()
}

fn outline_of_message(message: &ReplyMessage) -> String {
    let mut line = "message".to_owned();
    let mut add = |name: &str, value: &str| line.extend([" ", name, "=", value]);
    if let Some(to) = &message.to {
        add("to", to);
    }
    if let Some(from) = &message.from {
        add("from", from);
    }
    for url in &message.media_urls {
        add("media", url);
    }
    if let Some(endpoint) = &message.status_callback {
        add("callback", &outline_of(endpoint));
    }
    if let Some(body) = &message.body {
        add("body", &format!("{body:?}"));
    }
    line
}

fn outline_of(endpoint: &Endpoint) -> String {
    let method = match endpoint.method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
    };
    format!("{method} {}", endpoint.url)
}
