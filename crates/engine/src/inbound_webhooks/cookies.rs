//! Cookies: how an application remembers a conversation, as Twilio lets it
//! (<https://www.twilio.com/docs/messaging/guides/how-to-use-cookies>).
//!
//! Those of one handset and one sender are kept together, in memory, until they were not used for four
//! hours; a restart forgets them. A cookie goes back to the host that set it and to no other: whose
//! subdomains belong together is not known here, so `Domain` widens nothing.

use cookie::Cookie;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use postrider_core::clock::Millis;
use url::{Origin, Url};

use super::line::Line;
use crate::fading::Fading;

/// They are forgotten after so long without use.
const IDLE_MS: Millis = 4 * 3_600_000;
/// Kept for one line. More of them drop the oldest.
const COOKIES_MAX: usize = 50;
/// Longest name and value together, in octets (RFC 6265, 6.1).
const LEN_MAX: usize = 4_096;
/// Lines with cookies. The one that was idle longest makes room.
const LINES_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Cookies {
    jars: Fading<Line, Jar>,
}

#[derive(Debug, Default)]
struct Jar {
    kept: Vec<Kept>,
    used_ms: Millis,
}

#[derive(Debug)]
struct Kept {
    host: Box<str>,
    path: Box<str>,
    is_secure: bool,
    name: Box<str>,
    value: Box<str>,
    ends_ms: Option<Millis>,
}

impl Cookies {
    /// The header of a request to this URL.
    pub(super) fn header(&mut self, line: &Line, url: &str, now_ms: Millis) -> Option<HeaderValue> {
        let jar = self.jars.get_mut(line)?;
        if now_ms - jar.used_ms >= IDLE_MS {
            self.jars.remove(line);
            return None;
        }
        jar.used_ms = now_ms;
        let url = Url::parse(url).ok()?;
        let fitting = jar.kept.iter().filter(|kept| kept.fits(&url, now_ms));
        let pairs: Vec<_> = fitting
            .map(|kept| format!("{}={}", kept.name, kept.value))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        HeaderValue::try_from(pairs.join("; ")).ok()
    }

    /// Keeps what an answer from this URL sets.
    pub(super) fn keep(&mut self, line: &Line, url: &str, headers: &HeaderMap, now_ms: Millis) {
        let Ok(url) = Url::parse(url) else { return };
        for header in headers.get_all(SET_COOKIE) {
            let Some(cookie) = header
                .to_str()
                .ok()
                .and_then(|text| Cookie::parse(text).ok())
            else {
                continue;
            };
            let Some(kept) = Kept::new(&cookie, &url, now_ms) else {
                continue;
            };
            self.make_room(line, now_ms);
            let jar = self.jars.entry(line.clone()).or_default();
            jar.used_ms = now_ms;
            jar.set(kept, now_ms);
        }
    }

    fn make_room(&mut self, line: &Line, now_ms: Millis) {
        if self.jars.contains_key(line) {
            return;
        }
        self.jars.make_room(|jar| now_ms - jar.used_ms < IDLE_MS);
        if self.jars.len() >= LINES_MAX {
            let idle = self.jars.iter().min_by_key(|(_, jar)| jar.used_ms);
            if let Some(line) = idle.map(|(line, _)| line.clone()) {
                self.jars.remove(&line);
            }
        }
    }
}

impl Jar {
    fn set(&mut self, kept: Kept, now_ms: Millis) {
        self.kept.retain(|other| {
            let is_replaced =
                (&other.host, &other.path, &other.name) == (&kept.host, &kept.path, &kept.name);
            !is_replaced && !other.has_ended(now_ms)
        });
        // One that has ended already is how a cookie is deleted.
        if kept.has_ended(now_ms) {
            return;
        }
        if self.kept.len() == COOKIES_MAX {
            self.kept.remove(0);
        }
        self.kept.push(kept);
    }
}

impl Kept {
    fn new(cookie: &Cookie<'_>, url: &Url, now_ms: Millis) -> Option<Self> {
        let (name, value) = cookie.name_value();
        if name.len() + value.len() > LEN_MAX {
            return None;
        }
        let path = cookie.path().filter(|path| path.starts_with('/'));
        let lasts_ms = cookie
            .max_age()
            .map(|age| i64::try_from(age.whole_milliseconds()));
        let ends_ms = match (lasts_ms, cookie.expires_datetime()) {
            (Some(lasts), _) => Some(now_ms.saturating_add(lasts.unwrap_or(Millis::MAX))),
            (None, Some(at)) => Some(at.unix_timestamp().saturating_mul(1_000)),
            (None, None) => None,
        };
        Some(Self {
            host: host(url)?,
            path: path.unwrap_or_else(|| default_path(url)).into(),
            is_secure: cookie.secure() == Some(true),
            name: name.into(),
            value: value.into(),
            ends_ms,
        })
    }

