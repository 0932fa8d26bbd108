//! Moving an account from one auth token to the next without a pause: a secondary token is made,
//! clients take it one by one, and then it is promoted and the first one is void.
//!
//! Both authenticate; the first signs webhooks until it goes, so that validators always know which.

use std::sync::Arc;

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{Account, Document, SecondaryToken};
use postrider_core::sid::AccountSid;
use postrider_store::DocumentChange;

use crate::settings_lock::SettingsLock;
use crate::{Engine, secrets};

impl Engine {
    /// Makes the account's secondary token and shows it. There is one at most: a second would void
    /// one that clients use already.
    pub async fn create_secondary_token(
        &self,
        sid: AccountSid,
    ) -> Result<(SecondaryToken, String), Fault> {
        let lock = self.settings_lock().await;
        let mut account = Account::clone(&*self.account(sid)?);
        if account.secondary_token.is_some() {
            let text = "There is a secondary auth token already; promote or delete it first";
            return Err(Fault::because(ErrorCode::Conflict, text));
        }
        let text = self.ids().auth_token();
        let mut nonce = [0; 12];
        self.ids().fill(&mut nonce);
        let token = SecondaryToken {
            hash: secrets::hash(&text),
            sealed: self.directory().vault().seal(&text, nonce),
            created_ms: self.now_ms(),
        };
        account.secondary_token = Some(token.clone());
        self.put_account(lock, account).await?;
        Ok((token, text))
    }

    /// Voids the secondary token.
    pub async fn delete_secondary_token(&self, sid: AccountSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let mut account = Account::clone(&*self.account(sid)?);
        take(&mut account)?;
        self.put_account(lock, account).await
    }

    /// Makes the secondary token the account's only one.
    pub async fn promote_secondary_token(&self, sid: AccountSid) -> Result<Arc<Account>, Fault> {
        let lock = self.settings_lock().await;
        let mut account = Account::clone(&*self.account(sid)?);
        let token = take(&mut account)?;
        account.auth_token_hash = token.hash;
        account.auth_token_sealed = token.sealed;
        self.put_account(lock, account).await?;
        self.account(sid)
    }

    async fn put_account(&self, lock: SettingsLock, mut account: Account) -> Result<(), Fault> {
        account.updated_ms = self.now_ms();
        self.write_settings(lock, vec![DocumentChange::Put(Document::Account(account))])
            .await
    }
}

fn take(account: &mut Account) -> Result<SecondaryToken, Fault> {
    account.secondary_token.take().ok_or_else(|| {
        let text = "This account has no secondary auth token";
        Fault::because(ErrorCode::NotFound, text)
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::engine;

    #[tokio::test]
    async fn the_first_token_signs_until_the_second_is_promoted() {
        let test = engine();
        let (account, first) = test
            .engine
            .create_main_account(None, None, "Main")
            .await
            .unwrap();
        let signs = || test.engine.directory().auth_token(account.sid).unwrap();
        let made = test.engine.create_secondary_token(account.sid).await;
        let (_, second) = made.unwrap();
        assert_eq!(&*signs(), first);
        let promoted = test.engine.promote_secondary_token(account.sid).await;
        promoted.unwrap();
        assert_eq!(&*signs(), second);
    }
}
