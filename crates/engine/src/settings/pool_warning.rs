//! What a customer should hear about a sender pool that works all the same. Never blocks.

use std::fmt;

use postrider_core::select::{Pool, PoolSender, SenderKind};
use postrider_core::settings::PoolMember;

use crate::Engine;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolWarning {
    /// Carriers may block traffic that is spread over several toll-free numbers.
    SeveralTollFree { count: usize },
}

impl PoolWarning {
    /// What there is to say of a pool.
    pub fn of(pool: &Pool) -> Option<Self> {
        let count = pool.toll_free_count();
        (count > 1).then_some(Self::SeveralTollFree { count })
    }

    /// The same, when it is about this sender of it.
    pub fn about(pool: &Pool, sender: &PoolSender) -> Option<Self> {
        // Asked first, because it spares a look at the whole pool.
        let is_one_of_them = sender.kind == SenderKind::TollFree && sender.status.is_usable();
        is_one_of_them.then(|| Self::of(pool)).flatten()
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
    /// A sender has joined a pool: the operator is told. A customer sees the same
    /// in `/x/v1/Services/{MG}` and in a dry run.
    pub(super) fn warn_of_joining(&self, member: &PoolMember) {
        if let Some(warning) = self.warning_of_joining(member) {
            let service_sid = member.service;
            tracing::warn!(%service_sid, %warning, "a sender pool may not work as meant");
        }
    }

    fn warning_of_joining(&self, member: &PoolMember) -> Option<PoolWarning> {
        let (_, pool) = self.directory().service_and_pool(member.service)?;
        let mut senders = pool.iter();
        let joined = senders.find(|sender| sender.position == member.position)?;
        PoolWarning::about(&pool, joined)
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::phone_number::PhoneNumber;
    use postrider_core::settings::{IncomingNumber, SenderStatus};

    use super::*;
    use crate::NewPoolEntry;
    use crate::testing::engine;

    #[tokio::test]
    async fn each_toll_free_number_after_the_first_is_warned_of() {
        let test = engine();
        let engine = &test.engine;
        let main = engine.create_main_account(None, None, "Main").await;
        let (account, _) = main.unwrap();
        let service = engine.create_service(account.sid, |_| {}).await.unwrap();
        // Columns: number, its status, how many there are then that send.
        for (number, status, count) in [
            ("+18885550105", SenderStatus::Active, None),
            ("+14155550101", SenderStatus::Active, None),
            ("+18665550108", SenderStatus::Suspended, None),
            ("+18005550106", SenderStatus::Active, Some(2)),
            ("+14155550102", SenderStatus::Active, None),
            ("+18555550109", SenderStatus::Porting, None),
            ("+18775550107", SenderStatus::Active, Some(3)),
        ] {
            let number = PhoneNumber::parse(number).unwrap();
            let apply = |number: &mut IncomingNumber| number.status = status;
            let number = engine.register_number(account.sid, number, apply).await;
            let entry = NewPoolEntry::Number(number.unwrap().sid);
            let member = engine.add_to_pool(service.sid, entry).await.unwrap();
            let expected = count.map(|count| PoolWarning::SeveralTollFree { count });
            assert_eq!(engine.warning_of_joining(&member), expected);
        }
    }
}
