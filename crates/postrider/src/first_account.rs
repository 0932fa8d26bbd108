//! The account that an empty data directory gets, and its credentials.

use std::env;

use anyhow::{Context, ensure};
use postrider_core::sid::AccountSid;
use postrider_engine::Engine;

const SID: &str = "POSTRIDER_ACCOUNT_SID";
const TOKEN: &str = "POSTRIDER_AUTH_TOKEN";

/// An account that was made just now.
pub(crate) struct FirstAccount {
    pub(crate) sid: AccountSid,
    pub(crate) token: String,
    /// Not from the environment: nobody knows it yet.
    pub(crate) is_generated: bool,
}

/// Makes the first account where there is none.
pub(crate) async fn ensure(engine: &Engine) -> anyhow::Result<Option<FirstAccount>> {
    let (sid, token) = (given(SID)?, given(TOKEN)?);
    let sid: Option<AccountSid> = sid.map(|text| text.parse().context(SID)).transpose()?;
    let accounts = engine.directory().accounts();
    if !accounts.is_empty() {
        if let Some(sid) = sid.filter(|sid| engine.directory().account(*sid).is_none()) {
            tracing::warn!(%sid, "{SID} is ignored: there are accounts, and this is none of them");
        }
        return Ok(None);
    }
    let is_generated = token.is_none();
    let (account, token) = engine.create_main_account(sid, token, "main").await?;
    Ok(Some(FirstAccount {
        sid: account.sid,
        token,
        is_generated,
    }))
}

fn given(name: &str) -> anyhow::Result<Option<String>> {
    let Some(value) = env::var_os(name) else {
        return Ok(None);
    };
    let value = value
        .into_string()
        .ok()
        .with_context(|| format!("{name} is no text"))?;
    ensure!(
        value.bytes().all(|b| b.is_ascii_graphic()),
        "{name} holds white space or letters outside ASCII"
    );
    Ok(Some(value).filter(|value| !value.is_empty()))
}
