//! Parameters: urlencoded forms in bodies and in query strings, parsed once into types.
//!
//! Names are matched exactly and may repeat, unknown ones are ignored, and a query never adds to a
//! body. On an update a parameter that is absent leaves the setting alone, and one that is present
//! but empty clears it; the readers here keep the two apart.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::HttpMethod;
use url::Url;

use crate::error::Refusal;

/// Octets of a body. The largest honest one is a message: 1,600 characters of four octets, each
/// written `%XX`, are 19,200; ten media URLs of 2,000 are as many again; template variables may come
/// to some 64 KiB, three times that when encoded.
const MAX_BODY_OCTETS: usize = 256 * 1024;

/// For a body to arrive whole, so that a stalled caller holds no memory for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Octets of a file: a million opt-outs, which have some 85 each.
const MAX_FILE_OCTETS: usize = 96 * 1024 * 1024;

/// For a file to arrive.
const FILE_TIMEOUT: Duration = Duration::from_mins(5);

/// Fields of a form. No resource has more than 40 parameters; lists repeat one.
pub(crate) const MAX_FIELDS: usize = 1_000;

/// Characters of a `FriendlyName`.
const MAX_FRIENDLY_NAME: usize = 64;

/// What the bodies of a resource are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyType {
    Form,
    Json,
    /// A file.
    Csv,
}

impl BodyType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Form => "application/x-www-form-urlencoded",
            Self::Json => "application/json",
            Self::Csv => "text/csv",
        }
    }

    fn max_octets(self) -> usize {
        match self {
            Self::Form | Self::Json => MAX_BODY_OCTETS,
            Self::Csv => MAX_FILE_OCTETS,
        }
    }

    fn timeout(self) -> Duration {
        match self {
            Self::Form | Self::Json => BODY_TIMEOUT,
            Self::Csv => FILE_TIMEOUT,
        }
    }

    fn too_large(self) -> Refusal {
        match self {
            Self::Form | Self::Json => ErrorCode::BodyTooLarge.into(),
            Self::Csv => {
                let text = format!(
                    "the file has more than {} MiB; split it",
                    MAX_FILE_OCTETS >> 20
                );
                Fault::because(ErrorCode::BodyTooLarge, text).into()
            }
        }
    }

    fn other(self) -> Refusal {
        let text = format!("the request's Content-Type must be {}", self.as_str());
        Refusal::with_status(Fault::because(ErrorCode::InvalidParameter, text), 415)
    }
}

