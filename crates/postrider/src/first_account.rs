//! The account that an empty data directory gets, and its credentials.

use std::env;

use postrider_core::sid::AccountSid;
use postrider_engine::Engine;

use crate::config::Unusable;

const SID: &str = "POSTRIDER_ACCOUNT_SID";
const TOKEN: &str = "POSTRIDER_AUTH_TOKEN";

/// The credentials that the environment asks for; what it leaves open is drawn.
pub(crate) struct FirstAccount {
    sid: Option<AccountSid>,
    token: Option<String>,
}

/// An account that was made just now.
pub(crate) struct Made {
    pub(crate) sid: AccountSid,
    pub(crate) token: String,
    /// Not from the environment: nobody knows it yet.
    pub(crate) is_generated: bool,
}

impl FirstAccount {
    pub(crate) fn of_environment() -> Result<Self, Unusable> {
        let sid = match given(SID)? {
            Some(text) => Some(text.parse().map_err(|error| {
                Unusable::environment(format!("{SID}: given \"{text}\", {error}"))
            })?),
            None => None,
        };
        let token = given(TOKEN)?;
        // The Go SDK refuses any other token before it sends a request.
        let is_token = |token: &String| token.bytes().all(|b| b.is_ascii_alphanumeric());
        if token.as_ref().is_some_and(|token| !is_token(token)) {
            return Err(Unusable::environment(format!(
                "{TOKEN}: expected ASCII letters and digits only (some SDKs take no other token), \
                 given something else"
            )));
        }
        Ok(Self { sid, token })
    }

    /// Makes the account where there is none.
    pub(crate) async fn ensure(self, engine: &Engine) -> anyhow::Result<Option<Made>> {
        let directory = engine.directory();
        if !directory.accounts().is_empty() {
            if let Some(sid) = self.sid.filter(|sid| directory.account(*sid).is_none()) {
                tracing::warn!(%sid, "{SID} is ignored: there are accounts, and it is none of them");
            }
            return Ok(None);
        }
        let is_generated = self.token.is_none();
        let (account, token) = engine
            .create_main_account(self.sid, self.token, "main")
            .await?;
        Ok(Some(Made {
            sid: account.sid,
            token,
            is_generated,
        }))
    }
}

/// A variable's text; `None` when it is not set or empty. Never shown: it may be the token.
fn given(name: &str) -> Result<Option<String>, Unusable> {
    let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let is_plain = |value: &String| value.bytes().all(|b| b.is_ascii_graphic());
    let value = value.into_string().ok().filter(is_plain);
    value.map(Some).ok_or_else(|| {
        Unusable::environment(format!(
            "{name}: expected ASCII without blanks, given something else"
        ))
    })
}
