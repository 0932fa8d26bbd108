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
use postrider_core::sid::ServiceSid;

use super::{Acceptor, read_to, sender_parameters};
use crate::networks::{Answer, Networks};
use crate::reach::Coverage;

impl Acceptor {
    /// Where the network of this request's recipient matters, what is known of it.
    pub(crate) async fn look_up(&self, request: &CreateMessage) -> Option<Answer> {
        let coverage = self.coverage_with_networks()?;
        let (None, Some(service)) = sender_parameters(request).ok()? else {
            return None;
        };
        let to = request.to.as_deref()?;
        let number = self.asked_number(service.parse().ok()?, to)?;
        networks(&coverage)?.find(number).await
    }

    /// For each scheduled message, the network of its recipient where that matters and is known.
    pub(crate) async fn look_up_all(&self, scheduled: &[Message]) -> Vec<Option<Network>> {
        let Some(coverage) = self.coverage_with_networks() else {
            return vec![None; scheduled.len()];
        };
        let Some(networks) = networks(&coverage) else {
            return vec![None; scheduled.len()];
        };
        let asked = scheduled.iter().map(|message| {
            let service = message.service.filter(|_| message.options.from.is_none())?;
            self.asked_number(service, &message.to)
        });
        let asked: Vec<_> = asked.collect();
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

    /// The recipient's number, if its network decides about a short code of the pool.
    fn asked_number(&self, service: ServiceSid, to: &str) -> Option<PhoneNumber> {
        if !self.directory.has_short_code_with_networks(service, None) {
            return None;
        }
        let to = read_to(to).ok().filter(|to| to.channel == Channel::Sms)?;
        let country = to.number.country();
        let matters = country.is_some()
            && self
                .directory
                .has_short_code_with_networks(service, country);
        matters.then_some(to.number)
    }
}

fn networks(coverage: &Coverage) -> Option<&Networks> {
    coverage.networks.as_ref()
}
