//! Lists, a page at a time: which page a request asks for, and the links around it.
//!
//! `PageToken` decides where a page begins: it names an entry and a direction, so pages stay stable
//! while entries are added and cost the same however many there are. `Page` is decoration that
//! counts along. Nothing is ever counted in total: whether there is a next page is known by asking
//! for one entry more than is shown. Both generations of the API page by the same rules and differ
//! in their envelope only.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::sid;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::error::Refusal;
use crate::form::Form;

const DEFAULT_PAGE_SIZE: usize = 50;
const MAX_PAGE_SIZE: usize = 1000;

/// Where a page begins: next to the entry with this sort key. Lists are newest first, keys ascend
/// with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Newest,
    /// Entries older than this one (the next page).
    After(u128),
    /// Entries newer than this one (the previous page).
    Before(u128),
}

/// What a request for a list asks for.
#[derive(Debug)]
pub(crate) struct PageRequest {
    pub(crate) start: Start,
    /// Entries to show; ask for [`Self::probe`] of them.
    pub(crate) size: usize,
    number: u32,
    token: Option<String>,
    /// The path, and the filters as a query that every link repeats: `?To=%2B1415&`.
    link: String,
    fingerprint: u32,
}

impl PageRequest {
    /// Reads the paging parameters of a list at `path` that can be filtered by `filters`.
    pub(crate) fn new(path: String, query: &Form<'_>, filters: &[&str]) -> Result<Self, Refusal> {
        Self::sized(path, query, filters, DEFAULT_PAGE_SIZE)
    }

    /// The same for a list whose pages have another size unless the request says so.
    pub(crate) fn sized(
        path: String,
        query: &Form<'_>,
        filters: &[&str],
        default_size: usize,
    ) -> Result<Self, Refusal> {
        let size = match query.text("PageSize") {
            None => default_size,
            Some(text) => page_size(text)?,
        };
        let fingerprint = fingerprint(&path, query, filters);
        let token = query.text("PageToken").map(str::to_owned);
        let start = match &token {
            None => Start::Newest,
            Some(token) => decode(token, fingerprint).ok_or_else(|| {
                Fault::because(
                    ErrorCode::InvalidParameter,
                    "'PageToken' does not belong to this list; follow the list's own page links",
                )
            })?,
        };
        let number = query
            .text("Page")
            .and_then(|number| number.parse().ok())
            .unwrap_or(0);
        Ok(Self {
            start,
            size,
            number,
            token,
            link: link(path, query, filters),
            fingerprint,
        })
    }

    /// How many entries to fetch: one more than shown, to know whether the list goes on.
    pub(crate) fn probe(&self) -> usize {
        self.size + 1
    }

    /// Makes the page from up to [`Self::probe`] entries, newest first, that lie next to the start.
    pub(crate) fn page<T>(self, mut entries: Vec<T>, key: impl Fn(&T) -> u128) -> Page<T> {
        let has_more = entries.len() > self.size;
        if has_more {
            match self.start {
                Start::Newest | Start::After(_) => entries.truncate(self.size),
                // Fetched from the cursor upwards: the extra entry is the newest.
                Start::Before(_) => drop(entries.drain(..entries.len() - self.size)),
            }
        }
        // On either side of a page that was reached by a token lies the entry of the token.
        let (has_newer, has_older) = match self.start {
            Start::Newest => (false, has_more),
            Start::After(_) => (true, has_more),
            Start::Before(_) => (has_more, true),
        };
        let newer = entries.first().filter(|_| has_newer).map(&key);
        let older = entries.last().filter(|_| has_older).map(&key);
        let previous = newer.map(|key| {
            let number = self.number.saturating_sub(1);
            self.token_link(number, Start::Before(key))
        });
        let next = older.map(|key| {
            let number = self.number.saturating_add(1);
            self.token_link(number, Start::After(key))
        });
        let mut this = self.page_link(self.number);
        if let Some(token) = &self.token {
            this.push_str("&PageToken=");
            this.push_str(token);
        }
        Page {
            number: self.number,
            size: self.size,
            first: self.page_link(0),
            previous,
            this,
            next,
            entries,
        }
    }

