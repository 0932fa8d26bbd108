//! Why an attempt failed, and which alert and which retry policy that is a case of.
//!
//! The codes are those of Twilio's error dictionary (<https://www.twilio.com/docs/api/errors>).

use postrider_core::error_code::ErrorCode;

/// Why one attempt brought no 2xx answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AttemptFailure {
    #[error("the host name does not resolve")]
    HostUnknown,
    #[error("the URL's address is in a network that webhooks may not reach")]
    AddressRefused,
    #[error("the host name leads only to networks that webhooks may not reach")]
    HostRefused,
    #[error("the connection was refused or reset")]
    ConnectFailed,
    #[error("no connection within the connect timeout")]
    ConnectTimeout,
    #[error("the TLS handshake failed")]
    TlsFailed,
    #[error("the certificate is for another host name")]
    CertificateWrongName,
    #[error("the certificate is out of date")]
    CertificateExpired,
    #[error("the certificate leads to no trusted root")]
    CertificateUntrusted,
    #[error("no answer within the read timeout")]
    ReadTimeout,
    #[error("the connection was closed before an answer")]
    Closed,
    #[error("the answer is not valid HTTP")]
    BadHttp,
    #[error("the answer redirects more often than is followed")]
    TooManyRedirects,
    #[error("the answer redirects to nowhere usable")]
    BadRedirect,
    #[error("the answer's status is {0}")]
    Status(u16),
    /// Ours: the task that made the attempt ended without a result.
    #[error("the attempt was abandoned")]
    Abandoned,
}

/// The failures that a URL's retry policy (`rp`) can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// `4xx`
    ClientError,
    /// `5xx`
    ServerError,
    /// `ct`: no connection, TLS handshake included.
    Connect,
    /// `rt`: a connection, but no answer.
    Read,
}

impl AttemptFailure {
    pub fn code(self) -> ErrorCode {
        match self {
            Self::HostUnknown | Self::HostRefused => ErrorCode::WebhookHostUnknown,
            // 11205 names "URLs that reference private IP addresses or localhost" as a cause.
            Self::AddressRefused | Self::ConnectFailed | Self::ConnectTimeout => {
                ErrorCode::WebhookConnectionFailed
            }
            Self::TlsFailed => ErrorCode::WebhookTlsFailed,
            Self::CertificateWrongName => ErrorCode::WebhookCertificateWrongName,
            Self::CertificateExpired => ErrorCode::WebhookCertificateExpired,
            Self::CertificateUntrusted => ErrorCode::WebhookCertificateUntrusted,
            Self::BadHttp => ErrorCode::WebhookProtocolViolation,
            Self::TooManyRedirects => ErrorCode::WebhookTooManyRedirects,
            Self::Status(400..=599) => ErrorCode::WebhookErrorStatus,
            Self::ReadTimeout
            | Self::Closed
            | Self::BadRedirect
            | Self::Status(_)
            | Self::Abandoned => ErrorCode::WebhookFailed,
        }
    }

    /// Which word of a retry policy covers it. `None`: retrying can't help, or is none of theirs.
    pub fn class(self) -> Option<FailureClass> {
        match self {
            Self::HostUnknown
            | Self::ConnectFailed
            | Self::ConnectTimeout
            | Self::TlsFailed
            | Self::CertificateWrongName
            | Self::CertificateExpired
            | Self::CertificateUntrusted => Some(FailureClass::Connect),
            Self::ReadTimeout | Self::Closed => Some(FailureClass::Read),
            Self::Status(400..=499) => Some(FailureClass::ClientError),
            Self::Status(500..=599) => Some(FailureClass::ServerError),
            Self::AddressRefused
            | Self::HostRefused
            | Self::BadHttp
            | Self::TooManyRedirects
            | Self::BadRedirect
            | Self::Status(_)
            | Self::Abandoned => None,
        }
    }

    /// Label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostUnknown => "host_unknown",
            Self::AddressRefused => "address_refused",
            Self::HostRefused => "host_refused",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::TlsFailed => "tls_failed",
            Self::CertificateWrongName => "certificate_wrong_name",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateUntrusted => "certificate_untrusted",
            Self::ReadTimeout => "read_timeout",
            Self::Closed => "closed",
            Self::BadHttp => "bad_http",
            Self::TooManyRedirects => "too_many_redirects",
            Self::BadRedirect => "bad_redirect",
            Self::Status(_) => "status",
            Self::Abandoned => "abandoned",
        }
    }
}
