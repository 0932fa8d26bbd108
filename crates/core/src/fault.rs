//! A request that can't be done, in the customer's terms: a catalogue code and a sentence.
//!
//! Every operation a caller can ask for fails with a [`Fault`] and nothing else. The HTTP layer
//! turns it into Twilio's error body in one place.

use std::borrow::Cow;
use std::fmt;

use crate::error_code::ErrorCode;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: ErrorCode,
    /// What was given, what was expected, what to do; the catalogue's sentence when `None`.
    pub text: Option<Cow<'static, str>>,
}

impl Fault {
    pub fn new(code: ErrorCode) -> Self {
        Self { code, text: None }
    }

    pub fn because(code: ErrorCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            text: Some(text.into()),
        }
    }

    /// A sentence for the customer.
    pub fn message(&self) -> &str {
        self.text.as_deref().unwrap_or(self.code.message())
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{}: {text}", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

impl std::error::Error for Fault {}
