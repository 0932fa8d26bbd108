//! When a recipient's network matters, and the question for it.
//!
//! It does where the service's pool has a short code of the recipient's country that serves some
//! networks only. For all other messages nothing is looked up and nobody waits.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use postrider_core::create::CreateMessage;
use postrider_core::message::Message;
use postrider_core::network::Network;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::Channel;
use postrider_core::settings::Account;
use postrider_core::sid::ServiceSid;

use super::{Acceptor, To, read_to};
use crate::Coverage;
use crate::networks::{Answer, Networks};

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

    /// Scheduled messages that nobody has to be asked about, and the others.
    pub(crate) fn split_by_lookup(&self, scheduled: Vec<Message>) -> [Vec<Message>; 2] {
        let Some(coverage) = self.coverage_with_networks() else {
            return [scheduled, Vec::new()];
        };
        let is_at_hand = |message: &Message| {
            let number = self.asked_number_of(message);
            let networks = networks(&coverage);
            number.is_none_or(|number| networks.is_none_or(|it| it.is_at_hand(number)))
        };
        let (at_hand, others) = scheduled.into_iter().partition(is_at_hand);
        [at_hand, others]
    }

    /// For each scheduled message, the network of its recipient where that matters and is known.
    pub(crate) async fn look_up_all(&self, scheduled: &[Message]) -> Vec<Option<Network>> {
        let Some(coverage) = self.coverage_with_networks() else {
            return vec![None; scheduled.len()];
        };
        let Some(networks) = networks(&coverage) else {
            return vec![None; scheduled.len()];
        };
        let asked = scheduled.iter();
        let asked: Vec<_> = asked.map(|message| self.asked_number_of(message)).collect();
        let found = stream::iter(asked).map(async |number: Option<PhoneNumber>| {
            let answer = networks.find(number?).await;
            answer?.network()
        });
        // More at a time would only wait for each other, and the last ones for too long.
        let found = found.buffered(networks.concurrency());
        found.collect().await
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