    /// The page of a list that is in memory whole, newest first.
    pub(crate) fn page_of<T>(self, entries: Vec<T>, key: impl Fn(&T) -> u128) -> Page<T> {
        let entries = match self.start {
            Start::Newest => entries.into_iter().take(self.probe()).collect(),
            Start::After(cursor) => entries
                .into_iter()
                .skip_while(|entry| key(entry) >= cursor)
                .take(self.probe())
                .collect(),
            Start::Before(cursor) => {
                let mut newer: Vec<T> = entries
                    .into_iter()
                    .take_while(|entry| key(entry) > cursor)
                    .collect();
                newer.split_off(newer.len().saturating_sub(self.probe()))
            }
        };
        self.page(entries, key)
    }

    fn page_link(&self, number: u32) -> String {
        format!("{}PageSize={}&Page={number}", self.link, self.size)
    }

    fn token_link(&self, number: u32, start: Start) -> String {
        let mut link = self.page_link(number);
        link.push_str("&PageToken=");
        link.push_str(&encode(start, self.fingerprint));
        link
    }
}

/// Too large a page is clamped, in either generation of the API.
fn page_size(text: &str) -> Result<usize, Refusal> {
    let size: i64 = text.parse().map_err(|_| {
        Fault::because(
            ErrorCode::InvalidParameter,
            "'PageSize' must be a whole number from 1 to 1000",
        )
    })?;
    Ok(usize::try_from(size.max(1))
        .unwrap_or(MAX_PAGE_SIZE)
        .min(MAX_PAGE_SIZE))
}

fn link(path: String, query: &Form<'_>, filters: &[&str]) -> String {
    let start = path.len() + 1;
    let mut link = path;
    link.push('?');
    let mut serializer = form_urlencoded::Serializer::for_suffix(link, start);
    for (name, value) in query.iter().filter(|(name, _)| filters.contains(name)) {
        serializer.append_pair(name, value);
    }
    let mut link = serializer.finish();
    if link.len() > start {
        link.push('&');
    }
    link
}

/// 32-bit FNV-1a of the path and the filters in their canonical order: a token is good for the list
/// that it was made for. It keeps mistakes out, not attackers: a token grants nothing.
fn fingerprint(path: &str, query: &Form<'_>, filters: &[&str]) -> u32 {
    let values = filters
        .iter()
        .map(|name| query.text(name).unwrap_or_default());
    // A SID is read in either case.
    let values = values.map(|value| sid::spelled(value).map_or(value.into(), Cow::Owned));
    let texts = std::iter::once(Cow::Borrowed(path)).chain(values);
    texts.fold(0x811C_9DC5, |hash, text| {
        let octets = text.bytes().chain(std::iter::once(0xFF));
        octets.fold(hash, |hash, octet| {
            (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193)
        })
    })
}

const TOKEN_PREFIX: &str = "PA";
const AFTER: u8 = 1;
const BEFORE: u8 = 2;

/// Direction, sort key and fingerprint: 21 octets.
fn encode(start: Start, fingerprint: u32) -> String {
    let (direction, key) = match start {
        Start::Newest => (AFTER, u128::MAX),
        Start::After(key) => (AFTER, key),
        Start::Before(key) => (BEFORE, key),
    };
    let mut octets = [0; 21];
    octets[0] = direction;
    octets[1..17].copy_from_slice(&key.to_be_bytes());
    octets[17..].copy_from_slice(&fingerprint.to_be_bytes());
    let mut token = TOKEN_PREFIX.to_owned();
    URL_SAFE_NO_PAD.encode_string(octets, &mut token);
    token
}

fn decode(token: &str, fingerprint: u32) -> Option<Start> {
    let octets = URL_SAFE_NO_PAD
        .decode(token.strip_prefix(TOKEN_PREFIX)?)
        .ok()?;
    let (&direction, rest) = octets.split_first()?;
    let (key, check) = rest.split_first_chunk::<16>()?;
    if check != fingerprint.to_be_bytes() {
        return None;
    }
    let key = u128::from_be_bytes(*key);
    match direction {
        AFTER => Some(Start::After(key)),
        BEFORE => Some(Start::Before(key)),
        _ => None,
    }
}

/// A page, ready to be shown. Links are relative to the product's base.
#[derive(Debug)]
pub(crate) struct Page<T> {
    number: u32,
    size: usize,
    first: String,
    previous: Option<String>,
    this: String,
    next: Option<String>,
    entries: Vec<T>,
}

