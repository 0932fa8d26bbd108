//! Senders in our answers: beside the address, what it takes to find and to recognize one. Looked up when it
//! is asked, since a decision keeps nothing but numbers.

use std::sync::Arc;

use postrider_core::country::Country;
use postrider_core::message::SenderNo;
use postrider_core::route::kind_of;
use postrider_core::select::{Pool, SenderKind};
use postrider_core::sender::{SenderAddress, number_of};
use postrider_core::settings::{PoolMember, Sender};
use postrider_core::sid::ServiceSid;
use postrider_engine::Directory;
use serde::Serialize;

/// The senders of one service, and whoever has left it.
pub(super) struct Senders<'a> {
    directory: &'a Directory,
    pool: Arc<Pool>,
    /// In pool order.
    members: Vec<Arc<PoolMember>>,
}

/// A sender as it is today.
#[derive(Default, Serialize)]
pub(super) struct SenderJson {
    /// Of the number, short code, alpha sender or WhatsApp sender; null where there is none any more.
    sid: Option<String>,
    kind: Option<&'static str>,
    /// Where it is at home; of a destination alpha sender, what it is for. Null for other alpha senders.
    iso_country: Option<Country>,
}

impl<'a> Senders<'a> {
    pub(super) fn of(directory: &'a Directory, service: Option<ServiceSid>) -> Self {
        let found = service.and_then(|service| directory.service_and_pool(service));
        let pool = found.map(|(_, pool)| pool).unwrap_or_default();
        Self::of_pool(directory, service, pool)
    }

    pub(super) fn of_pool(
        directory: &'a Directory,
        service: Option<ServiceSid>,
        pool: Arc<Pool>,
    ) -> Self {
        let members = service.map(|service| directory.pool_members(service));
        Self {
            directory,
            pool,
            members: members.unwrap_or_default(),
        }
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn address(&self, no: SenderNo) -> Option<SenderAddress> {
        if let Some(sender) = self.pool.get(no) {
            return Some(sender.address.clone());
        }
        Some(self.directory.sender(no)?.address.clone())
    }

    pub(super) fn has_left(&self, no: SenderNo) -> bool {
        self.pool.get(no).is_none()
    }

    pub(super) fn json(&self, no: SenderNo) -> SenderJson {
        let Some(sender) = self.pool.get(no) else {
            let former = self.directory.sender(no);
            return former.map_or_else(SenderJson::default, |former| self.former(&former));
        };
        let place = self
            .members
            .binary_search_by_key(&sender.position, |member| member.position);
        SenderJson {
            sid: place
                .ok()
                .map(|place| self.members[place].sender.to_string()),
            kind: Some(sender.kind.as_str()),
            iso_country: sender.country,
        }
    }

    /// One that is not in the pool. An alpha sender was only there.
    fn former(&self, sender: &Sender) -> SenderJson {
        let kind = match (kind_of(&sender.address), sender.country) {
            (SenderKind::Alpha, Some(_)) => SenderKind::DestinationAlpha,
            (kind, _) => kind,
        };
        let of_number = || number_of(&sender.address.to_string())?.country();
        SenderJson {
            sid: self.directory.sid_of(sender),
            kind: Some(kind.as_str()),
            iso_country: sender.country.or_else(of_number),
        }
    }
}
