//! Mappings as operators see them: listed, looked up, forgotten.

use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sid::ServiceSid;
use postrider_store::{RecipientCursor, StickyKey, StickySender};

use super::tasks::{MARGIN_MS, PAGE, is_live};
use crate::Engine;

impl Engine {
    /// A service's mappings by recipient, those next to the cursor, as they are at this instant: those
    /// that have had their year, or whose sender has left, are none, though they wait for the sweep.
    pub async fn sticky_senders(
        &self,
        service: ServiceSid,
        cursor: RecipientCursor,
        limit: usize,
    ) -> Result<Vec<(StickyKey, StickySender)>, Fault> {
        self.bring_up_to_date().await?;
        let (store, acceptor) = (self.shared.store.clone(), self.shared.acceptor.clone());
        let now_ms = self.now_ms();
        self.read(move || {
            let directory = &acceptor.directory;
            let mut cursor = cursor;
            let mut found = Vec::new();
            while found.len() < limit {
                let page = store
                    .sticky()
                    .of_service(service, cursor, limit.max(PAGE))?;
                let (Some(&(first, _)), Some(&(last, _))) = (page.first(), page.last()) else {
                    break;
                };
                let wanted = limit - found.len();
                let mut live = page;
                live.retain(|&(key, sender)| is_live(directory, key, sender, now_ms));
                if let RecipientCursor::Before(_) = cursor {
                    // The ones next to the cursor are the last.
                    live.drain(..live.len().saturating_sub(wanted));
                    live.append(&mut found);
                    found = live;
                    cursor = RecipientCursor::Before(first.recipient);
                } else {
                    live.truncate(wanted);
                    found.append(&mut live);
                    cursor = RecipientCursor::After(last.recipient);
                }
            }
            Ok(found)
        })
        .await
    }

    /// The sender by which a recipient knows a service.
    pub async fn sticky_sender(
        &self,
        service: ServiceSid,
        recipient: PhoneNumber,
    ) -> Result<StickySender, Fault> {
        let key = StickyKey { service, recipient };
        self.bring_up_to_date().await?;
        let store = self.shared.store.clone();
        let found = self.read(move || store.sticky().find(key)).await?;
        let now_ms = self.now_ms();
        let known = found.filter(|&sender| is_live(self.directory(), key, sender, now_ms));
        known.ok_or_else(|| {
            let text = format!("{recipient} has no sticky sender in {service}");
            Fault::because(ErrorCode::NotFound, text)
        })
    }

    /// The recipient's next message is sent as if it were the first.
    pub async fn forget_sticky_sender(
        &self,
        service: ServiceSid,
        recipient: PhoneNumber,
    ) -> Result<(), Fault> {
        self.sticky_sender(service, recipient).await?;
        let key = StickyKey { service, recipient };
        let acceptor = self.shared.acceptor.clone();
        self.read(move || acceptor.sticky.forget(key)).await?;
        self.settle_sticky().await
    }

    /// Writes what is noted, so that the store has it all.
    async fn bring_up_to_date(&self) -> Result<(), Fault> {
        self.write_sticky(MARGIN_MS).await
    }
}
