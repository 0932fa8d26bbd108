//! What a document may cost, decided before the parser sees it.
//!
//! The parser compares each attribute of an element with those before it, and copies the namespaces
//! of an element to its children. Made for that, 64 kB of attributes took it 0.1 s, and 16 kB of
//! namespaces 0.3 s, which grows with the third power. So one pass over the octets counts elements,
//! levels, attributes and namespaces first; no answer within these bounds took more than 2 ms. It
//! judges nothing else. Up to the first place where a document is not well-formed, tags end here where
//! they end for the parser; from there on the parser does not read.

use crate::error_code::ErrorCode;
use crate::fault::Fault;

/// Levels of elements; `<Response>` is the first. TwiML needs three.
pub(super) const DEPTH_MAX: usize = 32;

/// All elements of a document: ten full messages have 130.
pub(super) const ELEMENTS_MAX: usize = 1_000;

/// Attributes of one element, declarations of namespaces among them. TwiML needs five.
pub(super) const ATTRIBUTES_MAX: usize = 32;

/// Declarations of namespaces in a document. TwiML needs none.
pub(super) const NAMESPACES_MAX: usize = 32;

/// Markup that is no element, and what ends it.
const SKIPPED: [(&[u8], &[u8]); 3] = [(b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")];

pub(super) fn check(text: &str) -> Result<(), Fault> {
    let extent = Extent::of(text);
    within(extent.depth, DEPTH_MAX, "levels of elements")?;
    within(extent.elements, ELEMENTS_MAX, "elements")?;
    within(
        extent.attributes,
        ATTRIBUTES_MAX,
        "attributes of one element",
    )?;
    within(
        extent.namespaces,
        NAMESPACES_MAX,
        "declarations of namespaces",
    )
}

fn within(count: usize, most: usize, what: &str) -> Result<(), Fault> {
    if count <= most {
        return Ok(());
    }
    let text = format!("The document has more than {most} {what}");
    Err(Fault::because(ErrorCode::TwimlUnparseable, text))
}

/// How large a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) depth: usize,
    pub(super) elements: usize,
    /// Of the element that has most.
    pub(super) attributes: usize,
    pub(super) namespaces: usize,
}

impl Extent {
    pub(super) fn of(text: &str) -> Self {
        let mut extent = Self::default();
        let mut depth = 0_usize;
        let mut rest = text.as_bytes();
        while let Some(start) = rest.iter().position(|octet| *octet == b'<') {
            rest = &rest[start..];
            let skipped = SKIPPED.iter().find(|(begin, _)| rest.starts_with(begin));
            if let Some((begin, end)) = skipped {
                rest = after(&rest[begin.len()..], end);
            } else if rest.starts_with(b"<!") {
                // A document type declaration, at which the parser stops.
                break;
            } else if rest.starts_with(b"</") {
                depth = depth.saturating_sub(1);
                rest = after(rest, b">");
            } else {
                let tag = Tag::measure(rest);
                rest = &rest[tag.length..];
                extent.elements += 1;
                extent.namespaces += tag.namespaces;
                extent.attributes = extent.attributes.max(tag.attributes);
                extent.depth = extent.depth.max(depth + 1);
                depth += usize::from(!tag.is_empty_element);
            }
        }
        extent
    }
}

/// What follows the next `end`, or nothing.
fn after<'a>(octets: &'a [u8], end: &[u8]) -> &'a [u8] {
    octets
        .windows(end.len())
        .position(|window| window == end)
        .map_or(&[], |at| &octets[at + end.len()..])
}

struct Tag {
    /// With its brackets.
    length: usize,
    attributes: usize,
    namespaces: usize,
    is_empty_element: bool,
}

impl Tag {
    /// Measures the start tag at the beginning of `octets`. Each quoted value is an attribute, and
    /// may hold a `>`.
    fn measure(octets: &[u8]) -> Self {
        let mut tag = Self {
            length: octets.len(),
            attributes: 0,
            namespaces: 0,
            is_empty_element: false,
        };
        let mut at = 1;
        // Where the name of the next attribute can begin.
        let mut gap = 1;
        while let Some(octet) = octets.get(at) {
            match octet {
                b'>' => {
                    tag.length = at + 1;
                    tag.is_empty_element = octets[at - 1] == b'/';
                    break;
                }
                quote @ (b'"' | b'\'') => {
                    tag.attributes += 1;
                    let between = &octets[gap..at];
                    tag.namespaces += usize::from(between.windows(5).any(|name| name == b"xmlns"));
                    let value = &octets[at + 1..];
                    let Some(length) = value.iter().position(|octet| octet == quote) else {
                        break;
                    };
                    at += length + 2;
                    gap = at;
                }
                _ => at += 1,
            }
        }
        tag
    }
}
