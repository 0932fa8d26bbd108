//! Who joins a service's pool, and who leaves it.

use std::sync::Arc;

use postrider_core::country::Country;
use postrider_core::error_code::ErrorCode;
use postrider_core::fault::Fault;
use postrider_core::sender::{AlphaSenderId, SenderAddress};
use postrider_core::settings::{Capabilities, Document, PoolMember, PoolSenderSid, Service};
use postrider_core::sid::{
    AlphaSenderSid, ChannelSenderSid, PhoneNumberSid, ServiceSid, ShortCodeSid,
};
use postrider_store::DocumentChange;

use super::not_found;
use crate::Engine;

/// A sender to be added to a pool.
#[derive(Clone, Debug, PartialEq)]
pub enum NewPoolEntry {
    Number(PhoneNumberSid),
    ShortCode(ShortCodeSid),
    Alpha(AlphaSenderId),
    DestinationAlpha(AlphaSenderId, Country),
    Channel(ChannelSenderSid),
}

impl Engine {
    pub async fn add_to_pool(
        &self,
        service: ServiceSid,
        entry: NewPoolEntry,
    ) -> Result<Arc<PoolMember>, Fault> {
        let lock = self.settings_lock().await;
        let mut joined = Service::clone(&*self.service(service)?);
        let account = joined.account;
        let members = self.directory().pool_members(service);
        let mut changes = Vec::new();
        let sender = match entry {
            NewPoolEntry::Number(sid) => {
                let number = self
                    .number(sid)
                    .ok()
                    .filter(|number| number.account == account);
                let number = number.ok_or_else(|| not_found("phone number", sid))?;
                check_capabilities(number.capabilities)?;
                PoolSenderSid::Number(sid)
            }
            NewPoolEntry::ShortCode(sid) => {
                let code = self
                    .short_code(sid)
                    .ok()
                    .filter(|code| code.account == account);
                let code = code.ok_or_else(|| not_found("short code", sid))?;
                check_capabilities(code.capabilities)?;
                PoolSenderSid::ShortCode(sid)
            }
            NewPoolEntry::Alpha(id) => {
                refuse_known_alpha(&members, &id, None)?;
                let address = SenderAddress::Alpha(id.clone());
                let sender = self.sender_for(account, address, None, &mut changes);
                PoolSenderSid::Alpha {
                    sid: AlphaSenderSid(self.ids().next()),
                    id,
                    sender,
                }
            }
            NewPoolEntry::DestinationAlpha(id, country) => {
                refuse_known_alpha(&members, &id, Some(country))?;
                let address = SenderAddress::Alpha(id.clone());
                let sender = self.sender_for(account, address, Some(country), &mut changes);
                let sid = AlphaSenderSid(self.ids().next());
                PoolSenderSid::DestinationAlpha {
                    sid,
                    id,
                    sender,
                    country,
                }
            }
            NewPoolEntry::Channel(sid) => {
                let sender = self.channel_sender(sid);
                if !sender.is_ok_and(|sender| sender.account == account) {
                    return Err(not_found("channel sender", sid));
                }
                PoolSenderSid::Channel(sid)
            }
        };
        if let Some(member) = self.directory().membership(&sender.to_string()) {
            let text = format!("{sender} is in the sender pool of {}", member.service);
            return Err(if member.service == service {
                Fault::because(ErrorCode::SenderAlreadyInService, text)
            } else {
                Fault::because(ErrorCode::SenderInOtherService, text)
            });
        }
        refuse_full_pool(&members, &sender, self.limits().pool_size_max)?;
        let after_last = members.last().map_or(0, |last| last.position + 1);
        let position = joined.next_position.max(after_last);
        joined.next_position = position + 1;
        changes.push(DocumentChange::Put(Document::Service(joined)));
        let member = PoolMember {
            service,
            sender,
            added_ms: self.now_ms(),
            position,
        };
        let sender = member.sender.to_string();
        changes.push(DocumentChange::Put(Document::PoolMember(member)));
        self.write_settings(lock, changes).await?;
        let member = self.directory().membership(&sender);
        let member = member.ok_or_else(|| not_found("sender", sender))?;
        self.warn_of_joining(&member);
        Ok(member)
    }

