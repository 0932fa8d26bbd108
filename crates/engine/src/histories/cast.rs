//! Who takes part: senders and recipients by number, few and alike enough to get in each other's way.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use postrider_core::cap::CapRule;
use postrider_core::clock::ManualClock;
use postrider_core::country::Country;
use postrider_core::network::{Network, NetworkPattern};
use postrider_core::pacing::PaceSettings;
use postrider_core::phone_number::PhoneNumber;
use postrider_core::select::{Channel, Recipient, SenderKind};
use postrider_core::sender::SenderAddress;
use postrider_core::settings::Capabilities;

use crate::Metrics;
use crate::networks::{self, Networks};
use crate::testing::START_MS;

/// Address and country: a short code's, or the one that an alpha sender is for.
const SENDERS: [(&str, &str); 17] = [
    ("+14155550121", ""),
    ("+16285550122", ""),
    ("+12125550123", ""),
    ("+14165550124", ""),
    ("+18885550125", ""),
    ("+447700900126", ""),
    ("+447700900127", ""),
    ("+4915110000128", ""),
    ("55501", "US"),
    ("55502", "US"),
    ("60070", "GB"),
    ("ACME", ""),
    ("Shop", ""),
    ("ACME", "GB"),
    ("Shop", "DE"),
    ("whatsapp:+14155550130", ""),
    ("whatsapp:+447700900131", ""),
];

/// Those above, and after them as many numbers of one area code: a group so large that its ranking
/// is told of single changes.
pub(super) const CROWD: usize = 17;
pub(super) const ALL_SENDERS: usize = SENDERS.len() + CROWD;

pub(super) fn sender(index: usize) -> (SenderAddress, Option<Country>) {
    let Some((address, country)) = SENDERS.get(index) else {
        let address = format!("+14155550{:03}", 140 + index - SENDERS.len());
        return (SenderAddress::parse(&address).unwrap(), None);
    };
    let address = SenderAddress::parse(address).unwrap();
    (address, Country::parse(country))
}

/// The members of the crowd.
pub(super) fn crowd() -> impl Iterator<Item = usize> {
    SENDERS.len()..ALL_SENDERS
}

/// Number and network.
const RECIPIENTS: [(&str, &str); 13] = [
    ("+14155550199", "310-260"),
    ("+447700900199", "234-10"),
    ("+17185550199", "310-410"),
    ("+16475550199", ""),
    ("+4915110000099", ""),
    ("+18885550199", ""),
    ("+17875550199", "310-260"),
    ("+33700000099", ""),
    ("+971500000099", ""),
    ("+881612345678", ""),
    // Senders, too: nobody texts oneself. The last two are of the crowd.
    ("+14155550121", "310-260"),
    ("+14155550140", ""),
    ("+14155550145", ""),
];
pub(super) const ALL_RECIPIENTS: usize = RECIPIENTS.len();

pub(super) fn recipient(index: usize, channel: Channel) -> Recipient {
    let (number, network) = RECIPIENTS[index];
    let number = PhoneNumber::parse(number).unwrap();
    Recipient {
        network: network.parse::<Network>().ok(),
        ..Recipient::of(number, channel)
    }
}

/// What the operator knows of the recipients' networks.
pub(super) fn networks() -> Networks {
    static NETWORKS: OnceLock<Networks> = OnceLock::new();
    let open = || {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for (number, network) in RECIPIENTS {
            if let Some((mcc, mnc)) = network.split_once('-') {
                writeln!(file, "{number},{mcc},{mnc}").unwrap();
            }
        }
        let config = networks::Config {
            table: Some(file.path().to_owned()),
            ..networks::Config::default()
        };
        let wiring = networks::Wiring {
            clock: Arc::new(ManualClock::at(START_MS)),
            metrics: Arc::new(Metrics::default()),
            ca_file: None,
        };
        Networks::open(&config, &wiring, None).unwrap().unwrap()
    };
    NETWORKS.get_or_init(open).clone()
}

/// Lists that a short code's networks may be changed to.
pub(super) const SERVED: [&[&str]; 4] = [&[], &["310-260"], &["310"], &["234-15"]];

pub(super) fn served(index: usize) -> Vec<NetworkPattern> {
    let patterns = SERVED[index].iter();
    patterns.map(|pattern| pattern.parse().unwrap()).collect()
}

/// What a number or short code may be changed to. Without either it could not join.
pub(super) const CAPABILITIES: [Capabilities; 3] = [
    Capabilities {
        sms: true,
        mms: true,
        voice: false,
    },
    Capabilities {
        sms: true,
        mms: false,
        voice: false,
    },
    Capabilities {
        sms: false,
        mms: true,
        voice: false,
    },
];

/// Services of the account.
pub(super) const SERVICES: usize = 2;

/// What senders may be capped at: by kind, country, segments and recipients of a day. A long code of the
/// crowd comes near its cap with its first segments, and is ranked apart.
const CAPS: [&[(SenderKind, &str, u32, u32)]; 4] = [
    &[],
    &[],
    &[
        (SenderKind::LongCode, "GB", 3, 0),
        (SenderKind::LongCode, "US", 12, 2),
        (SenderKind::ShortCode, "GB", 0, 1),
        (SenderKind::Alpha, "", 2, 0),
    ],
    &[
        (SenderKind::LongCode, "DE", 0, 0),
        (SenderKind::TollFree, "US", 0, 1),
        (SenderKind::ShortCode, "US", 4, 1),
        (SenderKind::WhatsApp, "", 2, 1),
        (SenderKind::LongCode, "", 2, 3),
    ],
];
pub(super) const ALL_CAPS: usize = CAPS.len();

pub(super) fn caps(index: usize) -> Vec<CapRule> {
    let rules = CAPS[index].iter();
    let rule = |&(sender, country, daily_segments, daily_recipients): &_| CapRule {
        sender: Some(sender),
        countries: Country::parse(country).into_iter().collect(),
        daily_segments,
        daily_recipients,
    };
    rules.map(rule).collect()
}

/// A sender that was slowed down takes this long for a segment; four of them are too many.
const SLOW_SEGMENT_MS: u64 = 10_000_000;
pub(super) const SLOW: f64 = 1e-4;

/// How long a segment takes. No kind is so slow that not all of a test's messages might leave at once.
pub(super) fn segment_ms(kind: SenderKind, country: Option<Country>, is_slow: bool) -> u64 {
    match kind {
        _ if is_slow => SLOW_SEGMENT_MS,
        SenderKind::LongCode if country == Country::parse("GB") => 2,
        SenderKind::LongCode | SenderKind::TollFree => 1,
        SenderKind::Alpha | SenderKind::DestinationAlpha => 4,
        SenderKind::WhatsApp => 5,
        SenderKind::ShortCode => 8,
    }
}

pub(super) fn paces() -> PaceSettings {
    PaceSettings {
        long_code: Some(1_000.0),
        long_code_by_country: BTreeMap::from([(Country::parse("GB").unwrap(), 500.0)]),
        toll_free: 1_000.0,
        alpha: 250.0,
        whatsapp: 200.0,
        short_code: 125.0,
        ..PaceSettings::default()
    }
}
