//! Limits an operator may set: the `[limits]` section of the configuration.

use postrider_core::select::SenderKind;
use serde::Deserialize;

/// Every limit has Twilio's value as its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds a message may wait in our queue at most (1 to 36,000).
    pub max_validity_period: u32,
    /// How much a sender's queue holds.
    pub queue_seconds: QueueSeconds,
    /// Seconds from now that `SendAt` must at least lie ahead.
    pub schedule_min_seconds: u32,
    /// Messages of one account waiting for their scheduled time.
    pub scheduled_max: u32,
    /// Senders in one pool.
    pub pool_size_max: usize,
    /// Alpha senders that one account may have sent from. Each keeps its queue for ever.
    pub alpha_senders_max: usize,
    /// WhatsApp senders of one account. Each keeps its queue for ever.
    pub channel_senders_max: usize,
    /// Requests of one account that may be answered at a time before more are refused with 429;
    /// 0 = no limit.
    pub concurrent_requests: usize,
    /// Changes that may wait for the store before requests are refused with 503;
    /// half of them may be one account's.
    pub commit_backlog_max: usize,
    /// Days a message's record is kept (7 to 400).
    pub retention_days: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_validity_period: postrider_core::validity::MAX_VALIDITY_PERIOD_S,
            queue_seconds: QueueSeconds::default(),
            schedule_min_seconds: 300,
            scheduled_max: 500_000,
            pool_size_max: 400,
            alpha_senders_max: 1_000,
            channel_senders_max: 1_000,
            concurrent_requests: 1_000,
            commit_backlog_max: 20_000,
            retention_days: 400,
        }
    }
}

/// Seconds at its own rate that a sender's queue holds, by its kind (1 to 36,000).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSeconds {
    pub long_code: u32,
    pub toll_free: u32,
    pub short_code: u32,
    pub alpha: u32,
    pub whatsapp: u32,
}

/// Ten hours, and four of WhatsApp (sending.md 5.2).
impl Default for QueueSeconds {
    fn default() -> Self {
        Self {
            long_code: 36_000,
            toll_free: 36_000,
            short_code: 36_000,
            alpha: 36_000,
            whatsapp: 14_400,
        }
    }
}

impl QueueSeconds {
    pub fn of(&self, kind: SenderKind) -> u32 {
        match kind {
            SenderKind::LongCode => self.long_code,
            SenderKind::TollFree => self.toll_free,
            SenderKind::ShortCode => self.short_code,
            SenderKind::Alpha | SenderKind::DestinationAlpha => self.alpha,
            SenderKind::WhatsApp => self.whatsapp,
        }
    }
}
