//! The URL of a webhook: checked when it is configured, taken apart once when it is called.
//!
//! The text stays as configured, because the signature covers it as configured. What is sent is
//! the same text without the fragment (which holds connection overrides) and without credentials
//! (which become an `Authorization` header).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;
use postrider_core::error_code::ErrorCode;
use url::Url;

use super::overrides::{InvalidOverride, Overrides};

/// Longest URL taken, in octets. Browsers and proxies stop at about 2,000 or 8,000.
pub const CALLBACK_URL_LEN_MAX: usize = 4096;

/// An absolute `http` or `https` URL that can be called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallbackUrl(Arc<str>);

impl CallbackUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_text(self) -> Arc<str> {
        self.0
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CallbackUrl {
    type Err = InvalidCallbackUrl;

    fn from_str(text: &str) -> Result<Self, InvalidCallbackUrl> {
        Target::parse(text).map(|_| Self(text.into()))
    }
}

/// Why a text is no URL of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallbackUrl {
    #[error("the URL is longer than {CALLBACK_URL_LEN_MAX} octets")]
    TooLong,
    #[error("expected an absolute URL, like https://example.com/status")]
    NotAbsolute,
    #[error("expected a URL that begins with http:// or https://")]
    WrongScheme,
    #[error("the URL has no host name")]
    NoHost,
    #[error("the URL's host name holds an underscore, which host names may not")]
    Underscore,
    #[error("the URL holds spaces, backslashes or control characters")]
    ForbiddenCharacter,
}

impl InvalidCallbackUrl {
    pub fn code(self) -> ErrorCode {
        ErrorCode::InvalidStatusCallback
    }
}

/// A URL taken apart for the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Scheme, host and port: what shares connections and limits.
    pub(super) authority: Arc<str>,
    pub(super) is_https: bool,
    /// An IPv6 address is without brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// The `Host` header: with the port only where it isn't the scheme's own.
    pub(super) host_header: HeaderValue,
    /// Path and query as configured.
    pub(super) path: PathAndQuery,
    /// Basic auth from `user:password@`.
    pub(super) authorization: Option<HeaderValue>,
    /// The URL as configured, up to the fragment: what is signed.
    pub(super) signed_url: Box<str>,
    /// From the fragment.
    pub(super) overrides: Overrides,
    pub(super) invalid_overrides: Vec<InvalidOverride>,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidCallbackUrl> {
        if text.len() > CALLBACK_URL_LEN_MAX {
            return Err(InvalidCallbackUrl::TooLong);
        }
        // The URL parser would silently drop or repair these, and then what is signed and what is
        // sent would differ.
        let is_forbidden = |c: char| c <= ' ' || c == '\x7f' || c == '\\' || c.is_whitespace();
        if text.contains(is_forbidden) {
            return Err(InvalidCallbackUrl::ForbiddenCharacter);
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => InvalidCallbackUrl::NoHost,
            _ => InvalidCallbackUrl::NotAbsolute,
        })?;
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidCallbackUrl::WrongScheme),
        };
        // "http:host" and "http:///host" are repaired by the parser as well.
        let after_scheme = text.split_once("://").map(|(_, rest)| rest);
        if after_scheme.is_none_or(|rest| rest.starts_with('/')) {
            return Err(InvalidCallbackUrl::NotAbsolute);
        }
        let host = url.host_str().ok_or(InvalidCallbackUrl::NoHost)?;
        if host.contains('_') {
            return Err(InvalidCallbackUrl::Underscore);
        }
        let port = url
            .port_or_known_default()
            .ok_or(InvalidCallbackUrl::NotAbsolute)?;
        let host_header = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let (signed_url, fragment) = match text.split_once('#') {
            Some((url, fragment)) => (url, fragment),
            None => (text, ""),
        };
        let (overrides, invalid_overrides) = Overrides::parse(fragment);
        Ok(Self {
            authority: format!("{}://{host}:{port}", url.scheme()).into(),
            is_https,
            host: host.trim_matches(['[', ']']).into(),
            port,
            host_header: HeaderValue::try_from(host_header)
                .map_err(|_| InvalidCallbackUrl::NoHost)?,
            path: path_and_query(signed_url, &url)?,
            authorization: authorization(&url),
            signed_url: signed_url.into(),
            overrides,
            invalid_overrides,
        })
    }
}

/// The connection overrides of a webhook's URL that are not understood.
pub(crate) fn invalid_overrides(url: &str) -> Vec<InvalidOverride> {
    let target = Target::parse(url);
    target.map_or_else(|_| Vec::new(), |target| target.invalid_overrides)
}

