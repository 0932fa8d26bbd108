//! Named senders, settable loads and settable reach: the world that the tests select in.

use std::collections::{BTreeMap, BTreeSet};

use crate::country::Country;
use crate::message::SenderNo;
use crate::network::Network;
use crate::phone_number::PhoneNumber;
use crate::select::{Loads, PoolSender, QueueLoad, Reach, Served, StickyMapping};
use crate::sender::{AlphaSenderId, ShortCode};
use crate::settings::Capabilities;

pub(super) const SMS: Capabilities = Capabilities {
    sms: true,
    mms: false,
    voice: false,
};
pub(super) const SMS_MMS: Capabilities = Capabilities {
    sms: true,
    mms: true,
    voice: false,
};

/// The senders of the worked examples. A sender's number is its place in this list, from 1.
const NAMES: [&str; 22] = [
    "US415",
    "US628",
    "US212",
    "US917",
    "TF888",
    "CA416",
    "CA604",
    "UK",
    "UKb",
    "DE",
    "FR",
    "JM",
    "SC-US",
    "SC-UK",
    "ACME",
    "ACME-DE",
    "WA-US",
    "WA-BR",
    "UK(MMS)",
    "SC-US2",
    "ACME2",
    "US(MMS only)",
];

pub(super) fn no(name: &str) -> SenderNo {
    let index = NAMES.iter().position(|known| *known == name);
    SenderNo(u32::try_from(index.unwrap_or_else(|| panic!("no sender {name:?}")) + 1).unwrap())
}

pub(super) fn name(no: SenderNo) -> &'static str {
    NAMES[no.0 as usize - 1]
}

pub(super) fn sender(name: &str, position: u64) -> PoolSender {
    let no = no(name);
    let number = |digits: &str, capabilities| {
        PoolSender::number(
            no,
            PhoneNumber::parse(digits).unwrap(),
            capabilities,
            position,
        )
    };
    let short_code = |code: &str, home: &str, capabilities| {
        let code = ShortCode::parse(code).unwrap();
        PoolSender::short_code(no, code, country(home), capabilities, position)
    };
    let alpha = |id: &str, destination: Option<&str>| {
        let id = AlphaSenderId::parse(id).unwrap();
        PoolSender::alpha(no, id, destination.map(country), position)
    };
    let whatsapp =
        |digits: &str| PoolSender::whatsapp(no, PhoneNumber::parse(digits).unwrap(), position);
    match name {
        "US415" => number("+14155550101", SMS_MMS),
        "US628" => number("+16285550102", SMS_MMS),
        "US212" => number("+12125550103", SMS_MMS),
        "US917" => number("+19175550104", SMS_MMS),
        "TF888" => number("+18885550105", SMS_MMS),
        "CA416" => number("+14165550106", SMS_MMS),
        "CA604" => number("+16045550107", SMS_MMS),
        "UK" => number("+447700900101", SMS),
        "UKb" => number("+447700900102", SMS),
        "UK(MMS)" => number("+447700900101", SMS_MMS),
        "DE" => number("+4915110000001", SMS),
        "FR" => number("+33700000001", SMS),
        "JM" => number("+18765550108", SMS_MMS),
        "SC-US" => short_code("55501", "US", SMS_MMS),
        "SC-US2" => short_code("55502", "US", SMS),
        "SC-UK" => short_code("60001", "GB", SMS),
        "ACME" => alpha("ACME", None),
        "ACME2" => alpha("ACME2", None),
        "ACME-DE" => alpha("ACME", Some("DE")),
        "WA-US" => whatsapp("+14155550191"),
        "WA-BR" => whatsapp("+5511999990001"),
        "US(MMS only)" => number(
            "+14155550109",
            Capabilities {
                sms: false,
                mms: true,
                voice: false,
            },
        ),
        _ => panic!("no sender {name:?}"),
    }
}

pub(super) fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

/// Loads and carriers as a test sets them; idle, and MMS within the US and Canada, unless told.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) mappings: BTreeMap<SenderNo, u64>,
    pub(super) queues: BTreeMap<SenderNo, QueueLoad>,
    pub(super) not_served: BTreeSet<SenderNo>,
    pub(super) registered: BTreeSet<SenderNo>,
    /// Countries within which MMS works, besides the US and Canada.
    pub(super) mms: BTreeSet<Country>,
}

impl Loads for World {
    fn mappings(&self, sender: SenderNo, _: u64) -> u64 {
        self.mappings.get(&sender).copied().unwrap_or(0)
    }

    fn queue(&self, sender: SenderNo) -> QueueLoad {
        self.queues.get(&sender).copied().unwrap_or_default()
    }
}

impl Reach for World {
    fn short_code(&self, short_code: SenderNo, _: Network) -> Served {
        if self.not_served.contains(&short_code) {
            Served::No
        } else {
            Served::Yes
        }
    }

    fn mms(&self, sender: Option<Country>, recipient: Option<Country>) -> Served {
        let (Some(sender), Some(recipient)) = (sender, recipient) else {
            return Served::No;
        };
        let is_american = |country| country == Country::US || country == Country::CA;
        let is_routed = is_american(sender) && is_american(recipient)
            || sender == recipient && self.mms.contains(&sender);
        if is_routed { Served::Yes } else { Served::No }
    }

    fn is_registered(&self, alpha: SenderNo, _: Country) -> bool {
        self.registered.contains(&alpha)
    }
}

pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;
pub(super) const NOW_MS: i64 = 1_800_000_000_000;

pub(super) fn mapping(sender: SenderNo, position: u64, age_days: i64) -> StickyMapping {
    StickyMapping {
        sender,
        position,
        last_used_ms: NOW_MS - age_days * DAY_MS,
    }
}