    pub async fn remove_from_pool(
        &self,
        service: ServiceSid,
        sender_sid: &str,
    ) -> Result<(), Fault> {
        let lock = self.settings_lock().await;
        let member = self.directory().membership(sender_sid);
        if member.is_none_or(|member| member.service != service) {
            return Err(not_found("sender", sender_sid));
        }
        let changes = self.leave_pool(sender_sid);
        self.write_settings(lock, changes).await
    }

    pub(super) fn leave_pool(&self, sender_sid: &str) -> Vec<DocumentChange> {
        let member = self.directory().membership(sender_sid);
        member
            .map(|member| Document::PoolMember(PoolMember::clone(&member)).key())
            .map(DocumentChange::Delete)
            .into_iter()
            .collect()
    }
}

fn check_capabilities(capabilities: Capabilities) -> Result<(), Fault> {
    if capabilities.sms || capabilities.mms {
        return Ok(());
    }
    let text = "A sender needs the SMS or the MMS capability to join a pool";
    Err(Fault::because(ErrorCode::SenderLacksCapability, text))
}

/// Numbers and short codes have a limit together, alpha senders one of the same size, and so have senders
/// of WhatsApp: none takes another's place.
fn refuse_full_pool(
    members: &[Arc<PoolMember>],
    wanted: &PoolSenderSid,
    max: usize,
) -> Result<(), Fault> {
    let share = |sender: &PoolSenderSid| match sender {
        PoolSenderSid::Number(_) | PoolSenderSid::ShortCode(_) => "numbers and short codes",
        PoolSenderSid::Alpha { .. } | PoolSenderSid::DestinationAlpha { .. } => "alpha senders",
        PoolSenderSid::Channel(_) => "WhatsApp senders",
    };
    let share_of_wanted = share(wanted);
    let alike = members.iter().map(|member| share(&member.sender));
    if alike.filter(|share| *share == share_of_wanted).count() >= max {
        let text = format!("A sender pool holds {max} {share_of_wanted} at most");
        return Err(Fault::because(ErrorCode::ServicePoolFull, text));
    }
    Ok(())
}

/// Alpha senders get a new SID per pool entry, so only their text can be compared.
fn refuse_known_alpha(
    members: &[Arc<PoolMember>],
    wanted: &AlphaSenderId,
    wanted_country: Option<Country>,
) -> Result<(), Fault> {
    let is_known = members.iter().any(|member| match &member.sender {
        PoolSenderSid::Alpha { id, .. } => id == wanted && wanted_country.is_none(),
        PoolSenderSid::DestinationAlpha { id, country, .. } => {
            id == wanted && wanted_country == Some(*country)
        }
        PoolSenderSid::Number(_) | PoolSenderSid::ShortCode(_) | PoolSenderSid::Channel(_) => false,
    });
    if is_known {
        let text = format!("The alpha sender {wanted} is in this sender pool already");
        return Err(Fault::because(ErrorCode::SenderAlreadyInService, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use postrider_core::phone_number::PhoneNumber;
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::testing::engine_with;

    #[tokio::test]
    async fn a_full_pool_takes_senders_of_other_kinds() {
        let test = engine_with(Arc::new(MemoryStore::new()), |setup| {
            setup.limits.pool_size_max = 1;
        });
        let engine = &test.engine;
        let (account, _) = engine.create_main_account(None, None, "A").await.unwrap();
        let service = engine.create_service(account.sid, |_| {}).await.unwrap();
        let mut numbers = Vec::new();
        for number in ["+14155550101", "+14155550102"] {
            let number = PhoneNumber::parse(number).unwrap();
            let number = engine.register_number(account.sid, number, |_| {}).await;
            numbers.push(NewPoolEntry::Number(number.unwrap().sid));
        }
        let alphas =
            ["Shop", "News"].map(|id| NewPoolEntry::Alpha(AlphaSenderId::parse(id).unwrap()));
        let full = Some(ErrorCode::ServicePoolFull);
        for (entry, refused) in [
            (&alphas[0], None),
            (&numbers[0], None),
            (&numbers[1], full),
            (&alphas[1], full),
        ] {
            let added = engine.add_to_pool(service.sid, entry.clone()).await;
            assert_eq!(added.err().map(|fault| fault.code), refused, "{entry:?}");
        }
    }
}
