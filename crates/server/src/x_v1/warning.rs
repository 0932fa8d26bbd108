//! A warning as our resources show it: something that goes on all the same, perhaps not as meant.

use postrider_core::error_code::ErrorCode;
use postrider_engine::{PoolWarning, Warning};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct WarningJson {
    /// Null where Twilio has none.
    code: Option<u32>,
    message: String,
}

impl From<Warning> for WarningJson {
    fn from(warning: Warning) -> Self {
        Self {
            code: warning.code.map(ErrorCode::code),
            message: warning.text,
        }
    }
}

impl From<PoolWarning> for WarningJson {
    fn from(warning: PoolWarning) -> Self {
        Warning::from(warning).into()
    }
}