impl<T> Page<T> {
    /// The same page of the entries' JSON shapes, which may borrow from the entries.
    pub(crate) fn map<'a, U>(&'a self, shape: impl FnMut(&'a T) -> U) -> Page<U> {
        Page {
            number: self.number,
            size: self.size,
            first: self.first.clone(),
            previous: self.previous.clone(),
            this: self.this.clone(),
            next: self.next.clone(),
            entries: self.entries.iter().map(shape).collect(),
        }
    }

    /// The 2010 API's envelope: its list key and exactly eight others, because Python, Ruby and PHP
    /// fail at a second key they don't know.
    pub(crate) fn in_2010(self, list_key: &'static str) -> Page2010<T> {
        Page2010 {
            list_key,
            page: self,
        }
    }

    /// The envelope of v1 and v2. No `uri` at the top, which Java and C# take for the 2010 form.
    pub(crate) fn in_v1(self, list_key: &'static str, base: impl std::fmt::Display) -> PageV1<T> {
        let absolute = |link: &str| {
            let mut url = String::with_capacity(64 + link.len());
            let _ = write!(url, "{base}{link}");
            url
        };
        PageV1 {
            meta: Meta {
                page: self.number,
                page_size: self.size,
                first_page_url: absolute(&self.first),
                previous_page_url: self.previous.as_deref().map(absolute),
                next_page_url: self.next.as_deref().map(absolute),
                url: absolute(&self.this),
                key: list_key,
            },
            entries: self.entries,
        }
    }
}

pub(crate) struct Page2010<T> {
    list_key: &'static str,
    page: Page<T>,
}

impl<T: Serialize> Serialize for Page2010<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let page = &self.page;
        let start = u64::from(page.number).saturating_mul(page.size as u64);
        let end = start + (page.entries.len() as u64).saturating_sub(1);
        let mut map = serializer.serialize_map(Some(9))?;
        map.serialize_entry("end", &end)?;
        map.serialize_entry("first_page_uri", &page.first)?;
        map.serialize_entry("next_page_uri", &page.next)?;
        map.serialize_entry("page", &page.number)?;
        map.serialize_entry("page_size", &page.size)?;
        map.serialize_entry("previous_page_uri", &page.previous)?;
        map.serialize_entry("start", &start)?;
        map.serialize_entry("uri", &page.this)?;
        map.serialize_entry(self.list_key, &page.entries)?;
        map.end()
    }
}

pub(crate) struct PageV1<T> {
    meta: Meta,
    entries: Vec<T>,
}

#[derive(Serialize)]
struct Meta {
    page: u32,
    page_size: usize,
    first_page_url: String,
    previous_page_url: Option<String>,
    next_page_url: Option<String>,
    url: String,
    key: &'static str,
}

