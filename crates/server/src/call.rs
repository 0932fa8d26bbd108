//! One authenticated request, as handlers see it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::ACCEPT;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::idempotency::Repeatable;
use postrider_core::settings::Account;
use postrider_engine::{Directory, Engine};
use serde::Deserialize;

use crate::App;
use crate::auth::{Access, Caller};
use crate::error::Refusal;
use crate::form::Form;
use crate::product::{Base, Product};
use crate::reply::Answer;
use crate::{accounts_v1, api_v2010, messaging_v1, messaging_v2, messaging_v3, monitor_v1, x_v1};

/// The methods that resources offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
    Other,
}

impl Method {
    /// HEAD is GET here: hyper leaves the body away.
    pub(crate) fn new(method: &http::Method) -> Self {
        match *method {
            http::Method::GET | http::Method::HEAD => Self::Get,
            http::Method::POST => Self::Post,
            http::Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }

    pub(crate) fn access(self) -> Access {
        match self {
            Self::Get => Access::Read,
            Self::Post | Self::Delete | Self::Other => Access::Write,
        }
    }
}

pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    /// The app's, or a draft of it.
    pub(crate) engine: Cow<'a, Engine>,
    pub(crate) method: Method,
    pub(crate) caller: Caller,
    pub(crate) base: Base<'a>,
    pub(crate) query: &'a str,
    /// Empty unless the method is POST.
    pub(crate) body: Bytes,
    pub(crate) headers: &'a HeaderMap,
    /// For a message that is to be created once.
    pub(crate) repeatable: Option<Repeatable>,
}

impl Call<'_> {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn directory(&self) -> &Directory {
        self.engine.directory()
    }

    /// The resource's answer.
    pub(crate) async fn route(&self, product: Product, path: &[&str]) -> Answer {
        match product {
            Product::Api => api_v2010::route(self, path).await,
            Product::Messaging if path.first() == Some(&"v2") => {
                messaging_v2::route(self, path).await
            }
            Product::Messaging if path.first() == Some(&"v3") => {
                messaging_v3::route(self, path).await
            }
            Product::Messaging => messaging_v1::route(self, path).await,
            Product::Extensions => x_v1::route(self, path).await,
            Product::Accounts => accounts_v1::route(self, path).await,
            Product::Monitor => monitor_v1::route(self, path).await,
            Product::Conversations | Product::Content => Err(ErrorCode::NotFound.into()),
        }
    }

    pub(crate) fn form(&self) -> Result<Form<'_>, Refusal> {
        Form::parse(&self.body)
    }

    /// A body in JSON. Nothing given is an object without members, as a form without fields.
    pub(crate) fn json<'b, T: Deserialize<'b>>(&'b self) -> Result<T, Refusal> {
        let body = match &self.body[..] {
            [] => b"{}",
            body => body,
        };
        serde_json::from_slice(body).map_err(|error| {
            let text = format!("the body can't be read: {error}");
            Fault::because(ErrorCode::InvalidParameter, text).into()
        })
    }

    pub(crate) fn query(&self) -> Result<Form<'_>, Refusal> {
        Form::parse(self.query.as_bytes())
    }

    /// `Accept` names plain text first, which some resources can be had in.
    pub(crate) fn wants_text(&self) -> bool {
        let accepted = self.headers.get(ACCEPT);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        accepted.is_some_and(|accepted| accepted.starts_with("text/plain"))
    }

    /// The account named in a 2010 path.
    pub(crate) fn account_in_path(&self, sid: &str) -> Result<Arc<Account>, Refusal> {
        self.caller
            .account_in_path(self.directory(), sid, self.method.access())
    }
}
