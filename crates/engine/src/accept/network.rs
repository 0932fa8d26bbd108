//! When a recipient's network matters, and the question for it.
//!
//! It does where the service's pool has a short code of the recipient's country that serves some
//! networks only. For all other messages nothing is looked up and nobody waits.

use std::sync::Arc;

use postrider_core::create::CreateMessage;
use postrider_core::message::Message;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::Channel;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;

use super::{Acceptor, To, read_to};
use crate::Coverage;
use crate::networks::{Answer, Lookup, Networks};

impl Acceptor {
    /// Where the network of this request's recipient matters, what is known of it. A request that is
    /// refused anyway asks nobody.
    pub(crate) async fn look_up(
        &self,
        account: &Account,
        request: &CreateMessage,
    ) -> Option<Answer> {
        let coverage = self.coverage_with_networks()?;
        let number = {
            let draft = self.read(account, request).ok()?;
            self.validity(request, &draft).ok()?;
            self.send_at(request, &draft, 0, self.clock.now_ms()).ok()?;
            let service = draft.service.filter(|_| draft.from.is_none())?;
            self.asked_number(service.sid, &draft.to)?
        };
        networks(&coverage)?.find(number).await
    }

    /// The same for a scheduled message whose time has come.
    pub(crate) fn look_up_due(&self, scheduled: &Message) -> Option<Lookup> {
        let coverage = self.coverage_with_networks()?;
        let number = self.asked_number_of(scheduled)?;
        networks(&coverage)?.look_up(number)
    }

    /// How many numbers are asked about at a time.
    pub(crate) fn lookup_concurrency(&self) -> usize {
        networks(&self.coverage.load()).map_or(1, Networks::concurrency)
    }

    /// `None` where nothing is ever looked up: the way of most messages.
    fn coverage_with_networks(&self) -> Option<Arc<Coverage>> {
        let coverage = self.coverage.load();
        let is_asked = coverage.networks.is_some() && self.directory.has_served_networks();
        is_asked.then(|| Arc::clone(&coverage))
    }

    fn asked_number_of(&self, scheduled: &Message) -> Option<PhoneNumber> {
        let service = scheduled
            .service
            .filter(|_| scheduled.options.from.is_none())?;
        self.asked_number(service, &read_to(&scheduled.to).ok()?)
    }

    /// The recipient's number, if its network decides about a short code of the pool.
    fn asked_number(&self, service: ServiceSid, to: &To) -> Option<PhoneNumber> {
        let country = to.number.country().filter(|_| to.channel == Channel::Sms)?;
        let matters = self
            .directory
            .has_short_code_with_networks(service, Some(country));
        matters.then_some(to.number)
    }
}

fn networks(coverage: &Coverage) -> Option<&Networks> {
    coverage.networks.as_ref()
}

#[cfg(test)]
mod tests {
    use postrider_core::error_code::ErrorCode as Code;
    use postrider_core::settings::AccountStatus;
    use postrider_store::memory::MemoryStore;

    use super::*;
    use crate::networks::testing::{Customer, Service, engine_that_asks};

    type Edit = fn(&mut CreateMessage);

    #[tokio::test]
    async fn a_request_that_is_refused_asks_nobody() {
        let lookup = Service::start(Customer::SERVED).await;
        let test = engine_that_asks(Arc::new(MemoryStore::new()), &lookup.config());
        let customer = Customer::new(&test).await;
        let (engine, account) = (&test.engine, &customer.account);
        let request = customer.request("+14155550199");
        let text = |text: &str| Some(text.to_owned());
        #[rustfmt::skip]
        let rows: [(Edit, Code); 9] = [
            (|it| it.to = None, Code::MissingTo),
            (|it| it.to = Some("+1".to_owned()), Code::InvalidTo),
            (|it| it.body = None, Code::MissingContent),
            (|it| it.messaging_service = Some("MG1".to_owned()), Code::InvalidServiceSid),
            (|it| it.from = Some("+14155550111".to_owned()), Code::SenderNotInService),
            (|it| it.status_callback = Some("ftp://example.com".to_owned()), Code::InvalidStatusCallback),
            (|it| it.validity_period = Some("0".to_owned()), Code::InvalidValidityPeriod),
            (|it| it.schedule_type = Some("never".to_owned()), Code::InvalidScheduleType),
            (|it| it.schedule_type = Some("fixed".to_owned()), Code::MissingSendAt),
        ];
        for (edit, code) in rows {
            let mut refused = request.clone();
            edit(&mut refused);
            let previewed = engine.preview(account, &refused).await;
            assert_eq!(previewed.unwrap_err().code, code);
            let created = engine.create_message(account, refused).await;
            assert_eq!(created.unwrap_err().code, code);
        }
        let mut suspended = Account::clone(account);
        suspended.status = AccountStatus::Suspended;
        let suspended = Arc::new(suspended);
        let refused = engine.create_message(&suspended, request.clone()).await;
        assert_eq!(refused.unwrap_err().code, Code::AccountNotActive);
        // Neither does one to be sent later, until it is.
        let mut later = request.clone();
        later.schedule_type = text("fixed");
        later.send_at = text("2026-01-01T00:10:00Z");
        engine.create_message(account, later).await.unwrap();
        assert_eq!(lookup.asked(), 0);
        engine.create_message(account, request).await.unwrap();
        assert_eq!(lookup.asked(), 1);
    }
}
