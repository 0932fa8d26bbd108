//! What an application answered when it was asked about an inbound message: the replies to send.
//!
//! The inbound webhook's answer arrives as a content type and octets of the customer's making, and
//! leaves as a [`Reply`]: messages, perhaps the URL of the next document, and the faults to raise as
//! alerts. An `Err` means that there is no usable answer at all, which calls for the fallback URL.
//! One bad verb is no such failure: it is skipped with its fault, and the verbs after it are read.
//!
//! Reading asks nothing but the document. Who a reply goes to, and from which sender, depends on the
//! inbound message as well: [`ReplyMessage::addresses`]. Whether that sender is the account's, and
//! whether replies come too fast, is for whoever sends them.
//!
//! The XML parser is roxmltree, not quick-xml. Both are alive, permissively licensed and small.
//! roxmltree reads a whole document or says where it is not well-formed, refuses document type
//! declarations, expands nothing but character references and the five predefined entities, fetches
//! nothing, and keeps no stack of its own calls. quick-xml leaves the better part of well-formedness
//! to its caller, and its strength, documents larger than memory, is of no use here. What a tree
//! costs is bounded in [`bounds`] before there is one. For customers: `docs/twiml.md`.

use url::Url;

use crate::create::{BODY_CHARS_MAX, MEDIA_MAX};
use crate::error_code::ErrorCode;
use crate::fault::Fault;
use crate::settings::HttpMethod;

mod addresses;
mod bounds;
mod content;
mod document;
#[cfg(test)]
mod tests;

pub use addresses::{Addresses, InboundAddresses};

use content::Content;

/// Longest answer that is read, in octets.
pub const OCTETS_MAX: usize = 64 * 1024;

/// Most messages that answer one inbound message (<https://www.twilio.com/docs/api/errors/14109>).
pub const MESSAGES_MAX: usize = 10;

/// Longest word of the customer's that a fault repeats, in characters.
const SHOWN_MAX: usize = 60;

/// Most faults told of one document: more of them would say nothing new, and each becomes an alert.
const FAULTS_MAX: usize = 32;

/// An answer as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Where it came from, after redirects: relative URLs in it start here.
    pub url: &'a Url,
    /// The `Content-Type` header.
    pub content_type: Option<&'a str>,
    /// Without transfer and content encoding.
    pub body: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub octets: usize,
    /// The documents that follow one another by `<Redirect>` share one [`MESSAGES_MAX`]: each gets
    /// what the ones before have left.
    pub messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            octets: OCTETS_MAX,
            messages: MESSAGES_MAX,
        }
    }
}

/// What is to be done, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub messages: Vec<ReplyMessage>,
    /// The document that goes on from here. It stands last because nothing after it is read.
    pub redirect: Option<Endpoint>,
    /// What was skipped or not understood, by place in the document.
    pub faults: Vec<Fault>,
}

/// One message to send. It has a body, media or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyMessage {
    /// As written; see [`ReplyMessage::addresses`].
    pub to: Option<String>,
    /// As written; see [`ReplyMessage::addresses`].
    pub from: Option<String>,
    pub body: Option<String>,
    /// Absolute.
    pub media_urls: Vec<String>,
    /// `None` leaves status callbacks to the service.
    pub status_callback: Option<Endpoint>,
}

/// A URL to be called, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Absolute, `http` or `https`, with a host. One that was absolute in the document is letter by
    /// letter as it stood there, because signatures are made over it so.
    pub url: String,
    pub method: HttpMethod,
}

/// Reads an answer with a status of success.
pub fn read(answer: &Answer<'_>, limits: &Limits) -> Result<Reply, Fault> {
    if answer.body.len() > limits.octets {
        return Err(ErrorCode::TwimlTooLarge.into());
    }
    match content::read(answer.content_type, answer.body)? {
        Content::Empty => Ok(Reply::default()),
        Content::Text(text) => Ok(read_text(&text, limits)),
        Content::Twiml(text) => document::read(&text, answer.url, limits),
    }
}

/// Plain text is one message. It is trimmed as in a document: most of what surrounds a text is the
/// line break of a `print`.
fn read_text(text: &str, limits: &Limits) -> Reply {
    let message = ReplyMessage {
        body: Some(text.trim().to_owned()),
        ..ReplyMessage::default()
    };
    let mut reply = Reply::default();
    match check_content(&message) {
        Ok(()) => reply.add(message, limits),
        Err(fault) => reply.faults.push(fault),
    }
    reply
}

impl Reply {
    /// Adds a message, or for all those beyond the limit one fault.
    fn add(&mut self, message: ReplyMessage, limits: &Limits) {
        if self.messages.len() < limits.messages {
            self.messages.push(message);
            return;
        }
        let fault = Fault::new(ErrorCode::ReplyTooManyMessages);
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// The limits of a message created by request hold for a reply as well.
fn check_content(message: &ReplyMessage) -> Result<(), Fault> {
    let invalid = |text: String| Err(Fault::because(ErrorCode::ReplyBodyInvalid, text));
    let length = message.body.as_ref().map(|body| body.chars().count());
    match length {
        Some(length) if length > BODY_CHARS_MAX => {
            return invalid(format!(
                "The body has {length} characters, at most {BODY_CHARS_MAX} are sent"
            ));
        }
        None if message.media_urls.is_empty() => {
            return invalid("The message has neither a body nor media".to_owned());
        }
        Some(_) | None => {}
    }
    let media = message.media_urls.len();
    if media > MEDIA_MAX {
        return invalid(format!(
            "The message has {media} media, at most {MEDIA_MAX} are sent"
        ));
    }
    Ok(())
}

/// A word of the customer's as it is repeated in a fault: whole, unless it is no word.
fn shown(word: &str) -> String {
    word.chars().take(SHOWN_MAX).collect()
}
