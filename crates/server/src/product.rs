//! Which product a request is for: the first thing decided about it.
//!
//! One listener serves every product of Twilio's API. A request names its product by its host
//! (`messaging.example.com`, also with edge and region between), or by a path prefix
//! (`/messaging/v1/...`), or not at all, and then the path tells. Prefixes are removed as often as
//! they are repeated: the Ruby SDK keeps only the path of a next-page link and glues it to its base
//! URL, so with a prefixed base it asks for `/messaging/messaging/v1/...`. Rules in `docs/api.md`.

use std::fmt;

use smallvec::SmallVec;

/// What a request can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    /// The 2010 API: accounts, keys, numbers, messages.
    Api,
    Messaging,
    Conversations,
    Content,
    Monitor,
    Accounts,
    /// Postrider's own: everything under `/x/`.
    Extensions,
}

impl Product {
    const ALL: [Self; 7] = [
        Self::Api,
        Self::Messaging,
        Self::Conversations,
        Self::Content,
        Self::Monitor,
        Self::Accounts,
        Self::Extensions,
    ];

    /// As a host's first label and as a path prefix.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Messaging => "messaging",
            Self::Conversations => "conversations",
            Self::Content => "content",
            Self::Monitor => "monitor",
            Self::Accounts => "accounts",
            Self::Extensions => "x",
        }
    }

    fn by_prefix(segment: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|product| product.name() == segment)
    }

    /// `<product>.<domain>`, with any edge and region labels between. A domain has two labels or
    /// more, so that a machine called `content` or `api.local` is nobody's product.
    pub(crate) fn by_host(host: &str) -> Option<Self> {
        let name = host.split(':').next().unwrap_or_default();
        let (first, rest) = name.split_once('.')?;
        if !rest.contains('.') {
            return None;
        }
        Self::ALL
            .into_iter()
            .filter(|&product| product != Self::Extensions)
            .find(|product| product.name().eq_ignore_ascii_case(first))
    }

    /// On a host that says nothing. `/v1/Services` is the one true clash; the SID's prefix settles
    /// it where there is one.
    fn by_path(path: &[&str]) -> Option<Self> {
        match *path {
            ["2010-04-01", ..] => Some(Self::Api),
            ["v1" | "v2", resource, ..] if resource.starts_with("Content") => Some(Self::Content),
            ["v1", "Alerts" | "Events", ..] => Some(Self::Monitor),
            [
                "v1",
                "Conversations"
                | "Configuration"
                | "ConversationWithParticipants"
                | "ParticipantConversations",
                ..,
            ] => Some(Self::Conversations),
            ["v1", "Services", sid, ..] if is_of_conversations(sid) => Some(Self::Conversations),
            [
                "v1",
                "AuthTokens" | "Consents" | "Contacts" | "Messaging",
                ..,
            ] => Some(Self::Accounts),
            ["v1" | "v2" | "v3", ..] => Some(Self::Messaging),
            _ => None,
        }
    }
}

/// Whether this is the SID of a conversation service, in either case as every SID may be.
fn is_of_conversations(sid: &str) -> bool {
    sid.get(..2)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("IS"))
}

/// How a request arrived: its product, and what is left of its path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arrival<'a> {
    /// `None` when the path belongs to no product.
    pub(crate) product: Option<Product>,
    /// The path prefix that named the product, to be repeated in absolute URLs.
    pub(crate) prefix: Option<Product>,
    /// The path's segments after the prefix. Empty segments are dropped, so a base URL with a slash
    /// at its end does no harm.
    pub(crate) path: SmallVec<[&'a str; 8]>,
}

impl<'a> Arrival<'a> {
    pub(crate) fn new(host: &str, path: &'a str) -> Self {
        let mut segments = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .peekable();
        let mut prefix = None;
        while let Some(product) = segments
            .peek()
            .and_then(|segment| Product::by_prefix(segment))
        {
            prefix = Some(product);
            segments.next();
        }
        let path: SmallVec<[&str; 8]> = segments.collect();
        // A prefix says more than a host: no path of any product begins with a product's name.
        let product = prefix
            .or_else(|| Product::by_host(host))
            .or_else(|| Product::by_path(&path));
        Self {
            product,
            prefix,
            path,
        }
    }
}

/// The caller's base URL, which absolute URLs in bodies begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    pub(crate) prefix: Option<Product>,
}

