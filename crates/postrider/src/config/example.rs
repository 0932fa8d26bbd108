//! Holds `postrider.example.toml` to its word: every key is there, with its default.

use std::collections::BTreeSet;

use postrider_carriers::{simulator, smpp};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::reader::read;
use super::{Carrier, Config, Problem, Route, Server, Setting, Store};

const EXAMPLE: &str = include_str!("../../../../postrider.example.toml");

/// Keys without a default: the example shows some value.
const WITHOUT_DEFAULT: [&str; 13] = [
    "server.public_url",
    "webhooks.ca_file",
    "links.listen_http",
    "links.listen_https",
    "networks.table",
    "networks.lookup_url",
    "networks.lookup_token",
    "countries.AE",
    "pace.long_code",
    "pace.long_code_by_country",
    "pace.destinations",
    "pace.account_by_sid",
    "pace.campaigns",
];
const SMPP_WITHOUT_DEFAULT: [&str; 9] = [
    "name",
    "host",
    "system_id",
    "password",
    "password_file",
    "alternates",
    "source_address",
    "country_calling_code",
    "tls",
];

/// The example with every setting in it put to use.
fn uncommented() -> Table {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n").parse().unwrap()
}

fn carrier(kind: &str) -> Table {
    let carriers = uncommented()["carriers"].as_array().unwrap().clone();
    let is_wanted = |carrier: &Value| carrier["kind"].as_str() == Some(kind);
    let mut carrier = carriers
        .into_iter()
        .find(is_wanted)
        .unwrap()
        .as_table()
        .unwrap()
        .clone();
    carrier.remove("kind");
    carrier
}

fn read_table<T: DeserializeOwned>(table: Table) -> Result<T, Problem> {
    read(Setting::from(table))
}

#[test]
fn as_it_is_shipped_it_says_the_defaults() {
    let shipped: Table = EXAMPLE.parse().unwrap();
    assert_eq!(read_table::<Config>(shipped).unwrap(), Config::default());
}

#[test]
fn with_every_setting_in_use_it_is_a_configuration() {
    // Two ways to give the password; the file is nowhere.
    let mut table = uncommented();
    let carriers = table["carriers"].as_array_mut().unwrap();
    for carrier in carriers.iter_mut() {
        let carrier = carrier.as_table_mut().unwrap();
        carrier.remove("password_file");
    }
    let config = Config::of_settings(table.into(), [], "the example");
    assert_eq!(config.unwrap().carriers.len(), 2);
}

#[test]
fn only_keys_without_a_default_are_commented_out() {
    let keys = |table: &Table| {
        let sections = table.iter().filter_map(|(name, section)| {
            section
                .as_table()
                .map(|section| (name.clone(), section.clone()))
        });
        sections
            .flat_map(|(name, section)| {
                section
                    .into_iter()
                    .map(move |(key, _)| format!("{name}.{key}"))
            })
            .collect::<BTreeSet<_>>()
    };
    let (all, shipped) = (keys(&uncommented()), keys(&EXAMPLE.parse().unwrap()));
    let expected = BTreeSet::from(WITHOUT_DEFAULT.map(str::to_owned));
    assert_eq!(
        all.difference(&shipped).cloned().collect::<BTreeSet<_>>(),
        expected
    );
}

#[test]
fn carriers_keys_show_their_defaults() {
    let mut table = carrier("smpp");
    for key in SMPP_WITHOUT_DEFAULT {
        assert!(table.remove(key).is_some(), "{key}");
    }
    assert_eq!(
        read_table::<smpp::Config>(table).unwrap(),
        smpp::Config::default()
    );

    let mut tls = carrier("smpp")["tls"].as_table().unwrap().clone();
    for key in [
        "ca_file",
        "certificate_file",
        "key_file",
        "server_name",
        "pinned_sha256",
    ] {
        assert!(tls.remove(key).is_some(), "{key}");
    }
    let tls: smpp::config::TlsConfig = read_table(tls).unwrap();
    assert_eq!(tls, smpp::config::TlsConfig::default());

    let mut table = carrier("simulator");
    assert!(table.remove("seed").is_some());
    assert_eq!(
        read_table::<simulator::Config>(table).unwrap(),
        simulator::Config::default()
    );
}

