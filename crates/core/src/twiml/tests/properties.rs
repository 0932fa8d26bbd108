//! Any octets are read or refused, and what a document says is what is read.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::bounds::Extent;
use super::*;

/// How a text is written, of the many ways that XML has.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    Escaped,
    References,
    Cdata,
    /// Each character beside a comment and a processing instruction.
    Torn,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        Just(Spelling::Escaped),
        Just(Spelling::References),
        Just(Spelling::Cdata),
        Just(Spelling::Torn),
    ]
}

fn escaped(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        // Would be a space in an attribute.
        '\n' | '\t' => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    }
}

fn write(text: &str, spelling: Spelling) -> String {
    let each = |write: fn(char) -> String| text.chars().map(write).collect();
    match spelling {
        Spelling::Escaped => each(escaped),
        Spelling::References => each(|c| format!("&#x{:X};", u32::from(c))),
        Spelling::Cdata => format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>")),
        Spelling::Torn => each(|c| escaped(c) + "<!-- & --><?x <b?>"),
    }
}

/// A body, which keeps its inner white space, or a URL.
fn trimmed() -> impl Strategy<Value = String> {
    "[ -~é€😀\n\t]{0,40}".prop_map(|text| text.trim().to_owned())
}

fn url() -> impl Strategy<Value = String> {
    "https?://[a-z]{1,9}\\.example/[a-z0-9?&=;'%._~-]{0,12}"
}

fn method() -> impl Strategy<Value = HttpMethod> {
    prop_oneof![Just(HttpMethod::Get), Just(HttpMethod::Post)]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (url(), method()).prop_map(|(url, method)| Endpoint { url, method })
}

fn message() -> impl Strategy<Value = ReplyMessage> {
    let address = || option::of("[0-9A-Za-z:+&<\"' ]{0,12}x");
    let address = || address().prop_map(|text| text.map(|text| text.trim().to_owned()));
    (
        address(),
        address(),
        option::of(trimmed()),
        vec(url(), 0..=10),
        option::of(endpoint()),
    )
        .prop_map(
            |(to, from, body, media_urls, status_callback)| ReplyMessage {
                to,
                from,
                body: body.filter(|body| !body.is_empty()),
                media_urls,
                status_callback,
            },
        )
        .prop_filter("nothing to send", |message| check_content(message).is_ok())
}

fn attribute(name: &str, value: &str) -> String {
    let value: String = value.chars().map(escaped).collect();
    format!(" {name}=\"{value}\"")
}

fn spell(method: HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
    }
}

/// The choices that a document leaves open.
#[derive(Clone, Copy, Debug)]
struct Style {
    spelling: Spelling,
    is_body_nested: bool,
    is_sms: bool,
    between: &'static str,
}

fn style() -> impl Strategy<Value = Style> {
    let between = prop_oneof![
        Just(""),
        Just("\n  "),
        Just("<!-- <Message>no</Message> -->"),
        Just("<?x y?>")
    ];
    (spelling(), any::<bool>(), any::<bool>(), between).prop_map(
        |(spelling, is_body_nested, is_sms, between)| Style {
            spelling,
            is_body_nested,
            is_sms,
            between,
        },
    )
}

fn write_message(message: &ReplyMessage, style: Style) -> String {
    let verb = if style.is_sms { "Sms" } else { "Message" };
    let mut attributes = String::new();
    for (name, value) in [("to", &message.to), ("from", &message.from)] {
        attributes.extend(value.iter().map(|value| attribute(name, value)));
    }
    if let Some(endpoint) = &message.status_callback {
        let name = if style.is_sms {
            "statusCallback"
        } else {
            "action"
        };
        attributes.push_str(&attribute("method", spell(endpoint.method)));
        attributes.push_str(&attribute(name, &endpoint.url));
    }
    let body = message.body.as_ref().map_or_else(String::new, |body| {
        let text = write(body, style.spelling);
        if style.is_body_nested {
            format!("<Body>{text}</Body>")
        } else {
            text
        }
    });
    let media: Vec<String> = message
        .media_urls
        .iter()
        .map(|url| {
            format!(
                "{}<Media>{}</Media>",
                style.between,
                write(url, style.spelling)
            )
        })
        .collect();
    format!("<{verb}{attributes}>{body}{}</{verb}>", media.concat())
}

