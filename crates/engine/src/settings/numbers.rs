//! Numbers. One speaks for one account, whatever the channel.

use std::sync::Arc;

use postrider_core::fault::Fault;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{
    Capabilities, Document, IncomingNumber, SenderStatus, SenderWebhooks,
};
use postrider_core::sid::{AccountSid, PhoneNumberSid};
use postrider_store::DocumentChange;

use super::{not_found, refuse_number_of_others};
use crate::Engine;

impl Engine {
    /// Takes a number the operator owns into an account. The same account again updates it.
    pub async fn register_number(
        &self,
        account: AccountSid,
        number: PhoneNumber,
        change: impl FnOnce(&mut IncomingNumber) + Send,
    ) -> Result<Arc<IncomingNumber>, Fault> {
        let lock = self.settings_lock().await;
        let now_ms = self.now_ms();
        let mut changes = Vec::new();
        refuse_number_of_others(self.directory(), number, account)?;
        let mut entry = match self.directory().number_by_digits(number) {
            Some(known) => IncomingNumber::clone(&known),
            None => IncomingNumber {
                sid: PhoneNumberSid(self.ids().next()),
                account,
                sender: self.sender_for(account, SenderAddress::Number(number), None, &mut changes),
                number,
                friendly_name: number.to_string(),
                status: SenderStatus::default(),
                capabilities: Capabilities::default(),
                webhooks: SenderWebhooks::default(),
                voice: Box::default(),
                pace: None,
                country: None,
                created_ms: now_ms,
                updated_ms: now_ms,
            },
        };
        change(&mut entry);
        entry.updated_ms = now_ms;
        let sid = entry.sid;
        changes.push(DocumentChange::Put(Document::Number(entry)));
        self.write_settings(lock, changes).await?;
        self.number(sid)
    }

    pub async fn update_number(
        &self,
        sid: PhoneNumberSid,
        change: impl FnOnce(&mut IncomingNumber) + Send,
    ) -> Result<Arc<IncomingNumber>, Fault> {
        let lock = self.settings_lock().await;
        let mut number = IncomingNumber::clone(&*self.number(sid)?);
        change(&mut number);
        number.updated_ms = self.now_ms();
        self.write_settings(lock, vec![DocumentChange::Put(Document::Number(number))])
            .await?;
        self.number(sid)
    }

    /// Gives a number up; it leaves its pool with it.
    pub async fn delete_number(&self, sid: PhoneNumberSid) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let number = self.number(sid)?;
        let mut changes = self.leave_pool(&sid.to_string());
        changes.push(DocumentChange::Delete(
            Document::Number(IncomingNumber::clone(&number)).key(),
        ));
        self.write_settings(lock, changes).await
    }

    pub(super) fn number(&self, sid: PhoneNumberSid) -> Result<Arc<IncomingNumber>, Fault> {
        self.directory()
            .number(sid)
            .ok_or_else(|| not_found("phone number", sid))
    }
}

#[cfg(test)]
mod tests {
    use postrider_core::error_code::ErrorCode;

    use super::*;
    use crate::testing::engine;

    #[tokio::test]
    async fn a_number_speaks_for_one_account_over_every_channel() {
        let test = engine();
        let engine = &test.engine;
        let (owner, _) = engine.create_main_account(None, None, "A").await.unwrap();
        let (other, _) = engine.create_main_account(None, None, "B").await.unwrap();
        let number = |text| PhoneNumber::parse(text).unwrap();
        let (sms, whatsapp) = (number("+14155550101"), number("+14155550102"));
        let registered = engine.register_number(owner.sid, sms, |_| {}).await;
        registered.unwrap();
        let registered = engine.register_channel_sender(owner.sid, whatsapp, |_| {});
        registered.await.unwrap();
        // Columns: who registers, what, the code that refuses it.
        for (account, number, is_whatsapp, refused) in [
            (other.sid, sms, true, Some(ErrorCode::Conflict)),
            (other.sid, whatsapp, false, Some(ErrorCode::Conflict)),
            (other.sid, sms, false, Some(ErrorCode::Conflict)),
            (other.sid, whatsapp, true, Some(ErrorCode::Conflict)),
            (owner.sid, sms, true, None),
            (owner.sid, whatsapp, false, None),
        ] {
            let code = if is_whatsapp {
                let registered = engine.register_channel_sender(account, number, |_| {});
                registered.await.err().map(|fault| fault.code)
            } else {
                let registered = engine.register_number(account, number, |_| {});
                registered.await.err().map(|fault| fault.code)
            };
            assert_eq!(code, refused, "{account} {number} {is_whatsapp}");
        }
    }
}