/// A key that does not exist makes each type tell the keys it has.
fn known_keys<T: DeserializeOwned + std::fmt::Debug>() -> BTreeSet<String> {
    let probe = Table::from_iter([("no_such_key".to_owned(), Value::Boolean(true))]);
    let problem = read_table::<T>(probe).unwrap_err();
    problem
        .known_keys
        .unwrap()
        .iter()
        .map(|key| (*key).to_owned())
        .collect()
}

fn given_keys(table: &Value) -> BTreeSet<String> {
    table.as_table().unwrap().keys().cloned().collect()
}

#[test]
fn no_key_is_missing() {
    let all = uncommented();
    let smpp = Value::Table(carrier("smpp"));
    let simulator = Value::Table(carrier("simulator"));
    assert_eq!(
        given_keys(&Value::Table(all.clone())),
        known_keys::<Config>()
    );
    assert_eq!(given_keys(&all["server"]), known_keys::<Server>());
    assert_eq!(given_keys(&all["store"]), known_keys::<Store>());
    assert_eq!(
        given_keys(&all["webhooks"]),
        known_keys::<postrider_engine::webhooks::Config>()
    );
    assert_eq!(given_keys(&all["links"]), known_keys::<super::Links>());
    assert_eq!(
        given_keys(&all["networks"]),
        known_keys::<postrider_engine::networks::Config>()
    );
    assert_eq!(
        given_keys(&all["mms"]),
        known_keys::<postrider_engine::coverage::Mms>()
    );
    assert_eq!(
        given_keys(&all["mms"]["reach"][0]),
        known_keys::<postrider_engine::coverage::MmsReach>()
    );
    assert_eq!(
        given_keys(&all["countries"]["AE"]),
        known_keys::<postrider_engine::coverage::CountryOverride>()
    );
    assert_eq!(
        given_keys(&all["pace"]),
        known_keys::<postrider_core::pacing::PaceSettings>()
    );
    assert_eq!(
        given_keys(&all["pace"]["campaigns"]["spring"]),
        known_keys::<postrider_core::shared_pace::Campaign>()
    );
    assert_eq!(
        given_keys(&all["pace"]["destinations"][0]),
        known_keys::<postrider_core::shared_pace::DestinationPace>()
    );
    assert_eq!(
        given_keys(&all["limits"]),
        known_keys::<postrider_engine::Limits>()
    );
    assert_eq!(
        given_keys(&all["compliance"]),
        known_keys::<postrider_engine::Compliance>()
    );
    assert_eq!(
        given_keys(&all["opt_out"]),
        known_keys::<postrider_core::opt_out::Wording>()
    );
    assert_eq!(given_keys(&all["routes"][0]), known_keys::<Route>());
    assert_eq!(
        given_keys(&all["caps"][0]),
        known_keys::<postrider_core::cap::CapRule>()
    );
    assert_eq!(given_keys(&smpp), known_keys::<smpp::Config>());
    assert_eq!(
        given_keys(&smpp["tls"]),
        known_keys::<smpp::config::TlsConfig>()
    );
    assert_eq!(given_keys(&simulator), known_keys::<simulator::Config>());
    assert_eq!(
        given_keys(&simulator["odds"]),
        known_keys::<simulator::Odds>()
    );
}

/// What the front page shows must work when it is copied.
#[test]
fn the_readme_shows_a_configuration() {
    let readme = include_str!("../../../../README.md");
    let (_, toml) = readme.split_once("```toml\n").unwrap();
    let (toml, _) = toml.split_once("```").unwrap();
    let config: Config = read_table(toml.parse().unwrap()).unwrap();
    assert_eq!(config.carriers[0].name(), "acme");
    assert_eq!(config.server, Server::default());
}

#[test]
fn every_kind_of_carrier_is_shown() {
    let kinds = [
        Carrier::Smpp(Box::default()),
        Carrier::Simulator(simulator::Config::default()),
    ];
    for kind in kinds {
        match kind {
            Carrier::Smpp(_) => carrier("smpp"),
            Carrier::Simulator(_) => carrier("simulator"),
        };
    }
}
