//! What create requests with an idempotency key were answered. (Those for messages are
//! [`Remembered`](crate::Remembered) with their messages.)

use postrider_core::clock::Millis;
use postrider_core::idempotency::{KeyHash, Repeatable};
use postrider_core::message::AccountNo;

use crate::contract::Result;

/// An answer, for those who repeat the request. Committed together with the settings that the request
/// made ([`Store::commit_documents`](crate::Store::commit_documents)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAnswer {
    pub account: AccountNo,
    pub request: Repeatable,
    pub status: u16,
    /// Sealed by the engine: some answers show a secret.
    pub body_sealed: String,
    pub at_ms: Millis,
}

/// The answers that are kept. Each that is committed is one more, also of a key that has some.
pub trait AnswerStore: Send + Sync {
    /// The account's newest answer to a request with this key, given not before `since_ms`.
    fn find(
        &self,
        account: AccountNo,
        key: KeyHash,
        since_ms: Millis,
    ) -> Result<Option<GivenAnswer>>;

    /// How many there are of each account, by account; those that have none are left out. Counts index
    /// entries: for once, not for every request.
    fn counts(&self) -> Result<Vec<(AccountNo, u64)>>;

    /// Forgets answers that were given before an instant, the oldest first and `limit` at most. Returns
    /// whose each of them was.
    fn forget(&self, before_ms: Millis, limit: usize) -> Result<Vec<AccountNo>>;
}
