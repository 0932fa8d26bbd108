//! JSON bodies, read member by member as forms are, so that what is wrong is named as the caller wrote it.
//!
//! A member that is null or not there says nothing. Unknown ones are ignored.

use std::borrow::Cow;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use serde_json::{Map, Value};

use crate::error::Refusal;

/// An object of which members are taken, each once.
#[derive(Debug)]
pub(crate) struct JsonForm {
    /// Where it is in the body, with the dot before its members; empty for the whole.
    path: String,
    members: Map<String, Value>,
}

impl JsonForm {
    /// Nothing given is an object without members, as a form without fields.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::at(String::new(), Map::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self::at(String::new(), members)),
            Ok(other) => {
                let given = kind_of(&other);
                Err(invalid(format!(
                    "the body must be a JSON object, not {given}"
                )))
            }
            Err(error) => Err(invalid(format!("the body is no JSON: {error}"))),
        }
    }

    fn at(path: String, members: Map<String, Value>) -> Self {
        Self { path, members }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        self.take(name, "a text", |value| match value {
            Value::String(text) => Ok(text),
            other => Err(other),
        })
    }

    /// The members of an object within this one.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        let path = format!("{}{name}.", self.path);
        self.take(name, "an object", |value| match value {
            Value::Object(members) => Ok(Self::at(path, members)),
            other => Err(other),
        })
    }

    /// A list whose entries are texts, or objects with more to say.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Entry>>, Refusal> {
        let list = self.take(name, "a list", |value| match value {
            Value::Array(list) => Ok(list),
            other => Err(other),
        })?;
        let Some(list) = list else {
            return Ok(None);
        };
        let path = &self.path;
        let entry = |(index, value)| match value {
            Value::String(text) => Ok(Entry::Text(text)),
            Value::Object(members) => {
                let path = format!("{path}{name}[{index}].");
                Ok(Entry::Object(Self::at(path, members)))
            }
            other => {
                let given = kind_of(&other);
                let text =
                    format!("'{path}{name}[{index}]' must be a text or an object, not {given}");
                Err(invalid(text))
            }
        };
        let entries = list.into_iter().enumerate().map(entry);
        entries.collect::<Result<_, _>>().map(Some)
    }

    fn take<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Result<Option<T>, Refusal> {
        match self.members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).map_err(|other| {
                let (path, given) = (&self.path, kind_of(&other));
                invalid(format!("'{path}{name}' must be {expected}, not {given}"))
            }),
        }
    }
}

/// An entry of a list.
#[derive(Debug)]
pub(crate) enum Entry {
    Text(String),
    Object(JsonForm),
}

pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Refusal {
    Fault::because(ErrorCode::InvalidParameter, text).into()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
