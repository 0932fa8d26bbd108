//! How a refusal looks from outside: the one place where a fault becomes an HTTP answer.
//!
//! The body has exactly the four keys that SDKs build their exceptions from. Never add `type` or
//! `title`: with those the Python SDK takes it for another format and raises a different class.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use serde::Serialize;

use crate::reply::Reply;

/// A fault, and what HTTP adds to it.
#[derive(Debug)]
pub(crate) struct Refusal {
    fault: Fault,
    status: u16,
    /// The methods that the resource does offer.
    allow: Option<&'static str>,
    /// What follows on the connection can't be read.
    is_last: bool,
}

impl Refusal {
    /// An HTTP status other than the code's own.
    pub(crate) fn with_status(fault: impl Into<Fault>, status: u16) -> Self {
        Self {
            fault: fault.into(),
            status,
            allow: None,
            is_last: false,
        }
    }

    pub(crate) fn not_found() -> Self {
        ErrorCode::NotFound.into()
    }

    /// The resource is there, the method is not. `allow` names those that are.
    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..ErrorCode::MethodNotAllowed.into()
        }
    }

    /// Says that the connection ends with this answer.
    pub(crate) fn last(self) -> Self {
        Self {
            is_last: true,
            ..self
        }
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> ErrorCode {
        self.fault.code
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> u16 {
        self.status
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let Some(status) = fault.code.synchronous_status() else {
            // Such a code belongs on a message or in an alert: meeting it here is our bug.
            tracing::error!(
                code = fault.code.code(),
                "a request failed with a code that answers none"
            );
            return ErrorCode::InternalError.into();
        };
        Self::with_status(fault, status)
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Fault::new(code).into()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    code: u32,
    message: &'a str,
    more_info: MoreInfo,
    status: u16,
}

/// The page that explains a code.
pub(crate) struct MoreInfo(pub(crate) ErrorCode);

impl Serialize for MoreInfo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!(
            "https://www.twilio.com/docs/errors/{}",
            self.0
        ))
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            fault,
            status,
            allow,
            is_last,
        } = refusal;
        let mut reply = Self::json(
            status,
            &Body {
                code: fault.code.code(),
                message: fault.message(),
                more_info: MoreInfo(fault.code),
                status,
            },
        );
        if let Some(allow) = allow {
            reply.headers.push((http::header::ALLOW, allow));
        }
        if is_last {
            reply.headers.push((http::header::CONNECTION, "close"));
        }
        match status {
            401 => reply.headers.push((
                http::header::WWW_AUTHENTICATE,
                "Basic realm=\"Postrider API\"",
            )),
            429 | 503 => reply.headers.push((http::header::RETRY_AFTER, "1")),
            _ => {}
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(refusal: Refusal) -> serde_json::Value {
        serde_json::from_slice(&Reply::from(refusal).body).unwrap()
    }

    #[test]
    fn a_refusal_has_four_keys() {
        assert_eq!(
            body(Fault::because(ErrorCode::InvalidTo, "'To' is empty").into()),
            serde_json::json!({
                "code": 21211,
                "message": "'To' is empty",
                "more_info": "https://www.twilio.com/docs/errors/21211",
                "status": 400,
            })
        );
    }

    #[test]
    fn without_a_reason_the_catalogue_speaks() {
        let body = body(ErrorCode::NotFound.into());
        assert_eq!(body["message"], ErrorCode::NotFound.message());
        assert_eq!(body["status"], 404);
    }

    #[test]
    fn a_code_that_answers_no_request_is_our_fault() {
        let body = body(ErrorCode::HandsetUnknown.into());
        assert_eq!(body["code"], 20500);
        assert_eq!(body["status"], 500);
    }

    #[test]
    fn headers_go_with_the_status() {
        let header = |refusal: Refusal| Reply::from(refusal).headers.first().cloned();
        assert_eq!(
            header(Refusal::method_not_allowed("GET, POST")),
            Some((http::header::ALLOW, "GET, POST"))
        );
        let challenge = header(ErrorCode::Unauthorized.into()).unwrap();
        assert_eq!(challenge.0, http::header::WWW_AUTHENTICATE);
        assert!(challenge.1.starts_with("Basic realm="));
        assert_eq!(
            header(ErrorCode::TooManyRequests.into()),
            Some((http::header::RETRY_AFTER, "1"))
        );
        assert_eq!(header(ErrorCode::NotFound.into()), None);
    }
}