/// Reads the body of a request that has one. Anything but the wanted type is refused, unless it is
/// empty and says nothing about its type.
pub(crate) async fn read_body<B>(
    headers: &HeaderMap,
    body: B,
    wanted: BodyType,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes>,
{
    let is_wanted = headers.get(CONTENT_TYPE).map(|value| {
        let essence = value.as_bytes().split(|&b| b == b';').next();
        essence
            .unwrap_or_default()
            .trim_ascii()
            .eq_ignore_ascii_case(wanted.as_str().as_bytes())
    });
    if is_wanted == Some(false) {
        return Err(wanted.other());
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|octets| octets > wanted.max_octets() as u64) {
        return Err(wanted.too_large());
    }
    let body = tokio::time::timeout(wanted.timeout(), collect(body, wanted))
        .await
        .map_err(|_| {
            let text = "the request's body did not arrive in time";
            Refusal::with_status(Fault::because(ErrorCode::InvalidParameter, text), 408)
        })??;
    if is_wanted.is_none() && !body.is_empty() {
        return Err(wanted.other());
    }
    Ok(body)
}

/// A request is refused before its body was read. What is left of one that is not all there yet would
/// be taken for the next request, so the connection ends, and the client is told.
pub(crate) fn without_body<B>(refusal: Refusal, headers: &HeaderMap, body: Pin<&mut B>) -> Refusal
where
    B: Body<Data = Bytes>,
{
    // Asking for the body would call in one that a client has offered to keep back.
    if headers.contains_key(EXPECT) || !is_at_hand(body) {
        refusal.last()
    } else {
        refusal
    }
}

/// Whether all of a body has come; then it is gone.
fn is_at_hand<B: Body<Data = Bytes>>(mut body: Pin<&mut B>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    let mut octets = 0;
    while octets <= MAX_BODY_OCTETS {
        match body.as_mut().poll_frame(&mut context) {
            Poll::Ready(None) => return true,
            Poll::Ready(Some(Ok(frame))) => octets += frame.data_ref().map_or(0, Bytes::len),
            Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
        }
    }
    false
}

/// Gathers a body. Nearly all come in one frame, which is then the result without a copy.
async fn collect<B: Body<Data = Bytes>>(body: B, wanted: BodyType) -> Result<Bytes, Refusal> {
    let mut body = std::pin::pin!(body);
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // Unless its chunks make no sense, the connection broke, and nobody will read this.
            let text = "the request's body broke off";
            return Err(Refusal::from(Fault::because(ErrorCode::InvalidParameter, text)).last());
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + whole.len() + data.len() > wanted.max_octets() {
            return Err(wanted.too_large());
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            // A file is big enough for its copies to matter.
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    if whole.is_empty() {
        return Ok(first);
    }
    Ok(whole.into())
}

/// What a request says about a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// The parameter is absent.
    Keep,
    /// It is present and empty.
    Clear,
    Set(T),
}

impl<T> Change<T> {
    pub(crate) fn apply(self, setting: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *setting = None,
            Self::Set(value) => *setting = Some(value),
        }
    }

    /// A setting that always has a value: cleared, it is at its default again.
    pub(crate) fn apply_or(self, setting: &mut T, default: T) {
        match self {
            Self::Keep => {}
            Self::Clear => *setting = default,
            Self::Set(value) => *setting = value,
        }
    }

    /// The value that is set, where absent and empty are the same.
    pub(crate) fn set(self) -> Option<T> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// A parsed form or query.
#[derive(Debug, Default)]
pub(crate) struct Form<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Form<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, Refusal> {
        let mut fields = Vec::new();
        for field in form_urlencoded::parse(text) {
            if fields.len() == MAX_FIELDS {
                return Err(Self::too_many_fields());
            }
            fields.push(field);
        }
        Ok(Self { fields })
    }

    pub(crate) fn too_many_fields() -> Refusal {
        Fault::because(ErrorCode::BodyTooLarge, "the form has too many fields").into()
    }

    /// The first value of a parameter, empty or not.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_ref())
    }

    /// Every value of a parameter that is a list.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(move |(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    /// The first value of a parameter where an empty one is none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// What the first value of a parameter says, read by `parse` unless it is empty.
    pub(crate) fn change<'f, T>(
        &'f self,
        name: &str,
        parse: impl FnOnce(&'f str) -> Result<T, Refusal>,
    ) -> Result<Change<T>, Refusal> {
        match self.get(name) {
            None => Ok(Change::Keep),
            Some("") => Ok(Change::Clear),
            Some(text) => parse(text).map(Change::Set),
        }
    }

    /// The fields in the order of the request.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| {
            Fault::because(
                ErrorCode::InvalidParameter,
                format!("the required parameter '{name}' is missing"),
            )
            .into()
        })
    }

    /// `true` or `false` in any case.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.text(name)
            .map(|value| parse_boolean(name, value))
            .transpose()
    }

    /// `true` or `false` in any case, for a setting.
    pub(crate) fn switch(&self, name: &str) -> Result<Change<bool>, Refusal> {
        self.change(name, |value| parse_boolean(name, value))
    }

    /// A name of at most 64 characters.
    pub(crate) fn friendly_name(&self) -> Result<Change<String>, Refusal> {
        self.change("FriendlyName", |name| {
            if name.chars().count() > MAX_FRIENDLY_NAME {
                Err(ErrorCode::InvalidFriendlyName.into())
            } else {
                Ok(name.to_owned())
            }
        })
    }

    /// A webhook's URL.
    pub(crate) fn url(&self, name: &str) -> Result<Change<String>, Refusal> {
        self.checked_url(name, ErrorCode::InvalidUrl, |_| true)
    }

    /// A status callback's URL, whose host may have no underscore.
    pub(crate) fn status_callback(&self) -> Result<Change<String>, Refusal> {
        self.checked_url("StatusCallback", ErrorCode::InvalidStatusCallback, |url| {
            url.host_str().is_some_and(|host| !host.contains('_'))
        })
    }

    /// The text is kept as it was given, because webhooks are signed with exactly that.
    fn checked_url(
        &self,
        name: &str,
        code: ErrorCode,
        is_allowed: impl Fn(&Url) -> bool,
    ) -> Result<Change<String>, Refusal> {
        self.change(name, |text| {
            let url = webhook_url(text).filter(is_allowed);
            if url.is_none() {
                return Err(Fault::because(
                    code,
                    format!("'{name}' must be an absolute http or https URL with a host name"),
                )
                .into());
            }
            Ok(text.to_owned())
        })
    }

    /// The method of a webhook.
    pub(crate) fn method(&self, name: &str) -> Result<Change<HttpMethod>, Refusal> {
        self.change(name, |method| {
            if method.eq_ignore_ascii_case("GET") {
                Ok(HttpMethod::Get)
            } else if method.eq_ignore_ascii_case("POST") {
                Ok(HttpMethod::Post)
            } else {
                let text = format!("'{name}' must be GET or POST");
                Err(Fault::because(ErrorCode::InvalidMethod, text).into())
            }
        })
    }

    /// A rate in segments per second; 0 is no limit.
    pub(crate) fn pace(&self) -> Result<Change<f64>, Refusal> {
        self.change("Pace", |text| match text.parse::<f64>() {
            Ok(pace) if pace.is_finite() && pace >= 0.0 => Ok(pace),
            _ => Err(Fault::because(
                ErrorCode::InvalidParameter,
                "'Pace' must be a number of segments per second, 0 for no limit",
            )
            .into()),
        })
    }
}

