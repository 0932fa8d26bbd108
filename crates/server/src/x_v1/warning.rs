//! A warning as our resources show it: something that goes on all the same, perhaps not as meant.

use postrider_core::error_code::ErrorCode;
use postrider_engine::PoolWarning;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct WarningJson {
    /// Null where Twilio has none.
    code: Option<u32>,
    message: String,
}

impl From<ErrorCode> for WarningJson {
    fn from(code: ErrorCode) -> Self {
        Self {
            code: Some(code.code()),
            message: code.title().to_owned(),
        }
    }
}

impl From<PoolWarning> for WarningJson {
    fn from(warning: PoolWarning) -> Self {
        Self {
            code: None,
            message: warning.to_string(),
        }
    }
}
