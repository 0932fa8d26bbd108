//! The verbs of a TwiML document: `<Message>` (once `<Sms>`) and `<Redirect>`.
//!
//! Names are case-sensitive. What is not understood is skipped with a warning, and what is understood
//! but cannot be done with the fault that names it. Namespaces are not told apart, and attributes that
//! belong to one (`xml:lang`, `xsi:schemaLocation`) are not ours to judge.

use roxmltree::{Document, Node};
use url::Url;

use super::{Endpoint, FAULTS_MAX, Limits, Reply, ReplyMessage, bounds, check_content, shown};
use crate::error_code::ErrorCode;
use crate::fault::Fault;
use crate::settings::HttpMethod;

/// Verbs of TwiML that answer calls and faxes. In a messaging reply they are likely a URL that was
/// configured in the wrong place, not a slip of the pen.
const VERBS_OF_CALLS: [&str; 19] = [
    "Connect", "Dial", "Echo", "Enqueue", "Gather", "Hangup", "Leave", "Pause", "Pay", "Play",
    "Prompt", "Queue", "Receive", "Record", "Refer", "Reject", "Say", "Start", "Stop",
];

pub(super) fn read(text: &str, url: &Url, limits: &Limits) -> Result<Reply, Fault> {
    bounds::check(text)?;
    let document = Document::parse(text).map_err(|error| not_well_formed(&error))?;
    let root = document.root_element();
    if root.tag_name().name() != "Response" {
        let name = shown(root.tag_name().name());
        let text = format!("The root element is <{name}>, expected <Response>");
        return Err(Fault::because(ErrorCode::TwimlWrongRoot, text));
    }
    let mut reader = Reader {
        url,
        reply: Reply::default(),
    };
    reader.warn_of_text(root);
    for verb in root.children().filter(Node::is_element) {
        match verb.tag_name().name() {
            "Message" | "Sms" => match reader.message(verb) {
                Ok(message) => reader.reply.add(message, limits),
                Err(fault) => reader.raise(verb, &fault),
            },
            "Redirect" => {
                match reader.redirect(verb) {
                    Ok(endpoint) => reader.reply.redirect = Some(endpoint),
                    Err(fault) => reader.raise(verb, &fault),
                }
                break;
            }
            name => reader.raise(verb, &unknown_verb(name)),
        }
    }
    Ok(reader.reply)
}

fn not_well_formed(error: &roxmltree::Error) -> Fault {
    let text = match error {
        roxmltree::Error::DtdDetected => {
            "The document has a document type declaration (<!DOCTYPE>), which is not read"
                .to_owned()
        }
        // Names in it are as long as the customer made them.
        error => error.to_string().chars().take(200).collect(),
    };
    Fault::because(ErrorCode::TwimlUnparseable, text)
}

struct Reader<'a> {
    /// Of the document.
    url: &'a Url,
    reply: Reply,
}

