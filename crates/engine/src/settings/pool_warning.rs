//! What a customer should hear about a sender pool that works all the same. Never blocks.

use std::fmt;

use postrider_core::select::{Pool, SenderKind};
use postrider_core::settings::PoolMember;
use postrider_core::sid::ServiceSid;

use crate::Engine;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolWarning {
    /// Carriers may block traffic that is spread over several toll-free numbers.
    SeveralTollFree { count: usize },
}

impl PoolWarning {
    /// What there is to say of a pool as it is.
    pub fn of(pool: &Pool) -> Option<Self> {
        let count = pool.toll_free_count();
        (count > 1).then_some(Self::SeveralTollFree { count })
    }
}

impl fmt::Display for PoolWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeveralTollFree { count } => write!(
                f,
                "the sender pool holds {count} toll-free numbers; carriers may block traffic that is \
                 spread over more than one"
            ),
        }
    }
}

impl Engine {
    /// A sender has joined a pool.
    pub(super) fn warn_of_joining(&self, member: &PoolMember) {
        let pool = self.directory().service_and_pool(member.service);
        let Some((_, pool)) = pool else {
            return;
        };
        let joined = pool
            .iter()
            .find(|sender| sender.position == member.position);
        let is_toll_free = joined.is_some_and(|sender| sender.kind == SenderKind::TollFree);
        if let Some(warning) = PoolWarning::of(&pool).filter(|_| is_toll_free) {
            self.warn_of_pool(member.service, warning);
        }
    }

    /// The one place where such a warning is raised.
    fn warn_of_pool(&self, service: ServiceSid, warning: PoolWarning) {
        tracing::warn!(service_sid = %service, %warning, "a sender pool may not work as meant");
    }
}
