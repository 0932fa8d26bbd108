//! The contract of alerts: what went wrong or not as meant, told to the customer afterwards.
//!
//! Nothing waits for an alert and no message depends on one, so a store may fail to keep some and go on
//! with all else: of all writes these alone may fail without ending the store. What was written is
//! there after a crash.

use postrider_core::clock::Millis;
use postrider_core::error_code::{AlertLevel, ErrorCode};
use postrider_core::message::AccountNo;
use postrider_core::settings::HttpMethod;
use postrider_core::sid::{Id, ServiceSid};

use crate::contract::{Cursor, Result};

/// Alerts are forgotten after this.
pub const ALERT_AGE_MAX_MS: Millis = 30 * 86_400_000;

/// Newest alerts of one account that are kept, whatever their age.
pub const ALERTS_OF_ACCOUNT_MAX: usize = 100_000;

/// Something that happened, once or several times alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Says when it happened first, and sorts.
    pub id: Id,
    pub account: AccountNo,
    pub code: ErrorCode,
    pub level: AlertLevel,
    /// SID of the message or sender that it is about: of the first, where it stands for several.
    pub resource: Option<Box<str>>,
    pub service: Option<ServiceSid>,
    /// What it has in common with others of its account and code that are counted instead of told.
    pub scope: Box<str>,
    /// A sentence for the customer.
    pub text: Box<str>,
    /// How often it happened, at `updated_ms` for the last time.
    pub count: u64,
    pub updated_ms: Millis,
    /// The webhook that it is about.
    pub exchange: Option<Box<Exchange>>,
}

/// A request of ours to a customer's server, and what came back, without what is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub method: HttpMethod,
    pub url: Box<str>,
    /// `Name: value`, a line each; `None` when none was sent.
    pub request_headers: Option<Box<str>>,
    /// Its parameters, form-encoded.
    pub request_variables: Option<Box<str>>,
    /// Of the answer, if there was one.
    pub status: Option<u16>,
    pub response_headers: Option<Box<str>>,
    pub response_body: Option<Box<str>>,
}

/// More of what an alert that is written already tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertRepeat {
    pub id: Id,
    /// To be added.
    pub count: u64,
    pub last_ms: Millis,
}

/// Which alerts a listing is about. All conditions hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertFilter {
    pub account: AccountNo,
    pub level: Option<AlertLevel>,
    /// Happened at or after this instant.
    pub from_ms: Option<Millis>,
    /// Happened before this instant.
    pub before_ms: Option<Millis>,
}

pub trait AlertStore: Send + Sync {
    /// Keeps all of them, or none. A repeat of an alert that is forgotten changes nothing.
    fn write(&self, alerts: &[Alert], repeats: &[AlertRepeat]) -> Result<()>;

    /// The alert with this SID's id. The caller compares the account.
    fn find(&self, id: Id) -> Result<Option<Alert>>;

    /// At most `limit` alerts, newest first, from the cursor on; also for [`Cursor::Before`], which takes
    /// the `limit` alerts next to the cursor. Visits no more rows than the page needs.
    fn list(&self, filter: &AlertFilter, cursor: Cursor, limit: usize) -> Result<Vec<Alert>>;

    /// The newest `limit` alerts of all accounts from an instant on, oldest first.
    fn recent(&self, since_ms: Millis, limit: usize) -> Result<Vec<Alert>>;

    /// The account's alerts about this message or sender, oldest first.
    fn about(&self, account: AccountNo, resource: &str) -> Result<Vec<Alert>>;

    /// Replaces what alerts show: their texts and exchanges. Of one that is forgotten nothing is made
    /// again.
    fn rewrite(&self, alerts: &[Alert]) -> Result<()>;

    /// Forgets an account's alerts that happened before the given instant, `limit` at most.
    fn forget_of(&self, account: AccountNo, before_ms: Millis, limit: usize) -> Result<usize>;

    /// Forgets alerts that happened before the given instant, and of each account all but the newest
    /// `keep`. Forgets `limit` at most; returns how many, so that the caller goes on while it is all.
    fn forget(&self, before_ms: Millis, keep: usize, limit: usize) -> Result<usize>;
}