impl Reader<'_> {
    fn message(&mut self, verb: Node<'_, '_>) -> Result<ReplyMessage, Fault> {
        self.warn_of_attributes(verb, &["to", "from", "action", "method", "statusCallback"]);
        let mut body = None;
        let mut media_urls = Vec::new();
        for noun in verb.children().filter(Node::is_element) {
            match noun.tag_name().name() {
                "Body" if body.is_none() => {
                    self.warn_of_attributes(noun, &[]);
                    self.warn_of_elements(noun);
                    body = Some(text_of(noun)).filter(|body| !body.is_empty());
                }
                "Body" => self.warn(noun, "a second <Body> is skipped"),
                "Media" => {
                    self.warn_of_attributes(noun, &[]);
                    self.warn_of_elements(noun);
                    let url = absolute(self.url, &text_of(noun)).ok_or_else(|| {
                        let text = "The text of <Media> is no http or https URL";
                        Fault::because(ErrorCode::ReplyBodyInvalid, text)
                    })?;
                    media_urls.push(url);
                }
                _ => self.warn_of_element(noun),
            }
        }
        let loose = text_of(verb);
        if body.is_some() && !loose.is_empty() {
            self.warn(verb, "the text beside <Body> is skipped");
        }
        let message = ReplyMessage {
            to: address(verb, "to", ErrorCode::ReplyToInvalid)?,
            from: address(verb, "from", ErrorCode::ReplyFromInvalid)?,
            body: body.or((!loose.is_empty()).then_some(loose)),
            media_urls,
            status_callback: self.status_callback(verb)?,
        };
        check_content(&message)?;
        Ok(message)
    }

    /// `action` is the newer name of `statusCallback`, so it wins.
    fn status_callback(&self, verb: Node<'_, '_>) -> Result<Option<Endpoint>, Fault> {
        let method = method(verb).map_err(|given| {
            let text = format!("The method is {given}, expected GET or POST");
            Fault::because(ErrorCode::ReplyMethodInvalid, text)
        })?;
        let Some((name, given)) = ["action", "statusCallback"]
            .into_iter()
            .find_map(|name| Some((name, attribute(verb, name).filter(|url| !url.is_empty())?)))
        else {
            return Ok(None);
        };
        let url = absolute(self.url, given).ok_or_else(|| {
            let text = format!("The attribute '{name}' is no http or https URL");
            Fault::because(ErrorCode::ReplyStatusCallbackInvalid, text)
        })?;
        Ok(Some(Endpoint { url, method }))
    }

    fn redirect(&mut self, verb: Node<'_, '_>) -> Result<Endpoint, Fault> {
        self.warn_of_attributes(verb, &["method"]);
        self.warn_of_elements(verb);
        let method = method(verb).unwrap_or_else(|given| {
            let text = format!("the method {given} is not GET or POST, so it is POST");
            self.warn(verb, &text);
            HttpMethod::Post
        });
        let url = absolute(self.url, &text_of(verb)).ok_or_else(|| {
            let text = "The text of <Redirect> is no http or https URL";
            Fault::because(ErrorCode::WebhookMisconfigured, text)
        })?;
        Ok(Endpoint { url, method })
    }

    /// Text that stands where only elements mean something.
    fn warn_of_text(&mut self, element: Node<'_, '_>) {
        if !text_of(element).is_empty() {
            self.warn(element, "text outside of a verb is skipped");
        }
    }

    fn warn_of_attributes(&mut self, element: Node<'_, '_>, known: &[&str]) {
        for attribute in element.attributes() {
            if attribute.namespace().is_none() && !known.contains(&attribute.name()) {
                let name = shown(attribute.name());
                self.warn(element, &format!("the attribute '{name}' is unknown"));
            }
        }
    }

    fn warn_of_elements(&mut self, element: Node<'_, '_>) {
        for child in element.children().filter(Node::is_element) {
            self.warn_of_element(child);
        }
    }

    fn warn_of_element(&mut self, element: Node<'_, '_>) {
        self.warn(element, "an element that is not known here is skipped");
    }

    fn warn(&mut self, element: Node<'_, '_>, text: &str) {
        let fault = Fault::because(ErrorCode::TwimlSchemaWarning, text.to_owned());
        self.raise(element, &fault);
    }

    /// Notes a fault with its place: documents are made by machines, and their makers look for lines.
    fn raise(&mut self, element: Node<'_, '_>, fault: &Fault) {
        if self.reply.faults.len() >= FAULTS_MAX {
            return;
        }
        let place = element.document().text_pos_at(element.range().start);
        let name = shown(element.tag_name().name());
        let text = fault.text.as_deref().unwrap_or(fault.code.message());
        let text = format!("<{name}> at line {}: {text}", place.row);
        self.reply.faults.push(Fault::because(fault.code, text));
    }
}

fn unknown_verb(name: &str) -> Fault {
    if VERBS_OF_CALLS.contains(&name) {
        let text = "a verb for calls means nothing in a messaging reply, and was skipped";
        return Fault::because(ErrorCode::ReplyVerbInvalid, text);
    }
    let known = ["Message", "Sms", "Redirect"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name));
    let text = match known {
        Some(known) => format!("names are case-sensitive, write <{known}>; the verb was skipped"),
        None => "this verb is unknown and was skipped".to_owned(),
    };
    Fault::because(ErrorCode::TwimlSchemaWarning, text)
}

/// What stands in an element itself, not in its children, without the white space around it. Comments
/// and processing instructions leave no trace.
fn text_of(element: Node<'_, '_>) -> String {
    let mut text = String::new();
    for piece in element.children().filter(Node::is_text) {
        text.push_str(piece.text().unwrap_or_default());
    }
    text.trim().to_owned()
}

fn attribute<'a>(element: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut attributes = element.attributes();
    attributes
        .find(|attribute| attribute.namespace().is_none() && attribute.name() == name)
        .map(|attribute| attribute.value().trim())
}

/// An address that is there but empty is the application's variable that was never set. The default
/// would send the text to somebody it was not meant for.
fn address(verb: Node<'_, '_>, name: &str, code: ErrorCode) -> Result<Option<String>, Fault> {
    match attribute(verb, name) {
        Some("") => {
            let text = format!("The attribute '{name}' is empty");
            Err(Fault::because(code, text))
        }
        given => Ok(given.map(str::to_owned)),
    }
}

fn method(verb: Node<'_, '_>) -> Result<HttpMethod, String> {
    match attribute(verb, "method") {
        None | Some("") => Ok(HttpMethod::Post),
        Some(given) if given.eq_ignore_ascii_case("POST") => Ok(HttpMethod::Post),
        Some(given) if given.eq_ignore_ascii_case("GET") => Ok(HttpMethod::Get),
        Some(given) => Err(shown(given)),
    }
}

/// A URL of the document, which relative ones start from. An empty one would be the document's own,
/// and nobody means that: it would redirect for ever, or send itself as a picture.
fn absolute(document: &Url, given: &str) -> Option<String> {
    if given.is_empty() {
        return None;
    }
    let url = document.join(given).ok()?;
    let is_callable = matches!(url.scheme(), "http" | "https") && url.has_host();
    // The parser would repair "https:host" as well, but that is relative to an https document.
    let is_absolute = Url::parse(given).is_ok() && given.contains("://");
    is_callable.then(|| {
        if is_absolute {
            given.to_owned()
        } else {
            url.into()
        }
    })
}