/// Pieces of documents, which together come past the first octet.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "<Response>", "</Response>", "<Message", "<Message>", "</Message>", "<Body>", "</Body>",
    "<Media>", "</Media>", "<Redirect>", "</Redirect>", "<Foo/>", " to=''", " to='+1'",
    " action='http://a/'", " method='GET'", ">", "/>", "<!--", "-->", "<![CDATA[", "]]>", "<?a",
    "?>", "&amp;", "&#10;", "'", " xmlns:a='b'", "Hi", "\n", "http://a/",
];

/// Pieces that are whole, so that what they make is well-formed, and that look like what they are not.
#[rustfmt::skip]
const WHOLE_PIECES: &[&str] = &[
    "<a>", "</a>", "<a b='>' c=\"'/>\"/>", "<a\n b = '!--'/>", "<a b='--&lt;'></a\n>", "<a ></a >",
    "<!-- <a> ' -->", "<![CDATA[<a b='>]]>", "<?a <a> ' ?>", "<a xmlns:b='c' b:d='/>'></a>", ">", "'\"/", "&lt;a&gt;",
];

fn of_pieces(pieces: &'static [&str]) -> impl Strategy<Value = String> {
    vec(select(pieces), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_document_reads_back_as_its_verbs(
        written in vec((message(), style()), 0..=MESSAGES_MAX),
        redirect in option::of(endpoint()),
        style in style(),
    ) {
        let mut verbs: String = written
            .iter()
            .map(|(message, of_message)| write_message(message, *of_message) + style.between)
            .collect();
        if let Some(endpoint) = &redirect {
            let url = write(&endpoint.url, style.spelling);
            let method = attribute("method", spell(endpoint.method));
            verbs.extend([
                format!("<Redirect{method}>{url}</Redirect>"),
                "<Message>never</Message>".to_owned(),
            ]);
        }
        let document = format!("<?xml version=\"1.0\"?>\n<Response>{verbs}</Response>");
        let reply = read_at_example(None, document.as_bytes(), &Limits::default());
        let expected = Reply {
            messages: written.into_iter().map(|(message, _)| message).collect(),
            redirect,
            faults: Vec::new(),
        };
        prop_assert_eq!(reply, Ok(expected), "{}", document);
    }

    #[test]
    fn octets_are_read_or_refused(
        content_type in option::of(prop_oneof![
            Just("text/xml".to_owned()),
            Just("text/plain; charset=utf-16".to_owned()),
            Just("text/html; charset=latin1".to_owned()),
            "\\PC{0,30}",
        ]),
        body in vec(any::<u8>(), 0..200),
    ) {
        let _ = read_at_example(content_type.as_deref(), &body, &Limits::default());
    }

    #[test]
    fn what_is_read_can_be_sent(
        verbs in of_pieces(PIECES),
        is_wrapped: bool,
    ) {
        let document = if is_wrapped { format!("<Response>{verbs}</Response>") } else { verbs };
        if let Ok(reply) = read_at_example(Some("text/xml"), document.as_bytes(), &Limits::default()) {
            prop_assert!(reply.messages.len() <= MESSAGES_MAX && reply.faults.len() <= FAULTS_MAX);
            for message in &reply.messages {
                prop_assert_eq!(check_content(message), Ok(()));
                let inbound = InboundAddresses { from: "+14155550199", to: "+14155550101" };
                let _ = message.addresses(inbound);
            }
        }
    }

    /// The bounds are worth something only if they see what the parser sees.
    #[test]
    fn bounds_are_those_of_the_tree(verbs in of_pieces(WHOLE_PIECES)) {
        let document = format!("<Response>{verbs}</Response>");
        if let Ok(tree) = roxmltree::Document::parse(&document) {
            let elements = || tree.descendants().filter(roxmltree::Node::is_element);
            let is_element = roxmltree::Node::is_element;
            let depths = elements().map(|node| node.ancestors().filter(is_element).count());
            let extent = Extent::of(&document);
            prop_assert_eq!(extent.elements, elements().count(), "{}", document);
            prop_assert_eq!(extent.depth, depths.max().unwrap_or_default(), "{}", document);
            let attributes = elements().map(|node| node.attributes().len()).max();
            prop_assert!(extent.attributes >= attributes.unwrap_or_default(), "{}", document);
        }
    }
}