impl<T: Serialize> Serialize for PageV1<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("meta", &self.meta)?;
        map.serialize_entry(self.meta.key, &self.entries)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const PATH: &str = "/2010-04-01/Accounts/AC1/Messages.json";
    const FILTERS: &[&str] = &["To", "From", "DateSent>"];

    fn ask(query: &str) -> Result<PageRequest, Refusal> {
        let query = Form::parse(query.as_bytes())?;
        PageRequest::new(PATH.to_owned(), &query, FILTERS)
    }

    /// The page that `query` gives of a list with the keys `count` down to 1.
    fn list(count: u128, query: &str) -> Value {
        let entries: Vec<u128> = (1..=count).rev().collect();
        let page = ask(query).unwrap().page_of(entries, |&key| key);
        serde_json::to_value(page.map(u128::to_string).in_2010("messages")).unwrap()
    }

    fn query_of(link: &Value) -> Option<String> {
        let link = link.as_str()?;
        Some(link.split_once('?').unwrap().1.to_owned())
    }

    #[test]
    fn a_page_of_2010_has_its_list_and_eight_keys() {
        let page = list(
            3,
            "DateSent%3E=2008-01-02&To=%2B123456789&Unknown=1&PageSize=2",
        );
        let token = query_of(&page["next_page_uri"])
            .unwrap()
            .split_once("PageToken=")
            .unwrap()
            .1
            .to_owned();
        assert!(token.starts_with("PA"));
        let filtered = format!("{PATH}?DateSent%3E=2008-01-02&To=%2B123456789");
        assert_eq!(
            page,
            json!({
                "end": 1,
                "first_page_uri": format!("{filtered}&PageSize=2&Page=0"),
                "messages": ["3", "2"],
                "next_page_uri": format!("{filtered}&PageSize=2&Page=1&PageToken={token}"),
                "page": 0,
                "page_size": 2,
                "previous_page_uri": null,
                "start": 0,
                "uri": format!("{filtered}&PageSize=2&Page=0"),
            })
        );
    }

    #[test]
    fn an_empty_list_ends_at_once() {
        let page = list(0, "");
        assert_eq!(page["messages"], json!([]));
        assert_eq!(page["next_page_uri"], Value::Null);
        assert_eq!(page["previous_page_uri"], Value::Null);
        assert_eq!((&page["start"], &page["end"]), (&json!(0), &json!(0)));
        assert_eq!(page["page_size"], 50);
    }

    #[test]
    fn a_page_of_v1_has_its_list_and_meta() {
        let page = ask("PageSize=2")
            .unwrap()
            .page_of(vec![2_u128, 1], |&key| key);
        let page = page
            .map(u128::to_string)
            .in_v1("services", "http://localhost:8080/messaging");
        let url = format!("http://localhost:8080/messaging{PATH}?PageSize=2&Page=0");
        assert_eq!(
            serde_json::to_value(page).unwrap(),
            json!({
                "meta": {
                    "page": 0,
                    "page_size": 2,
                    "first_page_url": url,
                    "previous_page_url": null,
                    "next_page_url": null,
                    "url": url,
                    "key": "services",
                },
                "services": ["2", "1"],
            })
        );
    }

    #[test]
    fn sizes_are_clamped() {
        for (query, size) in [
            ("", 50),
            ("PageSize=", 50),
            ("PageSize=1", 1),
            ("PageSize=1000", 1000),
            ("PageSize=1001", 1000),
            ("PageSize=99999999999", 1000),
            ("PageSize=0", 1),
            ("PageSize=-5", 1),
        ] {
            assert_eq!(ask(query).unwrap().size, size, "{query}");
        }
        let refusal = ask("PageSize=many").unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::InvalidParameter);
    }

    #[test]
    fn a_token_belongs_to_one_list() {
        let next = query_of(&list(3, "To=%2B1&PageSize=1")["next_page_uri"]).unwrap();
        assert!(ask(&next).is_ok());
        // The same filters in another order and another page size are the same list.
        let token = next.split_once("PageToken=").unwrap().1;
        assert!(ask(&format!("PageToken={token}&PageSize=7&To=%2B1")).is_ok());
        for other in [
            format!("PageToken={token}"),
            format!("To=%2B2&PageToken={token}"),
            format!("To=%2B1&From=5&PageToken={token}"),
            "PageToken=PA".to_owned(),
            "PageToken=PAxx".to_owned(),
            "PageToken=junk".to_owned(),
            "Page=2&PageToken=%00".to_owned(),
        ] {
            assert_eq!(
                ask(&other).unwrap_err().code(),
                ErrorCode::InvalidParameter,
                "{other}"
            );
        }
    }

    proptest! {
        #[test]
        fn links_lead_through_the_whole_list_and_back(count in 0_u128..60, size in 1_usize..20) {
            let mut forth = Vec::new();
            let mut query = Some(format!("PageSize={size}"));
            let mut last = Value::Null;
            while let Some(asked) = query {
                last = list(count, &asked);
                forth.push(last["messages"].clone());
                query = query_of(&last["next_page_uri"]);
            }
            let flat: Vec<Value> = forth.iter().flat_map(|page| page.as_array().unwrap().clone()).collect();
            let expected: Vec<Value> = (1..=count).rev().map(|key| json!(key.to_string())).collect();
            prop_assert_eq!(flat, expected);

            let mut back = vec![last["messages"].clone()];
            let mut query = query_of(&last["previous_page_uri"]);
            while let Some(asked) = query {
                let page = list(count, &asked);
                back.insert(0, page["messages"].clone());
                query = query_of(&page["previous_page_uri"]);
            }
            prop_assert_eq!(back, forth);
        }

        #[test]
        fn any_token_is_read_or_refused(token in "\\PC{0,40}") {
            let _ = decode(&token, 0);
        }
    }
}