impl fmt::Display for Base<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.prefix {
            Some(prefix) => write!(f, "/{}", prefix.name()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns: host, path, product, prefix, rest.
    type Row = (
        &'static str,
        &'static str,
        Option<Product>,
        Option<Product>,
        &'static str,
    );

    #[test]
    fn a_request_finds_its_product() {
        use Product::{Accounts, Api, Content, Conversations, Extensions, Messaging, Monitor};
        let rows: &[Row] = &[
            // By host, with three to five labels and more.
            (
                "api.twilio.com",
                "/2010-04-01/Accounts.json",
                Some(Api),
                None,
                "2010-04-01/Accounts.json",
            ),
            (
                "messaging.twilio.com",
                "/v1/Services",
                Some(Messaging),
                None,
                "v1/Services",
            ),
            (
                "conversations.ie1.twilio.com",
                "/v1/Services",
                Some(Conversations),
                None,
                "v1/Services",
            ),
            (
                "api.dublin.ie1.twilio.com:8443",
                "/2010-04-01",
                Some(Api),
                None,
                "2010-04-01",
            ),
            ("API.dublin.ie1.sms.example.com", "/", Some(Api), None, ""),
            (
                "monitor.sms.example.com",
                "/v1/Alerts",
                Some(Monitor),
                None,
                "v1/Alerts",
            ),
            // By prefix, also repeated, also on a product's host.
            (
                "127.0.0.1:8080",
                "/messaging/v1/Services",
                Some(Messaging),
                Some(Messaging),
                "v1/Services",
            ),
            (
                "127.0.0.1:8080",
                "/messaging/messaging/v1/Services",
                Some(Messaging),
                Some(Messaging),
                "v1/Services",
            ),
            (
                "localhost",
                "//conversations/v1/Services/",
                Some(Conversations),
                Some(Conversations),
                "v1/Services",
            ),
            (
                "api.example.com",
                "/messaging/v1/Services",
                Some(Messaging),
                Some(Messaging),
                "v1/Services",
            ),
            (
                "api.example.com",
                "/x/v1/ShortCodes",
                Some(Extensions),
                Some(Extensions),
                "v1/ShortCodes",
            ),
            // By path.
            (
                "localhost:8080",
                "/2010-04-01/Accounts.json",
                Some(Api),
                None,
                "2010-04-01/Accounts.json",
            ),
            (
                "localhost",
                "/v1/Content",
                Some(Content),
                None,
                "v1/Content",
            ),
            (
                "localhost",
                "/v2/ContentAndApprovals",
                Some(Content),
                None,
                "v2/ContentAndApprovals",
            ),
            ("localhost", "/v1/Events", Some(Monitor), None, "v1/Events"),
            (
                "localhost",
                "/v1/Configuration/Addresses",
                Some(Conversations),
                None,
                "v1/Configuration/Addresses",
            ),
            (
                "localhost",
                "/v1/Contacts/Bulk",
                Some(Accounts),
                None,
                "v1/Contacts/Bulk",
            ),
            (
                "localhost",
                "/v1/Messaging/GeoPermissions",
                Some(Accounts),
                None,
                "v1/Messaging/GeoPermissions",
            ),
            (
                "localhost",
                "/v1/Services",
                Some(Messaging),
                None,
                "v1/Services",
            ),
            (
                "localhost",
                "/v1/Services/IS00/Users",
                Some(Conversations),
                None,
                "v1/Services/IS00/Users",
            ),
            (
                "localhost",
                "/v1/Services/is00/Users",
                Some(Conversations),
                None,
                "v1/Services/is00/Users",
            ),
            (
                "localhost",
                "/v2/Channels/Senders",
                Some(Messaging),
                None,
                "v2/Channels/Senders",
            ),
            // Nobody's.
            ("localhost", "/favicon.ico", None, None, "favicon.ico"),
            (
                "api.local",
                "/v1/Services",
                Some(Messaging),
                None,
                "v1/Services",
            ),
            ("messaging", "/2010-04-01", Some(Api), None, "2010-04-01"),
            ("x.example.com", "/", None, None, ""),
            ("[::1]:8080", "/", None, None, ""),
            ("", "", None, None, ""),
        ];
        for (host, path, product, prefix, rest) in rows {
            let arrival = Arrival::new(host, path);
            assert_eq!(
                (arrival.product, arrival.prefix, arrival.path.join("/")),
                (*product, *prefix, (*rest).to_owned()),
                "{host}{path}"
            );
        }
    }

    #[test]
    fn a_base_repeats_the_prefix_once() {
        let arrival = Arrival::new("127.0.0.1:8080", "/messaging/messaging/v1/Services");
        let base = Base {
            scheme: "http",
            host: "127.0.0.1:8080",
            prefix: arrival.prefix,
        };
        assert_eq!(base.to_string(), "http://127.0.0.1:8080/messaging");
    }
}
