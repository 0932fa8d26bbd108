//! An answer on its way out: status and JSON, before the headers that every answer carries.

use std::fmt::Display;

use bytes::Bytes;
use http::HeaderName;
use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::body::Stream;
use crate::error::Refusal;

/// What every handler gives.
pub(crate) type Answer = Result<Reply, Refusal>;

/// For fields whose type prints as it is to be written.
pub(crate) fn as_text<S: Serializer>(
    value: &impl Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    /// Headers of this answer only; those of every answer are added where it leaves.
    pub(crate) headers: SmallVec<[(HeaderName, &'static str); 1]>,
    pub(crate) body: Bytes,
    /// In place of the body, where that is too long to be made first.
    pub(crate) stream: Option<Stream>,
    /// Something was created, which a repetition must not create again. The status does not tell: some
    /// updates are answered as creations are.
    pub(crate) is_creation: bool,
}

impl Reply {
    /// 200: read or updated.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self::json(200, body)
    }

    /// 201: created.
    pub(crate) fn created(body: &impl Serialize) -> Self {
        Self::json(201, body).of_creation()
    }

    /// 202: created, as messaging v2 says it.
    pub(crate) fn accepted_new(body: &impl Serialize) -> Self {
        Self::accepted(body).of_creation()
    }

    /// 202: updated, where that is how it is said.
    pub(crate) fn accepted(body: &impl Serialize) -> Self {
        Self::json(202, body)
    }

    fn of_creation(self) -> Self {
        Self {
            is_creation: true,
            ..self
        }
    }

    /// 204: deleted.
    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            content_type: None,
            headers: SmallVec::new(),
            body: Bytes::new(),
            stream: None,
            is_creation: false,
        }
    }

    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        // A message's answer has about 900 octets.
        let mut json = Vec::with_capacity(1024);
        serde_json::to_writer(&mut json, body)
            .expect("writing to memory cannot fail, and every key of our shapes is a string");
        Self {
            status,
            content_type: Some("application/json"),
            headers: SmallVec::new(),
            body: json.into(),
            stream: None,
            is_creation: false,
        }
    }

    /// 200, as it is read.
    pub(crate) fn stream(content_type: &'static str, stream: Stream) -> Self {
        Self {
            stream: Some(stream),
            ..Self::text(200, content_type, Bytes::new())
        }
    }

    pub(crate) fn text(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: Some(content_type),
            headers: SmallVec::new(),
            body: body.into(),
            stream: None,
            is_creation: false,
        }
    }
}
