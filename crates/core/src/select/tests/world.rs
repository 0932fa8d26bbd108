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

/// Senders of the corner cases, besides those of the worked examples.
const MORE_SENDERS: &str = "
| SC-US2       | 55502        | US  | SMS |
| ACME2        | ACME2        | any | SMS |
| US(MMS) | +14155550109 | US  | MMS |
| US(voice)    | +14155550110 | US  |     |
";

/// The cells of a table of the documentation, without its header.
pub(super) fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = table.lines().filter(|line| line.starts_with('|'));
    lines.skip(2).map(cells)
}

fn cells(line: &'static str) -> Vec<&'static str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// Name, address, country and what it can do. A sender's number is its place in this list, from 1.
fn senders() -> impl Iterator<Item = Vec<&'static str>> {
    let page = include_str!("../../../../../docs/worked-examples.md");
    let (_, senders) = page.split_once("## Senders").unwrap();
    let (senders, _) = senders.split_once("## Examples").unwrap();
    rows(senders).chain(MORE_SENDERS.lines().skip(1).map(cells))
}

pub(super) fn no(name: &str) -> SenderNo {
    let index = senders().position(|row| row[0] == name);
    SenderNo(u32::try_from(index.unwrap_or_else(|| panic!("no sender {name:?}")) + 1).unwrap())
}

pub(super) fn name(no: SenderNo) -> &'static str {
    senders().nth(no.0 as usize - 1).unwrap()[0]
}

pub(super) fn sender(name: &str, position: u64) -> PoolSender {
    let no = no(name);
    let row = senders().find(|row| row[0] == name).unwrap();
    let [_, address, home, can] = row[..] else {
        panic!("not four columns: {row:?}")
    };
    let capabilities = Capabilities {
        sms: can.contains("SMS"),
        mms: can.contains("MMS"),
        voice: false,
    };
    let digits = |text| PhoneNumber::parse(text).unwrap();
    if let Some(number) = address.strip_prefix("whatsapp:") {
        PoolSender::whatsapp(no, digits(number), position)
    } else if address.starts_with('+') {
        PoolSender::number(no, digits(address), capabilities, position)
    } else if let Some(code) = ShortCode::parse(address) {
        PoolSender::short_code(no, code, country(home), capabilities, position)
    } else {
        let id = AlphaSenderId::parse(address).unwrap();
        PoolSender::alpha(no, id, Country::parse(home), position)
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