    fn has_ended(&self, now_ms: Millis) -> bool {
        self.ends_ms.is_some_and(|ends_ms| ends_ms <= now_ms)
    }

    fn fits(&self, url: &Url, now_ms: Millis) -> bool {
        let is_within = || {
            let rest = url.path().strip_prefix(&*self.path);
            rest.is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
            })
        };
        !self.has_ended(now_ms)
            && host(url).is_some_and(|host| host == self.host)
            && (!self.is_secure || url.scheme() == "https")
            && is_within()
    }
}

fn host(url: &Url) -> Option<Box<str>> {
    match url.origin() {
        Origin::Tuple(_, host, _) => Some(host.to_string().into()),
        Origin::Opaque(_) => None,
    }
}

/// The directory of the URL's path (RFC 6265, 5.1.4).
fn default_path(url: &Url) -> &str {
    match url.path().rfind('/') {
        None | Some(0) => "/",
        Some(at) => &url.path()[..at],
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::message::AccountNo;

    use super::*;

    const URL: &str = "https://a.example/sms/in";

    fn line(handset: &str) -> Line {
        Line::between(AccountNo(1), handset, "+14155550101")
    }

    fn setting(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, HeaderValue::from_str(cookie).unwrap());
        }
        headers
    }

    fn sent(cookies: &mut Cookies, url: &str, now_ms: Millis) -> String {
        let header = cookies.header(&line("+14155550199"), url, now_ms);
        header.map_or_else(String::new, |header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_goes_back_where_it_came_from() {
        // What is set; the next URL, how much later; what is sent.
        for (set, url, after_ms, expected) in [
            ("step=1", URL, 0, "step=1"),
            ("step=1; Path=/", "https://a.example/other", 0, "step=1"),
            ("step=1", "https://a.example/other", 0, ""),
            ("step=1; Path=/sm", URL, 0, ""),
            ("step=1; Path=/sms", "https://a.example/sms", 0, "step=1"),
            (
                "step=1; Path=/; Domain=example",
                "https://b.example/",
                0,
                "",
            ),
            ("step=1; Secure", "http://a.example/sms/in", 0, ""),
            ("step=1; Max-Age=60", URL, 59_999, "step=1"),
            ("step=1; Max-Age=60", URL, 60_000, ""),
            ("step=1; Max-Age=0", URL, 0, ""),
            (
                "step=1; Expires=Thu, 01 Jan 1970 00:01:00 GMT",
                URL,
                59_999,
                "step=1",
            ),
            (
                "step=1; Expires=Thu, 01 Jan 1970 00:01:00 GMT",
                URL,
                60_000,
                "",
            ),
            ("step=1", URL, IDLE_MS - 1, "step=1"),
            ("step=1", URL, IDLE_MS, ""),
            ("", URL, 0, ""),
            ("nonsense", URL, 0, ""),
        ] {
            let mut cookies = Cookies::default();
            cookies.keep(&line("+14155550199"), URL, &setting(&[set]), 0);
            assert_eq!(sent(&mut cookies, url, after_ms), expected, "{set} {url}");
        }
    }

    #[test]
    fn a_later_cookie_replaces_one_of_its_name() {
        let mut cookies = Cookies::default();
        cookies.keep(&line("+14155550199"), URL, &setting(&["a=1", "b=2"]), 0);
        cookies.keep(&line("+14155550199"), URL, &setting(&["a=3"]), 0);
        assert_eq!(sent(&mut cookies, URL, 0), "b=2; a=3");
        cookies.keep(&line("+14155550199"), URL, &setting(&["b=; Max-Age=0"]), 0);
        assert_eq!(sent(&mut cookies, URL, 0), "a=3");
        assert_eq!(cookies.header(&line("+14155550198"), URL, 0), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut cookies = Cookies::default();
        for number in 0..60 {
            let set = format!("c{number}=1");
            cookies.keep(&line("+14155550199"), URL, &setting(&[&set]), 0);
        }
        let sent = sent(&mut cookies, URL, 0);
        assert_eq!(sent.matches("=1").count(), COOKIES_MAX);
        assert!(!sent.contains("c9=") && sent.contains("c10="));
        let too_long = format!("long={}", "x".repeat(LEN_MAX));
        cookies.keep(&line("+14155550198"), URL, &setting(&[&too_long]), 0);
        assert_eq!(cookies.header(&line("+14155550198"), URL, 0), None);
        for number in 1..=LINES_MAX {
            let number = Millis::try_from(number).unwrap();
            cookies.keep(&line(&number.to_string()), URL, &setting(&["a=1"]), number);
        }
        assert_eq!(cookies.jars.len(), LINES_MAX);
        assert!(!cookies.jars.contains_key(&line("+14155550199")));
    }
}