/// The endpoint that a webhook's URL belongs to, as in [`super::Report`].
pub fn authority(url: &str) -> Option<Arc<str>> {
    Target::parse(url).ok().map(|target| target.authority)
}

/// Path and query as written, where HTTP can carry that; else as the URL standard spells them.
fn path_and_query(signed_url: &str, url: &Url) -> Result<PathAndQuery, InvalidCallbackUrl> {
    let after_scheme = signed_url.split_once("://").map_or("", |(_, rest)| rest);
    let written = after_scheme
        .find(['/', '?'])
        .map_or("", |at| &after_scheme[at..]);
    let rooted = if written.starts_with('/') {
        written.to_owned()
    } else {
        format!("/{written}")
    };
    let is_plain = rooted.is_ascii();
    is_plain
        .then(|| PathAndQuery::try_from(rooted).ok())
        .flatten()
        .or_else(|| {
            PathAndQuery::try_from(&url[url::Position::BeforePath..url::Position::AfterQuery]).ok()
        })
        .ok_or(InvalidCallbackUrl::ForbiddenCharacter)
}

fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = percent_decode_str(url.username()).collect::<Vec<u8>>();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(value).expect("Base64 is fit for a header");
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_url_is_absolute_and_names_a_host() {
        use InvalidCallbackUrl as No;
        #[rustfmt::skip]
        let rows = [
            ("https://example.com/status",                Ok(())),
            ("http://example.com",                        Ok(())),
            ("HTTPS://Example.com:8443/a?b=c#rc=2",       Ok(())),
            ("https://user:pass@example.com/",            Ok(())),
            ("http://[2001:db8::1]:8080/x",               Ok(())),
            ("https://bücher.example/",                   Ok(())),
            ("example.com/status",                        Err(No::NotAbsolute)),
            ("/status",                                   Err(No::NotAbsolute)),
            ("",                                          Err(No::NotAbsolute)),
            ("https:example.com/",                        Err(No::NotAbsolute)),
            ("https:///example.com/",                     Err(No::NotAbsolute)),
            ("https://example.com:99999/",                Err(No::NotAbsolute)),
            ("ftp://example.com/",                        Err(No::WrongScheme)),
            ("javascript:alert(1)",                       Err(No::WrongScheme)),
            ("https://",                                  Err(No::NoHost)),
            ("https://?x",                                Err(No::NoHost)),
            ("https://my_host.example.com/",              Err(No::Underscore)),
            ("https://example.com/a b",                   Err(No::ForbiddenCharacter)),
            ("https://example.com/\r\nX-Injected: 1",     Err(No::ForbiddenCharacter)),
            ("https://good.example\\@evil.example/",      Err(No::ForbiddenCharacter)),
            (" https://example.com/",                     Err(No::ForbiddenCharacter)),
        ];
        for (text, expected) in rows {
            let parsed = text.parse::<CallbackUrl>();
            assert_eq!(parsed.map(|_| ()), expected, "{text}");
        }
        let long = format!("https://example.com/{}", "x".repeat(CALLBACK_URL_LEN_MAX));
        assert_eq!(long.parse::<CallbackUrl>(), Err(No::TooLong));
        assert_eq!(No::NoHost.code().code(), 21609);
    }

    #[test]
    fn the_path_is_sent_as_configured() {
        #[rustfmt::skip]
        let rows = [
            ("https://example.com",                  "/"),
            ("https://example.com?a=1",              "/?a=1"),
            ("https://example.com/a/../b%2fc?d=%20", "/a/../b%2fc?d=%20"),
            ("https://example.com/a#rc=1",           "/a"),
            ("https://example.com/a?x=1#rc=1?y",     "/a?x=1"),
            ("https://example.com/é?ü",              "/%C3%A9?%C3%BC"),
        ];
        for (text, path) in rows {
            assert_eq!(Target::parse(text).unwrap().path.as_str(), path, "{text}");
        }
    }

    #[test]
    fn what_is_signed_keeps_everything_but_the_fragment() {
        let target = Target::parse("https://u:p%40@Example.com:443/a?b#ct=200").unwrap();
        assert_eq!(&*target.signed_url, "https://u:p%40@Example.com:443/a?b");
        assert_eq!(target.overrides.connect_timeout_ms, 200);
        assert_eq!(target.host_header, "example.com");
        assert_eq!(&*target.authority, "https://example.com:443");
        // "u:p@"
        assert_eq!(target.authorization.unwrap(), "Basic dTpwQA==");
    }

    #[test]
    fn an_ipv6_host_loses_its_brackets_only_for_the_connection() {
        let target = Target::parse("http://[::1]:81/").unwrap();
        assert_eq!(&*target.host, "::1");
        assert_eq!(target.host_header, "[::1]:81");
    }
}
