//! Retention: how long records of an account's messages are kept, and their end.
//!
//! A record that is older is gone for its account at that instant: no list and no request shows it. From
//! the disk it goes within the hour, or as soon as nothing is left to do for it. By the time at which it
//! was made; only what is scheduled or waits counts as too young.

use std::time::Duration;

use postrider_core::clock::Millis;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::message::{AccountNo, Message};
use postrider_core::settings::Account;
use postrider_core::sid::AccountSid;
use postrider_store::{ALERT_AGE_MAX_MS, MessageFilter, is_settled};

use crate::Engine;

/// Days that a record may be kept.
pub const RETENTION_DAYS: std::ops::RangeInclusive<u16> = 7..=400;

const DAY_MS: Millis = 86_400_000;

/// How often it is looked for records that have had their time.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// Between steps, for what else the disk is asked.
const PAUSE: Duration = Duration::from_millis(20);

/// Drops records beyond their retention, and answers that are remembered no more, until the process
/// stops.
pub(crate) async fn forget_old(engine: Engine) {
    loop {
        // What fails has told the supervisor, or is tried again.
        let _ = engine.forget_answers().await;
        match engine.forget_aged().await {
            Ok(0) | Err(_) => {}
            Ok(count) => tracing::info!(count, "message records passed their retention"),
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

impl Engine {
    /// Days that records of an account's messages are kept: what its main account has set, or else the
    /// server's default.
    pub fn retention_days(&self, account: AccountNo) -> u16 {
        let directory = self.directory();
        let main = directory.main_account_no(account);
        let main = main.and_then(|main| directory.account_by_no(main));
        main.and_then(|main| main.retention_days)
            .unwrap_or_else(|| self.default_retention_days())
    }

    fn default_retention_days(&self) -> u16 {
        let days = u16::try_from(self.limits().retention_days).unwrap_or(u16::MAX);
        days.clamp(*RETENTION_DAYS.start(), *RETENTION_DAYS.end())
    }

    /// Sets or clears that of a main account.
    pub async fn set_retention(
        &self,
        account: AccountSid,
        days: Option<u16>,
    ) -> Result<std::sync::Arc<Account>, Fault> {
        if self.account(account)?.parent.is_some() {
            let text =
                "A subaccount's records are kept as long as its main account's; that one sets it";
            return Err(Fault::because(ErrorCode::Forbidden, text));
        }
        self.update_account(account, |account| account.retention_days = days)
            .await
    }

    /// What was made before this instant has had its time.
    pub(crate) fn kept_from_ms(&self, account: AccountNo) -> Millis {
        self.now_ms() - i64::from(self.retention_days(account)) * DAY_MS
    }

    /// Alerts are kept as long as messages, and a month at most.
    pub(crate) fn alerts_kept_from_ms(&self, account: AccountNo) -> Millis {
        let month_ms = self.now_ms() - ALERT_AGE_MAX_MS;
        month_ms.max(self.kept_from_ms(account))
    }

    /// Whether the account may see the record still.
    pub(crate) fn is_kept(&self, message: &Message) -> bool {
        !is_settled(message.status) || message.created_ms() >= self.kept_from_ms(message.account)
    }

    /// Forgets what is too old now; returns how many records.
    pub(crate) async fn forget_aged(&self) -> Result<u64, Fault> {
        let accounts = self.directory().accounts();
        let of_accounts = accounts.iter().map(|account| self.kept_from_ms(account.no));
        let default_ms = self.now_ms() - i64::from(self.default_retention_days()) * DAY_MS;
        // What no account keeps any more goes file by file; what is left in between, one by one.
        let nobodys_ms = of_accounts.fold(default_ms, Millis::min);
        let store = self.shared.store.clone();
        let mut forgotten = self.write(move || store.forget_before(nobodys_ms)).await?;
        for account in accounts {
            forgotten += self.forget_aged_of(account.no).await?;
        }
        // Younger ones may be needed to know a late receipt or a repeated request.
        let emptied_ms = self.now_ms() - i64::from(*RETENTION_DAYS.start()) * DAY_MS;
        let store = self.shared.store.clone();
        self.write(move || store.forget_emptied(emptied_ms)).await?;
        Ok(forgotten)
    }

    async fn forget_aged_of(&self, account: AccountNo) -> Result<u64, Fault> {
        let filter = MessageFilter {
            account: Some(account),
            made_before_ms: Some(self.kept_from_ms(account)),
            ..MessageFilter::default()
        };
        self.forget_listed(filter, PAUSE, |_| {}).await
    }
}
