//! Senders and settings of a history, and what changes them.

use postrider_core::error_code::ErrorCode;
use postrider_core::message::SenderNo;
use postrider_core::select::PoolSender;
use postrider_core::sender::SenderAddress;
use postrider_core::settings::{Capabilities, PoolSenderSid, SenderStatus, Service};
use postrider_core::sid::{ChannelSenderSid, PhoneNumberSid, ShortCodeSid};

use super::step::{Switch, Who};
use super::{History, cast};
use crate::NewPoolEntry;

/// A sender that the account has.
pub(super) struct Known {
    /// Not known of an alpha sender before it joins.
    pub(super) no: Option<SenderNo>,
    sid: Sid,
    capabilities: Capabilities,
    status: SenderStatus,
    /// What it is called in each service's pool; `None` while it is not in it.
    members: [Option<String>; cast::SERVICES],
    pub(super) is_slow: bool,
}

impl Known {
    fn is_member(&self) -> bool {
        self.members.iter().any(Option::is_some)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sid {
    Number(PhoneNumberSid),
    ShortCode(ShortCodeSid),
    Channel(ChannelSenderSid),
    Alpha,
}

impl History {
    pub(super) fn who(&self, who: Who) -> usize {
        match who {
            Who::Any(sender) => sender,
            Who::Member(place) => {
                let known = self.known.iter();
                let members = known.filter(|(_, known)| known.is_member());
                let members: Vec<_> = members.map(|(sender, _)| *sender).collect();
                let place = place.checked_rem(members.len());
                place.map_or(0, |place| members[place])
            }
        }
    }

    /// The account has it from now on.
    fn register(&mut self, sender: usize) {
        if self.known.contains_key(&sender) {
            return;
        }
        let (address, country) = cast::sender(sender);
        let account = self.account.sid;
        let capabilities = cast::CAPABILITIES[0];
        let (engine, life) = (self.engine(), self.life());
        let (no, sid) = match address {
            SenderAddress::Number(number) => {
                let set = |number: &mut postrider_core::settings::IncomingNumber| {
                    number.capabilities = capabilities;
                };
                let number = life.run(engine.register_number(account, number, set));
                let number = number.unwrap();
                (Some(number.sender), Sid::Number(number.sid))
            }
            SenderAddress::ShortCode(code) => {
                let set = |code: &mut postrider_core::settings::ShortCodeEntry| {
                    code.capabilities = capabilities;
                };
                let country = country.unwrap();
                let code = life.run(engine.register_short_code(account, code, country, set));
                let code = code.unwrap();
                (Some(code.sender), Sid::ShortCode(code.sid))
            }
            SenderAddress::WhatsApp(number) => {
                let sender = life.run(engine.register_channel_sender(account, number, |_| {}));
                let sender = sender.unwrap();
                (Some(sender.sender), Sid::Channel(sender.sid))
            }
            SenderAddress::Alpha(_) => (None, Sid::Alpha),
        };
        let known = Known {
            no,
            sid,
            capabilities,
            status: SenderStatus::Active,
            members: Default::default(),
            is_slow: false,
        };
        self.known.insert(sender, known);
    }

    pub(super) fn join_or_leave(&mut self, service: usize, sender: usize) {
        self.register(sender);
        let known = self.known.get_mut(&sender).expect("it is registered");
        match known.members[service].take() {
            None => self.join(service, sender),
            Some(member) => {
                let left = self
                    .engine()
                    .remove_from_pool(self.services[service], &member);
                self.run(left).unwrap();
                self.model.services[service].leave(self.no(sender));
            }
        }
    }

    fn join(&mut self, service: usize, sender: usize) {
        let (address, country) = cast::sender(sender);
        let entry = match (self.known[&sender].sid, &address, country) {
            (Sid::Number(sid), ..) => NewPoolEntry::Number(sid),
            (Sid::ShortCode(sid), ..) => NewPoolEntry::ShortCode(sid),
            (Sid::Channel(sid), ..) => NewPoolEntry::Channel(sid),
            (Sid::Alpha, SenderAddress::Alpha(id), None) => NewPoolEntry::Alpha(id.clone()),
            (Sid::Alpha, SenderAddress::Alpha(id), Some(country)) => {
                NewPoolEntry::DestinationAlpha(id.clone(), country)
            }
            (Sid::Alpha, ..) => unreachable!("an alpha sender has an alpha sender's address"),
        };
        let join = self.engine().add_to_pool(self.services[service], entry);
        let joined = self.run(join);
        let known = self.known.get_mut(&sender).expect("it is registered");
        // Only an alpha sender may be in the pools of two.
        if known.sid != Sid::Alpha && known.is_member() {
            assert_eq!(joined.unwrap_err().code, ErrorCode::SenderInOtherService);
            return;
        }
        let member = joined.unwrap();
        known.members[service] = Some(member.sender.to_string());
        if let PoolSenderSid::Alpha { sender: no, .. }
        | PoolSenderSid::DestinationAlpha { sender: no, .. } = member.sender
        {
            known.no = Some(no);
        }
        let (no, can) = (known.no.unwrap(), known.capabilities);
        let status = known.status;
        self.places[service].push(member.position);
        self.model.services[service].join(|position| PoolSender {
            status,
            ..match address {
                SenderAddress::Number(number) => PoolSender::number(no, number, can, position),
                SenderAddress::ShortCode(code) => {
                    PoolSender::short_code(no, code, country.unwrap(), can, position)
                }
                SenderAddress::Alpha(id) => PoolSender::alpha(no, id, country, position),
                SenderAddress::WhatsApp(number) => PoolSender::whatsapp(no, number, position),
            }
        });
    }

    fn no(&self, sender: usize) -> SenderNo {
        self.known[&sender].no.expect("it has joined before")
    }

    pub(super) fn set_capabilities(&mut self, sender: usize, can: usize) {
        self.register(sender);
        let can = cast::CAPABILITIES[can];
        let engine = self.engine();
        match self.known[&sender].sid {
            Sid::Number(sid) => {
                let set = engine.update_number(sid, |number| number.capabilities = can);
                self.run(set).map(drop).unwrap();
            }
            Sid::ShortCode(sid) => {
                let set = engine.update_short_code(sid, |code| code.capabilities = can);
                self.run(set).map(drop).unwrap();
            }
            // These can do what their kind can.
            Sid::Channel(_) | Sid::Alpha => return,
        }
        let no = self.no(sender);
        if let Some(known) = self.known.get_mut(&sender) {
            known.capabilities = can;
        }
        for member in self.model.members_mut(no) {
            member.capabilities = can;
        }
    }

    pub(super) fn set_status(&mut self, sender: usize, status: SenderStatus) {
        self.register(sender);
        let engine = self.engine();
        match self.known[&sender].sid {
            Sid::Number(sid) => {
                let set = engine.update_number(sid, |number| number.status = status);
                self.run(set).map(drop).unwrap();
            }
            Sid::ShortCode(sid) => {
                let set = engine.update_short_code(sid, |code| code.status = status);
                self.run(set).map(drop).unwrap();
            }
            Sid::Channel(sid) => {
                let set = engine.update_channel_sender(sid, |sender| sender.status = status);
                self.run(set).map(drop).unwrap();
            }
            // These have none.
            Sid::Alpha => return,
        }
        let no = self.no(sender);
        if let Some(known) = self.known.get_mut(&sender) {
            known.status = status;
        }
        for member in self.model.members_mut(no) {
            member.status = status;
        }
    }

    pub(super) fn serve(&mut self, sender: usize, networks: usize) {
        self.register(sender);
        let Sid::ShortCode(sid) = self.known[&sender].sid else {
            return;
        };
        let networks = cast::served(networks);
        let set = self.engine().update_short_code(sid, |code| {
            code.served_networks = networks.clone();
        });
        self.run(set).unwrap();
        self.model.serve(self.no(sender), networks);
    }

    pub(super) fn slow_or_fast(&mut self, sender: usize) {
        self.register(sender);
        self.set_slow(sender, !self.known[&sender].is_slow);
    }

    pub(super) fn set_slow(&mut self, sender: usize, is_slow: bool) {
        let pace = is_slow.then_some(cast::SLOW);
        let engine = self.engine();
        match self.known[&sender].sid {
            Sid::Number(sid) => {
                let set = engine.update_number(sid, |number| number.pace = pace);
                self.run(set).map(drop).unwrap();
            }
            Sid::ShortCode(sid) => {
                let set = engine.update_short_code(sid, |code| code.pace = pace);
                self.run(set).map(drop).unwrap();
            }
            // These have no pace of their own.
            Sid::Channel(_) | Sid::Alpha => return,
        }
        let no = self.no(sender);
        self.model.set_slow(no, is_slow);
        if let Some(known) = self.known.get_mut(&sender) {
            known.is_slow = is_slow;
        }
    }

    pub(super) fn toggle(&mut self, service: usize, switch: Switch) {
        let settings = &mut self.model.services[service].settings;
        let switched = match switch {
            Switch::Sticky => &mut settings.sticky_sender,
            Switch::AreaCode => &mut settings.area_code_geomatch,
            Switch::MmsConverter => &mut settings.mms_converter,
        };
        *switched = !*switched;
        let settings = *settings;
        let set = |service: &mut Service| {
            service.sticky_sender = settings.sticky_sender;
            service.area_code_geomatch = settings.area_code_geomatch;
            service.mms_converter = settings.mms_converter;
        };
        let set = self.engine().update_service(self.services[service], set);
        self.run(set).unwrap();
    }
}