fn webhook_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// An absolute http or https URL with a host name.
pub(crate) fn is_webhook_url(text: &str) -> bool {
    webhook_url(text).is_some()
}

pub(crate) fn parse_boolean(name: &str, value: &str) -> Result<bool, Refusal> {
    if value.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if value.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(Fault::because(
            ErrorCode::InvalidParameter,
            format!("'{name}' must be true or false"),
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use proptest::prelude::*;

    fn form(text: &str) -> Form<'_> {
        Form::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn names_are_exact_flat_and_repeatable() {
        let form =
            form("MediaUrl=a&MediaUrl=b&AutoCreation.Enabled=true&DateSent%3C=2026-01-31&to=1");
        assert_eq!(form.iter().filter(|field| field.0 == "MediaUrl").count(), 2);
        assert_eq!(form.get("MediaUrl"), Some("a"));
        assert_eq!(form.get("AutoCreation.Enabled"), Some("true"));
        assert_eq!(form.get("DateSent<"), Some("2026-01-31"));
        assert_eq!(form.get("To"), None);
    }

    #[test]
    fn absent_and_empty_are_different() {
        let form = form("SmsUrl=&SmsMethod=&Pace=");
        assert_eq!(form.url("SmsUrl").unwrap(), Change::Clear);
        assert_eq!(form.url("SmsFallbackUrl").unwrap(), Change::Keep);
        assert_eq!(form.method("SmsMethod").unwrap(), Change::Clear);
        assert_eq!(form.method("SmsFallbackMethod").unwrap(), Change::Keep);
        assert_eq!(form.pace().unwrap(), Change::Clear);
    }

    #[test]
    fn booleans_are_words_in_any_case() {
        let form = form("A=true&B=FALSE&C=True&D=1&E=");
        assert_eq!(form.boolean("A").unwrap(), Some(true));
        assert_eq!(form.boolean("B").unwrap(), Some(false));
        assert_eq!(form.boolean("C").unwrap(), Some(true));
        assert_eq!(
            form.boolean("D").unwrap_err().code(),
            ErrorCode::InvalidParameter
        );
        assert_eq!(form.boolean("E").unwrap(), None);
        assert_eq!(form.switch("B").unwrap(), Change::Set(false));
        assert_eq!(form.switch("E").unwrap(), Change::Clear);
        assert_eq!(form.switch("F").unwrap(), Change::Keep);
    }

    #[test]
    fn urls_are_absolute_and_kept_as_given() {
        for (text, is_valid) in [
            ("https://example.com/sms?a=%20b#rc=2", true),
            ("http://127.0.0.1:8080", true),
            ("HTTPS://Example.com", true),
            ("http://my_host/sms", true),
            ("example.com/sms", false),
            ("/sms", false),
            ("ftp://example.com", false),
            ("https://", false),
            ("http://exa mple.com", false),
        ] {
            let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let given = format!("SmsUrl={encoded}");
            let url = form(&given).url("SmsUrl");
            match (url, is_valid) {
                (Ok(url), true) => assert_eq!(url, Change::Set(text.to_owned())),
                (Err(refusal), false) => assert_eq!(refusal.code(), ErrorCode::InvalidUrl),
                (answer, _) => panic!("{text}: {answer:?}"),
            }
        }
        let refusal = form("StatusCallback=http://my_host/sms").status_callback();
        assert_eq!(
            refusal.unwrap_err().code(),
            ErrorCode::InvalidStatusCallback
        );
    }

    #[test]
    fn names_and_numbers_have_limits() {
        let longest = format!("FriendlyName={}", "%C3%A9".repeat(64));
        assert!(form(&longest).friendly_name().is_ok());
        let longer = format!("{longest}e");
        assert_eq!(
            form(&longer).friendly_name().unwrap_err().code(),
            ErrorCode::InvalidFriendlyName
        );
        assert_eq!(form("Pace=2.5").pace().unwrap(), Change::Set(2.5));
        for bad in ["Pace=-1", "Pace=NaN", "Pace=inf", "Pace=fast"] {
            assert!(form(bad).pace().is_err(), "{bad}");
        }
        let many = "a&".repeat(MAX_FIELDS + 1);
        assert_eq!(
            Form::parse(many.as_bytes()).unwrap_err().code(),
            ErrorCode::BodyTooLarge
        );
    }

    /// Columns: content type, body, status of the refusal if it is refused.
    #[tokio::test]
    async fn bodies_are_of_the_wanted_type() {
        const FORM: BodyType = BodyType::Form;
        const JSON: BodyType = BodyType::Json;
        let form_type = Some("application/x-www-form-urlencoded");
        let json_type = Some("application/json");
        let largest = "a".repeat(MAX_BODY_OCTETS);
        let too_large = "a".repeat(MAX_BODY_OCTETS + 1);
        for (wanted, content_type, body, refused) in [
            (FORM, form_type, "To=%2B1", None),
            (
                FORM,
                Some("Application/X-WWW-Form-Urlencoded; charset=utf-8"),
                "To=%2B1",
                None,
            ),
            (FORM, form_type, "", None),
            (FORM, None, "", None),
            (FORM, None, "To=%2B1", Some(415)),
            (FORM, json_type, "{}", Some(415)),
            (FORM, json_type, "", Some(415)),
            (
                FORM,
                Some("multipart/form-data; boundary=x"),
                "--x",
                Some(415),
            ),
            (FORM, form_type, largest.as_str(), None),
            (FORM, form_type, too_large.as_str(), Some(413)),
            (JSON, json_type, "{}", None),
            (JSON, Some("application/json; charset=utf-8"), "{}", None),
            (JSON, None, "", None),
            (JSON, None, "{}", Some(415)),
            (JSON, form_type, "To=%2B1", Some(415)),
            (JSON, json_type, too_large.as_str(), Some(413)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            }
            let body_in = Full::new(Bytes::from(body.to_owned()));
            let answer = read_body(&headers, body_in, wanted).await;
            match (answer, refused) {
                (Ok(read), None) => assert_eq!(read, body),
                (Err(refusal), Some(status)) => assert_eq!(refusal.status(), status),
                (answer, _) => panic!("{wanted:?} {content_type:?}: {answer:?}"),
            }
        }
    }

    #[tokio::test]
    async fn an_announced_size_is_enough_to_refuse() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, "262145".parse().unwrap());
        let refusal = read_body(&headers, Full::new(Bytes::new()), BodyType::Form)
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::BodyTooLarge);
    }

    proptest! {
        #[test]
        fn any_octets_are_a_form_or_too_many(octets in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = Form::parse(&octets);
        }

        #[test]
        fn what_was_encoded_is_read_again(name in "\\PC{1,20}", value in "\\PC{0,200}") {
            let text = form_urlencoded::Serializer::new(String::new())
                .append_pair(&name, &value)
                .finish();
            let form = Form::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(form.get(&name), Some(value.as_str()));
        }
    }
}
