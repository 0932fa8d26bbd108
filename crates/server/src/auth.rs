//! Who is asking, and for whom: HTTP Basic with an account's token or with an API key.
//!
//! Only hashes are kept and compared, in constant time. A parent account may act for a child by
//! naming the child in a 2010 path; v1 paths name no account, so there the credential's own account
//! is meant. Rules and their sources in `docs/api.md`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap};
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::settings::{Account, AccountStatus};
use postrider_core::sid::{AccountSid, KeySid};
use postrider_engine::Directory;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::Refusal;

/// What a request means to do. Suspended accounts may only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Whose credentials a request carries.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) account: Arc<Account>,
    credential: Credential,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    AuthToken,
    ApiKey(KeySid),
}

/// Octets of a decoded `SID:secret`. Ours have 67; a longer one is nobody's.
const MAX_CREDENTIALS: usize = 256;

impl Caller {
    pub(crate) fn authenticate(
        directory: &Directory,
        headers: &HeaderMap,
        access: Access,
    ) -> Result<Self, Refusal> {
        let mut buffer = [0; MAX_CREDENTIALS];
        let (user, password) = headers
            .get(AUTHORIZATION)
            .and_then(|header| decode_basic(header.as_bytes(), &mut buffer))
            .ok_or(ErrorCode::Unauthorized)?;
        let caller = Self::identify(directory, user, password).ok_or(ErrorCode::Unauthorized)?;
        check_active(directory, &caller.account, access)?;
        Ok(caller)
    }

    fn identify(directory: &Directory, user: &str, password: &str) -> Option<Self> {
        let (account, is_known, credential) = if let Ok(sid) = user.parse::<KeySid>() {
            let key = directory.key(sid)?;
            let account = directory.account(key.account)?;
            let is_known = is_secret(password, &key.secret_hash);
            (account, is_known, Credential::ApiKey(sid))
        } else {
            let account = directory.account(user.parse().ok()?)?;
            let secondary = account.secondary_token.as_ref();
            // Both are compared, so that time does not tell which one it was.
            let is_known = is_secret(password, &account.auth_token_hash)
                | is_secret(password, secondary.map_or("", |token| &token.hash));
            (account, is_known, Credential::AuthToken)
        };
        is_known.then_some(Self {
            account,
            credential,
        })
    }

    /// The account that a 2010 path names: the caller's own or a child of it.
    ///
    /// Of any other account nothing is said, not even that it exists: 404 when reading, 401 when
    /// writing.
    pub(crate) fn account_in_path(
        &self,
        directory: &Directory,
        sid: &str,
        access: Access,
    ) -> Result<Arc<Account>, Refusal> {
        let account = self.own_or_child(directory, sid).ok_or(match access {
            Access::Read => ErrorCode::NotFound,
            Access::Write => ErrorCode::Unauthorized,
        })?;
        if account.sid != self.account.sid {
            check_active(directory, &account, access)?;
        }
        Ok(account)
    }

    /// The same, also when that account is suspended or closed: for the account resource itself.
    pub(crate) fn own_or_child(&self, directory: &Directory, sid: &str) -> Option<Arc<Account>> {
        let sid: AccountSid = sid.parse().ok()?;
        if sid == self.account.sid {
            return Some(self.account.clone());
        }
        directory
            .account(sid)
            .filter(|account| account.parent == Some(self.account.sid))
    }

    /// Who asks, for the record: the account or its key.
    pub(crate) fn actor(&self) -> String {
        match self.credential {
            Credential::AuthToken => self.account.sid.to_string(),
            Credential::ApiKey(sid) => sid.to_string(),
        }
    }

    /// Accounts, keys and auth tokens can be managed with an account's own token only.
    pub(crate) fn require_auth_token(&self) -> Result<(), Refusal> {
        match self.credential {
            Credential::AuthToken => Ok(()),
            Credential::ApiKey(_) => {
                let fault = Fault::because(
                    ErrorCode::Unauthorized,
                    "an API key cannot manage accounts, keys or auth tokens; use the account SID and auth token",
                );
                Err(Refusal::with_status(fault, 403))
            }
        }
    }
}

/// A subaccount is no more active than its parent.
fn check_active(directory: &Directory, account: &Account, access: Access) -> Result<(), Refusal> {
    let parent = account.parent.and_then(|parent| directory.account(parent));
    let statuses = [Some(account.status), parent.map(|parent| parent.status)];
    for status in statuses.into_iter().flatten() {
        match (status, access) {
            (AccountStatus::Active, _) | (AccountStatus::Suspended, Access::Read) => {}
            (AccountStatus::Suspended, Access::Write) | (AccountStatus::Closed, _) => {
                return Err(ErrorCode::AccountNotActive.into());
            }
        }
    }
    Ok(())
}

/// Reads `Basic <base64 of user:password>`.
fn decode_basic<'b>(
    header: &[u8],
    buffer: &'b mut [u8; MAX_CREDENTIALS],
) -> Option<(&'b str, &'b str)> {
    let (scheme, encoded) = header.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let length = STANDARD
        .decode_slice(encoded.trim_ascii(), buffer.as_mut_slice())
        .ok()?;
    str::from_utf8(&buffer[..length]).ok()?.split_once(':')
}

/// Whether the SHA-256 of a secret is this one, given as lower-case hexadecimal.
fn is_secret(secret: &str, hash: &str) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 64];
    for (pair, octet) in hex.chunks_exact_mut(2).zip(Sha256::digest(secret)) {
        pair[0] = DIGITS[usize::from(octet >> 4)];
        pair[1] = DIGITS[usize::from(octet & 0xF)];
    }
    hex.ct_eq(hash.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(header: &str) -> Option<(String, String)> {
        let mut buffer = [0; MAX_CREDENTIALS];
        decode_basic(header.as_bytes(), &mut buffer)
            .map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    #[test]
    fn basic_credentials_are_split_at_the_first_colon() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(decode("Basic QUMxOnNlY3JldA=="), pair("AC1", "secret"));
        assert_eq!(decode("basic  QUMxOnNlY3JldA=="), pair("AC1", "secret"));
        assert_eq!(decode("BASIC QUMxOmE6Yg=="), pair("AC1", "a:b"));
        assert_eq!(decode("Basic Og=="), pair("", ""));
        for header in [
            "",
            "Basic",
            "Basic ",
            "Basic QUMx",
            "Bearer QUMxOnNlY3JldA==",
            "Basic !",
        ] {
            assert_eq!(decode(header), None, "{header}");
        }
        let long = format!("Basic {}", STANDARD.encode(":".repeat(MAX_CREDENTIALS + 1)));
        assert_eq!(decode(&long), None);
    }

    #[test]
    fn a_secret_is_known_by_its_hash() {
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert!(is_secret("secret", hash));
        assert!(!is_secret("Secret", hash));
        assert!(!is_secret("secret", &hash[1..]));
        assert!(!is_secret("secret", ""));
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(header in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut buffer = [0; MAX_CREDENTIALS];
            let _ = decode_basic(&header, &mut buffer);
        }
    }
}
