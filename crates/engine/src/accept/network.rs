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
use crate::networks::{Answer, Lookup, Networks};
use crate::reach::Coverage;

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
